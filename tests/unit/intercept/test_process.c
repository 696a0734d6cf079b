/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Descriptors that travel: dup, fork, exec, SCM_RIGHTS, threads (spec/intercept.md 4): natively and
 * intercepted. */
#include "tests/lib/loopback.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

static void say_peer(const char *what, int fd)
{
	struct sockaddr_in a = { .sin_port = 0 };
	socklen_t length = sizeof a;
	int result = getpeername(fd, (struct sockaddr *)&a, &length);
	say("%s: getpeername %s %08x port %d", what, result ? error_name(errno) : "ok",
	    ntohl(a.sin_addr.s_addr), a.sin_port != 0);
}

static void case_dup(void)
{
	uint16_t port;
	int listener = lo_listener(&port), c = lo_socket(0);
	int copies[] = { dup(listener), dup2(listener, 50), dup3(listener, 51, O_CLOEXEC),
			 fcntl(listener, F_DUPFD, 60), fcntl(listener, F_DUPFD_CLOEXEC, 61) };
	(void)close(listener);
	for (size_t i = 0; i < 5; i++) {
		int fd = dup(c), s;
		say_result("connect", lo_connect(c, port));
		s = accept(copies[i], NULL, NULL);
		(void)close(c);
		say_peer("copy of the connector", fd);
		say_peer("accepted", s);
		say_result("send", send(fd, "x", 1, 0));
		char byte;
		say_result("recv", recv(s, &byte, 1, 0));
		say_result("the listener's copy", recv(copies[i], &byte, 1, MSG_DONTWAIT));
		c = lo_socket(0);
	}
}

static void serve_increments(int listener)
{
	int s;
	char byte;
	while ((s = accept(listener, NULL, NULL)) >= 0) {
		if (recv(s, &byte, 1, 0) != 1 || byte == 'q') {
			_exit(0);
		}
		byte++;
		(void)send(s, &byte, 1, 0);
		(void)close(s);
	}
	_exit(1);
}

/* Several processes accept from one listener; a connection made by the parent is used by the child.
 */
static void case_fork(void)
{
	enum { CHILDREN = 4, CONNECTIONS = 40 };
	uint16_t port;
	int listener = lo_listener(&port), sum = 0, served[CONNECTIONS] = { 0 };
	for (int i = 0; i < CHILDREN; i++) {
		if (fork() == 0) {
			serve_increments(listener);
		}
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		int c = lo_socket(0);
		char byte = (char)i;
		(void)lo_connect(c, port);
		(void)send(c, &byte, 1, 0);
		(void)recv(c, &byte, 1, MSG_WAITALL);
		served[i] = byte == (char)(i + 1);
		(void)close(c);
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		sum += served[i];
	}
	say("served %d", sum);
	for (int i = 0; i < CHILDREN; i++) {
		int c = lo_socket(0);
		(void)lo_connect(c, port);
		(void)send(c, "q", 1, 0);
		(void)close(c);
	}
	for (int i = 0, status; i < CHILDREN; i++) {
		(void)wait(&status);
		say("child %#x", (unsigned)status);
	}
}

static void case_fork_sockets(void)
{
	/* Sockets made on both sides after fork: the control connection is shared. */
	uint16_t port;
	int listener = lo_listener(&port);
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 50; i++) {
			int c = lo_socket(0);
			if (lo_connect(c, port) != 0) {
				_exit(1);
			}
			(void)close(c);
		}
		_exit(0);
	}
	int good = 0, status = -1;
	for (int i = 0; i < 50; i++) {
		int s = accept(listener, NULL, NULL), other = lo_socket(0);
		good += s >= 0 && other >= 0;
		(void)close(s);
		(void)close(other);
	}
	(void)waitpid(pid, &status, 0);
	say("good %d, child %d", good, status);
}

/* inetd's way: the new image finds a connection at 0 and a listener at 3. */
static void case_exec_child(void)
{
	char byte;
	say_peer("inherited", 0);
	say_result("recv", recv(0, &byte, 1, 0));
	say_result("send", send(0, "y", 1, 0));
	say_peer("listener", 3);
	int s = accept(3, NULL, NULL);
	say_peer("accepted", s);
	int type = -1, listens = -1;
	socklen_t length = sizeof type;
	(void)getsockopt(0, SOL_SOCKET, SO_DOMAIN, &type, &length);
	(void)getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length);
	say("domain %d listens %d", type, listens);
	say_result("fresh: connect", lo_connect(4, 1) < 0 && errno == ECONNREFUSED ? 0 : -1);
	struct sockaddr_in a = { .sin_port = 0 };
	length = sizeof a;
	say_result("listen on 4", listen(4, 1));
	say_result("getsockname", getsockname(4, (struct sockaddr *)&a, &length));
	say("port %d length %u", a.sin_port != 0, length);
	int one = 1;
	say_result("setsockopt", setsockopt(0, IPPROTO_TCP, 1, &one, sizeof one));
	say_result("again", connect(0, (struct sockaddr *)&a, sizeof a));
	say_result("shutdown", shutdown(0, SHUT_WR));
}

static void case_exec(void)
{
	uint16_t port;
	int listener = lo_listener(&port), c = lo_socket(0), fresh = lo_socket(0);
	(void)lo_connect(c, port);
	int s = accept(listener, NULL, NULL), next = lo_socket(0);
	(void)send(c, "x", 1, 0);
	(void)lo_connect(next, port);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(s, 20);
		(void)dup2(listener, 21);
		(void)dup2(fresh, 22);
		(void)dup2(20, 0);
		(void)dup2(21, 3);
		(void)dup2(22, 4);
		char self[4096];
		ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
		self[n > 0 ? n : 0] = '\0';
		(void)execl(self, self, "--case", "exec_child", (char *)NULL);
		_exit(1);
	}
	int status;
	char byte;
	(void)waitpid(pid, &status, 0);
	say("status %d", status);
	say_result("answer", recv(c, &byte, 1, 0));
}

