/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* NETLINK_ROUTE, as programs read interfaces, addresses and routes by it. The two worlds have
 * different interfaces, so what is printed of them is "lo", and of the others the shape.
 */
#include "tests/shim/netlink.h"
#include "tests/shim/shim.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* ---- cases ----------------------------------------------------------------------------------- */

CASE(CASE_ONCE, netlink_names)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK };
	struct sockaddr *sa = (struct sockaddr *)&name;
	int fd = show_fd("socket", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
	show_nl_name("fresh", fd);
	show_int("cloexec", fcntl(fd, F_GETFD));
	show("short", bind(fd, sa, 11));
	show("null", bind(fd, NULL, sizeof name));
	name.nl_family = AF_INET;
	show("family", bind(fd, sa, sizeof name));
	name.nl_family = AF_NETLINK;
	show("bind", bind(fd, sa, sizeof name));
	show_nl_name("bound", fd);
	show("again", bind(fd, sa, sizeof name));
	name.nl_pid = pid_of(fd);
	name.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR;
	show("groups", bind(fd, sa, sizeof name));
	show_nl_name("with groups", fd);
	int second = netlink_new(SOCK_DGRAM | SOCK_NONBLOCK);
	show_nl_name("second", second);
	show_int("different", pid_of(fd) != pid_of(second));
	show_int("nonblock", (fcntl(second, F_GETFL) & O_NONBLOCK) != 0);
	int third = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	name = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_pid = 4000000 };
	show("own number", bind(third, sa, sizeof name));
	show_int("as wanted", pid_of(third));
	for (int f = 0; f < 2; f++) {
		show_option("type", f ? second : fd, SOL_SOCKET, SO_TYPE);
		show_option("domain", f ? second : fd, SOL_SOCKET, SO_DOMAIN);
		show_option("protocol", f ? second : fd, SOL_SOCKET, SO_PROTOCOL);
		show_option("error", f ? second : fd, SOL_SOCKET, SO_ERROR);
	}
	show("stream", socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE));
	show("flags", socket(AF_NETLINK, SOCK_RAW | 0x100, NETLINK_ROUTE));
	show("protocol", socket(AF_NETLINK, SOCK_RAW, 99));
}

CASE(CASE_ONCE, netlink_peer)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK };
	struct sockaddr *sa = (struct sockaddr *)&name;
	socklen_t length = sizeof name;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	show("peer", getpeername(fd, sa, &length));
	show_int("peer pid", name.nl_pid);
	show_int("peer length", length);
	show("short", connect(fd, sa, 1));
	show("connect", connect(fd, sa, sizeof name));
	show_nl_name("after", fd);
	show("listen", listen(fd, 1));
	show("accept", accept(fd, NULL, NULL));
	show("shutdown", shutdown(fd, SHUT_RDWR));
	name.nl_family = AF_UNSPEC;
	show("disconnect", connect(fd, sa, sizeof name));
	length = 4;
	show("cut off", getsockname(fd, sa, &length));
	show_int("length", length);
	length = (socklen_t)-1;
	show("negative", getsockname(fd, sa, &length));
}

CASE(CASE_ONCE, netlink_links)
{
	int fd = netlink_new(SOCK_RAW), index = 1;
	struct request q = request_new(RTM_GETLINK, NLM_F_DUMP, sizeof q.body.link);
	ask("all", fd, &q);
	q = request_new(RTM_GETLINK, NLM_F_DUMP, sizeof q.body.any);
	q.body.any.rtgen_family = AF_PACKET;
	ask("short", fd, &q);
	q = request_new(RTM_GETLINK, 0, sizeof q.body.link);
	q.body.link.ifi_index = index;
	ask("by number", fd, &q);
	q = request_new(RTM_GETLINK, 0, sizeof q.body.link);
	put(&q, IFLA_IFNAME, "lo", 3);
	ask("by name", fd, &q);
	q = request_new(RTM_GETLINK, 0, sizeof q.body.link);
	put(&q, IFLA_IFNAME, "nosuch", 7);
	ask("no name", fd, &q);
	q = request_new(RTM_GETLINK, 0, sizeof q.body.link);
	q.body.link.ifi_index = 4711;
	ask("no number", fd, &q);
	q = request_new(RTM_GETLINK, 0, sizeof q.body.link);
	ask("neither", fd, &q);
	q = request_new(RTM_GETLINK, NLM_F_ACK, sizeof q.body.link);
	q.body.link.ifi_index = index;
	show("acknowledged", send(fd, &q, q.h.nlmsg_len, 0));
	show_answer(fd, 2);
}

CASE(CASE_ONCE, netlink_addresses)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	int fd = netlink_new(SOCK_RAW);
	for (int i = 0; i < 3; i++) {
		struct request q = request_new(RTM_GETADDR, NLM_F_DUMP, sizeof q.body.address);
		q.body.address.ifa_family = (uint8_t)families[i];
		ask("dump", fd, &q);
	}
	show("strict", set_int(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1));
	struct request q = request_new(RTM_GETADDR, NLM_F_DUMP, sizeof q.body.address);
	q.body.address.ifa_family = AF_INET;
	q.body.address.ifa_index = 1;
	ask("of lo", fd, &q);
	q.body.address.ifa_index = 4711;
	ask("of none", fd, &q);
}

