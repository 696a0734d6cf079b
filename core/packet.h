/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The 28-byte packet header (vl1 4): reading and writing its fields in place.
 *
 * These take raw bytes whose length the caller has checked: PACKET_MIN_BYTES for a packet,
 * FRAG_HEADER_BYTES for a fragment (datagram_classify does that).
 */
#ifndef ZT_PACKET_H
#define ZT_PACKET_H

#include "core/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a received datagram is (vl1 6). */
enum datagram_kind {
	DATAGRAM_JUNK,   /* NAT-opening junk and everything else too short */
	DATAGRAM_BEACON, /* historic LAN beacon */
	DATAGRAM_FRAGMENT,
	DATAGRAM_HEAD,   /* a packet with the fragmented bit: its other pieces come apart */
	DATAGRAM_PACKET, /* a whole packet */
};
enum datagram_kind datagram_classify(const uint8_t *bytes, size_t length);

uint64_t packet_id(const uint8_t *packet);
uint64_t packet_dest(const uint8_t *packet);       /* also right for fragments */
uint64_t packet_source(const uint8_t *packet);     /* heads and whole packets only */
uint64_t packet_trusted_id(const uint8_t *packet); /* the MAC field, for PACKET_CIPHER_TRUSTED */

/* Mark a packet as sent in the clear over that trusted path (vl1 5.8). */
void packet_trusted_seal(uint8_t *packet, uint64_t trusted_id);

static inline uint8_t packet_cipher(const uint8_t *packet)
{
	return (packet[PACKET_FLAGS_AT] & PACKET_CIPHER_MASK) >> PACKET_CIPHER_SHIFT;
}

static inline bool packet_is_fragmented(const uint8_t *packet)
{
	return packet[PACKET_FLAGS_AT] & PACKET_FLAG_FRAGMENTED;
}

/* Must happen before sealing (vl1 5). */
static inline void packet_fragmented_set(uint8_t *packet)
{
	packet[PACKET_FLAGS_AT] |= PACKET_FLAG_FRAGMENTED;
}

static inline uint8_t packet_hops(const uint8_t *packet)
{
	return packet[PACKET_FLAGS_AT] & PACKET_HOPS_MASK;
}

static inline uint8_t packet_verb(const uint8_t *packet)
{
	return packet[PACKET_VERB_AT] & PACKET_VERB_MASK;
}

static inline bool packet_is_compressed(const uint8_t *packet)
{
	return packet[PACKET_VERB_AT] & PACKET_VERB_COMPRESSED;
}

/* Hops of a packet or fragment, and one more of them before passing it on (vl1 14). */
uint8_t datagram_hops(const uint8_t *datagram);
void datagram_hop(uint8_t *datagram);

struct packet_header {
	uint64_t id, dest, source;
	uint8_t verb;
};

/* Write the 28 bytes of an unsealed packet: flags, cipher, hops and MAC zero. */
void packet_header_write(uint8_t packet[PACKET_MIN_BYTES], const struct packet_header *header);

/* A verb's name as the specification spells it, or "?". */
const char *verb_name(uint8_t verb);

#endif
