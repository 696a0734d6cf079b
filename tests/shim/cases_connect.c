/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* connect(): states, errors, and what poll(), select() and epoll say at each stage. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

CASE(CASE_TCP, connect_arguments)
{
	struct sockaddr_storage sa;
	socklen_t length = at_peer(5, &sa);
	int fd = sock_new(SOCK_STREAM);
	show("length 0", connect(fd, (struct sockaddr *)&sa, 0));
	show("length 1", connect(fd, (struct sockaddr *)&sa, 1));
	show("length 4", connect(fd, (struct sockaddr *)&sa, 4));
	show("length 200", connect(fd, (struct sockaddr *)&sa, 200));
	show("null", connect(fd, NULL, length));
	show("bad pointer", connect(fd, (struct sockaddr *)8, length));
	show("not a descriptor", connect(-1, (struct sockaddr *)&sa, length));
	show("not a socket", connect(STDOUT_FILENO, (struct sockaddr *)&sa, length));
	sa.ss_family = AF_UNIX;
	show("unix", connect(fd, (struct sockaddr *)&sa, length));
	sa.ss_family = env.family == AF_INET ? AF_INET6 : AF_INET;
	show("the other family", connect(fd, (struct sockaddr *)&sa, 28));
	sa.ss_family = AF_UNSPEC;
	show("disconnect a fresh one", connect(fd, (struct sockaddr *)&sa, length));
}

CASE(CASE_TCP, connect_blocking)
{
	int fd = sock_new(SOCK_STREAM);
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("connect", connect_peer(fd, 5));
	show_mask("mask", mask_now(fd));
	show_names("connected", fd);
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show("again", connect_peer(fd, 5));
	show("elsewhere", connect_peer(fd, 6));
	show("peer accepts", peer(PEER_ACCEPT, 0, 60, 0));
}

CASE(CASE_TCP, connect_refused_blocking)
{
	int fd = sock_new(SOCK_STREAM);
	show("refused", connect_peer(fd, 6));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show_mask("mask", mask_now(fd));
	show("refused again", connect_peer(fd, 6));
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("then it works", connect_peer(fd, 5));
	show_mask("mask after", mask_now(fd));
}

CASE(CASE_TCP, connect_refused_keeps_bind)
{
	int fd = sock_new(SOCK_STREAM);
	show("bind", bind_me(fd, 0));
	show("refused", connect_peer(fd, 6));
	show_names("after", fd);
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("then it works", connect_peer(fd, 5));
	show_names("connected", fd);
}

CASE(CASE_TCP, connect_nonblocking)
{
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("connect", connect_peer(fd, 5));
	show_mask("wait for OUT", wait_for(fd, POLLOUT));
	show_mask("mask", mask_now(fd));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show("connect after", connect_peer(fd, 5));
	show("connect again", connect_peer(fd, 5));
	show_names("connected", fd);
}

CASE(CASE_TCP, connect_nonblocking_refused)
{
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("connect", connect_peer(fd, 6));
	show_mask("wait for OUT", wait_for(fd, POLLOUT));
	show_mask("mask", mask_now(fd));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show_mask("mask after it", mask_now(fd));
	show_option("error again", fd, SOL_SOCKET, SO_ERROR);
	show("connect after", connect_peer(fd, 6));
	show_mask("wait again", wait_for(fd, POLLOUT));
	show("connect tells", connect_peer(fd, 6));
}

CASE(CASE_TCP, connect_nonblocking_refused_told_by_connect)
{
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("connect", connect_peer(fd, 6));
	show_mask("wait for OUT", wait_for(fd, POLLOUT));
	show("connect tells", connect_peer(fd, 6));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("connect anew", connect_peer(fd, 5));
	show_mask("wait", wait_for(fd, POLLOUT));
	show_option("error after", fd, SOL_SOCKET, SO_ERROR);
	show_names("connected", fd);
}

CASE(CASE_TCP, connect_nonblocking_refused_told_by_recv)
{
	char byte;
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("connect", connect_peer(fd, 6));
	show_mask("wait for OUT", wait_for(fd, POLLOUT));
	show("recv", recv(fd, &byte, 1, 0));
	show("recv again", recv(fd, &byte, 1, 0));
	show("send", send(fd, "x", 1, MSG_NOSIGNAL));
}

CASE(CASE_TCP, connect_nonblocking_refused_told_by_send)
{
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("connect", connect_peer(fd, 6));
	show_mask("wait for OUT", wait_for(fd, POLLOUT));
	show("send", send(fd, "x", 1, MSG_NOSIGNAL));
	show("send again", send(fd, "x", 1, MSG_NOSIGNAL));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
}

