/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The operator's side of the controller (vl2 9.7): records out, changes in. */
#include "controller/coerce.h"
#include "controller/plan.h"
#include "controller/record.h"

#include <stdlib.h>
#include <string.h>

/* ---- networks ----------------------------------------------------------------------------------
 */

json_t *controller_networks(const struct controller *c)
{
	json_t *out = json_array();
	uint64_t *keys = table_keys(&c->networks);
	for (size_t i = 0; keys && i < c->networks.count; i++) {
		(void)json_array_append_new(out, id_json(keys[i], 16));
	}
	free(keys);
	return out;
}

json_t *controller_network_get(const struct controller *c, uint64_t nwid)
{
	const struct ctl_network *n = network_find(c, nwid);
	return n ? json_incref(n->record) : NULL;
}

/* A number of ours that is not taken and not 0 (vl2 1). */
static uint64_t fresh_nwid(const struct controller *c)
{
	uint32_t number;
	uint64_t nwid;
	do {
		random_bytes(c, &number, sizeof(number));
		nwid = c->identity.address << 24 | (number & 0xffffff);
	} while ((nwid & 0xffffff) == 0 || network_find(c, nwid));
	return nwid;
}

json_t *controller_network_set(struct controller *c, struct zt_now now, uint64_t nwid,
			       const json_t *body)
{
	c->now = now;
	json_t *nothing = json_object();
	if (!json_is_object(body)) {
		body = nothing;
	}
	if (nwid == 0) {
		nwid = fresh_nwid(c);
	}
	struct ctl_network *n = network_make(c, nwid);
	json_t *record = n ? network_record(n->record, body, nwid, now.wall_ms) : NULL;
	if (record) {
		network_commit(c, n, record);
	}
	json_decref(nothing);
	if (n && !n->record) { /* no memory for the very first record */
		network_drop(c, n);
		return NULL;
	}
	return n ? json_incref(n->record) : NULL;
}

json_t *controller_network_delete(struct controller *c, struct zt_now now, uint64_t nwid)
{
	c->now = now;
	struct ctl_network *n = network_find(c, nwid);
	if (!n) {
		return NULL;
	}
	json_t *record = json_incref(n->record);
	revoke_network(c, n);
	network_unstore(c, n);
	network_drop(c, n);
	return record;
}

json_t *controller_networks_full(const struct controller *c)
{
	json_t *data = json_array();
	uint64_t *keys = table_keys(&c->networks);
	for (size_t i = 0; keys && i < c->networks.count; i++) {
		const struct ctl_network *n = network_find(c, keys[i]);
		json_t *network = json_copy(n->record);
		(void)json_object_set_new(
		    network, "meta",
		    json_pack("{s:I,s:I}", "totalMemberCount", (json_int_t)n->members.count,
			      "authorizedMemberCount", (json_int_t)n->authorized_count));
		(void)json_array_append_new(data, network);
	}
	free(keys);
	return json_pack("{s:o,s:{s:I}}", "data", data, "meta", "networkCount",
			 (json_int_t)c->networks.count);
}

/* ---- members -----------------------------------------------------------------------------------
 */

json_t *controller_members(const struct controller *c, uint64_t nwid)
{
	const struct ctl_network *n = network_find(c, nwid);
	json_t *out = n ? json_object() : NULL;
	const struct ctl_member *m;
	for (size_t cursor = 0; out && (m = table_next(&n->members, &cursor)) != NULL;) {
		char id[ID_TEXT_BYTES];
		(void)json_object_set_new(out, id_text(m->address, 10, id),
					  json_integer(object_int(m->record, "revision", 0)));
	}
	return out;
}

json_t *controller_members_full(const struct controller *c, uint64_t nwid)
{
	const struct ctl_network *n = network_find(c, nwid);
	if (!n) {
		return NULL;
	}
	json_t *data = json_array();
	uint64_t *keys = table_keys(&n->members);
	for (size_t i = 0; keys && i < n->members.count; i++) {
		(void)json_array_append(data, member_find(n, keys[i])->record);
	}
	free(keys);
	return json_pack("{s:o,s:{s:I,s:I}}", "data", data, "meta", "totalCount",
			 (json_int_t)n->members.count, "authorizedCount",
			 (json_int_t)n->authorized_count);
}

json_t *controller_member_get(const struct controller *c, uint64_t nwid, uint64_t member)
{
	const struct ctl_network *n = network_find(c, nwid);
	const struct ctl_member *m = n ? member_find(n, member) : NULL;
	return m ? json_incref(m->record) : NULL;
}

json_t *controller_member_set(struct controller *c, struct zt_now now, uint64_t nwid,
			      uint64_t member, const json_t *body)
{
	c->now = now;
	struct ctl_network *n = network_find(c, nwid);
	struct ctl_member *m = n ? member_make(c, n, member) : NULL;
	if (!m) {
		return NULL;
	}
	json_t *record = member_record(m->record, body, nwid, member, now.wall_ms);
	if (record) {
		member_commit(c, m, record, false);
	}
	if (!m->record) {
		member_drop(c, m);
		return NULL;
	}
	return json_incref(m->record);
}

json_t *controller_member_delete(struct controller *c, struct zt_now now, uint64_t nwid,
				 uint64_t member)
{
	c->now = now;
	struct ctl_network *n = network_find(c, nwid);
	struct ctl_member *m = n ? member_find(n, member) : NULL;
	if (!m) {
		return NULL;
	}
	json_t *record = json_incref(m->record);
	member_drop(c, m);
	c->store->remove(c->store->context, nwid, member);
	return record;
}

/* ---- for the service ---------------------------------------------------------------------------
 */

void controller_stats(const struct controller *c, struct controller_stats *out)
{
	*out = c->stats;
	out->networks = c->networks.count;
	out->members = out->queued = 0;
	const struct ctl_network *n;
	for (size_t cursor = 0; (n = table_next(&c->networks, &cursor)) != NULL;) {
		out->members += n->members.count;
	}
	for (const struct link *l = c->queue.next; l != &c->queue; l = l->next) {
		out->queued++;
	}
}

uint64_t controller_member_of_ip(const struct controller *c, uint64_t nwid, const char *ip)
{
	const struct ctl_network *n = network_find(c, nwid);
	const struct ctl_member *m;
	for (size_t cursor = 0; n && (m = table_next(&n->members, &cursor)) != NULL;) {
		const json_t *list = json_object_get(m->record, "ipAssignments");
		for (size_t i = 0; i < json_array_size(list); i++) {
			const char *text = json_string_value(json_array_get(list, i));
			if (text && strcmp(text, ip) == 0) {
				return m->address;
			}
		}
	}
	return 0;
}
