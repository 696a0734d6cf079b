/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* VL1's single rules in the simulator: identities, gates, the peer cache, want of memory. */
#include "core/identity.h"
#include "core/mem.h"
#include "core/msg1.h"
#include "core/node_impl.h"
#include "tests/lib/check.h"
#include "tests/sim/cast.h"

#include <stdio.h>

/* Give `node` the address of one identity and the keys of its own: it can never be valid. */
static void address_set(struct sim_node *node, uint64_t address)
{
	char digits[ADDRESS_DIGITS + 1];
	(void)snprintf(digits, sizeof digits, "%010llx",
		       (unsigned long long)(address & 0xffffffffff));
	memcpy(node->secret, digits, ADDRESS_DIGITS);
	node->address = address;
}

static void a_taken_address_is_reported_to_the_newcomer(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	struct sim_node *thief = sim_node_new(c.sim, 9, "198.18.0.1", NULL);
	address_set(thief, c.a->address);
	sim_node_start(thief);
	sim_run(c.sim, 3000);
	assert_true(thief->events[ZT_EVENT_IDENTITY_COLLISION] > 0);
	assert_false(sim_is_online(thief));
	assert_true(zt_counter(c.root->zt, ZT_COUNT_DROP_IDENTITY) > 0);
	assert_int_equal(c.sim->jobs, 2); /* no hash is spent on it */
	/* The owner is not disturbed. */
	assert_int_equal(c.a->events[ZT_EVENT_IDENTITY_COLLISION], 0);
	assert_true(can_talk(c.b, c.a, 3000));
	cast_free(&c);
}

static void an_identity_without_proof_of_work_is_refused(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	struct sim_node *liar = sim_node_new(c.sim, 9, "198.18.0.1", NULL);
	address_set(liar, 0x1234567890);
	sim_node_start(liar);
	sim_run(c.sim, 10000);
	assert_false(sim_is_online(liar));
	assert_false(sim_knows(c.root, liar));
	assert_true(zt_counter(c.root->zt, ZT_COUNT_DROP_IDENTITY) > 0);
	cast_free(&c);
}

static void echo_is_answered_once_in_166_ms(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	sim_run(c.sim, 1000);
	uint64_t dropped = zt_counter(c.root->zt, ZT_COUNT_DROP_RATE);
	uint64_t sent = c.root->sent;
	for (int i = 0; i < 100; i++) {
		say(c.a, c.root, "x", 1);
		sim_run(c.sim, 10);
	}
	sim_run(c.sim, 100);
	assert_in_range(c.root->sent - sent, 6, 7);
	assert_in_range(zt_counter(c.root->zt, ZT_COUNT_DROP_RATE) - dropped, 93, 94);
	cast_free(&c);
}

static void a_packet_for_nobody_waits_five_seconds(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	struct sim_node *absent = sim_node_new(c.sim, 9, "198.18.0.1", NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	say(c.a, absent, "x", 1);
	sim_run(c.sim, 4900);
	assert_int_equal(zt_counter(c.a->zt, ZT_COUNT_DROP_NO_PATH), 0);
	uint64_t asked = zt_counter(c.root->zt, ZT_COUNT_PACKETS_IN);
	assert_true(asked >= 10); /* every 500 ms */
	sim_run(c.sim, 200);
	assert_int_equal(zt_counter(c.a->zt, ZT_COUNT_DROP_NO_PATH), 1);
	/* And then it is quiet. */
	uint64_t sent = c.a->sent;
	sim_run(c.sim, 5000);
	assert_int_equal(c.a->sent, sent);
	/* No more than 128 wait; the oldest gives way. */
	for (int i = 0; i < 128 + 8; i++) {
		say(c.a, absent, "x", 1);
	}
	assert_int_equal(zt_counter(c.a->zt, ZT_COUNT_DROP_NO_PATH), 1 + 8);
	cast_free(&c);
}

static void silent_peers_are_stored_and_forgotten(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(c.sim, both_direct, &c, 3000));
	sim_run(c.sim, PEER_EXPIRY_MS - 1000);
	assert_true(sim_knows(c.a, c.b));
	sim_run(c.sim, 2000);
	assert_false(sim_knows(c.a, c.b));
	assert_int_equal(c.a->stored[ZT_STORE_PEER], 1);
	assert_true(sim_knows(c.a, c.root));
	cast_free(&c);
}

/* The record of the only direct peer, as peers.d would keep it. */
struct kept {
	struct sim_node *node;
	uint64_t id;
	uint8_t bytes[2000];
	size_t length;
};

static void keep_record(void *context, enum zt_store kind, uint64_t id, const void *bytes,
			size_t length)
{
	struct kept *kept = ((struct sim_node *)context)->user;
	if (kind == ZT_STORE_PEER && id == kept->id && bytes) {
		memcpy(kept->bytes, bytes, length);
		kept->length = length;
	}
}

