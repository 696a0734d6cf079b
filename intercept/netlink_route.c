/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The virtual host's routes, as the kernel would have made them from its addresses, and the
 * network's managed ones. They are not stored: route_at() computes the nth.
 *
 *   main table    the managed routes; for each address of the network the prefix that it is in
 *   local table   each address, each IPv4 broadcast; 127.0.0.0/8; ff00::/8 on the network
 */
#include "intercept/netlink.h"

#include <errno.h>
#include <string.h>

struct route {
	uint8_t family; /* 0: this number stands for none */
	uint8_t bits, table, type, scope, protocol;
	unsigned index;
	uint32_t metric;
	uint8_t target[16]; /* v4-mapped for IPv4, as all addresses here */
	const uint8_t *via, *source;
};

enum {
	METRIC_V6 = 256, /* of the kernel's own routes */
	METRIC_MANAGED = 1024,
	VARIANTS = 3, /* of routes that an address makes */
	V4_AT = 12,   /* where the four bytes of a v4-mapped address are */
	LOOPBACKS = 2,
};

/* ---- addresses ------------------------------------------------------------------------------- */

static unsigned full_bits(uint8_t family)
{
	return family == AF_INET6 ? 128 : 32;
}

static const uint8_t *significant(uint8_t family, const uint8_t *address)
{
	return family == AF_INET6 ? address : address + V4_AT;
}

static size_t size_of(uint8_t family)
{
	return family == AF_INET6 ? 16 : 4;
}

