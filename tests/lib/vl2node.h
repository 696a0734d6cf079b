/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One real node whose VL2 packets a test hands in, and whose packets it reads: every peer has a
 * path, and the node's own key opens what it sealed. */
#ifndef TESTS_LIB_VL2NODE_H
#define TESTS_LIB_VL2NODE_H

#include "core/identity.h"
#include "core/proto.h"
#include "core/vl2.h"

enum { VL2NODE_PEERS = 8, VL2NODE_FRAMES = 32 };

/* A packet that the node sent. */
struct vl2node_sent {
	uint64_t dest;
	uint8_t verb;
	uint8_t bytes[PACKET_MAX_BYTES]; /* the plain packet, header first */
	size_t length;
};

/* A frame that it delivered. */
struct vl2node_frame {
	uint64_t nwid;
	bool is_authentic;
	size_t length;
	uint8_t bytes[ZT_MAX_FRAME_BYTES];
};

struct vl2node {
	struct zt_node *node;
	struct zt_now now;
	struct identity identity;
	struct identity peers[VL2NODE_PEERS];
	size_t peer_count;
	struct zt_arena arena;
	uint64_t next_id, random;
	size_t frame_count, stored_count, event_count, request_count;
	struct vl2node_frame *frames;     /* VL2NODE_FRAMES of them */
	struct zt_config_request request; /* the last; its pointers are not valid */
	bool is_controller;
};

/* A node with this secret at this wall clock, without upstreams. Fails the test if it cannot be. */
void vl2node_init(struct vl2node *v, const char *secret, int64_t wall_ms, bool is_controller);
void vl2node_fini(struct vl2node *v);
/* A known peer with a direct path (text form). */
void vl2node_peer(struct vl2node *v, const char *identity);
/* A packet from a known peer; id 0 = a fresh one. Returns the handler's result. */
enum vl2_result vl2node_packet(struct vl2node *v, uint64_t source, uint64_t id, uint8_t verb,
			       const void *payload, size_t length);
void vl2node_advance(struct vl2node *v, int64_t ms);
/* The index-th packet sent since vl2node_clear; false past the last. */
bool vl2node_sent(struct vl2node *v, size_t index, struct vl2node_sent *out);
/* How many of that verb to that peer (0 = anybody). */
size_t vl2node_count(struct vl2node *v, uint64_t dest, uint8_t verb);
void vl2node_clear(struct vl2node *v);

#endif
