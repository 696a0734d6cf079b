/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Virtual networks in one node: unicast frames, and whose configuration counts. */
#include "core/chunk.h"
#include "tests/lib/check.h"
#include "tests/lib/vl2cast.h"

static void ext_frames_keep_to_their_addresses(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	uint64_t remote = cast_mac(c, REMOTE), local = cast_mac(c, LOCAL);
	cast_prove(c, REMOTE);
	assert_int_equal(cast_ext_frame(c, REMOTE, local, remote, 0), VL2_DONE);
	assert_int_equal(cast_ext_frame(c, REMOTE, ADDR_MAC_BROADCAST, remote, 0), VL2_DONE);
	assert_int_equal(c->v.frame_count, 2);
	/* Nobody's, ours, another member's, a group's, to somebody else: all refused. */
	const uint64_t bad[][2] = {
		{ local, 0 },
		{ local, local },
		{ local, cast_mac(c, THIRD) },
		{ local, 0x020000000001 },
		{ local, ADDR_MAC_BROADCAST },
		{ cast_mac(c, THIRD), remote },
		{ 0x020000000001, remote },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(cast_ext_frame(c, REMOTE, bad[i][0], bad[i][1], 0), VL2_IGNORED);
	}
	assert_int_equal(c->v.frame_count, 2);
	assert_int_equal(cast_counted(c, ZT_COUNT_DROP_FRAME), 7);
	/* Acknowledged on request. */
	vl2node_clear(&c->v);
	cast_ext_frame(c, REMOTE, local, remote, EXT_FRAME_ACK);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_OK), 1);
	cast_free(c);
}

static void active_bridges_speak_for_others(void **state)
{
	(void)state;
	struct cast *c = cast_new();
	struct netconf *config = cast_config(c, WALL_MS);
	assert_int_equal(
	    netconf_add_specialist(config, SPECIALIST_BRIDGE | cast_address(c, REMOTE)), 0);
	cast_join(c, config);
	cast_prove(c, REMOTE);
	cast_prove(c, THIRD);
	assert_int_equal(cast_ext_frame(c, REMOTE, cast_mac(c, LOCAL), 0x020000000001, 0),
			 VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	assert_false(c->v.frames[0].is_authentic);
	assert_int_equal(cast_ext_frame(c, THIRD, cast_mac(c, LOCAL), 0x020000000001, 0),
			 VL2_IGNORED);
	/* And get what belongs to nobody. */
	vl2node_clear(&c->v);
	cast_stack_sends(c, 0x020000000001, cast_mac(c, LOCAL), 0x800);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_EXT_FRAME), 1);
	cast_free(c);
}

static void frames_from_the_stack_are_checked(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	cast_stack_sends(c, cast_mac(c, REMOTE), cast_mac(c, THIRD), 0x800);
	cast_stack_sends(c, 0x020000000001, cast_mac(c, LOCAL), 0x800);
	struct zt_frame out = { .bytes = (const uint8_t *)"short", .length = 5 };
	zt_send_frames(c->v.node, c->v.now, c->nwid, &out, 1);
	assert_int_equal(cast_counted(c, ZT_COUNT_DROP_FRAME), 3);
	zt_send_frames(c->v.node, c->v.now, c->nwid + 1, &out, 1);
	assert_int_equal(cast_counted(c, ZT_COUNT_DROP_NETWORK), 1);
	assert_int_equal(c->v.arena.tx_count, 0);
	cast_free(c);
}

