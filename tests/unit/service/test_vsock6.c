/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* AF_INET6 sockets: which addresses they may have, both protocols behind one socket, scope ids,
 * ::1. What Linux says to each row of the tables was asked of Linux
 * (tests/unit/intercept/test_family.c).
 */
#include "tests/unit/service/rig.h"

static struct stack_ip ip6(const char *text, uint8_t bits)
{
	struct stack_ip ip = rig_ip(text, 0);
	ip.bits = bits;
	return ip;
}

static void open6(struct rig *r)
{
	rig_open(r, true);
	r->net.addresses[r->net.address_count++] = ip6("fd00::1", 64);
	r->net.link_local = ip6("fe80::1", 64);
	r->net.mtu = 2800;
}

static int option(struct rig *r, int a, int level, int name, int value)
{
	struct rpc_option m = {
		.h.op = RPC_SETOPT, .level = level, .name = name, .value_length = sizeof value
	};
	struct rpc_addr_reply reply;
	memcpy(m.value, &value, sizeof value);
	return rig_call(r, &m, offsetof(struct rpc_option, value) + sizeof value, a, &reply);
}

/* getsockopt(): 0 and the value, or the error. */
static int option_get(struct rig *r, int a, int level, int name, int *value)
{
	struct rpc_option m = {
		.h.op = RPC_GETOPT, .level = level, .name = name, .value_length = sizeof *value
	};
	struct rpc_option reply;
	int from = rig_send(r, &m, offsetof(struct rpc_option, value), a);
	int error = rig_reply(r, from, &reply, sizeof reply, NULL);
	memcpy(value, reply.value, sizeof *value);
	return error;
}

static int bind_scoped(struct rig *r, int a, const char *text, uint32_t scope,
		       struct rpc_addr *bound)
{
	struct rpc_bind m = { .h.op = RPC_BIND, .addr = rig_address(text, 0) };
	struct rpc_addr_reply reply;
	m.addr.scope = scope;
	int error = rig_call(r, &m, sizeof m, a, &reply);
	*bound = reply.addr;
	return error;
}

static int connect_scoped(struct rig *r, int a, const char *text, uint32_t scope)
{
	struct rpc_connect m = { .h.op = RPC_CONNECT,
				 .addr = rig_address(text, 80),
				 .prefill = rpc_prefill(a) };
	struct rpc_addr_reply reply;
	m.addr.scope = scope;
	return rig_call(r, &m, sizeof m, a, &reply);
}

static void test_bind(void **state)
{
	static const struct {
		const char *text;
		uint32_t scope;
		bool is_v6_only;
		int error;
		uint32_t reported;
	} rows[] = {
		{ "::", 0, false, 0, 0 },
		{ "::", 5, true, 0, 0 },
		{ "::1", 0, false, 0, 0 },
		{ "fd00::1", 0, false, 0, 0 },
		{ "fd00::2", 0, false, EADDRNOTAVAIL, 0 },
		{ "::ffff:10.0.0.1", 0, false, 0, 0 },
		{ "::ffff:0.0.0.0", 0, false, 0, 0 },
		{ "::ffff:127.0.0.9", 0, false, 0, 0 },
		{ "::ffff:10.0.0.1", 0, true, EINVAL, 0 },
		{ "::ffff:10.0.0.9", 0, false, EADDRNOTAVAIL, 0 },
		{ "fe80::1", 0, false, EINVAL, 0 },
		{ "fe80::1", 7, false, 0, RPC_IFINDEX_NETWORK },
		{ "fe80::1", RPC_IFINDEX_LOOPBACK, false, EADDRNOTAVAIL, 0 },
		{ "fe80::2", 2, false, EADDRNOTAVAIL, 0 },
		{ "ff02::1", 2, false, EINVAL, 0 },
		{ "::ffff:224.0.0.1", 0, false, 0, 0 }, /* as Linux */
		{ "::ffff:255.255.255.255", 0, false, 0, 0 },
	};
	(void)state;
	struct rig r;
	open6(&r);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int a = rig_socket6(&r);
		struct rpc_addr bound, wanted = rig_address(rows[i].text, 0);
		assert_int_equal(option(&r, a, IPPROTO_IPV6, IPV6_V6ONLY, rows[i].is_v6_only), 0);
		if (bind_scoped(&r, a, rows[i].text, rows[i].scope, &bound) != rows[i].error) {
			fail_msg("%s", rows[i].text);
		}
		if (rows[i].error == 0) {
			assert_int_equal(bound.family, AF_INET6);
			assert_memory_equal(bound.addr, wanted.addr, 16);
			assert_int_equal(bound.scope, rows[i].reported);
			assert_int_not_equal(bound.port_be, 0);
			assert_int_equal(option(&r, a, IPPROTO_IPV6, IPV6_V6ONLY, 1), EINVAL);
		}
		(void)close(a);
	}
	rig_close(&r);
}