static void a_restored_peer_is_greeted_without_a_root(void **state)
{
	(void)state;
	struct sim *sim = sim_new();
	struct cast c = { .sim = sim };
	struct kept kept = { 0 };
	c.root = sim_node_new(sim, 0, "198.51.100.1", NULL);
	c.a = sim_node_new(sim, 1, "203.0.113.2", NULL);
	c.b = sim_node_new(sim, 2, "192.0.2.2", NULL);
	sim_planet(sim, &c.root, 1);
	kept.id = c.b->address;
	c.a->callbacks.store = keep_record;
	c.a->user = &kept;
	sim_node_start(c.root);
	sim_node_start(c.a);
	sim_node_start(c.b);
	assert_true(sim_until(sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(sim, both_direct, &c, 3000));
	sim_node_stop(c.a);
	assert_true(kept.length > IDENTITY_BYTES);
	sim_node_stop(c.root);
	sim_node_start(c.a);
	assert_int_equal(zt_peer_restore(c.a->zt, sim_now(c.a), kept.bytes, kept.length), 0);
	sim_touch(c.a);
	assert_true(sim_until(sim, both_direct, &c, 1000));
	for (size_t n = 0; n < kept.length; n++) {
		assert_int_not_equal(zt_peer_restore(c.a->zt, sim_now(c.a), kept.bytes, n), 0);
	}
	sim_free(sim);
}

static void nodes_behind_two_roots_survive_either(void **state)
{
	(void)state;
	struct sim *sim = sim_new();
	struct cast c = { .sim = sim };
	c.root = sim_node_new(sim, 0, "198.51.100.1", NULL);
	struct sim_node *second = sim_node_new(sim, 3, "198.51.200.1", NULL);
	c.a = sim_node_new(sim, 1, "203.0.113.2", NULL);
	c.b = sim_node_new(sim, 2, "192.0.2.2", NULL);
	sim_planet(sim, (struct sim_node *[]){ c.root, second }, 2);
	sim_node_start(c.root);
	sim_node_start(second);
	sim_node_start(c.a);
	sim_node_start(c.b);
	assert_true(sim_until(sim, both_online, &c, 5000));
	sim_run(sim, 2000);
	assert_true(sim_has_path(c.a, c.root) && sim_has_path(c.a, second));
	assert_true(sim_has_path(c.root, second) && sim_has_path(second, c.root));
	struct sim_node *const order[] = { c.root, second };
	for (size_t i = 0; i < 2; i++) {
		sim_node_stop(order[i]);
		sim_run(sim, 40000);
		assert_true(can_talk(c.a, c.b, 6000));
		sim_node_start(order[i]);
		sim_run(sim, 20000);
	}
	sim_free(sim);
}

/* Every allocation of a start fails once: an error, and nothing left behind (LeakSanitizer). */
static void a_start_without_memory_fails_cleanly(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	const struct zt_config config = {
		.identity_secret = c.a->secret,
		.planet = c.sim->planet,
		.planet_length = c.sim->planet_length,
		.callbacks = &c.a->callbacks,
		.context = c.a,
		.arena = &c.a->arena,
	};
	int err = ZT_E_NO_MEMORY;
	long n = 0;
	for (; err != 0 && n < 1000; n++) {
		struct zt_node *node = NULL;
		zt_mem_fail_after(n);
		err = zt_node_new(&config, sim_now(c.a), &node);
		zt_mem_fail_after(-1);
		assert_true(err == 0 || err == ZT_E_NO_MEMORY || err == ZT_E_NO_CRYPTO);
		zt_node_free(node, sim_now(c.a));
	}
	assert_in_range(n, 15, 200);
	cast_free(&c);
}

static void bad_configurations_are_refused(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	struct zt_node *node = NULL;
	struct zt_config config = {
		.identity_secret = "not an identity",
		.callbacks = &c.a->callbacks,
		.context = c.a,
		.arena = &c.a->arena,
	};
	assert_int_equal(zt_node_new(&config, sim_now(c.a), &node), ZT_E_BAD_IDENTITY);
	config.identity_secret = c.a->secret;
	config.planet = c.sim->planet;
	for (size_t n = 0; n < c.sim->planet_length; n++) {
		config.planet_length = n;
		assert_int_equal(zt_node_new(&config, sim_now(c.a), &node), ZT_E_MALFORMED);
	}
	assert_null(node);
	cast_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_taken_address_is_reported_to_the_newcomer),
		cmocka_unit_test(an_identity_without_proof_of_work_is_refused),
		cmocka_unit_test(echo_is_answered_once_in_166_ms),
		cmocka_unit_test(a_packet_for_nobody_waits_five_seconds),
		cmocka_unit_test(silent_peers_are_stored_and_forgotten),
		cmocka_unit_test(a_restored_peer_is_greeted_without_a_root),
		cmocka_unit_test(nodes_behind_two_roots_survive_either),
		cmocka_unit_test(a_start_without_memory_fails_cleanly),
		cmocka_unit_test(bad_configurations_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
