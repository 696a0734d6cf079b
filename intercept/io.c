/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* send*(), recv*() (spec/intercept.md 3.4, 3.8): the kernel's, byte for byte. Only what a unix
 * socket answers differently is put right, and only around the call: never a system call more on
 * the way.
 *
 *   recv on a new socket or a listener   ENOTCONN (would block, or eat a record)
 *   send on a new socket or a listener   EPIPE
 *   send after the peer's reset          ECONNRESET once, then EPIPE
 *   an address given on a connection     ignored
 *   recvfrom, recvmsg: peer's name       length 0
 *   MSG_FASTOPEN                         connect(), then send
 */
#undef _FORTIFY_SOURCE /* we define what it would redirect */
#include "intercept/dgram.h"
#include "intercept/epipe.h"
#include "intercept/hint.h"
#include "intercept/intercept.h"

#include "rpc/sys.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>

/* A socket that cannot carry data: new, or a listener. Asked of the kernel only where a hint says
 * so. */
static bool is_dataless(int fd)
{
	struct who who;
	enum hint hint = hint_get(fd);
	if (likely(hint == HINT_NONE || hint == HINT_CONNECTED) || !ident_hinted(fd, &who)) {
		return false;
	}
	if (who.state == WHO_CONNECTED) {
		hint_set(fd, hint == HINT_SHUT ? HINT_SHUT : HINT_CONNECTED);
		return false;
	}
	if (who.state == WHO_LISTENING) {
		return true;
	}
	int events = ident_poll(fd);
	return (events & POLLOUT) && !(events & POLLHUP);
}

/* ---- datagrams (dgram.h) --------------------------------------------------------------------- */

static ssize_t dgram_done(const char *call, int fd, ssize_t result)
{
	return likely(result >= 0) ? result : done(call, fd, (int)result);
}

static ssize_t dgram_sent(int fd, const void *bytes, size_t length, int flags,
			  const struct sockaddr *sa, socklen_t sa_length)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
	struct msghdr m = { .msg_name = (void *)(uintptr_t)sa,
			    .msg_namelen = sa_length,
			    .msg_iov = &iov,
			    .msg_iovlen = 1 };
	return dgram_done("sendto", fd, dgram_sendmsg(fd, &m, flags));
}

static ssize_t dgram_received(int fd, void *bytes, size_t length, int flags, struct sockaddr *sa,
			      socklen_t *sa_length)
{
	struct iovec iov = { .iov_base = bytes, .iov_len = length };
	struct msghdr m = { .msg_name = sa_length ? sa : NULL,
			    .msg_namelen = sa && sa_length ? *sa_length : 0,
			    .msg_iov = &iov,
			    .msg_iovlen = 1 };
	ssize_t n = dgram_recvmsg(fd, &m, flags);
	if (n >= 0 && sa && sa_length) {
		*sa_length = m.msg_namelen;
	}
	return dgram_done("recvfrom", fd, n);
}

/* Without a hint, an address of ours would be ignored by a SEQPACKET socket and the message sent.
 */
static bool is_dgram_after_all(int fd, const struct sockaddr *sa, socklen_t length)
{
	if (likely(addr_is_null(sa)) || length < sizeof sa->sa_family ||
	    (sa->sa_family != AF_INET && sa->sa_family != AF_INET6 &&
	     sa->sa_family != AF_NETLINK) ||
	    hint_get(fd) != HINT_NONE) {
		return false;
	}
	ident_adopt(fd);
	return dgram_hinted(fd);
}

/* Descriptors came from another process: some may be sockets of messages. */
static void rights_hint(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
			hint_set(fd, HINT_NONE);
			ident_adopt(fd);
		}
	}
}

/* ---- sending --------------------------------------------------------------------------------- */

/* For a socket that is probably ours SIGPIPE is raised by us (epipe.c), because what the kernel
 * calls EPIPE may have to be ECONNRESET. */
