/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Datagrams in any order: the input is a sequence of (length u16, origin u8, time u8, bytes). */
#include "base/rd.h"
#include "core/frag.h"
#include "core/packet.h"
#include "tests/fuzz/fuzz.h"

static void packet_check(const struct frag_packet *packet)
{
	BUG_ON(packet->length > PACKET_MAX_BYTES || packet->length < PACKET_MIN_BYTES);
	BUG_ON(!packet_is_fragmented(packet->bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frag_table *table = frag_table_new();
	struct rd r = rd_init(data, size);
	int64_t now_ms = 0;
	if (!table) {
		return 0;
	}
	while (rd_left(&r) > 4) {
		size_t length = rd_u16(&r);
		struct frag_origin origin = { .from = { .ip = { 10, 0, 0, rd_u8(&r) },
							.family = 4 } };
		now_ms += (int64_t)rd_u8(&r) * 16;
		length = length < rd_left(&r) ? length : rd_left(&r);
		const uint8_t *bytes = rd_bytes(&r, length);
		struct frag_packet out;
		if (frag_add(table, bytes, length, &origin, now_ms, &out) == FRAG_COMPLETE) {
			packet_check(&out);
		}
	}
	frag_table_free(table);
	return 0;
}
