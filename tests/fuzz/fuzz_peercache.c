/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Files of peers.d. */
#include "core/peercache.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct peercache peer, again;
	uint8_t bytes[PEERCACHE_MAX_BYTES];
	if (peercache_read(&r, &peer) == 0) {
		struct wr w = wr_init(bytes, sizeof bytes);
		peercache_write(&w, &peer);
		BUG_ON(w.bad);
		struct rd back = rd_init(bytes, wr_length(&w));
		BUG_ON(peercache_read(&back, &again) != 0 || !rd_done(&back));
		BUG_ON(again.path_count != peer.path_count);
	}
	return 0;
}
