/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The hooks of datagram sockets on a pair that the test makes itself: the test is the service.
 *
 * A and B are named as the service names them; every way of receiving is tried on messages with and
 * without a header, whatever the library expects, with buffers of every size around the header's.
 */
#include "rpc/dgram.h"
#include "tests/lib/preload.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
/* after the above, which it needs */
#include <cmocka.h>

struct ends {
	int a, b;
	uint64_t id;
	struct rpc_ident peer; /* B's name */
};

static void name_bind(int fd, const struct rpc_ident *ident)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	size_t length = rpc_ident_write(ident, bytes);
	memcpy(name.sun_path, bytes, length);
	if (bind(fd, (struct sockaddr *)&name,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) != 0) {
		say("bind: %s", strerror(errno));
	}
}

static struct rpc_addr address(const char *last)
{
	struct rpc_addr out = { .family = AF_INET, .port_be = htons(53) };
	out.addr[10] = out.addr[11] = 0xff;
	out.addr[12] = 10;
	out.addr[15] = (uint8_t)atoi(last);
	return out;
}

static struct sockaddr_in sockaddr_of(const char *last)
{
	struct rpc_addr a = address(last);
	struct sockaddr_in out = { .sin_family = AF_INET, .sin_port = a.port_be };
	memcpy(&out.sin_addr, a.addr + 12, 4);
	return out;
}

/* Make a pair and let the library find out what A is: by a sendto() with an address. */
static struct ends ends_make(bool is_named)
{
	int pair[2];
	static uint64_t next = 0x1122334455660000;
	char bytes[200];
	struct ends e = { .id = next++ + ((uint64_t)getpid() << 40) };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) {
		say("socketpair: %s", strerror(errno));
	}
	e.a = pair[0];
	e.b = pair[1];
	struct rpc_ident own = { .kind = RPC_KIND_DGRAM, .family = AF_INET, .nwid = 1, .id = e.id };
	name_bind(e.a, &own);
	e.peer = (struct rpc_ident){ .kind = RPC_KIND_PEER,
				     .family = AF_INET,
				     .has_addresses = true,
				     .nwid = 1,
				     .id = e.id,
				     .local = address("1"),
				     .remote = address("2") };
	if (is_named) {
		name_bind(e.b, &e.peer);
	}
	struct sockaddr_in to = sockaddr_of("9");
	if (sendto(e.a, "", 0, 0, (struct sockaddr *)&to, sizeof to) != 0) {
		say("sendto: %s", strerror(errno));
	}
	(void)recv(e.b, bytes, sizeof bytes, 0);
	return e;
}

static void ends_close(const struct ends *e)
{
	(void)close(e->a);
	(void)close(e->b);
}

/* The service sends `length` bytes of a pattern. */
static void give(const struct ends *e, bool has_head, size_t length, uint16_t wants)
{
	static uint8_t message[70000];
	struct rpc_dgram h = { .id = e->id,
			       .magic = RPC_DGRAM_MAGIC,
			       .flags = RPC_DGRAM_LOCAL | RPC_DGRAM_TOS | RPC_DGRAM_TTL,
			       .wants = wants,
			       .ttl = 61,
			       .tos = 4,
			       .ifindex = 2,
			       .dropped = 5,
			       .peer = address("3"),
			       .local = address("1") };
	size_t skip = has_head ? sizeof h : 0;
	memcpy(message, &h, skip);
	for (size_t i = 0; i < length; i++) {
		message[skip + i] = (uint8_t)(i * 31 + 7);
	}
	if (send(e->b, message, skip + length, 0) != (ssize_t)(skip + length)) {
		say("give: %s", strerror(errno));
	}
}

static bool is_pattern(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != (uint8_t)(i * 31 + 7)) {
			return false;
		}
	}
	return true;
}

