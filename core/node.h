/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The node as its own modules see it: services that VL1 and VL2 code share.
 *
 * struct zt_node itself is in node_impl.h, for the VL1 files; VL2 files need only this header,
 * peer.h, rx.h and tx.h.
 */
#ifndef ZT_NODE_H
#define ZT_NODE_H

#include "core/peer.h"
#include "core/zt.h"

struct identity;
struct vl2;

/* Where VL2 keeps its state (vl2_new sets it). */
struct vl2 *node_vl2(const struct zt_node *node);
void node_vl2_set(struct zt_node *node, struct vl2 *vl2);

uint64_t node_address(const struct zt_node *node);
/* Our own identity, secret half included. */
const struct identity *node_identity(const struct zt_node *node);

/* Count one / many events. */
void node_count(struct zt_node *node, enum zt_counter counter);
void node_count_many(struct zt_node *node, enum zt_counter counter, uint64_t n);

void node_log(const struct zt_node *node, enum zt_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void node_random(const struct zt_node *node, void *out, size_t length);
uint64_t node_random_u64(const struct zt_node *node);
void node_store(const struct zt_node *node, enum zt_store kind, uint64_t id, const void *bytes,
		size_t length);
void node_event(const struct zt_node *node, enum zt_event_kind kind, uint64_t id);
void node_frames_in(const struct zt_node *node, uint64_t nwid, const struct zt_frame *frames,
		    size_t count);
/* The controller behind this node; false when there is none. */
bool node_config_request(const struct zt_node *node, const struct zt_config_request *request);

/* Ask for an identity (vl1 9.5): a WHOIS goes to the best upstream, repeated while somebody waits,
 * at most for 5 s. When it arrives, vl2_peer_known is called. Nothing happens if it is known. */
void node_whois(struct zt_node *node, struct zt_now now, uint64_t address);

/* Are we ourselves a root (vl1 17)? */
bool node_is_root(const struct zt_node *node);
/* Is it a root of the planet or of a moon (not ourselves)? */
bool node_is_upstream(const struct zt_node *node, uint64_t address);
/* The upstreams' addresses in ascending order; returns how many were written. */
size_t node_upstreams(const struct zt_node *node, uint64_t *out, size_t max);
/* The upstream that packets go through now; 0 = none. */
uint64_t node_best_upstream(const struct zt_node *node, struct zt_now now);

/* Every known peer, in no order. `each` must not send; return false to stop. */
void node_peers_each(const struct zt_node *node, bool (*each)(void *context, struct peer *peer),
		     void *context);

#endif
