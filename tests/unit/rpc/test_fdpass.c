/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Messages with descriptors: what arrives, what is closed, what is reported lost; the fill of a
 * connecting socket. */
#include "rpc/rpc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
/* after the above, which it needs */
#include <cmocka.h>

static int pair[2];

static int descriptors(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while (readdir(dir)) {
		count++;
	}
	(void)closedir(dir);
	return count;
}

static int setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int teardown(void **state)
{
	(void)state;
	(void)close(pair[0]);
	(void)close(pair[1]);
	return 0;
}

static void test_there_and_back(void **state)
{
	char text[16];
	int out[2] = { 1, 2 }, in[2];
	(void)state;
	for (size_t sent = 0; sent <= 2; sent++) {
		size_t count = 2;
		assert_int_equal(rpc_send(pair[0], "hello", 5, out, sent, MSG_DONTWAIT), 0);
		assert_int_equal(rpc_recv(pair[1], text, sizeof text, in, &count, MSG_DONTWAIT), 5);
		assert_memory_equal(text, "hello", 5);
		assert_int_equal(count, sent);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(fcntl(in[i], F_GETFD), FD_CLOEXEC);
			(void)close(in[i]);
		}
	}
}

static void test_surplus_is_closed(void **state)
{
	char text[16];
	int out[2] = { 1, 2 }, in[2];
	size_t count;
	(void)state;
	int before = descriptors();
	for (size_t room = 0; room < 2; room++) {
		count = room;
		assert_int_equal(rpc_send(pair[0], "x", 1, out, 2, 0), 0);
		assert_int_equal(rpc_recv(pair[1], text, sizeof text, in, &count, 0), 1);
		assert_int_equal(count, room);
		assert_int_equal(descriptors(), before + (int)room);
		if (room) {
			(void)close(in[0]);
		}
	}
	assert_int_equal(rpc_send(pair[0], "x", 1, out, 2, 0), 0);
	assert_int_equal(rpc_recv(pair[1], text, sizeof text, NULL, NULL, 0), 1);
	assert_int_equal(descriptors(), before);
}

/* A sender that is not ours: many descriptors in one message. */
static void send_many(size_t count)
{
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control;
	int fds[64];
	struct iovec iov = { .iov_base = (char[]){ 'x' }, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	for (size_t i = 0; i < count; i++) {
		fds[i] = 1;
	}
	memset(&control, 0, sizeof control);
	m.msg_controllen = CMSG_SPACE(count * sizeof(int));
	control.h.cmsg_level = SOL_SOCKET;
	control.h.cmsg_type = SCM_RIGHTS;
	control.h.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.h), fds, count * sizeof(int));
	assert_int_equal(sendmsg(pair[0], &m, 0), 1);
}

static void test_many_are_closed(void **state)
{
	char text[16];
	int in[2], before = descriptors();
	size_t count = 2;
	(void)state;
	send_many(16);
	assert_int_equal(rpc_recv(pair[1], text, sizeof text, in, &count, 0), 1);
	assert_int_equal(count, 2);
	assert_int_equal(descriptors(), before + 2);
	(void)close(in[0]);
	(void)close(in[1]);
	count = 2;
	send_many(60); /* more than there is room for: reported, all closed */
	assert_int_equal(rpc_recv(pair[1], text, sizeof text, in, &count, 0), -EMFILE);
	assert_int_equal(count, 0);
	assert_int_equal(descriptors(), before);
}

static void test_lost_is_reported(void **state)
{
	struct rlimit old, low;
	char text[16];
	int in[2], out[2] = { 1, 2 }, before = descriptors();
	size_t count = 2;
	(void)state;
	assert_int_equal(rpc_send(pair[0], "x", 1, out, 2, 0), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 1; /* no number is free */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	long result = rpc_recv(pair[1], text, sizeof text, in, &count, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(result, -EMFILE);
	assert_int_equal(count, 0);
	assert_int_equal(descriptors(), before);
}

static void test_truncated(void **state)
{
	char text[4];
	int in[2], out[1] = { 1 }, before = descriptors();
	size_t count = 2;
	(void)state;
	assert_int_equal(rpc_send(pair[0], "too long", 8, out, 1, 0), 0);
	assert_int_equal(rpc_recv(pair[1], text, sizeof text, in, &count, 0), -EMSGSIZE);
	assert_int_equal(count, 0);
	assert_int_equal(descriptors(), before);
}

static void test_ends(void **state)
{
	static const char zeros[RPC_MAX_BYTES + 1];
	char text[4];
	int out[3] = { 1, 2, 1 };
	(void)state;
	assert_int_equal(rpc_recv(pair[1], text, sizeof text, NULL, NULL, MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(rpc_send(pair[0], zeros, RPC_MAX_BYTES + 1, NULL, 0, 0), -EMSGSIZE);
	assert_int_equal(rpc_send(pair[0], zeros, 1, out, 3, 0), -EMSGSIZE);
	(void)shutdown(pair[0], SHUT_RDWR);
	assert_int_equal(rpc_recv(pair[1], text, sizeof text, NULL, NULL, 0), 0);
	assert_int_equal(rpc_send(pair[0], zeros, 1, NULL, 0, 0), -EPIPE); /* and no signal */
	assert_int_equal(rpc_send(-1, zeros, 1, NULL, 0, 0), -EBADF);
}

static int queued(int fd)
{
	int bytes = -1;
	assert_int_equal(ioctl(fd, TIOCOUTQ, &bytes), 0);
	return bytes;
}

static short writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	(void)poll(&p, 1, 0);
	return p.revents;
}

static void test_prefill(void **state)
{
	static char sink[1 << 21];
	static const int sizes[] = { 0, 2304, 16384, 500000 };
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		int stream[2];
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, stream), 0);
		if (sizes[i]) {
			(void)setsockopt(stream[0], SOL_SOCKET, SO_SNDBUF, &sizes[i], sizeof(int));
		}
		uint32_t filled = rpc_prefill(stream[0]);
		assert_true(filled > 0);
		assert_int_equal(writable(stream[0]), 0);
		assert_int_equal(send(stream[0], "x", 1, 0), -1); /* as full as can be */
		assert_int_equal(rpc_prefill(stream[0]), 0);
		/* The service reads all but one byte at once; that byte pins little. */
		assert_int_equal(recv(stream[1], sink, filled - 1, 0), filled - 1);
		assert_int_equal(writable(stream[0]), POLLOUT);
		assert_true(queued(stream[0]) <= 1024);
		(void)close(stream[0]);
		(void)close(stream[1]);
	}
	assert_int_equal(rpc_prefill(-1), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_surplus_is_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_are_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_is_reported, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
		cmocka_unit_test(test_prefill),
	};
	return cmocka_run_group_tests_name("rpc descriptors", tests, NULL, NULL);
}
