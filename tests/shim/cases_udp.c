/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Datagrams: addresses, lengths, errors, connected and not. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

/* A socket on our port 0, and the peer's in slot 0 on port 5. */
static int udp_pair(void)
{
	int fd = sock_new(SOCK_DGRAM);
	if (bind_me(fd, 0) != 0 || peer(PEER_UDP, 0, 5, 0) != 0) {
		die("udp_pair");
	}
	return fd;
}

static long to_peer(int fd, const void *bytes, size_t length, int port)
{
	struct sockaddr_storage sa;
	socklen_t size = at_peer(port, &sa);
	return sendto(fd, bytes, length, 0, (struct sockaddr *)&sa, size);
}

CASE(CASE_UDP, udp_identity)
{
	int fd = sock_new(SOCK_DGRAM);
	show_option("type", fd, SOL_SOCKET, SO_TYPE);
	show_option("protocol", fd, SOL_SOCKET, SO_PROTOCOL);
	show_int("domain", get_int(fd, SOL_SOCKET, SO_DOMAIN) == env.family);
	show_option("acceptconn", fd, SOL_SOCKET, SO_ACCEPTCONN);
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show_mask("mask", mask_now(fd));
	show_names("fresh", fd);
	show("udp", socket(env.family, SOCK_DGRAM, IPPROTO_UDP) < 0 ? -1 : 0);
	show("tcp", socket(env.family, SOCK_DGRAM, IPPROTO_TCP));
}

CASE(CASE_UDP, udp_wrong_calls)
{
	char byte;
	struct sockaddr_storage sa;
	int fd = sock_new(SOCK_DGRAM);
	show("listen", listen(fd, 1));
	show("accept", accept(fd, NULL, NULL));
	show("send", send(fd, "x", 1, 0));
	show("write", write(fd, "x", 1));
	show("recv", recv(fd, &byte, 1, MSG_DONTWAIT));
	socklen_t length = at_text(env.peer, 0, &sa);
	show("port 0", sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, length));
	length = at_peer(5, &sa);
	show("short address", sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, 4));
	show("bad address", sendto(fd, "x", 1, 0, (struct sockaddr *)8, length));
	show("bad bytes", sendto(fd, (void *)8, 10, 0, (struct sockaddr *)&sa, length));
	sa.ss_family = AF_UNIX;
	show("unix address", sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, length));
	(void)at_peer(5, &sa);
	show("urgent", sendto(fd, "x", 1, MSG_OOB, (struct sockaddr *)&sa, length));
	show("shutdown", shutdown(fd, SHUT_RDWR));
}

CASE(CASE_UDP, udp_lengths)
{
	static char bytes[70000];
	int fd = udp_pair();
	show("65508", to_peer(fd, bytes, 65508, 5));
	show("70000", to_peer(fd, bytes, sizeof bytes, 5));
	show("60000", to_peer(fd, bytes, 60000, 5));
	show("peer receives", peer(PEER_RECV, 0, 60000, 0));
	show("1", to_peer(fd, bytes, 1, 5));
	show("peer receives", peer(PEER_RECV, 0, 1, 0));
}

CASE(CASE_UDP, udp_broadcast)
{
	struct sockaddr_storage sa;
	int fd = sock_new(SOCK_DGRAM);
	if (env.family != AF_INET || env.is_local) {
		return;
	}
	char text[64];
	(void)snprintf(text, sizeof text, "%s", env.me);
	(void)snprintf(strrchr(text, '.'), 8, ".255"); /* both networks are /24 */
	socklen_t length = at_text(text, 4000, &sa);
	show("denied", sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, length));
	show("connect denied", connect(fd, (struct sockaddr *)&sa, length));
	show("allow", set_int(fd, SOL_SOCKET, SO_BROADCAST, 1));
	show("sent", sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, length));
}

CASE(CASE_UDP, udp_sendto)
{
	char bytes[64];
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	int fd = udp_pair();
	show_names("bound", fd);
	fill_pattern(bytes, sizeof bytes);
	show("sendto", to_peer(fd, bytes, 20, 5));
	show("peer receives", peer(PEER_RECV, 0, 20, 0));
	show("peer sends", peer(PEER_SENDTO, 0, 0, 30));
	show_mask("wait", wait_for(fd, POLLIN));
	show_mask("mask", mask_now(fd));
	memset(&sa, 0, sizeof sa);
	long n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&sa, &length);
	show("recvfrom", n);
	show_address("from", n, &sa, length);
	show("nothing more", recv(fd, bytes, sizeof bytes, MSG_DONTWAIT));
}

