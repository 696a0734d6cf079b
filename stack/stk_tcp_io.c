/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Reading and writing a TCP connection.
 *
 * Received bytes stay in the pbufs that they came in and are lent by peek(). The window that we
 * advertise is lwIP's rcv_wnd, and it is opened in one place only, tcp_window_open(): there the
 * growth of decision S17 belongs. Small segments are gathered into larger buffers, so that a peer
 * which sends single bytes cannot make a 1 MB window hold a hundred times as much memory. */
#include "stack/stk_tcp.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>
#include <string.h>

enum {
	RX_SMALL = 512,     /* up to that a segment is copied behind the one before */
	RX_GATHER = 4096,   /* into buffers of this size */
	WRITE_MAX = 0xffff, /* lwIP counts one write in 16 bits */
};

static void rx_append(struct stack_tcp *tcp, struct pbuf *p)
{
	*(tcp->rx_last ? &tcp->rx_last->next : &tcp->rx_first) = p;
	tcp->rx_last = p;
	tcp->rx_bytes += p->len;
	tcp->rx_room = 0;
}

/* Copy a small pbuf's bytes behind what we have. False: there is no room and none to be had. */
static bool rx_gather(struct stack_tcp *tcp, const struct pbuf *p)
{
	if (!tcp->rx_last) {
		return false; /* the first waits for nobody: most messages are read at once */
	}
	if (tcp->rx_room < p->len) {
		struct pbuf *fresh = pbuf_alloc(PBUF_RAW, RX_GATHER, PBUF_RAM);
		if (!fresh) {
			return false;
		}
		fresh->len = fresh->tot_len = 0;
		rx_append(tcp, fresh);
		tcp->rx_room = RX_GATHER;
	}
	memcpy((uint8_t *)tcp->rx_last->payload + tcp->rx_last->len, p->payload, p->len);
	tcp->rx_last->len = (u16_t)(tcp->rx_last->len + p->len);
	tcp->rx_room = (uint16_t)(tcp->rx_room - p->len);
	tcp->rx_bytes += p->len;
	return true;
}

void tcp_rx_take(struct stack_tcp *tcp, struct pbuf *chain)
{
	while (chain) {
		struct pbuf *p = chain;
		chain = p->next;
		p->next = NULL;
		if (p->len == 0 || (p->len <= RX_SMALL && rx_gather(tcp, p))) {
			(void)pbuf_free(p);
		} else {
			rx_append(tcp, p);
		}
	}
}

/* Unlink and free the first `length` bytes. */
static void rx_remove(struct stack_tcp *tcp, size_t length)
{
	tcp->rx_bytes -= length;
	while (tcp->rx_first && length >= tcp->rx_first->len) {
		struct pbuf *p = tcp->rx_first;
		length -= p->len;
		tcp->rx_first = p->next;
		p->next = NULL;
		(void)pbuf_free(p);
	}
	if (!tcp->rx_first) {
		tcp->rx_last = NULL;
		tcp->rx_room = 0;
	} else if (length > 0) {
		tcp->rx_first->payload = (uint8_t *)tcp->rx_first->payload + length;
		tcp->rx_first->len = (u16_t)(tcp->rx_first->len - length);
	}
}

void tcp_rx_drop(struct stack_tcp *tcp)
{
	rx_remove(tcp, tcp->rx_bytes);
}

int stk_tcp_peek(struct stack_tcp *tcp, struct iovec *iov, int max)
{
	int count = 0;
	for (struct pbuf *p = tcp->rx_first; p && count < max; p = p->next) {
		iov[count].iov_base = p->payload;
		iov[count].iov_len = p->len;
		count++;
	}
	return count;
}

static void tcp_window_open(struct tcp_pcb *pcb, size_t length)
{
	stk_tcp_enter(&the_stack, pcb);
	while (length > 0) {
		u16_t step = (u16_t)(length < WRITE_MAX ? length : WRITE_MAX);
		tcp_recved(pcb, step);
		length -= step;
	}
	stk_tcp_leave(&the_stack);
}

void stk_tcp_consumed(struct stack_tcp *tcp, size_t length)
{
	LWIP_ASSERT("consumed more than was lent", length <= tcp->rx_bytes);
	rx_remove(tcp, length);
	if (tcp->pcb) {
		tcp_window_open(tcp->pcb, length);
	} else if (tcp->is_over && tcp->rx_bytes == 0) {
		tcp_tell(&the_stack, tcp, EVENT_CLOSED);
	}
}

static bool can_write(const struct tcp_pcb *pcb)
{
	/* Not before the handshake: the peer's MSS is not known then. */
	return pcb && (pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT);
}

size_t stk_tcp_room(const struct stack_tcp *tcp)
{
	if (!tcp->pcb && tcp->error != 0) {
		return WRITE_MAX; /* lost, with bytes still to be read: write() says -ENOTCONN */
	}
	if (!can_write(tcp->pcb) || tcp->pcb->snd_queuelen >= TCP_SNDQUEUELOWAT) {
		return 0;
	}
	return tcp_sndbuf(tcp->pcb);
}

/* One run of bytes; returns how many lwIP took. */
static size_t write_run(struct stack_tcp *tcp, const uint8_t *bytes, size_t length)
{
	size_t taken = 0;
	while (taken < length) {
		size_t step = length - taken, room = stk_tcp_room(tcp);
		step = step < room ? step : room;
		step = step < WRITE_MAX ? step : WRITE_MAX;
		if (step == 0 || tcp_write(tcp->pcb, bytes + taken, (u16_t)step,
					   TCP_WRITE_FLAG_COPY) != ERR_OK) {
			break;
		}
		taken += step;
	}
	return taken;
}

int64_t stk_tcp_write(struct stack_tcp *tcp, const struct iovec *iov, int count)
{
	if (!can_write(tcp->pcb) || tcp->wants_fin) {
		return -ENOTCONN;
	}
	int64_t total = 0;
	for (int i = 0; i < count; i++) {
		size_t taken = write_run(tcp, iov[i].iov_base, iov[i].iov_len);
		total += (int64_t)taken;
		if (taken < iov[i].iov_len) {
			break;
		}
	}
	return total;
}

void stk_tcp_flush(struct stack_tcp *tcp)
{
	if (tcp->pcb) {
		stk_tcp_enter(&the_stack, tcp->pcb);
		(void)tcp_output(tcp->pcb); /* what it cannot send now, a timer or an ACK will */
		stk_tcp_leave(&the_stack);
	}
}
