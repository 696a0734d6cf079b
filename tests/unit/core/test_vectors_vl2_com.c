/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json section com: serialised certificates and the agreement of two. */
#include "core/com.h"
#include "core/identity.h"
#include "core/sha384.h"
#include "tests/lib/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *section(const char *name)
{
	json_t *value = json_object_get(vectors_section("vl2.json", "com"), name);
	assert_true(json_array_size(value) > 0);
	return value;
}

static void identity_of(const char *text, struct identity *out)
{
	assert_int_equal(identity_parse(text, out), 0);
}

static void controller_of(struct identity *out)
{
	identity_of(vector_string(vectors_section("vl2.json", "actors"), "controller"), out);
}

static void com_of(const json_t *entry, const char *key, struct com *out)
{
	size_t length;
	uint8_t *bytes = vector_hex(entry, key, &length);
	struct rd r = rd_init(bytes, length);
	assert_int_equal(com_read(&r, out), 0);
	assert_true(rd_done(&r));
	free(bytes);
}

static void check_written(const struct com *com, const json_t *entry, const char *key)
{
	size_t length;
	uint8_t *want = vector_hex(entry, key, &length);
	uint8_t bytes[COM_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	com_write(&w, com);
	assert_int_equal(wr_length(&w), length);
	assert_memory_equal(bytes, want, length);
	free(want);
}

static void test_vl2_com_serialized(void **state)
{
	(void)state;
	struct identity controller, member;
	controller_of(&controller);
	size_t i;
	json_t *entry;
	json_array_foreach(section("serialized"), i, entry)
	{
		uint64_t timestamp =
		    (uint64_t)json_integer_value(json_object_get(entry, "timestamp"));
		uint64_t delta = (uint64_t)json_integer_value(json_object_get(entry, "max_delta"));
		uint64_t nwid = strtoull(vector_string(entry, "network_id"), NULL, 16);
		identity_of(vector_string(entry, "issued_to"), &member);
		struct com com;
		com_make(&com, timestamp, delta, nwid, &member);
		check_written(&com, entry, "unsigned");
		assert_false(com_verify(&com, &controller));
		assert_int_equal(com_sign(&com, &controller), 0);
		check_written(&com, entry, "signed");
		assert_true(com_verify(&com, &controller));
		assert_false(com_verify(&com, &member));

		struct com read;
		com_of(entry, "signed", &read);
		assert_true(com_equal(&read, &com));
		assert_int_equal(com_timestamp(&read), timestamp);
		assert_int_equal(com_network(&read), nwid);
		assert_int_equal(com_issued_to(&read), member.address);
		read.q[COM_TIMESTAMP].value++;
		assert_false(com_verify(&read, &controller));
		assert_false(com_equal(&read, &com));
	}
}

static void test_vl2_com_agreement(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(section("agreement"), i, entry)
	{
		struct com mine, theirs;
		struct identity their_identity;
		com_of(entry, "mine", &mine);
		com_of(entry, "theirs", &theirs);
		identity_of(vector_string(entry, "their_identity"), &their_identity);
		bool want = json_is_true(json_object_get(entry, "agrees"));
		if (com_agrees(&mine, &theirs, &their_identity) != want) {
			fail_msg("agreement: %s", vector_string(entry, "name"));
		}
	}
}

static void test_com_truncated(void **state)
{
	(void)state;
	size_t length;
	uint8_t *bytes = vector_hex(json_array_get(section("serialized"), 0), "signed", &length);
	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *part = malloc(cut + 1);
		assert_non_null(part);
		memcpy(part + 1, bytes, cut);
		struct rd r = rd_init(part + 1, cut);
		struct com com;
		assert_int_equal(com_read(&r, &com), ZT_E_SHORT);
		free(part);
	}
	free(bytes);
}

static void test_com_malformed(void **state)
{
	(void)state;
	struct com com;
	const uint8_t kind[] = { 2, 0, 0, 0, 0, 0, 0, 0 };
	struct rd r = rd_init(kind, sizeof(kind));
	assert_int_equal(com_read(&r, &com), ZT_E_MALFORMED);
	const uint8_t many[] = { 1, 0, 9 };
	r = rd_init(many, sizeof(many));
	assert_int_equal(com_read(&r, &com), ZT_E_MALFORMED);

	size_t length; /* ids that descend */
	uint8_t *bytes = vector_hex(json_array_get(section("serialized"), 0), "signed", &length);
	bytes[3 + 7] = 9;
	r = rd_init(bytes, length);
	assert_int_equal(com_read(&r, &com), ZT_E_MALFORMED);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_com_serialized),
		cmocka_unit_test(test_vl2_com_agreement),
		cmocka_unit_test(test_com_truncated),
		cmocka_unit_test(test_com_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
