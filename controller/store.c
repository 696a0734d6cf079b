/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Records in memory: finding, loading, committing changes, saving them later (vl2 9.1, 9.6). */
#include "controller/coerce.h"
#include "controller/plan.h"
#include "controller/record.h"

#include <stdlib.h>

enum { SAVE_DELAY_MS = 1000 }; /* changes within a second are saved once (decision S19) */

/* ---- finding and making ------------------------------------------------------------------------
 */

struct ctl_network *network_find(const struct controller *c, uint64_t nwid)
{
	return table_get(&c->networks, nwid);
}

struct ctl_member *member_find(const struct ctl_network *n, uint64_t address)
{
	return table_get(&n->members, address);
}

struct ctl_network *network_make(struct controller *c, uint64_t nwid)
{
	struct ctl_network *n = network_find(c, nwid);
	if (n) {
		return n;
	}
	n = calloc(1, sizeof(*n));
	if (n && !table_put(&c->networks, nwid, n)) {
		free(n);
		n = NULL;
	}
	if (n) {
		n->nwid = n->unsaved.nwid = nwid;
	}
	return n;
}

struct ctl_member *member_make(struct controller *c, struct ctl_network *n, uint64_t address)
{
	(void)c;
	struct ctl_member *m = member_find(n, address);
	if (m) {
		return m;
	}
	m = calloc(1, sizeof(*m));
	if (m && !table_put(&n->members, address, m)) {
		free(m);
		m = NULL;
	}
	if (m) {
		m->network = n;
		m->address = m->unsaved.member = address;
		m->unsaved.nwid = n->nwid;
	}
	return m;
}

/* ---- what members hold -------------------------------------------------------------------------
 */

static void addresses_count(struct ctl_network *n, const json_t *record, bool is_added)
{
	const json_t *array = json_object_get(record, "ipAssignments");
	size_t size = coerce_array_size(array);
	for (size_t i = 0; i < size; i++) {
		struct zt_endpoint ip;
		bool has_bits;
		if (!ip_parse(json_array_get(array, i), &ip, &has_bits)) {
			continue;
		}
		if (!is_added) {
			addrset_remove(&n->held, &ip);
		} else if (!addrset_add(&n->held, &ip)) {
			return; /* out of memory: the address may be handed out twice */
		}
	}
}

/* Take what `record` (may be NULL) says into or out of the network's sums. */
static void member_account(struct ctl_network *n, const json_t *record, bool is_added)
{
	if (!record) {
		return;
	}
	addresses_count(n, record, is_added);
	if (object_bool(record, "authorized", false)) {
		n->authorized_count += is_added ? 1 : SIZE_MAX;
	}
	if (object_bool(record, "activeBridge", false)) {
		plan_drop(n);
	}
}

bool member_is_authorized(const struct ctl_member *m)
{
	return object_bool(m->record, "authorized", false);
}

bool member_is_online(const struct controller *c, const struct ctl_member *m)
{
	return m->has_asked && c->now.mono_ms - m->last_request_ms < VL2_MEMBER_ONLINE_MS;
}

/* ---- dropping ----------------------------------------------------------------------------------
 */

static void member_free(struct ctl_member *m)
{
	link_remove(&m->queued);
	link_remove(&m->unsaved.link);
	json_decref(m->record);
	free(m->metadata);
	free(m);
}

void member_drop(struct controller *c, struct ctl_member *m)
{
	(void)c;
	member_account(m->network, m->record, false);
	(void)table_remove(&m->network->members, m->address);
	member_free(m);
}

static void network_free(struct ctl_network *n)
{
	struct ctl_member *m;
	for (size_t cursor = 0; (m = table_next(&n->members, &cursor)) != NULL;) {
		member_free(m);
	}
	table_fini(&n->members);
	addrset_fini(&n->held);
	plan_drop(n);
	link_remove(&n->unsaved.link);
	json_decref(n->record);
	free(n);
}

void network_drop(struct controller *c, struct ctl_network *n)
{
	(void)table_remove(&c->networks, n->nwid);
	network_free(n);
}

void records_free(struct controller *c)
{
	struct ctl_network *n;
	for (size_t cursor = 0; (n = table_next(&c->networks, &cursor)) != NULL;) {
		network_free(n);
	}
	table_fini(&c->networks);
}

/* ---- committing --------------------------------------------------------------------------------
 */

static void mark_unsaved(struct controller *c, struct unsaved *u)
{
	if (link_is_queued(&u->link)) {
		return;
	}
	if (link_is_empty(&c->unsaved)) {
		c->save_at_ms = c->now.mono_ms + SAVE_DELAY_MS;
	}
	link_append(&c->unsaved, &u->link);
}

