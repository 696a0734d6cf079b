/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Multicast: gathering the members of groups, frames to and from them (vl2 8).
 *
 * How this works: everybody announces its groups (groups.c). A frame goes to each known member of
 * its group by itself; when fewer are known than the network's limit, others are asked for more,
 * and the frame goes to those who turn up within 5 s. For that nothing is polled: a new member is
 * sent what waits at the moment it is learnt.
 *
 * Where the network names replicators, one of them does all that for us (replicate.c).
 */
#include "core/vl2_impl.h"

#include "core/addr.h"
#include "core/limit.h"
#include "core/peer.h"
#include "core/proto.h"

enum {
	ANSWER_ADDRESSES_MAX = 256, /* in one OK, so that it is one datagram, too */
	COPIES_MAX = 1024,          /* of one frame, whatever the network's limit */
	GATHER_FROM_MAX = 16,       /* 8.2 */
	GATHERED_MAX = 4096,        /* members of a group that others may tell us of */
};

/* ---- sending ----------------------------------------------------------------------------------
 */

/* What one copy needs to know. */
struct copies {
	struct zt_node *node;
	struct zt_now now;
	struct network *network;
	uint32_t gather_limit; /* 0 = none */
	uint64_t dest;
	bool is_request; /* it shall replicate */
};

static void copy_send(const struct copies *copies, const struct mcast_out *frame)
{
	struct network *network = copies->network;
	if (frame->from != network->mac && frame->from == addr_mac(network->nwid, copies->dest)) {
		return; /* it is the one who sent it, to us, who replicate */
	}
	const struct eth_frame judged = { .to = frame->group.mac,
					  .from = frame->from,
					  .ether_type = frame->ether_type,
					  .data = frame->data };
	if (!passage_out(copies->node, copies->now, network, &judged, copies->dest,
			 PASSAGE_NO_COPIES)) {
		return;
	}
	struct mcast_frame message = {
		.group = frame->group,
		.gather_limit = copies->gather_limit,
		.from = frame->from,
		.ether_type = frame->ether_type,
	};
	message.flags = copies->gather_limit ? MULTICAST_FRAME_GATHER : 0;
	if (copies->is_request) {
		message.flags |= MULTICAST_FRAME_SOURCE | MULTICAST_FRAME_REPLICATE;
	} else if (frame->from != network->mac) {
		message.flags |= MULTICAST_FRAME_SOURCE;
	}
	uint8_t head[MSG2_MCAST_HEADER_MAX_BYTES];
	struct wr w = wr_init(head, sizeof(head));
	mcast_frame_write_header(&w, &message);
	struct iovec iov[2] = {
		{ .iov_base = head, .iov_len = wr_length(&w) },
		{ .iov_base = (void *)(uintptr_t)frame->data.bytes, .iov_len = frame->data.length },
	};
	bool may_compress = !(network->config->flags & NETCONF_NO_COMPRESSION);
	struct tx_packet packet = {
		.dest = copies->dest,
		.iov = iov,
		.iov_count = 2,
		.verb = VERB_MULTICAST_FRAME,
		.flags =
		    (may_compress ? TX_COMPRESS : 0u) | (copies->gather_limit ? TX_EXPECT : 0u),
	};
	credentials_push_due(copies->node, copies->now, network, copies->dest);
	tx_send(copies->node, copies->now, &packet, NULL);
}

