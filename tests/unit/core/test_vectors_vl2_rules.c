/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json section rules, binary side: every table and rule is read and written back unchanged. */
#include "core/rules.h"
#include "tests/lib/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rule rules[VL2_RULES_MAX];

static void check_table(const json_t *entry, const char *key, size_t want_count)
{
	size_t length, count;
	uint8_t *bytes = vector_hex(entry, key, &length);
	struct rd r = rd_init(bytes, length);
	assert_int_equal(rules_read(&r, rules, VL2_RULES_MAX, &count), 0);
	assert_int_equal(count, want_count);
	uint8_t *out = malloc(length + 1);
	assert_non_null(out);
	struct wr w = wr_init(out, length);
	rules_write(&w, rules, count);
	assert_false(w.bad);
	assert_int_equal(wr_length(&w), length);
	assert_memory_equal(out, bytes, length);
	free(out);
	free(bytes);
}

static void test_vl2_rules_tables(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *tables = json_object_get(vectors_section("vl2.json", "rules"), "tables");
	assert_true(json_array_size(tables) > 0);
	json_array_foreach(tables, i, entry)
	{
		check_table(entry, "binary",
			    (size_t)json_integer_value(json_object_get(entry, "count")));
	}
}

static void test_vl2_rules_single(void **state)
{
	(void)state;
	size_t i, checked = 0;
	json_t *entry, *single = json_object_get(vectors_section("vl2.json", "rules"), "single");
	json_array_foreach(single, i, entry)
	{
		if (json_object_get(entry, "binary")) {
			check_table(entry, "binary", 1);
			checked++;
		}
	}
	assert_true(checked > 0);
}

static void test_rules_truncated(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *single = json_object_get(vectors_section("vl2.json", "rules"), "single");
	json_array_foreach(single, i, entry)
	{
		size_t length = 0;
		uint8_t *bytes =
		    json_object_get(entry, "binary") ? vector_hex(entry, "binary", &length) : NULL;
		for (size_t cut = 0; cut < length; cut++) {
			uint8_t *part = malloc(cut + 1);
			assert_non_null(part);
			memcpy(part + 1, bytes, cut);
			struct rd r = rd_init(part + 1, cut);
			struct rule rule;
			assert_int_equal(rule_read(&r, &rule), ZT_E_SHORT);
			free(part);
		}
		if (length > 2) { /* the rule is whole, but its value is too short for its type */
			bytes[1]--;
			struct rd r = rd_init(bytes, length - 1);
			struct rule rule;
			assert_int_equal(rule_read(&r, &rule), ZT_E_MALFORMED);
		}
		free(bytes);
	}
}

/* vl2 7.1: unknown types are kept, their value skipped; longer values are cut. */
static void test_rules_unknown(void **state)
{
	(void)state;
	const uint8_t in[] = { 0x80 | 0x40 | 60, 3, 1, 2, 3, RULE_VLAN_PCP, 2, 9, 9, 15, 0 };
	const uint8_t want[] = { 0x80 | 0x40 | 60, 0, RULE_VLAN_PCP, 1, 9, 15, 0 };
	struct rd r = rd_init(in, sizeof(in));
	size_t count;
	assert_int_equal(rules_read(&r, rules, VL2_RULES_MAX, &count), 0);
	assert_int_equal(count, 3);
	uint8_t out[64];
	struct wr w = wr_init(out, sizeof(out));
	rules_write(&w, rules, count);
	assert_int_equal(wr_length(&w), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
	assert_true(rule_is_action(&rules[2]));
	assert_false(rule_is_action(&rules[1]));
	assert_true(rule_equal(&rules[0], &rules[0]));
	assert_false(rule_equal(&rules[0], &rules[1]));
}

static void test_rules_excess(void **state)
{
	(void)state;
	const uint8_t in[] = { 1, 0, 0, 0, 1, 0 };
	struct rd r = rd_init(in, sizeof(in));
	size_t count;
	assert_int_equal(rules_read(&r, rules, 2, &count), 0);
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_rules_tables), cmocka_unit_test(test_vl2_rules_single),
		cmocka_unit_test(test_rules_truncated),  cmocka_unit_test(test_rules_unknown),
		cmocka_unit_test(test_rules_excess),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
