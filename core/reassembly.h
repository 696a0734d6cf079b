/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Putting the chunks of a configuration together (vl2 3.3); pure but for the buffers it holds. */
#ifndef ZT_REASSEMBLY_H
#define ZT_REASSEMBLY_H

#include "core/chunk.h"
#include "core/proto2.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One update under way. */
struct reassembly_slot {
	uint64_t update_id; /* 0 = free */
	uint64_t used;      /* when last: the reassembly's own counter */
	uint32_t total, received;
	uint8_t *bytes; /* total of them */
	uint64_t *keys; /* chunks that we have: chunk_key, key_count of them */
	uint32_t key_count, key_capacity;
};

/* Three updates at once per network. All zeros is the empty state. */
struct reassembly {
	struct reassembly_slot slots[VL2_CHUNK_SLOTS];
	uint64_t counter;
};

enum reassembly_result {
	REASSEMBLY_REFUSED,  /* duplicate, overlapping, or contradicting what is there */
	REASSEMBLY_STORED,   /* new; the configuration is not complete */
	REASSEMBLY_COMPLETE, /* new, and the last one: *dict and *length are set */
	REASSEMBLY_NO_MEMORY,
};

/* Has this very chunk been stored? Cheaper than its signature, so ask first. */
bool reassembly_has(const struct reassembly *r, const struct chunk *chunk);
/* Store a signed chunk whose signature was verified. The dictionary is borrowed until the next
 * call. */
enum reassembly_result reassembly_add(struct reassembly *r, const struct chunk *chunk,
				      const uint8_t **dict, size_t *length);
/* Give back the bytes of complete updates; their duplicates are still known. */
void reassembly_trim(struct reassembly *r);
/* Give back everything. */
void reassembly_fini(struct reassembly *r);

#endif
