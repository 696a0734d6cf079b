/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* RENDEZVOUS, PUSH_DIRECT_PATHS, ECHO: finding and trying direct paths (vl1 9.6 to 9.8). */
#include "core/keepalive.h"
#include "core/msg1.h"
#include "core/peer_impl.h"
#include "core/reach.h"
#include "core/rx_impl.h"
#include "core/tx.h"

enum rx_result on_echo(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	if (!limit_gate(&in->path->last_echo_answer_ms, now.mono_ms, GATE_ECHO_MS)) {
		node_count(node, ZT_COUNT_DROP_RATE);
		return RX_IGNORED;
	}
	const struct iovec iov = {
		.iov_base = in->bytes + PACKET_PAYLOAD_AT,
		.iov_len = rd_left(&in->payload),
	};
	tx_ok(node, now, in, &iov, 1);
	return RX_DONE;
}

static bool is_loopback_source(const struct packet_in *in)
{
	return endpoint_scope(&in->path->to) == SCOPE_LOOPBACK;
}

enum rx_result on_rendezvous(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct msg_rendezvous rendezvous;
	if (msg_rendezvous_read(&in->payload, &rendezvous) != 0) {
		return RX_MALFORMED;
	}
	if (!in->peer->is_upstream) {
		node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		return RX_IGNORED;
	}
	struct peer *peer = peers_find(&node->peers, rendezvous.peer);
	if (!peer && rendezvous.peer != node->identity.address) {
		/* The packet that caused this is on its way or waits in the ring. The reference
		 * forgets the introduction then, and behind most NATs the pair stays relayed until
		 * the next one, 30 s later. */
		in->wanted = rendezvous.peer;
		return RX_KEEP;
	}
	if (!peer || !reach_allows(node, peer, &rendezvous.endpoint, is_loopback_source(in))) {
		return RX_DONE;
	}
	/* Dies on the way, but opens our NAT for what the other side sends. */
	uint8_t junk[RENDEZVOUS_JUNK_BYTES];
	node_random(node, junk, sizeof junk);
	struct tx_to to = { .to = rendezvous.endpoint, .socket = in->path->socket };
	if (to.to.family == 4) {
		to.ttl = RENDEZVOUS_JUNK_TTL;
		tx_raw(node, &to, junk, sizeof junk);
		to.ttl = 0;
	}
	keepalive_punch(node, now, peer, &to, false);
	return RX_DONE;
}

/* Gate 15.4: a peer may push 8 times with less than 30 s between each. */
static bool push_passes(struct peer *peer, int64_t now_ms)
{
	bool is_soon = now_ms - peer->last_push_in_ms <= GATE_PUSH_MS;
	peer->push_in_count = is_soon ? peer->push_in_count + 1 : 0;
	peer->last_push_in_ms = now_ms;
	return peer->push_in_count < GATE_PUSH_COUNT;
}

static bool has_active_path(const struct peer *peer, const struct zt_endpoint *endpoint,
			    int64_t now_ms)
{
	for (size_t i = 0; i < peer->path_count; i++) {
		const struct peer_path *p = &peer->paths[i];
		if (endpoint_equal(&p->path->to, endpoint) &&
		    now_ms - p->last_heard_ms < PATH_EXPIRY_MS) {
			return true;
		}
	}
	return false;
}

/* vl1 12.5. Only upstreams may move us elsewhere. */
static void redirect(struct zt_node *node, struct zt_now now, struct packet_in *in,
		     const struct zt_endpoint *endpoint)
{
	if (!in->peer->is_upstream) {
		node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		return;
	}
	const struct tx_to to = { .to = *endpoint, .socket = in->path->socket };
	contact_hello(node, now, in->peer, &to, false);
}

/* `contacts` counts per family and scope (gate 15.5). */
static void push_one(struct zt_node *node, struct zt_now now, struct packet_in *in,
		     const struct msg_push_path *path, unsigned contacts[2][SCOPE_PRIVATE + 1])
{
	const struct zt_endpoint *endpoint = &path->endpoint;
	if (endpoint->family == 0 || (path->flags & PUSH_FLAG_FORGET) ||
	    !reach_allows(node, in->peer, endpoint, is_loopback_source(in))) {
		return;
	}
	if (path->flags & PUSH_FLAG_REDIRECT) {
		redirect(node, now, in, endpoint);
		return;
	}
	unsigned *count = &contacts[endpoint->family == 6][endpoint_scope(endpoint)];
	if (has_active_path(in->peer, endpoint, now.mono_ms) || ++*count > GATE_PUSH_CONTACTS) {
		return;
	}
	const struct tx_to to = { .to = *endpoint, .socket = ZT_SOCKET_ALL };
	contact(node, now, in->peer, &to);
}

enum rx_result on_push(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	if (!push_passes(in->peer, now.mono_ms)) {
		node_count(node, ZT_COUNT_DROP_RATE);
		return RX_IGNORED;
	}
	uint16_t count;
	if (msg_push_count_read(&in->payload, &count) != 0) {
		return RX_MALFORMED;
	}
	unsigned contacts[2][SCOPE_PRIVATE + 1] = { 0 };
	for (uint16_t i = 0; i < count; i++) {
		struct msg_push_path path;
		if (msg_push_path_read(&in->payload, &path) != 0) {
			return RX_MALFORMED;
		}
		push_one(node, now, in, &path, contacts);
	}
	return RX_DONE;
}
