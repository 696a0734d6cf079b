/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* VL1 in the simulator: nodes find each other through a root, in every weather. */
#include "core/packet.h"
#include "core/peer_impl.h"
#include "core/tx.h"
#include "tests/lib/check.h"
#include "tests/sim/sim.h"

#include <stdio.h>

/* A root in the open and two leaves; the usual cast. */
struct cast {
	struct sim *sim;
	struct sim_node *root, *a, *b;
	struct nat *nat_a, *nat_b;
};

static struct cast cast_new(struct nat *nat_a, struct nat *nat_b)
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

static void cast_free(struct cast *c)
{
	sim_free(c->sim);
	nat_free(c->nat_a);
	nat_free(c->nat_b);
}

static bool both_online(void *context)
{
	struct cast *c = context;
	return sim_is_online(c->a) && sim_is_online(c->b);
}

static bool both_direct(void *context)
{
	struct cast *c = context;
	struct sim_pair pair = { c->a, c->b };
	return sim_is_direct(&pair);
}

/* Something from `from` to `to` that gets an answer. */
static void say(struct sim_node *from, const struct sim_node *to, const void *bytes, size_t length)
{
	const struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
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

struct exchange {
	struct sim_node *a, *b;
	int64_t since_ms;
};

static bool exchanged(void *context)
{
	const struct exchange *x = context;
	return heard_ms(x->a, x->b) >= x->since_ms && heard_ms(x->b, x->a) >= x->since_ms;
}

/* An ECHO and its answer, through whatever way, repeated each second until the limit. */
static bool can_talk(struct sim_node *a, struct sim_node *b, int64_t limit_ms)
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

static void two_leaves_meet_through_a_root_and_go_direct(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 300));
	assert_false(sim_knows(c.a, c.b));
	int64_t start_ms = c.sim->now_ms;
	assert_true(can_talk(c.a, c.b, 3000));
	assert_true(sim_until(c.sim, both_direct, &c, 2000));
	print_message("online, met and direct within %lld ms of the first packet\n",
		      (long long)(c.sim->now_ms - start_ms));
	/* From now on nothing goes through the root. */
	uint64_t relayed = zt_counter(c.root->zt, ZT_COUNT_RELAYED);
	assert_true(relayed > 0);
	sim_run(c.sim, 1000);
	assert_true(can_talk(c.a, c.b, 1000));
	assert_int_equal(zt_counter(c.root->zt, ZT_COUNT_RELAYED), relayed);
	cast_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_leaves_meet_through_a_root_and_go_direct),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
