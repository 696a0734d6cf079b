/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Paths: the table, and which one is best (vl1 10.3). */
#include "core/mem.h"
#include "core/path.h"
#include "tests/lib/check.h"

static struct zt_endpoint at(const char *text)
{
	struct zt_endpoint endpoint;
	assert_true(endpoint_parse(text, &endpoint));
	return endpoint;
}

static void the_table_finds_what_was_put_in(void **state)
{
	(void)state;
	struct paths *paths = paths_new(10000);
	assert_non_null(paths);
	struct zt_endpoint endpoint = at("192.0.2.1/1");
	for (uint16_t port = 1; port <= 5000; port++) {
		endpoint.port = port;
		assert_non_null(paths_get(paths, port % 3, &endpoint));
	}
	assert_int_equal(paths_count(paths), 5000);
	for (uint16_t port = 1; port <= 5000; port++) {
		endpoint.port = port;
		const struct path *path = paths_find(paths, port % 3, &endpoint);
		assert_non_null(path);
		assert_int_equal(path->to.port, port);
		assert_null(paths_find(paths, port % 3 + 1, &endpoint));
		assert_ptr_equal(paths_get(paths, port % 3, &endpoint), path);
	}
	assert_int_equal(paths_count(paths), 5000);
	paths_free(paths);
}

static void a_full_table_evicts_what_nobody_holds(void **state)
{
	(void)state;
	struct paths *paths = paths_new(4);
	assert_non_null(paths);
	struct zt_endpoint endpoint = at("192.0.2.1/1");
	struct path *held[3];
	for (uint16_t i = 0; i < 3; i++) {
		endpoint.port = (uint16_t)(i + 1);
		held[i] = paths_get(paths, 0, &endpoint);
		path_ref(held[i]);
	}
	for (uint16_t port = 100; port < 200; port++) {
		endpoint.port = port;
		assert_non_null(paths_get(paths, 0, &endpoint));
		assert_int_equal(paths_count(paths), 4);
	}
	endpoint.port = 199;
	path_ref(paths_find(paths, 0, &endpoint));
	endpoint.port = 200; /* all four are held */
	assert_null(paths_get(paths, 0, &endpoint));
	endpoint.port = 2;
	assert_ptr_equal(paths_find(paths, 0, &endpoint), held[1]);
	paths_free(paths);
}

static void want_of_memory_is_survived(void **state)
{
	(void)state;
	const struct zt_endpoint endpoint = at("192.0.2.1/1");
	for (long n = 0; n < 2; n++) {
		zt_mem_fail_after(n);
		assert_null(paths_new(10));
	}
	zt_mem_fail_after(-1);
	struct paths *paths = paths_new(10);
	assert_non_null(paths);
	zt_mem_fail_after(0);
	assert_null(paths_get(paths, 0, &endpoint));
	zt_mem_fail_after(-1);
	assert_non_null(paths_get(paths, 0, &endpoint));
	paths_free(paths);
}

static struct path path_of(const char *text, uint16_t latency_ms, int64_t last_in_ms)
{
	return (struct path){
		.to = at(text),
		.latency_ms = latency_ms,
		.last_in_ms = last_in_ms,
	};
}

static void quality_follows_the_specification(void **state)
{
	(void)state;
	const int64_t now_ms = 1000000;
	/* latency x (8 - scope) / priority */
	struct path global = path_of("8.8.8.8/1", 20, now_ms);
	struct path private = path_of("10.0.0.1/1", 20, now_ms);
	assert_int_equal(path_quality(&global, 1, now_ms), 20 * 4);
	assert_int_equal(path_quality(&private, 1, now_ms), 20 * 1);
	assert_int_equal(path_quality(&global, 4, now_ms), 20);
	/* 19 s of silence: dead */
	global.last_in_ms = now_ms - PATH_ALIVE_MS + 1;
	assert_true(path_is_alive(&global, now_ms));
	assert_int_equal(path_quality(&global, 1, now_ms), 20 * 4);
	global.last_in_ms = now_ms - PATH_ALIVE_MS;
	assert_false(path_is_alive(&global, now_ms));
	assert_int_equal(path_quality(&global, 1, now_ms), (20 + 65535 + 19000) * 4);
	global.last_in_ms = LIMIT_NEVER_MS;
	assert_int_equal(path_quality(&global, 1, now_ms), (20 + 65535 + 140000) * 4);
}

static void latency_is_averaged(void **state)
{
	(void)state;
	struct path path = path_of("8.8.8.8/1", PATH_LATENCY_UNKNOWN, 0);
	path_latency_sample(&path, -5); /* a clock was set back */
	assert_int_equal(path.latency_ms, PATH_LATENCY_UNKNOWN);
	path_latency_sample(&path, 100);
	assert_int_equal(path.latency_ms, 100);
	path_latency_sample(&path, 50);
	assert_int_equal(path.latency_ms, 75);
	path_latency_sample(&path, 1000000000);
	assert_int_equal(path.latency_ms, (75 + 65534) / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_finds_what_was_put_in),
		cmocka_unit_test(a_full_table_evicts_what_nobody_holds),
		cmocka_unit_test(want_of_memory_is_survived),
		cmocka_unit_test(quality_follows_the_specification),
		cmocka_unit_test(latency_is_averaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