static void gather(struct zt_node *node, struct zt_now now, struct network *network,
		   const struct group_id *group, uint32_t limit)
{
	uint8_t com[COM_MAX_BYTES], bytes[64 + COM_MAX_BYTES];
	struct gather_msg message = { .group = *group, .limit = limit };
	if (network_com(network)) {
		struct wr w = wr_init(com, sizeof(com));
		com_write(&w, network_com(network));
		message.flags = GATHER_COM;
		message.com = (struct span){ .bytes = com, .length = wr_length(&w) };
	}
	struct wr w = wr_init(bytes, sizeof(bytes));
	gather_msg_write(&w, &message);
	struct span payload = { .bytes = bytes, .length = wr_length(&w) };
	uint64_t dest[GATHER_FROM_MAX];
	size_t n = groups_directories(node, network, dest, GATHER_FROM_MAX);
	uint64_t best = node_best_upstream(node, now);
	for (size_t i = 0; i < n; i++) {
		/* Of the upstreams only the best: they learn the same. */
		if (!node_is_upstream(node, dest[i]) || dest[i] == best ||
		    dest[i] == network->controller) {
			vl2_send(node, now, dest[i], VERB_MULTICAST_GATHER, TX_EXPECT, &payload);
		}
	}
}

void mcast_send(struct zt_node *node, struct zt_now now, struct network *network,
		const struct mcast_out *frame)
{
	uint64_t replicator = replicator_choose(node, now, network);
	if (replicator != 0) {
		const struct copies request = {
			.node = node,
			.now = now,
			.network = network,
			.dest = replicator,
			.is_request = true,
		};
		copy_send(&request, frame);
		return;
	}
	struct mcast *mcast = &node_vl2(node)->mcast;
	struct mcast_group *group = mcast_get(mcast, &frame->group);
	uint32_t known = group ? group->count : 0;
	uint32_t limit = network->config->multicast_limit;
	struct copies copies = { .node = node, .now = now, .network = network };
	copies.gather_limit = known >= limit ? 1 : limit - known + 1;
	vl2_sweep_later(node, now);
	if (known < limit && group &&
	    (known == 0 || now.mono_ms - group->gathered_ms >= VL2_MULTICAST_GATHER_MS)) {
		group->gathered_ms = now.mono_ms;
		gather(node, now, network, &frame->group, copies.gather_limit);
	}
	uint64_t dest[VL2_SPECIALISTS_MAX + COPIES_MAX];
	/* A frame goes to every active bridge whatever its groups. */
	size_t n = network_bridges(network, node_address(node), dest, VL2_SPECIALISTS_MAX);
	size_t bridge_count = n;
	n += mcast_sample(group, node_address(node), node_random_u64(node), dest + n,
			  limit < COPIES_MAX ? limit : COPIES_MAX);
	for (size_t i = 0; i < n; i++) {
		copies.dest = dest[i];
		if (i < bridge_count || !network_is_bridge(network, dest[i])) {
			copy_send(&copies, frame);
		}
	}
	if (known < limit) {
		(void)mcast_keep(mcast, frame, limit - known, now.mono_ms);
	}
}

static void pending_send(void *context, const struct mcast_out *frame)
{
	copy_send(context, frame);
}

/* Somebody is in a group. If that is news, frames that wait go out to it, and it is true. */
static bool member_learnt(struct zt_node *node, struct zt_now now, const struct group_id *group,
			  uint64_t address)
{
	struct mcast *mcast = &node_vl2(node)->mcast;
	enum mcast_added added = mcast_add(mcast, group, address, now.mono_ms);
	if (added == MCAST_FULL) {
		node_count(node, ZT_COUNT_DROP_MEMORY);
	}
	if (added != MCAST_ADDED) {
		return false;
	}
	vl2_sweep_later(node, now);
	struct network *network = vl2_network(node, group->nwid);
	if (network && network->config && !network_is_bridge(network, address)) {
		struct copies copies = {
			.node = node, .now = now, .network = network, .dest = address
		};
		mcast_pending_each(mcast, group, now.mono_ms, pending_send, &copies);
	}
	return true;
}

/* ---- being the directory ----------------------------------------------------------------------
 */

/* May this peer tell us of groups, and ask for their members (8.1, 8.2)? */
static bool is_welcome(struct zt_node *node, struct zt_now now, uint64_t nwid, struct packet_in *in)
{
	struct network *network = vl2_network(node, nwid);
	return (network && gate_is_open(node, now, network, in)) || node_is_root(node) ||
	       gate_is_authorised(node, now, nwid, in->source);
}

