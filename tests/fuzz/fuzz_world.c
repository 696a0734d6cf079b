/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Planets and moons from files and from OK(HELLO), where several lie back to back. */
#include "core/world.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct world world, again;
	uint8_t bytes[WORLD_MAX_BYTES];
	while (rd_left(&r) > 0 && world_read(&r, &world) == 0) {
		struct wr w = wr_init(bytes, sizeof bytes);
		world_write(&w, &world);
		BUG_ON(w.bad);
		struct rd back = rd_init(bytes, wr_length(&w));
		BUG_ON(world_read(&back, &again) != 0 || !rd_done(&back));
		BUG_ON(again.root_count != world.root_count || again.id != world.id);
		BUG_ON(world_replaces(&world, &world));
		(void)world_root_find(&world, world.id);
	}
	return 0;
}
