/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sending datagrams. With an address: a header in front. Without: the message alone, which the
 * service sends to where the socket is connected to.
 *
 * What can be wrong with an address is said here, as far as the address alone tells; whether there
 * is a way to it only the service knows, and that is told like an ICMP error.
 */
#include "intercept/dgram.h"
#include "intercept/host.h"
#include "intercept/netlink.h"

#include "rpc/sys.h"

#include <netinet/in.h>
#include <string.h>

enum {
	IOV_LIMIT = 1024, /* UIO_MAXIOV */
	IOV_FEW = 8,      /* on the stack; more of them need their own frame */
	/* What a unix socket understands; the others mean nothing without a network. */
	FLAGS_PASSED = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR,
};

bool dgram_is(int fd, struct who *out)
{
	if (!ident_who(fd, out) || out->kind == RPC_KIND_STREAM) {
		return false;
	}
	if (!dgram_hinted(fd)) {
		hint_set(fd, out->state == WHO_CONNECTED ? HINT_DGRAM_CONNECTED : HINT_DGRAM);
	}
	return true;
}

/* Is this the limited broadcast, and may the socket send it? */
static int broadcast_check(int fd, const struct rpc_addr *to)
{
	static const uint8_t everybody[4] = { 255, 255, 255, 255 };
	int allowed = 0;
	socklen_t length = sizeof allowed;
	if (likely(memcmp(to->addr + 12, everybody, 4) != 0) || to->addr[10] != 0xff) {
		return 0;
	}
	(void)sys(SYS_getsockopt, fd, SOL_SOCKET, SO_BROADCAST, &allowed, &length);
	return allowed ? 0 : -EACCES;
}

/* An IPv4 address given to an AF_INET6 socket, or an AF_INET one that says no family (Linux). */
static int address_odd(int family, const struct sockaddr *sa, socklen_t length,
		       struct rpc_addr *out)
{
	struct sockaddr_in in;
	if (length < sizeof in) {
		return -EINVAL;
	}
	memcpy(&in, sa, sizeof in);
	if (family == AF_INET && in.sin_family != AF_UNSPEC) {
		return -EAFNOSUPPORT;
	}
	if (family == AF_INET6 && in.sin_family != AF_INET) {
		return -EINVAL; /* as udpv6_sendmsg() */
	}
	in.sin_family = AF_INET;
	int error = addr_in(AF_INET, (struct sockaddr *)&in, sizeof in, out);
	out->family = (uint8_t)family;
	return error;
}

static int address_read(int fd, const struct who *who, const struct sockaddr *sa, socklen_t length,
			struct rpc_addr *out)
{
	int error = addr_in(who->family, sa, length, out);
	if (error == -EAFNOSUPPORT || (error == -EINVAL && who->family == AF_INET6)) {
		error = address_odd(who->family, sa, length, out);
	}
	if (error) {
		return error;
	}
	if (out->port_be == 0 && who->kind == RPC_KIND_DGRAM) {
		return -EINVAL;
	}
	return broadcast_check(fd, out);
}

/* `udpv6_sendmsg` takes AF_UNSPEC for "no address". */
static bool has_address(const struct who *who, const struct msghdr *m)
{
	return m->msg_name && m->msg_namelen > 0 &&
	       !(who->family == AF_INET6 && !addr_is_null(m->msg_name) &&
		 m->msg_namelen >= sizeof(sa_family_t) &&
		 ((const struct sockaddr *)m->msg_name)->sa_family == AF_UNSPEC);
}

/* B's name says so, except after a connection was dissolved. */
static bool has_peer(int fd, const struct who *who)
{
	union client_reply reply;
	struct rpc_name m = { .h = { .op = RPC_NAME }, .which = RPC_NAME_REMOTE };
	if (who->state != WHO_CONNECTED || hint_get(fd) != HINT_DGRAM_DISSOLVED) {
		return who->state == WHO_CONNECTED;
	}
	return client_call(&m.h, sizeof m, fd, &reply, NULL) == 0;
}

