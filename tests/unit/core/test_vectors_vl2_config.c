/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json sections configs and config_parse: dictionaries byte for byte, decoded field by field.
 */
#include "core/chunk.h"
#include "core/identity.h"
#include "core/mem.h"
#include "core/netconf.h"
#include "tests/lib/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct identity controller;
static uint8_t *dict_buffer;

static int setup(void **state)
{
	(void)state;
	dict_buffer = malloc(VL2_CONFIG_MAX_BYTES);
	const json_t *actors = vectors_section("vl2.json", "actors");
	return dict_buffer ? identity_parse(vector_string(actors, "controller"), &controller) : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(dict_buffer);
	return 0;
}

static uint64_t integer(const json_t *entry, const char *key)
{
	const json_t *value = json_object_get(entry, key);
	assert_true(json_is_integer(value));
	return (uint64_t)json_integer_value(value);
}

static uint64_t hex(const json_t *entry, const char *key)
{
	return strtoull(vector_string(entry, key), NULL, 16);
}

static struct rd reader_of(const char *text, uint8_t **bytes)
{
	size_t length;
	*bytes = hex_decode(text, &length);
	return rd_init(*bytes, length);
}

static void text_copy(char *out, size_t capacity, const json_t *entry, const char *key)
{
	assert_true((size_t)snprintf(out, capacity, "%s", vector_string(entry, key)) < capacity);
}

/* ---- a configuration from the vector's JSON -------------------------------------------------- */

static void build_credentials(struct netconf *nc, const json_t *v)
{
	size_t i;
	json_t *item;
	uint8_t *bytes;
	struct rd r = reader_of(vector_string(v, "com"), &bytes);
	nc->has_com = rd_left(&r) > 0;
	assert_true(!nc->has_com || com_read(&r, &nc->com) == 0);
	free(bytes);
	json_array_foreach(json_object_get(v, "capabilities"), i, item)
	{
		struct capability cap;
		r = reader_of(json_string_value(item), &bytes);
		assert_int_equal(capability_read(&r, &cap), 0);
		assert_int_equal(netconf_add_capability(nc, &cap), 0);
		free(bytes);
	}
	json_array_foreach(json_object_get(v, "tags"), i, item)
	{
		struct tag tag;
		r = reader_of(json_string_value(item), &bytes);
		assert_int_equal(tag_read(&r, &tag), 0);
		assert_int_equal(netconf_add_tag(nc, &tag), 0);
		free(bytes);
	}
	json_array_foreach(json_object_get(v, "coos"), i, item)
	{
		struct coo coo;
		r = reader_of(json_string_value(item), &bytes);
		assert_int_equal(coo_read(&r, &coo), 0);
		assert_int_equal(netconf_add_coo(nc, &coo), 0);
		free(bytes);
	}
}

static void build_lists(struct netconf *nc, const json_t *v)
{
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(v, "specialists"), i, item)
	{
		assert_int_equal(
		    netconf_add_specialist(nc, strtoull(json_string_value(item), NULL, 16)), 0);
	}
	json_array_foreach(json_object_get(v, "routes"), i, item)
	{
		struct zt_route route = { .flags = (uint16_t)integer(item, "flags"),
					  .metric = (uint16_t)integer(item, "metric") };
		assert_true(endpoint_parse(vector_string(item, "target"), &route.target));
		const json_t *via = json_object_get(item, "via");
		assert_true(json_is_null(via) ||
			    endpoint_parse(json_string_value(via), &route.via));
		assert_int_equal(netconf_add_route(nc, &route), 0);
	}
	json_array_foreach(json_object_get(v, "static_ips"), i, item)
	{
		struct zt_endpoint ip;
		assert_true(endpoint_parse(json_string_value(item), &ip));
		assert_int_equal(netconf_add_address(nc, &ip), 0);
	}
	const json_t *dns = json_object_get(v, "dns");
	text_copy(nc->dns_domain, sizeof(nc->dns_domain), dns, "domain");
	json_array_foreach(json_object_get(dns, "servers"), i, item)
	{
		assert_true(endpoint_parse(json_string_value(item), &nc->dns[nc->dns_count++]));
	}
	uint8_t *bytes;
	struct rd r = reader_of(vector_string(v, "rules_hex"), &bytes);
	while (rd_left(&r) > 0) {
		struct rule rule;
		assert_int_equal(rule_read(&r, &rule), 0);
		assert_int_equal(netconf_add_rule(nc, &rule), 0);
	}
	free(bytes);
	assert_int_equal(nc->rule_count, integer(v, "rule_count"));
}

