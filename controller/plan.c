/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "controller/plan.h"

#include "controller/coerce.h"
#include "controller/rules_json.h"

#include <stdlib.h>
#include <string.h>

void plan_drop(struct ctl_network *n)
{
	struct plan *p = n->plan;
	if (p) {
		free(p->rules);
		free(p->capability_rules);
		free(p->capabilities);
		free(p->tags);
		free(p->pools);
		free(p);
	}
	n->plan = NULL;
}

/* Up to `max` rules of a JSON table; *count = how many parsed. NULL without memory. */
static struct rule *rules_compile(const json_t *array, size_t max, size_t *count)
{
	size_t size = coerce_array_size(array);
	struct rule *rules = calloc(size < max ? size + 1 : max, sizeof(*rules));
	size_t n = 0;
	for (size_t i = 0; rules && i < size && n < max; i++) {
		n += rule_from_json(json_array_get(array, i), &rules[n]);
	}
	*count = n;
	return rules;
}

static bool compile_capabilities(struct plan *p, const json_t *array)
{
	size_t size = coerce_array_size(array), total = 0, used = 0;
	for (size_t i = 0; i < size; i++) {
		size_t n = json_array_size(json_object_get(json_array_get(array, i), "rules"));
		total += n < VL2_CAPABILITY_RULES_MAX ? n : VL2_CAPABILITY_RULES_MAX;
	}
	p->capabilities = calloc(size + 1, sizeof(*p->capabilities));
	p->capability_rules = calloc(total + 1, sizeof(*p->capability_rules));
	if (!p->capabilities || !p->capability_rules) {
		return false;
	}
	for (size_t i = 0; i < size; i++) {
		const json_t *item = json_array_get(array, i);
		const json_t *rules = json_object_get(item, "rules");
		struct plan_capability *cap = &p->capabilities[p->capability_count++];
		cap->id = (uint32_t)object_int(item, "id", 0);
		cap->is_default = object_bool(item, "default", false);
		cap->rules = p->capability_rules + used;
		size_t rule_size = json_array_size(rules);
		for (size_t j = 0; j < rule_size && j < VL2_CAPABILITY_RULES_MAX; j++) {
			struct rule *out = &p->capability_rules[used];
			if (rule_from_json(json_array_get(rules, j), out)) {
				used++;
				cap->rule_count++;
			}
		}
	}
	return true;
}

static bool compile_tags(struct plan *p, const json_t *array)
{
	size_t size = coerce_array_size(array);
	p->tags = calloc(size + 1, sizeof(*p->tags));
	for (size_t i = 0; p->tags && i < size; i++) {
		const json_t *item = json_array_get(array, i);
		const json_t *standard = json_object_get(item, "default");
		p->tags[p->tag_count++] =
		    (struct plan_tag){ .id = (uint32_t)object_int(item, "id", 0),
				       .value = (uint32_t)coerce_int(standard, 0),
				       .has_default = json_is_number(standard) };
	}
	return p->tags != NULL;
}

static void compile_routes(struct plan *p, const json_t *array)
{
	size_t size = coerce_array_size(array);
	for (size_t i = 0; i < size && p->route_count < VL2_ROUTES_MAX; i++) {
		const json_t *item = json_array_get(array, i);
		struct zt_route route = { 0 };
		bool has_bits;
		if (!ip_parse(json_object_get(item, "target"), &route.target, &has_bits)) {
			continue;
		}
		if (ip_parse(json_object_get(item, "via"), &route.via, &has_bits)) {
			route.via.port = 0;
		} else {
			route.via = (struct zt_endpoint){ 0 };
		}
		p->routes[p->route_count++] = route;
	}
}

static bool compile_pools(struct plan *p, const json_t *array)
{
	size_t size = coerce_array_size(array);
	size = size < PLAN_POOLS_MAX ? size : PLAN_POOLS_MAX;
	p->pools = calloc(size + 1, sizeof(*p->pools));
	for (size_t i = 0; p->pools && i < size; i++) {
		const json_t *item = json_array_get(array, i);
		struct plan_pool *pool = &p->pools[p->pool_count];
		bool has_bits;
		if (ip_parse(json_object_get(item, "ipRangeStart"), &pool->start, &has_bits) &&
		    ip_parse(json_object_get(item, "ipRangeEnd"), &pool->end, &has_bits) &&
		    pool->start.family == pool->end.family) {
			p->pool_count++;
		}
	}
	return p->pools != NULL;
}

static void compile_bridges(struct plan *p, const struct ctl_network *n)
{
	uint64_t *keys = table_keys(&n->members);
	for (size_t i = 0; keys && i < n->members.count && p->bridge_count < VL2_SPECIALISTS_MAX;
	     i++) {
		const struct ctl_member *m = table_get(&n->members, keys[i]);
		if (m && object_bool(m->record, "activeBridge", false)) {
			p->bridges[p->bridge_count++] = keys[i];
		}
	}
	free(keys);
}

const struct plan *plan_of(struct controller *c, struct ctl_network *n)
{
	if (n->plan) {
		return n->plan;
	}
	struct plan *p = n->plan = calloc(1, sizeof(*p));
	if (!p) {
		return NULL;
	}
	const json_t *record = n->record;
	const json_t *v6 = json_object_get(record, "v6AssignMode");
	p->generation = ++c->plan_generation;
	p->has_v4_pool_mode = object_bool(json_object_get(record, "v4AssignMode"), "zt", false);
	p->has_v6_pool_mode = object_bool(v6, "zt", false);
	p->has_rfc4193 = object_bool(v6, "rfc4193", false);
	p->has_6plane = object_bool(v6, "6plane", false);
	p->rules = rules_compile(json_object_get(record, "rules"), VL2_RULES_MAX, &p->rule_count);
	compile_routes(p, json_object_get(record, "routes"));
	compile_bridges(p, n);
	if (!p->rules || !compile_capabilities(p, json_object_get(record, "capabilities")) ||
	    !compile_tags(p, json_object_get(record, "tags")) ||
	    !compile_pools(p, json_object_get(record, "ipAssignmentPools"))) {
		plan_drop(n);
	}
	return n->plan;
}

const struct plan_capability *plan_capability_find(const struct plan *p, uint32_t id)
{
	size_t low = 0, high = p->capability_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (p->capabilities[middle].id == id) {
			return &p->capabilities[middle];
		}
		if (p->capabilities[middle].id < id) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return NULL;
}

size_t plan_assigned(const struct plan *p, const json_t *record, struct zt_endpoint *out,
		     size_t max)
{
	const json_t *array = json_object_get(record, "ipAssignments");
	size_t size = coerce_array_size(array), count = 0;
	for (size_t i = 0; i < size && count < max; i++) {
		struct zt_endpoint ip;
		bool has_bits;
		if (!ip_parse(json_array_get(array, i), &ip, &has_bits)) {
			continue;
		}
		uint16_t bits = 0;
		for (size_t j = 0; j < p->route_count; j++) {
			const struct zt_endpoint *target = &p->routes[j].target;
			if (target->port > bits && endpoint_within(&ip, target)) {
				bits = target->port;
			}
		}
		if (bits > 0) {
			ip.port = bits;
			out[count++] = ip;
		}
	}
	return count;
}
