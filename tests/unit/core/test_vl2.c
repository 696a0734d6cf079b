/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Virtual networks in one node: who is believed, who is answered, and how often. */
#include "core/addr.h"
#include "core/chunk.h"
#include "core/mem.h"
#include "core/node_impl.h"
#include "core/vl2_impl.h"
#include "tests/lib/check.h"
#include "tests/lib/vl2node.h"

enum { WALL_MS = 1700000000 };

/* Identities of identities.json; the first controls the network. */
enum { CONTROLLER, LOCAL, REMOTE, THIRD, NODES };

struct cast {
	struct identity id[NODES];
	uint64_t nwid;
	struct vl2node v;
};

static const char *text_of(size_t index)
{
	return json_string_value(
	    json_array_get(vectors_section("identities.json", "identities"), index));
}

static struct com com_for(const struct cast *c, size_t member, uint64_t timestamp)
{
	struct com com;
	com_make(&com, timestamp, VL2_CREDENTIAL_DELTA_DEFAULT_MS, c->nwid, &c->id[member]);
	assert_int_equal(com_sign(&com, &c->id[CONTROLLER]), 0);
	return com;
}

/* A configuration for the local node; the caller may change it before config_bytes. */
static struct netconf *config_for(const struct cast *c, uint64_t timestamp)
{
	struct netconf *config = netconf_new();
	assert_non_null(config);
	config->nwid = c->nwid;
	config->issued_to = c->id[LOCAL].address;
	config->timestamp = timestamp;
	config->credential_delta_ms = VL2_CREDENTIAL_DELTA_DEFAULT_MS;
	config->revision = 1;
	config->flags = NETCONF_BROADCAST;
	config->multicast_limit = 32;
	config->has_com = true;
	config->com = com_for(c, LOCAL, timestamp);
	assert_int_equal(netconf_add_rule(config, &(struct rule){ .type = RULE_ACCEPT }), 0);
	return config;
}

/* Frees the configuration; the bytes are the caller's. */
static uint8_t *config_bytes(struct netconf *config, size_t *length)
{
	uint8_t *bytes = malloc(VL2_CONFIG_MAX_BYTES);
	assert_non_null(bytes);
	struct wr w = wr_init(bytes, VL2_CONFIG_MAX_BYTES);
	netconf_write(&w, config);
	assert_false(w.bad);
	*length = wr_length(&w);
	netconf_free(config);
	return bytes;
}

static void cast_join(struct cast *c, struct netconf *config)
{
	size_t length;
	uint8_t *bytes = config_bytes(config, &length);
	assert_int_equal(zt_join(c->v.node, c->v.now, c->nwid, bytes, length), 0);
	free(bytes);
	vl2node_clear(&c->v);
}

static struct cast *cast_new(void)
{
	struct cast *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	for (size_t i = 0; i < NODES; i++) {
		assert_int_equal(identity_parse(text_of(i), &c->id[i]), 0);
	}
	c->nwid = c->id[CONTROLLER].address << 24 | 0x123456;
	vl2node_init(&c->v, text_of(LOCAL), WALL_MS, false);
	vl2node_peer(&c->v, text_of(CONTROLLER));
	vl2node_peer(&c->v, text_of(REMOTE));
	vl2node_peer(&c->v, text_of(THIRD));
	return c;
}

static struct cast *cast_joined(void)
{
	struct cast *c = cast_new();
	cast_join(c, config_for(c, WALL_MS));
	return c;
}

static void cast_free(struct cast *c)
{
	vl2node_fini(&c->v);
	free(c);
}

static uint64_t address(const struct cast *c, size_t who)
{
	return c->id[who].address;
}

static uint64_t counted(const struct cast *c, enum zt_counter counter)
{
	return zt_counter(c->v.node, counter);
}

/* ---- packets
 * -------------------------------------------------------------------------------------- */

static enum vl2_result packet(struct cast *c, size_t from, uint8_t verb, const struct wr *w)
{
	assert_false(w->bad);
	return vl2node_packet(&c->v, address(c, from), 0, verb, w->start, wr_length(w));
}

