/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/sim/sim.h"

#include "base/bug.h"
#include "core/identity.h"
#include "core/world.h"
#include "tests/lib/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ARENA_BYTES = 256 * 1024,
	ARENA_DATAGRAMS = 256,
	NAT_TTL = 2,             /* a datagram with so small a TTL dies beyond its own NAT */
	SPIN_LIMIT = 100000,     /* events in one millisecond: somebody runs wild */
	WALL_START = 1700000000, /* seconds */
};

enum event_kind { EVENT_DATAGRAM, EVENT_JOB, EVENT_CALL };

struct sim_event {
	int64_t at_ms;
	uint64_t serial; /* ties in order of making */
	enum event_kind kind;
	struct zt_endpoint from, to;
	const struct nat *lan; /* the datagram travels inside this NAT's network */
	uint8_t *bytes;
	size_t length;
	struct sim_node *node; /* of the job */
	struct zt_job job;
	void (*call)(void *context);
	void *context;
};

/* ---- events: a binary heap
 * ------------------------------------------------------------------------- */

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->serial < b->serial;
}

static void event_add(struct sim *sim, struct sim_event event)
{
	if (sim->event_count == sim->event_capacity) {
		sim->event_capacity = sim->event_capacity ? sim->event_capacity * 2 : 256;
		sim->heap = realloc(sim->heap, sim->event_capacity * sizeof *sim->heap);
		BUG_ON(!sim->heap);
	}
	event.serial = sim->event_serial++;
	size_t i = sim->event_count++;
	for (; i > 0 && earlier(&event, &sim->heap[(i - 1) / 2]); i = (i - 1) / 2) {
		sim->heap[i] = sim->heap[(i - 1) / 2];
	}
	sim->heap[i] = event;
}

static struct sim_event event_take(struct sim *sim)
{
	struct sim_event first = sim->heap[0];
	struct sim_event last = sim->heap[--sim->event_count];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < sim->event_count; i = child) {
		if (child + 1 < sim->event_count &&
		    earlier(&sim->heap[child + 1], &sim->heap[child])) {
			child++;
		}
		if (!earlier(&sim->heap[child], &last)) {
			break;
		}
		sim->heap[i] = sim->heap[child];
	}
	sim->heap[i] = last;
	return first;
}

/* ---- randomness and time
 * ---------------------------------------------------------------------------- */

