/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* ERROR: every code has its own rule of who may send it (vl1 9.4). */
#include "core/msg1.h"
#include "core/rx_impl.h"
#include "core/vl2.h"

enum rx_result on_error(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct msg_re re;
	if (msg_re_read(&in->payload, &re) != 0) {
		return RX_MALFORMED;
	}
	const struct vl2_refusal refusal = {
		.in_re_verb = re.verb,
		.in_re_id = re.id,
		.code = rd_u8(&in->payload),
	};
	if (refusal.code < ZT_TALLY_ERRORS) {
		node->tally.errors[ZT_IN][refusal.code]++;
	}
	switch (refusal.code) {
	case ERROR_IDENTITY_COLLISION:
		if (!in->peer->is_upstream) {
			node_count(node, ZT_COUNT_DROP_UNTRUSTED);
			return RX_IGNORED;
		}
		node_log(node, ZT_LOG_ERROR,
			 "another node has our address; a new identity is needed upstream=%010llx",
			 (unsigned long long)in->source);
		node_event(node, ZT_EVENT_IDENTITY_COLLISION, in->source);
		return RX_IGNORED; /* to be refused is not to be online */
	case ERROR_OBJ_NOT_FOUND:
	case ERROR_UNSUPPORTED_OPERATION:
	case ERROR_NEED_MEMBERSHIP_CERTIFICATE:
	case ERROR_NETWORK_ACCESS_DENIED:
	case ERROR_UNWANTED_MULTICAST:
	case ERROR_NETWORK_AUTHENTICATION_REQUIRED:
		break;
	default:
		return RX_DONE; /* no consequence */
	}
	return rx_of_vl2(vl2_on_error(node, now, in, &refusal, &in->payload));
}
