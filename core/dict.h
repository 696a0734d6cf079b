/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The key=value dictionary that configurations and request metadata travel in (vl2 2).
 *
 * A dictionary is borrowed bytes; nothing is built when one is read: a lookup scans the lines, the
 * first match wins. Values are binary safe by escapes.
 */
#ifndef CORE_DICT_H
#define CORE_DICT_H

#include "base/wr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dict {
	const uint8_t *bytes;
	size_t length;
};

/* A dictionary over `length` bytes; it ends earlier at the first NUL. */
struct dict dict_init(const void *bytes, size_t length);

/* A value as it lies in the dictionary, still escaped. False: no such key. */
bool dict_find(const struct dict *d, const char *key, const uint8_t **raw, size_t *raw_length);
bool dict_has(const struct dict *d, const char *key);
/* Unescape; `out` may be `raw` itself. Returns the length, at most raw_length. */
size_t dict_unescape(const uint8_t *raw, size_t raw_length, uint8_t *out);

/* Typed lookups; `fallback` when the key is absent. A present but garbled number reads as 0. */
uint64_t dict_u64(const struct dict *d, const char *key, uint64_t fallback);
int64_t dict_i64(const struct dict *d, const char *key, int64_t fallback);
bool dict_bool(const struct dict *d, const char *key, bool fallback);
uint64_t dict_address(const struct dict *d, const char *key); /* 0 when absent */
/* NUL-terminated, cut to capacity - 1 and at a NUL inside; "" when absent. True if present. */
bool dict_string(const struct dict *d, const char *key, char *out, size_t capacity);

/* Writing. `w` must have been made for the dictionary alone (entries are separated by LF). */
void dict_add_u64(struct wr *w, const char *key, uint64_t value);
/* A negative number loses its sign, as the reference's does. */
void dict_add_i64(struct wr *w, const char *key, int64_t value);
void dict_add_address(struct wr *w, const char *key, uint64_t address);
void dict_add_bool(struct wr *w, const char *key, bool value);
void dict_add_string(struct wr *w, const char *key, const char *value);
void dict_add_bytes(struct wr *w, const char *key, const void *bytes, size_t length);

/* Adding a value piece by piece: begin, any number of dict_escape. */
void dict_begin(struct wr *w, const char *key);
void dict_escape(struct wr *w, const void *bytes, size_t length);

#endif
