/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The controller's work per turn, bounded (decision S19): at most a few configurations are built, a
 * few jobs are under way, a few packets are sent; whatever waits makes the deadline "now". */
#include "controller/plan.h"
#include "controller/sign.h"

#include <string.h>

enum {
	TURN_COST = 64, /* in small configurations; 5 us each, 90 us with 1024 rules (measured) */
	RULES_PER_COST = 64,    /* that many rules cost as much as a small configuration */
	JOBS_IN_FLIGHT = 4,     /* leaves most of the worker's queue to others */
	TURN_REVOCATIONS = 256, /* packets */
	TURN_SAVES = 64,        /* records */
	REFUSED_RETRY_MS = 10,  /* after the worker's queue was full */
};

void queue_config(struct controller *c, struct ctl_member *m, uint64_t request_id)
{
	if (!link_is_queued(&m->queued)) {
		m->request_id = request_id;
		link_append(&c->queue, &m->queued);
	} else if (request_id != 0) {
		m->request_id = request_id;
	}
}

/* ---- building ----------------------------------------------------------------------------------
 */

static size_t cost_of(const struct netconf *nc)
{
	size_t rules = nc->rule_count;
	for (size_t i = 0; i < nc->capability_count; i++) {
		rules += nc->capabilities[i].rule_count;
	}
	return 1 + rules / RULES_PER_COST + nc->capability_count + nc->tag_count / 4;
}

/* Take the first member of the queue into the job. Returns what it cost. */
static size_t build_one(struct controller *c, struct controller_job *job)
{
	struct ctl_member *m = LINK_OWNER(c->queue.next, struct ctl_member, queued);
	link_remove(&m->queued);
	if (m->request_id == 0 && !member_evaluate(c, m)) {
		return 1;
	}
	struct netconf *nc = config_build(c, m);
	if (!nc) {
		c->callbacks->log(c->context, ZT_LOG_ERROR,
				  "controller: out of memory; a configuration was not built");
		return 1;
	}
	struct job_config *config = &job->configs[job->config_count++];
	config->nc = nc;
	config->to = (struct zt_reply_to){ .member = m->address,
					   .nwid = nc->nwid,
					   .request_id = m->request_id };
	do {
		random_bytes(c, &config->update_id, sizeof(config->update_id));
	} while (config->update_id == 0);
	return cost_of(nc);
}

static struct controller_job *next_job(struct controller *c, size_t *budget)
{
	struct controller_job *job = job_new(c);
	if (!job) {
		return NULL;
	}
	if (!link_is_empty(&c->revocations)) {
		job->batch = LINK_OWNER(c->revocations.next, struct revocation_batch, link);
		link_remove(&job->batch->link);
		return job;
	}
	while (*budget > 0 && job->config_count < JOB_CONFIGS_MAX && !link_is_empty(&c->queue)) {
		size_t cost = build_one(c, job);
		*budget -= cost < *budget ? cost : *budget;
	}
	return job;
}

/* Hand a job to the worker. False: its queue is full, the job is kept. */
static bool submit(struct controller *c, struct controller_job *job)
{
	if (!c->callbacks->job(c->context, job)) {
		c->refused_job = job;
		c->retry_at_ms = c->now.mono_ms + REFUSED_RETRY_MS;
		return false;
	}
	c->refused_job = NULL;
	c->jobs_in_flight++;
	return true;
}

static bool has_job_work(const struct controller *c)
{
	return !link_is_empty(&c->queue) || !link_is_empty(&c->revocations);
}

static void run_jobs(struct controller *c)
{
	size_t budget = TURN_COST;
	if (c->refused_job && (c->now.mono_ms < c->retry_at_ms || !submit(c, c->refused_job))) {
		return;
	}
	while (budget > 0 && c->jobs_in_flight < JOBS_IN_FLIGHT && has_job_work(c)) {
		struct controller_job *job = next_job(c, &budget);
		if (!job) {
			c->retry_at_ms = c->now.mono_ms + REFUSED_RETRY_MS;
			return;
		}
		if (!job->batch && job->config_count == 0) {
			job_free(job);
			continue;
		}
		if (!submit(c, job)) {
			return;
		}
	}
}

/* ---- results -----------------------------------------------------------------------------------
 */

