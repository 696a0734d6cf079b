/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names there and back, hostile names; every length of every request. */
#include "rpc/rpc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
/* after the above, which it needs */
#include <cmocka.h>

static struct rpc_ident full(uint8_t kind)
{
	struct rpc_ident out = { .kind = kind,
				 .family = AF_INET,
				 .flags = RPC_SIDE_ACCEPTOR,
				 .has_addresses = true,
				 .nwid = 0x8056c2e21c000001,
				 .id = 0xfedcba9876543210 };
	out.local = (struct rpc_addr){ .family = AF_INET, .port_be = 0x5000, .scope = 7 };
	out.remote = (struct rpc_addr){ .family = AF_INET, .port_be = 0x1234, .scope = 7 };
	for (uint8_t i = 0; i < 16; i++) {
		out.local.addr[i] = i;
		out.remote.addr[i] = (uint8_t)(0xf0 + i);
	}
	/* link-local, else they have no scope */
	out.local.addr[0] = out.remote.addr[0] = 0xfe;
	out.local.addr[1] = out.remote.addr[1] = 0x80;
	return out;
}

static void assert_same(const struct rpc_ident *a, const struct rpc_ident *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->family, b->family);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->has_addresses, b->has_addresses);
	assert_true(a->nwid == b->nwid && a->id == b->id);
	assert_memory_equal(&a->local, &b->local, sizeof a->local);
	assert_memory_equal(&a->remote, &b->remote, sizeof a->remote);
}

static void test_names_round_trip(void **state)
{
	static const uint8_t kinds[] = { RPC_KIND_LISTENER, RPC_KIND_CONNECTION };
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	struct rpc_ident in, out;
	(void)state;
	for (size_t i = 0; i < sizeof kinds; i++) {
		in = full(kinds[i]);
		assert_int_equal(rpc_ident_write(&in, bytes), RPC_NAME_FULL_BYTES);
		assert_int_equal(bytes[0], 0); /* abstract */
		assert_true(rpc_ident_read(bytes, RPC_NAME_FULL_BYTES, &out));
		assert_same(&in, &out);
	}
	in = (struct rpc_ident){ .kind = RPC_KIND_STREAM,
				 .family = AF_INET6,
				 .nwid = 1,
				 .id = 2,
				 .flags = RPC_DUAL_STACK };
	assert_int_equal(rpc_ident_write(&in, bytes), RPC_NAME_BARE_BYTES);
	assert_true(rpc_ident_read(bytes, RPC_NAME_BARE_BYTES, &out));
	assert_same(&in, &out);
}

/* A netlink socket has its own family, and no other has it. */
static void test_netlink_names(void **state)
{
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	struct rpc_ident in = { .kind = RPC_KIND_NETLINK, .family = AF_NETLINK, .id = 4711 }, out;
	(void)state;
	assert_int_equal(rpc_ident_write(&in, bytes), RPC_NAME_BARE_BYTES);
	assert_true(rpc_ident_read(bytes, RPC_NAME_BARE_BYTES, &out));
	assert_same(&in, &out);
	in.family = AF_INET;
	(void)rpc_ident_write(&in, bytes);
	assert_false(rpc_ident_read(bytes, RPC_NAME_BARE_BYTES, &out));
	in = (struct rpc_ident){ .kind = RPC_KIND_DGRAM, .family = AF_NETLINK };
	(void)rpc_ident_write(&in, bytes);
	assert_false(rpc_ident_read(bytes, RPC_NAME_BARE_BYTES, &out));
	in = (struct rpc_ident){ .kind = RPC_KIND_NETLINK, .family = AF_NETLINK, .flags = 2 };
	(void)rpc_ident_write(&in, bytes);
	assert_false(rpc_ident_read(bytes, RPC_NAME_BARE_BYTES, &out));
}

/* Two link-local addresses share their scope; others have none. */
static void test_scopes(void **state)
{
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	struct rpc_ident in = full(RPC_KIND_CONNECTION), out;
	(void)state;
	in.local.scope = 0;
	(void)rpc_ident_write(&in, bytes);
	assert_true(rpc_ident_read(bytes, RPC_NAME_FULL_BYTES, &out));
	assert_int_equal(out.local.scope, 7);
	in.local.addr[1] = 0;
	(void)rpc_ident_write(&in, bytes);
	assert_true(rpc_ident_read(bytes, RPC_NAME_FULL_BYTES, &out));
	assert_int_equal(out.local.scope, 0);
	assert_int_equal(out.remote.scope, 7);
}

/* Found by fuzz_rpc_ident. */
static void test_a_scope_of_nobody_is_hostile(void **state)
{
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	struct rpc_ident in = full(RPC_KIND_CONNECTION), out;
	(void)state;
	in.local.addr[0] = in.remote.addr[0] = 0x20;
	(void)rpc_ident_write(&in, bytes);
	assert_true(rpc_ident_read(bytes, RPC_NAME_FULL_BYTES, &out));
	bytes[RPC_NAME_FULL_BYTES - 4] = 7;
	assert_false(rpc_ident_read(bytes, RPC_NAME_FULL_BYTES, &out));
}

