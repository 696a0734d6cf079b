/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a small table remembers, per hash of the destination, the run that may still
 * grow. Two destinations with one hash take turns and get shorter runs, which costs little and
 * cannot reorder: a run that was forgotten never grows again.
 */
#include "service/udp_run.h"

#include <string.h>

enum { OPEN_RUNS = 64 }; /* power of two */

static uint32_t destination_hash(const struct zt_tx *tx)
{
	uint64_t a = 0, b = 0;
	memcpy(&a, tx->to.ip, sizeof a);
	memcpy(&b, tx->to.ip + 8, sizeof b);
	uint64_t h =
	    (a ^ (b << 7 | b >> 57)) + tx->to.port * 0x9e3779b97f4a7c15U + (uint32_t)tx->socket;
	h *= 0xff51afd7ed558ccdU;
	return (uint32_t)(h >> 32) & (OPEN_RUNS - 1);
}

static bool same_destination(const struct zt_tx *a, const struct zt_tx *b)
{
	return a->socket == b->socket && a->ttl == b->ttl && endpoint_equal(&a->to, &b->to);
}

static bool run_takes(const struct udp_run *run, const struct zt_tx *first, const struct zt_tx *tx)
{
	return !run->is_full && same_destination(first, tx) && tx->length <= run->segment &&
	       run->count < RUN_MAX_SEGMENTS && run->bytes + tx->length <= RUN_MAX_BYTES;
}

size_t udp_runs_build(const struct zt_tx *tx, size_t count, struct udp_run *runs, uint32_t *next)
{
	uint32_t open[OPEN_RUNS];
	memset(open, 0xff, sizeof open); /* RUN_NONE */
	uint32_t run_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t *slot = &open[destination_hash(&tx[i])];
		struct udp_run *run = *slot != RUN_NONE ? &runs[*slot] : NULL;
		next[i] = RUN_NONE;
		if (run && run_takes(run, &tx[run->first], &tx[i])) {
			next[run->last] = i;
			run->last = i;
			run->count++;
			run->bytes += tx[i].length;
			run->is_full = tx[i].length < run->segment;
			continue;
		}
		*slot = run_count;
		runs[run_count++] = (struct udp_run){ .first = i,
						      .last = i,
						      .count = 1,
						      .bytes = tx[i].length,
						      .segment = tx[i].length };
	}
	return run_count;
}
