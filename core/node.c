/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The node's life: made, ticked, freed; and the services its modules share.
 *
 * How this works: everything that must happen later is a struct deadline in one heap; VL2 answers
 * for its own through vl2_deadline. zt_deadline is the smaller of the two, so a host sleeps exactly
 * until something is due, and zt_tick does nothing when nothing is.
 */
#include "core/node.h"

#include "base/bug.h"
#include "core/checks.h"
#include "core/extended.h"
#include "core/keep.h"
#include "core/keepalive.h"
#include "core/mem.h"
#include "core/moon.h"
#include "core/packet.h"
#include "core/peer_impl.h"
#include "core/peercache.h"
#include "core/reach.h"
#include "core/relay.h"
#include "core/upstream.h"
#include "core/vl2.h"
#include "core/waiting.h"
#include "core/whois.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

/* Nodes validated before that say HELLO again, and pass no other gate: a key agreement each. */
enum { RETURNS_PER_SECOND = 500 };
/* The same price, for packets in extended armour (vl1 5.7). */
enum { DISCLOSED_PER_SECOND = 500 };

/* Every packet takes a random id, and the host's generator may be a system call: fetch many. */
enum { ID_STOCK = 128 };
struct node_ids {
	size_t left;
	uint64_t values[ID_STOCK];
};

/* ---- making and freeing
 * --------------------------------------------------------------------------- */

/* Deadlines that lie in the node itself, not in peers. */
static int fixed_deadlines_reserve(struct zt_node *node)
{
	enum { FIXED = 4 };
	node->due_online.kind = DUE_ONLINE;
	for (int i = 0; i < FIXED; i++) {
		if (deadlines_reserve(&node->deadlines) != 0) {
			return ZT_E_NO_MEMORY;
		}
	}
	return 0;
}

static int parts_new(struct zt_node *node)
{
	node->paths = paths_new(PATHS_MAX);
	node->expect = expect_new();
	node->frags = frag_table_new();
	node->keep = keep_new();
	node->waiting = waiting_new();
	node->whois = whois_new();
	node->checks = checks_new();
	node->reach = reach_new();
	node->relay = relay_new();
	node->validated = validated_new();
	node->neighbours = zt_calloc(1, sizeof *node->neighbours);
	node->expanded = zt_malloc(PACKET_MAX_BYTES);
	node->ids = zt_calloc(1, sizeof *node->ids);
	node->moons = moons_new();
	node->extended = extended_new();
	if (!node->paths || !node->expect || !node->frags || !node->keep || !node->waiting ||
	    !node->whois || !node->checks || !node->reach || !node->relay || !node->validated ||
	    !node->neighbours || !node->expanded || !node->ids || !node->extended || !node->moons) {
		return ZT_E_NO_MEMORY;
	}
	limit_bucket_init(&node->returning, RETURNS_PER_SECOND, RETURNS_PER_SECOND);
	limit_bucket_init(&node->disclosing, DISCLOSED_PER_SECOND, DISCLOSED_PER_SECOND);
	int err = fixed_deadlines_reserve(node);
	return err ? err : vl2_new(node);
}

static int planet_load(struct zt_node *node, struct zt_now now, const struct zt_config *config)
{
	struct rd r = rd_init(config->planet, config->planet_length);
	struct world world;
	if (world_read(&r, &world) != 0 || !rd_done(&r) || world.type != WORLD_TYPE_PLANET ||
	    world.id == 0) {
		return ZT_E_MALFORMED;
	}
	return upstream_planet_set(node, now, &world);
}

static void parts_free(struct zt_node *node)
{
	if (node->vl2) {
		vl2_free(node);
	}
	moons_free(node->moons);
	extended_free(node->extended);
	zt_free(node->ids);
	zt_free(node->expanded);
	zt_free(node->neighbours);
	validated_free(node->validated);
	relay_free(node->relay);
	reach_free(node->reach);
	checks_free(node->checks);
	whois_free(node->whois);
	waiting_free(node->waiting);
	keep_free(node->keep);
	frag_table_free(node->frags);
	expect_free(node->expect);
	paths_free(node->paths);
	peers_fini(&node->peers);
	deadlines_fini(&node->deadlines);
	identity_wipe(&node->identity);
	zt_free(node);
}