/* vl2 6.4: not while the stack is still sending. */
static void a_frame_to_ourselves_comes_back_later(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	cast_stack_sends(c, cast_mac(c, LOCAL), cast_mac(c, LOCAL), 0x800);
	cast_stack_sends(c, cast_mac(c, LOCAL), cast_mac(c, LOCAL), 0x806);
	assert_int_equal(c->v.frame_count, 0);
	vl2node_advance(&c->v, 1);
	vl2_tick(c->v.node, c->v.now);
	assert_int_equal(c->v.frame_count, 2);
	assert_true(c->v.frames[0].is_authentic && c->v.frames[0].nwid == c->nwid);
	assert_int_equal(c->v.frames[0].bytes[13], 0x00);
	assert_int_equal(c->v.frames[1].bytes[13], 0x06);
	vl2node_advance(&c->v, 1);
	vl2_tick(c->v.node, c->v.now);
	assert_int_equal(c->v.frame_count, 2); /* once */
	/* A network that was left meanwhile gets nothing; a heap of frames is cut short. */
	for (int i = 0; i < 4000; i++) {
		cast_stack_sends(c, cast_mac(c, LOCAL), cast_mac(c, LOCAL), 0x800);
	}
	assert_true(cast_counted(c, ZT_COUNT_DROP_MEMORY) > 0);
	assert_int_equal(zt_leave(c->v.node, c->v.now, c->nwid), 0);
	vl2node_advance(&c->v, 1);
	vl2_tick(c->v.node, c->v.now);
	assert_int_equal(c->v.frame_count, 2);
	assert_true(cast_counted(c, ZT_COUNT_DROP_NETWORK) > 0);
	cast_free(c);
}

/* What the ports of an ad-hoc network let through, without a controller (vl2 1.1). */
static void an_ad_hoc_network_needs_no_controller(void **state)
{
	(void)state;
	struct cast *c = cast_new();
	struct zt_network_view view;
	const uint64_t port_80 = 0xff00500050000000, no_range = 0xff00600050000000,
		       strange = 0xff00500050000002;
	assert_int_equal(zt_join(c->v.node, c->v.now, port_80, NULL, 0), 0);
	assert_int_equal(zt_join(c->v.node, c->v.now, no_range, NULL, 0), 0);
	assert_int_equal(zt_join(c->v.node, c->v.now, strange, NULL, 0), 0);
	assert_true(zt_network_find(c->v.node, port_80, &view));
	assert_int_equal(view.status, ZT_NETWORK_OK);
	assert_false(view.is_private);
	assert_string_equal(view.name, "adhoc-0050-0050");
	assert_int_equal(view.address_count, 1);
	assert_true(zt_network_find(c->v.node, no_range, &view));
	assert_int_equal(view.status, ZT_NETWORK_NOT_FOUND);
	assert_true(zt_network_find(c->v.node, strange, &view));
	assert_int_equal(view.status, ZT_NETWORK_REQUESTING_CONFIGURATION);
	/* Nobody is asked, now or later. */
	for (int i = 0; i < 200; i++) {
		vl2node_advance(&c->v, 1000);
		vl2_tick(c->v.node, c->v.now);
	}
	assert_int_equal(vl2node_count(&c->v, 0, VERB_NETWORK_CONFIG_REQUEST), 0);
	assert_int_equal(zt_leave(c->v.node, c->v.now, port_80), 0);
	cast_free(c);
}

static void our_credentials_go_before_the_first_frame(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	static struct vl2node_sent sent;
	uint64_t remote = cast_address(c, REMOTE);
	cast_stack_sends(c, cast_mac(c, REMOTE), cast_mac(c, LOCAL), 0x800);
	assert_true(vl2node_sent(&c->v, 0, &sent));
	assert_int_equal(sent.verb, VERB_NETWORK_CREDENTIALS);
	assert_true(vl2node_sent(&c->v, 1, &sent));
	assert_int_equal(sent.verb, VERB_FRAME);
	cast_stack_sends(c, cast_mac(c, REMOTE), cast_mac(c, LOCAL), 0x800);
	assert_int_equal(vl2node_count(&c->v, remote, VERB_NETWORK_CREDENTIALS), 1);
	assert_int_equal(vl2node_count(&c->v, remote, VERB_FRAME), 2);
	cast_free(c);
}

/* ERROR with that code about the network. */
static enum vl2_result error_in(struct cast *c, size_t from, uint8_t in_re, uint8_t code)
{
	uint8_t bytes[8];
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u64(&w, c->nwid);
	struct peer *peer = peer_find(c->v.node, cast_address(c, from));
	struct packet_in in = { .peer = peer, .source = cast_address(c, from), .verb = VERB_ERROR };
	const struct vl2_refusal refusal = { .in_re_verb = in_re, .code = code };
	struct rd r = rd_init(bytes, sizeof(bytes));
	return vl2_on_error(c->v.node, c->v.now, &in, &refusal, &r);
}

