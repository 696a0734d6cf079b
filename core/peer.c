/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/peer_impl.h"

#include "base/bug.h"
#include "core/keep.h"
#include "core/keepalive.h"
#include "core/mem.h"
#include "core/peercache.h"
#include "core/vl2.h"
#include "core/waiting.h"
#include "core/whois.h"

#include <sodium.h>

_Static_assert((int)PEERCACHE_MAX_PATHS >= (int)ZT_MAX_PATHS, "a record holds every path");

struct crypt_key *peer_agree(const struct zt_node *node, const struct identity *identity)
{
	uint8_t key48[AGREED_KEY_BYTES];
	if (identity_agree(&node->identity, identity, key48) != 0) {
		return NULL;
	}
	struct crypt_key *key = crypt_key_new(key48);
	sodium_memzero(key48, sizeof key48);
	return key;
}

static struct peer *peer_new(struct zt_node *node, struct zt_now now,
			     const struct identity *identity)
{
	struct peer *peer = zt_calloc(1, sizeof *peer);
	if (!peer) {
		return NULL;
	}
	if (deadlines_reserve(&node->deadlines) != 0) {
		zt_free(peer);
		return NULL;
	}
	peer->identity = *identity;
	peer->created_ms = now.mono_ms;
	peer->wanted_until_ms = LIMIT_NEVER_MS;
	peer->last_receive_ms = peer->last_nontrivial_ms = peer->last_trust_ms = LIMIT_NEVER_MS;
	peer->last_full_hello_ms = peer->last_push_ms = peer->last_push_in_ms = LIMIT_NEVER_MS;
	peer->last_whois_answer_ms = peer->last_hints_ms = LIMIT_NEVER_MS;
	peer->deadline.kind = DUE_PEER;
	return peer;
}

static void peer_free(struct zt_node *node, struct peer *peer)
{
	deadline_clear(&node->deadlines, &peer->deadline);
	deadlines_release(&node->deadlines);
	for (size_t i = 0; i < peer->path_count; i++) {
		path_unref(peer->paths[i].path);
	}
	zt_free(peer->paths);
	dedup_free(peer->seen);
	crypt_key_free(peer->key);
	zt_free(peer);
}

int peer_add(struct zt_node *node, struct zt_now now, const struct identity *identity,
	     struct crypt_key *key, struct peer **out)
{
	uint64_t address = identity->address;
	if (address == node->identity.address || peers_find(&node->peers, address)) {
		return ZT_E_EXISTS;
	}
	if (node->peers.count >= PEERS_MAX) {
		return ZT_E_NO_ROOM;
	}
	struct peer *peer = peer_new(node, now, identity);
	if (!peer) {
		return ZT_E_NO_MEMORY;
	}
	peer->key = key ? key : peer_agree(node, identity);
	if (!peer->key || peers_insert(&node->peers, peer) != 0) {
		int err = peer->key ? ZT_E_NO_MEMORY : ZT_E_NO_CRYPTO;
		peer->key = key ? NULL : peer->key; /* the caller keeps its own */
		peer_free(node, peer);
		return err;
	}
	keepalive_schedule(node, now, peer);
	*out = peer;
	whois_known(node, address);
	keep_ready(node, address);
	waiting_flush(node, now, address);
	vl2_peer_known(node, now, address);
	return 0;
}

static void peer_store(const struct zt_node *node, const struct peer *peer)
{
	struct peercache record = { .identity = peer->identity };
	for (size_t i = 0; i < peer->path_count; i++) { /* ZT_MAX_PATHS at most */
		record.paths[record.path_count++] = peer->paths[i].path->to;
	}
	if (record.path_count == 0) {
		return; /* nothing that would help next time */
	}
	record.protocol = peer->version.protocol;
	record.major = peer->version.major;
	record.minor = peer->version.minor;
	record.revision = peer->version.revision;
	uint8_t bytes[PEERCACHE_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof bytes);
	peercache_write(&w, &record);
	BUG_ON(w.bad);
	node_store(node, ZT_STORE_PEER, peer->identity.address, bytes, wr_length(&w));
}

void zt_peers_save(const struct zt_node *node)
{
	const struct peer *peer;
	for (size_t i = 0; (peer = peers_at(&node->peers, i)) != NULL; i++) {
		peer_store(node, peer);
	}
}

void peer_forget(struct zt_node *node, struct peer *peer)
{
	peer_store(node, peer);
	peers_remove(&node->peers, peer);
	peer_free(node, peer);
}

struct path *peer_best_path(const struct peer *peer, int64_t now_ms)
{
	struct path *best = NULL;
	int64_t best_quality = INT64_MAX;
	for (size_t i = 0; i < peer->path_count; i++) {
		const struct peer_path *p = &peer->paths[i];
		if (now_ms - p->last_heard_ms >= PATH_EXPIRY_MS) {
			continue;
		}
		int64_t quality = path_quality(p->path, p->priority, now_ms);
		if (quality <= best_quality) { /* ties: the later one */
			best = p->path;
			best_quality = quality;
		}
	}
	return best;
}

struct path *peer_last_path(const struct peer *peer)
{
	const struct peer_path *last = NULL;
	for (size_t i = 0; i < peer->path_count; i++) {
		if (!last || peer->paths[i].last_heard_ms >= last->last_heard_ms) {
			last = &peer->paths[i];
		}
	}
	return last ? last->path : NULL;
}

