/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/extended.h"

#include "core/identity.h"
#include "core/mem.h"
#include "core/zt.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

enum {
	KEY_BYTES = 32, /* the sender's ephemeral X25519 key, at the packet's end */
	COUNTER_BYTES = 16,
	COUNTER_FROM_PACKET = 12, /* id and four bytes of the destination */
	HIDDEN_AT = 19,           /* from the MAC on */
};

struct extended {
	EVP_CIPHER_CTX *ctr; /* AES-256-CTR */
};

struct extended *extended_new(void)
{
	struct extended *extended = zt_calloc(1, sizeof *extended);
	if (!extended) {
		return NULL;
	}
	extended->ctr = EVP_CIPHER_CTX_new();
	if (!extended->ctr ||
	    EVP_EncryptInit_ex(extended->ctr, EVP_aes_256_ctr(), NULL, NULL, NULL) != 1) {
		extended_free(extended);
		return NULL;
	}
	return extended;
}

void extended_free(struct extended *extended)
{
	if (extended) {
		EVP_CIPHER_CTX_free(extended->ctr); /* wipes its key; NULL is fine */
		zt_free(extended);
	}
}

int extended_open(struct extended *extended, const struct identity *mine, uint8_t *packet,
		  size_t *length)
{
	if (*length < PACKET_MIN_BYTES + KEY_BYTES) {
		return ZT_E_SHORT;
	}
	size_t inner = *length - KEY_BYTES;
	uint8_t raw[crypto_scalarmult_curve25519_BYTES];
	uint8_t key[crypto_hash_sha512_BYTES]; /* its first half */
	uint8_t counter[COUNTER_BYTES] = { 0 };
	int n;
	if (crypto_scalarmult_curve25519(raw, mine->secret, packet + inner) != 0) {
		return ZT_E_NO_CRYPTO;
	}
	(void)crypto_hash_sha512(key, raw, sizeof raw);
	memcpy(counter, packet, COUNTER_FROM_PACKET);
	bool ok = EVP_EncryptInit_ex(extended->ctr, NULL, NULL, key, counter) == 1 &&
		  EVP_EncryptUpdate(extended->ctr, packet + HIDDEN_AT, &n, packet + HIDDEN_AT,
				    (int)(inner - HIDDEN_AT)) == 1;
	sodium_memzero(raw, sizeof raw);
	sodium_memzero(key, sizeof key);
	if (!ok) {
		return ZT_E_NO_CRYPTO;
	}
	*length = inner;
	return 0;
}
