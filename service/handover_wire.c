/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Messages of a hand-over with their descriptors. Both ends are the same program on one machine, so
 * a message is a struct; its size and magic are checked. */
#include "service/handover.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(HANDOVER_FDS_PER_MESSAGE * sizeof(int))];
};

int handover_send(int fd, const struct handover_message *m, const int *fds, size_t count)
{
	struct handover_message copy = *m;
	copy.magic = HANDOVER_MAGIC;
	struct iovec iov = { .iov_base = &copy, .iov_len = sizeof copy };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	memset(&control, 0, sizeof control);
	if (count > HANDOVER_FDS_PER_MESSAGE) {
		return -EMSGSIZE;
	}
	if (count > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	ssize_t sent;
	do {
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)sizeof copy ? 0 : sent < 0 ? -errno : -EMSGSIZE;
}

/* Descriptors of the message into fds; how many. */
static size_t fds_take(struct msghdr *message, int *fds, size_t room)
{
	size_t taken = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (taken < room) {
				fds[taken++] = fd;
			} else {
				(void)close(fd);
			}
		}
	}
	return taken;
}

static int wait_for(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;
	do {
		n = poll(&p, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

int handover_receive_fds(int from, int timeout_ms, struct handover_message *out, int *fds,
			 size_t *count)
{
	union control control;
	struct iovec iov = { .iov_base = out, .iov_len = sizeof *out };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof control };
	size_t room = *count;
	*count = 0;
	int error = wait_for(from, timeout_ms);
	if (error != 0) {
		return error;
	}
	ssize_t length = recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
		return -ETIMEDOUT;
	}
	if (length <= 0) {
		return -EPIPE;
	}
	*count = fds_take(&message, fds, room);
	out->text[sizeof out->text - 1] = '\0';
	if ((message.msg_flags & MSG_CTRUNC) != 0) {
		return -EMFILE;
	}
	return length == (ssize_t)sizeof *out && out->magic == HANDOVER_MAGIC ? 0 : -EPROTO;
}

int handover_receive(int from, int timeout_ms, struct handover_message *out, int *fd)
{
	size_t count = 1;
	*fd = -1;
	return handover_receive_fds(from, timeout_ms, out, fd, &count);
}
