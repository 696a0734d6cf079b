/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What lwIP calls by name (lwipopts.h): its clock, randomness, memory, checksum and hooks.
 * Included by every lwIP file, so it declares lwIP's types instead of including lwIP. */
#ifndef STACK_HOOKS_H
#define STACK_HOOKS_H

#include "stack/timerq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a tcp_pcb carries for us (LWIP_TCP_PCB_EXTRA). */
struct tcp_pcb_extra {
	struct timer_node timer; /* its deadline, stk_tcp_timer.c */
	bool is_half_open;       /* counted in the_stack.half_open */
	/* In a list while `undated` is not 0, stk_tcp_timer.c. */
	uint8_t undated; /* which of its timers an operation has started */
	struct tcp_pcb *undated_next, *undated_previous;
	/* demux.c */
	uint32_t hash;
	struct tcp_pcb *chain, **chain_link; /* chain_link NULL: in no chain */
};

struct ip4_addr;
struct ip6_addr;
struct ip_addr;
struct netif;
struct pbuf;
struct tcp_hdr;
struct tcp_pcb;
struct tcp_pcb_listen;

uint32_t stk_random32(void);

void *stk_heap_alloc(size_t size);
void *stk_heap_calloc(size_t count, size_t size);
void stk_heap_free(void *memory);

/* Internet checksum of `length` bytes, in the byte order of memory, not inverted. */
uint16_t stk_checksum(const void *bytes, int length);

/* Initial sequence number, RFC 6528: a keyed hash of the 4-tuple plus a 4 us clock. */
uint32_t stk_hook_isn(const struct ip_addr *local, uint16_t local_port,
		      const struct ip_addr *remote, uint16_t remote_port);

/* A segment for a connection or listener, before lwIP acts on it; not 0 (ERR_OK) drops it. */
signed char stk_hook_tcp_in(struct tcp_pcb *pcb, struct tcp_hdr *header, uint16_t options_length,
			    uint16_t first_length, uint8_t *second, struct pbuf *p);

/* Connections by their names (stack/patches 0008, demux.c). */
void stk_demux_add(struct tcp_pcb *pcb);
void stk_demux_remove(struct tcp_pcb *pcb);
struct tcp_pcb *stk_demux_find(const struct ip_addr *local, uint16_t local_port,
			       const struct ip_addr *remote, uint16_t remote_port);

/* A segment for no connection (header in host order): is it one for what is in TIME-WAIT? Then it
 * was dealt with (stack/patches 0010, stk_tcp_timewait.c). `length` in sequence numbers. */
bool stk_tcp_in_time_wait(const struct ip_addr *local, const struct ip_addr *remote,
			  const struct tcp_hdr *header, uint16_t length);
/* The listener on this port, or NULL (stack/patches 0010, listeners.c). */
struct tcp_pcb_listen *stk_listener_find(uint16_t port);

/* Which interface sends to `destination` (from `source`, if not NULL)? */
struct netif *stk_hook_route(const struct ip4_addr *source, const struct ip4_addr *destination);
struct netif *stk_hook_route6(const struct ip6_addr *source, const struct ip6_addr *destination);

/* lwIP calls it even with LWIP_ICMP6 0, and then declares it nowhere: GCC 14 takes that for an
 * error. */
void icmp6_param_problem(struct pbuf *p, unsigned code, const void *pointer);

#endif
