/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Frames through the rules (vl2 7.4): what the filter is told, and what is done about its answer.
 *
 * How this works: each frame is judged once when it leaves, with all copies that rules ask for, and
 * once when it arrives. A frame to many goes past the table first for its copies and then for every
 * recipient by itself, because tags and capabilities may let one have it and not another. Networks
 * whose table accepts everything at once, most of them, cost one test of a flag.
 */
#include "core/vl2_impl.h"

#include "core/proto.h"

/* A copy or a redirection. The receiver's own table names it as an observer, so it takes the frame
 * whatever its addresses are. */
static void copy_send(struct zt_node *node, struct zt_now now, struct network *network,
		      const struct eth_frame *frame, const struct filter_copy *copy)
{
	if (address_is_reserved(copy->dest)) {
		return;
	}
	uint8_t head[MSG2_EXT_FRAME_HEADER_BYTES];
	struct wr w = wr_init(head, sizeof(head));
	ext_frame_write_header(&w, &(struct ext_frame){ .nwid = network->nwid,
							.flags = copy->flags,
							.to = frame->to,
							.from = frame->from,
							.ether_type = frame->ether_type });
	struct iovec iov[2] = {
		{ .iov_base = head, .iov_len = wr_length(&w) },
		{ .iov_base = (void *)(uintptr_t)frame->data.bytes, .iov_len = copy->length },
	};
	struct tx_packet packet = {
		.dest = copy->dest,
		.iov = iov,
		.iov_count = 2,
		.verb = VERB_EXT_FRAME,
		.flags = copy->flags & EXT_FRAME_ACK ? TX_EXPECT : 0u,
	};
	credentials_push_due(node, now, network, copy->dest);
	(void)tx_send(node, now, &packet, NULL);
}

static enum filter_verdict judge(struct zt_node *node, struct zt_now now, struct network *network,
				 const struct eth_frame *frame, struct filter_in *in)
{
	struct filter_out out;
	const struct member *other =
	    members_find(&network->members, in->is_inbound ? in->zt_source : in->zt_dest);
	in->self = node_address(node);
	in->mac_source = frame->from;
	in->mac_dest = frame->to;
	in->ether_type = frame->ether_type;
	in->data = frame->data;
	in->random = node_random_u64(node);
	in->own = network->config;
	in->other = other ? &other->held : NULL;
	in->window = network_window(network);
	enum filter_verdict verdict = filter_frame(in, &out);
	for (size_t i = 0; i < out.copy_count; i++) {
		copy_send(node, now, network, frame, &out.copies[i]);
	}
	return verdict;
}

bool passage_out(struct zt_node *node, struct zt_now now, struct network *network,
		 const struct eth_frame *frame, uint64_t dest, enum passage_copies copies)
{
	if (network->is_open) {
		return true;
	}
	struct filter_in in = {
		.is_tee_suppressed = copies == PASSAGE_NO_COPIES,
		.zt_source = node_address(node),
		.zt_dest = dest,
	};
	if (judge(node, now, network, frame, &in) != FILTER_DENY) {
		return true;
	}
	if (copies == PASSAGE_COPIES) { /* else it was counted as a frame that left */
		node_count(node, ZT_COUNT_DROP_RULES);
		network->refused[ZT_OUT]++;
	}
	return false;
}

enum filter_verdict passage_in(struct zt_node *node, struct zt_now now, struct network *network,
			       const struct eth_frame *frame, uint64_t source)
{
	if (network->is_open) {
		return FILTER_PASS;
	}
	struct filter_in in = {
		.is_inbound = true,
		.zt_source = source,
		.zt_dest = node_address(node),
	};
	enum filter_verdict verdict = judge(node, now, network, frame, &in);
	if (verdict == FILTER_DENY) {
		node_count(node, ZT_COUNT_DROP_RULES);
		network->refused[ZT_IN]++;
	}
	return verdict;
}
