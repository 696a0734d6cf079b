/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Hosts and the nodes in them: what the nodes call, how they start, stop and move. */
#include "base/bug.h"
#include "core/identity.h"
#include "core/world.h"
#include "tests/lib/vectors.h"
#include "tests/sim/sim_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ARENA_BYTES = 256 * 1024,
	ARENA_DATAGRAMS = 256,
};

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
	sim_flush(context);
}

static bool on_job(void *context, const struct zt_job *job)
{
	struct sim_node *node = context;
	struct sim *sim = node->sim;
	sim->jobs++;
	sim_event_add(sim, (struct sim_event){ .at_ms = sim->now_ms + sim->job_ms,
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
