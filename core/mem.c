/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/mem.h"

#include "base/bug.h"

#include <stdbool.h>
#include <stdlib.h>

/* The one variable of core/ outside a struct: per thread, and only ever set by tests. */
static _Thread_local long fail_after = -1;

static bool fails_now(void)
{
	return fail_after >= 0 && fail_after-- == 0;
}

void zt_mem_fail_after(long successes)
{
	fail_after = successes;
}

void *zt_malloc(size_t size)
{
	BUG_ON(size == 0);
	return fails_now() ? NULL : malloc(size);
}

void *zt_calloc(size_t count, size_t size)
{
	BUG_ON(count == 0 || size == 0);
	return fails_now() ? NULL : calloc(count, size);
}

void *zt_realloc(void *old, size_t size)
{
	BUG_ON(size == 0);
	return fails_now() ? NULL : realloc(old, size);
}

void zt_free(void *memory)
{
	free(memory);
}
