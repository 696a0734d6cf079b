/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Descriptors that are copied, inherited, passed on, closed in bulk; users and roots that change.
 */
#include "tests/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

CASE(CASE_TCP, process_dup)
{
	int fd = connected(0);
	int copy = dup(fd), second = dup2(fd, 77), third = dup3(fd, 78, O_CLOEXEC);
	int fourth = fcntl(fd, F_DUPFD, 90), fifth = fcntl(fd, F_DUPFD_CLOEXEC, 90);
	show_int("dup2", second);
	show_int("dup3", third);
	show_int("dup3 cloexec", fcntl(third, F_GETFD));
	show_int("dupfd", fourth);
	show_int("dupfd cloexec", fcntl(fifth, F_GETFD));
	(void)close(fd);
	show_names("copy", copy);
	show("send by the copy", send(copy, "ab", 2, 0));
	show("send by another", send(second, "cd", 2, 0));
	show("peer receives", peer(PEER_RECV, 0, 4, 0));
	show("nodelay by one", set_int(third, IPPROTO_TCP, TCP_NODELAY, 1));
	show_option("seen by another", fourth, IPPROTO_TCP, TCP_NODELAY);
	(void)close(copy);
	(void)close(second);
	(void)close(third);
	(void)close(fourth);
	show("last one sends", send(fifth, "ef", 2, 0));
	show("peer receives", peer(PEER_RECV, 0, 2, 0));
	(void)close(fifth);
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, process_dup_before_connect)
{
	int fd = sock_new(SOCK_STREAM), copy = dup(fd);
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("connect by the copy", connect_peer(copy, 5));
	show_names("original", fd);
	show("original sends", send(fd, "hi", 2, 0));
	show("connect by the original", connect_peer(fd, 5));
}

CASE(CASE_TCP, process_dup_listener)
{
	int fd = sock_new(SOCK_STREAM), copy = dup(fd);
	show("bind", bind_me(fd, 0));
	show("listen by the copy", listen(copy, 4));
	show_option("acceptconn", fd, SOL_SOCKET, SO_ACCEPTCONN);
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	show_fd("accept by the original", accept(fd, NULL, NULL));
	(void)close(fd);
	show("peer connects", peer(PEER_CONNECT, 1, 0, 0));
	show_fd("accept by the copy", accept(copy, NULL, NULL));
}

CASE(CASE_TCP, process_dup_over)
{
	int fd = connected(0), other = sock_new(SOCK_STREAM);
	show_int("dup2 over another", dup2(fd, other) == other);
	show_names("now", other);
	show_int("dup2 of itself", dup2(fd, fd) == fd);
	show("dup2 to -1", dup2(fd, -1));
	show("dup2 of closed", dup2(240, 241));
	show("dup3 of itself", dup3(fd, fd, 0));
	int pipes[2];
	show("pipe", pipe(pipes));
	show_int("dup2 of a pipe over it", dup2(pipes[0], fd) == fd);
	char byte;
	show("read the pipe", write(pipes[1], "p", 1) == 1 ? read(fd, &byte, 1) : -1);
	show("getsockname of a pipe", getsockname(fd, NULL, NULL));
	show("other still sends", send(other, "x", 1, 0));
}

CASE(CASE_TCP, process_fork)
{
	int fd = connected(0);
	int pid = fork();
	if (pid == 0) {
		show("child sends", send(fd, "child", 5, 0));
		show_names("child", fd);
		_exit(7);
	}
	child_join("child", pid);
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	show("parent sends", send(fd, "parent", 6, 0));
	show("peer receives", peer(PEER_RECV, 0, 6, 0));
}

CASE(CASE_TCP, process_fork_parent_closes)
{
	int fd = connected(0);
	int pid = fork();
	if (pid == 0) {
		char byte;
		show("child waits", recv(fd, &byte, 1, 0));
		show("child sends", send(fd, "c", 1, 0));
		_exit(0);
	}
	(void)close(fd);
	(void)peer(PEER_SEND, 0, 1, 0);
	child_join("child", pid);
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, process_fork_accepts)
{
	int fd = listen_me(0, 8);
	for (int i = 0; i < 2; i++) {
		int pid = fork();
		if (pid == 0) {
			int c = accept(fd, NULL, NULL);
			_exit(send(c, "ok", 2, 0) == 2 ? 0 : 1);
		}
		show("peer connects", peer(PEER_CONNECT, i, 0, 0));
		show("peer receives", peer(PEER_RECV, i, 2, 0));
		child_join("child", pid);
	}
}

