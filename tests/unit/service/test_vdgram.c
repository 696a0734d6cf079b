/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Datagram sockets of a virtual host: the two ways, the mode of each message, errors, groups, room,
 * shares of a turn. */
#include "service/vdgram.h"
#include "tests/unit/service/rig.h"

static int dgram_of(struct rig *r, int family, int protocol)
{
	struct rpc_socket m = { .h.op = RPC_SOCKET,
				.family = family,
				.type = SOCK_DGRAM,
				.protocol = protocol,
				.nonblock = 1 };
	struct rpc_socket_reply reply;
	int fd = -1;
	assert_int_equal(rig_reply(r, rig_send(r, &m, sizeof m, -1), &reply, sizeof reply, &fd), 0);
	assert_true(fd >= 0);
	return fd;
}

static int udp(struct rig *r)
{
	return dgram_of(r, AF_INET, 0);
}

static int udp_bound(struct rig *r, const char *text, uint16_t port)
{
	int a = udp(r);
	assert_int_equal(rig_bind(r, a, text, &port), 0);
	return a;
}

static int connect_to(struct rig *r, int a, const char *text, uint16_t port)
{
	struct rpc_connect m = { .h.op = RPC_CONNECT };
	struct rpc_addr_reply reply;
	if (text) {
		m.addr = rig_address(text, port);
	}
	return rig_call(r, &m, sizeof m, a, &reply);
}

static uint64_t id_of(int a)
{
	struct rpc_ident ident;
	assert_true(rig_ident(a, false, &ident));
	return ident.id;
}

/* As the library's sendto(). */
static void send_to(struct rig *r, int a, const char *text, uint16_t port, const char *bytes)
{
	struct rpc_dgram h = { .id = id_of(a),
			       .magic = RPC_DGRAM_MAGIC,
			       .peer = rig_address(text, port) };
	struct iovec iov[2] = { { &h, sizeof h }, { (void *)(uintptr_t)bytes, strlen(bytes) } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	assert_int_equal(sendmsg(a, &m, 0), sizeof h + strlen(bytes));
	rig_settle(r);
}

/* What lies in A: the payload's text; *head if it has one (id 0 = none). "error" for a report. */
static const char *take(int a, struct rpc_dgram *head)
{
	static char text[70000];
	uint8_t bytes[70000];
	int fds[1];
	size_t count = 1;
	long n = rpc_recv(a, bytes, sizeof bytes, fds, &count, MSG_DONTWAIT);
	struct rpc_dgram h = { .id = 0 };
	if (n < 0) {
		return "nothing";
	}
	if (n == 0 && count == 1) {
		(void)close(fds[0]);
		return "error";
	}
	size_t skip = rpc_dgram_read(bytes, (size_t)n, id_of(a), &h) ? sizeof h : 0;
	memcpy(text, bytes + skip, (size_t)n - skip);
	text[(size_t)n - skip] = '\0';
	if (head) {
		*head = h;
	}
	return text;
}

static bool arrive(struct rig *r, const char *to, uint16_t port, const char *from,
		   uint16_t from_port, const char *text)
{
	struct stack_ip local = rig_ip(to, port), remote = rig_ip(from, from_port);
	bool wanted =
	    fakestack_datagram(r->net.stack, &local, &remote, text, (uint32_t)strlen(text));
	rig_settle(r);
	return wanted;
}

static void test_unconnected(void **state)
{
	(void)state;
	struct rig r;
	struct rpc_dgram h;
	rig_open(&r, true);
	int a = udp_bound(&r, "0.0.0.0", 5000);
	struct stack *s = r.net.stack;
	assert_int_equal(s->udp_ports[5000], 1);
	send_to(&r, a, "10.0.0.2", 53, "question");
	assert_int_equal(s->datagram_count, 1);
	assert_int_equal(s->datagram.length, 8);
	assert_memory_equal(s->datagram.bytes, "question", 8);
	assert_int_equal(s->datagram.local.port, 5000);
	assert_int_equal(s->datagram.remote.port, 53);
	assert_true(arrive(&r, "10.0.0.1", 5000, "10.0.0.2", 53, "answer"));
	assert_string_equal(take(a, &h), "answer");
	assert_int_equal(h.peer.port_be, htons(53));
	assert_int_equal(h.peer.family, AF_INET);
	assert_int_equal(h.peer.addr[15], 2);
	assert_int_equal(h.local.addr[15], 1);
	assert_int_equal(h.ttl, 61);
	assert_int_equal(h.tos, 8);
	assert_int_equal(h.ifindex, RPC_IFINDEX_NETWORK);
	assert_true(arrive(&r, "10.0.0.1", 5000, "10.0.0.2", 53, ""));
	assert_string_equal(take(a, &h), "");
	assert_true(h.id != 0);
	assert_false(arrive(&r, "10.0.0.1", 5001, "10.0.0.2", 53, "nobody's"));
	/* Without an address and without a peer: an error, and nothing is sent. */
	assert_int_equal(send(a, "raw", 3, 0), 3);
	rig_settle(&r);
	assert_int_equal(s->datagram_count, 1);
	assert_string_equal(take(a, NULL), "error");
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), EDESTADDRREQ);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), 0);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(s->udp_ports[5000], 0);
	rig_close(&r);
}

