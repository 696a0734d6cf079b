/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which IP addresses the members of a network hold: a counted set (several may hold the same). */
#ifndef CONTROLLER_ADDRSET_H
#define CONTROLLER_ADDRSET_H

#include "core/zt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addrset_slot {
	uint8_t ip[16];
	uint8_t family; /* 0 = free */
	uint32_t holders;
};

struct addrset {
	struct addrset_slot *slots;
	size_t capacity, used; /* used: slots taken, also those whose holders are gone */
	uint64_t releases;     /* counts up whenever an address becomes free */
};

void addrset_fini(struct addrset *set);
bool addrset_has(const struct addrset *set, const struct zt_endpoint *ip);
/* False without memory. */
bool addrset_add(struct addrset *set, const struct zt_endpoint *ip);
void addrset_remove(struct addrset *set, const struct zt_endpoint *ip);

#endif
