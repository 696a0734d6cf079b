/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* AF_INET6 beside AF_INET: which addresses a socket may have and reach, one port in two families,
 * both protocols behind one socket, options of IPv6. Only addresses that both runs have. */
#include "tests/shim/shim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { V6ONLY_DEFAULT = -1, OPT6_FLOWINFO = 11, OPT6_FLOWINFO_SEND = 33 };

static int family_of(const char *address)
{
	return strchr(address, ':') ? AF_INET6 : AF_INET;
}

static int socket_of(int family, int v6only)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd >= 0 && family == AF_INET6 && v6only != V6ONLY_DEFAULT) {
		(void)set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
	}
	return fd;
}

static socklen_t scoped(const char *address, int number, uint32_t scope,
			struct sockaddr_storage *sa)
{
	memset(sa, 0, sizeof *sa);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)number) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = v4.sin_port,
				   .sin6_scope_id = scope };
	if (family_of(address) == AF_INET6) {
		(void)inet_pton(AF_INET6, address, &v6.sin6_addr);
		memcpy(sa, &v6, sizeof v6);
		return sizeof v6;
	}
	(void)inet_pton(AF_INET, address, &v4.sin_addr);
	memcpy(sa, &v4, sizeof v4);
	return sizeof v4;
}

static int bind_to(int fd, const char *address, int number)
{
	struct sockaddr_storage sa;
	socklen_t length = scoped(address, number, 0, &sa);
	return bind(fd, (struct sockaddr *)&sa, length);
}

static int connect_to(int fd, const char *address, int number)
{
	struct sockaddr_storage sa;
	socklen_t length = scoped(address, number, 0, &sa);
	return connect(fd, (struct sockaddr *)&sa, length);
}

static int port_of(int fd)
{
	struct sockaddr_in6 sa = { .sin6_port = 0 };
	socklen_t length = sizeof sa;
	return getsockname(fd, (struct sockaddr *)&sa, &length) == 0 ? ntohs(sa.sin6_port) : 0;
}

CASE(CASE_ONCE, family_bind)
{
	static const char *const addresses[] = {
		"::",
		"::1",
		"fd99::9",
		"::2",
		"ff02::1",
		"::ffff:0.0.0.0",
		"::ffff:127.0.0.1",
		"::ffff:127.0.0.9",
		"::ffff:203.0.113.1",
		"::ffff:224.0.0.1",
		"::ffff:255.255.255.255",
		"0.0.0.0",
		"127.0.0.9",
		"203.0.113.1",
		"224.0.0.1",
		"255.255.255.255",
	};
	char line[96];
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		for (int only = 0; only <= 1; only++) {
			int fd = socket_of(family_of(addresses[i]), only);
			(void)snprintf(line, sizeof line, "%s only %d", addresses[i], only);
			show(line, bind_to(fd, addresses[i], 0));
			show_names(line, fd);
			(void)snprintf(line, sizeof line, "%s again", addresses[i]);
			show(line, bind_to(fd, "::1", 0));
			(void)close(fd);
		}
	}
}

CASE(CASE_ONCE, family_bind_after_bind)
{
	int fd = socket_of(AF_INET6, 0);
	show("bind", bind_to(fd, "::", 0));
	show("foreign", bind_to(fd, "fd99::9", 0));
	show("v6only", set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	show("v6only as it is", set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0));
	fd = socket_of(AF_INET, 0);
	show("bind 4", bind_to(fd, "0.0.0.0", 0));
	show("foreign 4", bind_to(fd, "203.0.113.1", 0));
}

CASE(CASE_ONCE, family_scopes)
{
	struct sockaddr_storage sa;
	char line[64];
	for (uint32_t scope = 0; scope <= 1; scope++) {
		socklen_t length = scoped("fe80::9", 80, scope, &sa);
		int fd = socket_of(AF_INET6, 0);
		(void)snprintf(line, sizeof line, "bind %u", scope);
		show(line, bind(fd, (struct sockaddr *)&sa, length));
		(void)snprintf(line, sizeof line, "connect %u", scope);
		show(line, connect(fd, (struct sockaddr *)&sa, length));
		(void)close(fd);
		/* a scope on other addresses means nothing */
		length = scoped("::1", 0, scope, &sa);
		fd = socket_of(AF_INET6, 0);
		(void)snprintf(line, sizeof line, "loopback %u", scope);
		show(line, bind(fd, (struct sockaddr *)&sa, length));
		show_names(line, fd);
		(void)close(fd);
	}
}

