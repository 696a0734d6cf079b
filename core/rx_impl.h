/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Between the files that receive: datagram, packet, handler, consequences. */
#ifndef ZT_RX_IMPL_H
#define ZT_RX_IMPL_H

#include "core/node_impl.h"
#include "core/rx.h"
#include "core/vl2.h"

/* A whole packet for us, sealed. */
struct rx_packet {
	struct frag_origin origin;
	uint8_t *bytes;
	size_t length;
	int64_t since_ms; /* when it arrived */
};
void rx_packet(struct zt_node *node, struct zt_now now, const struct rx_packet *packet);
/* The same once it is proved to come from `peer`: decompress, dispatch. */
void rx_opened(struct zt_node *node, struct zt_now now, const struct rx_packet *packet,
	       struct peer *peer);
/* Dispatch, and what follows from the handler's result. */
void rx_judge(struct zt_node *node, struct zt_now now, struct packet_in *in);

/* What VL2 made of a packet, in VL1's words. */
enum rx_result rx_of_vl2(enum vl2_result result);

/* on_hello.c: a HELLO in plain sight, its sender not yet known to be who it says (vl1 9.2). */
void hello_sealed(struct zt_node *node, struct zt_now now, const struct rx_packet *packet);

/* learn.c: what every counted packet teaches (vl1 10.2). */
void learn_from(struct zt_node *node, struct zt_now now, struct packet_in *in);

/* relay.c: a datagram for somebody else (vl1 14). */
void relay_datagram(struct zt_node *node, struct zt_now now, const struct zt_datagram *datagram);

/* Handlers, one per verb (verbs.def). */
rx_handler on_nop, on_hello, on_ok, on_error, on_whois, on_rendezvous, on_echo, on_push, on_ignored,
    on_vl2;
/* OK by the verb it answers: on_ok.c calls these. */
enum rx_result on_ok_hello(struct zt_node *node, struct zt_now now, struct packet_in *in);
enum rx_result on_ok_whois(struct zt_node *node, struct zt_now now, struct packet_in *in);

#endif
