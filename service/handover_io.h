/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The bytes and descriptors of a hand-over (decision 201): sections of tag, length and contents,
 * big-endian; a descriptor is written as its place in the list that travels beside the bytes. */
#ifndef SERVICE_HANDOVER_IO_H
#define SERVICE_HANDOVER_IO_H

#include "base/rd.h"
#include "base/wr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HANDOVER_FORMAT = 1, /* of the sections; raised when an older reader would misread them */
	HANDOVER_NO_FD = 0xffffffff,
};

enum handover_tag {
	HANDOVER_SERVICE = 1, /* ports, lock, API sockets, boot id */
	HANDOVER_UDP,         /* one transport socket */
	HANDOVER_PEER,        /* a record as in peers.d */
	HANDOVER_NETWORK,     /* begins a network: what follows is of it, until the next */
	HANDOVER_CLIENT,      /* a control connection of the library */
	HANDOVER_VSOCK,       /* a virtual socket */
	HANDOVER_QUEUE,       /* who waits at a listener, in order */
	HANDOVER_TIME_WAIT,   /* a port that rests */
	HANDOVER_STACK,       /* what the stack keeps beside the sockets' connections */
};

/* Grows as it is written. Short of memory `is_bad` stays set. Descriptors are borrowed. */
struct handover_out {
	uint8_t *bytes;
	size_t length, capacity;
	int *fds;
	size_t fd_count, fd_capacity;
	bool is_bad;
};

void handover_out_free(struct handover_out *out);
/* A section of at most `room` bytes: fill the writer, then end it with the same writer. */
struct wr handover_begin_section(struct handover_out *out, enum handover_tag tag, size_t room);
void handover_end_section(struct handover_out *out, struct wr *w);
/* The descriptor's place; HANDOVER_NO_FD for -1. */
void handover_write_fd(struct handover_out *out, struct wr *w, int fd);

/* What a successor got; owned: descriptors that nobody took are closed in the end. */
struct handover_in {
	const uint8_t *bytes; /* a mapping */
	size_t length;
	int *fds;
	size_t fd_count;
};

void handover_in_free(struct handover_in *in);
/* The next section; false at the end, or if the rest is malformed (then sections->bad). */
bool handover_next_section(struct rd *sections, enum handover_tag *tag, struct rd *contents);
/* Take the descriptor that is named next; it is the caller's. -1 = none, or taken already. */
int handover_read_fd(struct handover_in *in, struct rd *r);

#endif