static void build_sso(struct netconf *nc, const json_t *v)
{
	nc->sso_version = integer(v, "sso_version");
	nc->is_sso_enabled = json_is_true(json_object_get(v, "sso_enabled"));
	struct netconf_sso *sso = nc->sso = zt_calloc(1, sizeof(*sso));
	assert_non_null(sso);
	text_copy(sso->url, sizeof(sso->url), v, "authentication_url");
	sso->expiry_ms = integer(v, "authentication_expiry");
	text_copy(sso->issuer, sizeof(sso->issuer), v, "issuer_url");
	text_copy(sso->central, sizeof(sso->central), v, "central_url");
	text_copy(sso->nonce, sizeof(sso->nonce), v, "nonce");
	text_copy(sso->state, sizeof(sso->state), v, "state");
	text_copy(sso->client_id, sizeof(sso->client_id), v, "client_id");
	text_copy(sso->provider, sizeof(sso->provider), v, "provider");
}

static struct netconf *build(const json_t *v)
{
	struct netconf *nc = netconf_new();
	assert_non_null(nc);
	nc->nwid = hex(v, "network_id");
	nc->timestamp = integer(v, "timestamp");
	nc->credential_delta_ms = integer(v, "credential_time_max_delta");
	nc->revision = integer(v, "revision");
	nc->issued_to = hex(v, "issued_to");
	nc->trace_target = hex(v, "remote_trace_target");
	nc->trace_level = integer(v, "remote_trace_level");
	nc->flags = hex(v, "flags");
	nc->multicast_limit = (uint32_t)integer(v, "multicast_limit");
	nc->type = integer(v, "type") ? NETCONF_PUBLIC : NETCONF_PRIVATE;
	nc->mtu = (uint32_t)integer(v, "mtu");
	text_copy(nc->name, sizeof(nc->name), v, "name");
	build_credentials(nc, v);
	build_lists(nc, v);
	build_sso(nc, v);
	return nc;
}

/* Everything that the dictionary carries, and what it does not: counts and single sign-on. */
static void check_decoded(const struct netconf *nc, const json_t *v)
{
	struct netconf *want = build(v);
	assert_true(netconf_equal(nc, want));
	assert_int_equal(nc->nwid, want->nwid);
	assert_int_equal(nc->issued_to, want->issued_to);
	assert_int_equal(nc->mtu, want->mtu);
	assert_int_equal(nc->sso_version, want->sso_version);
	assert_int_equal(nc->is_sso_enabled, want->is_sso_enabled);
	if (nc->sso) {
		assert_string_equal(nc->sso->url, want->sso->url);
		assert_int_equal(nc->sso->expiry_ms, want->sso->expiry_ms);
		assert_string_equal(nc->sso->issuer, want->sso->issuer);
		assert_string_equal(nc->sso->central, want->sso->central);
	} else {
		assert_true(want->sso_version > 1 || want->sso->url[0] == '\0');
	}
	want->revision++;
	assert_false(netconf_equal(nc, want));
	netconf_free(want);
}

/* ---- configs --------------------------------------------------------------------------------- */

static void test_vl2_configs_dictionary(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *section = vectors_section("vl2.json", "configs");
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, entry)
	{
		size_t length;
		uint8_t *want = vector_hex(entry, "dictionary", &length);
		struct netconf *nc = build(json_object_get(entry, "config"));
		struct wr w = wr_init(dict_buffer, VL2_CONFIG_MAX_BYTES);
		netconf_write(&w, nc);
		assert_false(w.bad);
		assert_int_equal(wr_length(&w), length);
		assert_memory_equal(dict_buffer, want, length);
		netconf_free(nc);
		free(want);
	}
}

static void test_vl2_configs_decode(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl2.json", "configs"), i, entry)
	{
		size_t length;
		uint8_t *bytes = vector_hex(entry, "dictionary", &length);
		struct netconf *nc;
		assert_int_equal(netconf_parse(bytes, length, &nc), 0);
		check_decoded(nc, json_object_get(entry, "decoded"));
		netconf_free(nc);
		free(bytes);
	}
}

