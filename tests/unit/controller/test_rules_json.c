/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json section rules, JSON side (vl2 7.2): what is parsed, what is dropped, how it is shown. */
#include "controller/rules_json.h"
#include "tests/lib/check.h"

static void assert_json(const json_t *want, json_t *got, const json_t *context)
{
	if (!json_equal(want, got)) {
		char *text = json_dumps(context, JSON_COMPACT | JSON_SORT_KEYS);
		char *shown = got ? json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
		fail_msg("%s\ngives %s", text, shown ? shown : "nothing");
	}
	json_decref(got);
}

static struct rule read_binary(const json_t *entry)
{
	struct blob bytes = blob_get(entry, "binary");
	struct rd r = rd_init(bytes.bytes, bytes.length);
	struct rule rule;
	assert_int_equal(rule_read(&r, &rule), 0);
	blob_free(&bytes);
	return rule;
}

static void check_single(const json_t *entry)
{
	const json_t *json = json_object_get(entry, "json");
	struct rule rule;
	bool is_parsed = rule_from_json(json, &rule);
	assert_int_equal(is_parsed, vector_bool(entry, "parsed"));
	if (is_parsed) {
		uint8_t bytes[RULE_MAX_BYTES];
		struct wr w = wr_init(bytes, sizeof(bytes));
		rule_write(&w, &rule);
		const char *key =
		    json_object_get(entry, "reparsed_binary") ? "reparsed_binary" : "binary";
		assert_field_equal(entry, key, bytes, wr_length(&w));
	}
	if (json_object_get(entry, "normalized")) {
		assert_json(json_object_get(entry, "normalized"), rule_to_json(&rule), json);
	}
	if (json_object_get(entry, "after_decode")) {
		rule = read_binary(entry);
		assert_json(json_object_get(entry, "after_decode"), rule_to_json(&rule), json);
	}
	if (json_object_get(entry, "random")) { /* `json` is how the binary is shown */
		rule = read_binary(entry);
		assert_json(json, rule_to_json(&rule), json);
	}
}

static void test_vl2_rules_json_single(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *single = json_object_get(vectors_section("vl2.json", "rules"), "single");
	assert_true(json_array_size(single) > 0);
	json_array_foreach(single, i, entry)
	{
		check_single(entry);
	}
}

static void test_vl2_rules_json_tables(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *tables = json_object_get(vectors_section("vl2.json", "rules"), "tables");
	static struct rule rules[VL2_RULES_MAX];
	json_array_foreach(tables, i, entry)
	{
		struct blob bytes = blob_get(entry, "binary");
		struct rd r = rd_init(bytes.bytes, bytes.length);
		size_t count;
		assert_int_equal(rules_read(&r, rules, VL2_RULES_MAX, &count), 0);
		json_t *shown = json_array();
		for (size_t j = 0; j < count; j++) {
			(void)json_array_append_new(shown, rule_to_json(&rules[j]));
		}
		assert_json(json_object_get(entry, "json"), shown, json_object_get(entry, "json"));
		blob_free(&bytes);
	}
}

static void test_rules_json_odd(void **state)
{
	(void)state;
	static const char *const refused[] = {
		"null",
		"5",
		"{}",
		"{\"type\":7}",
		"{\"type\":\"MATCH_IPV4_DEST\",\"ip\":\"fd00::1/64\"}",
		"{\"type\":\"MATCH_IPV6_DEST\",\"ip\":\"10.0.0.1/8\"}",
		"{\"type\":\"MATCH_IPV4_DEST\",\"ip\":12}",
		"{\"type\":\"MATCH_IPV4_DEST\"}",
	};
	struct rule rule;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		json_t *json = json_loads(refused[i], JSON_DECODE_ANY, NULL);
		assert_non_null(json);
		assert_false(rule_from_json(json, &rule));
		json_decref(json);
	}
	assert_false(rule_from_json(NULL, &rule));
	json_t *none = rules_normalise(NULL);
	assert_int_equal(json_array_size(none), 0);
	json_decref(none);
	rule.type = RULE_PRIORITY; /* has no JSON form */
	assert_null(rule_to_json(&rule));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_rules_json_single),
		cmocka_unit_test(test_vl2_rules_json_tables),
		cmocka_unit_test(test_rules_json_odd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
