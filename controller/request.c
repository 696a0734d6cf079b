/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A member asks for its configuration (vl2 9.4).
 *
 * How this works: the decision is made at once on a copy of the member's record, the copy is
 * committed, and a refusal is sent at once. What is granted only enters the queue: building and
 * signing are bounded per turn there. A push goes the same way with the metadata of the last
 * request and without a reply when it is refused. */
#include "controller/coerce.h"
#include "controller/plan.h"
#include "controller/record.h"
#include "core/addr.h"
#include "core/dict.h"

#include <stdlib.h>
#include <string.h>

enum { GRANTED = 0 };

/* Metadata of a member that is refused is kept so that its configuration can be pushed as soon as
 * it is authorised. Anybody may ask, so no more of it than its record costs anyway; a genuine
 * request has about 300 bytes. */
enum { REFUSED_METADATA_MAX_BYTES = 512 };

struct asking {
	struct dict metadata;
	bool is_request; /* false: a push */
	bool is_new;     /* the record is made by this request */
};

/* ---- who is authorised -------------------------------------------------------------------------
 */

static bool token_is_valid(const json_t *network, const char *token, int64_t now_ms)
{
	const json_t *expiry = json_object_get(json_object_get(network, "authTokens"), token);
	int64_t until = coerce_int(expiry, -1);
	return until == 0 || until > now_ms;
}

static void authorise(struct controller *c, const struct ctl_member *m, const struct asking *a,
		      json_t *record)
{
	static const char prefix[] = "token:";
	const json_t *network = m->network->record;
	char credential[VL2_METADATA_MAX_BYTES];
	int64_t now_ms = c->now.wall_ms;
	if (object_bool(record, "authorized", false)) {
		return;
	}
	if (!object_bool(network, "private", true)) {
		member_authorise(record, now_ms, "public", NULL);
	} else if (dict_string(&a->metadata, "a", credential, sizeof(credential)) &&
		   strncmp(credential, prefix, sizeof(prefix) - 1) == 0 &&
		   token_is_valid(network, credential + sizeof(prefix) - 1, now_ms)) {
		member_authorise(record, now_ms, "token", credential + sizeof(prefix) - 1);
	}
}

/* 0 or the ERROR code of the refusal. */
static uint8_t judge(const struct controller *c, const struct ctl_member *m, const json_t *record)
{
	if (object_bool(m->network->record, "ssoEnabled", false) &&
	    !object_bool(record, "ssoExempt", false) &&
	    object_int(record, "authenticationExpiryTime", 0) <= c->now.wall_ms) {
		return VL2_ERROR_AUTHENTICATION_REQUIRED;
	}
	return object_bool(record, "authorized", false) ? GRANTED : VL2_ERROR_ACCESS_DENIED;
}

/* ---- what an authorised member is given --------------------------------------------------------
 */

static void store_versions(json_t *record, const struct dict *metadata)
{
	static const struct {
		const char *field, *key;
	} versions[] = {
		{ "vMajor", "majv" }, { "vMinor", "minv" }, { "vRev", "revv" }, { "vProto", "pv" }
	};
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		json_int_t value = (uint16_t)dict_u64(metadata, versions[i].key, 0);
		(void)json_object_set_new(record, versions[i].field, json_integer(value));
	}
}

static void store_metadata(struct ctl_member *m, const struct dict *metadata, uint8_t refusal)
{
	if (refusal != GRANTED && metadata->length > REFUSED_METADATA_MAX_BYTES) {
		return;
	}
	uint8_t *copy = realloc(m->metadata, metadata->length + 1);
	if (copy) {
		memcpy(copy, metadata->bytes, metadata->length);
		m->metadata = copy;
		m->metadata_length = metadata->length;
	}
}

/* A new member gets the capabilities that the network gives by default. */
static void add_default_capabilities(const struct plan *p, json_t *record)
{
	json_t *ids = json_object_get(record, "capabilities");
	for (size_t i = 0; i < p->capability_count; i++) {
		if (p->capabilities[i].is_default) {
			(void)json_array_append_new(ids, json_integer(p->capabilities[i].id));
		}
	}
}

/* Defaults of the network for tags that the member lacks, keeping the order by id. */
static void add_default_tags(const struct plan *p, json_t *record)
{
	json_t *pairs = json_object_get(record, "tags");
	size_t at = 0;
	for (size_t i = 0; i < p->tag_count; i++) {
		json_int_t id = p->tags[i].id, there = -1;
		while (at < json_array_size(pairs) &&
		       (there = coerce_int(json_array_get(json_array_get(pairs, at), 0), 0)) < id) {
			at++;
		}
		bool has_it = at < json_array_size(pairs) && there == id;
		if (p->tags[i].has_default && !has_it) {
			(void)json_array_insert_new(
			    pairs, at, json_pack("[I,I]", id, (json_int_t)p->tags[i].value));
		}
	}
}

/* ---- both ways in ------------------------------------------------------------------------------
 */

