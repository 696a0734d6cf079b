/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works
 *
 * A connection that was closed from here first stays known for a minute, to answer a FIN whose
 * acknowledgement was lost and to keep its names from being used for what old segments could
 * disturb. Of all that lwIP keeps for a connection that takes two sequence numbers and the names,
 * so it is moved here (stk_tcp_timer.c) and its pcb freed. What arrives for it is answered by
 * stk_tcp_timewait.c.
 *
 * Entries lie in one array, found by a chained hash of the same size and queued by age: all live
 * equally long, so the oldest is always next. Both double as they fill up and are freed when the
 * last entry goes. The clock is looked at once a second at most: an entry may live a second longer,
 * and ten thousand of them wake nobody ten thousand times.
 */
#include "stack/timewait.h"

#include "base/rd.h"
#include "base/wr.h"
#include "stack/hooks.h"
#include "stack/internal.h"

enum { CAPACITY_FIRST = 64, TICK_MS = 1000 };

static uint32_t *bucket_of(const struct stack *s, const struct timewait_names *names)
{
	uint64_t hash = hash_siphash(s->hash_key, names, sizeof(*names));
	return &s->timewaits.buckets[hash & (s->timewaits.capacity - 1)];
}

static bool names_equal(const struct timewait_names *a, const struct timewait_names *b)
{
	return a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       ipa_equal(&a->remote, &b->remote) && ipa_equal(&a->local, &b->local);
}

static uint32_t number_of(const struct timewaits *w, const struct timewait *t)
{
	return (uint32_t)(t - w->entries) + 1;
}

static struct timewait *numbered(const struct timewaits *w, uint32_t number)
{
	return number ? &w->entries[number - 1] : NULL;
}

static void queue_in(struct timewaits *w, struct timewait *t)
{
	uint32_t number = number_of(w, t);
	t->newer = 0;
	t->older = w->newest;
	if (t->older) {
		numbered(w, t->older)->newer = number;
	} else {
		w->oldest = number;
	}
	w->newest = number;
}

static void queue_out(struct timewaits *w, const struct timewait *t)
{
	*(t->older ? &numbered(w, t->older)->newer : &w->oldest) = t->newer;
	*(t->newer ? &numbered(w, t->newer)->older : &w->newest) = t->older;
}

static void chain_in(struct stack *s, struct timewait *t)
{
	uint32_t *bucket = bucket_of(s, &t->names);
	t->chain = *bucket;
	*bucket = number_of(&s->timewaits, t);
}

/* Twice as many. Indices stay, so the queue does; the hash is made anew. */
static bool grow(struct stack *s)
{
	struct timewaits *w = &s->timewaits;
	uint32_t capacity = w->capacity ? w->capacity * 2 : CAPACITY_FIRST;
	struct timewait *entries = stk_heap_calloc(capacity, sizeof(*entries));
	uint32_t *buckets = stk_heap_calloc(capacity, sizeof(*buckets));
	if (!entries || !buckets) {
		stk_heap_free(entries);
		stk_heap_free(buckets);
		return false;
	}
	if (w->count > 0) {
		memcpy(entries, w->entries, w->capacity * sizeof(*entries));
	}
	stk_heap_free(w->entries);
	stk_heap_free(w->buckets);
	w->entries = entries;
	w->buckets = buckets;
	uint32_t old_capacity = w->capacity;
	w->capacity = capacity;
	for (uint32_t i = w->oldest; i != 0; i = numbered(w, i)->newer) {
		chain_in(s, numbered(w, i));
	}
	for (uint32_t i = capacity; i > old_capacity; i--) {
		entries[i - 1].chain = w->free;
		w->free = i;
	}
	return true;
}

struct timewait *timewait_find(struct stack *s, const struct timewait_names *names)
{
	struct timewaits *w = &s->timewaits;
	if (w->count == 0) {
		return NULL;
	}
	struct timewait *t = numbered(w, *bucket_of(s, names));
	while (t && !names_equal(&t->names, names)) {
		t = numbered(w, t->chain);
	}
	return t;
}

