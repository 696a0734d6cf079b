/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Our addresses and routes.
 *
 * Each address of the network is an lwIP interface of its own (lwIP would take one IPv4 address for
 * each); all of them share one output (netif.c). Where a packet goes is decided here, not by lwIP:
 * addr_next_hop() takes the longest prefix among our subnets and the managed routes. Prefix lengths
 * are kept as of 128 bits, for IPv4 too (ipa.h). */
#include "stack/hooks.h"
#include "stack/internal.h"

#include <errno.h>
#include <lwip/ip_addr.h>
#include <string.h>

enum { IPV6_MTU_MIN = 1280 };

static uint8_t bits_of(const struct stack_ip *ip)
{
	return (uint8_t)(ip->family == 4 ? ip->bits + 96 : ip->bits);
}

static void hops_forget(struct stack *s)
{
	memset(s->hops, 0, sizeof(s->hops));
}

struct addr *addr_find(struct stack *s, const struct ipa *ip)
{
	for (size_t i = 0; i < s->address_count; i++) {
		if (ipa_equal(&s->addresses[i].ip, ip) && s->addresses[i].is_used) {
			return &s->addresses[i];
		}
	}
	return NULL;
}

/* ff02::1:ffXX:XXXX, where others look for `ip` (RFC 4291 2.7.1). */
struct ipa addr_solicited_node(const struct ipa *ip)
{
	return (struct ipa){ { htobe32(0xff020000), 0, htobe32(1),
			       ip->word[3] | htobe32(0xff000000) } };
}

/* The ZeroTier groups through which others find the MAC of `ip` (vl2 chapter 8). */
static void group_set(struct stack *s, const struct ipa *ip, bool join)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	if (ipa_is_v4(ip)) {
		s->callbacks->multicast(s->context, broadcast, be32toh(ip->word[3]), join);
		return;
	}
	struct ipa everybody = ipa_all_nodes();
	struct ipa group = addr_solicited_node(ip);
	if (join) {
		(void)group_join(s, &group);
		(void)group_join(s, &everybody);
	} else {
		(void)group_leave(s, &group);
		(void)group_leave(s, &everybody);
	}
}

static void address_remove(struct stack *s, struct addr *a)
{
	/* lwIP aborts the connections of an address that goes away, with RST to the peers. */
	s->abort_error = ECONNABORTED;
	netif_remove(&a->netif);
	s->abort_error = 0;
	a->is_used = false;
	group_set(s, &a->ip, false);
}

static bool is_listed(const struct ipa *ip, const struct stack_ip *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct ipa listed;
		if (ipa_read(&list[i], &listed) && ipa_equal(&listed, ip)) {
			return true;
		}
	}
	return false;
}

static void address_add(struct stack *s, const struct ipa *ip, uint8_t bits)
{
	struct addr *a = addr_find(s, ip);
	if (a) {
		a->bits = bits;
		netif_prefix_set(&a->netif, ip, bits);
		return;
	}
	size_t slot = 0;
	while (s->addresses[slot].is_used) {
		slot++; /* there is one: at most STACK_MAX_ADDRESSES are wanted, the others are gone
			 */
	}
	a = &s->addresses[slot];
	*a = (struct addr){ .ip = *ip, .bits = bits, .is_used = true };
	if (slot >= s->address_count) {
		s->address_count = slot + 1;
	}
	netif_setup(s, &a->netif, ip, bits);
	hops_forget(s);
	group_set(s, ip, true);
	neigh_announce(s, ip);
}

static int addresses_check(const struct stack *s, const struct stack_ip *addresses, size_t count)
{
	if (count > STACK_MAX_ADDRESSES) {
		return -E2BIG;
	}
	for (size_t i = 0; i < count; i++) {
		struct ipa ip;
		if (!ipa_read(&addresses[i], &ip) || !ipa_is_unicast(&ip) ||
		    (!ipa_is_v4(&ip) && s->mtu < IPV6_MTU_MIN)) {
			return -EINVAL;
		}
	}
	return 0;
}

int addr_set(struct stack *s, const struct stack_ip *addresses, size_t count)
{
	int error = addresses_check(s, addresses, count);
	if (error != 0) {
		return error;
	}
	for (size_t i = 0; i < s->address_count; i++) {
		struct addr *a = &s->addresses[i];
		if (a->is_used && !is_listed(&a->ip, addresses, count)) {
			address_remove(s, a);
		}
	}
	for (size_t i = 0; i < count; i++) {
		struct ipa ip;
		(void)ipa_read(&addresses[i], &ip);
		address_add(s, &ip, bits_of(&addresses[i]));
	}
	hops_forget(s);
	return 0;
}

static bool route_read(const struct stack_route *from, struct route *out)
{
	*out = (struct route){ .bits = bits_of(&from->target) };
	if (!ipa_read(&from->target, &out->target)) {
		return false;
	}
	out->has_via = from->via.family != 0;
	return !out->has_via || (ipa_read(&from->via, &out->via) && ipa_is_unicast(&out->via) &&
				 ipa_is_v4(&out->via) == ipa_is_v4(&out->target));
}

