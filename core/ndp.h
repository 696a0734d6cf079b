/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Neighbour discovery answered on the spot: RFC4193 and 6PLANE addresses contain the node that has
 * them, so nobody needs to be asked (vl2 6.5). */
#ifndef ZT_NDP_H
#define ZT_NDP_H

#include "core/msg2.h"
#include "core/netconf.h"

#include <stdbool.h>
#include <stdint.h>

enum { NDP_ANSWER_BYTES = 14 + 72 }; /* Ethernet header; IPv6, ICMPv6, target, its MAC */

/* A frame from our stack. */
struct ndp_query {
	uint64_t to, from;
	uint16_t ether_type;
	struct span data;
};

/* If the frame asks for a neighbour whose MAC follows from its address, write the advertisement to
 * deliver instead of sending the frame. False: the frame goes its way. */
bool ndp_answer(const struct netconf *own, uint64_t self, const struct ndp_query *query,
		uint8_t out[NDP_ANSWER_BYTES]);

#endif