void timewait_remove(struct stack *s, struct timewait *t)
{
	struct timewaits *w = &s->timewaits;
	uint32_t number = number_of(w, t), *at = bucket_of(s, &t->names);
	while (*at != number) {
		at = &numbered(w, *at)->chain;
	}
	*at = t->chain;
	queue_out(w, t);
	t->chain = w->free;
	w->free = number;
	if (--w->count == 0) {
		timewait_close(s);
	}
}

void timewait_refresh(struct stack *s, struct timewait *t)
{
	queue_out(&s->timewaits, t);
	queue_in(&s->timewaits, t);
	t->since_ms = (uint32_t)s->now_ms;
}

bool timewait_add(struct stack *s, const struct timewait *fresh)
{
	struct timewaits *w = &s->timewaits;
	struct timewait *t = timewait_find(s, &fresh->names);
	if (t) {
		timewait_remove(s, t);
	}
	if (w->count == TIMEWAIT_MAX) {
		timewait_remove(s, numbered(w, w->oldest));
	}
	if (w->free == 0 && !grow(s)) {
		return false;
	}
	t = numbered(w, w->free);
	w->free = t->chain;
	*t = *fresh;
	t->since_ms = (uint32_t)s->now_ms;
	chain_in(s, t);
	queue_in(w, t);
	w->count++;
	return true;
}

static uint32_t age_of(const struct stack *s, const struct timewait *t)
{
	return (uint32_t)s->now_ms - t->since_ms;
}

void timewait_advance(struct stack *s)
{
	struct timewait *t;
	while ((t = numbered(&s->timewaits, s->timewaits.oldest)) != NULL &&
	       age_of(s, t) >= TIMEWAIT_MS) {
		timewait_remove(s, t);
	}
}

int64_t timewait_deadline(const struct stack *s)
{
	const struct timewait *t = numbered(&s->timewaits, s->timewaits.oldest);
	if (!t) {
		return INT64_MAX;
	}
	int64_t due_ms = s->now_ms + TIMEWAIT_MS - (int64_t)age_of(s, t);
	return (due_ms + TICK_MS - 1) / TICK_MS * TICK_MS;
}

void timewait_close(struct stack *s)
{
	stk_heap_free(s->timewaits.entries);
	stk_heap_free(s->timewaits.buckets);
	s->timewaits = (struct timewaits){ .count = 0 };
}

/* ---- for a successor ---- */

enum { EXPORT_BYTES = sizeof(struct timewait_names) + 14 };

size_t timewait_export_size(const struct stack *s)
{
	return 4 + s->timewaits.count * (size_t)EXPORT_BYTES;
}

void timewait_export(const struct stack *s, struct wr *w)
{
	const struct timewaits *all = &s->timewaits;
	wr_u32(w, all->count);
	for (const struct timewait *t = numbered(all, all->oldest); t;
	     t = numbered(all, t->newer)) {
		wr_bytes(w, &t->names, sizeof(t->names));
		wr_u32(w, t->send_next);
		wr_u32(w, t->receive_next);
		wr_u16(w, t->window);
		wr_u32(w, t->since_ms);
	}
}

/* Oldest first, as they were written, so that the queue stays one. */
void timewait_import(struct stack *s, struct rd *r)
{
	for (uint32_t count = rd_u32(r); count > 0 && !r->bad; count--) {
		struct timewait fresh = { .chain = 0 };
		rd_copy(r, &fresh.names, sizeof(fresh.names));
		fresh.send_next = rd_u32(r);
		fresh.receive_next = rd_u32(r);
		fresh.window = rd_u16(r);
		fresh.since_ms = rd_u32(r);
		if (!r->bad && age_of(s, &fresh) < TIMEWAIT_MS && timewait_add(s, &fresh)) {
			numbered(&s->timewaits, s->timewaits.newest)->since_ms = fresh.since_ms;
		}
	}
}
