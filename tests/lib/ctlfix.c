/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/ctlfix.h"

#include "core/chunk.h"
#include "core/dict.h"
#include "tests/lib/check.h"

#include <stdio.h>
#include <time.h>

#define CONTROLLER_ADDRESS 0x06b812eb9aULL

/* Of this thread: what else runs on the machine does not count. */
static double cpu_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void note_since(struct ctlfix *f, double begin_ms)
{
	double took_ms = cpu_ms() - begin_ms;
	f->slowest_ms = took_ms > f->slowest_ms ? took_ms : f->slowest_ms;
}

/* ---- callbacks ----------------------------------------------------------------------------------
 */

static void on_random(void *context, void *out, size_t length)
{
	struct ctlfix *f = context;
	uint8_t *bytes = out;
	if (length == 4 && f->next_number) {
		memcpy(out, &f->next_number, 4);
		f->next_number = 0;
		return;
	}
	for (size_t i = 0; i < length; i++) {
		f->random = f->random * 6364136223846793005ULL + 1442695040888963407ULL;
		bytes[i] = (uint8_t)(f->random >> 56);
	}
}

static bool on_job(void *context, struct controller_job *job)
{
	struct ctlfix *f = context;
	if (f->job_count >= f->job_limit) {
		return false;
	}
	f->jobs[f->job_count++] = job;
	f->jobs_max_seen = f->job_count > f->jobs_max_seen ? f->job_count : f->jobs_max_seen;
	return true;
}

static struct ctlfix_sent *record(struct ctlfix *f, const void *bytes, size_t length)
{
	f->sent = realloc(f->sent, (f->sent_count + 1) * sizeof(*f->sent));
	assert_non_null(f->sent);
	struct ctlfix_sent *s = &f->sent[f->sent_count++];
	*s = (struct ctlfix_sent){ .length = length, .bytes = malloc(length + 1) };
	assert_non_null(s->bytes);
	if (length > 0) {
		memcpy(s->bytes, bytes, length);
	}
	return s;
}

static void on_config(void *context, const struct zt_reply_to *to, const void *chunk, size_t length)
{
	struct ctlfix_sent *s = record(context, chunk, length);
	s->kind = CTLFIX_CONFIG;
	s->to = *to;
}

static void on_refuse(void *context, const struct zt_reply_to *to, uint8_t code,
		      const char *login_url)
{
	struct ctlfix_sent *s = record(context, NULL, 0);
	s->kind = CTLFIX_REFUSAL;
	s->to = *to;
	s->code = code;
	(void)snprintf(s->login_url, sizeof s->login_url, "%s", login_url ? login_url : "");
}

static void on_credentials(void *context, uint64_t member, const void *payload, size_t length)
{
	struct ctlfix_sent *s = record(context, payload, length);
	s->kind = CTLFIX_CREDENTIALS;
	s->to.member = member;
}

static void on_log(void *context, enum zt_level level, const char *text)
{
	(void)context;
	(void)level;
	print_message("log: %s\n", text);
}

static const struct controller_callbacks callbacks = {
	.random = on_random,
	.job = on_job,
	.send_config = on_config,
	.refuse = on_refuse,
	.send_credentials = on_credentials,
	.log = on_log,
};

/* ---- the store ----------------------------------------------------------------------------------
 */

static const char *key_of(uint64_t nwid, uint64_t member, char out[48])
{
	(void)(member ? snprintf(out, 48, "%016llx/%010llx", (unsigned long long)nwid,
				 (unsigned long long)member)
		      : snprintf(out, 48, "%016llx", (unsigned long long)nwid));
	return out;
}

static void on_load(void *context,
		    void (*each)(void *each_context, uint64_t nwid, uint64_t member,
				 json_t *stored),
		    void *each_context)
{
	struct ctlfix *f = context;
	const char *key;
	json_t *stored;
	for (int members = 0; members < 2; members++) {
		json_object_foreach(f->store, key, stored)
		{
			const char *slash = strchr(key, '/');
			if ((slash != NULL) == members) {
				each(each_context, strtoull(key, NULL, 16),
				     slash ? strtoull(slash + 1, NULL, 16) : 0, stored);
			}
		}
	}
}

