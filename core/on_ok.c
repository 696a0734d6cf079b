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
		return rx_of_vl2(vl2_on_ok(node, now, in, re.verb, re.id, &in->payload));
	}
}
