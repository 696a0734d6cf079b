/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Contacting peers and keeping paths open (vl1 12). */
#ifndef ZT_KEEPALIVE_H
#define ZT_KEEPALIVE_H

#include "core/node_impl.h"
#include "core/tx_impl.h"

/* Send HELLO to an address, or through a relay (to = the relay's path, is_relayed). */
void contact_hello(struct zt_node *node, struct zt_now now, struct peer *peer,
		   const struct tx_to *to, bool is_relayed);
/* HELLO, or ECHO if the peer's version is known to understand it (vl1 12.2). */
void contact(struct zt_node *node, struct zt_now now, struct peer *peer, const struct tx_to *to);

/* The peer may be there: contact it now and, until something comes from that IP, a few times more.
 */
void keepalive_punch(struct zt_node *node, struct zt_now now, struct peer *peer,
		     const struct tx_to *to, bool is_hello);

/* Set the peer's deadline after something changed that it depends on. */
void keepalive_schedule(struct zt_node *node, struct zt_now now, struct peer *peer);
/* DUE_PEER: keep its paths open, look for it if it is an upstream, or forget it. */
void keepalive_due(struct zt_node *node, struct zt_now now, struct peer *peer);
/* Does a path still answer? At most one question per second and path. */
void keepalive_probe(struct zt_node *node, struct zt_now now, struct peer *peer, struct path *path);
/* The host's addresses changed: upstreams and data peers are greeted in the next tick. */
void keepalive_soon(struct zt_node *node);

#endif
