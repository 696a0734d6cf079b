/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of stack/ know of each other. lwIP keeps its state in globals, so there is one
 * stack per loaded copy of the library (design D2) and it is a global too: `the_stack`.
 */
#ifndef STACK_INTERNAL_H
#define STACK_INTERNAL_H

#include "stack/fragment.h"
#include "stack/ipa.h"
#include "stack/neigh.h"
#include "stack/stack.h"
#include "stack/timerq.h"
#include "stack/timewait.h"

#include <lwip/netif.h>

struct pbuf;
struct port;
struct listener_page;
struct stack_tcp;
struct tcp_pcb;
struct tcp_pcb_listen;

/* One of our addresses and the lwIP interface that carries it; all share one output. */
struct addr {
	struct netif netif;
	struct ipa ip;
	uint8_t bits; /* of 128 */
	bool is_used;
};

struct route {
	struct ipa target, via;
	uint8_t bits; /* of 128 */
	bool has_via; /* else on link */
};

struct hop {
	struct ipa destination, hop;
	bool is_set;
};

/* A multicast group and how often it was joined. */
struct group {
	struct ipa ip;
	uint32_t joined;
};

/* Connections by their names. */
struct demux {
	struct tcp_pcb **buckets; /* `first`, or more, a power of two */
	struct tcp_pcb *first[64];
	struct tcp_pcb *recent; /* of the last segment */
	uint32_t capacity, count;
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
	struct hop hops[HOP_CACHE_ENTRIES];

	/* group.c */
	struct group *groups; /* made when the first is joined */
	size_t group_count;

	/* neigh.c, arp.c */
	struct neigh_table neighbours;
	uint64_t hash_key[2];
	int64_t conflict_told_ms; /* when `conflict` was last called */

	struct demux demux; /* demux.c */

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
	struct listener_page *listeners[256]; /* listeners.c */

	/* timewait.c, stk_tcp_timewait.c */
	struct timewaits timewaits;
	uint32_t isn_floor; /* the next connection's sequence numbers begin here or beyond */
	bool has_isn_floor;

	struct fragments fragments;

	/* udp.c, icmp.c, ip_out.c */
	struct port *ports; /* sorted; those that somebody listens on */
	size_t port_count, port_capacity;
	uint32_t ports_v4;    /* of IPv4, for the subscription to broadcasts */
	uint32_t next_id;     /* IP identification */
	uint32_t icmp_tokens; /* errors that may be sent now */
	int64_t icmp_refilled_ms;
	struct stack_stats counts;
	uint64_t heap_bytes;
};

extern struct stack the_stack;

/* hooks.c */
uint64_t hash_siphash(const uint64_t key[2], const void *bytes, size_t length);

/* netif.c */
void netif_setup(struct stack *s, struct netif *netif, const struct ipa *ip, uint8_t bits);
void netif_prefix_set(struct netif *netif, const struct ipa *ip, uint8_t bits);
void frame_input(struct stack *s, const struct stack_frame *frame);
/* Hand lwIP a TCP packet, IP header first, for our address `to`. */
void frame_to_tcp(struct stack *s, struct addr *to, const struct packet *packet);
/* Send an IP packet that lies in `packet` (no headroom needed) to a known MAC. */
void frame_send_copy(struct stack *s, const uint8_t mac[6], uint16_t ethertype, const void *packet,
		     size_t length);
/* The same to whom `destination` says: a neighbour (who may have to be asked for), a group or
 * everybody. `frame`: Ethernet header and headroom lie before the packet and may be written. */
int frame_send_to(struct stack *s, const struct ipa *destination, uint8_t *packet, size_t length,
		  bool has_headroom);

/* ip_in.c */
void packets_input(struct stack *s, const struct stack_frame *frame);
/* A packet that is whole: for the protocol that it carries. */
void packet_input(struct stack *s, struct packet *packet);

/* ip_out.c: what we send that is not TCP. */
struct ip_out {
	struct ipa source, destination;
	uint8_t protocol, tos, ttl; /* ttl 0: 64 */
	bool dont_fragment;
};
/* A place for `length` bytes of payload, until the next call; NULL if that is too long. */
uint8_t *ip_out_payload(size_t length);
/* The addresses of what is to be sent: a source of ours that fits. 0, -ENETUNREACH or
 * -EADDRNOTAVAIL. */
int ip_out_names(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		 const struct stack_marks *marks, struct ip_out *out);
/* Copy a program's bytes there; returns how many, or -EMSGSIZE. */
int64_t ip_out_gather(uint8_t *to, size_t room, const struct iovec *iov, int count);
/* Send what was put there, in fragments if need be. 0 or -EMSGSIZE, -ENETUNREACH. */
int ip_out_send(struct stack *s, const struct ip_out *out, size_t length);
/* The Internet checksum over pseudo header and payload; the field itself counts as it is. */
uint16_t ip_checksum(const struct ipa *source, const struct ipa *destination, uint8_t protocol,
		     const uint8_t *payload, size_t length);

