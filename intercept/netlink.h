/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The virtual NETLINK_ROUTE socket (decision 255).
 *
 * How this works: programs that read interfaces, addresses and routes by netlink ask the kernel,
 * which knows those of the host. So socket(AF_NETLINK, ..., NETLINK_ROUTE) gives a unix datagram
 * socket that is connected to itself: what is sent into it can be received from it, by whoever
 * holds it, after fork, exec and SCM_RIGHTS, with read() and poll() as they are. The sending hooks
 * do not send the request: they compute the kernel's answer from what the service says (INTERFACES,
 * ROUTES) and send that. Nobody else can send into it, because a connected unix socket takes
 * messages from its peer alone. The service knows nothing of it and cannot be hurt by it.
 *
 *   netlink.c         the socket: open, bind, send, receive, options
 *   netlink_wire.c    messages and attributes, written and read
 *   netlink_answer.c  a request and what the kernel would answer; links and addresses
 *   netlink_route.c   routes
 *
 * The last three have no input or output and never look beyond the bytes that they are given.
 */
#ifndef INTERCEPT_NETLINK_H
#define INTERCEPT_NETLINK_H

#include "intercept/hint.h"
#include "intercept/interfaces.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

/* ---- netlink_wire.c -------------------------------------------------------------------------- */

enum {
	NL_PIECE_BYTES =
	    4096, /* of a datagram that we send: the least that programs have room for */
	NL_MESSAGE_BYTES = 512, /* of one message but an error, an upper bound */
};

/* Messages on their way to the program. */
struct nl_out {
	int (*send)(void *context, const void *bytes, size_t length); /* 0 or -errno */
	void *context;
	int error;     /* the first that send() returned */
	uint32_t pid;  /* of the program's socket: who is answered */
	uint32_t seq;  /* of the request that is answered */
	size_t length; /* used of bytes */
	size_t start;  /* of the message that is being written */
	_Alignas(8) uint8_t bytes[NL_PIECE_BYTES];
};

/* One message: begin with its fixed part, then attributes, then end. */
void nl_begin(struct nl_out *out, uint16_t type, uint16_t flags, const void *body, size_t length);
void nl_attribute(struct nl_out *out, uint16_t type, const void *value, size_t length);
void nl_u32(struct nl_out *out, uint16_t type, uint32_t value);
void nl_end(struct nl_out *out);
/* Send what is there as one datagram. */
void nl_flush(struct nl_out *out);
/* The answer to a request that failed, or that asked to be acknowledged (error 0), as a datagram of
 * its own. Repeats the request, unless it `is_capped` or too long. */
void nl_verdict(struct nl_out *out, const void *request, int error, bool is_capped);

/* The message at *at of `length` bytes; moves *at on. NULL: no (further) one. `h` is its header. */
const uint8_t *nl_next(const void *bytes, size_t length, size_t *at, struct nlmsghdr *h);
/* The attribute of this type behind a fixed part of `skip` bytes; NULL: there is none. `message`
 * begins with its header. */
const uint8_t *nl_find(const uint8_t *message, size_t skip, uint16_t type, size_t *length);

/* ---- netlink_answer.c ------------------------------------------------------------------------ */

/* What there is to tell. */
struct nl_view {
	const struct interfaces *all;
	const struct rpc_managed_route *routes;
	size_t route_count;
	bool is_strict; /* NETLINK_GET_STRICT_CHK: what a dump's header names is a filter */
	bool is_capped; /* NETLINK_CAP_ACK */
};

/* A request that is being answered. */
struct nl_request {
	const struct nl_view *view;
	const uint8_t *bytes; /* the whole message */
	struct nlmsghdr h;
	uint16_t flags; /* of the messages that answer it */
	struct nl_out *out;
};

/* Does any of these requests need the managed routes? */
bool nl_wants_routes(const void *bytes, size_t length);
/* Answer all requests in what the program sent, until send() fails. */
void nl_answer(const struct nl_view *view, const void *bytes, size_t length, struct nl_out *out);

/* ---- netlink_route.c: 0 or -errno ------------------------------------------------------------ */

int nl_routes_dump(const struct nl_request *r);
int nl_route_get(const struct nl_request *r);
/* Does a strict dump ask for some of them only? */
bool nl_routes_filtered(const struct nl_request *r);

/* ---- netlink.c: results or -errno ------------------------------------------------------------ */

/* ZT_NC_NETLINK, or NULL; after host_init(). */
void netlink_init(const char *setting);
/* Is this call for a virtual one? */
bool netlink_wanted(int family, int type, int protocol);
int netlink_open(int type);
/* Whatever the hint says; sets it. The id in `out` is the port id. */
bool netlink_is(int fd, struct rpc_ident *out);
/* The one load that a call on any other descriptor pays. */
static inline bool netlink_hinted(int fd)
{
	struct rpc_ident own;
	return unlikely(hint_get(fd) == HINT_NETLINK) && netlink_is(fd, &own);
}

ssize_t netlink_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t netlink_recvmsg(int fd, struct msghdr *m, int flags);
int netlink_bind(int fd, const struct sockaddr *sa, socklen_t length);
int netlink_connect(int fd, const struct sockaddr *sa, socklen_t length);
int netlink_name(int fd, uint32_t which, struct sockaddr *sa, socklen_t *length);
int netlink_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int netlink_getsockopt(int fd, int level, int name, void *value, socklen_t *length);

#endif
