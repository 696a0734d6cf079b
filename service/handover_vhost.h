/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A virtual host on its way to a successor: sockets, ports, connections, who waits for whom.
 *
 * How this works
 * Every socket is a section: its record as numbers, its descriptors by place, and the bytes of its
 * connection as the stack exports them. Lists that cannot be found again from the records (who
 * waits at which listener, in what order) follow as sections of ids. The reader makes the records
 * first and links them afterwards; it marks every socket as ready to be looked at, so what happened
 * in between, and every edge that the predecessor had seen, is found by looking.
 */
#ifndef SERVICE_HANDOVER_VHOST_H
#define SERVICE_HANDOVER_VHOST_H

#include "service/handover_io.h"

struct net;

/* What became of them, for the log and the answer. */
struct handover_counts {
	uint32_t sockets, connections, reset;
};

/* Write the network. `has_stack`: the successor's stack understands ours; else connections through
 * the stack are marked as lost. Nothing changes. */
void handover_vhost_write(struct handover_out *out, struct net *net, bool has_stack);
/* The sections of one network, up to the next; its stack has its addresses, its virtual host is
 * open. 0, or -EBADMSG when the sections make no sense; what one socket lacks (memory, its
 * connection) resets that socket. */
int handover_vhost_read(struct handover_in *in, struct rd *sections, struct net *net,
			struct handover_counts *counts);
/* The control socket that the predecessor listened on, from the contents of HANDOVER_NETWORK. */
int handover_network_read(struct handover_in *in, struct rd contents, uint64_t *nwid);

#endif
