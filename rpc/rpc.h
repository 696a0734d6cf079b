/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the interception library and the service say to each other, and the names of descriptors.
 *
 * Transport (spec/intercept.md 6, decisions S2-S4): SOCK_SEQPACKET at HOME/nc/<nwid>/sock, one
 * message = one packet. Every request that concerns a socket carries that socket's descriptor A
 * (proof of possession: the service compares SO_COOKIE with its record) and, if an answer is
 * wanted, one end of a socketpair made for the call, on which exactly one reply arrives. Integers
 * are in host order (same machine), fixed width, no padding. A sender may append fields; a receiver
 * ignores trailing bytes it does not know. Unknown op: reply ENOSYS. Wrong length: the connection
 * is closed.
 */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RPC_MAGIC = 0x434e545a, /* "ZTNC" */
	RPC_VERSION = 1,
	RPC_MAX_BYTES = 512, /* any message */
	RPC_MAX_FDS = 2,
	RPC_OPTION_MAX_BYTES = 256,
	RPC_NETWORK_NAME_BYTES = 128,
};

enum rpc_op {
	RPC_HELLO =
	    1, /* first message of a connection; answered by WELCOME on the connection itself */
	RPC_SOCKET = 2,
	RPC_BIND = 3,
	RPC_LISTEN = 4,
	RPC_CONNECT = 5,
	RPC_DETACH = 6,
	RPC_SOERROR =
	    7, /* reply: a bare header, error = the socket's pending error, which is cleared */
	RPC_NAME = 8,
	RPC_SETOPT = 9,
	RPC_GETOPT = 10,
	RPC_IOCTL = 11,
	RPC_PING = 12,
	RPC_RESOLVE = 13,
	RPC_INTERFACES = 14,
	RPC_ROUTE = 15,
	RPC_ROUTES = 16,
};

enum rpc_flag {
	RPC_ONEWAY = 1,    /* no reply wanted; no request of today is */
	RPC_WAIT = 2,      /* CONNECT: answer when it is decided */
	RPC_HAVE_FD = 4,   /* descriptor A comes with it (first) */
	RPC_HAVE_REPLY = 8 /* a reply end comes with it (last) */
};

/* An address as it travels: v4 is v4-mapped in addr, family tells what the program sees. */
struct rpc_addr {
	uint8_t family; /* AF_INET, AF_INET6 or 0 */
	uint8_t pad;
	uint16_t port_be;
	uint32_t scope;
	uint8_t addr[16];
};
static_assert(sizeof(struct rpc_addr) == 24, "wire layout");

/* The interfaces of a virtual host, as if_nametoindex() and scope ids number them. */
enum { RPC_IFINDEX_LOOPBACK = 1, RPC_IFINDEX_NETWORK = 2 };

/* fe80::/10, the addresses that have a scope id */
static inline bool rpc_is_link_local(const struct rpc_addr *a)
{
	return a->addr[0] == 0xfe && (a->addr[1] & 0xc0) == 0x80;
}

struct rpc_header {
	uint32_t length; /* of the whole message */
	uint16_t op;
	uint16_t flags;
	uint32_t seq;
	int32_t error; /* reply: 0 or a positive errno */
};
static_assert(sizeof(struct rpc_header) == 16, "wire layout");

struct rpc_hello {
	struct rpc_header h;
	uint32_t magic;
	uint16_t version_min, version_max;
	uint32_t pid;
	uint32_t flags;
	uint64_t netns; /* inode of /proc/self/ns/net, 0 unknown */
};
static_assert(sizeof(struct rpc_hello) == 40, "wire layout");

enum rpc_network_state {
	RPC_NET_OK = 0,
	RPC_NET_JOINING = 1,
	RPC_NET_DENIED = 2,
	RPC_NET_NO_ADDRESS = 3,
};

/* A refusal (decision S4) is a WELCOME with h.error = EACCES, then the connection is closed. */
struct rpc_welcome {
	struct rpc_header h;
	uint32_t magic;
	uint16_t version;
	uint16_t state; /* enum rpc_network_state */
	uint64_t nwid;
	uint8_t boot_id[16];
	uint32_t prefill_max; /* bytes that fill A completely, an upper bound */
	uint32_t features;
	char name[RPC_NETWORK_NAME_BYTES]; /* of the network, with its NUL; empty = none yet */
};
static_assert(sizeof(struct rpc_welcome) == 184, "wire layout");

