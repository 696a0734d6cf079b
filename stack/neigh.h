/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which MAC has an address of the network (decision S15). */
#ifndef STACK_NEIGH_H
#define STACK_NEIGH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NEIGH_MAX = 4096,     /* entries; the least recently used makes room */
	NEIGH_QUEUE_MAX = 64, /* packets that wait for one address: a large datagram's fragments */
	NEIGH_QUEUE_TOTAL_MAX = 256, /* packets that wait in all */
	NEIGH_ASK_MS = 1000,         /* at most one question a second and address (S15) */
	NEIGH_ASK_TRIES = 3,         /* then the address counts as unreachable, as on Linux */
	NEIGH_FRESH_MS = 60000,      /* heard of within: sure. Older: used, but asked about */
	NEIGH_HOLD_MS = 1000,        /* another MAC must not take an address over sooner */
	CONFLICT_TELL_MS = 10000,    /* RFC 5227 2.4: defend at most once in 10 s */
};

struct ipa;
struct rd;
struct stack;
struct wr;
struct neigh;
struct neigh_packet;

struct neigh_table {
	struct neigh *entries; /* grows by doubling up to NEIGH_MAX */
	uint16_t *buckets;     /* heads of chains, as many as there are entries */
	uint32_t capacity, count;
	uint16_t newest, oldest; /* ends of the list by last use */
	uint16_t recent;         /* entry of the last look-up: most traffic is to one neighbour */
	uint32_t asking;         /* entries with a question open */
	uint32_t queued;         /* packets waiting in all */
	int64_t next_ask_ms;     /* earliest deadline of those */
};

void neigh_init(struct neigh_table *t);
void neigh_close(struct neigh_table *t);
/* The MAC of `ip`, or NULL: then give the packet to neigh_wait(). Borrowed until the next call. */
const uint8_t *neigh_find(struct stack *s, const struct ipa *ip);
/* The same for a reader: nothing counts as used. False = not known. */
bool neigh_peek(const struct stack *s, const struct ipa *ip, uint8_t mac[6]);
/* Keep a copy of an IP packet until `ip` is resolved, and ask. */
void neigh_wait(struct stack *s, const struct ipa *ip, const void *packet, size_t length);
/* `mac` was heard with `ip`. `create`: make an entry if there is none. */
void neigh_learn(struct stack *s, const struct ipa *ip, const uint8_t mac[6], bool create);
/* A frame from `mac` claims our address `ip`. */
void neigh_conflict(struct stack *s, const struct ipa *ip, const uint8_t mac[6]);
/* Tell everybody our MAC. */
void neigh_announce(struct stack *s, const struct ipa *ip);
/* Repeat questions that are due; give up after NEIGH_ASK_TRIES. */
void neigh_advance(struct stack *s);
/* What was asked at `last_ms`, by an operation that did not know the time, was asked now. */
void neigh_redate(struct stack *s, int64_t last_ms);
/* What is known, as bytes for a successor (stk_tcp_state.h), and back. */
size_t neigh_export_size(const struct stack *s);
void neigh_export(const struct stack *s, struct wr *w);
void neigh_import(struct stack *s, struct rd *r);
int64_t neigh_deadline(const struct neigh_table *t);

#endif
