/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Packets that wait for their destination to become known and reachable (vl1 10.5, 15.10). */
#ifndef ZT_WAITING_H
#define ZT_WAITING_H

#include "core/tx.h"

struct waiting *waiting_new(void);
void waiting_free(struct waiting *waiting);
/* Copy a packet in; the oldest gives way when all 128 places are taken (counted). */
void waiting_add(struct zt_node *node, struct zt_now now, const struct tx_packet *packet);
/* Something changed for this destination (0: for all): send what can go now. */
void waiting_flush(struct zt_node *node, struct zt_now now, uint64_t dest);
/* DUE_WAITING: drop what waited too long. */
void waiting_due(struct zt_node *node, struct zt_now now);

struct deadline *waiting_deadline(struct waiting *waiting);

#endif
