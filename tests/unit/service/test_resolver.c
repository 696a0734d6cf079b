/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the resolver does without asking anybody: the order of addresses (RFC 6724) and the names of
 * the network's own members (decision 187). The fake stack reaches 10.0.0.0/8 from 10.0.0.1,
 * fd00::/8 from fd00::1 and fe80::/10 from fe80::1; nothing else.
 */
#include "core/addr.h"
#include "service/resolver_wire.h"
#include "tests/unit/service/rig.h"

enum { LIST_MAX = 8 };

static void text_of(const struct rpc_addr *a, char out[INET6_ADDRSTRLEN])
{
	bool is_v4 = a->family == AF_INET;
	assert_non_null(
	    inet_ntop(a->family, is_v4 ? a->addr + 12 : a->addr, out, INET6_ADDRSTRLEN));
}

static void test_order(void **state)
{
	static const struct {
		const char *given[LIST_MAX], *wanted[LIST_MAX];
	} table[] = {
		/* rule 1: what can be reached comes first, whatever the rest says */
		{ { "2001:db8::1", "198.51.100.1", "10.0.0.9" },
		  { "10.0.0.9", "2001:db8::1", "198.51.100.1" } },
		/* rule 2: a source of the same scope */
		{ { "10.0.0.9", "fe80::9" }, { "fe80::9", "10.0.0.9" } },
		/* rule 6: precedence, ::1 before 127.0.0.1, IPv4 before unique local */
		{ { "127.0.0.1", "::1" }, { "::1", "127.0.0.1" } },
		{ { "fd00::9", "10.0.0.9" }, { "10.0.0.9", "fd00::9" } },
		/* rule 9: the longest prefix in common with the source */
		{ { "10.200.0.1", "10.0.0.7", "10.0.200.1" },
		  { "10.0.0.7", "10.0.200.1", "10.200.0.1" } },
		/* ... of which 64 bits count: then as it came (rule 10) */
		{ { "fd00::ffff:1", "fd00::2", "fd00::3" },
		  { "fd00::ffff:1", "fd00::2", "fd00::3" } },
		/* unreachable ones among themselves: 2001::/32 and 2002::/16 behind native IPv6 */
		{ { "2001::1", "2002::1", "2a00::1" }, { "2a00::1", "2002::1", "2001::1" } },
		/* our own address is its own source */
		{ { "10.0.0.9", "10.0.0.1" }, { "10.0.0.1", "10.0.0.9" } },
	};
	(void)state;
	struct rig r;
	rig_open(&r, true);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct rpc_addr list[LIST_MAX];
		size_t count = 0;
		for (; count < LIST_MAX && table[i].given[count]; count++) {
			list[count] = rig_address(table[i].given[count], 0);
		}
		resolver_order(&r.net, list, count);
		for (size_t k = 0; k < count; k++) {
			char text[INET6_ADDRSTRLEN];
			text_of(&list[k], text);
			assert_string_equal(text, table[i].wanted[k]);
		}
	}
	resolver_order(&r.net, NULL, 0);
	rig_close(&r);
}

enum { OURS = 0x0123456789 };

static void own_rig(struct rig *r)
{
	struct zt_endpoint e = addr_rfc4193(0x8056c2e21c000001U, OURS);
	rig_open(r, true);
	r->service.address = OURS;
	(void)snprintf(r->net.domain, sizeof r->net.domain, "zt.example");
	r->net.addresses[1] = (struct stack_ip){ .family = 6, .bits = 88 };
	memcpy(r->net.addresses[1].bytes, e.ip, 16);
	r->net.address_count = 2;
}

static void test_own_names(void **state)
{
	struct rpc_addr out[RPC_RESOLVE_RECORDS_MAX];
	struct rig r;
	(void)state;
	own_rig(&r);
	/* We ourselves, in any case of letters: all that the network gave us. */
	assert_int_equal(resolver_own_find(&r.net, "0123456789.zt.example", out), 2);
	assert_memory_equal(out[0].addr + 12, r.net.addresses[0].bytes, 4);
	assert_memory_equal(out[1].addr, r.net.addresses[1].bytes, 16);
	/* Another member: the kind of address that we have ourselves, and no other. */
	struct zt_endpoint theirs = addr_rfc4193(r.net.nwid, 0xabcdef0123);
	assert_int_equal(resolver_own_find(&r.net, "ABCDEF0123.ZT.example", out), 1);
	assert_memory_equal(out[0].addr, theirs.ip, 16);
	assert_int_equal(out[0].port_be, 0);
	r.net.address_count = 1;
	assert_int_equal(resolver_own_find(&r.net, "abcdef0123.zt.example", out), -1);
	rig_close(&r);
}

