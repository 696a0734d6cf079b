/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Who may talk to us on a network (vl2 5.1, 6.3), and who may use us as a directory of groups
 * (8.1).
 *
 * How this works: the gate asks the member's record, which remembers the last answer for as long as
 * neither certificate changes. Beside it a controller remembers whom it let in lately, in a hash
 * table that is rebuilt when it fills: entries older than 3 minutes fall out then.
 */
#include "core/limit.h"
#include "core/mem.h"
#include "core/vl2_impl.h"

#include "core/proto.h"

enum {
	AUTHORISED_MS = 180000, /* 8.1: within about 3 min */
	AUTHORISED_MIN = 64,
	AUTHORISED_MAX = 131072,
	ASK_MS =
	    1000, /* NEED_MEMBERSHIP_CERTIFICATE to one member, as often as it may push (15.9) */
};

struct permit {
	uint64_t nwid, member; /* member 0 = free */
	int64_t since_ms;
};

struct authorised {
	size_t count, capacity; /* a power of two */
	struct permit *permits;
};

static struct permit *permit_place(struct permit *permits, size_t capacity, uint64_t nwid,
				   uint64_t member)
{
	size_t mask = capacity - 1;
	size_t i = (size_t)(((nwid ^ member << 20) * 0x9e3779b97f4a7c15ULL) >> 32) & mask;
	while (permits[i].member != 0 && (permits[i].member != member || permits[i].nwid != nwid)) {
		i = (i + 1) & mask;
	}
	return &permits[i];
}

/* A table twice the size of what is still valid. */
static bool rebuild(struct authorised *all, int64_t now_ms)
{
	size_t valid = 0;
	for (size_t i = 0; i < all->capacity; i++) {
		const struct permit *p = &all->permits[i];
		valid += p->member != 0 && now_ms - p->since_ms < AUTHORISED_MS;
	}
	size_t capacity = AUTHORISED_MIN;
	while (capacity < 4 * valid && capacity < AUTHORISED_MAX) {
		capacity *= 2;
	}
	if (valid >= capacity / 2) {
		return false;
	}
	struct permit *permits = zt_calloc(capacity, sizeof(*permits));
	if (!permits) {
		return false;
	}
	for (size_t i = 0; i < all->capacity; i++) {
		const struct permit *p = &all->permits[i];
		if (p->member != 0 && now_ms - p->since_ms < AUTHORISED_MS) {
			*permit_place(permits, capacity, p->nwid, p->member) = *p;
		}
	}
	zt_free(all->permits);
	*all = (struct authorised){ .count = valid, .capacity = capacity, .permits = permits };
	return true;
}

void gate_authorise(struct zt_node *node, struct zt_now now, uint64_t nwid, uint64_t member)
{
	struct vl2 *vl2 = node_vl2(node);
	if (!vl2->authorised) {
		vl2->authorised = zt_calloc(1, sizeof(*vl2->authorised));
	}
	struct authorised *all = vl2->authorised;
	if (!all || (all->count >= all->capacity / 2 && !rebuild(all, now.mono_ms))) {
		node_count(node, ZT_COUNT_DROP_MEMORY);
		return;
	}
	struct permit *permit = permit_place(all->permits, all->capacity, nwid, member);
	all->count += permit->member == 0;
	*permit = (struct permit){ .nwid = nwid, .member = member, .since_ms = now.mono_ms };
}

void gate_deauthorise(struct zt_node *node, uint64_t nwid, uint64_t member)
{
	struct authorised *all = node_vl2(node)->authorised;
	if (!all || all->capacity == 0) {
		return;
	}
	struct permit *permit = permit_place(all->permits, all->capacity, nwid, member);
	if (permit->member != 0) {
		permit->since_ms = LIMIT_NEVER_MS; /* falls out at the next rebuild */
	}
}

bool gate_is_authorised(const struct zt_node *node, struct zt_now now, uint64_t nwid,
			uint64_t member)
{
	const struct authorised *all = node_vl2(node)->authorised;
	if (!all || all->capacity == 0) {
		return false;
	}
	const struct permit *permit = permit_place(all->permits, all->capacity, nwid, member);
	return permit->member != 0 && now.mono_ms - permit->since_ms < AUTHORISED_MS;
}

void gate_free(struct vl2 *vl2)
{
	if (vl2->authorised) {
		zt_free(vl2->authorised->permits);
		zt_free(vl2->authorised);
	}
}

/* ERROR(NEED_MEMBERSHIP_CERTIFICATE): the network, nothing else (6.3). */
static void ask_for_credentials(struct zt_node *node, struct zt_now now,
				const struct network *network, const struct packet_in *in)
{
	uint8_t bytes[8];
	struct wr w = wr_init(bytes, sizeof(bytes));
	network_error_write(&w, &(struct network_error){ .nwid = network->nwid });
	struct iovec iov = { .iov_base = bytes, .iov_len = wr_length(&w) };
	tx_error(node, now, in, ERROR_NEED_MEMBERSHIP_CERTIFICATE, &iov, 1);
}

bool gate_is_open(struct zt_node *node, struct zt_now now, struct network *network,
		  struct packet_in *in)
{
	/* Groups alone do not count as use: members that announce to each other because they heard
	 * an announcement would never fall silent (decision 140). */
	struct member *member = NULL;
	if (in->verb == VERB_MULTICAST_LIKE) {
		member = members_find(&network->members, in->source);
	}
	if (!member) {
		member = members_get(&network->members, in->source, now.mono_ms);
	}
	if (!member || !network_allows(network, member, peer_identity(in->peer))) {
		return false;
	}
	in->is_trusted = true;
	if (now.mono_ms - member->used_ms < VL2_MULTICAST_ACTIVE_MS &&
	    limit_gate(&member->announced_ms, now.mono_ms, VL2_MULTICAST_ANNOUNCE_MS)) {
		groups_announce_to(node, now, network, in->source);
	}
	return true;
}

/* Counted, and the sender asked for its certificate, once a second at most. */
static enum vl2_result stranger(struct zt_node *node, struct zt_now now, struct network *network,
				struct packet_in *in)
{
	node_count(node, ZT_COUNT_DROP_MEMBERSHIP);
	struct member *member = members_find(&network->members, in->source);
	if (!member || !limit_gate(&member->asked_ms, now.mono_ms, ASK_MS)) {
		return VL2_IGNORED;
	}
	ask_for_credentials(node, now, network, in);
	return vl2_keep(in, in->source);
}

struct network *gate_admit(struct zt_node *node, struct zt_now now, struct packet_in *in,
			   uint64_t nwid, const struct span *com, enum vl2_result *refusal)
{
	struct network *network = vl2_network(node, nwid);
	*refusal = VL2_IGNORED;
	if (!network || !network->config) {
		node_count(node, ZT_COUNT_DROP_NETWORK);
		return NULL;
	}
	if (com && !credentials_inline(node, now, network, com)) {
		*refusal = vl2_keep(in, network->controller);
		return NULL;
	}
	if (!gate_is_open(node, now, network, in)) {
		*refusal = stranger(node, now, network, in);
		return NULL;
	}
	return network;
}
