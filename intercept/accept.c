/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* accept(), accept4() (spec/intercept.md 3.2).
 *
 * How this works: each accepted connection waits on A as one record with one descriptor, so poll()
 * on a listener, blocking, SO_RCVTIMEO, O_NONBLOCK, and any number of processes accepting from one
 * socket are the kernel's. A record whose descriptor finds no number is lost for good, so a free
 * number is proven first, which is also the order in which the kernel reports EMFILE.
 */
#include "intercept/hint.h"
#include "intercept/intercept.h"

#include "rpc/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>

/* The number that accept() gave last: while it is far below the limit, so is the next. */
static atomic_int last_taken = INT_MAX;

static bool is_far_from_limit(void)
{
	enum { FAR = 256 };
	struct rlimit limit = { .rlim_cur = 0 };
	int last = atomic_load_explicit(&last_taken, memory_order_relaxed);
	return last < INT_MAX - FAR && sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit) == 0 &&
	       limit.rlim_cur > (rlim_t)last + FAR;
}

/* -EMFILE if no descriptor number is free. */
static int number_probe(int fd)
{
	if (likely(is_far_from_limit())) {
		return 0;
	}
	long probe = sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);
	if (probe < 0) {
		return (int)probe;
	}
	(void)sys(SYS_close, probe);
	return 0;
}

/* The one blocking call, libc's because it is a cancellation point. Descriptor or -errno. */
static int record_receive(int fd, struct rpc_accept *record, bool cloexec)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = record, .iov_len = sizeof *record };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	ssize_t n = real.recvmsg(fd, &m, cloexec ? MSG_CMSG_CLOEXEC : 0);
	if (n < 0) {
		return errno == ECONNRESET ? -EINVAL : -errno;
	}
	if (n == 0) {
		rest_listener(fd);
		return -EINVAL;
	}
	int taken = -1;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof taken)) {
		memcpy(&taken, CMSG_DATA(c), sizeof taken);
	}
	if (m.msg_flags & MSG_CTRUNC) {
		return -EMFILE;
	}
	if (n != sizeof *record || record->magic != RPC_ACCEPT_MAGIC || taken < 0) {
		if (taken >= 0) {
			(void)sys(SYS_close, taken);
		}
		return -ECONNABORTED;
	}
	return taken;
}

static int accept_ours(int fd, struct sockaddr *sa, socklen_t *length, int flags)
{
	struct rpc_accept record;
	int error = number_probe(fd);
	if (error) {
		return error;
	}
	int taken = record_receive(fd, &record, (flags & SOCK_CLOEXEC) != 0);
	if (taken < 0) {
		return taken;
	}
	if (record.flags & RPC_ACCEPT_TOKEN) {
		char token; /* says that somebody accepted: see rpc.h */
		(void)sys(SYS_recvfrom, taken, &token, 1, MSG_DONTWAIT, 0, 0);
	}
	if (flags & SOCK_NONBLOCK) {
		long status = sys(SYS_fcntl, taken, F_GETFL);
		(void)sys(SYS_fcntl, taken, F_SETFL, (status < 0 ? 0 : status) | O_NONBLOCK);
	}
	error = sa ? addr_out(&record.remote, sa, length) : 0;
	if (error) {
		(void)sys(SYS_close, taken); /* as Linux: the connection is gone */
		return error;
	}
	atomic_store_explicit(&last_taken, taken, memory_order_relaxed);
	hint_set(taken, HINT_CONNECTED);
	return taken;
}

/* False if it is not ours; else 0 in `error`, or why it cannot accept. */
static bool is_listener(int fd, int *error)
{
	struct who who;
	if (likely(ident_is_listener(fd))) {
		*error = 0;
		return true;
	}
	if (!ident_who(fd, &who)) {
		return false;
	}
	*error = who.kind != RPC_KIND_STREAM  ? -EOPNOTSUPP
		 : who.state == WHO_LISTENING ? 0
					      : -EINVAL;
	return true;
}

static int accept_any(int fd, struct sockaddr *sa, socklen_t *length, int flags)
{
	int error = 0;
	if (!is_listener(fd, &error)) {
		if (hint_get(fd) != HINT_NETLINK) {
			hint_set(fd, HINT_NONE);
		}
		return -ENOSYS; /* not ours */
	}
	return error ? error : accept_ours(fd, sa, length, flags);
}

EXPORT int accept4(int fd, struct sockaddr *sa, socklen_t *length, int flags)
{
	if (!on()) {
		return real.accept4(fd, sa, length, flags);
	}
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) {
		return done("accept4", fd, -EINVAL);
	}
	int result = hint_get(fd) == HINT_NONE ? -ENOSYS : accept_any(fd, sa, length, flags);
	if (result == -ENOSYS) {
		result = real.accept4(fd, sa, length, flags);
		if (result >= 0 || errno != EINVAL || !ident_is_ours(fd)) {
			hint_set(result, HINT_NONE);
			return native("accept", fd, result);
		}
		result = accept_any(fd, sa, length, flags);
	}
	return done("accept", fd, result);
}

EXPORT int accept(int fd, struct sockaddr *sa, socklen_t *length)
{
	if (!on()) {
		return real.accept(fd, sa, length);
	}
	int result = hint_get(fd) == HINT_NONE ? -ENOSYS : accept_any(fd, sa, length, 0);
	if (result == -ENOSYS) {
		result = real.accept(fd, sa, length);
		if (result >= 0 || errno != EINVAL || !ident_is_ours(fd)) {
			hint_set(result, HINT_NONE);
			return native("accept", fd, result);
		}
		result = accept_any(fd, sa, length, 0);
	}
	return done("accept", fd, result);
}
