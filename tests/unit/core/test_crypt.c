/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* SHA-384, sealing and opening: what the vectors do not show. */
#include "core/crypt.h"
#include "core/mem.h"
#include "core/packet.h"
#include "core/sha384.h"
#include "core/zt.h"
#include "tests/lib/check.h"

#include <openssl/crypto.h>
#include <sodium.h>

enum { LENGTH = 100 };

static const uint8_t ciphers[] = { PACKET_CIPHER_POLY, PACKET_CIPHER_SALSA, PACKET_CIPHER_SIV };
static const uint8_t key48[48] = { 1, 2, 3, [47] = 4 };

static void packet_make(uint8_t *packet, size_t length)
{
	const struct packet_header header = { .id = 0x0102030405060708,
					      .dest = 0x1111111111,
					      .source = 0x2222222222,
					      .verb = VERB_ECHO };
	packet_header_write(packet, &header);
	for (size_t i = PACKET_PAYLOAD_AT; i < length; i++) {
		packet[i] = (uint8_t)i;
	}
}

/* FIPS 180-4 and RFC 4231 cases 1 and 2. */
static void sha384_known_answers(void **state)
{
	(void)state;
	static const struct {
		const char *key, *message, *digest;
	} cases[] = {
		{ NULL, "abc",
		  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc23"
		  "58baeca134c8"
		  "25a7" },
		{ NULL, "",
		  "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fb"
		  "d51ad2f14898"
		  "b95b" },
		{ "\v\v\v\v\v\v\v\v\v\v\v\v\v\v\v\v\v\v\v\v", "Hi There",
		  "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f"
		  "4af152e8b2fa"
		  "9cb6" },
		{ "Jefe", "what do ya want for nothing?",
		  "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c7"
		  "8b3239ecfab2"
		  "1649" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t digest[SHA384_BYTES];
		size_t length;
		uint8_t *want = hex_decode(cases[i].digest, &length);
		const char *message = cases[i].message;
		if (cases[i].key) {
			hmac_sha384((const uint8_t *)cases[i].key, strlen(cases[i].key), message,
				    strlen(message), digest);
		} else {
			sha384(message, strlen(message), digest);
		}
		assert_int_equal(length, sizeof digest);
		assert_memory_equal(digest, want, sizeof digest);
		free(want);
	}
}

static void seal_open_every_length(void **state)
{
	(void)state;
	struct crypt_key *key = crypt_key_new(key48);
	assert_non_null(key);
	for (size_t c = 0; c < sizeof ciphers; c++) {
		for (size_t length = PACKET_MIN_BYTES; length < 1500; length += 1 + length / 40) {
			uint8_t *plain = malloc(length), *wire = malloc(length);
			assert_non_null(plain);
			assert_non_null(wire);
			packet_make(plain, length);
			packet_fragmented_set(plain);
			assert_int_equal(crypt_seal(key, ciphers[c], wire, plain, length), 0);
			assert_int_equal(packet_cipher(wire), ciphers[c]);
			assert_true(packet_is_fragmented(wire));
			assert_int_equal(packet_id(wire) == packet_id(plain),
					 ciphers[c] != PACKET_CIPHER_SIV);
			datagram_hop(wire); /* relays may */
			assert_int_equal(crypt_open(key, wire, length), 0);
			assert_int_equal(packet_hops(wire), 1);
			assert_memory_equal(wire + PACKET_VERB_AT, plain + PACKET_VERB_AT,
					    length - PACKET_VERB_AT);
			free(plain);
			free(wire);
		}
	}
	crypt_key_free(key);
}

/* Any changed bit but the hops, any other length, any other key: refused. */
static void tampering_is_refused(void **state)
{
	(void)state;
	const uint8_t other48[48] = { 9 };
	struct crypt_key *key = crypt_key_new(key48), *other = crypt_key_new(other48);
	uint8_t plain[LENGTH], wire[LENGTH], copy[LENGTH];
	packet_make(plain, sizeof plain);
	for (size_t c = 0; c < sizeof ciphers; c++) {
		assert_int_equal(crypt_seal(key, ciphers[c], wire, plain, LENGTH), 0);
		for (size_t bit = 0; bit < sizeof wire * 8; bit++) {
			memcpy(copy, wire, LENGTH);
			copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
			bool is_hop = bit / 8 == PACKET_FLAGS_AT && bit % 8 < 3;
			assert_int_equal(crypt_open(key, copy, LENGTH) == 0, is_hop);
		}
		for (size_t length = 0; length < LENGTH; length++) {
			memcpy(copy, wire, LENGTH);
			assert_int_equal(crypt_open(key, copy, length),
					 length < PACKET_MIN_BYTES ? ZT_E_SHORT : ZT_E_BAD_MAC);
		}
		assert_int_equal(crypt_open(other, wire, LENGTH), ZT_E_BAD_MAC);
	}
	crypt_key_free(key);
	crypt_key_free(other);
}

static void limits_are_kept(void **state)
{
	(void)state;
	struct crypt_key *key = crypt_key_new(key48);
	static uint8_t packet[PACKET_MAX_BYTES + 1];
	packet_make(packet, sizeof packet);
	assert_int_equal(crypt_seal(key, 1, packet, packet, PACKET_MAX_BYTES + 1), ZT_E_TOO_BIG);
	assert_int_equal(crypt_seal(key, 1, packet, packet, PACKET_MIN_BYTES - 1), ZT_E_SHORT);
	assert_int_equal(crypt_seal(key, 2, packet, packet, LENGTH), ZT_E_UNSUPPORTED);
	assert_int_equal(crypt_seal(key, 4, packet, packet, LENGTH), ZT_E_UNSUPPORTED);
	for (unsigned cipher = 4; cipher < 8; cipher++) {
		packet[PACKET_FLAGS_AT] = (uint8_t)(cipher << PACKET_CIPHER_SHIFT);
		assert_int_equal(crypt_open(key, packet, LENGTH), ZT_E_UNSUPPORTED);
	}
	assert_int_equal(crypt_open(key, packet, PACKET_MAX_BYTES + 1), ZT_E_TOO_BIG);
	assert_int_equal(crypt_seal(key, 3, packet, packet, PACKET_MAX_BYTES), 0);
	assert_int_equal(crypt_open(key, packet, PACKET_MAX_BYTES), 0);
	crypt_key_free(key);
}

/* The tail's keystream ignores the low three bits of the packet id (vl1 5.4). */
static void hello_tail_is_an_involution(void **state)
{
	(void)state;
	struct crypt_key *key = crypt_key_new(key48);
	uint8_t plain[LENGTH], once[LENGTH], other[LENGTH];
	packet_make(plain, LENGTH);
	memcpy(once, plain, LENGTH);
	memcpy(other, plain, LENGTH);
	other[PACKET_ID_AT + 7] ^= 0x05;
	crypt_hello_tail(key, once, 60, LENGTH);
	crypt_hello_tail(key, other, 60, LENGTH);
	assert_memory_equal(once, plain, 60);
	assert_memory_not_equal(once + 60, plain + 60, LENGTH - 60);
	assert_memory_equal(once + 60, other + 60, LENGTH - 60);
	crypt_hello_tail(key, once, 60, LENGTH);
	assert_memory_equal(once, plain, LENGTH);
	crypt_hello_tail(key, once, LENGTH, LENGTH); /* an empty tail */
	crypt_key_free(key);
}

/* libcrypto's allocations, counted. */
static size_t allocations;

static void *counted_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	return malloc(size);
}