static void test_wrong_family(void **state)
{
	(void)state;
	struct rig r;
	open6(&r);
	int four = rig_socket(&r), six = rig_socket6(&r);
	uint16_t port = 80;
	assert_int_equal(rig_bind(&r, four, "fd00::1", &port), EAFNOSUPPORT);
	port = 80;
	assert_int_equal(rig_bind(&r, six, "10.0.0.1", &port), EAFNOSUPPORT);
	assert_int_equal(rig_connect(&r, four, "fd00::1", 80), EAFNOSUPPORT);
	assert_int_equal(rig_connect(&r, six, "10.0.0.1", 80), EAFNOSUPPORT);
	(void)close(four);
	(void)close(six);
	rig_close(&r);
}

/* Each row: a second socket of its own on the port of the first. */
static void test_one_port_two_families(void **state)
{
	static const struct {
		const char *first, *second;
		bool first_only, second_only;
		int error;
	} rows[] = {
		{ "::", "0.0.0.0", false, false, EADDRINUSE },
		{ "::", "0.0.0.0", true, false, 0 },
		{ "0.0.0.0", "::", false, true, 0 },
		{ "0.0.0.0", "::", false, false, EADDRINUSE },
		{ "10.0.0.1", "::", false, false, EADDRINUSE },
		{ "10.0.0.1", "fd00::1", false, false, 0 },
		{ "10.0.0.1", "::ffff:10.0.0.1", false, false, EADDRINUSE },
		{ "127.0.0.1", "::1", false, false, 0 },
		{ "::", "::1", false, false, EADDRINUSE },
		{ "::ffff:0.0.0.0", "::1", false, false, 0 },
		{ "::ffff:0.0.0.0", "::", false, true, 0 },
		{ "::ffff:0.0.0.0", "127.0.0.1", false, false, EADDRINUSE },
	};
	(void)state;
	struct rig r;
	open6(&r);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool is_first6 = strchr(rows[i].first, ':'),
		     is_second6 = strchr(rows[i].second, ':');
		int a = is_first6 ? rig_socket6(&r) : rig_socket(&r);
		int b = is_second6 ? rig_socket6(&r) : rig_socket(&r);
		uint16_t port = 80;
		(void)option(&r, a, IPPROTO_IPV6, IPV6_V6ONLY, rows[i].first_only);
		(void)option(&r, b, IPPROTO_IPV6, IPV6_V6ONLY, rows[i].second_only);
		assert_int_equal(rig_bind(&r, a, rows[i].first, &port), 0);
		if (rig_bind(&r, b, rows[i].second, &port) != rows[i].error) {
			fail_msg("%s, then %s", rows[i].first, rows[i].second);
		}
		(void)close(a);
		(void)close(b);
		rig_settle(&r);
	}
	rig_close(&r);
}

