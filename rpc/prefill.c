/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Making a stream socket say "connecting": its send buffer is filled (spec/intercept.md 3.3, S1).
 *
 * How this works: poll() calls a unix stream socket writable while four times what is queued is at
 * most SO_SNDBUF, and send() says EAGAIN once what is queued reaches SO_SNDBUF. One sendmsg() of
 * zeros takes 23/24 of the buffer (the kernel charges about 2 % on top), then single bytes, each of
 * which costs 768, take the rest: about 16 us in all (measured). The last byte is the one that
 * stays unread when the connection is made; it must not share its kernel buffer with 37 KB of
 * others.
 */
#include "rpc/rpc.h"
#include "rpc/sys.h"

#include <sys/socket.h>
#include <sys/uio.h>

enum {
	PIECE_BYTES = 8192,
	MAX_PIECES = 128,
	MAX_ONES = 4096, /* a bound, never reached: a full buffer ends the loop */
};

static const char zeros[PIECE_BYTES];

uint32_t rpc_prefill(int fd)
{
	int buffer = 0;
	socklen_t length = sizeof buffer;
	if (sys(SYS_getsockopt, fd, SOL_SOCKET, SO_SNDBUF, &buffer, &length) < 0 || buffer < 0) {
		return 0;
	}
	struct iovec iov[MAX_PIECES];
	size_t bulk = (size_t)buffer / 24 * 23, count = bulk / PIECE_BYTES;
	if (count > MAX_PIECES) {
		count = MAX_PIECES;
	}
	for (size_t i = 0; i < count; i++) {
		iov[i] =
		    (struct iovec){ .iov_base = (void *)(uintptr_t)zeros, .iov_len = PIECE_BYTES };
	}
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = count };
	uint32_t total = 0;
	long sent = count ? sys(SYS_sendmsg, fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (sent > 0) {
		total += (uint32_t)sent;
	}
	for (int i = 0; i < MAX_ONES; i++) {
		sent = sys(SYS_sendto, fd, zeros, 1, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
		if (sent != 1) {
			break;
		}
		total++;
	}
	return total;
}
