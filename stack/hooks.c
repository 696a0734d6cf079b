/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What lwIP asks its host for, answered from what the caller of stack.h injected. */
#include "stack/hooks.h"

#include "stack/internal.h"

#include <lwip/icmp6.h>
#include <lwip/nd6.h>
#include <lwip/sys.h>
#include <stdlib.h>
#include <string.h>

uint32_t sys_now(void)
{
	return (uint32_t)the_stack.now_ms;
}

void stk_fail(const char *text)
{
	if (the_stack.callbacks) {
		the_stack.callbacks->fail(the_stack.context, text);
	}
	abort();
}

uint32_t stk_random32(void)
{
	uint32_t value;
	the_stack.callbacks->random(the_stack.context, &value, sizeof(value));
	return value;
}

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

/* SipHash-2-4 on a little-endian machine; on others another, as good, keyed hash. */
uint64_t hash_siphash(const uint64_t key[2], const void *bytes, size_t length)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
			  key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
	const uint8_t *at = bytes;
	size_t left = length;
	for (;; at += 8, left -= 8) {
		uint64_t word = 0;
		memcpy(&word, at, left < 8 ? left : 8);
		if (left < 8) {
			word |= (uint64_t)length << 56;
		}
		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
		if (left < 8) {
			break;
		}
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t stk_hook_isn(const struct ip_addr *local, uint16_t local_port,
		      const struct ip_addr *remote, uint16_t remote_port)
{
	struct {
		struct ipa local, remote;
		uint32_t ports;
	} tuple = { ipa_of_lwip(local), ipa_of_lwip(remote),
		    (uint32_t)local_port << 16 | remote_port };
	uint32_t clock_4us = (uint32_t)(the_stack.now_ms * 250);
	uint32_t isn =
	    (uint32_t)hash_siphash(the_stack.hash_key, &tuple, sizeof(tuple)) + clock_4us;
	/* The same names were in TIME-WAIT: beyond what they used (stk_tcp_timewait.c). */
	bool is_below = the_stack.has_isn_floor && (int32_t)(isn - the_stack.isn_floor) < 0;
	return is_below ? the_stack.isn_floor : isn;
}

/* --- lwIP's own neighbour discovery, nd6.c, is not compiled: ndp.c and addr.c do its work. What
 * the rest of lwIP calls of it is answered here. */

void nd6_cleanup_netif(struct netif *netif)
{
	(void)netif;
}

void nd6_restart_netif(struct netif *netif)
{
	(void)netif;
}

struct netif *nd6_find_route(const ip6_addr_t *ip6addr)
{
	(void)ip6addr;
	return NULL; /* stk_hook_route6() knew none */
}

/* The network is one link: packets too big for it are never sent. A link beyond a router lowers the
 * segments of the connections that it concerns (stk_tcp_icmp.c). */
u16_t nd6_get_destination_mtu(const ip6_addr_t *ip6addr, struct netif *netif)
{
	(void)ip6addr;
	(void)netif;
	return (u16_t)the_stack.mtu;
}

/* An option that lwIP does not know: the packet is dropped, and nobody is told. */
void icmp6_param_problem(struct pbuf *p, unsigned code, const void *pointer)
{
	(void)p;
	(void)code;
	(void)pointer;
}
