/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/limit.h"

#include <stddef.h>

enum { TOKEN = 1000 };

bool limit_gate(int64_t *last_ms, int64_t now_ms, int64_t interval_ms)
{
	if (now_ms - *last_ms < interval_ms) {
		return false;
	}
	*last_ms = now_ms;
	return true;
}

void limit_bucket_init(struct limit_bucket *bucket, uint32_t rate, uint32_t burst)
{
	*bucket = (struct limit_bucket){
		.rate = rate,
		.burst = burst,
		.credit = (int64_t)burst * TOKEN,
		.last_ms = LIMIT_NEVER_MS,
	};
}

/* What it holds by now. */
static int64_t credit_now(const struct limit_bucket *bucket, int64_t now_ms)
{
	const int64_t full = (int64_t)bucket->burst * TOKEN;
	int64_t passed_ms = now_ms - bucket->last_ms;
	/* rate tokens a second are rate thousandths a millisecond. */
	if (passed_ms >= full / bucket->rate + 1) {
		return full;
	}
	int64_t credit = bucket->credit + (passed_ms > 0 ? passed_ms * bucket->rate : 0);
	return credit < full ? credit : full;
}

bool limit_bucket_has(const struct limit_bucket *bucket, int64_t now_ms)
{
	return credit_now(bucket, now_ms) >= TOKEN;
}

bool limit_bucket_take(struct limit_bucket *bucket, int64_t now_ms)
{
	bucket->credit = credit_now(bucket, now_ms);
	bucket->last_ms = now_ms;
	if (bucket->credit < TOKEN) {
		return false;
	}
	bucket->credit -= TOKEN;
	return true;
}

bool limit_quota_has(struct limit_quota *quota, int64_t now_ms, int64_t window_ms, uint32_t max)
{
	if (quota->used == 0 || now_ms - quota->since_ms >= window_ms) {
		*quota = (struct limit_quota){ .since_ms = now_ms };
	}
	return quota->used < max;
}

uint32_t limit_neighbour_bucket(const struct zt_endpoint *from)
{
	uint32_t h = 0;
	if (from->family == 4) {
		h = (uint32_t)from->ip[0] << 16 | (uint32_t)from->ip[1] << 8 | from->ip[2];
		h ^= h >> 14;
	} else {
		for (size_t i = 0; i < 6; i++) {
			h = 2 * h + from->ip[i];
		}
	}
	return h & (GATE_IDENTITY_BUCKETS - 1);
}

bool limit_neighbours_pass(struct limit_neighbours *gates, const struct zt_endpoint *from,
			   int64_t now_ms)
{
	const uint32_t interval_ms =
	    endpoint_scope(from) == SCOPE_LOOPBACK ? GATE_IDENTITY_LOOPBACK_MS : GATE_IDENTITY_MS;
	uint32_t *last_ms = &gates->last_ms[limit_neighbour_bucket(from)];
	/* Half the memory, none of it touched before its neighbourhood calls. The time wraps after
	 * 49 days: then a gate may stay shut once for 2 s. 0 stands for never. */
	uint32_t stamp_ms = (uint32_t)now_ms | 1;
	if (*last_ms != 0 && stamp_ms - *last_ms < interval_ms) {
		return false;
	}
	*last_ms = stamp_ms;
	return true;
}
