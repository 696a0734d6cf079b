/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: every direct HELLO and OK(HELLO) tells under which address the other side sees
 * us. A small table remembers who said what (vl1 13). All distinct surfaces, with our bound
 * addresses, are what trusted peers are told (12.3). When an upstream, over the same path as
 * before, suddenly sees us under another IP, our paths of that scope have probably died with the
 * old one: each is asked, and is unused until it answers.
 */
#include "core/reach.h"

#include "core/keepalive.h"
#include "core/mem.h"
#include "core/msg1.h"
#include "core/peer_impl.h"
#include "core/upstream.h"
#include "core/vl2.h"

enum {
	SURFACES = 64,
	LOCALS = 64,
	PUSHED_MAX = SURFACES + LOCALS,
	PUSH_PATH_MAX_BYTES = 24, /* one IPv6 entry, rounded as vl1 12.3 counts */
};

struct surface {
	uint64_t reporter; /* 0 = free */
	int32_t socket;
	struct zt_endpoint reporter_at, seen;
	int64_t since_ms;
	bool is_trusted;
};

struct reach {
	struct surface surfaces[SURFACES];
	struct zt_endpoint locals[LOCALS];
	size_t local_count;
};

struct reach *reach_new(void)
{
	struct reach *reach = zt_calloc(1, sizeof *reach);
	for (size_t i = 0; reach && i < SURFACES; i++) {
		reach->surfaces[i].since_ms = LIMIT_NEVER_MS;
	}
	return reach;
}

void reach_free(struct reach *reach)
{
	zt_free(reach);
}

bool reach_local_set(struct reach *reach, const struct zt_endpoint *endpoints, size_t count)
{
	count = count < LOCALS ? count : LOCALS;
	bool is_changed = count != reach->local_count;
	for (size_t i = 0; i < count && !is_changed; i++) {
		is_changed = !endpoint_equal(&reach->locals[i], &endpoints[i]);
	}
	if (count > 0) {
		memcpy(reach->locals, endpoints, count * sizeof endpoints[0]);
	}
	reach->local_count = count;
	return is_changed;
}

/* vl1 10.6 a: a root whose addresses the planet lists is nowhere else. */
static bool root_allows(const struct zt_node *node, const struct peer *peer,
			const struct zt_endpoint *endpoint)
{
	const struct world_root *root =
	    peer->is_upstream ? upstream_root(node, peer->identity.address) : NULL;
	if (!root || root->endpoint_count == 0) {
		return true;
	}
	for (size_t i = 0; i < root->endpoint_count; i++) {
		if (endpoint_ip_equal(&root->endpoints[i], endpoint)) {
			return true;
		}
	}
	return false;
}

bool reach_allows(const struct zt_node *node, const struct peer *peer,
		  const struct zt_endpoint *endpoint, bool is_loopback_source)
{
	bool is_loopback = endpoint_scope(endpoint) == SCOPE_LOOPBACK;
	if (is_loopback ? !(node->loopback_ok && is_loopback_source)
			: !endpoint_path_ok(endpoint)) {
		return false;
	}
	if (endpoint->port == 0 || !root_allows(node, peer, endpoint) ||
	    vl2_holds_ip(node, endpoint)) {
		return false;
	}
	return !node->callbacks->path_allowed ||
	       node->callbacks->path_allowed(node->context, peer->identity.address, endpoint);
}

/* ---- what others see, vl1 13
 * --------------------------------------------------------------------- */

/* The entry of this reporter, socket, address and scope; else a free one, else the oldest. */
static struct surface *surface_place(struct reach *reach, const struct surface *report)
{
	struct surface *place = NULL;
	for (size_t i = 0; i < SURFACES; i++) {
		struct surface *s = &reach->surfaces[i];
		if (s->reporter == report->reporter && s->socket == report->socket &&
		    endpoint_equal(&s->reporter_at, &report->reporter_at) &&
		    endpoint_scope(&s->seen) == endpoint_scope(&report->seen)) {
			return s;
		}
		/* Free places are older than anything. */
		if (!place || s->since_ms < place->since_ms) {
			place = s;
		}
	}
	return place;
}

/* Our address of this scope changed: what others told of the old one is void. */
static void surfaces_erase(struct reach *reach, const struct surface *report)
{
	for (size_t i = 0; i < SURFACES; i++) {
		struct surface *s = &reach->surfaces[i];
		if (s->reporter && endpoint_scope(&s->seen) == endpoint_scope(&report->seen) &&
		    !endpoint_equal(&s->reporter_at, &report->reporter_at)) {
			*s = (struct surface){ .since_ms = LIMIT_NEVER_MS };
		}
	}
}

static void path_reset(struct zt_node *node, struct zt_now now, struct peer *peer,
		       struct peer_path *entry)
{
	const struct tx_to to = tx_to_path(entry->path);
	entry->last_heard_ms = LIMIT_NEVER_MS;
	contact(node, now, peer, &to);
}