CASE(CASE_UDP, udp_address_lengths)
{
	char byte;
	struct sockaddr_storage sa;
	static const int lengths[] = { 0, 2, 8, 16, 28, 128 };
	int fd = udp_pair();
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		socklen_t length = (socklen_t)lengths[i];
		(void)peer(PEER_SENDTO, 0, 0, 1);
		(void)wait_for(fd, POLLIN);
		show("recvfrom", recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&sa, &length));
		show_int("length", length);
	}
	socklen_t length = (socklen_t)-1;
	(void)peer(PEER_SENDTO, 0, 0, 1);
	(void)wait_for(fd, POLLIN);
	show("negative", recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&sa, &length));
	show("no address", recvfrom(fd, &byte, 1, MSG_DONTWAIT, NULL, NULL) < 0 ? -1 : 0);
}

CASE(CASE_UDP, udp_autobind)
{
	char bytes[8];
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	int fd = sock_new(SOCK_DGRAM);
	show("peer binds", peer(PEER_UDP, 0, 5, 0));
	show("sendto", to_peer(fd, "hello", 5, 5));
	show_names("after", fd);
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	(void)length;
	(void)bytes;
}

CASE(CASE_UDP, udp_connected)
{
	char bytes[64];
	int fd = udp_pair();
	show("connect", connect_peer(fd, 5));
	show_names("connected", fd);
	show_mask("mask", mask_now(fd));
	show("send", send(fd, "hello", 5, 0));
	show("write", write(fd, "world!", 6));
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	show("peer receives", peer(PEER_RECV, 0, 6, 0));
	show("peer sends", peer(PEER_SENDTO, 0, 0, 9));
	(void)wait_for(fd, POLLIN);
	show("recv", recv(fd, bytes, sizeof bytes, 0));
	show("peer sends", peer(PEER_SENDTO, 0, 0, 9));
	(void)wait_for(fd, POLLIN);
	show("read", read(fd, bytes, sizeof bytes));
	show("sendto elsewhere", to_peer(fd, "xyz", 3, 6));
	show("shutdown write", shutdown(fd, SHUT_WR));
	show("send after", send(fd, "x", 1, MSG_NOSIGNAL));
}

CASE(CASE_UDP, udp_connected_from)
{
	char bytes[64];
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	int fd = udp_pair();
	show("connect", connect_peer(fd, 5));
	show("peer sends", peer(PEER_SENDTO, 0, 0, 9));
	(void)wait_for(fd, POLLIN);
	memset(&sa, 0, sizeof sa);
	long n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&sa, &length);
	show("recvfrom", n);
	show_address("from", n, &sa, length);
}

/* Only the peer it is connected to may send. */
CASE(CASE_UDP, udp_connected_filters)
{
	char bytes[64];
	int fd = udp_pair();
	show("another binds", peer(PEER_UDP, 1, 6, 0));
	show("connect", connect_peer(fd, 5));
	show("another sends", peer(PEER_SENDTO, 1, 0, 3));
	show("peer sends", peer(PEER_SENDTO, 0, 0, 9));
	(void)wait_for(fd, POLLIN);
	show("recv", recv(fd, bytes, sizeof bytes, 0));
	show("nothing more", recv(fd, bytes, sizeof bytes, MSG_DONTWAIT));
}

CASE(CASE_UDP, udp_disconnect)
{
	char bytes[64];
	struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
	int fd = udp_pair();
	show("connect", connect_peer(fd, 6));
	show("disconnect", connect(fd, (struct sockaddr *)&none, sizeof none));
	show_names("after", fd);
	show("send", send(fd, "x", 1, 0));
	show("peer sends", peer(PEER_SENDTO, 0, 0, 9));
	show_mask("wait", wait_for(fd, POLLIN));
	show("recv", recv(fd, bytes, sizeof bytes, MSG_DONTWAIT));
	show("connect anew", connect_peer(fd, 5));
	show("send", send(fd, "hello", 5, 0));
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
}

