/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Linear probing; a slot whose last holder left keeps its key until the next growth drops it. */
#include "controller/addrset.h"

#include <stdlib.h>
#include <string.h>

enum { MIN_CAPACITY = 32 };

static size_t hash(const struct zt_endpoint *ip)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ ip->family;
	for (size_t i = 0; i < sizeof(ip->ip); i++) {
		h = (h ^ ip->ip[i]) * 0x100000001b3ULL;
	}
	return (size_t)(h ^ h >> 29);
}

static struct addrset_slot *locate(const struct addrset *set, const struct zt_endpoint *ip)
{
	size_t i = hash(ip) & (set->capacity - 1);
	while (set->slots[i].family != 0 &&
	       (set->slots[i].family != ip->family || memcmp(set->slots[i].ip, ip->ip, 16) != 0)) {
		i = (i + 1) & (set->capacity - 1);
	}
	return &set->slots[i];
}

void addrset_fini(struct addrset *set)
{
	free(set->slots);
	*set = (struct addrset){ 0 };
}

bool addrset_has(const struct addrset *set, const struct zt_endpoint *ip)
{
	return set->capacity && locate(set, ip)->holders > 0;
}

static bool grow(struct addrset *set)
{
	size_t live = 0;
	for (size_t i = 0; i < set->capacity; i++) {
		live += set->slots[i].holders > 0;
	}
	struct addrset bigger = { .capacity = MIN_CAPACITY, .releases = set->releases };
	while (bigger.capacity < live * 2 + 1) {
		bigger.capacity *= 2;
	}
	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots) {
		return false;
	}
	for (size_t i = 0; i < set->capacity; i++) {
		const struct addrset_slot *old = &set->slots[i];
		if (old->holders > 0) {
			struct zt_endpoint ip = { .family = old->family };
			memcpy(ip.ip, old->ip, sizeof(ip.ip));
			*locate(&bigger, &ip) = *old;
			bigger.used++;
		}
	}
	free(set->slots);
	*set = bigger;
	return true;
}

bool addrset_add(struct addrset *set, const struct zt_endpoint *ip)
{
	if (set->used + 1 > set->capacity / 4 * 3 && !grow(set)) {
		return false;
	}
	struct addrset_slot *slot = locate(set, ip);
	if (slot->family == 0) {
		slot->family = ip->family;
		memcpy(slot->ip, ip->ip, sizeof(slot->ip));
		set->used++;
	}
	slot->holders++;
	return true;
}

void addrset_remove(struct addrset *set, const struct zt_endpoint *ip)
{
	struct addrset_slot *slot = set->capacity ? locate(set, ip) : NULL;
	if (slot && slot->holders > 0 && --slot->holders == 0) {
		set->releases++;
	}
}
