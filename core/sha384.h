/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* SHA-384 and HMAC-SHA384, which libsodium lacks (vl1 3). */
#ifndef ZT_SHA384_H
#define ZT_SHA384_H

#include <stddef.h>
#include <stdint.h>

enum { SHA384_BYTES = 48 };

void sha384(const void *bytes, size_t length, uint8_t out[SHA384_BYTES]);
/* key: at most 128 bytes (the HMAC block size). */
void hmac_sha384(const uint8_t *key, size_t key_length, const void *bytes, size_t length,
		 uint8_t out[SHA384_BYTES]);

#endif
