/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Behind which active bridge a foreign MAC was seen last (vl2 6.3, 6.4). */
#ifndef ZT_BRIDGED_H
#define ZT_BRIDGED_H

#include <stddef.h>
#include <stdint.h>

enum { BRIDGED_MAX = 4096 };

struct bridged_table;
/* All zero at first. */
struct bridged {
	struct bridged_table *table; /* NULL until the first MAC: few networks have bridges */
};

void bridged_fini(struct bridged *bridged);
/* The MAC was seen behind that bridge just now. The one seen longest ago makes room. `seed` makes
 * the hash unpredictable; only the first call's counts. Without memory nothing is learnt. */
void bridged_learn(struct bridged *bridged, uint64_t mac, uint64_t bridge, uint64_t seed);
/* The bridge's address, or 0. */
uint64_t bridged_find(const struct bridged *bridged, uint64_t mac);
size_t bridged_count(const struct bridged *bridged);

#endif
