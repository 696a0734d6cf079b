/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works
 * A bucket exists for each port that somebody holds, found by a table of 256 pages of 256 ports,
 * made as they are needed. It has two lists: the listeners, which every arriving connection must
 * look through, and all others, which only bind() looks through; so ten thousand accepted
 * connections cost an arriving one nothing.
 *
 * The ephemeral range has a bitmap of ports that have a bucket. TIME_WAIT entries are ours (the
 * socket is gone), all live equally long, and so form a queue in order of expiry.
 */
#include "service/ports.h"

#include "base/bug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PORTS_PAGES = 256,
	PORTS_IN_PAGE = 256,
	PICK_STEP_MAX = 3,
	PORTS_EPHEMERAL_COUNT = PORTS_EPHEMERAL_LAST - PORTS_EPHEMERAL_FIRST + 1,
	PORTS_WORDS = (PORTS_EPHEMERAL_COUNT + 63) / 64,
};

struct port_bucket {
	uint16_t port;
	unsigned stack_users;
	struct port_entry *listeners, *others;
};

struct time_wait {
	struct port_entry entry;
	struct time_wait *next;
	int64_t until_ms;
};

struct ports {
	uint64_t key;
	uint64_t
	    picks; /* counter mixed with the key: how far the next search begins from the last */
	unsigned last_pick; /* bit of the port picked last; at first a random one */
	struct port_bucket **pages[PORTS_PAGES];
	uint64_t ephemeral[PORTS_WORDS]; /* bit set = the port has a bucket */
	struct time_wait *oldest, *newest;
	size_t time_wait_count;
};

/* A keyed mix of 64 bits (splitmix64's finaliser): spreads, and cannot be predicted without the
 * key. */
static uint64_t mix(uint64_t key, uint64_t value)
{
	uint64_t x = (value ^ key) * 0x9e3779b97f4a7c15U;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
	return x ^ (x >> 31);
}

struct ports *ports_new(uint64_t key)
{
	struct ports *ports = calloc(1, sizeof *ports);
	if (ports) {
		ports->key = key;
		ports->last_pick = (unsigned)(mix(key, 0) % PORTS_EPHEMERAL_COUNT);
	}
	return ports;
}

/* ---- buckets ---- */

static bool is_ephemeral(uint16_t port)
{
	return port >= PORTS_EPHEMERAL_FIRST && port <= PORTS_EPHEMERAL_LAST;
}

static void ephemeral_mark(struct ports *ports, uint16_t port, bool is_used)
{
	if (!is_ephemeral(port)) {
		return;
	}
	unsigned bit = port - (unsigned)PORTS_EPHEMERAL_FIRST;
	uint64_t mask = (uint64_t)1 << (bit % 64);
	if (is_used) {
		ports->ephemeral[bit / 64] |= mask;
	} else {
		ports->ephemeral[bit / 64] &= ~mask;
	}
}

static struct port_bucket *bucket_find(const struct ports *ports, uint16_t port)
{
	struct port_bucket *const *page = ports->pages[port / PORTS_IN_PAGE];
	return page ? page[port % PORTS_IN_PAGE] : NULL;
}

static struct port_bucket *bucket_get(struct ports *ports, uint16_t port)
{
	struct port_bucket *b = bucket_find(ports, port);
	if (b) {
		return b;
	}
	struct port_bucket ***page = &ports->pages[port / PORTS_IN_PAGE];
	if (!*page) {
		*page = calloc(PORTS_IN_PAGE, sizeof **page);
	}
	b = *page ? calloc(1, sizeof *b) : NULL;
	if (!b) {
		return NULL;
	}
	b->port = port;
	(*page)[port % PORTS_IN_PAGE] = b;
	ephemeral_mark(ports, port, true);
	return b;
}

static void bucket_drop_if_empty(struct ports *ports, struct port_bucket *b)
{
	if (b->listeners || b->others) {
		return;
	}
	BUG_ON(b->stack_users != 0);
	ports->pages[b->port / PORTS_IN_PAGE][b->port % PORTS_IN_PAGE] = NULL;
	ephemeral_mark(ports, b->port, false);
	free(b);
}

static struct port_entry **list_of(const struct port_entry *e)
{
	return e->use == PORT_LISTENING ? &e->bucket->listeners : &e->bucket->others;
}

static void entry_link(struct port_bucket *b, struct port_entry *e)
{
	e->bucket = b;
	struct port_entry **head = list_of(e);
	e->previous = NULL;
	e->next = *head;
	if (e->next) {
		e->next->previous = e;
	}
	*head = e;
}

static void entry_unlink(struct port_entry *e)
{
	if (e->previous) {
		e->previous->next = e->next;
	} else {
		*list_of(e) = e->next;
	}
	if (e->next) {
		e->next->previous = e->previous;
	}
	e->next = e->previous = NULL;
	e->bucket = NULL;
}

/* ---- who may have what ---- */

static bool places_overlap(const struct port_place *a, const struct port_place *b)
{
	return (a->families & b->families) != 0 &&
	       (a->is_any || b->is_any || memcmp(a->address, b->address, sizeof a->address) == 0);
}

