/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* getsockopt() and setsockopt() (spec/intercept.md 3.6): natively and intercepted. Defaults that
 * belong to the service (buffers, keepalive times) are not compared here. */
#include "tests/lib/loopback.h"

#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define OPTION(level, name)                                                                        \
	{                                                                                          \
		level, name, #name                                                                 \
	}

static void case_identity(void)
{
	static const struct {
		int level, name;
		const char *text;
	} t[] = {
		OPTION(SOL_SOCKET, SO_TYPE),      OPTION(SOL_SOCKET, SO_DOMAIN),
		OPTION(SOL_SOCKET, SO_PROTOCOL),  OPTION(SOL_SOCKET, SO_ACCEPTCONN),
		OPTION(SOL_SOCKET, SO_ERROR),     OPTION(SOL_SOCKET, SO_REUSEADDR),
		OPTION(SOL_SOCKET, SO_KEEPALIVE), OPTION(SOL_SOCKET, SO_REUSEPORT),
		OPTION(SOL_SOCKET, SO_BROADCAST), OPTION(IPPROTO_TCP, TCP_NODELAY),
		OPTION(IPPROTO_TCP, TCP_CORK),    OPTION(SOL_SOCKET, SO_PEERSEC + 500),
	};
	uint16_t port;
	int c, s, fds[4];
	fds[0] = lo_socket(0);
	fds[1] = lo_listener(&port);
	lo_pair(&c, &s);
	fds[2] = c;
	fds[3] = s;
	for (size_t f = 0; f < 4; f++) {
		for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
			int value = -1;
			socklen_t length = sizeof value;
			int result = getsockopt(fds[f], t[i].level, t[i].name, &value, &length);
			say("%zu %s: %d %d length %u", f, t[i].text, result, value, length);
		}
	}
}

static void case_set(void)
{
	static const struct {
		int level, name;
		const char *text;
		int values[4];
	} t[] = {
		{ SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR", { 1, 0, 5, -1 } },
		{ SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT", { 1, 0, 1, 0 } },
		{ SOL_SOCKET, SO_KEEPALIVE, "SO_KEEPALIVE", { 1, 0, 5, -1 } },
		{ IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY", { 1, 0, 1, 0 } },
		{ IPPROTO_TCP, TCP_KEEPIDLE, "TCP_KEEPIDLE", { 1, 0, 32767, 32768 } },
		{ IPPROTO_TCP, TCP_KEEPINTVL, "TCP_KEEPINTVL", { 1, 0, 32767, 32768 } },
		{ IPPROTO_TCP, TCP_KEEPCNT, "TCP_KEEPCNT", { 1, 0, 127, 128 } },
		{ IPPROTO_TCP, TCP_SYNCNT, "TCP_SYNCNT", { 1, 0, 127, 128 } },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT", { 0, 1000, -1, 5 } },
		{ IPPROTO_IP, IP_TOS, "IP_TOS", { 0x10, 0, 0x10, 0 } },
		{ IPPROTO_IP, IP_MTU_DISCOVER, "IP_MTU_DISCOVER", { 0, 1, 2, 6 } },
		{ IPPROTO_IPV6, 26, "IPV6_V6ONLY", { 0, 1, 0, 1 } },
		{ 99, 1, "level 99", { 0, 1, 0, 1 } },
		{ IPPROTO_TCP, TCP_ULP, "TCP_ULP", { 0, 1, 0, 1 } },
	};
	int fd = lo_socket(0);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		for (size_t v = 0; v < 4; v++) {
			int value = t[i].values[v], got = -1;
			socklen_t length = sizeof got;
			int set = setsockopt(fd, t[i].level, t[i].name, &value, sizeof value);
			say("%s = %d: %s", t[i].text, value, set < 0 ? error_name(errno) : "ok");
			if (set == 0 && getsockopt(fd, t[i].level, t[i].name, &got, &length) == 0) {
				say("  reads %d length %u", got, length);
			}
		}
	}
}

static void case_edges(void)
{
	static void *const bad_pointer = (void *)-1;
	int fd = lo_socket(0), value = 1;
	char text[32];
	socklen_t length = 2;
	say_result("short set", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 2));
	say_result("EFAULT", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, bad_pointer, 4));
	say_result("set", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value));
	memset(text, 0x55, sizeof text);
	say_result("cut off", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, text, &length));
	say("%02x %02x length %u", (unsigned)text[0], (unsigned)text[2], length);
	length = (socklen_t)-1;
	say_result("negative", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, text, &length));
	length = sizeof text;
	say_result("EFAULT", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, text, LO_BAD_LENGTH));
	say_result("EFAULT", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, bad_pointer, &length));
	length = sizeof text;
	say_result("IP_OPTIONS", getsockopt(fd, IPPROTO_IP, IP_OPTIONS, text, &length));
	say("length %u", length);
	say_result("IP_OPTIONS", setsockopt(fd, IPPROTO_IP, IP_OPTIONS, "", 0));
	struct ucred cred = { .pid = 5 };
	length = sizeof cred;
	say_result("SO_PEERCRED", getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length));
	say("%d %d %d length %u", (int)cred.pid, (int)cred.uid, (int)cred.gid, length);
	struct linger linger = { 1, 7 }, got = { 0, 0 };
	length = sizeof got;
	say_result("SO_LINGER", setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
	say_result("SO_LINGER", getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &length));
	say("%d %d length %u", got.l_onoff, got.l_linger, length);
	say_result("SO_BINDTODEVICE", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	say_result("SO_BINDTODEVICE", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nope0", 6));
	say_result("SO_ZEROCOPY", setsockopt(fd, SOL_SOCKET, 9999, &value, 4));
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, case_##name                                                                 \
	}
static const struct preload_case cases[] = { CASE(identity), CASE(set), CASE(edges) };

int main(int argc, char **argv)
{
	return lo_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
