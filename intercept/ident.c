/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a descriptor is, asked of the kernel (spec/intercept.md 3.7).
 *
 * How this works: A has the name "...s" of its socket. B has none until the socket listens ("...l")
 * or is connected ("...c"), so A's peer name tells state and addresses. In a short-cut pair there
 * is no service at the other end: the accepting program holds the end named "...c" with
 * RPC_SIDE_ACCEPTOR, written from its point of view, and its peer reads the same name with local
 * and remote swapped.
 */
#include "intercept/dgram.h"
#include "intercept/hint.h"
#include "intercept/intercept.h"

#include "rpc/sys.h"

#include <errno.h>
#include <poll.h>
#include <sys/un.h>

static bool name_read(long number, int fd, struct rpc_ident *out)
{
	struct sockaddr_un name = { .sun_family = AF_UNSPEC };
	socklen_t length = sizeof name;
	if (sys(number, fd, &name, &length) < 0 || name.sun_family != AF_UNIX ||
	    length > sizeof name || length <= offsetof(struct sockaddr_un, sun_path)) {
		return false;
	}
	return rpc_ident_read((const uint8_t *)name.sun_path,
			      length - offsetof(struct sockaddr_un, sun_path), out);
}

/* The name of a program's end; B's names, seen by the service alone, do not count. */
static bool own_read(int fd, struct rpc_ident *out)
{
	return name_read(SYS_getsockname, fd, out) &&
	       (out->kind == RPC_KIND_STREAM || out->kind == RPC_KIND_DGRAM ||
		out->kind == RPC_KIND_PING ||
		(out->kind == RPC_KIND_CONNECTION && (out->flags & RPC_SIDE_ACCEPTOR)));
}

bool ident_is_ours(int fd)
{
	struct rpc_ident own;
	return own_read(fd, &own);
}

void ident_adopt(int fd)
{
	struct rpc_ident own;
	struct who who;
	if (!name_read(SYS_getsockname, fd, &own)) {
		return;
	}
	if (own.kind == RPC_KIND_NETLINK) {
		hint_set(fd, HINT_NETLINK);
	} else {
		(void)dgram_is(fd, &who);
	}
}

bool ident_is_short_cut(int fd)
{
	struct rpc_ident own, peer;
	return own_read(fd, &own) &&
	       (own.kind == RPC_KIND_CONNECTION ||
		(name_read(SYS_getpeername, fd, &peer) && (peer.flags & RPC_SIDE_ACCEPTOR)));
}

bool ident_is_listener(int fd)
{
	struct rpc_ident peer;
	return name_read(SYS_getpeername, fd, &peer) && peer.kind == RPC_KIND_LISTENER;
}

bool ident_who(int fd, struct who *out)
{
	struct rpc_ident own, peer;
	if (!own_read(fd, &own)) {
		return false;
	}
	*out = (struct who){ .state = WHO_UNNAMED,
			     .kind = own.kind == RPC_KIND_CONNECTION ? (uint8_t)RPC_KIND_STREAM
								     : own.kind,
			     .family = own.family,
			     .id = own.id };
	if (own.kind == RPC_KIND_CONNECTION) {
		out->state = WHO_CONNECTED;
		out->local = own.local;
		out->remote = own.remote;
	} else if (name_read(SYS_getpeername, fd, &peer) && peer.has_addresses) {
		bool is_swapped = (peer.flags & RPC_SIDE_ACCEPTOR) != 0;
		out->state = peer.kind == RPC_KIND_LISTENER ? WHO_LISTENING : WHO_CONNECTED;
		out->local = is_swapped ? peer.remote : peer.local;
		out->remote = is_swapped ? peer.local : peer.remote;
	}
	/* What the program sees is its own socket's family, whatever the other side's is. */
	out->local.family = out->remote.family = own.family;
	return true;
}

bool ident_hinted(int fd, struct who *out)
{
	if (hint_get(fd) == HINT_NONE || hint_get(fd) == HINT_NETLINK) {
		return false;
	}
	if (ident_who(fd, out)) {
		return true;
	}
	hint_set(fd, HINT_NONE);
	return false;
}

int ident_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct timespec zero = { 0, 0 };
	long n = sys(SYS_ppoll, &p, 1, &zero, 0, 0);
	return n == 1 ? p.revents : 0;
}

bool ident_is_idle(int fd)
{
	int events = ident_poll(fd);
	return (events & (POLLOUT | POLLHUP)) != 0;
}
