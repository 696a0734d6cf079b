/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The histogram of a peer's round trips, for those who watch us (zt_peer_view). */
#ifndef ZT_LATENCY_H
#define ZT_LATENCY_H

#include "core/zt.h"

/* A sample; a negative one (a clock was set) is none. */
void latency_note(struct zt_latencies *latencies, int64_t sample_ms);

#endif
