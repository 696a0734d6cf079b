/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: one fixed array of entries, allocated at the first MAC. Each is in a hash chain
 * and in a ring ordered by when it was seen, whose head is entry 0; both are linked by index, so
 * learning takes constant time and never allocates. A MAC that moves to another bridge is seen
 * there and changes hands; nothing expires by time, because a wrong guess can only come from a
 * bridge that the controller named, and ends with the next frame from the MAC.
 */
#include "core/bridged.h"

#include "core/mem.h"

enum { BUCKET_BITS = 12, BUCKETS = 1 << BUCKET_BITS, HEAD = 0 };

struct entry {
	uint64_t mac, bridge;
	uint16_t chain;        /* next of the same bucket; HEAD = the last */
	uint16_t newer, older; /* ring */
};

struct bridged_table {
	uint64_t seed;
	uint16_t count;
	uint16_t buckets[BUCKETS];
	struct entry entries[1 + BRIDGED_MAX]; /* 0 is the ring's head */
};

static uint16_t *bucket_of(struct bridged_table *table, uint64_t mac)
{
	uint64_t hash = (mac ^ table->seed) * 0x9e3779b97f4a7c15ULL;
	hash = (hash ^ hash >> 32 ^ table->seed) * 0xd6e8feb86659fd93ULL;
	return &table->buckets[hash >> (64 - BUCKET_BITS)];
}

static uint16_t find(struct bridged_table *table, uint64_t mac)
{
	uint16_t i = *bucket_of(table, mac);
	while (i != HEAD && table->entries[i].mac != mac) {
		i = table->entries[i].chain;
	}
	return i;
}

static void ring_out(struct bridged_table *table, uint16_t i)
{
	struct entry *e = &table->entries[i];
	table->entries[e->newer].older = e->older;
	table->entries[e->older].newer = e->newer;
}

/* As the newest: right behind the head. */
static void ring_in(struct bridged_table *table, uint16_t i)
{
	struct entry *head = &table->entries[HEAD], *e = &table->entries[i];
	e->newer = HEAD;
	e->older = head->older;
	table->entries[head->older].newer = i;
	head->older = i;
}

/* An unused entry, or that of the MAC seen longest ago; in neither chain nor ring. */
static uint16_t entry_take(struct bridged_table *table)
{
	if (table->count < BRIDGED_MAX) {
		return ++table->count;
	}
	uint16_t i = table->entries[HEAD].newer;
	uint16_t *link = bucket_of(table, table->entries[i].mac);
	while (*link != i) {
		link = &table->entries[*link].chain;
	}
	*link = table->entries[i].chain;
	ring_out(table, i);
	return i;
}

void bridged_fini(struct bridged *bridged)
{
	zt_free(bridged->table);
	bridged->table = NULL;
}

void bridged_learn(struct bridged *bridged, uint64_t mac, uint64_t bridge, uint64_t seed)
{
	if (!bridged->table) {
		bridged->table = zt_calloc(1, sizeof(*bridged->table));
		if (!bridged->table) {
			return;
		}
		bridged->table->seed = seed;
	}
	struct bridged_table *table = bridged->table;
	uint16_t i = find(table, mac);
	if (i != HEAD) {
		ring_out(table, i);
	} else {
		i = entry_take(table);
		uint16_t *bucket = bucket_of(table, mac);
		table->entries[i].mac = mac;
		table->entries[i].chain = *bucket;
		*bucket = i;
	}
	table->entries[i].bridge = bridge;
	ring_in(table, i);
}

uint64_t bridged_find(const struct bridged *bridged, uint64_t mac)
{
	uint16_t i = bridged->table ? find(bridged->table, mac) : HEAD;
	return i == HEAD ? 0 : bridged->table->entries[i].bridge;
}

size_t bridged_count(const struct bridged *bridged)
{
	return bridged->table ? bridged->table->count : 0;
}
