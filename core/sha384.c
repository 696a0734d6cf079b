/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: SHA-384 is SHA-512 started from other values and cut to 48 bytes (FIPS
 * 180-4 5.3.4), and libsodium's SHA-512 state is a public struct. */
#include "core/sha384.h"

#include "base/bug.h"

#include <sodium.h>
#include <string.h>

enum { SHA512_BLOCK_BYTES = 128 };

static void sha384_start(crypto_hash_sha512_state *state)
{
	static const uint64_t initial[8] = {
		0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
		0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
	};
	(void)crypto_hash_sha512_init(state);
	memcpy(state->state, initial, sizeof initial);
}

static void sha384_finish(crypto_hash_sha512_state *state, uint8_t out[SHA384_BYTES])
{
	uint8_t whole[crypto_hash_sha512_BYTES];
	(void)crypto_hash_sha512_final(state, whole);
	memcpy(out, whole, SHA384_BYTES);
	sodium_memzero(whole, sizeof whole);
	sodium_memzero(state, sizeof *state);
}

void sha384(const void *bytes, size_t length, uint8_t out[SHA384_BYTES])
{
	crypto_hash_sha512_state state;
	sha384_start(&state);
	(void)crypto_hash_sha512_update(&state, bytes, length);
	sha384_finish(&state, out);
}

void hmac_sha384(const uint8_t *key, size_t key_length, const void *bytes, size_t length,
		 uint8_t out[SHA384_BYTES])
{
	BUG_ON(key_length > SHA512_BLOCK_BYTES);
	uint8_t pad[SHA512_BLOCK_BYTES];
	uint8_t inner[SHA384_BYTES];
	crypto_hash_sha512_state state;

	memset(pad, 0x36, sizeof pad);
	for (size_t i = 0; i < key_length; i++) {
		pad[i] ^= key[i];
	}
	sha384_start(&state);
	(void)crypto_hash_sha512_update(&state, pad, sizeof pad);
	(void)crypto_hash_sha512_update(&state, bytes, length);
	sha384_finish(&state, inner);

	for (size_t i = 0; i < sizeof pad; i++) {
		pad[i] ^= 0x36 ^ 0x5c;
	}
	sha384_start(&state);
	(void)crypto_hash_sha512_update(&state, pad, sizeof pad);
	(void)crypto_hash_sha512_update(&state, inner, sizeof inner);
	sha384_finish(&state, out);
	sodium_memzero(pad, sizeof pad);
}
