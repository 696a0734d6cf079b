/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: one agreed key per pair of nodes gives the Salsa20 key (its first 32 bytes) and,
 * by a KDF over all 48, the two AES keys. Ciphers 0 and 1 bind the header by mixing it into the
 * Salsa20 key of each packet ("mangling"); the first keystream block then keys Poly1305, the text
 * starts at the second. Cipher 3 puts the header through GMAC. The hop bits stay out of both:
 * relays change them (vl1 5, 22).
 */
#include "core/crypt.h"

#include "base/bug.h"
#include "core/mem.h"
#include "core/packet.h"
#include "core/salsa.h"
#include "core/sha384.h"
#include "core/siv.h"
#include "core/zt.h"

#include <sodium.h>
#include <string.h>

enum {
	SALSA_ROUNDS = 12,
	SALSA_KEY_BYTES = 32,
	NOT_HOPS = 0xff & ~PACKET_HOPS_MASK,
	SIV_AAD_BYTES = 16,
};

struct crypt_key {
	uint8_t salsa[SALSA_KEY_BYTES];
	struct siv *siv;
};

/* vl1 3.2: NIST SP 800-108 in counter mode, one round; 32 of 48 bytes are used. */
static void subkey_derive(const uint8_t key48[48], uint8_t label, uint8_t out[SHA384_BYTES])
{
	const uint8_t message[13] = { 0, 0, 0, 0, 'Z', 'T', label, 0, 0, 0, 0, 0x01, 0x80 };
	hmac_sha384(key48, 48, message, sizeof message, out);
}

struct crypt_key *crypt_key_new(const uint8_t key48[48])
{
	uint8_t k0[SHA384_BYTES], k1[SHA384_BYTES];
	struct crypt_key *key = zt_calloc(1, sizeof *key);
	/* Chooses libsodium's fastest Poly1305; costs nothing after the first time. */
	if (!key || sodium_init() < 0) {
		zt_free(key);
		return NULL;
	}
	memcpy(key->salsa, key48, sizeof key->salsa);
	subkey_derive(key48, '0', k0);
	subkey_derive(key48, '1', k1);
	key->siv = siv_new(k0, k1);
	sodium_memzero(k0, sizeof k0);
	sodium_memzero(k1, sizeof k1);
	if (!key->siv) {
		crypt_key_free(key);
		return NULL;
	}
	return key;
}

void crypt_key_free(struct crypt_key *key)
{
	if (!key) {
		return;
	}
	siv_free(key->siv);
	sodium_memzero(key, sizeof *key);
	zt_free(key);
}

static int length_check(size_t length)
{
	if (length < PACKET_MIN_BYTES) {
		return ZT_E_SHORT;
	}
	return length > PACKET_MAX_BYTES ? ZT_E_TOO_BIG : 0;
}

/* vl1 5.1: key and nonce of one packet. The size goes in little-endian. */
static void packet_salsa(const struct crypt_key *key, const uint8_t *packet, size_t size,
			 struct salsa *s)
{
	uint8_t mangled[SALSA_KEY_BYTES];
	memcpy(mangled, key->salsa, sizeof mangled);
	for (size_t i = 0; i < PACKET_FLAGS_AT; i++) {
		mangled[i] ^= packet[i];
	}
	mangled[18] ^= packet[PACKET_FLAGS_AT] & NOT_HOPS;
	mangled[19] ^= (uint8_t)size;
	mangled[20] ^= (uint8_t)(size >> 8);
	salsa_init(s, SALSA_ROUNDS, mangled, packet + PACKET_ID_AT);
	sodium_memzero(mangled, sizeof mangled);
}

/* The text of a packet is what follows the header: verb byte and payload. */
static void poly_mac(const uint8_t *packet, size_t length, const uint8_t head[SALSA_BLOCK_BYTES],
		     uint8_t mac[crypto_onetimeauth_poly1305_BYTES])
{
	(void)crypto_onetimeauth_poly1305(mac, packet + PACKET_VERB_AT, length - PACKET_VERB_AT,
					  head);
}

static void poly_seal(const struct crypt_key *key, uint8_t *out, const uint8_t *packet,
		      size_t length)
{
	struct salsa s;
	uint8_t head[SALSA_BLOCK_BYTES];
	uint8_t mac[crypto_onetimeauth_poly1305_BYTES];
	packet_salsa(key, out, length, &s);
	if (packet_cipher(out) == PACKET_CIPHER_SALSA) {
		salsa_head_xor(&s, head, out + PACKET_VERB_AT, packet + PACKET_VERB_AT,
			       length - PACKET_VERB_AT);
	} else {
		salsa_head_xor(&s, head, NULL, NULL, 0);
		memmove(out + PACKET_VERB_AT, packet + PACKET_VERB_AT, length - PACKET_VERB_AT);
	}
	poly_mac(out, length, head, mac);
	memcpy(out + PACKET_MAC_AT, mac, PACKET_MAC_BYTES);
	sodium_memzero(&s, sizeof s); /* the header is public: this is the long-term key */
}

