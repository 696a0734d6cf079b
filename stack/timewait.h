/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TIME-WAIT without a connection (RFC 9293 3.6.1, decisions S5 and S12). */
#ifndef STACK_TIMEWAIT_H
#define STACK_TIMEWAIT_H

#include "stack/ipa.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TIMEWAIT_MS = 60000,      /* as Linux */
	TIMEWAIT_MAX = 32768,     /* 72 bytes each; beyond, the oldest gives way */
	TIMEWAIT_REUSE_MS = 1000, /* so old, a connection of ours may take the names again */
};

/* The four names of a connection. */
struct timewait_names {
	struct ipa local, remote;
	uint16_t local_port, remote_port;
};

struct timewait {
	struct timewait_names names;
	uint32_t send_next, receive_next; /* sequence numbers */
	uint16_t window;                  /* as last advertised, scaled */
	uint32_t since_ms;                /* low bits of the clock; all live equally long */
	uint32_t chain, newer, older;     /* indices + 1; 0 = none. A free one uses `chain`. */
};

struct timewaits {
	struct timewait *entries;
	uint32_t *buckets; /* as many as entries, a power of two: index + 1 */
	uint32_t capacity, count;
	uint32_t oldest, newest, free; /* indices + 1 */
};

struct rd;
struct stack;
struct wr;

/* Remember a connection; one with these names already there is replaced. False: no memory. */
bool timewait_add(struct stack *s, const struct timewait *fresh);
struct timewait *timewait_find(struct stack *s, const struct timewait_names *names);
/* It begins anew, as if it had just been added. */
void timewait_refresh(struct stack *s, struct timewait *t);
void timewait_remove(struct stack *s, struct timewait *t);
void timewait_advance(struct stack *s);
/* INT64_MAX = never */
int64_t timewait_deadline(const struct stack *s);
void timewait_close(struct stack *s);
/* All of them as bytes for a successor (stk_tcp_state.h), and back; with their age. */
size_t timewait_export_size(const struct stack *s);
void timewait_export(const struct stack *s, struct wr *w);
void timewait_import(struct stack *s, struct rd *r);

#endif
