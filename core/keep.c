/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a slot holds a copy, sealed or already open. When the wanted identity arrives its
 * slots are marked ready, and after the datagram under way is finished keep_run puts them through
 * the same functions as fresh ones, in order of arrival; so network input never recurses. A slot is
 * busy while that happens, because the packet is opened in place. There is no timer: a slot older
 * than 5 s counts as free.
 */
#include "core/keep.h"

#include "core/mem.h"

enum slot_state { SLOT_FREE, SLOT_SEALED, SLOT_OPEN, SLOT_BUSY };

struct slot {
	enum slot_state state;
	bool is_ready;
	uint64_t wanted, source, id, order;
	struct frag_origin origin;
	int64_t since_ms;
	uint8_t verb, hops, cipher;
	size_t length;
	uint8_t bytes[PACKET_MAX_BYTES];
};

struct keep {
	uint64_t arrivals;
	size_t ready;
	struct slot slots[QUEUE_ENTRIES];
};

struct keep *keep_new(void)
{
	return zt_calloc(1, sizeof(struct keep));
}

void keep_free(struct keep *keep)
{
	zt_free(keep);
}

/* A free slot, else the oldest. */
static struct slot *slot_take(struct keep *keep, enum slot_state state)
{
	struct slot *slot = NULL;
	for (size_t i = 0; i < QUEUE_ENTRIES; i++) {
		struct slot *s = &keep->slots[i];
		if (s->state == SLOT_FREE) {
			slot = s;
			break;
		}
		if (s->state != SLOT_BUSY && (!slot || s->order < slot->order)) {
			slot = s;
		}
	}
	if (slot) { /* at most one is busy */
		keep->ready -= slot->is_ready;
		slot->is_ready = false;
		slot->state = state;
		slot->order = keep->arrivals++;
	}
	return slot;
}

void keep_sealed(struct zt_node *node, const struct rx_packet *packet, uint64_t source)
{
	struct slot *slot = slot_take(node->keep, SLOT_SEALED);
	slot->wanted = slot->source = source;
	slot->origin = packet->origin;
	slot->since_ms = packet->since_ms;
	slot->length = packet->length;
	memcpy(slot->bytes, packet->bytes, packet->length);
}

void keep_open(struct zt_node *node, const struct packet_in *in)
{
	struct slot *slot = slot_take(node->keep, SLOT_OPEN);
	slot->wanted = in->wanted;
	slot->source = in->source;
	slot->id = in->id;
	slot->verb = in->verb;
	slot->hops = in->hops;
	slot->cipher = in->cipher;
	slot->origin = (struct frag_origin){ .from = in->path->to, .socket = in->path->socket };
	slot->since_ms = in->since_ms;
	slot->length = in->length;
	memcpy(slot->bytes, in->bytes, in->length);
}

void keep_ready(struct zt_node *node, uint64_t wanted)
{
	struct keep *keep = node->keep;
	for (size_t i = 0; i < QUEUE_ENTRIES; i++) {
		struct slot *s = &keep->slots[i];
		if ((s->state == SLOT_SEALED || s->state == SLOT_OPEN) && s->wanted == wanted &&
		    !s->is_ready) {
			s->is_ready = true;
			keep->ready++;
		}
	}
}

static struct slot *first_ready(struct keep *keep)
{
	struct slot *first = NULL;
	for (size_t i = 0; i < QUEUE_ENTRIES; i++) {
		struct slot *s = &keep->slots[i];
		if (s->is_ready && (!first || s->order < first->order)) {
			first = s;
		}
	}
	return first;
}

static void judge_again(struct zt_node *node, struct zt_now now, struct slot *slot)
{
	struct packet_in in = {
		.peer = peers_find(&node->peers, slot->source),
		.path = paths_get(node->paths, slot->origin.socket, &slot->origin.from),
		.source = slot->source,
		.id = slot->id,
		.verb = slot->verb,
		.hops = slot->hops,
		.cipher = slot->cipher,
		.bytes = slot->bytes,
		.length = slot->length,
		.since_ms = slot->since_ms,
	};
	if (in.peer && in.path) {
		rx_judge(node, now, &in);
	}
}

void keep_run(struct zt_node *node, struct zt_now now)
{
	struct keep *keep = node->keep;
	/* A packet may be kept again and become ready again; what was ready at first is enough. */
	for (size_t budget = keep->ready; budget > 0 && keep->ready > 0; budget--) {
		struct slot *slot = first_ready(keep);
		enum slot_state state = slot->state;
		slot->is_ready = false;
		keep->ready--;
		slot->state = SLOT_BUSY;
		if (now.mono_ms - slot->since_ms >= QUEUE_EXPIRY_MS) {
			node_count(node, ZT_COUNT_DROP_NO_PATH);
		} else if (state == SLOT_SEALED) {
			const struct rx_packet packet = {
				.origin = slot->origin,
				.bytes = slot->bytes,
				.length = slot->length,
				.since_ms = slot->since_ms,
			};
			rx_packet(node, now, &packet);
		} else {
			judge_again(node, now, slot);
		}
		slot->state = SLOT_FREE;
	}
}
