/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Multicast replicators, in one node (vl2 8.3, 8.4). */
#include "tests/lib/check.h"
#include "tests/lib/vl2cast.h"

static const uint64_t GROUP = 0x01005e000001;

/* Everybody but the controller is in the group; `who` has these roles. */
static struct cast *cast_with(size_t who, uint64_t roles)
{
	struct cast *c = cast_new();
	struct netconf *config = cast_config(c, WALL_MS);
	assert_int_equal(netconf_add_specialist(config, roles | cast_address(c, who)), 0);
	cast_join(c, config);
	for (size_t i = REMOTE; i <= THIRD; i++) {
		uint8_t bytes[MSG2_LIKE_BYTES];
		struct wr w = wr_init(bytes, sizeof(bytes));
		group_id_write(&w, &(struct group_id){ .nwid = c->nwid, .mac = GROUP });
		cast_prove(c, i);
		assert_int_equal(cast_packet(c, i, VERB_MULTICAST_LIKE, &w), VL2_DONE);
	}
	vl2node_clear(&c->v);
	return c;
}

static size_t copies_to(struct cast *c, size_t who)
{
	return vl2node_count(&c->v, cast_address(c, who), VERB_MULTICAST_FRAME);
}

/* The only multicast frame that went out. */
static struct mcast_frame the_copy(struct cast *c)
{
	static struct vl2node_sent sent;
	struct mcast_frame message = { 0 };
	assert_int_equal(vl2node_count(&c->v, 0, VERB_MULTICAST_FRAME), 1);
	for (size_t i = 0; vl2node_sent(&c->v, i, &sent); i++) {
		if (sent.verb == VERB_MULTICAST_FRAME) {
			struct rd r = rd_init(sent.bytes + PACKET_PAYLOAD_AT,
					      sent.length - PACKET_PAYLOAD_AT);
			assert_int_equal(mcast_frame_read(&r, &message), 0);
		}
	}
	return message;
}

static enum vl2_result request_from(struct cast *c, size_t from, unsigned flags, uint64_t mac)
{
	struct mcast_frame message = {
		.group = { .nwid = c->nwid, .mac = GROUP },
		.flags = (uint8_t)flags,
		.from = mac,
		.ether_type = 0x800,
	};
	uint8_t bytes[128];
	struct wr w = wr_init(bytes, sizeof(bytes));
	mcast_frame_write_header(&w, &message);
	wr_zeros(&w, 46);
	return cast_packet(c, from, VERB_MULTICAST_FRAME, &w);
}

enum { REQUEST = MULTICAST_FRAME_SOURCE | MULTICAST_FRAME_REPLICATE };

static void a_frame_is_left_to_the_replicator(void **state)
{
	(void)state;
	struct cast *c = cast_with(REMOTE, SPECIALIST_REPLICATOR);
	cast_stack_sends(c, GROUP, cast_mac(c, LOCAL), 0x800);
	assert_int_equal(copies_to(c, REMOTE), 1);
	struct mcast_frame message = the_copy(c);
	assert_int_equal(message.flags, REQUEST);
	assert_int_equal(message.from, cast_mac(c, LOCAL));
	assert_int_equal(message.group.mac, GROUP);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_MULTICAST_GATHER), 0);
	cast_free(c);
}

static void one_that_is_silent_is_done_without(void **state)
{
	(void)state;
	struct cast *c = cast_with(REMOTE, SPECIALIST_REPLICATOR);
	vl2node_advance(&c->v, PATH_ALIVE_MS);
	vl2node_clear(&c->v);
	cast_stack_sends(c, GROUP, cast_mac(c, LOCAL), 0x800);
	assert_int_equal(copies_to(c, REMOTE), 1);
	assert_int_equal(copies_to(c, THIRD), 1);
	cast_free(c);
}

static void bridges_and_replicators_copy_for_themselves(void **state)
{
	(void)state;
	static const uint64_t roles[] = { SPECIALIST_BRIDGE, SPECIALIST_REPLICATOR };
	for (size_t i = 0; i < 2; i++) {
		struct cast *c = cast_new();
		struct netconf *config = cast_config(c, WALL_MS);
		assert_int_equal(
		    netconf_add_specialist(config, SPECIALIST_REPLICATOR | cast_address(c, REMOTE)),
		    0);
		assert_int_equal(netconf_add_specialist(config, roles[i] | cast_address(c, LOCAL)),
				 0);
		cast_join(c, config);
		cast_stack_sends(c, GROUP, cast_mac(c, LOCAL), 0x800);
		assert_int_equal(copies_to(c, REMOTE), 0); /* it is in no group */
		cast_free(c);
	}
}