CASE(CASE_TCP, process_fork_makes_sockets)
{
	int before = sock_new(SOCK_STREAM);
	int pid = fork();
	if (pid == 0) {
		int fd = sock_new(SOCK_STREAM);
		show_int("next number", fd - before);
		show("bind", bind_me(before, 0));
		_exit(0);
	}
	child_join("child", pid);
	show_names("seen by the parent", before);
	show("parent listens", listen(before, 2));
}

/* Runs this program's helper in a new image with `fd` as descriptor 5. */
void exec_helper(const char *what, int fd)
{
	(void)fflush(stdout);
	int pid = fork();
	if (pid == 0) {
		(void)dup2(fd, 5);
		execl(env.program, "shim", "helper", what, env.me, env.peer, (char *)NULL);
		_exit(99);
	}
	child_join("helper", pid);
}

CASE(CASE_TCP, process_exec_connection)
{
	int fd = connected(0);
	(void)peer(PEER_SEND, 0, 5, 0);
	exec_helper("connection", fd);
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	show("parent still sends", send(fd, "x", 1, MSG_NOSIGNAL));
}

CASE(CASE_TCP, process_exec_listener)
{
	int fd = listen_me(0, 4);
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	exec_helper("listener", fd);
	show("peer receives", peer(PEER_RECV, 0, 2, 0));
}

CASE(CASE_TCP, process_exec_bound)
{
	int fd = sock_new(SOCK_STREAM);
	show("bind", bind_me(fd, 0));
	exec_helper("bound", fd);
	show_option("acceptconn", fd, SOL_SOCKET, SO_ACCEPTCONN);
}

CASE(CASE_TCP, process_exec_cloexec)
{
	int fd = sock_new(SOCK_STREAM | SOCK_CLOEXEC);
	(void)fflush(stdout);
	int pid = fork();
	if (pid == 0) {
		char number[12];
		(void)snprintf(number, sizeof number, "%d", fd);
		execl(env.program, "shim", "helper", "closed", number, (char *)NULL);
		_exit(99);
	}
	child_join("helper", pid);
}

CASE(CASE_TCP, process_vfork)
{
	int fd = connected(0);
	(void)peer(PEER_SEND, 0, 5, 0);
	(void)fflush(stdout);
	int pid = vfork();
	if (pid == 0) {
		(void)dup2(fd, 5);
		execl(env.program, "shim", "helper", "connection", env.me, env.peer, (char *)NULL);
		_exit(99);
	}
	child_join("helper", pid);
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	show_names("parent", fd);
	show("parent's number 5 is not it", getsockname(5, NULL, NULL) < 0 ? 0 : 1);
}

CASE(CASE_TCP, process_posix_spawn)
{
	int fd = connected(0), pid = -1;
	char *argv[] = { "shim",
			 "helper",
			 "connection",
			 (char *)(uintptr_t)env.me,
			 (char *)(uintptr_t)env.peer,
			 NULL };
	posix_spawn_file_actions_t actions;
	(void)peer(PEER_SEND, 0, 5, 0);
	(void)fflush(stdout);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, fd, 5);
	show_errno("spawn", posix_spawn(&pid, env.program, &actions, NULL, argv, environ));
	child_join("helper", pid);
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
}

/* ---- SCM_RIGHTS ------------------------------------------------------------------------------ */

long rights_send(int channel, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { .iov_base = "f", .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	return sendmsg(channel, &m, 0);
}

int rights_receive(int channel)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	int fd = -1;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	if (recvmsg(channel, &m, 0) == 1 && CMSG_FIRSTHDR(&m)) {
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	}
	return fd;
}

CASE(CASE_TCP, process_rights_connection)
{
	int channel[2], fd = connected(0);
	show("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
	int pid = fork();
	if (pid == 0) {
		(void)close(fd);
		int got = show_fd("received", rights_receive(channel[1]));
		show_names("received", got);
		show("send", send(got, "hello", 5, 0));
		_exit(0);
	}
	show("pass", rights_send(channel[0], fd));
	(void)close(fd);
	child_join("child", pid);
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, process_rights_listener)
{
	int channel[2], fd = listen_me(0, 4);
	show("pair", socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel));
	show("pass", rights_send(channel[0], fd));
	(void)close(fd);
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	int got = show_fd("received", rights_receive(channel[1]));
	show_names("received", got);
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	int c = accept(got, (struct sockaddr *)&sa, &length);
	show_address("accept", c, &sa, length);
	show("listen again", listen(got, 9));
}

