/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/upstream.h"

#include "core/keepalive.h"
#include "core/mem.h"
#include "core/moon.h"
#include "core/peer_impl.h"
#include "core/vl2.h"

/* Relay scores (vl1 11.5). An upstream that does not answer now comes after all that do: by the
 * score alone a dead one would be used for a minute (docs/decisions/021). */
static uint64_t score(const struct peer *peer, const struct path *path, int64_t now_ms)
{
	int64_t silent_ms = now_ms - peer->last_receive_ms;
	if (silent_ms >= PEER_EXPIRY_MS) {
		return UINT32_MAX;
	}
	uint64_t penalty = path_is_alive(path, now_ms) ? 0 : (uint64_t)1 << 24;
	uint64_t latency = path->latency_ms ? path->latency_ms : PATH_LATENCY_UNKNOWN;
	return penalty + latency * (uint64_t)(silent_ms / PEER_SCORE_STEP_MS + 1);
}

struct peer *upstream_best(const struct zt_node *node, struct zt_now now, const struct peer *except)
{
	struct peer *best = NULL;
	uint64_t best_score = UINT64_MAX;
	for (size_t i = 0; i < node->upstream_count; i++) {
		struct peer *peer = node->upstreams[i];
		const struct path *path = peer_best_path(peer, now.mono_ms);
		if (peer == except || !path) {
			continue;
		}
		uint64_t s = score(peer, path, now.mono_ms);
		if (s <= best_score) { /* ties: the later one */
			best = peer;
			best_score = s;
		}
	}
	return best;
}

struct path *upstream_best_path(const struct zt_node *node, struct zt_now now,
				const struct peer *except)
{
	struct peer *best = upstream_best(node, now, except);
	return best ? peer_best_path(best, now.mono_ms) : NULL;
}

static const struct world_root *planet_root(const struct zt_node *node, uint64_t address)
{
	return node->has_planet ? world_root_find(&node->planet, address) : NULL;
}

const struct world_root *upstream_root(const struct zt_node *node, uint64_t address)
{
	const struct world_root *root = planet_root(node, address);
	for (size_t i = 0; !root && i < node->moons->count; i++) {
		const struct world *world = node->moons->list[i].world;
		root = world ? world_root_find(world, address) : NULL;
	}
	return root;
}

enum zt_role upstream_role(const struct zt_node *node, const struct peer *peer)
{
	if (!peer->is_upstream) {
		return ZT_ROLE_LEAF;
	}
	return planet_root(node, peer->identity.address) ? ZT_ROLE_PLANET : ZT_ROLE_MOON;
}

/* ---- who they are
 * -------------------------------------------------------------------------------- */

static void upstreams_insert(struct zt_node *node, struct peer *peer)
{
	size_t i = node->upstream_count++;
	for (; i > 0 && node->upstreams[i - 1]->identity.address > peer->identity.address; i--) {
		node->upstreams[i] = node->upstreams[i - 1];
	}
	node->upstreams[i] = peer;
}

/* The signed planet is what vouches for a root's identity: no hash needed. A peer of that address
 * with other keys can only be an impostor from before. A moon has no such authority: it may come
 * from one seed, so a root of it that we know under other keys is left out (vl1 19.3). */
static int root_add(struct zt_node *node, struct zt_now now, const struct world *world,
		    const struct world_root *root)
{
	struct peer *peer = peers_find(&node->peers, root->identity.address);
	if (peer && !identity_equal(&peer->identity, &root->identity)) {
		if (world->type != WORLD_TYPE_PLANET) {
			node_count(node, ZT_COUNT_DROP_IDENTITY);
			return 0;
		}
		peer_forget(node, peer);
		peer = NULL;
	}
	if (!peer) {
		int err = peer_add(node, now, &root->identity, NULL, &peer);
		if (err) {
			return err;
		}
	}
	if (!peer->is_upstream) { /* else listed twice */
		peer->is_upstream = true;
		upstreams_insert(node, peer);
	}
	return 0;
}

