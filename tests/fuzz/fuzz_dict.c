/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Dictionaries: the first byte cuts a key from what follows; what is unescaped, escapes back. */
#include "base/bug.h"
#include "core/dict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char key[16] = { 0 }, text[64];
	if (size < 1 || size > 65536 || (size_t)(data[0] & 7) + 1 > size) {
		return 0;
	}
	size_t key_length = data[0] & 7;
	memcpy(key, data + 1, key_length);
	struct dict d = dict_init(data + 1 + key_length, size - 1 - key_length);
	const uint8_t *raw;
	size_t raw_length;
	(void)dict_u64(&d, key, 1);
	(void)dict_i64(&d, key, 1);
	(void)dict_bool(&d, key, true);
	(void)dict_string(&d, key, text, sizeof(text));
	if (!dict_find(&d, key, &raw, &raw_length)) {
		return 0;
	}
	static uint8_t value[65536], written[131200], again[65536];
	size_t length = dict_unescape(raw, raw_length, value);
	struct wr w = wr_init(written, sizeof(written));
	dict_add_bytes(&w, "k", value, length);
	BUG_ON(w.bad);
	struct dict second = dict_init(written, wr_length(&w));
	BUG_ON(!dict_find(&second, "k", &raw, &raw_length));
	BUG_ON(dict_unescape(raw, raw_length, again) != length);
	BUG_ON(memcmp(value, again, length) != 0);
	return 0;
}
