/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/path.h"

#include "base/bug.h"
#include "core/frag.h"
#include "core/mem.h"
#include "core/physical.h"

enum {
	FIRST_BUCKETS = 64,
	DEAD_PENALTY = 65535, /* vl1 10.3 */
	DEAD_PENALTY_MS = 140000,
};

/* Every path is in one hash chain and in the list from oldest to newest use. */
struct paths {
	struct path **buckets;
	size_t bucket_count; /* a power of two */
	size_t count, max;
	struct path *oldest, *newest;
	struct physical physical;
};

struct paths *paths_new(size_t max)
{
	struct paths *paths = zt_calloc(1, sizeof *paths);
	if (!paths) {
		return NULL;
	}
	paths->max = max;
	paths->bucket_count = FIRST_BUCKETS;
	paths->buckets = zt_calloc(paths->bucket_count, sizeof(struct path *));
	if (!paths->buckets) {
		zt_free(paths);
		return NULL;
	}
	return paths;
}

void paths_free(struct paths *paths)
{
	if (!paths) {
		return;
	}
	for (struct path *p = paths->oldest; p;) {
		struct path *newer = p->newer;
		zt_free(p);
		p = newer;
	}
	zt_free(paths->buckets);
	zt_free(paths);
}

/* Addresses are chosen by others, but a path exists only for authenticated ones: a plain mixing
 * hash does. */
static size_t hash(int32_t socket, const struct zt_endpoint *to)
{
	uint64_t h = (uint64_t)(uint32_t)socket << 24 | (uint64_t)to->port << 8 | to->family;
	for (size_t i = 0; i < sizeof to->ip; i += 8) {
		uint64_t word;
		memcpy(&word, to->ip + i, sizeof word);
		h = (h ^ word) * 0x9e3779b97f4a7c15U;
		h ^= h >> 32;
	}
	return (size_t)h;
}

static struct path **bucket_of(const struct paths *paths, int32_t socket,
			       const struct zt_endpoint *to)
{
	return &paths->buckets[hash(socket, to) & (paths->bucket_count - 1)];
}

struct path *paths_find(const struct paths *paths, int32_t socket, const struct zt_endpoint *to)
{
	for (struct path *p = *bucket_of(paths, socket, to); p; p = p->next) {
		if (p->socket == socket && endpoint_equal(&p->to, to)) {
			return p;
		}
	}
	return NULL;
}

static void list_remove(struct paths *paths, struct path *path)
{
	*(path->older ? &path->older->newer : &paths->oldest) = path->newer;
	*(path->newer ? &path->newer->older : &paths->newest) = path->older;
}

static void list_append(struct paths *paths, struct path *path)
{
	path->newer = NULL;
	path->older = paths->newest;
	*(paths->newest ? &paths->newest->newer : &paths->oldest) = path;
	paths->newest = path;
}

static void paths_remove(struct paths *paths, struct path *path)
{
	struct path **p = bucket_of(paths, path->socket, &path->to);
	while (*p != path) {
		p = &(*p)->next;
	}
	*p = path->next;
	list_remove(paths, path);
	paths->count--;
	zt_free(path);
}

/* Paths that peers hold are newer in practice: look at a few of the oldest only. */
static bool evict_one(struct paths *paths)
{
	enum { LOOK_AT = 64 };
	struct path *p = paths->oldest;
	for (int i = 0; p && i < LOOK_AT; i++) {
		struct path *newer = p->newer;
		if (p->refs == 0) {
			paths_remove(paths, p);
			return true;
		}
		list_remove(paths, p);
		list_append(paths, p);
		p = newer;
	}
	return false;
}

static void grow(struct paths *paths)
{
	size_t count = paths->bucket_count * 2;
	struct path **buckets = zt_calloc(count, sizeof(struct path *));
	if (!buckets) {
		return; /* longer chains, nothing worse */
	}
	zt_free(paths->buckets);
	paths->buckets = buckets;
	paths->bucket_count = count;
	for (struct path *p = paths->oldest; p; p = p->newer) {
		struct path **bucket = bucket_of(paths, p->socket, &p->to);
		p->next = *bucket;
		*bucket = p;
	}
}