CASE(CASE_TCP, process_rights_fresh)
{
	int channel[2], fd = sock_new(SOCK_STREAM);
	show("pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, channel));
	show("pass", rights_send(channel[0], fd));
	(void)close(fd);
	int got = show_fd("received", rights_receive(channel[1]));
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("connect", connect_peer(got, 5));
	show_names("connected", got);
}

/* Closed in flight: the peer learns of it. */
CASE(CASE_TCP, process_rights_dropped)
{
	int channel[2], fd = connected(0);
	show("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
	show("pass", rights_send(channel[0], fd));
	(void)close(fd);
	(void)close(channel[0]);
	(void)close(channel[1]);
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

/* ---- numbers and limits ---------------------------------------------------------------------- */

CASE(CASE_TCP, process_close_all)
{
	int fd = connected(0);
	int kept = dup2(fd, 3); /* daemons close everything but a few */
	(void)peer(PEER_SEND, 0, 2, 0);
	for (int i = 4; i < 1024; i++) {
		if (i != 300) {
			(void)close(i);
		}
	}
	char bytes[8];
	(void)wait_for(kept, POLLIN);
	show("recv", recv(kept, bytes, 8, 0));
	show_names("kept", kept);
	show_int("a new one", sock_new(SOCK_STREAM));
	show("listen", listen(4, 1));
	show_names("listening", 4);
}

CASE(CASE_TCP, process_close_range)
{
	int fd = connected(0), a = sock_new(SOCK_STREAM), b = sock_new(SOCK_STREAM);
	show("close range", close_range((unsigned)a, (unsigned)b, 0));
	show("closed", getsockname(a, NULL, NULL));
	show("send", send(fd, "x", 1, 0));
	show("cloexec range", close_range((unsigned)fd, (unsigned)fd, CLOSE_RANGE_CLOEXEC));
	show_int("flag", fcntl(fd, F_GETFD));
	show_names("still", fd);
	show_int("number again", sock_new(SOCK_STREAM) == a);
	show("backwards", close_range(9, 4, 0));
	show("wrong flag", close_range(4, 9, 64));
}

CASE(CASE_TCP, process_closefrom)
{
	int fd = connected(0);
	(void)peer(PEER_SHUT, 0, SHUT_WR, 0);
	int pid = fork();
	if (pid == 0) {
		closefrom(3);
		show_int("first number", sock_new(SOCK_STREAM));
		show("old one", getsockname(fd, NULL, NULL));
		_exit(0);
	}
	child_join("child", pid);
	show("send", send(fd, "x", 1, 0));
}

CASE(CASE_TCP, process_close_twice)
{
	int fd = sock_new(SOCK_STREAM);
	show("close", close(fd));
	show("again", close(fd));
	show("close -1", close(-1));
	show("recv", recv(fd, NULL, 0, 0));
	show("connect", connect_peer(fd, 5));
	show("listen", listen(fd, 5));
	show("accept", accept(fd, NULL, NULL));
	show("shutdown", shutdown(fd, SHUT_RD));
	show("getsockname", getsockname(fd, NULL, NULL));
	show("getpeername", getpeername(fd, NULL, NULL));
}

CASE(CASE_TCP, process_number_reused)
{
	int fd = listen_me(0, 4);
	show("close", close(fd));
	int pipes[2];
	show("pipe", pipe(pipes));
	show_int("same number", pipes[0] == fd);
	show("accept on a pipe", accept(fd, NULL, NULL));
	show("recv on a pipe", recv(fd, pipes, 1, 0));
	char byte;
	show("read", write(pipes[1], "x", 1) == 1 ? read(fd, &byte, 1) : -1);
}

CASE(CASE_TCP, process_unix_in_its_place)
{
	int fd = listen_me(0, 4), pair[2];
	show("close", close(fd));
	show("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	show_int("same number", pair[0] == fd);
	char byte;
	show("send", send(fd, "x", 1, 0));
	show("recv", recv(pair[1], &byte, 1, 0));
	show("shutdown", shutdown(fd, SHUT_WR));
	show("end", recv(pair[1], &byte, 1, 0));
}

CASE(CASE_TCP, process_limit_small)
{
	struct rlimit limit;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 20;
	show("limit", setrlimit(RLIMIT_NOFILE, &limit));
	int fd = show_fd("socket", socket(env.family, SOCK_STREAM, 0));
	show("bind", bind_me(fd, 0));
	show("listen", listen(fd, 3));
	int count = 0;
	while (socket(env.family, SOCK_STREAM, 0) >= 0) {
		count++;
	}
	show("one too many", socket(env.family, SOCK_STREAM, 0));
	show_int("all numbers used", fd + count + 1);
}

CASE(CASE_TCP, process_high_numbers)
{
	struct rlimit limit;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
	show("limit", setrlimit(RLIMIT_NOFILE, &limit));
	int fd = connected(0), high = dup2(fd, 1020), higher = dup2(fd, 2000);
	fd_set readable;
	struct timeval patience = { 10, 0 };
	show("peer sends", peer(PEER_SEND, 0, 1, 0));
	FD_ZERO(&readable);
	FD_SET(high, &readable);
	show("select", select(high + 1, &readable, NULL, NULL, &patience));
	show("send by 2000", send(higher, "x", 1, 0));
	show_names("2000", higher);
	show("nodelay by 2000", set_int(higher, IPPROTO_TCP, TCP_NODELAY, 1));
}

CASE(CASE_TCP, process_standard_numbers)
{
	int pid = fork();
	if (pid == 0) {
		(void)close(0);
		int fd = sock_new(SOCK_STREAM);
		show_int("number", fd);
		show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
		show("connect", connect_peer(fd, 5));
		show("peer accepts", peer(PEER_ACCEPT, 0, 60, 0));
		show("peer sends", peer(PEER_SEND, 0, 3, 0));
		(void)wait_for(0, POLLIN);
		char bytes[8];
		show("read 0", read(0, bytes, 8));
		_exit(0);
	}
	child_join("child", pid);
}

/* ---- users and roots ------------------------------------------------------------------------- */

CASE(CASE_TCP, process_chroot)
{
	int fd = sock_new(SOCK_STREAM);
	char path[] = "/tmp/shim-root-XXXXXX";
	show_int("directory", mkdtemp(path) != NULL);
	int pid = fork();
	if (pid == 0) {
		show("chroot", chroot(path));
		show("chdir", chdir("/"));
		show("bind", bind_me(fd, 0));
		show_fd("socket", socket(env.family, SOCK_STREAM, 0));
		show("listen", listen(fd, 1));
		show_names("listening", fd);
		_exit(0);
	}
	child_join("child", pid);
	(void)rmdir(path);
}

CASE(CASE_TCP, process_setuid)
{
	int fd = listen_me(0, 4);
	int pid = fork();
	if (pid == 0) {
		show("setgid", setgid(65534));
		show("setuid", setuid(65534));
		show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
		show_fd("accept", accept(fd, NULL, NULL));
		int s = show_fd("socket", socket(env.family, SOCK_STREAM, 0));
		show("bind", bind_me(s, 1));
		show("listen", listen(s, 1));
		show_names("listening", s);
		_exit(0);
	}
	child_join("child", pid);
}

CASE(CASE_TCP, process_stdio)
{
	char line[32] = "";
	int fd = connected(0);
	FILE *file = fdopen(fd, "r+");
	show_int("fdopen", file != NULL);
	show_int("puts", fputs("hello\n", file) >= 0);
	show_int("flush", fflush(file));
	show("peer receives", peer(PEER_RECV, 0, 6, 0));
	show("peer sends", peer(PEER_SEND, 0, 5, 0));
	show("peer closes", peer(PEER_CLOSE, 0, 0, 0));
	show_int("gets", fgets(line, sizeof line, file) != NULL);
	show_text("line", line);
	show_int("close", fclose(file));
	show("closed", getsockname(fd, NULL, NULL));
	int next = sock_new(SOCK_STREAM);
	show_int("number again", next == fd);
	show("connect", peer(PEER_LISTEN, 61, 6, 4) == 0 ? connect_peer(next, 6) : -1);
}