static void fd_send(int channel, int fd)
{
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = (char[]){ 'f' }, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	memset(&control, 0, sizeof control);
	control.h.cmsg_level = SOL_SOCKET;
	control.h.cmsg_type = SCM_RIGHTS;
	control.h.cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(&control.h), &fd, sizeof fd);
	(void)sendmsg(channel, &m, 0);
}

static int fd_receive(int channel)
{
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	int fd = -1;
	if (recvmsg(channel, &m, 0) == 1 && CMSG_FIRSTHDR(&m)) {
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	}
	return fd;
}

static void case_scm_rights(void)
{
	int channel[2];
	uint16_t port;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, channel) != 0) {
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		int listener = fd_receive(channel[1]), c = fd_receive(channel[1]);
		say_peer("connection", c);
		int s = accept(listener, NULL, NULL);
		say_peer("accepted", s);
		say_result("send", send(s, "hello", 5, 0));
		_exit(0);
	}
	int listener = lo_listener(&port), c = lo_socket(0);
	char text[8];
	(void)lo_connect(c, port);
	fd_send(channel[0], listener);
	fd_send(channel[0], c);
	(void)close(listener);
	(void)waitpid(pid, NULL, 0);
	say_result("recv", recv(c, text, sizeof text, 0));
}

static int thread_listener;
static uint16_t thread_port;

static void *client_thread(void *count)
{
	for (int i = 0; i < 50; i++) {
		int c = lo_socket(0);
		char byte = 'a';
		if (lo_connect(c, thread_port) == 0 && send(c, "b", 1, 0) == 1 &&
		    recv(c, &byte, 1, 0) == 1 && byte == 'c') {
			(*(int *)count)++;
		}
		(void)close(c);
	}
	return NULL;
}

static void *server_thread(void *unused)
{
	for (int i = 0; i < 50; i++) {
		char byte;
		int s = accept(thread_listener, NULL, NULL);
		if (recv(s, &byte, 1, 0) == 1) {
			byte++;
			(void)send(s, &byte, 1, 0);
		}
		(void)close(s);
	}
	return unused;
}

static void case_threads(void)
{
	enum { PAIRS = 6 };
	pthread_t clients[PAIRS], servers[PAIRS];
	int counts[PAIRS] = { 0 }, sum = 0;
	thread_listener = lo_listener(&thread_port);
	for (int i = 0; i < PAIRS; i++) {
		(void)pthread_create(&servers[i], NULL, server_thread, NULL);
		(void)pthread_create(&clients[i], NULL, client_thread, &counts[i]);
	}
	for (int i = 0; i < PAIRS; i++) {
		(void)pthread_join(servers[i], NULL);
		(void)pthread_join(clients[i], NULL);
		sum += counts[i];
	}
	say("%d", sum);
}

static void case_spawn(void)
{
	/* vfork inside libc, file actions without our hooks. */
	posix_spawn_file_actions_t actions;
	uint16_t port;
	int listener = lo_listener(&port), c = lo_socket(0), status = -1;
	(void)lo_connect(c, port);
	int s = accept(listener, NULL, NULL);
	pid_t pid;
	char *argv[] = { (char *)(size_t) "sh", (char *)(size_t) "-c",
			 (char *)(size_t) "echo hello", NULL };
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, s, 1);
	say_result("spawn", posix_spawnp(&pid, "sh", &actions, NULL, argv, environ));
	(void)waitpid(pid, &status, 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(s);
	char text[16] = "";
	say_result("recv", recv(c, text, sizeof text, MSG_WAITALL));
	say("%d %s", status, text);
}

/* close() is the end of a descriptor in epoll's eyes too: no message of ours may still hold it. */
static void case_epoll_forgets(void)
{
	int ep = epoll_create1(0), late = 0, one = 1;
	for (int i = 0; i < 100; i++) {
		struct linger linger = { 0, 0 };
		struct sockaddr_in a;
		socklen_t length = sizeof a;
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT };
		int c, s;
		lo_pair(&c, &s);
		(void)epoll_ctl(ep, EPOLL_CTL_ADD, c, &e);
		(void)epoll_ctl(ep, EPOLL_CTL_ADD, s, &e);
		(void)getsockname(c, (struct sockaddr *)&a, &length);
		(void)setsockopt(s, IPPROTO_TCP, 1, &one, sizeof one);
		(void)setsockopt(c, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
		(void)setsockopt(c, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
		(void)close(s);
		(void)close(c);
		int fresh = lo_socket(0);
		(void)epoll_ctl(ep, EPOLL_CTL_ADD, fresh, &e);
		(void)setsockopt(fresh, IPPROTO_TCP, 1, &one, sizeof one);
		(void)close(fresh);
		late += epoll_wait(ep, &e, 1, 0);
	}
	say("events of closed descriptors: %d", late);
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, case_##name                                                                 \
	}
static const struct preload_case cases[] = {
	CASE(dup),     CASE(fork),  CASE(fork_sockets),  CASE(exec),       CASE(scm_rights),
	CASE(threads), CASE(spawn), CASE(epoll_forgets), CASE(exec_child),
};

int main(int argc, char **argv)
{
	preload_main(argc, argv, cases, sizeof cases / sizeof *cases);
	/* exec_child is no test of its own */
	return lo_main(argc, argv, cases, sizeof cases / sizeof *cases - 1);
}
