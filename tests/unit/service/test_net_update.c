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
	view.mtu = 2800;
	view.mac = 0x32a1b2c3d4e5;
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
	assert_int_equal(net_stack_addresses(&net.policy, &view, out), 3);
	assert_int_equal(out[0].family, 6);
	assert_int_equal(out[0].bits, 88);
	assert_int_equal(out[1].family, 4);
	assert_int_equal(out[1].bits, 24);
	assert_memory_equal(out[1].bytes, "\x0a\x93\x11\x18", 4);
	assert_int_equal(out[2].bits, 40);
	view.mtu = 1279; /* too small for IPv6 */
	assert_int_equal(net_stack_addresses(&net.policy, &view, out), 1);
	assert_int_equal(out[0].family, 4);
	assert_int_equal(net_link_local(&view, 1).family, 0);
	view.mtu = 1280;
	net.policy.managed = false;
	assert_int_equal(net_stack_addresses(&net.policy, &view, out), 0);
}

static void test_routes(void **state)
{
	(void)state;
	struct stack_route out[STACK_MAX_ROUTES];
	/* 192.168.8.0/24 goes through another family's gateway: nobody can */
	assert_int_equal(net_stack_routes(&net, &view, out), 3);
	assert_int_equal(out[0].target.family, 6);
	assert_int_equal(out[0].target.bits, 88);
	assert_memory_equal(out[1].target.bytes, "\x0a\x93\x11\x00", 4);
	assert_int_equal(out[1].via.family, 0);
	assert_memory_equal(out[2].via.bytes, "\x0a\x93\x11\x09", 4);
	route("::/0", "fd80:56c2:e21c::9");
	assert_int_equal(net_stack_routes(&net, &view, out), 4);
	assert_int_equal(out[3].target.bits, 0);
	assert_int_equal(out[3].via.bytes[15], 9);
	view.mtu = 1000;
	assert_int_equal(net_stack_routes(&net, &view, out), 2);
}

/* RFC 4291, appendix A */
static void test_link_local(void **state)
{
	(void)state;
	struct stack_ip ip = net_link_local(&view, 1);
	uint8_t expected[16] = { 0xfe, 0x80, 0,    0,    0,    0,    0,    0,
				 0x30, 0xa1, 0xb2, 0xff, 0xfe, 0xc3, 0xd4, 0xe5 };
	assert_int_equal(ip.family, 6);
	assert_int_equal(ip.bits, 64);
	assert_memory_equal(ip.bytes, expected, 16);
	assert_int_equal(net_link_local(&view, 0).family, 0); /* not a member yet */
	net.link_local = ip;
	assert_true(net_is_own_address(&net, &ip));
	ip.bytes[15]++;
	assert_false(net_is_own_address(&net, &ip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_addresses, prepare),
		cmocka_unit_test_setup(test_routes, prepare),
		cmocka_unit_test_setup(test_link_local, prepare),
	};
	return cmocka_run_group_tests_name("service/net_update", tests, NULL, NULL);
}
