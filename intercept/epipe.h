/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What EPIPE from the kernel means on a TCP socket (epipe.c). */
#ifndef INTERCEPT_EPIPE_H
#define INTERCEPT_EPIPE_H

#include "intercept/hint.h"
#include "intercept/intercept.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Fail with EPIPE. SIGPIPE is raised here if a hint says that the socket is ours, as the kernel was
 * told not to (send_flags() in io.c), unless flags hold MSG_NOSIGNAL. */
ssize_t epipe_raise(int fd, int flags);
/* The kernel said EPIPE of sending `length` bytes. What TCP says: a result, or -1 with errno. */
ssize_t epipe_explained(int fd, int flags, size_t length);
/* The program was told of a reset (ECONNRESET, by whatever call): nothing is taken any more. Leaves
 * errno alone. */
void epipe_reset_told(int fd);
static inline void epipe_reset_seen(int fd, ssize_t result)
{
	if (unlikely(result < 0) && errno == ECONNRESET && hint_get(fd) != HINT_NONE) {
		epipe_reset_told(fd);
	}
}
/* How many bytes the kernel was given; it has read the vector already. */
size_t epipe_length(const struct iovec *iov, size_t count);

#endif