/* One listener on :: is reached by both protocols, through the stack and over loopback. */
static void test_dual_stack_listener(void **state)
{
	static const struct {
		const char *local, *remote, *seen_local, *seen_remote;
	} rows[] = {
		{ "fd00::1", "fd00::9", "fd00::1", "fd00::9" },
		{ "10.0.0.1", "10.0.0.9", "::ffff:10.0.0.1", "::ffff:10.0.0.9" },
		{ "fe80::1", "fe80::9", "fe80::1", "fe80::9" },
	};
	(void)state;
	struct rig r;
	open6(&r);
	int l = rig_listener(&r, "::", 80, 5);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stack_ip local = rig_ip(rows[i].local, 80);
		struct stack_ip remote = rig_ip(rows[i].remote, 4000);
		bool was_admitted = false;
		assert_non_null(fakestack_incoming(r.net.stack, &local, &remote, &was_admitted));
		rig_settle(&r);
		struct rpc_accept record;
		struct rpc_ident name;
		int s = rig_accept(&r, l, &record);
		assert_true(s >= 0);
		struct rpc_addr seen = rig_address(rows[i].seen_remote, 4000);
		assert_int_equal(record.remote.family, AF_INET6);
		assert_memory_equal(record.remote.addr, seen.addr, 16);
		assert_int_equal(record.remote.scope, i == 2 ? RPC_IFINDEX_NETWORK : 0);
		seen = rig_address(rows[i].seen_local, 80);
		assert_true(rig_ident(s, true, &name));
		assert_int_equal(name.family, AF_INET6);
		assert_memory_equal(name.local.addr, seen.addr, 16);
		assert_int_equal(name.remote.scope, i == 2 ? RPC_IFINDEX_NETWORK : 0);
		(void)close(s);
	}
	(void)close(l);
	rig_close(&r);
}

static void test_v6_only_listener(void **state)
{
	(void)state;
	struct rig r;
	open6(&r);
	int l = rig_socket6(&r);
	uint16_t port = 80;
	bool was_admitted = true;
	assert_int_equal(option(&r, l, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
	assert_int_equal(rig_bind(&r, l, "::", &port), 0);
	assert_int_equal(rig_listen(&r, l, 5), 0);
	struct stack_ip local = rig_ip("10.0.0.1", 80), remote = rig_ip("10.0.0.9", 4000);
	assert_null(fakestack_incoming(r.net.stack, &local, &remote, &was_admitted));
	assert_false(was_admitted);
	int c = rig_socket(&r);
	assert_int_equal(rig_connect(&r, c, "127.0.0.1", 80), EINPROGRESS);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, c), ECONNREFUSED);
	(void)close(c);
	(void)close(l);
	rig_close(&r);
}

/* Short cuts within a family and across. */
static void test_loopback(void **state)
{
	static const struct {
		const char *listens, *to, *seen_local, *seen_remote;
		bool is_six;
	} rows[] = {
		{ "::", "::1", "::1", "::1", true },
		{ "::1", "::1", "::1", "::1", true },
		{ "::", "127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1", false },
		{ "::", "::ffff:127.0.0.5", "::ffff:127.0.0.5", "::ffff:127.0.0.1", true },
		{ "0.0.0.0", "::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1", true },
		{ "::", "fd00::1", "fd00::1", "fd00::1", true },
		{ "::", "::", "::1", "::1", true },
	};
	(void)state;
	struct rig r;
	open6(&r);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int l = rig_listener(&r, rows[i].listens, 80, 5);
		int c = rows[i].is_six ? rig_socket6(&r) : rig_socket(&r);
		struct rpc_accept record;
		assert_int_equal(rig_connect(&r, c, rows[i].to, 80), EINPROGRESS);
		assert_int_equal(rig_poll(c), POLLOUT);
		int s = rig_accept(&r, l, &record);
		assert_true(s >= 0);
		struct rpc_addr local = rig_address(rows[i].seen_local, 0);
		struct rpc_addr remote = rig_address(rows[i].seen_remote, 0);
		assert_memory_equal(record.local.addr, local.addr, 16);
		assert_memory_equal(record.remote.addr, remote.addr, 16);
		assert_int_equal(record.remote.family, local.family);
		(void)close(s);
		(void)close(c);
		(void)close(l);
		rig_settle(&r);
	}
	assert_int_equal(r.net.stack->connect_count, 0);
	rig_close(&r);
}

/* connect() to any address goes to the one that is bound. */
static void test_any_is_the_bound_address(void **state)
{
	(void)state;
	struct rig r;
	open6(&r);
	int l = rig_listener(&r, "::", 80, 5), c = rig_socket6(&r);
	uint16_t port = 0;
	struct rpc_ident name;
	assert_int_equal(rig_bind(&r, c, "::ffff:10.0.0.1", &port), 0);
	assert_int_equal(rig_connect(&r, c, "::ffff:0.0.0.0", 80), EINPROGRESS);
	assert_true(rig_ident(c, true, &name));
	struct rpc_addr own = rig_address("::ffff:10.0.0.1", 80);
	assert_memory_equal(name.local.addr, own.addr, 16); /* the acceptor's */
	assert_int_equal(vaddr_port(&name.local), 80);
	(void)close(c);
	(void)close(l);
	rig_close(&r);
}

