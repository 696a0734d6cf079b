/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Planets and moons: signed lists of root servers (vl1 11). */
#ifndef ZT_WORLD_H
#define ZT_WORLD_H

#include "core/endpoint.h"
#include "core/identity.h"
#include "core/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world_root {
	struct identity identity; /* public part only */
	size_t endpoint_count;
	struct zt_endpoint endpoints[WORLD_MAX_ENDPOINTS];
};

struct world {
	uint8_t type; /* WORLD_TYPE_* */
	uint64_t id;
	uint64_t timestamp;                   /* its revision */
	uint8_t next_key[IDENTITY_KEY_BYTES]; /* signs the next update */
	uint8_t signature[SIGNATURE_BYTES];
	size_t root_count;
	struct world_root roots[WORLD_MAX_ROOTS];
};

/* Reads one world and leaves what follows: OK(HELLO) carries several back to back. Neither
 * signature nor identities are checked. ZT_E_SHORT, ZT_E_MALFORMED, ZT_E_TOO_BIG,
 * ZT_E_BAD_IDENTITY. */
int world_read(struct rd *r, struct world *out) __attribute__((warn_unused_result));
/* WORLD_MAX_BYTES always suffice. */
void world_write(struct wr *w, const struct world *world);

/* Sign with a key pair in the identity layout: the previous world's next key, or for a first world
 * its own. */
void world_sign(struct world *world, const uint8_t public_key[IDENTITY_KEY_BYTES],
		const uint8_t secret[IDENTITY_KEY_BYTES]);
bool world_verify(const struct world *world, const uint8_t public_key[IDENTITY_KEY_BYTES]);
/* May `candidate`, heard from the network, take the place of `stored` (vl1 11.2)? */
bool world_replaces(const struct world *stored, const struct world *candidate);
/* The root with this address, or NULL. */
const struct world_root *world_root_find(const struct world *world, uint64_t address);

#endif
