/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* OK: only as an answer to what we asked this very peer (vl1 9.4, 10.4, 19.4). */
#include "core/msg1.h"
#include "core/rx_impl.h"
#include "core/vl2.h"

/* A pushed configuration is acknowledged as if it had been an ECHO (vl1 22b). */
static bool answers(uint8_t in_re_verb, uint8_t sent_verb)
{
	return in_re_verb == sent_verb ||
	       (in_re_verb == VERB_ECHO && sent_verb == VERB_NETWORK_CONFIG);
}

static enum rx_result to_vl2(struct zt_node *node, struct zt_now now, struct packet_in *in,
			     const struct msg_re *re)
{
	switch (vl2_on_ok(node, now, in, re->verb, re->id, &in->payload)) {
	case VL2_DONE:
		return RX_DONE;
	case VL2_KEEP:
		return RX_KEEP;
	case VL2_IGNORED:
		break;
	}
	return RX_IGNORED;
}

enum rx_result on_ok(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct msg_re re;
	uint8_t sent_verb;
	if (msg_re_read(&in->payload, &re) != 0) {
		return RX_MALFORMED;
	}
	if (!expect_find(node->expect, re.id, in->source, now.mono_ms, &sent_verb) ||
	    !answers(re.verb, sent_verb)) {
		node_count(node, ZT_COUNT_DROP_UNEXPECTED);
		return RX_IGNORED;
	}
	switch (sent_verb) {
	case VERB_HELLO:
		return on_ok_hello(node, now, in);
	case VERB_WHOIS:
		return on_ok_whois(node, now, in);
	case VERB_ECHO:
		return RX_DONE;
	default:
		return to_vl2(node, now, in, &re);
	}
}
