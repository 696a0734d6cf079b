/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* accept(): addresses, flags, queues, what is inherited. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

CASE(CASE_TCP, accept_plain)
{
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	int fd = listen_me(0, 4);
	show_mask("before", mask_now(fd));
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	show_mask("wait", wait_for(fd, POLLIN));
	memset(&sa, 0, sizeof sa);
	int c = accept(fd, (struct sockaddr *)&sa, &length);
	show_address("from", c, &sa, length);
	show_names("connection", c);
	show_mask("mask", mask_now(c));
	show_option("type", c, SOL_SOCKET, SO_TYPE);
	show_option("protocol", c, SOL_SOCKET, SO_PROTOCOL);
	show_option("acceptconn", c, SOL_SOCKET, SO_ACCEPTCONN);
	show("listener without more", fcntl(fd, F_SETFL, O_NONBLOCK));
	show("accept", accept(fd, NULL, NULL));
}

CASE(CASE_TCP, accept_lengths)
{
	struct sockaddr_storage sa;
	int fd = listen_me(0, 8);
	for (int i = 0; i < 5; i++) {
		(void)peer(PEER_CONNECT, i, 0, 0);
	}
	socklen_t length = 0;
	show_fd("length 0", accept(fd, (struct sockaddr *)&sa, &length));
	show_int("full length", length);
	length = 4;
	show_fd("length 4", accept(fd, (struct sockaddr *)&sa, &length));
	show_int("full length of 4", length);
	length = (socklen_t)-1;
	show_fd("length -1", accept(fd, (struct sockaddr *)&sa, &length));
	length = sizeof sa;
	show_fd("bad address", accept(fd, (struct sockaddr *)8, &length));
	show_fd("bad length", accept(fd, (struct sockaddr *)&sa, (socklen_t *)8));
	show("none left", fcntl(fd, F_SETFL, O_NONBLOCK));
	show_fd("accept", accept(fd, NULL, NULL));
}

CASE(CASE_TCP, accept_errors)
{
	int fd = sock_new(SOCK_STREAM);
	show("fresh", accept(fd, NULL, NULL));
	show("bound", bind_me(fd, 0) == 0 ? accept(fd, NULL, NULL) : 0);
	show("not a descriptor", accept(-1, NULL, NULL));
	show("not a socket", accept(STDOUT_FILENO, NULL, NULL));
	int c = connected(0);
	show("connection", accept(c, NULL, NULL));
	show("unknown flag", accept4(fd, NULL, NULL, 0x10));
}

CASE(CASE_TCP, accept4_flags)
{
	int fd = listen_me(0, 8);
	for (int i = 0; i < 3; i++) {
		(void)peer(PEER_CONNECT, i, 0, 0);
	}
	int plain = accept4(fd, NULL, NULL, 0);
	int both = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	show_int("plain nonblock", (fcntl(plain, F_GETFL) & O_NONBLOCK) != 0);
	show_int("plain cloexec", fcntl(plain, F_GETFD));
	show_int("both nonblock", (fcntl(both, F_GETFL) & O_NONBLOCK) != 0);
	show_int("both cloexec", fcntl(both, F_GETFD));
	show("listener nonblocking", fcntl(fd, F_SETFL, O_NONBLOCK));
	(void)wait_for(fd, POLLIN);
	int third = accept(fd, NULL, NULL);
	show_int("nonblock is not inherited", (fcntl(third, F_GETFL) & O_NONBLOCK) != 0);
}

