/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One TCP connection as stk_tcp*.c see it. Only these files include it and touch a tcp_pcb.
 *
 * The rule (lwIP's own): after tcp_close(), tcp_abort() or the error callback the pcb is gone. Here
 * that is one function, tcp_detach(), after which `pcb` is NULL; every user asks for that first. A
 * handle outlives its pcb until the caller has read what arrived and was told `closed`. */
#ifndef STACK_STK_TCP_H
#define STACK_STK_TCP_H

#include "stack/internal.h"

#include <lwip/tcp.h>

/* What is to be told, in this order. */
enum tcp_event {
	EVENT_ACCEPTED = 1,
	EVENT_ESTABLISHED = 2,
	EVENT_READABLE = 4,
	EVENT_WRITABLE = 8,
	EVENT_EOF = 16,
	EVENT_CLOSED = 32,
};

struct stack_tcp {
	struct tcp_pcb *pcb; /* NULL: lwIP's part is over */
	void *context;
	struct stack_tcp *next, *previous;             /* of all */
	struct stack_tcp *event_next, *event_previous; /* of those with events */
	/* Received and not consumed: linked by pbuf.next, tot_len unused, each length > 0. */
	struct pbuf *rx_first, *rx_last;
	size_t rx_bytes;
	uint16_t rx_room; /* free bytes behind rx_last's, when we allocated it to gather */
	uint8_t events;   /* enum tcp_event */
	bool is_queued;   /* in the list of events */
	bool is_known;    /* the caller has the handle */
	bool is_established;
	bool is_over;   /* ended: `closed` once everything is read */
	bool wants_fin; /* shutdown_write before the connection was there */
	int error;      /* for `closed` */
	int soft_error; /* what ICMP said last: why it was given up, if it is */
	struct ipa local_ip, remote_ip;
	uint16_t local_port, remote_port;
};

struct stack_tcp *tcp_handle_new(struct stack *s, struct tcp_pcb *pcb);
/* Free the handle and what it received; the pcb must be detached. */
void tcp_handle_free(struct stack *s, struct stack_tcp *tcp);
/* Take our callbacks off the pcb and forget it; returns it. */
struct tcp_pcb *tcp_detach(struct stack_tcp *tcp);
void tcp_tell(struct stack *s, struct stack_tcp *tcp, uint8_t events);
/* Install our callbacks. */
void tcp_attach(struct stack_tcp *tcp);
err_t tcp_on_connected(void *argument, struct tcp_pcb *pcb, err_t error);
err_t tcp_on_accept(void *argument, struct tcp_pcb *pcb, err_t error);
/* Take over a chain of received pbufs. */
void tcp_rx_take(struct stack_tcp *tcp, struct pbuf *chain);
void tcp_rx_drop(struct stack_tcp *tcp);
/* Have lwIP say when it frees this pcb. */
void tcp_pcb_watch(struct tcp_pcb *pcb);
/* lwIP frees this pcb. */
void tcp_pcb_forget(struct stack *s, struct tcp_pcb *pcb);
/* Both directions are closed and acknowledged; lwIP waits out TIME_WAIT alone. */
void tcp_finished(struct stack *s, struct stack_tcp *tcp);
/* Have lwIP call half_open_begin() for each SYN that it takes. */
void tcp_listener_prepare(struct tcp_pcb *listener);

#endif
