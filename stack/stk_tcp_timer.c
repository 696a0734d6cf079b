/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works
 *
 * lwIP, as patched, keeps no ticks: tcp_pcb_deadline() says when a connection wants
 * tcp_pcb_timers(), in milliseconds. Each connection with a deadline is a node of one heap. Every
 * way into lwIP for one connection is bracketed by stk_tcp_enter() and stk_tcp_leave(); leave()
 * asks for the new deadline. A node is moved only when its deadline comes earlier. When it has
 * become later (an ACK restarted the retransmission timer), the node fires at the old time, finds
 * nothing due and is queued anew: one wake-up for each 200 ms of traffic instead of a heap
 * operation for each segment.
 */
#include "stack/hooks.h"
#include "stack/stk_tcp.h"

#include <lwip/priv/tcp_priv.h>
#include <stddef.h>

static struct tcp_pcb *pcb_of(struct timer_node *node)
{
	return (struct tcp_pcb *)(void *)((char *)node - offsetof(struct tcp_pcb, extra.timer));
}

/* lwIP calls this when its list of connections ceases to be empty; the heap knows that already. */
void tcp_timer_needed(void)
{
}

static void schedule(struct stack *s, struct tcp_pcb *pcb, int64_t earliest_ms)
{
	struct timer_node *node = &pcb->extra.timer;
	u32_t at;
	if (!tcp_pcb_deadline(pcb, &at)) {
		timerq_remove(&s->timers, node);
		return;
	}
	int64_t due_ms = s->now_ms + (int32_t)(at - tcp_ticks);
	due_ms = due_ms < earliest_ms ? earliest_ms : due_ms;
	if (!node->is_queued || due_ms < node->due_ms) {
		timerq_remove(&s->timers, node);
		timerq_add(&s->timers, node, due_ms);
	}
}

/* The timers whose start an operation may set. */
enum { TIMER_RTO = 1, TIMER_FAST = 2, TIMER_PERSIST = 4, TIMER_RTT = 8 };

static uint8_t running(const struct tcp_pcb *pcb)
{
	return (uint8_t)((pcb->rto_on ? TIMER_RTO : 0) |
			 ((pcb->flags & (TF_ACK_DELAY | TF_CLOSEPEND)) != 0 ? TIMER_FAST : 0) |
			 (pcb->persist_backoff > 0 ? TIMER_PERSIST : 0) |
			 (pcb->rttest != 0 ? TIMER_RTT : 0));
}

static void undated_add(struct stack *s, struct tcp_pcb *pcb)
{
	struct tcp_pcb_extra *extra = &pcb->extra;
	uint8_t started = (uint8_t)(running(pcb) & ~s->entered_timers);
	if (started == 0) {
		return;
	}
	if (extra->undated == 0) {
		extra->undated_previous = NULL;
		extra->undated_next = s->undated;
		if (s->undated) {
			s->undated->extra.undated_previous = pcb;
		}
		s->undated = pcb;
	}
	extra->undated |= started;
	s->has_undated = true;
}

static void undated_remove(struct stack *s, struct tcp_pcb *pcb)
{
	struct tcp_pcb_extra *extra = &pcb->extra;
	if (extra->undated == 0) {
		return;
	}
	extra->undated = 0;
	*(extra->undated_previous ? &extra->undated_previous->extra.undated_next : &s->undated) =
	    extra->undated_next;
	if (extra->undated_next) {
		extra->undated_next->extra.undated_previous = extra->undated_previous;
	}
}

void stk_tcp_clock(struct stack *s)
{
	tcp_ticks = (u32_t)s->now_ms;
	while (s->undated) {
		struct tcp_pcb *pcb = s->undated;
		uint8_t started = pcb->extra.undated;
		undated_remove(s, pcb);
		if ((started & TIMER_RTO) != 0) {
			pcb->rto_start = tcp_ticks;
		}
		if ((started & TIMER_FAST) != 0) {
			pcb->fast_start = tcp_ticks;
		}
		if ((started & TIMER_PERSIST) != 0) {
			pcb->persist_start = tcp_ticks;
		}
		if ((started & TIMER_RTT) != 0 && pcb->rttest != 0) {
			pcb->rttest = tcp_ticks ? tcp_ticks : 1;
		}
		timerq_remove(&s->timers, &pcb->extra.timer);
		schedule(s, pcb, INT64_MIN);
	}
}

void stk_tcp_enter(struct stack *s, struct tcp_pcb *pcb)
{
	s->entered = pcb;
	s->entered_timers = running(pcb);
}

static void leave(struct stack *s, int64_t earliest_ms)
{
	struct tcp_pcb *pcb = s->entered; /* NULL if lwIP freed it: tcp_pcb_forget() */
	s->entered = NULL;
	if (!pcb || pcb->state <= LISTEN) {
		return;
	}
	if (pcb->state == TIME_WAIT) {
		if (pcb->callback_arg) {
			tcp_finished(s, pcb->callback_arg);
		}
		if (timewait_take(s, pcb)) { /* else lwIP keeps it */
			tcp_pcb_remove(&tcp_tw_pcbs, pcb);
			tcp_free(pcb);
			return;
		}
	}
	schedule(s, pcb, earliest_ms);
	if (!s->is_clocked) {
		undated_add(s, pcb);
	}
}

void stk_tcp_leave(struct stack *s)
{
	leave(s, INT64_MIN);
}

void tcp_pcb_forget(struct stack *s, struct tcp_pcb *pcb)
{
	timerq_remove(&s->timers, &pcb->extra.timer);
	undated_remove(s, pcb);
	if (s->entered == pcb) {
		s->entered = NULL;
	}
}

void stk_tcp_advance(struct stack *s)
{
	struct timer_node *node;
	while ((node = s->timers.first) != NULL && node->due_ms <= s->now_ms) {
		struct tcp_pcb *pcb = pcb_of(node);
		timerq_remove(&s->timers, node);
		stk_tcp_enter(s, pcb);
		tcp_pcb_timers(pcb);
		leave(s, s->now_ms + 1); /* whatever lwIP says, time goes on */
	}
}

int64_t stk_tcp_deadline(const struct stack *s)
{
	if (s->events_first) {
		return s->now_ms;
	}
	return s->timers.first ? s->timers.first->due_ms : INT64_MAX;
}
