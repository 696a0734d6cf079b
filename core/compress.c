/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/compress.h"

#include "core/packet.h"
#include "core/zt.h"

#include <lz4.h>
#include <string.h>

size_t packet_compress(uint8_t *packet, size_t length)
{
	if (length <= PACKET_PAYLOAD_AT + COMPRESS_MIN_BYTES || length > PACKET_MAX_BYTES ||
	    packet_is_compressed(packet)) {
		return length;
	}
	uint8_t shorter[PACKET_PAYLOAD_MAX_BYTES];
	size_t payload = length - PACKET_PAYLOAD_AT;
	int written = LZ4_compress_default((const char *)packet + PACKET_PAYLOAD_AT,
					   (char *)shorter, (int)payload, (int)payload - 1);
	if (written <= 0) {
		return length;
	}
	memcpy(packet + PACKET_PAYLOAD_AT, shorter, (size_t)written);
	packet[PACKET_VERB_AT] |= PACKET_VERB_COMPRESSED;
	return PACKET_PAYLOAD_AT + (size_t)written;
}

int packet_expand(const uint8_t *packet, size_t length, uint8_t *out, size_t *out_length)
{
	if (length < PACKET_MIN_BYTES || length > PACKET_MAX_BYTES) {
		return ZT_E_MALFORMED;
	}
	size_t payload = length - PACKET_PAYLOAD_AT;
	int written = 0;
	if (payload > 0) { /* the bit with an empty payload means nothing (vl1 7) */
		written = LZ4_decompress_safe((const char *)packet + PACKET_PAYLOAD_AT,
					      (char *)out + PACKET_PAYLOAD_AT, (int)payload,
					      PACKET_PAYLOAD_MAX_BYTES);
		if (written <= 0) {
			return ZT_E_MALFORMED;
		}
	}
	memcpy(out, packet, PACKET_PAYLOAD_AT);
	out[PACKET_VERB_AT] &= (uint8_t)~PACKET_VERB_COMPRESSED;
	*out_length = PACKET_PAYLOAD_AT + (size_t)written;
	return 0;
}