static int world_join(struct zt_node *node, struct zt_now now, const struct world *world)
{
	int result = 0;
	for (size_t i = 0; i < world->root_count; i++) {
		const struct world_root *root = &world->roots[i];
		if (root->identity.address != node->identity.address) {
			int err = root_add(node, now, world, root);
			result = err ? err : result;
		} else if (identity_equal(&root->identity, &node->identity)) {
			node->is_root = true;
			node->is_online = true; /* a root counts itself online, vl1 17 */
		}
	}
	return result;
}

static bool contains(const uint64_t *addresses, size_t count, uint64_t address)
{
	for (size_t i = 0; i < count; i++) {
		if (addresses[i] == address) {
			return true;
		}
	}
	return false;
}

int upstream_rebuild(struct zt_node *node, struct zt_now now)
{
	uint64_t before[UPSTREAMS_MAX];
	size_t count = node_upstreams(node, before, UPSTREAMS_MAX);
	bool was_root = node->is_root;
	for (size_t i = 0; i < count; i++) {
		node->upstreams[i]->is_upstream = false;
		keepalive_schedule(node, now, node->upstreams[i]);
	}
	node->upstream_count = 0;
	node->is_root = false;
	int result = node->has_planet ? world_join(node, now, &node->planet) : 0;
	for (size_t i = 0; i < node->moons->count; i++) {
		const struct world *world = node->moons->list[i].world;
		int err = world ? world_join(node, now, world) : 0;
		result = err ? err : result;
	}
	for (size_t i = 0; i < node->upstream_count; i++) {
		struct peer *peer = node->upstreams[i];
		if (!contains(before, count, peer->identity.address)) {
			peer->attempts = 0; /* look for it at once */
		}
		keepalive_schedule(node, now, peer);
	}
	if (was_root && !node->is_root) { /* online only if an upstream is heard from now on */
		deadline_set(&node->deadlines, &node->due_online, now.mono_ms + PEER_EXPIRY_MS);
	}
	return result;
}

int upstream_planet_set(struct zt_node *node, struct zt_now now, const struct world *world)
{
	node->planet = *world;
	node->has_planet = true;
	return upstream_rebuild(node, now);
}

void upstream_planet_offer(struct zt_node *node, struct zt_now now, const struct world *world)
{
	if (!node->has_planet || !world_replaces(&node->planet, world)) {
		return;
	}
	uint8_t *bytes = zt_malloc(WORLD_MAX_BYTES);
	if (!bytes || upstream_planet_set(node, now, world) != 0) {
		zt_free(bytes);
		node_count(node, ZT_COUNT_DROP_MEMORY);
		return;
	}
	struct wr w = wr_init(bytes, WORLD_MAX_BYTES);
	world_write(&w, world);
	node_store(node, ZT_STORE_PLANET, 0, bytes, wr_length(&w));
	zt_free(bytes);
	node_log(node, ZT_LOG_INFO, "planet updated id=%llu timestamp=%llu roots=%zu",
		 (unsigned long long)world->id, (unsigned long long)world->timestamp,
		 world->root_count);
	node_event(node, ZT_EVENT_PLANET, world->id);
}

void upstream_heard(struct zt_node *node, struct zt_now now)
{
	if (node->is_root) {
		return;
	}
	deadline_set(&node->deadlines, &node->due_online, now.mono_ms + PEER_EXPIRY_MS);
	if (!node->is_online) {
		node->is_online = true;
		node_event(node, ZT_EVENT_ONLINE, 0);
		vl2_online(node, now);
	}
}

void upstream_online_due(struct zt_node *node, struct zt_now now)
{
	(void)now; /* upstream_heard moves this deadline: it coming due means silence */
	if (!node->is_root && node->is_online) {
		node->is_online = false;
		node_log(node, ZT_LOG_WARN, "offline: no root was heard for %d s",
			 PEER_EXPIRY_MS / 1000);
		node_event(node, ZT_EVENT_OFFLINE, 0);
	}
}