static enum vl2_result show_com(struct cast *c, size_t from, const struct com *com)
{
	uint8_t bytes[COM_MAX_BYTES + 1];
	struct wr w = wr_init(bytes, sizeof(bytes));
	com_write(&w, com);
	wr_u8(&w, 0);
	return packet(c, from, VERB_NETWORK_CREDENTIALS, &w);
}

static void prove(struct cast *c, size_t who)
{
	struct com com = com_for(c, who, WALL_MS + 1);
	assert_int_equal(show_com(c, who, &com), VL2_DONE);
}

static enum vl2_result show_revocation(struct cast *c, size_t from, size_t target,
				       uint64_t threshold)
{
	struct revocation rev = { .id = (uint32_t)threshold,
				  .nwid = c->nwid,
				  .threshold = threshold,
				  .flags = REVOCATION_FAST_PROPAGATE,
				  .target = address(c, target),
				  .type = CREDENTIAL_COM };
	assert_int_equal(revocation_sign(&rev, &c->id[CONTROLLER]), 0);
	uint8_t bytes[REVOCATION_MAX_BYTES + 16];
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u8(&w, 0);
	wr_u16(&w, 0);
	wr_u16(&w, 0);
	wr_u16(&w, 1);
	revocation_write(&w, &rev);
	wr_u16(&w, 0);
	return packet(c, from, VERB_NETWORK_CREDENTIALS, &w);
}

static enum vl2_result frame(struct cast *c, size_t from)
{
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	frame_msg_write_header(&w, &(struct frame_msg){ .nwid = c->nwid, .ether_type = 0x800 });
	wr_bytes(&w, "payload", 7);
	return packet(c, from, VERB_FRAME, &w);
}

static enum vl2_result ext_frame(struct cast *c, size_t from, uint64_t mac_to, uint64_t mac_from,
				 uint8_t flags)
{
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	ext_frame_write_header(&w, &(struct ext_frame){ .nwid = c->nwid,
							.flags = flags,
							.to = mac_to,
							.from = mac_from,
							.ether_type = 0x800 });
	wr_bytes(&w, "payload", 7);
	return packet(c, from, VERB_EXT_FRAME, &w);
}

/* A frame from the stack. */
static void stack_sends(struct cast *c, uint64_t to, uint64_t from, uint16_t ether_type)
{
	uint8_t bytes[64] = { 0 };
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u48(&w, to);
	wr_u48(&w, from);
	wr_u16(&w, ether_type);
	struct zt_frame out = { .bytes = bytes, .length = sizeof(bytes) };
	zt_send_frames(c->v.node, c->v.now, c->nwid, &out, 1);
}

static uint64_t mac_of(const struct cast *c, size_t who)
{
	return addr_mac(c->nwid, address(c, who));
}

/* ---- the gate
 * --------------------------------------------------------------------------------------- */

static void a_stranger_is_asked_once_a_second(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	/* The first is kept until credentials come, and asks for them. */
	assert_int_equal(frame(c, REMOTE), VL2_KEEP);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(frame(c, REMOTE), VL2_IGNORED);
	}
	assert_int_equal(vl2node_count(&c->v, address(c, REMOTE), VERB_ERROR), 1);
	static struct vl2node_sent sent;
	assert_true(vl2node_sent(&c->v, 0, &sent));
	struct rd r = rd_init(sent.bytes + PACKET_PAYLOAD_AT, sent.length - PACKET_PAYLOAD_AT);
	assert_int_equal(rd_u8(&r), VERB_FRAME);
	rd_u64(&r);
	assert_int_equal(rd_u8(&r), ERROR_NEED_MEMBERSHIP_CERTIFICATE);
	assert_true(rd_u64(&r) == c->nwid && rd_done(&r));
	assert_int_equal(c->v.frame_count, 0);
	assert_int_equal(counted(c, ZT_COUNT_DROP_MEMBERSHIP), 11);
	vl2node_advance(&c->v, 1000);
	assert_int_equal(frame(c, REMOTE), VL2_KEEP);
	assert_int_equal(vl2node_count(&c->v, address(c, REMOTE), VERB_ERROR), 2);
	cast_free(c);
}

