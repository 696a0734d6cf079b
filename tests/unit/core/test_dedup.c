/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/dedup.h"
#include "tests/lib/check.h"

/* Ids that collide in the table are the hard case, so `mask` limits where they start. */
static uint64_t id_of(uint64_t n, uint64_t mask)
{
	return (n * 0x9e3779b97f4a7c15U & mask) | n << 16;
}

/* Exactly the last 1024 are remembered, however they hash. */
static void remembers_exactly_the_last_1024(void **state)
{
	(void)state;
	static const uint64_t masks[] = { 0, 1, 7, 0x3f, 0x7ff };
	for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
		struct dedup *dedup = dedup_new();
		assert_non_null(dedup);
		for (uint64_t n = 0; n < 5000; n++) {
			assert_false(dedup_seen(dedup, id_of(n, masks[m])));
			uint64_t back = n < DEDUP_IDS - 1 ? n : DEDUP_IDS - 1;
			assert_true(dedup_seen(dedup, id_of(n - back, masks[m])));
			assert_true(dedup_seen(dedup, id_of(n - back / 2, masks[m])));
		}
		/* The one before those is new again. */
		assert_false(dedup_seen(dedup, id_of(5000 - DEDUP_IDS - 1, masks[m])));
		dedup_free(dedup);
	}
}

static void zero_is_an_id_like_any_other(void **state)
{
	(void)state;
	struct dedup *dedup = dedup_new();
	assert_non_null(dedup);
	assert_false(dedup_seen(dedup, 0));
	assert_true(dedup_seen(dedup, 0));
	dedup_free(dedup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_exactly_the_last_1024),
		cmocka_unit_test(zero_is_an_id_like_any_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
