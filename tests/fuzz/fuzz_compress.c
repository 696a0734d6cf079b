/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* LZ4 from the network, and our own encoder's output through our decoder. */
#include "core/compress.h"
#include "core/packet.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t packet[PACKET_MAX_BYTES], out[PACKET_MAX_BYTES];
	size_t length = 0;
	if (packet_expand(data, size, out, &length) == 0) {
		BUG_ON(length < PACKET_MIN_BYTES || length > PACKET_MAX_BYTES);
		BUG_ON(packet_is_compressed(out));
	}
	if (size < PACKET_MIN_BYTES || size > PACKET_MAX_BYTES) {
		return 0;
	}
	memcpy(packet, data, size);
	packet[PACKET_VERB_AT] &= PACKET_VERB_MASK;
	size_t shorter = packet_compress(packet, size);
	BUG_ON(shorter > size || packet_is_compressed(packet) != (shorter < size));
	if (shorter < size) {
		BUG_ON(packet_expand(packet, shorter, out, &length) != 0 || length != size);
		BUG_ON(memcmp(out + PACKET_PAYLOAD_AT, data + PACKET_PAYLOAD_AT,
			      size - PACKET_PAYLOAD_AT) != 0);
	}
	return 0;
}
