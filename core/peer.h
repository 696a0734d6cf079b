/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One remote node: identity, keys, versions, paths and what is due for it (vl1 10.2, 10.3, 12). */
#ifndef ZT_PEER_H
#define ZT_PEER_H

#include "core/zt.h"

struct zt_node;
struct peer;
struct identity;
struct limit_quota;

/* The peer of that address, or NULL while its identity is unknown. Borrowed: a peer may be
 * forgotten by any later call into the node, so remember addresses. O(1). */
struct peer *peer_find(const struct zt_node *node, uint64_t address);
uint64_t peer_address(const struct peer *peer);
const struct identity *peer_identity(const struct peer *peer);
/* Protocol version, -1 while unknown. */
int peer_protocol(const struct peer *peer);
/* Is there a direct path in use? */
bool peer_has_path(const struct peer *peer, struct zt_now now);
/* Does it answer on a path of its own now (vl1 10.3)? Then *latency_ms is what the best one has, or
 * PATH_LATENCY_UNKNOWN. */
bool peer_is_near(const struct peer *peer, struct zt_now now, unsigned *latency_ms);
/* A network of ours names it (vl1 12.1): keep in touch until then, although it sends us nothing. */
void peer_want(struct zt_node *node, struct zt_now now, struct peer *peer, int64_t until_ms);
/* New entries that it made in the directory of groups (vl2 8.1; MCAST_NEWS_MAX). */
struct limit_quota *peer_groups(struct peer *peer);
/* When something authentic last came, mono ms. */
int64_t peer_last_receive_ms(const struct peer *peer);

#endif
