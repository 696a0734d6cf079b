/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which listener has a port? All listen on every address, so a port has one at most, and a table of
 * 256 pages of 256 ports answers at once; a page exists while a port in it is listened on. */
#include "stack/hooks.h"
#include "stack/internal.h"

struct listener_page {
	struct tcp_pcb_listen *ports[256];
	unsigned count;
};

struct tcp_pcb_listen *stk_listener_find(uint16_t port)
{
	const struct listener_page *page = the_stack.listeners[port >> 8];
	return page ? page->ports[port & 0xff] : NULL;
}

bool listener_add(struct stack *s, uint16_t port, struct tcp_pcb_listen *listener)
{
	struct listener_page **page = &s->listeners[port >> 8];
	if (!*page) {
		*page = stk_heap_calloc(1, sizeof(**page));
	}
	if (!*page) {
		return false;
	}
	(*page)->ports[port & 0xff] = listener;
	(*page)->count++;
	return true;
}

struct tcp_pcb_listen *listener_remove(struct stack *s, uint16_t port)
{
	struct listener_page **page = &s->listeners[port >> 8];
	struct tcp_pcb_listen *listener = stk_listener_find(port);
	if (!listener) {
		return NULL;
	}
	(*page)->ports[port & 0xff] = NULL;
	if (--(*page)->count == 0) {
		stk_heap_free(*page);
		*page = NULL;
	}
	return listener;
}
