/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a packet too large for one datagram keeps its header in the first one, the head;
 * the others carry a 16-byte header of their own. The head does not say how many follow, and pieces
 * come in any order. A slot collects the pieces of one packet id in order of arrival; when that was
 * the right order, which is the usual case, the slot already holds the packet. Memory is bounded:
 * 32 slots, at most half of them started by one address, so that nobody alone can push all others
 * out; a full table gives up its oldest packet. Nothing here is authenticated: a forged piece can
 * only spoil the packet it names (vl1 6 and 19, item 8).
 */
#include "core/frag.h"

#include "base/bug.h"
#include "core/mem.h"
#include "core/packet.h"

#include <stdbool.h>
#include <string.h>

enum { SLOTS_PER_ADDRESS = FRAG_SLOTS / 2 };

/* ---- cutting -------------------------------------------------------------------------------- */

size_t frag_count(size_t size, size_t mtu)
{
	if (size <= mtu) {
		return 1;
	}
	if (mtu < PACKET_MIN_BYTES || size > PACKET_MAX_BYTES) {
		return 0;
	}
	size_t piece = mtu - FRAG_HEADER_BYTES;
	size_t count = 1 + (size - mtu + piece - 1) / piece;
	return count <= FRAG_MAX_DATAGRAMS ? count : 0;
}

size_t frag_room(size_t size, size_t count)
{
	return size + (count - 1) * FRAG_HEADER_BYTES;
}

size_t frag_even_mtu(size_t size, size_t mtu)
{
	size_t count = frag_count(size, mtu);
	return count <= 1 ? mtu : (frag_room(size, count) + count - 1) / count;
}

static void fragment_header_write(uint8_t *at, const uint8_t *head, size_t total, size_t number)
{
	memcpy(at, head, PACKET_SOURCE_AT); /* id and destination */
	at[FRAG_INDICATOR_AT] = FRAG_INDICATOR;
	at[FRAG_NUMBERS_AT] = (uint8_t)(total << 4 | number);
	at[FRAG_HOPS_AT] = 0;
}

void frag_split(uint8_t *packet, size_t size, size_t mtu, uint16_t lengths[FRAG_MAX_DATAGRAMS])
{
	size_t count = frag_count(size, mtu);
	BUG_ON(count == 0 || (count > 1 && !packet_is_fragmented(packet)));
	if (count == 1) {
		lengths[0] = (uint16_t)size;
		return;
	}
	/* From the end, because the pieces move apart to make room for the headers. */
	size_t piece = mtu - FRAG_HEADER_BYTES;
	size_t end = size;
	for (size_t number = count - 1; number > 0; number--) {
		size_t start = mtu + (number - 1) * piece;
		uint8_t *at = packet + number * mtu;
		memmove(at + FRAG_HEADER_BYTES, packet + start, end - start);
		fragment_header_write(at, packet, count, number);
		lengths[number] = (uint16_t)(FRAG_HEADER_BYTES + end - start);
		end = start;
	}
	lengths[0] = (uint16_t)mtu;
}

/* ---- reassembly ----------------------------------------------------------------------------- */

struct slot {
	bool is_used, is_ordered;
	uint8_t total; /* datagrams, 0 until a fragment has come */
	uint8_t have;  /* bit n: datagram n, the head being 0 */
	uint8_t count; /* of bits in have */
	uint64_t id;
	int64_t first_ms;
	struct zt_endpoint first_from;
	struct frag_origin origin; /* the head's */
	uint16_t offset[FRAG_MAX_DATAGRAMS], length[FRAG_MAX_DATAGRAMS];
	uint16_t size;
};

struct frag_table {
	struct slot slots[FRAG_SLOTS];
	uint8_t bytes[FRAG_SLOTS][PACKET_MAX_BYTES]; /* apart, so that searching stays in cache */
	uint8_t packet[PACKET_MAX_BYTES];
};

struct piece {
	uint64_t id;
	uint8_t total, number; /* total 0 in a head */
	const uint8_t *bytes;
	size_t length;
};

struct frag_table *frag_table_new(void)
{
	return zt_calloc(1, sizeof(struct frag_table));
}

void frag_table_free(struct frag_table *table)
{
	zt_free(table);
}

