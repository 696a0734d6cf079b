/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What calls answer to wrong arguments and in wrong states: one source, run natively and
 * intercepted, the two must print the same (spec/intercept.md 3.2, 3.3, 3.8). */
#include "tests/lib/loopback.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void *const bad_pointer = (void *)-1;

static struct sockaddr *sa(struct sockaddr_in *in)
{
	return (struct sockaddr *)in;
}

static void case_socket(void)
{
	static const struct {
		int domain, type, protocol;
	} t[] = {
		{ AF_INET, SOCK_STREAM, IPPROTO_UDP },
		{ AF_INET, SOCK_STREAM, IPPROTO_ICMP },
		{ AF_INET, 9, 0 },
		{ AF_INET, 99, 0 },
		{ AF_INET, SOCK_STREAM, 300 },
		{ AF_INET, SOCK_STREAM, -1 },
		{ AF_INET, SOCK_STREAM | 0x10, 0 },
		{ 9999, SOCK_STREAM, 0 },
		{ -1, SOCK_STREAM, 0 },
		{ AF_INET, SOCK_STREAM, IPPROTO_TCP },
		{ AF_INET, 0, 0 },
		{ AF_UNIX, SOCK_STREAM, 0 },
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		int fd = socket(t[i].domain, t[i].type, t[i].protocol);
		say("socket(%d, %d, %d): %s", t[i].domain, t[i].type, t[i].protocol,
		    fd < 0 ? error_name(errno) : "ok");
		if (fd >= 0) {
			(void)close(fd);
		}
	}
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	say("flags %#x %#x", (unsigned)fcntl(fd, F_GETFL), (unsigned)fcntl(fd, F_GETFD));
	int plain = socket(AF_INET, SOCK_STREAM, 0);
	say("flags %#x %#x", (unsigned)fcntl(plain, F_GETFL), (unsigned)fcntl(plain, F_GETFD));
}

static void case_lowest(void)
{
	(void)close(0);
	say("socket: %d", lo_socket(0));
	(void)close(4);
	(void)dup2(1, 5);
	(void)dup2(1, 4);
	(void)close(4);
	say("socket: %d", lo_socket(SOCK_CLOEXEC));
	say("socket: %d", socket(AF_INET, SOCK_STREAM, 0));
}

static void case_fresh(void)
{
	char byte = 0;
	int fd = lo_socket(SOCK_NONBLOCK);
	struct sockaddr_in a = { .sin_port = 1 };
	socklen_t length = sizeof a;
	say_result("recv", recv(fd, &byte, 1, 0));
	say_result("recvfrom", recvfrom(fd, &byte, 1, 0, NULL, NULL));
	say_result("send", send(fd, "x", 1, MSG_NOSIGNAL));
	say_result("shutdown", shutdown(fd, SHUT_RDWR));
	say_result("shutdown", shutdown(fd, 7));
	say_result("accept", accept(fd, NULL, NULL));
	say_result("accept4", accept4(fd, NULL, NULL, 1));
	say_result("getpeername", getpeername(fd, sa(&a), &length));
	say_result("getsockname", getsockname(fd, sa(&a), &length));
	say("name %d %u %08x length %u", a.sin_family, a.sin_port, a.sin_addr.s_addr, length);
	say_so_error("fresh", fd);
}

static void case_listener(void)
{
	char byte = 0;
	uint16_t port;
	int fd = lo_listener(&port);
	struct sockaddr_in a = lo_addr("127.0.0.1", 0);
	socklen_t length = sizeof a;
	say_result("recv", recv(fd, &byte, 1, MSG_DONTWAIT));
	say_result("send", send(fd, "x", 1, MSG_NOSIGNAL));
	say_result("connect", lo_connect(fd, port));
	say_result("bind", bind(fd, sa(&a), sizeof a));
	say_result("listen again", listen(fd, 5));
	say_result("getpeername", getpeername(fd, sa(&a), &length));
	say_result("getsockname", getsockname(fd, sa(&a), &length));
	say("own port: %d", ntohs(a.sin_port) == port);
	say_result("shutdown WR", shutdown(fd, SHUT_WR));
	int c = lo_socket(0);
	say_result("connect", lo_connect(c, port));
	say_result("shutdown RD", shutdown(fd, SHUT_RD));
	say_result("connect", lo_connect(lo_socket(0), port));
}

static void case_connected(void)
{
	int c, s;
	struct sockaddr_in a = lo_addr("127.0.0.1", 0);
	lo_pair(&c, &s);
	say_result("connect", lo_connect(c, 9));
	say_result("connect", lo_connect(s, 9));
	say_result("listen", listen(c, 5));
	say_result("listen", listen(s, 5));
	say_result("bind", bind(c, sa(&a), sizeof a));
	say_result("accept", accept(c, NULL, NULL));
}

