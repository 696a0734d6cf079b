/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json sections derive, address_resolution_groups and dictionary. */
#include "base/rd.h"
#include "core/addr.h"
#include "core/dict.h"
#include "tests/lib/vectors.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t hex_value(const json_t *entry, const char *key)
{
	return strtoull(vector_string(entry, key), NULL, 16);
}

static uint64_t bytes_value(const json_t *entry, const char *key)
{
	size_t length;
	uint8_t *bytes = vector_hex(entry, key, &length);
	struct rd r = rd_init(bytes, length);
	uint64_t value = rd_uint(&r, length);
	free(bytes);
	return value;
}

static void check_ipv6(const json_t *entry, const char *key, struct zt_endpoint got, uint16_t bits)
{
	size_t length;
	uint8_t *want = vector_hex(entry, key, &length);
	assert_int_equal(length, 16);
	assert_memory_equal(got.ip, want, 16);
	assert_int_equal(got.port, bits);
	assert_int_equal(got.family, 6);
	free(want);
}

static void check_mac(const json_t *entry, uint64_t nwid, uint64_t address)
{
	uint64_t mac = 0;
	const char *text = vector_string(entry, "mac");
	for (size_t i = 0; i < 6; i++) {
		mac = mac << 8 | strtoull(text + 3 * i, NULL, 16);
	}
	assert_int_equal(addr_mac(nwid, address), mac);
	assert_int_equal(addr_of_mac(nwid, mac), hex_value(entry, "address_from_mac"));
	assert_true(addr_mac_is_member(nwid, mac));
	assert_false(addr_mac_is_member(nwid, mac ^ 0x040000000000ULL));
	assert_int_equal(addr_first_octet(nwid),
			 json_integer_value(json_object_get(entry, "first_octet")));
}

static void test_vl2_derive(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *section = vectors_section("vl2.json", "derive");
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, entry)
	{
		uint64_t nwid = hex_value(entry, "network_id");
		uint64_t address = hex_value(entry, "address");
		assert_int_equal(addr_controller(nwid), hex_value(entry, "controller"));
		check_mac(entry, nwid, address);
		check_ipv6(entry, "rfc4193_hex", addr_rfc4193(nwid, address), 88);
		check_ipv6(entry, "ip6plane_hex", addr_6plane(nwid, address), 40);
	}
}

/* vl2 1, from the transcripts. */
static void test_device_name(void **state)
{
	(void)state;
	char name[ADDR_DEVICE_NAME_BYTES];
	addr_device_name(0x06b812eb9ad1f8b0ULL, 0, name);
	assert_string_equal(name, "zt5urmgezk");
	addr_device_name(0x06b812eb9ad1f8b0ULL, 1, name);
	assert_string_equal(name, "zt5urmgezl");
}

/* inet_pton is for tests: the core has its own parser, which another vector section checks. */
#include <arpa/inet.h>

static void test_vl2_address_resolution_groups(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *section = vectors_section("vl2.json", "address_resolution_groups");
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, entry)
	{
		const char *text = vector_string(entry, "ip");
		struct zt_endpoint ip = { .family = strchr(text, ':') ? 6 : 4 };
		assert_int_equal(inet_pton(ip.family == 6 ? AF_INET6 : AF_INET, text, ip.ip), 1);
		struct zt_group group = addr_resolution_group(&ip);
		assert_int_equal(group.mac, bytes_value(entry, "mac"));
		assert_int_equal(group.adi, json_integer_value(json_object_get(entry, "adi")));
	}
}

/* ---- dictionary ------------------------------------------------------------------------------ */

static void add_entry(struct wr *w, const json_t *entry)
{
	const char *key = vector_string(entry, "key"), *type = vector_string(entry, "type");
	if (strcmp(type, "string") == 0 || strcmp(type, "bytes") == 0) {
		size_t length;
		uint8_t *bytes = vector_hex(entry, type[0] == 's' ? "value_hex" : "value", &length);
		dict_add_bytes(w, key, bytes, length);
		free(bytes);
	} else if (strcmp(type, "u64") == 0) {
		dict_add_u64(w, key, hex_value(entry, "value"));
	} else if (strcmp(type, "i64") == 0) {
		dict_add_i64(w, key, strtoll(vector_string(entry, "value"), NULL, 10));
	} else {
		assert_string_equal(type, "bool");
		dict_add_bool(w, key, json_is_true(json_object_get(entry, "value")));
	}
}

