/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* From lwIP's callbacks to ours. lwIP's only leave a note on the connection; stk_tcp_deliver()
 * tells the caller when lwIP has finished with the batch. */
#include "stack/hooks.h"
#include "stack/stk_tcp.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>

enum {
	/* Handshakes begun by others and not finished, per network. A SYN above that is dropped;
	 * the client tries again. 1024 x 200 bytes is what a flood can take. */
	HALF_OPEN_MAX = 1024,
	EXT_ID = 0, /* lwIP's slot through which it tells that a pcb is freed */
};

void tcp_tell(struct stack *s, struct stack_tcp *tcp, uint8_t events)
{
	tcp->events |= events;
	if (tcp->is_queued) {
		return;
	}
	tcp->is_queued = true;
	tcp->event_next = NULL;
	tcp->event_previous = s->events_last;
	*(s->events_last ? &s->events_last->event_next : &s->events_first) = tcp;
	s->events_last = tcp;
}

static err_t on_received(void *argument, struct tcp_pcb *pcb, struct pbuf *chain, err_t error)
{
	struct stack_tcp *tcp = argument;
	(void)pcb;
	(void)error;
	if (!chain) {
		tcp_tell(&the_stack, tcp, EVENT_EOF);
		return ERR_OK;
	}
	tcp_rx_take(tcp, chain);
	tcp_tell(&the_stack, tcp, EVENT_READABLE);
	return ERR_OK;
}

static err_t on_sent(void *argument, struct tcp_pcb *pcb, u16_t length)
{
	(void)pcb;
	(void)length;
	tcp_tell(&the_stack, argument, EVENT_WRITABLE);
	return ERR_OK;
}

/* The pcb is gone: RST, timeouts, an address that went away, or both sides have closed. */
static void on_error(void *argument, err_t error)
{
	struct stack_tcp *tcp = argument;
	struct stack *s = &the_stack;
	if (!tcp) {
		return;
	}
	tcp->pcb = NULL;
	if (!tcp->is_known) {
		tcp_handle_free(s, tcp); /* accepted() was not called yet */
		return;
	}
	if (error == ERR_CLSD) {
		tcp->is_over = true;
	} else if (error == ERR_ABRT && s->abort_error != 0) {
		tcp->error = s->abort_error;
	} else if (error == ERR_RST && !tcp->is_established) {
		tcp->error = ECONNREFUSED;
	} else {
		tcp->error = errmap(error);
		if (tcp->error == ETIMEDOUT && tcp->soft_error != 0) {
			tcp->error = tcp->soft_error;
		}
	}
	if (tcp->rx_bytes == 0) {
		tcp_tell(s, tcp, EVENT_CLOSED);
		return;
	}
	/* As Linux, what came before the end is read before the error is told (decision 122); a
	 * writer learns of it by its next write. */
	tcp->is_over = true;
	tcp_tell(s, tcp, EVENT_WRITABLE);
}

err_t tcp_on_connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
	struct stack_tcp *tcp = argument;
	(void)error;
	tcp->is_established = true;
	tcp_tell(&the_stack, tcp, EVENT_ESTABLISHED);
	if (tcp->wants_fin) {
		(void)tcp_shutdown(pcb, 0, 1);
	}
	return ERR_OK;
}

void tcp_attach(struct stack_tcp *tcp)
{
	tcp_arg(tcp->pcb, tcp);
	tcp_recv(tcp->pcb, on_received);
	tcp_sent(tcp->pcb, on_sent);
	tcp_err(tcp->pcb, on_error);
}

/* --- Passive opens: counted while half open, admitted by the service, accepted when established.
 */

static void half_open_end(struct stack *s, struct tcp_pcb *pcb)
{
	s->half_open -= pcb->extra.is_half_open;
	pcb->extra.is_half_open = false;
}

static void on_pcb_freed(u8_t id, void *data)
{
	struct tcp_pcb *pcb = data;
	(void)id;
	half_open_end(&the_stack, pcb);
	tcp_pcb_forget(&the_stack, pcb);
}

void tcp_pcb_watch(struct tcp_pcb *pcb)
{
	static const struct tcp_ext_arg_callbacks callbacks = { .destroy = on_pcb_freed };
	tcp_ext_arg_set(pcb, EXT_ID, pcb);
	tcp_ext_arg_set_callbacks(pcb, EXT_ID, &callbacks);
}

static err_t half_open_begin(u8_t id, struct tcp_pcb_listen *listener, struct tcp_pcb *pcb)
{
	(void)id;
	(void)listener;
	tcp_pcb_watch(pcb);
	pcb->extra.is_half_open = true;
	the_stack.half_open++;
	ip_set_option(pcb, SOF_REUSEADDR);
	stk_tcp_enter(&the_stack, pcb);
	return ERR_OK;
}

void tcp_listener_prepare(struct tcp_pcb *listener)
{
	static const struct tcp_ext_arg_callbacks callbacks = { .passive_open = half_open_begin };
	tcp_ext_arg_set_callbacks(listener, EXT_ID, &callbacks);
}

