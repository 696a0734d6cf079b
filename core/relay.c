/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a datagram for somebody else goes on as it is, but for its hop count, which no
 * MAC covers. When a head is passed on directly, both ends are told about each other's address, at
 * most once in 30 s per pair. The pairs are in a table of fixed size: 1024 buckets of 4, the oldest
 * overwritten; a pair forgotten too early costs two more RENDEZVOUS.
 */
#include "core/relay.h"

#include "core/mem.h"
#include "core/msg1.h"
#include "core/packet.h"
#include "core/peer_impl.h"
#include "core/rx_impl.h"
#include "core/tx_impl.h"
#include "core/upstream.h"

enum { PAIR_BUCKETS = 1024, PAIR_WAYS = 4 };

struct pair {
	uint64_t low, high; /* addresses; high 0 = free */
	int64_t last_ms;
};

struct relay {
	struct pair pairs[PAIR_BUCKETS][PAIR_WAYS];
};

struct relay *relay_new(void)
{
	return zt_calloc(1, sizeof(struct relay));
}

void relay_free(struct relay *relay)
{
	zt_free(relay);
}

/* Gate 15.8. */
static bool pair_passes(struct relay *relay, uint64_t a, uint64_t b, int64_t now_ms)
{
	struct pair wanted = { .low = a < b ? a : b, .high = a < b ? b : a };
	size_t bucket = (size_t)((wanted.low * 0x9e3779b97f4a7c15U ^ wanted.high) >> 7);
	struct pair *ways = relay->pairs[bucket % PAIR_BUCKETS];
	struct pair *place = &ways[0];
	for (size_t i = 0; i < PAIR_WAYS; i++) {
		if (ways[i].low == wanted.low && ways[i].high == wanted.high) {
			return limit_gate(&ways[i].last_ms, now_ms, GATE_RENDEZVOUS_MS);
		}
		if (!ways[i].high || (place->high && ways[i].last_ms < place->last_ms)) {
			place = &ways[i];
		}
	}
	*place = wanted;
	place->last_ms = now_ms;
	return true;
}

/* Over its best path `to` learns where `about` is. */
static void rendezvous(struct zt_node *node, struct zt_now now, struct peer *to, struct path *path,
		       const struct peer *about, const struct path *there)
{
	uint8_t bytes[32];
	struct wr w = wr_init(bytes, sizeof bytes);
	const struct msg_rendezvous message = {
		.peer = about->identity.address,
		.endpoint = there->to,
	};
	msg_rendezvous_write(&w, &message);
	const struct iovec iov = { .iov_base = bytes, .iov_len = wr_length(&w) };
	const struct tx_direct packet = {
		.peer = to,
		.to = tx_to_path(path),
		.verb = VERB_RENDEZVOUS,
		.iov = &iov,
		.iov_count = 1,
	};
	tx_direct(node, now, &packet);
	path->last_out_ms = now.mono_ms;
}

/* vl1 14, Introduce: nearest scope first, IPv6 before IPv4; who hears first is chance. */
static void introduce(struct zt_node *node, struct zt_now now, struct peer *a, struct peer *b)
{
	for (int scope = SCOPE_PRIVATE; scope >= 0; scope--) {
		for (uint8_t family = 6; family >= 4; family = (uint8_t)(family - 2)) {
			enum endpoint_scope s = (enum endpoint_scope)scope;
			struct path *to_a = peer_scope_path(a, now.mono_ms, s, family);
			struct path *to_b = peer_scope_path(b, now.mono_ms, s, family);
			if (!to_a || !to_b) {
				continue;
			}
			bool a_first = node_random_u64(node) & 1;
			rendezvous(node, now, a_first ? a : b, a_first ? to_a : to_b,
				   a_first ? b : a, a_first ? to_b : to_a);
			rendezvous(node, now, a_first ? b : a, a_first ? to_b : to_a,
				   a_first ? a : b, a_first ? to_a : to_b);
			return;
		}
	}
}

static void introduce_ends(struct zt_node *node, struct zt_now now, const uint8_t *head,
			   struct peer *dest)
{
	uint64_t source_address = packet_source(head);
	struct peer *source = peers_find(&node->peers, source_address);
	if (source && source != dest &&
	    pair_passes(node->relay, source_address, dest->identity.address, now.mono_ms)) {
		introduce(node, now, source, dest);
	}
}

/* May what came over this path be passed on at all? */
static bool relays_for(const struct zt_node *node, struct zt_now now,
		       const struct zt_datagram *datagram)
{
	if (node->is_root) {
		return true;
	}
	const struct path *path = paths_find(node->paths, datagram->socket, &datagram->from);
	return path && path_is_trusted(path, now.mono_ms);
}

void relay_datagram(struct zt_node *node, struct zt_now now, const struct zt_datagram *datagram)
{
	uint8_t *bytes = datagram->bytes;
	bool is_head = bytes[FRAG_INDICATOR_AT] != FRAG_INDICATOR;
	if (is_head && packet_source(bytes) == node->identity.address) {
		node_count(node, ZT_COUNT_DROP_SELF);
		return;
	}
	if (!relays_for(node, now, datagram)) {
		node_count(node, ZT_COUNT_DROP_RELAY);
		return;
	}
	if (datagram_hops(bytes) >= RELAY_MAX_HOPS) {
		node_count(node, ZT_COUNT_DROP_HOPS);
		return;
	}
	struct peer *dest = peers_find(&node->peers, packet_dest(bytes));
	struct path *path = dest ? peer_best_path(dest, now.mono_ms) : NULL;
	if (path && is_head) {
		introduce_ends(node, now, bytes, dest);
	}
	if (!path) {
		struct peer *upstream = upstream_best(node, now, NULL);
		if (!upstream || (is_head && upstream->identity.address == packet_source(bytes))) {
			node_count(node, ZT_COUNT_DROP_RELAY);
			return;
		}
		path = peer_best_path(upstream, now.mono_ms);
	}
	datagram_hop(bytes);
	const struct tx_to to = tx_to_path(path);
	tx_raw(node, &to, bytes, datagram->length);
	path->last_out_ms = now.mono_ms;
	node_count(node, ZT_COUNT_RELAYED);
}