static void test_nobody_listens_on_the_other_family(void **state)
{
	(void)state;
	struct rig r;
	open6(&r);
	int l = rig_listener(&r, "127.0.0.1", 80, 5), c = rig_socket6(&r);
	assert_int_equal(rig_connect(&r, c, "::1", 80), EINPROGRESS);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, c), ECONNREFUSED);
	(void)close(c);
	(void)close(l);
	rig_close(&r);
}

static void test_connect_errors(void **state)
{
	static const struct {
		const char *bound, *to;
		uint32_t scope;
		bool is_v6_only;
		int error;
	} rows[] = {
		{ NULL, "ff02::1", 2, false, ENETUNREACH },
		{ NULL, "fe80::9", 0, false, EINVAL },
		{ NULL, "fe80::9", 2, false, EINPROGRESS },
		{ "fe80::1", "fe80::9", 0, false, EINPROGRESS },
		{ NULL, "::ffff:10.0.0.2", 0, true, ENETUNREACH },
		{ NULL, "::ffff:10.0.0.2", 0, false, EINPROGRESS },
		{ NULL, "::ffff:224.0.0.1", 0, false, ENETUNREACH },
		{ "::ffff:10.0.0.1", "fd00::9", 0, false, EAFNOSUPPORT },
		{ "::ffff:127.0.0.1", "::ffff:10.0.0.2", 0, false, EINVAL },
		{ "::ffff:0.0.0.0", "::1", 0, false, EAFNOSUPPORT },
		{ "::ffff:0.0.0.0", "2001:db8::1", 0, false,
		  ENETUNREACH }, /* no route comes first */
		{ "::1", "fd00::9", 0, false, ENETUNREACH },
		{ "fd00::1", "::ffff:10.0.0.2", 0, false, ENETUNREACH },
		{ "fd00::1", "::ffff:127.0.0.1", 0, false, ENETUNREACH },
		{ "fe80::1", "::1", 0, false, ENETUNREACH },
		{ "fe80::1", "fe80::9", RPC_IFINDEX_LOOPBACK, false, EINVAL },
		{ NULL, "fe80::9", RPC_IFINDEX_LOOPBACK, false, ENETUNREACH },
		{ "fe80::1", "fd00::9", 0, false, EINPROGRESS },
		{ "fd00::1", "fd00::9", 0, false, EINPROGRESS },
		{ NULL, "fd00::9", 0, false, EINPROGRESS },
	};
	(void)state;
	struct rig r;
	open6(&r);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int a = rig_socket6(&r);
		struct rpc_addr bound;
		(void)option(&r, a, IPPROTO_IPV6, IPV6_V6ONLY, rows[i].is_v6_only);
		if (rows[i].bound) {
			assert_int_equal(bind_scoped(&r, a, rows[i].bound, 2, &bound), 0);
		}
		if (connect_scoped(&r, a, rows[i].to, rows[i].scope) != rows[i].error) {
			fail_msg("%s to %s", rows[i].bound ? rows[i].bound : "-", rows[i].to);
		}
		(void)close(a);
	}
	rig_close(&r);
}

static void test_connect_through_the_stack(void **state)
{
	(void)state;
	struct rig r;
	open6(&r);
	int a = rig_socket6(&r), value = 0;
	assert_int_equal(option(&r, a, IPPROTO_IP, IP_TTL, 9), 0);
	assert_int_equal(option(&r, a, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 33), 0);
	assert_int_equal(option(&r, a, IPPROTO_IPV6, IPV6_TCLASS, 0xb8), 0);
	assert_int_equal(option_get(&r, a, IPPROTO_IPV6, IPV6_MTU, &value), ENOTCONN);
	assert_int_equal(rig_connect(&r, a, "fd00::2", 80), EINPROGRESS);
	struct stack_tcp *tcp = fakestack_last(r.net.stack);
	assert_int_equal(tcp->remote.family, 6);
	assert_int_equal(tcp->local.family, 6);
	assert_int_equal(tcp->options[STACK_TCP_TTL], 33); /* IPv6's, not IPv4's */
	assert_int_equal(tcp->options[STACK_TCP_TOS], 0xb8);
	fakestack_establish(tcp);
	rig_settle(&r);
	struct rpc_ident name;
	assert_true(rig_ident(a, true, &name));
	assert_int_equal(name.family, AF_INET6);
	assert_int_equal(name.remote.addr[15], 2);
	assert_int_equal(option_get(&r, a, IPPROTO_IPV6, IPV6_MTU, &value), 0);
	assert_int_equal(value, 2800);
	(void)close(a);
	rig_close(&r);
}

