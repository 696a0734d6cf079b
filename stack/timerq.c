/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "stack/timerq.h"

#include <stddef.h>

/* One heap out of two roots: the later becomes the first child of the earlier. */
static struct timer_node *meld(struct timer_node *a, struct timer_node *b)
{
	if (!a || !b) {
		return a ? a : b;
	}
	if (b->due_ms < a->due_ms) {
		struct timer_node *swap = a;
		a = b;
		b = swap;
	}
	b->next = a->child;
	if (b->next) {
		b->next->previous = b;
	}
	b->previous = a;
	a->child = b;
	return a;
}

/* One heap out of a list of siblings: in pairs from left to right, then from right to left. */
static struct timer_node *meld_siblings(struct timer_node *first)
{
	struct timer_node *pairs = NULL;
	while (first) {
		struct timer_node *a = first, *b = first->next;
		first = b ? b->next : NULL;
		a->next = a->previous = NULL;
		if (b) {
			b->next = b->previous = NULL;
		}
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	struct timer_node *root = NULL;
	while (pairs) {
		struct timer_node *next = pairs->next;
		pairs->next = NULL;
		root = meld(root, pairs);
		pairs = next;
	}
	return root;
}

void timerq_add(struct timerq *q, struct timer_node *node, int64_t due_ms)
{
	*node = (struct timer_node){ .due_ms = due_ms, .is_queued = true };
	q->first = meld(q->first, node);
}

void timerq_remove(struct timerq *q, struct timer_node *node)
{
	if (!node->is_queued) {
		return;
	}
	struct timer_node *below = meld_siblings(node->child);
	if (node == q->first) {
		q->first = below;
	} else {
		struct timer_node **link =
		    node->previous->child == node ? &node->previous->child : &node->previous->next;
		*link = node->next;
		if (node->next) {
			node->next->previous = node->previous;
		}
		q->first = meld(q->first, below);
	}
	*node = (struct timer_node){ .is_queued = false };
}