static void test_connected(void **state)
{
	(void)state;
	struct rig r;
	struct rpc_dgram h;
	struct rpc_ident name;
	rig_open(&r, true);
	int a = udp_bound(&r, "0.0.0.0", 5000);
	struct stack *s = r.net.stack;
	assert_true(arrive(&r, "10.0.0.1", 5000, "10.0.0.9", 9, "before"));
	assert_false(rig_ident(a, true, &name));
	assert_int_equal(connect_to(&r, a, "10.0.0.2", 53), 0);
	assert_true(rig_ident(a, true, &name));
	assert_int_equal(name.kind, RPC_KIND_PEER);
	assert_int_equal(name.remote.port_be, htons(53));
	/* From others nothing more; from the peer without a header; what lay there keeps its own.
	 */
	assert_false(arrive(&r, "10.0.0.1", 5000, "10.0.0.9", 9, "stranger"));
	assert_false(arrive(&r, "10.0.0.1", 5000, "10.0.0.2", 54, "stranger"));
	assert_true(arrive(&r, "10.0.0.1", 5000, "10.0.0.2", 53, "peer"));
	assert_string_equal(take(a, &h), "before");
	assert_int_equal(h.peer.addr[15], 9);
	assert_string_equal(take(a, &h), "peer");
	assert_true(h.id == 0);
	assert_int_equal(send(a, "raw", 3, 0), 3);
	rig_settle(&r);
	assert_int_equal(s->datagram.remote.port, 53);
	/* An address of its own all the same; and a payload that looks like a header is none. */
	send_to(&r, a, "10.0.0.3", 7, "other");
	assert_int_equal(s->datagram.remote.port, 7);
	struct rpc_dgram forged = { .id = id_of(a) ^ 1,
				    .magic = RPC_DGRAM_MAGIC,
				    .peer = rig_address("10.0.0.4", 8) };
	assert_int_equal(send(a, &forged, sizeof forged, 0), sizeof forged);
	rig_settle(&r);
	assert_int_equal(s->datagram.remote.port, 53);
	assert_int_equal(s->datagram.length, sizeof forged);
	(void)close(a);
	rig_settle(&r);
	rig_close(&r);
}

