/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/expect.h"

#include "core/mem.h"

#include <stddef.h>

enum { WAYS = 16, BUCKETS = EXPECT_ENTRIES / WAYS };

/* 24 bytes an entry; `sent_ms` is exact so that no wrap-around can revive one. */
struct entry {
	uint64_t id;
	uint64_t peer_verb; /* address << 8 | verb; 0 = empty (no peer has address 0) */
	int64_t sent_ms;
};

struct expect {
	struct entry entries[BUCKETS][WAYS];
	uint8_t next[BUCKETS]; /* the way to overwrite */
};

struct expect *expect_new(void)
{
	return zt_calloc(1, sizeof(struct expect));
}

void expect_free(struct expect *expect)
{
	zt_free(expect);
}

void expect_add(struct expect *expect, uint64_t id, uint64_t peer, uint8_t verb, int64_t now_ms)
{
	size_t bucket = id % BUCKETS;
	uint8_t way = expect->next[bucket];
	expect->next[bucket] = (uint8_t)((way + 1) % WAYS);
	expect->entries[bucket][way] = (struct entry){
		.id = id,
		.peer_verb = peer << 8 | verb,
		.sent_ms = now_ms,
	};
}

bool expect_find(const struct expect *expect, uint64_t id, uint64_t peer, int64_t now_ms,
		 uint8_t *verb)
{
	const struct entry *bucket = expect->entries[id % BUCKETS];
	for (size_t i = 0; i < WAYS; i++) {
		const struct entry *e = &bucket[i];
		if (e->id == id && e->peer_verb >> 8 == peer && e->peer_verb != 0 &&
		    now_ms - e->sent_ms < EXPECT_AGE_MS) {
			*verb = (uint8_t)e->peer_verb;
			return true;
		}
	}
	return false;
}