/* Fill in the header. 1 = there is one, 0 = the message goes alone, -errno. */
static int head_make(int fd, const struct msghdr *m, struct rpc_dgram *head)
{
	struct who who;
	if (!dgram_is(fd, &who)) {
		return -ENOTSOCK;
	}
	*head = (struct rpc_dgram){ .id = who.id, .magic = RPC_DGRAM_MAGIC };
	int error = 0;
	if (has_address(&who, m)) {
		error = address_read(fd, &who, m->msg_name, m->msg_namelen, &head->peer);
	} else if (!has_peer(fd, &who)) {
		return -EDESTADDRREQ;
	} else if (!m->msg_control || m->msg_controllen == 0) {
		return 0;
	}
	error = error ? error : dgram_control_in(m, who.family, head);
	return error ? error : 1;
}

static int length_check(int fd, const struct msghdr *m)
{
	struct who who;
	size_t length = 0;
	if (m->msg_iovlen > IOV_LIMIT) {
		return -EMSGSIZE;
	}
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		length += m->msg_iov[i].iov_len;
		if (m->msg_iov[i].iov_len > RPC_DGRAM_UDP6_MAX || length > RPC_DGRAM_UDP6_MAX) {
			return -EMSGSIZE;
		}
	}
	if (unlikely(length > RPC_DGRAM_UDP4_MAX) && ident_who(fd, &who) && who.family == AF_INET) {
		return -EMSGSIZE;
	}
	return 0;
}

/* The kernel's answer as Linux gives it for UDP. */
static ssize_t sent(int fd, ssize_t n)
{
	if (likely(n >= 0)) {
		return n;
	}
	int error = errno;
	if (error != EPIPE && error != ECONNRESET) {
		return -error;
	}
	/* The program shut it down, or the service is gone. */
	return (ident_poll(fd) & POLLHUP) && hint_get(fd) != HINT_DGRAM_SHUT ? -ENETDOWN : -EPIPE;
}

static ssize_t send_with(int fd, const struct msghdr *m, int flags, struct iovec *iov)
{
	struct rpc_dgram head;
	int headed = head_make(fd, m, &head);
	if (headed < 0) {
		return headed;
	}
	struct msghdr out = { .msg_iov = m->msg_iov, .msg_iovlen = m->msg_iovlen };
	if (headed) {
		iov[0] = (struct iovec){ .iov_base = &head, .iov_len = sizeof head };
		if (m->msg_iovlen > 0) {
			memcpy(iov + 1, m->msg_iov, m->msg_iovlen * sizeof *iov);
		}
		out.msg_iov = iov;
		out.msg_iovlen = m->msg_iovlen + 1;
	}
	ssize_t n = sent(fd, real.sendmsg(fd, &out, (flags & FLAGS_PASSED) | MSG_NOSIGNAL));
	return n >= 0 && headed ? n - (ssize_t)sizeof head : n;
}

static ssize_t __attribute__((noinline)) send_with_many(int fd, const struct msghdr *m, int flags)
{
	struct iovec iov[IOV_LIMIT];
	return m->msg_iovlen >= IOV_LIMIT ? -EMSGSIZE : send_with(fd, m, flags, iov);
}

ssize_t dgram_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct iovec few[IOV_FEW];
	struct who who;
	if (unlikely(hint_get(fd) == HINT_NETLINK)) {
		return netlink_sendmsg(fd, m, flags);
	}
	if (unlikely(flags & MSG_OOB) && ident_who(fd, &who) && who.family == AF_INET) {
		return -EOPNOTSUPP; /* IPv6 does not look at it */
	}
	int error = length_check(fd, m);
	if (error) {
		return error;
	}
	if (unlikely(host_is_possible)) {
		int taken = host_take_datagram(fd, m);
		if (taken != 0) {
			ssize_t n = taken < 0 ? taken : real.sendmsg(fd, m, flags);
			return taken > 0 && n < 0 ? -errno : n;
		}
	}
	if (likely(hint_get(fd) == HINT_DGRAM_CONNECTED) && !m->msg_name && !m->msg_control) {
		return sent(fd, real.sendmsg(fd, m, (flags & FLAGS_PASSED) | MSG_NOSIGNAL));
	}
	return m->msg_iovlen < IOV_FEW ? send_with(fd, m, flags, few)
				       : send_with_many(fd, m, flags);
}

int dgram_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags)
{
	unsigned i = 0;
	count = count > IOV_LIMIT ? IOV_LIMIT : count;
	for (; i < count; i++) {
		ssize_t n = dgram_sendmsg(fd, &m[i].msg_hdr, flags);
		if (n < 0) {
			return i > 0 ? (int)i : (int)n;
		}
		m[i].msg_len = (unsigned)n;
	}
	return (int)i;
}
