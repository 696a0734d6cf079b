/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl1.json: inet_addresses, worlds, world_updates, peer_cache. */
#include "core/endpoint.h"
#include "core/peercache.h"
#include "core/world.h"
#include "core/zt.h"
#include "tests/lib/check.h"

static int endpoint_read_whole(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct zt_endpoint e;
	return endpoint_read(&r, &e);
}

static void encoded_check(const json_t *entry)
{
	struct blob encoded = blob_get(entry, "encoded");
	const json_t *accept = json_object_get(entry, "accept");
	const json_t *consumed = json_object_get(entry, "consumed");
	struct rd r = rd_init(encoded.bytes, encoded.length);
	struct zt_endpoint e = { 0 };
	char text[ENDPOINT_TEXT_MAX];

	int err = endpoint_read(&r, &e);
	assert_int_equal(err == 0, !accept || json_is_true(accept));
	if (err == 0) {
		assert_string_equal(endpoint_text(&e, text), vector_string(entry, "text"));
		if (consumed) {
			assert_int_equal(r.p - encoded.bytes, json_integer_value(consumed));
		}
	}
	if (err == 0 && !accept) {
		uint8_t again[32];
		struct wr w = wr_init(again, sizeof again);
		endpoint_write(&w, &e);
		assert_field_equal(entry, "encoded", again, wr_length(&w));
		assert_prefixes_refused(encoded.bytes, encoded.length, endpoint_read_whole);
	}
	blob_free(&encoded);
}

static void vl1_inet_addresses(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "inet_addresses"), i, entry)
	{
		struct zt_endpoint e = { 0 }; /* what an empty text stands for */
		if (json_object_get(entry, "encoded")) {
			encoded_check(entry);
		}
		if (!json_object_get(entry, "scope")) {
			continue;
		}
		const char *text = vector_string(entry, "text");
		assert_int_equal(endpoint_parse(text, &e), *text != '\0');
		assert_int_equal(endpoint_scope(&e), vector_number(entry, "scope"));
		if (json_object_get(entry, "path_ok")) {
			assert_int_equal(endpoint_path_ok(&e), vector_bool(entry, "path_ok"));
		}
	}
	assert_true(i > 0);
}

static struct world world_get(const json_t *entry)
{
	struct blob binary = blob_get(entry, "binary");
	struct rd r = rd_init(binary.bytes, binary.length);
	struct world world;
	assert_int_equal(world_read(&r, &world), 0);
	assert_true(rd_done(&r));
	blob_free(&binary);
	return world;
}

static int world_read_whole(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct world world;
	return world_read(&r, &world);
}

static void roots_check(const json_t *entry, const struct world *world)
{
	size_t i, j;
	json_t *root, *endpoint;
	json_array_foreach(json_object_get(entry, "roots"), i, root)
	{
		char text[IDENTITY_TEXT_MAX], at[ENDPOINT_TEXT_MAX];
		assert_string_equal(identity_text(&world->roots[i].identity, false, text),
				    vector_string(root, "identity"));
		json_array_foreach(json_object_get(root, "endpoints"), j, endpoint)
		{
			assert_string_equal(endpoint_text(&world->roots[i].endpoints[j], at),
					    json_string_value(endpoint));
		}
		assert_int_equal(world->roots[i].endpoint_count, j);
		assert_ptr_equal(world_root_find(world, world->roots[i].identity.address),
				 &world->roots[i]);
	}
	assert_int_equal(world->root_count, i);
}

static void vl1_worlds(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "worlds"), i, entry)
	{
		struct world world = world_get(entry);
		const json_t *signer = json_object_get(entry, "signing_key");
		struct blob public_key = blob_get(signer, "public");
		struct blob secret = blob_get(signer, "private");
		uint8_t bytes[WORLD_MAX_BYTES], derived[IDENTITY_KEY_BYTES];

		assert_int_equal(world.type, vector_number(entry, "type"));
		struct wr w = wr_init(bytes, sizeof bytes);
		wr_u64(&w, world.id);
		assert_field_equal(entry, "id", bytes, 8);
		w = wr_init(bytes, sizeof bytes);
		wr_u64(&w, world.timestamp);
		assert_field_equal(entry, "timestamp", bytes, 8);
		assert_field_equal(json_object_get(entry, "next_update_key"), "public",
				   world.next_key, sizeof world.next_key);
		roots_check(entry, &world);
		assert_int_equal(keypair_make(secret.bytes, derived), 0);
		assert_memory_equal(derived, public_key.bytes, sizeof derived);
		assert_true(world_verify(&world, public_key.bytes));

		/* Signing again gives the same bytes: Ed25519 is deterministic. */
		memset(world.signature, 0, sizeof world.signature);
		world_sign(&world, public_key.bytes, secret.bytes);
		w = wr_init(bytes, sizeof bytes);
		world_write(&w, &world);
		assert_field_equal(entry, "binary", bytes, wr_length(&w));
		assert_prefixes_refused(bytes, wr_length(&w), world_read_whole);
		world.timestamp++;
		assert_false(world_verify(&world, public_key.bytes));
		blob_free(&public_key);
		blob_free(&secret);
	}
	assert_true(i > 0);
}

static void vl1_world_updates(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *worlds = vectors_section("vl1.json", "worlds");
	json_array_foreach(vectors_section("vl1.json", "world_updates"), i, entry)
	{
		struct world current =
		    world_get(json_array_get(worlds, vector_number(entry, "current")));
		struct world candidate =
		    world_get(json_array_get(worlds, vector_number(entry, "candidate")));
		assert_int_equal(world_replaces(&current, &candidate),
				 vector_bool(entry, "replaces"));
	}
	assert_true(i > 0);
}

static int peercache_read_whole(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct peercache peer;
	return peercache_read(&r, &peer);
}

static void vl1_peer_cache(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "peer_cache"), i, entry)
	{
		struct blob data = blob_get(entry, "data");
		struct rd r = rd_init(data.bytes, data.length);
		struct peercache peer;
		uint8_t bytes[PEERCACHE_MAX_BYTES];
		assert_int_equal(peercache_read(&r, &peer), 0);
		assert_true(rd_done(&r));
		assert_true(peer.identity.address ==
			    strtoull(vector_string(entry, "address"), NULL, 16));
		struct wr w = wr_init(bytes, sizeof bytes);
		peercache_write(&w, &peer);
		assert_field_equal(entry, "data", bytes, wr_length(&w));
		assert_prefixes_refused(data.bytes, data.length, peercache_read_whole);

		r = rd_init(data.bytes, data.length);
		data.bytes[0]++;
		assert_int_equal(peercache_read(&r, &peer), ZT_E_UNSUPPORTED);
		blob_free(&data);
	}
	assert_true(i > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vl1_inet_addresses),
		cmocka_unit_test(vl1_worlds),
		cmocka_unit_test(vl1_world_updates),
		cmocka_unit_test(vl1_peer_cache),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