static void test_connected_again(void **state)
{
	(void)state;
	struct rig r;
	struct rpc_dgram h;
	rig_open(&r, true);
	int a = udp(&r);
	struct stack *s = r.net.stack;
	assert_int_equal(connect_to(&r, a, "10.0.0.2", 53), 0);
	uint16_t port = (uint16_t)0;
	for (unsigned i = 1; i < 65536; i++) {
		port = s->udp_ports[i] ? (uint16_t)i : port;
	}
	/* What was sent before goes to the old peer, though the loop has not looked at it yet. */
	assert_int_equal(send(a, "old", 3, 0), 3);
	assert_int_equal(connect_to(&r, a, "10.0.0.3", 54), 0);
	assert_int_equal(s->datagram_count, 1);
	assert_int_equal(s->datagram.remote.port, 53);
	assert_int_equal(send(a, "new", 3, 0), 3);
	rig_settle(&r);
	assert_int_equal(s->datagram.remote.port, 54);
	/* B's name tells the first peer only: headers from now on. */
	assert_true(arrive(&r, "10.0.0.1", port, "10.0.0.3", 54, "headed"));
	assert_string_equal(take(a, &h), "headed");
	assert_int_equal(h.peer.port_be, htons(54));
	/* Dissolved: the picked port goes. */
	assert_int_equal(connect_to(&r, a, NULL, 0), 0);
	assert_int_equal(s->udp_ports[port], 0);
	assert_int_equal(send(a, "x", 1, 0), 1);
	rig_settle(&r);
	assert_int_equal(s->datagram_count, 2);
	assert_string_equal(take(a, NULL), "error");
	(void)close(a);
	rig_settle(&r);
	rig_close(&r);
}

static void unreachable(struct rig *r, uint16_t port, const char *to, uint16_t to_port, int error,
			uint8_t code)
{
	struct stack_unreachable u = { .local = rig_ip("10.0.0.1", port),
				       .remote = rig_ip(to, to_port),
				       .protocol = IPPROTO_UDP,
				       .type = 3,
				       .code = code,
				       .error = error };
	r->net.stack->callbacks.unreachable(r->net.stack->context, &u);
}

static void test_errors(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = udp_bound(&r, "0.0.0.0", 5000);
	unreachable(&r, 5000, "10.0.0.2", 53, ECONNREFUSED, 3);
	assert_string_equal(take(a, NULL), "nothing"); /* not connected */
	assert_int_equal(connect_to(&r, a, "10.0.0.2", 53), 0);
	unreachable(&r, 5000, "10.0.0.9", 53, ECONNREFUSED, 3);
	unreachable(&r, 5000, "10.0.0.2", 53, EHOSTUNREACH, 1); /* may pass by itself */
	assert_string_equal(take(a, NULL), "nothing");
	unreachable(&r, 5000, "10.0.0.2", 53, ECONNREFUSED, 3);
	unreachable(&r, 5000, "10.0.0.2", 53, ECONNREFUSED, 3);
	assert_string_equal(take(a, NULL), "error");
	assert_string_equal(take(a, NULL), "nothing"); /* one report for both */
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), ECONNREFUSED);
	r.net.stack->send_error = -EMSGSIZE;
	assert_int_equal(send(a, "x", 1, 0), 1);
	rig_settle(&r);
	assert_string_equal(take(a, NULL), "error");
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), EMSGSIZE);
	(void)close(a);
	rig_settle(&r);
	rig_close(&r);
}

static void test_same_host(void **state)
{
	(void)state;
	struct rig r;
	struct rpc_dgram h;
	rig_open(&r, true);
	int a = udp_bound(&r, "0.0.0.0", 5000), b = udp_bound(&r, "127.0.0.1", 5001);
	send_to(&r, b, "127.0.0.1", 5000, "loopback");
	assert_string_equal(take(a, &h), "loopback");
	assert_int_equal(h.peer.port_be, htons(5001));
	assert_int_equal(h.ifindex, RPC_IFINDEX_LOOPBACK);
	send_to(&r, a, "10.0.0.1", 5000, "to myself");
	assert_string_equal(take(a, &h), "to myself");
	assert_int_equal(h.peer.addr[12], 10);
	send_to(&r, b, "10.0.0.2", 5000, "from loopback to the network");
	assert_int_equal(r.net.stack->datagram_count, 0);
	/* Nobody there: a connected sender is told. */
	assert_int_equal(connect_to(&r, b, "127.0.0.1", 6000), 0);
	assert_int_equal(send(b, "x", 1, 0), 1);
	rig_settle(&r);
	assert_string_equal(take(b, NULL), "error");
	assert_int_equal(rig_simple(&r, RPC_SOERROR, b), ECONNREFUSED);
	(void)close(a);
	(void)close(b);
	rig_settle(&r);
	rig_close(&r);
}