CASE(CASE_TCP, connect_refused_read)
{
	char byte;
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("connect", connect_peer(fd, 6));
	show_mask("wait for OUT", wait_for(fd, POLLOUT));
	show("read", read(fd, &byte, 1));
	show("read again", read(fd, &byte, 1));
}

/* A full queue does not answer SYNs: connecting goes on for as long as we look. */
static int pending_fd(void)
{
	fill_queue();
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("connect", connect_peer(fd, 5));
	return fd;
}

CASE(CASE_TCP, connecting_masks)
{
	int fd = pending_fd();
	show_mask("mask", mask_now(fd));
	show("connect again", connect_peer(fd, 5));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show_names("connecting", fd);
	char byte;
	show("recv", recv(fd, &byte, 1, 0));
	show("recv peek", recv(fd, &byte, 1, MSG_PEEK));
	show("send", send(fd, "x", 1, MSG_NOSIGNAL));
	show("read", read(fd, &byte, 1));
	show("listen", listen(fd, 1));
	show("bind", bind_me(fd, 1));
	show_option("type", fd, SOL_SOCKET, SO_TYPE);
}

CASE(CASE_TCP, connecting_info)
{
	int fd = pending_fd();
	struct tcp_info info;
	socklen_t length = sizeof info;
	memset(&info, 0, sizeof info);
	show("info", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	show_int("state", info.tcpi_state);
}

CASE(CASE_TCP, connecting_select)
{
	int fd = pending_fd();
	fd_set readable, writable, special;
	struct timeval none = { 0, 0 };
	FD_ZERO(&readable);
	FD_SET(fd, &readable);
	writable = special = readable;
	show("select", select(fd + 1, &readable, &writable, &special, &none));
}

CASE(CASE_TCP, connecting_epoll)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET }, got;
	int set = epoll_create1(EPOLL_CLOEXEC), fd = pending_fd();
	show("add", epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	show("wait", epoll_wait(set, &got, 1, 0));
}

CASE(CASE_TCP, connecting_shutdown)
{
	int fd = pending_fd();
	show("shutdown", shutdown(fd, SHUT_RDWR));
	show_mask("mask", mask_now(fd) & POLLHUP);
}

CASE(CASE_TCP, connecting_sndtimeo)
{
	struct timeval limit = { 0, 200000 };
	(void)pending_fd(); /* stays open: the peer's queue is full */
	int fd = sock_new(SOCK_STREAM);
	show("set", setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
	show("connect", connect_peer(fd, 5));
	show_mask("mask", mask_now(fd));
	show("connect again", connect_peer(fd, 5));
}

CASE(CASE_TCP, connecting_then_accepted)
{
	int fd = pending_fd();
	show_mask("before", mask_now(fd));
	show("peer accepts", peer(PEER_ACCEPT, 0, 60, 0));
	show("and then ours", peer(PEER_ACCEPT, 1, 60, 0));
	show_mask("wait for OUT", wait_for(fd, POLLOUT));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show("connect", connect_peer(fd, 5));
}

/* epoll registrations made before connect() stay right. */
CASE(CASE_TCP, connect_epoll_before)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET }, got;
	int set = epoll_create1(EPOLL_CLOEXEC), fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("add", epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	show("fresh", epoll_wait(set, &got, 1, 0));
	show_mask("fresh events", (int)got.events);
	show("connect", connect_peer(fd, 5));
	show("wait", epoll_wait(set, &got, 1, 10000));
	show_mask("events", (int)got.events);
}

CASE(CASE_TCP, connect_epoll_refused)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP }, got;
	int set = epoll_create1(EPOLL_CLOEXEC), fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("connect", connect_peer(fd, 6));
	show("add", epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	show("wait", epoll_wait(set, &got, 1, 10000));
	/* The kernel wakes whoever waits for a unix socket's other end before it has freed what
	 * that end did not read: for some microseconds OUT is not there yet. */
	for (int turns = 0; turns < 100000 && !(got.events & EPOLLOUT); turns++) {
		(void)epoll_wait(set, &got, 1, 10000);
	}
	show_mask("events", (int)got.events);
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show("wait again", epoll_wait(set, &got, 1, 0));
	show_mask("events again", (int)got.events);
}

/* A set that watches the descriptor goes on watching it (asyncio's loops count on it). */
CASE(CASE_TCP, connect_epoll_refused_again)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.u64 = 7777 }, got;
	int set = epoll_create1(EPOLL_CLOEXEC), fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("connect", connect_peer(fd, 7));
	show("add", epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	show("wait", epoll_wait(set, &got, 1, 10000));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show("peer listens", peer(PEER_LISTEN, 60, 7, 4));
	show("connect tells it, too", connect_peer(fd, 7));
	show("connect again", connect_peer(fd, 7));
	show("wait again", epoll_wait(set, &got, 1, 10000));
	show_mask("events", (int)got.events);
	show_int("data", (long)got.data.u64);
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show("modify", epoll_ctl(set, EPOLL_CTL_MOD, fd, &e));
	show("remove", epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL));
}

