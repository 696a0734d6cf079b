/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Destination address selection, RFC 6724 section 6: rules 1, 2, 5, 6, 8, 9, 10. The others speak
 * of deprecated and home addresses, which a virtual host does not have.
 */
#include "service/resolver.h"
#include "service/vaddr.h"

#include <stdlib.h>
#include <string.h>

enum { RULE_LINK = 2, RULE_SITE = 5, RULE_GLOBAL = 14 };

struct candidate {
	struct rpc_addr to, from;
	bool is_reachable;
	int place; /* in the list as it came */
};

/* The policy table (section 2.1), longest prefix first. */
static const struct {
	uint8_t prefix[16];
	uint8_t bits, precedence, label;
} policies[] = {
	{ { [15] = 1 }, 128, 50, 0 },                /* ::1 */
	{ { [10] = 0xff, [11] = 0xff }, 96, 35, 4 }, /* IPv4 */
	{ { 0 }, 96, 1, 3 },                         /* ::/96 */
	{ { 0x20, 0x01 }, 32, 5, 5 },                /* 2001::/32 */
	{ { 0x20, 0x02 }, 16, 30, 2 },               /* 2002::/16 */
	{ { 0x3f, 0xfe }, 16, 1, 12 },
	{ { 0xfe, 0xc0 }, 10, 1, 11 },
	{ { 0xfc }, 7, 3, 13 }, /* unique local */
	{ { 0 }, 0, 40, 1 },
};

static int common_bits(const uint8_t *a, const uint8_t *b)
{
	int bits = 0;
	while (bits < 128 && ((a[bits / 8] ^ b[bits / 8]) & (0x80 >> bits % 8)) == 0) {
		bits++;
	}
	return bits;
}

static size_t policy_of(const struct rpc_addr *a)
{
	size_t i = 0;
	while (common_bits(a->addr, policies[i].prefix) < policies[i].bits) {
		i++; /* the last one takes everything */
	}
	return i;
}

static int scope_of(const struct rpc_addr *a)
{
	if (vaddr_is_loopback(a) || rpc_is_link_local(a) ||
	    (vaddr_is_v4(a) && a->addr[12] == 169 && a->addr[13] == 254)) {
		return RULE_LINK;
	}
	return a->addr[0] == 0xfe && (a->addr[1] & 0xc0) == 0xc0 ? RULE_SITE : RULE_GLOBAL;
}

/* Rule 9 compares within the prefix of the source; for IPv4 the whole address, as glibc. */
static int prefix_bits(const struct candidate *c)
{
	int bits = common_bits(c->to.addr, c->from.addr);
	return bits > 64 && !vaddr_is_v4(&c->to) ? 64 : bits;
}

static int compare(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	size_t pa = policy_of(&a->to), pb = policy_of(&b->to);
	int scope_a = scope_of(&a->to), scope_b = scope_of(&b->to);
	const int rules[][2] = {
		{ a->is_reachable, b->is_reachable },
		{ scope_a == scope_of(&a->from), scope_b == scope_of(&b->from) },
		{ policies[pa].label == policies[policy_of(&a->from)].label,
		  policies[pb].label == policies[policy_of(&b->from)].label },
		{ policies[pa].precedence, policies[pb].precedence },
		{ -scope_a, -scope_b },
		{ a->to.family == b->to.family ? prefix_bits(a) : 0,
		  a->to.family == b->to.family ? prefix_bits(b) : 0 },
		{ -a->place, -b->place },
	};
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		if (rules[i][0] != rules[i][1]) {
			return rules[i][1] - rules[i][0];
		}
	}
	return 0;
}

static void source_find(const struct net *net, struct candidate *c)
{
	struct stack_ip to = vaddr_to_stack(&c->to), from;
	c->from = c->to;
	if (vaddr_is_loopback(&c->to) || net_is_own_address(net, &to)) {
		c->is_reachable = true;
	} else if (net->stack && net->ops->source_for(net->stack, &to, &from) == 0) {
		c->from = vaddr_from_stack(&from, c->to.family);
		c->is_reachable = true;
	}
}

void resolver_order(const struct net *net, struct rpc_addr *list, size_t count)
{
	struct candidate all[RPC_RESOLVE_RECORDS_MAX] = { 0 };
	for (size_t i = 0; i < count; i++) {
		all[i] = (struct candidate){ .to = list[i], .place = (int)i };
		source_find(net, &all[i]);
	}
	qsort(all, count, sizeof *all, compare);
	for (size_t i = 0; i < count; i++) {
		list[i] = all[i].to;
	}
}
