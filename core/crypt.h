/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sealing and opening packets between one pair of nodes (vl1 5). */
#ifndef ZT_CRYPT_H
#define ZT_CRYPT_H

#include <stddef.h>
#include <stdint.h>

/* Everything derived from one agreed key: made once per peer, nothing is allocated per packet. */
struct crypt_key;

/* NULL when memory or libcrypto fails. key48 comes from identity_agree. */
struct crypt_key *crypt_key_new(const uint8_t key48[48]) __attribute__((warn_unused_result));
/* Wipes. NULL is fine. */
void crypt_key_free(struct crypt_key *key);

/* Seal `packet` (header, verb, payload) of `length` bytes into `out` (`length` bytes; may be
 * `packet` itself, else must not overlap it). cipher is PACKET_CIPHER_POLY, _SALSA or _SIV. The
 * fragmented bit of byte 18 must be final; cipher bits, bit 7 and hops are set here, the MAC bytes
 * are overwritten. With PACKET_CIPHER_SIV the packet id changes: read it from `out` afterwards
 * (vl1 5.5). ZT_E_SHORT, ZT_E_TOO_BIG, ZT_E_UNSUPPORTED (cipher), ZT_E_NO_CRYPTO. */
int crypt_seal(struct crypt_key *key, uint8_t cipher, uint8_t *out, const uint8_t *packet,
	       size_t length) __attribute__((warn_unused_result));

/* Verify and decrypt in place, by the cipher that byte 18 names. After an error the payload is
 * garbage and must not be used. ZT_E_SHORT, ZT_E_TOO_BIG, ZT_E_UNSUPPORTED (cipher 2, 4 to 7),
 * ZT_E_BAD_MAC, ZT_E_NO_CRYPTO. */
int crypt_open(struct crypt_key *key, uint8_t *packet, size_t length)
    __attribute__((warn_unused_result));

/* The extra encryption of a HELLO's tail: the same call encrypts and decrypts (vl1 5.4). `packet`
 * is the whole packet, the tail is its bytes from `offset` to `length`. */
void crypt_hello_tail(const struct crypt_key *key, uint8_t *packet, size_t offset, size_t length);

#endif
