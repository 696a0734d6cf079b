/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The only place of core/ that allocates, so that tests can make the n-th allocation fail. */
#ifndef ZT_MEM_H
#define ZT_MEM_H

#include <stddef.h>

/* Uninitialised memory, or NULL. `size` 0 is a mistake of ours. */
void *zt_malloc(size_t size) __attribute__((warn_unused_result, malloc));
/* Zeroed memory, or NULL (also when count * size overflows). */
void *zt_calloc(size_t count, size_t size) __attribute__((warn_unused_result, malloc));
/* As realloc(3): on NULL the old block stays. */
void *zt_realloc(void *old, size_t size) __attribute__((warn_unused_result));
/* NULL is fine. */
void zt_free(void *memory);

/* Tests only: on the calling thread, let `successes` allocations succeed and the one after them
 * fail, once. Negative switches it off. */
void zt_mem_fail_after(long successes);

#endif