static bool piece_read(const uint8_t *datagram, size_t length, struct piece *out)
{
	switch (datagram_classify(datagram, length)) {
	case DATAGRAM_HEAD:
		*out = (struct piece){ .id = packet_id(datagram),
				       .bytes = datagram,
				       .length = length };
		return true;
	case DATAGRAM_FRAGMENT:
		*out = (struct piece){ .id = packet_id(datagram),
				       .total = datagram[FRAG_NUMBERS_AT] >> 4,
				       .number = datagram[FRAG_NUMBERS_AT] & 0x0f,
				       .bytes = datagram + FRAG_HEADER_BYTES,
				       .length = length - FRAG_HEADER_BYTES };
		return out->total >= 2 && out->total <= FRAG_MAX_DATAGRAMS && out->number >= 1 &&
		       out->number < out->total;
	default:
		return false;
	}
}

/* The slot of a packet id, expired ones being freed on the way. */
static struct slot *slot_find(struct frag_table *table, uint64_t id, int64_t now_ms)
{
	for (size_t i = 0; i < FRAG_SLOTS; i++) {
		struct slot *slot = &table->slots[i];
		if (slot->is_used && now_ms - slot->first_ms >= FRAG_EXPIRY_MS) {
			slot->is_used = false;
		}
		if (slot->is_used && slot->id == id) {
			return slot;
		}
	}
	return NULL;
}

/* A free slot, the lowest first so that few pages are touched; else the oldest one, of this address
 * if it holds too many. */
static struct slot *slot_take(struct frag_table *table, const struct zt_endpoint *from)
{
	struct slot *unused = NULL, *oldest = NULL, *own = NULL;
	size_t own_count = 0;
	for (size_t i = FRAG_SLOTS; i-- > 0;) {
		struct slot *slot = &table->slots[i];
		if (!slot->is_used) {
			unused = slot;
			continue;
		}
		if (!oldest || slot->first_ms < oldest->first_ms) {
			oldest = slot;
		}
		if (endpoint_ip_equal(&slot->first_from, from)) {
			own_count++;
			own = !own || slot->first_ms < own->first_ms ? slot : own;
		}
	}
	if (own_count >= SLOTS_PER_ADDRESS) {
		return own;
	}
	return unused ? unused : oldest;
}

static uint8_t *slot_bytes(struct frag_table *table, const struct slot *slot)
{
	return table->bytes[slot - table->slots];
}

/* False if the piece contradicts what came before or does not fit. */
static bool slot_append(struct frag_table *table, struct slot *slot, const struct piece *piece)
{
	if (piece->total != 0) {
		if (slot->total != 0 && slot->total != piece->total) {
			return false;
		}
		slot->total = piece->total;
	}
	if (piece->length > (size_t)PACKET_MAX_BYTES - slot->size) {
		return false;
	}
	memcpy(slot_bytes(table, slot) + slot->size, piece->bytes, piece->length);
	slot->offset[piece->number] = slot->size;
	slot->length[piece->number] = (uint16_t)piece->length;
	slot->size = (uint16_t)(slot->size + piece->length);
	slot->is_ordered = slot->is_ordered && piece->number == slot->count;
	slot->have |= (uint8_t)(1U << piece->number);
	slot->count++;
	return true;
}

static uint8_t *slot_assemble(struct frag_table *table, const struct slot *slot)
{
	uint8_t *bytes = slot_bytes(table, slot);
	if (slot->is_ordered) {
		return bytes;
	}
	size_t size = 0;
	for (size_t i = 0; i < slot->total; i++) {
		memcpy(table->packet + size, bytes + slot->offset[i], slot->length[i]);
		size += slot->length[i];
	}
	return table->packet;
}

enum frag_result frag_add(struct frag_table *table, const uint8_t *datagram, size_t length,
			  const struct frag_origin *origin, int64_t now_ms, struct frag_packet *out)
{
	struct piece piece;
	if (!piece_read(datagram, length, &piece)) {
		return FRAG_BAD;
	}
	struct slot *slot = slot_find(table, piece.id, now_ms);
	if (!slot) {
		slot = slot_take(table, &origin->from);
		*slot = (struct slot){ .is_used = true,
				       .is_ordered = true,
				       .id = piece.id,
				       .first_ms = now_ms,
				       .first_from = origin->from };
	}
	if (slot->have & 1U << piece.number) {
		return FRAG_DUPLICATE;
	}
	if (piece.number == 0) {
		slot->origin = *origin;
	}
	if (!slot_append(table, slot, &piece)) {
		slot->is_used = false;
		return FRAG_BAD;
	}
	if (slot->total == 0 || slot->have != (1U << slot->total) - 1) {
		return FRAG_HELD;
	}
	slot->is_used = false;
	*out = (struct frag_packet){ .bytes = slot_assemble(table, slot),
				     .length = slot->size,
				     .origin = slot->origin };
	return FRAG_COMPLETE;
}
