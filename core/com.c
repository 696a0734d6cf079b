/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/com.h"

#include "core/identity.h"
#include "core/sha384.h"

#include <string.h>

enum { FORMAT = 1, QUALIFIER_BYTES = 24, HASHES = COM_IDENTITY_LAST - COM_IDENTITY_FIRST + 1 };

int com_read(struct rd *r, struct com *out)
{
	struct com com = { 0 };
	if (rd_u8(r) != FORMAT) {
		return r->bad ? ZT_E_SHORT : ZT_E_MALFORMED;
	}
	com.count = rd_u16(r);
	if (com.count > VL2_COM_QUALIFIERS_MAX) {
		return ZT_E_MALFORMED;
	}
	for (size_t i = 0; i < com.count; i++) {
		com.q[i].id = rd_u64(r);
		com.q[i].value = rd_u64(r);
		com.q[i].max_delta = rd_u64(r);
		if (!r->bad && i > 0 && com.q[i].id < com.q[i - 1].id) {
			return ZT_E_MALFORMED;
		}
	}
	com.signer = rd_u40(r);
	if (com.signer != 0) {
		rd_copy(r, com.signature, sizeof(com.signature));
	}
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = com;
	return 0;
}

static void write_qualifiers(struct wr *w, const struct com *com)
{
	for (size_t i = 0; i < com->count; i++) {
		wr_u64(w, com->q[i].id);
		wr_u64(w, com->q[i].value);
		wr_u64(w, com->q[i].max_delta);
	}
}

void com_write(struct wr *w, const struct com *com)
{
	wr_u8(w, FORMAT);
	wr_u16(w, (uint16_t)com->count);
	write_qualifiers(w, com);
	wr_u40(w, com->signer);
	if (com->signer != 0) {
		wr_bytes(w, com->signature, sizeof(com->signature));
	}
}

bool com_equal(const struct com *a, const struct com *b)
{
	uint8_t a_bytes[COM_MAX_BYTES], b_bytes[COM_MAX_BYTES];
	struct wr aw = wr_init(a_bytes, sizeof(a_bytes)), bw = wr_init(b_bytes, sizeof(b_bytes));
	com_write(&aw, a);
	com_write(&bw, b);
	return wr_length(&aw) == wr_length(&bw) && memcmp(a_bytes, b_bytes, wr_length(&aw)) == 0;
}

static const struct com_qualifier *find(const struct com *com, uint64_t id)
{
	for (size_t i = 0; i < com->count; i++) {
		if (com->q[i].id == id) {
			return &com->q[i];
		}
	}
	return NULL;
}

uint64_t com_value(const struct com *com, enum com_id id)
{
	const struct com_qualifier *q = find(com, id);
	return q ? q->value : 0;
}

/* ---- making and checking --------------------------------------------------------------------- */

/* The first four words of SHA-384(address, public key): qualifiers 3 to 6. */
static void identity_words(const struct identity *member, uint64_t words[HASHES])
{
	uint8_t bytes[5 + IDENTITY_KEY_BYTES], digest[SHA384_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u40(&w, member->address);
	wr_bytes(&w, member->public_key, IDENTITY_KEY_BYTES);
	sha384(bytes, sizeof(bytes), digest);
	struct rd r = rd_init(digest, sizeof(digest));
	for (size_t i = 0; i < HASHES; i++) {
		words[i] = rd_u64(&r);
	}
}

void com_make(struct com *out, uint64_t timestamp, uint64_t max_delta, uint64_t nwid,
	      const struct identity *member)
{
	struct com com = { .count = COM_IDENTITY_FIRST + HASHES };
	com.q[COM_TIMESTAMP] = (struct com_qualifier){ COM_TIMESTAMP, timestamp, max_delta };
	com.q[COM_NETWORK] = (struct com_qualifier){ COM_NETWORK, nwid, 0 };
	com.q[COM_ISSUED_TO] = (struct com_qualifier){ COM_ISSUED_TO, member->address, UINT64_MAX };
	uint64_t words[HASHES];
	identity_words(member, words);
	for (size_t i = 0; i < HASHES; i++) {
		com.q[COM_IDENTITY_FIRST + i] =
		    (struct com_qualifier){ COM_IDENTITY_FIRST + i, words[i], UINT64_MAX };
	}
	*out = com;
}

/* The signature covers the qualifiers alone. Returns their length. */
static size_t signed_bytes(const struct com *com,
			   uint8_t out[VL2_COM_QUALIFIERS_MAX * QUALIFIER_BYTES])
{
	struct wr w = wr_init(out, (size_t)VL2_COM_QUALIFIERS_MAX * QUALIFIER_BYTES);
	write_qualifiers(&w, com);
	return wr_length(&w);
}

int com_sign(struct com *com, const struct identity *signer)
{
	if (!signer->has_secret) {
		return ZT_E_BAD_IDENTITY;
	}
	uint8_t bytes[VL2_COM_QUALIFIERS_MAX * QUALIFIER_BYTES];
	size_t length = signed_bytes(com, bytes);
	identity_sign(signer, bytes, length, com->signature);
	com->signer = signer->address;
	return 0;
}

bool com_verify(const struct com *com, const struct identity *controller)
{
	if (com->signer == 0 || com->signer != controller->address ||
	    com->signer != com_network(com) >> 24) {
		return false;
	}
	uint8_t bytes[VL2_COM_QUALIFIERS_MAX * QUALIFIER_BYTES];
	size_t length = signed_bytes(com, bytes);
	return identity_verify(controller, bytes, length, com->signature);
}

static bool within(const struct com_qualifier *mine, const struct com_qualifier *theirs)
{
	uint64_t distance =
	    mine->value > theirs->value ? mine->value - theirs->value : theirs->value - mine->value;
	return distance <= mine->max_delta;
}

static bool proves_identity(const struct com *com, const struct identity *identity)
{
	uint64_t words[HASHES];
	identity_words(identity, words);
	for (size_t i = 0; i < HASHES; i++) {
		const struct com_qualifier *q = find(com, COM_IDENTITY_FIRST + i);
		if (!q || q->value != words[i]) {
			return false;
		}
	}
	return true;
}

bool com_agrees(const struct com *mine, const struct com *theirs,
		const struct identity *their_identity)
{
	if (mine->count == 0 || theirs->count == 0) {
		return false;
	}
	bool has_identity = false;
	for (size_t i = 0; i < mine->count; i++) {
		const struct com_qualifier *q = &mine->q[i], *other = find(theirs, q->id);
		if (!other || !within(q, other)) {
			return false;
		}
		has_identity |= q->id >= COM_IDENTITY_FIRST && q->id <= COM_IDENTITY_LAST;
	}
	return !has_identity || proves_identity(theirs, their_identity);
}
