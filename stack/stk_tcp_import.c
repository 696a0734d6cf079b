/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Connections made from bytes that another instance of the same ABI exported. See stk_tcp_state.h.
 *
 * How this works
 * A pcb is read whole, its segments are built anew, and only if everything holds together (sequence
 * numbers without a gap, counts that agree, windows within our limits) is it registered; else it is
 * freed and the caller resets the program's end. lwIP asserts what we check here, and a broken
 * state must cost one connection, not the service. */
#include "stack/stk_tcp_state.h"

#include "base/rd.h"
#include "stack/hooks.h"

#include <errno.h>
#include <lwip/memp.h>
#include <string.h>

enum {
	WINDOW_SCALE_MAX = 14,
	RX_PIECE = 32 << 10,
	WINDOW_MAX = 0xffff << TCP_RCV_SCALE,
	TCP_FLAGS_KEPT = TCP_FIN | TCP_SYN | TCP_PSH | TCP_ACK, /* a queued RST is a bug to lwIP */
};

#if TCP_CHECKSUM_ON_COPY
#error "segments would have to carry their payload's checksum"
#endif

static bool ip_read(struct rd *r, struct ipa *ip, uint16_t *port)
{
	rd_copy(r, ip, sizeof(*ip));
	*port = rd_u16(r);
	return !r->bad;
}

/* ---- segments ---- */

static struct tcp_seg *segment_new(struct pbuf *p)
{
	struct tcp_seg *seg = p ? memp_malloc(MEMP_TCP_SEG) : NULL;
	if (!seg) {
		if (p) {
			(void)pbuf_free(p);
		}
		return NULL;
	}
	*seg = (struct tcp_seg){ .p = p };
	seg->tcphdr = p->payload;
	memset(seg->tcphdr, 0, TCP_HLEN);
	return seg;
}

/* One of those that we sent or shall send, as tcp_create_segment() makes them; `spare` bytes of
 * room behind the payload, which tcp_write() may fill. */
static struct tcp_seg *segment_ours(const struct tcp_pcb *pcb, struct rd *r, uint16_t spare)
{
	uint32_t number = rd_u32(r);
	uint8_t flags = rd_u8(r), options = rd_u8(r);
	uint16_t length = rd_u16(r);
	const uint8_t *payload = rd_bytes(r, length);
	if (r->bad || (flags & ~TCP_FLAGS_KEPT) != 0 ||
	    (options & ~(TF_SEG_OPTS_MSS | TF_SEG_OPTS_WND_SCALE | TF_SEG_OPTS_SACK_PERM)) != 0) {
		return NULL;
	}
	size_t option_bytes = (size_t)(LWIP_TCP_OPT_LENGTH(options));
	size_t used = TCP_HLEN + option_bytes + length;
	if (used + spare > UINT16_MAX - PBUF_TRANSPORT) {
		return NULL;
	}
	struct tcp_seg *seg = segment_new(pbuf_alloc(PBUF_IP, (u16_t)(used + spare), PBUF_RAM));
	if (!seg) {
		return NULL;
	}
	seg->p->len = seg->p->tot_len = (u16_t)used;
	seg->len = length;
	seg->flags = options;
	seg->tcphdr->src = lwip_htons(pcb->local_port);
	seg->tcphdr->dest = lwip_htons(pcb->remote_port);
	seg->tcphdr->seqno = lwip_htonl(number);
	TCPH_HDRLEN_FLAGS_SET(seg->tcphdr, 5 + option_bytes / 4, flags);
	if (length > 0) {
		memcpy((uint8_t *)seg->p->payload + TCP_HLEN + option_bytes, payload, length);
	}
	return seg;
}

/* One that came too early, as tcp_receive() keeps them. */
static struct tcp_seg *segment_theirs(struct rd *r)
{
	uint32_t number = rd_u32(r);
	uint8_t flags = rd_u8(r);
	(void)rd_u8(r);
	uint16_t length = rd_u16(r);
	const uint8_t *payload = rd_bytes(r, length);
	if (r->bad || length > UINT16_MAX - TCP_HLEN || (length == 0 && (flags & TCP_FIN) == 0)) {
		return NULL;
	}
	struct tcp_seg *seg =
	    segment_new(pbuf_alloc(PBUF_RAW, (u16_t)(TCP_HLEN + length), PBUF_RAM));
	if (!seg) {
		return NULL;
	}
	seg->len = length;
	seg->tcphdr->seqno = number; /* in host order here, as in lwIP */
	TCPH_HDRLEN_FLAGS_SET(seg->tcphdr, 5, flags & (TCP_FIN | TCP_ACK | TCP_PSH));
	if (length > 0) {
		memcpy((uint8_t *)seg->p->payload + TCP_HLEN, payload, length);
	}
	(void)pbuf_remove_header(seg->p, TCP_HLEN);
	return seg;
}

