/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One message with its descriptors, there and back.
 *
 * How this works: raw system calls only, because this runs inside any program: in signal handlers,
 * between fork and exec, and where sendmsg() itself is the function being replaced. Descriptors are
 * owned by whoever holds their number: rpc_send() keeps the caller's, rpc_recv() hands over at most
 * as many as asked for and closes every other one.
 */
#include "rpc/rpc.h"
#include "rpc/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Room for more descriptors than anybody may send, so that surplus ones arrive and are closed here
 * rather than make the kernel report a cut-off message. */
enum { RECEIVE_MAX_FDS = 16 };

int rpc_send(int fd, const void *message, size_t length, const int *fds, size_t fd_count, int flags)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(RPC_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (fd_count > RPC_MAX_FDS || length > RPC_MAX_BYTES) {
		return -EMSGSIZE;
	}
	/* The kernel only reads it; struct iovec has no const. */
	memcpy(&iov.iov_base, &message, sizeof message);
	iov.iov_len = length;
	if (fd_count > 0) {
		memset(&control, 0, sizeof control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	long sent;
	do {
		sent = sys(SYS_sendmsg, fd, &m, flags | MSG_NOSIGNAL);
	} while (sent == -EINTR);
	if (sent < 0) {
		return (int)sent;
	}
	return (size_t)sent == length ? 0 : -EMSGSIZE;
}

static void fds_close(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		(void)sys(SYS_close, fds[i]);
	}
}

/* Collect the descriptors of `m`: the first `room` into fds, the others closed. */
static size_t fds_take(struct msghdr *m, int *fds, size_t room)
{
	size_t taken = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len < CMSG_LEN(0)) {
			continue;
		}
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (taken < room) {
				fds[taken++] = fd;
			} else {
				fds_close(&fd, 1);
			}
		}
	}
	return taken;
}

long rpc_recv(int fd, void *message, size_t capacity, int *fds, size_t *fd_count, int flags)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(RECEIVE_MAX_FDS * sizeof(int))];
	} control;
	memset(&control, 0, sizeof control);
	struct iovec iov = { .iov_base = message, .iov_len = capacity };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	size_t room = fd_count ? *fd_count : 0;
	if (fd_count) {
		*fd_count = 0;
	}
	long length = sys(SYS_recvmsg, fd, &m, flags | MSG_CMSG_CLOEXEC);
	if (length < 0) {
		return length;
	}
	size_t taken = fds_take(&m, fds, room);
	int lost = (m.msg_flags & MSG_CTRUNC) ? -EMFILE : (m.msg_flags & MSG_TRUNC) ? -EMSGSIZE : 0;
	if (lost) {
		fds_close(fds, taken);
		return lost;
	}
	if (fd_count) {
		*fd_count = taken;
	}
	return length;
}