CASE(CASE_TCP, accept_inherits)
{
	int fd = listen_me(0, 8);
	struct timeval limit = { 3, 0 };
	struct linger linger = { 1, 5 };
	socklen_t length = sizeof limit;
	show("nodelay", set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1));
	show("keepalive", set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
	show("keepidle", set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 33));
	show("oobinline", set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1));
	show("lowat", set_int(fd, SOL_SOCKET, SO_RCVLOWAT, 7));
	show("linger", setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
	show("rcvtimeo", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	(void)wait_for(fd, POLLIN);
	int c = accept(fd, NULL, NULL);
	show_option("nodelay inherited", c, IPPROTO_TCP, TCP_NODELAY);
	show_option("keepalive inherited", c, SOL_SOCKET, SO_KEEPALIVE);
	show_option("keepidle inherited", c, IPPROTO_TCP, TCP_KEEPIDLE);
	show_option("oobinline inherited", c, SOL_SOCKET, SO_OOBINLINE);
	show_option("reuseaddr inherited", c, SOL_SOCKET, SO_REUSEADDR);
	show_option("lowat inherited", c, SOL_SOCKET, SO_RCVLOWAT);
	memset(&limit, 0, sizeof limit);
	memset(&linger, 0, sizeof linger);
	show("get rcvtimeo", getsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &limit, &length));
	show_int("rcvtimeo inherited", limit.tv_sec);
	length = sizeof linger;
	show("get linger", getsockopt(c, SOL_SOCKET, SO_LINGER, &linger, &length));
	show_int("linger inherited", linger.l_onoff * 100 + linger.l_linger);
}

CASE(CASE_TCP, accept_timeout)
{
	struct timeval limit = { 0, 100000 };
	int fd = listen_me(0, 4);
	show("set", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	show("accept", accept(fd, NULL, NULL));
}

CASE(CASE_TCP, accept_order_and_data)
{
	char bytes[8] = "";
	int fd = listen_me(0, 8);
	for (int i = 0; i < 3; i++) {
		(void)peer(PEER_CONNECT, i, 0, 0);
		(void)peer(PEER_SEND, i, i + 1, 0);
	}
	for (int i = 0; i < 3; i++) {
		int c = accept(fd, NULL, NULL);
		(void)wait_for(c, POLLIN);
		show("in order", recv(c, bytes, sizeof bytes, 0));
	}
}

CASE(CASE_TCP, accept_closed_in_queue)
{
	char bytes[8] = "";
	int fd = listen_me(0, 8), error;
	(void)peer(PEER_CONNECT, 0, 0, 0);
	(void)peer(PEER_SEND, 0, 5, 0);
	(void)peer(PEER_CLOSE, 0, 0, 0);
	int c = show_fd("accept", accept(fd, NULL, NULL));
	show_mask("mask", wait_mask(c, POLLIN | POLLOUT | POLLRDHUP));
	show("recv", recv(c, bytes, sizeof bytes, 0));
	show("drain", drain(c, &error));
	show_errno("end", error);
}

CASE(CASE_TCP, accept_reset_in_queue)
{
	int fd = listen_me(0, 8), error;
	(void)peer(PEER_CONNECT, 0, 0, 0);
	(void)peer(PEER_RESET, 0, 0, 0);
	/* Nothing says when the reset has arrived; a second connection comes after it. */
	(void)peer(PEER_CONNECT, 1, 0, 0);
	int c = show_fd("accept", accept(fd, NULL, NULL));
	show("drain", drain(c, &error));
	show_errno("end", error);
	show_fd("the next", accept(fd, NULL, NULL));
}

/* The connections that wait at a listener, once there are so many: a peer's connect() returns
 * before its last acknowledgement has come here. */
static int queued(int fd, unsigned count)
{
	struct tcp_info info = { 0 };
	for (int tries = 0; tries < 1000 && info.tcpi_unacked < count; tries++) {
		socklen_t length = sizeof info;
		(void)poll(NULL, 0, tries > 0);
		(void)getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	}
	return (int)info.tcpi_unacked;
}

/* Linux lets one more wait than the backlog says; further ones stay in SYN_SENT. */
CASE(CASE_TCP, accept_backlog)
{
	int fd = listen_me(0, 2), count = 0;
	struct timeval patience = { 0, 300000 };
	for (int i = 0; i < 3; i++) {
		count += peer(PEER_CONNECT, i, 0, 0) == 0;
	}
	show_int("fit", count);
	show_int("queued", queued(fd, 3));
	int c = sock_new(SOCK_STREAM);
	struct sockaddr_storage sa;
	socklen_t length = at_me(0, &sa);
	(void)setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	show("one too many", connect(c, (struct sockaddr *)&sa, length));
	for (int i = 0; i < 3; i++) {
		show_fd("accept", accept(fd, NULL, NULL));
	}
	show_mask("then it gets in", wait_for(c, POLLOUT));
	show_fd("accept it", accept(fd, NULL, NULL));
}

CASE(CASE_TCP, accept_listener_closed)
{
	int fd = listen_me(0, 8);
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	show_mask("queued", wait_for(fd, POLLIN));
	show("close", close(fd));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, accept_listener_closed_connection_stays)
{
	int c = accepted(0);
	show("peer sends", peer(PEER_SEND, 0, 10, 0));
	char bytes[16];
	show("recv", recv(c, bytes, 10, MSG_WAITALL));
	show("send", send(c, bytes, 10, 0));
	show("peer receives", peer(PEER_RECV, 0, 10, 0));
}

/* Decision 074's doubt: accepted, the listener closed, no byte in either direction, then closed. */
CASE(CASE_TCP, accept_closed_without_a_byte)
{
	int c = accepted(0);
	show("close", close(c));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, accept_closed_listener_open)
{
	int fd = listen_me(0, 4);
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	int c = accept(fd, NULL, NULL);
	show("close", close(c));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, accept_defer)
{
	int fd = listen_me(0, 4);
	show("defer", set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5));
	show_int("is set", get_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) > 0);
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	struct pollfd p = { .fd = fd, .events = POLLIN };
	show("nothing yet", poll(&p, 1, 200));
	show("peer sends", peer(PEER_SEND, 0, 3, 0));
	show_mask("now", wait_for(fd, POLLIN));
	int c = show_fd("accept", accept(fd, NULL, NULL));
	char bytes[8];
	show("recv at once", recv(c, bytes, sizeof bytes, MSG_DONTWAIT));
}

