/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json section adhoc: the configurations that ad-hoc networks have without a controller. */
#include "core/adhoc.h"
#include "core/mem.h"
#include "tests/lib/check.h"

static uint64_t hex(const json_t *entry, const char *key)
{
	return strtoull(vector_string(entry, key), NULL, 16);
}

static void check_rules(const struct netconf *nc, const json_t *want)
{
	uint8_t bytes[512];
	struct wr w = wr_init(bytes, sizeof(bytes));
	rules_write(&w, nc->rules, nc->rule_count);
	assert_int_equal(nc->rule_count, vector_number(want, "rule_count"));
	assert_field_equal(want, "rules_hex", bytes, wr_length(&w));
}

static void check_lists(const struct netconf *nc, const json_t *want)
{
	const json_t *ips = json_object_get(want, "static_ips");
	const json_t *specialists = json_object_get(want, "specialists");
	char text[ENDPOINT_TEXT_MAX];
	assert_int_equal(nc->address_count, json_array_size(ips));
	for (size_t i = 0; i < nc->address_count; i++) {
		assert_string_equal(endpoint_text(&nc->addresses[i], text),
				    json_string_value(json_array_get(ips, i)));
	}
	assert_int_equal(nc->specialist_count, json_array_size(specialists));
	for (size_t i = 0; i < nc->specialist_count; i++) {
		const char *hexes = json_string_value(json_array_get(specialists, i));
		assert_true(nc->specialists[i] == strtoull(hexes, NULL, 16));
	}
	assert_true(nc->tag_count == 0 && nc->capability_count == 0 && nc->coo_count == 0);
	assert_true(nc->route_count == 0 && nc->dns_count == 0 && !nc->has_com);
}

static void check_config(const struct netconf *nc, const json_t *want)
{
	assert_true(nc->nwid == hex(want, "network_id"));
	assert_true(nc->issued_to == hex(want, "issued_to"));
	assert_true(nc->timestamp == vector_number(want, "timestamp"));
	assert_true(nc->flags == hex(want, "flags"));
	assert_int_equal(nc->credential_delta_ms, vector_number(want, "credential_time_max_delta"));
	assert_int_equal(nc->revision, vector_number(want, "revision"));
	assert_int_equal(nc->mtu, vector_number(want, "mtu"));
	assert_int_equal(nc->multicast_limit, vector_number(want, "multicast_limit"));
	assert_int_equal(nc->type, vector_number(want, "type"));
	assert_string_equal(nc->name, vector_string(want, "name"));
	check_rules(nc, want);
	check_lists(nc, want);
}

static void test_vl2_adhoc(void **state)
{
	(void)state;
	static const int errors[] = { [ZT_NETWORK_REQUESTING_CONFIGURATION] = ZT_E_UNSUPPORTED,
				      [ZT_NETWORK_OK] = 0,
				      [ZT_NETWORK_NOT_FOUND] = ZT_E_NOT_FOUND };
	size_t i;
	json_t *entry;
	const json_t *section = vectors_section("vl2.json", "adhoc");
	assert_true(json_array_size(section) > 0);
	json_array_foreach((json_t *)(uintptr_t)section, i, entry)
	{
		struct netconf *nc = NULL;
		assert_true(adhoc_is(hex(entry, "network_id")));
		assert_int_equal(adhoc_netconf(hex(entry, "network_id"), hex(entry, "local"),
					       (int64_t)vector_number(entry, "now"), &nc),
				 errors[vector_number(entry, "status")]);
		assert_int_equal(nc != NULL, vector_bool(entry, "has_config"));
		if (nc) {
			check_config(nc, json_object_get(entry, "config"));
			netconf_free(nc);
		}
	}
}

static void without_memory_nothing_is_left(void **state)
{
	(void)state;
	int err = ZT_E_NO_MEMORY;
	struct netconf *nc = NULL;
	for (long after = 0; err; after++) {
		assert_true(after < 100);
		assert_null(nc);
		zt_mem_fail_after(after);
		err = adhoc_netconf(0xff0a8846785f0101ULL, 0x0208636a4aULL, 1, &nc);
		zt_mem_fail_after(-1);
		assert_true(err == 0 || err == ZT_E_NO_MEMORY);
	}
	netconf_free(nc);
	assert_false(adhoc_is(0x8056c2e21c000001ULL));
	assert_int_equal(adhoc_netconf(0x8056c2e21c000001ULL, 1, 1, &nc), ZT_E_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_adhoc),
		cmocka_unit_test(without_memory_nothing_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
