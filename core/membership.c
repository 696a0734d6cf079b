/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a hash table of pointers with linear probing. Deletion happens in members_sweep
 * and at eviction only, both rebuild the runs that they touch. Records are found once per packet,
 * so the lookup is one multiplication and, nearly always, one comparison.
 */
#include "core/membership.h"

#include "core/identity.h"
#include "core/limit.h"
#include "core/mem.h"

#include <string.h>

enum { CAPACITY_MIN = 16 };

void members_init(struct members *members, uint64_t nwid)
{
	*members = (struct members){ .nwid = nwid };
}

static void member_free(struct member *member)
{
	held_fini(&member->held);
	zt_free(member);
}

void members_fini(struct members *members)
{
	for (size_t i = 0; i < members->capacity; i++) {
		if (members->slots[i]) {
			member_free(members->slots[i]);
		}
	}
	zt_free(members->slots);
	members_init(members, members->nwid);
}

/* Addresses are hashes of keys, but chosen by their owners: mix all bits. */
static size_t place_of(const struct members *members, uint64_t address)
{
	return (size_t)((address ^ members->nwid) * 0x9e3779b97f4a7c15ULL >> 32) &
	       (members->capacity - 1);
}

struct member *members_find(const struct members *members, uint64_t address)
{
	if (members->capacity == 0) {
		return NULL;
	}
	size_t mask = members->capacity - 1;
	for (size_t i = place_of(members, address); members->slots[i]; i = (i + 1) & mask) {
		if (members->slots[i]->address == address) {
			return members->slots[i];
		}
	}
	return NULL;
}

static void insert(struct members *members, struct member *member)
{
	size_t mask = members->capacity - 1;
	size_t i = place_of(members, member->address);
	while (members->slots[i]) {
		i = (i + 1) & mask;
	}
	members->slots[i] = member;
	members->count++;
}

/* Move all records into a table of `capacity`. */
static bool rehash(struct members *members, size_t capacity)
{
	struct member **slots = zt_calloc(capacity, sizeof(*slots));
	if (!slots) {
		return false;
	}
	struct member **old = members->slots;
	size_t old_capacity = members->capacity;
	members->slots = slots;
	members->capacity = capacity;
	members->count = 0;
	for (size_t i = 0; i < old_capacity; i++) {
		if (old[i]) {
			insert(members, old[i]);
		}
	}
	zt_free(old);
	return true;
}

/* A revocation must survive as long as a certificate that it revokes could come back, so a record
 * with a threshold counts as proved. */
static bool is_proved(const struct member *member)
{
	return member->has_com || member->com_threshold > 0;
}

static void remove_at(struct members *members, size_t hole)
{
	size_t mask = members->capacity - 1;
	member_free(members->slots[hole]);
	members->slots[hole] = NULL;
	members->count--;
	for (size_t i = (hole + 1) & mask; members->slots[i]; i = (i + 1) & mask) {
		struct member *moved = members->slots[i];
		members->slots[i] = NULL;
		members->count--;
		insert(members, moved);
	}
}

static void evict(struct members *members)
{
	size_t victim = members->capacity;
	for (size_t i = 0; i < members->capacity; i++) {
		const struct member *m = members->slots[i];
		if (!m) {
			continue;
		}
		if (victim == members->capacity) {
			victim = i;
			continue;
		}
		const struct member *v = members->slots[victim];
		if (is_proved(m) != is_proved(v) ? is_proved(v) : m->used_ms < v->used_ms) {
			victim = i;
		}
	}
	remove_at(members, victim);
}

static bool make_room(struct members *members)
{
	if (members->count >= MEMBERS_MAX) {
		evict(members);
		return true;
	}
	if (members->capacity == 0) {
		return rehash(members, CAPACITY_MIN);
	}
	return members->count < members->capacity / 2 || rehash(members, 2 * members->capacity);
}

struct member *members_get(struct members *members, uint64_t address, int64_t now_ms)
{
	struct member *member = members_find(members, address);
	if (member) {
		member->used_ms = now_ms;
		return member;
	}
	if (!make_room(members)) {
		return NULL;
	}
	member = zt_calloc(1, sizeof(*member));
	if (!member) {
		return NULL;
	}
	member->address = address;
	member->used_ms = now_ms;
	member->pushed_ms = LIMIT_NEVER_MS;
	member->credentials_in_ms = LIMIT_NEVER_MS;
	member->asked_ms = LIMIT_NEVER_MS;
	member->announced_ms = LIMIT_NEVER_MS;
	insert(members, member);
	return member;
}

void members_sweep(struct members *members, int64_t older_than_ms, const struct held_window *window)
{
	size_t i = 0;
	while (i < members->capacity) {
		struct member *m = members->slots[i];
		if (m && m->used_ms < older_than_ms && !is_proved(m)) {
			remove_at(members, i); /* another record may have moved here */
			continue;
		}
		if (m) {
			held_sweep(&m->held, window);
		}
		i++;
	}
}