/* Linux's inet_bind_conflict() for a port that was asked for by number. */
static bool conflicts(const struct port_place *wanted, const struct port_entry *holder)
{
	const struct port_place *held = &holder->place;
	if (!places_overlap(wanted, held)) {
		return false;
	}
	if (wanted->reuse_address && held->reuse_address && holder->use != PORT_LISTENING) {
		return false;
	}
	if (wanted->reuse_port && held->reuse_port &&
	    (holder->use == PORT_TIME_WAIT || held->uid == wanted->uid)) {
		return false;
	}
	return true;
}

static bool list_conflicts(const struct port_entry *list, const struct port_place *wanted,
			   const struct port_entry *self)
{
	for (const struct port_entry *e = list; e; e = e->next) {
		if (e != self && conflicts(wanted, e)) {
			return true;
		}
	}
	return false;
}

static bool bucket_conflicts(const struct port_bucket *b, const struct port_place *wanted,
			     const struct port_entry *self)
{
	return list_conflicts(b->listeners, wanted, self) ||
	       list_conflicts(b->others, wanted, self);
}

/* A port of the ephemeral range that nobody holds, or 0. Small random steps (RFC 6056, algorithm
 * 5), so that a port comes again as late as possible: the peer may still have the old connection in
 * TIME_WAIT, and a new SYN there can stay without an answer (measured: one in 200 connections with
 * wholly random ports). */
static uint16_t ephemeral_pick(struct ports *ports)
{
	unsigned step = 1 + (unsigned)(mix(ports->key, ++ports->picks) % PICK_STEP_MAX);
	unsigned start = (ports->last_pick + step) % PORTS_EPHEMERAL_COUNT;
	for (unsigned i = 0; i < PORTS_EPHEMERAL_COUNT;) {
		unsigned bit = (start + i) % PORTS_EPHEMERAL_COUNT;
		uint64_t free_bits = ~ports->ephemeral[bit / 64] >> (bit % 64);
		if (free_bits == 0) {
			i += 64 - bit % 64;
			continue;
		}
		unsigned found = bit + (unsigned)__builtin_ctzll(free_bits);
		if (found < PORTS_EPHEMERAL_COUNT) {
			ports->last_pick = found;
			return (uint16_t)(PORTS_EPHEMERAL_FIRST + found);
		}
		i +=
		    PORTS_EPHEMERAL_COUNT - bit; /* the last word is not full: go on at the first */
	}
	return 0;
}

static int entry_take(struct ports *ports, struct port_entry *entry, const struct port_place *place,
		      enum port_use use)
{
	struct port_bucket *b = bucket_get(ports, place->port);
	if (!b) {
		return -ENOMEM;
	}
	entry->place = *place;
	entry->use = use;
	entry_link(b, entry);
	return 0;
}

int ports_bind(struct ports *ports, struct port_entry *entry, const struct port_place *place)
{
	BUG_ON(entry->bucket != NULL);
	struct port_place wanted = *place;
	if (wanted.port == 0) {
		wanted.port = ephemeral_pick(ports);
		if (wanted.port == 0) {
			return -EADDRINUSE;
		}
	}
	const struct port_bucket *b = bucket_find(ports, wanted.port);
	if (b && bucket_conflicts(b, &wanted, NULL)) {
		return -EADDRINUSE;
	}
	return entry_take(ports, entry, &wanted, PORT_BOUND);
}

int ports_share(struct ports *ports, struct port_entry *entry, const struct port_place *place)
{
	BUG_ON(entry->bucket != NULL || place->port == 0);
	return entry_take(ports, entry, place, PORT_CONNECTED);
}

static void entry_use(struct port_entry *entry, enum port_use use)
{
	struct port_bucket *b = entry->bucket;
	entry_unlink(entry);
	entry->use = use;
	entry_link(b, entry);
}

int ports_listen(struct ports *ports, struct port_entry *entry)
{
	(void)ports;
	BUG_ON(entry->bucket == NULL);
	if (bucket_conflicts(entry->bucket, &entry->place, entry)) {
		return -EADDRINUSE;
	}
	entry_use(entry, PORT_LISTENING);
	return 0;
}

void ports_connected(struct port_entry *entry)
{
	BUG_ON(entry->bucket == NULL);
	entry_use(entry, PORT_CONNECTED);
}

void ports_reuse(struct port_entry *entry, bool reuse_address, bool reuse_port)
{
	entry->place.reuse_address = reuse_address;
	entry->place.reuse_port = reuse_port;
}

void ports_release(struct ports *ports, struct port_entry *entry)
{
	struct port_bucket *b = entry->bucket;
	if (!b) {
		return;
	}
	entry_unlink(entry);
	bucket_drop_if_empty(ports, b);
}

/* ---- TIME_WAIT ---- */

static void time_wait_drop_oldest(struct ports *ports)
{
	struct time_wait *t = ports->oldest;
	ports->oldest = t->next;
	if (!ports->oldest) {
		ports->newest = NULL;
	}
	ports->time_wait_count--;
	ports_release(ports, &t->entry);
	free(t);
}

