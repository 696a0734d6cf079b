/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/dict.h"

#include <string.h>

enum { NUMBER_MAX_BYTES = 128 }; /* of a number's text that is looked at */

struct dict dict_init(const void *bytes, size_t length)
{
	const uint8_t *nul = length > 0 ? memchr(bytes, 0, length) : NULL;
	return (struct dict){ .bytes = bytes,
			      .length = nul ? (size_t)(nul - (const uint8_t *)bytes) : length };
}

/* ---- lookup ---------------------------------------------------------------------------------- */

static bool is_line_end(uint8_t c)
{
	return c == '\n' || c == '\r';
}

bool dict_find(const struct dict *d, const char *key, const uint8_t **raw, size_t *raw_length)
{
	size_t key_length = strlen(key);
	size_t start = 0;
	while (start < d->length) {
		size_t end = start;
		while (end < d->length && !is_line_end(d->bytes[end])) {
			end++;
		}
		const uint8_t *line = d->bytes + start;
		if (end - start > key_length && line[key_length] == '=' &&
		    memcmp(line, key, key_length) == 0) {
			*raw = line + key_length + 1;
			*raw_length = end - start - key_length - 1;
			return true;
		}
		start = end + 1;
	}
	return false;
}

bool dict_has(const struct dict *d, const char *key)
{
	const uint8_t *raw;
	size_t length;
	return dict_find(d, key, &raw, &length);
}

static uint8_t unescape_one(uint8_t c)
{
	switch (c) {
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	case '0':
		return '\0';
	case 'e':
		return '=';
	default:
		return c;
	}
}

size_t dict_unescape(const uint8_t *raw, size_t raw_length, uint8_t *out)
{
	size_t length = 0;
	for (size_t i = 0; i < raw_length; i++) {
		if (raw[i] != '\\') {
			out[length++] = raw[i];
		} else if (++i < raw_length) {
			out[length++] = unescape_one(raw[i]);
		}
	}
	return length;
}

/* ---- numbers: as C's strtoull and strtoll read base 16 (2) -------------------------------------
 */

struct number {
	uint64_t magnitude;
	bool is_negative, is_overflow;
};

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct number number_parse(const uint8_t *text, size_t length)
{
	struct number n = { 0 };
	size_t i = 0;
	while (i < length && is_space(text[i])) {
		i++;
	}
	if (i < length && (text[i] == '-' || text[i] == '+')) {
		n.is_negative = text[i++] == '-';
	}
	if (length - i > 2 && text[i] == '0' && (text[i + 1] | 0x20) == 'x' &&
	    hex_digit(text[i + 2]) >= 0) {
		i += 2;
	}
	for (int digit; i < length && (digit = hex_digit(text[i])) >= 0; i++) {
		n.is_overflow = n.is_overflow || n.magnitude >> 60 != 0;
		n.magnitude = n.magnitude << 4 | (uint64_t)digit;
	}
	return n;
}

static bool number_find(const struct dict *d, const char *key, struct number *out)
{
	const uint8_t *raw;
	size_t length;
	if (!dict_find(d, key, &raw, &length)) {
		return false;
	}
	uint8_t text[NUMBER_MAX_BYTES];
	length = dict_unescape(raw, length < sizeof(text) ? length : sizeof(text), text);
	*out = number_parse(text, length);
	return true;
}

uint64_t dict_u64(const struct dict *d, const char *key, uint64_t fallback)
{
	struct number n;
	if (!number_find(d, key, &n)) {
		return fallback;
	}
	if (n.is_overflow) {
		return UINT64_MAX;
	}
	return n.is_negative ? 0 - n.magnitude : n.magnitude;
}

int64_t dict_i64(const struct dict *d, const char *key, int64_t fallback)
{
	struct number n;
	if (!number_find(d, key, &n)) {
		return fallback;
	}
	if (n.is_overflow || n.magnitude > INT64_MAX) {
		return n.is_negative ? INT64_MIN : INT64_MAX;
	}
	return n.is_negative ? -(int64_t)n.magnitude : (int64_t)n.magnitude;
}

uint64_t dict_address(const struct dict *d, const char *key)
{
	return dict_u64(d, key, 0) & 0xffffffffffULL;
}

bool dict_bool(const struct dict *d, const char *key, bool fallback)
{
	const uint8_t *raw;
	size_t length;
	if (!dict_find(d, key, &raw, &length)) {
		return fallback;
	}
	return length > 0 && (raw[0] == '1' || raw[0] == 't' || raw[0] == 'T');
}

bool dict_string(const struct dict *d, const char *key, char *out, size_t capacity)
{
	const uint8_t *raw;
	size_t length;
	out[0] = '\0';
	if (!dict_find(d, key, &raw, &length)) {
		return false;
	}
	size_t filled = 0;
	for (size_t i = 0; i < length && filled + 1 < capacity; i++) {
		uint8_t c = raw[i];
		if (c == '\\') {
			if (++i == length) {
				break;
			}
			c = unescape_one(raw[i]);
		}
		if (c == '\0') {
			break;
		}
		out[filled++] = (char)c;
	}
	out[filled] = '\0';
	return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

void dict_begin(struct wr *w, const char *key)
{
	if (wr_length(w) > 0) {
		wr_u8(w, '\n');
	}
	wr_bytes(w, key, strlen(key));
	wr_u8(w, '=');
}

static char escape_of(uint8_t c)
{
	switch (c) {
	case '\0':
		return '0';
	case '\r':
		return 'r';
	case '\n':
		return 'n';
	case '\\':
		return '\\';
	case '=':
		return 'e';
	default:
		return 0;
	}
}

void dict_escape(struct wr *w, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < length; i++) {
		char escape = escape_of(p[i]);
		if (escape) {
			wr_u8(w, '\\');
			wr_u8(w, (uint8_t)escape);
		} else {
			wr_u8(w, p[i]);
		}
	}
}

void dict_add_bytes(struct wr *w, const char *key, const void *bytes, size_t length)
{
	dict_begin(w, key);
	dict_escape(w, bytes, length);
}

void dict_add_string(struct wr *w, const char *key, const char *value)
{
	dict_add_bytes(w, key, value, strlen(value));
}

static void add_hex(struct wr *w, const char *key, uint64_t value, unsigned digits)
{
	dict_begin(w, key);
	for (unsigned i = digits; i > 0; i--) {
		wr_u8(w, (uint8_t) "0123456789abcdef"[value >> (4 * (i - 1)) & 15]);
	}
}

void dict_add_u64(struct wr *w, const char *key, uint64_t value)
{
	add_hex(w, key, value, 16);
}

void dict_add_i64(struct wr *w, const char *key, int64_t value)
{
	add_hex(w, key, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 16);
}

void dict_add_address(struct wr *w, const char *key, uint64_t address)
{
	add_hex(w, key, address, 10);
}

void dict_add_bool(struct wr *w, const char *key, bool value)
{
	dict_add_string(w, key, value ? "1" : "0");
}
