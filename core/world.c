/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/world.h"

#include "base/bug.h"
#include "core/zt.h"

#include <string.h>

enum {
	SIGNED_MARK_BYTES = 8,
	SIGNED_MARK_FIRST = 0x7f, /* around the signed bytes (vl1 11.1) */
	SIGNED_MARK_LAST = 0xf7,
	MOON_DICTIONARY_BYTES = 0, /* ours are empty */
};

static int root_read(struct rd *r, struct world_root *out)
{
	int err = identity_read(r, &out->identity);
	if (err != 0) {
		return err;
	}
	size_t count = rd_u8(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if (count > WORLD_MAX_ENDPOINTS) {
		return ZT_E_TOO_BIG;
	}
	for (size_t i = 0; i < count; i++) {
		err = endpoint_read(r, &out->endpoints[i]);
		if (err != 0) {
			return err;
		}
	}
	out->endpoint_count = count;
	return 0;
}

int world_read(struct rd *r, struct world *out)
{
	struct world world = { .type = rd_u8(r), .id = rd_u64(r), .timestamp = rd_u64(r) };
	rd_copy(r, world.next_key, sizeof world.next_key);
	rd_copy(r, world.signature, sizeof world.signature);
	world.root_count = rd_u8(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if (world.type != WORLD_TYPE_PLANET && world.type != WORLD_TYPE_MOON) {
		return ZT_E_MALFORMED;
	}
	if (world.root_count > WORLD_MAX_ROOTS) {
		return ZT_E_TOO_BIG;
	}
	for (size_t i = 0; i < world.root_count; i++) {
		int err = root_read(r, &world.roots[i]);
		if (err != 0) {
			return err;
		}
	}
	if (world.type == WORLD_TYPE_MOON) {
		(void)rd_bytes(r, rd_u16(r)); /* attached dictionary: nobody uses it */
	}
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = world;
	return 0;
}

/* All but the signature, which is not among the signed bytes. */
static void start_write(struct wr *w, const struct world *world)
{
	wr_u8(w, world->type);
	wr_u64(w, world->id);
	wr_u64(w, world->timestamp);
	wr_bytes(w, world->next_key, sizeof world->next_key);
}

static void roots_write(struct wr *w, const struct world *world)
{
	wr_u8(w, (uint8_t)world->root_count);
	for (size_t i = 0; i < world->root_count; i++) {
		const struct world_root *root = &world->roots[i];
		identity_write(w, &root->identity);
		wr_u8(w, (uint8_t)root->endpoint_count);
		for (size_t j = 0; j < root->endpoint_count; j++) {
			endpoint_write(w, &root->endpoints[j]);
		}
	}
	if (world->type == WORLD_TYPE_MOON) {
		wr_u16(w, MOON_DICTIONARY_BYTES);
	}
}

void world_write(struct wr *w, const struct world *world)
{
	BUG_ON(world->root_count > WORLD_MAX_ROOTS);
	start_write(w, world);
	wr_bytes(w, world->signature, sizeof world->signature);
	roots_write(w, world);
}

static size_t signed_bytes(const struct world *world, uint8_t out[WORLD_MAX_BYTES])
{
	uint8_t first[SIGNED_MARK_BYTES], last[SIGNED_MARK_BYTES];
	struct wr w = wr_init(out, WORLD_MAX_BYTES);
	memset(first, SIGNED_MARK_FIRST, sizeof first);
	memset(last, SIGNED_MARK_LAST, sizeof last);
	wr_bytes(&w, first, sizeof first);
	start_write(&w, world);
	roots_write(&w, world);
	wr_bytes(&w, last, sizeof last);
	BUG_ON(w.bad);
	return wr_length(&w);
}

void world_sign(struct world *world, const uint8_t public_key[IDENTITY_KEY_BYTES],
		const uint8_t secret[IDENTITY_KEY_BYTES])
{
	uint8_t bytes[WORLD_MAX_BYTES];
	size_t length = signed_bytes(world, bytes);
	signature_make(public_key, secret, bytes, length, world->signature);
}

bool world_verify(const struct world *world, const uint8_t public_key[IDENTITY_KEY_BYTES])
{
	uint8_t bytes[WORLD_MAX_BYTES];
	size_t length = signed_bytes(world, bytes);
	return signature_verify(public_key, bytes, length, world->signature);
}

bool world_replaces(const struct world *stored, const struct world *candidate)
{
	return candidate->type == stored->type && candidate->id == stored->id &&
	       candidate->timestamp > stored->timestamp &&
	       world_verify(candidate, stored->next_key);
}

const struct world_root *world_root_find(const struct world *world, uint64_t address)
{
	for (size_t i = 0; i < world->root_count; i++) {
		if (world->roots[i].identity.address == address) {
			return &world->roots[i];
		}
	}
	return NULL;
}
