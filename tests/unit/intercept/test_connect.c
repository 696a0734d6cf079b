/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* connect() in all its states, seen by poll, select and epoll: natively and intercepted
 * (spec/intercept.md 3.3, proto-results (a)). */
#include "tests/lib/loopback.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void case_blocking(void)
{
	uint16_t port;
	int listener = lo_listener(&port), c = lo_socket(0);
	say_result("connect", lo_connect(c, port));
	struct sockaddr_in local = { 0 }, remote = { 0 };
	socklen_t length = sizeof local;
	int s = accept(listener, (struct sockaddr *)&remote, &length);
	say("address length %u family %d", length, remote.sin_family);
	say_result("getsockname", getsockname(c, (struct sockaddr *)&local, &length));
	say("the acceptor sees the connector: %d", memcmp(&local, &remote, sizeof local) == 0);
	say_result("getpeername", getpeername(c, (struct sockaddr *)&remote, &length));
	say("%08x, right port: %d", ntohl(remote.sin_addr.s_addr), ntohs(remote.sin_port) == port);
	say_result("getsockname", getsockname(s, (struct sockaddr *)&local, &length));
	say("same on both sides: %d", memcmp(&local, &remote, sizeof local) == 0);
	say_mask("established", c);
	say_mask("accepted", s);
	say_so_error("established", c);
}

static void case_bound(void)
{
	uint16_t port;
	int listener = lo_listener(&port), c = lo_socket(0);
	struct sockaddr_in a = lo_addr("127.0.0.1", 0), b = a, seen = a;
	socklen_t length = sizeof a;
	say_result("bind", bind(c, (struct sockaddr *)&a, sizeof a));
	say_result("getsockname", getsockname(c, (struct sockaddr *)&b, &length));
	say("a port: %d", b.sin_port != 0);
	say_result("connect", lo_connect(c, port));
	(void)accept(listener, (struct sockaddr *)&seen, &length);
	say("kept: %d", memcmp(&b, &seen, sizeof b) == 0);
}

static void case_refused(void)
{
	uint16_t port, closed = lo_closed_port();
	int listener = lo_listener(&port), c = lo_socket(0);
	say_result("connect", lo_connect(c, closed));
	say_so_error("after", c);
	say_result("connect", lo_connect(c, closed));
	say_result("connect", lo_connect(c, port));
	say_result("send", send(c, "hello", 5, 0));
	char text[8] = "";
	int s = accept(listener, NULL, NULL);
	say_result("recv", recv(s, text, sizeof text, 0));
}

static void case_nonblocking(void)
{
	uint16_t port;
	int listener = lo_listener(&port), c = lo_socket(SOCK_NONBLOCK);
	say_result("connect", lo_connect(c, port));
	say_mask_after("done", c, POLLOUT);
	say_select("done", c);
	say_so_error("done", c);
	say_result("connect", lo_connect(c, port));
	say_result("connect", lo_connect(c, port));
	say_result("recv", recv(c, &port, 1, 0));
	int s = accept(listener, NULL, NULL);
	say("accepted is blocking: %d", !(fcntl(s, F_GETFL) & O_NONBLOCK));
	say_result("send", send(c, "x", 1, 0));
	char text[8];
	say_result("nothing but data arrives", recv(s, text, sizeof text, 0));
}

static void case_nonblocking_refused(void)
{
	uint16_t port, closed = lo_closed_port();
	int listener = lo_listener(&port), c = lo_socket(SOCK_NONBLOCK);
	char byte;
	say_result("connect", lo_connect(c, closed));
	say_mask_after("refused", c, POLLOUT);
	say_select("refused", c);
	say_so_error("refused", c);
	say_so_error("again", c);
	say_mask("after", c);
	say_result("read", read(c, &byte, 1));
	say_result("send", send(c, "x", 1, MSG_NOSIGNAL));
	say_result("getpeername", getpeername(c, NULL, NULL));
	say_result("connect", lo_connect(c, port)); /* ECONNABORTED */
	say_result("connect", lo_connect(c, port));
	say_mask_after("now", c, POLLOUT);
	say_so_error("now", c);
	int s = accept(listener, NULL, NULL);
	say_result("send", send(c, "x", 1, MSG_NOSIGNAL));
	say_result("recv", recv(s, &byte, 1, 0));
}

