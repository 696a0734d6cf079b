/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Multicast replicators: nodes that a network's configuration names, to which others leave the
 * copying of their multicasts (vl2 8.3, 8.4).
 *
 * How this works: a member sends a frame once, with the request to replicate, to the replicator
 * that answers fastest now; that one sends it on as it would a frame of its own, with the origin's
 * MAC. A copy carries no request, so nothing is copied twice; the origin, which is in the group as
 * a rule, gets none back. Without a replicator that answers every member copies for itself.
 */
#include "core/vl2_impl.h"

static bool does_own_copies(const struct network *network, uint64_t self)
{
	/* A bridge's frames carry foreign MACs, which only bridges may send. */
	return netconf_has_role(network->config, self, SPECIALIST_BRIDGE) ||
	       netconf_has_role(network->config, self, SPECIALIST_REPLICATOR);
}

uint64_t replicator_choose(const struct zt_node *node, struct zt_now now,
			   const struct network *network)
{
	const struct netconf *config = network->config;
	uint64_t best = 0;
	unsigned best_ms = 0;
	if (does_own_copies(network, node_address(node))) {
		return 0;
	}
	for (size_t i = 0; i < config->specialist_count; i++) {
		uint64_t address = config->specialists[i] & VL2_ADDRESS_MASK;
		const struct peer *peer = config->specialists[i] & SPECIALIST_REPLICATOR
					      ? peer_find(node, address)
					      : NULL;
		unsigned ms;
		if (peer && peer_is_near(peer, now, &ms) && (best == 0 || ms < best_ms)) {
			best = address;
			best_ms = ms;
		}
	}
	return best;
}
