/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A hash table from 64-bit keys (network ids, node addresses) to borrowed pointers. */
#ifndef CONTROLLER_TABLE_H
#define CONTROLLER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
	uint64_t key;
	void *value; /* NULL = free */
};

struct table {
	struct table_slot *slots;
	size_t capacity, count; /* capacity is a power of two */
};

void table_fini(struct table *t);
void *table_get(const struct table *t, uint64_t key);
/* False without memory. The key must not be there; value not NULL. */
bool table_put(struct table *t, uint64_t key, void *value);
/* The removed value, or NULL. */
void *table_remove(struct table *t, uint64_t key);
/* Every value once, in no order; *cursor starts at 0. NULL at the end. No changes meanwhile. */
void *table_next(const struct table *t, size_t *cursor);
/* Keys ascending, malloc'd (caller frees); NULL when empty or without memory. */
uint64_t *table_keys(const struct table *t);

#endif