/* May the peer make this entry? What it has made before it may refresh at any time; of new ones
 * there is a limit, so that one member cannot fill the table that all networks share (decision
 * 260). */
static bool may_announce(struct zt_node *node, struct zt_now now, const struct packet_in *in,
			 const struct group_id *group)
{
	return limit_quota_has(peer_groups(in->peer), now.mono_ms, VL2_MULTICAST_LIKE_EXPIRE_MS,
			       MCAST_NEWS_MAX) ||
	       mcast_has(&node_vl2(node)->mcast, group, in->source);
}

enum vl2_result on_like(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct rd r = in->payload;
	uint64_t judged = 0; /* the network of the record before: no id is 0 */
	bool is_ok = false;
	while (rd_left(&r) >= MSG2_LIKE_BYTES) {
		struct group_id group;
		if (group_id_read(&r, &group) || !addr_mac_is_multicast(group.mac)) {
			node_count(node, ZT_COUNT_DROP_MALFORMED);
			return VL2_IGNORED;
		}
		if (group.nwid != judged) {
			judged = group.nwid;
			is_ok = is_welcome(node, now, judged, in);
		}
		if (!is_ok) {
			node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		} else if (!may_announce(node, now, in, &group)) {
			node_count(node, ZT_COUNT_DROP_RATE);
		} else if (member_learnt(node, now, &group, in->source)) {
			peer_groups(in->peer)->used++;
		}
	}
	return VL2_DONE;
}

/* Collect an answer: ourselves first if we are in the group, then others in random order. Who sent
 * us a frame knows of us already. */
static size_t answer_members(struct zt_node *node, const struct packet_in *in,
			     const struct group_id *id, uint64_t *out, size_t max, uint32_t *total)
{
	const struct mcast_group *group = mcast_find(&node_vl2(node)->mcast, id);
	const struct network *network = vl2_network(node, id->nwid);
	size_t n = 0;
	if (max > 0 && in->verb == VERB_MULTICAST_GATHER && network &&
	    network_group_has(network, id->mac, id->adi)) {
		out[n++] = node_address(node);
	}
	*total = (group ? group->count : 0) + (uint32_t)n;
	return n + mcast_sample(group, in->source, node_random_u64(node), out + n, max - n);
}

