/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Virtual networks in one node: who is believed, who is asked, and how often. */
#include "tests/lib/check.h"
#include "tests/lib/vl2cast.h"

static void a_stranger_is_asked_once_a_second(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	/* The first is kept until credentials come, and asks for them. */
	assert_int_equal(cast_frame(c, REMOTE), VL2_KEEP);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(cast_frame(c, REMOTE), VL2_IGNORED);
	}
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_ERROR), 1);
	static struct vl2node_sent sent;
	assert_true(vl2node_sent(&c->v, 0, &sent));
	struct rd r = rd_init(sent.bytes + PACKET_PAYLOAD_AT, sent.length - PACKET_PAYLOAD_AT);
	assert_int_equal(rd_u8(&r), VERB_FRAME);
	rd_u64(&r);
	assert_int_equal(rd_u8(&r), ERROR_NEED_MEMBERSHIP_CERTIFICATE);
	assert_true(rd_u64(&r) == c->nwid && rd_done(&r));
	assert_int_equal(c->v.frame_count, 0);
	assert_int_equal(cast_counted(c, ZT_COUNT_DROP_MEMBERSHIP), 11);
	vl2node_advance(&c->v, 1000);
	assert_int_equal(cast_frame(c, REMOTE), VL2_KEEP);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_ERROR), 2);
	cast_free(c);
}

static void a_member_is_heard_and_told_our_groups(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	cast_prove(c, REMOTE);
	assert_int_equal(cast_frame(c, REMOTE), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	const struct vl2node_frame *f = &c->v.frames[0];
	struct rd r = rd_init(f->bytes, f->length);
	assert_true(f->nwid == c->nwid && f->is_authentic);
	assert_true(rd_u48(&r) == cast_mac(c, LOCAL) && rd_u48(&r) == cast_mac(c, REMOTE));
	assert_int_equal(rd_u16(&r), 0x800);
	assert_memory_equal(r.p, "payload", 7);
	assert_int_equal(rd_left(&r), 7);
	/* Once, not with every frame. */
	cast_frame(c, REMOTE);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_MULTICAST_LIKE), 1);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_ERROR), 0);
	cast_free(c);
}

static void certificates_of_others_prove_nothing(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	/* Signed by somebody else. */
	struct com com = cast_com(c, REMOTE, WALL_MS);
	assert_int_equal(com_sign(&com, &c->id[THIRD]), 0);
	cast_show_com(c, REMOTE, &com);
	assert_int_equal(cast_counted(c, ZT_COUNT_DROP_UNTRUSTED), 1);
	assert_int_not_equal(cast_frame(c, REMOTE), VL2_DONE);
	/* Good, but it names another node; that one is proved by it, whoever shows it. */
	vl2node_advance(&c->v, 2000);
	com = cast_com(c, THIRD, WALL_MS);
	cast_show_com(c, REMOTE, &com);
	assert_int_not_equal(cast_frame(c, REMOTE), VL2_DONE);
	assert_int_equal(cast_frame(c, THIRD), VL2_DONE);
	/* Too far from our own in time. */
	vl2node_advance(&c->v, 2000);
	com = cast_com(c, REMOTE, WALL_MS + VL2_CREDENTIAL_DELTA_DEFAULT_MS + 1);
	cast_show_com(c, REMOTE, &com);
	assert_int_not_equal(cast_frame(c, REMOTE), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	cast_free(c);
}

static void a_revocation_shuts_out_and_spreads(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	cast_prove(c, REMOTE);
	cast_prove(c, THIRD);
	assert_int_equal(cast_frame(c, REMOTE), VL2_DONE);
	vl2node_clear(&c->v);
	assert_int_equal(cast_show_revocation(c, CONTROLLER, REMOTE, WALL_MS + 1), VL2_DONE);
	/* To the members we know, not to sender and signer. */
	assert_int_equal(vl2node_count(&c->v, cast_address(c, THIRD), VERB_NETWORK_CREDENTIALS), 1);
	assert_int_equal(
	    vl2node_count(&c->v, cast_address(c, CONTROLLER), VERB_NETWORK_CREDENTIALS), 0);
	assert_int_not_equal(cast_frame(c, REMOTE), VL2_DONE);
	assert_int_equal(cast_frame(c, THIRD), VL2_DONE);
	/* Not news, so it does not go round again. */
	vl2node_clear(&c->v);
	vl2node_advance(&c->v, 2000);
	cast_show_revocation(c, THIRD, REMOTE, WALL_MS + 1);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_NETWORK_CREDENTIALS), 0);
	/* The controller may revoke many at once (decision 030). */
	cast_show_revocation(c, CONTROLLER, REMOTE, WALL_MS + 2);
	cast_show_revocation(c, CONTROLLER, THIRD, WALL_MS + 2);
	assert_int_not_equal(cast_frame(c, THIRD), VL2_DONE);
	/* A newer certificate lets in again. */
	struct com com = cast_com(c, REMOTE, WALL_MS + 3);
	vl2node_advance(&c->v, 2000);
	cast_show_com(c, REMOTE, &com);
	assert_int_equal(cast_frame(c, REMOTE), VL2_DONE);
	cast_free(c);
}