static void physical_apply(const struct paths *paths, struct path *path)
{
	path->mtu = physical_mtu(&paths->physical, &path->to);
	if (path->route_mtu != 0 && path->route_mtu < path->mtu) {
		path->mtu = path->route_mtu;
	}
	path->trusted_id = physical_trusted(&paths->physical, &path->to);
}

void paths_physical_set(struct paths *paths, const struct zt_physical *list, size_t count)
{
	physical_set(&paths->physical, list, count);
	for (struct path *p = paths->oldest; p; p = p->newer) {
		physical_apply(paths, p);
	}
}

bool path_limit(struct paths *paths, struct path *path, uint16_t bytes)
{
	uint16_t before = path->mtu;
	path->route_mtu = bytes < PATH_MTU_ROUTE_MIN_BYTES ? PATH_MTU_ROUTE_MIN_BYTES : bytes;
	physical_apply(paths, path);
	return path->mtu < before;
}

uint16_t path_mtu_for(const struct paths *paths, const struct path *path, size_t length)
{
	return path->route_mtu == 0 || frag_count(length, path->mtu) > 0
		   ? path->mtu
		   : physical_mtu(&paths->physical, &path->to);
}

uint64_t paths_trusted_id(const struct paths *paths, const struct zt_endpoint *at)
{
	return physical_trusted(&paths->physical, at);
}

struct path *paths_get(struct paths *paths, int32_t socket, const struct zt_endpoint *to)
{
	struct path *path = paths_find(paths, socket, to);
	if (path) {
		return path;
	}
	if (paths->count >= paths->max && !evict_one(paths)) {
		return NULL;
	}
	if (paths->count >= paths->bucket_count) {
		grow(paths);
	}
	path = zt_calloc(1, sizeof *path);
	if (!path) {
		return NULL;
	}
	path->to = *to;
	path->socket = socket;
	physical_apply(paths, path);
	path->latency_ms = PATH_LATENCY_UNKNOWN;
	path->last_in_ms = path->last_out_ms = path->last_trust_ms = LIMIT_NEVER_MS;
	path->last_echo_answer_ms = path->last_confirm_ms = LIMIT_NEVER_MS;
	struct path **bucket = bucket_of(paths, socket, to);
	path->next = *bucket;
	*bucket = path;
	list_append(paths, path);
	paths->count++;
	return path;
}

size_t paths_count(const struct paths *paths)
{
	return paths->count;
}

void path_ref(struct path *path)
{
	path->refs++;
}

void path_unref(struct path *path)
{
	BUG_ON(path->refs == 0);
	path->refs--;
}

bool path_is_alive(const struct path *path, int64_t now_ms)
{
	return now_ms - path->last_in_ms < PATH_ALIVE_MS;
}

bool path_is_trusted(const struct path *path, int64_t now_ms)
{
	return now_ms - path->last_trust_ms < PEER_TRUST_MS;
}

int64_t path_quality(const struct path *path, unsigned priority, int64_t now_ms)
{
	BUG_ON(priority == 0);
	int64_t quality = path->latency_ms;
	int64_t silent_ms = now_ms - path->last_in_ms;
	if (silent_ms >= PATH_ALIVE_MS) {
		quality += DEAD_PENALTY;
		quality += silent_ms < DEAD_PENALTY_MS ? silent_ms : DEAD_PENALTY_MS;
	}
	return quality * (8 - (int64_t)endpoint_scope(&path->to)) / (int64_t)priority;
}

void path_latency_sample(struct path *path, int64_t sample_ms)
{
	enum { LATENCY_MAX = PATH_LATENCY_UNKNOWN - 1 };
	if (sample_ms < 0) {
		return; /* the clock was set back meanwhile */
	}
	uint32_t sample = sample_ms < LATENCY_MAX ? (uint32_t)sample_ms : LATENCY_MAX;
	if (path->latency_ms != PATH_LATENCY_UNKNOWN) {
		sample = (path->latency_ms + sample) / 2;
	}
	path->latency_ms = (uint16_t)sample;
}
