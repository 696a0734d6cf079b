/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* read() and write(): the kernel's, on every descriptor but a datagram socket, where a message may
 * have a header. One load decides (hint.h). */
#undef _FORTIFY_SOURCE /* we define what it would redirect */
#include "intercept/dgram.h"

#include <unistd.h>

EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
	if (likely(!dgram_hinted(fd)) || count < 0) {
		return real.readv(fd, iov, count);
	}
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
			    .msg_iovlen = (size_t)count };
	ssize_t n = dgram_recvmsg(fd, &m, 0);
	return n >= 0 ? n : done("readv", fd, (int)n);
}

EXPORT ssize_t read(int fd, void *bytes, size_t length)
{
	if (likely(!dgram_hinted(fd)) || length == 0) {
		return real.read(fd, bytes, length);
	}
	struct iovec iov = { .iov_base = bytes, .iov_len = length };
	return readv(fd, &iov, 1);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	if (likely(!dgram_hinted(fd)) || count < 0) {
		return real.writev(fd, iov, count);
	}
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
			    .msg_iovlen = (size_t)count };
	ssize_t n = dgram_sendmsg(fd, &m, 0);
	return n >= 0 ? n : done("writev", fd, (int)n);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t length)
{
	if (likely(!dgram_hinted(fd))) {
		return real.write(fd, bytes, length);
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
