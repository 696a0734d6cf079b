/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* FRAME and EXT_FRAME: unicast frames in and out (vl2 6). */
#include "core/vl2_impl.h"

#include "base/bug.h"
#include "core/addr.h"
#include "core/ndp.h"
#include "core/proto.h"

enum {
	ETHERNET_HEADER_BYTES = 14,
	ETHERTYPE_ARP = 0x0806,
	ARP_MIN_BYTES = 28,
};

/* ---- receiving --------------------------------------------------------------------------------
 */

void frame_deliver(struct zt_node *node, struct network *network, struct packet_in *in,
		   const struct eth_frame *frame)
{
	/* Every message has at least 28 + 10 bytes before its data, which nobody needs any more. */
	size_t at = (size_t)(frame->data.bytes - in->bytes);
	BUG_ON(at < PACKET_PAYLOAD_AT || at + frame->data.length > in->length);
	uint8_t *bytes = in->bytes + at - ETHERNET_HEADER_BYTES;
	struct wr w = wr_init(bytes, ETHERNET_HEADER_BYTES);
	wr_u48(&w, frame->to);
	wr_u48(&w, frame->from);
	wr_u16(&w, frame->ether_type);
	struct zt_frame out = {
		.bytes = bytes,
		.length = (uint32_t)(ETHERNET_HEADER_BYTES + frame->data.length),
		.is_authentic = frame->from == addr_mac(network->nwid, in->source),
	};
	node_count(node, ZT_COUNT_FRAMES_IN);
	network->frames[ZT_IN]++;
	node_frames_in(node, network->nwid, &out, 1);
}

