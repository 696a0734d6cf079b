/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/cred.h"

#include "core/addr.h"
#include "core/identity.h"

#include <string.h>

/* How this works: each credential is body | signature | extra fields. What is signed is
 * marker | body | no extra fields | marker, so one function per kind writes the body and both forms
 * are made from it. A capability is the exception: its signed form ends before the custody chain,
 * and every owner in the chain signs the same bytes (vl2 5.2). */

static const uint8_t marker[8] = { 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f };

static void signature_read(struct rd *r, struct cred_signature *out)
{
	out->type = rd_u8(r);
	uint16_t length = rd_u16(r);
	if (out->type != VL2_SIGNATURE_ED25519) {
		rd_bytes(r, length);
		return;
	}
	if (length != VL2_SIGNATURE_BYTES) {
		r->bad = true;
		return;
	}
	rd_copy(r, out->bytes, VL2_SIGNATURE_BYTES);
}

static void signature_write(struct wr *w, const struct cred_signature *s)
{
	wr_u8(w, s->type);
	if (s->type == VL2_SIGNATURE_ED25519) {
		wr_u16(w, VL2_SIGNATURE_BYTES);
		wr_bytes(w, s->bytes, VL2_SIGNATURE_BYTES);
	} else {
		wr_u16(w, 0);
	}
}

static void extra_skip(struct rd *r)
{
	rd_bytes(r, rd_u16(r));
}

static void signed_begin(struct wr *w)
{
	wr_bytes(w, marker, sizeof(marker));
}

static void signed_end(struct wr *w)
{
	wr_u16(w, 0);
	wr_bytes(w, marker, sizeof(marker));
}

static int sign(const struct wr *w, const struct identity *signer, struct cred_signature *out)
{
	if (!signer->has_secret) {
		return ZT_E_BAD_IDENTITY;
	}
	out->type = VL2_SIGNATURE_ED25519;
	identity_sign(signer, w->start, wr_length(w), out->bytes);
	return 0;
}

static bool verify(const struct wr *w, const struct identity *signer,
		   const struct cred_signature *signature)
{
	return signature->type == VL2_SIGNATURE_ED25519 && !w->bad &&
	       identity_verify(signer, w->start, wr_length(w), signature->bytes);
}

static bool is_controller(uint64_t nwid, uint64_t signer, const struct identity *controller)
{
	return signer == addr_controller(nwid) && signer == controller->address;
}

/* ---- tag ------------------------------------------------------------------------------------- */

