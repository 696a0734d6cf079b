/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* CHUNK: one signed piece of a configuration dictionary (vl2 3.3). */
#ifndef CORE_CHUNK_H
#define CORE_CHUNK_H

#include "base/rd.h"
#include "base/wr.h"
#include "core/proto2.h"
#include "core/zt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct identity;

enum { CHUNK_FAST_PROPAGATE = 1 };
enum { CHUNK_MAX_BYTES = 8 + 2 + VL2_CHUNK_DATA_MAX_BYTES + 17 + 3 + VL2_SIGNATURE_BYTES };

/* A chunk as read; everything borrows the packet. */
struct chunk {
	uint64_t nwid;
	const uint8_t *data;
	size_t data_length;
	bool is_signed; /* false: a legacy controller's single chunk, nothing below is set */
	uint8_t flags;
	uint64_t update_id;
	uint32_t total_length, offset;
	const uint8_t *signature;    /* VL2_SIGNATURE_BYTES */
	const uint8_t *signed_bytes; /* from nwid to offset */
	size_t signed_length;
};

/* Refuses what 3.3 says to drop before looking at the signature: a piece beyond the total, a total
 * that is too large, a signature of another kind. */
int chunk_read(struct rd *r, struct chunk *out) ZT_MUST_CHECK;
/* Duplicate detection: the signature's first 16 bytes folded. */
uint64_t chunk_key(const struct chunk *chunk);
/* False for unsigned chunks and for identities other than the network's controller. */
bool chunk_verify(const struct chunk *chunk, const struct identity *controller);

/* How many chunks carry a dictionary of this length. */
size_t chunk_count(size_t total_length);

struct chunk_source {
	uint64_t nwid, update_id; /* update_id is random, not 0 */
	const uint8_t *dict;
	size_t dict_length;
};
/* Write the index-th signed chunk, CHUNK_MAX_BYTES at most. */
int chunk_write(struct wr *w, const struct chunk_source *source, size_t index,
		const struct identity *signer) ZT_MUST_CHECK;

#endif
