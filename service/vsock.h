/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Virtual sockets: what the service knows about a program's descriptor. Private to the virtual host
 * (vhost.c, vsock*.c, rpcd.c, relay.c, shortcut.c).
 *
 * How this works
 * A virtual socket is a socketpair. End A is the program's descriptor for life; end B is ours. A is
 * bound to an abstract name at birth that says which record it belongs to; B is bound to a name
 * with both addresses when there are any, so that getsockname and getpeername work in every process
 * without asking us (spec/intercept.md 3.7). The name is only a hint: an RPC counts if the
 * SO_COOKIE of the descriptor that came with it equals the one recorded at birth (decision S2).
 *
 *   FRESH --bind--> BOUND --listen--> LISTEN
 *     |               |
 *     +---connect-----+--> CONNECTING --> ESTABLISHED --> CLOSED
 *                              +--------> FAILED
 *
 * LISTEN can also follow FRESH (the port is picked then). ESTABLISHED is entered directly by
 * accepted connections. CLOSED is a moment, not a place: the record is freed at the end of the
 * turn. FAILED keeps the errno for SOERROR for two minutes; B is closed already.
 *
 * All events (from epoll and from the stack) only set bits and queue the socket on the host's ready
 * list; the work is done by vhost_advance, one socket after another, each at most RELAY_TURN_BYTES
 * in each direction before the others have their turn. So no callback frees what its caller holds.
 */
#ifndef SERVICE_VSOCK_H
#define SERVICE_VSOCK_H

#include "rpc/rpc.h"
#include "service/ports.h"
#include "service/service.h"
#include "service/sockopt.h"
#include "service/vaddr.h"
#include "service/vhost.h"

#include <stddef.h>
#include <sys/types.h>

enum vsock_state {
	VSOCK_FRESH,
	VSOCK_BOUND,
	VSOCK_CONNECTING,
	VSOCK_ESTABLISHED,
	VSOCK_FAILED,
	VSOCK_LISTEN,
	VSOCK_CLOSED,
	VSOCK_STATES,
};

enum {
	VSOCK_SNDBUF_MIN = 212992, /* decision S1: below, a pinned skb can starve the program */
	VSOCK_SNDBUF_SPLICE =
	    294912,                  /* 4 x 18 pages: a buffer of sendfile() pins 16 and a header */
	VSOCK_FAILED_MS = 120000,    /* how long SOERROR is answered for a failed connect */
	VSOCK_IN_FLIGHT_MAX = 256,   /* records with a descriptor per listener (decision S6) */
	VSOCK_BACKLOG_MAX = 4096,    /* somaxconn */
	VSOCK_ACCEPT_RETRY_MS = 100, /* when the kernel refuses descriptors in flight */
	VSOCK_OVER_BACKLOG_MAX = 256, /* handshakes that were under way when the queue filled up */
	VHOST_CROWD_MIN = 64,         /* sockets: what they held can be megabytes */
	VHOST_HEAP_TRIM_MS = 65000,   /* TIME-WAIT is over: its small records hold every page */
};

struct vsock_link {
	struct vsock *next, *previous;
	bool is_linked;
};

struct vdgram;       /* vdgram.h */
struct vdgram_group; /* likewise */

struct vsock_list {
	struct vsock *first, *last;
	size_t count;
};

/* What only a listener needs. */
struct listener {
	int backlog;
	unsigned in_flight;         /* records sent, an upper bound until B is asked (SIOCOUTQ) */
	bool is_in_stack;           /* the stack listens on our behalf */
	bool is_out_armed;          /* B is watched for EPOLLOUT */
	struct vsock_list waiting;  /* accepted, no record sent yet; linked by `queue` */
	struct vsock_list deferred; /* accepted, no bytes yet (TCP_DEFER_ACCEPT) */
	struct vsock_list knocking; /* short-cut connectors that found the queue full */
};

