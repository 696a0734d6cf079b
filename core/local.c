/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/local.h"

#include "core/mem.h"
#include "core/node.h"
#include "core/vl2_impl.h"

#include <string.h>

enum {
	LOCAL_BYTES = 32768,  /* three of the largest frames, hundreds of small ones */
	RECORD_BYTES = 8 + 2, /* network, length */
};

void local_fini(struct local *local)
{
	zt_free(local->bytes);
	*local = (struct local){ .bytes = NULL };
}

bool local_add(struct local *local, uint64_t nwid, const void *frame, size_t length)
{
	if (!local->bytes) {
		local->bytes = zt_malloc(LOCAL_BYTES);
	}
	if (!local->bytes || length > ZT_MAX_FRAME_BYTES ||
	    LOCAL_BYTES - local->used < RECORD_BYTES + length) {
		return false;
	}
	struct wr w = wr_init(local->bytes + local->used, RECORD_BYTES + length);
	wr_u64(&w, nwid);
	wr_u16(&w, (uint16_t)length);
	wr_bytes(&w, frame, length);
	local->used += wr_length(&w);
	return true;
}

bool local_deliver(struct zt_node *node, struct local *local)
{
	size_t end = local->used;
	struct rd r = rd_init(local->bytes, end);
	while (rd_left(&r) > 0) {
		uint64_t nwid = rd_u64(&r);
		uint32_t length = rd_u16(&r);
		/* Ours, or made from what nobody else can say: as good as authenticated. */
		struct zt_frame frame = { .bytes = rd_bytes(&r, length),
					  .length = length,
					  .is_authentic = true };
		if (vl2_network(node, nwid)) {
			node_count(node, ZT_COUNT_FRAMES_IN);
			node_frames_in(node, nwid, &frame, 1);
		} else {
			node_count(node, ZT_COUNT_DROP_NETWORK);
		}
	}
	memmove(local->bytes, local->bytes + end, local->used - end);
	local->used -= end;
	return local->used > 0;
}