/* Every path of the scope and family, but the one over which we learnt of the change. */
static void paths_reset(struct zt_node *node, struct zt_now now, const struct zt_endpoint *seen,
			const struct path *except)
{
	enum endpoint_scope scope = endpoint_scope(seen);
	for (size_t n = 0; n < node->peers.count; n++) {
		struct peer *peer = node->peers.sorted[n];
		for (size_t i = 0; i < peer->path_count; i++) {
			const struct path *path = peer->paths[i].path;
			if (path != except && path->to.family == seen->family &&
			    endpoint_scope(&path->to) == scope) {
				path_reset(node, now, peer, &peer->paths[i]);
			}
		}
	}
}

void reach_report(struct zt_node *node, struct zt_now now, const struct packet_in *in,
		  const struct zt_endpoint *surface)
{
	const struct surface report = {
		.reporter = in->source,
		.socket = in->path->socket,
		.reporter_at = in->path->to,
		.seen = *surface,
		.since_ms = now.mono_ms,
		.is_trusted = in->peer->is_upstream,
	};
	enum endpoint_scope scope = endpoint_scope(surface);
	if (scope != endpoint_scope(&in->path->to) || scope == SCOPE_NONE ||
	    scope == SCOPE_MULTICAST || (scope == SCOPE_LOOPBACK && !node->loopback_ok)) {
		return;
	}
	struct surface *place = surface_place(node->reach, &report);
	bool is_same =
	    place->reporter == report.reporter && now.mono_ms - place->since_ms < SURFACE_EXPIRY_MS;
	bool is_moved = is_same && report.is_trusted && !endpoint_ip_equal(&place->seen, surface);
	*place = report;
	if (is_moved) {
		surfaces_erase(node->reach, &report);
		paths_reset(node, now, surface, in->path);
	}
}

static size_t add_distinct(struct zt_endpoint *out, size_t count, size_t max,
			   const struct zt_endpoint *endpoint)
{
	for (size_t i = 0; i < count; i++) {
		if (endpoint_equal(&out[i], endpoint)) {
			return count;
		}
	}
	if (count < max) {
		out[count++] = *endpoint;
	}
	return count;
}

static size_t surfaces(const struct reach *reach, int64_t now_ms, struct zt_endpoint *out,
		       size_t count, size_t max)
{
	for (size_t i = 0; i < SURFACES; i++) {
		const struct surface *s = &reach->surfaces[i];
		if (s->reporter && now_ms - s->since_ms < SURFACE_EXPIRY_MS) {
			count = add_distinct(out, count, max, &s->seen);
		}
	}
	return count;
}

size_t reach_surfaces(const struct reach *reach, struct zt_endpoint *out, size_t max)
{
	size_t count = 0;
	for (size_t i = 0; i < SURFACES; i++) {
		if (reach->surfaces[i].reporter) {
			count = add_distinct(out, count, max, &reach->surfaces[i].seen);
		}
	}
	return count;
}

/* ---- telling others, vl1 12.3
 * -------------------------------------------------------------------- */

/* As many of the endpoints as one packet takes; returns how many. */
static size_t push_some(struct zt_node *node, struct zt_now now, const struct packet_in *in,
			const struct zt_endpoint *endpoints, size_t count)
{
	uint8_t bytes[PUSH_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof bytes);
	size_t n = 0;
	msg_push_count_write(&w, 0);
	while (n < count &&
	       PACKET_PAYLOAD_AT + wr_length(&w) + PUSH_PATH_MAX_BYTES < PUSH_MAX_BYTES) {
		msg_push_path_write(&w, &(struct msg_push_path){ .endpoint = endpoints[n++] });
	}
	struct wr head = wr_init(bytes, sizeof bytes);
	msg_push_count_write(&head, (uint16_t)n);
	const struct iovec iov = { .iov_base = bytes, .iov_len = wr_length(&w) };
	tx_reply(node, now, in, VERB_PUSH_DIRECT_PATHS, &iov, 1);
	return n;
}

void reach_push(struct zt_node *node, struct zt_now now, const struct packet_in *in)
{
	int64_t direct_ms = node->is_low_bandwidth ? PUSH_DIRECT_LOW_MS : PUSH_DIRECT_MS;
	if (!limit_gate(&in->peer->last_push_ms, now.mono_ms,
			in->hops > 0 ? PUSH_RELAYED_MS : direct_ms)) {
		return;
	}
	struct zt_endpoint all[PUSHED_MAX];
	size_t count = 0;
	const struct reach *reach = node->reach;
	for (size_t i = 0; i < reach->local_count; i++) {
		count = add_distinct(all, count, PUSHED_MAX, &reach->locals[i]);
	}
	count = surfaces(reach, now.mono_ms, all, count, PUSHED_MAX);
	bool over_loopback = endpoint_scope(&in->path->to) == SCOPE_LOOPBACK;
	size_t usable = 0;
	for (size_t i = 0; i < count; i++) {
		if (endpoint_scope(&all[i]) == SCOPE_LOOPBACK ? over_loopback
							      : endpoint_path_ok(&all[i])) {
			all[usable++] = all[i];
		}
	}
	for (size_t sent = 0; sent < usable;) {
		sent += push_some(node, now, in, all + sent, usable - sent);
	}
}