struct vsock {
	struct vhost *vhost;
	uint64_t id;
	uint64_t cookie;    /* SO_COOKIE of the program's end */
	struct watch watch; /* B; fd -1 = none */
	struct vsock *hash_next;
	struct vsock_link all, ready, queue; /* queue: in a listener's waiting or knocking list */
	struct vsock *queued_at;             /* that listener */
	struct stack_tcp *tcp;
	struct listener *listener;
	struct vdgram *dgram; /* a datagram socket; NULL = TCP */
	struct rpc_addr local, remote;
	struct port_entry port;
	struct sockopts opts;
	uid_t uid;
	pid_t pid;    /* whose control connection asked for it, or for its listener; 0 = unknown */
	int error;    /* of a failed connect, for SOERROR; positive errno */
	int reply_fd; /* of a CONNECT that waits; -1 = none */
	uint32_t reply_seq;
	size_t timer_at; /* place in the host's timer heap + 1; 0 = no timer */
	int64_t timer_ms;
	uint64_t born_of; /* id of the listener that accepted it; 0 = none */
	uint8_t state;    /* enum vsock_state */
	uint8_t family;
	bool has_pawn : 1;          /* one unread byte lies at the head of B (decision S1) */
	bool is_error_told : 1;     /* SOERROR reported `error` */
	bool is_stale : 1;          /* connect() reported it: only a new descriptor helps */
	bool is_shortcut : 1;       /* both ends belong to programs; we only keep the record */
	bool has_token : 1;         /* the program's end holds a byte that accept() takes */
	bool is_deferred : 1;       /* ... waits for bytes first (TCP_DEFER_ACCEPT) */
	bool is_cork_due : 1;       /* TCP_CORK has held bytes back for long enough */
	bool is_waiting_record : 1; /* in a listener's queue without a descriptor */
	bool can_read_b : 1;      /* B may have bytes: our own ready bit of an edge triggered end */
	bool has_b_eof : 1;       /* the program shut down its sending side */
	bool has_b_hup : 1;       /* ... or closed its descriptor */
	bool has_b_error : 1;     /* ... with unread bytes */
	bool is_up_shut : 1;      /* FIN was asked of the stack */
	bool can_peek : 1;        /* the stack has bytes for us */
	bool is_b_full : 1;       /* B took less than we had: armed for EPOLLOUT */
	bool is_b_write_gone : 1; /* the program shut down its reading side */
	bool has_peer_eof : 1;    /* the peer sent FIN */
	bool is_down_shut : 1;    /* ... and the program was told */
	bool has_stack_end : 1;   /* `closed` was called: stack_error says how */
	bool is_autobound : 1;    /* connect() picked the port: a failure gives it back */
	bool has_closed_first : 1; /* our FIN was asked for before the peer's came: TIME_WAIT */
	int stack_error;
};

struct uid_use {
	struct uid_use *next;
	uid_t uid;
	unsigned sockets, clients;
};

struct rpc_client;

struct vhost {
	struct net *net;
	struct watch listen;
	char path[600];
	struct rpc_client *clients;
	size_t client_count;
	struct uid_use *uids;
	struct vsock **table; /* by id; table_size is a power of two */
	size_t table_size, socket_count;
	size_t socket_peak;    /* the most since memory was last given back */
	int64_t heap_trim_ms;  /* when to do so; INT64_MAX = not */
	int64_t crowd_left_ms; /* when the last crowd had gone: a trim before its TIME-WAIT ends is
				  not its own */
	struct vsock_list all, ready, probes; /* probes: short-cut records, linked by `queue` */
	struct ports *ports, *udp_ports, *ping_ports;
	struct vdgram_group *groups;
	int marker_fd;             /* what an error message of datagram sockets carries */
	uint32_t dgram_shares[64]; /* bytes sent in this turn, by hash of the destination */
	struct vsock **timers;     /* min-heap by timer_ms */
	size_t timer_count, timer_capacity;
	int64_t accept_retry_ms; /* INT64_MAX = nothing to retry */
	int64_t listen_retry_ms; /* the same for accepting library connections */
	bool is_closing;
	struct vhost_stats stats;
};

/* What the kernel's sockets can do, measured once per process (vsock_kernel.c). */
struct vsock_kernel {
	bool has_pawn;        /* the start-up proof of decision S1 succeeded */
	int sndbuf;           /* what A's SO_SNDBUF is set to */
	unsigned record_cost; /* SIOCOUTQ per queued accept record */
	uint32_t prefill_max;
};
const struct vsock_kernel *vsock_kernel(void);

/* ---- vsock.c: records, pairs, names --------------------------------------------------------- */

/* May `from` become `to`? One table holds every legal move. */
bool vsock_may(enum vsock_state from, enum vsock_state to);
/* Make that move; an illegal one is our bug. */
void vsock_move(struct vsock *s, enum vsock_state to);