struct rpc_socket { /* reply: struct rpc_socket_reply + A */
	struct rpc_header h;
	int32_t family, type, protocol;
	uint32_t nonblock; /* 0 or 1 */
	uint64_t replaces; /* id of the socket that the new one will be dup3()d over, or 0: options
			      carry over */
};
static_assert(sizeof(struct rpc_socket) == 40, "wire layout");

struct rpc_socket_reply {
	struct rpc_header h;
	uint64_t id;
};
static_assert(sizeof(struct rpc_socket_reply) == 24, "wire layout");

/* BIND, CONNECT, NAME replies carry one address: struct rpc_addr_reply. A reply with an error may
 * be a bare header. An id that the service does not know (it was restarted) is EBADF; the library
 * turns that into ENETDOWN. */
struct rpc_bind {
	struct rpc_header h;
	struct rpc_addr addr;
	uint32_t freebind, pad;
};
static_assert(sizeof(struct rpc_bind) == 48, "wire layout");

struct rpc_listen {
	struct rpc_header h;
	int32_t backlog;
	uint32_t pad;
};
static_assert(sizeof(struct rpc_listen) == 24, "wire layout");

/* prefill = bytes the library put into A (rpc_prefill; 0 with RPC_WAIT). The reply's error is
 *   0            connected: B is named and all but one byte of the prefill drained
 *   EINPROGRESS  pending (never with RPC_WAIT)
 *   EALREADY     pending since an earlier request; `prefill` is added to what is there (two
 * threads) ESTALE       an earlier attempt failed, its B is closed and its error has been reported
 * (by a CONNECT or SOERROR): the library fetches a fresh A by SOCKET with `replaces`, lays it over
 * this one and asks again else         why not; the prefill is drained again and the socket is as
 * before. If B is closed already (a pending attempt failed): that attempt's error, or ECONNABORTED
 * if SOERROR has reported it. */
struct rpc_connect {
	struct rpc_header h;
	struct rpc_addr addr;
	uint32_t prefill;
	uint32_t pad;
};
static_assert(sizeof(struct rpc_connect) == 48, "wire layout");

/* After EINTR or SO_SNDTIMEO in a blocking connect. Reply: 0 done, EINPROGRESS still pending, else
 * why it failed; the reply to the CONNECT itself is not wanted any more. If pending, the service
 * fills A itself with rpc_prefill() through the copy of A that came with this request, before it
 * replies: so it becomes a non-blocking connect, and no byte of the fill can be mistaken for data,
 * as could happen if the library filled A while the connection is being made. prefill is 0. */
struct rpc_detach {
	struct rpc_header h;
	uint32_t prefill; /* always 0 */
	uint32_t pad;
};
static_assert(sizeof(struct rpc_detach) == 24, "wire layout");

enum rpc_name_which { RPC_NAME_LOCAL = 0, RPC_NAME_REMOTE = 1 };

struct rpc_name {
	struct rpc_header h;
	uint32_t which;
	uint32_t pad;
};
static_assert(sizeof(struct rpc_name) == 24, "wire layout");

struct rpc_addr_reply {
	struct rpc_header h;
	struct rpc_addr addr;
};
static_assert(sizeof(struct rpc_addr_reply) == 40, "wire layout");

/* Would this address be reached through the virtual host? Asked before a socket is given up for one
 * of the program's own network (decision 231). */
struct rpc_route {
	struct rpc_header h;
	struct rpc_addr addr;
};
static_assert(sizeof(struct rpc_route) == 40, "wire layout");

struct rpc_route_reply {
	struct rpc_header h;
	uint32_t
	    is_elsewhere; /* 1: the network is up, and neither it nor a managed route leads there */
	uint32_t is_fresh; /* 1: the socket has neither a port nor a peer */
};
static_assert(sizeof(struct rpc_route_reply) == 24, "wire layout");

/* SETOPT carries value[value_length]; GETOPT says how much it wants; the GETOPT reply is this too.
 * Both are sent cut off after value[value_length] (GETOPT: after pad).
 *
 * SETOPT is answered like everything else. As a one-way message it would still carry A when the
 * call has returned; a program that then closes the descriptor finds it not closed, and its epoll
 * set reports events of it for ever (seen with httpstub). For the same reason the service closes
 * its copy of A before it sends an answer. */
