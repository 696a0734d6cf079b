/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The last 1024 packet ids of one peer, to drop packets seen before (vl1 19.7). */
#ifndef ZT_DEDUP_H
#define ZT_DEDUP_H

#include <stdbool.h>
#include <stdint.h>

enum { DEDUP_IDS = 1024 };

struct dedup;

struct dedup *dedup_new(void);
void dedup_free(struct dedup *dedup);
/* True if the id is among the last DEDUP_IDS; else remember it. */
bool dedup_seen(struct dedup *dedup, uint64_t id);

#endif
