/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* getsockname(), getpeername() (spec/intercept.md 3.7): read from the names, so they work in any
 * process and after the service died; only a socket that is bound but not connected must be asked
 * for.
 */
#include "intercept/dgram.h"
#include "intercept/hint.h"
#include "intercept/intercept.h"
#include "intercept/netlink.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>

static int local_ours(int fd, const struct who *who, struct sockaddr *sa, socklen_t *length)
{
	union client_reply reply;
	if (who->kind != RPC_KIND_STREAM) {
		return dgram_name(fd, who, RPC_NAME_LOCAL, sa, length);
	}
	if (who->state != WHO_UNNAMED) {
		return addr_out(&who->local, sa, length);
	}
	struct rpc_name m = { .h = { .op = RPC_NAME }, .which = RPC_NAME_LOCAL };
	int error = client_call(&m.h, sizeof m, fd, &reply, NULL);
	return error ? error : addr_out(&reply.addr.addr, sa, length);
}

/* A connection that is over has no peer on Linux. B's name stays, but A says HUP then; that is also
 * said after the program's own shutdown(SHUT_RDWR), which a hint remembers. */
static int remote_ours(int fd, const struct who *who, struct sockaddr *sa, socklen_t *length)
{
	union client_reply reply;
	struct rpc_name m = { .h = { .op = RPC_NAME }, .which = RPC_NAME_REMOTE };
	if (who->kind != RPC_KIND_STREAM) {
		return dgram_name(fd, who, RPC_NAME_REMOTE, sa, length);
	}
	if (who->state != WHO_CONNECTED ||
	    (hint_get(fd) != HINT_SHUT && (ident_poll(fd) & POLLHUP) &&
	     client_call(&m.h, sizeof m, fd, &reply, NULL) != 0)) {
		return -ENOTCONN;
	}
	return addr_out(&who->remote, sa, length);
}

/* Without a hint the kernel is asked first, as for any foreign descriptor. If it was ours after
 * all, it has written a unix name over *length and *sa: put back what can be put back. */
struct asked {
	bool is_ours, is_netlink;
	int result;
};

/* Lengths that one of our descriptors can be answered with: an end without a name, or with one. */
static bool maybe_ours(size_t length)
{
	enum { HEAD = offsetof(struct sockaddr_un, sun_path) };
	return length == HEAD || length == HEAD + RPC_NAME_BARE_BYTES ||
	       length == HEAD + RPC_NAME_FULL_BYTES;
}

typedef int name_call(int fd, struct sockaddr *sa, socklen_t *length);

static struct asked ask_first(name_call *call, int fd, struct sockaddr *sa, socklen_t *length,
			      struct who *who)
{
	/* Addresses that cannot be: the kernel answers EFAULT to them whoever's the socket is. */
	bool is_sane = (uintptr_t)length >= 4096 && (intptr_t)length > 0;
	socklen_t room = is_sane ? *length : 0;
	struct rpc_ident own;
	struct asked out = { .is_ours = false, .result = call(fd, sa, length) };
	if (out.result < 0 || !is_sane || !maybe_ours(*length)) {
		return out;
	}
	out.is_ours = ident_who(fd, who);
	out.is_netlink = !out.is_ours && netlink_is(fd, &own);
	if (!out.is_ours && !out.is_netlink) {
		return out;
	}
	if (room > 0) {
		memset(sa, 0, *length < room ? *length : room);
	}
	*length = room;
	return out;
}

EXPORT int getsockname(int fd, struct sockaddr *sa, socklen_t *length)
{
	if (!on()) {
		return real.getsockname(fd, sa, length);
	}
	if (netlink_hinted(fd)) {
		return done("getsockname", fd, netlink_name(fd, RPC_NAME_LOCAL, sa, length));
	}
	struct who who;
	if (!ident_hinted(fd, &who)) {
		struct asked asked = ask_first(real.getsockname, fd, sa, length, &who);
		if (asked.is_netlink) {
			return done("getsockname", fd,
				    netlink_name(fd, RPC_NAME_LOCAL, sa, length));
		}
		if (!asked.is_ours) {
			return asked.result;
		}
	}
	return done("getsockname", fd, local_ours(fd, &who, sa, length));
}

EXPORT int getpeername(int fd, struct sockaddr *sa, socklen_t *length)
{
	if (!on()) {
		return real.getpeername(fd, sa, length);
	}
	if (netlink_hinted(fd)) {
		return done("getpeername", fd, netlink_name(fd, RPC_NAME_REMOTE, sa, length));
	}
	struct who who;
	if (!ident_hinted(fd, &who)) {
		struct asked asked = ask_first(real.getpeername, fd, sa, length, &who);
		if (asked.is_netlink) {
			return done("getpeername", fd,
				    netlink_name(fd, RPC_NAME_REMOTE, sa, length));
		}
		if (!asked.is_ours) {
			return asked.result;
		}
	}
	return done("getpeername", fd, remote_ours(fd, &who, sa, length));
}
