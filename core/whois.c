/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: up to 64 wanted addresses; one more pushes out the one not wanted for longest.
 * Each is asked for every 500 ms (gate 15.7) until it becomes known or nobody has wanted it for 5
 * s. While no upstream is reachable nothing is due; whois_kick starts again.
 */
#include "core/whois.h"

#include "core/mem.h"
#include "core/tx_impl.h"
#include "core/upstream.h"

enum {
	WHOIS_ENTRIES = 2 * QUEUE_ENTRIES,
	STRANGERS_PER_SECOND = 50, /* as many as identities are checked, decision S19 */
};

struct entry {
	uint64_t address; /* 0 = free */
	int64_t asked_ms, wanted_ms;
};

struct whois {
	struct deadline deadline;
	struct limit_bucket strangers;
	struct entry entries[WHOIS_ENTRIES];
};

struct whois *whois_new(void)
{
	struct whois *whois = zt_calloc(1, sizeof *whois);
	if (whois) {
		whois->deadline.kind = DUE_WHOIS;
		limit_bucket_init(&whois->strangers, STRANGERS_PER_SECOND, WHOIS_ENTRIES);
	}
	return whois;
}

void whois_free(struct whois *whois)
{
	zt_free(whois);
}

struct deadline *whois_deadline(struct whois *whois)
{
	return &whois->deadline;
}

static bool is_current(const struct entry *entry, int64_t now_ms)
{
	return entry->address && now_ms - entry->wanted_ms < QUEUE_EXPIRY_MS;
}

static struct entry *find(struct whois *whois, uint64_t address)
{
	for (size_t i = 0; i < WHOIS_ENTRIES; i++) {
		if (whois->entries[i].address == address) {
			return &whois->entries[i];
		}
	}
	return NULL;
}

/* A free place, else the one not wanted for longest. */
static struct entry *make(struct whois *whois, uint64_t address)
{
	struct entry *entry = &whois->entries[0];
	for (size_t i = 0; i < WHOIS_ENTRIES && entry->address; i++) {
		struct entry *e = &whois->entries[i];
		if (!e->address || e->wanted_ms < entry->wanted_ms) {
			entry = e;
		}
	}
	*entry = (struct entry){ .address = address, .asked_ms = LIMIT_NEVER_MS };
	return entry;
}

static void ask(struct zt_node *node, struct zt_now now, struct peer *upstream, uint64_t address)
{
	uint8_t bytes[ADDRESS_BYTES];
	struct wr w = wr_init(bytes, sizeof bytes);
	wr_u40(&w, address);
	const struct iovec iov = { .iov_base = bytes, .iov_len = wr_length(&w) };
	const struct tx_packet packet = {
		.dest = upstream->identity.address,
		.iov = &iov,
		.iov_count = 1,
		.verb = VERB_WHOIS,
		.flags = TX_EXPECT,
	};
	(void)tx_send(node, now, &packet, NULL);
}

/* Ask for what may be asked for again, and set the deadline for the rest. */
static void run(struct zt_node *node, struct zt_now now)
{
	struct whois *whois = node->whois;
	struct peer *upstream = upstream_best(node, now, NULL);
	int64_t next_ms = INT64_MAX;
	for (size_t i = 0; i < WHOIS_ENTRIES; i++) {
		struct entry *e = &whois->entries[i];
		if (!is_current(e, now.mono_ms)) {
			e->address = 0;
			continue;
		}
		if (!upstream) {
			continue;
		}
		if (limit_gate(&e->asked_ms, now.mono_ms, GATE_WHOIS_MS)) {
			ask(node, now, upstream, e->address);
		}
		int64_t again_ms = e->asked_ms + GATE_WHOIS_MS;
		next_ms = again_ms < next_ms ? again_ms : next_ms;
	}
	if (next_ms == INT64_MAX) {
		deadline_clear(&node->deadlines, &whois->deadline);
	} else {
		deadline_set(&node->deadlines, &whois->deadline, next_ms);
	}
}

void node_whois(struct zt_node *node, struct zt_now now, uint64_t address)
{
	if (node->upstream_count == 0 || address_is_reserved(address) ||
	    address == node->identity.address || peers_find(&node->peers, address)) {
		return;
	}
	struct entry *entry = find(node->whois, address);
	if (!entry) {
		entry = make(node->whois, address);
	}
	entry->wanted_ms = now.mono_ms;
	run(node, now);
}

void whois_stranger(struct zt_node *node, struct zt_now now, uint64_t address)
{
	struct whois *whois = node->whois;
	if (!whois_is_wanted(whois, now, address) &&
	    !limit_bucket_take(&whois->strangers, now.mono_ms)) {
		node_count(node, ZT_COUNT_DROP_RATE);
		return;
	}
	node_whois(node, now, address);
}

bool whois_is_wanted(const struct whois *whois, struct zt_now now, uint64_t address)
{
	for (size_t i = 0; i < WHOIS_ENTRIES; i++) {
		if (whois->entries[i].address == address) {
			return is_current(&whois->entries[i], now.mono_ms);
		}
	}
	return false;
}

void whois_known(struct zt_node *node, uint64_t address)
{
	struct entry *entry = find(node->whois, address);
	if (entry) {
		entry->address = 0;
	}
}

void whois_kick(struct zt_node *node, struct zt_now now)
{
	run(node, now);
}

void whois_due(struct zt_node *node, struct zt_now now)
{
	run(node, now);
}
