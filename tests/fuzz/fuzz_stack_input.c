/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Frames, time and the program's operations, in any order, against one stack, which must come to
 * rest and give back every byte at the end. The input: steps (stack_steps.h).
 */
#include "tests/fuzz/stack_steps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	begin();
	steps(&r);
	/* Time without frames must come to rest: every deadline leads to a later one or to none. */
	for (int i = 0; i < 100000 && ops->deadline(stack) != INT64_MAX; i++) {
		int64_t at = ops->deadline(stack);
		now_ms = at > now_ms ? at : now_ms;
		ops->advance(stack, now_ms);
	}
	BUG_ON(ops->deadline(stack) != INT64_MAX);
	end();
	return 0;
}
