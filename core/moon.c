/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/moon.h"

#include "core/keepalive.h"
#include "core/mem.h"
#include "core/peer_impl.h"
#include "core/upstream.h"
#include "core/whois.h"

/* The seed is asked at once, then after 0.5, 1, 2 ... and every 30 s: it may be offline. */
enum { SEED_FIRST_MS = 500, SEED_MOST_MS = 30000, SEED_DOUBLINGS = 6 };

struct moons *moons_new(void)
{
	struct moons *moons = zt_calloc(1, sizeof *moons);
	if (moons) {
		moons->deadline.kind = DUE_MOON;
	}
	return moons;
}

void moons_free(struct moons *moons)
{
	for (size_t i = 0; moons && i < moons->count; i++) {
		zt_free(moons->list[i].world);
	}
	zt_free(moons);
}

static struct moon *find(const struct zt_node *node, uint64_t id)
{
	struct moons *moons = node->moons;
	for (size_t i = 0; i < moons->count; i++) {
		if (moons->list[i].id == id) {
			return &moons->list[i];
		}
	}
	return NULL;
}

/* A place for it in the order of ids; the caller has looked that there is room. */
static struct moon *insert(struct moons *moons, uint64_t id)
{
	size_t i = moons->count++;
	for (; i > 0 && moons->list[i - 1].id > id; i--) {
		moons->list[i] = moons->list[i - 1];
	}
	moons->list[i] = (struct moon){ .id = id };
	return &moons->list[i];
}

static void forget(struct moons *moons, struct moon *moon)
{
	zt_free(moon->world);
	moons->count--;
	for (struct moon *m = moon; m < moons->list + moons->count; m++) {
		m[0] = m[1];
	}
}

const struct world *moon_world(const struct zt_node *node, uint64_t id)
{
	const struct moon *moon = find(node, id);
	return moon ? moon->world : NULL;
}

bool moon_is_seed(const struct zt_node *node, uint64_t address)
{
	const struct moons *moons = node->moons;
	for (size_t i = 0; i < moons->count; i++) {
		if (!moons->list[i].world && moons->list[i].seed == address) {
			return true;
		}
	}
	return false;
}

size_t moon_entries(const struct zt_node *node, struct msg_moon out[ZT_MAX_MOONS])
{
	const struct moons *moons = node->moons;
	for (size_t i = 0; i < moons->count; i++) {
		const struct moon *moon = &moons->list[i];
		out[i] = (struct msg_moon){ .id = moon->id,
					    .timestamp = moon->world ? moon->world->timestamp : 0 };
	}
	return moons->count;
}

/* ---- taking one
 * ---------------------------------------------------------------------------------- */

static int take(struct zt_node *node, struct zt_now now, struct moon *moon,
		const struct world *world)
{
	if (!moon->world) {
		moon->world = zt_malloc(sizeof *moon->world);
		if (!moon->world) {
			return ZT_E_NO_MEMORY;
		}
	}
	*moon->world = *world;
	return upstream_rebuild(node, now);
}

static void save(const struct zt_node *node, const struct world *world)
{
	uint8_t bytes[WORLD_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof bytes);
	world_write(&w, world);
	node_store(node, ZT_STORE_MOON, world->id, bytes, wr_length(&w));
}

/* Nothing vouches for the first world of a wanted moon but the seed that the operator named: it
 * must be among the roots, with the keys that we know it by. */
static bool has_seed(const struct zt_node *node, const struct moon *moon, const struct world *world)
{
	const struct world_root *root = world_root_find(world, moon->seed);
	const struct peer *seed = peers_find(&node->peers, moon->seed);
	return root && (!seed || identity_equal(&seed->identity, &root->identity));
}

