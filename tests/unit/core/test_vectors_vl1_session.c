/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl1.json: session. Three reference nodes in memory, every datagram opened with their keys. */
#include "core/world.h"
#include "tests/lib/check.h"
#include "tests/lib/opener.h"

static struct opener opener;

static int setup(void **state)
{
	(void)state;
	const char *secrets[OPENER_NODES];
	json_t *nodes = json_object_get(vectors_section("vl1.json", "session"), "nodes");
	assert_int_equal(json_array_size(nodes), OPENER_NODES);
	for (size_t i = 0; i < OPENER_NODES; i++) {
		secrets[i] = vector_string(json_array_get(nodes, i), "secret");
	}
	opener_init(&opener, secrets);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	opener_fini(&opener);
	return 0;
}

static size_t node_named(const char *name)
{
	size_t i;
	json_t *node;
	json_array_foreach(json_object_get(vectors_section("vl1.json", "session"), "nodes"), i,
			   node)
	{
		if (strcmp(vector_string(node, "name"), name) == 0) {
			return i;
		}
	}
	fail_msg("no node %s", name);
	return 0;
}

static void user_message_check(const struct opened *packet, const json_t *want)
{
	struct rd r =
	    rd_init(packet->plain + PACKET_PAYLOAD_AT, packet->length - PACKET_PAYLOAD_AT);
	assert_non_null(want);
	assert_int_equal(packet->dest, node_named(vector_string(want, "node")));
	assert_true(opener.nodes[packet->source].address ==
		    strtoull(vector_string(want, "origin"), NULL, 16));
	assert_true(rd_u64(&r) == strtoull(vector_string(want, "type_id"), NULL, 16));
	assert_field_equal(want, "data", r.p, rd_left(&r));
}

static void vl1_session(void **state)
{
	(void)state;
	json_t *session = vectors_section("vl1.json", "session");
	json_t *messages = json_object_get(session, "user_messages");
	size_t i, delivered = 0, hellos = 0, oks = 0;
	json_t *entry;
	json_array_foreach(json_object_get(session, "datagrams"), i, entry)
	{
		struct blob data = blob_get(entry, "data");
		struct opened packet;
		size_t receiver = node_named(vector_string(entry, "to"));
		enum opener_result result =
		    opener_take(&opener, receiver, data.bytes, data.length, &packet);
		assert_int_not_equal(result, OPENER_FAILED);
		/* The only thing that is no packet: junk of TTL 2 that opens a NAT. */
		assert_int_equal(result == OPENER_JUNK, vector_number(entry, "ttl") == 2);
		blob_free(&data);
		if (result != OPENER_PACKET) {
			continue;
		}
		uint8_t verb = packet_verb(packet.plain);
		assert_int_equal(opened_parse(&opener, &packet), 0);
		hellos += verb == VERB_HELLO;
		oks += verb == VERB_OK;
		if (verb == VERB_USER_MESSAGE && packet.dest == receiver) {
			user_message_check(&packet, json_array_get(messages, delivered++));
		}
	}
	assert_int_equal(delivered, json_array_size(messages));
	assert_true(hellos > 0 && oks > 0);
}

/* The leaves' planet was replaced on the way, by the root's newer one in an OK(HELLO). */
static void vl1_session_planets(void **state)
{
	(void)state;
	json_t *session = vectors_section("vl1.json", "session");
	struct blob leaf = blob_get(session, "planet_of_leaves");
	struct blob root = blob_get(session, "planet_of_root");
	struct rd leaf_rd = rd_init(leaf.bytes, leaf.length);
	struct rd root_rd = rd_init(root.bytes, root.length);
	struct world old, new;
	assert_int_equal(world_read(&leaf_rd, &old), 0);
	assert_int_equal(world_read(&root_rd, &new), 0);
	assert_true(world_replaces(&old, &new));
	assert_false(world_replaces(&new, &old));
	assert_field_equal(session, "planet_of_leaf_a_at_end", root.bytes, root.length);
	blob_free(&leaf);
	blob_free(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vl1_session),
		cmocka_unit_test(vl1_session_planets),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
