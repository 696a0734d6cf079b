/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/shim/netlink.h"

#include "tests/shim/shim.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 65536 };

struct request request_new(int type, int flags, size_t body)
{
	struct request q = { .h = { .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + body),
				    .nlmsg_type = (uint16_t)type,
				    .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
				    .nlmsg_seq = 77 } };
	return q;
}

/* An attribute after what there is. */
void put(struct request *q, int type, const void *value, size_t length)
{
	struct rtattr a = { .rta_len = (unsigned short)RTA_LENGTH(length),
			    .rta_type = (unsigned short)type };
	char *at = (char *)q + NLMSG_ALIGN(q->h.nlmsg_len);
	memcpy(at, &a, sizeof a);
	memcpy(at + sizeof a, value, length);
	q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + (uint32_t)RTA_SPACE(length);
}

int netlink_new(int type)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, type, NETLINK_ROUTE);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) != 0) {
		die("netlink");
	}
	return fd;
}

void show_nl_name(const char *label, int fd)
{
	struct sockaddr_nl name = { .nl_pid = 99 };
	socklen_t length = sizeof name;
	show(label, getsockname(fd, (struct sockaddr *)&name, &length));
	show_int("family", name.nl_family);
	show_int("length", length);
	show_int("pid", name.nl_pid == 0 ? 0 : name.nl_pid == (uint32_t)getpid() ? 1 : 2);
	show_int("groups", name.nl_groups);
}

uint32_t pid_of(int fd)
{
	struct sockaddr_nl name = { .nl_pid = 0 };
	socklen_t length = sizeof name;
	(void)getsockname(fd, (struct sockaddr *)&name, &length);
	return name.nl_pid;
}

static const void *attribute(const struct nlmsghdr *h, size_t body, int type)
{
	size_t at = NLMSG_SPACE(body);
	while (at + sizeof(struct rtattr) <= h->nlmsg_len) {
		const struct rtattr *a = (const void *)((const char *)h + at);
		if (a->rta_len < sizeof *a) {
			die("attribute");
		}
		if (a->rta_type == type) {
			return RTA_DATA(a);
		}
		at += RTA_ALIGN(a->rta_len);
	}
	return NULL;
}

static void show_link(const struct nlmsghdr *h)
{
	const struct ifinfomsg *link = NLMSG_DATA(h);
	const char *name = attribute(h, sizeof *link, IFLA_IFNAME);
	const uint32_t *mtu = attribute(h, sizeof *link, IFLA_MTU);
	if (!name || strcmp(name, "lo") != 0) {
		return;
	}
	show_int("link family", link->ifi_family);
	show_int("link type", link->ifi_type);
	show_int("link index", link->ifi_index);
	show_int("link flags", link->ifi_flags);
	show_int("link mtu", mtu ? (long)*mtu : -1);
	show_int("link has address", attribute(h, sizeof *link, IFLA_ADDRESS) != NULL);
	show_int("link has broadcast", attribute(h, sizeof *link, IFLA_BROADCAST) != NULL);
	show_int("link has queue", attribute(h, sizeof *link, IFLA_QDISC) != NULL);
}

static void show_address_message(const struct nlmsghdr *h)
{
	const struct ifaddrmsg *a = NLMSG_DATA(h);
	char text[INET6_ADDRSTRLEN] = "-";
	const void *address = attribute(h, sizeof *a, IFA_ADDRESS);
	const uint32_t *flags = attribute(h, sizeof *a, IFA_FLAGS);
	const char *label = attribute(h, sizeof *a, IFA_LABEL);
	if (a->ifa_index != 1) {
		return;
	}
	(void)inet_ntop(a->ifa_family, address, text, sizeof text);
	show_text("address", text);
	show_int("address bits", a->ifa_prefixlen);
	show_int("address flags", a->ifa_flags);
	show_int("address scope", a->ifa_scope);
	show_int("address long flags", flags ? (long)*flags : -1);
	show_text("address label", label ? label : "-");
	show_int("address has local", attribute(h, sizeof *a, IFA_LOCAL) != NULL);
	show_int("address has cache", attribute(h, sizeof *a, IFA_CACHEINFO) != NULL);
}