enum queue { QUEUE_UNACKED, QUEUE_UNSENT, QUEUE_OOSEQ };

static int queue_read(struct tcp_pcb *pcb, struct rd *r, enum queue queue)
{
	struct tcp_seg **link = queue == QUEUE_UNACKED  ? &pcb->unacked
				: queue == QUEUE_UNSENT ? &pcb->unsent
							: &pcb->ooseq;
	struct tcp_seg *last = NULL;
	uint32_t count = rd_u32(r);
	for (uint32_t i = 0; i < count; i++) {
		bool is_tail = queue == QUEUE_UNSENT && i + 1 == count;
		struct tcp_seg *seg =
		    queue == QUEUE_OOSEQ ? segment_theirs(r)
					 : segment_ours(pcb, r, is_tail ? pcb->unsent_oversize : 0);
		if (!seg) {
			return -EBADMSG; /* or no memory: the next entry is not found either */
		}
		*link = last = seg;
		link = &seg->next;
	}
	if (queue == QUEUE_UNACKED) {
		pcb->unacked_last = last;
	} else if (queue == QUEUE_UNSENT) {
		pcb->unsent_last = last;
	}
	return r->bad ? -EBADMSG : 0;
}

/* ---- does it hold together? ---- */

/* What we sent and shall send follows each other without a gap, in two sorted queues: a segment on
 * its way to be sent again stands in `unsent` before those in `unacked`. */
static bool is_sending_sane(struct tcp_pcb *pcb)
{
	const struct tcp_seg *queues[2] = { pcb->unacked, pcb->unsent };
	u32_t number = pcb->snd_lbb, count = 0;
	uint64_t bytes = 0;
	for (size_t i = 0; i < 2; i++) {
		u32_t first = queues[i] ? lwip_ntohl(queues[i]->tcphdr->seqno) : number;
		number = TCP_SEQ_LT(first, number) ? first : number;
	}
	if (TCP_SEQ_GT(number, pcb->lastack) && number != pcb->snd_lbb) {
		return false; /* the first may be acknowledged in part, but not be missing */
	}
	while (queues[0] || queues[1]) {
		size_t i = queues[0] && lwip_ntohl(queues[0]->tcphdr->seqno) == number ? 0 : 1;
		const struct tcp_seg *seg = queues[i];
		if (!seg || lwip_ntohl(seg->tcphdr->seqno) != number || TCP_TCPLEN(seg) == 0) {
			return false;
		}
		number += TCP_TCPLEN(seg);
		bytes += seg->len;
		count++;
		queues[i] = seg->next;
	}
	pcb->snd_queuelen = (u16_t)count; /* each is one pbuf now */
	/* A FIN that was put on the last segment is not counted in snd_lbb. */
	u32_t fin = (pcb->flags & TF_FIN) != 0;
	return (number == pcb->snd_lbb || number == pcb->snd_lbb + fin) &&
	       count <= TCP_SND_QUEUELEN && bytes + pcb->snd_buf <= TCP_SND_BUF &&
	       (pcb->unsent || pcb->unsent_oversize == 0) &&
	       TCP_SEQ_BETWEEN(pcb->snd_nxt, pcb->lastack, pcb->snd_lbb + fin);
}

/* What came too early is sorted and lies behind what came in order. */
static bool is_ooseq_sane(const struct tcp_pcb *pcb)
{
	uint64_t bytes = 0;
	u32_t number = pcb->rcv_nxt;
	for (const struct tcp_seg *seg = pcb->ooseq; seg; seg = seg->next) {
		bool has_fin = (TCPH_FLAGS(seg->tcphdr) & TCP_FIN) != 0;
		if (TCP_SEQ_LT(seg->tcphdr->seqno, number) || (has_fin && seg->next)) {
			return false;
		}
		number = seg->tcphdr->seqno + TCP_TCPLEN(seg);
		bytes += seg->len;
	}
	return bytes <= TCP_OOSEQ_MAX_BYTES && TCP_SEQ_LEQ(number, pcb->rcv_nxt + pcb->rcv_wnd);
}

/* The peer sends it again: who said SACK may take it back (RFC 2018, 8). */
static void ooseq_drop(struct tcp_pcb *pcb)
{
	tcp_segs_free(pcb->ooseq);
	pcb->ooseq = NULL;
	memset(pcb->rcv_sacks, 0, sizeof(pcb->rcv_sacks));
}

