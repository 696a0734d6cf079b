/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The ABI of liblwip.so: one TCP/IP stack, Ethernet frames on one side, streams and
 * datagrams on the other.
 *
 * The daemon loads one private copy of the library per network (docs/ARCHITECTURE.md, design D2),
 * because lwIP keeps its state in globals. So the library exports exactly one function, stack_open,
 * which returns a table. Plain C types only; no lwIP type crosses. One thread per copy.
 *
 * How a stream is read: the stack keeps received bytes; `readable` says that there are some, peek()
 * lends them as iovecs, consumed() gives them back and opens the TCP window. How it is written:
 * room() says how much fits, write() copies it. No callback is made from inside an operation on the
 * same connection, except `output`; events found meanwhile are delivered by input() and advance().
 */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
	STACK_ABI = 5,
	STACK_FRAME_HEADROOM =
	    64, /* bytes before each output frame that the callee may overwrite */
	STACK_MAX_ADDRESSES = 32,
	STACK_MAX_ROUTES = 128,
	STACK_V4 = 1, /* families, for UDP ports */
	STACK_V6 = 2,
};

struct stack;     /* one stack */
struct stack_tcp; /* one TCP connection; dead once its `closed` callback was made or abort() called
		   */

/* An IP address with a port or, where said, a prefix length. v4 uses the first four bytes. */
struct stack_ip {
	uint8_t bytes[16];
	uint16_t port;  /* host order */
	uint8_t family; /* 4 or 6; 0 = none */
	uint8_t bits;   /* prefix length, for addresses and routes */
};

struct stack_route {
	struct stack_ip target; /* with bits */
	struct stack_ip via;    /* family 0 = on link */
};

/* A received Ethernet frame, borrowed for the call. */
struct stack_frame {
	const uint8_t *bytes; /* Ethernet header first */
	uint32_t length;
	bool is_authentic; /* source MAC is the authenticated sender's: checksums need no check */
};

/* What goes into the IP header of a datagram. */
struct stack_marks {
	uint8_t tos;        /* traffic class */
	uint8_t ttl;        /* hop limit; 0 = 64 */
	bool dont_fragment; /* -EMSGSIZE rather than fragments */
};

/* A received datagram, borrowed for the call. */
struct stack_datagram {
	struct stack_ip local;  /* where it was sent to: an address of ours, a group, a broadcast */
	struct stack_ip remote; /* who sent it; its port as well */
	uint8_t tos, ttl;
	const uint8_t *bytes; /* UDP: the payload. Echo: the whole ICMP message */
	uint32_t length;
};

/* Something of ours did not arrive. `protocol`: 17 UDP, 1 or 58 an echo request. */
struct stack_unreachable {
	struct stack_ip local, remote; /* port of an echo request: its identifier, remote 0 */
	uint8_t protocol;
	uint8_t type, code; /* of the ICMP message; type 0 = our own finding */
	int error;          /* Linux errno: ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ... */
	uint32_t mtu;       /* with EMSGSIZE: what the router said, 0 = unknown */
};

struct stack_callbacks {
	uint32_t size; /* sizeof(struct stack_callbacks) */
	/* An Ethernet frame leaves; STACK_FRAME_HEADROOM writable bytes lie before it. Borrowed. */
	void (*output)(void *context, uint8_t *frame, uint32_t length);
	/* A SYN for a listening port: may it become a connection? Asked before any memory is spent;
	 * false = dropped silently (the client will retry). */
	bool (*admit)(void *context, const struct stack_ip *local, const struct stack_ip *remote);
	/* A connection to a listening port is established. Returns its context, or NULL to refuse
	 * (RST). */
	void *(*accepted)(void *context, struct stack_tcp *tcp, const struct stack_ip *local,
			  const struct stack_ip *remote);
	/* An outgoing connection is established. */
	void (*established)(void *tcp_context);
	/* There are received bytes to peek() (edge: made when bytes arrive). */
	void (*readable)(void *tcp_context);
	/* The peer will send nothing more (FIN). Bytes received before may still wait in peek().
	 * Once. */
	void (*eof)(void *tcp_context);
	/* The peer acknowledged bytes: room() grew. */
	void (*writable)(void *tcp_context);
	/* The connection is gone and its handle dead. error: 0 orderly, else a Linux errno
	 * (ECONNREFUSED, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ...). Once, last; it waits
	 * until all that arrived was consumed, after a reset too (decision 122): until then
	 * tcp_write returns -ENOTCONN and writable is told so that a writer finds out. */
	void (*closed)(void *tcp_context, int error);
	/* Subscribe to / leave an Ethernet multicast group with its ZeroTier ADI (vl2 8). */
	void (*multicast)(void *context, const uint8_t mac[6], uint32_t adi, bool join);
	/* Another host claims one of our addresses (decision S15). */
	void (*conflict)(void *context, const struct stack_ip *address, const uint8_t mac[6]);
	/* Cryptographically random bytes (ISNs, hash keys). */
	void (*random)(void *context, void *out, size_t length);
	/* The stack found a broken invariant. Must not return. */
	void (*fail)(void *context, const char *text);

