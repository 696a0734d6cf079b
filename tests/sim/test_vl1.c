/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* VL1 in the simulator: nodes find each other through a root, in every weather. */
#include "core/peers.h"
#include "tests/lib/check.h"
#include "tests/sim/cast.h"

#include <stdio.h>

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

/* ---- NATs ---- */

static const char *const side_names[] = { "open", "full cone", "restricted", "port restricted",
					  "symmetric" };
enum { SIDES = 5, OPEN = 0 };

static struct nat *side_nat(int side, const char *public_ip)
{
	if (side == OPEN) {
		return NULL;
	}
	const struct zt_endpoint ip = sim_endpoint(public_ip, 0);
	return nat_new((enum nat_kind)(side - 1), &ip, 120000);
}

/* Hole punching by RENDEZVOUS fails where a symmetric NAT meets one that filters by port
 * (vl1 12.6). */
static bool should_go_direct(int a, int b)
{
	const int port_restricted = 1 + NAT_PORT_RESTRICTED, symmetric = 1 + NAT_SYMMETRIC;
	return !((a == symmetric && b >= port_restricted) ||
		 (b == symmetric && a >= port_restricted));
}

static void every_nat_pairing_delivers_and_most_go_direct(void **state)
{
	(void)state;
	for (int a = 0; a < SIDES; a++) {
		for (int b = 0; b < SIDES; b++) {
			struct cast c =
			    cast_new(side_nat(a, "203.0.113.1"), side_nat(b, "192.0.2.1"));
			assert_true(sim_until(c.sim, both_online, &c, 5000));
			assert_true(can_talk(c.a, c.b, 5000));
			bool is_direct = sim_until(c.sim, both_direct, &c, 5000);
			print_message("%-16s %-16s %s\n", side_names[a], side_names[b],
				      is_direct ? "direct" : "relayed");
			assert_int_equal(is_direct, should_go_direct(a, b));
			sim_run(c.sim, 10000);
			assert_true(can_talk(c.a, c.b, 3000));
			assert_true(can_talk(c.b, c.a, 3000));
			cast_free(&c);
		}
	}
}

static void neighbours_behind_one_nat_meet_on_their_lan(void **state)
{
	(void)state;
	const struct zt_endpoint ip = sim_endpoint("203.0.113.1", 0);
	struct cast c = { .sim = sim_new(), .nat_a = nat_new(NAT_SYMMETRIC, &ip, 120000) };
	c.root = sim_node_new(c.sim, 0, "198.51.100.1", NULL);
	c.a = sim_node_new(c.sim, 1, "10.0.0.2", c.nat_a);
	c.b = sim_node_new(c.sim, 2, "10.0.0.3", c.nat_a);
	sim_planet(c.sim, &c.root, 1);
	sim_node_start(c.root);
	sim_node_start(c.a);
	sim_node_start(c.b);
	assert_true(sim_until(c.sim, both_online, &c, 20000));
	/* The NAT has no hairpin: only PUSH_DIRECT_PATHS can tell them, and that is for those who
	 * proved common membership; stand in for VL2's proof. */
	assert_true(can_talk(c.a, c.b, 5000));
	assert_false(both_direct(&c));
	peer_find(c.a->zt, c.b->address)->last_trust_ms = c.sim->now_ms;
	peer_find(c.b->zt, c.a->address)->last_trust_ms = c.sim->now_ms;
	assert_true(can_talk(c.a, c.b, 5000));
	assert_true(sim_until(c.sim, both_direct, &c, 20000));
	cast_free(&c);
}

/* ---- bad weather ---- */

static void loss_reordering_and_copies_are_survived(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	c.sim->link = (struct sim_link){
		.delay_ms = 20, .jitter_ms = 10, .loss = 100, .duplicate = 50, .reorder = 100
	};
	assert_true(sim_until(c.sim, both_online, &c, 30000));
	assert_true(can_talk(c.a, c.b, 20000));
	for (int i = 0; i < 60 && !both_direct(&c); i++) {
		(void)can_talk(c.a, c.b, 1000);
		sim_run(c.sim, 1000);
	}
	assert_true(both_direct(&c));
	/* Packets of three datagrams: 0.9^3 there, 0.9 back (one datagram), is 66 %. */
	static const uint8_t big[3500];
	unsigned answered = 0;
	for (int i = 0; i < 200; i++) {
		struct exchange x = { c.a, c.b, c.sim->now_ms };
		say(c.a, c.b, big, sizeof big);
		answered += sim_until(c.sim, exchanged, &x, 500);
		sim_run(c.sim, GATE_ECHO_MS);
	}
	print_message("%u of 200 packets of three datagrams answered\n", answered);
	assert_true(answered > 100);
	cast_free(&c);
}