static void peers_forget(struct zt_node *node)
{
	for (struct peer *peer; (peer = peers_at(&node->peers, 0));) {
		peer_forget(node, peer);
	}
}

int zt_node_new(const struct zt_config *config, struct zt_now now, struct zt_node **out)
{
	if (sodium_init() < 0) {
		return ZT_E_NO_CRYPTO;
	}
	struct zt_node *node = zt_calloc(1, sizeof *node);
	if (!node) {
		return ZT_E_NO_MEMORY;
	}
	node->callbacks = config->callbacks;
	node->context = config->context;
	node->arena = config->arena;
	node->loopback_ok = config->loopback_ok;
	int err = identity_parse(config->identity_secret, &node->identity);
	if (err || !node->identity.has_secret) {
		err = ZT_E_BAD_IDENTITY;
		goto fail;
	}
	err = parts_new(node);
	if (!err && config->planet) {
		err = planet_load(node, now, config);
	}
	if (err) {
		goto fail;
	}
	*out = node;
	return 0;
fail:
	peers_forget(node);
	parts_free(node);
	return err;
}

void zt_node_free(struct zt_node *node, struct zt_now now)
{
	(void)now;
	if (!node) {
		return;
	}
	peers_forget(node);
	parts_free(node);
}

/* ---- time
 * ----------------------------------------------------------------------------------------- */

static void run_due(struct zt_node *node, struct zt_now now, struct deadline *due)
{
	switch (due->kind) {
	case DUE_PEER: {
		struct peer *peer =
		    (struct peer *)(void *)((char *)due - offsetof(struct peer, deadline));
		keepalive_due(node, now, peer);
		break;
	}
	case DUE_ONLINE:
		upstream_online_due(node, now);
		break;
	case DUE_WHOIS:
		whois_due(node, now);
		break;
	case DUE_WAITING:
		waiting_due(node, now);
		break;
	case DUE_MOON:
		moon_due(node, now);
		break;
	default:
		BUG_ON("a deadline of unknown kind");
	}
}

void zt_tick(struct zt_node *node, struct zt_now now)
{
	/* What runs may set deadlines that are due at once: they wait for the next tick, so that no
	 * mistake can keep us here for ever. */
	size_t budget = node->deadlines.count;
	for (struct deadline *due;
	     budget > 0 && (due = deadlines_due(&node->deadlines, now.mono_ms)); budget--) {
		run_due(node, now, due);
	}
	if (vl2_deadline(node) <= now.mono_ms) {
		vl2_tick(node, now);
	}
}

int64_t zt_deadline(const struct zt_node *node)
{
	int64_t vl1_ms = deadlines_next(&node->deadlines);
	int64_t vl2_ms = vl2_deadline(node);
	return vl1_ms < vl2_ms ? vl1_ms : vl2_ms;
}

void zt_job_done(struct zt_node *node, struct zt_now now, const struct zt_job *job)
{
	if (job->kind == ZT_JOB_IDENTITY_HASH) {
		checks_done(node, now, job);
		keep_run(node, now);
	}
}

/* ---- what the host knows
 * ---------------------------------------------------------------------------- */

void zt_local_endpoints_set(struct zt_node *node, const struct zt_endpoint *endpoints, size_t count)
{
	if (reach_local_set(node->reach, endpoints, count)) {
		keepalive_soon(node);
	}
}

void zt_socket_gone(struct zt_node *node, int32_t socket)
{
	for (size_t i = 0; i < node->peers.count; i++) {
		struct peer *peer = node->peers.sorted[i];
		for (size_t j = peer->path_count; j-- > 0;) {
			if (peer->paths[j].path->socket == socket) {
				peer_path_remove(peer, j);
			}
		}
	}
	keepalive_soon(node);
}

void zt_physical_set(struct zt_node *node, const struct zt_physical *list, size_t count)
{
	paths_physical_set(node->paths, list, count);
}

void zt_low_bandwidth_set(struct zt_node *node, bool is_low)
{
	node->is_low_bandwidth = is_low;
}