static void case_addresses(void)
{
	struct sockaddr_in a = lo_addr("192.0.2.1", 0);
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };
	int fd = lo_socket(0);
	say_result("bind foreign", bind(fd, sa(&a), sizeof a));
	say_result("bind short", bind(fd, sa(&a), 8));
	say_result("bind 0", bind(fd, sa(&a), 0));
	say_result("bind v6", bind(fd, (struct sockaddr *)&a6, sizeof a6));
	say_result("bind EFAULT", bind(fd, bad_pointer, sizeof a));
	say_result("connect short", connect(fd, sa(&a), 8));
	say_result("connect 1", connect(fd, sa(&a), 1));
	say_result("connect v6", connect(fd, (struct sockaddr *)&a6, sizeof a6));
	say_result("connect EFAULT", connect(fd, bad_pointer, sizeof a));
	say_result("connect long", connect(fd, sa(&a), 4096));
	a = lo_addr("0.0.0.0", 0);
	a.sin_family = AF_UNSPEC;
	say_result("bind AF_UNSPEC", bind(fd, sa(&a), sizeof a));
	say_result("bind again", bind(fd, sa(&a), sizeof a));
}

static void case_in_use(void)
{
	uint16_t port;
	int fd = lo_listener(&port), other = lo_socket(0);
	struct sockaddr_in a = lo_addr("127.0.0.1", port);
	say_result("bind", bind(other, sa(&a), sizeof a));
	(void)close(fd);
}

static void case_bad_descriptors(void)
{
	int pipe_fds[2], values[2];
	struct sockaddr_in a = lo_addr("127.0.0.1", 1);
	socklen_t length = sizeof a, int_length = sizeof values;
	if (pipe(pipe_fds) != 0) {
		return;
	}
	values[0] = 77;
	values[1] = pipe_fds[0];
	for (int i = 0; i < 2; i++) {
		int fd = values[i];
		char byte;
		say_result("bind", bind(fd, sa(&a), sizeof a));
		say_result("listen", listen(fd, 1));
		say_result("connect", connect(fd, sa(&a), sizeof a));
		say_result("accept", accept(fd, NULL, NULL));
		say_result("accept4", accept4(fd, NULL, NULL, SOCK_CLOEXEC));
		say_result("getsockname", getsockname(fd, sa(&a), &length));
		say_result("getpeername", getpeername(fd, sa(&a), &length));
		say_result("shutdown", shutdown(fd, SHUT_RD));
		say_result("send", send(fd, "x", 1, 0));
		say_result("recv", recv(fd, &byte, 1, 0));
		say_result("setsockopt", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &int_length, 4));
		say_result("setsockopt", setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &int_length, 4));
		say_result("setsockopt", setsockopt(fd, IPPROTO_TCP, 1, &int_length, 4));
		say_result("getsockopt", getsockopt(fd, SOL_SOCKET, SO_ERROR, values, &int_length));
	}
}

static void case_names(void)
{
	int c, s;
	lo_pair(&c, &s);
	for (int i = 0; i < 2; i++) {
		int fd = i ? s : c;
		struct sockaddr_storage a;
		socklen_t length = 7;
		memset(&a, 0x55, sizeof a);
		say_result("short", getpeername(fd, (struct sockaddr *)&a, &length));
		say("length %u, byte 7 %02x, family %d", length, ((uint8_t *)&a)[7], a.ss_family);
		length = sizeof a;
		memset(&a, 0x55, sizeof a);
		say_result("long", getsockname(fd, (struct sockaddr *)&a, &length));
		say("length %u, byte 16 %02x", length, ((uint8_t *)&a)[16]);
		length = 0;
		say_result("none", getsockname(fd, NULL, &length));
		say("length %u", length);
		length = (socklen_t)-1;
		say_result("negative", getpeername(fd, (struct sockaddr *)&a, &length));
		length = sizeof a;
		say_result("EFAULT", getpeername(fd, bad_pointer, &length));
		say_result("EFAULT", getsockname(fd, (struct sockaddr *)&a, LO_BAD_LENGTH));
		say_result("EFAULT", getsockname(fd, (struct sockaddr *)&a, NULL));
	}
}

static int pipe_signals;

static void count_signal(int number)
{
	(void)number;
	pipe_signals++;
}

/* SIGPIPE comes exactly when Linux sends it. */
static void case_sigpipe(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	int c, s;
	(void)sigaction(SIGPIPE, &action, NULL);
	int fresh = lo_socket(0);
	say_result("send", send(fresh, "x", 1, 0));
	say("signals %d", pipe_signals);
	say_result("send", send(fresh, "x", 1, MSG_NOSIGNAL));
	say("signals %d", pipe_signals);
	lo_pair(&c, &s);
	(void)send(c, "unread", 6, 0);
	(void)close(s); /* with unread bytes: a reset */
	say_mask_after("reset", c, POLLIN);
	say_result("send", send(c, "x", 1, 0));
	say("signals %d", pipe_signals);
	say_result("send", send(c, "x", 1, 0));
	say("signals %d", pipe_signals);
	say_result("sendto", sendto(c, "x", 1, MSG_NOSIGNAL, NULL, 0));
	say("signals %d", pipe_signals);
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, case_##name                                                                 \
	}
static const struct preload_case cases[] = {
	CASE(socket),    CASE(lowest), CASE(fresh),           CASE(listener), CASE(connected),
	CASE(addresses), CASE(in_use), CASE(bad_descriptors), CASE(names),    CASE(sigpipe),
};

int main(int argc, char **argv)
{
	return lo_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