/* Receive `length` bytes into `room`, split at `split`. */
static void one(const struct ends *e, bool has_head, size_t length, size_t room, size_t split)
{
	static uint8_t bytes[70000];
	struct sockaddr_in from = { 0 }, want = sockaddr_of(has_head ? "3" : "2");
	struct iovec iov[3] = { { bytes, split }, { bytes + split, 0 }, { bytes + split, 0 } };
	struct msghdr m = {
		.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = iov, .msg_iovlen = 3
	};
	size_t copied = length < room ? length : room;
	iov[2].iov_len = room - split;
	memset(bytes, 0xee, sizeof bytes);
	give(e, has_head, length, 0);
	ssize_t peeked = recv(e->a, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	ssize_t n = recvmsg(e->a, &m, MSG_DONTWAIT);
	bool is_cut = (m.msg_flags & MSG_TRUNC) != 0;
	if (n != (ssize_t)copied || peeked != (ssize_t)length || !is_pattern(bytes, copied) ||
	    bytes[room] != 0xee || is_cut != (length > room) || m.msg_namelen != sizeof from ||
	    memcmp(&from, &want, sizeof from) != 0) {
		say("head %d length %zu room %zu split %zu: got %zd, peeked %zd", has_head, length,
		    room, split, n, peeked);
	}
}

static void case_receive(void)
{
	static const size_t sizes[] = { 0, 1, 30, 71, 72, 73, 143, 144, 145, 300, 65507 };
	enum { COUNT = sizeof sizes / sizeof *sizes };
	struct ends e = ends_make(true);
	for (int has_head = 0; has_head < 2; has_head++) {
		for (int before = 0; before < 2; before++) { /* what is expected */
			for (size_t i = 0; i < COUNT * COUNT; i++) {
				size_t room = sizes[i % COUNT];
				one(&e, before, 1, 1, 0);
				one(&e, has_head, sizes[i / COUNT], room, room / 3);
			}
		}
	}
	ends_close(&e);
	say("done");
}

static void show(const char *call, ssize_t n)
{
	if (n < 0) {
		say("%s: %s", call, strerror(errno));
	} else {
		say("%s: %zd", call, n);
	}
}

/* read(), readv(), recv(), FIONREAD; empty datagrams, end of file, an error report. */
static void case_calls(void)
{
	char bytes[100];
	int waiting = -1;
	struct ends e = ends_make(true);
	struct iovec iov[2] = { { bytes, 3 }, { bytes + 3, 97 } };
	for (int has_head = 0; has_head < 2; has_head++) {
		give(&e, has_head, 5, 0);
		(void)ioctl(e.a, FIONREAD, &waiting);
		show("waiting", waiting);
		show("read", read(e.a, bytes, sizeof bytes));
		give(&e, has_head, 6, 0);
		show("readv", readv(e.a, iov, 2));
		give(&e, has_head, 0, 0);
		show("recv of nothing", recv(e.a, bytes, sizeof bytes, 0));
		give(&e, has_head, 200, 0);
		show("cut", recv(e.a, bytes, sizeof bytes, MSG_TRUNC));
		show("empty", recv(e.a, bytes, sizeof bytes, MSG_DONTWAIT));
		show("error queue", recv(e.a, bytes, sizeof bytes, MSG_ERRQUEUE));
	}
	show("write", write(e.a, "abc", 3));
	show("service got", recv(e.b, bytes, sizeof bytes, MSG_DONTWAIT));
	(void)close(e.b);
	show("after the end", recv(e.a, bytes, sizeof bytes, 0));
	show("send after the end", send(e.a, "x", 1, 0));
	(void)close(e.a);
	e = ends_make(false);
	show("without a peer", send(e.a, "x", 1, 0));
	show("write without a peer", write(e.a, "x", 1));
	show("too long", sendto(e.a, bytes, 70000, 0, NULL, 0));
	struct sockaddr_in to = sockaddr_of("9");
	to.sin_port = 0;
	show("port 0", sendto(e.a, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
	to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = 1 };
	to.sin_addr.s_addr = INADDR_BROADCAST;
	show("broadcast", sendto(e.a, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
	to.sin_family = AF_INET6;
	show("other family", sendto(e.a, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
	show("short address", sendto(e.a, "x", 1, 0, (struct sockaddr *)&to, 3));
	show("urgent", send(e.a, "x", 1, MSG_OOB));
	ends_close(&e);
}

/* What the program is told beside the bytes, in buffers of every size. */
static void case_control(void)
{
	char bytes[10];
	struct ends e = ends_make(true);
	uint16_t wants = RPC_WANT_PKTINFO | RPC_WANT_TTL | RPC_WANT_TOS | RPC_WANT_OVERFLOW;
	for (size_t room = 0; room <= 160; room += 8) {
		union {
			struct cmsghdr align;
			uint8_t bytes[200];
		} control;
		struct iovec iov = { bytes, sizeof bytes };
		struct msghdr m = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = &control,
				    .msg_controllen = room };
		char line[200] = "";
		memset(&control, 0xee, sizeof control);
		give(&e, true, 4, wants);
		ssize_t n = recvmsg(e.a, &m, 0);
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			size_t at = strlen(line);
			(void)snprintf(line + at, sizeof line - at, " %d/%d:%zu", c->cmsg_level,
				       c->cmsg_type, c->cmsg_len - CMSG_LEN(0));
		}
		say("%zu: %zd%s%s%s", room, n, line, m.msg_flags & MSG_CTRUNC ? " cut" : "",
		    control.bytes[room] != 0xee ? " TOO FAR" : "");
	}
	ends_close(&e);
}

/* What it says with one that it sends. */
static void case_send(void)
{
	struct ends e = ends_make(false);
	uint8_t message[200];
	struct rpc_dgram h;
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct sockaddr_in to = sockaddr_of("2");
	struct iovec iov[2] = { { message, 0 }, { (void *)(uintptr_t) "payload", 7 } };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof to,
			    .msg_iov = iov,
			    .msg_iovlen = 2,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(0x0a000007) };
	*c = (struct cmsghdr){ .cmsg_level = IPPROTO_IP,
			       .cmsg_type = IP_PKTINFO,
			       .cmsg_len = CMSG_LEN(sizeof info) };
	memcpy(CMSG_DATA(c), &info, sizeof info);
	c = CMSG_NXTHDR(&m, c);
	int ttl = 5;
	*c = (struct cmsghdr){ .cmsg_level = IPPROTO_IP,
			       .cmsg_type = IP_TTL,
			       .cmsg_len = CMSG_LEN(sizeof ttl) };
	memcpy(CMSG_DATA(c), &ttl, sizeof ttl);
	show("sendmsg", sendmsg(e.a, &m, 0));
	ssize_t n = recv(e.b, message, sizeof message, MSG_DONTWAIT);
	bool ok = n > 0 && rpc_dgram_read(message, (size_t)n, e.id, &h);
	say("read %d flags %d ttl %d from %d to %d port %d: %.7s", ok, h.flags, h.ttl,
	    h.local.addr[15], h.peer.addr[15], ntohs(h.peer.port_be),
	    (const char *)message + RPC_DGRAM_BYTES);
	ttl = 300;
	memcpy(CMSG_DATA(c), &ttl, sizeof ttl);
	show("wrong TTL", sendmsg(e.a, &m, 0));
	c->cmsg_type = 99;
	show("unknown", sendmsg(e.a, &m, 0));
	ends_close(&e);
}

static const char *output(const char *name)
{
	static struct preload_result out;
	/* No service: none of these calls needs one. */
	struct preload_options options = { .network = "/nonexistent/sock" };
	assert_int_equal(preload_run(name, &options, &out), 0);
	return out.out;
}

static void test_receive(void **state)
{
	(void)state;
	assert_string_equal(output("receive"), "done\n");
}

static void test_calls(void **state)
{
	(void)state;
	static const char each[] = "waiting: 5\nread: 5\nreadv: 6\nrecv of nothing: 0\ncut: 200\n"
				   "empty: Resource temporarily unavailable\n"
				   "error queue: Resource temporarily unavailable\n";
	char expected[2000];
	(void)snprintf(expected, sizeof expected, "%s%s%s", each, each,
		       "write: 3\nservice got: 3\n"
		       "after the end: Network is down\nsend after the end: Network is down\n"
		       "without a peer: Destination address required\n"
		       "write without a peer: Destination address required\n"
		       "too long: Message too long\nport 0: Invalid argument\n"
		       "broadcast: Permission denied\n"
		       "other family: Address family not supported by protocol\n"
		       "short address: Invalid argument\nurgent: Operation not supported\n");
	assert_string_equal(output("calls"), expected);
}

static void test_control(void **state)
{
	(void)state;
	const char *text = output("control");
	assert_null(strstr(text, "TOO FAR"));
	assert_non_null(strstr(text, "0: 4 cut\n"));
	assert_non_null(strstr(text, "24: 4 1/40:4 cut\n"));
	assert_non_null(strstr(text, "\n160: 4 1/40:4 0/8:12 0/2:4 0/1:1\n"));
}

static void test_send(void **state)
{
	(void)state;
	assert_string_equal(output("send"),
			    "sendmsg: 7\nread 1 flags 5 ttl 5 from 7 to 2 port 53: payload\n"
			    "wrong TTL: Invalid argument\nunknown: Invalid argument\n");
}

int main(int argc, char **argv)
{
	static const struct preload_case cases[] = { { "receive", case_receive },
						     { "calls", case_calls },
						     { "control", case_control },
						     { "send", case_send } };
	preload_main(argc, argv, cases, sizeof cases / sizeof *cases);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_send),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