static bool is_link_local(uint8_t family, const uint8_t *a)
{
	return family == AF_INET6 && a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

static bool is_inside(uint8_t family, const uint8_t *address, const uint8_t *target, unsigned bits)
{
	uint8_t mask[16];
	const uint8_t *a = significant(family, address), *t = significant(family, target);
	interface_mask(mask, bits);
	for (size_t i = 0; i < size_of(family); i++) {
		if ((a[i] & mask[i]) != (t[i] & mask[i])) {
			return false;
		}
	}
	return true;
}

/* The address with its host part cleared, or all ones. */
static void prefix_write(uint8_t out[16], const struct rpc_interface_addr *a, bool is_ones)
{
	uint8_t mask[16];
	size_t at = a->family == AF_INET6 ? 0 : V4_AT;
	interface_mask(mask, a->bits);
	memcpy(out, a->addr, 16);
	for (size_t i = at; i < 16; i++) {
		uint8_t host = (uint8_t)~mask[i - at];
		out[i] = (uint8_t)(is_ones ? out[i] | host : out[i] & ~host);
	}
}

/* ---- the table ------------------------------------------------------------------------------- */

/* Our address that is best for reaching `to`: of its prefix, else the first that is not a link's.
 */
static const uint8_t *source_for(const struct nl_view *view, uint8_t family, const uint8_t *to)
{
	const struct interfaces *all = view->all;
	const uint8_t *first = NULL;
	for (size_t i = 0; i < all->head.count; i++) {
		const struct rpc_interface_addr *a = &all->addresses[i];
		if (a->family != family) {
			continue;
		}
		if (is_inside(family, to, a->addr, a->bits)) {
			return a->addr;
		}
		first = !first && !is_link_local(family, a->addr) ? a->addr : first;
	}
	return first;
}

static void managed_at(const struct nl_view *view, size_t n, struct route *out)
{
	const struct rpc_managed_route *m = &view->routes[n];
	const struct interfaces *all = view->all;
	for (size_t i = 0; i < all->head.count && !m->has_via; i++) {
		const struct rpc_interface_addr *a = &all->addresses[i];
		if (a->family == m->family && a->bits == m->bits &&
		    is_inside(m->family, a->addr, m->target, m->bits)) {
			return; /* the address brings it along */
		}
	}
	*out = (struct route){
		.family = m->family,
		.bits = m->bits,
		.table = RT_TABLE_MAIN,
		.type = RTN_UNICAST,
		.scope = m->has_via || m->family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.protocol = RTPROT_STATIC,
		.index = RPC_IFINDEX_NETWORK,
		.metric = m->family == AF_INET6 ? METRIC_MANAGED : 0,
		.via = m->has_via ? m->via : NULL,
		.source = source_for(view, m->family, m->has_via ? m->via : m->target)
	};
	memcpy(out->target, m->target, sizeof out->target);
}

/* The prefix that an address is in. */
static void connected_at(const struct rpc_interface_addr *a, struct route *out)
{
	bool is_loopback = out->index == RPC_IFINDEX_LOOPBACK;
	if (a->bits == full_bits(a->family) && !is_loopback) {
		out->family = 0;
		return;
	}
	bool is_local = is_loopback && a->family == AF_INET; /* 127.0.0.0/8 */
	out->table = is_local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
	out->type = is_local ? RTN_LOCAL : RTN_UNICAST;
	out->scope = is_local               ? RT_SCOPE_HOST
		     : a->family == AF_INET ? RT_SCOPE_LINK
					    : RT_SCOPE_UNIVERSE;
	out->bits = a->bits;
	prefix_write(out->target, a, false);
}

/* To all: the IPv4 broadcast of an address, IPv6 multicast of a link. */
static void everybody_at(const struct rpc_interface_addr *a, struct route *out)
{
	static const uint8_t multicast[16] = { 0xff };
	bool is_v4 = a->family == AF_INET;
	if (is_v4 ? a->bits >= 31 : !is_link_local(a->family, a->addr)) {
		out->family = 0;
		return;
	}
	out->type = is_v4 ? RTN_BROADCAST : RTN_MULTICAST;
	out->scope = is_v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	if (is_v4) {
		prefix_write(out->target, a, true);
	} else {
		memcpy(out->target, multicast, sizeof multicast);
		out->bits = 8;
	}
}

/* One of the routes that an address makes. */
static void address_at(unsigned index, const struct rpc_interface_addr *a, size_t variant,
		       struct route *out)
{
	bool is_v4 = a->family == AF_INET;
	*out = (struct route){ .family = a->family,
			       .bits = (uint8_t)full_bits(a->family),
			       .table = RT_TABLE_LOCAL,
			       .type = RTN_LOCAL,
			       .scope = is_v4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
			       .protocol = RTPROT_KERNEL,
			       .index = index,
			       .source = is_v4 ? a->addr : NULL };
	memcpy(out->target, a->addr, sizeof out->target);
	if (variant == 0) {
		connected_at(a, out);
		out->metric = is_v4 ? 0 : METRIC_V6;
	} else if (variant == 2) {
		everybody_at(a, out);
		out->metric = is_v4 ? 0 : METRIC_V6;
	}
}

/* False: there are no more. Some numbers stand for no route. */
static bool route_at(const struct nl_view *view, size_t n, struct route *out)
{
	out->family = 0;
	if (n < view->route_count) {
		managed_at(view, n, out);
		return true;
	}
	n -= view->route_count;
	size_t addresses = LOOPBACKS + (size_t)view->all->head.count;
	size_t which = n % addresses, variant = n / addresses;
	if (variant >= VARIANTS) {
		return false;
	}
	if (which < LOOPBACKS) {
		address_at(RPC_IFINDEX_LOOPBACK, &interface_loopback[which], variant, out);
	} else {
		address_at(RPC_IFINDEX_NETWORK, &view->all->addresses[which - LOOPBACKS], variant,
			   out);
	}
	return true;
}

/* ---- messages -------------------------------------------------------------------------------- */

static void bytes_write(const struct nl_request *r, uint16_t type, uint8_t family,
			const uint8_t *address)
{
	nl_attribute(r->out, type, significant(family, address), size_of(family));
}

static void route_write(const struct nl_request *r, const struct route *route, uint32_t flags)
{
	struct rtmsg body = { .rtm_family = route->family,
			      .rtm_dst_len = route->bits,
			      .rtm_table = route->table,
			      .rtm_protocol = route->protocol,
			      .rtm_scope = route->scope,
			      .rtm_type = route->type,
			      .rtm_flags = flags };
	uint8_t preference = 0; /* medium, RFC 4191 */
	nl_begin(r->out, RTM_NEWROUTE, r->flags, &body, sizeof body);
	nl_u32(r->out, RTA_TABLE, route->table);
	if (route->bits > 0) {
		bytes_write(r, RTA_DST, route->family, route->target);
	}
	if (route->family == AF_INET6) {
		nl_u32(r->out, RTA_PRIORITY, route->metric);
	}
	if (route->source) {
		bytes_write(r, RTA_PREFSRC, route->family, route->source);
	}
	if (route->via) {
		bytes_write(r, RTA_GATEWAY, route->family, route->via);
	}
	nl_u32(r->out, RTA_OIF, route->index);
	if (route->family == AF_INET6) {
		nl_attribute(r->out, RTA_PREF, &preference, sizeof preference);
	}
	nl_end(r->out);
}

/* ---- dump ------------------------------------------------------------------------------------ */

struct route_filter {
	uint8_t family, type, protocol; /* 0: all */
	bool is_cache;
	uint32_t table, index;
};

static uint32_t u32_find(const struct nl_request *r, uint16_t type, uint32_t otherwise)
{
	size_t length;
	const uint8_t *value = nl_find(r->bytes, sizeof(struct rtmsg), type, &length);
	if (value && length >= sizeof otherwise) {
		memcpy(&otherwise, value, sizeof otherwise);
	}
	return otherwise;
}

/* What a dump is limited to; only the family, unless the socket is strict. */
static struct route_filter filter_read(const struct nl_request *r)
{
	struct rtmsg body = { .rtm_family = AF_UNSPEC };
	size_t have = r->h.nlmsg_len - sizeof r->h;
	memcpy(&body, r->bytes + sizeof r->h, have < sizeof body ? have : sizeof body);
	struct route_filter f = { .family = body.rtm_family };
	if (r->view->is_strict && have >= sizeof body) {
		f.type = body.rtm_type;
		f.protocol = body.rtm_protocol;
		f.is_cache = (body.rtm_flags & RTM_F_CLONED) != 0;
		f.table = u32_find(r, RTA_TABLE, body.rtm_table);
		f.index = u32_find(r, RTA_OIF, 0);
	}
	return f;
}

bool nl_routes_filtered(const struct nl_request *r)
{
	struct route_filter f = filter_read(r);
	return f.type != 0 || f.protocol != 0 || f.is_cache || f.table != 0 || f.index != 0;
}

static bool is_wanted(const struct route_filter *f, const struct route *route)
{
	return (f->table == 0 || f->table == route->table) &&
	       (f->index == 0 || f->index == route->index) &&
	       (f->type == 0 || f->type == route->type) &&
	       (f->protocol == 0 || f->protocol == route->protocol);
}

int nl_routes_dump(const struct nl_request *r)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct route_filter f = filter_read(r);
	bool is_one = f.family == AF_INET || f.family == AF_INET6;
	struct route route;
	for (size_t i = 0; i < sizeof families && !f.is_cache; i++) {
		if (is_one && f.family != families[i]) {
			continue;
		}
		for (size_t n = 0; route_at(r->view, n, &route); n++) {
			if (route.family == families[i] && is_wanted(&f, &route)) {
				route_write(r, &route, 0);
			}
		}
	}
	return 0;
}

