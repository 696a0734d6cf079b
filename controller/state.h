/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the controller holds in memory; private to controller/. */
#ifndef CONTROLLER_STATE_H
#define CONTROLLER_STATE_H

#include "controller/addrset.h"
#include "controller/controller.h"
#include "controller/table.h"
#include "core/identity.h"
#include "core/proto2.h"

#include <stddef.h>

/* ---- doubly linked queues; a link that is in no queue has next == NULL
 * --------------------------- */

struct link {
	struct link *next, *prev;
};

static inline void link_head_init(struct link *head)
{
	head->next = head->prev = head;
}
static inline bool link_is_empty(const struct link *head)
{
	return head->next == head;
}
static inline bool link_is_queued(const struct link *l)
{
	return l->next != NULL;
}
static inline void link_append(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}
static inline void link_remove(struct link *l)
{
	if (l->next) {
		l->prev->next = l->next;
		l->next->prev = l->prev;
		l->next = l->prev = NULL;
	}
}
/* The first link, taken out; the queue must not be empty. */
static inline struct link *link_take(struct link *head)
{
	struct link *l = head->next;
	head->next = l->next;
	l->next->prev = head;
	l->next = l->prev = NULL;
	return l;
}
#define LINK_OWNER(l, type, member) ((type *)(void *)((char *)(l)-offsetof(type, member)))

/* ---- records
 * -------------------------------------------------------------------------------------- */

enum {
	NETWORK_MEMBERS_MAX = 100000, /* beyond it unknown nodes are refused without a record */
	RECENT_SLOTS = 256,           /* rate limit of requests for networks that do not exist */
};

/* A record that the store does not have yet. */
struct unsaved {
	struct link link;
	uint64_t nwid, member; /* member 0 = the network's own record */
};

/* Members of a removed network whose records the store still has. */
struct removal {
	struct link link;
	uint64_t nwid;
	size_t count; /* of members left */
	uint64_t members[];
};

struct ctl_network {
	struct unsaved unsaved;
	uint64_t nwid;
	json_t *record; /* never changed in place: replaced by commits */
	struct table members;
	size_t authorized_count;
	struct addrset held; /* addresses in members' ipAssignments */
	struct plan *plan;   /* the record compiled; NULL = to be made */
};

struct ctl_member {
	struct unsaved unsaved;
	struct link queued; /* in controller.queue: waits for a configuration */
	struct ctl_network *network;
	uint64_t address;
	json_t *record; /* NULL only while it is being created */
	bool has_identity;
	struct identity identity; /* public */
	int64_t last_request_ms;  /* monotonic; has_asked tells if there was one */
	bool has_asked;
	uint8_t *metadata; /* of the last request */
	size_t metadata_length;
	uint64_t request_id;  /* while queued: whom to answer, 0 = push */
	uint64_t pool_failed; /* pool_mark when no pool had a free address, 0 = not tried */
};

struct controller {
	const struct controller_callbacks *callbacks;
	const struct controller_store *store;
	void *context;
	struct identity identity;
	struct zt_now now; /* of the current call */
	int64_t started_ms;
	struct table networks;
	uint64_t plan_generation;
	struct {
		uint64_t nwid, member;
		int64_t at_ms;
	} recent[RECENT_SLOTS];

	struct link unsaved;  /* struct unsaved */
	struct link removals; /* struct removal: members of removed networks, before any save */
	int64_t save_at_ms;   /* when not empty */

	struct link queue;                  /* struct ctl_member: configurations to build */
	struct link revocations;            /* struct revocation_batch: to be signed */
	struct link broadcasts;             /* struct revocation_batch: being sent */
	struct controller_job *refused_job; /* the worker's queue was full */
	int64_t retry_at_ms;
	unsigned jobs_in_flight;
	struct controller_stats stats; /* the counters; sizes are taken when asked */
};

/* ---- store.c: finding, loading, committing, saving
 * ------------------------------------------------ */

struct ctl_network *network_find(const struct controller *c, uint64_t nwid);
struct ctl_member *member_find(const struct ctl_network *n, uint64_t address);
/* Found or made without a record; NULL without memory. */
struct ctl_network *network_make(struct controller *c, uint64_t nwid);
struct ctl_member *member_make(struct controller *c, struct ctl_network *n, uint64_t address);
void network_drop(struct controller *c, struct ctl_network *n);
/* Have the store forget the network and its members, a bounded number per turn. Before
 * network_drop. */
void network_unstore(struct controller *c, const struct ctl_network *n);
void member_drop(struct controller *c, struct ctl_member *m);

/* Make `record` (reference taken) the held one, unless nothing but the revision differs: count the
 * revision up, save later, tell whom it concerns. by_request: the member itself caused it and gets
 * a configuration anyway. */
void network_commit(struct controller *c, struct ctl_network *n, json_t *record);
void member_commit(struct controller *c, struct ctl_member *m, json_t *record, bool by_request);

void records_load(struct controller *c);
/* Tell the store of at most `max` removed and unsaved records. */
void records_save(struct controller *c, size_t max);
void records_free(struct controller *c);

bool member_is_authorized(const struct ctl_member *m);
bool member_is_online(const struct controller *c, const struct ctl_member *m);

/* ---- request.c
 * ------------------------------------------------------------------------------------ */

/* Re-evaluate a member from its stored metadata (vl2 9.4 with packet id 0). True = authorised. */
bool member_evaluate(struct controller *c, struct ctl_member *m);

/* ---- queue.c: bounded work
 * ------------------------------------------------------------------------ */

/* Build and send a configuration soon; request_id 0 = a push. */
void queue_config(struct controller *c, struct ctl_member *m, uint64_t request_id);
void queue_run(struct controller *c);
int64_t queue_deadline(const struct controller *c);
void queue_free(struct controller *c);

/* ---- revoke.c
 * ------------------------------------------------------------------------------------- */

/* Tell every member of the network that may listen that `m`'s certificate is void from now on. */
void revoke_member(struct controller *c, struct ctl_member *m);
/* The same for every member of a network that goes away. */
void revoke_network(struct controller *c, struct ctl_network *n);

static inline void random_bytes(const struct controller *c, void *out, size_t length)
{
	c->callbacks->random(c->context, out, length);
}

#endif
