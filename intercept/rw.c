/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* read() and write(): the kernel's, on every descriptor but a datagram socket, where a message may
 * have a header. One load decides (hint.h). Of what the kernel refuses with EPIPE the reason is
 * asked afterwards (epipe.h); it has raised SIGPIPE by then. */
#undef _FORTIFY_SOURCE /* we define what it would redirect */
#include "intercept/dgram.h"
#include "intercept/epipe.h"
#include "intercept/hint.h"

#include <errno.h>
#include <unistd.h>

/* EPIPE, and of a socket of ours as far as known: pipes are not asked about, and a sandbox that
 * allows write() alone would end a program that merely inherited the socket. */
static inline bool is_epipe(int fd, ssize_t result)
{
	return unlikely(result < 0) && errno == EPIPE && hint_get(fd) != HINT_NONE;
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
	if (likely(!dgram_hinted(fd)) || count < 0) {
		ssize_t n = real.readv(fd, iov, count);
		epipe_reset_seen(fd, n);
		return n;
	}
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
			    .msg_iovlen = (size_t)count };
	ssize_t n = dgram_recvmsg(fd, &m, 0);
	if (n == -ENOTSOCK) { /* the hint was wrong: fclose() is no close() of ours */
		hint_set(fd, HINT_NONE);
		return real.readv(fd, iov, count);
	}
	return n >= 0 ? n : done("readv", fd, (int)n);
}

EXPORT ssize_t read(int fd, void *bytes, size_t length)
{
	if (likely(!dgram_hinted(fd)) || length == 0) {
		ssize_t n = real.read(fd, bytes, length);
		epipe_reset_seen(fd, n);
		return n;
	}
	struct iovec iov = { .iov_base = bytes, .iov_len = length };
	return readv(fd, &iov, 1);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	if (likely(!dgram_hinted(fd)) || count < 0) {
		ssize_t n = real.writev(fd, iov, count);
		return is_epipe(fd, n)
			   ? epipe_explained(fd, MSG_NOSIGNAL, epipe_length(iov, (size_t)count))
			   : n;
	}
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
			    .msg_iovlen = (size_t)count };
	ssize_t n = dgram_sendmsg(fd, &m, 0);
	if (n == -ENOTSOCK) {
		hint_set(fd, HINT_NONE);
		return real.writev(fd, iov, count);
	}
	return n >= 0 ? n : done("writev", fd, (int)n);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t length)
{
	if (likely(!dgram_hinted(fd))) {
		ssize_t n = real.write(fd, bytes, length);
		return is_epipe(fd, n) ? epipe_explained(fd, MSG_NOSIGNAL, length) : n;
	}
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
	return writev(fd, &iov, 1);
}

#ifdef __GLIBC__ /* musl has no such functions */
/* What programs built with _FORTIFY_SOURCE call.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
extern void __chk_fail(void) __attribute__((noreturn));
extern ssize_t __read_chk(int fd, void *bytes, size_t length, size_t room);

EXPORT ssize_t __read_chk(int fd, void *bytes, size_t length, size_t room)
{
	if (length > room) {
		__chk_fail();
	}
	return read(fd, bytes, length);
}
/* NOLINTEND(bugprone-reserved-identifier) */
#endif

ALIAS(__read, read);
ALIAS(__write, write);