static void test_options(void **state)
{
	static const struct {
		int name, value, error, reads;
	} rows[] = {
		{ IPV6_V6ONLY, 1, 0, 1 },
		{ IPV6_UNICAST_HOPS, 256, EINVAL, 64 },
		{ IPV6_UNICAST_HOPS, -2, EINVAL, 64 },
		{ IPV6_UNICAST_HOPS, 7, 0, 7 },
		{ IPV6_UNICAST_HOPS, 0, 0, 0 },
		{ IPV6_UNICAST_HOPS, -1, 0, 64 },
		{ IPV6_TCLASS, 0x1b, 0, 0x18 },
		{ IPV6_TCLASS, 256, EINVAL, 0x18 },
		{ IPV6_TCLASS, -1, 0, 0 },
		{ IPV6_MTU_DISCOVER, 6, EINVAL, IPV6_PMTUDISC_WANT },
		{ IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, 0, IPV6_PMTUDISC_DO },
		{ IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT, 0, IPV6_PMTUDISC_DONT },
		{ IPV6_RECVRTHDR, 1, 0, 1 },
		{ IPV6_RECVPATHMTU, 3, 0, 1 },
		{ IPV6_RECVRTHDR, 0, 0, 0 },
		{ IPV6_UNICAST_IF, 5, EADDRNOTAVAIL, 0 },
		{ IPV6_RECVPKTINFO, 5, 0, 1 },
		{ IPV6_RECVTCLASS, 1, 0, 1 },
		{ IPV6_RECVHOPLIMIT, 1, 0, 1 },
		{ IPV6_RECVERR, 1, 0, 1 },
		{ IPV6_DONTFRAG, 1, 0, 1 },
		{ IPV6_AUTOFLOWLABEL, 0, 0, 0 },
		{ IPV6_MINHOPCOUNT, 256, EINVAL, 0 },
		{ IPV6_MINHOPCOUNT, 255, 0, 255 },
	};
	(void)state;
	struct rig r;
	open6(&r);
	int six = rig_socket6(&r), four = rig_socket(&r), value = 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int error = option(&r, six, IPPROTO_IPV6, rows[i].name, rows[i].value);
		if (error != rows[i].error ||
		    option_get(&r, six, IPPROTO_IPV6, rows[i].name, &value) != 0 ||
		    value != rows[i].reads) {
			fail_msg("row %zu: %d, reads %d", i, error, value);
		}
		assert_int_equal(option(&r, four, IPPROTO_IPV6, rows[i].name, rows[i].value),
				 ENOPROTOOPT);
		assert_int_equal(option_get(&r, four, IPPROTO_IPV6, rows[i].name, &value),
				 ENOPROTOOPT);
	}
	assert_int_equal(option(&r, six, IPPROTO_IPV6, IPV6_MTU, 1279), EINVAL);
	assert_int_equal(option(&r, six, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET), ENOTCONN);
	assert_int_equal(option(&r, six, IPPROTO_IPV6, IPV6_ADDRFORM, AF_UNIX), EINVAL);
	assert_int_equal(option_get(&r, six, IPPROTO_IPV6, IPV6_ADDRFORM, &value), ENOTCONN);
	assert_int_equal(option(&r, six, IPPROTO_IPV6, 9999, 1), ENOPROTOOPT);
	(void)close(four);
	(void)close(six);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_wrong_family),
		cmocka_unit_test(test_one_port_two_families),
		cmocka_unit_test(test_dual_stack_listener),
		cmocka_unit_test(test_v6_only_listener),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_any_is_the_bound_address),
		cmocka_unit_test(test_nobody_listens_on_the_other_family),
		cmocka_unit_test(test_connect_errors),
		cmocka_unit_test(test_connect_through_the_stack),
		cmocka_unit_test(test_options),
	};
	return cmocka_run_group_tests_name("AF_INET6", tests, NULL, NULL);
}