static int send_flags(int fd, int flags)
{
	return hint_get(fd) == HINT_NONE ? flags : flags | MSG_NOSIGNAL;
}

static inline bool is_epipe(ssize_t result)
{
	return unlikely(result < 0) && errno == EPIPE;
}

EXPORT ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	if (!on()) {
		return real.send(fd, bytes, length, flags);
	}
	if (dgram_hinted(fd)) {
		return dgram_sent(fd, bytes, length, flags, NULL, 0);
	}
	if (unlikely(is_dataless(fd))) {
		return epipe_raise(fd, flags);
	}
	ssize_t result = real.send(fd, bytes, length, send_flags(fd, flags));
	return is_epipe(result) ? epipe_explained(fd, flags, length) : result;
}

/* MSG_FASTOPEN on a socket that is not connected: the handshake first. 0 = go on sending. */
static int fastopen(int fd, const struct sockaddr *sa, socklen_t length)
{
	struct who who;
	if (!ident_who(fd, &who) || who.state != WHO_UNNAMED) {
		return 0;
	}
	return conn_connect(fd, &who, sa, length);
}

EXPORT ssize_t sendto(int fd, const void *bytes, size_t length, int flags,
		      const struct sockaddr *sa, socklen_t sa_length)
{
	if (!on()) {
		return real.sendto(fd, bytes, length, flags, sa, sa_length);
	}
	if (dgram_hinted(fd) || is_dgram_after_all(fd, sa, sa_length)) {
		return dgram_sent(fd, bytes, length, flags, sa, sa_length);
	}
	if (unlikely(flags & MSG_FASTOPEN) && sa) {
		int error = fastopen(fd, sa, sa_length);
		if (error) {
			return done("sendto", fd, error);
		}
	}
	if (unlikely(is_dataless(fd))) {
		return epipe_raise(fd, flags);
	}
	ssize_t result = real.sendto(fd, bytes, length, send_flags(fd, flags), sa, sa_length);
	if (result < 0 && errno == EISCONN && sa && ident_is_ours(fd)) {
		result = real.sendto(fd, bytes, length, send_flags(fd, flags), NULL, 0);
	}
	return is_epipe(result) ? epipe_explained(fd, flags, length) : result;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (!on()) {
		return real.sendmsg(fd, m, flags);
	}
	if (addr_is_null(m)) {
		return real.sendmsg(fd, m, flags); /* EFAULT */
	}
	if (dgram_hinted(fd) || is_dgram_after_all(fd, m->msg_name, m->msg_namelen)) {
		return dgram_done("sendmsg", fd, dgram_sendmsg(fd, m, flags));
	}
	if (unlikely(flags & MSG_FASTOPEN) && addr_readable(m, sizeof *m) && m->msg_name) {
		int error = fastopen(fd, m->msg_name, m->msg_namelen);
		if (error) {
			return done("sendmsg", fd, error);
		}
	}
	if (unlikely(is_dataless(fd))) {
		return epipe_raise(fd, flags);
	}
	ssize_t result = real.sendmsg(fd, m, send_flags(fd, flags));
	if (result < 0 && errno == EISCONN && ident_is_ours(fd)) {
		struct msghdr bare = *m;
		bare.msg_name = NULL;
		bare.msg_namelen = 0;
		result = real.sendmsg(fd, &bare, send_flags(fd, flags));
	}
	return is_epipe(result)
		   ? epipe_explained(fd, flags, epipe_length(m->msg_iov, m->msg_iovlen))
		   : result;
}

