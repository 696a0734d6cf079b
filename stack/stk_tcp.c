/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Opening and ending TCP connections. */
#include "stack/stk_tcp.h"

#include "stack/hooks.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>
#include <string.h>

struct stack_tcp *tcp_handle_new(struct stack *s, struct tcp_pcb *pcb)
{
	struct stack_tcp *tcp = stk_heap_calloc(1, sizeof(*tcp));
	if (!tcp) {
		return NULL;
	}
	tcp->pcb = pcb;
	tcp->next = s->connections;
	if (s->connections) {
		s->connections->previous = tcp;
	}
	s->connections = tcp;
	s->counts.tcp_connections++;
	return tcp;
}

void tcp_handle_free(struct stack *s, struct stack_tcp *tcp)
{
	tcp_rx_drop(tcp);
	*(tcp->previous ? &tcp->previous->next : &s->connections) = tcp->next;
	if (tcp->next) {
		tcp->next->previous = tcp->previous;
	}
	if (tcp->is_queued) {
		*(tcp->event_previous ? &tcp->event_previous->event_next : &s->events_first) =
		    tcp->event_next;
		*(tcp->event_next ? &tcp->event_next->event_previous : &s->events_last) =
		    tcp->event_previous;
	}
	if (s->delivering == tcp) {
		s->delivering = NULL;
	}
	s->counts.tcp_connections--;
	stk_heap_free(tcp);
}

struct tcp_pcb *tcp_detach(struct stack_tcp *tcp)
{
	struct tcp_pcb *pcb = tcp->pcb;
	if (pcb) {
		tcp_arg(pcb, NULL);
		tcp_recv(pcb, NULL);
		tcp_sent(pcb, NULL);
		tcp_err(pcb, NULL);
		tcp->pcb = NULL;
	}
	return pcb;
}

int stk_tcp_listen(struct stack *s, uint16_t port)
{
	if (stk_listener_find(port)) {
		return -EADDRINUSE;
	}
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
	if (!pcb) {
		return -ENOMEM;
	}
	ip_set_option(pcb, SOF_REUSEADDR); /* connections with this local port may exist */
	err_t error = tcp_bind(pcb, IP_ANY_TYPE, port);
	struct tcp_pcb *listener = error == ERR_OK ? tcp_listen(pcb) : NULL;
	if (!listener) {
		tcp_abort(pcb);
		return error == ERR_OK ? -ENOMEM : -errmap(error);
	}
	if (!listener_add(s, port, (struct tcp_pcb_listen *)listener)) {
		(void)tcp_close(listener);
		return -ENOMEM;
	}
	tcp_accept(listener, tcp_on_accept);
	tcp_listener_prepare(listener);
	return 0;
}

void stk_tcp_unlisten(struct stack *s, uint16_t port)
{
	struct tcp_pcb_listen *listener = listener_remove(s, port);
	if (listener) {
		(void)tcp_close((struct tcp_pcb *)listener); /* of a listener: cannot fail */
	}
}

static int connect_pcb(struct tcp_pcb *pcb, const struct stack_tcp *tcp)
{
	ip_addr_t from, to;
	ipa_to_lwip(&tcp->local_ip, &from);
	ipa_to_lwip(&tcp->remote_ip, &to);
	tcp_pcb_watch(pcb);
	ip_set_option(pcb, SOF_REUSEADDR); /* ports are the service's business (S5) */
	stk_tcp_enter(&the_stack, pcb);
	err_t error = tcp_bind(pcb, &from, tcp->local_port);
	if (error == ERR_OK) {
		error = tcp_connect(pcb, &to, tcp->remote_port, tcp_on_connected);
	}
	stk_tcp_leave(&the_stack);
	return -errmap(error);
}