static void test_names_that_are_not_ours(void **state)
{
	static const char *const names[] = {
		"",
		".",
		"zt.example",
		".zt.example",
		"zt.exampl",
		"0123456789",
		"0123456789.zt.exampl",
		"0123456789.zt.example.org",
		"0123456789zt.example",
		"x.0123456789.zt.example",
		"012345678.zt.example",
		"01234567890.zt.example",
		"012345678g.zt.example",
		"a-label-of-sixty-four-letters-is-one-more-than-a-name-may-have-x.zt.example",
		"-123456789.zt.example",
		"0x23456789.zt.example",
	};
	struct rpc_addr out[RPC_RESOLVE_RECORDS_MAX];
	struct rig r;
	(void)state;
	own_rig(&r);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_int_equal(resolver_own_find(&r.net, names[i], out), -1);
	}
	r.net.domain[0] = '\0'; /* the network has none */
	assert_int_equal(resolver_own_find(&r.net, "0123456789.zt.example", out), -1);
	assert_int_equal(resolver_own_find(&r.net, "0123456789.", out), -1);
	rig_close(&r);
}

static void test_names_of_addresses(void **state)
{
	char name[64];
	struct rig r;
	(void)state;
	own_rig(&r);
	struct zt_endpoint first = addr_rfc4193(r.net.nwid, 0xabcdef0123);
	struct zt_endpoint second = addr_6plane(r.net.nwid, 0xabcdef0123);
	struct rpc_addr ours = rig_address("10.0.0.1", 0), nobody = rig_address("10.0.0.2", 0);
	struct rpc_addr theirs = vaddr_v6(first.ip, 0), plane = vaddr_v6(second.ip, 0);
	assert_true(resolver_own_name(&r.net, &ours, name, sizeof name));
	assert_string_equal(name, "0123456789.zt.example");
	assert_true(resolver_own_name(&r.net, &theirs, name, sizeof name));
	assert_string_equal(name, "abcdef0123.zt.example");
	assert_true(resolver_own_name(&r.net, &plane, name, sizeof name));
	assert_string_equal(name, "abcdef0123.zt.example");
	assert_false(resolver_own_name(&r.net, &nobody, name, sizeof name));
	theirs.addr[1] ^= 1; /* another network's */
	assert_false(resolver_own_name(&r.net, &theirs, name, sizeof name));
	assert_false(resolver_own_name(&r.net, &ours, name, 21)); /* one too few */
	assert_true(resolver_own_name(&r.net, &ours, name, 22));
	r.net.domain[0] = '\0';
	assert_false(resolver_own_name(&r.net, &ours, name, sizeof name));
	rig_close(&r);
}

/* One user who asks and asks leaves half to the others; the service's own user has all. */
static void test_shares(void **state)
{
	static struct resolver r;
	enum { SOMEBODY = 4711, ANOTHER = 4712 };
	unsigned got = 0;
	(void)state;
	while (resolver_share_take(&r, SOMEBODY)) {
		got++;
	}
	assert_int_equal(got, RESOLVER_ASKS_OF_ONE);
	assert_true(resolver_share_take(&r, ANOTHER));
	resolver_share_give(&r, SOMEBODY);
	assert_true(resolver_share_take(&r, SOMEBODY));
	assert_false(resolver_share_take(&r, SOMEBODY));
	while (resolver_share_take(&r, geteuid())) {
		got++;
	}
	assert_int_equal(got + 1, RESOLVER_ASKS_MAX);
	assert_false(resolver_share_take(&r, ANOTHER)); /* nobody fits in any more */
	resolver_share_give(&r, ANOTHER);
	assert_true(resolver_share_take(&r, ANOTHER));
	for (; got > RESOLVER_ASKS_OF_ONE; got--) {
		resolver_share_give(&r, geteuid());
	}
	for (; got > 0; got--) {
		resolver_share_give(&r, SOMEBODY);
	}
	resolver_share_give(&r, ANOTHER);
	assert_int_equal(r.asks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_own_names),
		cmocka_unit_test(test_names_that_are_not_ours),
		cmocka_unit_test(test_names_of_addresses),
		cmocka_unit_test(test_shares),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