int addr_routes_set(struct stack *s, const struct stack_route *routes, size_t count)
{
	struct route checked;
	if (count > STACK_MAX_ROUTES) {
		return -E2BIG;
	}
	for (size_t i = 0; i < count; i++) {
		if (!route_read(&routes[i], &checked)) {
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < count; i++) {
		(void)route_read(&routes[i], &s->routes[i]);
	}
	s->route_count = count;
	hops_forget(s);
	return 0;
}

static bool has_family(const struct stack *s, bool is_v4)
{
	for (size_t i = 0; i < s->address_count; i++) {
		if (s->addresses[i].is_used && ipa_is_v4(&s->addresses[i].ip) == is_v4) {
			return true;
		}
	}
	return false;
}

static bool covers(const struct ipa *prefix, uint8_t bits, const struct ipa *ip)
{
	return ipa_is_v4(prefix) == ipa_is_v4(ip) && ipa_prefix_equal(ip, prefix, bits);
}

bool addr_is_on_link(const struct stack *s, const struct ipa *ip)
{
	for (size_t i = 0; i < s->address_count; i++) {
		const struct addr *a = &s->addresses[i];
		if (a->is_used && covers(&a->ip, a->bits, ip)) {
			return true;
		}
	}
	for (size_t i = 0; i < s->route_count; i++) {
		const struct route *r = &s->routes[i];
		if (!r->has_via && covers(&r->target, r->bits, ip)) {
			return true;
		}
	}
	/* Others ask from there, though we have no such address ourselves. */
	return ipa_is_link_local(ip) && has_family(s, false);
}

static bool is_subnet_broadcast(const struct addr *a, const struct ipa *ip)
{
	if (!ipa_is_v4(&a->ip) || !ipa_is_v4(ip) || a->bits >= 127) {
		return false;
	}
	return (be32toh(ip->word[3]) | 0xffffffffu << (128 - a->bits)) == 0xffffffffu &&
	       ipa_prefix_equal(ip, &a->ip, a->bits);
}

bool addr_is_broadcast(const struct stack *s, const struct ipa *ip)
{
	if (ipa_is_v4(ip) && ip->word[3] == 0xffffffffu) {
		return true;
	}
	for (size_t i = 0; i < s->address_count; i++) {
		if (s->addresses[i].is_used && is_subnet_broadcast(&s->addresses[i], ip)) {
			return true;
		}
	}
	return false;
}

static bool next_hop_search(const struct stack *s, const struct ipa *destination, struct ipa *hop)
{
	int best = -1;
	for (size_t i = 0; i < s->route_count; i++) {
		const struct route *r = &s->routes[i];
		if (r->bits > best && covers(&r->target, r->bits, destination)) {
			*hop = r->has_via ? r->via : *destination;
			best = r->bits;
		}
	}
	for (size_t i = 0; i < s->address_count; i++) {
		const struct addr *a = &s->addresses[i];
		if (a->is_used && a->bits >= best && covers(&a->ip, a->bits, destination)) {
			*hop = *destination;
			best = a->bits;
		}
	}
	if (best < 0 && ipa_is_link_local(destination) && has_family(s, false)) {
		*hop = *destination;
		best = 0;
	}
	return best >= 0;
}

const struct ipa *addr_next_hop(struct stack *s, const struct ipa *destination)
{
	uint32_t mixed = destination->word[0] ^ destination->word[1] * 3 ^
			 destination->word[2] * 5 ^ be32toh(destination->word[3]);
	struct hop *slot = &s->hops[(mixed * 2654435761u) >> 26];
	if (slot->is_set && ipa_equal(&slot->destination, destination)) {
		return &slot->hop;
	}
	if (!ipa_is_unicast(destination) || addr_is_broadcast(s, destination)) {
		return NULL;
	}
	slot->destination = *destination;
	slot->is_set = next_hop_search(s, destination, &slot->hop);
	return slot->is_set ? &slot->hop : NULL;
}

/* How good an address of ours is towards `destination`: RFC 6724 5, as far as one interface needs
 * it. The right scope comes first, then the subnet of the next hop (or of the broadcast), the
 * narrowest; -1 = another family. */
static int source_score(const struct addr *a, const struct ipa *destination, const struct ipa *hop)
{
	enum { RIGHT_SCOPE = 256 };
	bool is_v4 = ipa_is_v4(destination);
	if (!a->is_used || ipa_is_v4(&a->ip) != is_v4) {
		return -1;
	}
	bool is_link_scope = !is_v4 && ipa_is_link_scope(destination);
	int score = is_v4 || ipa_is_link_local(&a->ip) == is_link_scope ? RIGHT_SCOPE : 0;
	bool is_near =
	    hop ? ipa_prefix_equal(hop, &a->ip, a->bits) : is_subnet_broadcast(a, destination);
	return score + (is_near ? a->bits : 0);
}

struct addr *addr_source(struct stack *s, const struct ipa *destination)
{
	const struct ipa *hop = addr_next_hop(s, destination);
	bool is_to_many = ipa_is_multicast(destination) || addr_is_broadcast(s, destination);
	struct addr *best = NULL;
	int best_score = -1;
	for (size_t i = 0; (hop || is_to_many) && i < s->address_count; i++) {
		int score = source_score(&s->addresses[i], destination, hop);
		if (score > best_score) {
			best = &s->addresses[i];
			best_score = score;
		}
	}
	return best;
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

static struct netif *route(const struct ipa *source, const struct ipa *destination)
{
	struct addr *a = NULL;
	if (!addr_next_hop(&the_stack, destination)) {
		return NULL;
	}
	if (source && !ipa_is_unspecified(source)) {
		a = addr_find(&the_stack, source);
	} else {
		a = addr_source(&the_stack, destination);
	}
	return a ? &a->netif : NULL;
}

struct netif *stk_hook_route(const struct ip4_addr *source, const struct ip4_addr *destination)
{
	struct ipa from = ipa_v4(source ? source->addr : 0), to = ipa_v4(destination->addr);
	return route(source ? &from : NULL, &to);
}

struct netif *stk_hook_route6(const struct ip6_addr *source, const struct ip6_addr *destination)
{
	struct ipa from = { { 0 } }, to = ipa_v6(destination->addr);
	if (source) {
		from = ipa_v6(source->addr);
	}
	return route(source ? &from : NULL, &to);
}
