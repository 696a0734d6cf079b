/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Options: defaults, ranges, lengths, what is reported back. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct option {
	const char *name;
	int level, number;
};

static const struct option booleans[] = {
	{ "reuseaddr", SOL_SOCKET, SO_REUSEADDR }, { "reuseport", SOL_SOCKET, SO_REUSEPORT },
	{ "keepalive", SOL_SOCKET, SO_KEEPALIVE }, { "broadcast", SOL_SOCKET, SO_BROADCAST },
	{ "oobinline", SOL_SOCKET, SO_OOBINLINE }, { "dontroute", SOL_SOCKET, SO_DONTROUTE },
	{ "timestamp", SOL_SOCKET, SO_TIMESTAMP }, { "nodelay", IPPROTO_TCP, TCP_NODELAY },
	{ "cork", IPPROTO_TCP, TCP_CORK },
};

CASE(CASE_TCP, option_booleans)
{
	char line[64];
	int fd = sock_new(SOCK_STREAM);
	for (size_t i = 0; i < sizeof booleans / sizeof *booleans; i++) {
		const struct option *o = &booleans[i];
		show_option(o->name, fd, o->level, o->number);
		(void)snprintf(line, sizeof line, "%s set", o->name);
		show(line, set_int(fd, o->level, o->number, 5));
		(void)snprintf(line, sizeof line, "%s is", o->name);
		show_option(line, fd, o->level, o->number);
		(void)snprintf(line, sizeof line, "%s off", o->name);
		show(line, set_int(fd, o->level, o->number, 0));
		(void)snprintf(line, sizeof line, "%s is off", o->name);
		show_option(line, fd, o->level, o->number);
	}
}

static void numbers(const char *name, int level, int number, const int *values)
{
	char line[64];
	int fd = sock_new(SOCK_STREAM);
	show_option(name, fd, level, number);
	for (; *values != -99; values++) {
		(void)snprintf(line, sizeof line, "%s set %d", name, *values);
		show(line, set_int(fd, level, number, *values));
		(void)snprintf(line, sizeof line, "%s after %d", name, *values);
		show_option(line, fd, level, number);
	}
}
#define NUMBERS(name, level, number, ...)                                                          \
	numbers(name, level, number, (const int[]){ __VA_ARGS__, -99 })

CASE(CASE_TCP, option_keepalive_numbers)
{
	NUMBERS("keepidle", IPPROTO_TCP, TCP_KEEPIDLE, 1, 100, 32767, 0, -1, 32768);
	NUMBERS("keepintvl", IPPROTO_TCP, TCP_KEEPINTVL, 1, 100, 32767, 0, -1, 32768);
	NUMBERS("keepcnt", IPPROTO_TCP, TCP_KEEPCNT, 1, 9, 127, 0, -1, 128);
}

CASE(CASE_TCP, option_tcp_numbers)
{
	NUMBERS("syncnt", IPPROTO_TCP, TCP_SYNCNT, 1, 127, 0, 128);
	NUMBERS("user timeout", IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 5000, -1);
	NUMBERS("notsent lowat", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384, 0);
	NUMBERS("thin linear", IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1, 0, 2, -1);
	NUMBERS("thin dupack", IPPROTO_TCP, TCP_THIN_DUPACK, 1, 0, 2, -1);
	NUMBERS("quickack", IPPROTO_TCP, TCP_QUICKACK, 0, 1);
}

CASE(CASE_TCP, option_linger2)
{
	NUMBERS("linger2", IPPROTO_TCP, TCP_LINGER2, 30, 0, -1, 1000);
}

CASE(CASE_TCP, option_defer_accept)
{
	NUMBERS("defer", IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, 5, 0, -1);
}

CASE(CASE_TCP, option_window_clamp)
{
	NUMBERS("clamp", IPPROTO_TCP, TCP_WINDOW_CLAMP, 70000, 100, 0);
}

CASE(CASE_TCP, option_maxseg)
{
	NUMBERS("maxseg", IPPROTO_TCP, TCP_MAXSEG, 1000, 87, 88, 32767, 32768, 0);
}

CASE(CASE_TCP, option_maxseg_connected)
{
	int fd = sock_new(SOCK_STREAM), mss;
	show("set", set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 600));
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("connect", connect_peer(fd, 5));
	mss = get_int(fd, IPPROTO_TCP, TCP_MAXSEG);
	show_int("is at most that", mss > 500 && mss <= 600);
	(void)peer(PEER_CLOSE, 60, 0, 0);
	int other = connected(0);
	mss = get_int(other, IPPROTO_TCP, TCP_MAXSEG);
	show_int("is large", mss > 1200);
}

