/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: the address of a node is the end of a deliberately slow hash of its public keys,
 * so that addresses cannot be made to order. The hash fills 2 MiB with chained keystream and then
 * walks through it, each step swapping a word of the digest with a word that the memory itself
 * names (vl1 2.2). Everything else is plain X25519 and Ed25519 from libsodium; signatures are made
 * over the first half of the message's SHA-512, which is carried along with them (vl1 3.3).
 */
#include "core/identity.h"

#include "base/bug.h"
#include "core/mem.h"
#include "core/salsa.h"
#include "core/zt.h"

#include <sodium.h>
#include <string.h>

enum {
	HASH_MEMORY_BYTES = 2097152, /* vl1 2.2 */
	HASH_WORD_BYTES = 8,
	HASH_WORDS = HASH_MEMORY_BYTES / HASH_WORD_BYTES,
	HASH_RUN_BLOCKS = 64, /* keystream made at once: 4 KiB stay in the first-level cache */
	HASHCASH_LIMIT = 17,  /* first byte of a valid hash is below (vl1 2.3) */
	HASH_ADDRESS_AT = 59,
	KEY_HALF_BYTES = 32,
	DIGEST_BYTES = 32, /* what is signed */
};

bool address_is_reserved(uint64_t address)
{
	return address == 0 || address >> 32 == 0xff;
}

/* ---- forms ---------------------------------------------------------------------------------- */

