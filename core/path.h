/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A physical path: one (local socket, remote endpoint) pair and what is known of its liveness.
 *
 * How this works: paths live in one table of the node, created only by authenticated packets and by
 * our own sends to a confirmed address (vl1 19.9: a spoofed datagram changes nothing here). Several
 * peers may lie behind one path (a root relays many), so a peer's own view (last heard, priority)
 * is in peer.h. `refs` counts the peers that hold it; unreferenced paths are the first to be
 * evicted.
 */
#ifndef ZT_PATH_H
#define ZT_PATH_H

#include "core/limit.h"
#include "core/proto.h"
#include "core/zt.h"

enum { PATH_LATENCY_UNKNOWN = 0xffff };

struct path {
	struct zt_endpoint to;
	int32_t socket; /* as in struct zt_datagram; ZT_SOCKET_ALL is no path */
	uint16_t latency_ms;
	uint16_t mtu;        /* largest datagram that we cut packets to (vl1 16.2) */
	uint16_t route_mtu;  /* what the route was found to take; 0 = nobody complained */
	uint64_t trusted_id; /* 0 = not in a trusted path */
	uint32_t refs;
	int64_t last_in_ms, last_out_ms, last_trust_ms; /* LIMIT_NEVER_MS at first */
	int64_t last_echo_answer_ms, last_confirm_ms;   /* gates 15.2 and 15.6 */
	struct path *next;                              /* hash chain */
	struct path *older, *newer;                     /* order of eviction */
};

struct paths;

/* The table. NULL when out of memory. */
struct paths *paths_new(size_t max);
void paths_free(struct paths *paths);
struct path *paths_find(const struct paths *paths, int32_t socket, const struct zt_endpoint *to);
/* Find or create; evicts the unreferenced path unused for longest when full. NULL: no room. */
struct path *paths_get(struct paths *paths, int32_t socket, const struct zt_endpoint *to);
/* The route takes datagrams of at most `bytes`. True if that makes them smaller. */
bool path_limit(struct paths *paths, struct path *path, uint16_t bytes);
/* The size for a packet of `length` bytes. One of too many pieces is cut as if the route took all:
 * the kernel cuts the datagrams then. */
uint16_t path_mtu_for(const struct paths *paths, const struct path *path, size_t length);
/* What is known of physical networks, for all paths that are and will be. */
void paths_physical_set(struct paths *paths, const struct zt_physical *list, size_t count);
/* The trusted path that this address lies in; 0 = none. */
uint64_t paths_trusted_id(const struct paths *paths, const struct zt_endpoint *at);
size_t paths_count(const struct paths *paths);

void path_ref(struct path *path);
void path_unref(struct path *path);

bool path_is_alive(const struct path *path, int64_t now_ms);
bool path_is_trusted(const struct path *path, int64_t now_ms);
/* Lower is better (vl1 10.3); priority >= 1. */
int64_t path_quality(const struct path *path, unsigned priority, int64_t now_ms);
/* A latency sample from OK(HELLO) that came without relays. */
void path_latency_sample(struct path *path, int64_t sample_ms);

#endif
