/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/vl2cast.h"

#include "tests/lib/check.h"

const char *cast_identity_text(size_t index)
{
	return json_string_value(
	    json_array_get(vectors_section("identities.json", "identities"), index));
}

struct com cast_com(const struct cast *c, size_t member, uint64_t timestamp)
{
	struct com com;
	com_make(&com, timestamp, VL2_CREDENTIAL_DELTA_DEFAULT_MS, c->nwid, &c->id[member]);
	assert_int_equal(com_sign(&com, &c->id[CONTROLLER]), 0);
	return com;
}

/* A configuration for the local node; the caller may change it before config_bytes. */
struct netconf *cast_config(const struct cast *c, uint64_t timestamp)
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
	config->com = cast_com(c, LOCAL, timestamp);
	assert_int_equal(netconf_add_rule(config, &(struct rule){ .type = RULE_ACCEPT }), 0);
	return config;
}

/* Frees the configuration; the bytes are the caller's. */
uint8_t *cast_config_bytes(struct netconf *config, size_t *length)
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

void cast_join(struct cast *c, struct netconf *config)
{
	size_t length;
	uint8_t *bytes = cast_config_bytes(config, &length);
	assert_int_equal(zt_join(c->v.node, c->v.now, c->nwid, bytes, length), 0);
	free(bytes);
	vl2node_clear(&c->v);
}

struct cast *cast_new(void)
{
	struct cast *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	for (size_t i = 0; i < NODES; i++) {
		assert_int_equal(identity_parse(cast_identity_text(i), &c->id[i]), 0);
	}
	c->nwid = c->id[CONTROLLER].address << 24 | 0x123456;
	vl2node_init(&c->v, cast_identity_text(LOCAL), WALL_MS, false);
	vl2node_peer(&c->v, cast_identity_text(CONTROLLER));
	vl2node_peer(&c->v, cast_identity_text(REMOTE));
	vl2node_peer(&c->v, cast_identity_text(THIRD));
	return c;
}

struct cast *cast_joined(void)
{
	struct cast *c = cast_new();
	cast_join(c, cast_config(c, WALL_MS));
	return c;
}

void cast_free(struct cast *c)
{
	vl2node_fini(&c->v);
	free(c);
}

uint64_t cast_address(const struct cast *c, size_t who)
{
	return c->id[who].address;
}

uint64_t cast_counted(const struct cast *c, enum zt_counter counter)
{
	return zt_counter(c->v.node, counter);
}

enum vl2_result cast_packet(struct cast *c, size_t from, uint8_t verb, const struct wr *w)
{
	assert_false(w->bad);
	return vl2node_packet(&c->v, cast_address(c, from), 0, verb, w->start, wr_length(w));
}

enum vl2_result cast_show_com(struct cast *c, size_t from, const struct com *com)
{
	uint8_t bytes[COM_MAX_BYTES + 1];
	struct wr w = wr_init(bytes, sizeof(bytes));
	com_write(&w, com);
	wr_u8(&w, 0);
	return cast_packet(c, from, VERB_NETWORK_CREDENTIALS, &w);
}

void cast_prove(struct cast *c, size_t who)
{
	struct com com = cast_com(c, who, WALL_MS + 1);
	assert_int_equal(cast_show_com(c, who, &com), VL2_DONE);
}

enum vl2_result cast_show_revocation(struct cast *c, size_t from, size_t target, uint64_t threshold)
{
	struct revocation rev = { .id = (uint32_t)threshold,
				  .nwid = c->nwid,
				  .threshold = threshold,
				  .flags = REVOCATION_FAST_PROPAGATE,
				  .target = cast_address(c, target),
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
	return cast_packet(c, from, VERB_NETWORK_CREDENTIALS, &w);
}

enum vl2_result cast_frame(struct cast *c, size_t from)
{
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	frame_msg_write_header(&w, &(struct frame_msg){ .nwid = c->nwid, .ether_type = 0x800 });
	wr_bytes(&w, "payload", 7);
	return cast_packet(c, from, VERB_FRAME, &w);
}

enum vl2_result cast_ext_frame(struct cast *c, size_t from, uint64_t mac_to, uint64_t mac_from,
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
	return cast_packet(c, from, VERB_EXT_FRAME, &w);
}

/* A frame from the stack. */
void cast_stack_sends(struct cast *c, uint64_t to, uint64_t from, uint16_t ether_type)
{
	uint8_t bytes[64] = { 0 };
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u48(&w, to);
	wr_u48(&w, from);
	wr_u16(&w, ether_type);
	struct zt_frame out = { .bytes = bytes, .length = sizeof(bytes) };
	zt_send_frames(c->v.node, c->v.now, c->nwid, &out, 1);
}

uint64_t cast_mac(const struct cast *c, size_t who)
{
	return addr_mac(c->nwid, cast_address(c, who));
}

enum zt_network_status cast_status(const struct cast *c)
{
	static struct zt_network_view view;
	assert_true(zt_network_find(c->v.node, c->nwid, &view));
	return view.status;
}

uint64_t cast_revision(const struct cast *c)
{
	static struct zt_network_view view;
	assert_true(zt_network_find(c->v.node, c->nwid, &view));
	return view.revision;
}
