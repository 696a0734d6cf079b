/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const char *name)
{
	(void)fprintf(stderr, "test data: %s: %s\n", what, name);
	exit(99);
}

static json_t *file_load(const char *file)
{
	static struct {
		char name[32];
		json_t *root;
	} cache[8];
	size_t i = 0;
	for (; i < 8 && cache[i].root; i++) {
		if (strcmp(cache[i].name, file) == 0) {
			return cache[i].root;
		}
	}
	if (i == 8) {
		die("too many vector files", file);
	}
	const char *folder = getenv("VECTORS");
	char path[512];
	(void)snprintf(path, sizeof path, "%s/%s", folder ? folder : "tests/vectors", file);
	json_error_t error;
	json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
	if (!root) {
		die(error.text, path);
	}
	(void)snprintf(cache[i].name, sizeof cache[i].name, "%s", file);
	cache[i].root = root;
	return root;
}

json_t *vectors_section(const char *file, const char *section)
{
	json_t *value = json_object_get(file_load(file), section);
	if (!value) {
		die("no such section", section);
	}
	return value;
}

const char *vector_string(const json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));
	if (!text) {
		die("no such string", key);
	}
	return text;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

uint8_t *hex_decode(const char *text, size_t *length)
{
	size_t digits = strlen(text);
	uint8_t *bytes = malloc(digits / 2 + 1);
	if (!bytes || digits % 2 != 0) {
		die("not hex", text);
	}
	for (size_t i = 0; i < digits / 2; i++) {
		int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
		if (high < 0 || low < 0) {
			die("not hex", text);
		}
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	*length = digits / 2;
	return bytes;
}

uint8_t *vector_hex(const json_t *entry, const char *key, size_t *length)
{
	return hex_decode(vector_string(entry, key), length);
}

char *hex_encode(const void *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = bytes;
	char *text = malloc(2 * length + 1);
	if (!text) {
		die("out of memory", "hex");
	}
	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[p[i] >> 4];
		text[2 * i + 1] = digits[p[i] & 15];
	}
	text[2 * length] = '\0';
	return text;
}

uint8_t *test_file(const char *path, size_t *length)
{
	const char *folder = getenv("TESTS_DIR");
	char full[512];
	(void)snprintf(full, sizeof full, "%s/%s", folder ? folder : "tests", path);
	FILE *f = fopen(full, "rb");
	if (!f) {
		die("cannot open", full);
	}
	size_t capacity = 1U << 20;
	uint8_t *bytes = malloc(capacity);
	if (!bytes) {
		die("out of memory", full);
	}
	*length = fread(bytes, 1, capacity, f);
	(void)fclose(f);
	if (*length == capacity) {
		die("larger than expected", full);
	}
	return bytes;
}
