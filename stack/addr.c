/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Our addresses and routes.
 *
 * lwIP gives an interface one IPv4 address, so each address of the network is an lwIP interface of
 * its own; all of them share one output (netif.c). Where a packet goes is decided here, not by
 * lwIP: addr_next_hop() takes the longest prefix among our subnets and the managed routes. */
#include "stack/hooks.h"
#include "stack/internal.h"

#include <errno.h>
#include <lwip/ip4_addr.h>
#include <string.h>

static uint32_t mask_of(uint8_t bits)
{
	return bits == 0 ? 0 : htobe32(0xffffffffu << (32 - bits));
}

static bool is_unicast(uint32_t ip)
{
	uint8_t first = (uint8_t)(be32toh(ip) >> 24);
	return first != 0 && first != 127 && first < 224;
}

/* The IPv4 address of `ip`, or 0 when it is of another family or no host's address. */
static uint32_t unicast_of(const struct stack_ip *ip)
{
	uint32_t value;
	memcpy(&value, ip->bytes, 4);
	return ip->family == 4 && ip->bits <= 32 && is_unicast(value) ? value : 0;
}

static void hops_forget(struct stack *s)
{
	memset(s->hops, 0, sizeof(s->hops));
}

struct addr *addr_find(struct stack *s, uint32_t ip)
{
	for (size_t i = 0; i < s->address_count; i++) {
		if (s->addresses[i].ip == ip && s->addresses[i].is_used) {
			return &s->addresses[i];
		}
	}
	return NULL;
}

/* The ZeroTier group through which others find the MAC of `ip` (vl2 chapter 8). */
static void group_set(struct stack *s, uint32_t ip, bool join)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	s->callbacks->multicast(s->context, broadcast, be32toh(ip), join);
}

static void address_remove(struct stack *s, struct addr *a)
{
	/* lwIP aborts the connections of an address that goes away, with RST to the peers. */
	s->abort_error = ECONNABORTED;
	netif_remove(&a->netif);
	s->abort_error = 0;
	a->is_used = false;
	group_set(s, a->ip, false);
}

static const struct stack_ip *listed(uint32_t ip, const struct stack_ip *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (memcmp(list[i].bytes, &ip, 4) == 0) {
			return &list[i];
		}
	}
	return NULL;
}

static void address_add(struct stack *s, uint32_t ip, uint8_t bits)
{
	struct addr *a = addr_find(s, ip);
	if (a) {
		a->bits = bits;
		ip4_addr_t mask = { .addr = mask_of(bits) };
		netif_set_netmask(&a->netif, &mask);
		return;
	}
	size_t slot = 0;
	while (s->addresses[slot].is_used) {
		slot++; /* there is one: at most STACK_MAX_ADDRESSES are wanted, the others are gone
			 */
	}
	a = &s->addresses[slot];
	*a = (struct addr){ .ip = ip, .bits = bits, .is_used = true };
	if (slot >= s->address_count) {
		s->address_count = slot + 1;
	}
	netif_setup(s, &a->netif, ip, bits);
	hops_forget(s);
	group_set(s, ip, true);
	arp_announce(s, ip);
}

