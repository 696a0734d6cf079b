/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* cmocka's headers in the order it needs, and how every core vector test reads hex fields. */
#ifndef TESTS_LIB_CHECK_H
#define TESTS_LIB_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the above, which it needs */
#include <cmocka.h>

#include "tests/lib/vectors.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a hex field; release with blob_free. */
struct blob {
	uint8_t *bytes;
	size_t length;
};

struct blob blob_get(const json_t *entry, const char *key);
void blob_free(struct blob *blob);
/* Fails the test unless the field of exactly this length equals `bytes`. */
void assert_field_equal(const json_t *entry, const char *key, const void *bytes, size_t length);
bool vector_bool(const json_t *entry, const char *key);
size_t vector_number(const json_t *entry, const char *key);

/* Call `parse` on every shorter prefix, each in a block of exactly its length so that a sanitizer
 * sees one byte too many. It returns 0 for "accepted"; fails the test if a prefix is. */
typedef int parse_prefix(const uint8_t *bytes, size_t length);
void assert_prefixes_refused(const uint8_t *bytes, size_t length, parse_prefix *parse);

#endif