	/* The following may be NULL: then datagrams are not wanted. They are made from inside
	 * input() and advance(), may call any operation but destroy, and no lwIP state is open. */

	/* A datagram for an open port, to one of our addresses, a broadcast or a joined group.
	 * False: nobody wants this one; the sender is told as if the port were closed. */
	bool (*datagram)(void *context, const struct stack_datagram *datagram);
	/* An answer to an echo request; local.port is its identifier. */
	void (*echo)(void *context, const struct stack_datagram *message);
	void (*unreachable)(void *context, const struct stack_unreachable *report);
};

struct stack_config {
	uint32_t size; /* sizeof(struct stack_config) */
	uint32_t mtu;  /* of the network, bytes of IP */
	uint8_t mac[6];
	const struct stack_callbacks *callbacks; /* must outlive the stack */
	void *context;                           /* first argument of the stack-wide callbacks */
	int64_t now_ms;                          /* monotonic */
};

enum stack_option {
	STACK_TCP_NODELAY,   /* 0 or 1 */
	STACK_TCP_KEEPALIVE, /* 0 or 1 */
	STACK_TCP_KEEPIDLE,  /* seconds */
	STACK_TCP_KEEPINTVL, /* seconds */
	STACK_TCP_KEEPCNT,   /* count */
	STACK_TCP_TOS,       /* 0..255 */
	STACK_TCP_TTL,       /* 1..255 */
	STACK_TCP_MAXSEG,    /* segments we send hold at most so many bytes: 88..32767 */
};

/* Snapshot of a connection, for TCP_INFO and `sockets`. */
struct stack_tcp_info {
	uint8_t state; /* Linux's TCP_ESTABLISHED = 1 ... numbering */
	uint8_t retransmits;
	uint16_t mss;
	uint32_t rtt_us, rttvar_us, rto_us, cwnd_bytes, ssthresh_bytes;
	uint32_t unacked_bytes, receive_window, send_window, unread_bytes;
};

struct stack_stats {
	uint64_t frames_in, frames_out, frames_dropped;
	uint64_t tcp_in, tcp_out, tcp_retransmitted, tcp_resets_out;
	uint64_t icmp_echo_answered;
	uint64_t udp_in, udp_out, udp_no_port, icmp_errors_out;
	uint32_t tcp_connections, tcp_time_wait, neighbours;
	uint64_t heap_bytes; /* memory held by this stack now */
};

struct stack_ops {
	uint32_t abi;  /* STACK_ABI */
	uint32_t size; /* sizeof(struct stack_ops) */

	/* At most one stack per loaded copy; NULL if there is one already or memory is short. */
	struct stack *(*create)(const struct stack_config *config);
	/* Abort every connection without callbacks and free everything. */
	void (*destroy)(struct stack *stack);

	/* Replace all our addresses (with prefix lengths). Connections from addresses that went
	 * away are aborted (closed with ECONNABORTED). Each new address is announced once and valid
	 * at once. 0, -E2BIG or -EINVAL (no host's address, or IPv6 with an MTU below 1280); then
	 * nothing has changed. */
	int (*addresses_set)(struct stack *stack, const struct stack_ip *addresses, size_t count);
	int (*routes_set)(struct stack *stack, const struct stack_route *routes, size_t count);

	void (*input)(struct stack *stack, const struct stack_frame *frames, size_t count,
		      int64_t now_ms);
	/* Run what is due. */
	void (*advance)(struct stack *stack, int64_t now_ms);
	/* When advance() is next wanted; INT64_MAX = never (an idle stack wakes nobody). Ask after
	 * the turn's operations: they carry no time, and what they started is dated by that
	 * advance(). */
	int64_t (*deadline)(const struct stack *stack);

	/* Listen on a port of every address of both families (`admit` tells them apart). 0,
	 * -EADDRINUSE or -ENOMEM. */
	int (*tcp_listen)(struct stack *stack, uint16_t port);
	/* Stop; established connections stay. */
	void (*tcp_unlisten)(struct stack *stack, uint16_t port);
	/* Begin a connection from `local` (port chosen by the caller; family 0 = the address that
	 * fits the route) to `remote`. 0 and *out, or -ENETUNREACH, -EADDRNOTAVAIL, -EADDRINUSE,
	 * -ENOMEM. */
	int (*tcp_connect)(struct stack *stack, const struct stack_ip *local,
			   const struct stack_ip *remote, void *tcp_context,
			   struct stack_tcp **out);
	/* The source address the stack would use towards `remote`. 0 or -ENETUNREACH. */
	int (*source_for)(struct stack *stack, const struct stack_ip *remote, struct stack_ip *out);

