/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Multicast groups that we receive. Joining tells the virtual network (vl2 chapter 8), which stands
 * in for IGMP and MLD: several groups may share one Ethernet address, so that is subscribed to with
 * the first of them and left with the last. */
#include "stack/hooks.h"
#include "stack/internal.h"

#include <errno.h>

enum {
	GROUPS_OF_PROGRAMS = 256, /* Linux lets one socket join 20 */
	/* Our own: each IPv6 address has one, and all nodes. Always to be had. */
	GROUPS_MAX = GROUPS_OF_PROGRAMS + STACK_MAX_ADDRESSES + 1,
};

static struct group *find(const struct stack *s, const struct ipa *ip)
{
	for (size_t i = 0; i < s->group_count; i++) {
		if (ipa_equal(&s->groups[i].ip, ip)) {
			return &s->groups[i];
		}
	}
	return NULL;
}

bool group_is_joined(const struct stack *s, const struct ipa *ip)
{
	return find(s, ip) != NULL;
}

/* `ip` is in no list now: does its Ethernet address belong to nobody else? Then tell. */
static void subscribe(struct stack *s, const struct ipa *ip, bool join)
{
	uint8_t mac[6], other[6];
	ipa_multicast_mac(ip, mac);
	for (size_t i = 0; i < s->group_count; i++) {
		ipa_multicast_mac(&s->groups[i].ip, other);
		if (memcmp(mac, other, sizeof(mac)) == 0) {
			return;
		}
	}
	s->callbacks->multicast(s->context, mac, 0, join);
}

int group_join(struct stack *s, const struct ipa *ip)
{
	struct group *group = find(s, ip);
	if (group) {
		group->joined++;
		return 0;
	}
	if (s->group_count == GROUPS_MAX) {
		return -ENOBUFS;
	}
	if (!s->groups) {
		s->groups = stk_heap_calloc(GROUPS_MAX, sizeof(*s->groups));
	}
	if (!s->groups) {
		return -ENOMEM;
	}
	subscribe(s, ip, true);
	s->groups[s->group_count++] = (struct group){ .ip = *ip, .joined = 1 };
	return 0;
}

int group_leave(struct stack *s, const struct ipa *ip)
{
	struct group *group = find(s, ip);
	if (!group) {
		return -EADDRNOTAVAIL;
	}
	if (--group->joined == 0) {
		*group = s->groups[--s->group_count];
		subscribe(s, ip, false);
	}
	return 0;
}

int stk_group_join(struct stack *s, const struct stack_ip *group)
{
	struct ipa ip;
	if (!ipa_read(group, &ip) || !ipa_is_multicast(&ip)) {
		return -EINVAL;
	}
	if (s->group_count >= GROUPS_OF_PROGRAMS && !find(s, &ip)) {
		return -ENOBUFS;
	}
	return group_join(s, &ip);
}

int stk_group_leave(struct stack *s, const struct stack_ip *group)
{
	struct ipa ip;
	if (!ipa_read(group, &ip) || !ipa_is_multicast(&ip)) {
		return -EINVAL;
	}
	return group_leave(s, &ip);
}
