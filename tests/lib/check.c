/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/check.h"

struct blob blob_get(const json_t *entry, const char *key)
{
	struct blob blob;
	blob.bytes = vector_hex(entry, key, &blob.length);
	return blob;
}

void blob_free(struct blob *blob)
{
	free(blob->bytes);
	*blob = (struct blob){ 0 };
}

void assert_field_equal(const json_t *entry, const char *key, const void *bytes, size_t length)
{
	struct blob want = blob_get(entry, key);
	assert_int_equal(length, want.length);
	assert_memory_equal(bytes, want.bytes, length);
	blob_free(&want);
}

bool vector_bool(const json_t *entry, const char *key)
{
	const json_t *value = json_object_get(entry, key);
	assert_true(json_is_boolean(value));
	return json_is_true(value);
}

size_t vector_number(const json_t *entry, const char *key)
{
	const json_t *value = json_object_get(entry, key);
	assert_true(json_is_integer(value));
	return (size_t)json_integer_value(value);
}

void assert_prefixes_refused(const uint8_t *bytes, size_t length, parse_prefix *parse)
{
	for (size_t n = 0; n < length; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		assert_non_null(copy);
		memcpy(copy, bytes, n);
		int err = parse(copy, n);
		free(copy);
		assert_int_not_equal(err, 0);
	}
}