static void credentials_come_once_a_second(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	struct com com = cast_com(c, REMOTE, WALL_MS);
	cast_show_com(c, REMOTE, &com);
	com = cast_com(c, REMOTE, WALL_MS + 10);
	cast_show_com(c, REMOTE, &com);
	const struct network *network = vl2_network(c->v.node, c->nwid);
	const struct member *member = members_find(&network->members, cast_address(c, REMOTE));
	assert_non_null(member);
	assert_int_equal(com_timestamp(&member->com), WALL_MS);
	assert_int_equal(cast_counted(c, ZT_COUNT_DROP_RATE), 1);
	vl2node_advance(&c->v, 1000);
	cast_show_com(c, REMOTE, &com);
	assert_int_equal(com_timestamp(&member->com), WALL_MS + 10);
	cast_free(c);
}

static void everybody_may_talk_on_a_public_network(void **state)
{
	(void)state;
	struct cast *c = cast_new();
	struct netconf *config = cast_config(c, WALL_MS);
	config->type = NETCONF_PUBLIC;
	cast_join(c, config);
	assert_int_equal(cast_frame(c, REMOTE), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	cast_free(c);
}

static void an_unknown_controller_keeps_the_packet(void **state)
{
	(void)state;
	struct cast *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	for (size_t i = 0; i < NODES; i++) {
		assert_int_equal(identity_parse(cast_identity_text(i), &c->id[i]), 0);
	}
	c->nwid = c->id[CONTROLLER].address << 24 | 1;
	vl2node_init(&c->v, cast_identity_text(LOCAL), WALL_MS, false);
	vl2node_peer(&c->v, cast_identity_text(REMOTE));
	cast_join(c, cast_config(c, WALL_MS));
	struct com com = cast_com(c, REMOTE, WALL_MS);
	assert_int_equal(cast_show_com(c, REMOTE, &com), VL2_KEEP);
	/* It comes again when the identity is there, and the gate knows it. */
	vl2node_peer(&c->v, cast_identity_text(CONTROLLER));
	uint8_t bytes[COM_MAX_BYTES + 1];
	struct wr w = wr_init(bytes, sizeof(bytes));
	com_write(&w, &com);
	wr_u8(&w, 0);
	assert_int_equal(vl2node_packet(&c->v, cast_address(c, REMOTE), c->v.next_id - 1,
					VERB_NETWORK_CREDENTIALS, bytes, wr_length(&w)),
			 VL2_DONE);
	assert_int_equal(cast_frame(c, REMOTE), VL2_DONE);
	cast_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stranger_is_asked_once_a_second),
		cmocka_unit_test(a_member_is_heard_and_told_our_groups),
		cmocka_unit_test(certificates_of_others_prove_nothing),
		cmocka_unit_test(a_revocation_shuts_out_and_spreads),
		cmocka_unit_test(credentials_come_once_a_second),
		cmocka_unit_test(everybody_may_talk_on_a_public_network),
		cmocka_unit_test(an_unknown_controller_keeps_the_packet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