static void *counted_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	return realloc(old, size);
}

static void counted_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

static void packets_allocate_nothing(void **state)
{
	(void)state;
	struct crypt_key *key = crypt_key_new(key48);
	uint8_t plain[LENGTH], wire[LENGTH];
	assert_non_null(key);
	assert_true(allocations > 0); /* the counting works */
	packet_make(plain, LENGTH);
	allocations = 0;
	zt_mem_fail_after(0); /* nor by our own hand */
	for (size_t i = 0; i < 10 * sizeof ciphers; i++) {
		assert_int_equal(crypt_seal(key, ciphers[i % 3], wire, plain, LENGTH), 0);
		assert_int_equal(crypt_open(key, wire, LENGTH), 0);
	}
	zt_mem_fail_after(-1);
	assert_int_equal(allocations, 0);
	crypt_key_free(key);
}

static void key_needs_memory(void **state)
{
	(void)state;
	for (long n = 0; n < 2; n++) {
		zt_mem_fail_after(n);
		assert_null(crypt_key_new(key48));
	}
	zt_mem_fail_after(2);
	struct crypt_key *key = crypt_key_new(key48);
	zt_mem_fail_after(-1);
	assert_non_null(key);
	crypt_key_free(key);
	crypt_key_free(NULL);
}

int main(void)
{
	/* Before libcrypto's first use, or it refuses. */
	if (CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) != 1) {
		return 1;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha384_known_answers),
		cmocka_unit_test(seal_open_every_length),
		cmocka_unit_test(tampering_is_refused),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(hello_tail_is_an_involution),
		cmocka_unit_test(packets_allocate_nothing),
		cmocka_unit_test(key_needs_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
