/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Receiving: what every handler of a verb gets.
 *
 * How this works: rx.c classifies a datagram (vl1 6), reassembles, finds the sender, opens the
 * packet in place, decompresses, drops duplicates (vl1 19.7) and dispatches by verb through
 * verbs.def. From struct packet_in on, the bytes are authentic. A packet that cannot be judged yet,
 * because an identity is missing, is kept in a ring of 32 and tried again when that identity
 * arrives.
 */
#ifndef ZT_RX_H
#define ZT_RX_H

#include "base/rd.h"
#include "core/peer.h"
#include "core/zt.h"

struct zt_node;

struct packet_in {
	struct peer *peer; /* the authenticated source; valid for this call only */
	struct path *path; /* where it came from, or the relay's path when hops > 0 */
	uint64_t source;   /* == peer_address(peer) */
	uint64_t id;       /* on the wire: what replies refer to */
	uint8_t verb, hops;
	uint8_t cipher;
	uint8_t *bytes; /* the whole packet, plaintext, 28-byte header first; may be scribbled on */
	size_t length;
	struct rd payload; /* bytes[28..]: at least 28 writable bytes lie before it */
	bool is_trusted;   /* set by handlers: it proves common membership (vl1 10.2) */
	int64_t since_ms;  /* when it arrived (mono): kept packets are older than now */
	uint64_t wanted;   /* set together with VL2_KEEP: whose identity is missing */
};

enum rx_result {
	RX_DONE,      /* counts as received (vl1 10.2) */
	RX_IGNORED,   /* authentic, refused and counted: of no consequence */
	RX_MALFORMED, /* does not parse: counted by the dispatcher */
	RX_KEEP,      /* try again when in->wanted is known */
};

/* A handler of verbs.def. */
typedef enum rx_result rx_handler(struct zt_node *node, struct zt_now now, struct packet_in *in);

#endif