int zt_peer_restore(struct zt_node *node, struct zt_now now, const void *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct peercache record;
	int err = peercache_read(&r, &record);
	if (err) {
		return err;
	}
	struct peer *peer = peers_find(&node->peers, record.identity.address);
	if (peer && !identity_equal(&peer->identity, &record.identity)) {
		return ZT_E_EXISTS;
	}
	if (!peer) {
		/* Written by us after its hash was checked. */
		validated_add(node->validated, &record.identity);
		err = peer_add(node, now, &record.identity, NULL, &peer);
		if (err) {
			return err;
		}
	}
	peer->version = (struct version){ .protocol = (uint8_t)record.protocol,
					  .major = (uint8_t)record.major,
					  .minor = (uint8_t)record.minor,
					  .revision = record.revision };
	peer->has_version = record.protocol > 0;
	for (size_t i = 0; i < record.path_count; i++) {
		const struct tx_to to = { .to = record.paths[i], .socket = ZT_SOCKET_ALL };
		if (reach_allows(node, peer, &to.to, true)) {
			contact_hello(node, now, peer, &to, false);
		}
	}
	return 0;
}

/* ---- services for VL1 and VL2 files
 * ------------------------------------------------------------------ */

struct vl2 *node_vl2(const struct zt_node *node)
{
	return node->vl2;
}

void node_vl2_set(struct zt_node *node, struct vl2 *vl2)
{
	node->vl2 = vl2;
}

uint64_t node_address(const struct zt_node *node)
{
	return node->identity.address;
}

bool node_is_root(const struct zt_node *node)
{
	return node->is_root;
}

const struct identity *node_identity(const struct zt_node *node)
{
	return &node->identity;
}

void node_count(struct zt_node *node, enum zt_counter counter)
{
	node->counters[counter]++;
}

void node_count_many(struct zt_node *node, enum zt_counter counter, uint64_t n)
{
	node->counters[counter] += n;
}

void node_log(const struct zt_node *node, enum zt_level level, const char *format, ...)
{
	if (!node->callbacks->log) {
		return;
	}
	char text[512];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (length >= 0) {
		node->callbacks->log(node->context, level, text);
	}
}

void node_random(const struct zt_node *node, void *out, size_t length)
{
	node->callbacks->random(node->context, out, length);
}

uint64_t node_random_u64(const struct zt_node *node)
{
	struct node_ids *ids = node->ids;
	if (ids->left == 0) {
		node_random(node, ids->values, sizeof ids->values);
		ids->left = ID_STOCK;
	}
	return ids->values[--ids->left];
}

void node_store(const struct zt_node *node, enum zt_store kind, uint64_t id, const void *bytes,
		size_t length)
{
	if (node->callbacks->store) {
		node->callbacks->store(node->context, kind, id, bytes, length);
	}
}

void node_event(const struct zt_node *node, enum zt_event_kind kind, uint64_t id)
{
	if (node->callbacks->event) {
		const struct zt_event event = { .kind = kind, .id = id };
		node->callbacks->event(node->context, &event);
	}
}

void node_frames_in(const struct zt_node *node, uint64_t nwid, const struct zt_frame *frames,
		    size_t count)
{
	if (node->callbacks->frames_in) {
		node->callbacks->frames_in(node->context, nwid, frames, count);
	}
}

bool node_config_request(const struct zt_node *node, const struct zt_config_request *request)
{
	if (!node->callbacks->config_request) {
		return false;
	}
	node->callbacks->config_request(node->context, request);
	return true;
}

bool node_is_upstream(const struct zt_node *node, uint64_t address)
{
	const struct peer *peer = peers_find(&node->peers, address);
	return peer && peer->is_upstream;
}

size_t node_upstreams(const struct zt_node *node, uint64_t *out, size_t max)
{
	size_t count = node->upstream_count < max ? node->upstream_count : max;
	for (size_t i = 0; i < count; i++) {
		out[i] = node->upstreams[i]->identity.address;
	}
	return count;
}

uint64_t node_best_upstream(const struct zt_node *node, struct zt_now now)
{
	const struct peer *best = upstream_best(node, now, NULL);
	return best ? best->identity.address : 0;
}

void node_peers_each(const struct zt_node *node, bool (*each)(void *context, struct peer *peer),
		     void *context)
{
	for (size_t i = 0; i < node->peers.count; i++) {
		if (!each(context, node->peers.sorted[i])) {
			return;
		}
	}
}