static void a_member_is_heard_and_told_our_groups(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	prove(c, REMOTE);
	assert_int_equal(frame(c, REMOTE), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	const struct vl2node_frame *f = &c->v.frames[0];
	struct rd r = rd_init(f->bytes, f->length);
	assert_true(f->nwid == c->nwid && f->is_authentic);
	assert_true(rd_u48(&r) == mac_of(c, LOCAL) && rd_u48(&r) == mac_of(c, REMOTE));
	assert_int_equal(rd_u16(&r), 0x800);
	assert_memory_equal(r.p, "payload", 7);
	assert_int_equal(rd_left(&r), 7);
	/* Once, not with every frame. */
	frame(c, REMOTE);
	assert_int_equal(vl2node_count(&c->v, address(c, REMOTE), VERB_MULTICAST_LIKE), 1);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_ERROR), 0);
	cast_free(c);
}

static void certificates_of_others_prove_nothing(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	/* Signed by somebody else. */
	struct com com = com_for(c, REMOTE, WALL_MS);
	assert_int_equal(com_sign(&com, &c->id[THIRD]), 0);
	show_com(c, REMOTE, &com);
	assert_int_equal(counted(c, ZT_COUNT_DROP_UNTRUSTED), 1);
	assert_int_not_equal(frame(c, REMOTE), VL2_DONE);
	/* Good, but it names another node; that one is proved by it, whoever shows it. */
	vl2node_advance(&c->v, 2000);
	com = com_for(c, THIRD, WALL_MS);
	show_com(c, REMOTE, &com);
	assert_int_not_equal(frame(c, REMOTE), VL2_DONE);
	assert_int_equal(frame(c, THIRD), VL2_DONE);
	/* Too far from our own in time. */
	vl2node_advance(&c->v, 2000);
	com = com_for(c, REMOTE, WALL_MS + VL2_CREDENTIAL_DELTA_DEFAULT_MS + 1);
	show_com(c, REMOTE, &com);
	assert_int_not_equal(frame(c, REMOTE), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	cast_free(c);
}

static void a_revocation_shuts_out_and_spreads(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	prove(c, REMOTE);
	prove(c, THIRD);
	assert_int_equal(frame(c, REMOTE), VL2_DONE);
	vl2node_clear(&c->v);
	assert_int_equal(show_revocation(c, CONTROLLER, REMOTE, WALL_MS + 1), VL2_DONE);
	/* To the members we know, not to sender and signer. */
	assert_int_equal(vl2node_count(&c->v, address(c, THIRD), VERB_NETWORK_CREDENTIALS), 1);
	assert_int_equal(vl2node_count(&c->v, address(c, CONTROLLER), VERB_NETWORK_CREDENTIALS), 0);
	assert_int_not_equal(frame(c, REMOTE), VL2_DONE);
	assert_int_equal(frame(c, THIRD), VL2_DONE);
	/* Not news, so it does not go round again. */
	vl2node_clear(&c->v);
	vl2node_advance(&c->v, 2000);
	show_revocation(c, THIRD, REMOTE, WALL_MS + 1);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_NETWORK_CREDENTIALS), 0);
	/* The controller may revoke many at once (decision 030). */
	show_revocation(c, CONTROLLER, REMOTE, WALL_MS + 2);
	show_revocation(c, CONTROLLER, THIRD, WALL_MS + 2);
	assert_int_not_equal(frame(c, THIRD), VL2_DONE);
	/* A newer certificate lets in again. */
	struct com com = com_for(c, REMOTE, WALL_MS + 3);
	vl2node_advance(&c->v, 2000);
	show_com(c, REMOTE, &com);
	assert_int_equal(frame(c, REMOTE), VL2_DONE);
	cast_free(c);
}

static void credentials_come_once_a_second(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	struct com com = com_for(c, REMOTE, WALL_MS);
	show_com(c, REMOTE, &com);
	com = com_for(c, REMOTE, WALL_MS + 10);
	show_com(c, REMOTE, &com);
	const struct network *network = vl2_network(c->v.node, c->nwid);
	const struct member *member = members_find(&network->members, address(c, REMOTE));
	assert_non_null(member);
	assert_int_equal(com_timestamp(&member->com), WALL_MS);
	assert_int_equal(counted(c, ZT_COUNT_DROP_RATE), 1);
	vl2node_advance(&c->v, 1000);
	show_com(c, REMOTE, &com);
	assert_int_equal(com_timestamp(&member->com), WALL_MS + 10);
	cast_free(c);
}