static void credentials_are_shown_on_request(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	for (int i = 0; i < 5; i++) {
		error_in(c, REMOTE, VERB_FRAME, ERROR_NEED_MEMBERSHIP_CERTIFICATE);
	}
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_NETWORK_CREDENTIALS),
			 1);
	vl2node_advance(&c->v, 1001);
	error_in(c, REMOTE, VERB_FRAME, ERROR_NEED_MEMBERSHIP_CERTIFICATE);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_NETWORK_CREDENTIALS),
			 2);
	cast_free(c);
}

static void only_the_controller_refuses(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	const uint8_t request = VERB_NETWORK_CONFIG_REQUEST;
	assert_int_equal(error_in(c, REMOTE, request, ERROR_NETWORK_ACCESS_DENIED), VL2_IGNORED);
	assert_int_equal(error_in(c, CONTROLLER, VERB_FRAME, ERROR_NETWORK_ACCESS_DENIED),
			 VL2_IGNORED);
	assert_int_equal(cast_status(c), ZT_NETWORK_OK);
	error_in(c, CONTROLLER, request, ERROR_NETWORK_ACCESS_DENIED);
	assert_int_equal(cast_status(c), ZT_NETWORK_ACCESS_DENIED);
	error_in(c, CONTROLLER, request, ERROR_OBJ_NOT_FOUND);
	assert_int_equal(cast_status(c), ZT_NETWORK_NOT_FOUND);
	error_in(c, CONTROLLER, request, ERROR_NETWORK_AUTHENTICATION_REQUIRED);
	assert_int_equal(cast_status(c), ZT_NETWORK_AUTHENTICATION_REQUIRED);
	cast_free(c);
}

static void push_config(struct cast *c, size_t from, struct netconf *config, uint64_t update_id)
{
	size_t length;
	uint8_t *dict = cast_config_bytes(config, &length);
	const struct chunk_source source = {
		.nwid = c->nwid, .update_id = update_id, .dict = dict, .dict_length = length
	};
	uint8_t *bytes = malloc(CHUNK_MAX_BYTES);
	assert_non_null(bytes);
	struct wr w = wr_init(bytes, CHUNK_MAX_BYTES);
	assert_int_equal(chunk_count(length), 1);
	assert_int_equal(chunk_write(&w, &source, 0, &c->id[CONTROLLER]), 0);
	cast_packet(c, from, VERB_NETWORK_CONFIG, &w);
	free(bytes);
	free(dict);
}

static void an_old_configuration_does_not_come_back(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	struct netconf *config = cast_config(c, WALL_MS + 50);
	config->revision = 5;
	push_config(c, REMOTE, config, 1); /* any member may bring it */
	assert_int_equal(cast_revision(c), 5);
	config = cast_config(c, WALL_MS + 20);
	config->revision = 4;
	push_config(c, REMOTE, config, 2);
	assert_int_equal(cast_revision(c), 5);
	assert_int_equal(cast_counted(c, ZT_COUNT_DROP_UNTRUSTED), 1);
	cast_free(c);
}

static void rules_drop_frames_both_ways(void **state)
{
	(void)state;
	struct cast *c = cast_new();
	struct netconf *config = cast_config(c, WALL_MS);
	config->rules[0] = (struct rule){ .type = RULE_ETHERTYPE, .u.number = 0x800 };
	assert_int_equal(netconf_add_rule(config, &(struct rule){ .type = RULE_DROP }), 0);
	cast_join(c, config);
	cast_prove(c, REMOTE);
	assert_int_equal(cast_status(c), ZT_NETWORK_OK);
	cast_frame(c, REMOTE);
	cast_stack_sends(c, cast_mac(c, REMOTE), cast_mac(c, LOCAL), 0x800);
	assert_int_equal(c->v.frame_count, 0);
	assert_int_equal(cast_counted(c, ZT_COUNT_DROP_RULES), 2);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_FRAME), 0);
	cast_free(c);
}