CASE(CASE_UDP, udp_reconnect)
{
	int fd = udp_pair();
	show("connect", connect_peer(fd, 6));
	show("connect elsewhere", connect_peer(fd, 5));
	show_names("connected", fd);
	show("send", send(fd, "hello", 5, 0));
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
}

CASE(CASE_UDP, udp_refused)
{
	char byte;
	int fd = sock_new(SOCK_DGRAM);
	show("connect", connect_peer(fd, 6));
	show("send", send(fd, "x", 1, 0));
	show_int("told", wait_for(fd, POLLIN) != 0);
	show("recv tells", recv(fd, &byte, 1, 0));
	show("recv", recv(fd, &byte, 1, MSG_DONTWAIT));
	show("send again", send(fd, "x", 1, 0));
	show_int("told", wait_for(fd, POLLIN) != 0);
	show("send tells", send(fd, "x", 1, 0));
}

CASE(CASE_UDP, udp_refused_option)
{
	char byte;
	int fd = sock_new(SOCK_DGRAM);
	show("connect", connect_peer(fd, 6));
	show("send", send(fd, "x", 1, 0));
	show_int("told", wait_for(fd, POLLIN) != 0);
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show_option("error again", fd, SOL_SOCKET, SO_ERROR);
	show("recv", recv(fd, &byte, 1, MSG_DONTWAIT));
	show_mask("mask", mask_now(fd));
}

CASE(CASE_UDP, udp_not_told_unconnected)
{
	char byte;
	int fd = sock_new(SOCK_DGRAM);
	show("sendto", to_peer(fd, "x", 1, 6));
	show("sendto again", to_peer(fd, "x", 1, 6));
	show("recv", recv(fd, &byte, 1, MSG_DONTWAIT));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
}

CASE(CASE_UDP, udp_truncated)
{
	char bytes[8];
	int fd = udp_pair();
	struct iovec iov = { .iov_base = bytes, .iov_len = 4 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	(void)peer(PEER_SENDTO, 0, 0, 20);
	(void)wait_for(fd, POLLIN);
	show("peek", recv(fd, bytes, 4, MSG_PEEK));
	show("peek trunc", recv(fd, bytes, 4, MSG_PEEK | MSG_TRUNC));
	show("recvmsg", recvmsg(fd, &m, 0));
	show_int("truncated", (m.msg_flags & MSG_TRUNC) != 0);
	show("gone", recv(fd, bytes, 8, MSG_DONTWAIT));
	(void)peer(PEER_SENDTO, 0, 0, 20);
	(void)wait_for(fd, POLLIN);
	show("trunc", recv(fd, bytes, 4, MSG_TRUNC));
	(void)peer(PEER_SENDTO, 0, 0, 20);
	(void)wait_for(fd, POLLIN);
	show("short read", read(fd, bytes, 4));
	show("gone", recv(fd, bytes, 8, MSG_DONTWAIT));
}

CASE(CASE_UDP, udp_empty)
{
	char bytes[8];
	int fd = udp_pair(), n = -1;
	show("send nothing", to_peer(fd, "", 0, 5));
	show("peer sends nothing", peer(PEER_SENDTO, 0, 0, 0));
	show("peer sends one", peer(PEER_SENDTO, 0, 0, 1));
	(void)wait_for(fd, POLLIN);
	show("fionread", ioctl(fd, FIONREAD, &n));
	show_int("of nothing", n);
	show("recv nothing", recv(fd, bytes, 8, 0));
	(void)wait_for(fd, POLLIN);
	show("recv one", recv(fd, bytes, 8, 0));
}

CASE(CASE_UDP, udp_queue)
{
	char bytes[64];
	int fd = udp_pair(), n = -1;
	show("empty", ioctl(fd, FIONREAD, &n));
	show_int("none", n);
	(void)peer(PEER_SENDTO, 0, 0, 20);
	(void)peer(PEER_SENDTO, 0, 0, 30);
	(void)wait_for(fd, POLLIN);
	show("fionread", ioctl(fd, FIONREAD, &n));
	show_int("the next", n);
	show("recv", recv(fd, bytes, 64, 0));
	(void)wait_for(fd, POLLIN);
	show("recv", recv(fd, bytes, 64, 0));
	show("outq", ioctl(fd, SIOCOUTQ, &n));
	show_int("nothing", n);
}

CASE(CASE_UDP, udp_vectors)
{
	char a[4], b[8];
	struct sockaddr_storage sa;
	int fd = udp_pair();
	struct iovec out[3] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 } };
	struct iovec in[2] = { { a, 4 }, { b, 8 } };
	struct msghdr m = { .msg_name = &sa, .msg_iov = out, .msg_iovlen = 3 };
	m.msg_namelen = at_peer(5, &sa);
	show("sendmsg", sendmsg(fd, &m, 0));
	show("peer receives", peer(PEER_RECV, 0, 6, 0));
	(void)peer(PEER_SENDTO, 0, 0, 9);
	(void)wait_for(fd, POLLIN);
	m = (struct msghdr){
		.msg_name = &sa, .msg_namelen = sizeof sa, .msg_iov = in, .msg_iovlen = 2
	};
	long n = recvmsg(fd, &m, 0);
	show("recvmsg", n);
	show_address("from", n, &sa, m.msg_namelen);
	show_int("flags", m.msg_flags);
	show_int("first of the second", b[0]);
	(void)peer(PEER_SENDTO, 0, 0, 9);
	(void)wait_for(fd, POLLIN);
	show("readv", readv(fd, in, 2));
	show_int("first of the second", b[0]);
	show("connect", connect_peer(fd, 5));
	show("writev", writev(fd, out, 3));
	show("peer receives", peer(PEER_RECV, 0, 6, 0));
}

