/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works
 *
 * A table from IP address to MAC: entries in one array, chained in a hash with a random key (a
 * member chooses its addresses) and linked by last use, so that the 4097th neighbour replaces the
 * one used longest ago. Indices instead of pointers, because the array grows by doubling; index
 * NONE ends a list.
 *
 * An entry is unknown (no MAC: packets wait, we ask everybody), fresh (heard of within a minute) or
 * old (used, while we ask its MAC whether it is still there). Traffic that we can trust keeps
 * entries fresh (ip_in.c, arp.c and ndp.c call neigh_learn), so two hosts that talk never ask.
 * Questions are repeated once a second, three times; then an unknown address is reported
 * unreachable and an old one forgotten. Nothing is timed unless a question is open.
 */
#include "stack/neigh.h"

#include "base/rd.h"
#include "base/wr.h"
#include "stack/hooks.h"
#include "stack/internal.h"

#include <errno.h>
#include <string.h>

enum { NONE = 0xffff, CAPACITY_MIN = 16 };

struct neigh_packet {
	struct neigh_packet *next;
	size_t length;
	uint8_t bytes[];
};

struct neigh {
	struct ipa ip;
	uint8_t mac[6];
	bool is_known;  /* mac is valid */
	bool is_asking; /* a question is open, or due at asked_ms + NEIGH_ASK_MS */
	uint8_t tries;  /* questions asked and not answered */
	uint8_t queued; /* length of `first` */
	uint16_t chain, newer, older;
	int64_t heard_ms; /* when mac was last confirmed */
	int64_t asked_ms; /* when we last asked */
	struct neigh_packet *first, *last;
};

void neigh_init(struct neigh_table *t)
{
	*t = (struct neigh_table){
		.newest = NONE, .oldest = NONE, .recent = NONE, .next_ask_ms = INT64_MAX
	};
}

static void packets_drop(struct neigh_table *t, struct neigh *n)
{
	while (n->first) {
		struct neigh_packet *packet = n->first;
		n->first = packet->next;
		stk_heap_free(packet);
		n->queued--;
		t->queued--;
	}
	n->last = NULL;
}

void neigh_close(struct neigh_table *t)
{
	for (uint32_t i = 0; i < t->count; i++) {
		packets_drop(t, &t->entries[i]);
	}
	stk_heap_free(t->entries);
	stk_heap_free(t->buckets);
	neigh_init(t);
}

static uint32_t bucket_of(const struct stack *s, const struct ipa *ip)
{
	uint64_t mixed = hash_siphash(s->hash_key, ip, sizeof(*ip));
	return (uint32_t)mixed & (s->neighbours.capacity - 1);
}

static void chain_in(struct stack *s, uint16_t index)
{
	struct neigh_table *t = &s->neighbours;
	uint32_t bucket = bucket_of(s, &t->entries[index].ip);
	t->entries[index].chain = t->buckets[bucket];
	t->buckets[bucket] = index;
}

static void chain_out(struct stack *s, uint16_t index)
{
	struct neigh_table *t = &s->neighbours;
	uint16_t *link = &t->buckets[bucket_of(s, &t->entries[index].ip)];
	while (*link != index) {
		link = &t->entries[*link].chain;
	}
	*link = t->entries[index].chain;
}

static void use_out(struct neigh_table *t, uint16_t index)
{
	struct neigh *n = &t->entries[index];
	*(n->newer == NONE ? &t->newest : &t->entries[n->newer].older) = n->older;
	*(n->older == NONE ? &t->oldest : &t->entries[n->older].newer) = n->newer;
}

static void use_in(struct neigh_table *t, uint16_t index)
{
	struct neigh *n = &t->entries[index];
	n->newer = NONE;
	n->older = t->newest;
	*(t->newest == NONE ? &t->oldest : &t->entries[t->newest].newer) = index;
	t->newest = index;
}

static uint16_t lookup(struct stack *s, const struct ipa *ip)
{
	struct neigh_table *t = &s->neighbours;
	if (t->recent != NONE && ipa_equal(&t->entries[t->recent].ip, ip)) {
		return t->recent;
	}
	if (t->capacity == 0) {
		return NONE;
	}
	uint16_t index = t->buckets[bucket_of(s, ip)];
	while (index != NONE && !ipa_equal(&t->entries[index].ip, ip)) {
		index = t->entries[index].chain;
	}
	if (index != NONE) {
		t->recent = index;
		if (t->newest != index) {
			use_out(t, index);
			use_in(t, index);
		}
	}
	return index;
}

/* Twice the entries, or the least recently used one made free. False: no memory, nothing changed.
 */