CASE(CASE_TCP, option_buffers)
{
	int fd = sock_new(SOCK_STREAM);
	show_int("sndbuf default", get_int(fd, SOL_SOCKET, SO_SNDBUF) > 10000);
	show_int("rcvbuf default", get_int(fd, SOL_SOCKET, SO_RCVBUF) > 10000);
	NUMBERS("sndbuf", SOL_SOCKET, SO_SNDBUF, 30000, 1, 0, 100000);
	NUMBERS("rcvbuf", SOL_SOCKET, SO_RCVBUF, 30000, 1, 0, 100000);
}

CASE(CASE_TCP, option_buffers_clamped)
{
	int fd = sock_new(SOCK_STREAM);
	show("set", set_int(fd, SOL_SOCKET, SO_SNDBUF, 1 << 30));
	show_int("is clamped", get_int(fd, SOL_SOCKET, SO_SNDBUF) < 1 << 30);
	show("negative", set_int(fd, SOL_SOCKET, SO_SNDBUF, -1));
}

CASE(CASE_TCP, option_linger)
{
	struct linger value = { 7, 8 };
	socklen_t length = sizeof value;
	int fd = sock_new(SOCK_STREAM);
	show("get", getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &length));
	show_int("off", value.l_onoff);
	show_int("time", value.l_linger);
	value = (struct linger){ 5, 9 };
	show("set", setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof value));
	show("get", getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &length));
	show_int("on", value.l_onoff);
	show_int("nine", value.l_linger);
	show("short", setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, 4));
	length = 4;
	show("get short", getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &length));
	show_int("length", length);
}

CASE(CASE_TCP, option_lengths)
{
	int fd = sock_new(SOCK_STREAM), value = 1;
	socklen_t length = sizeof value;
	show("set short", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 2));
	show("set zero", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 0));
	show("set negative", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, (socklen_t)-1));
	show("set long", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 16));
	show("set null", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, NULL, 4));
	show("set bad", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (void *)8, 4));
	show("socket set null", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, NULL, 4));
	show("socket set short", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 2));
	length = 2;
	show("get short", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length));
	show_int("short length", length);
	length = 0;
	show("get zero", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length));
	show_int("zero length", length);
	length = (socklen_t)-1;
	show("get negative", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length));
	length = 4;
	show("get bad", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (void *)8, &length));
	show("get bad length", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, (void *)8));
	show("get null length", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, NULL));
	length = 100;
	show("get long", getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, &length));
	show_int("long length", length);
	show("not a descriptor", getsockopt(-1, SOL_SOCKET, SO_TYPE, &value, &length));
	show("not a socket", getsockopt(STDOUT_FILENO, SOL_SOCKET, SO_TYPE, &value, &length));
}

CASE(CASE_TCP, option_unknown)
{
	int fd = sock_new(SOCK_STREAM), value = 1;
	socklen_t length = sizeof value;
	show("tcp set", set_int(fd, IPPROTO_TCP, 200, 1));
	show("tcp get", getsockopt(fd, IPPROTO_TCP, 200, &value, &length));
	show("socket set", set_int(fd, SOL_SOCKET, 200, 1));
	show("socket get", getsockopt(fd, SOL_SOCKET, 200, &value, &length));
	show("ip set", set_int(fd, IPPROTO_IP, 60, 1));
	show("ip get", getsockopt(fd, IPPROTO_IP, 60, &value, &length));
	show("udp set", set_int(fd, IPPROTO_UDP, 1, 1));
	show("udp get", getsockopt(fd, IPPROTO_UDP, 1, &value, &length));
	show("level 999 set", set_int(fd, 999, 1, 1));
	show("level 999 get", getsockopt(fd, 999, 1, &value, &length));
}

CASE(CASE_TCP, option_read_only)
{
	int fd = sock_new(SOCK_STREAM);
	show("type", set_int(fd, SOL_SOCKET, SO_TYPE, 1));
	show("domain", set_int(fd, SOL_SOCKET, SO_DOMAIN, 1));
	show("protocol", set_int(fd, SOL_SOCKET, SO_PROTOCOL, 1));
	show("error", set_int(fd, SOL_SOCKET, SO_ERROR, 1));
	show("acceptconn", set_int(fd, SOL_SOCKET, SO_ACCEPTCONN, 1));
	show("info", set_int(fd, IPPROTO_TCP, TCP_INFO, 1));
	show("sndlowat", set_int(fd, SOL_SOCKET, SO_SNDLOWAT, 1));
	show("mtu", set_int(fd, IPPROTO_IP, IP_MTU, 1));
}