CASE(CASE_ONCE, family_sizes)
{
	static const struct {
		const char *address;
		socklen_t length;
	} rows[] = {
		{ "::1", 0 },        { "::1", 1 },       { "::1", 2 },       { "::1", 23 },
		{ "::1", 24 },       { "::1", 27 },      { "::1", 28 },      { "::1", 128 },
		{ "::1", 129 },      { "127.0.0.1", 2 }, { "127.0.0.1", 8 }, { "127.0.0.1", 16 },
		{ "127.0.0.1", 28 },
	};
	static const int families[] = { AF_INET, AF_INET6 };
	struct sockaddr_storage sa[2];
	char line[96];
	for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
		int family = families[i % 2];
		socklen_t length = rows[i / 2].length;
		(void)scoped(rows[i / 2].address, 0, 0, sa);
		int fd = socket_of(family, 0);
		(void)snprintf(line, sizeof line, "%d bind %s %u", family, rows[i / 2].address,
			       length);
		show(line, bind(fd, (struct sockaddr *)sa, length));
		(void)close(fd);
		fd = socket_of(family, 0);
		(void)scoped(rows[i / 2].address, env.port + 9, 0, sa);
		(void)snprintf(line, sizeof line, "%d connect %s %u", family, rows[i / 2].address,
			       length);
		show(line, connect(fd, (struct sockaddr *)sa, length));
		(void)close(fd);
	}
}

/* Who is bound where, where he goes, and whom the listener on :: sees. */
static void reach(const char *bound, const char *to, int v6only)
{
	char line[128];
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	int l = socket_of(AF_INET6, 0);
	int c = socket_of(bound ? family_of(bound) : family_of(to), v6only);
	if (bind_to(l, "::", 0) != 0 || listen(l, 5) != 0 || (bound && bind_to(c, bound, 0) != 0)) {
		die("prepare");
	}
	(void)snprintf(line, sizeof line, "%s to %s%s", bound ? bound : "-", to,
		       v6only > 0 ? " only" : "");
	int result = connect_to(c, to, port_of(l));
	show(line, result);
	if (result == 0 || errno == EINPROGRESS) {
		show_mask(line, wait_for(l, POLLIN));
		memset(&sa, 0, sizeof sa);
		int s = accept(l, (struct sockaddr *)&sa, &length);
		show_address(line, s < 0 ? -1 : 0, &sa, length);
		show_names(line, s);
		(void)close(s);
	}
	show_names(line, c);
	(void)close(c);
	(void)close(l);
}

CASE(CASE_ONCE, family_reach)
{
	static const char *const bound[] = {
		NULL, "::", "::1", "::ffff:127.0.0.1", "::ffff:127.0.0.9", "::ffff:0.0.0.0",
	};
	static const char *const to[] = {
		"::", "::1", "::ffff:0.0.0.0", "::ffff:127.0.0.1", "::ffff:127.0.0.7",
	};
	for (size_t i = 0; i < sizeof bound / sizeof *bound; i++) {
		for (size_t j = 0; j < sizeof to / sizeof *to; j++) {
			reach(bound[i], to[j], 0);
		}
	}
	reach(NULL, "::1", 1);
	reach(NULL, "::ffff:127.0.0.1", 1);
	reach(NULL, "127.0.0.1", 0);
	reach(NULL, "0.0.0.0", 0);
	reach("127.0.0.9", "0.0.0.0", 0);
	reach("127.0.0.9", "127.0.0.1", 0);
}

