/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* socket(), bind(), listen(): arguments, states, who may have a port. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void try_socket(const char *label, int family, int type, int protocol)
{
	int fd = show_fd(label, socket(family, type, protocol));
	if (fd >= 0) {
		(void)close(fd);
	}
}

CASE(CASE_TCP, socket_arguments)
{
	try_socket("stream 0", env.family, SOCK_STREAM, 0);
	try_socket("stream tcp", env.family, SOCK_STREAM, IPPROTO_TCP);
	try_socket("stream udp", env.family, SOCK_STREAM, IPPROTO_UDP);
	try_socket("stream icmp", env.family, SOCK_STREAM, IPPROTO_ICMP);
	try_socket("stream -1", env.family, SOCK_STREAM, -1);
	try_socket("stream 300", env.family, SOCK_STREAM, 300);
	try_socket("type 0", env.family, 0, 0);
	try_socket("type 9", env.family, 9, 0);
	try_socket("type 11", env.family, 11, 0);
	try_socket("type 15", env.family, 15, 0);
	try_socket("seqpacket", env.family, SOCK_SEQPACKET, 0);
	try_socket("rdm", env.family, SOCK_RDM, 0);
	try_socket("unknown flag", env.family, SOCK_STREAM | 0x100000, 0);
	try_socket("flags", env.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

CASE(CASE_ONCE, socket_families)
{
	try_socket("family 0", AF_UNSPEC, SOCK_STREAM, 0);
	try_socket("family 99", 99, SOCK_STREAM, 0);
	try_socket("family -1", -1, SOCK_STREAM, 0);
	try_socket("unix", AF_UNIX, SOCK_STREAM, 0);
	try_socket("netlink", AF_NETLINK, SOCK_RAW, 0);
}

CASE(CASE_TCP, socket_flags)
{
	int plain = sock_new(SOCK_STREAM);
	int both = sock_new(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
	show_int("plain nonblock", (fcntl(plain, F_GETFL) & O_NONBLOCK) != 0);
	show_int("plain cloexec", fcntl(plain, F_GETFD));
	show_int("plain access", fcntl(plain, F_GETFL) & O_ACCMODE);
	show_int("both nonblock", (fcntl(both, F_GETFL) & O_NONBLOCK) != 0);
	show_int("both cloexec", fcntl(both, F_GETFD));
	show_int("later cloexec", fcntl(plain, F_SETFD, FD_CLOEXEC));
	show_int("is cloexec", fcntl(plain, F_GETFD));
}

CASE(CASE_TCP, socket_lowest_number)
{
	int a = sock_new(SOCK_STREAM), b = sock_new(SOCK_STREAM), c = sock_new(SOCK_STREAM);
	show_int("second follows", b - a);
	show_int("third follows", c - a);
	(void)close(b);
	show_int("the gap is filled", sock_new(SOCK_STREAM) - a);
	(void)close(a);
	(void)close(c);
	show_int("the lowest gap first", sock_new(SOCK_STREAM | SOCK_CLOEXEC) - a);
}

CASE(CASE_TCP, socket_identity)
{
	int fd = sock_new(SOCK_STREAM), raw = 0;
	show_option("type", fd, SOL_SOCKET, SO_TYPE);
	show_option("protocol", fd, SOL_SOCKET, SO_PROTOCOL);
	show_int("domain", get_int(fd, SOL_SOCKET, SO_DOMAIN) == env.family);
	show_option("acceptconn", fd, SOL_SOCKET, SO_ACCEPTCONN);
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show_mask("mask", mask_now(fd));
	raw = (int)syscall(SYS_socket, env.family, SOCK_STREAM, 0);
	show_fd("by syscall()", raw);
	show_option("type by syscall()", raw, SOL_SOCKET, SO_TYPE);
}

CASE(CASE_TCP, bind_lengths)
{
	struct sockaddr_storage sa;
	socklen_t length = at_me(0, &sa);
	int fd = sock_new(SOCK_STREAM);
	show("length 0", bind(fd, (struct sockaddr *)&sa, 0));
	show("length 1", bind(fd, (struct sockaddr *)&sa, 1));
	show("length 8", bind(fd, (struct sockaddr *)&sa, 8));
	show("length short by one",
	     bind(fd, (struct sockaddr *)&sa, env.family == AF_INET ? length - 1 : 23));
	show("length 200", bind(fd, (struct sockaddr *)&sa, 200));
	show("length whole", bind(fd, (struct sockaddr *)&sa, length));
	show_names("after", fd);
	fd = sock_new(SOCK_STREAM);
	at_me(1, &sa);
	show("length of storage", bind(fd, (struct sockaddr *)&sa, sizeof sa));
}

CASE(CASE_TCP, bind_pointers)
{
	int fd = sock_new(SOCK_STREAM);
	show("null", bind(fd, NULL, 16));
	show("bad pointer", bind(fd, (struct sockaddr *)8, 28));
	show("not a descriptor", bind(-1, NULL, 16));
	show("closed", bind(250, NULL, 16));
}

CASE(CASE_TCP, bind_families)
{
	struct sockaddr_storage sa;
	int fd = sock_new(SOCK_STREAM);
	at_me(0, &sa);
	sa.ss_family = AF_UNIX;
	show("unix", bind(fd, (struct sockaddr *)&sa, 28));
	sa.ss_family = env.family == AF_INET ? AF_INET6 : AF_INET;
	show("the other", bind(fd, (struct sockaddr *)&sa, 28));
	at_any(0, &sa);
	sa.ss_family = AF_UNSPEC;
	show("unspecified and any", bind(fd, (struct sockaddr *)&sa, 28));
	fd = sock_new(SOCK_STREAM);
	at_me(1, &sa);
	sa.ss_family = AF_UNSPEC;
	show("unspecified and an address", bind(fd, (struct sockaddr *)&sa, 28));
}

CASE(CASE_TCP, bind_states)
{
	struct sockaddr_storage sa;
	int fd = sock_new(SOCK_STREAM);
	socklen_t length = at_me(0, &sa);
	show_names("fresh", fd);
	show("first", bind(fd, (struct sockaddr *)&sa, length));
	show_names("bound", fd);
	show("again", bind(fd, (struct sockaddr *)&sa, length));
	length = at_me(1, &sa);
	show("again elsewhere", bind(fd, (struct sockaddr *)&sa, length));
	show("listen", listen(fd, 1));
	show("on a listener", bind(fd, (struct sockaddr *)&sa, length));
	int c = connected(0);
	show("on a connection", bind(c, (struct sockaddr *)&sa, length));
}

CASE(CASE_TCP, bind_foreign)
{
	struct sockaddr_storage sa;
	int fd = sock_new(SOCK_STREAM);
	socklen_t length =
	    at_text(env.family == AF_INET ? "203.0.113.7" : "2001:db8::7", 4000, &sa);
	show("foreign", bind(fd, (struct sockaddr *)&sa, length));
	show_names("after", fd);
	show("listen goes on", listen(fd, 1));
	show_names("listening", fd);
	if (env.family == AF_INET) {
		int free = sock_new(SOCK_STREAM);
		show("freebind", set_int(free, IPPROTO_IP, IP_FREEBIND, 1));
		show("foreign with it", bind(free, (struct sockaddr *)&sa, length));
	}
}

CASE(CASE_TCP, bind_any)
{
	struct sockaddr_storage sa;
	int fd = sock_new(SOCK_STREAM);
	socklen_t length = at_any(0, &sa);
	show("any", bind(fd, (struct sockaddr *)&sa, length));
	show_names("any", fd);
	int eph = sock_new(SOCK_STREAM);
	length = at_any(-1, &sa);
	show("any port", bind(eph, (struct sockaddr *)&sa, length));
	show_names("any port", eph);
	int mine = sock_new(SOCK_STREAM);
	length = at_me(-1, &sa);
	show("my port", bind(mine, (struct sockaddr *)&sa, length));
	show_names("my port", mine);
}

CASE(CASE_TCP, bind_low_port)
{
	struct sockaddr_storage sa;
	int fd = sock_new(SOCK_STREAM);
	socklen_t length = at_text(env.me, 77, &sa);
	show("port 77", bind(fd, (struct sockaddr *)&sa, length)); /* both run as root there */
}

CASE(CASE_TCP, listen_states)
{
	int fd = sock_new(SOCK_STREAM);
	show("unbound", listen(fd, 5));
	show_names("autobound", fd);
	show_option("acceptconn", fd, SOL_SOCKET, SO_ACCEPTCONN);
	show("again", listen(fd, 7));
	show_mask("mask", mask_now(fd));
	int c = connected(0);
	show("on a connection", listen(c, 5));
	show("negative backlog", listen(fd, -1));
	show("not a descriptor", listen(-1, 5));
	show("not a socket", listen(STDOUT_FILENO, 5));
}

CASE(CASE_TCP, listen_operations)
{
	int fd = listen_me(0, 4);
	char byte = 0;
	show("recv", recv(fd, &byte, 1, 0));
	show("recv without waiting", recv(fd, &byte, 1, MSG_DONTWAIT));
	show("recv peek", recv(fd, &byte, 1, MSG_PEEK));
	show("send", send(fd, "x", 1, MSG_NOSIGNAL));
	show("connect", connect_peer(fd, 5));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show_names("names", fd);
	show("accept without waiting", fcntl(fd, F_SETFL, O_NONBLOCK));
	show("accept", accept(fd, NULL, NULL));
	show("shutdown write", shutdown(fd, SHUT_WR));
	show("accept after it", accept(fd, NULL, NULL));
}

CASE(CASE_TCP, listen_shutdown)
{
	int fd = listen_me(0, 4);
	show("shutdown read", shutdown(fd, SHUT_RD));
	show("accept", accept(fd, NULL, NULL));
	show_mask("mask", mask_now(fd));
	show_option("acceptconn", fd, SOL_SOCKET, SO_ACCEPTCONN);
	show("peer connects", peer(PEER_TRY, 0, 0, 0));
	show_errno("peer's error", peer_error);
	show("shutdown again", shutdown(fd, SHUT_RDWR));
}

CASE(CASE_TCP, listen_again_after_shutdown)
{
	int fd = listen_me(0, 4);
	show("shutdown", shutdown(fd, SHUT_RDWR));
	show("listen", listen(fd, 4));
	show("peer connects", peer(PEER_TRY, 0, 0, 0));
}

/* ---- who may have a port --------------------------------------------------------------------- */

struct holder {
	bool reuse_address, reuse_port, listens, any;
};

static int hold(const char *label, const struct holder *h)
{
	char line[64];
	struct sockaddr_storage sa;
	socklen_t length = h->any ? at_any(0, &sa) : at_me(0, &sa);
	int fd = sock_new(SOCK_STREAM);
	(void)set_int(fd, SOL_SOCKET, SO_REUSEADDR, h->reuse_address);
	(void)set_int(fd, SOL_SOCKET, SO_REUSEPORT, h->reuse_port);
	(void)snprintf(line, sizeof line, "%s bind", label);
	show(line, bind(fd, (struct sockaddr *)&sa, length));
	if (h->listens) {
		(void)snprintf(line, sizeof line, "%s listen", label);
		show(line, listen(fd, 3));
	}
	return fd;
}

static void two(struct holder first, struct holder second)
{
	int a = hold("first", &first), b = hold("second", &second);
	show_names("first", a);
	show_names("second", b);
}

CASE(CASE_TCP, ports_plain)
{
	two((struct holder){ 0 }, (struct holder){ 0 });
}
CASE(CASE_TCP, ports_reuse_both)
{
	two((struct holder){ .reuse_address = true }, (struct holder){ .reuse_address = true });
}
CASE(CASE_TCP, ports_reuse_first)
{
	two((struct holder){ .reuse_address = true }, (struct holder){ 0 });
}
CASE(CASE_TCP, ports_reuse_second)
{
	two((struct holder){ 0 }, (struct holder){ .reuse_address = true });
}
CASE(CASE_TCP, ports_reuse_listening)
{
	two((struct holder){ .reuse_address = true, .listens = true },
	    (struct holder){ .reuse_address = true });
}
CASE(CASE_TCP, ports_reuse_both_listen)
{
	struct holder h = { .reuse_address = true };
	int a = hold("first", &h), b = hold("second", &h);
	show("first listens", listen(a, 3));
	show("second listens", listen(b, 3));
}
CASE(CASE_TCP, ports_group)
{
	struct holder h = { .reuse_port = true, .listens = true };
	two(h, h);
}
CASE(CASE_TCP, ports_group_joined_by_stranger)
{
	two((struct holder){ .reuse_port = true, .listens = true },
	    (struct holder){ .reuse_address = true, .listens = true });
}
CASE(CASE_TCP, ports_any_then_mine)
{
	two((struct holder){ .any = true }, (struct holder){ 0 });
}
CASE(CASE_TCP, ports_any_then_mine_reuse)
{
	two((struct holder){ .any = true, .reuse_address = true, .listens = true },
	    (struct holder){ .reuse_address = true, .listens = true });
}
CASE(CASE_TCP, ports_mine_then_any_group)
{
	two((struct holder){ .reuse_port = true, .listens = true },
	    (struct holder){ .any = true, .reuse_port = true, .listens = true });
}

CASE(CASE_TCP, ports_after_close)
{
	struct holder h = { .listens = true };
	(void)close(hold("first", &h));
	(void)hold("second", &h);
}

/* The peer closed first: no TIME_WAIT here. We closed first: there is one. */
CASE(CASE_TCP, ports_time_wait)
{
	int fd = listen_me(0, 4), error;
	struct holder plain = { .listens = true },
		      reuse = { .reuse_address = true, .listens = true };
	show("peer connects", peer(PEER_CONNECT, 1, 0, 0));
	int c = accept(fd, NULL, NULL);
	show("shutdown", shutdown(c, SHUT_WR));
	show("peer drains", peer(PEER_DRAIN, 1, 0, 0));
	show("peer closes", peer(PEER_CLOSE, 1, 0, 0));
	show("drain", drain(c, &error));
	(void)close(c);
	(void)close(fd);
	(void)close(hold("plain", &plain));
	(void)hold("reuse", &reuse);
}

CASE(CASE_TCP, ports_connected_holder)
{
	int fd = listen_me(0, 4);
	show("peer connects", peer(PEER_CONNECT, 1, 0, 0));
	int c = accept(fd, NULL, NULL);
	(void)close(fd);
	struct holder plain = { .listens = true },
		      reuse = { .reuse_address = true, .listens = true };
	show_names("the connection", c);
	(void)close(hold("plain", &plain));
	(void)hold("reuse", &reuse);
}

CASE(CASE_TCP, ports_of_a_connector)
{
	int fd = sock_new(SOCK_STREAM);
	show("bind", bind_me(fd, 0));
	show("peer listens", peer(PEER_LISTEN, 60, 5, 4));
	show("connect", connect_peer(fd, 5));
	show_names("connected", fd);
	int second = sock_new(SOCK_STREAM);
	show("bind the same", bind_me(second, 0));
	show("connect the same", connect_peer(second, 5));
}