CASE(CASE_TCP, connect_select)
{
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	fd_set readable, writable, special;
	struct timeval patience = { 10, 0 };
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("connect", connect_peer(fd, 5));
	FD_ZERO(&readable);
	FD_SET(fd, &readable);
	writable = special = readable;
	show("select", select(fd + 1, &readable, &writable, &special, &patience));
	show_int("readable", FD_ISSET(fd, &readable) != 0);
	show_int("writable", FD_ISSET(fd, &writable) != 0);
	show_int("special", FD_ISSET(fd, &special) != 0);
}

CASE(CASE_TCP, connect_select_refused)
{
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	fd_set readable, writable, special;
	struct timeval patience = { 10, 0 };
	show("connect", connect_peer(fd, 6));
	(void)wait_for(fd, POLLOUT);
	FD_ZERO(&readable);
	FD_SET(fd, &readable);
	writable = special = readable;
	show("select", select(fd + 1, &readable, &writable, &special, &patience));
	show_int("readable", FD_ISSET(fd, &readable) != 0);
	show_int("writable", FD_ISSET(fd, &writable) != 0);
	show_int("special", FD_ISSET(fd, &special) != 0);
}

CASE(CASE_TCP, connect_port_zero)
{
	struct sockaddr_storage sa;
	socklen_t length = at_text(env.peer, 0, &sa);
	int fd = sock_new(SOCK_STREAM);
	show("port 0", connect(fd, (struct sockaddr *)&sa, length));
}

CASE(CASE_TCP, connect_unroutable)
{
	struct sockaddr_storage sa;
	int fd = sock_new(SOCK_STREAM);
	socklen_t length = at_text(env.family == AF_INET ? "224.0.0.5" : "ff02::5", 80, &sa);
	show("multicast", connect(fd, (struct sockaddr *)&sa, length));
	length = at_text(env.family == AF_INET ? "203.0.113.1" : "2001:db8::1", 80, &sa);
	show("no route", connect(fd, (struct sockaddr *)&sa, length));
	if (env.family == AF_INET) {
		length = at_text("255.255.255.255", 80, &sa);
		show("broadcast", connect(fd, (struct sockaddr *)&sa, length));
	}
	show_mask("mask", mask_now(fd));
	show("usable", peer(PEER_LISTEN, 60, 5, 4));
	show("connect", connect_peer(fd, 5));
}

CASE(CASE_TCP, connect_to_any)
{
	struct sockaddr_storage sa;
	int listener = sock_new(SOCK_STREAM), fd = sock_new(SOCK_STREAM);
	socklen_t length = at_any(0, &sa);
	show("bind", bind(listener, (struct sockaddr *)&sa, length));
	show("listen", listen(listener, 3));
	show("connect to any", connect(fd, (struct sockaddr *)&sa, length));
	show_names("connector", fd);
	int c = accept(listener, NULL, NULL);
	show_names("acceptor", c);
}

CASE(CASE_TCP, connect_to_my_own_address)
{
	int listener = listen_me(0, 3), fd = sock_new(SOCK_STREAM);
	struct sockaddr_storage sa;
	socklen_t length = at_me(0, &sa);
	show("connect", connect(fd, (struct sockaddr *)&sa, length));
	show_names("connector", fd);
	int c = accept(listener, NULL, NULL);
	show_names("acceptor", c);
	show("send", send(fd, "x", 1, 0));
	char byte;
	show("recv", recv(c, &byte, 1, 0));
}

CASE(CASE_TCP, connect_disconnect)
{
	struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
	int fd = connected(0);
	show("disconnect", connect(fd, (struct sockaddr *)&none, sizeof none));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's error", peer_error);
	show_names("after", fd);
	show_mask("mask", mask_now(fd));
	show("peer listens", peer(PEER_LISTEN, 61, 6, 4));
	show("connect anew", connect_peer(fd, 6));
	show_names("anew", fd);
}

CASE(CASE_TCP, connect_fastopen_flag)
{
	struct sockaddr_storage sa;
	socklen_t length = at_peer(5, &sa);
	int fd = sock_new(SOCK_STREAM);
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("sendto", sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&sa, length));
	show("peer accepts", peer(PEER_ACCEPT, 0, 60, 0));
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	show_names("names", fd);
}
