/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json section credential_acceptance: credentials shown to a network whose configuration comes
 * from section chunk_sequences. */
#include "core/vl2_impl.h"
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

/* A node that has applied the vectors' configuration. */
static struct network *configured(struct vl2node *v)
{
	vl2node_init(v, actor("local"),
		     (int64_t)vector_number(vectors_section("vl2.json", "actors"), "now"), false);
	vl2node_peer(v, actor("controller"));
	vl2node_peer(v, actor("remote"));
	assert_int_equal(zt_join(v->node, v->now, nwid(), NULL, 0), 0);
	const json_t *steps = json_object_get(
	    json_array_get(vectors_section("vl2.json", "chunk_sequences"), 0), "steps");
	size_t i;
	json_t *step;
	json_array_foreach(steps, i, step)
	{
		struct blob chunk = blob_get(step, "chunk");
		vl2node_packet(v, nwid() >> 24, 0, VERB_NETWORK_CONFIG, chunk.bytes, chunk.length);
		blob_free(&chunk);
	}
	struct network *network = vl2_network(v->node, nwid());
	assert_non_null(network);
	assert_int_equal(network->status, ZT_NETWORK_OK);
	return network;
}

static enum cred_result show(struct vl2node *v, struct network *network, const char *type,
			     const struct blob *data)
{
	struct members *members = &network->members;
	const struct identity *controller = vl2_identity(v->node, network->controller);
	struct rd r = rd_init(data->bytes, data->length);
	if (strcmp(type, "com") == 0) {
		struct com com;
		assert_int_equal(com_read(&r, &com), 0);
		return members_com(members, &com, controller, v->now.mono_ms);
	}
	if (strcmp(type, "tag") == 0) {
		struct tag tag;
		assert_int_equal(tag_read(&r, &tag), 0);
		return members_tag(members, &tag, controller, v->now.mono_ms);
	}
	assert_string_equal(type, "revocation");
	struct revocation rev;
	assert_int_equal(revocation_read(&r, &rev), 0);
	return members_revocation(members, &rev, controller, v->now.mono_ms);
}

static uint32_t tag_id_of(const struct blob *data)
{
	struct rd r = rd_init(data->bytes, data->length);
	struct tag tag;
	assert_int_equal(tag_read(&r, &tag), 0);
	return tag.id;
}

static void check_after(struct vl2node *v, struct network *network, const json_t *step,
			const struct blob *data)
{
	struct identity remote;
	assert_int_equal(identity_parse(actor("remote"), &remote), 0);
	struct member *member = members_find(&network->members, remote.address);
	if (json_object_get(step, "peer_allowed_after")) {
		bool is_allowed = member && network_allows(network, member, &remote);
		assert_int_equal(is_allowed, vector_bool(step, "peer_allowed_after"));
	}
	const json_t *value = json_object_get(step, "usable_value");
	if (value) {
		struct held_window window = network_window(network);
		const struct tag *tag =
		    member ? held_tag_usable(&member->held, tag_id_of(data), &window) : NULL;
		assert_int_equal(tag != NULL, json_is_integer(value));
		if (tag) {
			assert_int_equal(tag->value, json_integer_value(value));
		}
	}
	(void)v;
}

static void test_vl2_credential_acceptance(void **state)
{
	(void)state;
	static const char *const names[] = { [CRED_REJECTED] = "REJECTED",
					     [CRED_REDUNDANT] = "ACCEPTED_REDUNDANT",
					     [CRED_NEW] = "ACCEPTED_NEW" };
	const json_t *sequences = vectors_section("vl2.json", "credential_acceptance");
	size_t i, j;
	json_t *sequence, *step;
	assert_true(json_array_size(sequences) > 0);
	json_array_foreach(sequences, i, sequence)
	{
		struct vl2node v;
		struct network *network = configured(&v);
		const json_t *steps = json_object_get(sequence, "steps");
		assert_true(json_array_size(steps) > 0);
		json_array_foreach(steps, j, step)
		{
			struct blob data = blob_get(step, "data");
			print_message("%s: %s\n", vector_string(sequence, "name"),
				      vector_string(step, "what"));
			enum cred_result result =
			    show(&v, network, vector_string(step, "type"), &data);
			assert_string_equal(names[result], vector_string(step, "result"));
			check_after(&v, network, step, &data);
			blob_free(&data);
		}
		vl2node_fini(&v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_credential_acceptance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
