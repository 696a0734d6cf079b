/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* getsockname(), getpeername(): in each state, short buffers, foreign descriptors. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

CASE(CASE_TCP, name_states)
{
	int fd = sock_new(SOCK_STREAM);
	show_names("fresh", fd);
	show("bind", bind_me(fd, 0));
	show_names("bound", fd);
	show("listen", listen(fd, 1));
	show_names("listening", fd);
	int c = connected(0);
	show_names("connected", c);
	show("shutdown", shutdown(c, SHUT_WR));
	show_names("half closed", c);
	show("peer closes", peer(PEER_CLOSE, 0, 0, 0));
	(void)wait_for(c, POLLHUP);
	show_names("closed", c);
}

CASE(CASE_TCP, name_lengths)
{
	struct sockaddr_storage sa;
	socklen_t length;
	int fd = connected(0);
	static const int lengths[] = { 0, 1, 2, 4, 8, 15, 16, 27, 28, 64, 128, 200 };
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		length = (socklen_t)lengths[i];
		show("getpeername", getpeername(fd, (struct sockaddr *)&sa, &length));
		show_int("length", length);
	}
	length = (socklen_t)-1;
	show("negative", getpeername(fd, (struct sockaddr *)&sa, &length));
	length = sizeof sa;
	show("bad address", getpeername(fd, (struct sockaddr *)8, &length));
	show("bad length", getpeername(fd, (struct sockaddr *)&sa, (void *)8));
	show("null length", getsockname(fd, (struct sockaddr *)&sa, NULL));
	length = 0;
	show("null address, none wanted", getsockname(fd, NULL, &length));
}

CASE(CASE_TCP, name_untouched_beyond)
{
	char bytes[64];
	socklen_t length = 6;
	int fd = connected(0);
	memset(bytes, 0x55, sizeof bytes);
	show("getpeername", getpeername(fd, (struct sockaddr *)bytes, &length));
	show_int("beyond", bytes[6] == 0x55);
}

CASE(CASE_ONCE, name_foreign)
{
	struct sockaddr_un sa = { 0 };
	int pair[2], pipes[2];
	show("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	show("pipe", pipe(pipes));
	socklen_t length = sizeof sa;
	show("unix", getsockname(pair[0], (struct sockaddr *)&sa, &length));
	show_int("length", length);
	show_int("family", sa.sun_family);
	length = sizeof sa;
	show("unix peer", getpeername(pair[0], (struct sockaddr *)&sa, &length));
	show("pipe", getsockname(pipes[0], (struct sockaddr *)&sa, &length));
	show("closed", getsockname(200, (struct sockaddr *)&sa, &length));
	show("unix listen unbound", listen(pair[0], 1));
	show("unix accept", accept(pair[0], NULL, NULL));
	show("unix nodelay", set_int(pair[0], IPPROTO_TCP, 1, 1));
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0shim-name-foreign" };
	length = offsetof(struct sockaddr_un, sun_path) + 18;
	int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	show("unix bind", bind(server, (struct sockaddr *)&name, length));
	show("unix listen", listen(server, 2));
	show("unix connect", connect(client, (struct sockaddr *)&name, length));
	length = sizeof sa;
	int c = accept(server, (struct sockaddr *)&sa, &length);
	show_int("unix accept", c >= 0);
	show_int("unix accept length", length);
	length = sizeof sa;
	show("unix getpeername", getpeername(client, (struct sockaddr *)&sa, &length));
	show_int("unix name length", length);
	show("unix send", send(client, "x", 1, 0));
	show("unix shutdown fresh", shutdown(socket(AF_UNIX, SOCK_STREAM, 0), SHUT_RD));
	struct ucred who = { 0 };
	length = sizeof who;
	show("unix peercred", getsockopt(c, SOL_SOCKET, SO_PEERCRED, &who, &length));
	show_int("unix uid", who.uid == getuid());
}

/* The zone of an address: by name where it is a link's, and kept for every kind of address. */
CASE(CASE_ONCE, name_zones)
{
	static const char *const texts[] = { "fe80::1%lo", "ff02::1%lo", "ff12::1%lo",
					     "ff02::1%42", "ff05::1%1",  "fd00::1%1" };
	char host[NI_MAXHOST];
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct addrinfo hints = { .ai_family = AF_INET6, .ai_socktype = SOCK_DGRAM };
		struct addrinfo *list = NULL;
		show_int(texts[i], getaddrinfo(texts[i], "9", &hints, &list));
		if (!list) {
			continue;
		}
		show_int("zone", ((struct sockaddr_in6 *)(void *)list->ai_addr)->sin6_scope_id);
		show_int("getnameinfo", getnameinfo(list->ai_addr, list->ai_addrlen, host,
						    sizeof host, NULL, 0, NI_NUMERICHOST));
		show_int("the same text", strcmp(host, texts[i]) == 0);
		freeaddrinfo(list);
	}
}
