/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* WHOIS asked and answered (vl1 9.5). */
#include "core/checks.h"
#include "core/packet.h"
#include "core/peer_impl.h"
#include "core/rx_impl.h"
#include "core/tx.h"
#include "core/upstream.h"
#include "core/whois.h"

enum {
	/* Identities in one answer: what fits a datagram that no path cuts. */
	WHOIS_ANSWERS_MAX = (PATH_MTU_BYTES - OK_PAYLOAD_AT) / IDENTITY_BYTES,
};

static const struct identity *identity_of(const struct zt_node *node, uint64_t address)
{
	if (address == node->identity.address) {
		return &node->identity; /* roots are asked for themselves (vl1 22.13) */
	}
	const struct peer *peer = peers_find(&node->peers, address);
	return peer ? &peer->identity : NULL;
}

enum rx_result on_whois(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	if (!node->is_root &&
	    !limit_gate(&in->peer->last_whois_answer_ms, now.mono_ms, GATE_WHOIS_ANSWER_MS)) {
		node_count(node, ZT_COUNT_DROP_RATE);
		return RX_IGNORED;
	}
	uint8_t bytes[WHOIS_ANSWERS_MAX * IDENTITY_BYTES];
	struct wr w = wr_init(bytes, sizeof bytes);
	for (size_t n = 0; n < WHOIS_ANSWERS_MAX && rd_left(&in->payload) >= ADDRESS_BYTES; n++) {
		uint64_t address = rd_u40(&in->payload);
		const struct identity *identity = identity_of(node, address);
		if (identity) {
			identity_write(&w, identity);
		} else if (node->is_root) {
			node_whois(node, now, address); /* a later retry finds it */
		} else {
			whois_stranger(node, now, address);
		}
	}
	if (wr_length(&w) > 0) {
		const struct iovec iov = { .iov_base = bytes, .iov_len = wr_length(&w) };
		tx_ok(node, now, in, &iov, 1);
	}
	return RX_DONE;
}

enum rx_result on_ok_whois(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	if (!in->peer->is_upstream) {
		node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		return RX_IGNORED;
	}
	while (rd_left(&in->payload) > 0) {
		struct identity identity;
		if (identity_read(&in->payload, &identity) != 0) {
			return RX_MALFORMED;
		}
		/* Never replace a known identity, never take one that nobody asked for. */
		if (whois_is_wanted(node->whois, now, identity.address) &&
		    !peers_find(&node->peers, identity.address)) {
			checks_whois(node, now, &identity);
		}
	}
	return RX_DONE;
}