CASE(CASE_ONCE, family_out_of_reach)
{
	static const char *const bound[] = {
		NULL, "::", "::1", "::ffff:127.0.0.1", "::ffff:0.0.0.0",
	};
	static const char *const to[] = {
		"fd99::9",          "2001:db8::1",
		"ff02::1",          "::ffff:203.0.113.9",
		"::ffff:224.0.0.1", "::ffff:255.255.255.255",
		"::ffff:240.0.0.1",
	};
	char line[96];
	for (size_t i = 0; i < sizeof bound / sizeof *bound; i++) {
		for (size_t j = 0; j < sizeof to / sizeof *to; j++) {
			int fd = socket_of(AF_INET6, 0);
			(void)snprintf(line, sizeof line, "%s to %s", bound[i] ? bound[i] : "-",
				       to[j]);
			if (bound[i]) {
				show("bind", bind_to(fd, bound[i], 0));
			}
			show(line, connect_to(fd, to[j], 80));
			show_names(line, fd);
			(void)close(fd);
		}
	}
}

/* A second socket on the first one's port; then both listen. */
CASE(CASE_ONCE, family_ports)
{
	static const char *const addresses[] = {
		"::", "0.0.0.0", "::1", "127.0.0.1", "::ffff:0.0.0.0", "::ffff:127.0.0.1",
	};
	enum { COUNT = sizeof addresses / sizeof *addresses };
	char line[96];
	for (int i = 0; i < COUNT * COUNT * 4; i++) {
		const char *first = addresses[i / 4 / COUNT], *second = addresses[i / 4 % COUNT];
		/* A v4-mapped address and IPV6_V6ONLY do not go together. */
		int a = socket_of(family_of(first), first[2] == 'f' ? 0 : i & 1);
		int b = socket_of(family_of(second), second[2] == 'f' ? 0 : i >> 1 & 1);
		(void)snprintf(line, sizeof line, "%s %d, %s %d", first, i & 1, second, i >> 1 & 1);
		if (bind_to(a, first, 0) != 0) {
			die("bind");
		}
		show(line, bind_to(b, second, port_of(a)));
		show(line, listen(a, 1));
		show(line, port_of(b) ? listen(b, 1) : 0);
		(void)close(a);
		(void)close(b);
	}
}

/* A listener of one family comes before one of both. */
CASE(CASE_ONCE, family_who_gets_it)
{
	static const char *const addresses[] = { "::", "0.0.0.0", "::ffff:127.0.0.1" };
	enum { COUNT = sizeof addresses / sizeof *addresses };
	char line[96];
	for (int i = 0; i < COUNT; i++) {
		for (int j = 0; j < COUNT; j++) {
			int l[2] = { socket_of(family_of(addresses[i]), 0),
				     socket_of(family_of(addresses[j]), 0) };
			(void)snprintf(line, sizeof line, "%s, %s", addresses[i], addresses[j]);
			if (i == j) {
				continue;
			}
			(void)set_int(l[0], SOL_SOCKET, SO_REUSEPORT, 1);
			(void)set_int(l[1], SOL_SOCKET, SO_REUSEPORT, 1);
			show(line, bind_to(l[0], addresses[i], 0));
			show(line, bind_to(l[1], addresses[j], port_of(l[0])));
			show(line, listen(l[0], 5));
			show(line, listen(l[1], 5));
			int c = socket_of(AF_INET, 0);
			int result = connect_to(c, "127.0.0.1", port_of(l[0]));
			show_int(line, result == 0 || errno == EINPROGRESS);
			(void)wait_for(c, POLLOUT);
			show_int("first", accept(l[0], NULL, NULL) >= 0);
			show_int("second", accept(l[1], NULL, NULL) >= 0);
			(void)close(c);
			(void)close(l[0]);
			(void)close(l[1]);
		}
	}
}

static void numbers6(const char *name, int number, const int *values)
{
	char line[64];
	for (; *values != -99; values++) {
		int fd = socket_of(AF_INET6, V6ONLY_DEFAULT);
		(void)snprintf(line, sizeof line, "%s %d", name, *values);
		show_option(name, fd, IPPROTO_IPV6, number);
		show(line, set_int(fd, IPPROTO_IPV6, number, *values));
		show_option(line, fd, IPPROTO_IPV6, number);
		(void)close(fd);
		fd = socket_of(AF_INET, 0);
		(void)snprintf(line, sizeof line, "%s of AF_INET", name);
		show(line, set_int(fd, IPPROTO_IPV6, number, *values));
		show_option(line, fd, IPPROTO_IPV6, number);
		(void)close(fd);
	}
}
#define NUMBERS6(name, number, ...) numbers6(name, number, (const int[]){ __VA_ARGS__, -99 })