static void a_request_is_copied_to_the_others(void **state)
{
	(void)state;
	struct cast *c = cast_with(LOCAL, SPECIALIST_REPLICATOR);
	assert_int_equal(request_from(c, REMOTE, REQUEST, cast_mac(c, REMOTE)), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1); /* our own stack, too */
	assert_int_equal(copies_to(c, REMOTE), 0);
	assert_int_equal(copies_to(c, THIRD), 1);
	struct mcast_frame message = the_copy(c);
	assert_int_equal(message.flags & REQUEST, MULTICAST_FRAME_SOURCE);
	assert_int_equal(message.from, cast_mac(c, REMOTE));
	assert_int_equal(message.data.length, 46);
	/* Without being asked, it does not. */
	vl2node_clear(&c->v);
	assert_int_equal(request_from(c, REMOTE, MULTICAST_FRAME_SOURCE, cast_mac(c, REMOTE)),
			 VL2_DONE);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_MULTICAST_FRAME), 0);
	/* And a request in another's name goes nowhere. */
	assert_int_equal(request_from(c, REMOTE, REQUEST, cast_mac(c, THIRD)), VL2_IGNORED);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_MULTICAST_FRAME), 0);
	cast_free(c);
}

static void who_is_no_replicator_only_listens(void **state)
{
	(void)state;
	struct cast *c = cast_with(THIRD, SPECIALIST_REPLICATOR);
	assert_int_equal(request_from(c, REMOTE, REQUEST, cast_mac(c, REMOTE)), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_MULTICAST_FRAME), 0);
	/* A copy by the replicator comes from the one who sent it first; ours do not come back. */
	assert_int_equal(request_from(c, THIRD, MULTICAST_FRAME_SOURCE, cast_mac(c, REMOTE)),
			 VL2_DONE);
	assert_int_equal(c->v.frame_count, 2);
	assert_int_equal(request_from(c, THIRD, MULTICAST_FRAME_SOURCE, cast_mac(c, LOCAL)),
			 VL2_IGNORED);
	assert_int_equal(request_from(c, REMOTE, MULTICAST_FRAME_SOURCE, cast_mac(c, THIRD)),
			 VL2_IGNORED);
	cast_free(c);
}

/* It hears nothing of us for minutes but announcements, and yet its path is kept (vl1 12.1). */
static void replicators_and_anchors_are_kept_in_touch_with(void **state)
{
	(void)state;
	static const uint64_t roles[] = { SPECIALIST_REPLICATOR, SPECIALIST_ANCHOR };
	for (size_t i = 0; i < 2; i++) {
		struct cast *c = cast_new();
		struct netconf *config = cast_config(c, WALL_MS);
		assert_int_equal(netconf_add_specialist(config, roles[i] | cast_address(c, REMOTE)),
				 0);
		cast_join(c, config);
		vl2node_advance(&c->v, 1);
		vl2node_clear(&c->v);
		for (int64_t ms = 0; ms < 70000; ms += 1000) {
			vl2node_advance(&c->v, 1000);
			zt_tick(c->v.node, c->v.now);
		}
		assert_true(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_ECHO) +
				vl2node_count(&c->v, cast_address(c, REMOTE), VERB_HELLO) >=
			    3);
		assert_int_equal(vl2node_count(&c->v, cast_address(c, THIRD), VERB_ECHO), 0);
		assert_int_equal(vl2node_count(&c->v, cast_address(c, THIRD), VERB_HELLO), 0);
		cast_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_left_to_the_replicator),
		cmocka_unit_test(one_that_is_silent_is_done_without),
		cmocka_unit_test(bridges_and_replicators_copy_for_themselves),
		cmocka_unit_test(a_request_is_copied_to_the_others),
		cmocka_unit_test(who_is_no_replicator_only_listens),
		cmocka_unit_test(replicators_and_anchors_are_kept_in_touch_with),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