CASE(CASE_UDP, udp_many)
{
	enum { COUNT = 4 };
	char bytes[COUNT][8];
	struct iovec iov[COUNT];
	struct sockaddr_storage sa[COUNT];
	struct mmsghdr m[COUNT] = { 0 };
	int fd = udp_pair();
	for (int i = 0; i < COUNT; i++) {
		socklen_t length = at_peer(5, &sa[i]);
		memset(bytes[i], 'a' + i, 8);
		iov[i] = (struct iovec){ bytes[i], (size_t)i + 1 };
		m[i].msg_hdr = (struct msghdr){ .msg_name = &sa[i],
						.msg_namelen = length,
						.msg_iov = &iov[i],
						.msg_iovlen = 1 };
	}
	show("sendmmsg", sendmmsg(fd, m, COUNT, 0));
	show_int("lengths", (long)(m[0].msg_len * 10 + m[3].msg_len));
	for (int i = 0; i < COUNT; i++) {
		show("peer receives", peer(PEER_RECV, 0, i + 1, 0));
		(void)peer(PEER_SENDTO, 0, 0, i + 1);
	}
	int got = 0;
	while (got < COUNT && wait_for(fd, POLLIN)) {
		for (int i = 0; i < COUNT; i++) {
			iov[i].iov_len = 8;
			m[i].msg_hdr.msg_namelen = sizeof sa[i];
		}
		int n = recvmmsg(fd, m, COUNT, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			show_int("length", m[i].msg_len);
			show_address("from", 0, &sa[i], m[i].msg_hdr.msg_namelen);
		}
		got += n > 0 ? n : 0;
	}
	show("none", recvmmsg(fd, m, COUNT, MSG_DONTWAIT, NULL));
}

CASE(CASE_UDP, udp_waiting)
{
	char byte;
	struct timeval limit = { 0, 100000 };
	int fd = udp_pair();
	show("set", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	show("recv", recv(fd, &byte, 1, 0));
	show("nonblocking", fcntl(fd, F_SETFL, O_NONBLOCK));
	show("recv", recv(fd, &byte, 1, 0));
	show("read", read(fd, &byte, 1));
	show("recvfrom", recvfrom(fd, &byte, 1, 0, NULL, NULL));
}

static void two_udp(int option)
{
	struct sockaddr_storage sa;
	socklen_t length = at_me(0, &sa);
	int a = sock_new(SOCK_DGRAM), b = sock_new(SOCK_DGRAM);
	if (option) {
		show("first set", set_int(a, SOL_SOCKET, option, 1));
		show("second set", set_int(b, SOL_SOCKET, option, 1));
	}
	show("first", bind(a, (struct sockaddr *)&sa, length));
	show("second", bind(b, (struct sockaddr *)&sa, length));
	(void)close(a);
	show("second after close", bind(b, (struct sockaddr *)&sa, length));
}

CASE(CASE_UDP, udp_ports_plain)
{
	two_udp(0);
}
CASE(CASE_UDP, udp_ports_reuse_address)
{
	two_udp(SO_REUSEADDR);
}
CASE(CASE_UDP, udp_ports_reuse_port)
{
	two_udp(SO_REUSEPORT);
}

CASE(CASE_UDP, udp_and_tcp_share_a_port)
{
	int u = sock_new(SOCK_DGRAM), t = sock_new(SOCK_STREAM);
	show("udp", bind_me(u, 0));
	show("tcp", bind_me(t, 0));
	show("listen", listen(t, 1));
}

static void show_controls(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		char label[64];
		int value = 0;
		(void)snprintf(label, sizeof label, "control %d %d length", c->cmsg_level,
			       c->cmsg_type);
		show_int(label, (long)c->cmsg_len);
		if (c->cmsg_len >= CMSG_LEN(sizeof value) && c->cmsg_type != IP_PKTINFO &&
		    c->cmsg_type != IPV6_PKTINFO) {
			memcpy(&value, CMSG_DATA(c), sizeof value);
			show_int("value", value);
		}
	}
}