EXPORT int sendmmsg(int fd, struct mmsghdr *m, unsigned count, mmsg_flags flags)
{
	if (!on()) {
		return real.sendmmsg(fd, m, count, flags);
	}
	if (dgram_hinted(fd)) {
		return (int)dgram_done("sendmmsg", fd, dgram_sendmmsg(fd, m, count, (int)flags));
	}
	if (unlikely(is_dataless(fd))) {
		return (int)epipe_raise(fd, flags);
	}
	int result = real.sendmmsg(fd, m, count, (mmsg_flags)send_flags(fd, (int)flags));
	if (result < 0 && errno == EISCONN && count > 0 && ident_is_ours(fd)) {
		/* Addresses that do not matter: one after the other. */
		unsigned i = 0;
		for (; i < count; i++) {
			ssize_t n = sendmsg(fd, &m[i].msg_hdr, flags);
			if (n < 0) {
				return i > 0 ? (int)i : -1;
			}
			m[i].msg_len = (unsigned)n;
		}
		return (int)i;
	}
	if (is_epipe(result) && count > 0) { /* of the first one */
		ssize_t n = epipe_explained(
		    fd, (int)flags, epipe_length(m->msg_hdr.msg_iov, m->msg_hdr.msg_iovlen));
		m->msg_len = n < 0 ? m->msg_len : (unsigned)n;
		return n < 0 ? -1 : 1;
	}
	return result;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* -ENOTCONN, -EAGAIN, or 0 = let the kernel do it. */
static int receive_check(int fd, int flags)
{
	if (unlikely(flags & MSG_ERRQUEUE) && ident_is_ours(fd)) {
		return -EAGAIN; /* there is no error queue; a unix socket would hand out data */
	}
	return unlikely(is_dataless(fd)) ? -ENOTCONN : 0;
}

/* An attempt that failed while nobody looked: the kernel knows only that it was reset. */
static ssize_t received(int fd, ssize_t result)
{
	if (unlikely(result < 0) && errno == ECONNRESET && hint_get(fd) == HINT_PENDING) {
		int error = opt_take_error(fd);
		errno = error > 0 ? error : ECONNRESET;
	}
	epipe_reset_seen(fd, result);
	return result;
}

/* TCP reports no address with data; a unix socket reports B's name. The buffer is the program's. */
static bool is_our_name(const void *name, socklen_t length)
{
	static const char magic[] = "\0ztnc1";
	struct sockaddr_un head;
	enum { HEAD = offsetof(struct sockaddr_un, sun_path) };
	if (length < HEAD + sizeof magic - 1) {
		return false;
	}
	memcpy(&head, name, HEAD + sizeof magic - 1);
	return head.sun_family == AF_UNIX && memcmp(head.sun_path, magic, sizeof magic - 1) == 0;
}

/* MSG_TRUNC on TCP: the bytes are thrown away, the buffer is not touched and may be NULL. A unix
 * stream knows nothing of it. One call, like the one it stands for. */
static ssize_t receive_nothing(int fd, size_t length, int flags)
{
	enum { PIECE = 4096, PIECES = 256 };
	char sink[PIECE];
	struct iovec iov[PIECES];
	size_t count = 0;
	for (size_t left = length; left > 0 && count < PIECES; count++) {
		iov[count].iov_base = sink; /* one after the other over each other */
		iov[count].iov_len = left < PIECE ? left : PIECE;
		left -= iov[count].iov_len;
	}
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = count };
	return real.recvmsg(fd, &m, flags & ~MSG_TRUNC);
}

static bool is_stream_of_ours(int fd)
{
	struct who who;
	int type = 0;
	socklen_t length = sizeof type;
	return ident_who(fd, &who) &&
	       sys(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
	       type == SOCK_STREAM;
}

EXPORT ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
	if (!on()) {
		return real.recv(fd, bytes, length, flags);
	}
	if (dgram_hinted(fd)) {
		return dgram_received(fd, bytes, length, flags, NULL, NULL);
	}
	int error = receive_check(fd, flags);
	if (error) {
		return done("recv", fd, error);
	}
	if (unlikely(flags & MSG_TRUNC) && is_stream_of_ours(fd)) {
		return received(fd, receive_nothing(fd, length, flags));
	}
	return received(fd, real.recv(fd, bytes, length, flags));
}

