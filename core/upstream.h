/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The planet, and the upstreams that it and the moons name (vl1 11). */
#ifndef ZT_UPSTREAM_H
#define ZT_UPSTREAM_H

#include "core/node_impl.h"

/* Take `world` as the planet: its roots become peers at once (vl1 11.4). 0 or ZT_E_NO_MEMORY. */
int upstream_planet_set(struct zt_node *node, struct zt_now now, const struct world *world)
    __attribute__((warn_unused_result));
/* Name the upstreams anew after planet or moons changed. 0 or ZT_E_NO_MEMORY: some are missing. */
int upstream_rebuild(struct zt_node *node, struct zt_now now);
/* A planet heard from an upstream: replace ours if vl1 11.2 says so; stored and announced then. */
void upstream_planet_offer(struct zt_node *node, struct zt_now now, const struct world *world);

/* The upstream with the lowest relay score (vl1 11.5) that has a usable path; not `except`. */
struct peer *upstream_best(const struct zt_node *node, struct zt_now now,
			   const struct peer *except);
/* Its path, or NULL. */
struct path *upstream_best_path(const struct zt_node *node, struct zt_now now,
				const struct peer *except);

/* A root's listed endpoints, the planet's before a moon's; NULL when it is none. */
const struct world_root *upstream_root(const struct zt_node *node, uint64_t address);

/* What this peer is to us. */
enum zt_role upstream_role(const struct zt_node *node, const struct peer *peer);

/* An authentic packet came from an upstream: we are online. */
void upstream_heard(struct zt_node *node, struct zt_now now);
/* DUE_ONLINE: still online? */
void upstream_online_due(struct zt_node *node, struct zt_now now);

#endif