static void test_vl2_dictionary_encode(void **state)
{
	(void)state;
	size_t i, j;
	json_t *test, *entry;
	json_t *section = json_object_get(vectors_section("vl2.json", "dictionary"), "encode");
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, test)
	{
		uint8_t bytes[4096];
		struct wr w = wr_init(bytes, sizeof(bytes));
		json_array_foreach(json_object_get(test, "entries"), j, entry)
		{
			add_entry(&w, entry);
		}
		size_t length;
		uint8_t *want = vector_hex(test, "encoded", &length);
		assert_false(w.bad);
		assert_int_equal(wr_length(&w), length);
		assert_memory_equal(bytes, want, length);
		free(want);
	}
}

static void check_lookup(const json_t *test, const struct dict *d)
{
	const char *key = vector_string(test, "key");
	const uint8_t *raw;
	size_t raw_length, want_length;
	bool is_found = dict_find(d, key, &raw, &raw_length);
	assert_int_equal(is_found, json_is_true(json_object_get(test, "found")));
	assert_int_equal(dict_has(d, key), is_found);
	uint8_t *want = vector_hex(test, "value_hex", &want_length);
	if (is_found) {
		uint8_t value[1024];
		assert_true(raw_length <= sizeof(value));
		assert_int_equal(dict_unescape(raw, raw_length, value), want_length);
		assert_memory_equal(value, want, want_length);
		char text[1024];
		assert_true(dict_string(d, key, text, sizeof(text)));
		assert_int_equal(strlen(text), strnlen((const char *)want, want_length));
		assert_memory_equal(text, want, strlen(text));
	}
	free(want);
	assert_int_equal(dict_u64(d, key, 0), hex_value(test, "as_u64"));
	assert_int_equal(dict_i64(d, key, 0), strtoll(vector_string(test, "as_i64"), NULL, 10));
	assert_int_equal(dict_bool(d, key, false), json_is_true(json_object_get(test, "as_bool")));
}

static void test_vl2_dictionary_lookup(void **state)
{
	(void)state;
	size_t i;
	json_t *test;
	json_t *section = json_object_get(vectors_section("vl2.json", "dictionary"), "lookup");
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, test)
	{
		size_t length;
		uint8_t *bytes = vector_hex(test, "dictionary", &length);
		struct dict d = dict_init(bytes, length);
		check_lookup(test, &d);
		/* The same at every shorter length, in memory of exactly that size: no byte beyond.
		 */
		for (size_t cut = 0; cut < length; cut++) {
			uint8_t *part = malloc(cut + 1);
			assert_non_null(part);
			memcpy(part + 1, bytes, cut);
			struct dict short_d = dict_init(part + 1, cut);
			char text[64];
			(void)dict_string(&short_d, vector_string(test, "key"), text, sizeof(text));
			(void)dict_u64(&short_d, vector_string(test, "key"), 0);
			free(part);
		}
		free(bytes);
	}
}

static void test_dictionary_details(void **state)
{
	(void)state;
	static const char text[] =
	    "id=ffffffffffffff\nmax=11112222333344445\ns=a\\0b\nn=abcdef\nt=\\";
	struct dict d = dict_init(text, sizeof(text) - 1);
	char out[4];
	assert_int_equal(dict_address(&d, "id"), 0xffffffffffULL);
	assert_true(dict_u64(&d, "max", 0) == UINT64_MAX);
	assert_true(dict_i64(&d, "max", 0) == INT64_MAX);
	assert_true(dict_string(&d, "s", out, sizeof(out)));
	assert_string_equal(out, "a");
	assert_true(dict_string(&d, "n", out, sizeof(out)));
	assert_string_equal(out, "abc");
	assert_true(dict_string(&d, "t", out, sizeof(out)));
	assert_string_equal(out, "");
	assert_int_equal(dict_u64(&d, "none", 7), 7);
	assert_int_equal(dict_i64(&d, "none", -7), -7);
	assert_true(dict_bool(&d, "none", true));
	struct dict cut = dict_init("a=1\0b=2", 7);
	assert_false(dict_has(&cut, "b"));
	assert_int_equal(dict_init(NULL, 0).length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_derive),
		cmocka_unit_test(test_device_name),
		cmocka_unit_test(test_vl2_address_resolution_groups),
		cmocka_unit_test(test_vl2_dictionary_encode),
		cmocka_unit_test(test_vl2_dictionary_lookup),
		cmocka_unit_test(test_dictionary_details),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
