/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: packets wait as plaintext, because the peer's key and version, and so the cipher,
 * are not known yet. There is no periodic retry: whoever learns an identity or a path calls
 * waiting_flush, and the deadline is the expiry of the oldest packet. Memory is fixed and touched
 * only as used.
 */
#include "core/waiting.h"

#include "core/mem.h"
#include "core/tx_impl.h"

/* The reference has 32. A service that joins a hundred networks before it has reached their
 * controller asks for a hundred configurations at once. */
enum { WAITING_ENTRIES = 128 };

struct entry {
	uint64_t dest; /* 0 = free */
	int64_t since_ms;
	uint64_t order; /* of arrival */
	size_t length;
	unsigned flags;
	uint8_t verb;
	uint8_t payload[PACKET_PAYLOAD_MAX_BYTES];
};

struct waiting {
	struct deadline deadline;
	uint64_t arrivals;
	struct entry entries[WAITING_ENTRIES];
};

struct waiting *waiting_new(void)
{
	struct waiting *waiting = zt_calloc(1, sizeof *waiting);
	if (waiting) {
		waiting->deadline.kind = DUE_WAITING;
	}
	return waiting;
}

void waiting_free(struct waiting *waiting)
{
	zt_free(waiting);
}

struct deadline *waiting_deadline(struct waiting *waiting)
{
	return &waiting->deadline;
}

/* The packet that came first among those for `dest` (0: any) with order >= from; NULL = none. */
static struct entry *first(struct waiting *waiting, uint64_t dest, uint64_t from)
{
	struct entry *found = NULL;
	for (size_t i = 0; i < WAITING_ENTRIES; i++) {
		struct entry *e = &waiting->entries[i];
		if (e->dest && (dest == 0 || e->dest == dest) && e->order >= from &&
		    (!found || e->order < found->order)) {
			found = e;
		}
	}
	return found;
}

static void schedule(struct zt_node *node)
{
	struct waiting *waiting = node->waiting;
	const struct entry *oldest = first(waiting, 0, 0);
	if (oldest) {
		deadline_set(&node->deadlines, &waiting->deadline,
			     oldest->since_ms + QUEUE_EXPIRY_MS);
	} else {
		deadline_clear(&node->deadlines, &waiting->deadline);
	}
}

static struct entry *free_entry(struct waiting *waiting)
{
	for (size_t i = 0; i < WAITING_ENTRIES; i++) {
		if (waiting->entries[i].dest == 0) {
			return &waiting->entries[i];
		}
	}
	return NULL;
}

void waiting_add(struct zt_node *node, struct zt_now now, const struct tx_packet *packet)
{
	struct waiting *waiting = node->waiting;
	struct entry *entry = free_entry(waiting);
	if (!entry) {
		entry = first(waiting, 0, 0);
		node_count(node, ZT_COUNT_DROP_NO_PATH);
	}
	entry->dest = packet->dest;
	entry->since_ms = now.mono_ms;
	entry->order = waiting->arrivals++;
	entry->flags = packet->flags;
	entry->verb = packet->verb;
	entry->length = 0;
	for (int i = 0; i < packet->iov_count; i++) {
		const struct iovec *iov = &packet->iov[i];
		if (iov->iov_len > 0) {
			memcpy(entry->payload + entry->length, iov->iov_base, iov->iov_len);
			entry->length += iov->iov_len;
		}
	}
	schedule(node);
}

void waiting_flush(struct zt_node *node, struct zt_now now, uint64_t dest)
{
	uint64_t from = 0;
	for (struct entry *e; (e = first(node->waiting, dest, from)); from = e->order + 1) {
		struct peer *peer = peers_find(&node->peers, e->dest);
		struct path *path = peer ? tx_path(node, now, peer) : NULL;
		if (!path) {
			continue;
		}
		const struct iovec iov = { .iov_base = e->payload, .iov_len = e->length };
		const struct tx_packet packet = {
			.dest = e->dest,
			.iov = &iov,
			.iov_count = 1,
			.verb = e->verb,
			.flags = e->flags,
		};
		(void)tx_on_path(node, now, peer, path, &packet, NULL);
		e->dest = 0;
	}
	schedule(node);
}

void waiting_due(struct zt_node *node, struct zt_now now)
{
	for (struct entry *e;
	     (e = first(node->waiting, 0, 0)) && now.mono_ms - e->since_ms >= QUEUE_EXPIRY_MS;) {
		e->dest = 0;
		node_count(node, ZT_COUNT_DROP_NO_PATH);
	}
	schedule(node);
}