static void answer(struct zt_node *node, struct zt_now now, const struct packet_in *in,
		   const struct group_id *group, uint32_t limit)
{
	uint64_t members[ANSWER_ADDRESSES_MAX];
	struct gathered head = { .group = *group };
	size_t max = limit < ANSWER_ADDRESSES_MAX ? limit : ANSWER_ADDRESSES_MAX;
	size_t n = answer_members(node, in, group, members, max, &head.total);
	if (n == 0) {
		return;
	}
	head.count = (uint16_t)n;
	uint8_t bytes[32 + ANSWER_ADDRESSES_MAX * MSG2_ADDRESS_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	if (in->verb == VERB_MULTICAST_FRAME) {
		mcast_ok_write_header(&w, &head);
	} else {
		gathered_write_header(&w, &head);
	}
	for (size_t i = 0; i < n; i++) {
		wr_u40(&w, members[i]);
	}
	struct iovec iov = { .iov_base = bytes, .iov_len = wr_length(&w) };
	tx_ok(node, now, in, &iov, 1);
}

enum vl2_result on_gather(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct rd r = in->payload;
	struct gather_msg message;
	if (gather_msg_read(&r, &message)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	struct network *network = vl2_network(node, message.group.nwid);
	if (network && !credentials_inline(node, now, network, &message.com)) {
		return vl2_keep(in, network->controller);
	}
	if (!is_welcome(node, now, message.group.nwid, in)) {
		node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		return VL2_IGNORED;
	}
	answer(node, now, in, &message.group, message.limit);
	return VL2_DONE;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static enum vl2_result members_learnt(struct zt_node *node, struct zt_now now,
				      struct gathered *gathered)
{
	if (!vl2_network(node, gathered->group.nwid)) {
		node_count(node, ZT_COUNT_DROP_NETWORK);
		return VL2_IGNORED;
	}
	const struct mcast *mcast = &node_vl2(node)->mcast;
	for (uint16_t i = 0; i < gathered->count; i++) {
		uint64_t address = rd_u40(&gathered->addresses);
		const struct mcast_group *group = mcast_find(mcast, &gathered->group);
		if (address == node_address(node) || address_is_reserved(address) ||
		    (group && group->count >= GATHERED_MAX)) {
			continue;
		}
		(void)member_learnt(node, now, &gathered->group, address);
	}
	return VL2_DONE;
}

enum vl2_result on_gathered(struct zt_node *node, struct zt_now now, struct packet_in *in,
			    struct rd *payload)
{
	struct gathered gathered;
	(void)in;
	if (gathered_read(payload, &gathered)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	return members_learnt(node, now, &gathered);
}

enum vl2_result on_mcast_ok(struct zt_node *node, struct zt_now now, struct packet_in *in,
			    struct rd *payload)
{
	struct gathered gathered;
	struct span com;
	if (mcast_ok_read(payload, &gathered, &com)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	struct network *network = vl2_network(node, gathered.group.nwid);
	if (network && !credentials_inline(node, now, network, &com)) {
		return vl2_keep(in, network->controller);
	}
	return members_learnt(node, now, &gathered);
}

enum vl2_result on_unwanted_multicast(struct zt_node *node, struct packet_in *in,
				      struct rd *payload)
{
	struct group_id group;
	if (group_id_read(payload, &group)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	mcast_remove(&node_vl2(node)->mcast, &group, in->source);
	return VL2_DONE;
}

/* ---- receiving --------------------------------------------------------------------------------
 */

static bool mcast_addresses_ok(const struct network *network, const struct packet_in *in,
			       const struct mcast_frame *message, uint64_t from)
{
	if (network->config->multicast_limit == 0 || message->data.length == 0 ||
	    message->data.length > VL2_MTU_MAX || !addr_mac_is_multicast(message->group.mac)) {
		return false;
	}
	if (from == 0 || from == network->mac || addr_mac_is_multicast(from)) {
		return false;
	}
	return from == addr_mac(network->nwid, in->source) ||
	       network_is_bridge(network, in->source) ||
	       netconf_has_role(network->config, in->source, SPECIALIST_REPLICATOR);
}

enum vl2_result on_mcast_frame(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct rd r = in->payload;
	struct mcast_frame message;
	if (mcast_frame_read(&r, &message)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	enum vl2_result refusal;
	struct network *network =
	    gate_admit(node, now, in, message.group.nwid, &message.com, &refusal);
	if (!network) {
		return refusal;
	}
	uint64_t from = message.flags & MULTICAST_FRAME_SOURCE
			    ? message.from
			    : addr_mac(network->nwid, in->source);
	if (!mcast_addresses_ok(network, in, &message, from)) {
		node_count(node, ZT_COUNT_DROP_FRAME);
		return VL2_IGNORED;
	}
	/* The answer first: delivering overwrites the packet's header. */
	if (message.gather_limit > 0) {
		answer(node, now, in, &message.group, message.gather_limit);
	}
	if (message.flags & MULTICAST_FRAME_REPLICATE &&
	    netconf_has_role(network->config, node_address(node), SPECIALIST_REPLICATOR)) {
		const struct mcast_out copy = {
			.group = message.group,
			.from = from,
			.ether_type = message.ether_type,
			.data = message.data,
		};
		mcast_send(node, now, network, &copy);
	}
	struct eth_frame frame = {
		.to = message.group.mac,
		.from = from,
		.ether_type = message.ether_type,
		.data = message.data,
	};
	if (passage_in(node, now, network, &frame, in->source) != FILTER_DENY) {
		frame_deliver(node, network, in, &frame);
	}
	return VL2_DONE;
}