static bool grow(struct stack *s)
{
	struct neigh_table *t = &s->neighbours;
	uint32_t capacity = t->capacity ? t->capacity * 2 : CAPACITY_MIN;
	struct neigh *entries = stk_heap_calloc(capacity, sizeof(*entries));
	uint16_t *buckets = stk_heap_alloc(capacity * sizeof(*buckets));
	if (!entries || !buckets) {
		stk_heap_free(entries);
		stk_heap_free(buckets);
		return false;
	}
	if (t->count > 0) {
		memcpy(entries, t->entries, t->count * sizeof(*entries));
	}
	memset(buckets, 0xff, capacity * sizeof(*buckets));
	stk_heap_free(t->entries);
	stk_heap_free(t->buckets);
	t->entries = entries;
	t->buckets = buckets;
	t->capacity = capacity;
	for (uint32_t i = 0; i < t->count; i++) {
		chain_in(s, (uint16_t)i);
	}
	return true;
}

static void asking_stop(struct neigh_table *t, struct neigh *n)
{
	n->tries = 0;
	if (n->is_asking) {
		n->is_asking = false;
		t->asking--;
		if (t->asking == 0) {
			t->next_ask_ms = INT64_MAX;
		}
	}
}

/* A new entry without a MAC, or NONE without memory. */
static uint16_t add(struct stack *s, const struct ipa *ip)
{
	struct neigh_table *t = &s->neighbours;
	uint16_t index;
	if (t->count == NEIGH_MAX) {
		index = t->oldest;
		chain_out(s, index);
		use_out(t, index);
		asking_stop(t, &t->entries[index]);
		packets_drop(t, &t->entries[index]);
	} else {
		if (t->count == t->capacity && !grow(s)) {
			return NONE;
		}
		index = (uint16_t)t->count++;
	}
	t->entries[index] = (struct neigh){ .ip = *ip, .asked_ms = INT64_MIN / 2 };
	chain_in(s, index);
	use_in(t, index);
	t->recent = index;
	return index;
}

/* Ask about the entry now, or when the last question is a second old. */
static void ask(struct stack *s, struct neigh *n)
{
	struct neigh_table *t = &s->neighbours;
	t->asking += !n->is_asking;
	n->is_asking = true;
	bool is_due = s->now_ms - n->asked_ms >= NEIGH_ASK_MS;
	if (is_due) {
		n->tries++;
		n->asked_ms = s->now_ms;
	}
	if (n->asked_ms + NEIGH_ASK_MS < t->next_ask_ms) {
		t->next_ask_ms = n->asked_ms + NEIGH_ASK_MS;
	}
	if (is_due) {
		struct ipa ip = n->ip; /* asking may come back here */
		uint8_t mac[6];
		memcpy(mac, n->mac, sizeof(mac));
		const uint8_t *to = n->is_known ? mac : NULL;
		if (ipa_is_v4(&ip)) {
			arp_ask(s, ip.word[3], to);
		} else {
			ndp_ask(s, &ip, to);
		}
	}
}

bool neigh_peek(const struct stack *s, const struct ipa *ip, uint8_t mac[6])
{
	const struct neigh_table *t = &s->neighbours;
	uint16_t index = t->capacity > 0 ? t->buckets[bucket_of(s, ip)] : NONE;
	while (index != NONE && !ipa_equal(&t->entries[index].ip, ip)) {
		index = t->entries[index].chain;
	}
	if (index == NONE || !t->entries[index].is_known) {
		return false;
	}
	memcpy(mac, t->entries[index].mac, 6);
	return true;
}

const uint8_t *neigh_find(struct stack *s, const struct ipa *ip)
{
	uint16_t index = lookup(s, ip);
	if (index == NONE || !s->neighbours.entries[index].is_known) {
		return NULL;
	}
	struct neigh *n = &s->neighbours.entries[index];
	if (s->now_ms - n->heard_ms > NEIGH_FRESH_MS && !n->is_asking) {
		ask(s, n);
	}
	return n->mac;
}

void neigh_wait(struct stack *s, const struct ipa *ip, const void *packet, size_t length)
{
	struct neigh_table *t = &s->neighbours;
	uint16_t index = lookup(s, ip);
	if (index == NONE && (index = add(s, ip)) == NONE) {
		s->counts.frames_dropped++;
		return;
	}
	struct neigh *n = &t->entries[index];
	struct neigh_packet *copy = NULL;
	if (n->queued < NEIGH_QUEUE_MAX && t->queued < NEIGH_QUEUE_TOTAL_MAX) {
		copy = stk_heap_alloc(sizeof(*copy) + length);
	}
	if (copy) {
		copy->next = NULL;
		copy->length = length;
		memcpy(copy->bytes, packet, length);
		*(n->last ? &n->last->next : &n->first) = copy;
		n->last = copy;
		n->queued++;
		t->queued++;
	} else {
		s->counts.frames_dropped++;
	}
	if (!n->is_asking) {
		ask(s, n);
	}
}