static void test_overflow(void **state)
{
	(void)state;
	struct rig r;
	struct rpc_dgram h;
	struct vhost_stats stats;
	rig_open(&r, true);
	int a = udp_bound(&r, "0.0.0.0", 5000);
	struct rpc_option m = { .h.op = RPC_SETOPT,
				.level = SOL_SOCKET,
				.name = SO_RCVBUF,
				.value_length = sizeof(int) };
	int size = 8192;
	struct rpc_addr_reply reply;
	memcpy(m.value, &size, sizeof size);
	assert_int_equal(
	    rig_call(&r, &m, offsetof(struct rpc_option, value) + sizeof size, a, &reply), 0);
	unsigned taken = 0;
	for (int i = 0; i < 200; i++) {
		assert_true(arrive(&r, "10.0.0.1", 5000, "10.0.0.2", 53, "x"));
	}
	while (strcmp(take(a, &h), "x") == 0) {
		assert_int_equal(h.dropped, 0);
		taken++;
	}
	assert_in_range(taken, 4, 100);
	assert_true(arrive(&r, "10.0.0.1", 5000, "10.0.0.2", 53, "after"));
	assert_string_equal(take(a, &h), "after");
	assert_int_equal(h.dropped, 200 - taken);
	vhost_stats(r.net.vhost, &stats);
	assert_int_equal(stats.datagrams_dropped, 200 - taken);
	assert_int_equal(stats.datagrams_in, taken + 1);
	(void)close(a);
	rig_settle(&r);
	rig_close(&r);
}

static int option_set(struct rig *r, int a, int level, int name, const void *value, uint32_t length)
{
	struct rpc_option m = {
		.h.op = RPC_SETOPT, .level = level, .name = name, .value_length = length
	};
	struct rpc_addr_reply reply;
	memcpy(m.value, value, length);
	return rig_call(r, &m, offsetof(struct rpc_option, value) + length, a, &reply);
}

