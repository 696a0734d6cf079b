/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/peers.h"

#include "base/bug.h"
#include "core/mem.h"

enum { FIRST_BUCKETS = 32 };

void peers_fini(struct peers *peers)
{
	BUG_ON(peers->count != 0);
	zt_free(peers->buckets);
	zt_free(peers->sorted);
	*peers = (struct peers){ 0 };
}

/* Addresses are the output of a hash. */
static struct peer **bucket_of(const struct peers *peers, uint64_t address)
{
	return &peers->buckets[address & (peers->bucket_count - 1)];
}

struct peer *peers_find(const struct peers *peers, uint64_t address)
{
	if (peers->bucket_count == 0) {
		return NULL;
	}
	for (struct peer *p = *bucket_of(peers, address); p; p = p->next) {
		if (p->identity.address == address) {
			return p;
		}
	}
	return NULL;
}

static int grow(struct peers *peers)
{
	struct peers bigger = { .bucket_count =
				    peers->bucket_count ? peers->bucket_count * 2 : FIRST_BUCKETS };
	bigger.buckets = zt_calloc(bigger.bucket_count, sizeof(struct peer *));
	if (!bigger.buckets) {
		return ZT_E_NO_MEMORY;
	}
	for (size_t i = 0; i < peers->bucket_count; i++) {
		for (struct peer *p = peers->buckets[i]; p;) {
			struct peer *next = p->next;
			struct peer **bucket = bucket_of(&bigger, p->identity.address);
			p->next = *bucket;
			*bucket = p;
			p = next;
		}
	}
	zt_free(peers->buckets);
	peers->buckets = bigger.buckets;
	peers->bucket_count = bigger.bucket_count;
	return 0;
}

/* Where the address is, or belongs, in the sorted array. */
static size_t sorted_place(const struct peers *peers, uint64_t address)
{
	size_t low = 0, high = peers->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (peers->sorted[middle]->identity.address < address) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static int sorted_reserve(struct peers *peers)
{
	if (peers->count < peers->sorted_capacity) {
		return 0;
	}
	size_t capacity = peers->sorted_capacity ? peers->sorted_capacity * 2 : FIRST_BUCKETS;
	void *sorted = zt_realloc(peers->sorted, capacity * sizeof(struct peer *));
	if (!sorted) {
		return ZT_E_NO_MEMORY;
	}
	peers->sorted = sorted;
	peers->sorted_capacity = capacity;
	return 0;
}

int peers_insert(struct peers *peers, struct peer *peer)
{
	if (sorted_reserve(peers) != 0 ||
	    (peers->count >= peers->bucket_count && grow(peers) != 0)) {
		return ZT_E_NO_MEMORY;
	}
	size_t place = sorted_place(peers, peer->identity.address);
	memmove(&peers->sorted[place + 1], &peers->sorted[place],
		(peers->count - place) * sizeof(struct peer *));
	peers->sorted[place] = peer;
	struct peer **bucket = bucket_of(peers, peer->identity.address);
	peer->next = *bucket;
	*bucket = peer;
	peers->count++;
	return 0;
}

void peers_remove(struct peers *peers, struct peer *peer)
{
	size_t place = sorted_place(peers, peer->identity.address);
	struct peer **p = bucket_of(peers, peer->identity.address);
	while (*p != peer) {
		p = &(*p)->next;
	}
	*p = peer->next;
	peers->count--;
	memmove(&peers->sorted[place], &peers->sorted[place + 1],
		(peers->count - place) * sizeof(struct peer *));
}

struct peer *peers_at(const struct peers *peers, size_t index)
{
	return index < peers->count ? peers->sorted[index] : NULL;
}
