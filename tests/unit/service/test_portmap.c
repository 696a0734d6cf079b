/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/portmap_rule.c: when a gateway is asked, and what of its answers is believed. What is
 * asked of a gateway is in tests/e2e/portmap.bats. */
#include "service/portmap_rule.h"

#include "service/localconf.h"
#include "service/portmap.h"
#include "service/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const int64_t NOW = 1000000;

void turn_dispatch(struct service *s, struct watch *w, uint32_t events)
{
	(void)s;
	(void)w;
	(void)events;
}

void turn_finish(struct service *s, struct zt_now now)
{
	(void)s;
	(void)now;
}

int64_t turn_deadline(struct service *s)
{
	(void)s;
	return INT64_MAX;
}

static struct zt_endpoint ip(const char *text)
{
	struct zt_endpoint e;
	assert_true(endpoint_parse(text, &e));
	return e;
}

/* ---- times ---------------------------------------------------------------------------------- */

static void test_nothing_is_due_unless_wanted(void **state)
{
	(void)state;
	struct portmap_rule rule;
	portmap_rule_init(&rule);
	assert_int_equal(portmap_rule_deadline(&rule, false), INT64_MAX);
	portmap_rule_hurry(&rule, NOW);
	assert_int_equal(portmap_rule_deadline(&rule, false), INT64_MAX);
	portmap_rule_changed(&rule, true, NOW);
	assert_int_equal(portmap_rule_deadline(&rule, false), NOW);
	assert_int_equal(portmap_rule_deadline(&rule, true), INT64_MAX);
	portmap_rule_changed(&rule, false, NOW);
	assert_int_equal(portmap_rule_deadline(&rule, false), INT64_MAX);
}

static void test_renewed_at_half_but_at_most_ten_minutes(void **state)
{
	(void)state;
	static const struct {
		uint32_t lifetime_s;
		int64_t renew_s, expires_s;
	} cases[] = {
		{ 7200, 600, 7200 }, { 1200, 600, 1200 },
		{ 1000, 500, 1000 }, { 60, 30, 60 },
		{ 10, 30, 90 },      { 1, 30, 90 },
		{ 0, 600, 7200 },    { UINT32_MAX, 600, UINT32_MAX },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct portmap_rule rule;
		portmap_rule_changed(&rule, true, NOW);
		portmap_rule_mapped(&rule, cases[i].lifetime_s, NOW);
		assert_int_equal(rule.next_ms, NOW + cases[i].renew_s * 1000);
		assert_int_equal(rule.expires_ms, NOW + cases[i].expires_s * 1000);
		assert_int_equal(portmap_rule_deadline(&rule, false), rule.next_ms);
		assert_int_equal(portmap_rule_deadline(&rule, true), rule.expires_ms);
	}
}

