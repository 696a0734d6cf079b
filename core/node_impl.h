/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* struct zt_node, for the files of VL1 only. Others use core/node.h. */
#ifndef ZT_NODE_IMPL_H
#define ZT_NODE_IMPL_H

#include "core/deadline.h"
#include "core/expect.h"
#include "core/frag.h"
#include "core/limit.h"
#include "core/node.h"
#include "core/path.h"
#include "core/peers.h"
#include "core/proto.h"
#include "core/validated.h"
#include "core/world.h"
#include "core/zt.h"

struct checks;
struct extended;
struct keep;
struct moons;
struct node_ids;
struct reach;
struct relay;
struct waiting;
struct whois;

/* struct deadline.kind */
enum {
	DUE_PEER,    /* keep it alive, or forget it (keepalive.c) */
	DUE_ONLINE,  /* no upstream heard for long (upstream.c) */
	DUE_WHOIS,   /* ask again (whois.c) */
	DUE_WAITING, /* a waiting packet expires (waiting.c) */
	DUE_MOON,    /* ask for a moon again (moon.c) */
};

/* The roots of the planet and of all moons. */
enum { UPSTREAMS_MAX = WORLD_MAX_ROOTS * (1 + ZT_MAX_MOONS) };

struct zt_node {
	const struct zt_callbacks *callbacks;
	void *context;
	struct zt_arena *arena;
	struct identity identity;
	bool loopback_ok; /* decision S20 */
	bool is_root, is_online;
	bool is_low_bandwidth;
	bool has_planet;
	struct world planet;
	struct moons *moons;
	struct zt_hint hints[ZT_MAX_HINTS];
	size_t hint_count;
	struct peer *upstreams[UPSTREAMS_MAX]; /* in ascending order of address */
	size_t upstream_count;
	struct deadline due_online;

	struct deadlines deadlines;
	struct peers peers;
	struct paths *paths;
	struct expect *expect;
	struct frag_table *frags;
	struct keep *keep;
	struct waiting *waiting;
	struct whois *whois;
	struct checks *checks;
	struct reach *reach;
	struct relay *relay;
	struct validated *validated;
	struct limit_neighbours *neighbours;
	struct limit_bucket returning;
	struct limit_bucket disclosing; /* packets in extended armour */
	struct extended *extended;
	struct vl2 *vl2;

	struct node_ids *ids; /* random numbers in stock */
	uint8_t *expanded;    /* PACKET_MAX_BYTES: the decompressed packet under way */
	uint64_t counters[ZT_COUNTERS];
	struct zt_tally tally;
};

#endif
