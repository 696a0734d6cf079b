/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Deadlines of lwIP's connections: a pairing heap whose nodes lie in the connections themselves
 * (LWIP_TCP_PCB_EXTRA), so that queueing needs no memory and cannot fail. */
#ifndef STACK_TIMERQ_H
#define STACK_TIMERQ_H

#include <stdbool.h>
#include <stdint.h>

struct timer_node {
	struct timer_node *child;    /* first of those that come later */
	struct timer_node *next;     /* sibling */
	struct timer_node *previous; /* sibling before, or the parent of a first child */
	int64_t due_ms;
	bool is_queued;
};

struct timerq {
	struct timer_node *first; /* the earliest, NULL when empty */
};

void timerq_add(struct timerq *q, struct timer_node *node, int64_t due_ms);
/* Does nothing if the node is not queued. */
void timerq_remove(struct timerq *q, struct timer_node *node);

#endif