struct path *peer_scope_path(const struct peer *peer, int64_t now_ms, enum endpoint_scope scope,
			     uint8_t family)
{
	struct path *best = NULL;
	int64_t best_quality = INT64_MAX;
	for (size_t i = 0; i < peer->path_count; i++) {
		const struct peer_path *p = &peer->paths[i];
		if (now_ms - p->last_heard_ms >= PATH_EXPIRY_MS || p->path->to.family != family ||
		    endpoint_scope(&p->path->to) != scope) {
			continue;
		}
		int64_t quality = path_quality(p->path, p->priority, now_ms);
		if (quality <= best_quality) {
			best = p->path;
			best_quality = quality;
		}
	}
	return best;
}

struct peer_path *peer_path_find(const struct peer *peer, const struct path *path)
{
	for (size_t i = 0; i < peer->path_count; i++) {
		if (peer->paths[i].path == path) {
			return &peer->paths[i];
		}
	}
	return NULL;
}

/* Where a new path goes: a dead entry with the same IP and socket, else a fresh one, else the entry
 * silent for longest. NULL: no memory. */
static struct peer_path *place_for(struct peer *peer, const struct path *path, int64_t now_ms)
{
	struct peer_path *silent = NULL;
	for (size_t i = 0; i < peer->path_count; i++) {
		struct peer_path *p = &peer->paths[i];
		if (p->path->socket == path->socket && endpoint_ip_equal(&p->path->to, &path->to) &&
		    !path_is_alive(p->path, now_ms)) {
			return p;
		}
		if (!silent || p->last_heard_ms < silent->last_heard_ms) {
			silent = p;
		}
	}
	if (peer->path_count == ZT_MAX_PATHS) {
		return silent;
	}
	if (peer->path_count == peer->path_capacity) {
		size_t capacity = peer->path_capacity ? peer->path_capacity * 2 : 2;
		void *paths = zt_realloc(peer->paths, capacity * sizeof peer->paths[0]);
		if (!paths) {
			return silent;
		}
		peer->paths = paths;
		peer->path_capacity = capacity;
	}
	struct peer_path *fresh = &peer->paths[peer->path_count++];
	*fresh = (struct peer_path){ 0 };
	return fresh;
}

bool peer_learn(struct peer *peer, struct path *path, int64_t now_ms, unsigned priority)
{
	struct peer_path *known = peer_path_find(peer, path);
	if (known) {
		known->last_heard_ms = now_ms;
		known->priority = priority > known->priority ? priority : known->priority;
		return false;
	}
	struct peer_path *place = place_for(peer, path, now_ms);
	if (!place) {
		return false;
	}
	path_ref(path);
	if (place->path) {
		path_unref(place->path);
	}
	*place = (struct peer_path){
		.path = path,
		.last_heard_ms = now_ms,
		.priority = priority,
	};
	return true;
}

void peer_path_remove(struct peer *peer, size_t index)
{
	BUG_ON(index >= peer->path_count);
	path_unref(peer->paths[index].path);
	peer->paths[index] = peer->paths[--peer->path_count];
}

/* vl1 12.1, keepalive: drop what is expired, and what a redirect (12.5) outranked. */
void peer_paths_prune(struct peer *peer, int64_t now_ms)
{
	unsigned top = 0;
	for (size_t i = 0; i < peer->path_count; i++) {
		top = peer->paths[i].priority > top ? peer->paths[i].priority : top;
	}
	for (size_t i = peer->path_count; i-- > 0;) {
		const struct peer_path *p = &peer->paths[i];
		if (now_ms - p->last_heard_ms >= PATH_EXPIRY_MS || p->priority < top) {
			peer_path_remove(peer, i);
		}
	}
}

bool peer_is_trusted(const struct peer *peer, int64_t now_ms)
{
	return now_ms - peer->last_trust_ms < PEER_TRUST_MS;
}

bool peer_first_seen(struct peer *peer, uint64_t id)
{
	if (!peer->seen) {
		peer->seen = dedup_new();
		if (!peer->seen) {
			return true; /* handlers are idempotent: better twice than never */
		}
	}
	return !dedup_seen(peer->seen, id);
}

/* ---- what VL2 sees (core/peer.h) ---- */

struct peer *peer_find(const struct zt_node *node, uint64_t address)
{
	return peers_find(&node->peers, address);
}

uint64_t peer_address(const struct peer *peer)
{
	return peer->identity.address;
}

const struct identity *peer_identity(const struct peer *peer)
{
	return &peer->identity;
}

int peer_protocol(const struct peer *peer)
{
	return peer->has_version ? peer->version.protocol : -1;
}

bool peer_has_path(const struct peer *peer, struct zt_now now)
{
	return peer_best_path(peer, now.mono_ms) != NULL;
}

struct limit_quota *peer_groups(struct peer *peer)
{
	return &peer->groups;
}

int64_t peer_last_receive_ms(const struct peer *peer)
{
	return peer->last_receive_ms;
}

bool peer_is_near(const struct peer *peer, struct zt_now now, unsigned *latency_ms)
{
	const struct path *path = peer_best_path(peer, now.mono_ms);
	if (!path || !path_is_alive(path, now.mono_ms)) {
		return false;
	}
	*latency_ms = path->latency_ms ? (unsigned)path->latency_ms : PATH_LATENCY_UNKNOWN;
	return true;
}

void peer_want(struct zt_node *node, struct zt_now now, struct peer *peer, int64_t until_ms)
{
	bool was_wanted = peer->wanted_until_ms > now.mono_ms;
	peer->wanted_until_ms = until_ms;
	if (!was_wanted) {
		keepalive_schedule(node, now, peer);
	}
}
