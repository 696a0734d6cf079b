/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Frames that come back to the stack that sent them, or are made here in answer: they wait until
 * it has returned, for a stack that is sending cannot receive (vl2 6.4, 6.5). */
#ifndef ZT_LOCAL_H
#define ZT_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zt_node;

/* All zeros is the empty state. */
struct local {
	uint8_t *bytes; /* LOCAL_BYTES; NULL until the first frame */
	size_t used;
};

void local_fini(struct local *local);
/* Keep a copy of a frame, its Ethernet header first. False: full, or no memory. */
bool local_add(struct local *local, uint64_t nwid, const void *frame, size_t length);
/* Deliver what was kept when this was called. True if more has come meanwhile. */
bool local_deliver(struct zt_node *node, struct local *local);

#endif
