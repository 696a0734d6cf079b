/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Cutting packets into datagrams and putting them together again (vl1 6). */
#ifndef ZT_FRAG_H
#define ZT_FRAG_H

#include "core/endpoint.h"
#include "core/proto.h"

#include <stddef.h>
#include <stdint.h>

/* ---- cutting -------------------------------------------------------------------------------- */

/* Datagrams that a packet of `size` bytes takes at `mtu`: 1 to 7, or 0 when it cannot be sent. More
 * than one: set the fragmented bit before sealing. */
size_t frag_count(size_t size, size_t mtu);
/* Bytes that frag_split needs at the packet: size and 16 for each datagram after the head. */
size_t frag_room(size_t size, size_t count);
/* The smallest MTU that takes as many datagrams as `mtu` does: equal sizes, for UDP_SEGMENT
 * (decision S18). */
size_t frag_even_mtu(size_t size, size_t mtu);
/* Cut a sealed packet in place: afterwards `count` (from frag_count) datagrams lie back to back
 * from `packet` on, of the lengths written. */
void frag_split(uint8_t *packet, size_t size, size_t mtu, uint16_t lengths[FRAG_MAX_DATAGRAMS]);

/* ---- reassembly ----------------------------------------------------------------------------- */

struct frag_table;

/* Where a datagram came from; the head's is credited with the packet. */
struct frag_origin {
	struct zt_endpoint from;
	int32_t socket;
};

enum frag_result {
	FRAG_HELD,      /* kept; pieces are missing */
	FRAG_COMPLETE,  /* *out is a packet */
	FRAG_DUPLICATE, /* seen before, ignored */
	FRAG_BAD,       /* malformed, or contradicts what came before; that packet is given up */
};

struct frag_packet {
	uint8_t *bytes; /* writable, valid until the next call with this table */
	size_t length;
	struct frag_origin origin;
};

/* A fixed 330 KB, touched as used. NULL without memory. */
struct frag_table *frag_table_new(void) __attribute__((warn_unused_result));
void frag_table_free(struct frag_table *table);
/* Take a datagram that datagram_classify calls HEAD or FRAGMENT. The address in the head is not
 * looked at: only packets for ourselves come here. */
enum frag_result frag_add(struct frag_table *table, const uint8_t *datagram, size_t length,
			  const struct frag_origin *origin, int64_t now_ms, struct frag_packet *out)
    __attribute__((warn_unused_result));

#endif
