/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a chunk belongs to the slot of its update id; a new update takes the slot that
 * was used least recently. Bytes are counted, not mapped: the controller signed each chunk and
 * duplicates are known by their key, so that the count reaches the total exactly when all are
 * there. A buffer lives only while its update is under way or was the last one to complete.
 */
#include "core/reassembly.h"

#include "core/mem.h"

#include <string.h>

static const struct reassembly_slot *slot_find(const struct reassembly *r, uint64_t update_id)
{
	for (size_t i = 0; i < VL2_CHUNK_SLOTS; i++) {
		if (r->slots[i].update_id == update_id) {
			return &r->slots[i];
		}
	}
	return NULL;
}

static bool slot_has(const struct reassembly_slot *slot, uint64_t key)
{
	for (uint32_t i = 0; i < slot->key_count; i++) {
		if (slot->keys[i] == key) {
			return true;
		}
	}
	return false;
}

bool reassembly_has(const struct reassembly *r, const struct chunk *chunk)
{
	const struct reassembly_slot *slot = slot_find(r, chunk->update_id);
	return slot && slot_has(slot, chunk_key(chunk));
}

static void slot_clear(struct reassembly_slot *slot)
{
	zt_free(slot->bytes);
	zt_free(slot->keys);
	*slot = (struct reassembly_slot){ 0 };
}

static bool slot_start(struct reassembly_slot *slot, const struct chunk *chunk)
{
	slot_clear(slot);
	slot->bytes = zt_calloc(1, chunk->total_length);
	if (!slot->bytes) {
		return false;
	}
	slot->update_id = chunk->update_id;
	slot->total = chunk->total_length;
	return true;
}

static bool slot_remember(struct reassembly_slot *slot, uint64_t key)
{
	if (slot->key_count == slot->key_capacity) {
		uint32_t capacity = slot->key_capacity ? 2 * slot->key_capacity : 8;
		uint64_t *keys = zt_realloc(slot->keys, capacity * sizeof(*keys));
		if (!keys) {
			return false;
		}
		slot->keys = keys;
		slot->key_capacity = capacity;
	}
	slot->keys[slot->key_count++] = key;
	return true;
}

static struct reassembly_slot *slot_for(struct reassembly *r, const struct chunk *chunk)
{
	struct reassembly_slot *oldest = &r->slots[0];
	for (size_t i = 0; i < VL2_CHUNK_SLOTS; i++) {
		if (r->slots[i].update_id == chunk->update_id) {
			return &r->slots[i];
		}
		if (r->slots[i].used < oldest->used) {
			oldest = &r->slots[i];
		}
	}
	return slot_start(oldest, chunk) ? oldest : NULL;
}

enum reassembly_result reassembly_add(struct reassembly *r, const struct chunk *chunk,
				      const uint8_t **dict, size_t *length)
{
	if (chunk->update_id == 0 || chunk->total_length == 0 || chunk->data_length == 0) {
		return REASSEMBLY_REFUSED;
	}
	struct reassembly_slot *slot = slot_for(r, chunk);
	if (!slot) {
		return REASSEMBLY_NO_MEMORY;
	}
	uint64_t key = chunk_key(chunk);
	if (slot->total != chunk->total_length || slot->key_count >= VL2_CHUNKS_MAX ||
	    chunk->data_length > slot->total - slot->received ||
	    chunk->offset > slot->total - chunk->data_length || slot_has(slot, key)) {
		return REASSEMBLY_REFUSED;
	}
	if (!slot_remember(slot, key)) {
		return REASSEMBLY_NO_MEMORY;
	}
	slot->used = ++r->counter;
	memcpy(slot->bytes + chunk->offset, chunk->data, chunk->data_length);
	slot->received += (uint32_t)chunk->data_length;
	if (slot->received < slot->total) {
		return REASSEMBLY_STORED;
	}
	*dict = slot->bytes;
	*length = slot->total;
	return REASSEMBLY_COMPLETE;
}

void reassembly_trim(struct reassembly *r)
{
	for (size_t i = 0; i < VL2_CHUNK_SLOTS; i++) {
		if (r->slots[i].received == r->slots[i].total) {
			zt_free(r->slots[i].bytes);
			r->slots[i].bytes = NULL;
		}
	}
}

void reassembly_fini(struct reassembly *r)
{
	for (size_t i = 0; i < VL2_CHUNK_SLOTS; i++) {
		slot_clear(&r->slots[i]);
	}
	r->counter = 0;
}
