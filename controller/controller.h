/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The network controller as a pure state machine over a store (vl2 9). No I/O, no clock.
 *
 * Records are JSON objects (jansson) exactly as they lie in controller.d and as the API shows them.
 * Only changed records are saved, coalesced for a second; configurations are built here and signed
 * by jobs on another thread (decision S19).
 */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include "core/zt.h"

#include <jansson.h>

struct controller;

/* Where records live. Calls are made from the controller's functions only; get and list at
 * creation. */
struct controller_store {
	void *context;
	/* Call `each` for every stored record; member 0 = the network's own record. The controller
	 * takes no reference. Malformed files are the store's business (log, skip, leave alone). */
	void (*load)(void *context,
		     void (*each)(void *each_context, uint64_t nwid, uint64_t member,
				  json_t *record),
		     void *each_context);
	/* Replace a record on disk (asynchronously is fine). Borrowed. */
	void (*put)(void *context, uint64_t nwid, uint64_t member, const json_t *record);
	/* Remove a record. A network's own goes first, its members' follow a bounded number per
	 * turn. */
	void (*remove)(void *context, uint64_t nwid, uint64_t member);
};

/* A batch of signing work: what it signs is copied in, so it runs on any thread. */
struct controller_job;
void controller_job_run(struct controller_job *job);

struct controller_callbacks {
	void (*random)(void *context, void *out, size_t length);
	/* Run the job elsewhere, then controller_job_done. False = queue full: tried again later.
	 */
	bool (*job)(void *context, struct controller_job *job);
	/* The controller's answers: hand them to zt_config_send, zt_config_refuse,
	 * zt_credentials_send. */
	void (*send_config)(void *context, const struct zt_reply_to *to, const void *chunk,
			    size_t length);
	/* login_url: where to sign on, for code 9 if the network names one; else NULL */
	void (*refuse)(void *context, const struct zt_reply_to *to, uint8_t code,
		       const char *login_url);
	void (*send_credentials)(void *context, uint64_t member, const void *payload,
				 size_t length);
	void (*log)(void *context, enum zt_level level, const char *text);
};

struct controller_config {
	const char *identity_secret;                  /* the node's, text form */
	const struct controller_callbacks *callbacks; /* must outlive the controller */
	const struct controller_store *store;
	void *context;
};

int controller_new(const struct controller_config *config, struct zt_now now,
		   struct controller **out) ZT_MUST_CHECK;
/* Saves what is unsaved through the store, now. */
void controller_save(struct controller *c);
/* Saves what is unsaved through the store, frees. Jobs under way must be done or dropped before
 * (controller_job_drop). */
void controller_free(struct controller *controller, struct zt_now now);

void controller_request(struct controller *controller, struct zt_now now,
			const struct zt_config_request *request);
void controller_job_done(struct controller *controller, struct zt_now now,
			 struct controller_job *job);
void controller_job_drop(struct controller_job *job);
void controller_tick(struct controller *controller, struct zt_now now);
/* When controller_tick is next wanted, monotonic; INT64_MAX = not before something happens. */
int64_t controller_deadline(const struct controller *controller);

/* ---- the API's side (vl2 9.7). Returned objects are new references; NULL = no such object.
 * ------- */

json_t *controller_networks(const struct controller *controller); /* array of id strings */
json_t *controller_network_get(const struct controller *controller, uint64_t nwid);
/* Create or update. nwid 0 = a fresh random number of ours. body: any JSON; a non-object counts as
 * {}. */
json_t *controller_network_set(struct controller *controller, struct zt_now now, uint64_t nwid,
			       const json_t *body);
json_t *controller_network_delete(struct controller *controller, struct zt_now now, uint64_t nwid);
json_t *controller_members(const struct controller *controller,
			   uint64_t nwid); /* {addr: revision} */
json_t *controller_member_get(const struct controller *controller, uint64_t nwid, uint64_t member);
json_t *controller_member_set(struct controller *controller, struct zt_now now, uint64_t nwid,
			      uint64_t member, const json_t *body);
json_t *controller_member_delete(struct controller *controller, struct zt_now now, uint64_t nwid,
				 uint64_t member);
/* What /metrics tells. Counted since the start, but for the first two. */
struct controller_stats {
	uint64_t networks, members;
	uint64_t network_changes, member_changes, auths, deauths, requests;
	uint64_t queued; /* configurations to build now */
};
void controller_stats(const struct controller *controller, struct controller_stats *out);
/* The member whose record has this address on that network; 0 = none. */
uint64_t controller_member_of_ip(const struct controller *controller, uint64_t nwid,
				 const char *ip);
/* /unstable forms with data and meta. */
json_t *controller_networks_full(const struct controller *controller);
json_t *controller_members_full(const struct controller *controller, uint64_t nwid);

#endif