struct rpc_option {
	struct rpc_header h;
	int32_t level, name;
	uint32_t value_length;
	uint32_t pad;
	uint8_t value[RPC_OPTION_MAX_BYTES];
};
static_assert(offsetof(struct rpc_option, value) == 32, "wire layout");

struct rpc_ioctl { /* reply: struct rpc_option with the data in value */
	struct rpc_header h;
	uint64_t request;
	uint64_t argument;
};
static_assert(sizeof(struct rpc_ioctl) == 32, "wire layout");

/* ---- names (decision S8) --------------------------------------------------------------------- */

enum rpc_resolve_kind {
	RPC_RESOLVE_HOST = 0,    /* name -> addresses, in the order of RFC 6724, canonical name */
	RPC_RESOLVE_ADDRESS = 1, /* struct rpc_addr -> name */
	RPC_RESOLVE_QUERY = 2,   /* name, type, class -> the DNS message */
	RPC_RESOLVE_SEARCH = 3,  /* the same, with the network's domain tried too */
	RPC_RESOLVE_SEND = 4,    /* DNS message -> DNS message */
};

enum rpc_resolve_flag {
	RPC_RESOLVE_FILES = 1, /* ask no server: only what the service knows itself */
};

enum rpc_resolve_status {
	RPC_RESOLVED = 0,
	RPC_RESOLVE_NONE = 1,    /* no such name */
	RPC_RESOLVE_NO_DATA = 2, /* the name is there, without such records */
	RPC_RESOLVE_AGAIN = 3,   /* no server answered */
	RPC_RESOLVE_FAIL = 4,
};

enum {
	RPC_RESOLVE_MAX_BYTES = 384,  /* of a name or a message that is sent */
	RPC_RESOLVE_RECORDS_MAX = 64, /* addresses of a name */
};

/* Sent cut off after bytes[length]. */
struct rpc_resolve {
	struct rpc_header h;
	uint32_t kind, flags;
	uint32_t family;      /* HOST: AF_INET, AF_INET6, or 0 for both */
	uint16_t type, class; /* QUERY, SEARCH */
	uint32_t length, pad;
	uint8_t bytes[RPC_RESOLVE_MAX_BYTES];
};
static_assert(offsetof(struct rpc_resolve, bytes) == 40, "wire layout");

/* Followed by `count` struct rpc_addr, then `length` bytes: the canonical name, the name, or the
 * DNS message. The only answer that may be longer than RPC_MAX_BYTES. */
struct rpc_resolved {
	struct rpc_header h;
	uint32_t status; /* enum rpc_resolve_status */
	uint32_t count, length, pad;
};
static_assert(sizeof(struct rpc_resolved) == 32, "wire layout");

/* INTERFACES: a bare header; answered by this, followed by `count` struct rpc_interface_addr. The
 * interface is RPC_IFINDEX_NETWORK; loopback is everywhere the same and not mentioned. */
struct rpc_interfaces {
	struct rpc_header h;
	char name[16];
	uint8_t mac[6];
	uint16_t count;
	uint32_t mtu;
	uint32_t is_up; /* 1: the network is usable */
};
static_assert(sizeof(struct rpc_interfaces) == 48, "wire layout");

struct rpc_interface_addr {
	uint8_t addr[16];
	uint8_t family; /* AF_INET (v4-mapped) or AF_INET6 */
	uint8_t bits;
	uint8_t pad[2];
};
static_assert(sizeof(struct rpc_interface_addr) == 20, "wire layout");
enum { RPC_INTERFACE_ADDRS_MAX = (RPC_MAX_BYTES - 48) / 20 };

/* ROUTES: the managed routes, from number `first` on, as many as one message holds. */
struct rpc_routes {
	struct rpc_header h;
	uint32_t first, pad;
};
static_assert(sizeof(struct rpc_routes) == 24, "wire layout");

struct rpc_routes_reply { /* followed by `count` struct rpc_managed_route */
	struct rpc_header h;
	uint32_t count;
	uint32_t total; /* that there are */
};
static_assert(sizeof(struct rpc_routes_reply) == 24, "wire layout");

struct rpc_managed_route {
	uint8_t target[16], via[16];
	uint8_t family; /* AF_INET (both v4-mapped) or AF_INET6 */
	uint8_t bits;
	uint8_t has_via; /* 0: on the link */
	uint8_t pad;
};
static_assert(sizeof(struct rpc_managed_route) == 36, "wire layout");
enum { RPC_ROUTES_PIECE = (RPC_MAX_BYTES - 24) / 36 };

