/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Datagrams on their way: NATs, delay, loss, copies, disorder. */
#include "base/bug.h"
#include "tests/sim/sim_internal.h"

#include <stdlib.h>
#include <string.h>

enum { NAT_TTL = 2 }; /* a datagram with so small a TTL dies beyond its own NAT */

static bool is_host(const struct sim_node *n, const struct zt_endpoint *ip, const void *lan)
{
	return n->nat == lan && endpoint_ip_equal(&n->ip, ip);
}

/* In the open, or behind a NAT with that public address. */
static bool is_public(const struct sim_node *n, const struct zt_endpoint *ip, const void *unused)
{
	(void)unused;
	return endpoint_ip_equal(n->nat ? nat_public(n->nat) : &n->ip, ip);
}

/* The first node that fits. Hosts move and NATs get other addresses, so what was found before is
 * only a hint: it is asked again. */
static struct sim_node *find(struct sim *sim,
			     bool (*fits)(const struct sim_node *n, const struct zt_endpoint *ip,
					  const void *lan),
			     const struct zt_endpoint *ip, const void *lan)
{
	uint64_t hash = (uintptr_t)lan;
	for (size_t i = 0; i < sizeof ip->ip; i++) {
		hash = (hash ^ ip->ip[i]) * 0x9e3779b97f4a7c15U;
		hash ^= hash >> 32;
	}
	struct sim_node **hint = &sim->found[hash % SIM_FOUND];
	if (*hint && fits(*hint, ip, lan)) {
		return *hint;
	}
	for (struct sim_node *n = sim->nodes; n; n = n->next) {
		if (fits(n, ip, lan)) {
			*hint = n;
			return n;
		}
	}
	return NULL;
}

static struct sim_node *host_at(struct sim *sim, const struct zt_endpoint *ip,
				const struct nat *lan)
{
	return find(sim, is_host, ip, lan);
}

static void deliver(struct sim *sim, struct sim_node *node, struct sim_event *event)
{
	size_t socket = (size_t)(event->to.port - SIM_PORT);
	if (!node || !node->zt || node->is_cut || event->to.port < SIM_PORT ||
	    socket >= node->socket_count || sim_chance(sim, node->loss)) {
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
}

void sim_arrive(struct sim *sim, struct sim_event *event)
{
	if (event->lan) {
		deliver(sim, host_at(sim, &event->to, event->lan), event);
		return;
	}
	struct sim_node *node = find(sim, is_public, &event->to, NULL);
	if (!node || !node->nat) {
		deliver(sim, node, event);
		return;
	}
	struct nat *nat = node->nat;
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
	if (sim_chance(sim, sim->link.reorder)) {
		copy.at_ms += 3 * sim->link.delay_ms;
	}
	copy.bytes = malloc(event->length ? event->length : 1);
	BUG_ON(!copy.bytes);
	memcpy(copy.bytes, bytes, event->length);
	sim_event_add(sim, copy);
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
	bool is_private = endpoint_scope(&tx->to) == SCOPE_PRIVATE; /* LANs use no others */
	if (node->nat && is_private && host_at(sim, &tx->to, node->nat)) {
		event.lan = node->nat; /* a neighbour: no translation */
	} else if (node->nat) {
		event.from = nat_out(node->nat, sim->now_ms, &event.from, &tx->to);
		if (endpoint_ip_equal(nat_public(node->nat), &tx->to)) {
			return; /* no hairpin */
		}
	}
	bool is_dead = tx->ttl > 0 && tx->ttl <= NAT_TTL && !event.lan;
	bool is_tapped = sim->tap && !sim->tap(sim->tap_context, node, &event.from, tx, bytes);
	if (is_dead || is_tapped || sim_chance(sim, sim->link.loss) ||
	    sim_chance(sim, node->loss)) {
		return;
	}
	transmit_copy(sim, &event, bytes);
	if (sim_chance(sim, sim->link.duplicate)) {
		transmit_copy(sim, &event, bytes);
	}
}

void sim_flush(struct sim_node *node)
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
	sim_flush(node);
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
	sim_event_add(sim,
		      (struct sim_event){
			  .at_ms = at_ms, .kind = EVENT_CALL, .call = call, .context = context });
}
