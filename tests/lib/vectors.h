/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Reading tests/vectors (or the folder named by VECTORS) and hex strings, for every test program.
 */
#ifndef TESTS_LIB_VECTORS_H
#define TESTS_LIB_VECTORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* A section of vl1.json or vl2.json; aborts the test program with a sentence if it is not there.
 * Borrowed; the file is loaded once and kept. */
json_t *vectors_section(const char *file, const char *section);

/* The string value of a key, or abort the test program naming the key. */
const char *vector_string(const json_t *entry, const char *key);

/* Decode a hex value into malloc'd bytes (caller frees; never NULL, even when empty). */
uint8_t *vector_hex(const json_t *entry, const char *key, size_t *length);
uint8_t *hex_decode(const char *text, size_t *length);
char *hex_encode(const void *bytes, size_t length);

/* A whole file below tests/ (or $TESTS_DIR), malloc'd. */
uint8_t *test_file(const char *path, size_t *length);

#endif