void neigh_learn(struct stack *s, const struct ipa *ip, const uint8_t mac[6], bool create)
{
	struct neigh_table *t = &s->neighbours;
	uint16_t index = lookup(s, ip);
	if (index == NONE && (!create || (index = add(s, ip)) == NONE)) {
		return;
	}
	struct neigh *n = &t->entries[index];
	if (n->is_known && memcmp(n->mac, mac, 6) != 0 && s->now_ms - n->heard_ms < NEIGH_HOLD_MS) {
		return; /* two hosts with one address: no flapping for each frame */
	}
	memcpy(n->mac, mac, 6);
	n->is_known = true;
	n->heard_ms = s->now_ms;
	asking_stop(t, n);
	uint16_t ethertype = ipa_is_v4(&n->ip) ? 0x0800 : 0x86dd;
	/* Taken off first: sending may come back here. */
	struct neigh_packet *packet = n->first;
	t->queued -= n->queued;
	n->first = n->last = NULL;
	n->queued = 0;
	while (packet) {
		struct neigh_packet *next = packet->next;
		frame_send_copy(s, mac, ethertype, packet->bytes, packet->length);
		stk_heap_free(packet);
		packet = next;
	}
}

/* No answer to the last question. */
static void give_up(struct stack *s, struct neigh *n)
{
	struct ipa ip = n->ip;
	bool was_known = n->is_known;
	struct neigh_packet *packet = n->first;
	asking_stop(&s->neighbours, n);
	s->neighbours.queued -= n->queued;
	n->first = n->last = NULL;
	n->queued = 0;
	n->is_known = false; /* the next packet asks everybody again */
	/* Now the entry is in order: what follows may call us again, and move it. */
	while (packet) {
		struct neigh_packet *next = packet->next;
		icmp_report(s, packet->bytes, packet->length, EHOSTUNREACH);
		stk_heap_free(packet);
		packet = next;
	}
	if (!was_known) {
		stk_tcp_unreachable(s, &ip);
	}
}

void neigh_announce(struct stack *s, const struct ipa *ip)
{
	if (ipa_is_v4(ip)) {
		arp_announce(s, ip->word[3]);
	} else {
		ndp_announce(s, ip);
	}
}

void neigh_conflict(struct stack *s, const struct ipa *ip, const uint8_t mac[6])
{
	if (s->now_ms - s->conflict_told_ms < CONFLICT_TELL_MS) {
		return;
	}
	s->conflict_told_ms = s->now_ms;
	struct stack_ip address = ipa_name(ip, 0);
	neigh_announce(s, ip); /* the controller gave it to us: defend it */
	s->callbacks->conflict(s->context, &address, mac);
}

void neigh_advance(struct stack *s)
{
	struct neigh_table *t = &s->neighbours;
	if (s->now_ms < t->next_ask_ms) {
		return;
	}
	t->next_ask_ms = INT64_MAX;
	for (uint32_t i = 0; i < t->count; i++) {
		struct neigh *n = &t->entries[i];
		if (!n->is_asking) {
			continue;
		}
		if (s->now_ms - n->asked_ms < NEIGH_ASK_MS) {
			if (n->asked_ms + NEIGH_ASK_MS < t->next_ask_ms) {
				t->next_ask_ms = n->asked_ms + NEIGH_ASK_MS;
			}
		} else if (n->tries >= NEIGH_ASK_TRIES) {
			give_up(s, n);
		} else {
			ask(s, n);
		}
	}
}

void neigh_redate(struct stack *s, int64_t last_ms)
{
	struct neigh_table *t = &s->neighbours;
	for (uint32_t i = 0; t->asking > 0 && i < t->count; i++) {
		if (t->entries[i].is_asking && t->entries[i].asked_ms == last_ms) {
			t->entries[i].asked_ms = s->now_ms;
		}
	}
}

int64_t neigh_deadline(const struct neigh_table *t)
{
	return t->asking > 0 ? t->next_ask_ms : INT64_MAX;
}

/* ---- for a successor ---- */

enum { NEIGH_EXPORT_BYTES = sizeof(struct ipa) + 6 };

size_t neigh_export_size(const struct stack *s)
{
	return 2 + s->neighbours.count * (size_t)NEIGH_EXPORT_BYTES;
}

void neigh_export(const struct stack *s, struct wr *w)
{
	const struct neigh_table *t = &s->neighbours;
	size_t mark = wr_length(w);
	uint16_t count = 0;
	wr_u16(w, 0);
	for (uint16_t i = t->oldest; i != NONE; i = t->entries[i].newer) {
		if (t->entries[i].is_known) {
			wr_bytes(w, &t->entries[i].ip, sizeof(struct ipa));
			wr_bytes(w, t->entries[i].mac, 6);
			count++;
		}
	}
	if (!w->bad) {
		w->start[mark] = (uint8_t)(count >> 8);
		w->start[mark + 1] = (uint8_t)count;
	}
}

void neigh_import(struct stack *s, struct rd *r)
{
	for (uint16_t count = rd_u16(r); count > 0 && !r->bad; count--) {
		struct ipa ip;
		uint8_t mac[6];
		rd_copy(r, &ip, sizeof(ip));
		rd_copy(r, mac, sizeof(mac));
		if (!r->bad && ipa_is_unicast(&ip) && (mac[0] & 1) == 0 && !addr_find(s, &ip)) {
			neigh_learn(s, &ip, mac, true);
		}
	}
}