static void test_groups(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = udp(&r), b = udp(&r), on = 1;
	uint16_t port = 5353;
	assert_int_equal(option_set(&r, a, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
	assert_int_equal(option_set(&r, b, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
	assert_int_equal(rig_bind(&r, a, "0.0.0.0", &port), 0);
	assert_int_equal(rig_bind(&r, b, "224.0.0.251", &port), 0); /* Linux: hears only that */
	const uint8_t group[8] = { 224, 0, 0, 251 }, far[8] = { 224, 0, 0, 251, 192, 0, 2, 1 };
	const uint8_t host[8] = { 10, 0, 0, 2 };
	int level = IPPROTO_IP, join = 35, leave = 36;
	struct stack *s = r.net.stack;
	assert_int_equal(option_set(&r, a, level, join, group, 8), 0);
	assert_int_equal(option_set(&r, b, level, join, group, 8), 0);
	assert_int_equal(s->group_count, 1); /* the network is told once */
	assert_int_equal(option_set(&r, a, level, join, group, 8), EADDRINUSE);
	assert_int_equal(option_set(&r, a, level, join, group, 3), EINVAL);
	assert_int_equal(option_set(&r, a, level, join, host, 8), EINVAL);
	assert_int_equal(option_set(&r, a, level, join, far, 8), ENODEV);
	assert_true(arrive(&r, "224.0.0.251", 5353, "10.0.0.2", 5353, "hello"));
	assert_string_equal(take(a, NULL), "hello");
	assert_string_equal(take(b, NULL), "hello"); /* all of them */
	assert_true(arrive(&r, "10.0.0.1", 5353, "10.0.0.2", 5353, "direct"));
	assert_string_equal(take(b, NULL), "nothing");
	assert_string_equal(take(a, NULL), "direct");
	/* Own datagrams come back, with TTL 1 to the network. */
	send_to(&r, a, "224.0.0.251", 5353, "own");
	assert_int_equal(s->datagram.marks.ttl, 1);
	assert_string_equal(take(b, NULL), "own");
	assert_string_equal(take(a, NULL), "own");
	/* Broadcast only on request. */
	send_to(&r, a, "10.0.0.255", 5353, "refused");
	assert_int_equal(s->datagram_count, 1);
	assert_int_equal(option_set(&r, a, SOL_SOCKET, SO_BROADCAST, &on, sizeof on), 0);
	send_to(&r, a, "10.0.0.255", 5353, "everybody");
	assert_int_equal(s->datagram_count, 2);
	assert_string_equal(take(a, NULL), "everybody");
	assert_int_equal(option_set(&r, a, level, leave, group, 8), 0);
	assert_int_equal(option_set(&r, a, level, leave, group, 8), EADDRNOTAVAIL);
	assert_int_equal(s->group_count, 1);
	(void)close(b);
	rig_settle(&r);
	assert_int_equal(s->group_count, 0);
	(void)close(a);
	rig_settle(&r);
	rig_close(&r);
}

static void test_ping(void **state)
{
	(void)state;
	struct rig r;
	struct rpc_dgram h;
	rig_open(&r, true);
	int a = dgram_of(&r, AF_INET, IPPROTO_ICMP);
	uint16_t identifier = 77;
	assert_int_equal(rig_bind(&r, a, "0.0.0.0", &identifier), 0);
	char echo[] = "\x08\x00..\x01\x01\x01\x01text";
	echo[2] = echo[3] = 1;
	struct stack *s = r.net.stack;
	send_to(&r, a, "10.0.0.2", 0, "\x08"); /* too short */
	assert_int_equal(s->datagram_count, 0);
	uint8_t request[84] = { 8 };
	struct rpc_dgram head = { .id = id_of(a),
				  .magic = RPC_DGRAM_MAGIC,
				  .peer = rig_address("10.0.0.2", 0) };
	struct iovec iov[2] = { { &head, sizeof head }, { request, sizeof request } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	assert_true(sendmsg(a, &m, 0) > 0);
	rig_settle(&r);
	assert_int_equal(s->datagram_count, 1);
	assert_true(s->datagram.is_echo);
	assert_int_equal(s->datagram.local.port, 77);
	request[0] = 13; /* nothing but echo requests */
	assert_true(sendmsg(a, &m, 0) > 0);
	rig_settle(&r);
	assert_int_equal(s->datagram_count, 1);
	/* Ourselves: answered here, with the socket's identifier. */
	request[0] = 8;
	head.peer = rig_address("127.0.0.1", 0);
	assert_true(sendmsg(a, &m, 0) > 0);
	rig_settle(&r);
	const char *reply = take(a, &h);
	assert_int_equal(reply[0], 0);
	assert_int_equal(reply[5], 77);
	assert_int_equal(h.peer.port_be, 0);
	assert_int_equal(rig_listen(&r, a, 1), EOPNOTSUPP);
	(void)close(a);
	rig_settle(&r);
	rig_close(&r);
}

/* Two senders: the loop goes from one to the other, and none loses anything. */
static void test_turns(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = udp(&r), b = udp(&r);
	assert_int_equal(connect_to(&r, a, "10.0.0.2", 1), 0);
	assert_int_equal(connect_to(&r, b, "10.0.0.2", 2), 0);
	unsigned sent = 0;
	while (send(a, "a", 1, 0) > 0) {
		sent++;
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(send(b, "b", 1, 0), 1);
	/* More than a turn's share: b goes before the rest of a, and nothing is lost. */
	assert_true(sent > 256);
	rig_turn(&r);
	assert_in_range(r.net.stack->datagram_count, 1, sent);
	assert_int_equal(r.net.stack->datagram.remote.port, 2);
	rig_settle(&r);
	assert_int_equal(r.net.stack->datagram_count, sent + 1);
	assert_int_equal(r.net.stack->datagram.remote.port, 1);
	/* What was written before close() still goes. */
	assert_true(send(a, "last", 4, 0) == 4);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(r.net.stack->datagram_count, sent + 2);
	(void)close(b);
	rig_settle(&r);
	struct vhost_stats stats;
	vhost_stats(r.net.vhost, &stats);
	assert_int_equal(stats.sockets, 0);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unconnected),     cmocka_unit_test(test_connected),
		cmocka_unit_test(test_connected_again), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_same_host),       cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_groups),          cmocka_unit_test(test_ping),
		cmocka_unit_test(test_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
