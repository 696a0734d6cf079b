/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl1.json section extended_armor: taken off, then opened as any other packet. */
#include "core/crypt.h"
#include "core/extended.h"
#include "core/identity.h"
#include "core/zt.h"
#include "tests/lib/check.h"

static struct extended *extended;

static int setup(void **state)
{
	(void)state;
	extended = extended_new();
	return extended ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	extended_free(extended);
	return 0;
}

static void check_entry(const json_t *entry)
{
	struct identity mine;
	assert_int_equal(identity_parse(vector_string(entry, "secret_receiver"), &mine), 0);
	struct blob armored = blob_get(entry, "armored"), key48 = blob_get(entry, "key48");
	size_t length = armored.length;
	if (extended_is(armored.bytes)) {
		assert_int_equal(extended_open(extended, &mine, armored.bytes, &length), 0);
	}
	assert_int_equal(length, vector_number(entry, "size_after_strip"));
	struct crypt_key *key = crypt_key_new(key48.bytes);
	assert_non_null(key);
	assert_int_equal(crypt_open(key, armored.bytes, length) == 0, vector_bool(entry, "accept"));
	struct blob plain = blob_get(entry, "plain");
	assert_int_equal(plain.length, length);
	assert_memory_equal(armored.bytes + PACKET_VERB_AT, plain.bytes + PACKET_VERB_AT,
			    length - PACKET_VERB_AT);
	crypt_key_free(key);
	blob_free(&plain);
	blob_free(&armored);
	blob_free(&key48);
}

static void vl1_extended_armor(void **state)
{
	(void)state;
	size_t i, hidden = 0;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "extended_armor"), i, entry)
	{
		struct blob armored = blob_get(entry, "armored");
		hidden += extended_is(armored.bytes);
		blob_free(&armored);
		check_entry(entry);
	}
	assert_true(hidden > 0);
}

static void too_short_or_degenerate_is_refused(void **state)
{
	(void)state;
	const json_t *entry = json_array_get(vectors_section("vl1.json", "extended_armor"), 0);
	struct identity mine;
	assert_int_equal(identity_parse(vector_string(entry, "secret_receiver"), &mine), 0);
	struct blob armored = blob_get(entry, "armored");
	for (size_t cut = 0; cut < PACKET_MIN_BYTES + 32; cut++) {
		uint8_t *part = malloc(cut + 1);
		assert_non_null(part);
		memcpy(part + 1, armored.bytes, cut);
		size_t length = cut;
		assert_int_equal(extended_open(extended, &mine, part + 1, &length), ZT_E_SHORT);
		assert_int_equal(length, cut);
		free(part);
	}
	/* A key of small order: everybody would know the result. */
	size_t length = armored.length;
	memset(armored.bytes + length - 32, 0, 32);
	assert_int_equal(extended_open(extended, &mine, armored.bytes, &length), ZT_E_NO_CRYPTO);
	blob_free(&armored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vl1_extended_armor),
		cmocka_unit_test(too_short_or_degenerate_is_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
