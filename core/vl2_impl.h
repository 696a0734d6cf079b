/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the VL2 files share among themselves; nobody else includes it. */
#ifndef ZT_VL2_IMPL_H
#define ZT_VL2_IMPL_H

#include "core/deadline.h"
#include "core/filter.h"
#include "core/identity.h"
#include "core/local.h"
#include "core/mcast.h"
#include "core/msg2.h"
#include "core/network.h"
#include "core/node.h"
#include "core/rx.h"
#include "core/tx.h"
#include "core/vl2.h"

struct authorised;

struct vl2 {
	struct network **networks; /* ascending by id */
	size_t network_count, network_capacity;
	struct mcast mcast;
	struct authorised
	    *authorised; /* members that our controller lets in; NULL until the first */
	struct local local;
	struct deadlines deadlines;
	struct deadline sweep, local_due;
};

enum vl2_deadline { VL2_DEADLINE_NETWORK, VL2_DEADLINE_SWEEP, VL2_DEADLINE_LOCAL };

/* NULL = not joined. */
struct network *vl2_network(const struct zt_node *node, uint64_t nwid);
/* Its index in vl2->networks, or where it would go. */
size_t network_place(const struct vl2 *vl2, uint64_t nwid);
/* Our own identity or a known peer's; NULL while it is unknown. */
const struct identity *vl2_identity(const struct zt_node *node, uint64_t address);
/* When the network's timers want vl2_tick next; call after changing config_ms or requested_ms. */
void network_schedule(struct zt_node *node, struct network *network);
/* Give a frame to a network's own stack, soon. */
void vl2_local(struct zt_node *node, struct zt_now now, uint64_t nwid, const void *frame,
	       size_t length);
/* Groups were added: see that they expire. */
void vl2_sweep_later(struct zt_node *node, struct zt_now now);
/* Give a packet back to rx, which asks for the identity of `address`. */
enum vl2_result vl2_keep(struct packet_in *in, uint64_t address);
/* Send with one piece. */
enum tx_result vl2_send(struct zt_node *node, struct zt_now now, uint64_t dest, uint8_t verb,
			unsigned flags, const struct span *payload);

/* ---- the gate (vl2 5.1, 6.3) ------------------------------------------------------------------
 */

/* Has the packet's source proved that it belongs to the network? Then the packet counts as trusted,
 * and our groups are announced if that is due. */
bool gate_is_open(struct zt_node *node, struct zt_now now, struct network *network,
		  struct packet_in *in);
/* What every message with a frame passes first: its network is one of ours and has a configuration,
 * the certificate that it carries (com, or NULL) is taken in, the gate is open. The network, or
 * NULL with what the handler returns: a sender without proof is asked for it once a second at most,
 * and its packet kept meanwhile. */
struct network *gate_admit(struct zt_node *node, struct zt_now now, struct packet_in *in,
			   uint64_t nwid, const struct span *com, enum vl2_result *refusal);
/* Our controller let this member in within the last 3 minutes (8.1). */
void gate_authorise(struct zt_node *node, struct zt_now now, uint64_t nwid, uint64_t member);
void gate_deauthorise(struct zt_node *node, uint64_t nwid, uint64_t member);
bool gate_is_authorised(const struct zt_node *node, struct zt_now now, uint64_t nwid,
			uint64_t member);
void gate_free(struct vl2 *vl2);

/* ---- on_netconf.c ------------------------------------------------------------------------------
 */

enum vl2_result on_config_request(struct zt_node *node, struct zt_now now, struct packet_in *in);
enum vl2_result on_config(struct zt_node *node, struct zt_now now, struct packet_in *in);
enum vl2_result on_config_ok(struct zt_node *node, struct zt_now now, struct packet_in *in,
			     struct rd *payload);
enum vl2_result on_config_error(struct zt_node *node, struct packet_in *in,
				const struct vl2_refusal *refusal, struct rd *payload);
/* Ask the controller. */
void config_ask(struct zt_node *node, struct zt_now now, struct network *network);
/* Apply a dictionary from disk; false if it is of no use. */
bool config_restore(struct zt_node *node, struct network *network, const void *dict, size_t length);

