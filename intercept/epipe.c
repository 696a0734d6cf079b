/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What EPIPE from the kernel means on a TCP socket (spec/intercept.md 3.8). Nothing here runs
 * before the kernel has said it.
 *
 *   a pending error                   that error, once; then EPIPE
 *   short cut, a reset was told       EPIPE
 *   short cut, the peer has closed    the first bytes are taken, as TCP takes them: only the answer
 * to them, a reset, tells that nobody reads; then EPIPE (decision 261)
 *
 * That the first bytes were taken is remembered by the kernel's socket, so that fork, dup and exec
 * keep it: SO_PRIORITY of a unix socket is of no use to anybody, and a program's own SO_PRIORITY is
 * kept by the service.
 */
#include "intercept/epipe.h"

#include "rpc/sys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

enum { TAKEN = 1 };

ssize_t epipe_raise(int fd, int flags)
{
	if (hint_get(fd) != HINT_NONE && !(flags & MSG_NOSIGNAL)) {
		(void)sys(SYS_tgkill, sys(SYS_getpid, 0), sys(SYS_gettid, 0), SIGPIPE);
	}
	return done("send", fd, -EPIPE);
}

/* The other end of a short cut is closed, and nothing was sent since. Nothing is what these
 * `length` bytes are, too, if they are none. */
static bool is_first_since_close(int fd, size_t length)
{
	int mark = TAKEN;
	socklen_t mark_length = sizeof mark;
	if (hint_get(fd) == HINT_SHUT || !ident_is_short_cut(fd) || !(ident_poll(fd) & POLLHUP) ||
	    sys(SYS_getsockopt, fd, SOL_SOCKET, SO_PRIORITY, &mark, &mark_length) < 0 ||
	    mark == TAKEN) {
		return false;
	}
	mark = TAKEN;
	return length == 0 ||
	       sys(SYS_setsockopt, fd, SOL_SOCKET, SO_PRIORITY, &mark, sizeof mark) >= 0;
}

void epipe_reset_told(int fd)
{
	int mark = TAKEN;
	if (ident_is_short_cut(fd)) {
		(void)sys(SYS_setsockopt, fd, SOL_SOCKET, SO_PRIORITY, &mark, sizeof mark);
	}
}

ssize_t epipe_explained(int fd, int flags, size_t length)
{
	int error = 0;
	socklen_t error_length = sizeof error;
	if (!ident_is_ours(fd)) {
		errno = EPIPE;
		return -1;
	}
	if (sys(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &error_length) >= 0 &&
	    error != 0) {
		int known = opt_take_error(fd);
		epipe_reset_told(fd);
		return done("send", fd, known > 0 ? -known : -error);
	}
	return is_first_since_close(fd, length) ? (ssize_t)length : epipe_raise(fd, flags);
}

size_t epipe_length(const struct iovec *iov, size_t count)
{
	size_t length = 0;
	for (size_t i = 0; i < count; i++) {
		length += iov[i].iov_len;
	}
	return length;
}