static void everybody_may_talk_on_a_public_network(void **state)
{
	(void)state;
	struct cast *c = cast_new();
	struct netconf *config = config_for(c, WALL_MS);
	config->type = NETCONF_PUBLIC;
	cast_join(c, config);
	assert_int_equal(frame(c, REMOTE), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	cast_free(c);
}

static void an_unknown_controller_keeps_the_packet(void **state)
{
	(void)state;
	struct cast *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	for (size_t i = 0; i < NODES; i++) {
		assert_int_equal(identity_parse(text_of(i), &c->id[i]), 0);
	}
	c->nwid = c->id[CONTROLLER].address << 24 | 1;
	vl2node_init(&c->v, text_of(LOCAL), WALL_MS, false);
	vl2node_peer(&c->v, text_of(REMOTE));
	cast_join(c, config_for(c, WALL_MS));
	struct com com = com_for(c, REMOTE, WALL_MS);
	assert_int_equal(show_com(c, REMOTE, &com), VL2_KEEP);
	/* It comes again when the identity is there, and the gate knows it. */
	vl2node_peer(&c->v, text_of(CONTROLLER));
	uint8_t bytes[COM_MAX_BYTES + 1];
	struct wr w = wr_init(bytes, sizeof(bytes));
	com_write(&w, &com);
	wr_u8(&w, 0);
	assert_int_equal(vl2node_packet(&c->v, address(c, REMOTE), c->v.next_id - 1,
					VERB_NETWORK_CREDENTIALS, bytes, wr_length(&w)),
			 VL2_DONE);
	assert_int_equal(frame(c, REMOTE), VL2_DONE);
	cast_free(c);
}

/* ---- frames
 * ------------------------------------------------------------------------------------------- */

static void ext_frames_keep_to_their_addresses(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	uint64_t remote = mac_of(c, REMOTE), local = mac_of(c, LOCAL);
	prove(c, REMOTE);
	assert_int_equal(ext_frame(c, REMOTE, local, remote, 0), VL2_DONE);
	assert_int_equal(ext_frame(c, REMOTE, ADDR_MAC_BROADCAST, remote, 0), VL2_DONE);
	assert_int_equal(c->v.frame_count, 2);
	/* Nobody's, ours, another member's, a group's, to somebody else: all refused. */
	const uint64_t bad[][2] = {
		{ local, 0 },
		{ local, local },
		{ local, mac_of(c, THIRD) },
		{ local, 0x020000000001 },
		{ local, ADDR_MAC_BROADCAST },
		{ mac_of(c, THIRD), remote },
		{ 0x020000000001, remote },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ext_frame(c, REMOTE, bad[i][0], bad[i][1], 0), VL2_IGNORED);
	}
	assert_int_equal(c->v.frame_count, 2);
	assert_int_equal(counted(c, ZT_COUNT_DROP_FRAME), 7);
	/* Acknowledged on request. */
	vl2node_clear(&c->v);
	ext_frame(c, REMOTE, local, remote, EXT_FRAME_ACK);
	assert_int_equal(vl2node_count(&c->v, address(c, REMOTE), VERB_OK), 1);
	cast_free(c);
}

