/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: GMAC over header and plaintext gives a synthetic value; encrypted as one AES
 * block it is both the tag and the counter's start, so that a repeated IV leaks only whether two
 * packets are equal (vl1 5.5). Two libcrypto contexts suffice for the sender, because encrypting
 * one block is CTR over zeros with that block as counter; the receiver also needs the inverse
 * cipher.
 */
#include "core/siv.h"

#include "core/mem.h"
#include "core/zt.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

enum { AES_BLOCK_BYTES = 16, GMAC_NONCE_BYTES = 12, SIV_HALF_BYTES = 8 };

struct siv {
	EVP_CIPHER_CTX *gmac;    /* AES-256-GCM with K0; all input as additional data */
	EVP_CIPHER_CTX *ctr;     /* AES-256-CTR with K1 */
	EVP_CIPHER_CTX *inverse; /* AES-256-ECB decryption with K1 */
};

struct siv *siv_new(const uint8_t k0[32], const uint8_t k1[32])
{
	struct siv *siv = zt_calloc(1, sizeof *siv);
	if (!siv) {
		return NULL;
	}
	siv->gmac = EVP_CIPHER_CTX_new();
	siv->ctr = EVP_CIPHER_CTX_new();
	siv->inverse = EVP_CIPHER_CTX_new();
	if (!siv->gmac || !siv->ctr || !siv->inverse ||
	    EVP_EncryptInit_ex(siv->gmac, EVP_aes_256_gcm(), NULL, k0, NULL) != 1 ||
	    EVP_EncryptInit_ex(siv->ctr, EVP_aes_256_ctr(), NULL, k1, NULL) != 1 ||
	    EVP_DecryptInit_ex(siv->inverse, EVP_aes_256_ecb(), NULL, k1, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(siv->inverse, 0) != 1) {
		siv_free(siv);
		return NULL;
	}
	return siv;
}

void siv_free(struct siv *siv)
{
	if (!siv) {
		return;
	}
	EVP_CIPHER_CTX_free(siv->gmac); /* wipes its key; NULL is fine */
	EVP_CIPHER_CTX_free(siv->ctr);
	EVP_CIPHER_CTX_free(siv->inverse);
	zt_free(siv);
}

/* The 8-byte synthetic value: GMAC folded in half. */
static bool synthetic(struct siv *siv, const uint8_t iv[8], const uint8_t aad[16],
		      const uint8_t *plain, size_t length, uint8_t out[SIV_HALF_BYTES])
{
	uint8_t nonce[GMAC_NONCE_BYTES] = { 0 };
	uint8_t tag[AES_BLOCK_BYTES];
	int n;
	memcpy(nonce, iv, SIV_HALF_BYTES);
	if (EVP_EncryptInit_ex(siv->gmac, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(siv->gmac, NULL, &n, aad, AES_BLOCK_BYTES) != 1 ||
	    EVP_EncryptUpdate(siv->gmac, NULL, &n, plain, (int)length) != 1 ||
	    EVP_EncryptFinal_ex(siv->gmac, tag, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(siv->gmac, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) != 1) {
		return false;
	}
	for (size_t i = 0; i < SIV_HALF_BYTES; i++) {
		out[i] = tag[i] ^ tag[SIV_HALF_BYTES + i];
	}
	return true;
}

static bool ctr_run(struct siv *siv, const uint8_t counter[AES_BLOCK_BYTES], const uint8_t *in,
		    uint8_t *out, size_t length)
{
	int n;
	return EVP_EncryptInit_ex(siv->ctr, NULL, NULL, NULL, counter) == 1 &&
	       EVP_EncryptUpdate(siv->ctr, out, &n, in, (int)length) == 1;
}

/* The tag's top bit of byte 12 cleared: the 32-bit counter in bytes 12 to 15 cannot wrap. */
static void counter_from_tag(const uint8_t tag[AES_BLOCK_BYTES], uint8_t counter[AES_BLOCK_BYTES])
{
	memcpy(counter, tag, AES_BLOCK_BYTES);
	counter[12] &= 0x7f;
}

int siv_seal(struct siv *siv, const uint8_t iv[8], const uint8_t aad[16],
	     const struct siv_text *text, uint8_t tag[16])
{
	static const uint8_t zeros[AES_BLOCK_BYTES];
	uint8_t block[AES_BLOCK_BYTES];
	uint8_t counter[AES_BLOCK_BYTES];
	memcpy(block, iv, SIV_HALF_BYTES);
	if (!synthetic(siv, iv, aad, text->in, text->length, block + SIV_HALF_BYTES) ||
	    !ctr_run(siv, block, zeros, tag, AES_BLOCK_BYTES)) {
		return ZT_E_NO_CRYPTO;
	}
	counter_from_tag(tag, counter);
	return ctr_run(siv, counter, text->in, text->out, text->length) ? 0 : ZT_E_NO_CRYPTO;
}

int siv_open(struct siv *siv, const uint8_t tag[16], const uint8_t aad[16],
	     const struct siv_text *text)
{
	uint8_t block[AES_BLOCK_BYTES];
	uint8_t counter[AES_BLOCK_BYTES];
	uint8_t expected[SIV_HALF_BYTES];
	int n;
	counter_from_tag(tag, counter);
	if (EVP_DecryptUpdate(siv->inverse, block, &n, tag, AES_BLOCK_BYTES) != 1 ||
	    !ctr_run(siv, counter, text->in, text->out, text->length) ||
	    !synthetic(siv, block, aad, text->out, text->length, expected)) {
		return ZT_E_NO_CRYPTO;
	}
	return sodium_memcmp(expected, block + SIV_HALF_BYTES, sizeof expected) == 0 ? 0
										     : ZT_E_BAD_MAC;
}
