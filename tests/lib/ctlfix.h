/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A controller in a test: a store in memory, a clock that the test moves, every answer recorded. */
#ifndef TESTS_LIB_CTLFIX_H
#define TESTS_LIB_CTLFIX_H

#include "controller/controller.h"
#include "core/identity.h"
#include "core/netconf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CTLFIX_JOBS_MAX = 64 };

/* One thing that the controller sent. */
struct ctlfix_sent {
	enum { CTLFIX_CONFIG, CTLFIX_REFUSAL, CTLFIX_CREDENTIALS } kind;
	struct zt_reply_to to; /* credentials: member alone */
	uint8_t code;          /* refusal */
	char login_url[64];
	uint8_t *bytes; /* chunk or payload */
	size_t length;
};

struct ctlfix {
	struct controller *controller;
	struct identity identity; /* with secret, address 06b812eb9a as in the transcripts */
	struct zt_now now;
	json_t *store; /* "nwid" or "nwid/member" -> record */
	size_t puts, removes;
	size_t max_puts_per_call, puts_before;
	struct ctlfix_sent *sent;
	size_t sent_count;
	struct controller_job *jobs[CTLFIX_JOBS_MAX];
	size_t job_count, job_limit, jobs_max_seen, jobs_run;
	uint64_t random;      /* state of the generator */
	uint32_t next_number; /* not 0: what the next 4 random bytes are */
	double slowest_ms;    /* processor time of the longest call into the controller */
};

/* A controller over `store` (borrowed while it lives, NULL = empty); time starts at 1795220600000.
 */
void ctlfix_open(struct ctlfix *f, json_t *store);
void ctlfix_close(struct ctlfix *f);

/* Tick at the deadlines and run the jobs until nothing is left to do now. */
void ctlfix_settle(struct ctlfix *f);
/* Let time pass, ticking at every deadline on the way. */
void ctlfix_pass(struct ctlfix *f, int64_t ms);
void ctlfix_forget_sent(struct ctlfix *f);

/* A public identity of this address; nobody checks its proof of work. */
void ctlfix_member(uint64_t address, struct identity *out);
/* The member asks, as a 1.14.1 node does; `extra` is appended to the metadata (or NULL). */
void ctlfix_request(struct ctlfix *f, uint64_t nwid, const struct identity *member,
		    uint64_t packet_id, const char *extra);
/* Set from JSON text; returns the record (new reference). */
json_t *ctlfix_network(struct ctlfix *f, uint64_t nwid, const char *body);
json_t *ctlfix_set_member(struct ctlfix *f, uint64_t nwid, uint64_t member, const char *body);

/* The configuration in the chunks sent last to a member, signatures checked; fails the test if
 * there is none. Free with netconf_free. *to = where it went (may be NULL). */
struct netconf *ctlfix_config(struct ctlfix *f, uint64_t member, struct zt_reply_to *to);
/* How many of the kind were sent to the member (0 = to anybody). */
size_t ctlfix_count(const struct ctlfix *f, int kind, uint64_t member);

#endif
