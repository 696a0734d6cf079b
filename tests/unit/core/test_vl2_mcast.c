/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Virtual networks in one node: the directory of groups, multicast frames, noise on every verb. */
#include "tests/lib/check.h"
#include "tests/lib/vl2cast.h"

static enum vl2_result like(struct cast *c, size_t from, uint64_t mac, uint32_t adi)
{
	uint8_t bytes[MSG2_LIKE_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	group_id_write(&w, &(struct group_id){ .nwid = c->nwid, .mac = mac, .adi = adi });
	return cast_packet(c, from, VERB_MULTICAST_LIKE, &w);
}

static enum vl2_result gather_in(struct cast *c, size_t from, uint64_t mac, uint32_t adi)
{
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	gather_msg_write(&w,
			 &(struct gather_msg){ .group = { .nwid = c->nwid, .mac = mac, .adi = adi },
					       .limit = 10 });
	return cast_packet(c, from, VERB_MULTICAST_GATHER, &w);
}

static void the_directory_is_for_members(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	like(c, THIRD, ADDR_MAC_BROADCAST, 9);
	assert_int_equal(c->v.node->vl2->mcast.group_count, 0);
	assert_int_equal(gather_in(c, THIRD, ADDR_MAC_BROADCAST, 0), VL2_IGNORED);
	assert_int_equal(c->v.arena.tx_count, 0);
	cast_prove(c, THIRD);
	cast_prove(c, REMOTE);
	like(c, THIRD, ADDR_MAC_BROADCAST, 9);
	assert_int_equal(c->v.node->vl2->mcast.member_count, 1);
	vl2node_clear(&c->v);
	/* The asker is left out; an empty answer is none. */
	gather_in(c, THIRD, ADDR_MAC_BROADCAST, 9);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, THIRD), VERB_OK), 0);
	gather_in(c, REMOTE, ADDR_MAC_BROADCAST, 9);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_OK), 1);
	/* We are in the broadcast group ourselves. */
	gather_in(c, THIRD, ADDR_MAC_BROADCAST, 0);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, THIRD), VERB_OK), 1);
	/* Ten minutes later it is forgotten. */
	vl2node_advance(&c->v, VL2_MULTICAST_LIKE_EXPIRE_MS + 1);
	mcast_sweep(&c->v.node->vl2->mcast, c->v.now.mono_ms);
	assert_int_equal(c->v.node->vl2->mcast.member_count, 0);
	assert_int_equal(c->v.node->vl2->mcast.group_count, 0);
	cast_free(c);
}

/* One member cannot fill the table that all share; its entries stay fresh nevertheless. */
static void one_announcer_has_a_limit(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	struct mcast *mcast = &c->v.node->vl2->mcast;
	cast_prove(c, THIRD);
	cast_prove(c, REMOTE);
	for (uint32_t adi = 1; adi <= MCAST_NEWS_MAX + 10; adi++) {
		like(c, THIRD, ADDR_MAC_BROADCAST, adi);
	}
	assert_int_equal(mcast->member_count, MCAST_NEWS_MAX);
	assert_int_equal(zt_counter(c->v.node, ZT_COUNT_DROP_RATE), 10);
	like(c, REMOTE, ADDR_MAC_BROADCAST, 1);
	assert_int_equal(mcast->member_count, MCAST_NEWS_MAX + 1);
	/* Known ones are refreshed: of the first sweep they alone are left. */
	vl2node_advance(&c->v, VL2_MULTICAST_LIKE_EXPIRE_MS - 1);
	like(c, THIRD, ADDR_MAC_BROADCAST, 7);
	vl2node_advance(&c->v, 1);
	mcast_sweep(mcast, c->v.now.mono_ms);
	assert_int_equal(mcast->member_count, 1);
	/* And now there is room for as many again. */
	cast_prove(c, THIRD);
	like(c, THIRD, ADDR_MAC_BROADCAST, MCAST_NEWS_MAX + 1);
	assert_int_equal(mcast->member_count, 2);
	cast_free(c);
}

/* Two members that only announce to each other fall silent (decision 140). */
static void announcements_alone_are_no_reason_to_announce(void **state)
{
	(void)state;
	enum { MINUTE_MS = 60001 };
	struct cast *c = cast_joined();
	cast_prove(c, REMOTE);
	assert_int_equal(cast_frame(c, REMOTE), VL2_DONE);
	size_t told[20] = { 0 };
	for (size_t minute = 0; minute < 20; minute++) {
		vl2node_clear(&c->v);
		vl2node_advance(&c->v, MINUTE_MS);
		assert_int_equal(like(c, REMOTE, ADDR_MAC_BROADCAST, 9), VL2_DONE);
		told[minute] = vl2node_count(&c->v, cast_address(c, REMOTE), VERB_MULTICAST_LIKE);
	}
	for (size_t minute = 0; minute < 20; minute++) {
		bool is_active = minute + 1 < VL2_MULTICAST_ACTIVE_MS / MINUTE_MS;
		assert_true(is_active ? told[minute] > 0 : minute < 10 || told[minute] == 0);
	}
	vl2node_clear(&c->v);
	assert_int_equal(cast_frame(c, REMOTE), VL2_DONE);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_MULTICAST_LIKE), 1);
	cast_free(c);
}

static void a_frame_waits_for_members_of_its_group(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	cast_prove(c, REMOTE);
	cast_prove(c, THIRD);
	vl2node_clear(&c->v);
	cast_stack_sends(c, 0x01005e000001, cast_mac(c, LOCAL), 0x800);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, CONTROLLER), VERB_MULTICAST_GATHER),
			 1);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_MULTICAST_FRAME), 0);
	vl2node_advance(&c->v, 1000);
	like(c, REMOTE, 0x01005e000001, 0);
	like(c, REMOTE, 0x01005e000001, 0);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_MULTICAST_FRAME), 1);
	/* Too late. */
	vl2node_advance(&c->v, VL2_MULTICAST_TRANSMIT_MS);
	like(c, THIRD, 0x01005e000001, 0);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, THIRD), VERB_MULTICAST_FRAME), 0);
	cast_free(c);
}