/* ---- one ------------------------------------------------------------------------------------- */

/* The route that `to` takes: ours, else the longest prefix. */
static bool route_find(const struct nl_request *r, uint8_t family, const uint8_t to[16],
		       struct route *out)
{
	struct route route;
	uint32_t index = u32_find(r, RTA_OIF, 0);
	bool is_found = false;
	for (size_t n = 0; route_at(r->view, n, &route); n++) {
		bool is_local = route.family == family && route.table == RT_TABLE_LOCAL;
		bool is_better =
		    !is_found || (is_local && out->table != RT_TABLE_LOCAL) ||
		    (is_local == (out->table == RT_TABLE_LOCAL) && route.bits > out->bits);
		if (route.family == family && is_better &&
		    (index == 0 || index == route.index || is_local) &&
		    is_inside(family, to, route.target, route.bits)) {
			*out = route;
			is_found = true;
		}
	}
	return is_found;
}

int nl_route_get(const struct nl_request *r)
{
	struct rtmsg body;
	struct route route = { .family = 0 };
	uint8_t to[16] = { 0 };
	size_t length = 0;
	if (r->h.nlmsg_len < sizeof r->h + sizeof body) {
		return -EINVAL;
	}
	memcpy(&body, r->bytes + sizeof r->h, sizeof body);
	uint8_t family = body.rtm_family;
	if (family != AF_INET && family != AF_INET6) {
		return -EOPNOTSUPP;
	}
	const uint8_t *given = nl_find(r->bytes, sizeof body, RTA_DST, &length);
	if (given && length < size_of(family)) {
		return -EINVAL;
	}
	if (given) {
		memcpy(to + (family == AF_INET6 ? 0 : V4_AT), given, size_of(family));
	}
	if (!route_find(r, family, to, &route)) {
		return -ENETUNREACH;
	}
	memcpy(route.target, to, sizeof to);
	route.bits = (uint8_t)full_bits(family);
	if (family == AF_INET) { /* IPv6 shows the route as it is in the table */
		route.protocol = RTPROT_UNSPEC;
	}
	route.scope = RT_SCOPE_UNIVERSE;
	if (route.type == RTN_LOCAL) {
		/* The kernel keeps IPv4's two tables in one until there are rules. */
		route.table = family == AF_INET ? RT_TABLE_MAIN : RT_TABLE_LOCAL;
		route.index = RPC_IFINDEX_LOOPBACK;
		route.source = to;
	} else if (!route.source) {
		route.source = source_for(r->view, family, route.via ? route.via : to);
	}
	route_write(r, &route, family == AF_INET ? RTM_F_CLONED : 0);
	return 0;
}
