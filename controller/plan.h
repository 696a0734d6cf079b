/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A network's record compiled for building configurations; made once per change of the record. */
#ifndef CONTROLLER_PLAN_H
#define CONTROLLER_PLAN_H

#include "controller/state.h"
#include "core/netconf.h"

enum { PLAN_POOLS_MAX = 1024 };

struct plan_capability {
	uint32_t id;
	bool is_default;
	size_t rule_count;
	const struct rule *rules; /* inside plan.capability_rules */
};

struct plan_tag {
	uint32_t id, value;
	bool has_default;
};

struct plan_pool {
	struct zt_endpoint start, end; /* same family */
};

struct plan {
	uint64_t generation;
	size_t rule_count;
	struct rule *rules;
	struct rule *capability_rules;
	size_t capability_count;
	struct plan_capability *capabilities; /* ascending by id */
	size_t tag_count;
	struct plan_tag *tags; /* ascending by id */
	size_t route_count;
	struct zt_route routes[VL2_ROUTES_MAX];
	size_t pool_count;
	struct plan_pool *pools;
	size_t bridge_count;
	uint64_t bridges[VL2_SPECIALISTS_MAX]; /* members with activeBridge, ascending */
	bool has_v4_pool_mode, has_v6_pool_mode, has_rfc4193, has_6plane;
};

/* The network's plan, made if need be; NULL without memory. */
const struct plan *plan_of(struct controller *c, struct ctl_network *n);
/* The record, or the set of bridges, changed. */
void plan_drop(struct ctl_network *n);

const struct plan_capability *plan_capability_find(const struct plan *p, uint32_t id);

/* The addresses of a member's ipAssignments that a route covers, with the bits of the most specific
 * one (vl2 9.4). */
size_t plan_assigned(const struct plan *p, const json_t *record, struct zt_endpoint *out,
		     size_t max);

/* pool.c: give the member addresses from the pools if it has none of the kind (vl2 9.5), by
 * changing `record`, the copy about to be committed. */
void pool_assign(struct controller *c, struct ctl_member *m, const struct plan *p, json_t *record);

/* config.c: the unsigned configuration of an authorised member; NULL without memory. */
struct netconf *config_build(struct controller *c, struct ctl_member *m);

#endif
