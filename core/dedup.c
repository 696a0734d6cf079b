/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a ring holds the ids in order of arrival; a hash table with linear probing, twice
 * as large, finds them. Overwriting a ring place takes the old id out of the table, closing the gap
 * by moving later entries of the probe run back, so that there are no tombstones. Ids are random or
 * the output of a cipher, so their low bits serve as the hash; a sender who chooses them slows down
 * only the table kept for itself.
 */
#include "core/dedup.h"

#include "core/mem.h"

#include <stddef.h>

enum { SLOTS = 2 * DEDUP_IDS, MASK = SLOTS - 1 };

struct dedup {
	uint64_t ring[DEDUP_IDS];
	uint16_t table[SLOTS]; /* place in the ring plus 1; 0 = empty */
	uint16_t next, count;
};

struct dedup *dedup_new(void)
{
	return zt_calloc(1, sizeof(struct dedup));
}

void dedup_free(struct dedup *dedup)
{
	zt_free(dedup);
}

/* The slot that holds the id, or the empty one where it belongs. */
static size_t slot_of(const struct dedup *dedup, uint64_t id)
{
	size_t slot = id & MASK;
	while (dedup->table[slot] && dedup->ring[dedup->table[slot] - 1] != id) {
		slot = (slot + 1) & MASK;
	}
	return slot;
}

static void forget(struct dedup *dedup, uint64_t id)
{
	size_t gap = slot_of(dedup, id);
	dedup->table[gap] = 0;
	for (size_t slot = (gap + 1) & MASK; dedup->table[slot]; slot = (slot + 1) & MASK) {
		size_t home = dedup->ring[dedup->table[slot] - 1] & MASK;
		/* It may move to the gap unless its home lies cyclically after the gap. */
		if (((slot - home) & MASK) >= ((slot - gap) & MASK)) {
			dedup->table[gap] = dedup->table[slot];
			dedup->table[slot] = 0;
			gap = slot;
		}
	}
}

bool dedup_seen(struct dedup *dedup, uint64_t id)
{
	if (dedup->table[slot_of(dedup, id)]) {
		return true;
	}
	if (dedup->count == DEDUP_IDS) {
		forget(dedup, dedup->ring[dedup->next]);
	} else {
		dedup->count++;
	}
	dedup->ring[dedup->next] = id;
	dedup->table[slot_of(dedup, id)] = (uint16_t)(dedup->next + 1);
	dedup->next = (uint16_t)((dedup->next + 1) % DEDUP_IDS);
	return false;
}
