/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/expect.h"
#include "core/proto.h"
#include "tests/lib/check.h"

enum { PEER = 0x1234567890, OTHER = 0x1234567891 };

static void a_reply_is_bound_to_peer_and_id(void **state)
{
	(void)state;
	struct expect *expect = expect_new();
	uint8_t verb = 0xee;
	assert_non_null(expect);
	assert_false(expect_find(expect, 0, 0, 0, &verb));
	expect_add(expect, 77, PEER, VERB_HELLO, 1000);
	assert_true(expect_find(expect, 77, PEER, 1000, &verb));
	assert_int_equal(verb, VERB_HELLO);
	/* Several copies are answered: it does not go away. */
	assert_true(expect_find(expect, 77, PEER, 1000, &verb));
	assert_false(expect_find(expect, 77, OTHER, 1000, &verb));
	assert_false(expect_find(expect, 77 + EXPECT_ENTRIES, PEER, 1000, &verb));
	expect_free(expect);
}

static void it_ages_out(void **state)
{
	(void)state;
	struct expect *expect = expect_new();
	uint8_t verb;
	assert_non_null(expect);
	expect_add(expect, 5, PEER, VERB_ECHO, 1000);
	assert_true(expect_find(expect, 5, PEER, 1000 + EXPECT_AGE_MS - 1, &verb));
	assert_false(expect_find(expect, 5, PEER, 1000 + EXPECT_AGE_MS, &verb));
	expect_free(expect);
}

/* vl1 10.4: at least 8192 ids; random ones may fall unevenly, so a few are lost by then. */
static void it_holds_thousands(void **state)
{
	(void)state;
	struct expect *expect = expect_new();
	uint64_t id = 1, ids[EXPECT_ENTRIES / 2];
	uint8_t verb;
	assert_non_null(expect);
	for (size_t i = 0; i < EXPECT_ENTRIES / 2; i++) {
		id = id * 6364136223846793005U + 1442695040888963407U;
		ids[i] = id ^ id >> 31;
		expect_add(expect, ids[i], PEER, VERB_ECHO, 1000);
	}
	size_t found = 0;
	for (size_t i = 0; i < EXPECT_ENTRIES / 2; i++) {
		found += expect_find(expect, ids[i], PEER, 1000, &verb);
	}
	assert_true(found > EXPECT_ENTRIES / 2 * 99 / 100);
	/* In order they all fit. */
	for (uint64_t i = 0; i < EXPECT_ENTRIES; i++) {
		expect_add(expect, i, OTHER, VERB_WHOIS, 2000);
	}
	for (uint64_t i = 0; i < EXPECT_ENTRIES; i++) {
		assert_true(expect_find(expect, i, OTHER, 2000, &verb));
	}
	expect_free(expect);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_is_bound_to_peer_and_id),
		cmocka_unit_test(it_ages_out),
		cmocka_unit_test(it_holds_thousands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
