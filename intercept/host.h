/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* ZT_NC_POLICY and ZT_NC_HOST_LOOPBACK: which sockets are the program's own network's after all
 * (spec/intercept.md 5.2, 5.3, 5.5; decision 231).
 *
 *   all    every internet socket is virtual; nothing leaves by the host (default)
 *   split  a connection, or a first datagram, to where no managed route leads is the host's
 *   deny   no new sockets but AF_UNIX, AF_NETLINK and AF_ALG
 */
#ifndef INTERCEPT_HOST_H
#define INTERCEPT_HOST_H

#include "intercept/intercept.h"

enum host_policy { POLICY_ALL, POLICY_SPLIT, POLICY_DENY };
extern enum host_policy host_policy;
/* May anything go to the host? Checked first: false in nearly every process. */
extern bool host_is_possible;

/* The settings; either may be NULL. What cannot be understood denies: it must not leak. */
void host_init(const char *policy, const char *loopback_ports);
/* May a socket of this family be made? 0 or -EACCES. */
int host_socket_check(int family);
/* The program wants to reach `to` with its socket. 1: it was the host's business, and `fd` is now a
 * socket of the host with the same options; 0: virtual; -errno. */
int host_take(int fd, const struct who *who, const struct rpc_addr *to);
/* connect() of a socket that was taken: 0 or -errno. */
int host_connect(int fd, const struct sockaddr *sa, socklen_t length);
/* The same for the address of a datagram. 1 also if `fd` was taken before. */
int host_take_datagram(int fd, const struct msghdr *m);

/* host_epoll.c: lay `fresh`, which stays open, over `fd`: the epoll sets of this process that watch
 * `fd` watch it again, with the same events and data. 0 or -errno. */
int host_lay_over(int fd, int fresh, bool is_cloexec);
/* Epoll sets of this process that watch `fd`. Found before it is replaced. */
struct host_epoll {
	int set;
	uint32_t events;
	uint64_t data;
};
enum { HOST_EPOLL_MAX = 8 };
size_t host_epoll_find(int fd, struct host_epoll out[HOST_EPOLL_MAX]);
/* One line of /proc/self/fdinfo about `fd`: its events and data. False: another line. */
bool host_epoll_line(const char *line, int fd, struct host_epoll *out);

#endif
