/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works
 *
 * A socket is virtual from birth, because where it leads to is not known yet. When a program names
 * the destination, and the policy may send it to the host, the service is asked whether the network
 * or a managed route leads there (RPC_ROUTE). If not, and if the socket has neither port nor peer,
 * a socket of the program's own network is made, gets the options that were set, and is laid over
 * the descriptor; then libc does what the program asked for. Nothing is relayed by the service:
 * what the program cannot reach by itself, in its own network namespace, it does not reach through
 * us.
 *
 * Laying over loses what hangs on the old description: copies in other processes, and places in
 * epoll sets. Those of this process are found in /proc/self/fdinfo and made again (host_epoll.c).
 */
#include "intercept/host.h"

#include "intercept/dgram.h"
#include "intercept/hint.h"

#include "rpc/sys.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>

enum { LOOPBACK_PORTS_MAX = 32 };

enum host_policy host_policy;
bool host_is_possible;
static uint16_t loopback_ports[LOOPBACK_PORTS_MAX]; /* network order */
static size_t loopback_count;

/* ---- settings -------------------------------------------------------------------------------- */

static enum host_policy policy_of(const char *text)
{
	if (!text || text[0] == '\0' || strcmp(text, "all") == 0) {
		return POLICY_ALL;
	}
	if (strcmp(text, "split") == 0) {
		return POLICY_SPLIT;
	}
	if (strcmp(text, "deny") != 0) {
		debug_setting("ZT_NC_POLICY", text,
			      "is unknown (all, split, deny): nothing is allowed");
	}
	return POLICY_DENY;
}

/* "5432,6379". */
static void ports_read(const char *text)
{
	const char *at = text;
	while (*at) {
		unsigned long port = 0;
		const char *start = at;
		for (; *at >= '0' && *at <= '9' && port < 65536; at++) {
			port = port * 10 + (unsigned long)(*at - '0');
		}
		bool is_good =
		    at > start && port > 0 && port < 65536 && (*at == ',' || *at == '\0');
		if (!is_good || loopback_count == LOOPBACK_PORTS_MAX) {
			debug_setting("ZT_NC_HOST_LOOPBACK", text,
				      "is no list of at most 32 ports such as 5432,6379: ignored");
			loopback_count = 0;
			return;
		}
		loopback_ports[loopback_count++] = htons((uint16_t)port);
		at += *at == ',';
	}
}

void host_init(const char *policy, const char *loopback)
{
	host_policy = policy_of(policy);
	if (loopback && host_policy != POLICY_DENY) {
		ports_read(loopback);
	}
	host_is_possible = host_policy == POLICY_SPLIT || loopback_count > 0;
}

int host_socket_check(int family)
{
	bool is_local = family == AF_UNIX || family == AF_NETLINK || family == AF_ALG;
	return host_policy == POLICY_DENY && !is_local ? -EACCES : 0;
}

/* ---- whose is it? ---------------------------------------------------------------------------- */

static bool is_loopback(const struct rpc_addr *to)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t one[16] = { [15] = 1 };
	return memcmp(to->addr, mapped, sizeof mapped) == 0
		   ? to->addr[12] == 127
		   : memcmp(to->addr, one, sizeof one) == 0;
}

static bool is_listed(const struct rpc_addr *to)
{
	for (size_t i = 0; i < loopback_count; i++) {
		if (loopback_ports[i] == to->port_be) {
			return is_loopback(to);
		}
	}
	return false;
}