int identity_read(struct rd *r, struct identity *out)
{
	struct identity id = { .address = rd_u40(r) };
	uint8_t type = rd_u8(r);
	rd_copy(r, id.public_key, sizeof id.public_key);
	uint8_t secret_length = rd_u8(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if (type != 0 || (secret_length != 0 && secret_length != IDENTITY_KEY_BYTES)) {
		return ZT_E_MALFORMED;
	}
	(void)rd_bytes(r, secret_length);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if (address_is_reserved(id.address)) {
		return ZT_E_BAD_IDENTITY;
	}
	*out = id;
	return 0;
}

void identity_write(struct wr *w, const struct identity *id)
{
	wr_u40(w, id->address);
	wr_u8(w, 0);
	wr_bytes(w, id->public_key, sizeof id->public_key);
	wr_u8(w, 0);
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

/* Exactly `length` bytes of hex; moves *text behind them. */
static bool hex_take(const char **text, uint8_t *out, size_t length)
{
	const char *p = *text;
	for (size_t i = 0; i < length; i++) {
		int high = nibble(p[2 * i]);
		int low = high < 0 ? -1 : nibble(p[2 * i + 1]);
		if (low < 0) {
			return false;
		}
		out[i] = (uint8_t)(high << 4 | low);
	}
	*text = p + 2 * length;
	return true;
}

static bool char_take(const char **text, char c)
{
	if (**text != c) {
		return false;
	}
	++*text;
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void space_take(const char **text)
{
	while (is_space(**text)) {
		++*text;
	}
}

int identity_parse(const char *text, struct identity *out)
{
	struct identity id = { 0 };
	uint8_t address[5];
	uint8_t derived[IDENTITY_KEY_BYTES];
	int err = ZT_E_MALFORMED;

	space_take(&text);
	if (!hex_take(&text, address, sizeof address) || !char_take(&text, ':') ||
	    !char_take(&text, '0') || !char_take(&text, ':') ||
	    !hex_take(&text, id.public_key, sizeof id.public_key)) {
		goto done;
	}
	if (char_take(&text, ':')) {
		if (!hex_take(&text, id.secret, sizeof id.secret)) {
			goto done;
		}
		id.has_secret = true;
	}
	space_take(&text);
	if (*text != '\0') {
		goto done;
	}
	struct rd r = rd_init(address, sizeof address);
	id.address = rd_u40(&r);
	err = ZT_E_BAD_IDENTITY;
	if (address_is_reserved(id.address)) {
		goto done;
	}
	if (id.has_secret && (keypair_make(id.secret, derived) != 0 ||
			      sodium_memcmp(derived, id.public_key, sizeof derived) != 0)) {
		goto done;
	}
	*out = id;
	err = 0;
done:
	identity_wipe(&id);
	return err;
}

static char *hex_put(char *p, const uint8_t *bytes, size_t length)
{
	(void)sodium_bin2hex(p, 2 * length + 1, bytes, length);
	return p + 2 * length;
}

const char *identity_text(const struct identity *id, bool with_secret, char out[IDENTITY_TEXT_MAX])
{
	BUG_ON(with_secret && !id->has_secret);
	uint8_t address[5];
	struct wr w = wr_init(address, sizeof address);
	wr_u40(&w, id->address);
	char *p = hex_put(out, address, sizeof address);
	memcpy(p, ":0:", 3);
	p = hex_put(p + 3, id->public_key, sizeof id->public_key);
	if (with_secret) {
		*p++ = ':';
		p = hex_put(p, id->secret, sizeof id->secret);
	}
	*p = '\0';
	return out;
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->address == b->address &&
	       memcmp(a->public_key, b->public_key, sizeof a->public_key) == 0;
}

void identity_wipe(struct identity *id)
{
	sodium_memzero(id, sizeof *id);
}

/* ---- the memory-hard hash ------------------------------------------------------------------- */

static uint64_t word_read(const uint8_t *p)
{
	struct rd r = rd_init(p, HASH_WORD_BYTES);
	return rd_u64(&r);
}

static void word_swap(uint8_t *a, uint8_t *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	memcpy(a, &y, sizeof y);
	memcpy(b, &x, sizeof x);
}

static void block_xor(uint8_t *to, const uint8_t *from)
{
	for (size_t i = 0; i < SALSA_BLOCK_BYTES; i += sizeof(uint64_t)) {
		uint64_t x, y;
		memcpy(&x, to + i, sizeof x);
		memcpy(&y, from + i, sizeof y);
		x ^= y;
		memcpy(to + i, &x, sizeof x);
	}
}

/* Phase 1: keystream in which each block also contains all before it. */
static void hash_fill(struct salsa *s, uint8_t *memory)
{
	salsa_xor(s, memory, memory, HASH_MEMORY_BYTES);
	for (size_t at = SALSA_BLOCK_BYTES; at < HASH_MEMORY_BYTES; at += SALSA_BLOCK_BYTES) {
		block_xor(memory + at, memory + at - SALSA_BLOCK_BYTES);
	}
}

/* Phase 2: walk through the memory, shuffling it with the digest. */
static void hash_walk(struct salsa *s, uint8_t *memory, uint8_t digest[IDENTITY_HASH_BYTES])
{
	static const uint8_t zeros[HASH_RUN_BLOCKS * SALSA_BLOCK_BYTES];
	uint8_t stream[sizeof zeros];
	size_t i = 0;
	while (i < HASH_WORDS) {
		salsa_xor(s, stream, zeros, sizeof stream);
		for (size_t b = 0; b < HASH_RUN_BLOCKS; b++) {
			size_t mine = word_read(memory + HASH_WORD_BYTES * i++) % 8;
			size_t theirs = word_read(memory + HASH_WORD_BYTES * i++) % HASH_WORDS;
			word_swap(memory + HASH_WORD_BYTES * theirs,
				  digest + HASH_WORD_BYTES * mine);
			block_xor(digest, stream + b * SALSA_BLOCK_BYTES);
		}
	}
}

int identity_hash(const uint8_t public_key[IDENTITY_KEY_BYTES], uint8_t out[IDENTITY_HASH_BYTES])
{
	uint8_t *memory = zt_calloc(1, HASH_MEMORY_BYTES);
	if (!memory) {
		return ZT_E_NO_MEMORY;
	}
	struct salsa s;
	(void)crypto_hash_sha512(out, public_key, IDENTITY_KEY_BYTES);
	salsa_init(&s, 20, out, out + KEY_HALF_BYTES);
	hash_fill(&s, memory);
	hash_walk(&s, memory, out);
	zt_free(memory);
	return 0;
}

static uint64_t hash_address(const uint8_t hash[IDENTITY_HASH_BYTES])
{
	struct rd r = rd_init(hash + HASH_ADDRESS_AT, 5);
	return rd_u40(&r);
}

bool identity_hash_ok(uint64_t address, const uint8_t hash[IDENTITY_HASH_BYTES])
{
	return !address_is_reserved(address) && hash[0] < HASHCASH_LIMIT &&
	       hash_address(hash) == address;
}

int identity_validate(const struct identity *id)
{
	uint8_t hash[IDENTITY_HASH_BYTES];
	if (address_is_reserved(id->address)) {
		return ZT_E_BAD_IDENTITY;
	}
	int err = identity_hash(id->public_key, hash);
	if (err != 0) {
		return err;
	}
	return identity_hash_ok(id->address, hash) ? 0 : ZT_E_BAD_IDENTITY;
}

int identity_generate(struct identity *out, identity_random *random, void *context)
{
	struct identity id = { .has_secret = true };
	uint8_t hash[IDENTITY_HASH_BYTES];
	int err;

	random(context, id.secret, sizeof id.secret);
	for (;;) {
		err = keypair_make(id.secret, id.public_key);
		if (err == 0) {
			err = identity_hash(id.public_key, hash);
		}
		if (err != 0) {
			break;
		}
		id.address = hash_address(hash);
		if (identity_hash_ok(id.address, hash)) {
			*out = id;
			break;
		}
		random(context, id.secret, KEY_HALF_BYTES); /* another X25519 half */
	}
	identity_wipe(&id);
	return err;
}

/* ---- keys ----------------------------------------------------------------------------------- */

int keypair_make(const uint8_t secret[IDENTITY_KEY_BYTES], uint8_t public_key[IDENTITY_KEY_BYTES])
{
	uint8_t expanded[crypto_sign_ed25519_SECRETKEYBYTES];
	int failed = crypto_scalarmult_curve25519_base(public_key, secret);
	failed |= crypto_sign_ed25519_seed_keypair(public_key + KEY_HALF_BYTES, expanded,
						   secret + KEY_HALF_BYTES);
	sodium_memzero(expanded, sizeof expanded);
	return failed ? ZT_E_NO_CRYPTO : 0;
}

int identity_agree(const struct identity *mine, const struct identity *theirs,
		   uint8_t key[AGREED_KEY_BYTES])
{
	BUG_ON(!mine->has_secret);
	uint8_t raw[crypto_scalarmult_curve25519_BYTES];
	uint8_t hash[crypto_hash_sha512_BYTES];
	/* Fails for public keys of small order, whose result everybody knows (vl1 19, item 11). */
	if (crypto_scalarmult_curve25519(raw, mine->secret, theirs->public_key) != 0) {
		return ZT_E_NO_CRYPTO;
	}
	(void)crypto_hash_sha512(hash, raw, sizeof raw);
	memcpy(key, hash, AGREED_KEY_BYTES);
	sodium_memzero(raw, sizeof raw);
	sodium_memzero(hash, sizeof hash);
	return 0;
}

void signature_make(const uint8_t public_key[IDENTITY_KEY_BYTES],
		    const uint8_t secret[IDENTITY_KEY_BYTES], const void *message, size_t length,
		    uint8_t signature[SIGNATURE_BYTES])
{
	uint8_t hash[crypto_hash_sha512_BYTES];
	uint8_t signer[crypto_sign_ed25519_SECRETKEYBYTES]; /* libsodium's form: seed, public key */
	memcpy(signer, secret + KEY_HALF_BYTES, KEY_HALF_BYTES);
	memcpy(signer + KEY_HALF_BYTES, public_key + KEY_HALF_BYTES, KEY_HALF_BYTES);
	(void)crypto_hash_sha512(hash, message, length);
	(void)crypto_sign_ed25519_detached(signature, NULL, hash, DIGEST_BYTES, signer);
	memcpy(signature + crypto_sign_ed25519_BYTES, hash, DIGEST_BYTES);
	sodium_memzero(signer, sizeof signer);
}

bool signature_verify(const uint8_t public_key[IDENTITY_KEY_BYTES], const void *message,
		      size_t length, const uint8_t signature[SIGNATURE_BYTES])
{
	uint8_t hash[crypto_hash_sha512_BYTES];
	(void)crypto_hash_sha512(hash, message, length);
	return memcmp(signature + crypto_sign_ed25519_BYTES, hash, DIGEST_BYTES) == 0 &&
	       crypto_sign_ed25519_verify_detached(signature, hash, DIGEST_BYTES,
						   public_key + KEY_HALF_BYTES) == 0;
}

void identity_sign(const struct identity *id, const void *message, size_t length,
		   uint8_t signature[SIGNATURE_BYTES])
{
	BUG_ON(!id->has_secret);
	signature_make(id->public_key, id->secret, message, length, signature);
}

bool identity_verify(const struct identity *id, const void *message, size_t length,
		     const uint8_t signature[SIGNATURE_BYTES])
{
	return signature_verify(id->public_key, message, length, signature);
}