CASE(CASE_UDP, udp_controls)
{
	char bytes[16], control[256];
	int fd = udp_pair();
	if (env.family == AF_INET) {
		show("pktinfo", set_int(fd, IPPROTO_IP, IP_PKTINFO, 1));
		show("recvttl", set_int(fd, IPPROTO_IP, IP_RECVTTL, 1));
		show("recvtos", set_int(fd, IPPROTO_IP, IP_RECVTOS, 1));
	} else {
		show("pktinfo", set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
		show("recvhops", set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
		show("recvtclass", set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
	}
	(void)peer(PEER_SENDTO, 0, 0, 5);
	(void)wait_for(fd, POLLIN);
	struct iovec iov = { bytes, sizeof bytes };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof control };
	show("recvmsg", recvmsg(fd, &m, 0));
	show_controls(&m);
	(void)peer(PEER_SENDTO, 0, 0, 5);
	(void)wait_for(fd, POLLIN);
	m.msg_controllen = 8;
	show("recvmsg short", recvmsg(fd, &m, 0));
	show_int("cut", (m.msg_flags & MSG_CTRUNC) != 0);
}

CASE(CASE_UDP, udp_epoll)
{
	char bytes[16];
	struct epoll_event e = { .events = EPOLLIN | EPOLLET }, got;
	int set = epoll_create1(EPOLL_CLOEXEC), fd = udp_pair();
	show("add", epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	show("nothing", epoll_wait(set, &got, 1, 0));
	(void)peer(PEER_SENDTO, 0, 0, 5);
	show("edge", epoll_wait(set, &got, 1, 10000));
	show_mask("events", (int)got.events);
	show("no second", epoll_wait(set, &got, 1, 50));
	(void)peer(PEER_SENDTO, 0, 0, 5);
	show("another", epoll_wait(set, &got, 1, 10000));
	show("recv", recv(fd, bytes, 16, 0));
}

CASE(CASE_UDP, udp_copies)
{
	char bytes[16];
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	int fd = udp_pair(), copy = dup(fd);
	(void)close(fd);
	(void)peer(PEER_SENDTO, 0, 0, 5);
	(void)wait_for(copy, POLLIN);
	memset(&sa, 0, sizeof sa);
	long n = recvfrom(copy, bytes, sizeof bytes, 0, (struct sockaddr *)&sa, &length);
	show("recvfrom", n);
	show_address("from", n, &sa, length);
	show("sendto", to_peer(copy, "hello", 5, 5));
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	int pid = fork();
	if (pid == 0) {
		show("child", to_peer(copy, "child", 5, 5));
		_exit(0);
	}
	child_join("child", pid);
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
}

CASE(CASE_UDP, udp_exec)
{
	int fd = udp_pair();
	(void)peer(PEER_SENDTO, 0, 0, 5);
	(void)wait_for(fd, POLLIN);
	(void)fflush(stdout);
	int pid = fork();
	if (pid == 0) {
		(void)dup2(fd, 5);
		execl(env.program, "shim", "helper", "datagram", env.me, env.peer, (char *)NULL);
		_exit(99);
	}
	child_join("helper", pid);
	show("peer receives", peer(PEER_RECV, 0, 3, 0));
}

CASE(CASE_UDP, udp_options)
{
	int fd = sock_new(SOCK_DGRAM);
	show_option("broadcast", fd, SOL_SOCKET, SO_BROADCAST);
	show("set", set_int(fd, SOL_SOCKET, SO_BROADCAST, 1));
	show_option("is", fd, SOL_SOCKET, SO_BROADCAST);
	show("nodelay", set_int(fd, IPPROTO_TCP, 1, 1));
	if (env.family == AF_INET) {
		show_option("multicast ttl", fd, IPPROTO_IP, IP_MULTICAST_TTL);
		show_option("multicast loop", fd, IPPROTO_IP, IP_MULTICAST_LOOP);
		show_option("ttl", fd, IPPROTO_IP, IP_TTL);
		show("ttl 5", set_int(fd, IPPROTO_IP, IP_TTL, 5));
		show_option("ttl is", fd, IPPROTO_IP, IP_TTL);
		show("recverr", set_int(fd, IPPROTO_IP, IP_RECVERR, 1));
	} else {
		show_option("multicast hops", fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS);
		show_option("multicast loop", fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP);
		show_option("hops", fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS);
		show("recverr", set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1));
	}
	show("error queue", recv(fd, NULL, 0, MSG_ERRQUEUE | MSG_DONTWAIT));
}

CASE(CASE_UDP, udp_overflow_keeps_order)
{
	char bytes[64];
	int fd = udp_pair(), last = 0, ordered = 1;
	for (int i = 1; i <= 50; i++) {
		(void)peer(PEER_SENDTO, 0, 0, i);
	}
	while (last < 50 && wait_for(fd, POLLIN)) {
		int n = (int)recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		ordered &= n > last;
		last = n;
	}
	show_int("in order", ordered);
	show_int("the last", last);
}

/* A child of vfork() has its own descriptors in our memory: what it closes and moves is not ours.
 */
static void children_of_vfork(int fd, int moved)
{
	(void)fflush(stdout);
	int pid = vfork();
	if (pid == 0) {
		(void)dup2(fd, moved);
		(void)close(fd);
		_exit(0);
	}
	child_join("child", pid);
	pid = vfork();
	if (pid == 0) {
		(void)close_range((unsigned)fd, (unsigned)fd, 0);
		_exit(0);
	}
	child_join("child", pid);
}

static void show_datagram(int fd)
{
	char bytes[100] = "", want[5];
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	show("peer sends", peer(PEER_SENDTO, 0, 0, 5));
	(void)wait_for(fd, POLLIN);
	show("recvfrom", recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&sa, &length));
	show_address("from", 0, &sa, length);
	fill_pattern(want, sizeof want);
	show_int("as sent", memcmp(bytes, want, sizeof want) == 0);
}

CASE(CASE_UDP, udp_vfork)
{
	int fd = udp_pair(), pipes[2];
	char byte;
	show("pipe", pipe(pipes));
	children_of_vfork(fd, pipes[0]);
	show_datagram(fd);
	show("write", write(pipes[1], "x", 1));
	show("read", read(pipes[0], &byte, 1));
}

CASE(CASE_UDP, udp_vfork_after_fork)
{
	int fd = udp_pair();
	(void)fflush(stdout);
	int pid = fork();
	if (pid == 0) {
		children_of_vfork(fd, 100);
		show_datagram(fd);
		(void)close(fd); /* and its own hints it changes */
		show("again", dup2(sock_new(SOCK_STREAM), fd) == fd);
		show_option("type", fd, SOL_SOCKET, SO_TYPE);
		show("send", send(fd, "x", 1, MSG_NOSIGNAL));
		(void)fflush(stdout);
		_exit(0);
	}
	child_join("forked", pid);
	show_datagram(fd);
}

/* libc closes it by itself, and the number is something else's. */
CASE(CASE_UDP, udp_fclose)
{
	static const char text[] = "a file";
	char bytes[16] = "", none[] = "/tmp/shim.XXXXXX";
	int fd = udp_pair();
	FILE *f = fdopen(fd, "r+");
	show_int("fclose", fclose(f));
	int file = mkstemp(none);
	show_int("the same number", file == fd);
	(void)unlink(none);
	show("write", write(file, text, sizeof text));
	show("seek", lseek(file, 0, SEEK_SET));
	show("read", read(file, bytes, sizeof bytes));
	show_text("bytes", bytes);
}
