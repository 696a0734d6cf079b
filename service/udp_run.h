/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Runs: datagrams of equal size to one destination that leave as one super-packet (design D5, S17).
 */
#ifndef SERVICE_UDP_RUN_H
#define SERVICE_UDP_RUN_H

#include "core/zt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* A receiver with the default buffer of 212 992 bytes holds three super-packets of 64 KB
	 * and loses the fourth whole (measured); nobody tells us yet that it has more (S17). */
	RUN_MAX_BYTES = 32768,
	RUN_MAX_SEGMENTS = 45, /* x 1432 fits one UDP length */
	RUN_NONE = UINT32_MAX,
};

/* Datagrams tx[first], tx[next[first]], ... : `segment` bytes each, the last may be shorter. */
struct udp_run {
	uint32_t first, last;
	uint32_t count, bytes;
	uint16_t segment;
	bool is_full; /* nothing may be appended */
};

/* Group tx[0..count) into runs by (socket, destination, TTL). The order of the datagrams of one
 * destination stays. `runs` and `next` have room for `count` entries. Returns the number of runs.
 */
size_t udp_runs_build(const struct zt_tx *tx, size_t count, struct udp_run *runs, uint32_t *next);

#endif