int stk_tcp_connect(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		    void *context, struct stack_tcp **out)
{
	struct ipa from, to;
	if (!ipa_read(remote, &to) || addr_find(s, &to) || !addr_next_hop(s, &to)) {
		return -ENETUNREACH; /* our own addresses: the service's short cut, not the stack */
	}
	const struct addr *source = NULL;
	if (local->family == 0) {
		source = addr_source(s, &to);
	} else if (ipa_read(local, &from)) {
		source = ipa_is_unspecified(&from) ? addr_source(s, &to) : addr_find(s, &from);
	}
	if (!source || ipa_is_v4(&source->ip) != ipa_is_v4(&to) || local->port == 0 ||
	    remote->port == 0) {
		return -EADDRNOTAVAIL;
	}
	struct timewait_names names = { source->ip, to, local->port, remote->port };
	s->has_isn_floor = false;
	int error = timewait_connect(s, &names);
	if (error != 0) {
		return error;
	}
	struct tcp_pcb *pcb = tcp_new_ip_type(ipa_is_v4(&to) ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6);
	struct stack_tcp *tcp = pcb ? tcp_handle_new(s, pcb) : NULL;
	if (!tcp) {
		if (pcb) {
			tcp_abort(pcb);
		}
		return -ENOMEM;
	}
	tcp->is_known = true;
	tcp->context = context;
	tcp_attach(tcp);
	tcp->local_ip = source->ip;
	tcp->local_port = local->port;
	tcp->remote_ip = to;
	tcp->remote_port = remote->port;
	error = connect_pcb(pcb, tcp);
	s->has_isn_floor = false;
	if (error != 0) {
		tcp_abandon(tcp_detach(tcp), 0);
		tcp_handle_free(s, tcp);
		return error;
	}
	*out = tcp;
	return 0;
}

void stk_tcp_shutdown_write(struct stack_tcp *tcp)
{
	if (!tcp->pcb) {
		return;
	}
	if (tcp->pcb->state == SYN_SENT) {
		tcp->wants_fin = true;
		return;
	}
	stk_tcp_enter(&the_stack, tcp->pcb);
	(void)tcp_shutdown(tcp->pcb, 0, 1); /* without memory lwIP retries by itself */
	stk_tcp_leave(&the_stack);
}

void stk_tcp_close(struct stack_tcp *tcp)
{
	struct stack *s = &the_stack;
	/* What was not read is given up. The window is opened for it first, because lwIP answers a
	 * close with unread bytes by RST, which would destroy what we still have to send. */
	if (tcp->pcb) {
		size_t unread = tcp->rx_bytes;
		tcp_rx_drop(tcp);
		tcp->pcb->flags |= TF_RXCLOSED; /* no window update for a reader who is gone */
		struct tcp_pcb *pcb = tcp_detach(tcp);
		pcb->rcv_wnd += (tcpwnd_size_t)unread;
		stk_tcp_enter(s, pcb);
		if (tcp_close(pcb) != ERR_OK) {
			tcp_abort(pcb);
		}
		stk_tcp_leave(s);
	}
	tcp_handle_free(s, tcp);
}

void stk_tcp_abort(struct stack_tcp *tcp)
{
	if (tcp->pcb) {
		bool says_so =
		    tcp->pcb->state != SYN_SENT; /* the peer knows of no connection then */
		tcp_abandon(tcp_detach(tcp), says_so);
	}
	tcp_handle_free(&the_stack, tcp);
}

void stk_tcp_close_all(struct stack *s)
{
	while (s->connections) {
		stk_tcp_abort(s->connections);
	}
	while (tcp_active_pcbs) { /* closed by the caller, not yet by the peer */
		tcp_abort(tcp_active_pcbs);
	}
	while (tcp_tw_pcbs) {
		tcp_abort(tcp_tw_pcbs);
	}
	while (tcp_listen_pcbs.listen_pcbs) {
		stk_tcp_unlisten(s, tcp_listen_pcbs.listen_pcbs->local_port);
	}
	s->entered = NULL;
}

void stk_tcp_unreachable(struct stack *s, const struct ipa *ip)
{
	for (struct stack_tcp *tcp = s->connections, *next; tcp; tcp = next) {
		next = tcp->next;
		const struct ipa *hop = NULL;
		if (tcp->pcb && tcp->pcb->state == SYN_SENT) {
			hop = addr_next_hop(s, &tcp->remote_ip);
		}
		if (hop && ipa_equal(hop, ip)) {
			tcp_abandon(tcp_detach(tcp), 0);
			tcp->error = EHOSTUNREACH;
			tcp_tell(s, tcp, EVENT_CLOSED);
		}
	}
}