CASE(CASE_TCP, accept_group_spreads)
{
	enum { COUNT = 24 };
	int group[2], got[2] = { 0, 0 };
	for (int i = 0; i < 2; i++) {
		struct sockaddr_storage sa;
		socklen_t length = at_me(0, &sa);
		group[i] = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
		(void)set_int(group[i], SOL_SOCKET, SO_REUSEPORT, 1);
		show("bind", bind(group[i], (struct sockaddr *)&sa, length));
		show("listen", listen(group[i], 64));
	}
	for (int i = 0; i < COUNT; i++) {
		(void)peer(PEER_CONNECT, i, 0, 0);
	}
	for (int total = 0; total < COUNT; total = got[0] + got[1]) {
		struct pollfd p[2] = { { .fd = group[0], .events = POLLIN },
				       { .fd = group[1], .events = POLLIN } };
		if (poll(p, 2, 10000) <= 0) {
			break;
		}
		for (int i = 0; i < 2; i++) {
			got[i] += accept(group[i], NULL, NULL) >= 0;
		}
	}
	show_int("all arrived", got[0] + got[1]);
	show_int("both got some", got[0] > 0 && got[1] > 0);
}

CASE(CASE_TCP, accept_descriptor_limit)
{
	struct rlimit limit;
	int fd = listen_me(0, 8);
	for (int i = 0; i < 2; i++) {
		(void)peer(PEER_CONNECT, i, 0, 0);
	}
	(void)wait_for(fd, POLLIN);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)fd + 1;
	show("limit", setrlimit(RLIMIT_NOFILE, &limit));
	show("accept at the limit", accept(fd, NULL, NULL));
	show("socket at the limit", socket(env.family, SOCK_STREAM, 0));
	limit.rlim_cur = (rlim_t)fd + 20;
	show("limit lifted", setrlimit(RLIMIT_NOFILE, &limit));
	show_fd("accept", accept(fd, NULL, NULL));
	show_fd("the other", accept(fd, NULL, NULL));
}

CASE(CASE_TCP, accept_epoll_edges)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET }, got;
	int set = epoll_create1(EPOLL_CLOEXEC), fd = listen_me(0, 8);
	show("add", epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	show("nothing", epoll_wait(set, &got, 1, 0));
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	show("edge", epoll_wait(set, &got, 1, 10000));
	show_mask("events", (int)got.events);
	show("no second", epoll_wait(set, &got, 1, 50));
	show("peer connects again", peer(PEER_CONNECT, 1, 0, 0));
	show("another edge", epoll_wait(set, &got, 1, 10000));
}
