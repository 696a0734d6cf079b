/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json section emission: what a node sends for a frame from its stack, byte by byte.
 *
 * The vectors' node had roots, too; what went to nodes whose identity is not given is not compared.
 */
#include "core/vl2_impl.h"
#include "tests/lib/check.h"
#include "tests/lib/vl2node.h"

static const char *actor(const char *name)
{
	return vector_string(vectors_section("vl2.json", "actors"), name);
}

static uint64_t hex_of(const json_t *entry, const char *key)
{
	return strtoull(vector_string(entry, key), NULL, 16);
}

static uint64_t nwid(void)
{
	return strtoull(actor("network_id"), NULL, 16);
}

/* The emitting node's credentials are in no other section: they are read from its own push. */
static void credentials_take(struct netconf *config)
{
	const json_t *entry = json_array_get(vectors_section("vl2.json", "emission"), 1);
	struct blob payload =
	    blob_get(json_array_get(json_object_get(entry, "emitted"), 0), "payload");
	struct credentials_walk it = credentials_walk_init(rd_init(payload.bytes, payload.length));
	enum credentials_kind kind;
	size_t tags = 0, coos = 0, capabilities = 0;
	while ((kind = credentials_walk_next(&it)) != CREDENTIALS_END) {
		if (kind == CREDENTIALS_COM) {
			assert_int_equal(com_read(&it.r, &config->com), 0);
		} else if (kind == CREDENTIALS_CAPABILITY) {
			assert_true(capabilities < config->capability_count);
			assert_int_equal(
			    capability_read(&it.r, &config->capabilities[capabilities++]), 0);
		} else if (kind == CREDENTIALS_TAG) {
			assert_true(tags < config->tag_count);
			assert_int_equal(tag_read(&it.r, &config->tags[tags++]), 0);
		} else {
			assert_int_equal(kind, CREDENTIALS_COO);
			assert_true(coos < config->coo_count);
			assert_int_equal(coo_read(&it.r, &config->coos[coos++]), 0);
		}
	}
	assert_true(tags == config->tag_count && coos == config->coo_count &&
		    capabilities == config->capability_count);
	blob_free(&payload);
}

/* The second configuration of section configs, as the emitting node had it: another revision, other
 * credentials, and a table that accepts. */
static void join(struct vl2node *v, uint64_t revision)
{
	const json_t *entry = json_array_get(vectors_section("vl2.json", "configs"), 1);
	struct blob dict = blob_get(entry, "dictionary");
	struct netconf *config;
	assert_int_equal(netconf_parse(dict.bytes, dict.length, &config), 0);
	config->revision = revision;
	config->rules[0] = (struct rule){ .type = RULE_ACCEPT };
	config->rule_count = 1;
	credentials_take(config);
	uint8_t *bytes = malloc(VL2_CONFIG_MAX_BYTES);
	assert_non_null(bytes);
	struct wr w = wr_init(bytes, VL2_CONFIG_MAX_BYTES);
	netconf_write(&w, config);
	assert_int_equal(zt_join(v->node, v->now, nwid(), bytes, wr_length(&w)), 0);
	free(bytes);
	netconf_free(config);
	blob_free(&dict);
}

/* The member of the vectors that the frames go to proves itself and likes a group. */
static void introduce_remote(struct vl2node *v)
{
	const json_t *steps = json_object_get(
	    json_array_get(vectors_section("vl2.json", "credential_acceptance"), 0), "steps");
	struct blob com = blob_get(json_array_get(steps, 1), "data");
	uint64_t remote = strtoull(actor("remote"), NULL, 16);
	uint8_t *payload = calloc(1, com.length + 1);
	assert_non_null(payload);
	memcpy(payload, com.bytes, com.length);
	assert_int_equal(
	    vl2node_packet(v, remote, 0, VERB_NETWORK_CREDENTIALS, payload, com.length + 1),
	    VL2_DONE);
	free(payload);
	blob_free(&com);
	uint8_t like[MSG2_LIKE_BYTES];
	struct wr w = wr_init(like, sizeof(like));
	group_id_write(&w, &(struct group_id){ .nwid = nwid(), .mac = 0x01005e000001 });
	assert_int_equal(vl2node_packet(v, remote, 0, VERB_MULTICAST_LIKE, like, sizeof(like)),
			 VL2_DONE);
}

static bool is_known(const struct vl2node *v, uint64_t address)
{
	for (size_t i = 0; i < v->peer_count; i++) {
		if (v->peers[i].address == address) {
			return true;
		}
	}
	return false;
}