int tag_read(struct rd *r, struct tag *out)
{
	struct tag t = { 0 };
	t.nwid = rd_u64(r);
	t.timestamp = rd_u64(r);
	t.id = rd_u32(r);
	t.value = rd_u32(r);
	t.issued_to = rd_u40(r);
	t.signer = rd_u40(r);
	signature_read(r, &t.signature);
	extra_skip(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = t;
	return 0;
}

static void tag_body(struct wr *w, const struct tag *t)
{
	wr_u64(w, t->nwid);
	wr_u64(w, t->timestamp);
	wr_u32(w, t->id);
	wr_u32(w, t->value);
	wr_u40(w, t->issued_to);
	wr_u40(w, t->signer);
}

void tag_write(struct wr *w, const struct tag *tag)
{
	tag_body(w, tag);
	signature_write(w, &tag->signature);
	wr_u16(w, 0);
}

void tag_write_signed(struct wr *w, const struct tag *tag)
{
	signed_begin(w);
	tag_body(w, tag);
	signed_end(w);
}

int tag_sign(struct tag *tag, const struct identity *signer)
{
	uint8_t bytes[TAG_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	tag->signer = signer->address;
	tag_write_signed(&w, tag);
	return sign(&w, signer, &tag->signature);
}

bool tag_verify(const struct tag *tag, const struct identity *controller)
{
	uint8_t bytes[TAG_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	tag_write_signed(&w, tag);
	return is_controller(tag->nwid, tag->signer, controller) &&
	       verify(&w, controller, &tag->signature);
}

/* ---- certificate of ownership ---------------------------------------------------------------- */

int coo_read(struct rd *r, struct coo *out)
{
	struct coo c = { 0 };
	c.nwid = rd_u64(r);
	c.timestamp = rd_u64(r);
	c.flags = rd_u64(r);
	c.id = rd_u32(r);
	c.thing_count = rd_u16(r);
	if (c.thing_count > VL2_COO_THINGS_MAX) {
		return ZT_E_TOO_BIG;
	}
	for (size_t i = 0; i < c.thing_count; i++) {
		c.things[i].type = rd_u8(r);
		rd_copy(r, c.things[i].value, sizeof(c.things[i].value));
	}
	c.issued_to = rd_u40(r);
	c.signer = rd_u40(r);
	signature_read(r, &c.signature);
	extra_skip(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = c;
	return 0;
}

static void coo_body(struct wr *w, const struct coo *c)
{
	wr_u64(w, c->nwid);
	wr_u64(w, c->timestamp);
	wr_u64(w, c->flags);
	wr_u32(w, c->id);
	wr_u16(w, (uint16_t)c->thing_count);
	for (size_t i = 0; i < c->thing_count; i++) {
		wr_u8(w, c->things[i].type);
		wr_bytes(w, c->things[i].value, sizeof(c->things[i].value));
	}
	wr_u40(w, c->issued_to);
	wr_u40(w, c->signer);
}

void coo_write(struct wr *w, const struct coo *coo)
{
	coo_body(w, coo);
	signature_write(w, &coo->signature);
	wr_u16(w, 0);
}

void coo_write_signed(struct wr *w, const struct coo *coo)
{
	signed_begin(w);
	coo_body(w, coo);
	signed_end(w);
}

int coo_sign(struct coo *coo, const struct identity *signer)
{
	uint8_t bytes[COO_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	coo->signer = signer->address;
	coo_write_signed(&w, coo);
	return sign(&w, signer, &coo->signature);
}

bool coo_verify(const struct coo *coo, const struct identity *controller)
{
	uint8_t bytes[COO_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	coo_write_signed(&w, coo);
	return is_controller(coo->nwid, coo->signer, controller) &&
	       verify(&w, controller, &coo->signature);
}

static bool coo_owns(const struct coo *coo, enum coo_thing_type type, const uint8_t *value,
		     size_t length)
{
	for (size_t i = 0; i < coo->thing_count; i++) {
		if (coo->things[i].type == type &&
		    memcmp(coo->things[i].value, value, length) == 0) {
			return true;
		}
	}
	return false;
}

bool coo_owns_mac(const struct coo *coo, uint64_t mac)
{
	uint8_t bytes[6];
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u48(&w, mac);
	return coo_owns(coo, COO_MAC, bytes, sizeof(bytes));
}

bool coo_owns_ip(const struct coo *coo, const struct zt_endpoint *ip)
{
	return ip->family == 4 ? coo_owns(coo, COO_IPV4, ip->ip, 4)
			       : coo_owns(coo, COO_IPV6, ip->ip, 16);
}

/* ---- revocation ------------------------------------------------------------------------------ */

int revocation_read(struct rd *r, struct revocation *out)
{
	struct revocation v = { 0 };
	rd_u32(r);
	v.id = rd_u32(r);
	v.nwid = rd_u64(r);
	rd_u32(r);
	v.credential_id = rd_u32(r);
	v.threshold = rd_u64(r);
	v.flags = rd_u64(r);
	v.target = rd_u40(r);
	v.signer = rd_u40(r);
	v.type = rd_u8(r);
	signature_read(r, &v.signature);
	extra_skip(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = v;
	return 0;
}

static void revocation_body(struct wr *w, const struct revocation *v)
{
	wr_u32(w, 0);
	wr_u32(w, v->id);
	wr_u64(w, v->nwid);
	wr_u32(w, 0);
	wr_u32(w, v->credential_id);
	wr_u64(w, v->threshold);
	wr_u64(w, v->flags);
	wr_u40(w, v->target);
	wr_u40(w, v->signer);
	wr_u8(w, v->type);
}

void revocation_write(struct wr *w, const struct revocation *rev)
{
	revocation_body(w, rev);
	signature_write(w, &rev->signature);
	wr_u16(w, 0);
}

void revocation_write_signed(struct wr *w, const struct revocation *rev)
{
	signed_begin(w);
	revocation_body(w, rev);
	signed_end(w);
}

int revocation_sign(struct revocation *rev, const struct identity *signer)
{
	uint8_t bytes[REVOCATION_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	rev->signer = signer->address;
	revocation_write_signed(&w, rev);
	return sign(&w, signer, &rev->signature);
}

bool revocation_verify(const struct revocation *rev, const struct identity *controller)
{
	uint8_t bytes[REVOCATION_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	revocation_write_signed(&w, rev);
	return is_controller(rev->nwid, rev->signer, controller) &&
	       verify(&w, controller, &rev->signature);
}

/* ---- capability ------------------------------------------------------------------------------ */

static int custody_read(struct rd *r, struct capability *c)
{
	for (;;) {
		uint64_t to = rd_u40(r);
		if (r->bad) {
			return ZT_E_SHORT;
		}
		if (to == 0) {
			return 0;
		}
		if (c->custody_count == VL2_CUSTODY_MAX) {
			return ZT_E_TOO_BIG;
		}
		struct custody *entry = &c->custody[c->custody_count++];
		entry->to = to;
		entry->from = rd_u40(r);
		signature_read(r, &entry->signature);
	}
}

int capability_read(struct rd *r, struct capability *out)
{
	struct capability c;
	memset(&c, 0, sizeof(c));
	c.nwid = rd_u64(r);
	c.timestamp = rd_u64(r);
	c.id = rd_u32(r);
	c.rule_count = rd_u16(r);
	if (c.rule_count > VL2_CAPABILITY_RULES_MAX) {
		return ZT_E_TOO_BIG;
	}
	for (size_t i = 0; i < c.rule_count; i++) {
		int err = rule_read(r, &c.rules[i]);
		if (err) {
			return err;
		}
	}
	c.custody_max = rd_u8(r);
	if (!r->bad && (c.custody_max == 0 || c.custody_max > VL2_CUSTODY_MAX)) {
		return ZT_E_MALFORMED;
	}
	int err = custody_read(r, &c);
	if (err) {
		return err;
	}
	extra_skip(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = c;
	return 0;
}

static void capability_body(struct wr *w, const struct capability *c)
{
	wr_u64(w, c->nwid);
	wr_u64(w, c->timestamp);
	wr_u32(w, c->id);
	wr_u16(w, (uint16_t)c->rule_count);
	rules_write(w, c->rules, c->rule_count);
	wr_u8(w, c->custody_max);
}

void capability_write(struct wr *w, const struct capability *cap)
{
	capability_body(w, cap);
	for (size_t i = 0; i < cap->custody_count; i++) {
		wr_u40(w, cap->custody[i].to);
		wr_u40(w, cap->custody[i].from);
		signature_write(w, &cap->custody[i].signature);
	}
	wr_u40(w, 0);
	wr_u16(w, 0);
}

void capability_write_signed(struct wr *w, const struct capability *cap)
{
	signed_begin(w);
	capability_body(w, cap);
	signed_end(w);
}

int capability_sign(struct capability *cap, const struct identity *signer, uint64_t to)
{
	if (cap->custody_count >= cap->custody_max || cap->custody_count == VL2_CUSTODY_MAX) {
		return ZT_E_NO_ROOM;
	}
	uint8_t bytes[CAPABILITY_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	capability_write_signed(&w, cap);
	struct custody entry = { .to = to, .from = signer->address };
	int err = sign(&w, signer, &entry.signature);
	if (!err) {
		cap->custody[cap->custody_count++] = entry;
	}
	return err;
}

uint64_t capability_issued_to(const struct capability *cap)
{
	return cap->custody_count ? cap->custody[cap->custody_count - 1].to : 0;
}

bool capability_verify(const struct capability *cap,
		       const struct identity *(*find)(void *context, uint64_t address),
		       void *context, uint64_t *missing)
{
	uint8_t bytes[CAPABILITY_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	capability_write_signed(&w, cap);
	*missing = 0;
	if (cap->custody_count == 0 || cap->custody_count > cap->custody_max) {
		return false;
	}
	uint64_t owner = addr_controller(cap->nwid);
	for (size_t i = 0; i < cap->custody_count; i++) {
		const struct custody *entry = &cap->custody[i];
		if (entry->from != owner) {
			return false;
		}
		const struct identity *from = find(context, entry->from);
		if (!from) {
			*missing = entry->from;
			return false;
		}
		if (!verify(&w, from, &entry->signature)) {
			return false;
		}
		owner = entry->to;
	}
	return true;
}
