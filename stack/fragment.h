/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* IP packets as they arrived, and putting fragments of them together. */
#ifndef STACK_FRAGMENT_H
#define STACK_FRAGMENT_H

#include "stack/ipa.h"

#include <stddef.h>

struct stack;

/* A received IP packet, borrowed. */
struct packet {
	const uint8_t *bytes; /* IP header first */
	uint32_t length;      /* without what Ethernet may have added */
	const uint8_t *payload;
	uint32_t payload_length;
	struct ipa source, destination;
	uint8_t protocol, tos, ttl;
	bool is_to_many;       /* broadcast or multicast */
	bool is_authentic;     /* checksums need no check */
	const uint8_t *sender; /* MAC */
};

/* One fragment: where its payload belongs. */
struct fragment {
	uint32_t id, offset;
	bool has_more;
};

enum {
	FRAGMENT_DATAGRAMS = 16, /* being put together at once; the oldest makes room */
	FRAGMENT_PIECES = 64,    /* of one datagram: 65535 bytes at an MTU of 1280 need 54 */
	FRAGMENT_MS = 15000,     /* Linux waits 30 s and 60 s, but has memory for it */
};

struct fragment_set;

struct fragments {
	struct fragment_set *first; /* oldest first */
	uint32_t count;
};

/* Keep a fragment; when it completes its packet, packet_input() is called with that. */
void fragments_input(struct stack *s, const struct packet *p, const struct fragment *f);
void fragments_advance(struct fragments *all, int64_t now_ms);
int64_t fragments_deadline(const struct fragments *all);
void fragments_close(struct fragments *all);

#endif
