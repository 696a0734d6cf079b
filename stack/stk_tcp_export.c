/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Connections as bytes: what a successor needs to go on with them. See stk_tcp_state.h.
 *
 * How this works
 * Nothing changes by being exported: if the successor fails, this stack goes on. A segment is
 * written as what cannot be computed again: sequence number, flags, option flags, payload. What was
 * received in order and not read lies in the handle; what came out of order is a list of segments,
 * too. Events that wait to be told travel with the handle. */
#include "stack/stk_tcp_state.h"

#include "base/wr.h"

#include <errno.h>

static void ip_write(struct wr *w, const struct ipa *ip, uint16_t port)
{
	wr_bytes(w, ip, sizeof(*ip));
	wr_u16(w, port);
}

/* A queue of ours holds whole TCP segments with the header in network order; of those that came out
 * of order the header is in host order and the payload begins at the pbuf. */
static void segment_write(struct wr *w, const struct tcp_seg *seg, bool is_ours)
{
	u32_t number = is_ours ? lwip_ntohl(seg->tcphdr->seqno) : seg->tcphdr->seqno;
	wr_u32(w, number);
	wr_u8(w, (uint8_t)TCPH_FLAGS(seg->tcphdr));
	wr_u8(w, seg->flags);
	wr_u16(w, seg->len);
	uint8_t *payload = wr_room(w, seg->len);
	if (!payload || seg->len == 0) {
		return;
	}
	size_t offset = 0;
	if (is_ours) {
		const uint8_t *header = (const uint8_t *)seg->tcphdr;
		offset = (size_t)(header - (const uint8_t *)seg->p->payload) +
			 TCPH_HDRLEN_BYTES(seg->tcphdr);
	}
	(void)pbuf_copy_partial(seg->p, payload, seg->len, (u16_t)offset);
}

static void segments_write(struct wr *w, const struct tcp_seg *seg, bool is_ours)
{
	uint32_t count = 0;
	for (const struct tcp_seg *s = seg; s; s = s->next) {
		count++;
	}
	wr_u32(w, count);
	for (; seg; seg = seg->next) {
		segment_write(w, seg, is_ours);
	}
}

static void pcb_write(struct wr *w, const struct tcp_pcb *pcb)
{
	struct ipa local = ipa_of_lwip(&pcb->local_ip), remote = ipa_of_lwip(&pcb->remote_ip);
	ip_write(w, &local, pcb->local_port);
	ip_write(w, &remote, pcb->remote_port);
#define X(bytes, member) wr_uint(w, (uint64_t)(pcb->member), bytes);
	TCP_STATE_MEMBERS(X)
#undef X
	wr_u8(w, pcb->extra.is_half_open);
	for (size_t i = 0; i < LWIP_TCP_MAX_SACK_NUM; i++) {
		wr_u32(w, pcb->rcv_sacks[i].left);
		wr_u32(w, pcb->rcv_sacks[i].right);
	}
	segments_write(w, pcb->unacked, true);
	segments_write(w, pcb->unsent, true);
	segments_write(w, pcb->ooseq, false);
}

static void handle_write(struct wr *w, const struct stack_tcp *tcp)
{
	wr_u8(w, TCP_STATE_HANDLE);
	wr_u8(w, tcp->events);
	wr_u8(w, tcp->is_known);
	wr_u8(w, tcp->is_established);
	wr_u8(w, tcp->is_over);
	wr_u8(w, tcp->wants_fin);
	wr_u32(w, (uint32_t)tcp->error);
	ip_write(w, &tcp->local_ip, tcp->local_port);
	ip_write(w, &tcp->remote_ip, tcp->remote_port);
	wr_u32(w, (uint32_t)tcp->rx_bytes);
	for (const struct pbuf *p = tcp->rx_first; p; p = p->next) {
		wr_bytes(w, p->payload, p->len);
	}
	wr_u8(w, tcp->pcb != NULL);
	if (tcp->pcb) {
		pcb_write(w, tcp->pcb);
	}
}

/* ---- how much room that needs ---- */

static size_t segments_size(const struct tcp_seg *seg)
{
	size_t size = 0;
	for (; seg; seg = seg->next) {
		size += TCP_STATE_SEGMENT_BYTES + (size_t)seg->len;
	}
	return size;
}

static size_t pcb_size(const struct tcp_pcb *pcb)
{
	return TCP_STATE_ENTRY_BYTES + segments_size(pcb->unacked) + segments_size(pcb->unsent) +
	       segments_size(pcb->ooseq);
}

static size_t handle_size(const struct stack_tcp *tcp)
{
	return TCP_STATE_ENTRY_BYTES + tcp->rx_bytes + (tcp->pcb ? pcb_size(tcp->pcb) : 0);
}

static int64_t written(const struct wr *w)
{
	return w->bad ? -ENOBUFS : (int64_t)wr_length(w);
}

int64_t stk_tcp_export(const struct stack_tcp *tcp, void *out, size_t capacity)
{
	if (!out) {
		return (int64_t)handle_size(tcp);
	}
	struct wr w = wr_init(out, capacity);
	handle_write(&w, tcp);
	return written(&w);
}

/* ---- what the service holds no handle of ---- */

static size_t list_size(const struct tcp_pcb *pcb)
{
	size_t size = 0;
	for (; pcb; pcb = pcb->next) {
		size += pcb_size(pcb);
	}
	return size;
}

static void orphans_write(struct wr *w, const struct tcp_pcb *pcb)
{
	for (; pcb; pcb = pcb->next) {
		if (!pcb->callback_arg) {
			wr_u8(w, TCP_STATE_ORPHAN);
			pcb_write(w, pcb);
		}
	}
}

int64_t stk_rest_export(const struct stack *s, void *out, size_t capacity)
{
	if (!out) {
		size_t size = neigh_export_size(s) + timewait_export_size(s) +
			      list_size(tcp_active_pcbs) + list_size(tcp_tw_pcbs);
		for (const struct stack_tcp *tcp = s->connections; tcp; tcp = tcp->next) {
			size += tcp->is_known ? 0 : handle_size(tcp);
		}
		return (int64_t)size;
	}
	struct wr w = wr_init(out, capacity);
	neigh_export(s, &w);
	timewait_export(s, &w);
	for (const struct stack_tcp *tcp = s->connections; tcp; tcp = tcp->next) {
		if (!tcp->is_known) {
			handle_write(&w, tcp);
		}
	}
	orphans_write(&w, tcp_active_pcbs);
	orphans_write(&w, tcp_tw_pcbs);
	return written(&w);
}