static void active_bridges_speak_for_others(void **state)
{
	(void)state;
	struct cast *c = cast_new();
	struct netconf *config = config_for(c, WALL_MS);
	assert_int_equal(netconf_add_specialist(config, SPECIALIST_BRIDGE | address(c, REMOTE)), 0);
	cast_join(c, config);
	prove(c, REMOTE);
	prove(c, THIRD);
	assert_int_equal(ext_frame(c, REMOTE, mac_of(c, LOCAL), 0x020000000001, 0), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	assert_false(c->v.frames[0].is_authentic);
	assert_int_equal(ext_frame(c, THIRD, mac_of(c, LOCAL), 0x020000000001, 0), VL2_IGNORED);
	/* And get what belongs to nobody. */
	vl2node_clear(&c->v);
	stack_sends(c, 0x020000000001, mac_of(c, LOCAL), 0x800);
	assert_int_equal(vl2node_count(&c->v, address(c, REMOTE), VERB_EXT_FRAME), 1);
	cast_free(c);
}

static void frames_from_the_stack_are_checked(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	stack_sends(c, mac_of(c, LOCAL), mac_of(c, LOCAL), 0x800);
	stack_sends(c, mac_of(c, REMOTE), mac_of(c, THIRD), 0x800);
	stack_sends(c, 0x020000000001, mac_of(c, LOCAL), 0x800);
	struct zt_frame out = { .bytes = (const uint8_t *)"short", .length = 5 };
	zt_send_frames(c->v.node, c->v.now, c->nwid, &out, 1);
	assert_int_equal(counted(c, ZT_COUNT_DROP_FRAME), 4);
	zt_send_frames(c->v.node, c->v.now, c->nwid + 1, &out, 1);
	assert_int_equal(counted(c, ZT_COUNT_DROP_NETWORK), 1);
	assert_int_equal(c->v.arena.tx_count, 0);
	cast_free(c);
}

static void our_credentials_go_before_the_first_frame(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	static struct vl2node_sent sent;
	uint64_t remote = address(c, REMOTE);
	stack_sends(c, mac_of(c, REMOTE), mac_of(c, LOCAL), 0x800);
	assert_true(vl2node_sent(&c->v, 0, &sent));
	assert_int_equal(sent.verb, VERB_NETWORK_CREDENTIALS);
	assert_true(vl2node_sent(&c->v, 1, &sent));
	assert_int_equal(sent.verb, VERB_FRAME);
	stack_sends(c, mac_of(c, REMOTE), mac_of(c, LOCAL), 0x800);
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
	struct peer *peer = peer_find(c->v.node, address(c, from));
	struct packet_in in = { .peer = peer, .source = address(c, from), .verb = VERB_ERROR };
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
	assert_int_equal(vl2node_count(&c->v, address(c, REMOTE), VERB_NETWORK_CREDENTIALS), 1);
	vl2node_advance(&c->v, 1001);
	error_in(c, REMOTE, VERB_FRAME, ERROR_NEED_MEMBERSHIP_CERTIFICATE);
	assert_int_equal(vl2node_count(&c->v, address(c, REMOTE), VERB_NETWORK_CREDENTIALS), 2);
	cast_free(c);
}

/* ---- configurations
 * -------------------------------------------------------------------------------------- */

static enum zt_network_status status(const struct cast *c)
{
	static struct zt_network_view view;
	assert_true(zt_network_find(c->v.node, c->nwid, &view));
	return view.status;
}

static void only_the_controller_refuses(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	const uint8_t request = VERB_NETWORK_CONFIG_REQUEST;
	assert_int_equal(error_in(c, REMOTE, request, ERROR_NETWORK_ACCESS_DENIED), VL2_IGNORED);
	assert_int_equal(error_in(c, CONTROLLER, VERB_FRAME, ERROR_NETWORK_ACCESS_DENIED),
			 VL2_IGNORED);
	assert_int_equal(status(c), ZT_NETWORK_OK);
	error_in(c, CONTROLLER, request, ERROR_NETWORK_ACCESS_DENIED);
	assert_int_equal(status(c), ZT_NETWORK_ACCESS_DENIED);
	error_in(c, CONTROLLER, request, ERROR_OBJ_NOT_FOUND);
	assert_int_equal(status(c), ZT_NETWORK_NOT_FOUND);
	error_in(c, CONTROLLER, request, ERROR_NETWORK_AUTHENTICATION_REQUIRED);
	assert_int_equal(status(c), ZT_NETWORK_AUTHENTICATION_REQUIRED);
	cast_free(c);
}

static void push_config(struct cast *c, size_t from, struct netconf *config, uint64_t update_id)
{
	size_t length;
	uint8_t *dict = config_bytes(config, &length);
	const struct chunk_source source = {
		.nwid = c->nwid, .update_id = update_id, .dict = dict, .dict_length = length
	};
	uint8_t *bytes = malloc(CHUNK_MAX_BYTES);
	assert_non_null(bytes);
	struct wr w = wr_init(bytes, CHUNK_MAX_BYTES);
	assert_int_equal(chunk_count(length), 1);
	assert_int_equal(chunk_write(&w, &source, 0, &c->id[CONTROLLER]), 0);
	packet(c, from, VERB_NETWORK_CONFIG, &w);
	free(bytes);
	free(dict);
}

static uint64_t revision(const struct cast *c)
{
	static struct zt_network_view view;
	assert_true(zt_network_find(c->v.node, c->nwid, &view));
	return view.revision;
}

static void an_old_configuration_does_not_come_back(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	struct netconf *config = config_for(c, WALL_MS + 50);
	config->revision = 5;
	push_config(c, REMOTE, config, 1); /* any member may bring it */
	assert_int_equal(revision(c), 5);
	config = config_for(c, WALL_MS + 20);
	config->revision = 4;
	push_config(c, REMOTE, config, 2);
	assert_int_equal(revision(c), 5);
	assert_int_equal(counted(c, ZT_COUNT_DROP_UNTRUSTED), 1);
	cast_free(c);
}

static void unsupported_rules_drop_frames_both_ways(void **state)
{
	(void)state;
	struct cast *c = cast_new();
	struct netconf *config = config_for(c, WALL_MS);
	config->rules[0] = (struct rule){ .type = RULE_ETHERTYPE, .u.number = 0x800 };
	assert_int_equal(netconf_add_rule(config, &(struct rule){ .type = RULE_DROP }), 0);
	cast_join(c, config);
	prove(c, REMOTE);
	assert_int_equal(status(c), ZT_NETWORK_OK);
	frame(c, REMOTE);
	stack_sends(c, mac_of(c, REMOTE), mac_of(c, LOCAL), 0x800);
	assert_int_equal(c->v.frame_count, 0);
	assert_int_equal(counted(c, ZT_COUNT_DROP_RULES), 2);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_FRAME), 0);
	cast_free(c);
}

