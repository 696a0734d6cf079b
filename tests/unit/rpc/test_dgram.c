/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The header of datagrams: there and back, cut off anywhere, and what must not pass for one. */
#include "rpc/dgram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
/* after the above, which it needs */
#include <cmocka.h>

static const uint64_t ID = 0x0123456789abcdef;

static struct rpc_dgram example(void)
{
	struct rpc_dgram h = { .id = ID,
			       .magic = RPC_DGRAM_MAGIC,
			       .flags = RPC_DGRAM_LOCAL | RPC_DGRAM_TOS | RPC_DGRAM_TTL,
			       .wants = RPC_WANT_PKTINFO,
			       .tos = 4,
			       .ttl = 63,
			       .ifindex = 2,
			       .dropped = 7,
			       .peer = { .family = AF_INET6, .port_be = 0x3500, .scope = 2 },
			       .local = { .family = AF_INET6, .port_be = 0x1234 } };
	memset(h.peer.addr, 0xfe, sizeof h.peer.addr);
	memset(h.local.addr, 0xfd, sizeof h.local.addr);
	return h;
}

static void test_round_trip(void **state)
{
	(void)state;
	uint8_t message[RPC_DGRAM_BYTES + 3] = { 0 };
	struct rpc_dgram in = example(), out;
	memcpy(message, &in, sizeof in);
	assert_true(rpc_dgram_read(message, sizeof message, ID, &out));
	assert_memory_equal(&in, &out, sizeof in);
	for (size_t length = 0; length < RPC_DGRAM_BYTES; length++) {
		assert_false(rpc_dgram_read(message, length, ID, &out));
	}
	assert_true(rpc_dgram_read(message, RPC_DGRAM_BYTES, ID, &out));
}

/* Read `h`, which differs from the example in one thing. */
static bool passes(struct rpc_dgram h)
{
	struct rpc_dgram out = { .id = 1 };
	bool ok = rpc_dgram_read(&h, sizeof h, ID, &out);
	assert_true(ok || out.id == 1); /* nothing is written then */
	return ok;
}

static void test_refusals(void **state)
{
	(void)state;
	struct rpc_dgram h = example();
	for (int bit = 0; bit < 64; bit++) {
		h.id = ID ^ (uint64_t)1 << bit;
		assert_false(passes(h));
	}
	h = example();
	h.magic++;
	assert_false(passes(h));
	h = example();
	h.flags |= 8;
	assert_false(passes(h));
	for (unsigned family = 0; family < 256; family++) {
		bool is_known = family == AF_INET || family == AF_INET6;
		h = example();
		h.peer.family = (uint8_t)family;
		assert_int_equal(passes(h), is_known || family == 0);
		h = example();
		h.local.family = (uint8_t)family;
		assert_int_equal(passes(h), is_known);
		h.flags = 0;
		assert_true(passes(h)); /* not looked at */
	}
}

static void test_names(void **state)
{
	static const uint8_t kinds[] = { RPC_KIND_DGRAM, RPC_KIND_PING };
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	struct rpc_ident out;
	(void)state;
	for (size_t i = 0; i < sizeof kinds; i++) {
		struct rpc_ident in = { .kind = kinds[i], .family = AF_INET, .nwid = 1, .id = ID };
		assert_int_equal(rpc_ident_write(&in, bytes), RPC_NAME_BARE_BYTES);
		assert_true(rpc_ident_read(bytes, RPC_NAME_BARE_BYTES, &out));
		assert_int_equal(out.kind, kinds[i]);
		assert_false(out.has_addresses);
		assert_false(rpc_ident_read(bytes, RPC_NAME_FULL_BYTES, &out));
	}
	struct rpc_ident in = { .kind = RPC_KIND_PEER, .family = AF_INET6, .nwid = 1, .id = ID };
	in.remote.port_be = 0x3500;
	assert_int_equal(rpc_ident_write(&in, bytes), RPC_NAME_FULL_BYTES);
	assert_true(rpc_ident_read(bytes, RPC_NAME_FULL_BYTES, &out));
	assert_true(out.has_addresses);
	assert_int_equal(out.remote.port_be, 0x3500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