static bool is_sane(struct tcp_pcb *pcb, size_t unread)
{
	bool is_scaled = (pcb->flags & TF_WND_SCALE) != 0;
	return pcb->state >= SYN_SENT && pcb->state <= TIME_WAIT && pcb->local_port != 0 &&
	       pcb->remote_port != 0 && pcb->mss > 0 && pcb->mss <= TCP_MSS && pcb->cwnd > 0 &&
	       pcb->rto > 0 && pcb->rto <= TCP_RTO_MAX && pcb->nrtx <= TCP_MAXRTX &&
	       pcb->snd_scale <= WINDOW_SCALE_MAX &&
	       (pcb->rcv_scale == 0 || (is_scaled && pcb->rcv_scale == TCP_RCV_SCALE)) &&
	       (pcb->extra.is_half_open ? pcb->state == SYN_RCVD : pcb->state != SYN_RCVD) &&
	       pcb->rcv_wnd + (uint64_t)unread <= WINDOW_MAX && pcb->rcv_ann_wnd <= WINDOW_MAX &&
	       is_sending_sane(pcb);
}

/* ---- one connection ---- */

static int pcb_fill(struct tcp_pcb *pcb, struct rd *r)
{
	struct ipa local, remote;
	if (!ip_read(r, &local, &pcb->local_port) || !ip_read(r, &remote, &pcb->remote_port)) {
		return -EBADMSG;
	}
	ipa_to_lwip(&local, &pcb->local_ip);
	ipa_to_lwip(&remote, &pcb->remote_ip);
#define X(bytes, member) pcb->member = (__typeof__(pcb->member))rd_uint(r, bytes);
	TCP_STATE_MEMBERS(X)
#undef X
	pcb->extra.is_half_open = rd_u8(r) != 0;
	for (size_t i = 0; i < LWIP_TCP_MAX_SACK_NUM; i++) {
		pcb->rcv_sacks[i].left = rd_u32(r);
		pcb->rcv_sacks[i].right = rd_u32(r);
	}
	int error = queue_read(pcb, r, QUEUE_UNACKED);
	error = error ? error : queue_read(pcb, r, QUEUE_UNSENT);
	error = error ? error : queue_read(pcb, r, QUEUE_OOSEQ);
	if (error == 0 && (ipa_is_v4(&local) != ipa_is_v4(&remote))) {
		error = -EINVAL;
	}
	if (error == 0 && !addr_find(&the_stack, &local)) {
		error = -EADDRNOTAVAIL;
	}
	return error;
}

/* One that lwIP does not know yet. */
static void pcb_discard(struct tcp_pcb *pcb)
{
	tcp_segs_free(pcb->unacked);
	tcp_segs_free(pcb->unsent);
	tcp_segs_free(pcb->ooseq);
	pcb->state = CLOSED; /* tcp_free() wants no listener, whatever was read */
	tcp_free(pcb);
}

static struct tcp_pcb_listen *listener_of(uint16_t port)
{
	struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs;
	while (l && l->local_port != port) {
		l = l->next;
	}
	return l;
}

static void waiting_add(struct tcp_pcb *pcb)
{
	TCP_REG(&tcp_tw_pcbs, pcb);
}

static void active_add(struct tcp_pcb *pcb)
{
	TCP_REG_ACTIVE(pcb);
}

static void pcb_register(struct stack *s, struct tcp_pcb *pcb)
{
	tcp_pcb_watch(pcb);
	if (pcb->extra.is_half_open) {
		s->half_open++;
		pcb->listener = listener_of(pcb->local_port); /* NULL: reset when it is there */
	}
	if (pcb->state == TIME_WAIT) {
		waiting_add(pcb);
	} else {
		active_add(pcb);
	}
	stk_tcp_enter(s, pcb);
	stk_tcp_leave(s);
}

/* Read a pcb and check it; `unread` received bytes belong to it. Not registered yet. */
static int pcb_read(struct rd *r, size_t unread, struct tcp_pcb **out)
{
	struct tcp_pcb *pcb = tcp_alloc(TCP_PRIO_NORMAL);
	if (!pcb) {
		return -ENOMEM;
	}
	int error = pcb_fill(pcb, r);
	if (error == 0 && !is_sane(pcb, unread)) {
		error = -EINVAL;
	}
	if (error == 0 &&
	    stk_demux_find(&pcb->local_ip, pcb->local_port, &pcb->remote_ip, pcb->remote_port)) {
		error = -EADDRINUSE;
	}
	if (error != 0) {
		pcb_discard(pcb);
		return error;
	}
	if (!is_ooseq_sane(pcb)) {
		ooseq_drop(pcb);
	}
	*out = pcb;
	return 0;
}

