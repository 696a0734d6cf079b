/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What service/net_update.c gives to the stack of a network with addresses of both families. */
#include "service/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct zt_network_view view;
static struct net net;

static void put(struct zt_endpoint *out, const char *text)
{
	assert_true(endpoint_parse(text, out));
}

static void route(const char *target, const char *via)
{
	struct zt_route *r = &view.routes[view.route_count++];
	put(&r->target, target);
	if (via) {
		put(&r->via, via);
	}
}

static int prepare(void **state)
{
	(void)state;
	view = (struct zt_network_view){ 0 };
	net = (struct net){
		.policy = { .managed = true, .global = true, .standard = true, .dns = true },
	};
	put(&view.addresses[0], "fd80:56c2:e21c::1/88");
	put(&view.addresses[1], "10.147.17.24/24");
	put(&view.addresses[2], "fc9a:1::1/40");
	view.address_count = 3;
	route("fd80:56c2:e21c::/88", NULL);
	route("10.147.17.0/24", NULL);
	route("192.168.7.0/24", "10.147.17.9");
	route("192.168.8.0/24", "fd80:56c2:e21c::9");
	return 0;
}

static void test_addresses(void **state)
{
	(void)state;
	struct stack_ip out[STACK_MAX_ADDRESSES];
	assert_int_equal(net_stack_addresses(&net.policy, &view, out), 1);
	assert_int_equal(out[0].family, 4);
	assert_int_equal(out[0].bits, 24);
	assert_memory_equal(out[0].bytes, "\x0a\x93\x11\x18", 4);
	net.policy.managed = false;
	assert_int_equal(net_stack_addresses(&net.policy, &view, out), 0);
}

static void test_routes(void **state)
{
	(void)state;
	struct stack_route out[STACK_MAX_ROUTES];
	assert_int_equal(net_stack_routes(&net, &view, out), 2);
	assert_memory_equal(out[0].target.bytes, "\x0a\x93\x11\x00", 4);
	assert_int_equal(out[0].via.family, 0);
	assert_memory_equal(out[1].via.bytes, "\x0a\x93\x11\x09", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_addresses, prepare),
		cmocka_unit_test_setup(test_routes, prepare),
	};
	return cmocka_run_group_tests_name("service/net_update", tests, NULL, NULL);
}
