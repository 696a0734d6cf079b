/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Virtual networks inside the node: what rx.c, node.c and the VL2 handlers call.
 *
 * How this works: rx.c opens a packet and hands the VL2 verbs to vl2_on_packet, replies to VL2
 * verbs to vl2_on_ok and vl2_on_error. From there one file per kind of message goes on:
 * on_netconf.c, on_cred.c, on_frame.c, on_mcast.c. They know the joined networks (network.h), per
 * network the other members (membership.h), and the multicast groups of the node (mcast.h). The
 * public functions of zt.h that name a network are defined in vl2.c and join.c.
 *
 * Peers are named by their address, never held by pointer: a peer may be forgotten at any time.
 */
#ifndef ZT_VL2_H
#define ZT_VL2_H

#include "core/zt.h"

struct zt_node;
struct packet_in;
struct vl2;

enum vl2_result {
	VL2_DONE,    /* handled: counts as received (vl1 10.2) */
	VL2_IGNORED, /* refused and counted: authentic, yet of no consequence */
	VL2_KEEP, /* cannot be judged before in->wanted's identity is known, or (in->wanted == the
		   * source) before its credentials arrive: keep it, retry, drop after 5 s */
};

/* Makes the state and keeps it in the node (node_vl2_set). 0 or ZT_E_NO_MEMORY. */
int vl2_new(struct zt_node *node) ZT_MUST_CHECK;
void vl2_free(struct zt_node *node);

/* Timers; the deadline is INT64_MAX when nothing is due ever. */
void vl2_tick(struct zt_node *node, struct zt_now now);
int64_t vl2_deadline(const struct zt_node *node);

/* Verbs 0x06 0x07 0x09 0x0a 0x0b 0x0c 0x0d 0x0e, authentic and decompressed. May run again for a
 * kept packet: handlers change nothing before they can judge the whole. */
enum vl2_result vl2_on_packet(struct zt_node *node, struct zt_now now, struct packet_in *in);
/* An expected OK to one of those verbs (or ECHO with 16 bytes, vl2 3.2); payload starts after the
 * in-re packet id. */
enum vl2_result vl2_on_ok(struct zt_node *node, struct zt_now now, struct packet_in *in,
			  uint8_t in_re_verb, uint64_t in_re_id, struct rd *payload);
/* ERROR to one of those verbs; payload starts after the code. */
struct vl2_refusal {
	uint8_t in_re_verb, code;
	uint64_t in_re_id;
};
enum vl2_result vl2_on_error(struct zt_node *node, struct zt_now now, struct packet_in *in,
			     const struct vl2_refusal *refusal, struct rd *payload);
/* An upstream answered after none did: requests that could not leave are due now. */
void vl2_online(struct zt_node *node, struct zt_now now);
/* An identity was learnt (WHOIS, HELLO, peer cache). */
void vl2_peer_known(struct zt_node *node, struct zt_now now, uint64_t address);

/* Is the IP inside a prefix that a joined network assigned to us? Such an address is never a path
 * (vl1 10.6 b). */
bool vl2_holds_ip(const struct zt_node *node, const struct zt_endpoint *ip);

#endif