static void on_put(void *context, uint64_t nwid, uint64_t member, const json_t *stored)
{
	struct ctlfix *f = context;
	char key[48];
	f->puts++;
	(void)json_object_set_new(f->store, key_of(nwid, member, key), json_deep_copy(stored));
}

static void on_remove(void *context, uint64_t nwid, uint64_t member)
{
	struct ctlfix *f = context;
	char key[48];
	f->removes++;
	(void)json_object_del(f->store, key_of(nwid, member, key));
}

/* ---- life ---------------------------------------------------------------------------------------
 */

void ctlfix_member(uint64_t address, struct identity *out)
{
	*out = (struct identity){ .address = address };
	for (size_t i = 0; i < IDENTITY_KEY_BYTES; i++) {
		out->public_key[i] = (uint8_t)(address >> (i % 5 * 8)) ^ (uint8_t)(i * 37);
	}
}

void ctlfix_open(struct ctlfix *f, json_t *store)
{
	static struct controller_store vtable = { .load = on_load,
						  .put = on_put,
						  .remove = on_remove };
	*f = (struct ctlfix){ .job_limit = CTLFIX_JOBS_MAX,
			      .random = 1,
			      .now = { .mono_ms = 1000000, .wall_ms = 1795220600000 } };
	f->store = store ? json_incref(store) : json_object();
	f->identity.address = CONTROLLER_ADDRESS;
	f->identity.has_secret = true;
	memset(f->identity.secret, 7, sizeof(f->identity.secret));
	assert_int_equal(keypair_make(f->identity.secret, f->identity.public_key), 0);
	char text[IDENTITY_TEXT_MAX];
	vtable.context = f;
	struct controller_config config = { .identity_secret =
						identity_text(&f->identity, true, text),
					    .callbacks = &callbacks,
					    .store = &vtable,
					    .context = f };
	assert_int_equal(controller_new(&config, f->now, &f->controller), 0);
}

void ctlfix_close(struct ctlfix *f)
{
	for (size_t i = 0; i < f->job_count; i++) {
		controller_job_drop(f->jobs[i]);
	}
	controller_free(f->controller, f->now);
	ctlfix_forget_sent(f);
	json_decref(f->store);
}

void ctlfix_forget_sent(struct ctlfix *f)
{
	for (size_t i = 0; i < f->sent_count; i++) {
		free(f->sent[i].bytes);
	}
	free(f->sent);
	f->sent = NULL;
	f->sent_count = 0;
}

/* ---- running ------------------------------------------------------------------------------------
 */

static bool run_one_job(struct ctlfix *f)
{
	if (f->job_count == 0) {
		return false;
	}
	struct controller_job *job = f->jobs[0];
	for (size_t i = 1; i < f->job_count; i++) {
		f->jobs[i - 1] = f->jobs[i];
	}
	f->job_count--;
	f->jobs_run++;
	controller_job_run(job); /* the worker's time, not the loop's */
	double begin_ms = cpu_ms();
	controller_job_done(f->controller, f->now, job);
	note_since(f, begin_ms);
	return true;
}

static void tick(struct ctlfix *f)
{
	f->puts_before = f->puts;
	double begin_ms = cpu_ms();
	controller_tick(f->controller, f->now);
	note_since(f, begin_ms);
	size_t puts = f->puts - f->puts_before;
	f->max_puts_per_call = puts > f->max_puts_per_call ? puts : f->max_puts_per_call;
}

void ctlfix_settle(struct ctlfix *f)
{
	for (size_t turns = 0; turns < 100000; turns++) {
		bool is_due = controller_deadline(f->controller) <= f->now.mono_ms;
		if (is_due) {
			tick(f);
		}
		if (!run_one_job(f) && !is_due) {
			return;
		}
	}
	fail_msg("the controller never comes to rest");
}

void ctlfix_pass(struct ctlfix *f, int64_t ms)
{
	int64_t end = f->now.mono_ms + ms;
	ctlfix_settle(f);
	while (controller_deadline(f->controller) <= end) {
		int64_t step = controller_deadline(f->controller) - f->now.mono_ms;
		f->now.mono_ms += step;
		f->now.wall_ms += step;
		ctlfix_settle(f);
	}
	f->now.wall_ms += end - f->now.mono_ms;
	f->now.mono_ms = end;
}

