/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "controller/coerce.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t coerce_int(const json_t *value, int64_t fallback)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_INTEGER:
		return json_integer_value(value);
	case JSON_REAL: {
		double d = json_real_value(value);
		return d > -9.2e18 && d < 9.2e18 ? (int64_t)d : fallback;
	}
	case JSON_STRING:
		return strtoll(json_string_value(value), NULL, 10);
	case JSON_TRUE:
		return 1;
	case JSON_FALSE:
		return 0;
	default:
		return fallback;
	}
}

bool coerce_bool(const json_t *value, bool fallback)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_TRUE:
		return true;
	case JSON_FALSE:
		return false;
	case JSON_INTEGER:
		return json_integer_value(value) > 0;
	case JSON_REAL:
		return json_real_value(value) > 0;
	case JSON_STRING: {
		char first = json_string_value(value)[0];
		return first == 't' || first == 'T' || first == '1';
	}
	default:
		return fallback;
	}
}

json_t *coerce_string(const json_t *value)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		return json_string(json_string_value(value));
	case JSON_INTEGER:
		return json_sprintf("%lld", (long long)json_integer_value(value));
	case JSON_REAL:
		return json_sprintf("%g", json_real_value(value));
	case JSON_TRUE:
		return json_string("1");
	case JSON_FALSE:
		return json_string("0");
	default:
		return NULL;
	}
}

uint64_t coerce_hex(const json_t *value)
{
	if (json_is_string(value)) {
		return strtoull(json_string_value(value), NULL, 16);
	}
	return (uint64_t)coerce_int(value, 0);
}

size_t coerce_array_size(const json_t *value)
{
	size_t size = json_array_size(value); /* 0 for what is no array */
	return size < COERCE_ARRAY_MAX ? size : COERCE_ARRAY_MAX;
}

const char *object_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

const char *id_text(uint64_t id, int digits, char out[ID_TEXT_BYTES])
{
	(void)snprintf(out, ID_TEXT_BYTES, "%0*llx", digits, (unsigned long long)id);
	return out;
}

json_t *id_json(uint64_t id, int digits)
{
	char text[ID_TEXT_BYTES];
	return json_string(id_text(id, digits, text));
}

bool id_parse(const char *text, size_t digits, uint64_t *out)
{
	uint64_t id = 0;
	for (size_t i = 0; i < digits; i++) {
		unsigned char c = (unsigned char)text[i];
		if (!isxdigit(c)) {
			return false;
		}
		id = id << 4 | (uint64_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
	}
	if (text[digits] != '\0') {
		return false;
	}
	*out = id;
	return true;
}

bool ip_parse(const json_t *value, struct zt_endpoint *out, bool *has_bits)
{
	const char *text = json_string_value(value);
	struct zt_endpoint ip;
	if (!text || !endpoint_parse(text, &ip) || ip.family == 0) {
		return false;
	}
	*has_bits = strchr(text, '/') != NULL;
	*out = ip;
	return true;
}

json_t *ip_json(const struct zt_endpoint *ip)
{
	char text[ENDPOINT_TEXT_MAX];
	return json_string(endpoint_ip_text(ip, text));
}

json_t *ip_bits_json(const struct zt_endpoint *ip)
{
	char text[ENDPOINT_TEXT_MAX];
	return json_string(endpoint_text(ip, text));
}