CASE(CASE_ONCE, netlink_routes)
{
	static const char *const destinations[] = { "127.0.0.1", "127.9.9.9", "198.51.100.1" };
	int fd = netlink_new(SOCK_RAW);
	struct request q = request_new(RTM_GETROUTE, NLM_F_DUMP, sizeof q.body.route);
	q.body.route.rtm_family = AF_INET;
	ask("all", fd, &q);
	q.body.route.rtm_flags = RTM_F_CLONED;
	ask("cache", fd, &q);
	for (size_t i = 0; i < sizeof destinations / sizeof *destinations; i++) {
		struct in_addr to;
		(void)inet_pton(AF_INET, destinations[i], &to);
		q = request_new(RTM_GETROUTE, 0, sizeof q.body.route);
		q.body.route.rtm_family = AF_INET;
		q.body.route.rtm_dst_len = 32;
		q.body.route.rtm_flags = RTM_F_LOOKUP_TABLE;
		put(&q, RTA_DST, &to, sizeof to);
		ask(destinations[i], fd, &q);
	}
	q = request_new(RTM_GETROUTE, 0, sizeof q.body.route);
	q.body.route.rtm_family = AF_INET6;
	q.body.route.rtm_dst_len = 128;
	put(&q, RTA_DST, &in6addr_loopback, sizeof in6addr_loopback);
	ask("::1", fd, &q);
	uint32_t table = RT_TABLE_LOCAL, index = 1;
	show("strict", set_int(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1));
	q = request_new(RTM_GETROUTE, NLM_F_DUMP, sizeof q.body.route);
	q.body.route.rtm_family = AF_INET;
	put(&q, RTA_TABLE, &table, sizeof table);
	put(&q, RTA_OIF, &index, sizeof index);
	ask("of lo", fd, &q);
	q = request_new(RTM_GETROUTE, NLM_F_DUMP, sizeof q.body.route);
	q.body.route.rtm_family = AF_INET;
	q.body.route.rtm_flags = RTM_F_CLONED;
	ask("strict cache", fd, &q);
}

CASE(CASE_ONCE, netlink_verdicts)
{
	static const int types[] = { RTM_NEWADDR, RTM_DELADDR,  RTM_NEWLINK, RTM_SETLINK,
				     RTM_DELLINK, RTM_NEWROUTE, RTM_DELRULE, RTM_NEWNEIGH };
	if (setuid(NOBODY) != 0) {
		die("setuid");
	}
	int fd = netlink_new(SOCK_RAW);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct request q = request_new(types[i], NLM_F_ACK, 16);
		ask("change", fd, &q);
	}
	struct request q = request_new(RTM_MAX + 5, NLM_F_ACK, 16);
	ask("unknown", fd, &q);
	q = request_new(RTM_GETLINK, NLM_F_ACK, 0);
	ask("empty", fd, &q);
	q = request_new(NLMSG_NOOP, NLM_F_ACK, 4);
	ask("nothing", fd, &q);
	q = request_new(RTM_NEWADDR, NLM_F_ACK, 16);
	q.h.nlmsg_flags = NLM_F_ACK;
	ask("no request", fd, &q);
	show("capped", set_int(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1));
	q = request_new(RTM_NEWADDR, NLM_F_ACK, 16);
	ask("change", fd, &q);
	struct request two[2] = { q, q };
	struct iovec iov[2] = { { &two[0], q.h.nlmsg_len }, { &two[1], q.h.nlmsg_len } };
	show("two", writev(fd, iov, 2));
	show_answer(fd, 2);
	show_mask("mask", mask_now(fd));
}

CASE(CASE_ONCE, netlink_send)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	struct sockaddr *sa = (struct sockaddr *)&to;
	if (setuid(NOBODY) != 0) {
		die("setuid");
	}
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct request q = request_new(RTM_GETLINK, 0, sizeof q.body.link);
	q.body.link.ifi_index = 1;
	show("short address", sendto(fd, &q, q.h.nlmsg_len, 0, sa, 8));
	show("out of band", sendto(fd, &q, q.h.nlmsg_len, MSG_OOB, sa, sizeof to));
	to.nl_family = AF_INET;
	show("another family", sendto(fd, &q, q.h.nlmsg_len, 0, sa, sizeof to));
	to.nl_family = AF_NETLINK;
	to.nl_pid = 4711;
	show("to a process", sendto(fd, &q, q.h.nlmsg_len, 0, sa, sizeof to));
	to.nl_pid = 0;
	to.nl_groups = 1;
	show("to a group", sendto(fd, &q, q.h.nlmsg_len, 0, sa, sizeof to));
	show_nl_name("not bound", fd);
	q.h.nlmsg_len = 200;
	show("longer than it is", send(fd, &q, 32, 0));
	q.h.nlmsg_len = 8;
	show("shorter than a header", send(fd, &q, 32, 0));
	show("a piece", send(fd, &q, 8, 0));
	show_nl_name("bound by it", fd);
	show("recv", recv(fd, &q, sizeof q, MSG_DONTWAIT));
	show("errors", recv(fd, &q, sizeof q, MSG_ERRQUEUE | MSG_DONTWAIT));
	show_mask("mask", mask_now(fd));
	q = request_new(RTM_GETLINK, 0, sizeof q.body.link);
	q.body.link.ifi_index = 1;
	show("write", write(fd, &q, q.h.nlmsg_len));
	show_int("readable", (wait_for(fd, POLLIN) & POLLIN) != 0);
	show("read", read(fd, &q, 16));
	show_int("of type", q.h.nlmsg_type);
	show_mask("the rest is lost", mask_now(fd));
}