static void a_controller_hears_requests_and_answers_itself(void **state)
{
	(void)state;
	struct cast *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	for (size_t i = 0; i < NODES; i++) {
		assert_int_equal(identity_parse(cast_identity_text(i), &c->id[i]), 0);
	}
	c->nwid = c->id[CONTROLLER].address << 24 | 1;
	vl2node_init(&c->v, cast_identity_text(CONTROLLER), WALL_MS, true);
	vl2node_peer(&c->v, cast_identity_text(REMOTE));
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	config_request_write(&w, &(struct config_request){ .nwid = c->nwid, .revision = 3 });
	assert_int_equal(cast_packet(c, REMOTE, VERB_NETWORK_CONFIG_REQUEST, &w), VL2_DONE);
	assert_int_equal(c->v.request_count, 1);
	assert_true(c->v.request.member == cast_address(c, REMOTE) && c->v.request.revision == 3);
	/* Another controller's network is none of its business. */
	w = wr_init(bytes, sizeof(bytes));
	config_request_write(&w, &(struct config_request){ .nwid = c->nwid + (1ULL << 24) });
	assert_int_equal(cast_packet(c, REMOTE, VERB_NETWORK_CONFIG_REQUEST, &w), VL2_IGNORED);
	assert_int_equal(c->v.request_count, 1);
	/* It asks itself without a packet, and is refused without one. */
	vl2node_clear(&c->v);
	assert_int_equal(zt_join(c->v.node, c->v.now, c->nwid, NULL, 0), 0);
	assert_int_equal(c->v.request_count, 2);
	assert_true(c->v.request.packet_id == UINT64_MAX);
	const struct zt_reply_to to = { .member = cast_address(c, CONTROLLER),
					.nwid = c->nwid,
					.request_id = UINT64_MAX };
	zt_config_refuse(c->v.node, c->v.now, &to, ERROR_NETWORK_ACCESS_DENIED, NULL);
	assert_int_equal(cast_status(c), ZT_NETWORK_ACCESS_DENIED);
	assert_int_equal(c->v.arena.tx_count, 0);
	/* Where to sign on is remembered until the next answer. */
	struct zt_network_view view;
	zt_config_refuse(c->v.node, c->v.now, &to, VL2_ERROR_AUTHENTICATION_REQUIRED,
			 "https://login.example/?a=b\n");
	assert_true(zt_network_find(c->v.node, c->nwid, &view) && view.has_login);
	assert_int_equal(view.status, ZT_NETWORK_AUTHENTICATION_REQUIRED);
	assert_string_equal(view.login_url, "https://login.example/?a=b\n");
	zt_config_refuse(c->v.node, c->v.now, &to, ERROR_NETWORK_ACCESS_DENIED, NULL);
	assert_true(zt_network_find(c->v.node, c->nwid, &view) && !view.has_login);
	assert_string_equal(view.login_url, "");
	cast_free(c);
}

static void who_is_no_controller_says_so(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	config_request_write(&w,
			     &(struct config_request){ .nwid = cast_address(c, LOCAL) << 24 | 1 });
	cast_packet(c, REMOTE, VERB_NETWORK_CONFIG_REQUEST, &w);
	assert_int_equal(vl2node_count(&c->v, cast_address(c, REMOTE), VERB_ERROR), 1);
	cast_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ext_frames_keep_to_their_addresses),
		cmocka_unit_test(active_bridges_speak_for_others),
		cmocka_unit_test(frames_from_the_stack_are_checked),
		cmocka_unit_test(a_frame_to_ourselves_comes_back_later),
		cmocka_unit_test(an_ad_hoc_network_needs_no_controller),
		cmocka_unit_test(our_credentials_go_before_the_first_frame),
		cmocka_unit_test(credentials_are_shown_on_request),
		cmocka_unit_test(only_the_controller_refuses),
		cmocka_unit_test(an_old_configuration_does_not_come_back),
		cmocka_unit_test(rules_drop_frames_both_ways),
		cmocka_unit_test(a_controller_hears_requests_and_answers_itself),
		cmocka_unit_test(who_is_no_controller_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
