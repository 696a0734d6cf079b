/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Rate limits: the gates of vl1 15 and token buckets for everything that strangers can trigger. */
#ifndef ZT_LIMIT_H
#define ZT_LIMIT_H

#include "core/endpoint.h"
#include "core/proto.h"

#include <stdbool.h>
#include <stdint.h>

/* "Never", for times on the monotonic scale: far enough back that no difference overflows. */
#define LIMIT_NEVER_MS (INT64_MIN / 4)

/* At most one pass per interval; *last_ms starts as LIMIT_NEVER_MS. */
bool limit_gate(int64_t *last_ms, int64_t now_ms, int64_t interval_ms);

/* A token bucket: `rate` passes a second on average, `burst` at once. */
struct limit_bucket {
	uint32_t rate, burst;
	int64_t credit;  /* thousandths of a token */
	int64_t last_ms; /* when credit was brought up to date */
};
void limit_bucket_init(struct limit_bucket *bucket, uint32_t rate, uint32_t burst);
bool limit_bucket_take(struct limit_bucket *bucket, int64_t now_ms);
/* Would limit_bucket_take pass? Takes nothing. */
bool limit_bucket_has(const struct limit_bucket *bucket, int64_t now_ms);

/* At most so many within a window that begins with the first; all zero at first. */
struct limit_quota {
	int64_t since_ms;
	uint32_t used;
};
/* Is one left? Begins a new window if the last is over; whoever takes it adds 1 to `used`. */
bool limit_quota_has(struct limit_quota *quota, int64_t now_ms, int64_t window_ms, uint32_t max);

/* Gate 15.1: identity checks of strangers, one per interval and neighbourhood (IPv4 /24, IPv6 /48;
 * neighbourhoods that hash alike share). */
struct limit_neighbours { /* all zero at first */
	uint32_t last_ms[GATE_IDENTITY_BUCKETS];
};
bool limit_neighbours_pass(struct limit_neighbours *gates, const struct zt_endpoint *from,
			   int64_t now_ms);
/* The bucket of vl1 15.1; for tests. */
uint32_t limit_neighbour_bucket(const struct zt_endpoint *from);

#endif