static void a_controller_hears_requests_and_answers_itself(void **state)
{
	(void)state;
	struct cast *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	for (size_t i = 0; i < NODES; i++) {
		assert_int_equal(identity_parse(text_of(i), &c->id[i]), 0);
	}
	c->nwid = c->id[CONTROLLER].address << 24 | 1;
	vl2node_init(&c->v, text_of(CONTROLLER), WALL_MS, true);
	vl2node_peer(&c->v, text_of(REMOTE));
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	config_request_write(&w, &(struct config_request){ .nwid = c->nwid, .revision = 3 });
	assert_int_equal(packet(c, REMOTE, VERB_NETWORK_CONFIG_REQUEST, &w), VL2_DONE);
	assert_int_equal(c->v.request_count, 1);
	assert_true(c->v.request.member == address(c, REMOTE) && c->v.request.revision == 3);
	/* Another controller's network is none of its business. */
	w = wr_init(bytes, sizeof(bytes));
	config_request_write(&w, &(struct config_request){ .nwid = c->nwid + (1ULL << 24) });
	assert_int_equal(packet(c, REMOTE, VERB_NETWORK_CONFIG_REQUEST, &w), VL2_IGNORED);
	assert_int_equal(c->v.request_count, 1);
	/* It asks itself without a packet, and is refused without one. */
	vl2node_clear(&c->v);
	assert_int_equal(zt_join(c->v.node, c->v.now, c->nwid, NULL, 0), 0);
	assert_int_equal(c->v.request_count, 2);
	assert_true(c->v.request.packet_id == UINT64_MAX);
	const struct zt_reply_to to = { .member = address(c, CONTROLLER),
					.nwid = c->nwid,
					.request_id = UINT64_MAX };
	zt_config_refuse(c->v.node, c->v.now, &to, ERROR_NETWORK_ACCESS_DENIED, NULL, 0);
	assert_int_equal(status(c), ZT_NETWORK_ACCESS_DENIED);
	assert_int_equal(c->v.arena.tx_count, 0);
	cast_free(c);
}

static void who_is_no_controller_says_so(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	config_request_write(&w, &(struct config_request){ .nwid = address(c, LOCAL) << 24 | 1 });
	packet(c, REMOTE, VERB_NETWORK_CONFIG_REQUEST, &w);
	assert_int_equal(vl2node_count(&c->v, address(c, REMOTE), VERB_ERROR), 1);
	cast_free(c);
}

