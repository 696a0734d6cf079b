/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Revoking membership (vl2 9.6).
 *
 * A batch is one packet of revocations and a snapshot of the members that are told: those online,
 * and after a start, when nobody had time to ask yet, all that are authorised. It is signed by a
 * job and then sent to a bounded number of recipients per turn (queue.c), so that deleting a
 * network of thousands does not hold up the loop. */
#include "controller/sign.h"

#include <stdlib.h>

static bool may_listen(const struct controller *c, const struct ctl_member *m)
{
	bool is_just_started = c->now.mono_ms - c->started_ms < VL2_MEMBER_ONLINE_MS;
	return member_is_online(c, m) ||
	       (is_just_started && !m->has_asked && member_is_authorized(m));
}

/* Every member of the network that may listen; NULL if there is none. */
static uint64_t *listeners(const struct controller *c, const struct ctl_network *n, size_t *count)
{
	uint64_t *list = n->members.count ? malloc(n->members.count * sizeof(*list)) : NULL;
	const struct ctl_member *m;
	size_t found = 0;
	for (size_t cursor = 0; list && (m = table_next(&n->members, &cursor)) != NULL;) {
		if (may_listen(c, m)) {
			list[found++] = m->address;
		}
	}
	*count = found;
	if (found == 0) {
		free(list);
		return NULL;
	}
	return list;
}

static struct revocation_batch *batch_new(struct controller *c, const struct ctl_network *n)
{
	size_t count;
	uint64_t *recipients = listeners(c, n, &count);
	struct revocation_batch *batch = recipients ? calloc(1, sizeof(*batch)) : NULL;
	if (!batch) {
		free(recipients);
		return NULL;
	}
	batch->nwid = n->nwid;
	batch->threshold = (uint64_t)c->now.wall_ms;
	batch->recipients = recipients;
	batch->recipient_count = count;
	link_append(&c->revocations, &batch->link);
	return batch;
}

static void batch_add(struct controller *c, struct revocation_batch *batch, uint64_t address)
{
	struct revocation_target *target = &batch->targets[batch->target_count++];
	target->address = address;
	random_bytes(c, &target->id, sizeof(target->id));
}

void revoke_member(struct controller *c, struct ctl_member *m)
{
	struct revocation_batch *batch = batch_new(c, m->network);
	if (batch) {
		batch_add(c, batch, m->address);
	}
}

void revoke_network(struct controller *c, struct ctl_network *n)
{
	struct revocation_batch *batch = NULL;
	const struct ctl_member *m;
	for (size_t cursor = 0; (m = table_next(&n->members, &cursor)) != NULL;) {
		if (!may_listen(c, m) || !member_is_authorized(m)) {
			continue;
		}
		if (!batch || batch->target_count == REVOCATIONS_PER_PACKET) {
			batch = batch_new(c, n);
		}
		if (!batch) {
			return;
		}
		batch_add(c, batch, m->address);
	}
}
