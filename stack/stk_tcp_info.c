/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What is known and may be set about a TCP connection. */
#include "stack/stk_tcp.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>

void stk_tcp_set_context(struct stack_tcp *tcp, void *context)
{
	tcp->context = context;
}

void stk_tcp_names(const struct stack_tcp *tcp, struct stack_ip *local, struct stack_ip *remote)
{
	*local = ipa_name(&tcp->local_ip, tcp->local_port);
	*remote = ipa_name(&tcp->remote_ip, tcp->remote_port);
}

static int set_flag(struct tcp_pcb *pcb, enum stack_option option, int value)
{
	if (value != 0 && value != 1) {
		return -EINVAL;
	}
	if (option == STACK_TCP_NODELAY && value) {
		tcp_nagle_disable(pcb);
	} else if (option == STACK_TCP_NODELAY) {
		tcp_nagle_enable(pcb);
	} else if (value) {
		ip_set_option(pcb, SOF_KEEPALIVE);
	} else {
		ip_reset_option(pcb, SOF_KEEPALIVE);
	}
	return 0;
}

/* Keepalive has changed, and with it the connection's deadline. */
static void reschedule(struct tcp_pcb *pcb)
{
	stk_tcp_enter(&the_stack, pcb);
	stk_tcp_leave(&the_stack);
}

int stk_tcp_option_set(struct stack_tcp *tcp, enum stack_option option, int value)
{
	struct tcp_pcb *pcb = tcp->pcb;
	if (!pcb) {
		return -ENOTCONN;
	}
	if (option == STACK_TCP_NODELAY || option == STACK_TCP_KEEPALIVE) {
		int error = set_flag(pcb, option, value);
		reschedule(pcb);
		return error;
	}
	/* Linux's limits: MAX_TCP_KEEPIDLE and so on. */
	int low = option == STACK_TCP_TOS ? 0 : option == STACK_TCP_MAXSEG ? 88 : 1;
	int high = option == STACK_TCP_KEEPIDLE || option == STACK_TCP_KEEPINTVL ||
			   option == STACK_TCP_MAXSEG
		       ? 32767
		   : option == STACK_TCP_KEEPCNT ? 127
						 : 255;
	if (value < low || value > high) {
		return -EINVAL;
	}
	switch (option) {
	case STACK_TCP_KEEPIDLE:
		pcb->keep_idle = (u32_t)value * 1000;
		break;
	case STACK_TCP_KEEPINTVL:
		pcb->keep_intvl = (u32_t)value * 1000;
		break;
	case STACK_TCP_KEEPCNT:
		pcb->keep_cnt = (u32_t)value;
		break;
	case STACK_TCP_TOS:
		pcb->tos = (u8_t)value;
		break;
	case STACK_TCP_MAXSEG:
		pcb->mss = LWIP_MIN(pcb->mss, (u16_t)value);
		break;
	case STACK_TCP_TTL:
		pcb->ttl = (u8_t)value;
		break;
	default:
		return -ENOPROTOOPT;
	}
	reschedule(pcb);
	return 0;
}

/* Linux's numbering (include/net/tcp_states.h) of lwIP's states. */
static uint8_t linux_state(enum tcp_state state)
{
	static const uint8_t numbers[] = {
		[CLOSED] = 7,      [LISTEN] = 10,    [SYN_SENT] = 2,   [SYN_RCVD] = 3,
		[ESTABLISHED] = 1, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5, [CLOSE_WAIT] = 8,
		[CLOSING] = 11,    [LAST_ACK] = 9,   [TIME_WAIT] = 6,
	};
	return numbers[state];
}

void stk_tcp_info(const struct stack_tcp *tcp, struct stack_tcp_info *out)
{
	const struct tcp_pcb *pcb = tcp->pcb;
	*out = (struct stack_tcp_info){ .state = linux_state(CLOSED),
					.unread_bytes = (uint32_t)tcp->rx_bytes };
	if (!pcb) {
		return;
	}
	out->state = linux_state(pcb->state);
	out->retransmits = pcb->nrtx;
	out->mss = pcb->mss;
	out->rtt_us = (uint32_t)(pcb->sa >> 3) * 1000;
	out->rttvar_us = (uint32_t)pcb->sv * 1000 / 4;
	out->rto_us = (uint32_t)pcb->rto * 1000;
	out->cwnd_bytes = pcb->cwnd;
	out->ssthresh_bytes = pcb->ssthresh;
	out->unacked_bytes = pcb->snd_nxt - pcb->lastack;
	out->receive_window = pcb->rcv_ann_wnd;
	out->send_window = pcb->snd_wnd;
}

void stk_tcp_count(const struct stack *s, struct stack_stats *out)
{
	out->tcp_time_wait = s->timewaits.count;
	for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next) {
		out->tcp_time_wait++;
	}
}
