/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: groups lie in a hash table with linear probing, their members in sorted arrays.
 * Memory is taken when a group or a member is first heard of, never for a refresh; both are
 * bounded, and when the bound is reached strangers are refused while those who are in stay in.
 * Waiting frames lie in one ring of fixed slots, whose pages cost nothing until they are used.
 */
#include "core/mcast.h"

#include "core/limit.h"
#include "core/mem.h"
#include "core/proto2.h"

#include <string.h>

enum { CAPACITY_MIN = 64, MEMBERS_MIN = 4 };

void mcast_init(struct mcast *mcast, uint64_t seed)
{
	*mcast = (struct mcast){ .seed = seed | 1 };
}

static void group_free(struct mcast *mcast, struct mcast_group *group)
{
	mcast->member_count -= group->count;
	zt_free(group->members);
	zt_free(group);
}

void mcast_fini(struct mcast *mcast)
{
	for (size_t i = 0; i < mcast->capacity; i++) {
		if (mcast->slots[i]) {
			group_free(mcast, mcast->slots[i]);
		}
	}
	zt_free(mcast->slots);
	zt_free(mcast->pending);
	*mcast = (struct mcast){ 0 };
}

static bool id_equal(const struct group_id *a, const struct group_id *b)
{
	return a->mac == b->mac && a->adi == b->adi && a->nwid == b->nwid;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

static size_t place_of(const struct mcast *mcast, const struct group_id *id)
{
	uint64_t h = mix(id->nwid ^ mcast->seed);
	h = mix(h ^ id->mac ^ (uint64_t)id->adi << 32);
	return (size_t)h & (mcast->capacity - 1);
}

struct mcast_group *mcast_find(const struct mcast *mcast, const struct group_id *id)
{
	if (mcast->capacity == 0) {
		return NULL;
	}
	size_t mask = mcast->capacity - 1;
	for (size_t i = place_of(mcast, id); mcast->slots[i]; i = (i + 1) & mask) {
		if (id_equal(&mcast->slots[i]->id, id)) {
			return mcast->slots[i];
		}
	}
	return NULL;
}

static void insert(struct mcast *mcast, struct mcast_group *group)
{
	size_t mask = mcast->capacity - 1;
	size_t i = place_of(mcast, &group->id);
	while (mcast->slots[i]) {
		i = (i + 1) & mask;
	}
	mcast->slots[i] = group;
	mcast->group_count++;
}

static bool rehash(struct mcast *mcast, size_t capacity)
{
	struct mcast_group **slots = zt_calloc(capacity, sizeof(*slots));
	if (!slots) {
		return false;
	}
	struct mcast_group **old = mcast->slots;
	size_t old_capacity = mcast->capacity;
	mcast->slots = slots;
	mcast->capacity = capacity;
	mcast->group_count = 0;
	for (size_t i = 0; i < old_capacity; i++) {
		if (old[i]) {
			insert(mcast, old[i]);
		}
	}
	zt_free(old);
	return true;
}

static void remove_at(struct mcast *mcast, size_t hole)
{
	size_t mask = mcast->capacity - 1;
	group_free(mcast, mcast->slots[hole]);
	mcast->slots[hole] = NULL;
	mcast->group_count--;
	for (size_t i = (hole + 1) & mask; mcast->slots[i]; i = (i + 1) & mask) {
		struct mcast_group *moved = mcast->slots[i];
		mcast->slots[i] = NULL;
		mcast->group_count--;
		insert(mcast, moved);
	}
}

struct mcast_group *mcast_get(struct mcast *mcast, const struct group_id *id)
{
	struct mcast_group *group = mcast_find(mcast, id);
	if (group || mcast->group_count >= MCAST_GROUPS_MAX) {
		return group;
	}
	if (mcast->group_count >= mcast->capacity / 2 &&
	    !rehash(mcast, mcast->capacity ? 2 * mcast->capacity : CAPACITY_MIN)) {
		return NULL;
	}
	group = zt_calloc(1, sizeof(*group));
	if (!group) {
		return NULL;
	}
	group->id = *id;
	group->gathered_ms = LIMIT_NEVER_MS;
	insert(mcast, group);
	return group;
}

static uint32_t member_place(const struct mcast_group *group, uint64_t address)
{
	uint32_t low = 0, high = group->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (group->members[middle].address < address) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static bool member_room(struct mcast_group *group)
{
	if (group->count < group->capacity) {
		return true;
	}
	uint32_t capacity = group->capacity ? 2 * group->capacity : MEMBERS_MIN;
	struct mcast_member *members = zt_realloc(group->members, capacity * sizeof(*members));
	if (!members) {
		return false;
	}
	group->members = members;
	group->capacity = capacity;
	return true;
}

enum mcast_added mcast_add(struct mcast *mcast, const struct group_id *id, uint64_t address,
			   int64_t now_ms)
{
	struct mcast_group *group = mcast_get(mcast, id);
	if (!group) {
		return MCAST_FULL;
	}
	uint32_t i = member_place(group, address);
	if (i < group->count && group->members[i].address == address) {
		group->members[i].liked_ms = now_ms;
		return MCAST_REFRESHED;
	}
	if (mcast->member_count >= MCAST_MEMBERS_MAX || !member_room(group)) {
		return MCAST_FULL;
	}
	memmove(&group->members[i + 1], &group->members[i],
		(group->count - i) * sizeof(*group->members));
	group->members[i] = (struct mcast_member){ .address = address, .liked_ms = now_ms };
	group->count++;
	mcast->member_count++;
	return MCAST_ADDED;
}

bool mcast_has(const struct mcast *mcast, const struct group_id *id, uint64_t address)
{
	const struct mcast_group *group = mcast_find(mcast, id);
	uint32_t i = group ? member_place(group, address) : 0;
	return group && i < group->count && group->members[i].address == address;
}

void mcast_remove(struct mcast *mcast, const struct group_id *id, uint64_t address)
{
	struct mcast_group *group = mcast_find(mcast, id);
	if (!group) {
		return;
	}
	uint32_t i = member_place(group, address);
	if (i < group->count && group->members[i].address == address) {
		group->count--;
		mcast->member_count--;
		memmove(&group->members[i], &group->members[i + 1],
			(group->count - i) * sizeof(*group->members));
	}
}

void mcast_forget(struct mcast *mcast, uint64_t nwid)
{
	size_t i = 0;
	while (i < mcast->capacity) {
		if (mcast->slots[i] && mcast->slots[i]->id.nwid == nwid) {
			remove_at(mcast, i); /* another group may have moved here */
		} else {
			i++;
		}
	}
	for (i = 0; mcast->pending && i < MCAST_PENDING_MAX; i++) {
		if (mcast->pending[i].group.nwid == nwid) {
			mcast->pending[i].left = 0;
		}
	}
}

static void group_expire(struct mcast *mcast, struct mcast_group *group, int64_t now_ms)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < group->count; i++) {
		if (now_ms - group->members[i].liked_ms < VL2_MULTICAST_LIKE_EXPIRE_MS) {
			group->members[kept++] = group->members[i];
		}
	}
	mcast->member_count -= group->count - kept;
	group->count = kept;
}

