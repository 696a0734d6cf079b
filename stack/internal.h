/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of stack/ know of each other. lwIP keeps its state in globals, so there is one
 * stack per loaded copy of the library (design D2) and it is a global too: `the_stack`.
 *
 * IPv4 addresses are uint32_t in the byte order of the wire, as lwIP holds them. */
#ifndef STACK_INTERNAL_H
#define STACK_INTERNAL_H

#include "stack/neigh.h"
#include "stack/stack.h"
#include "stack/timerq.h"

#include <lwip/netif.h>

struct pbuf;
struct stack_tcp;
struct tcp_pcb;

/* One of our addresses and the lwIP interface that carries it; all share one output. */
struct addr {
	struct netif netif;
	uint32_t ip;
	uint8_t bits;
	bool is_used;
};

struct route {
	uint32_t target, mask, via; /* via 0: on link */
};

enum { HOP_CACHE_ENTRIES = 64 }; /* next hops of recent destinations; a power of two */

struct stack {
	bool is_open;
	const struct stack_callbacks *callbacks;
	void *context;
	int64_t now_ms;
	uint32_t mtu;
	uint8_t mac[6];

	/* addr.c */
	struct addr addresses[STACK_MAX_ADDRESSES];
	size_t address_count; /* used ones come first */
	struct route routes[STACK_MAX_ROUTES];
	size_t route_count;
	struct {
		uint32_t destination, hop;
	} hops[HOP_CACHE_ENTRIES];

	/* neigh.c, arp.c */
	struct neigh_table neighbours;
	uint64_t hash_key[2];
	int64_t conflict_told_ms; /* when `conflict` was last called */

	/* stk_tcp*.c */
	struct stack_tcp *connections;                /* all handles */
	struct stack_tcp *events_first, *events_last; /* handles with events to deliver */
	struct stack_tcp *delivering;                 /* handle whose callbacks run now, or NULL */
	struct tcp_pcb *entered; /* the pcb that lwIP works on now, until it is freed */
	struct tcp_pcb *undated; /* pcbs whose newest times are older than they say */
	bool is_clocked;         /* inside input() or advance(): now_ms is now */
	bool has_undated;        /* an operation ran since the clock was told */
	uint8_t entered_timers;  /* those of `entered` that ran before */
	struct timerq timers;    /* pcbs with a deadline */
	uint32_t half_open;      /* SYN received, handshake not finished */
	int abort_error;         /* errno of connections that lwIP aborts now */

	int64_t fragments_until_ms; /* reassembly may hold something until then */
	int64_t fragments_tick_ms;
	struct stack_stats counts;
	uint64_t heap_bytes;
};

extern struct stack the_stack;

/* hooks.c */
uint64_t hash_siphash(const uint64_t key[2], const void *bytes, size_t length);

/* netif.c */
void netif_setup(struct stack *s, struct netif *netif, uint32_t ip, uint8_t bits);
void frame_input(struct stack *s, const struct stack_frame *frame);
/* Send an IP packet that lies in `packet` (no headroom needed) to a known MAC. */
void frame_send_copy(struct stack *s, const uint8_t mac[6], uint16_t ethertype, const void *packet,
		     size_t length);

/* addr.c */
int addr_set(struct stack *s, const struct stack_ip *addresses, size_t count);
int addr_routes_set(struct stack *s, const struct stack_route *routes, size_t count);
struct addr *addr_find(struct stack *s, uint32_t ip);
/* Is `ip` inside one of our subnets? */
bool addr_is_on_link(const struct stack *s, uint32_t ip);
/* The neighbour to hand a packet for `destination` to; 0 = none. */
uint32_t addr_next_hop(struct stack *s, uint32_t destination);
/* The address we would use towards `destination`, or NULL. */
struct addr *addr_source(struct stack *s, uint32_t destination);
void addr_close(struct stack *s);

/* arp.c */
void arp_input(struct stack *s, const uint8_t *frame, size_t length);
/* Ask who has `ip`; `mac` NULL = everybody. */
void arp_ask(struct stack *s, uint32_t ip, const uint8_t *mac);
void arp_announce(struct stack *s, uint32_t ip);
/* A frame from `mac` claims our address `ip`. */
void arp_conflict(struct stack *s, uint32_t ip, const uint8_t mac[6]);

/* stk_tcp.c and its siblings: all that touches a tcp_pcb. */
int stk_tcp_listen(struct stack *s, uint16_t port);
void stk_tcp_unlisten(struct stack *s, uint16_t port);
int stk_tcp_connect(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		    void *context, struct stack_tcp **out);
void stk_tcp_close_all(struct stack *s);
/* `ip` does not answer: connections being opened through it fail. */
void stk_tcp_unreachable(struct stack *s, uint32_t ip);
/* Bracket everything that makes lwIP work on one pcb; enter() is also called by the input hook. */
void stk_tcp_enter(struct stack *s, struct tcp_pcb *pcb);
void stk_tcp_leave(struct stack *s);
/* Tell lwIP the time; timers started by operations since the last time start now. */
void stk_tcp_clock(struct stack *s);
void stk_tcp_deliver(struct stack *s);
void stk_tcp_advance(struct stack *s);
int64_t stk_tcp_deadline(const struct stack *s);
void stk_tcp_count(const struct stack *s, struct stack_stats *out);

void stk_tcp_set_context(struct stack_tcp *tcp, void *context);
void stk_tcp_names(const struct stack_tcp *tcp, struct stack_ip *local, struct stack_ip *remote);
int stk_tcp_peek(struct stack_tcp *tcp, struct iovec *iov, int max);
void stk_tcp_consumed(struct stack_tcp *tcp, size_t length);
size_t stk_tcp_room(const struct stack_tcp *tcp);
int64_t stk_tcp_write(struct stack_tcp *tcp, const struct iovec *iov, int count);
void stk_tcp_flush(struct stack_tcp *tcp);
void stk_tcp_shutdown_write(struct stack_tcp *tcp);
void stk_tcp_close(struct stack_tcp *tcp);
void stk_tcp_abort(struct stack_tcp *tcp);
int stk_tcp_option_set(struct stack_tcp *tcp, enum stack_option option, int value);
void stk_tcp_info(const struct stack_tcp *tcp, struct stack_tcp_info *out);

/* errmap.c */
int errmap(signed char lwip_error);

#endif
