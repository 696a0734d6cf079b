/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl1.json: salsa20, armored_packets, fragments, compression. */
#include "core/compress.h"
#include "core/crypt.h"
#include "core/frag.h"
#include "core/packet.h"
#include "core/salsa.h"
#include "core/zt.h"
#include "tests/lib/check.h"

#include <sodium.h>

static struct crypt_key *key_get(const json_t *entry)
{
	struct blob key48 = blob_get(entry, "key48");
	assert_int_equal(key48.length, 48);
	struct crypt_key *key = crypt_key_new(key48.bytes);
	assert_non_null(key);
	blob_free(&key48);
	return key;
}

static void vl1_salsa20(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "salsa20"), i, entry)
	{
		struct blob key = blob_get(entry, "key"), nonce = blob_get(entry, "nonce");
		for (unsigned k = 0; k < SALSA_KERNELS; k++) {
			if (!salsa_kernel_available(k)) {
				continue;
			}
			uint8_t stream[256] = { 0 };
			struct salsa s;
			salsa_init(&s, 12, key.bytes, nonce.bytes);
			salsa_kernel_run(k, &s, NULL, stream, stream, sizeof stream);
			assert_field_equal(entry, "salsa2012", stream, sizeof stream);
			memset(stream, 0, sizeof stream);
			salsa_init(&s, 20, key.bytes, nonce.bytes);
			salsa_kernel_run(k, &s, NULL, stream, stream, sizeof stream);
			assert_field_equal(entry, "salsa2020", stream, sizeof stream);
		}
		blob_free(&key);
		blob_free(&nonce);
	}
	assert_true(i > 0);
}

static void seal_check(const json_t *entry, struct crypt_key *key, const struct blob *armored)
{
	struct blob plain = blob_get(entry, "plain");
	uint8_t cipher = (uint8_t)vector_number(entry, "cipher");
	size_t hops = vector_number(entry, "hops");
	uint8_t apart[PACKET_MAX_BYTES];

	assert_int_equal(plain.length, armored->length);
	assert_int_equal(crypt_seal(key, cipher, apart, plain.bytes, plain.length), 0);
	for (size_t i = 0; i < hops; i++) {
		datagram_hop(apart);
	}
	assert_memory_equal(apart, armored->bytes, armored->length);

	assert_int_equal(crypt_seal(key, cipher, plain.bytes, plain.bytes, plain.length), 0);
	memcpy(apart + PACKET_FLAGS_AT, plain.bytes + PACKET_FLAGS_AT, 1); /* the hops */
	assert_memory_equal(plain.bytes, apart, plain.length);
	blob_free(&plain);
}

static void open_check(const json_t *entry, struct crypt_key *key, struct blob *armored)
{
	bool accept = vector_bool(entry, "accept");
	int err = crypt_open(key, armored->bytes, armored->length);
	if (!accept) {
		assert_int_equal(err, ZT_E_BAD_MAC);
		return;
	}
	assert_int_equal(err, 0);
	struct blob plain = blob_get(entry, "plain");
	assert_memory_equal(armored->bytes + PACKET_VERB_AT, plain.bytes + PACKET_VERB_AT,
			    plain.length - PACKET_VERB_AT);
	blob_free(&plain);
}

static void trusted_check(const json_t *entry, const struct blob *armored)
{
	struct blob plain = blob_get(entry, "plain");
	struct blob id = blob_get(entry, "trusted_path_id");
	struct rd r = rd_init(id.bytes, id.length);
	assert_int_equal(packet_cipher(armored->bytes), PACKET_CIPHER_TRUSTED);
	assert_true(packet_trusted_id(armored->bytes) == rd_u64(&r));
	packet_trusted_seal(plain.bytes, packet_trusted_id(armored->bytes));
	assert_int_equal(plain.length, armored->length);
	assert_memory_equal(armored->bytes, plain.bytes, plain.length);
	blob_free(&plain);
	blob_free(&id);
}

static void vl1_armored_packets(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "armored_packets"), i, entry)
	{
		struct blob armored = blob_get(entry, "armored");
		if (vector_number(entry, "cipher") == PACKET_CIPHER_TRUSTED) {
			trusted_check(entry, &armored);
			blob_free(&armored);
			continue;
		}
		struct crypt_key *key = key_get(entry);
		assert_int_equal(armored.length, vector_number(entry, "length"));
		if (json_object_get(entry, "plain")) {
			seal_check(entry, key, &armored);
		}
		open_check(entry, key, &armored);
		crypt_key_free(key);
		blob_free(&armored);
	}
	assert_true(i > 0);
}

