/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Linear probing with backward-shift deletion: no tombstones, at most three quarters full. */
#include "controller/table.h"

#include <stdlib.h>

enum { MIN_CAPACITY = 16 };

static size_t hash(uint64_t key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdULL;
	key ^= key >> 33;
	return (size_t)key;
}

void table_fini(struct table *t)
{
	free(t->slots);
	*t = (struct table){ 0 };
}

/* The slot that holds the key, or the free one where it belongs. */
static struct table_slot *locate(const struct table *t, uint64_t key)
{
	size_t i = hash(key) & (t->capacity - 1);
	while (t->slots[i].value && t->slots[i].key != key) {
		i = (i + 1) & (t->capacity - 1);
	}
	return &t->slots[i];
}

void *table_get(const struct table *t, uint64_t key)
{
	return t->capacity ? locate(t, key)->value : NULL;
}

static bool grow(struct table *t)
{
	struct table bigger = { .capacity = t->capacity ? t->capacity * 2 : MIN_CAPACITY };
	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots) {
		return false;
	}
	for (size_t i = 0; i < t->capacity; i++) {
		if (t->slots[i].value) {
			*locate(&bigger, t->slots[i].key) = t->slots[i];
			bigger.count++;
		}
	}
	free(t->slots);
	*t = bigger;
	return true;
}

bool table_put(struct table *t, uint64_t key, void *value)
{
	if (t->count + 1 > t->capacity / 4 * 3 && !grow(t)) {
		return false;
	}
	*locate(t, key) = (struct table_slot){ .key = key, .value = value };
	t->count++;
	return true;
}

void *table_remove(struct table *t, uint64_t key)
{
	struct table_slot *slot = t->capacity ? locate(t, key) : NULL;
	if (!slot || !slot->value) {
		return NULL;
	}
	void *value = slot->value;
	size_t mask = t->capacity - 1, hole = (size_t)(slot - t->slots), i = hole;
	for (;;) {
		i = (i + 1) & mask;
		if (!t->slots[i].value) {
			break;
		}
		/* Move an entry into the hole unless its own place lies behind the hole. */
		size_t home = hash(t->slots[i].key) & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole].value = NULL;
	t->count--;
	return value;
}

void *table_next(const struct table *t, size_t *cursor)
{
	while (*cursor < t->capacity) {
		void *value = t->slots[(*cursor)++].value;
		if (value) {
			return value;
		}
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

uint64_t *table_keys(const struct table *t)
{
	uint64_t *keys = t->count ? malloc(t->count * sizeof(*keys)) : NULL;
	size_t n = 0;
	for (size_t i = 0; keys && i < t->capacity; i++) {
		if (t->slots[i].value) {
			keys[n++] = t->slots[i].key;
		}
	}
	if (keys) {
		qsort(keys, n, sizeof(*keys), compare);
	}
	return keys;
}