/* udp.c */
int stk_udp_open(struct stack *s, uint16_t port, unsigned families);
void stk_udp_close(struct stack *s, uint16_t port, unsigned families);
bool udp_is_open(const struct stack *s, uint16_t port, bool is_v4);
int stk_udp_send(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		 const struct stack_marks *marks, const struct iovec *iov, int count);
void udp_input(struct stack *s, const struct packet *packet);

/* icmp.c */
void icmp_input(struct stack *s, struct packet *packet);
int stk_echo_send(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		  const struct stack_marks *marks, const struct iovec *iov, int count);
/* Tell the sender of `packet` that its port is closed, unless too many were told. */
void icmp_port_unreachable(struct stack *s, const struct packet *packet);
/* One of our packets will not arrive: `error` is for whoever sent it. */
void icmp_report(struct stack *s, const uint8_t *packet, size_t length, int error);

/* group.c */
int group_join(struct stack *s, const struct ipa *ip);
int group_leave(struct stack *s, const struct ipa *ip);
bool group_is_joined(const struct stack *s, const struct ipa *ip);
int stk_group_join(struct stack *s, const struct stack_ip *group);
int stk_group_leave(struct stack *s, const struct stack_ip *group);

/* addr.c */
int addr_set(struct stack *s, const struct stack_ip *addresses, size_t count);
int addr_routes_set(struct stack *s, const struct stack_route *routes, size_t count);
struct addr *addr_find(struct stack *s, const struct ipa *ip);
/* Is `ip` inside one of our subnets? */
bool addr_is_on_link(const struct stack *s, const struct ipa *ip);
/* 255.255.255.255 or one of our subnets' */
bool addr_is_broadcast(const struct stack *s, const struct ipa *ip);
/* The neighbour to hand a packet for `destination` to; NULL = none. Valid until the next call. */
const struct ipa *addr_next_hop(struct stack *s, const struct ipa *destination);
/* The address we would use towards `destination`, or NULL. */
struct addr *addr_source(struct stack *s, const struct ipa *destination);
struct ipa addr_solicited_node(const struct ipa *ip);
void addr_close(struct stack *s);

/* arp.c */
void arp_input(struct stack *s, const uint8_t *frame, size_t length);
/* Ask who has `ip`; `mac` NULL = everybody. */
void arp_ask(struct stack *s, uint32_t ip, const uint8_t *mac);
void arp_announce(struct stack *s, uint32_t ip);

/* ndp.c */
void ndp_input(struct stack *s, const struct packet *packet);
void ndp_ask(struct stack *s, const struct ipa *ip, const uint8_t *mac);
void ndp_announce(struct stack *s, const struct ipa *ip);

/* demux.c */
void demux_close(struct stack *s);

/* listeners.c */
bool listener_add(struct stack *s, uint16_t port, struct tcp_pcb_listen *listener);
struct tcp_pcb_listen *listener_remove(struct stack *s, uint16_t port);

/* stk_tcp_timewait.c: may a connection of ours have these names? 0 or -EADDRINUSE. If they are in
 * TIME-WAIT that ends, and the sequence numbers begin beyond. */
int timewait_connect(struct stack *s, const struct timewait_names *names);
/* Remember a connection that lwIP has brought to TIME-WAIT. False: no memory. */
bool timewait_take(struct stack *s, const struct tcp_pcb *pcb);

/* stk_tcp.c and its siblings: all that touches a tcp_pcb. */
int stk_tcp_listen(struct stack *s, uint16_t port);
void stk_tcp_unlisten(struct stack *s, uint16_t port);
int stk_tcp_connect(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		    void *context, struct stack_tcp **out);
void stk_tcp_close_all(struct stack *s);
/* `ip` does not answer: connections being opened through it fail. */
void stk_tcp_unreachable(struct stack *s, const struct ipa *ip);
/* stk_tcp_icmp.c: a segment of ours, the beginning of which is quoted, did not arrive. */
void stk_tcp_icmp(struct stack *s, const struct packet *quoted,
		  const struct stack_unreachable *report);
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

/* stk_tcp_export.c, stk_tcp_import.c */
int64_t stk_tcp_export(const struct stack_tcp *tcp, void *out, size_t capacity);
int stk_tcp_import(struct stack *s, const void *bytes, size_t length, void *context,
		   struct stack_tcp **out);
int64_t stk_rest_export(const struct stack *s, void *out, size_t capacity);
int stk_rest_import(struct stack *s, const void *bytes, size_t length);

/* errmap.c */
int errmap(signed char lwip_error);

#endif