static int poly_open(const struct crypt_key *key, uint8_t *packet, size_t length)
{
	struct salsa s;
	uint8_t head[SALSA_BLOCK_BYTES];
	uint8_t mac[crypto_onetimeauth_poly1305_BYTES];
	packet_salsa(key, packet, length, &s);
	salsa_head_xor(&s, head, NULL, NULL, 0);
	poly_mac(packet, length, head, mac);
	bool is_authentic = sodium_memcmp(mac, packet + PACKET_MAC_AT, PACKET_MAC_BYTES) == 0;
	if (is_authentic && packet_cipher(packet) == PACKET_CIPHER_SALSA) {
		salsa_xor(&s, packet + PACKET_VERB_AT, packet + PACKET_VERB_AT,
			  length - PACKET_VERB_AT);
	}
	sodium_memzero(&s, sizeof s);
	return is_authentic ? 0 : ZT_E_BAD_MAC;
}

static void siv_aad(const uint8_t *packet, uint8_t aad[SIV_AAD_BYTES])
{
	memset(aad, 0, SIV_AAD_BYTES);
	memcpy(aad, packet + PACKET_DEST_AT, PACKET_FLAGS_AT - PACKET_DEST_AT);
	aad[PACKET_FLAGS_AT - PACKET_DEST_AT] = packet[PACKET_FLAGS_AT] & NOT_HOPS;
}

/* The on-wire packet id is half of the tag (vl1 5.5). */
static int siv_packet_seal(struct crypt_key *key, uint8_t *out, const uint8_t *packet,
			   size_t length)
{
	uint8_t aad[SIV_AAD_BYTES], tag[16];
	const struct siv_text text = { packet + PACKET_VERB_AT, out + PACKET_VERB_AT,
				       length - PACKET_VERB_AT };
	siv_aad(out, aad);
	int err = siv_seal(key->siv, out + PACKET_ID_AT, aad, &text, tag);
	memcpy(out + PACKET_ID_AT, tag, 8);
	memcpy(out + PACKET_MAC_AT, tag + 8, 8);
	return err;
}

static int siv_packet_open(struct crypt_key *key, uint8_t *packet, size_t length)
{
	uint8_t aad[SIV_AAD_BYTES], tag[16];
	const struct siv_text text = { packet + PACKET_VERB_AT, packet + PACKET_VERB_AT,
				       length - PACKET_VERB_AT };
	siv_aad(packet, aad);
	memcpy(tag, packet + PACKET_ID_AT, 8);
	memcpy(tag + 8, packet + PACKET_MAC_AT, 8);
	return siv_open(key->siv, tag, aad, &text);
}

int crypt_seal(struct crypt_key *key, uint8_t cipher, uint8_t *out, const uint8_t *packet,
	       size_t length)
{
	int err = length_check(length);
	if (err != 0) {
		return err;
	}
	uint8_t flags = (uint8_t)((packet[PACKET_FLAGS_AT] & PACKET_FLAG_FRAGMENTED) |
				  cipher << PACKET_CIPHER_SHIFT);
	switch (cipher) {
	case PACKET_CIPHER_SALSA:
		flags |= PACKET_FLAG_ENCRYPTED; /* as senders up to protocol 12 do (vl1 4) */
		break;
	case PACKET_CIPHER_POLY:
	case PACKET_CIPHER_SIV:
		break;
	default:
		return ZT_E_UNSUPPORTED;
	}
	memmove(out, packet, PACKET_FLAGS_AT);
	out[PACKET_FLAGS_AT] = flags;
	if (cipher == PACKET_CIPHER_SIV) {
		return siv_packet_seal(key, out, packet, length);
	}
	poly_seal(key, out, packet, length);
	return 0;
}

int crypt_open(struct crypt_key *key, uint8_t *packet, size_t length)
{
	int err = length_check(length);
	if (err != 0) {
		return err;
	}
	switch (packet_cipher(packet)) {
	case PACKET_CIPHER_POLY:
	case PACKET_CIPHER_SALSA:
		return poly_open(key, packet, length);
	case PACKET_CIPHER_SIV:
		return siv_packet_open(key, packet, length);
	default:
		return ZT_E_UNSUPPORTED;
	}
}

void crypt_hello_tail(const struct crypt_key *key, uint8_t *packet, size_t offset, size_t length)
{
	BUG_ON(offset < PACKET_PAYLOAD_AT || offset > length);
	struct salsa s;
	uint8_t iv[8];
	memcpy(iv, packet + PACKET_ID_AT, sizeof iv);
	iv[7] &= 0xf8;
	salsa_init(&s, SALSA_ROUNDS, key->salsa, iv);
	salsa_xor(&s, packet + offset, packet + offset, length - offset);
	sodium_memzero(&s, sizeof s);
}