/* Still wanted? The member may have been deauthorised or removed while the job ran. */
static bool is_wanted(const struct controller *c, const struct zt_reply_to *to)
{
	const struct ctl_network *n = network_find(c, to->nwid);
	const struct ctl_member *m = n ? member_find(n, to->member) : NULL;
	return m && member_is_authorized(m);
}

static void send_config(struct controller *c, const struct job_config *config)
{
	const uint8_t *chunk = config->chunks;
	if (!chunk) {
		c->callbacks->log(c->context, ZT_LOG_ERROR,
				  "controller: a configuration is too large or memory ran out; "
				  "shorten the network's rules and capabilities");
		return;
	}
	for (size_t i = 0; i < config->chunk_count && is_wanted(c, &config->to); i++) {
		c->callbacks->send_config(c->context, &config->to, chunk, config->lengths[i]);
		chunk += config->lengths[i];
	}
}

void controller_job_done(struct controller *c, struct zt_now now, struct controller_job *job)
{
	c->now = now;
	c->jobs_in_flight--;
	for (size_t i = 0; i < job->config_count; i++) {
		send_config(c, &job->configs[i]);
	}
	if (job->batch && job->batch->payload_length > 0) {
		link_append(&c->broadcasts, &job->batch->link);
		job->batch = NULL;
	}
	job_free(job);
	queue_run(c);
}

void controller_job_drop(struct controller_job *job)
{
	job->owner->jobs_in_flight--;
	job_free(job);
}

/* Who is deauthorised is also told so. ERROR needs no request to answer (vl2 3.2): without it
 * zerotier-one believes for up to 60 s more that it belongs to the network. */
static void tell_targets(struct controller *c, const struct revocation_batch *batch)
{
	for (size_t i = 0; i < batch->target_count; i++) {
		const struct zt_reply_to to = { .member = batch->targets[i].address,
						.nwid = batch->nwid };
		if (!is_wanted(c, &to)) {
			c->callbacks->refuse(c->context, &to, VL2_ERROR_ACCESS_DENIED, NULL);
		}
	}
}

static void run_broadcasts(struct controller *c)
{
	size_t budget = TURN_REVOCATIONS;
	while (budget > 0 && !link_is_empty(&c->broadcasts)) {
		struct revocation_batch *batch =
		    LINK_OWNER(c->broadcasts.next, struct revocation_batch, link);
		for (; budget > 0 && batch->sent < batch->recipient_count; budget--) {
			c->callbacks->send_credentials(c->context, batch->recipients[batch->sent++],
						       batch->payload, batch->payload_length);
		}
		if (batch->sent == batch->recipient_count) {
			tell_targets(c, batch);
			link_remove(&batch->link);
			revocation_batch_free(batch);
		}
	}
}

/* ---- the turn ----------------------------------------------------------------------------------
 */

void queue_run(struct controller *c)
{
	run_broadcasts(c);
	run_jobs(c);
	if (!link_is_empty(&c->removals) ||
	    (!link_is_empty(&c->unsaved) && c->now.mono_ms >= c->save_at_ms)) {
		records_save(c, TURN_SAVES);
	}
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t queue_deadline(const struct controller *c)
{
	int64_t deadline = INT64_MAX;
	if (!link_is_empty(&c->unsaved)) {
		deadline = c->save_at_ms;
	}
	if (!link_is_empty(&c->broadcasts) || !link_is_empty(&c->removals)) {
		return c->now.mono_ms;
	}
	if (c->refused_job) {
		return earlier(deadline, c->retry_at_ms);
	}
	if (has_job_work(c) && c->jobs_in_flight < JOBS_IN_FLIGHT) {
		return earlier(deadline, c->now.mono_ms);
	}
	return deadline; /* jobs under way wake us by controller_job_done */
}

static void free_batches(struct link *head)
{
	while (!link_is_empty(head)) {
		struct revocation_batch *batch =
		    LINK_OWNER(head->next, struct revocation_batch, link);
		link_remove(&batch->link);
		revocation_batch_free(batch);
	}
}

void queue_free(struct controller *c)
{
	job_free(c->refused_job);
	free_batches(&c->revocations);
	free_batches(&c->broadcasts);
}
