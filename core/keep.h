/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Received packets that wait for somebody's identity (vl1 10.1): a ring of 32, oldest overwritten.
 */
#ifndef ZT_KEEP_H
#define ZT_KEEP_H

#include "core/rx_impl.h"

struct keep *keep_new(void);
void keep_free(struct keep *keep);

/* From an unknown source: cannot even be opened. */
void keep_sealed(struct zt_node *node, const struct rx_packet *packet, uint64_t source);
/* Open, but its handler wants the identity (or new credentials) of in->wanted. */
void keep_open(struct zt_node *node, const struct packet_in *in);
/* What was wanted has come: keep_run tries those packets again. Safe inside handlers. */
void keep_ready(struct zt_node *node, uint64_t wanted);
/* Try again what is ready. Not inside handlers: it is called when a datagram is done. */
void keep_run(struct zt_node *node, struct zt_now now);

#endif
