/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TCP's timers. */
#include "stack/stk_tcp.h"

#include <lwip/priv/tcp_priv.h>

/* lwIP: a connection now exists. Nothing to do: deadline() looks for itself. */
void tcp_timer_needed(void)
{
}

void stk_tcp_timer_changed(struct tcp_pcb *pcb)
{
	(void)pcb;
}

static int64_t next_tick_ms = INT64_MAX;

void stk_tcp_advance(struct stack *s)
{
	if (!tcp_active_pcbs && !tcp_tw_pcbs) {
		next_tick_ms = INT64_MAX;
		return;
	}
	if (next_tick_ms == INT64_MAX) {
		next_tick_ms = s->now_ms + TCP_TMR_INTERVAL;
	}
	while (next_tick_ms <= s->now_ms) {
		tcp_tmr();
		next_tick_ms += TCP_TMR_INTERVAL;
	}
}

int64_t stk_tcp_deadline(const struct stack *s)
{
	if (s->events_first) {
		return s->now_ms;
	}
	if (!tcp_active_pcbs && !tcp_tw_pcbs) {
		return INT64_MAX;
	}
	return next_tick_ms == INT64_MAX ? s->now_ms + TCP_TMR_INTERVAL : next_tick_ms;
}

void stk_tcp_open(struct stack *s)
{
	(void)s;
	next_tick_ms = INT64_MAX;
}