	void (*tcp_context_set)(struct stack_tcp *tcp, void *tcp_context);
	void (*tcp_names)(const struct stack_tcp *tcp, struct stack_ip *local,
			  struct stack_ip *remote);
	/* Lend up to `max` iovecs of received bytes; returns how many. Valid until the next call on
	 * `tcp`. */
	int (*tcp_peek)(struct stack_tcp *tcp, struct iovec *iov, int max);
	/* `length` bytes of what peek() lends were taken; opens the window. */
	void (*tcp_consumed)(struct stack_tcp *tcp, size_t length);
	/* Bytes that write() takes now; 0 before the handshake is done. */
	size_t (*tcp_room)(const struct stack_tcp *tcp);
	/* Queue bytes for sending; they are copied. Returns bytes taken (<= room), or -ENOTCONN.
	 * Nothing is sent before tcp_flush, so that several writes share segments. */
	int64_t (*tcp_write)(struct stack_tcp *tcp, const struct iovec *iov, int count);
	void (*tcp_flush)(struct stack_tcp *tcp);
	/* FIN after what was written; receiving goes on. */
	void (*tcp_shutdown_write)(struct stack_tcp *tcp);
	/* Orderly end of both directions: pending bytes and FIN are still sent by the stack,
	 * nothing is reported any more (no callback follows, the handle is dead at once). Unread
	 * bytes are given up; who wants Linux's RST for them calls abort. */
	void (*tcp_close)(struct stack_tcp *tcp);
	/* RST; no callback follows, the handle is dead at once. */
	void (*tcp_abort)(struct stack_tcp *tcp);
	int (*tcp_option_set)(struct stack_tcp *tcp, enum stack_option option, int value);
	void (*tcp_info)(const struct stack_tcp *tcp, struct stack_tcp_info *out);

	void (*stats)(const struct stack *stack, struct stack_stats *out);

	/* The MAC that was last heard with an address, for people who ask. False: none. */
	bool (*neighbour)(const struct stack *stack, const struct stack_ip *ip, uint8_t mac[6]);

	/* --- UDP. The service owns the ports; the stack only needs to know for which of them
	 * somebody listens. */

	/* Datagrams to `port` of these families (STACK_V4 | STACK_V6) are wanted; counted, so each
	 * call needs its udp_close. 0, -EINVAL, -ENOMEM or -ENOBUFS (opened 255 times). */
	int (*udp_open)(struct stack *stack, uint16_t port, unsigned families);
	void (*udp_close)(struct stack *stack, uint16_t port, unsigned families);
	/* Send one datagram, at once; copied. `local` must have a port, its family may be 0. The
	 * remote address may be a broadcast or a group. Returns 0, -EMSGSIZE, -ENETUNREACH,
	 * -EADDRNOTAVAIL, -EINVAL. Own addresses are the service's short cut: -ENETUNREACH. */
	int (*udp_send)(struct stack *stack, const struct stack_ip *local,
			const struct stack_ip *remote, const struct stack_marks *marks,
			const struct iovec *iov, int count);
	/* Send an echo request. The bytes are a whole ICMP message as a program's ping socket gives
	 * it; type, code, checksum and identifier (local.port) are set here. */
	int (*echo_send)(struct stack *stack, const struct stack_ip *local,
			 const struct stack_ip *remote, const struct stack_marks *marks,
			 const struct iovec *iov, int count);
	/* Receive what is sent to a multicast group; counted. 0, -EINVAL, -ENOBUFS, -ENOMEM; leave
	 * also -EADDRNOTAVAIL (not joined). */
	int (*group_join)(struct stack *stack, const struct stack_ip *group);
	int (*group_leave)(struct stack *stack, const struct stack_ip *group);

	/* --- Handing over to another instance of the same ABI on this machine (decision S10). The
	 * bytes mean nothing to anybody else. Call advance() first, so that nothing waits. */

	/* Write the connection into `out`; it stays what it is. How many bytes; with `out` NULL how
	 * many there may be at most. -ENOBUFS. */
	int64_t (*tcp_export)(const struct stack_tcp *tcp, void *out, size_t capacity);
	/* A connection as exported; addresses must be set. Events that waited follow. 0 and *out,
	 * -EADDRNOTAVAIL, -EADDRINUSE, -ENOMEM, -EINVAL or -EBADMSG (not such bytes). */
	int (*tcp_import)(struct stack *stack, const void *bytes, size_t length, void *tcp_context,
			  struct stack_tcp **out);
	/* The same for what the caller has no handle of: handshakes, connections that are being
	 * closed, TIME_WAIT, neighbours. Import after addresses and listeners; how many connections
	 * were refused, or -ENOMEM, -EBADMSG. */
	int64_t (*rest_export)(const struct stack *stack, void *out, size_t capacity);
	int (*rest_import)(struct stack *stack, const void *bytes, size_t length);
};

/* The library's only symbol. NULL if `abi` is not the one it was built for. */
const struct stack_ops *stack_open(uint32_t abi);

#endif