enum vl2_result on_frame(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct rd r = in->payload;
	struct frame_msg message;
	if (frame_msg_read(&r, &message)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	enum vl2_result refusal;
	struct network *network = gate_admit(node, now, in, message.nwid, NULL, &refusal);
	if (!network) {
		return refusal;
	}
	struct eth_frame frame = {
		.to = network->mac,
		.from = addr_mac(network->nwid, in->source),
		.ether_type = message.ether_type,
		.data = message.data,
	};
	if (passage_in(node, now, network, &frame, in->source) != FILTER_DENY) {
		frame_deliver(node, network, in, &frame);
	}
	return VL2_DONE;
}

static bool ext_source_ok(const struct network *network, const struct ext_frame *message)
{
	return message->from != 0 && message->from != network->mac &&
	       !addr_mac_is_multicast(message->from);
}

/* Foreign addresses are the business of active bridges (6.3). */
static bool ext_addresses_ok(const struct zt_node *node, const struct network *network,
			     const struct packet_in *in, const struct eth_frame *frame)
{
	if (frame->from != addr_mac(network->nwid, in->source) &&
	    !network_is_bridge(network, in->source)) {
		return false;
	}
	if (frame->to == network->mac) {
		return true;
	}
	return addr_mac_is_multicast(frame->to) ? network->config->multicast_limit > 0
						: network_is_bridge(network, node_address(node));
}

/* A foreign MAC is where its frames come from. A member's MAC says by itself where it is. */
static void bridge_learn(struct zt_node *node, struct network *network, uint64_t source,
			 uint64_t mac)
{
	if (!addr_mac_is_member(network->nwid, mac)) {
		bridged_learn(&network->bridged, mac, source, node_random_u64(node));
	}
}

static void ext_acknowledge(struct zt_node *node, struct zt_now now, const struct packet_in *in,
			    uint64_t nwid)
{
	uint8_t bytes[8];
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u64(&w, nwid);
	struct iovec iov = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	tx_ok(node, now, in, &iov, 1);
}

enum vl2_result on_ext_frame(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct rd r = in->payload;
	struct ext_frame message;
	if (ext_frame_read(&r, &message)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	enum vl2_result refusal;
	struct network *network = gate_admit(node, now, in, message.nwid, &message.com, &refusal);
	if (!network) {
		return refusal;
	}
	if (!ext_source_ok(network, &message)) {
		node_count(node, ZT_COUNT_DROP_FRAME);
		return VL2_IGNORED;
	}
	struct eth_frame frame = {
		.to = message.to,
		.from = message.from,
		.ether_type = message.ether_type,
		.data = message.data,
	};
	enum filter_verdict verdict = passage_in(node, now, network, &frame, in->source);
	if (verdict == FILTER_DENY) {
		return VL2_DONE;
	}
	if (verdict == FILTER_PASS && !ext_addresses_ok(node, network, in, &frame)) {
		node_count(node, ZT_COUNT_DROP_FRAME);
		return VL2_IGNORED;
	}
	if (verdict == FILTER_PASS) {
		bridge_learn(node, network, in->source, frame.from);
	}
	/* The reply first: delivering overwrites the packet's header. */
	if (message.flags & EXT_FRAME_ACK) {
		ext_acknowledge(node, now, in, message.nwid);
	}
	frame_deliver(node, network, in, &frame);
	return VL2_DONE;
}

/* ---- sending ----------------------------------------------------------------------------------
 */

/* FRAME when source and destination follow from the nodes, else EXT_FRAME. */
static void unicast(struct zt_node *node, struct zt_now now, struct network *network,
		    const struct eth_frame *frame, uint64_t dest)
{
	uint8_t head[MSG2_EXT_FRAME_HEADER_BYTES];
	struct wr w = wr_init(head, sizeof(head));
	bool is_plain = frame->from == network->mac && frame->to == addr_mac(network->nwid, dest);
	if (is_plain) {
		frame_msg_write_header(&w, &(struct frame_msg){ .nwid = network->nwid,
								.ether_type = frame->ether_type });
	} else {
		ext_frame_write_header(&w, &(struct ext_frame){ .nwid = network->nwid,
								.to = frame->to,
								.from = frame->from,
								.ether_type = frame->ether_type });
	}
	credentials_push_due(node, now, network, dest);
	struct iovec iov[2] = {
		{ .iov_base = head, .iov_len = wr_length(&w) },
		{ .iov_base = (void *)(uintptr_t)frame->data.bytes, .iov_len = frame->data.length },
	};
	struct tx_packet packet = {
		.dest = dest,
		.iov = iov,
		.iov_count = 2,
		.verb = is_plain ? VERB_FRAME : VERB_EXT_FRAME,
	};
	if (tx_send(node, now, &packet, NULL) != TX_DROPPED) {
		node_count(node, ZT_COUNT_FRAMES_OUT);
		network->frames[ZT_OUT]++;
	}
}

/* The active bridges that a foreign MAC may live behind: the one it was seen behind if that still
 * is one, else all, or 32 by chance (6.4). */
static size_t bridges_for(struct zt_node *node, const struct network *network, uint64_t mac,
			  uint64_t out[VL2_SPECIALISTS_MAX])
{
	out[0] = bridged_find(&network->bridged, mac);
	if (out[0] != 0 && network_is_bridge(network, out[0])) {
		return 1;
	}
	size_t n = network_bridges(network, node_address(node), out, VL2_SPECIALISTS_MAX);
	if (n <= VL2_BRIDGES_SPAM_MAX) {
		return n;
	}
	for (size_t i = 0; i < VL2_BRIDGES_SPAM_MAX; i++) {
		size_t j = i + (size_t)(node_random_u64(node) % (n - i));
		uint64_t chosen = out[j];
		out[j] = out[i];
		out[i] = chosen;
	}
	return VL2_BRIDGES_SPAM_MAX;
}

static void to_bridges(struct zt_node *node, struct zt_now now, struct network *network,
		       const struct eth_frame *frame)
{
	uint64_t dest[VL2_SPECIALISTS_MAX];
	if (!passage_out(node, now, network, frame, 0, PASSAGE_COPIES)) {
		return;
	}
	size_t n = bridges_for(node, network, frame->to, dest);
	for (size_t i = 0; i < n; i++) {
		if (passage_out(node, now, network, frame, dest[i], PASSAGE_NO_COPIES)) {
			unicast(node, now, network, frame, dest[i]);
		}
	}
	if (n == 0) {
		node_count(node, ZT_COUNT_DROP_FRAME);
	}
}

/* The group of a broadcast or multicast frame; false if this network does not carry it (6.4). ARP
 * requests have a group per address, so that they reach its owner alone. */
static bool group_of(const struct network *network, const struct eth_frame *frame,
		     struct group_id *out)
{
	const uint8_t *d = frame->data.bytes;
	*out = (struct group_id){ .nwid = network->nwid, .mac = frame->to };
	if (frame->to != ADDR_MAC_BROADCAST) {
		return true;
	}
	if (frame->ether_type == ETHERTYPE_ARP && frame->data.length >= ARP_MIN_BYTES &&
	    d[2] == 0x08 && d[3] == 0x00 && d[4] == 6 && d[5] == 4 && d[7] == 1) {
		struct rd target = rd_init(d + 24, 4);
		out->adi = rd_u32(&target);
		return true;
	}
	return network->config->flags & NETCONF_BROADCAST;
}

/* Who has a derived address follows from the address: no need to ask around (6.5). */
static bool is_answered_here(struct zt_node *node, struct zt_now now, const struct network *network,
			     const struct eth_frame *frame)
{
	uint8_t answer[NDP_ANSWER_BYTES];
	const struct ndp_query query = {
		.to = frame->to,
		.from = frame->from,
		.ether_type = frame->ether_type,
		.data = frame->data,
	};
	if (!ndp_answer(network->config, node_address(node), &query, answer)) {
		return false;
	}
	vl2_local(node, now, network->nwid, answer, sizeof(answer));
	return true;
}

static void multicast(struct zt_node *node, struct zt_now now, struct network *network,
		      const struct eth_frame *frame)
{
	struct mcast_out out = {
		.from = frame->from,
		.ether_type = frame->ether_type,
		.data = frame->data,
	};
	if (!group_of(network, frame, &out.group)) {
		node_count(node, ZT_COUNT_DROP_FRAME);
		return;
	}
	if (is_answered_here(node, now, network, frame)) {
		return;
	}
	if (network->config->multicast_limit == 0) {
		node_count(node, ZT_COUNT_DROP_FRAME);
		return;
	}
	if (passage_out(node, now, network, frame, 0, PASSAGE_COPIES)) {
		node_count(node, ZT_COUNT_FRAMES_OUT);
		network->frames[ZT_OUT]++;
		mcast_send(node, now, network, &out);
	}
}

void frame_send(struct zt_node *node, struct zt_now now, struct network *network,
		const struct zt_frame *frame)
{
	struct rd r = rd_init(frame->bytes, frame->length);
	struct eth_frame out = { .to = rd_u48(&r) };
	out.from = rd_u48(&r);
	out.ether_type = rd_u16(&r);
	out.data = (struct span){ .bytes = r.p, .length = rd_left(&r) };
	if (r.bad || out.data.length == 0 || frame->length > ZT_MAX_FRAME_BYTES ||
	    (out.from != network->mac && !network_is_bridge(network, node_address(node)))) {
		node_count(node, ZT_COUNT_DROP_FRAME);
		return;
	}
	if (addr_mac_is_multicast(out.to)) {
		multicast(node, now, network, &out);
	} else if (out.to == network->mac) {
		vl2_local(node, now, network->nwid, frame->bytes, frame->length);
	} else if (addr_mac_is_member(network->nwid, out.to)) {
		uint64_t dest = addr_of_mac(network->nwid, out.to);
		if (address_is_reserved(dest)) {
			node_count(node, ZT_COUNT_DROP_FRAME);
			return;
		}
		if (passage_out(node, now, network, &out, dest, PASSAGE_COPIES)) {
			unicast(node, now, network, &out, dest);
		}
	} else {
		to_bridges(node, now, network, &out);
	}
}
