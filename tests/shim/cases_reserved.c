/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* bindresvport(), rresvport(): glibc calls bind() from within, where no hook sees it. musl has
 * neither. */
#include "tests/shim/shim.h"

#ifdef __GLIBC__
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* The local port of a socket, and whether that is a reserved one. */
static int port_of(const char *label, int fd)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t length = sizeof sa;
	show(label, getsockname(fd, (struct sockaddr *)&sa, &length));
	int port = ntohs(((struct sockaddr_in *)&sa)->sin_port); /* where sin6_port is */
	show_int("reserved", port >= IPPORT_RESERVED / 2 && port < IPPORT_RESERVED);
	return port;
}

CASE(CASE_TCP, reserved_bind)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = sock_new(SOCK_STREAM), again = sock_new(SOCK_STREAM);
	show("no address", bindresvport(fd, NULL));
	(void)port_of("bound", fd);
	show("twice", bindresvport(fd, NULL));
	show("with address", bindresvport(again, &sa));
	if (env.family == AF_INET) {
		show_int("told", ntohs(sa.sin_port) == port_of("bound, too", again));
	}
	sa.sin_family = AF_UNIX;
	show("another family", bindresvport(sock_new(SOCK_STREAM), &sa));
	show("closed", bindresvport(200, NULL));
	show("datagrams", bindresvport(sock_new(SOCK_DGRAM), NULL));
}

CASE(CASE_TCP, reserved_connects)
{
	int listener = listen_me(0, 5), port = IPPORT_RESERVED - 1;
	struct sockaddr_storage sa, me;
	socklen_t length = sizeof sa;
	int fd = show_fd("rresvport", rresvport_af(&port, (sa_family_t)env.family));
	show_int("told", port == port_of("bound", fd));
	show("connect", connect(fd, (struct sockaddr *)&me, at_me(0, &me)));
	show_fd("accept", accept(listener, (struct sockaddr *)&sa, &length));
	show_int("seen", ntohs(((struct sockaddr_in *)&sa)->sin_port) == port);
}

CASE(CASE_ONCE, reserved_next)
{
	int port = 700, first, second;
	show_fd("first", rresvport(&port));
	first = port;
	show_fd("second", rresvport(&port));
	second = port;
	show_int("the next one down", second < first);
	port = 5;
	show_fd("below", rresvport(&port));
	show_int("in range", port >= IPPORT_RESERVED / 2 && port < IPPORT_RESERVED);
	port = 70000;
	show_fd("above", rresvport(&port));
	show_int("in range, too", port >= IPPORT_RESERVED / 2 && port < IPPORT_RESERVED);
	show_fd("another family", rresvport_af(&port, AF_UNIX));
}
#endif