uint64_t sim_random(struct sim *sim)
{
	/* splitmix64 */
	uint64_t z = sim->rng += 0x9e3779b97f4a7c15U;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

static bool chance(struct sim *sim, unsigned per_mille)
{
	return per_mille > 0 && sim_random(sim) % 1000 < per_mille;
}

struct zt_now sim_now(const struct sim_node *node)
{
	int64_t ms = node->sim->now_ms;
	return (struct zt_now){
		.mono_ms = ms,
		.wall_ms = WALL_START * 1000LL + ms + node->clock_skew_ms,
	};
}

struct sim *sim_new(void)
{
	struct sim *sim = calloc(1, sizeof *sim);
	BUG_ON(!sim);
	const char *seed = getenv("SIM_SEED");
	sim->seed = seed ? strtoull(seed, NULL, 0) : 1;
	sim->rng = sim->seed;
	sim->now_ms = SIM_START_MS;
	sim->link = (struct sim_link){ .delay_ms = 20 };
	sim->job_ms = 10;
	printf("# SIM_SEED=%llu\n", (unsigned long long)sim->seed);
	return sim;
}

void sim_free(struct sim *sim)
{
	for (struct sim_node *node = sim->nodes; node;) {
		struct sim_node *next = node->next;
		sim_node_stop(node);
		deadlines_release(&sim->deadlines);
		free(node->planet);
		free(node->arena.bytes);
		free(node->arena.tx);
		free(node);
		node = next;
	}
	for (size_t i = 0; i < sim->event_count; i++) {
		free(sim->heap[i].bytes);
	}
	free(sim->heap);
	free(sim->planet);
	deadlines_fini(&sim->deadlines);
	free(sim);
}

/* ---- the network
 * ------------------------------------------------------------------------------------- */

static struct sim_node *host_at(const struct sim *sim, const struct zt_endpoint *ip,
				const struct nat *lan)
{
	for (struct sim_node *n = sim->nodes; n; n = n->next) {
		if (n->nat == lan && endpoint_ip_equal(&n->ip, ip)) {
			return n;
		}
	}
	return NULL;
}

/* The NAT with that public address, found through the hosts behind it. */
static struct nat *nat_at(const struct sim *sim, const struct zt_endpoint *ip)
{
	for (struct sim_node *n = sim->nodes; n; n = n->next) {
		if (n->nat && endpoint_ip_equal(nat_public(n->nat), ip)) {
			return n->nat;
		}
	}
	return NULL;
}

static void deliver(struct sim *sim, struct sim_node *node, struct sim_event *event)
{
	size_t socket = (size_t)(event->to.port - SIM_PORT);
	if (!node || !node->zt || node->is_cut || event->to.port < SIM_PORT ||
	    socket >= node->socket_count) {
		return;
	}
	struct zt_datagram datagram = {
		.from = event->from,
		.socket = (int32_t)socket,
		.length = (uint32_t)event->length,
		.bytes = event->bytes,
	};
	node->received++;
	zt_recv(node->zt, sim_now(node), &datagram, 1);
	sim_touch(node);
	(void)sim;
}

static void arrive(struct sim *sim, struct sim_event *event)
{
	if (event->lan) {
		deliver(sim, host_at(sim, &event->to, event->lan), event);
		return;
	}
	struct nat *nat = nat_at(sim, &event->to);
	if (!nat) {
		deliver(sim, host_at(sim, &event->to, NULL), event);
		return;
	}
	struct zt_endpoint inside;
	if (nat_in(nat, sim->now_ms, &event->from, event->to.port, &inside)) {
		event->to = inside;
		deliver(sim, host_at(sim, &inside, nat), event);
	}
}

static void transmit_copy(struct sim *sim, const struct sim_event *event, const uint8_t *bytes)
{
	struct sim_event copy = *event;
	copy.at_ms = sim->now_ms + sim->link.delay_ms;
	if (sim->link.jitter_ms > 0) {
		copy.at_ms += (int64_t)(sim_random(sim) % (uint64_t)sim->link.jitter_ms);
	}
	if (chance(sim, sim->link.reorder)) {
		copy.at_ms += 3 * sim->link.delay_ms;
	}
	copy.bytes = malloc(event->length ? event->length : 1);
	BUG_ON(!copy.bytes);
	memcpy(copy.bytes, bytes, event->length);
	event_add(sim, copy);
}

/* From one socket of a host towards an address. */
static void transmit(struct sim_node *node, uint16_t port, const struct zt_tx *tx)
{
	struct sim *sim = node->sim;
	const uint8_t *bytes = node->arena.bytes + tx->offset;
	struct sim_event event = {
		.kind = EVENT_DATAGRAM,
		.from = node->ip,
		.to = tx->to,
		.length = tx->length,
	};
	event.from.port = port;
	node->sent++;
	if (node->nat && host_at(sim, &tx->to, node->nat)) {
		event.lan = node->nat; /* a neighbour: no translation */
	} else if (node->nat) {
		event.from = nat_out(node->nat, sim->now_ms, &event.from, &tx->to);
		if (endpoint_ip_equal(nat_public(node->nat), &tx->to)) {
			return; /* no hairpin */
		}
	}
	bool is_dead = tx->ttl > 0 && tx->ttl <= NAT_TTL && !event.lan;
	bool is_tapped = sim->tap && !sim->tap(sim->tap_context, node, &event.from, tx, bytes);
	if (is_dead || is_tapped || chance(sim, sim->link.loss)) {
		return;
	}
	transmit_copy(sim, &event, bytes);
	if (chance(sim, sim->link.duplicate)) {
		transmit_copy(sim, &event, bytes);
	}
}

static void arena_flush(struct sim_node *node)
{
	for (size_t i = 0; i < node->arena.tx_count; i++) {
		const struct zt_tx *tx = &node->arena.tx[i];
		for (size_t s = 0; s < node->socket_count && !node->is_cut; s++) {
			if (tx->socket == ZT_SOCKET_ALL || tx->socket == (int32_t)s) {
				transmit(node, (uint16_t)(SIM_PORT + s), tx);
			}
		}
	}
	node->arena.used = 0;
	node->arena.tx_count = 0;
}

void sim_touch(struct sim_node *node)
{
	arena_flush(node);
	int64_t due_ms = node->zt ? zt_deadline(node->zt) : INT64_MAX;
	if (due_ms == INT64_MAX) {
		deadline_clear(&node->sim->deadlines, &node->deadline);
	} else {
		deadline_set(&node->sim->deadlines, &node->deadline, due_ms);
	}
}

void sim_inject(struct sim *sim, const struct zt_endpoint *from, const struct zt_endpoint *to,
		const uint8_t *bytes, size_t length)
{
	struct sim_event event = {
		.kind = EVENT_DATAGRAM,
		.from = *from,
		.to = *to,
		.length = length,
	};
	transmit_copy(sim, &event, bytes);
}

void sim_at(struct sim *sim, int64_t at_ms, void (*call)(void *context), void *context)
{
	event_add(sim, (struct sim_event){
			   .at_ms = at_ms, .kind = EVENT_CALL, .call = call, .context = context });
}

/* ---- the nodes' callbacks
 * ---------------------------------------------------------------------------- */

static void on_random(void *context, void *out, size_t length)
{
	struct sim_node *node = context;
	uint8_t *bytes = out;
	for (size_t i = 0; i < length; i++) {
		bytes[i] = (uint8_t)sim_random(node->sim);
	}
}

static void on_log(void *context, enum zt_level level, const char *text)
{
	const struct sim_node *node = context;
	if (getenv("SIM_LOG")) {
		printf("# %9lld %010llx %d %s\n", (long long)node->sim->now_ms,
		       (unsigned long long)node->address, (int)level, text);
	}
}

static void on_arena_full(void *context)
{
	arena_flush(context);
}

static bool on_job(void *context, const struct zt_job *job)
{
	struct sim_node *node = context;
	struct sim *sim = node->sim;
	sim->jobs++;
	event_add(sim, (struct sim_event){ .at_ms = sim->now_ms + sim->job_ms,
					   .kind = EVENT_JOB,
					   .node = node,
					   .job = *job });
	return true;
}

static void on_store(void *context, enum zt_store kind, uint64_t id, const void *bytes,
		     size_t length)
{
	struct sim_node *node = context;
	(void)id;
	node->stored[kind]++;
	if (kind == ZT_STORE_PLANET) {
		free(node->planet);
		node->planet = malloc(length);
		BUG_ON(!node->planet);
		memcpy(node->planet, bytes, length);
		node->planet_length = length;
	}
}

static void on_event(void *context, const struct zt_event *event)
{
	struct sim_node *node = context;
	node->events[event->kind]++;
}

/* ---- hosts
 * ------------------------------------------------------------------------------------------- */

struct zt_endpoint sim_endpoint(const char *ip, uint16_t port)
{
	struct zt_endpoint endpoint;
	BUG_ON(!endpoint_parse(ip, &endpoint));
	endpoint.port = port;
	return endpoint;
}

static const char *identity_at(size_t index)
{
	const json_t *texts = vectors_section("identities.json", "identities");
	const char *text = json_string_value(json_array_get(texts, index));
	BUG_ON(!text);
	return text;
}

struct sim_node *sim_node_new(struct sim *sim, size_t index, const char *ip, struct nat *nat)
{
	struct sim_node *node = calloc(1, sizeof *node);
	BUG_ON(!node);
	node->sim = sim;
	(void)snprintf(node->secret, sizeof node->secret, "%s", identity_at(index));
	node->address = strtoull(node->secret, NULL, 16);
	node->ip = sim_endpoint(ip, 0);
	node->nat = nat;
	node->socket_count = 1;
	node->callbacks = (struct zt_callbacks){
		.random = on_random,
		.log = on_log,
		.arena_full = on_arena_full,
		.job = on_job,
		.store = on_store,
		.event = on_event,
	};
	node->arena = (struct zt_arena){
		.bytes = malloc(ARENA_BYTES),
		.capacity = ARENA_BYTES,
		.tx = calloc(ARENA_DATAGRAMS, sizeof(struct zt_tx)),
		.tx_capacity = ARENA_DATAGRAMS,
	};
	BUG_ON(!node->arena.bytes || !node->arena.tx);
	BUG_ON(deadlines_reserve(&sim->deadlines) != 0);
	node->next = sim->nodes;
	sim->nodes = node;
	return node;
}

static void endpoints_tell(struct sim_node *node)
{
	struct zt_endpoint endpoints[SIM_SOCKETS];
	for (size_t i = 0; i < node->socket_count; i++) {
		endpoints[i] = node->ip;
		endpoints[i].port = (uint16_t)(SIM_PORT + i);
	}
	zt_local_endpoints_set(node->zt, endpoints, node->socket_count);
	sim_touch(node);
}

void sim_node_start(struct sim_node *node)
{
	const struct sim *sim = node->sim;
	const struct zt_config config = {
		.identity_secret = node->secret,
		.planet = node->planet ? node->planet : sim->planet,
		.planet_length = node->planet ? node->planet_length : sim->planet_length,
		.loopback_ok = node->loopback_ok,
		.callbacks = &node->callbacks,
		.context = node,
		.arena = &node->arena,
	};
	BUG_ON(node->zt);
	int err = zt_node_new(&config, sim_now(node), &node->zt);
	BUG_ON(err != 0);
	endpoints_tell(node);
}

void sim_node_stop(struct sim_node *node)
{
	zt_node_free(node->zt, sim_now(node));
	node->zt = NULL;
	node->arena.used = 0;
	node->arena.tx_count = 0;
	sim_touch(node);
}

void sim_node_move(struct sim_node *node, const char *ip, struct nat *nat)
{
	node->ip = sim_endpoint(ip, 0);
	node->nat = nat;
	if (node->zt) {
		endpoints_tell(node);
	}
}

void sim_planet(struct sim *sim, struct sim_node *const *roots, size_t count)
{
	static const uint8_t secret[IDENTITY_KEY_BYTES] = { 7, 7, 7, 1, 2, 3 };
	struct world world = { .type = WORLD_TYPE_PLANET, .id = 0x73696d, .root_count = count };
	BUG_ON(keypair_make(secret, world.next_key) != 0 || count > WORLD_MAX_ROOTS);
	world.timestamp = sim->planet ? (uint64_t)sim->now_ms : 1;
	for (size_t i = 0; i < count; i++) {
		struct identity identity;
		BUG_ON(identity_parse(roots[i]->secret, &identity) != 0);
		world.roots[i].identity.address = identity.address;
		memcpy(world.roots[i].identity.public_key, identity.public_key,
		       sizeof identity.public_key);
		world.roots[i].endpoint_count = 1;
		world.roots[i].endpoints[0] = roots[i]->ip;
		world.roots[i].endpoints[0].port = SIM_PORT;
	}
	world_sign(&world, world.next_key, secret);
	uint8_t bytes[WORLD_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof bytes);
	world_write(&w, &world);
	free(sim->planet);
	sim->planet = malloc(wr_length(&w));
	BUG_ON(!sim->planet);
	memcpy(sim->planet, bytes, wr_length(&w));
	sim->planet_length = wr_length(&w);
}

/* ---- time passes
 * --------------------------------------------------------------------------------------- */

/* A hash that proves the address. */
static void hash_fake(uint64_t address, uint8_t hash[IDENTITY_HASH_BYTES])
{
	memset(hash, 0, IDENTITY_HASH_BYTES);
	for (size_t b = 0; b < 5; b++) {
		hash[59 + b] = (uint8_t)(address >> (8 * (4 - b)));
	}
}

/* All of our own identities are known to be good; only others cost a real hash. */
static void job_run(struct zt_job *job)
{
	const json_t *texts = vectors_section("identities.json", "identities");
	char *key = hex_encode(job->input, sizeof job->input);
	bool is_known = false;
	for (size_t i = 0; i < json_array_size(texts) && !is_known; i++) {
		const char *identity = json_string_value(json_array_get(texts, i));
		if (strncmp(identity + 13, key, 2 * sizeof job->input) == 0) {
			hash_fake(strtoull(identity, NULL, 16), job->output);
			is_known = true;
		}
	}
	free(key);
	if (!is_known) {
		zt_job_run(job);
	}
}

static void event_run(struct sim *sim, struct sim_event *event)
{
	switch (event->kind) {
	case EVENT_DATAGRAM:
		arrive(sim, event);
		free(event->bytes);
		break;
	case EVENT_JOB:
		if (event->node->zt) {
			job_run(&event->job);
			zt_job_done(event->node->zt, sim_now(event->node), &event->job);
			sim_touch(event->node);
		}
		break;
	case EVENT_CALL:
		event->call(event->context);
		break;
	}
}

bool sim_step(struct sim *sim)
{
	static int64_t spin_ms;
	static unsigned spin;
	int64_t tick_ms = deadlines_next(&sim->deadlines);
	int64_t event_ms = sim->event_count ? sim->heap[0].at_ms : INT64_MAX;
	int64_t next_ms = tick_ms < event_ms ? tick_ms : event_ms;
	if (next_ms == INT64_MAX) {
		return false;
	}
	sim->now_ms = next_ms > sim->now_ms ? next_ms : sim->now_ms;
	spin = sim->now_ms == spin_ms ? spin + 1 : 0;
	spin_ms = sim->now_ms;
	BUG_ON(spin > SPIN_LIMIT);
	if (event_ms <= tick_ms) {
		struct sim_event event = event_take(sim);
		event_run(sim, &event);
		return true;
	}
	struct deadline *due = deadlines_due(&sim->deadlines, sim->now_ms);
	struct sim_node *node =
	    (struct sim_node *)(void *)((char *)due - offsetof(struct sim_node, deadline));
	node->ticks++;
	zt_tick(node->zt, sim_now(node));
	sim_touch(node);
	return true;
}

static int64_t next_ms(const struct sim *sim)
{
	int64_t tick_ms = deadlines_next(&sim->deadlines);
	int64_t event_ms = sim->event_count ? sim->heap[0].at_ms : INT64_MAX;
	return tick_ms < event_ms ? tick_ms : event_ms;
}

bool sim_until(struct sim *sim, bool (*condition)(void *context), void *context, int64_t limit_ms)
{
	int64_t end_ms = sim->now_ms + limit_ms;
	while (!condition(context)) {
		if (next_ms(sim) > end_ms) {
			sim->now_ms = end_ms;
			return condition(context);
		}
		(void)sim_step(sim);
	}
	return true;
}

static bool never(void *context)
{
	(void)context;
	return false;
}

void sim_run(struct sim *sim, int64_t ms)
{
	(void)sim_until(sim, never, NULL, ms);
}

/* ---- conditions
 * ---------------------------------------------------------------------------------------- */

bool sim_is_online(void *node)
{
	struct zt_status status;
	const struct sim_node *n = node;
	zt_status(n->zt, &status);
	return status.is_online;
}

bool sim_knows(const struct sim_node *node, const struct sim_node *other)
{
	struct zt_peer_view view;
	return zt_peer_find(node->zt, sim_now(node), other->address, &view);
}

bool sim_has_path(const struct sim_node *node, const struct sim_node *other)
{
	struct zt_peer_view view;
	if (!zt_peer_find(node->zt, sim_now(node), other->address, &view)) {
		return false;
	}
	for (size_t i = 0; i < view.path_count; i++) {
		if (view.paths[i].is_active) {
			return true;
		}
	}
	return false;
}

bool sim_is_direct(void *pair)
{
	const struct sim_pair *p = pair;
	return sim_has_path(p->a, p->b) && sim_has_path(p->b, p->a);
}