/* Swap in the new record; false if nothing but the revision differs. */
static bool replace(json_t **held, json_t *record)
{
	if (!record || record_same(*held, record)) {
		json_decref(record);
		return false;
	}
	int64_t revision = object_int(*held, "revision", 0) + 1;
	(void)json_object_set_new(record, "revision", json_integer(revision));
	json_decref(*held);
	*held = record;
	return true;
}

void network_commit(struct controller *c, struct ctl_network *n, json_t *record)
{
	if (!replace(&n->record, record)) {
		return;
	}
	c->stats.network_changes++;
	plan_drop(n);
	mark_unsaved(c, &n->unsaved);
	struct ctl_member *m;
	for (size_t cursor = 0; (m = table_next(&n->members, &cursor)) != NULL;) {
		if (m->metadata && member_is_online(c, m)) {
			queue_config(c, m, 0);
		}
	}
}

void member_commit(struct controller *c, struct ctl_member *m, json_t *record, bool by_request)
{
	json_t *old = json_incref(m->record);
	bool was_authorized = member_is_authorized(m);
	if (replace(&m->record, record)) {
		member_account(m->network, old, false);
		member_account(m->network, m->record, true);
		mark_unsaved(c, &m->unsaved);
		bool is_authorized = member_is_authorized(m);
		c->stats.member_changes++;
		c->stats.auths += !was_authorized && is_authorized;
		c->stats.deauths += was_authorized && !is_authorized;
		if (was_authorized && !is_authorized) {
			link_remove(&m->queued);
			revoke_member(c, m);
		} else if (!by_request && is_authorized && m->metadata && member_is_online(c, m)) {
			queue_config(c, m, 0);
		}
	}
	json_decref(old);
}

/* ---- the store ---------------------------------------------------------------------------------
 */

static void load_one(void *context, uint64_t nwid, uint64_t address, json_t *stored)
{
	struct controller *c = context;
	bool is_network = address == 0;
	if (!record_valid(stored, is_network ? nwid : address, is_network ? 16 : 10)) {
		return;
	}
	struct ctl_network *n = is_network ? network_make(c, nwid) : network_find(c, nwid);
	if (!n) {
		return;
	}
	if (is_network) {
		if (!n->record) {
			n->record = network_record(stored, NULL, nwid, c->now.wall_ms);
		}
		return;
	}
	struct ctl_member *m = member_make(c, n, address);
	if (!m || m->record) {
		return;
	}
	m->record = member_record(stored, NULL, nwid, address, c->now.wall_ms);
	m->has_identity = identity_parse(object_text(m->record, "identity"), &m->identity) == 0 &&
			  m->identity.address == address;
	member_account(n, m->record, true);
}

void records_load(struct controller *c)
{
	c->store->load(c->store->context, load_one, c);
}

/* Before anything is saved: a network made again under the same id must not lose its new members.
 */
static size_t remove_some(struct controller *c, size_t max)
{
	while (max > 0 && !link_is_empty(&c->removals)) {
		struct removal *r = LINK_OWNER(link_take(&c->removals), struct removal, link);
		for (; max > 0 && r->count > 0; max--) {
			c->store->remove(c->store->context, r->nwid, r->members[--r->count]);
		}
		if (r->count > 0) {
			link_append(&c->removals, &r->link);
		} else {
			free(r);
		}
	}
	return max;
}

void network_unstore(struct controller *c, const struct ctl_network *n)
{
	c->store->remove(c->store->context, n->nwid, 0);
	size_t bytes = sizeof(struct removal) + n->members.count * sizeof(uint64_t);
	struct removal *r = malloc(bytes);
	if (!r) {
		return; /* members without their network are ignored when loaded */
	}
	*r = (struct removal){ .nwid = n->nwid };
	const struct ctl_member *m;
	for (size_t cursor = 0; (m = table_next(&n->members, &cursor)) != NULL;) {
		r->members[r->count++] = m->address;
	}
	link_append(&c->removals, &r->link);
}

void records_save(struct controller *c, size_t max)
{
	max = remove_some(c, max);
	for (; max > 0 && !link_is_empty(&c->unsaved); max--) {
		struct unsaved *u = LINK_OWNER(c->unsaved.next, struct unsaved, link);
		const struct ctl_network *n = network_find(c, u->nwid);
		link_remove(&u->link);
		const json_t *record = n->record;
		if (u->member != 0) {
			record = LINK_OWNER(u, struct ctl_member, unsaved)->record;
		}
		c->store->put(c->store->context, u->nwid, u->member, record);
	}
}
