/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* RPC_ROUTE: what a library with ZT_NC_POLICY=split may give to the host, and what never. The fake
 * stack reaches 10.0.0.0/8, groups, fd00::/8 and fe80::/10; 10.0.0.1 is ours. */
#include "tests/unit/service/rig.h"

static struct rpc_route_reply route(struct rig *r, int a, const char *text, uint8_t family)
{
	struct rpc_route m = { .h.op = RPC_ROUTE, .addr = rig_address(text, 80) };
	struct rpc_route_reply reply = { .is_elsewhere = 7 };
	m.addr.family = family;
	assert_int_equal(rig_reply(r, rig_send(r, &m, sizeof m, a), &reply, sizeof reply, NULL), 0);
	return reply;
}

static void test_what_is_elsewhere(void **state)
{
	static const struct {
		const char *address;
		bool is_elsewhere;
	} table[] = {
		{ "198.51.100.7", true },
		{ "2001:db8::1", true },
		{ "10.9.9.9", false },
		{ "10.0.0.1", false },
		{ "127.0.0.1", false },
		{ "127.255.0.1", false },
		{ "0.0.0.0", false },
		{ "255.255.255.255", false },
		{ "224.0.0.251", false },
		{ "fd00::9", false },
		{ "fe80::9", false },
		{ "ff02::1", false },
		{ "::1", false },
		{ "::", false },
		{ "::ffff:10.0.0.9", false },
		{ "::ffff:198.51.100.7", true },
	};
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int four = rig_socket(&r), six = rig_socket6(&r);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		bool is_six = strchr(table[i].address, ':') != NULL;
		struct rpc_route_reply reply =
		    route(&r, is_six ? six : four, table[i].address, is_six ? AF_INET6 : AF_INET);
		assert_int_equal(reply.is_elsewhere, table[i].is_elsewhere);
		assert_true(reply.is_fresh);
	}
	/* Another family's address: connect() says what is wrong with it. */
	assert_false(route(&r, four, "2001:db8::1", AF_INET6).is_elsewhere);
	(void)close(four);
	(void)close(six);
	rig_close(&r);
}

/* A network that is not there yet may lead anywhere: nothing is elsewhere then. */
static void test_not_before_the_network_is_up(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, false);
	int a = rig_socket(&r);
	assert_false(route(&r, a, "198.51.100.7", AF_INET).is_elsewhere);
	(void)close(a);
	rig_close(&r);
}

static void test_fresh_ends_with_a_port_or_a_peer(void **state)
{
	(void)state;
	struct rig r;
	uint16_t port = 0;
	rig_open(&r, true);
	int bound = rig_socket(&r), connecting = rig_socket(&r);
	assert_int_equal(rig_bind(&r, bound, "0.0.0.0", &port), 0);
	assert_false(route(&r, bound, "198.51.100.7", AF_INET).is_fresh);
	assert_int_equal(rig_connect(&r, connecting, "10.0.0.2", 80), EINPROGRESS);
	assert_false(route(&r, connecting, "198.51.100.7", AF_INET).is_fresh);
	(void)close(bound);
	(void)close(connecting);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_elsewhere),
		cmocka_unit_test(test_not_before_the_network_is_up),
		cmocka_unit_test(test_fresh_ends_with_a_port_or_a_peer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