static int time_wait_append(struct ports *ports, const struct port_place *place, int64_t until_ms)
{
	struct time_wait *t = calloc(1, sizeof *t);
	if (!t || entry_take(ports, &t->entry, place, PORT_TIME_WAIT) != 0) {
		free(t);
		return -ENOMEM;
	}
	t->until_ms = until_ms;
	if (ports->newest) {
		ports->newest->next = t;
	} else {
		ports->oldest = t;
	}
	ports->newest = t;
	ports->time_wait_count++;
	return 0;
}

void ports_release_time_wait(struct ports *ports, struct port_entry *entry, int64_t now_ms)
{
	if (!entry->bucket) {
		return;
	}
	/* Short of memory the port is free a minute early, which harms nobody. */
	(void)time_wait_append(ports, &entry->place, now_ms + PORTS_TIME_WAIT_MS);
	ports_release(ports, entry);
	if (ports->time_wait_count > PORTS_TIME_WAIT_MAX) {
		time_wait_drop_oldest(ports);
	}
}

int ports_restore(struct ports *ports, struct port_entry *entry, const struct port_place *place,
		  enum port_use use)
{
	return entry_take(ports, entry, place, use);
}

void ports_time_wait_each(const struct ports *ports,
			  void (*each)(void *context, const struct port_place *place,
				       int64_t until_ms),
			  void *context)
{
	for (const struct time_wait *t = ports->oldest; t; t = t->next) {
		each(context, &t->entry.place, t->until_ms);
	}
}

int ports_time_wait_restore(struct ports *ports, const struct port_place *place, int64_t until_ms)
{
	return time_wait_append(ports, place, until_ms);
}

void ports_advance(struct ports *ports, int64_t now_ms)
{
	while (ports->oldest && ports->oldest->until_ms <= now_ms) {
		time_wait_drop_oldest(ports);
	}
}

int64_t ports_deadline(const struct ports *ports)
{
	return ports->oldest ? ports->oldest->until_ms : INT64_MAX;
}

size_t ports_time_wait_count(const struct ports *ports)
{
	return ports->time_wait_count;
}

bool ports_is_used(const struct ports *ports, uint16_t port)
{
	return bucket_find(ports, port) != NULL;
}

static void page_free(struct port_bucket **page)
{
	for (size_t i = 0; page && i < PORTS_IN_PAGE; i++) {
		BUG_ON(page[i] != NULL);
	}
	free((void *)page);
}

void ports_free(struct ports *ports)
{
	if (!ports) {
		return;
	}
	while (ports->oldest) {
		time_wait_drop_oldest(ports);
	}
	for (size_t i = 0; i < PORTS_PAGES; i++) {
		page_free(ports->pages[i]);
	}
	free(ports);
}

/* ---- who gets a connection ---- */

static uint64_t tuple_hash(const struct ports *ports, const struct port_tuple *t)
{
	uint64_t words[4];
	memcpy(words, t->local, sizeof t->local);
	memcpy(words + 2, t->remote, sizeof t->remote);
	uint64_t h = mix(ports->key, (uint64_t)t->local_port << 16 | t->remote_port);
	for (size_t i = 0; i < 4; i++) {
		h = mix(h, words[i]);
	}
	return h;
}

/* 0 = does not match; an exact address before any, a listener of one family before a dual stack one
 * (as Linux's compute_score). */
static int listener_score(const struct port_entry *e, const struct port_tuple *t)
{
	if ((e->place.families & t->family) == 0) {
		return 0;
	}
	if (e->place.is_any) {
		return e->place.families == t->family ? 2 : 1;
	}
	return memcmp(e->place.address, t->local, sizeof t->local) == 0 ? 3 : 0;
}

struct port_entry *ports_lookup(const struct ports *ports, const struct port_tuple *tuple)
{
	const struct port_bucket *b = bucket_find(ports, tuple->local_port);
	int best = 0;
	uint64_t count = 0;
	struct port_entry *found = b ? b->listeners : NULL;
	for (const struct port_entry *e = found; e; e = e->next) {
		int score = listener_score(e, tuple);
		if (score > best) {
			best = score;
			count = 0;
		}
		count += score == best && score > 0;
	}
	uint64_t chosen = count > 1 ? tuple_hash(ports, tuple) % count : 0;
	for (; found && count > 0; found = found->next) {
		if (listener_score(found, tuple) == best && chosen-- == 0) {
			return found;
		}
	}
	return NULL;
}

unsigned ports_stack_users(struct port_entry *entry, int change)
{
	BUG_ON(entry->bucket == NULL);
	BUG_ON(change < 0 && entry->bucket->stack_users == 0);
	entry->bucket->stack_users += (unsigned)change;
	return entry->bucket->stack_users;
}

struct port_entry *ports_holders(const struct ports *ports, uint16_t port)
{
	const struct port_bucket *b = bucket_find(ports, port);
	return b ? b->others : NULL;
}

uint64_t ports_spread(const struct ports *ports, const struct port_tuple *tuple)
{
	return tuple_hash(ports, tuple);
}
