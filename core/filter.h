/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The rules engine: may a frame pass, and who gets a copy of it (vl2 7)? Pure; allocates nothing.
 *
 * Every member judges the frames that it sends and those that it receives by the same tables, so a
 * frame passes only if both ends say so.
 */
#ifndef ZT_FILTER_H
#define ZT_FILTER_H

#include "core/held.h"
#include "core/msg2.h"
#include "core/netconf.h"

#include <stdbool.h>
#include <stdint.h>

/* What one frame is judged by; everything is borrowed. */
struct filter_in {
	bool is_inbound;
	bool is_tee_suppressed; /* outbound: no copies, for all but the first recipient (7.4) */
	uint64_t self;          /* our own address */
	uint64_t zt_source;
	uint64_t zt_dest; /* 0 = not known: multicast, bridges */
	uint64_t mac_source, mac_dest;
	uint16_t ether_type, vlan_id;
	struct span data;          /* the frame without its Ethernet header */
	uint64_t random;           /* fresh bits for MATCH_RANDOM */
	const struct netconf *own; /* the network's table, flags and addresses; our credentials */
	/* Credentials of the other end: sender when inbound, destination when outbound. NULL = no
	 * record, or not known. */
	const struct held *other;
	struct held_window window; /* which of those count now */
};

enum filter_verdict {
	FILTER_DENY = 0,
	FILTER_PASS = 1,
	FILTER_PASS_SUPER = 2, /* inbound: we are its observer, deliver whatever its addresses */
};

/* An EXT_FRAME with the frame's own addresses that has to be sent. */
struct filter_copy {
	uint64_t dest; /* 0 = none */
	size_t length; /* of the data, from its start */
	uint8_t flags; /* EXT_FRAME flags: which kind of copy (6.2) */
};

enum { FILTER_COPIES_MAX = 3 }; /* of the table, of the capability that accepted, redirection */

struct filter_out {
	struct filter_copy copies[FILTER_COPIES_MAX];
	size_t copy_count;
};

/* A frame that is redirected is one of the copies, and denied. */
enum filter_verdict filter_frame(const struct filter_in *in, struct filter_out *out);

/* Does every frame pass unseen? Then none needs to be shown to filter_frame. */
bool filter_is_open(const struct rule *rules, size_t count);

#endif
