/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Where we can be reached, and where we may try to reach others (vl1 10.6, 12.3, 13). */
#ifndef ZT_REACH_H
#define ZT_REACH_H

#include "core/rx_impl.h"

struct reach *reach_new(void);
void reach_free(struct reach *reach);

/* Our bound addresses. True if they differ from before. */
bool reach_local_set(struct reach *reach, const struct zt_endpoint *endpoints, size_t count);

/* May the endpoint be used for this peer (vl1 10.6)? Loopback only where it was heard of over
 * loopback, or a root lists it, and only if the node allows it at all (decision S20). */
bool reach_allows(const struct zt_node *node, const struct peer *peer,
		  const struct zt_endpoint *endpoint, bool is_loopback_source);

/* in->peer told that it sees, or aims at, us as `surface` (vl1 13). */
void reach_report(struct zt_node *node, struct zt_now now, const struct packet_in *in,
		  const struct zt_endpoint *surface);
/* The distinct surfaces known; returns how many were written. */
size_t reach_surfaces(const struct reach *reach, struct zt_endpoint *out, size_t max);
/* Tell a trusted peer our addresses if it is time (vl1 12.3). */
void reach_push(struct zt_node *node, struct zt_now now, const struct packet_in *in);

#endif