static void a_restarted_root_is_found_again(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(c.sim, both_direct, &c, 3000));
	sim_node_stop(c.root);
	assert_true(can_talk(c.a, c.b, 3000)); /* they do not need it */
	sim_run(c.sim, 60000);
	sim_node_start(c.root);
	struct exchange with_a = { c.a, c.root, c.sim->now_ms };
	struct exchange with_b = { c.b, c.root, c.sim->now_ms };
	int64_t start_ms = c.sim->now_ms;
	assert_true(sim_until(c.sim, exchanged, &with_a, 12000));
	assert_true(sim_until(c.sim, exchanged, &with_b, 12000));
	print_message("root found again after %lld ms\n", (long long)(c.sim->now_ms - start_ms));
	assert_true(can_talk(c.a, c.b, 3000));
	cast_free(&c);
}

static void a_root_that_restarts_unnoticed_is_greeted_soon(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	sim_run(c.sim, 30000);
	sim_node_stop(c.root);
	sim_node_start(c.root); /* it knows nobody: only a HELLO helps, an ECHO cannot be opened */
	struct exchange x = { c.a, c.root, c.sim->now_ms };
	assert_true(sim_until(c.sim, exchanged, &x, PATH_ALIVE_MS + 6000));
	cast_free(&c);
}

static void a_node_that_moves_is_followed(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(c.sim, both_direct, &c, 3000));
	sim_node_move(c.b, "192.0.2.77", NULL);
	int64_t start_ms = c.sim->now_ms;
	assert_true(can_talk(c.b, c.a, 5000));
	print_message("heard again from the new address after %lld ms\n",
		      (long long)(c.sim->now_ms - start_ms));
	sim_run(c.sim, 1000);
	/* Now A must have switched: what it sends arrives at once. */
	struct exchange x = { c.a, c.b, c.sim->now_ms };
	say(c.a, c.b, "there?", 6);
	assert_true(sim_until(c.sim, exchanged, &x, 200));
	cast_free(&c);
}

static void a_nat_that_reboots_does_not_cut_off_for_long(void **state)
{
	(void)state;
	const struct zt_endpoint ip = sim_endpoint("203.0.113.1", 0);
	struct cast c = cast_new(nat_new(NAT_PORT_RESTRICTED, &ip, 120000), NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(c.sim, both_direct, &c, 3000));
	nat_reset(c.nat_a);
	int64_t start_ms = c.sim->now_ms;
	/* B cannot reach A until A says something through its new mapping. */
	assert_true(can_talk(c.b, c.a, 60000));
	print_message("reached again after %lld ms\n", (long long)(c.sim->now_ms - start_ms));
	cast_free(&c);
}

/* ---- many ---- */

static size_t online_count(const struct sim *sim)
{
	size_t count = 0;
	for (struct sim_node *n = sim->nodes; n; n = n->next) {
		count += n->zt && sim_is_online(n);
	}
	return count;
}

struct crowd {
	struct sim *sim;
	size_t count;
};

static bool all_online(void *context)
{
	const struct crowd *crowd = context;
	return online_count(crowd->sim) == crowd->count;
}

static struct crowd crowd_new(size_t leaves, const char *prefix, const char *root_ip)
{
	struct crowd crowd = { .sim = sim_new(), .count = leaves + 1 };
	struct sim_node *root = sim_node_new(crowd.sim, 0, root_ip, NULL);
	root->loopback_ok = true;
	sim_planet(crowd.sim, &root, 1);
	sim_node_start(root);
	for (size_t i = 1; i <= leaves; i++) {
		char ip[32];
		(void)snprintf(ip, sizeof ip, "%s%zu", prefix, i + 1);
		struct sim_node *leaf = sim_node_new(crowd.sim, i, ip, NULL);
		leaf->loopback_ok = true;
		sim_node_start(leaf);
	}
	return crowd;
}

static void a_crowd_behind_one_24_gets_in_one_by_one(void **state)
{
	(void)state;
	enum { LEAVES = 100 };
	struct crowd crowd = crowd_new(LEAVES, "203.0.113.", "198.51.100.1");
	int64_t start_ms = crowd.sim->now_ms;
	assert_true(sim_until(crowd.sim, all_online, &crowd, 2LL * LEAVES * GATE_IDENTITY_MS));
	int64_t took_ms = crowd.sim->now_ms - start_ms;
	print_message("%d nodes of one /24 online after %lld s\n", LEAVES,
		      (long long)took_ms / 1000);
	assert_int_equal(crowd.sim->jobs, LEAVES); /* each identity is hashed once */
	assert_true(took_ms >= (LEAVES - 1LL) * GATE_IDENTITY_MS);
	sim_free(crowd.sim);
}

