/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/sim/cast.h"

#include "core/peer.h"
#include "core/proto.h"
#include "core/tx.h"

#include <string.h>

struct cast cast_new(struct nat *nat_a, struct nat *nat_b)
{
	struct cast c = { .sim = sim_new(), .nat_a = nat_a, .nat_b = nat_b };
	c.root = sim_node_new(c.sim, 0, "198.51.100.1", NULL);
	c.a = sim_node_new(c.sim, 1, nat_a ? "10.1.0.2" : "203.0.113.2", nat_a);
	c.b = sim_node_new(c.sim, 2, nat_b ? "10.2.0.2" : "192.0.2.2", nat_b);
	sim_planet(c.sim, &c.root, 1);
	sim_node_start(c.root);
	sim_node_start(c.a);
	sim_node_start(c.b);
	return c;
}

void cast_free(struct cast *c)
{
	sim_free(c->sim);
	nat_free(c->nat_a);
	nat_free(c->nat_b);
}

bool both_online(void *context)
{
	struct cast *c = context;
	return sim_is_online(c->a) && sim_is_online(c->b);
}

bool both_direct(void *context)
{
	struct cast *c = context;
	struct sim_pair pair = { c->a, c->b };
	return sim_is_direct(&pair);
}

void say(struct sim_node *from, const struct sim_node *to, const void *bytes, size_t length)
{
	uint8_t copy[PACKET_PAYLOAD_MAX_BYTES];
	const struct iovec iov = { .iov_base = copy, .iov_len = length };
	memcpy(copy, bytes, length);
	const struct tx_packet packet = {
		.dest = to->address,
		.iov = &iov,
		.iov_count = 1,
		.verb = VERB_ECHO,
		.flags = TX_EXPECT,
	};
	(void)tx_send(from->zt, sim_now(from), &packet, NULL);
	sim_touch(from);
}

/* When `node` last heard something authentic from `other`; 0 = never. */
static int64_t heard_ms(const struct sim_node *node, const struct sim_node *other)
{
	const struct peer *peer = peer_find(node->zt, other->address);
	return peer && peer_last_receive_ms(peer) > 0 ? peer_last_receive_ms(peer) : 0;
}

bool exchanged(void *context)
{
	const struct exchange *x = context;
	return heard_ms(x->a, x->b) > x->since_ms && heard_ms(x->b, x->a) > x->since_ms;
}

bool can_talk(struct sim_node *a, struct sim_node *b, int64_t limit_ms)
{
	struct exchange x = { a, b, a->sim->now_ms };
	for (int64_t left_ms = limit_ms; left_ms > 0; left_ms -= 1000) {
		say(a, b, "hello", 5);
		if (sim_until(a->sim, exchanged, &x, 1000)) {
			return true;
		}
	}
	return false;
}