/* The chunks that the reference's controller made of each dictionary: ours are the same bytes. */
static void check_chunk(const json_t *item, struct chunk_source *source, size_t *offset)
{
	size_t length;
	uint8_t *payload = vector_hex(item, "payload", &length);
	size_t head =
	    payload[0] == 0x0b && length > 9 && memcmp(payload + 9, "\xcc\x15\xa6\x4a\x34", 5) == 0
		? 9
		: 0; /* OK to a request: verb and packet id first */
	struct rd r = rd_init(payload + head, length - head);
	struct chunk chunk;
	assert_int_equal(chunk_read(&r, &chunk), 0);
	assert_true(rd_done(&r));
	assert_true(chunk.is_signed);
	assert_true(chunk_verify(&chunk, &controller));
	assert_int_equal(chunk.offset, *offset);
	assert_int_equal(chunk.total_length, source->dict_length);
	assert_memory_equal(chunk.data, source->dict + chunk.offset, chunk.data_length);
	source->nwid = chunk.nwid;
	source->update_id = chunk.update_id;
	uint8_t ours[CHUNK_MAX_BYTES];
	struct wr w = wr_init(ours, sizeof(ours));
	assert_int_equal(chunk_write(&w, source, *offset / VL2_CHUNK_DATA_MAX_BYTES, &controller),
			 0);
	assert_int_equal(wr_length(&w), length - head);
	assert_memory_equal(ours, payload + head, length - head);
	*offset += chunk.data_length;
	payload[head + 10] ^= 1;
	assert_false(chunk_verify(&chunk, &controller));
	free(payload);
}

static void test_vl2_configs_chunks(void **state)
{
	(void)state;
	size_t i, j;
	json_t *entry, *item;
	json_array_foreach(vectors_section("vl2.json", "configs"), i, entry)
	{
		size_t length, offset = 0;
		uint8_t *bytes = vector_hex(entry, "dictionary", &length);
		struct chunk_source source = { .dict = bytes, .dict_length = length };
		json_t *chunks = json_object_get(entry, "chunks");
		assert_int_equal(json_array_size(chunks), chunk_count(length));
		json_array_foreach(chunks, j, item)
		{
			check_chunk(item, &source, &offset);
		}
		assert_int_equal(offset, length);
		free(bytes);
	}
}

static void test_chunk_truncated(void **state)
{
	(void)state;
	struct chunk_source source = { .nwid = controller.address << 24 | 1,
				       .update_id = 5,
				       .dict = (const uint8_t *)"a=1\nb=2",
				       .dict_length = 7 };
	uint8_t bytes[256];
	struct wr w = wr_init(bytes, sizeof(bytes));
	assert_int_equal(chunk_write(&w, &source, 0, &controller), 0);
	size_t data_end = 8 + 2 + 7;
	for (size_t cut = 0; cut < wr_length(&w); cut++) {
		uint8_t *part = malloc(cut + 1);
		assert_non_null(part);
		memcpy(part + 1, bytes, cut);
		struct rd r = rd_init(part + 1, cut);
		struct chunk chunk;
		/* A legacy controller's chunk ends after the data. */
		assert_int_equal(chunk_read(&r, &chunk), cut == data_end ? 0 : ZT_E_SHORT);
		if (cut == data_end) {
			assert_false(chunk.is_signed);
			assert_false(chunk_verify(&chunk, &controller));
			assert_int_equal(chunk_key(&chunk), 0);
		}
		free(part);
	}
}

static void test_chunk_refused(void **state)
{
	(void)state;
	struct chunk_source source = { .nwid = 1, .update_id = 5, .dict = dict_buffer };
	uint8_t bytes[256];
	struct chunk chunk;
	struct wr w = wr_init(bytes, sizeof(bytes));
	assert_int_equal(chunk_write(&w, &source, 0, &controller), ZT_E_TOO_BIG);
	source.dict_length = 4;
	assert_int_equal(chunk_write(&w, &source, 1, &controller), ZT_E_TOO_BIG);
	assert_int_equal(chunk_write(&w, &source, 0, &controller), 0);
	size_t tail = 8 + 2 + 4 + 1 + 8;
	bytes[tail + 3] = 3; /* a total smaller than the piece */
	struct rd r = rd_init(bytes, wr_length(&w));
	assert_int_equal(chunk_read(&r, &chunk), ZT_E_TOO_BIG);
	bytes[tail] = 1; /* 16 MiB */
	r = rd_init(bytes, wr_length(&w));
	assert_int_equal(chunk_read(&r, &chunk), ZT_E_TOO_BIG);
	bytes[tail + 8] = 2; /* another kind of signature */
	r = rd_init(bytes, wr_length(&w));
	assert_int_equal(chunk_read(&r, &chunk), ZT_E_MALFORMED);
}