static void show_route(const struct nlmsghdr *h)
{
	const struct rtmsg *route = NLMSG_DATA(h);
	char text[INET6_ADDRSTRLEN] = "-";
	const uint32_t *out = attribute(h, sizeof *route, RTA_OIF);
	const uint32_t *table = attribute(h, sizeof *route, RTA_TABLE);
	const void *to = attribute(h, sizeof *route, RTA_DST);
	if (!out || *out != 1 || !to) {
		return;
	}
	(void)inet_ntop(route->rtm_family, to, text, sizeof text);
	printf("route %s/%d: type %d scope %d table %d %d protocol %d source %d flags %x\n", text,
	       route->rtm_dst_len, route->rtm_type, route->rtm_scope, route->rtm_table,
	       table ? (int)*table : -1, route->rtm_protocol,
	       attribute(h, sizeof *route, RTA_PREFSRC) != NULL, route->rtm_flags & RTM_F_CLONED);
}

static void show_message(const struct nlmsghdr *h, uint32_t pid)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	if (h->nlmsg_seq != 77 || h->nlmsg_pid != pid) {
		show_text("not ours", "message");
	}
	if (h->nlmsg_type == NLMSG_ERROR) {
		show_errno("verdict", -e->error);
		show_int("verdict flags", h->nlmsg_flags);
		show_int("verdict length", h->nlmsg_len);
		show_int("verdict about", e->msg.nlmsg_type);
	} else if (h->nlmsg_type == NLMSG_DONE) {
		show_errno("done", -*(const int *)NLMSG_DATA(h));
		show_int("done flags", h->nlmsg_flags);
		show_int("done length", h->nlmsg_len);
	} else {
		printf("message %d: flags %d\n", h->nlmsg_type, h->nlmsg_flags);
	}
	if (h->nlmsg_type == RTM_NEWLINK) {
		show_link(h);
	} else if (h->nlmsg_type == RTM_NEWADDR) {
		show_address_message(h);
	} else if (h->nlmsg_type == RTM_NEWROUTE) {
		show_route(h);
	}
}

/* Of messages of one type only the first, but all about lo: how many there are differs. */
static bool is_repeated(const struct nlmsghdr *h, int *last)
{
	bool is_about_lo =
	    (h->nlmsg_type == RTM_NEWLINK && ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index == 1) ||
	    (h->nlmsg_type == RTM_NEWADDR && ((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_index == 1);
	bool is_same = h->nlmsg_type == *last && !is_about_lo;
	*last = h->nlmsg_type;
	return is_same;
}

/* Read answers until the end of a dump, or a verdict, or `count` messages. */
void show_answer(int fd, int count)
{
	static _Alignas(16) char bytes[ROOM];
	int last = 0;
	uint32_t pid = pid_of(fd);
	while (count > 0) {
		struct sockaddr_nl from = { .nl_pid = 99 };
		socklen_t length = sizeof from;
		if (!wait_for(fd, POLLIN)) {
			show_text("answer", "none");
			return;
		}
		ssize_t peeked = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC);
		ssize_t n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
		if (n < 0 || peeked != n || from.nl_pid != 0 || from.nl_groups != 0 ||
		    from.nl_family != AF_NETLINK || length != sizeof from) {
			show("receive", n);
		}
		for (size_t at = 0; n > 0 && at + NLMSG_HDRLEN <= (size_t)n;) {
			const struct nlmsghdr *h = (const void *)(bytes + at);
			if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > (size_t)n - at) {
				die("message");
			}
			at += NLMSG_ALIGN(h->nlmsg_len);
			if (h->nlmsg_type == RTM_NEWROUTE) {
				show_route(h);
			} else if (!is_repeated(h, &last)) {
				show_message(h, pid);
			}
			count -= (h->nlmsg_flags & NLM_F_MULTI) == 0;
			count = h->nlmsg_type == NLMSG_DONE ? 0 : count;
		}
	}
}

void ask(const char *label, int fd, const struct request *q)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	show(label, sendto(fd, q, q->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel));
	show_answer(fd, 1);
}