CASE(CASE_ONCE, netlink_options)
{
	static const int names[] = { NETLINK_PKTINFO,    NETLINK_BROADCAST_ERROR,
				     NETLINK_NO_ENOBUFS, NETLINK_CAP_ACK,
				     NETLINK_EXT_ACK,    NETLINK_GET_STRICT_CHK };
	int fd = netlink_new(SOCK_RAW);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		show_option("before", fd, SOL_NETLINK, names[i]);
		show("set", set_int(fd, SOL_NETLINK, names[i], 5));
		show_option("after", fd, SOL_NETLINK, names[i]);
	}
	show("clear", set_int(fd, SOL_NETLINK, NETLINK_EXT_ACK, 0));
	show_option("cleared", fd, SOL_NETLINK, NETLINK_EXT_ACK);
	show("join", set_int(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, RTNLGRP_LINK));
	show("join more", set_int(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, RTNLGRP_IPV6_IFADDR));
	show_nl_name("joined", fd);
	show("leave", set_int(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, RTNLGRP_LINK));
	show_nl_name("left", fd);
	uint32_t groups[4] = { 0 };
	socklen_t length = sizeof groups;
	show("memberships", getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &length));
	show_int("length", length);
	show_int("groups", groups[0]);
	length = 3;
	show("no room", getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, NULL, &length));
	show_int("length", length);
	show("group 0", set_int(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 0));
	show("group 9999", set_int(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 9999));
	show("unknown", set_int(fd, SOL_NETLINK, 99, 1));
	show("short", setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, "", 1));
	show("another level", set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1));
	show("rcvbuf", set_int(fd, SOL_SOCKET, SO_RCVBUF, 65536));
	show_option("rcvbuf", fd, SOL_SOCKET, SO_RCVBUF);
	show("sndbuf", set_int(fd, SOL_SOCKET, SO_SNDBUF, 32768));
	struct ifreq r = { .ifr_name = "lo" };
	show("ioctl", ioctl(fd, SIOCGIFFLAGS, &r));
	show_int("flags", r.ifr_flags);
}

CASE(CASE_ONCE, netlink_credentials)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct ucred from = { .pid = 9, .uid = 9, .gid = 9 };
	struct sockaddr_nl name;
	char bytes[8192];
	struct iovec iov = { bytes, sizeof bytes };
	struct msghdr m = { .msg_name = &name,
			    .msg_namelen = sizeof name,
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	int fd = netlink_new(SOCK_RAW);
	show("passcred", set_int(fd, SOL_SOCKET, SO_PASSCRED, 1));
	struct request q = request_new(RTM_GETLINK, 0, sizeof q.body.link);
	q.body.link.ifi_index = 1;
	show("send", send(fd, &q, q.h.nlmsg_len, 0));
	show_int("received", recvmsg(fd, &m, 0) > 0);
	show_int("from", name.nl_pid);
	show_int("control", CMSG_FIRSTHDR(&m) && control.header.cmsg_type == SCM_CREDENTIALS);
	memcpy(&from, CMSG_DATA(&control.header), sizeof from);
	show_int("pid", from.pid);
	show_int("uid", from.uid);
	show_int("flags", m.msg_flags);
}

CASE(CASE_ONCE, netlink_processes)
{
	int fd = netlink_new(SOCK_RAW), pair[2];
	struct request q = request_new(RTM_GETLINK, 0, sizeof q.body.link);
	q.body.link.ifi_index = 1;
	ask("here", dup(fd), &q);
	show("send", send(fd, &q, q.h.nlmsg_len, 0));
	int pid = fork();
	if (pid == 0) {
		show_answer(fd, 1);
		ask("child", fd, &q);
		(void)fflush(stdout);
		_exit(0);
	}
	child_join("child", pid);
	(void)socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pid = fork();
	if (pid == 0) {
		(void)close(fd);
		ask("sent", rights_receive(pair[1]), &q);
		(void)fflush(stdout);
		_exit(0);
	}
	show("rights", rights_send(pair[0], fd));
	child_join("child", pid);
	exec_helper("netlink", fd);
	(void)fflush(stdout);
	pid = vfork();
	if (pid == 0) {
		(void)close(fd);
		_exit(0);
	}
	child_join("vfork", pid);
	ask("not closed by it", fd, &q);
}