static int received_read(struct stack_tcp *tcp, struct rd *r)
{
	size_t left = rd_u32(r);
	if (left > rd_left(r) || left > WINDOW_MAX) {
		return -EBADMSG;
	}
	while (left > 0) {
		size_t piece = left < RX_PIECE ? left : RX_PIECE;
		struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)piece, PBUF_RAM);
		if (!p) {
			return -ENOMEM;
		}
		rd_copy(r, p->payload, piece);
		tcp_rx_take(tcp, p);
		left -= piece;
	}
	return 0;
}

/* The handle's own part; says whether a pcb follows. */
static int handle_fill(struct stack_tcp *tcp, struct rd *r, bool *has_pcb)
{
	tcp->events = rd_u8(r);
	tcp->is_known = rd_u8(r) != 0;
	tcp->is_established = rd_u8(r) != 0;
	tcp->is_over = rd_u8(r) != 0;
	tcp->wants_fin = rd_u8(r) != 0;
	tcp->error = (int)rd_u32(r);
	(void)ip_read(r, &tcp->local_ip, &tcp->local_port);
	(void)ip_read(r, &tcp->remote_ip, &tcp->remote_port);
	int error = received_read(tcp, r);
	*has_pcb = rd_u8(r) != 0;
	bool is_strange = tcp->events >= EVENT_CLOSED << 1 || tcp->error < 0 ||
			  (tcp->is_known && (tcp->events & EVENT_ACCEPTED) != 0) ||
			  (!tcp->is_known && (!*has_pcb || (tcp->events & EVENT_ACCEPTED) == 0)) ||
			  (*has_pcb && (tcp->events & EVENT_CLOSED) != 0);
	return error ? error : r->bad || is_strange ? -EBADMSG : 0;
}

static int handle_read(struct stack *s, struct rd *r, struct stack_tcp **out)
{
	struct stack_tcp *tcp = tcp_handle_new(s, NULL);
	if (!tcp) {
		return -ENOMEM;
	}
	struct tcp_pcb *pcb = NULL;
	bool has_pcb = false;
	int error = handle_fill(tcp, r, &has_pcb);
	if (error == 0 && has_pcb) {
		error = pcb_read(r, tcp->rx_bytes, &pcb);
	}
	if (error == 0 && pcb && (pcb->state == SYN_RCVD || pcb->state == TIME_WAIT)) {
		pcb_discard(pcb);
		error = -EINVAL;
	}
	uint8_t events = tcp->events;
	tcp->events = 0;
	if (error != 0) {
		tcp_handle_free(s, tcp);
		return error;
	}
	tcp->pcb = pcb;
	if (pcb) {
		tcp_attach(tcp);
		pcb->connected = pcb->state == SYN_SENT ? tcp_on_connected : NULL;
		pcb_register(s, pcb);
	}
	if (events != 0) {
		tcp_tell(s, tcp, events);
	}
	*out = tcp;
	return 0;
}

int stk_tcp_import(struct stack *s, const void *bytes, size_t length, void *context,
		   struct stack_tcp **out)
{
	struct rd r = rd_init(bytes, length);
	struct stack_tcp *tcp = NULL;
	if (rd_u8(&r) != TCP_STATE_HANDLE) {
		return -EINVAL;
	}
	int error = handle_read(s, &r, &tcp);
	if (error != 0) {
		return error;
	}
	if (!rd_done(&r) || !tcp->is_known) {
		stk_tcp_abort(tcp);
		return -EINVAL;
	}
	tcp->context = context;
	*out = tcp;
	return 0;
}

int stk_rest_import(struct stack *s, const void *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	int refused = 0;
	neigh_import(s, &r);
	timewait_import(s, &r);
	while (rd_left(&r) > 0) {
		struct stack_tcp *tcp = NULL;
		struct tcp_pcb *pcb = NULL;
		uint8_t kind = rd_u8(&r);
		int error = -EBADMSG;
		if (kind == TCP_STATE_HANDLE) {
			error = handle_read(s, &r, &tcp);
		} else if (kind == TCP_STATE_ORPHAN) {
			error = pcb_read(&r, 0, &pcb);
		}
		if (tcp && tcp->is_known) {
			stk_tcp_abort(tcp); /* nobody would know it */
			error = -EINVAL;
		}
		if (pcb) {
			pcb_register(s, pcb);
		}
		if (error == -EBADMSG || error == -ENOMEM) {
			return error; /* where the next one begins is not known */
		}
		refused += error != 0;
	}
	return r.bad ? -EBADMSG : refused;
}