/* The error is reported once, by whichever call asks first. */
static void case_who_asks_first(void)
{
	uint16_t closed = lo_closed_port();
	for (int i = 0; i < 4; i++) {
		int c = lo_socket(SOCK_NONBLOCK);
		char byte;
		say_result("connect", lo_connect(c, closed));
		struct pollfd p = { .fd = c, .events = POLLIN };
		(void)poll(&p, 1, 5000);
		switch (i) {
		case 0:
			say_result("recv", recv(c, &byte, 1, 0));
			say_result("recv", recv(c, &byte, 1, 0));
			break;
		case 1:
			say_result("send", send(c, "x", 1, MSG_NOSIGNAL));
			say_result("send", send(c, "x", 1, MSG_NOSIGNAL));
			break;
		case 2:
			say_result("connect", lo_connect(c, closed));
			break;
		default:
			say_so_error("getsockopt", c);
		}
		say_so_error("then", c);
	}
}

static void say_epoll(const char *what, int ep, int timeout_ms)
{
	struct epoll_event e[4];
	int n = epoll_wait(ep, e, 4, timeout_ms);
	say("%s: %d events%s%s%s%s%s", what, n, n > 0 && e[0].events & EPOLLIN ? " IN" : "",
	    n > 0 && e[0].events & EPOLLOUT ? " OUT" : "",
	    n > 0 && e[0].events & EPOLLERR ? " ERR" : "",
	    n > 0 && e[0].events & EPOLLHUP ? " HUP" : "",
	    n > 0 && e[0].events & EPOLLRDHUP ? " RDHUP" : "");
}

/* Registered before connect(), as nginx does; survives it in both modes. */
static void case_epoll(void)
{
	for (int i = 0; i < 4; i++) {
		uint16_t port;
		int listener = lo_listener(&port), c = lo_socket(SOCK_NONBLOCK);
		int ep = epoll_create1(0);
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP };
		e.events |= i & 1 ? EPOLLET : 0;
		(void)epoll_ctl(ep, EPOLL_CTL_ADD, c, &e);
		if (i & 1) {
			/* the edge of the new socket; HUP, which only TCP has, is accepted */
			(void)epoll_wait(ep, &e, 1, 0);
		}
		say_result("connect", lo_connect(c, i & 2 ? lo_closed_port() : port));
		say_epoll("first", ep, 5000);
		say_epoll("second", ep, 0);
		e.events = EPOLLIN;
		say_result("modify", epoll_ctl(ep, EPOLL_CTL_MOD, c, &e));
		(void)close(c);
		say_epoll("closed", ep, 0);
		(void)close(listener);
		(void)close(ep);
	}
}

static void case_fastopen(void)
{
	uint16_t port;
	int listener = lo_listener(&port), c = lo_socket(0);
	struct sockaddr_in a = lo_addr("127.0.0.1", port);
	char text[8] = "";
	say_result("sendto", sendto(c, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof a));
	int s = accept(listener, NULL, NULL);
	say_result("recv", recv(s, text, sizeof text, 0));
	say("%s", text);
}

static void case_unspec(void)
{
	uint16_t port;
	int listener = lo_listener(&port), c = lo_socket(0);
	struct sockaddr_in a = lo_addr("0.0.0.0", 0);
	a.sin_family = AF_UNSPEC;
	say_result("fresh", connect(c, (struct sockaddr *)&a, sizeof a));
	say_result("connect", lo_connect(c, port));
	int s = accept(listener, NULL, NULL);
	say_result("connected", connect(c, (struct sockaddr *)&a, sizeof a));
	say_result("getpeername", getpeername(c, NULL, NULL));
	(void)s;
	say_result("connect", lo_connect(c, port));
	(void)accept(listener, NULL, NULL);
	say_mask("again", c);
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, case_##name                                                                 \
	}
static const struct preload_case cases[] = {
	CASE(blocking),
	CASE(bound),
	CASE(refused),
	CASE(nonblocking),
	CASE(nonblocking_refused),
	CASE(who_asks_first),
	CASE(epoll),
	CASE(fastopen),
	CASE(unspec),
};

int main(int argc, char **argv)
{
	return lo_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
