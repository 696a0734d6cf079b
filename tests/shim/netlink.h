/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Netlink requests and answers, for cases_netlink.c. */
#ifndef TESTS_SHIM_NETLINK_H
#define TESTS_SHIM_NETLINK_H

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct request {
	struct nlmsghdr h;
	union {
		struct rtgenmsg any;
		struct ifinfomsg link;
		struct ifaddrmsg address;
		struct rtmsg route;
		char bytes[64];
	} body;
};

struct request request_new(int type, int flags, size_t body);
/* An attribute after what there is. */
void put(struct request *q, int type, const void *value, size_t length);
/* A bound socket. */
int netlink_new(int type);
uint32_t pid_of(int fd);
/* getsockname(); pid 1 stands for our own process, 2 for any other number. */
void show_nl_name(const char *label, int fd);
/* Read answers until the end of a dump, or `count` messages. */
void show_answer(int fd, int count);
/* Send it, and read one answer. */
void ask(const char *label, int fd, const struct request *q);

#endif