void ctlfix_request(struct ctlfix *f, uint64_t nwid, const struct identity *member,
		    uint64_t packet_id, const char *extra)
{
	uint8_t identity[IDENTITY_BYTES];
	char metadata[1200];
	struct wr w = wr_init(identity, sizeof(identity));
	identity_write(&w, member);
	int length = snprintf(metadata, sizeof(metadata),
			      "v=7\nvend=1\npv=c\nmajv=1\nminv=e\nrevv=1\nmr=400\nmc=80\nmcr=40\n"
			      "mt=80\nf=0\nrevr=1%s%s",
			      extra ? "\n" : "", extra ? extra : "");
	struct zt_config_request request = { .nwid = nwid,
					     .member = member->address,
					     .packet_id = packet_id,
					     .identity = identity,
					     .metadata = (const uint8_t *)metadata,
					     .metadata_length = (size_t)length };
	double begin_ms = cpu_ms();
	controller_request(f->controller, f->now, &request);
	note_since(f, begin_ms);
}

json_t *ctlfix_network(struct ctlfix *f, uint64_t nwid, const char *body)
{
	json_t *json = json_loads(body, JSON_DECODE_ANY, NULL);
	assert_non_null(json);
	double begin_ms = cpu_ms();
	json_t *out = controller_network_set(f->controller, f->now, nwid, json);
	note_since(f, begin_ms);
	json_decref(json);
	return out;
}

json_t *ctlfix_set_member(struct ctlfix *f, uint64_t nwid, uint64_t member, const char *body)
{
	json_t *json = json_loads(body, JSON_DECODE_ANY, NULL);
	assert_non_null(json);
	double begin_ms = cpu_ms();
	json_t *out = controller_member_set(f->controller, f->now, nwid, member, json);
	note_since(f, begin_ms);
	json_decref(json);
	return out;
}

/* ---- looking ------------------------------------------------------------------------------------
 */

size_t ctlfix_count(const struct ctlfix *f, int kind, uint64_t member)
{
	size_t count = 0;
	for (size_t i = 0; i < f->sent_count; i++) {
		count +=
		    (int)f->sent[i].kind == kind && (member == 0 || f->sent[i].to.member == member);
	}
	return count;
}

static void chunk_of(const struct ctlfix *f, const struct ctlfix_sent *s, struct chunk *out)
{
	struct rd r = rd_init(s->bytes, s->length);
	assert_int_equal(chunk_read(&r, out), 0);
	assert_true(rd_done(&r));
	assert_true(chunk_verify(out, &f->identity));
	assert_true(out->update_id != 0);
}

struct netconf *ctlfix_config(struct ctlfix *f, uint64_t member, struct zt_reply_to *to)
{
	uint8_t *dict = calloc(1, VL2_CONFIG_MAX_BYTES);
	assert_non_null(dict);
	uint64_t update_id = 0;
	size_t have = 0, total = 0;
	for (size_t i = f->sent_count; i > 0; i--) {
		const struct ctlfix_sent *s = &f->sent[i - 1];
		struct chunk chunk;
		if (s->kind != CTLFIX_CONFIG || s->to.member != member) {
			continue;
		}
		chunk_of(f, s, &chunk);
		if (update_id == 0) {
			update_id = chunk.update_id;
			total = chunk.total_length;
			if (to) {
				*to = s->to;
			}
		}
		if (chunk.update_id == update_id) {
			memcpy(dict + chunk.offset, chunk.data, chunk.data_length);
			have += chunk.data_length;
		}
	}
	assert_true(update_id != 0);
	assert_int_equal(have, total);
	struct netconf *nc = NULL;
	assert_int_equal(netconf_parse(dict, total, &nc), 0);
	free(dict);
	assert_true(nc->has_com);
	assert_true(com_verify(&nc->com, &f->identity));
	for (size_t i = 0; i < nc->coo_count; i++) {
		assert_true(coo_verify(&nc->coos[i], &f->identity));
	}
	return nc;
}