/* ---- multicast
 * --------------------------------------------------------------------------------------------- */

static enum vl2_result like(struct cast *c, size_t from, uint64_t mac, uint32_t adi)
{
	uint8_t bytes[MSG2_LIKE_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	group_id_write(&w, &(struct group_id){ .nwid = c->nwid, .mac = mac, .adi = adi });
	return packet(c, from, VERB_MULTICAST_LIKE, &w);
}

static enum vl2_result gather_in(struct cast *c, size_t from, uint64_t mac, uint32_t adi)
{
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	gather_msg_write(&w,
			 &(struct gather_msg){ .group = { .nwid = c->nwid, .mac = mac, .adi = adi },
					       .limit = 10 });
	return packet(c, from, VERB_MULTICAST_GATHER, &w);
}

static void the_directory_is_for_members(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	like(c, THIRD, ADDR_MAC_BROADCAST, 9);
	assert_int_equal(c->v.node->vl2->mcast.group_count, 0);
	assert_int_equal(gather_in(c, THIRD, ADDR_MAC_BROADCAST, 0), VL2_IGNORED);
	assert_int_equal(c->v.arena.tx_count, 0);
	prove(c, THIRD);
	prove(c, REMOTE);
	like(c, THIRD, ADDR_MAC_BROADCAST, 9);
	assert_int_equal(c->v.node->vl2->mcast.member_count, 1);
	vl2node_clear(&c->v);
	/* The asker is left out; an empty answer is none. */
	gather_in(c, THIRD, ADDR_MAC_BROADCAST, 9);
	assert_int_equal(vl2node_count(&c->v, address(c, THIRD), VERB_OK), 0);
	gather_in(c, REMOTE, ADDR_MAC_BROADCAST, 9);
	assert_int_equal(vl2node_count(&c->v, address(c, REMOTE), VERB_OK), 1);
	/* We are in the broadcast group ourselves. */
	gather_in(c, THIRD, ADDR_MAC_BROADCAST, 0);
	assert_int_equal(vl2node_count(&c->v, address(c, THIRD), VERB_OK), 1);
	/* Ten minutes later it is forgotten. */
	vl2node_advance(&c->v, VL2_MULTICAST_LIKE_EXPIRE_MS + 1);
	mcast_sweep(&c->v.node->vl2->mcast, c->v.now.mono_ms);
	assert_int_equal(c->v.node->vl2->mcast.member_count, 0);
	assert_int_equal(c->v.node->vl2->mcast.group_count, 0);
	cast_free(c);
}

static void a_frame_waits_for_members_of_its_group(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	prove(c, REMOTE);
	prove(c, THIRD);
	vl2node_clear(&c->v);
	stack_sends(c, 0x01005e000001, mac_of(c, LOCAL), 0x800);
	assert_int_equal(vl2node_count(&c->v, address(c, CONTROLLER), VERB_MULTICAST_GATHER), 1);
	assert_int_equal(vl2node_count(&c->v, 0, VERB_MULTICAST_FRAME), 0);
	vl2node_advance(&c->v, 1000);
	like(c, REMOTE, 0x01005e000001, 0);
	like(c, REMOTE, 0x01005e000001, 0);
	assert_int_equal(vl2node_count(&c->v, address(c, REMOTE), VERB_MULTICAST_FRAME), 1);
	/* Too late. */
	vl2node_advance(&c->v, VL2_MULTICAST_TRANSMIT_MS);
	like(c, THIRD, 0x01005e000001, 0);
	assert_int_equal(vl2node_count(&c->v, address(c, THIRD), VERB_MULTICAST_FRAME), 0);
	cast_free(c);
}

static enum vl2_result mcast_in(struct cast *c, size_t from, const struct mcast_frame *message,
				size_t length)
{
	static uint8_t bytes[VL2_MTU_MAX + 64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	mcast_frame_write_header(&w, message);
	wr_zeros(&w, length);
	return packet(c, from, VERB_MULTICAST_FRAME, &w);
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
	prove(c, REMOTE);
	assert_int_equal(mcast_in(c, REMOTE, &message, 28), VL2_DONE);
	assert_int_equal(c->v.frame_count, 1);
	assert_int_equal(c->v.frames[0].length, 14 + 28);
	assert_int_equal(mcast_in(c, REMOTE, &message, 0), VL2_IGNORED);
	message.group.mac = mac_of(c, LOCAL);
	assert_int_equal(mcast_in(c, REMOTE, &message, 28), VL2_IGNORED);
	message.group.mac = ADDR_MAC_BROADCAST;
	message.flags = MULTICAST_FRAME_SOURCE;
	const uint64_t forged[] = { 0, mac_of(c, LOCAL), mac_of(c, THIRD), ADDR_MAC_BROADCAST };
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		message.from = forged[i];
		assert_int_equal(mcast_in(c, REMOTE, &message, 28), VL2_IGNORED);
	}
	message.from = mac_of(c, REMOTE);
	assert_int_equal(mcast_in(c, REMOTE, &message, 28), VL2_DONE);
	assert_int_equal(c->v.frame_count, 2);
	cast_free(c);
}

/* ---- whatever comes
 * ------------------------------------------------------------------------------------------ */

/* Every verb with noise of every short length, from memory of exactly that size. */
static void noise_changes_nothing(void **state)
{
	(void)state;
	struct cast *c = cast_joined();
	prove(c, REMOTE);
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
		vl2node_packet(&c->v, address(c, n % 2 ? REMOTE : THIRD), 0, verb, bytes,
			       n % sizeof(bytes));
		vl2node_clear(&c->v);
		c->v.frame_count = 0;
		vl2node_advance(&c->v, 7);
	}
	assert_int_equal(revision(c), 1);
	assert_true(vl2_network(c->v.node, c->nwid)->members.count <= 3);
	prove(c, REMOTE);
	assert_int_equal(frame(c, REMOTE), VL2_DONE);
	cast_free(c);
}