CASE(CASE_TCP, option_peer_credentials)
{
	struct ucred who = { 1, 1, 1 };
	socklen_t length = sizeof who;
	int fd = connected(0);
	show("peercred", getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length));
	show_int("pid", who.pid);
	show_int("uid", (int)who.uid);
	show_int("gid", (int)who.gid);
	char groups[64];
	length = sizeof groups;
	show("peergroups", getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length));
}

CASE(CASE_TCP, option_names_of_algorithms)
{
	char name[32] = "";
	socklen_t length = sizeof name;
	int fd = sock_new(SOCK_STREAM);
	show("congestion", getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length));
	show_int("length", length);
	show("set the same",
	     setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)));
	show("set nonsense", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8));
	show("ulp", setsockopt(fd, IPPROTO_TCP, TCP_ULP, "nonsense", 8));
	length = sizeof name;
	show("get ulp", getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &length));
	show_int("ulp length", length);
}

CASE(CASE_TCP, option_ip_numbers)
{
	if (env.family == AF_INET) {
		NUMBERS("tos", IPPROTO_IP, IP_TOS, 16, 0x10, 0);
		NUMBERS("ttl", IPPROTO_IP, IP_TTL, 1, 255, -1, 0, 256);
		NUMBERS("discover", IPPROTO_IP, IP_MTU_DISCOVER, 0, 1, 2, 3, 4, 5, 6, -1);
		NUMBERS("freebind", IPPROTO_IP, IP_FREEBIND, 1, 0);
	} else {
		NUMBERS("tclass", IPPROTO_IPV6, IPV6_TCLASS, 16, 0, 255, 256, -1);
		NUMBERS("hops", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1, 255, -1, 0, 256);
		NUMBERS("v6only", IPPROTO_IPV6, IPV6_V6ONLY, 1, 0);
	}
}

CASE(CASE_TCP, option_ip_bytes)
{
	unsigned char byte = 8;
	socklen_t length = sizeof byte;
	int fd = sock_new(SOCK_STREAM);
	show("set one byte", setsockopt(fd, IPPROTO_IP, IP_TOS, &byte, 1));
	byte = 0;
	show("get one byte", getsockopt(fd, IPPROTO_IP, IP_TOS, &byte, &length));
	show_int("byte", byte);
	show_int("length", length);
	show_option("whole", fd, IPPROTO_IP, IP_TOS);
}

CASE(CASE_TCP, option_ip_options)
{
	char bytes[40];
	socklen_t length = sizeof bytes;
	int fd = connected(0);
	if (env.family == AF_INET) {
		show("get", getsockopt(fd, IPPROTO_IP, IP_OPTIONS, bytes, &length));
		show_int("length", length);
		show("set none", setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0));
	}
	int mtu = get_int(fd, env.family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			  env.family == AF_INET ? IP_MTU : IPV6_MTU);
	show_int("mtu", mtu >= 1280);
}

CASE(CASE_TCP, option_mtu_unconnected)
{
	int fd = sock_new(SOCK_STREAM), mtu;
	socklen_t length = sizeof mtu;
	show("mtu", env.family == AF_INET ? getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &length)
					  : getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &length));
}

CASE(CASE_TCP, option_device)
{
	char name[32] = "x";
	socklen_t length = sizeof name;
	int fd = sock_new(SOCK_STREAM);
	show("get", getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length));
	show_int("length", length);
	show("unknown", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nosuch0", 8));
	show("none", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	show("lo", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
}

CASE(CASE_TCP, option_socket_numbers)
{
	NUMBERS("mark", SOL_SOCKET, SO_MARK, 7, 0);
	NUMBERS("priority", SOL_SOCKET, SO_PRIORITY, 3, 6, 0);
	NUMBERS("busy poll", SOL_SOCKET, SO_BUSY_POLL, 0);
	NUMBERS("peek off", SOL_SOCKET, SO_PEEK_OFF, 0, 5, -1);
	NUMBERS("incoming cpu", SOL_SOCKET, SO_INCOMING_CPU, 0);
	NUMBERS("no check", SOL_SOCKET, SO_NO_CHECK, 1, 0);
}

CASE(CASE_TCP, option_unsupported)
{
	int fd = sock_new(SOCK_STREAM), value = 1;
	socklen_t length = sizeof value;
	show("attach bpf", set_int(fd, SOL_SOCKET, SO_ATTACH_BPF, 999));
	show("detach filter", set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 1));
	show("md5", set_int(fd, IPPROTO_TCP, TCP_MD5SIG, 1));
	show("repair", getsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &value, &length));
	show("peersec", getsockopt(fd, SOL_SOCKET, SO_PEERSEC, &value, &length));
	show("peername", getsockopt(fd, SOL_SOCKET, 28, &value, &length));
}

