/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* AES-256-GMAC-SIV as packets of cipher 3 use it (vl1 5.5), through libcrypto. */
#ifndef ZT_SIV_H
#define ZT_SIV_H

#include <stddef.h>
#include <stdint.h>

/* libcrypto contexts with their keys loaded: nothing is allocated per packet. Not for two threads
 * at once. */
struct siv;

/* k0 keys GMAC, k1 the cipher. NULL when memory or libcrypto fails. */
struct siv *siv_new(const uint8_t k0[32], const uint8_t k1[32]) __attribute__((warn_unused_result));
void siv_free(struct siv *siv);

/* Encrypt `length` bytes from `in` to `out` (may be equal) under `iv`; aad is already padded.
 * 0 or ZT_E_NO_CRYPTO. */
struct siv_text {
	const uint8_t *in;
	uint8_t *out;
	size_t length;
};
int siv_seal(struct siv *siv, const uint8_t iv[8], const uint8_t aad[16],
	     const struct siv_text *text, uint8_t tag[16]) __attribute__((warn_unused_result));
/* 0, ZT_E_BAD_MAC (text->out is garbage then) or ZT_E_NO_CRYPTO. */
int siv_open(struct siv *siv, const uint8_t tag[16], const uint8_t aad[16],
	     const struct siv_text *text) __attribute__((warn_unused_result));

#endif