void moon_offer(struct zt_node *node, struct zt_now now, const struct peer *source,
		const struct world *world)
{
	struct moon *moon = find(node, world->id);
	if (!moon) {
		return;
	}
	if (moon->world ? !source->is_upstream || !world_replaces(moon->world, world)
			: !has_seed(node, moon, world)) {
		node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		return;
	}
	if (take(node, now, moon, world) != 0) {
		node_count(node, ZT_COUNT_DROP_MEMORY);
		return;
	}
	save(node, world);
	node_log(node, ZT_LOG_INFO, "moon in force id=%016llx timestamp=%llu roots=%zu",
		 (unsigned long long)world->id, (unsigned long long)world->timestamp,
		 world->root_count);
	node_event(node, ZT_EVENT_MOON, world->id);
}

/* ---- the operator's side
 * ------------------------------------------------------------------------- */

int zt_moon_add(struct zt_node *node, struct zt_now now, const void *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct world world;
	if (world_read(&r, &world) != 0 || !rd_done(&r) || world.type != WORLD_TYPE_MOON ||
	    world.id == 0) {
		return ZT_E_MALFORMED;
	}
	struct moon *moon = find(node, world.id);
	if (moon && moon->world && !world_replaces(moon->world, &world)) {
		return ZT_E_EXISTS;
	}
	if (!moon) {
		if (node->moons->count == ZT_MAX_MOONS) {
			return ZT_E_NO_ROOM;
		}
		moon = insert(node->moons, world.id);
	}
	int err = take(node, now, moon, &world);
	if (!moon->world) {
		forget(node->moons, moon);
	}
	return err;
}

int zt_moon_orbit(struct zt_node *node, struct zt_now now, uint64_t id, uint64_t seed)
{
	if (id == 0 || address_is_reserved(seed)) {
		return ZT_E_MALFORMED;
	}
	struct moons *moons = node->moons;
	struct moon *moon = find(node, id);
	if (moon && moon->world) {
		return ZT_E_EXISTS;
	}
	if (!moon && moons->count == ZT_MAX_MOONS) {
		return ZT_E_NO_ROOM;
	}
	if (!moon) {
		moon = insert(moons, id);
	}
	moon->seed = seed;
	moons->attempts = 0;
	deadline_set(&node->deadlines, &moons->deadline, now.mono_ms);
	return 0;
}

int zt_moon_deorbit(struct zt_node *node, struct zt_now now, uint64_t id)
{
	struct moon *moon = find(node, id);
	if (!moon) {
		return ZT_E_NOT_FOUND;
	}
	bool was_here = moon->world != NULL;
	forget(node->moons, moon);
	if (!was_here) {
		return 0;
	}
	node_store(node, ZT_STORE_MOON, id, NULL, 0);
	return upstream_rebuild(node, now);
}

bool zt_moon_view(const struct zt_node *node, size_t index, struct zt_moon_view *out)
{
	const struct moons *moons = node->moons;
	if (index >= moons->count) {
		return false;
	}
	const struct moon *moon = &moons->list[index];
	*out = (struct zt_moon_view){ .id = moon->id, .seed = moon->seed, .world = moon->world };
	return true;
}

/* ---- asking for one
 * ------------------------------------------------------------------------------ */

static void seed_ask(struct zt_node *node, struct zt_now now, uint64_t address)
{
	struct peer *seed = peers_find(&node->peers, address);
	if (!seed) {
		node_whois(node, now, address);
		return;
	}
	struct path *own = peer_best_path(seed, now.mono_ms);
	struct path *path = own ? own : upstream_best_path(node, now, seed);
	if (path) {
		const struct tx_to to = tx_to_path(path);
		contact_hello(node, now, seed, &to, path != own);
	}
}

void moon_due(struct zt_node *node, struct zt_now now)
{
	struct moons *moons = node->moons;
	bool is_wanting = false;
	for (size_t i = 0; i < moons->count; i++) {
		if (!moons->list[i].world) {
			is_wanting = true;
			seed_ask(node, now, moons->list[i].seed);
		}
	}
	if (!is_wanting) {
		deadline_clear(&node->deadlines, &moons->deadline);
		return;
	}
	int64_t wait_ms =
	    moons->attempts < SEED_DOUBLINGS ? SEED_FIRST_MS << moons->attempts : SEED_MOST_MS;
	moons->attempts++;
	deadline_set(&node->deadlines, &moons->deadline, now.mono_ms + wait_ms);
}