/* 1 = the host's, 0 = virtual, -errno. */
static int is_hosts(int fd, const struct rpc_addr *to)
{
	bool is_named = is_listed(to);
	if (!is_named && (host_policy != POLICY_SPLIT || is_loopback(to))) {
		return 0;
	}
	union client_reply reply;
	struct rpc_route m = { .h = { .op = RPC_ROUTE }, .addr = *to };
	int error = client_call(&m.h, sizeof m, fd, &reply, NULL);
	if (error) {
		return error;
	}
	return reply.route.is_fresh && (is_named || reply.route.is_elsewhere);
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* What was set is set again: our answer, unless it is what a new socket of the host says, too. */
static void options_copy(int from, int to)
{
	static const struct {
		int level, name;
	} options[] = {
		{ SOL_SOCKET, SO_RCVTIMEO },
		{ SOL_SOCKET, SO_SNDTIMEO },
		{ SOL_SOCKET, SO_RCVLOWAT },
		{ SOL_SOCKET, SO_LINGER },
		{ SOL_SOCKET, SO_REUSEADDR },
		{ SOL_SOCKET, SO_REUSEPORT },
		{ SOL_SOCKET, SO_BROADCAST },
		{ SOL_SOCKET, SO_KEEPALIVE },
		{ SOL_SOCKET, SO_OOBINLINE },
		{ IPPROTO_TCP, TCP_NODELAY },
		{ IPPROTO_TCP, TCP_CORK },
		{ IPPROTO_TCP, TCP_KEEPIDLE },
		{ IPPROTO_TCP, TCP_KEEPINTVL },
		{ IPPROTO_TCP, TCP_KEEPCNT },
		{ IPPROTO_TCP, TCP_SYNCNT },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT },
		{ IPPROTO_IP, IP_TOS },
		{ IPPROTO_IP, IP_TTL },
		{ IPPROTO_IP, IP_PKTINFO },
		{ IPPROTO_IP, IP_RECVERR },
		{ IPPROTO_IPV6, IPV6_V6ONLY },
		{ IPPROTO_IPV6, IPV6_TCLASS },
		{ IPPROTO_IPV6, IPV6_UNICAST_HOPS },
	};
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		uint64_t ours[2] = { 0 }, theirs[2] = { 0 };
		socklen_t length = sizeof ours, other = sizeof theirs;
		int saved = errno;
		bool has_both =
		    getsockopt(from, options[i].level, options[i].name, ours, &length) == 0 &&
		    sys(SYS_getsockopt, to, options[i].level, options[i].name, theirs, &other) >= 0;
		errno = saved;
		if (has_both && length == other && memcmp(ours, theirs, sizeof ours) != 0) {
			(void)sys(SYS_setsockopt, to, options[i].level, options[i].name, ours,
				  length);
		}
	}
}

/* A socket of the host like this one, or -errno. */
static int socket_like(const struct who *who, long status)
{
	int type = who->kind == RPC_KIND_STREAM ? SOCK_STREAM : SOCK_DGRAM;
	int echo = who->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	return (int)sys(SYS_socket, who->family,
			type | SOCK_CLOEXEC | ((status & O_NONBLOCK) ? SOCK_NONBLOCK : 0),
			who->kind == RPC_KIND_PING ? echo : 0);
}

int host_take(int fd, const struct who *who, const struct rpc_addr *to)
{
	int error = is_hosts(fd, to);
	long status = sys(SYS_fcntl, fd, F_GETFL), flags = sys(SYS_fcntl, fd, F_GETFD);
	if (error <= 0 || status < 0 || flags < 0) {
		return error < 0 ? error : 0;
	}
	int fresh = socket_like(who, status);
	if (fresh < 0) {
		return fresh;
	}
	options_copy(fd, fresh);
	error = host_lay_over(fd, fresh, (flags & FD_CLOEXEC) != 0);
	(void)sys(SYS_close, fresh);
	if (error) {
		return error;
	}
	hint_set(fd, HINT_NONE);
	return 1;
}

int host_connect(int fd, const struct sockaddr *sa, socklen_t length)
{
	return real.connect(fd, sa, length) == 0 ? 0 : -errno;
}

int host_take_datagram(int fd, const struct msghdr *m)
{
	struct who who;
	struct rpc_addr to;
	if (!dgram_is(fd, &who)) {
		return 1;
	}
	if (who.state != WHO_UNNAMED || !m->msg_name ||
	    addr_in(who.family, m->msg_name, m->msg_namelen, &to) != 0) {
		return 0; /* who has to say something about it says it */
	}
	return host_take(fd, &who, &to);
}