int addr_set(struct stack *s, const struct stack_ip *addresses, size_t count)
{
	if (count > STACK_MAX_ADDRESSES) {
		return -E2BIG;
	}
	for (size_t i = 0; i < count; i++) {
		if (addresses[i].family != 4) {
			return -EAFNOSUPPORT; /* IPv6 is not there yet */
		}
		if (unicast_of(&addresses[i]) == 0) {
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < s->address_count; i++) {
		struct addr *a = &s->addresses[i];
		if (a->is_used && !listed(a->ip, addresses, count)) {
			address_remove(s, a);
		}
	}
	for (size_t i = 0; i < count; i++) {
		address_add(s, unicast_of(&addresses[i]), addresses[i].bits);
	}
	hops_forget(s);
	return 0;
}

int addr_routes_set(struct stack *s, const struct stack_route *routes, size_t count)
{
	if (count > STACK_MAX_ROUTES) {
		return -E2BIG;
	}
	for (size_t i = 0; i < count; i++) {
		if (routes[i].target.family != 4) {
			return -EAFNOSUPPORT;
		}
		if (routes[i].target.bits > 32 ||
		    (routes[i].via.family != 0 && unicast_of(&routes[i].via) == 0)) {
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < count; i++) {
		struct route *r = &s->routes[i];
		memcpy(&r->target, routes[i].target.bytes, 4);
		r->mask = mask_of(routes[i].target.bits);
		r->target &= r->mask;
		r->via = routes[i].via.family == 0 ? 0 : unicast_of(&routes[i].via);
	}
	s->route_count = count;
	hops_forget(s);
	return 0;
}

bool addr_is_on_link(const struct stack *s, uint32_t ip)
{
	for (size_t i = 0; i < s->address_count; i++) {
		const struct addr *a = &s->addresses[i];
		if (a->is_used && ((ip ^ a->ip) & mask_of(a->bits)) == 0) {
			return true;
		}
	}
	for (size_t i = 0; i < s->route_count; i++) {
		const struct route *r = &s->routes[i];
		if (r->via == 0 && (ip & r->mask) == r->target) {
			return true;
		}
	}
	return false;
}

static bool is_subnet_broadcast(const struct addr *a, uint32_t ip)
{
	return a->bits < 31 && ip == (a->ip | ~mask_of(a->bits));
}

static uint32_t next_hop_search(const struct stack *s, uint32_t destination)
{
	uint32_t best = 0, best_mask = 0;
	for (size_t i = 0; i < s->route_count; i++) {
		const struct route *r = &s->routes[i];
		if ((destination & r->mask) == r->target &&
		    (best == 0 || be32toh(r->mask) > be32toh(best_mask))) {
			best = r->via ? r->via : destination;
			best_mask = r->mask;
		}
	}
	for (size_t i = 0; i < s->address_count; i++) {
		const struct addr *a = &s->addresses[i];
		if (!a->is_used) {
			continue;
		}
		if (is_subnet_broadcast(a, destination)) {
			return 0;
		}
		uint32_t mask = mask_of(a->bits);
		if (((destination ^ a->ip) & mask) == 0 &&
		    (best == 0 || be32toh(mask) >= be32toh(best_mask))) {
			best = destination;
			best_mask = mask;
		}
	}
	return best;
}

uint32_t addr_next_hop(struct stack *s, uint32_t destination)
{
	size_t slot = (be32toh(destination) * 2654435761u) >> 26;
	if (s->hops[slot].destination == destination && s->hops[slot].hop != 0) {
		return s->hops[slot].hop;
	}
	uint32_t hop = is_unicast(destination) ? next_hop_search(s, destination) : 0;
	s->hops[slot].destination = destination;
	s->hops[slot].hop = hop;
	return hop;
}

struct addr *addr_source(struct stack *s, uint32_t destination)
{
	uint32_t hop = addr_next_hop(s, destination);
	struct addr *best = NULL, *any = NULL;
	for (size_t i = 0; hop != 0 && i < s->address_count; i++) {
		struct addr *a = &s->addresses[i];
		if (!a->is_used) {
			continue;
		}
		any = any ? any : a;
		if (((hop ^ a->ip) & mask_of(a->bits)) == 0 && (!best || a->bits > best->bits)) {
			best = a;
		}
	}
	return best ? best : any;
}

void addr_close(struct stack *s)
{
	for (size_t i = 0; i < s->address_count; i++) {
		if (s->addresses[i].is_used) {
			netif_remove(&s->addresses[i].netif);
			s->addresses[i].is_used = false;
		}
	}
	s->address_count = 0;
	s->route_count = 0;
}

struct netif *stk_hook_route(const struct ip4_addr *source, const struct ip4_addr *destination)
{
	struct addr *a = NULL;
	if (addr_next_hop(&the_stack, destination->addr) == 0) {
		return NULL;
	}
	if (source && source->addr != 0) {
		a = addr_find(&the_stack, source->addr);
	} else {
		a = addr_source(&the_stack, destination->addr);
	}
	return a ? &a->netif : NULL;
}