void mcast_sweep(struct mcast *mcast, int64_t now_ms)
{
	size_t i = 0;
	while (i < mcast->capacity) {
		struct mcast_group *group = mcast->slots[i];
		if (group) {
			group_expire(mcast, group, now_ms);
		}
		/* An empty group still remembers when it was last asked about. */
		if (group && group->count == 0 &&
		    now_ms - group->gathered_ms >= VL2_MULTICAST_GATHER_MS) {
			remove_at(mcast, i);
		} else {
			i++;
		}
	}
}

size_t mcast_sample(const struct mcast_group *group, uint64_t except, uint64_t random,
		    uint64_t *out, size_t max)
{
	size_t n = 0;
	if (!group || group->count == 0) {
		return 0;
	}
	/* Start anywhere and go round: every member is as likely as any other, and a sample that
	 * takes all is simply all. */
	for (uint32_t i = 0; i < group->count && n < max; i++) {
		size_t at = (size_t)((random + i) % group->count);
		if (group->members[at].address != except) {
			out[n++] = group->members[at].address;
		}
	}
	return n;
}

bool mcast_keep(struct mcast *mcast, const struct mcast_out *frame, uint32_t left, int64_t now_ms)
{
	if (frame->data.length > MCAST_PENDING_DATA_MAX || left == 0) {
		return false;
	}
	if (!mcast->pending) {
		mcast->pending = zt_calloc(MCAST_PENDING_MAX, sizeof(*mcast->pending));
		if (!mcast->pending) {
			return false;
		}
	}
	struct mcast_pending *slot = &mcast->pending[mcast->pending_next];
	mcast->pending_next = (mcast->pending_next + 1) % MCAST_PENDING_MAX;
	slot->group = frame->group;
	slot->from = frame->from;
	slot->sent_ms = now_ms;
	slot->left = left;
	slot->length = (uint32_t)frame->data.length;
	slot->ether_type = frame->ether_type;
	memcpy(slot->data, frame->data.bytes, frame->data.length);
	return true;
}

void mcast_pending_each(struct mcast *mcast, const struct group_id *id, int64_t now_ms,
			void (*each)(void *context, const struct mcast_out *frame), void *context)
{
	for (size_t i = 0; mcast->pending && i < MCAST_PENDING_MAX; i++) {
		struct mcast_pending *slot = &mcast->pending[i];
		if (slot->left == 0 || !id_equal(&slot->group, id)) {
			continue;
		}
		if (now_ms - slot->sent_ms >= VL2_MULTICAST_TRANSMIT_MS) {
			slot->left = 0;
			continue;
		}
		slot->left--;
		struct mcast_out frame = {
			.group = slot->group,
			.from = slot->from,
			.ether_type = slot->ether_type,
			.data = { .bytes = slot->data, .length = slot->length },
		};
		each(context, &frame);
	}
}