static void want_of_memory_is_survived(void **state)
{
	(void)state;
	for (long n = 0; n < 40; n++) {
		struct cast *c = cast_new();
		size_t length;
		uint8_t *bytes = config_bytes(config_for(c, WALL_MS), &length);
		struct com com = com_for(c, REMOTE, WALL_MS);
		zt_mem_fail_after(n);
		int err = zt_join(c->v.node, c->v.now, c->nwid, bytes, length);
		assert_true(err == 0 || err == ZT_E_NO_MEMORY);
		show_com(c, REMOTE, &com);
		stack_sends(c, ADDR_MAC_BROADCAST, mac_of(c, LOCAL), 0x800);
		like(c, REMOTE, ADDR_MAC_BROADCAST, 1);
		frame(c, REMOTE);
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
		cmocka_unit_test(a_stranger_is_asked_once_a_second),
		cmocka_unit_test(a_member_is_heard_and_told_our_groups),
		cmocka_unit_test(certificates_of_others_prove_nothing),
		cmocka_unit_test(a_revocation_shuts_out_and_spreads),
		cmocka_unit_test(credentials_come_once_a_second),
		cmocka_unit_test(everybody_may_talk_on_a_public_network),
		cmocka_unit_test(an_unknown_controller_keeps_the_packet),
		cmocka_unit_test(ext_frames_keep_to_their_addresses),
		cmocka_unit_test(active_bridges_speak_for_others),
		cmocka_unit_test(frames_from_the_stack_are_checked),
		cmocka_unit_test(our_credentials_go_before_the_first_frame),
		cmocka_unit_test(credentials_are_shown_on_request),
		cmocka_unit_test(only_the_controller_refuses),
		cmocka_unit_test(an_old_configuration_does_not_come_back),
		cmocka_unit_test(unsupported_rules_drop_frames_both_ways),
		cmocka_unit_test(a_controller_hears_requests_and_answers_itself),
		cmocka_unit_test(who_is_no_controller_says_so),
		cmocka_unit_test(the_directory_is_for_members),
		cmocka_unit_test(a_frame_waits_for_members_of_its_group),
		cmocka_unit_test(multicast_frames_are_checked),
		cmocka_unit_test(noise_changes_nothing),
		cmocka_unit_test(want_of_memory_is_survived),
		cmocka_unit_test(the_table_of_members_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