enum cred_result members_com(struct members *members, const struct com *com,
			     const struct identity *controller, int64_t now_ms)
{
	uint64_t address = com_issued_to(com);
	uint64_t timestamp = com_timestamp(com);
	if (com_network(com) != members->nwid || address == 0) {
		return CRED_REJECTED;
	}
	struct member *member = members_find(members, address);
	if (member && (timestamp <= member->com_threshold ||
		       (member->has_com && timestamp < com_timestamp(&member->com)))) {
		return CRED_REJECTED;
	}
	if (member && member->has_com && com_equal(&member->com, com)) {
		return CRED_REDUNDANT;
	}
	if (!com_verify(com, controller)) {
		return CRED_REJECTED;
	}
	member = members_get(members, address, now_ms);
	if (!member) {
		return CRED_REJECTED;
	}
	member->com = *com;
	member->has_com = true;
	member->agrees_serial = 0;
	return CRED_NEW;
}

static const struct held *held_of(const struct members *members, uint64_t address)
{
	static const struct held nothing;
	const struct member *member = members_find(members, address);
	return member ? &member->held : &nothing;
}

enum cred_result members_tag(struct members *members, const struct tag *tag,
			     const struct identity *controller, int64_t now_ms)
{
	if (tag->nwid != members->nwid) {
		return CRED_REJECTED;
	}
	enum cred_result result = held_tag_judge(held_of(members, tag->issued_to), tag);
	if (result != CRED_NEW) {
		return result;
	}
	if (!tag_verify(tag, controller)) {
		return CRED_REJECTED;
	}
	struct member *member = members_get(members, tag->issued_to, now_ms);
	return member && held_tag_store(&member->held, tag) == ZT_OK ? CRED_NEW : CRED_REJECTED;
}

/* Controllers issue chains of one link; longer ones would need the identities of members, which is
 * refused here (docs/decisions/031-capability-chains.md). */
static const struct identity *only_controller(void *context, uint64_t address)
{
	const struct identity *const *controller = context;
	return address == (*controller)->address ? *controller : NULL;
}

enum cred_result members_capability(struct members *members, const struct capability *cap,
				    const struct identity *controller, int64_t now_ms)
{
	uint64_t address = capability_issued_to(cap);
	if (cap->nwid != members->nwid || address == 0) {
		return CRED_REJECTED;
	}
	enum cred_result result = held_capability_judge(held_of(members, address), cap);
	if (result != CRED_NEW) {
		return result;
	}
	uint64_t missing = 0;
	if (!capability_verify(cap, only_controller, &controller, &missing)) {
		return CRED_REJECTED;
	}
	struct member *member = members_get(members, address, now_ms);
	return member && held_capability_store(&member->held, cap) == ZT_OK ? CRED_NEW
									    : CRED_REJECTED;
}

enum cred_result members_coo(struct members *members, const struct coo *coo,
			     const struct identity *controller, int64_t now_ms)
{
	if (coo->nwid != members->nwid) {
		return CRED_REJECTED;
	}
	enum cred_result result = held_coo_judge(held_of(members, coo->issued_to), coo);
	if (result != CRED_NEW) {
		return result;
	}
	if (!coo_verify(coo, controller)) {
		return CRED_REJECTED;
	}
	struct member *member = members_get(members, coo->issued_to, now_ms);
	return member && held_coo_store(&member->held, coo) == ZT_OK ? CRED_NEW : CRED_REJECTED;
}

enum cred_result members_revocation(struct members *members, const struct revocation *rev,
				    const struct identity *controller, int64_t now_ms)
{
	if (rev->nwid != members->nwid || !revocation_verify(rev, controller)) {
		return CRED_REJECTED;
	}
	bool is_held = rev->type == CREDENTIAL_CAPABILITY || rev->type == CREDENTIAL_TAG ||
		       rev->type == CREDENTIAL_COO;
	if (rev->type != CREDENTIAL_COM && !is_held) {
		return CRED_REJECTED;
	}
	struct member *member = members_get(members, rev->target, now_ms);
	if (!member) {
		return CRED_REJECTED;
	}
	bool is_new =
	    is_held && held_revoke(&member->held, rev->type, rev->credential_id, rev->threshold);
	/* Revoking anything else raises the certificate's threshold, too, as the reference does
	 * (5.4): all members must come to the same answer. */
	if (rev->threshold > member->com_threshold) {
		member->com_threshold = rev->threshold;
		is_new = is_new || !is_held;
	}
	return is_new ? CRED_NEW : CRED_REDUNDANT;
}

bool member_agrees(struct member *member, const struct com *mine, uint64_t serial,
		   const struct identity *their_identity)
{
	if (!mine || !member->has_com || com_timestamp(&member->com) <= member->com_threshold) {
		return false;
	}
	if (member->agrees_serial != serial) {
		member->agrees = com_agrees(mine, &member->com, their_identity);
		member->agrees_serial = serial;
	}
	return member->agrees;
}
