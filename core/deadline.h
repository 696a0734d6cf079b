/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* When what is due: a binary min-heap of deadlines that lie inside the objects they belong to.
 *
 * Room is reserved when an object is made, so setting a deadline can never fail.
 */
#ifndef ZT_DEADLINE_H
#define ZT_DEADLINE_H

#include <stddef.h>
#include <stdint.h>

struct deadline {
	int64_t due_ms;
	size_t slot; /* 1-based place in the heap; 0 = not set */
	int kind;    /* the owner's; tells what object it lies in */
};

struct deadlines {
	struct deadline **heap;
	size_t count, reserved, capacity;
};

void deadlines_fini(struct deadlines *all);
/* Make room for one more deadline, or give that room back. 0 or ZT_E_NO_MEMORY. */
int deadlines_reserve(struct deadlines *all) __attribute__((warn_unused_result));
void deadlines_release(struct deadlines *all);

/* Set or move. */
void deadline_set(struct deadlines *all, struct deadline *deadline, int64_t due_ms);
/* Move only if that makes it earlier, or it is not set. */
void deadline_set_earlier(struct deadlines *all, struct deadline *deadline, int64_t due_ms);
void deadline_clear(struct deadlines *all, struct deadline *deadline);

/* The earliest; INT64_MAX when none is set. */
int64_t deadlines_next(const struct deadlines *all);
/* Take out and return the earliest one that is due, or NULL. */
struct deadline *deadlines_due(struct deadlines *all, int64_t now_ms);

#endif