static enum vl2_result mcast_in(struct cast *c, size_t from, const struct mcast_frame *message,
				size_t length)
{
	static uint8_t bytes[VL2_MTU_MAX + 64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	mcast_frame_write_header(&w, message);
	wr_zeros(&w, length);
	return cast_packet(c, from, VERB_MULTICAST_FRAME, &w);
}

static void multicast_frames_are_checked(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	struct mcast_frame message = {
		.group = { .nwid = c->nwid, .mac = ADDR_MAC_BROADCAST, .adi = 7 },
		.ether_type = 0x806,
	};
	assert_int_equal(mcast_in(c, REMOTE, &message, 28), VL2_KEEP);
	cast_prove(c, REMOTE);
	assert_int_equal(mcast_in(c, REMOTE, &message, 28), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	assert_int_equal(c->v.frames[0].length, 14 + 28);
	assert_int_equal(mcast_in(c, REMOTE, &message, 0), VL2_IGNORED);
	message.group.mac = cast_mac(c, LOCAL);
	assert_int_equal(mcast_in(c, REMOTE, &message, 28), VL2_IGNORED);
	message.group.mac = ADDR_MAC_BROADCAST;
	message.flags = MULTICAST_FRAME_SOURCE;
	const uint64_t forged[] = { 0, cast_mac(c, LOCAL), cast_mac(c, THIRD), ADDR_MAC_BROADCAST };
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		message.from = forged[i];
		assert_int_equal(mcast_in(c, REMOTE, &message, 28), VL2_IGNORED);
	}
	message.from = cast_mac(c, REMOTE);
	assert_int_equal(mcast_in(c, REMOTE, &message, 28), VL2_DONE);
	assert_int_equal(c->v.frame_count, 2);
	cast_free(c);
}

/* Every verb with noise of every short length, from memory of exactly that size. */
static void noise_changes_nothing(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	cast_prove(c, REMOTE);
	uint64_t x = 88172645463325252ULL;
	uint8_t bytes[400];
	for (size_t n = 0; n < 20000; n++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			bytes[i] = n % 3 ? (uint8_t)x : (uint8_t)(x & 1);
		}
		struct wr w = wr_init(bytes, sizeof(bytes));
		wr_u64(&w, c->nwid);
		uint8_t verb = (uint8_t)(VERB_FRAME + n % 9);
		if (verb == VERB_ECHO || verb == VERB_FRAME) {
			continue;
		}
		vl2node_packet(&c->v, cast_address(c, n % 2 ? REMOTE : THIRD), 0, verb, bytes,
			       n % sizeof(bytes));
		vl2node_clear(&c->v);
		c->v.frame_count = 0;
		vl2node_advance(&c->v, 7);
	}
	assert_int_equal(cast_revision(c), 1);
	assert_true(vl2_network(c->v.node, c->nwid)->members.count <= 3);
	cast_prove(c, REMOTE);
	assert_int_equal(cast_frame(c, REMOTE), VL2_DONE);
	cast_free(c);
}

static void want_of_memory_is_survived(void **state)
{
	(void)state;
	for (long n = 0; n < 40; n++) {
		struct cast *c = cast_new();
		size_t length;
		uint8_t *bytes = cast_config_bytes(cast_config(c, WALL_MS), &length);
		struct com com = cast_com(c, REMOTE, WALL_MS);
		zt_mem_fail_after(n);
		int err = zt_join(c->v.node, c->v.now, c->nwid, bytes, length);
		assert_true(err == 0 || err == ZT_E_NO_MEMORY);
		cast_show_com(c, REMOTE, &com);
		cast_stack_sends(c, ADDR_MAC_BROADCAST, cast_mac(c, LOCAL), 0x800);
		like(c, REMOTE, ADDR_MAC_BROADCAST, 1);
		cast_frame(c, REMOTE);
		zt_mem_fail_after(-1);
		free(bytes);
		cast_free(c);
	}
}

static void the_table_of_members_is_bounded(void **state)
{
	(void)state;
	struct members members;
	members_init(&members, 1);
	/* One that proved itself stays although it is the oldest. */
	struct member *proved = members_get(&members, 7, 0);
	assert_non_null(proved);
	proved->has_com = true;
	for (uint64_t i = 0; i < MEMBERS_MAX + 100; i++) {
		assert_non_null(members_get(&members, 1000 + i, (int64_t)i + 1));
	}
	assert_int_equal(members.count, MEMBERS_MAX);
	assert_ptr_equal(members_find(&members, 7), proved);
	assert_null(members_find(&members, 1000));
	assert_null(members_find(&members, 1100));
	assert_non_null(members_find(&members, 1101));
	assert_non_null(members_find(&members, 1000 + MEMBERS_MAX + 99));
	members_sweep(&members, INT64_MAX, &(struct held_window){ 0 });
	assert_int_equal(members.count, 1);
	assert_ptr_equal(members_find(&members, 7), proved);
	members_fini(&members);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_directory_is_for_members),
		cmocka_unit_test(one_announcer_has_a_limit),
		cmocka_unit_test(announcements_alone_are_no_reason_to_announce),
		cmocka_unit_test(a_frame_waits_for_members_of_its_group),
		cmocka_unit_test(multicast_frames_are_checked),
		cmocka_unit_test(noise_changes_nothing),
		cmocka_unit_test(want_of_memory_is_survived),
		cmocka_unit_test(the_table_of_members_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
