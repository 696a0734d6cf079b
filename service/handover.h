/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A planned restart: a successor takes over what we hold, and programs do not notice (decisions S10
 * and 200). handover.c is the predecessor's side, successor.c the other.
 *
 *   predecessor                          supervisor                 successor
 *   SPAWN + end of a channel ----------> starts it ---------------> reads its files
 *        <------------------------------------------------ HELLO ---
 *   stops for a moment
 *   STATE + memory file, DESCRIPTORS ... --------------------------> builds everything
 *        <------------------------------------------------ READY ---
 *   GO ------------------------------------------------------------> runs
 *   COMMIT ----------------------------> the service is that one
 *   ends
 *
 * Until GO the predecessor has given nothing away but copies: whatever fails, it goes on.
 */
#ifndef SERVICE_HANDOVER_H
#define SERVICE_HANDOVER_H

#include "service/handover_io.h"
#include "service/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct service;
struct zt_endpoint;

enum { HANDOVER_MAGIC = 0x5a54484f, HANDOVER_TEXT_BYTES = 256, HANDOVER_FDS_PER_MESSAGE = 128 };

enum handover_kind {
	HANDOVER_HELLO = 1, /* a: format, b: ABI of the stack, c: pid; text: version */
	HANDOVER_STATE,     /* a: bytes, b: descriptors; the memory file comes along */
	HANDOVER_FDS,       /* a: how many come along */
	HANDOVER_READY,     /* a: sockets, b: connections kept, c: connections reset */
	HANDOVER_FAIL,      /* text: a sentence */
	HANDOVER_GO,
};

struct handover_message {
	uint32_t magic, kind;
	uint64_t a, b, c;
	char text[HANDOVER_TEXT_BYTES];
};

/* 0 or -errno. */
int handover_send(int fd, const struct handover_message *m, const int *fds, size_t count);
/* Wait up to `timeout_ms` for a message; *fd is -1 or the descriptor that came. 0, -ETIMEDOUT,
 * -EPIPE (the other is gone), -EPROTO. */
int handover_receive(int from, int timeout_ms, struct handover_message *out, int *fd);

/* The same with up to *count descriptors; how many came. */
int handover_receive_fds(int from, int timeout_ms, struct handover_message *out, int *fds,
			 size_t *count);

/* ---- handover.c ---- */

struct handover;
/* Watch the supervisor. Without one (supervisor_fd -1) every restart is refused. 0 or -errno. */
int handover_new(struct service *service, struct handover **out);
void handover_free(struct handover *h);

enum handover_stage {
	HANDOVER_IDLE,
	HANDOVER_STARTING, /* the supervisor was asked */
	HANDOVER_MEETING,  /* the successor runs, HELLO is to come */
	HANDOVER_DUE,      /* at the end of this turn */
};
enum handover_stage handover_stage(const struct handover *h);
/* Begin. 0, -EALREADY, -ENOTSUP (no supervisor) or -errno. */
int handover_begin(struct handover *h);
/* How the last one ended, once for whoever asked with `wants_result`: NULL, or a sentence (false in
 * *ok), or JSON (true). */
void handover_want_result(struct handover *h);
const char *handover_result(struct handover *h, bool *ok);

void handover_on_supervisor(struct watch *w); /* WATCH_SUPERVISOR */
void handover_on_successor(struct watch *w);  /* WATCH_SUCCESSOR */
/* The end of the turn. Does not return if the service was handed over. */
void handover_advance(struct handover *h, int64_t now_ms);
int64_t handover_deadline(const struct handover *h);

/* ---- successor.c ---- */

struct inherited;
/* Introduce ourselves to the predecessor and receive what it holds. 0, or -1 with a sentence. */
int inherited_receive(struct service *service, int channel, char error[HANDOVER_TEXT_BYTES]);
/* Say that all is built, wait for GO. 0, or -1 when the predecessor goes on by itself. */
int inherited_ready(struct service *service);
/* The predecessor is told why there will be no successor. */
void inherited_fail(int channel, const char *text);
/* What is there for each module; -1 or false without a predecessor, or if it had none. */
int inherited_http(struct service *service, size_t index);
int inherited_udp(struct service *service, const struct zt_endpoint *local);
uint16_t inherited_secondary_port(const struct service *service);
int inherited_control(struct service *service, uint64_t nwid);
/* Give the node the peers. */
void inherited_peers(struct service *service);
/* Fill the networks. 0, or -1 with a sentence: one of them is not there or makes no sense. */
int inherited_networks(struct service *service, char error[HANDOVER_TEXT_BYTES]);

#endif
