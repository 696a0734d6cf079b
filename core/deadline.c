/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/deadline.h"

#include "base/bug.h"
#include "core/mem.h"
#include "core/zt.h"

void deadlines_fini(struct deadlines *all)
{
	zt_free(all->heap);
	*all = (struct deadlines){ 0 };
}

int deadlines_reserve(struct deadlines *all)
{
	if (all->reserved == all->capacity) {
		size_t capacity = all->capacity ? all->capacity * 2 : 16;
		void *heap = zt_realloc(all->heap, capacity * sizeof(struct deadline *));
		if (!heap) {
			return ZT_E_NO_MEMORY;
		}
		all->heap = heap;
		all->capacity = capacity;
	}
	all->reserved++;
	return 0;
}

void deadlines_release(struct deadlines *all)
{
	BUG_ON(all->reserved == 0);
	all->reserved--;
	BUG_ON(all->count > all->reserved);
}

/* Slots are 1-based: the children of i are 2i and 2i + 1. */
static void put(struct deadlines *all, size_t slot, struct deadline *deadline)
{
	all->heap[slot - 1] = deadline;
	deadline->slot = slot;
}

static void sift_up(struct deadlines *all, struct deadline *deadline, size_t slot)
{
	while (slot > 1 && all->heap[slot / 2 - 1]->due_ms > deadline->due_ms) {
		put(all, slot, all->heap[slot / 2 - 1]);
		slot /= 2;
	}
	put(all, slot, deadline);
}

static void sift_down(struct deadlines *all, struct deadline *deadline, size_t slot)
{
	for (;;) {
		size_t child = slot * 2;
		if (child > all->count) {
			break;
		}
		if (child < all->count && all->heap[child]->due_ms < all->heap[child - 1]->due_ms) {
			child++;
		}
		if (all->heap[child - 1]->due_ms >= deadline->due_ms) {
			break;
		}
		put(all, slot, all->heap[child - 1]);
		slot = child;
	}
	put(all, slot, deadline);
}

void deadline_set(struct deadlines *all, struct deadline *deadline, int64_t due_ms)
{
	if (deadline->slot == 0) {
		BUG_ON(all->count >= all->reserved);
		all->count++;
		deadline->due_ms = due_ms;
		sift_up(all, deadline, all->count);
		return;
	}
	int64_t old_ms = deadline->due_ms;
	deadline->due_ms = due_ms;
	if (due_ms < old_ms) {
		sift_up(all, deadline, deadline->slot);
	} else if (due_ms > old_ms) {
		sift_down(all, deadline, deadline->slot);
	}
}

void deadline_set_earlier(struct deadlines *all, struct deadline *deadline, int64_t due_ms)
{
	if (deadline->slot == 0 || due_ms < deadline->due_ms) {
		deadline_set(all, deadline, due_ms);
	}
}

void deadline_clear(struct deadlines *all, struct deadline *deadline)
{
	size_t slot = deadline->slot;
	if (slot == 0) {
		return;
	}
	deadline->slot = 0;
	struct deadline *last = all->heap[all->count - 1];
	all->count--;
	if (last == deadline) {
		return;
	}
	if (slot > 1 && all->heap[slot / 2 - 1]->due_ms > last->due_ms) {
		sift_up(all, last, slot);
	} else {
		sift_down(all, last, slot);
	}
}

int64_t deadlines_next(const struct deadlines *all)
{
	return all->count ? all->heap[0]->due_ms : INT64_MAX;
}

struct deadline *deadlines_due(struct deadlines *all, int64_t now_ms)
{
	if (deadlines_next(all) > now_ms || all->count == 0) {
		return NULL;
	}
	struct deadline *first = all->heap[0];
	deadline_clear(all, first);
	return first;
}
