/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What ICMP says about our segments (RFC 1122 4.2.3.9, RFC 5927).
 *
 * Anybody who knows four numbers can send such a message, so it counts only if the segment that it
 * quotes is one that is on its way now: its sequence number lies between what is acknowledged and
 * what was sent. As in Linux, every error ends an attempt to connect (SYN-SENT), with its own
 * errno; an established connection only remembers it and says it instead of "timed out" if it is
 * given up later. "Too big" lowers the size of this connection's segments, never below what every
 * link carries (RFC 8201 4, Linux's min_pmtu), and what is on its way is cut up and sent again; the
 * loss is no sign of congestion. The next connection learns it anew: links beyond a router with a
 * smaller MTU are rare in a virtual network, and a table of them could be filled by forgers. */
#include "base/rd.h"
#include "stack/hooks.h"
#include "stack/stk_tcp.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>

enum {
	MTU_MIN_V4 = 552,
	MTU_MIN_V6 = 1280,
	HEADERS_V4 = 40,
	HEADERS_V6 = 60,
};

/* Cut every unsent segment longer than `mss`. False: out of memory, some may be as they were. */
static bool segments_split(struct tcp_pcb *pcb, uint16_t mss)
{
	struct tcp_seg *first = pcb->unsent;
	bool is_done = true;
	for (struct tcp_seg *seg = first; seg && is_done; seg = seg->next) {
		pcb->unsent = seg; /* lwIP splits the head of the queue only */
		is_done = tcp_split_unsent_seg(pcb, mss) == ERR_OK;
	}
	pcb->unsent = first;
	pcb->unsent_oversize = 0; /* a full segment has no room for more */
	return is_done;
}

static void mtu_lowered(struct stack *s, struct tcp_pcb *pcb, bool is_v4, uint32_t mtu)
{
	uint32_t least = is_v4 ? MTU_MIN_V4 : MTU_MIN_V6;
	uint32_t mss = (mtu < least ? least : mtu) - (is_v4 ? HEADERS_V4 : HEADERS_V6);
	if (mss >= pcb->mss) {
		return;
	}
	stk_tcp_enter(s, pcb);
	(void)tcp_rexmit_rto_prepare(pcb); /* fails if nothing is on its way */
	if (segments_split(pcb, (uint16_t)mss)) {
		pcb->mss = (uint16_t)mss;
	}
	(void)tcp_output(pcb);
	stk_tcp_leave(s);
}

void stk_tcp_icmp(struct stack *s, const struct packet *quoted,
		  const struct stack_unreachable *report)
{
	struct rd r = rd_init(quoted->payload, quoted->payload_length);
	uint16_t local_port = rd_u16(&r), remote_port = rd_u16(&r);
	uint32_t sequence = rd_u32(&r);
	ip_addr_t local, remote;
	ipa_to_lwip(&quoted->source, &local);
	ipa_to_lwip(&quoted->destination, &remote);
	struct tcp_pcb *pcb = stk_demux_find(&local, local_port, &remote, remote_port);
	if (!pcb || pcb->state == TIME_WAIT || TCP_SEQ_LT(sequence, pcb->lastack) ||
	    TCP_SEQ_GT(sequence, pcb->snd_nxt)) {
		return;
	}
	if (report->error == EMSGSIZE) {
		mtu_lowered(s, pcb, ipa_is_v4(&quoted->source), report->mtu);
		return;
	}
	struct stack_tcp *tcp = pcb->callback_arg;
	if (!tcp) {
		return; /* half open: the other side knows better */
	}
	if (pcb->state == SYN_SENT) {
		(void)tcp_detach(tcp);
		tcp_abandon(pcb, 0);
		tcp->error = report->error;
		tcp_tell(s, tcp, EVENT_CLOSED);
	} else {
		tcp->soft_error = report->error;
	}
}
