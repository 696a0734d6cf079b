/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Automatic addresses (vl2 9.5).
 *
 * A search can cost a thousand trials per pool. A member for which nothing was free is not tried
 * again until the network's record changes or an address is released, so a full pool costs nothing.
 */
#include "controller/coerce.h"
#include "controller/plan.h"

#include <string.h>

enum {
	TRIALS_PER_POOL = 1000,
	TRIALS_MAX = 16000, /* in all pools together */
};

/* Changes whenever a search that failed could succeed. */
static uint64_t pool_mark(const struct ctl_network *n, const struct plan *p)
{
	return (p->generation << 32) + (n->held.releases & 0xffffffff) + 1;
}

static void take(json_t *assignments, const struct zt_endpoint *ip)
{
	(void)json_array_append_new(assignments, ip_json(ip));
}

/* ---- IPv4 -------------------------------------------------------------------------------------
 */

static uint32_t v4_number(const struct zt_endpoint *ip)
{
	return (uint32_t)ip->ip[0] << 24 | (uint32_t)ip->ip[1] << 16 | (uint32_t)ip->ip[2] << 8 |
	       ip->ip[3];
}

static struct zt_endpoint v4_address(uint32_t number)
{
	struct zt_endpoint ip = { .family = 4 };
	ip.ip[0] = (uint8_t)(number >> 24);
	ip.ip[1] = (uint8_t)(number >> 16);
	ip.ip[2] = (uint8_t)(number >> 8);
	ip.ip[3] = (uint8_t)number;
	return ip;
}

/* Is the first route that contains the address one with a prefix length? */
static bool v4_is_routed(const struct plan *p, const struct zt_endpoint *ip)
{
	for (size_t i = 0; i < p->route_count; i++) {
		const struct zt_endpoint *target = &p->routes[i].target;
		if (target->family == 4 && endpoint_within(ip, target)) {
			return target->port > 0;
		}
	}
	return false;
}

static bool v4_search(const struct ctl_member *m, const struct plan *p,
		      const struct plan_pool *pool, unsigned *trials, struct zt_endpoint *out)
{
	uint32_t start = v4_number(&pool->start), end = v4_number(&pool->end);
	if (end < start || start == 0) {
		return false;
	}
	uint32_t length = end - start, c = (uint32_t)m->address;
	uint64_t tries = (uint64_t)length + 1;
	tries = tries < TRIALS_PER_POOL ? tries : TRIALS_PER_POOL;
	for (; tries > 0 && *trials > 0; tries--, c++, --*trials) {
		uint32_t number = length > 0 ? start + c % length : start;
		*out = v4_address(number);
		if ((number & 0xff) != 255 && !addrset_has(&m->network->held, out) &&
		    v4_is_routed(p, out)) {
			return true;
		}
	}
	return false;
}

/* ---- IPv6 -------------------------------------------------------------------------------------
 */

static uint64_t v6_half(const struct zt_endpoint *ip, size_t offset)
{
	struct rd r = rd_init(ip->ip + offset, 8);
	return rd_u64(&r);
}

static void v6_set_half(struct zt_endpoint *ip, size_t offset, uint64_t value)
{
	struct wr w = wr_init(ip->ip + offset, 8);
	wr_u64(&w, value);
}

static uint64_t random_offset(const struct controller *c, uint64_t start, uint64_t end)
{
	uint64_t value;
	random_bytes(c, &value, sizeof(value));
	return end > start ? value % (end - start) : 0;
}

/* Needs an on-link route that contains it; the last one's bits count. */
static bool v6_is_routed(const struct plan *p, const struct zt_endpoint *ip)
{
	uint16_t bits = 0;
	for (size_t i = 0; i < p->route_count; i++) {
		const struct zt_route *route = &p->routes[i];
		if (route->via.family == 0 && endpoint_within(ip, &route->target)) {
			bits = route->target.port;
		}
	}
	return bits > 0;
}

static bool v6_search(const struct controller *c, const struct ctl_member *m, const struct plan *p,
		      const struct plan_pool *pool, struct zt_endpoint *out)
{
	uint64_t start_high = v6_half(&pool->start, 0), end_high = v6_half(&pool->end, 0);
	uint64_t start = v6_half(&pool->start, 8), end = v6_half(&pool->end, 8);
	for (unsigned trial = 0; trial < TRIALS_PER_POOL; trial++) {
		*out = pool->start;
		out->port = 0;
		if (trial == 0 && end > start && end - start >= VL2_ADDRESS_MASK) {
			v6_set_half(out, 8, start + m->address);
		} else {
			v6_set_half(out, 0, start_high + random_offset(c, start_high, end_high));
			v6_set_half(out, 8, start + random_offset(c, start, end));
		}
		if (!addrset_has(&m->network->held, out) && v6_is_routed(p, out)) {
			return true;
		}
	}
	return false;
}

/* ---- both -------------------------------------------------------------------------------------
 */

static bool assign(struct controller *c, struct ctl_member *m, const struct plan *p, int family,
		   json_t *assignments)
{
	unsigned trials = TRIALS_MAX;
	for (size_t i = 0; i < p->pool_count && trials > 0; i++) {
		const struct plan_pool *pool = &p->pools[i];
		struct zt_endpoint ip;
		if (pool->start.family != family) {
			continue;
		}
		if (family == 4 ? v4_search(m, p, pool, &trials, &ip)
				: v6_search(c, m, p, pool, &ip)) {
			take(assignments, &ip);
			return true;
		}
		trials -= family == 6 && trials >= TRIALS_PER_POOL ? TRIALS_PER_POOL : 0;
	}
	return false;
}

void pool_assign(struct controller *c, struct ctl_member *m, const struct plan *p, json_t *record)
{
	struct zt_endpoint sent[VL2_ADDRESSES_MAX];
	size_t count = plan_assigned(p, record, sent, VL2_ADDRESSES_MAX);
	bool needs_v4 = p->has_v4_pool_mode, needs_v6 = p->has_v6_pool_mode;
	for (size_t i = 0; i < count; i++) {
		needs_v4 = needs_v4 && sent[i].family != 4;
		needs_v6 = needs_v6 && sent[i].family != 6;
	}
	if ((!needs_v4 && !needs_v6) || object_bool(record, "noAutoAssignIps", false) ||
	    count == VL2_ADDRESSES_MAX || m->pool_failed == pool_mark(m->network, p)) {
		return;
	}
	json_t *assignments = json_object_get(record, "ipAssignments");
	bool failed = needs_v6 && !assign(c, m, p, 6, assignments);
	failed |= needs_v4 && !assign(c, m, p, 4, assignments);
	m->pool_failed = failed ? pool_mark(m->network, p) : 0;
}
