/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Paths and numbers in them: what strangers choose, so on its own and fuzzed. */
#include "service/api.h"

#include <string.h>

bool api_path_split(const char *path, struct api_path *out)
{
	size_t length = strlen(path);
	out->count = 0;
	if (path[0] != '/' || length >= sizeof out->text) {
		return false;
	}
	memcpy(out->text, path, length + 1);
	char *at = out->text + 1;
	while (*at != '\0') {
		size_t part = strcspn(at, "/");
		if (part == 0 || out->count == API_MAX_PARTS) {
			return false;
		}
		out->parts[out->count++] = at;
		at += part;
		if (*at == '/') {
			*at++ = '\0';
		}
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	char lower = (char)(c | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool api_id(const char *part, size_t digits, uint64_t *out)
{
	uint64_t value = 0;
	size_t i = 0;
	for (; i < digits; i++) {
		int digit = hex_digit(part[i]);
		if (digit < 0) {
			return false; /* a NUL too */
		}
		value = value << 4 | (unsigned)digit;
	}
	if (part[i] != '\0') {
		return false;
	}
	*out = value;
	return true;
}