/* A record without descriptors, of an AF_INET or AF_INET6 socket. NULL if memory or the user's
 * share is used up (errno says which).
 */
struct vsock *vsock_new(struct vhost *vhost, uid_t uid, uint8_t family);
/* The same with the id that a predecessor gave it; NULL also if that is taken or 0. */
struct vsock *vsock_adopt(struct vhost *vhost, uid_t uid, uint8_t family, uint64_t id);
/* Release everything it holds, descriptors and port included; the stack's connection is reset. */
void vsock_free(struct vsock *s);
struct vsock *vsock_find(const struct vhost *vhost, uint64_t id);
/* Whose is this descriptor? Name says which record, SO_COOKIE proves it. NULL = nobody's. */
struct vsock *vsock_by_descriptor(const struct vhost *vhost, int fd);

/* Make the pair: B is kept and watched, A is returned (the caller's), named and proven. -errno. */
int vsock_pair(struct vsock *s, bool is_nonblocking);
/* Put the byte that makes ECONNRESET possible, through the program's end. */
void vsock_plant_pawn(struct vsock *s, int a);
/* Bytes that wait in B. */
size_t vsock_unread(const struct vsock *s);
/* Read and forget the first `length` bytes of B, in one call (one edge for the program). */
void vsock_discard(struct vsock *s, size_t length);
/* Bind B's name: kind 'l' or 'c', with the record's addresses. */
void vsock_name_b(struct vsock *s, enum rpc_kind kind, uint8_t flags);
/* Close B. With a pawn the program sees ECONNRESET, without end of file. */
void vsock_close_b(struct vsock *s);
void vsock_close_b_orderly(struct vsock *s);
/* Queue for vhost_advance. */
void vsock_ready(struct vsock *s);
void vsock_timer_set(struct vsock *s, int64_t at_ms);
void vsock_timer_clear(struct vsock *s);

void vsock_list_add(struct vsock_list *list, struct vsock_link *link, struct vsock *s);
void vsock_list_remove(struct vsock_list *list, struct vsock_link *link, size_t link_offset);
#define VSOCK_LIST_ADD(list, s, field) vsock_list_add(list, &(s)->field, s)
#define VSOCK_LIST_REMOVE(list, s, field)                                                          \
	vsock_list_remove(list, &(s)->field, offsetof(struct vsock, field))

/* The tcp operations of this network's stack; NULL while it has none. */
static inline const struct stack_ops *vsock_ops(const struct vsock *s)
{
	return s->vhost->net->ops;
}
struct sockopt_target vsock_option_target(struct vsock *s);
/* The time of this turn. Asked of the loop, not kept: an idle virtual host is not called for hours.
 */
static inline int64_t vhost_now(const struct vhost *vhost)
{
	return loop_now(vhost->net->service->loop).mono_ms;
}
/* Any, loopback or one of our own addresses. */
bool vhost_is_local(const struct vhost *vhost, const struct rpc_addr *address);

/* ---- vsock_addr.c -----------------------------------------------------------------------------
 */

/* The place in the port table for an address of this socket. */
struct port_place vsock_place(const struct vsock *s, const struct rpc_addr *address);
/* An address in the socket's own form: its family, the scope id that is reported. */
struct rpc_addr vsock_address(const struct vsock *s, const struct rpc_addr *address);
/* May this socket have this address? 0 or what Linux says. The port is not looked at. */
int vsock_bind_check(const struct vsock *s, const struct rpc_addr *address, bool is_free);
/* Set `remote` to where connect() shall go. 0 or what Linux says. */
int vsock_destination(struct vsock *s, const struct rpc_addr *address);
/* The source address towards `remote`, with the port that the socket has: the bound one, or the one
 * that the network chooses. 0, or why the two do not go together: -ENETUNREACH, -EINVAL,
 * -EAFNOSUPPORT. */
int vsock_source(const struct vsock *s, struct rpc_addr *out);
/* Is the network up, and does neither it nor a managed route lead to `address`? Never true of
 * loopback, own, group, broadcast and link-local addresses. */
bool vsock_is_elsewhere(const struct vsock *s, const struct rpc_addr *address);
/* Has it neither a port nor a peer? */
bool vsock_is_fresh(const struct vsock *s);

/* ---- vsock_conn.c -----------------------------------------------------------------------------
 */

