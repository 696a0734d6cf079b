/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The second image: what is left of a socket after exec. */
#include "tests/shim/helper.h"
#include "tests/shim/shim.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void connection(void)
{
	char bytes[16];
	show_names("exec", 5);
	show_option("exec type", 5, SOL_SOCKET, SO_TYPE);
	show_option("exec error", 5, SOL_SOCKET, SO_ERROR);
	(void)wait_for(5, POLLIN);
	show("exec recv", recv(5, bytes, sizeof bytes, 0));
	show("exec write", write(5, "hello", 5));
	show("exec listen", listen(5, 1));
}

static void listener(void)
{
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	memset(&sa, 0, sizeof sa);
	show_names("exec", 5);
	show_option("exec acceptconn", 5, SOL_SOCKET, SO_ACCEPTCONN);
	int c = accept(5, (struct sockaddr *)&sa, &length);
	show_address("exec accept", c, &sa, length);
	show("exec send", send(c, "ok", 2, 0));
	show("exec getpeername", getpeername(5, (struct sockaddr *)&sa, &length));
}

static void bound(void)
{
	show_names("exec", 5);
	show("exec listen", listen(5, 3));
	show_names("exec listening", 5);
}

static void datagram(void)
{
	char bytes[16];
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	memset(&sa, 0, sizeof sa);
	show_names("exec", 5);
	long n = recvfrom(5, bytes, sizeof bytes, 0, (struct sockaddr *)&sa, &length);
	show_address("exec from", n, &sa, length);
	show("exec sendto", sendto(5, "abc", 3, 0, (struct sockaddr *)&sa, length));
}

/* A netlink socket. */
static void netlink(void)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg link;
	} q = { .h = { .nlmsg_len = sizeof q,
		       .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST,
		       .nlmsg_seq = 3 },
		.link = { .ifi_index = 1 } };
	struct sockaddr_nl name = { .nl_pid = 0 };
	socklen_t length = sizeof name;
	_Alignas(16) char bytes[8192];
	show("getsockname", getsockname(5, (struct sockaddr *)&name, &length));
	show_int("family", name.nl_family);
	show("write", write(5, &q, sizeof q));
	ssize_t n = read(5, bytes, sizeof bytes);
	const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)bytes;
	show_int("whole", n > 0 && h->nlmsg_len == (size_t)n);
	show_int("type", h->nlmsg_type);
	show_int("to us", h->nlmsg_pid == name.nl_pid && h->nlmsg_seq == q.h.nlmsg_seq);
}

int helper_main(int argc, char **argv)
{
	/* Lines must not wait in a buffer when a child of ours writes. */
	(void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	env.me = argc > 1 ? argv[1] : "";
	env.peer = argc > 2 ? argv[2] : "";
	env.port = 1;
	if (strcmp(argv[0], "connection") == 0) {
		connection();
	} else if (strcmp(argv[0], "listener") == 0) {
		listener();
	} else if (strcmp(argv[0], "bound") == 0) {
		bound();
	} else if (strcmp(argv[0], "datagram") == 0) {
		datagram();
	} else if (strcmp(argv[0], "netlink") == 0) {
		netlink();
	} else if (strcmp(argv[0], "closed") == 0) {
		show("exec closed", getsockname((int)strtol(argv[1], NULL, 10), NULL, NULL));
	}
	return 0;
}
