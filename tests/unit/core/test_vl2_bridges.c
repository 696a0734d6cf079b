/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Foreign MACs behind active bridges, in one node (vl2 6.3, 6.4). */
#include "core/bridged.h"
#include "tests/lib/check.h"
#include "tests/lib/vl2cast.h"

static const uint64_t FOREIGN = 0x020000000001, OTHER = 0x020000000002;

static void the_table_forgets_what_was_seen_longest_ago(void **state)
{
	(void)state;
	struct bridged bridged = { 0 };
	assert_int_equal(bridged_find(&bridged, FOREIGN), 0);
	for (uint64_t i = 1; i <= BRIDGED_MAX; i++) {
		bridged_learn(&bridged, i, 1000 + i, 42);
	}
	assert_int_equal(bridged_count(&bridged), BRIDGED_MAX);
	bridged_learn(&bridged, 1, 7, 42); /* seen again, elsewhere */
	for (uint64_t i = 1; i <= 100; i++) {
		bridged_learn(&bridged, BRIDGED_MAX + i, 5, 42);
	}
	assert_int_equal(bridged_count(&bridged), BRIDGED_MAX);
	assert_int_equal(bridged_find(&bridged, 1), 7);
	for (uint64_t i = 2; i <= BRIDGED_MAX + 100; i++) {
		uint64_t expected = i <= 101 ? 0 : i <= BRIDGED_MAX ? 1000 + i : 5;
		assert_int_equal(bridged_find(&bridged, i), expected);
	}
	bridged_fini(&bridged);
}

/* The node under test, REMOTE and THIRD active bridges, both proved. */
static struct cast *cast_with_bridges(void)
{
	struct cast *c = cast_new();
	struct netconf *config = cast_config(c, WALL_MS);
	assert_int_equal(
	    netconf_add_specialist(config, SPECIALIST_BRIDGE | cast_address(c, REMOTE)), 0);
	assert_int_equal(netconf_add_specialist(config, SPECIALIST_BRIDGE | cast_address(c, THIRD)),
			 0);
	cast_join(c, config);
	cast_prove(c, REMOTE);
	cast_prove(c, THIRD);
	return c;
}

/* A frame from the stack to `mac`: does it go to exactly these two, or not? */
static void expect_sent(struct cast *c, uint64_t mac, size_t remote, size_t third)
{
	vl2node_clear(&c->v);
	cast_stack_sends(c, mac, cast_mac(c, LOCAL), 0x800);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_EXT_FRAME), remote);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, THIRD), VERB_EXT_FRAME), third);
}

static void a_frame_goes_to_the_bridge_it_came_from(void **state)
{
	(void)state;
	struct cast *c = cast_with_bridges();
	expect_sent(c, FOREIGN, 1, 1);
	assert_int_equal(cast_ext_frame(c, THIRD, cast_mac(c, LOCAL), FOREIGN, 0), VL2_DONE);
	expect_sent(c, FOREIGN, 0, 1);
	expect_sent(c, OTHER, 1, 1);
	/* It moves. */
	assert_int_equal(cast_ext_frame(c, REMOTE, cast_mac(c, LOCAL), FOREIGN, 0), VL2_DONE);
	expect_sent(c, FOREIGN, 1, 0);
	cast_free(c);
}

static void a_refused_frame_teaches_nothing(void **state)
{
	(void)state;
	struct cast *c = cast_with_bridges();
	const struct network *network = vl2_network(c->v.node, c->nwid);
	/* Not for us; a bridge's own MAC; another member's, whose place follows from it. */
	assert_int_equal(cast_ext_frame(c, THIRD, OTHER, FOREIGN, 0), VL2_IGNORED);
	assert_int_equal(cast_ext_frame(c, THIRD, cast_mac(c, LOCAL), cast_mac(c, THIRD), 0),
			 VL2_DONE);
	assert_int_equal(cast_ext_frame(c, THIRD, cast_mac(c, LOCAL), cast_mac(c, REMOTE), 0),
			 VL2_DONE);
	assert_int_equal(bridged_count(&network->bridged), 0);
	expect_sent(c, FOREIGN, 1, 1);
	cast_free(c);
}

static void a_bridge_no_more_gets_nothing(void **state)
{
	(void)state;
	struct cast *c = cast_with_bridges();
	struct network *network = vl2_network(c->v.node, c->nwid);
	assert_int_equal(cast_ext_frame(c, THIRD, cast_mac(c, LOCAL), FOREIGN, 0), VL2_DONE);
	expect_sent(c, FOREIGN, 0, 1);
	struct netconf *config = cast_config(c, WALL_MS + 5);
	assert_int_equal(
	    netconf_add_specialist(config, SPECIALIST_BRIDGE | cast_address(c, REMOTE)), 0);
	assert_true(network_apply_take(network, config));
	expect_sent(c, FOREIGN, 1, 0);
	cast_free(c);
}

/* Who answers for groups is told of ours and asked for theirs (8.1, 8.3). */
static void replicators_keep_directories(void **state)
{
	(void)state;
	struct cast *c = cast_new();
	struct netconf *config = cast_config(c, WALL_MS);
	assert_int_equal(
	    netconf_add_specialist(config, SPECIALIST_REPLICATOR | cast_address(c, REMOTE)), 0);
	cast_join(c, config);
	assert_int_equal(zt_multicast_join(c->v.node, c->v.now, c->nwid, 0x01005e000001, 0), 0);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_MULTICAST_LIKE), 1);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, THIRD), VERB_MULTICAST_LIKE), 0);
	vl2node_advance(&c->v, PATH_ALIVE_MS); /* one that is silent replicates nothing */
	cast_stack_sends(c, 0x01005e000001, cast_mac(c, LOCAL), 0x800);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_MULTICAST_GATHER), 1);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, THIRD), VERB_MULTICAST_GATHER), 0);
	cast_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_forgets_what_was_seen_longest_ago),
		cmocka_unit_test(a_frame_goes_to_the_bridge_it_came_from),
		cmocka_unit_test(a_refused_frame_teaches_nothing),
		cmocka_unit_test(a_bridge_no_more_gets_nothing),
		cmocka_unit_test(replicators_keep_directories),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
