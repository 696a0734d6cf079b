/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/packet.h"

#include "base/rd.h"
#include "base/wr.h"

enum datagram_kind datagram_classify(const uint8_t *bytes, size_t length)
{
	if (length == BEACON_BYTES) {
		return DATAGRAM_BEACON;
	}
	if (length <= FRAG_HEADER_BYTES) {
		return DATAGRAM_JUNK;
	}
	if (bytes[FRAG_INDICATOR_AT] == FRAG_INDICATOR) {
		return DATAGRAM_FRAGMENT;
	}
	if (length < PACKET_MIN_BYTES) {
		return DATAGRAM_JUNK;
	}
	return packet_is_fragmented(bytes) ? DATAGRAM_HEAD : DATAGRAM_PACKET;
}

static uint64_t field(const uint8_t *bytes, size_t width)
{
	struct rd r = rd_init(bytes, width);
	return rd_uint(&r, width);
}

uint64_t packet_id(const uint8_t *packet)
{
	return field(packet + PACKET_ID_AT, 8);
}

uint64_t packet_dest(const uint8_t *packet)
{
	return field(packet + PACKET_DEST_AT, ADDRESS_BYTES);
}

uint64_t packet_source(const uint8_t *packet)
{
	return field(packet + PACKET_SOURCE_AT, ADDRESS_BYTES);
}

uint64_t packet_trusted_id(const uint8_t *packet)
{
	return field(packet + PACKET_MAC_AT, PACKET_MAC_BYTES);
}

void packet_trusted_seal(uint8_t *packet, uint64_t trusted_id)
{
	struct wr w = wr_init(packet + PACKET_MAC_AT, PACKET_MAC_BYTES);
	wr_u64(&w, trusted_id);
	packet[PACKET_FLAGS_AT] = (uint8_t)((packet[PACKET_FLAGS_AT] & PACKET_FLAG_FRAGMENTED) |
					    PACKET_CIPHER_TRUSTED << PACKET_CIPHER_SHIFT);
}

static size_t hops_at(const uint8_t *datagram)
{
	return datagram[FRAG_INDICATOR_AT] == FRAG_INDICATOR ? FRAG_HOPS_AT : PACKET_FLAGS_AT;
}

uint8_t datagram_hops(const uint8_t *datagram)
{
	return datagram[hops_at(datagram)] & PACKET_HOPS_MASK;
}

void datagram_hop(uint8_t *datagram)
{
	uint8_t *at = &datagram[hops_at(datagram)];
	uint8_t hops = *at & PACKET_HOPS_MASK;
	if (hops < PACKET_HOPS_MASK) {
		*at = (uint8_t)((*at & ~PACKET_HOPS_MASK) | (hops + 1));
	}
}

void packet_header_write(uint8_t packet[PACKET_MIN_BYTES], const struct packet_header *header)
{
	struct wr w = wr_init(packet, PACKET_MIN_BYTES);
	wr_u64(&w, header->id);
	wr_u40(&w, header->dest);
	wr_u40(&w, header->source);
	wr_u8(&w, 0);
	wr_u64(&w, 0);
	wr_u8(&w, header->verb);
}

const char *verb_name(uint8_t verb)
{
	static const char *const names[PACKET_VERB_MASK + 1] = {
		[VERB_NOP] = "NOP",
		[VERB_HELLO] = "HELLO",
		[VERB_ERROR] = "ERROR",
		[VERB_OK] = "OK",
		[VERB_WHOIS] = "WHOIS",
		[VERB_RENDEZVOUS] = "RENDEZVOUS",
		[VERB_FRAME] = "FRAME",
		[VERB_EXT_FRAME] = "EXT_FRAME",
		[VERB_ECHO] = "ECHO",
		[VERB_MULTICAST_LIKE] = "MULTICAST_LIKE",
		[VERB_NETWORK_CREDENTIALS] = "NETWORK_CREDENTIALS",
		[VERB_NETWORK_CONFIG_REQUEST] = "NETWORK_CONFIG_REQUEST",
		[VERB_NETWORK_CONFIG] = "NETWORK_CONFIG",
		[VERB_MULTICAST_GATHER] = "MULTICAST_GATHER",
		[VERB_MULTICAST_FRAME] = "MULTICAST_FRAME",
		[VERB_PUSH_DIRECT_PATHS] = "PUSH_DIRECT_PATHS",
		[VERB_ACK] = "ACK",
		[VERB_QOS_MEASUREMENT] = "QOS_MEASUREMENT",
		[VERB_USER_MESSAGE] = "USER_MESSAGE",
		[VERB_REMOTE_TRACE] = "REMOTE_TRACE",
		[VERB_PATH_NEGOTIATION_REQUEST] = "PATH_NEGOTIATION_REQUEST",
	};
	const char *name = verb <= PACKET_VERB_MASK ? names[verb] : NULL;
	return name ? name : "?";
}
