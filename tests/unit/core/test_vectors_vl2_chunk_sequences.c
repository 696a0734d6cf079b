/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json section chunk_sequences: chunks of configurations handed to a real node, step by step.
 */
#include "core/msg2.h"
#include "tests/lib/check.h"
#include "tests/lib/vl2node.h"

static const char *actor(const char *name)
{
	return vector_string(vectors_section("vl2.json", "actors"), name);
}

static uint64_t nwid(void)
{
	return strtoull(actor("network_id"), NULL, 16);
}

/* The update id that the node acknowledged, 0 = none. */
static uint64_t acknowledged(struct vl2node *v, uint64_t packet_id)
{
	static struct vl2node_sent sent;
	for (size_t i = 0; vl2node_sent(v, i, &sent); i++) {
		struct rd r =
		    rd_init(sent.bytes + PACKET_PAYLOAD_AT, sent.length - PACKET_PAYLOAD_AT);
		struct config_ack ack;
		if (sent.verb != VERB_OK || rd_u8(&r) != VERB_ECHO) {
			continue;
		}
		assert_true(rd_u64(&r) == packet_id);
		assert_int_equal(config_ack_read(&r, &ack), 0);
		assert_true(rd_done(&r) && ack.nwid == nwid());
		return ack.update_id;
	}
	return 0;
}

static bool has_config(const struct vl2node *v)
{
	static struct zt_network_view view;
	assert_true(zt_network_find(v->node, nwid(), &view));
	assert_int_equal(view.status == ZT_NETWORK_OK, view.revision != 0);
	return view.status == ZT_NETWORK_OK;
}

static void run_step(struct vl2node *v, const json_t *step, uint64_t packet_id)
{
	struct blob chunk = blob_get(step, "chunk");
	uint64_t source = strtoull(vector_string(step, "source"), NULL, 16);
	uint64_t want = strtoull(vector_string(step, "returns_update_id"), NULL, 16);
	vl2node_clear(v);
	vl2node_packet(v, source, packet_id, VERB_NETWORK_CONFIG, chunk.bytes, chunk.length);
	assert_int_equal(has_config(v), vector_bool(step, "has_config_after"));
	assert_true(acknowledged(v, packet_id) == want);
	blob_free(&chunk);
}

static void test_vl2_chunk_sequences(void **state)
{
	(void)state;
	const json_t *sequences = vectors_section("vl2.json", "chunk_sequences");
	size_t i, j;
	json_t *sequence, *step;
	assert_true(json_array_size(sequences) > 0);
	json_array_foreach(sequences, i, sequence)
	{
		struct vl2node v;
		vl2node_init(&v, actor("local"),
			     (int64_t)vector_number(vectors_section("vl2.json", "actors"), "now"),
			     false);
		vl2node_peer(&v, actor("controller"));
		vl2node_peer(&v, actor("third"));
		assert_int_equal(zt_join(v.node, v.now, nwid(), NULL, 0), 0);
		const json_t *steps = json_object_get(sequence, "steps");
		assert_true(json_array_size(steps) > 0);
		/* A legacy chunk's update id is the id of its packet. */
		uint64_t packet_id = 0x1122334455667788;
		json_array_foreach(steps, j, step)
		{
			print_message("%s, step %zu\n", vector_string(sequence, "name"), j);
			run_step(&v, step, packet_id++);
		}
		assert_int_equal(v.stored_count, has_config(&v) ? 1 : 0);
		vl2node_fini(&v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_chunk_sequences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