static void test_names_every_length(void **state)
{
	uint8_t bytes[RPC_NAME_MAX_BYTES] = { 0 };
	struct rpc_ident in = full(RPC_KIND_CONNECTION), out;
	(void)state;
	(void)rpc_ident_write(&in, bytes);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		assert_int_equal(rpc_ident_read(bytes, n, &out), n == RPC_NAME_FULL_BYTES);
	}
	in.kind = RPC_KIND_STREAM;
	(void)rpc_ident_write(&in, bytes);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		assert_int_equal(rpc_ident_read(bytes, n, &out), n == RPC_NAME_BARE_BYTES);
	}
}

static void test_names_hostile(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
		{ 0, 1 }, { 1, 'Z' },     { 5, '2' }, { 6, 'x' },  { 6, 0 },
		{ 7, 0 }, { 7, AF_UNIX }, { 8, 4 },   { 8, 0x80 },
	};
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	struct rpc_ident in = full(RPC_KIND_LISTENER), out;
	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		(void)rpc_ident_write(&in, bytes);
		assert_true(rpc_ident_read(bytes, RPC_NAME_FULL_BYTES, &out));
		bytes[changes[i].at] = changes[i].value;
		assert_false(rpc_ident_read(bytes, RPC_NAME_FULL_BYTES, &out));
	}
}

static const struct {
	enum rpc_op op;
	size_t least;
} requests[] = {
	{ RPC_HELLO, sizeof(struct rpc_hello) },
	{ RPC_SOCKET, sizeof(struct rpc_socket) },
	{ RPC_BIND, sizeof(struct rpc_bind) },
	{ RPC_LISTEN, sizeof(struct rpc_listen) },
	{ RPC_CONNECT, sizeof(struct rpc_connect) },
	{ RPC_DETACH, sizeof(struct rpc_detach) },
	{ RPC_SOERROR, sizeof(struct rpc_header) },
	{ RPC_NAME, sizeof(struct rpc_name) },
	{ RPC_SETOPT, offsetof(struct rpc_option, value) },
	{ RPC_GETOPT, offsetof(struct rpc_option, value) },
	{ RPC_IOCTL, sizeof(struct rpc_ioctl) },
	{ RPC_PING, sizeof(struct rpc_header) },
	{ 0, sizeof(struct rpc_header) },
	{ RPC_RESOLVE, offsetof(struct rpc_resolve, bytes) },
	{ RPC_INTERFACES, sizeof(struct rpc_header) },
	{ RPC_ROUTE, sizeof(struct rpc_route) },
	{ RPC_ROUTES, sizeof(struct rpc_routes) },
	{ RPC_ROUTES + 1, sizeof(struct rpc_header) },
	{ 0xffff, sizeof(struct rpc_header) },
};

static void test_requests_every_length(void **state)
{
	_Alignas(8) uint8_t bytes[RPC_MAX_BYTES + 8] = { 0 };
	struct rpc_header *h = (void *)bytes;
	(void)state;
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		h->op = (uint16_t)requests[i].op;
		for (size_t n = 0; n <= sizeof bytes; n++) {
			bool fits = n >= requests[i].least && n <= RPC_MAX_BYTES;
			h->length = (uint32_t)n;
			assert_int_equal(rpc_request_ok(h, n), fits);
			h->length = (uint32_t)n + 1;
			assert_false(rpc_request_ok(h, n));
		}
	}
}

/* A name must have come whole. */
static void test_resolve_lengths(void **state)
{
	struct rpc_resolve m = { .h = { .op = RPC_RESOLVE } };
	size_t head = offsetof(struct rpc_resolve, bytes);
	(void)state;
	m.length = 10;
	m.h.length = (uint32_t)head + 10;
	assert_true(rpc_request_ok(&m.h, head + 10));
	m.h.length = (uint32_t)head + 9;
	assert_false(rpc_request_ok(&m.h, head + 9));
	m.length = RPC_RESOLVE_MAX_BYTES + 1;
	m.h.length = sizeof m;
	assert_false(rpc_request_ok(&m.h, sizeof m));
	m.length = UINT32_MAX;
	assert_false(rpc_request_ok(&m.h, sizeof m));
}

static void test_option_values(void **state)
{
	struct rpc_option m = { .h = { .op = RPC_SETOPT } };
	const size_t head = offsetof(struct rpc_option, value);
	(void)state;
	for (uint32_t said = 0; said <= RPC_OPTION_MAX_BYTES + 1; said++) {
		m.value_length = said;
		for (size_t sent = 0; sent <= RPC_OPTION_MAX_BYTES; sent += 16) {
			m.h.length = (uint32_t)(head + sent);
			m.h.op = RPC_SETOPT;
			assert_int_equal(rpc_request_ok(&m.h, head + sent),
					 said <= sent && said <= RPC_OPTION_MAX_BYTES);
			m.h.op = RPC_GETOPT;
			assert_int_equal(rpc_request_ok(&m.h, head + sent),
					 said <= RPC_OPTION_MAX_BYTES);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_round_trip),
		cmocka_unit_test(test_netlink_names),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_a_scope_of_nobody_is_hostile),
		cmocka_unit_test(test_names_every_length),
		cmocka_unit_test(test_names_hostile),
		cmocka_unit_test(test_requests_every_length),
		cmocka_unit_test(test_resolve_lengths),
		cmocka_unit_test(test_option_values),
	};
	return cmocka_run_group_tests_name("rpc codec", tests, NULL, NULL);
}
