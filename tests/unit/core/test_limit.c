/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/limit.h"
#include "tests/lib/check.h"

static struct zt_endpoint at(const char *text)
{
	struct zt_endpoint endpoint;
	assert_true(endpoint_parse(text, &endpoint));
	return endpoint;
}

static void a_gate_opens_once_per_interval(void **state)
{
	(void)state;
	int64_t last_ms = LIMIT_NEVER_MS;
	assert_true(limit_gate(&last_ms, 5, 100));
	assert_false(limit_gate(&last_ms, 5, 100));
	assert_false(limit_gate(&last_ms, 104, 100));
	assert_true(limit_gate(&last_ms, 105, 100));
	/* A refusal does not push it back. */
	assert_false(limit_gate(&last_ms, 204, 100));
	assert_true(limit_gate(&last_ms, 205, 100));
}

static void a_bucket_gives_its_rate_and_its_burst(void **state)
{
	(void)state;
	struct limit_bucket bucket;
	limit_bucket_init(&bucket, 50, 16);
	int64_t now_ms = 1000;
	unsigned taken = 0;
	while (limit_bucket_take(&bucket, now_ms)) {
		taken++;
	}
	assert_int_equal(taken, 16);
	for (taken = 0; now_ms < 11000; now_ms++) {
		taken += limit_bucket_take(&bucket, now_ms);
	}
	assert_in_range(taken, 499, 500);
	/* After a long rest: the burst again, no more. */
	now_ms += 3600000;
	for (taken = 0; limit_bucket_take(&bucket, now_ms); taken++) {
	}
	assert_int_equal(taken, 16);
}

static void a_look_into_a_bucket_takes_nothing(void **state)
{
	(void)state;
	struct limit_bucket bucket;
	limit_bucket_init(&bucket, 10, 1);
	assert_true(limit_bucket_has(&bucket, 0));
	assert_true(limit_bucket_has(&bucket, 0));
	assert_true(limit_bucket_take(&bucket, 0));
	assert_false(limit_bucket_has(&bucket, 99));
	assert_true(limit_bucket_has(&bucket, 100));
	assert_true(limit_bucket_take(&bucket, 100));
}

static void neighbourhoods_are_those_of_the_specification(void **state)
{
	(void)state;
	const struct zt_endpoint a = at("192.0.2.1/5"), b = at("192.0.2.200/9999"),
				 c = at("192.0.3.1/5");
	/* vl1 15.1: h = ip >> 8; h ^= h >> 14; 14 bits */
	assert_int_equal(limit_neighbour_bucket(&a), (0xc00002 ^ 0xc00002 >> 14) & 0x3fff);
	assert_int_equal(limit_neighbour_bucket(&a), limit_neighbour_bucket(&b));
	assert_int_not_equal(limit_neighbour_bucket(&a), limit_neighbour_bucket(&c));
	const struct zt_endpoint six = at("2001:db8:5::1/5"), same = at("2001:db8:5:ffff::9/5");
	assert_int_equal(limit_neighbour_bucket(&six),
			 (32 * 0x20 + 16 * 0x01 + 8 * 0x0d + 4 * 0xb8 + 2 * 0x00 + 0x05) & 0x3fff);
	assert_int_equal(limit_neighbour_bucket(&six), limit_neighbour_bucket(&same));
}

static void strangers_pass_every_two_seconds_or_tenth_on_loopback(void **state)
{
	(void)state;
	static struct limit_neighbours gates;
	const struct zt_endpoint far = at("192.0.2.1/5"), near = at("127.0.0.1/5");
	assert_true(limit_neighbours_pass(&gates, &far, 1000));
	assert_false(limit_neighbours_pass(&gates, &far, 2998));
	assert_true(limit_neighbours_pass(&gates, &far, 3000));
	assert_true(limit_neighbours_pass(&gates, &near, 1000));
	assert_false(limit_neighbours_pass(&gates, &near, 1098));
	assert_true(limit_neighbours_pass(&gates, &near, 1100));
	/* On a clock that has just started, and across the wrap of its low 32 bits. */
	memset(&gates, 0, sizeof gates);
	assert_true(limit_neighbours_pass(&gates, &far, 0));
	assert_false(limit_neighbours_pass(&gates, &far, 100));
	assert_true(limit_neighbours_pass(&gates, &far, 0xfffffff0));
	assert_false(limit_neighbours_pass(&gates, &far, 0x100000100));
	assert_true(limit_neighbours_pass(&gates, &far, 0x100001000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gate_opens_once_per_interval),
		cmocka_unit_test(a_bucket_gives_its_rate_and_its_burst),
		cmocka_unit_test(a_look_into_a_bucket_takes_nothing),
		cmocka_unit_test(neighbourhoods_are_those_of_the_specification),
		cmocka_unit_test(strangers_pass_every_two_seconds_or_tenth_on_loopback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
