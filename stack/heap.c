/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* All memory of lwIP and of the glue, counted. */
#include "stack/hooks.h"
#include "stack/internal.h"

#include <malloc.h>
#include <stdlib.h>

void *stk_heap_alloc(size_t size)
{
	void *memory = malloc(size);
	if (memory) {
		the_stack.heap_bytes += malloc_usable_size(memory);
	}
	return memory;
}

void *stk_heap_calloc(size_t count, size_t size)
{
	void *memory = calloc(count, size);
	if (memory) {
		the_stack.heap_bytes += malloc_usable_size(memory);
	}
	return memory;
}

void stk_heap_free(void *memory)
{
	if (memory) {
		the_stack.heap_bytes -= malloc_usable_size(memory);
		free(memory);
	}
}
