/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Who subscribes which multicast group, and frames waiting for subscribers to be found (vl2 8).
 *
 * One table per node, not per network: roots and controllers remember the groups of networks that
 * they have not joined.
 */
#ifndef ZT_MCAST_H
#define ZT_MCAST_H

#include "core/msg2.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MCAST_GROUPS_MAX = 65536,
	MCAST_MEMBERS_MAX = 262144, /* of all groups together: 4 MiB */
	/* Entries that one announcer may make within VL2_MULTICAST_LIKE_EXPIRE_MS: it holds twice
	 * that at most, a sixteenth of the groups (decision 260). */
	MCAST_NEWS_MAX = 2048,
	MCAST_PENDING_MAX = 64, /* frames waiting, of all groups (8.3: 32 of one) */
	MCAST_PENDING_DATA_MAX = 10000,
};

struct mcast_member {
	uint64_t address;
	int64_t liked_ms;
};

struct mcast_group {
	struct group_id id;
	struct mcast_member *members; /* ascending by address */
	uint32_t count, capacity;
	int64_t gathered_ms; /* when we last asked for more; LIMIT_NEVER_MS */
};

/* A frame that goes to members learnt within the next 5 s, too. */
struct mcast_pending {
	struct group_id group;
	uint64_t from; /* MAC */
	int64_t sent_ms;
	uint32_t left; /* copies that may still go out; 0 = free */
	uint32_t length;
	uint16_t ether_type;
	uint8_t data[MCAST_PENDING_DATA_MAX];
};

struct mcast {
	uint64_t seed;              /* of the hash */
	struct mcast_group **slots; /* open addressing, capacity a power of two */
	size_t group_count, capacity, member_count;
	struct mcast_pending *pending; /* MCAST_PENDING_MAX; NULL until the first */
	size_t pending_next;           /* overwritten next */
};

void mcast_init(struct mcast *mcast, uint64_t seed);
void mcast_fini(struct mcast *mcast);

struct mcast_group *mcast_find(const struct mcast *mcast, const struct group_id *id);
/* Find or create. NULL when full or without memory. */
struct mcast_group *mcast_get(struct mcast *mcast, const struct group_id *id);

enum mcast_added { MCAST_ADDED, MCAST_REFRESHED, MCAST_FULL };
enum mcast_added mcast_add(struct mcast *mcast, const struct group_id *id, uint64_t address,
			   int64_t now_ms);
bool mcast_has(const struct mcast *mcast, const struct group_id *id, uint64_t address);
void mcast_remove(struct mcast *mcast, const struct group_id *id, uint64_t address);
/* Everything about a network that was left. */
void mcast_forget(struct mcast *mcast, uint64_t nwid);
/* Members not refreshed for 600 s, groups without members. */
void mcast_sweep(struct mcast *mcast, int64_t now_ms);

/* Up to `max` members in random order, `except` left out; returns how many. */
size_t mcast_sample(const struct mcast_group *group, uint64_t except, uint64_t random,
		    uint64_t *out, size_t max);

/* A frame on its way to a group. */
struct mcast_out {
	struct group_id group;
	uint64_t from; /* MAC */
	uint16_t ether_type;
	struct span data;
};
/* Keep a frame; the oldest makes room. False: too large, or no memory. */
bool mcast_keep(struct mcast *mcast, const struct mcast_out *frame, uint32_t left, int64_t now_ms);
/* Call `each` for every frame that still waits for members of the group; one copy is taken off. */
void mcast_pending_each(struct mcast *mcast, const struct group_id *id, int64_t now_ms,
			void (*each)(void *context, const struct mcast_out *frame), void *context);

#endif