EXPORT ssize_t recvfrom(int fd, void *bytes, size_t length, int flags, struct sockaddr *sa,
			socklen_t *sa_length)
{
	if (!on()) {
		return real.recvfrom(fd, bytes, length, flags, sa, sa_length);
	}
	if (dgram_hinted(fd)) {
		return dgram_received(fd, bytes, length, flags, sa, sa_length);
	}
	int error = receive_check(fd, flags);
	if (error) {
		return done("recvfrom", fd, error);
	}
	if (unlikely(flags & MSG_TRUNC) && is_stream_of_ours(fd)) {
		if (sa && sa_length) {
			*sa_length = 0;
		}
		return received(fd, receive_nothing(fd, length, flags));
	}
	ssize_t result = received(fd, real.recvfrom(fd, bytes, length, flags, sa, sa_length));
	if (result >= 0 && sa && sa_length && is_our_name(sa, *sa_length)) {
		*sa_length = 0;
	}
	return result;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	if (!on()) {
		return real.recvmsg(fd, m, flags);
	}
	if (dgram_hinted(fd)) {
		return dgram_done("recvmsg", fd, dgram_recvmsg(fd, m, flags));
	}
	int error = receive_check(fd, flags);
	if (error) {
		return done("recvmsg", fd, error);
	}
	ssize_t result = received(fd, real.recvmsg(fd, m, flags));
	if (result >= 0 && m->msg_controllen > 0) {
		rights_hint(m);
	}
	if (result >= 0 && m->msg_name && is_our_name(m->msg_name, m->msg_namelen)) {
		m->msg_namelen = 0;
	}
	return result;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *m, unsigned count, mmsg_flags flags,
		    struct timespec *timeout)
{
	if (!on()) {
		return real.recvmmsg(fd, m, count, flags, timeout);
	}
	if (dgram_hinted(fd)) {
		return (int)dgram_done("recvmmsg", fd,
				       dgram_recvmmsg(fd, m, count, (int)flags, timeout));
	}
	int error = receive_check(fd, flags);
	if (error) {
		return done("recvmmsg", fd, error);
	}
	int result = (int)received(fd, real.recvmmsg(fd, m, count, flags, timeout));
	for (int i = 0; i < result; i++) {
		struct msghdr *h = &m[i].msg_hdr;
		if (h->msg_name && is_our_name(h->msg_name, h->msg_namelen)) {
			h->msg_namelen = 0;
		}
	}
	return result;
}

/* ---- other names of the same ----------------------------------------------------------------- */

#ifdef __GLIBC__ /* musl has no such functions */
/* What programs built with _FORTIFY_SOURCE call; names, parameters and the end are libc's.
 * NOLINTBEGIN(bugprone-reserved-identifier,readability-function-size) */
extern void __chk_fail(void) __attribute__((noreturn));
extern ssize_t __recv_chk(int fd, void *bytes, size_t length, size_t room, int flags);
extern ssize_t __recvfrom_chk(int fd, void *bytes, size_t length, size_t room, int flags,
			      struct sockaddr *sa, socklen_t *sa_length);

EXPORT ssize_t __recv_chk(int fd, void *bytes, size_t length, size_t room, int flags)
{
	if (length > room) {
		__chk_fail();
	}
	return recv(fd, bytes, length, flags);
}

EXPORT ssize_t __recvfrom_chk(int fd, void *bytes, size_t length, size_t room, int flags,
			      struct sockaddr *sa, socklen_t *sa_length)
{
	if (length > room) {
		__chk_fail();
	}
	return recvfrom(fd, bytes, length, flags, sa, sa_length);
}
/* NOLINTEND(bugprone-reserved-identifier,readability-function-size) */
#endif

ALIAS(__send, send);
ALIAS(__recv, recv);
ALIAS(__sendmmsg, sendmmsg);