/* ---- on_cred.c ---------------------------------------------------------------------------------
 */

enum vl2_result on_credentials(struct zt_node *node, struct zt_now now, struct packet_in *in);
/* Somebody wants to see our certificate. */
enum vl2_result on_need_credentials(struct zt_node *node, struct zt_now now, struct packet_in *in,
				    struct rd *payload);
/* A certificate inside another message: kept if it is good. False: the controller is unknown. */
bool credentials_inline(struct zt_node *node, struct zt_now now, struct network *network,
			const struct span *com);
/* Before sending a frame to a member: our credentials first, if they are due (5.3). */
void credentials_push_due(struct zt_node *node, struct zt_now now, struct network *network,
			  uint64_t address);

/* ---- on_frame.c --------------------------------------------------------------------------------
 */

enum vl2_result on_frame(struct zt_node *node, struct zt_now now, struct packet_in *in);
enum vl2_result on_ext_frame(struct zt_node *node, struct zt_now now, struct packet_in *in);
/* An Ethernet frame, taken apart. */
struct eth_frame {
	uint64_t to, from;
	uint16_t ether_type;
	struct span data;
};
/* Hand a frame to the stack, its Ethernet header written right before the data in the packet. */
void frame_deliver(struct zt_node *node, struct network *network, struct packet_in *in,
		   const struct eth_frame *frame);
/* One frame from the stack. */
void frame_send(struct zt_node *node, struct zt_now now, struct network *network,
		const struct zt_frame *frame);

/* ---- passage.c ---------------------------------------------------------------------------------
 */

enum passage_copies { PASSAGE_NO_COPIES, PASSAGE_COPIES };
/* May the frame leave for `dest` (0 = nobody in particular)? Copies for observers go out if wanted,
 * a redirected frame goes where it belongs. */
bool passage_out(struct zt_node *node, struct zt_now now, struct network *network,
		 const struct eth_frame *frame, uint64_t dest, enum passage_copies copies);
/* May a frame of that member come in? */
enum filter_verdict passage_in(struct zt_node *node, struct zt_now now, struct network *network,
			       const struct eth_frame *frame, uint64_t source);

/* ---- on_mcast.c --------------------------------------------------------------------------------
 */

enum vl2_result on_like(struct zt_node *node, struct zt_now now, struct packet_in *in);
enum vl2_result on_gather(struct zt_node *node, struct zt_now now, struct packet_in *in);
enum vl2_result on_mcast_frame(struct zt_node *node, struct zt_now now, struct packet_in *in);
enum vl2_result on_gathered(struct zt_node *node, struct zt_now now, struct packet_in *in,
			    struct rd *payload);
enum vl2_result on_mcast_ok(struct zt_node *node, struct zt_now now, struct packet_in *in,
			    struct rd *payload);
enum vl2_result on_unwanted_multicast(struct zt_node *node, struct packet_in *in,
				      struct rd *payload);
/* A frame from the stack to a group (8.3). */
void mcast_send(struct zt_node *node, struct zt_now now, struct network *network,
		const struct mcast_out *frame);

/* ---- replicate.c -------------------------------------------------------------------------------
 */

/* The replicator that copies our multicasts now; 0 = none answers, or we copy for ourselves. */
uint64_t replicator_choose(const struct zt_node *node, struct zt_now now,
			   const struct network *network);

/* ---- groups.c ----------------------------------------------------------------------------------
 */

/* Those who keep a directory of groups: controller, upstreams, anchors, replicators; each once,
 * at most `max`. Returns how many. */
size_t groups_directories(const struct zt_node *node, const struct network *network, uint64_t *out,
			  size_t max);
/* Tell one node all our groups of a network, or everybody who should know (8.1). */
void groups_announce_to(struct zt_node *node, struct zt_now now, const struct network *network,
			uint64_t dest);
void groups_announce(struct zt_node *node, struct zt_now now, struct network *network);
/* A group just joined: tell everybody of this one. */
void group_announce(struct zt_node *node, struct zt_now now, struct network *network,
		    const struct zt_group *group);

#endif