static struct stack_ip name_of(const ip_addr_t *ip, uint16_t port)
{
	struct ipa a = ipa_of_lwip(ip);
	return ipa_name(&a, port);
}

signed char stk_hook_tcp_in(struct tcp_pcb *pcb, struct tcp_hdr *header, uint16_t options_length,
			    uint16_t first_length, uint8_t *second, struct pbuf *p)
{
	struct stack *s = &the_stack;
	(void)options_length;
	(void)first_length;
	(void)second;
	(void)p;
	if (pcb->state != LISTEN) {
		stk_tcp_enter(s, pcb);
		return ERR_OK;
	}
	u8_t flags = TCPH_FLAGS(header);
	if ((flags & TCP_SYN) == 0 || (flags & (TCP_ACK | TCP_RST)) != 0) {
		return ERR_OK; /* lwIP answers it with RST or not at all */
	}
	struct stack_ip local = name_of(ip_current_dest_addr(), header->dest);
	struct stack_ip remote = name_of(ip_current_src_addr(), header->src);
	if (s->half_open >= HALF_OPEN_MAX || !s->callbacks->admit(s->context, &local, &remote)) {
		s->counts.frames_dropped++;
		return ERR_WOULDBLOCK;
	}
	return ERR_OK;
}

err_t tcp_on_accept(void *argument, struct tcp_pcb *pcb, err_t error)
{
	struct stack *s = &the_stack;
	(void)argument;
	if (error != ERR_OK || !pcb) {
		return ERR_VAL;
	}
	half_open_end(s, pcb);
	struct stack_tcp *tcp = tcp_handle_new(s, pcb);
	if (!tcp) {
		return ERR_MEM; /* lwIP resets it */
	}
	tcp->is_established = true;
	tcp->local_ip = ipa_of_lwip(&pcb->local_ip);
	tcp->local_port = pcb->local_port;
	tcp->remote_ip = ipa_of_lwip(&pcb->remote_ip);
	tcp->remote_port = pcb->remote_port;
	tcp_attach(tcp);
	tcp_tell(s, tcp, EVENT_ACCEPTED);
	return ERR_OK;
}

/* --- Telling the caller. */

/* Ask the caller to take a new connection; without a context it is refused with RST. */
static void tell_accepted(struct stack *s, struct stack_tcp *tcp)
{
	struct stack_ip local = ipa_name(&tcp->local_ip, tcp->local_port);
	struct stack_ip remote = ipa_name(&tcp->remote_ip, tcp->remote_port);
	tcp->is_known = true;
	void *context = s->callbacks->accepted(s->context, tcp, &local, &remote);
	if (s->delivering != tcp) {
		return; /* closed or aborted inside the callback */
	}
	if (context) {
		tcp->context = context;
	} else {
		stk_tcp_abort(tcp);
	}
}

static void tell(struct stack *s, struct stack_tcp *tcp, enum tcp_event event)
{
	const struct stack_callbacks *c = s->callbacks;
	switch (event) {
	case EVENT_ACCEPTED:
		tell_accepted(s, tcp);
		break;
	case EVENT_ESTABLISHED:
		c->established(tcp->context);
		break;
	case EVENT_READABLE:
		c->readable(tcp->context);
		break;
	case EVENT_WRITABLE:
		c->writable(tcp->context);
		break;
	case EVENT_EOF:
		c->eof(tcp->context);
		break;
	case EVENT_CLOSED: {
		void *context = tcp->context;
		int error = tcp->error;
		tcp_handle_free(s, tcp);
		c->closed(context, error);
		break;
	}
	}
}

static void deliver_one(struct stack *s, struct stack_tcp *tcp)
{
	s->delivering = tcp;
	for (uint8_t event = EVENT_ACCEPTED; event <= EVENT_CLOSED && s->delivering == tcp;
	     event = (uint8_t)(event << 1)) {
		if ((tcp->events & event) != 0) {
			tcp->events &= (uint8_t)~event;
			tell(s, tcp, event);
		}
	}
	if (s->delivering == tcp) {
		s->delivering = NULL;
	}
}

void stk_tcp_deliver(struct stack *s)
{
	/* Only what is there now: a callback that causes more of them must not keep us here. */
	struct stack_tcp *last = s->events_last;
	while (s->events_first) {
		struct stack_tcp *tcp = s->events_first;
		bool is_last = tcp == last;
		s->events_first = tcp->event_next;
		*(s->events_first ? &s->events_first->event_previous : &s->events_last) = NULL;
		tcp->is_queued = false;
		deliver_one(s, tcp);
		if (is_last) {
			break;
		}
	}
}

void tcp_finished(struct stack *s, struct stack_tcp *tcp)
{
	(void)tcp_detach(tcp);
	tcp->is_over = true;
	if (tcp->rx_bytes == 0 && tcp->is_known) {
		tcp_tell(s, tcp, EVENT_CLOSED);
	}
}
