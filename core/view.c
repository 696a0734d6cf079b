/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Read-only views of the node for the API (core/zt.h); those of networks are in VL2. */
#include "core/node_impl.h"
#include "core/peer_impl.h"
#include "core/reach.h"
#include "core/upstream.h"

#include <stdio.h>

void zt_status(const struct zt_node *node, struct zt_status *out)
{
	char text[IDENTITY_TEXT_MAX];
	*out = (struct zt_status){
		.address = node->identity.address,
		.is_online = node->is_online,
		.is_root = node->is_root,
		.planet_id = node->has_planet ? node->planet.id : 0,
		.planet_timestamp = node->has_planet ? node->planet.timestamp : 0,
	};
	(void)snprintf(out->identity_public, sizeof out->identity_public, "%s",
		       identity_text(&node->identity, false, text));
}

/* A time of ours as the view tells it: 0 = never. */
static int64_t told(int64_t ms)
{
	return ms == LIMIT_NEVER_MS ? 0 : ms;
}

static void peer_fill(const struct zt_node *node, const struct peer *peer, struct zt_now now,
		      struct zt_peer_view *out)
{
	const struct path *best = peer_best_path(peer, now.mono_ms);
	*out = (struct zt_peer_view){
		.address = peer->identity.address,
		.version_major = peer->has_version ? peer->version.major : -1,
		.version_minor = peer->has_version ? peer->version.minor : -1,
		.version_revision = peer->has_version ? peer->version.revision : -1,
		.version_protocol = peer->has_version ? peer->version.protocol : -1,
		.latency_ms =
		    best && best->latency_ms != PATH_LATENCY_UNKNOWN ? best->latency_ms : -1,
		.role = upstream_role(node, peer),
		.packets_in = peer->packets_in,
		.packets_out = peer->packets_out,
		.packet_errors = peer->packet_errors,
		.latencies = peer->latencies,
		.path_count = peer->path_count,
	};
	for (size_t i = 0; i < peer->path_count; i++) {
		const struct peer_path *p = &peer->paths[i];
		bool is_active = now.mono_ms - p->last_heard_ms < PATH_EXPIRY_MS;
		out->paths[i] = (struct zt_path_view){
			.endpoint = p->path->to,
			.last_send_ms = told(p->path->last_out_ms),
			.last_receive_ms = told(p->path->last_in_ms),
			.socket = p->path->socket,
			.trusted_path_id = p->path->trusted_id,
			.is_active = is_active,
			.is_expired = !is_active,
			.is_preferred = p->path == best,
		};
	}
}

bool zt_peer_view(const struct zt_node *node, struct zt_now now, size_t index,
		  struct zt_peer_view *out)
{
	const struct peer *peer = peers_at(&node->peers, index);
	if (!peer) {
		return false;
	}
	peer_fill(node, peer, now, out);
	return true;
}

bool zt_peer_find(const struct zt_node *node, struct zt_now now, uint64_t address,
		  struct zt_peer_view *out)
{
	const struct peer *peer = peers_find(&node->peers, address);
	if (!peer) {
		return false;
	}
	peer_fill(node, peer, now, out);
	return true;
}

size_t zt_surface_addresses(const struct zt_node *node, struct zt_endpoint *out, size_t max)
{
	return reach_surfaces(node->reach, out, max);
}

const struct zt_tally *zt_tally(const struct zt_node *node)
{
	return &node->tally;
}

bool zt_identity_find(const struct zt_node *node, uint64_t address, char out[160])
{
	char text[IDENTITY_TEXT_MAX];
	const struct peer *peer = peers_find(&node->peers, address);
	const struct identity *identity = address == node->identity.address ? &node->identity
					  : peer                            ? &peer->identity
									    : NULL;
	if (identity) {
		(void)snprintf(out, 160, "%s", identity_text(identity, false, text));
	}
	return identity != NULL;
}

uint64_t zt_counter(const struct zt_node *node, enum zt_counter counter)
{
	return node->counters[counter];
}