static void split_check(const json_t *entry, struct crypt_key *key)
{
	struct blob plain = blob_get(entry, "plain");
	const json_t *datagrams = json_object_get(entry, "datagrams");
	size_t mtu = vector_number(entry, "mtu");
	size_t count = frag_count(plain.length, mtu);
	uint16_t lengths[FRAG_MAX_DATAGRAMS];
	uint8_t *packet = malloc(frag_room(plain.length, count));

	assert_non_null(packet);
	assert_int_equal(count, json_array_size(datagrams));
	assert_int_equal(crypt_seal(key, (uint8_t)vector_number(entry, "cipher"), packet,
				    plain.bytes, plain.length),
			 0);
	assert_field_equal(entry, "armored", packet, plain.length);
	frag_split(packet, plain.length, mtu, lengths);
	const uint8_t *at = packet;
	for (size_t i = 0; i < count; i++) {
		size_t length;
		uint8_t *want =
		    hex_decode(json_string_value(json_array_get(datagrams, i)), &length);
		assert_int_equal(lengths[i], length);
		assert_memory_equal(at, want, length);
		at += lengths[i];
		free(want);
	}
	assert_int_equal(at - packet, frag_room(plain.length, count));
	free(packet);
	blob_free(&plain);
}

static void join_check(const json_t *entry, struct crypt_key *key, struct frag_table *table)
{
	const json_t *datagrams = json_object_get(entry, "datagrams");
	const json_t *order = json_object_get(entry, "arrival_order");
	struct blob plain = blob_get(entry, "plain");
	struct frag_packet packet = { 0 };
	bool is_complete = false;

	for (size_t i = 0; i < json_array_size(order); i++) {
		json_int_t index = json_integer_value(json_array_get(order, i));
		struct frag_origin origin = { .socket = (int32_t)index };
		size_t length;
		uint8_t *bytes = hex_decode(
		    json_string_value(json_array_get(datagrams, (size_t)index)), &length);
		if (frag_add(table, bytes, length, &origin, 1, &packet) == FRAG_COMPLETE) {
			assert_false(is_complete);
			is_complete = true;
			assert_field_equal(entry, "armored", packet.bytes, packet.length);
			assert_int_equal(packet.origin.socket, 0);
			assert_int_equal(crypt_open(key, packet.bytes, packet.length), 0);
			assert_memory_equal(packet.bytes + PACKET_VERB_AT,
					    plain.bytes + PACKET_VERB_AT,
					    plain.length - PACKET_VERB_AT);
		}
		free(bytes);
	}
	assert_true(is_complete);
	blob_free(&plain);
}

static void vl1_fragments(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	struct frag_table *table = frag_table_new();
	assert_non_null(table);
	json_array_foreach(vectors_section("vl1.json", "fragments"), i, entry)
	{
		struct crypt_key *key = key_get(entry);
		split_check(entry, key);
		join_check(entry, key, table);
		crypt_key_free(key);
	}
	assert_true(i > 0);
	frag_table_free(table);
}

/* Entries that were sent: decode what another encoder made, and our own encoder's output. */
static void sent_check(const json_t *entry)
{
	struct blob plain = blob_get(entry, "plain_uncompressed");
	struct blob sent = blob_get(entry, "plain_sent");
	struct blob armored = blob_get(entry, "armored");
	struct crypt_key *key = key_get(entry);
	uint8_t packet[PACKET_MAX_BYTES], out[PACKET_MAX_BYTES];
	size_t length;

	assert_int_equal(crypt_open(key, armored.bytes, armored.length), 0);
	assert_memory_equal(armored.bytes + PACKET_VERB_AT, sent.bytes + PACKET_VERB_AT,
			    sent.length - PACKET_VERB_AT);
	assert_int_equal(packet_is_compressed(sent.bytes), vector_bool(entry, "compressed"));
	if (packet_is_compressed(sent.bytes)) {
		assert_int_equal(packet_expand(sent.bytes, sent.length, out, &length), 0);
		assert_int_equal(length, plain.length);
		assert_memory_equal(out, plain.bytes, length);
	}

	memcpy(packet, plain.bytes, plain.length);
	length = packet_compress(packet, plain.length);
	assert_int_equal(length < plain.length, vector_bool(entry, "compressed"));
	assert_int_equal(packet_is_compressed(packet), length < plain.length);
	if (length < plain.length) {
		assert_int_equal(packet_expand(packet, length, out, &length), 0);
		assert_memory_equal(out, plain.bytes, plain.length);
	}
	crypt_key_free(key);
	blob_free(&plain);
	blob_free(&sent);
	blob_free(&armored);
}

static void received_check(const json_t *entry)
{
	struct blob received = blob_get(entry, "plain_received");
	uint8_t out[PACKET_MAX_BYTES];
	size_t length = 0;
	assert_true(packet_is_compressed(received.bytes));
	int err = packet_expand(received.bytes, received.length, out, &length);
	assert_int_equal(err == 0, vector_bool(entry, "accept"));
	if (err == 0) {
		assert_field_equal(entry, "plain_uncompressed", out, length);
	}
	blob_free(&received);
}

static void vl1_compression(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "compression"), i, entry)
	{
		if (json_object_get(entry, "plain_received")) {
			received_check(entry);
		} else {
			sent_check(entry);
		}
	}
	assert_true(i > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vl1_salsa20),
		cmocka_unit_test(vl1_armored_packets),
		cmocka_unit_test(vl1_fragments),
		cmocka_unit_test(vl1_compression),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
