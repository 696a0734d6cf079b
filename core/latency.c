/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/latency.h"

void latency_note(struct zt_latencies *latencies, int64_t sample_ms)
{
	static const int64_t bounds[ZT_LATENCY_BUCKETS - 1] = { ZT_LATENCY_BOUNDS_MS };
	size_t bucket = 0;
	if (sample_ms < 0) {
		return;
	}
	while (bucket < ZT_LATENCY_BUCKETS - 1 && sample_ms > bounds[bucket]) {
		bucket++;
	}
	latencies->counts[bucket]++;
	latencies->sum_ms += (uint64_t)sample_ms;
}