/* ---- config_parse ---------------------------------------------------------------------------- */

static void test_vl2_config_parse(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *section = vectors_section("vl2.json", "config_parse");
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, entry)
	{
		size_t length;
		uint8_t *bytes = vector_hex(entry, "dictionary", &length);
		struct netconf *nc = NULL;
		int err = netconf_parse(bytes, length, &nc);
		assert_int_equal(err == 0, json_is_true(json_object_get(entry, "ok")));
		if (!err) {
			check_decoded(nc, json_object_get(entry, "decoded"));
			netconf_free(nc);
		}
		free(bytes);
	}
}

/* Whatever is cut off: no byte beyond the end is read, nothing leaks, and what parses writes. */
static void test_config_truncated(void **state)
{
	(void)state;
	json_t *entry = json_array_get(vectors_section("vl2.json", "configs"), 1);
	size_t length;
	uint8_t *bytes = vector_hex(entry, "dictionary", &length);
	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *part = malloc(cut + 1);
		assert_non_null(part);
		memcpy(part + 1, bytes, cut);
		struct netconf *nc;
		if (netconf_parse(part + 1, cut, &nc) == 0) {
			struct wr w = wr_init(dict_buffer, VL2_CONFIG_MAX_BYTES);
			netconf_write(&w, nc);
			assert_false(w.bad);
			netconf_free(nc);
		}
		free(part);
	}
	free(bytes);
}

/* The n-th allocation fails: an error, no leak, for every n. */
static void test_config_memory(void **state)
{
	(void)state;
	json_t *entry = json_array_get(vectors_section("vl2.json", "configs"), 1);
	size_t length;
	uint8_t *bytes = vector_hex(entry, "dictionary", &length);
	struct netconf *nc = NULL;
	long n = 0;
	int err;
	do {
		zt_mem_fail_after(n++);
		err = netconf_parse(bytes, length, &nc);
		zt_mem_fail_after(-1);
		assert_true(err == 0 || err == ZT_E_NO_MEMORY);
	} while (err && n < 1000);
	assert_int_equal(err, 0);
	assert_true(n > 5);
	netconf_free(nc);
	free(bytes);
}

static void test_netconf_limits(void **state)
{
	(void)state;
	struct netconf *nc = netconf_new();
	assert_non_null(nc);
	for (uint64_t i = 0; i < VL2_SPECIALISTS_MAX; i++) {
		assert_int_equal(netconf_add_specialist(nc, i | SPECIALIST_BRIDGE), 0);
	}
	assert_int_equal(netconf_add_specialist(nc, 1), ZT_E_NO_ROOM);
	assert_true(netconf_has_role(nc, 7, SPECIALIST_BRIDGE));
	assert_false(netconf_has_role(nc, 7, SPECIALIST_ANCHOR));
	assert_false(netconf_has_role(nc, VL2_SPECIALISTS_MAX, SPECIALIST_BRIDGE));
	for (uint32_t i = 0; i < VL2_TAGS_MAX; i++) {
		struct tag tag = { .id = i * 7919 % 1000 };
		assert_int_equal(netconf_add_tag(nc, &tag), 0);
	}
	for (size_t i = 1; i < nc->tag_count; i++) {
		assert_true(nc->tags[i - 1].id <= nc->tags[i].id);
	}
	netconf_free(nc);
	netconf_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_configs_dictionary),
		cmocka_unit_test(test_vl2_configs_decode),
		cmocka_unit_test(test_vl2_configs_chunks),
		cmocka_unit_test(test_vl2_config_parse),
		cmocka_unit_test(test_chunk_truncated),
		cmocka_unit_test(test_chunk_refused),
		cmocka_unit_test(test_config_truncated),
		cmocka_unit_test(test_config_memory),
		cmocka_unit_test(test_netconf_limits),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
