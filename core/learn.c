/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What every authentic packet that counted teaches us (vl1 10.2). */
#include "core/keepalive.h"
#include "core/peer_impl.h"
#include "core/reach.h"
#include "core/rx_impl.h"
#include "core/upstream.h"
#include "core/waiting.h"
#include "core/whois.h"

static bool is_nontrivial(uint8_t verb)
{
	return verb == VERB_FRAME || verb == VERB_EXT_FRAME || verb == VERB_MULTICAST_FRAME ||
	       verb == VERB_NETWORK_CONFIG_REQUEST || verb == VERB_NETWORK_CONFIG;
}

/* Only the port differs from a path that is alive: probably another socket of the same node, or a
 * NAT that has just rebound; wait until the old one is dead. */
static bool is_alias(const struct peer *peer, const struct path *path, int64_t now_ms)
{
	for (size_t i = 0; i < peer->path_count; i++) {
		const struct path *own = peer->paths[i].path;
		if (own->socket == path->socket && endpoint_ip_equal(&own->to, &path->to) &&
		    path_is_alive(own, now_ms)) {
			return true;
		}
	}
	return false;
}

static void path_learnt(struct zt_node *node, struct zt_now now, struct peer *peer,
			const struct path *path)
{
	char text[ENDPOINT_TEXT_MAX];
	node_log(node, ZT_LOG_DEBUG, "path up peer=%010llx via=%s",
		 (unsigned long long)peer->identity.address, endpoint_text(&path->to, text));
	keepalive_schedule(node, now, peer);
	if (peer->is_upstream) {
		whois_kick(node, now);
		waiting_flush(node, now, 0);
	} else {
		waiting_flush(node, now, peer->identity.address);
	}
	node_event(node, ZT_EVENT_PEER_PATH, peer->identity.address);
}

/* A direct packet came over a path that is not the peer's yet. An expected OK proves that the peer
 * is there and hears us; anything else may be a replay, so ask for that proof. */
static void consider_path(struct zt_node *node, struct zt_now now, const struct packet_in *in)
{
	struct peer *peer = in->peer;
	if (is_alias(peer, in->path, now.mono_ms) ||
	    !reach_allows(node, peer, &in->path->to, true)) {
		return;
	}
	if (in->verb == VERB_OK) {
		if (peer_learn(peer, in->path, now.mono_ms, 1)) {
			path_learnt(node, now, peer, in->path);
		}
		return;
	}
	if (!limit_gate(&in->path->last_confirm_ms, now.mono_ms, GATE_CONFIRM_MS)) {
		return;
	}
	/* Without any path to the peer a lost datagram would leave it unreachable until its next
	 * heartbeat, so ask more than once then. With one, a single question is enough, and all
	 * that a replay from a false address brings about (vl1 19.7). */
	const struct tx_to to = tx_to_path(in->path);
	if (peer_best_path(peer, now.mono_ms)) {
		contact_hello(node, now, peer, &to, false);
	} else {
		keepalive_punch(node, now, peer, &to, true);
	}
	in->path->last_out_ms = now.mono_ms;
}

void learn_from(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct peer *peer = in->peer;
	bool was_idle = now.mono_ms - peer->last_nontrivial_ms >= PEER_EXPIRY_MS;
	peer->last_receive_ms = now.mono_ms;
	if (is_nontrivial(in->verb)) {
		peer->last_nontrivial_ms = now.mono_ms;
		if (was_idle) {
			keepalive_schedule(node, now, peer);
		}
	}
	if (in->is_trusted) {
		peer->last_trust_ms = now.mono_ms;
		in->path->last_trust_ms = now.mono_ms;
	}
	if (peer->is_upstream) {
		upstream_heard(node, now);
	}
	if (in->hops == 0) {
		struct peer_path *own = peer_path_find(peer, in->path);
		if (own) {
			own->last_heard_ms = now.mono_ms;
		} else {
			consider_path(node, now, in);
		}
	}
	if (peer_is_trusted(peer, now.mono_ms)) {
		reach_push(node, now, in);
	}
}
