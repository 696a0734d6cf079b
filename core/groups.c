/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Announcing the groups that our stack is in (vl2 8.1): to those who keep a directory of them, and
 * to the members that we talk to.
 */
#include "core/addr.h"
#include "core/limit.h"
#include "core/proto.h"
#include "core/vl2_impl.h"

enum {
	LIKES_PER_PACKET = 77, /* 1386 bytes: one datagram */
	/* Anchors and replicators are kept in touch with from one announcement to the next. */
	WANTED_MS = 2 * VL2_MULTICAST_ANNOUNCE_MS,
};

static void announce_to(struct zt_node *node, struct zt_now now, const struct network *network,
			const struct zt_group *groups, size_t count, uint64_t dest)
{
	uint8_t bytes[LIKES_PER_PACKET * MSG2_LIKE_BYTES];
	if (dest == node_address(node)) {
		return;
	}
	for (size_t i = 0; i < count;) {
		struct wr w = wr_init(bytes, sizeof(bytes));
		for (size_t n = 0; n < LIKES_PER_PACKET && i < count; n++, i++) {
			group_id_write(&w, &(struct group_id){ .nwid = network->nwid,
							       .mac = groups[i].mac,
							       .adi = groups[i].adi });
		}
		struct span payload = { .bytes = bytes, .length = wr_length(&w) };
		vl2_send(node, now, dest, VERB_MULTICAST_LIKE, 0, &payload);
	}
}

void groups_announce_to(struct zt_node *node, struct zt_now now, const struct network *network,
			uint64_t dest)
{
	announce_to(node, now, network, network->groups, network->group_count, dest);
}

size_t groups_directories(const struct zt_node *node, const struct network *network, uint64_t *out,
			  size_t max)
{
	size_t n = node_upstreams(node, out, max);
	uint64_t self = node_address(node);
	const struct netconf *config = network->config;
	for (size_t i = 0; i <= (config ? config->specialist_count : 0) && n < max; i++) {
		uint64_t address = network->controller;
		if (i > 0) {
			if (!(config->specialists[i - 1] &
			      (SPECIALIST_ANCHOR | SPECIALIST_REPLICATOR))) {
				continue;
			}
			address = config->specialists[i - 1] & VL2_ADDRESS_MASK;
		}
		/* Ad-hoc networks have no controller. */
		bool is_there = address == self || address_is_reserved(address);
		for (size_t j = 0; j < n && !is_there; j++) {
			is_there = out[j] == address;
		}
		if (!is_there) {
			out[n++] = address;
		}
	}
	return n;
}

static void announce(struct zt_node *node, struct zt_now now, struct network *network,
		     const struct zt_group *groups, size_t count, bool is_all)
{
	uint64_t dest[64];
	size_t n = groups_directories(node, network, dest, sizeof(dest) / sizeof(dest[0]));
	for (size_t i = 0; i < n; i++) {
		announce_to(node, now, network, groups, count, dest[i]);
		struct peer *peer = peer_find(node, dest[i]);
		if (peer && network->config &&
		    (netconf_has_role(network->config, dest[i], SPECIALIST_ANCHOR) ||
		     netconf_has_role(network->config, dest[i], SPECIALIST_REPLICATOR))) {
			peer_want(node, now, peer, now.mono_ms + WANTED_MS);
		}
	}
	const struct members *members = &network->members;
	for (size_t i = 0; i < members->capacity; i++) {
		struct member *m = members->slots[i];
		const struct peer *peer = m ? peer_find(node, m->address) : NULL;
		if (!peer || now.mono_ms - m->used_ms >= VL2_MULTICAST_ACTIVE_MS ||
		    !network_allows(network, m, peer_identity(peer))) {
			continue;
		}
		if (!is_all ||
		    limit_gate(&m->announced_ms, now.mono_ms, VL2_MULTICAST_ANNOUNCE_MS)) {
			announce_to(node, now, network, groups, count, m->address);
		}
	}
}

void groups_announce(struct zt_node *node, struct zt_now now, struct network *network)
{
	announce(node, now, network, network->groups, network->group_count, true);
}

void group_announce(struct zt_node *node, struct zt_now now, struct network *network,
		    const struct zt_group *group)
{
	if (network->config) { /* else the first configuration announces all */
		announce(node, now, network, group, 1, false);
		network->announce_repeats = NETWORK_ANNOUNCE_REPEATS - 1;
		network->announce_ms = now.mono_ms + NETWORK_ANNOUNCE_FIRST_MS;
		network_schedule(node, network);
	}
}