CASE(CASE_TCP, option_info)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	memset(&info, 0x55, sizeof info);
	int fresh = sock_new(SOCK_STREAM);
	show("fresh", getsockopt(fresh, IPPROTO_TCP, TCP_INFO, &info, &length));
	show_int("closed", info.tcpi_state);
	show_int("rto", info.tcpi_rto);
	show_int("rtt", info.tcpi_rtt);
	show_int("rttvar", info.tcpi_rttvar);
	show_int("cwnd", info.tcpi_snd_cwnd);
	show_int("no threshold yet", info.tcpi_snd_ssthresh);
	int listener = listen_me(0, 13);
	length = sizeof info;
	show("listener", getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &length));
	show_int("listen", info.tcpi_state);
	show_int("backlog", info.tcpi_sacked);
	show_int("waiting", info.tcpi_unacked);
	int fd = connected(0);
	length = sizeof info;
	show("connection", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	/* All that glibc's struct has; kernels and musl's have gone on. */
	show_int("length",
		 length >= offsetof(struct tcp_info, tcpi_total_retrans) + sizeof(uint32_t));
	show_int("established", info.tcpi_state);
	show_int("has mss", info.tcpi_snd_mss > 500 && info.tcpi_advmss > 500);
	show_int("has mtu", info.tcpi_pmtu >= 1280);
	show_int("has window", info.tcpi_snd_cwnd > 0 && info.tcpi_rcv_space > 0);
	show_int("has rto", info.tcpi_rto > 0);
	show_int("has rtt", info.tcpi_rtt > 0 && info.tcpi_rttvar > 0);
	show_int("retransmits", info.tcpi_retransmits);
	length = 8;
	show("short", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	show_int("short length", length);
}

CASE(CASE_TCP, option_after_connect)
{
	int fd = connected(0);
	show("nodelay", set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1));
	show_option("nodelay is", fd, IPPROTO_TCP, TCP_NODELAY);
	show("keepalive", set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
	show_option("keepalive is", fd, SOL_SOCKET, SO_KEEPALIVE);
	show("reuseport", set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1));
	show("sndbuf", set_int(fd, SOL_SOCKET, SO_SNDBUF, 40000));
	show_option("sndbuf is", fd, SOL_SOCKET, SO_SNDBUF);
	show("send", send(fd, "hello", 5, 0));
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
}

/* A sender with a small buffer blocks soon, one with a large one late. */
static long fits(int fd)
{
	static char bytes[4096];
	long n, total = 0;
	while ((n = send(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
		total += n;
	}
	return total;
}

CASE(CASE_TCP, option_sndbuf_limits)
{
	int fd = sock_new(SOCK_STREAM);
	show("set", set_int(fd, SOL_SOCKET, SO_SNDBUF, 8192));
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("peer's buffer", peer(PEER_OPTION, 60, SOL_SOCKET << 16 | SO_RCVBUF, 8192));
	show("connect", connect_peer(fd, 5));
	show_int("not without end", fits(fd) < 8 << 20);
}

CASE(CASE_TCP, option_get_after_refused)
{
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("nodelay", set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1));
	show("keepidle", set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 44));
	show("connect", connect_peer(fd, 6));
	(void)wait_for(fd, 4);
	show("connect tells", connect_peer(fd, 6));
	show("connect again", connect_peer(fd, 6));
	show_option("nodelay stays", fd, IPPROTO_TCP, TCP_NODELAY);
	show_option("keepidle stays", fd, IPPROTO_TCP, TCP_KEEPIDLE);
	show_option("reuseaddr stays", fd, SOL_SOCKET, SO_REUSEADDR);
}

/* What a socket was told outlives connect(AF_UNSPEC). */
CASE(CASE_TCP, option_get_after_disconnect)
{
	struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
	int fd = connected(0);
	show("nodelay", set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1));
	show("keepidle", set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 44));
	show("disconnect", connect(fd, (struct sockaddr *)&none, sizeof none));
	show_option("nodelay stays", fd, IPPROTO_TCP, TCP_NODELAY);
	show_option("keepidle stays", fd, IPPROTO_TCP, TCP_KEEPIDLE);
}
