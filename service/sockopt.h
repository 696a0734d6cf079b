/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Socket options that the service keeps for a virtual socket (spec/intercept.md 3.6).
 *
 * The library validates what it can and answers what the kernel's own socket answers rightly; the
 * rest arrives here as SETOPT and GETOPT. One table says for each option its range, where it is
 * kept and what the stack is told. What is not in the table is ENOPROTOOPT, never a zero.
 */
#ifndef SERVICE_SOCKOPT_H
#define SERVICE_SOCKOPT_H

#include "stack/stack.h"

#include <stdbool.h>
#include <stdint.h>

/* The values, small because every virtual socket has them. Zero is the default unless said. */
struct sockopts {
	int32_t keep_idle_s, keep_interval_s, keep_count; /* 0 = Linux's defaults 7200, 75, 9 */
	int32_t send_buffer, receive_buffer;         /* as reported, already doubled; 0 = not set */
	int64_t receive_timeout_us, send_timeout_us; /* natively at work; here for what accept()
							makes */
	int32_t receive_low;                         /* the same; 0 = 1 */
	int32_t linger_s;
	int32_t user_timeout_ms;
	int32_t defer_accept_s, window_clamp, linger2_s, notsent_lowat, fastopen;
	int32_t mark, priority;
	uint16_t max_segment;  /* 0 = not set */
	uint16_t mtu_discover; /* plus one; 0 = not set */
	uint8_t syn_count;     /* 0 = default 6 */
	uint8_t tos, ttl;      /* ttl 0 = default 64 */
	bool reuse_address, reuse_port, keep_alive, is_lingering, broadcast, oob_inline;
	bool no_delay, cork, quick_ack_off, thin_linear, freebind, transparent;
	/* Of AF_INET6 sockets, beside those of IPv4 as in Linux. */
	int32_t mtu6;          /* 0 = the path's */
	uint8_t tclass, hops6; /* hops6 0 = default 64 */
	uint8_t mtu_discover6, min_hops6;
	uint16_t remembered6; /* bits: options that are kept and have no effect */
	bool has_hops6, has_mtu_discover6;
	bool recv_packet_info, recv_ttl, recv_tos, recv_error, receive_overflow;
	bool recv_options, return_options, recv_destination, no_bind_port;
	bool v6_only, recv_packet_info6, recv_hops6, recv_tclass6, recv_error6, dont_fragment6;
	bool flow_label_off6;
};

struct sockopt_target { /* the socket that is asked about */
	struct sockopts *opts;
	const struct stack_ops *ops;
	struct stack_tcp *tcp; /* NULL = not connected through the stack */
	uint8_t linux_state;  /* TCP_ESTABLISHED = 1, ... for TCP_INFO without a stack connection */
	uint16_t mss;         /* reported when there is no connection to ask */
	bool is_inet6;        /* an AF_INET6 socket */
	bool is_bound;        /* it has a port: too late for IPV6_V6ONLY */
	bool is_ipv6;         /* it has a remote address, and that is of IPv6 */
	bool is_shortcut;     /* connected, and no stack between */
	int waiting, backlog; /* of a listener: unaccepted connections, and how many may be */
	uint32_t mtu;         /* of the path to the remote address; 0 = not connected */
};

/* Set one option. 0, -ENOPROTOOPT, -EINVAL, -EPERM, ... as Linux. */
int sockopt_set(const struct sockopt_target *target, int level, int name, const void *value,
		uint32_t length);
/* Read one option into `value`; *length is its capacity on entry, what was written on return. */
int sockopt_get(const struct sockopt_target *target, int level, int name, void *value,
		uint32_t *length);
/* For sockopt.c: an integer of IPPROTO_IPV6. 1 = store *number, which may have been changed, as the
 * table says; else done (0) or -errno. */
int sockopt6_set(const struct sockopt_target *target, int name, int *number);
/* True: *out is its value; false: as the table says. */
bool sockopt6_get(const struct sockopt_target *target, int name, int *out);
/* TCP_INFO. */
struct tcp_info;
void sockopt_info(const struct sockopt_target *target, struct tcp_info *out);
/* A connection of the stack exists now: tell it what was set before. */
void sockopt_apply(const struct sockopt_target *target);
/* It is established: what only then has an effect (TCP_MAXSEG). */
void sockopt_established(const struct sockopt_target *target);
/* How long a connection attempt may take: TCP_USER_TIMEOUT, TCP_SYNCNT, else Linux's 127 s. */
int64_t sockopt_connect_timeout_ms(const struct sockopts *opts);

#endif