CASE(CASE_ONCE, family_options)
{
	NUMBERS6("v6only", IPV6_V6ONLY, 0, 1, 5, -1);
	NUMBERS6("hops", IPV6_UNICAST_HOPS, -2, -1, 0, 1, 255, 256);
	NUMBERS6("tclass", IPV6_TCLASS, -2, -1, 0, 3, 0xb8, 0xbb, 255, 256);
	NUMBERS6("mtu discover", IPV6_MTU_DISCOVER, -1, 0, 1, 2, 5, 6);
	NUMBERS6("mtu", IPV6_MTU, 0, 1279, 1280);
	NUMBERS6("recverr", IPV6_RECVERR, 0, 1, 7);
	NUMBERS6("dontfrag", IPV6_DONTFRAG, 0, 1);
	NUMBERS6("recvpktinfo", IPV6_RECVPKTINFO, 0, 1);
	NUMBERS6("recvhoplimit", IPV6_RECVHOPLIMIT, 0, 1);
	NUMBERS6("recvtclass", IPV6_RECVTCLASS, 0, 1);
	NUMBERS6("recvrthdr", IPV6_RECVRTHDR, 0, 1);
	NUMBERS6("recvhopopts", IPV6_RECVHOPOPTS, 0, 1);
	NUMBERS6("recvdstopts", IPV6_RECVDSTOPTS, 0, 1);
	NUMBERS6("recvpathmtu", IPV6_RECVPATHMTU, 0, 1);
	NUMBERS6("flowinfo", OPT6_FLOWINFO, 0, 1);
	NUMBERS6("flowinfo send", OPT6_FLOWINFO_SEND, 0, 1);
	NUMBERS6("autoflowlabel", IPV6_AUTOFLOWLABEL, 0, 1);
	NUMBERS6("minhopcount", IPV6_MINHOPCOUNT, -1, 0, 255, 256);
	NUMBERS6("freebind", IPV6_FREEBIND, 0, 1);
	NUMBERS6("unicast if", IPV6_UNICAST_IF, 0, 1000);
	NUMBERS6("addrform", IPV6_ADDRFORM, AF_INET, AF_INET6, 0);
	NUMBERS6("unknown", 9999, 0);
}

/* IPv4's options belong to an AF_INET6 socket as well, apart from IPv6's. */
CASE(CASE_ONCE, family_options_of_both)
{
	int fd = socket_of(AF_INET6, 0);
	show("ttl", set_int(fd, IPPROTO_IP, IP_TTL, 9));
	show("hops", set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 33));
	show("tos", set_int(fd, IPPROTO_IP, IP_TOS, 0x10));
	show_option("ttl is", fd, IPPROTO_IP, IP_TTL);
	show_option("hops are", fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS);
	show_option("tos is", fd, IPPROTO_IP, IP_TOS);
	show_option("tclass is", fd, IPPROTO_IPV6, IPV6_TCLASS);
	show_option("mtu", fd, IPPROTO_IP, IP_MTU);
	show_option("domain", fd, SOL_SOCKET, SO_DOMAIN);
	show_option("protocol", fd, SOL_SOCKET, SO_PROTOCOL);
}

CASE(CASE_ONCE, family_mtu_of_loopback)
{
	static const char *const to[] = { "::1", "::ffff:127.0.0.1" };
	for (int i = 0; i < 2; i++) {
		int l = socket_of(AF_INET6, 0), c = socket_of(AF_INET6, 0);
		if (bind_to(l, "::", 0) != 0 || listen(l, 5) != 0) {
			die("listen");
		}
		(void)connect_to(c, to[i], port_of(l));
		(void)wait_for(c, POLLOUT);
		show_option(to[i], c, IPPROTO_IPV6, IPV6_MTU);
		show_option(to[i], c, IPPROTO_IP, IP_MTU);
		(void)close(c);
		(void)close(l);
	}
}