/* One accepted connection, written by the service into a listener's B together with the new A. */
enum { RPC_ACCEPT_MAGIC = 0x4143544e };
/* The new A holds one byte that is not the peer's: whoever accepts reads it first. A queue that is
 * closed with it unread resets the connection, as Linux does to those that nobody accepted
 * (decision 180). */
enum { RPC_ACCEPT_TOKEN = 1 };
struct rpc_accept {
	uint32_t magic;
	uint32_t flags; /* RPC_ACCEPT_TOKEN */
	uint64_t id;
	struct rpc_addr local, remote;
};
static_assert(sizeof(struct rpc_accept) == 64, "wire layout");

/* Until the service ends a descriptor's life it must allow for what programs do natively:
 * shutdown(A, SHUT_RD) makes writes to B fail with EPIPE (discard what arrives, the other direction
 * goes on), shutdown(A, SHUT_WR) is the program's FIN, and both at once, or close, is EPOLLHUP on
 * B. */

/* ---- names of descriptors (spec/intercept.md 3.7) -------------------------------------------- */

enum rpc_kind {
	RPC_KIND_STREAM = 's',     /* A of a TCP socket */
	RPC_KIND_LISTENER = 'l',   /* B once it listens */
	RPC_KIND_CONNECTION = 'c', /* B once it is connected */
	RPC_KIND_DGRAM = 'd',      /* A of a UDP socket */
	RPC_KIND_PING = 'p',       /* A of a ping socket; the family says which */
	RPC_KIND_PEER = 'u',       /* B of either, once it was connected for the first time */
	RPC_KIND_NETLINK = 'n',    /* a virtual netlink socket, which has no B; id = port id */
};

enum rpc_name_flag {
	RPC_SIDE_ACCEPTOR = 1, /* this name belongs to the accepting end of a short-cut pair: the
				  end that reads it as its *peer's* name swaps local and remote */
	RPC_DUAL_STACK = 2,
};

/* The identity of a virtual socket, read from an abstract AF_UNIX name. */
struct rpc_ident {
	uint8_t kind; /* enum rpc_kind */
	uint8_t family;
	uint8_t flags;
	bool has_addresses;
	uint64_t nwid, id;
	struct rpc_addr local, remote; /* when has_addresses */
};

enum {
	RPC_NAME_MAX_BYTES = 80,
	RPC_NAME_BARE_BYTES = 25, /* without addresses (A); layout in ident.c */
	RPC_NAME_FULL_BYTES = 65, /* with them (B) */
};

/* Encode as sun_path bytes (leading NUL included); returns the length. */
size_t rpc_ident_write(const struct rpc_ident *ident, uint8_t out[RPC_NAME_MAX_BYTES]);
/* False if the sun_path bytes are not one of our names. */
bool rpc_ident_read(const uint8_t *name, size_t length, struct rpc_ident *out);

/* ---- messages with descriptors --------------------------------------------------------------- */

/* Send one message with up to RPC_MAX_FDS descriptors, never raising SIGPIPE. flags: MSG_DONTWAIT
 * or 0. 0 or -errno. Async-signal-safe. */
int rpc_send(int fd, const void *message, size_t length, const int *fds, size_t fd_count,
	     int flags);
/* Receive one message; descriptors beyond *fd_count are closed, the rest are close-on-exec. Returns
 * the message's length, 0 at end of file, or -errno (-EMSGSIZE if it was truncated, -EMFILE if
 * descriptors were lost). Async-signal-safe. */
long rpc_recv(int fd, void *message, size_t capacity, int *fds, size_t *fd_count, int flags);

/* Fill a stream socket's send buffer until nothing fits: poll() then says what it says of a TCP
 * socket that is connecting. Ends with 1-byte sends, so that the byte that stays unread later pins
 * 768 bytes of kernel memory (decision S1). Returns how many bytes went in. Async-signal-safe. */
uint32_t rpc_prefill(int fd);

/* Is `length` right for this request? (at least the op's struct, at most RPC_MAX_BYTES, and the
 * header's own length equal to it) */
bool rpc_request_ok(const struct rpc_header *h, size_t length);

#endif