/* Has the program closed its end? Asked of the kernel. */
bool vsock_is_hung_up(const struct vsock *s);
/* End the sockets on this port whose programs have closed them, though the loop has not come to it
 * yet: a close() counts for the calls that follow it. Not those of established connections. */
void vsock_reap_port(struct vhost *vhost, uint16_t port);
int vsock_bind(struct vsock *s, const struct rpc_addr *address, bool is_free);
int vsock_autobind(struct vsock *s);
struct vsock_connect {
	const struct rpc_addr *address;
	int a;            /* the descriptor that came with the request */
	uint32_t prefill; /* what the library says it filled in */
	bool is_waiting;  /* answer when decided: reply_fd and seq are kept */
	int reply_fd;
	uint32_t seq;
};
/* 0, -EINPROGRESS (reply_fd was taken over if is_waiting), or why not. */
int vsock_connect(struct vsock *s, const struct vsock_connect *request);
/* A blocking connect was interrupted: 0 done, -EINPROGRESS (A is filled now), or why it failed. */
int vsock_detach(struct vsock *s, int a);
/* The attempt succeeded: name B, drain the prefill, tell who waits. */
void vsock_established(struct vsock *s);
/* It failed: B is closed undrained, the error kept. */
void vsock_failed(struct vsock *s, int error);
/* Answer the CONNECT that waits, if one does. */
void vsock_reply_waiting(struct vsock *s, int error);

/* ---- vsock_listen.c ---------------------------------------------------------------------------
 */

int vsock_listen(struct vsock *s, int backlog);
/* Let the stack listen too, if it should and does not yet. 0 or -errno. */
int vsock_stack_listen(struct vsock *s);
/* Stop listening and reset what waits. */
void vsock_unlisten(struct vsock *s);
struct vsock *vsock_listener_for(const struct vhost *vhost, const struct rpc_addr *local,
				 const struct rpc_addr *remote);
/* How many connections nobody has accepted yet. */
int vsock_waiting(struct vsock *listener);
/* Is there room for one more in the accept queue? */
bool vsock_has_backlog(struct vsock *listener);
/* Queue a connection for accept() and send what can be sent. */
void vsock_queue_accept(struct vsock *listener, struct vsock *s);
/* Keep it from the queue until it has bytes, if the listener wants that. False if not. */
bool vsock_defer(struct vsock *listener, struct vsock *s);
/* Bytes, an end, or time: if it was kept from the queue, it goes there now. */
void vsock_ripe(struct vsock *s);
/* Send records while there is room. */
void vsock_top_up(struct vsock *listener);
/* A new record that inherits the listener's options and shares its port. NULL if short. */
struct vsock *vsock_accepted_new(struct vsock *listener, const struct rpc_addr *local,
				 const struct rpc_addr *remote);

/* ---- shortcut.c -------------------------------------------------------------------------------
 */

/* Connect to a listener of this host. 0 = established, -EAGAIN = its queue is full (the connector
 * waits there), -ECONNREFUSED. */
int shortcut_connect(struct vsock *s);
/* Free the records of short-cut connections whose descriptors are gone, `max` probes. */
void shortcut_sweep(struct vhost *vhost, size_t max);
/* The same for all that hold this port. */
void shortcut_sweep_port(struct vhost *vhost, uint16_t port);

/* ---- relay.c ----------------------------------------------------------------------------------
 */

/* One socket's turn: move bytes both ways, act on ends and errors. May free it. */
void relay_turn(struct vsock *s);
/* Write received bytes to the program's end without taking them from the stack: how many. The
 * caller consumes them, or closes the pair. */
size_t relay_lend(struct vsock *s);
/* The stack has bytes: give the program what it takes now. Frees nothing. */
void relay_received(struct vsock *s);
/* The service ends this connection by itself (address gone, network left). */
void relay_reset(struct vsock *s);

/* ---- vhost.c ----------------------------------------------------------------------------------
 */

/* The counters of one user; NULL if memory is short (only the first time). */
struct uid_use *vhost_uid(struct vhost *vhost, uid_t uid);
/* A CONNECT or DETACH is decided: one struct rpc_addr_reply to `fd`. */
void rpcd_reply_address(int fd, uint32_t seq, int error, const struct rpc_addr *address);
/* One more descriptor of ours for `uid`? 0 or -ENOBUFS (logged, naming ulimit -n). */
int vhost_fd_take(struct vhost *vhost, uid_t uid);
void vhost_fd_give(struct vhost *vhost);

#endif
