/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Node identities: two key pairs and the 40-bit address derived from them (vl1 2 and 3). */
#ifndef ZT_IDENTITY_H
#define ZT_IDENTITY_H

#include "base/rd.h"
#include "base/wr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	IDENTITY_KEY_BYTES = 64,     /* X25519 in the first half, Ed25519 in the second */
	IDENTITY_BYTES = 71,         /* binary, public (vl1 2.6) */
	IDENTITY_SECRET_BYTES = 135, /* binary with the private part; never sent */
	IDENTITY_TEXT_MAX = 272,     /* text with the private part and NUL (vl1 2.5) */
	IDENTITY_HASH_BYTES = 64,
	SIGNATURE_BYTES = 96, /* vl1 3.3 */
	AGREED_KEY_BYTES = 48,
	ADDRESS_DIGITS = 10,
};

struct identity {
	uint64_t address;
	uint8_t public_key[IDENTITY_KEY_BYTES];
	uint8_t
	    secret[IDENTITY_KEY_BYTES]; /* X25519 scalar, Ed25519 seed; zeros without has_secret */
	bool has_secret;
};

/* Zero and addresses starting with ff are never a node's (vl1 1). */
bool address_is_reserved(uint64_t address);

/* Binary form. A private part is stepped over, not kept. ZT_E_SHORT, ZT_E_MALFORMED (type, length
 * of the private part), ZT_E_BAD_IDENTITY (reserved address). The hash is not checked. */
int identity_read(struct rd *r, struct identity *out) __attribute__((warn_unused_result));
/* The public form, IDENTITY_BYTES. */
void identity_write(struct wr *w, const struct identity *id);

/* Text form, white space around it allowed; keeps the private part if there is one, and checks that
 * it belongs to the public one. ZT_E_MALFORMED, ZT_E_BAD_IDENTITY. The hash is not checked. */
int identity_parse(const char *text, struct identity *out) __attribute__((warn_unused_result));
/* Returns `out`. with_secret needs has_secret. */
const char *identity_text(const struct identity *id, bool with_secret, char out[IDENTITY_TEXT_MAX]);

/* The memory-hard hash (vl1 2.2): 2 MiB of scratch memory and 5 to 60 ms; any thread.
 * ZT_E_NO_MEMORY. */
int identity_hash(const uint8_t public_key[IDENTITY_KEY_BYTES], uint8_t out[IDENTITY_HASH_BYTES])
    __attribute__((warn_unused_result));
/* Does a hash prove the address (vl1 2.3)? */
bool identity_hash_ok(uint64_t address, const uint8_t hash[IDENTITY_HASH_BYTES]);
/* Hash and compare. 0, ZT_E_BAD_IDENTITY or ZT_E_NO_MEMORY. */
int identity_validate(const struct identity *id) __attribute__((warn_unused_result));

typedef void identity_random(void *context, void *out, size_t length);
/* A new identity with its secret: on average 15 hashes. ZT_E_NO_MEMORY, ZT_E_NO_CRYPTO. */
int identity_generate(struct identity *out, identity_random *random, void *context)
    __attribute__((warn_unused_result));

/* The 48-byte key two nodes share (vl1 3.1). ZT_E_NO_CRYPTO if the peer's key is degenerate. */
int identity_agree(const struct identity *mine, const struct identity *theirs,
		   uint8_t key[AGREED_KEY_BYTES]) __attribute__((warn_unused_result));

/* 96-byte signatures (vl1 3.3). `id` must have its secret. */
void identity_sign(const struct identity *id, const void *message, size_t length,
		   uint8_t signature[SIGNATURE_BYTES]);
bool identity_verify(const struct identity *id, const void *message, size_t length,
		     const uint8_t signature[SIGNATURE_BYTES]);
/* The same with bare keys in the identity layout, as worlds use them. */
void signature_make(const uint8_t public_key[IDENTITY_KEY_BYTES],
		    const uint8_t secret[IDENTITY_KEY_BYTES], const void *message, size_t length,
		    uint8_t signature[SIGNATURE_BYTES]);
bool signature_verify(const uint8_t public_key[IDENTITY_KEY_BYTES], const void *message,
		      size_t length, const uint8_t signature[SIGNATURE_BYTES]);
/* A key pair in the identity layout that has no address (worlds). 0 or ZT_E_NO_CRYPTO. */
int keypair_make(const uint8_t secret[IDENTITY_KEY_BYTES], uint8_t public_key[IDENTITY_KEY_BYTES])
    __attribute__((warn_unused_result));

/* Same address and same public keys. */
bool identity_equal(const struct identity *a, const struct identity *b);
void identity_wipe(struct identity *id);

#endif