static bool is_sent(struct vl2node *v, const json_t *want)
{
	static struct vl2node_sent sent;
	struct blob payload = blob_get(want, "payload");
	bool is_found = false;
	for (size_t i = 0; !is_found && vl2node_sent(v, i, &sent); i++) {
		is_found =
		    sent.dest == hex_of(want, "dest") && sent.verb == vector_number(want, "verb") &&
		    sent.length - PACKET_PAYLOAD_AT == payload.length &&
		    memcmp(sent.bytes + PACKET_PAYLOAD_AT, payload.bytes, payload.length) == 0;
	}
	blob_free(&payload);
	return is_found;
}

static bool is_wanted(const struct vl2node_sent *sent, const json_t *emitted)
{
	size_t i;
	const json_t *want;
	json_array_foreach((json_t *)(uintptr_t)emitted, i, want)
	{
		if (sent->dest == hex_of(want, "dest") &&
		    sent->verb == vector_number(want, "verb")) {
			return true;
		}
	}
	return false;
}

static void check_emitted(struct vl2node *v, const json_t *entry)
{
	static struct vl2node_sent sent;
	const json_t *emitted = json_object_get(entry, "emitted");
	size_t i;
	json_t *want;
	json_array_foreach((json_t *)(uintptr_t)emitted, i, want)
	{
		if (is_known(v, hex_of(want, "dest"))) {
			assert_true(is_sent(v, want));
		}
	}
	for (i = 0; vl2node_sent(v, i, &sent); i++) {
		assert_true(is_wanted(&sent, emitted));
	}
}

static void send_frame(struct vl2node *v, const json_t *input)
{
	static uint8_t bytes[ZT_MAX_FRAME_BYTES];
	struct blob data = blob_get(input, "data");
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u48(&w, hex_of(input, "to"));
	wr_u48(&w, hex_of(input, "from"));
	wr_u16(&w, (uint16_t)vector_number(input, "ether_type"));
	wr_bytes(&w, data.bytes, data.length);
	struct zt_frame frame = { .bytes = bytes, .length = (uint32_t)wr_length(&w) };
	zt_send_frames(v->node, v->now, nwid(), &frame, 1);
	blob_free(&data);
}

/* What came back to the stack itself. */
static void check_delivered(struct vl2node *v, const json_t *entry)
{
	const json_t *delivered = json_object_get(entry, "delivered_locally");
	vl2node_advance(v, 1);
	vl2_tick(v->node, v->now);
	assert_int_equal(v->frame_count, json_array_size(delivered));
	for (size_t i = 0; i < v->frame_count; i++) {
		const json_t *want = json_array_get(delivered, i);
		struct rd r = rd_init(v->frames[i].bytes, v->frames[i].length);
		assert_true(v->frames[i].nwid == hex_of(want, "nwid"));
		assert_true(rd_u48(&r) == hex_of(want, "to"));
		assert_true(rd_u48(&r) == hex_of(want, "from"));
		assert_int_equal(rd_u16(&r), vector_number(want, "ether_type"));
		assert_field_equal(want, "data", r.p, rd_left(&r));
	}
}

static void run_case(struct vl2node *v, const json_t *entry)
{
	const char *name = vector_string(entry, "name");
	const json_t *input = json_object_get(entry, "input");
	print_message("%s\n", name);
	vl2node_clear(v);
	v->frame_count = 0;
	if (strcmp(name, "NETWORK_CONFIG_REQUEST while having a config") == 0) {
		join(v, vector_number(input, "revision"));
		check_emitted(v, entry);
		introduce_remote(v);
	} else if (strcmp(name, "subscribe to 01:00:5e:00:00:fb") == 0) {
		assert_int_equal(zt_multicast_join(v->node, v->now, nwid(), 0x01005e0000fb, 0), 0);
		check_emitted(v, entry);
	} else {
		send_frame(v, input);
		check_emitted(v, entry);
		check_delivered(v, entry);
	}
}

static void test_vl2_emission(void **state)
{
	(void)state;
	const json_t *section = vectors_section("vl2.json", "emission");
	struct vl2node v;
	/* The third, a replicator, was never heard by the node that emitted these. */
	vl2node_init(&v, actor("local"),
		     (int64_t)vector_number(vectors_section("vl2.json", "actors"), "now") -
			 PATH_ALIVE_MS,
		     false);
	vl2node_peer(&v, actor("third"));
	vl2node_advance(&v, PATH_ALIVE_MS);
	vl2node_peer(&v, actor("controller"));
	vl2node_peer(&v, actor("remote"));
	size_t i;
	json_t *entry;
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, entry)
	{
		run_case(&v, entry);
	}
	vl2node_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_emission),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
