/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* socket(), bind(), listen(), shutdown() (spec/intercept.md 3.2, 3.4, decision S9). */
#include "intercept/dgram.h"
#include "intercept/hint.h"
#include "intercept/host.h"
#include "intercept/intercept.h"
#include "intercept/netlink.h"

#include "rpc/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/time.h>

enum {
	TYPE_MASK = 0xf,
	TYPE_LIMIT = 11,      /* the kernel's SOCK_MAX */
	PROTOCOL_LIMIT = 263, /* and IPPROTO_MAX */
};
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Echo requests without rights: SOCK_DGRAM with this protocol. */
static int ping_of(int family)
{
	return family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

/* What the kernel would say to these arguments, and what we do not have yet (S9). 0 or -errno. */
static int socket_check(int family, int type, int protocol)
{
	if ((type & ~TYPE_MASK) & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) {
		return -EINVAL;
	}
	type &= TYPE_MASK;
	if (type >= TYPE_LIMIT) {
		return -EINVAL;
	}
	if (protocol < 0 || protocol >= PROTOCOL_LIMIT) {
		return -EINVAL;
	}
	switch (type) {
	case SOCK_STREAM:
		return protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP
			   ? 0
			   : -EPROTONOSUPPORT;
	case SOCK_DGRAM:
		return protocol == 0 || protocol == IPPROTO_UDP || protocol == ping_of(family)
			   ? 0
			   : -EPROTONOSUPPORT;
	case SOCK_RAW:
	case SOCK_PACKET:
		return -EPERM;
	default:
		return -ESOCKTNOSUPPORT;
	}
}

/* A new virtual socket, or -errno. type: with SOCK_NONBLOCK, SOCK_CLOEXEC. `over` is the descriptor
 * that it will replace, with its id, or -1 and 0. */
static int socket_new(int family, int type, int protocol, int over, uint64_t replaces)
{
	union client_reply reply;
	int fd = (type & SOCK_CLOEXEC) ? O_CLOEXEC : 0;
	struct rpc_socket m = { .h = { .op = RPC_SOCKET },
				.family = family,
				.type = type & TYPE_MASK,
				.protocol = protocol,
				.nonblock = (type & SOCK_NONBLOCK) != 0,
				.replaces = replaces };
	int error = client_call(&m.h, sizeof m, over, &reply, &fd);
	if (error) {
		return error;
	}
	if (fd >= 0 && !ident_is_ours(fd)) {
		(void)sys(SYS_close, fd);
		return -EPROTO;
	}
	return fd >= 0 ? fd : -EPROTO;
}

int sock_open(int family, int type, int protocol)
{
	int error = socket_check(family, type, protocol);
	error = error ? error : host_socket_check(family);
	bool is_dgram = (type & TYPE_MASK) == SOCK_DGRAM;
	if (error) {
		return error;
	}
	if (!is_dgram) {
		protocol = IPPROTO_TCP; /* MPTCP falls back to it as well */
	} else if (protocol == 0) {
		protocol = IPPROTO_UDP;
	}
	int fd = socket_new(family, type, protocol, -1, 0);
	hint_set(fd, is_dgram ? HINT_DGRAM : HINT_FRESH);
	return fd;
}

/* What the kernel remembers for a unix socket's description and the service cannot carry over. */
static void options_copy(int from, int to)
{
	static const int names[] = { SO_RCVTIMEO,  SO_SNDTIMEO,  SO_RCVLOWAT,  SO_LINGER,
				     SO_REUSEADDR, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct timeval value;
		socklen_t length = sizeof value;
		if (sys(SYS_getsockopt, from, SOL_SOCKET, names[i], &value, &length) >= 0) {
			(void)sys(SYS_setsockopt, to, SOL_SOCKET, names[i], &value, length);
		}
	}
}

int sock_replace(int fd, const struct who *who)
{
	long status = sys(SYS_fcntl, fd, F_GETFL), flags = sys(SYS_fcntl, fd, F_GETFD);
	if (status < 0 || flags < 0) {
		return -EBADF;
	}
	int fresh = socket_new(
	    who->family, SOCK_STREAM | SOCK_CLOEXEC | ((status & O_NONBLOCK) ? SOCK_NONBLOCK : 0),
	    IPPROTO_TCP, fd, who->id);
	if (fresh < 0) {
		return fresh;
	}
	options_copy(fd, fresh);
	int error = host_lay_over(fd, fresh, (flags & FD_CLOEXEC) != 0);
	(void)sys(SYS_close, fresh);
	if (error) {
		return error;
	}
	hint_set(fd, HINT_FRESH);
	return 0;
}

EXPORT int socket(int family, int type, int protocol)
{
	if (!on()) {
		return real.socket(family, type, protocol);
	}
	if (family != AF_INET && family != AF_INET6) {
		if (unlikely(host_socket_check(family) != 0)) {
			return done("socket", -1, -EACCES);
		}
		if (netlink_wanted(family, type, protocol)) {
			return done("socket", -1, netlink_open(type));
		}
		int fd = real.socket(family, type, protocol);
		hint_set(fd, HINT_NONE);
		return native("socket", -1, fd);
	}
	return done("socket", -1, sock_open(family, type, protocol));
}

/* ---- bind ------------------------------------------------------------------------------------ */

static int bind_ours(int fd, const struct who *who, const struct sockaddr *sa, socklen_t length)
{
	union client_reply reply;
	struct rpc_bind m = { .h = { .op = RPC_BIND } };
	int error = addr_in(who->family, sa, length, &m.addr);
	if (error == -EAFNOSUPPORT && who->family == AF_INET && sa->sa_family == AF_UNSPEC) {
		/* Linux takes AF_UNSPEC with address 0 for AF_INET. */
		struct sockaddr_in any = *(const struct sockaddr_in *)(const void *)sa;
		any.sin_family = AF_INET;
		error = any.sin_addr.s_addr == htonl(INADDR_ANY)
			    ? addr_in(AF_INET, (struct sockaddr *)&any, sizeof any, &m.addr)
			    : -EAFNOSUPPORT;
	}
	if (error) {
		return error;
	}
	error = client_call(&m.h, sizeof m, fd, &reply, NULL);
	if (error) {
		debug_failure("bind to", fd, -error, &m.addr);
	}
	return error;
}

EXPORT int bind(int fd, const struct sockaddr *sa, socklen_t length)
{
	if (!on()) {
		return real.bind(fd, sa, length);
	}
	if (netlink_hinted(fd)) {
		return done("bind", fd, netlink_bind(fd, sa, length));
	}
	struct who who;
	if (!ident_hinted(fd, &who)) {
		int result = real.bind(fd, sa, length);
		if (result == 0 || errno != EINVAL || !ident_who(fd, &who)) {
			return native("bind", fd, result);
		}
	}
	return done("bind", fd, bind_ours(fd, &who, sa, length));
}

/* ---- listen ---------------------------------------------------------------------------------- */

/* A listener that was shut down: its B is gone, so a fresh socket takes its place and its port. */
static int listen_again(int fd, const struct who *who)
{
	union client_reply reply;
	struct rpc_bind m = { .h = { .op = RPC_BIND }, .addr = who->local, .freebind = 1 };
	int reuse = 0;
	socklen_t length = sizeof reuse;
	int error = sock_replace(fd, who);
	if (error) {
		return error;
	}
	(void)sys(SYS_getsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &length);
	if (reuse) { /* the service may have forgotten it with the listener */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
	}
	return client_call(&m.h, sizeof m, fd, &reply, NULL);
}

static int listen_ours(int fd, const struct who *who, int backlog)
{
	if (who->state == WHO_LISTENING && hint_get(fd) == HINT_SHUT) {
		int again = listen_again(fd, who);
		if (again) {
			return again;
		}
	}
	union client_reply reply;
	struct rpc_listen m = { .h = { .op = RPC_LISTEN }, .backlog = backlog };
	int error = client_call(&m.h, sizeof m, fd, &reply, NULL);
	if (!error) {
		hint_set(fd, HINT_LISTEN);
	}
	return error;
}

EXPORT int listen(int fd, int backlog)
{
	if (!on()) {
		return real.listen(fd, backlog);
	}
	struct who who;
	if (!ident_hinted(fd, &who)) {
		int result = real.listen(fd, backlog);
		if (result == 0 || errno != EINVAL || !ident_who(fd, &who)) {
			return native("listen", fd, result);
		}
	}
	return done("listen", fd, listen_ours(fd, &who, backlog));
}

/* ---- shutdown -------------------------------------------------------------------------------- */

/* Native on a connection: the service sees it on B. Only what the kernel would get wrong is caught,
 * and only where a hint points to it: sandboxed programs may be allowed shutdown() alone. */
EXPORT int shutdown(int fd, int how)
{
	struct who who;
	if (on() && netlink_hinted(fd)) {
		return done("shutdown", fd, -EOPNOTSUPP);
	}
	if (on() && hint_get(fd) == HINT_CONNECTED) {
		int result = real.shutdown(fd, how);
		if (how == SHUT_RDWR && result == 0) {
			hint_set(fd, HINT_SHUT); /* name.c: then POLLHUP does not mean the end */
		}
		return result;
	}
	if (!on() || hint_get(fd) == HINT_NONE || (unsigned)how > SHUT_RDWR ||
	    !ident_hinted(fd, &who)) {
		return real.shutdown(fd, how);
	}
	if (who.kind != RPC_KIND_STREAM) {
		/* Linux: without a peer it is an error, and takes effect all the same. */
		bool has_peer = who.state == WHO_CONNECTED;
		hint_set(fd, HINT_DGRAM_SHUT);
		int result = real.shutdown(fd, how);
		return has_peer ? result : done("shutdown", fd, -ENOTCONN);
	}
	if (who.state == WHO_UNNAMED && ident_is_idle(fd)) {
		return done("shutdown", fd, -ENOTCONN);
	}
	if (who.state == WHO_LISTENING) {
		if (hint_get(fd) == HINT_SHUT) {
			return done("shutdown", fd, -ENOTCONN);
		}
		/* SHUT_WR does nothing to a listener; the others end it. */
		if (how == SHUT_WR) {
			return 0;
		}
		hint_set(fd, HINT_SHUT);
		return real.shutdown(fd, SHUT_RDWR);
	}
	return real.shutdown(fd, how);
}

ALIAS(__socket, socket);
