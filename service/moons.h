/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* HOME/moons.d: the worlds beside the planet that this node follows (vl1 11.3). */
#ifndef SERVICE_MOONS_H
#define SERVICE_MOONS_H

#include <stdbool.h>
#include <stdint.h>

struct service;

/* Give every <16 hex digits>.moon of moons.d to the node. One that cannot be used is named in the
 * log with the reason, skipped, and left as it is. */
void moons_load(const struct service *service);
/* The file of one moon, if there is one: an operator may put it there and say `orbit`. */
void moons_load_one(const struct service *service, uint64_t id);
/* Does one of them list a loopback endpoint (decision S20)? Needs no node. */
bool moons_have_loopback(const struct service *service);

#endif
