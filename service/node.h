/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The service's side of the core node: its callbacks, the transmit arena, the peer cache. */
#ifndef SERVICE_NODE_H
#define SERVICE_NODE_H

#include <stddef.h>

struct identity;
struct service;

/* Create service->node and the arena. Needs loop, worker, udp. 0 or a zt_err. */
int node_open(struct service *service, const struct identity *identity, const void *planet,
	      size_t planet_length);
/* Tell the node about the peers of HOME/peers.d; stale records are removed. */
void node_restore_peers(struct service *service);
struct handover_out;
/* A section for each peer. */
void node_handover_write(struct service *service, struct handover_out *out);
/* Free the node (it saves its peers through the worker) and the arena. */
void node_close(struct service *service);

#endif
