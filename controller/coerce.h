/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a JSON value of the wrong type means (vl2 9.3, last paragraph), and texts of ids and IPs. */
#ifndef CONTROLLER_COERCE_H
#define CONTROLLER_COERCE_H

#include "core/zt.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COERCE_ARRAY_MAX = 16384 }; /* elements of any array that are looked at */

/* Number, decimal string or bool; else the fallback (also for NULL). */
int64_t coerce_int(const json_t *value, int64_t fallback);
/* Bool, number (> 0), or string starting with t, T or 1. */
bool coerce_bool(const json_t *value, bool fallback);
/* New reference to a string made of a string, number or bool; NULL otherwise. */
json_t *coerce_string(const json_t *value);
/* Hex string (with or without 0x) or number; 0 otherwise. */
uint64_t coerce_hex(const json_t *value);

/* The length of an array, bounded; 0 for anything else. */
size_t coerce_array_size(const json_t *value);

/* Shorthands for a member of an object. */
static inline int64_t object_int(const json_t *object, const char *key, int64_t fallback)
{
	return coerce_int(json_object_get(object, key), fallback);
}
static inline bool object_bool(const json_t *object, const char *key, bool fallback)
{
	return coerce_bool(json_object_get(object, key), fallback);
}
/* Borrowed; "" if it is not a string. */
const char *object_text(const json_t *object, const char *key);

enum { ID_TEXT_BYTES = 17 };
/* Lower-case hex, `digits` wide. Returns `out`. */
const char *id_text(uint64_t id, int digits, char out[ID_TEXT_BYTES]);
json_t *id_json(uint64_t id, int digits);
/* Exactly `digits` hex digits of either case. */
bool id_parse(const char *text, size_t digits, uint64_t *out);

/* An IP text; bits = 0 when absent and has_bits tells. False if it is none. */
bool ip_parse(const json_t *value, struct zt_endpoint *out, bool *has_bits);
/* "ip" without bits. */
json_t *ip_json(const struct zt_endpoint *ip);
/* "ip/bits", always with bits. */
json_t *ip_bits_json(const struct zt_endpoint *ip);

#endif