static void a_loopback_universe_starts_at_once(void **state)
{
	(void)state;
	enum { LEAVES = 20 };
	struct crowd crowd = crowd_new(LEAVES, "127.0.0.", "127.0.0.1");
	int64_t start_ms = crowd.sim->now_ms;
	assert_true(sim_until(crowd.sim, all_online, &crowd, 20000));
	print_message("%d nodes on loopback online after %lld ms\n", LEAVES,
		      (long long)(crowd.sim->now_ms - start_ms));
	struct sim_pair pair = { crowd.sim->nodes, crowd.sim->nodes->next };
	assert_true(can_talk(pair.a, pair.b, 3000));
	assert_true(sim_until(crowd.sim, sim_is_direct, &pair, 3000));
	sim_free(crowd.sim);
}

static void loopback_is_refused_unless_allowed(void **state)
{
	(void)state;
	struct sim *sim = sim_new();
	struct sim_node *root = sim_node_new(sim, 0, "127.0.0.1", NULL);
	struct sim_node *leaf = sim_node_new(sim, 1, "127.0.0.2", NULL);
	sim_planet(sim, &root, 1);
	sim_node_start(root);
	sim_node_start(leaf);
	assert_false(sim_until(sim, sim_is_online, leaf, 20000));
	assert_int_equal(leaf->sent, 0);
	sim_free(sim);
}

/* ---- the planet ---- */

static bool has_new_planet(void *context)
{
	const struct sim_node *node = context;
	return node->events[ZT_EVENT_PLANET] > 0;
}

static void a_planet_update_spreads_and_its_roots_are_used(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	struct sim_node *second = sim_node_new(c.sim, 3, "198.51.100.200", NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	sim_node_stop(c.root);
	sim_planet(c.sim, (struct sim_node *[]){ c.root, second }, 2);
	sim_node_start(c.root);
	sim_node_start(second);
	assert_true(sim_until(c.sim, has_new_planet, c.a, 70000));
	assert_true(sim_until(c.sim, has_new_planet, c.b, 70000));
	assert_int_equal(c.a->stored[ZT_STORE_PLANET], 1);
	sim_run(c.sim, 5000);
	assert_true(sim_has_path(c.a, second));
	/* And the first may go. */
	sim_node_stop(c.root);
	sim_run(c.sim, 60000);
	assert_true(can_talk(c.a, c.b, 5000));
	cast_free(&c);
}

static void the_same_seed_gives_the_same_run(void **state)
{
	(void)state;
	uint64_t sums[2] = { 0 };
	for (int run = 0; run < 2; run++) {
		struct cast c = cast_new(NULL, NULL);
		c.sim->link = (struct sim_link){ .delay_ms = 20, .jitter_ms = 30, .loss = 50 };
		(void)sim_until(c.sim, both_online, &c, 30000);
		(void)can_talk(c.a, c.b, 10000);
		sim_run(c.sim, 100000);
		sums[run] = c.root->sent * 1000003 + c.a->sent * 1009 + c.b->received;
		cast_free(&c);
	}
	assert_int_equal(sums[0], sums[1]);
}

/* An idle leaf sleeps: what it does in ten minutes is a heartbeat each 14 s and a HELLO each
 * minute. */
static void an_idle_leaf_sleeps(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	sim_run(c.sim, 60000);
	uint64_t ticks = c.a->ticks, sent = c.a->sent;
	sim_run(c.sim, 600000);
	print_message("in ten idle minutes: %llu wake-ups, %llu datagrams\n",
		      (unsigned long long)(c.a->ticks - ticks),
		      (unsigned long long)(c.a->sent - sent));
	assert_true(c.a->ticks - ticks < 120);
	assert_true(c.a->sent - sent < 70);
	/* Nothing due: nothing done. */
	sent = c.a->sent;
	zt_tick(c.a->zt, sim_now(c.a));
	sim_touch(c.a);
	assert_int_equal(c.a->sent, sent);
	cast_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_leaves_meet_through_a_root_and_go_direct),
		cmocka_unit_test(every_nat_pairing_delivers_and_most_go_direct),
		cmocka_unit_test(neighbours_behind_one_nat_meet_on_their_lan),
		cmocka_unit_test(loss_reordering_and_copies_are_survived),
		cmocka_unit_test(a_restarted_root_is_found_again),
		cmocka_unit_test(a_root_that_restarts_unnoticed_is_greeted_soon),
		cmocka_unit_test(a_node_that_moves_is_followed),
		cmocka_unit_test(a_nat_that_reboots_does_not_cut_off_for_long),
		cmocka_unit_test(a_crowd_behind_one_24_gets_in_one_by_one),
		cmocka_unit_test(a_loopback_universe_starts_at_once),
		cmocka_unit_test(loopback_is_refused_unless_allowed),
		cmocka_unit_test(a_planet_update_spreads_and_its_roots_are_used),
		cmocka_unit_test(the_same_seed_gives_the_same_run),
		cmocka_unit_test(an_idle_leaf_sleeps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