static void test_failures_back_off_to_an_hour(void **state)
{
	(void)state;
	static const int minutes[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	struct portmap_rule rule;
	portmap_rule_changed(&rule, true, NOW);
	for (size_t i = 0; i < sizeof minutes / sizeof *minutes; i++) {
		portmap_rule_failed(&rule, NOW);
		assert_int_equal(rule.next_ms, NOW + minutes[i] * 60000);
		assert_int_equal(rule.failures, i + 1);
	}
	for (int i = 0; i < 1000; i++) {
		portmap_rule_failed(&rule, NOW);
	}
	assert_int_equal(rule.next_ms, NOW + 3600000);
	portmap_rule_hurry(&rule, NOW + 5);
	assert_int_equal(rule.next_ms, NOW + 5);
	portmap_rule_failed(&rule, NOW);
	assert_int_equal(rule.next_ms, NOW + 60000);
	portmap_rule_mapped(&rule, 7200, NOW);
	assert_int_equal(rule.failures, 0);
}

static void test_a_mapping_outlives_a_failed_renewal_until_its_end(void **state)
{
	(void)state;
	struct portmap_rule rule;
	portmap_rule_changed(&rule, true, NOW);
	assert_false(portmap_rule_expired(&rule, NOW));
	portmap_rule_mapped(&rule, 700, NOW);
	portmap_rule_failed(&rule, NOW + 350000);
	for (int i = 0; i < 5; i++) {
		portmap_rule_failed(&rule, NOW + 350000);
	}
	assert_int_equal(portmap_rule_deadline(&rule, false), NOW + 700000);
	assert_false(portmap_rule_expired(&rule, NOW + 699999));
	assert_true(portmap_rule_expired(&rule, NOW + 700000));
	assert_false(portmap_rule_expired(&rule, NOW + 700001)); /* once */
	assert_true(rule.next_ms < INT64_MAX);
	portmap_rule_mapped(&rule, 700, NOW);
	portmap_rule_changed(&rule, true, NOW + 1);
	assert_false(portmap_rule_expired(&rule, NOW + 800000));
}

/* ---- addresses ------------------------------------------------------------------------------ */

static void test_which_addresses_count(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_local, is_gateway, is_external;
	} cases[] = {
		{ "192.168.1.2/7", true, true, true },
		{ "10.0.0.1/7", true, true, true },
		{ "172.16.0.1/7", true, true, true },
		{ "100.64.0.1/7", true, true, true },
		{ "203.0.113.7/7", true, true, true },
		{ "8.8.8.8/7", true, false, true },
		{ "28.1.2.3/7", true, false, true },
		{ "127.0.0.1/7", false, false, false },
		{ "169.254.1.1/7", false, true, false },
		{ "224.0.0.1/7", false, false, false },
		{ "0.0.0.0/7", false, false, false },
		{ "192.168.1.2", false, true, false },
		{ "fd00::1/7", false, false, true },
		{ "fe80::2/7", false, false, false },
		{ "255.255.255.255/7", false, false, false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct zt_endpoint e = ip(cases[i].text);
		assert_int_equal(portmap_local_ok(&e), cases[i].is_local);
		assert_int_equal(portmap_gateway_ok(&e), cases[i].is_gateway);
		assert_int_equal(portmap_external_ok(&e), cases[i].is_external);
	}
	struct zt_endpoint none = { .port = 7 };
	assert_false(portmap_external_ok(&none));
}

static void test_urls(void **state)
{
	(void)state;
	static const char *const good[] = { "http://192.168.1.1", "http://192.168.1.1/",
					    "http://192.168.1.1:5000/root.xml",
					    "http://192.168.1.1?x", "http://192.168.1.1#x" };
	static const char *const bad[] = {
		"",
		"http://",
		"http:///x",
		"http://8.8.8.8/",
		"http://127.0.0.1/",
		"http://localhost/",
		"http://router.example/",
		"https://192.168.1.1/",
		"HTTP://192.168.1.1/",
		"file:///192.168.1.1",
		"http://192.168.1.1@8.8.8.8/",
		"http://192.168.1.1.example/",
		"http://192.168.100.100.100.100/",
		"http://192.168.1/",
		"http://192.168.1.1 /",
		"http://[fd00::1]/",
		"http://fd00::1/",
		"192.168.1.1",
	};
	struct zt_endpoint host, want = ip("192.168.1.1");
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(portmap_url_gateway(good[i], &host));
		assert_true(endpoint_ip_equal(&host, &want));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(portmap_url_gateway(bad[i], &host));
	}
	assert_false(portmap_url_gateway(NULL, &host));
}

/* ---- whether at all ------------------------------------------------------------------------- */

static void test_allowed_only_off_loopback_and_if_built(void **state)
{
	(void)state;
	struct settings settings;
	settings_defaults(&settings);
	assert_true(settings.allow_port_mapping);
	assert_int_equal(portmap_is_allowed(&settings, false), gateway_is_built());
	assert_false(portmap_is_allowed(&settings, true));
	settings.allow_port_mapping = false;
	assert_false(portmap_is_allowed(&settings, false));
}

static void test_without_a_portmap(void **state)
{
	(void)state;
	unsigned failures = 7;
	portmap_update(NULL);
	portmap_hurry(NULL);
	portmap_advance(NULL, NOW);
	portmap_close(NULL);
	assert_int_equal(portmap_deadline(NULL), INT64_MAX);
	assert_null(portmap_mapping(NULL));
	assert_false(portmap_is_wanted(NULL, &failures));
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_due_unless_wanted),
		cmocka_unit_test(test_renewed_at_half_but_at_most_ten_minutes),
		cmocka_unit_test(test_failures_back_off_to_an_hour),
		cmocka_unit_test(test_a_mapping_outlives_a_failed_renewal_until_its_end),
		cmocka_unit_test(test_which_addresses_count),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_allowed_only_off_loopback_and_if_built),
		cmocka_unit_test(test_without_a_portmap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
