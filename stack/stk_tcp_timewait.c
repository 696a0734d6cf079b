/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Segments for connections in TIME-WAIT (RFC 9293 3.10.7.4, RFC 1337, RFC 6191, decision 121) and
 * new connections with the names of one.
 *
 * Every sequence number of a new connection lies beyond those of the old one, so no old segment can
 * pass for one of its own: a SYN from the peer ends TIME-WAIT only if its number does, and what we
 * choose for our side is raised above the old end (as Linux does), by stk_hook_isn(). */
#include "base/wr.h"
#include "stack/hooks.h"
#include "stack/stk_tcp.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>

enum {
	TCP_HEADER = 20,
	PROTOCOL_TCP = 6,
	ISN_STEP = 65535 + 2, /* beyond what was sent and what a probe may have added */
};

static void acknowledge(struct stack *s, const struct timewait *t)
{
	struct ip_out out = { .source = t->names.local,
			      .destination = t->names.remote,
			      .protocol = PROTOCOL_TCP };
	uint8_t *segment = ip_out_payload(TCP_HEADER);
	struct wr w = wr_init(segment, TCP_HEADER);
	wr_u16(&w, t->names.local_port);
	wr_u16(&w, t->names.remote_port);
	wr_u32(&w, t->send_next);
	wr_u32(&w, t->receive_next);
	wr_u16(&w, TCP_HEADER / 4 << 12 | TCP_ACK);
	wr_u16(&w, t->window);
	wr_u32(&w, 0);
	uint16_t sum =
	    ip_checksum(&out.source, &out.destination, PROTOCOL_TCP, segment, TCP_HEADER);
	memcpy(segment + 16, &sum, 2);
	s->counts.tcp_out += ip_out_send(s, &out, TCP_HEADER) == 0;
}

/* The names may be used again: by sequence numbers beyond the old ones. */
static void reuse(struct stack *s, struct timewait *t)
{
	s->isn_floor = t->send_next + ISN_STEP;
	s->has_isn_floor = true;
	timewait_remove(s, t);
}

int timewait_connect(struct stack *s, const struct timewait_names *names)
{
	struct timewait *t = timewait_find(s, names);
	if (t && (uint32_t)s->now_ms - t->since_ms < TIMEWAIT_REUSE_MS) {
		return -EADDRINUSE;
	}
	if (t) {
		reuse(s, t);
	}
	return 0;
}

bool stk_tcp_in_time_wait(const struct ip_addr *local, const struct ip_addr *remote,
			  const struct tcp_hdr *header, uint16_t length)
{
	struct stack *s = &the_stack;
	s->has_isn_floor = false;
	if (s->timewaits.count == 0) {
		return false;
	}
	struct timewait_names names = { ipa_of_lwip(local), ipa_of_lwip(remote), header->dest,
					header->src };
	struct timewait *t = timewait_find(s, &names);
	uint8_t flags = TCPH_FLAGS(header);
	if (!t) {
		return false;
	}
	if ((flags & TCP_RST) != 0) {
		/* The answer to our acknowledgement of a SYN by one who has forgotten. */
		if (header->seqno == t->receive_next) {
			timewait_remove(s, t);
		}
		return true;
	}
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
	    TCP_SEQ_GT(header->seqno, t->receive_next)) {
		reuse(s, t);
		return false; /* the listener answers it */
	}
	if ((flags & (TCP_SYN | TCP_FIN)) == TCP_FIN) {
		timewait_refresh(s, t);
	}
	if (length > 0) {
		acknowledge(s, t);
	}
	return true;
}

bool timewait_take(struct stack *s, const struct tcp_pcb *pcb)
{
	struct timewait fresh = {
		.names = { ipa_of_lwip(&pcb->local_ip), ipa_of_lwip(&pcb->remote_ip),
			   pcb->local_port, pcb->remote_port },
		.send_next = pcb->snd_nxt,
		.receive_next = pcb->rcv_nxt,
		.window = (uint16_t)TCPWND_MIN16(RCV_WND_SCALE(pcb, pcb->rcv_ann_wnd)),
	};
	return timewait_add(s, &fresh);
}
