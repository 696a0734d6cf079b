/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Moons: worlds beside the planet that this node follows because its operator asked (vl1 11).
 *
 * How this works: a moon comes from a file of moons.d (trusted as the file is), or is wanted: then
 * its id stands in the tail of every HELLO with timestamp 0, its seed is greeted until an answer
 * carries it, and the first world of that id with the seed among its roots is taken (11.2). From
 * then on only an update signed by the key that it names replaces it. Its roots join the upstreams
 * (upstream.c).
 */
#ifndef ZT_MOON_H
#define ZT_MOON_H

#include "core/msg1.h"
#include "core/node_impl.h"

struct moon {
	uint64_t id;
	uint64_t seed;       /* 0: it came from a file */
	struct world *world; /* NULL: wanted, not here yet */
};

struct moons {
	struct deadline deadline; /* ask the seeds again */
	unsigned attempts;
	size_t count;
	struct moon list[ZT_MAX_MOONS]; /* in ascending order of id */
};

struct moons *moons_new(void);
void moons_free(struct moons *moons);

/* A moon heard from `source`, an upstream or a seed: taken if vl1 11.2 says so. */
void moon_offer(struct zt_node *node, struct zt_now now, const struct peer *source,
		const struct world *world);
/* Is this the seed of a moon that is still wanted? */
bool moon_is_seed(const struct zt_node *node, uint64_t address);
/* What the tail of our HELLO says; returns the number of entries. */
size_t moon_entries(const struct zt_node *node, struct msg_moon out[ZT_MAX_MOONS]);
/* The world of this id, or NULL. */
const struct world *moon_world(const struct zt_node *node, uint64_t id);
/* DUE_MOON: greet the seeds of moons that are not here yet. */
void moon_due(struct zt_node *node, struct zt_now now);

#endif