static uint8_t evaluate(struct controller *c, struct ctl_member *m, const struct asking *a)
{
	struct ctl_network *n = m->network;
	const struct plan *p = plan_of(c, n);
	json_t *record = member_record(m->record, NULL, n->nwid, m->address, c->now.wall_ms);
	if (!p || !record) {
		json_decref(record);
		return VL2_ERROR_ACCESS_DENIED; /* out of memory: it asks again */
	}
	if (a->is_request) {
		char text[IDENTITY_TEXT_MAX];
		(void)json_object_set_new(record, "identity",
					  json_string(identity_text(&m->identity, false, text)));
	}
	if (a->is_new) {
		add_default_capabilities(p, record);
	}
	authorise(c, m, a, record);
	uint8_t refusal = judge(c, m, record);
	if (a->is_request) {
		store_metadata(m, &a->metadata, refusal);
	}
	if (refusal == GRANTED) {
		store_versions(record, &a->metadata);
		add_default_tags(p, record);
		pool_assign(c, m, p, record);
	}
	member_commit(c, m, record, true);
	return refusal;
}

bool member_evaluate(struct controller *c, struct ctl_member *m)
{
	struct asking a = { .metadata = dict_init(m->metadata, m->metadata_length) };
	return m->metadata && m->has_identity && evaluate(c, m, &a) == GRANTED;
}

/* Requests of one member must be more than a second apart. Networks that do not exist have no
 * record to remember it in, so a small table does, in which a collision only forgets. */
static bool is_too_soon(struct controller *c, struct ctl_member *m, uint64_t nwid, uint64_t member)
{
	int64_t now = c->now.mono_ms;
	if (m) {
		bool too_soon = m->has_asked && now - m->last_request_ms <= VL2_REQUEST_INTERVAL_MS;
		if (!too_soon) {
			m->has_asked = true;
			m->last_request_ms = now;
		}
		return too_soon;
	}
	size_t slot = (size_t)((nwid * 31 + member) * 0x9e3779b97f4a7c15ULL >> 56);
	if (c->recent[slot].nwid == nwid && c->recent[slot].member == member &&
	    now - c->recent[slot].at_ms <= VL2_REQUEST_INTERVAL_MS) {
		return true;
	}
	c->recent[slot].nwid = nwid;
	c->recent[slot].member = member;
	c->recent[slot].at_ms = now;
	return false;
}

static void refuse(struct controller *c, const struct zt_config_request *request, uint8_t code)
{
	struct zt_reply_to to = { .member = request->member,
				  .nwid = request->nwid,
				  .request_id = request->packet_id };
	const struct ctl_network *n =
	    code == VL2_ERROR_AUTHENTICATION_REQUIRED ? network_find(c, request->nwid) : NULL;
	const char *url =
	    n ? json_string_value(json_object_get(n->record, "authorizationEndpoint")) : NULL;
	c->callbacks->refuse(c->context, &to, code, url && url[0] ? url : NULL);
}

/* The member that asks, its identity checked against the record. NULL = refused. */
static struct ctl_member *identify(struct controller *c, struct ctl_network *n,
				   const struct identity *identity)
{
	struct ctl_member *m = member_find(n, identity->address);
	if (!m) {
		m = n->members.count < NETWORK_MEMBERS_MAX ? member_make(c, n, identity->address)
							   : NULL;
	}
	if (!m || (m->has_identity && !identity_equal(&m->identity, identity))) {
		return NULL;
	}
	m->has_identity = true;
	m->identity = *identity;
	return m;
}

void controller_request(struct controller *c, struct zt_now now,
			const struct zt_config_request *request)
{
	c->now = now;
	struct identity identity;
	struct rd r = rd_init(request->identity, IDENTITY_BYTES);
	if (addr_controller(request->nwid) != c->identity.address ||
	    identity_read(&r, &identity) != 0 || identity.address != request->member ||
	    request->metadata_length >= VL2_METADATA_MAX_BYTES) {
		return;
	}
	struct ctl_network *n = network_find(c, request->nwid);
	struct ctl_member *m = n ? member_find(n, request->member) : NULL;
	bool is_new = !m;
	if (is_too_soon(c, m, request->nwid, request->member)) {
		return;
	}
	m = n ? identify(c, n, &identity) : NULL;
	if (!m) {
		refuse(c, request, n ? VL2_ERROR_ACCESS_DENIED : VL2_ERROR_NOT_FOUND);
		return;
	}
	c->stats.requests++;
	m->has_asked = true;
	m->last_request_ms = now.mono_ms;
	struct asking a = { .metadata = dict_init(request->metadata, request->metadata_length),
			    .is_request = true,
			    .is_new = is_new };
	uint8_t refusal = evaluate(c, m, &a);
	if (!m->record) { /* no memory for the first record */
		member_drop(c, m);
		refuse(c, request, VL2_ERROR_ACCESS_DENIED);
	} else if (refusal == GRANTED) {
		queue_config(c, m, request->packet_id);
	} else {
		refuse(c, request, refusal);
	}
}
