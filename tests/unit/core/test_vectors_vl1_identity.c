/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl1.json: identities, invalid_identities, memory_hard_hash, key_agreement, signatures. */
#include "core/identity.h"
#include "core/sha384.h"
#include "core/zt.h"
#include "tests/lib/check.h"

#include <sodium.h>

static struct identity parse_ok(const char *text)
{
	struct identity id;
	assert_int_equal(identity_parse(text, &id), 0);
	return id;
}

static int read_whole(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct identity id;
	return identity_read(&r, &id);
}

/* Each is hashed at most here: a hash costs up to 60 ms. */
static void vl1_identities(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "identities"), i, entry)
	{
		struct identity id = parse_ok(vector_string(entry, "secret"));
		struct identity public_id = parse_ok(vector_string(entry, "public"));
		char text[IDENTITY_TEXT_MAX];
		uint8_t hash[IDENTITY_HASH_BYTES], bytes[IDENTITY_BYTES];

		assert_true(id.has_secret);
		assert_false(public_id.has_secret);
		assert_true(identity_equal(&id, &public_id));
		assert_string_equal(identity_text(&id, true, text), vector_string(entry, "secret"));
		assert_string_equal(identity_text(&id, false, text),
				    vector_string(entry, "public"));
		assert_field_equal(entry, "x25519_public", id.public_key, 32);
		assert_field_equal(entry, "ed25519_public", id.public_key + 32, 32);
		assert_field_equal(entry, "x25519_private", id.secret, 32);
		assert_field_equal(entry, "ed25519_seed", id.secret + 32, 32);

		assert_int_equal(identity_hash(id.public_key, hash), 0);
		assert_field_equal(entry, "digest", hash, sizeof hash);
		assert_true(identity_hash_ok(id.address, hash));
		assert_false(identity_hash_ok(id.address ^ 1, hash));

		struct wr w = wr_init(bytes, sizeof bytes);
		identity_write(&w, &id);
		assert_false(w.bad);
		assert_field_equal(entry, "binary_public", bytes, sizeof bytes);
		struct blob secret = blob_get(entry, "binary_secret");
		struct rd r = rd_init(secret.bytes, secret.length);
		struct identity read;
		assert_int_equal(identity_read(&r, &read), 0);
		assert_true(rd_done(&r));
		assert_true(identity_equal(&read, &id));
		assert_false(read.has_secret);
		if (i == 0) {
			assert_prefixes_refused(secret.bytes, secret.length, read_whole);
		}
		blob_free(&secret);
	}
	assert_true(i > 0);
}

static void vl1_invalid_identities(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "invalid_identities"), i, entry)
	{
		struct identity id;
		int err = identity_parse(vector_string(entry, "text"), &id);
		if (err == 0) {
			err = identity_validate(&id);
		}
		assert_int_not_equal(err, 0);
		assert_false(vector_bool(entry, "valid"));
	}
	assert_true(i > 0);
}

static void vl1_memory_hard_hash(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "memory_hard_hash"), i, entry)
	{
		struct blob input = blob_get(entry, "input");
		uint8_t hash[IDENTITY_HASH_BYTES];
		assert_int_equal(input.length, IDENTITY_KEY_BYTES);
		assert_int_equal(identity_hash(input.bytes, hash), 0);
		assert_field_equal(entry, "digest", hash, sizeof hash);
		assert_int_equal(hash[0] < 17, vector_bool(entry, "hashcash_ok"));
		blob_free(&input);
	}
	assert_true(i > 0);
}

static void subkey(const uint8_t key[AGREED_KEY_BYTES], uint8_t label, uint8_t out[SHA384_BYTES])
{
	const uint8_t message[13] = { 0, 0, 0, 0, 'Z', 'T', label, 0, 0, 0, 0, 1, 0x80 };
	hmac_sha384(key, AGREED_KEY_BYTES, message, sizeof message, out);
}

static void vl1_key_agreement(void **state)
{
	(void)state;
	size_t i;
	json_t *entry;
	json_array_foreach(vectors_section("vl1.json", "key_agreement"), i, entry)
	{
		struct identity a = parse_ok(vector_string(entry, "secret_a"));
		struct identity b = parse_ok(vector_string(entry, "secret_b"));
		struct identity public_b = parse_ok(vector_string(entry, "public_b"));
		uint8_t key[AGREED_KEY_BYTES], derived[SHA384_BYTES];
		assert_int_equal(identity_agree(&a, &public_b, key), 0);
		assert_field_equal(entry, "key48", key, sizeof key);
		assert_int_equal(identity_agree(&b, &a, key), 0);
		assert_field_equal(entry, "key48", key, sizeof key);
		subkey(key, '0', derived);
		assert_field_equal(entry, "kbkdf_k0", derived, sizeof derived);
		subkey(key, '1', derived);
		assert_field_equal(entry, "kbkdf_k1", derived, sizeof derived);
	}
	assert_true(i > 0);
}

static void vl1_signatures(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *identities = vectors_section("vl1.json", "identities");
	json_array_foreach(vectors_section("vl1.json", "signatures"), i, entry)
	{
		struct identity id = parse_ok(vector_string(entry, "public"));
		struct blob message = blob_get(entry, "message");
		struct blob signature = blob_get(entry, "signature");
		bool verifies =
		    signature.length == SIGNATURE_BYTES &&
		    identity_verify(&id, message.bytes, message.length, signature.bytes);
		assert_int_equal(verifies, vector_bool(entry, "verifies"));

		size_t j;
		json_t *other;
		json_array_foreach(identities, j, other)
		{
			struct identity signer = parse_ok(vector_string(other, "secret"));
			uint8_t again[SIGNATURE_BYTES];
			if (verifies && identity_equal(&signer, &id)) {
				identity_sign(&signer, message.bytes, message.length, again);
				assert_memory_equal(again, signature.bytes, sizeof again);
			}
		}
		blob_free(&message);
		blob_free(&signature);
	}
	assert_true(i > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vl1_identities),       cmocka_unit_test(vl1_invalid_identities),
		cmocka_unit_test(vl1_memory_hard_hash), cmocka_unit_test(vl1_key_agreement),
		cmocka_unit_test(vl1_signatures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
