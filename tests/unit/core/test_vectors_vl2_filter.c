/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json section filter: the rules engine on 674 frames, one table and the whole verdict, and
 * byte by byte the copies that are sent. */
#include "core/addr.h"
#include "core/filter_impl.h"
#include "core/identity.h"
#include "tests/lib/check.h"

static uint64_t hex(const json_t *entry, const char *key)
{
	return strtoull(vector_string(entry, key), NULL, 16);
}

static size_t rules_of(const json_t *entry, struct rule *out, size_t max)
{
	size_t count;
	struct blob blob = blob_get(entry, "rules_hex");
	struct rd r = rd_init(blob.bytes, blob.length);
	assert_int_equal(rules_read(&r, out, max, &count), 0);
	blob_free(&blob);
	return count;
}

/* ---- the world of one entry -------------------------------------------------------------------
 */

struct world {
	struct netconf *own;
	struct held held;
	struct filter_in in;
	struct blob frame;
};

static uint64_t now_of_actors(void)
{
	return vector_number(vectors_section("vl2.json", "actors"), "now");
}

static struct capability capability_of(const json_t *entry)
{
	struct capability cap = { .timestamp = now_of_actors() };
	cap.id = (uint32_t)vector_number(entry, "id");
	cap.rule_count = rules_of(entry, cap.rules, VL2_CAPABILITY_RULES_MAX);
	if (json_object_get(entry, "ts")) {
		cap.timestamp = vector_number(entry, "ts");
	}
	return cap;
}

static struct coo coo_of(const json_t *entry)
{
	struct coo coo = { .timestamp = now_of_actors() };
	size_t i;
	const json_t *text;
	if (json_object_get(entry, "ts")) {
		coo.timestamp = vector_number(entry, "ts");
	}
	json_array_foreach(json_object_get(entry, "ips"), i, text)
	{
		struct zt_endpoint ip;
		assert_true(endpoint_parse(json_string_value(text), &ip));
		coo.things[coo.thing_count].type = ip.family == 4 ? COO_IPV4 : COO_IPV6;
		memcpy(coo.things[coo.thing_count++].value, ip.ip, sizeof(ip.ip));
	}
	json_array_foreach(json_object_get(entry, "macs"), i, text)
	{
		struct wr w = wr_init(coo.things[coo.thing_count].value, 6);
		wr_u48(&w, strtoull(json_string_value(text), NULL, 16));
		coo.things[coo.thing_count++].type = COO_MAC;
	}
	return coo;
}

static void own_load(struct world *world, const json_t *entry)
{
	struct netconf *own = netconf_new();
	size_t i;
	const json_t *item;
	assert_non_null(own);
	world->own = own;
	own->nwid = hex(vectors_section("vl2.json", "actors"), "network_id");
	own->timestamp = now_of_actors();
	own->flags = hex(entry, "flags");
	static struct rule rules[VL2_RULES_MAX];
	size_t count = rules_of(entry, rules, VL2_RULES_MAX);
	for (i = 0; i < count; i++) {
		assert_int_equal(netconf_add_rule(own, &rules[i]), 0);
	}
	json_array_foreach(json_object_get(entry, "local_tags"), i, item)
	{
		struct tag tag = {
			.id = (uint32_t)json_integer_value(json_array_get(item, 0)),
			.value = (uint32_t)json_integer_value(json_array_get(item, 1)),
		};
		assert_int_equal(netconf_add_tag(own, &tag), 0);
	}
	json_array_foreach(json_object_get(entry, "local_caps"), i, item)
	{
		struct capability cap = capability_of(item);
		assert_int_equal(netconf_add_capability(own, &cap), 0);
	}
	struct coo coo = coo_of(json_object_get(entry, "local_coo"));
	assert_int_equal(netconf_add_coo(own, &coo), 0);
	json_array_foreach(json_object_get(entry, "static_ips"), i, item)
	{
		struct zt_endpoint ip;
		assert_true(endpoint_parse(json_string_value(item), &ip));
		assert_int_equal(netconf_add_address(own, &ip), 0);
	}
}

static void held_load(struct held *held, const json_t *entry)
{
	size_t i;
	const json_t *item;
	json_array_foreach(json_object_get(entry, "remote_tags"), i, item)
	{
		struct tag tag = {
			.id = (uint32_t)json_integer_value(json_array_get(item, 0)),
			.value = (uint32_t)json_integer_value(json_array_get(item, 1)),
			.timestamp = (uint64_t)json_integer_value(json_array_get(item, 2)),
		};
		assert_int_equal(held_tag_store(held, &tag), 0);
	}
	json_array_foreach(json_object_get(entry, "remote_caps"), i, item)
	{
		struct capability cap = capability_of(item);
		assert_int_equal(held_capability_store(held, &cap), 0);
	}
	struct coo coo = coo_of(json_object_get(entry, "remote_coo"));
	assert_int_equal(held_coo_store(held, &coo), 0);
	json_array_foreach(json_object_get(entry, "revocations"), i, item)
	{
		assert_true(held_revoke(held, (uint8_t)vector_number(item, "type"),
					(uint32_t)vector_number(item, "cred_id"),
					vector_number(item, "threshold")));
	}
}

static uint64_t self(void)
{
	static uint64_t address;
	if (!address) {
		struct identity id;
		const char *text = vector_string(vectors_section("vl2.json", "actors"), "local");
		assert_int_equal(identity_parse(text, &id), 0);
		address = id.address;
	}
	return address;
}

static void world_load(struct world *world, const json_t *entry)
{
	*world = (struct world){ .frame = blob_get(entry, "frame") };
	own_load(world, entry);
	held_load(&world->held, entry);
	world->in = (struct filter_in){
		.is_inbound = vector_bool(entry, "inbound"),
		.is_tee_suppressed = vector_bool(entry, "no_tee"),
		.self = self(),
		.zt_source = hex(entry, "zt_source"),
		.zt_dest = hex(entry, "zt_dest"),
		.mac_source = hex(entry, "mac_source"),
		.mac_dest = hex(entry, "mac_dest"),
		.ether_type = (uint16_t)vector_number(entry, "ether_type"),
		.vlan_id = (uint16_t)vector_number(entry, "vlan_id"),
		.data = { .bytes = world->frame.bytes, .length = world->frame.length },
		.random = 1,
		.own = world->own,
		.other = vector_bool(entry, "membership_known") ? &world->held : NULL,
		.window = { .config_timestamp = world->own->timestamp,
			    .delta = VL2_CREDENTIAL_DELTA_DEFAULT_MS },
	};
}

static void world_free(struct world *world)
{
	netconf_free(world->own);
	held_fini(&world->held);
	blob_free(&world->frame);
}

/* ---- checks -----------------------------------------------------------------------------------
 */

static void check_table(const struct world *world, const json_t *base)
{
	static const char *const names[] = {
		[FILTER_NO_MATCH] = "NO_MATCH",         [FILTER_DROP] = "DROP",
		[FILTER_REDIRECT] = "REDIRECT",         [FILTER_ACCEPT] = "ACCEPT",
		[FILTER_SUPER_ACCEPT] = "SUPER_ACCEPT",
	};
	struct filter_copy copy;
	struct filter_run run = filter_run_init(&world->in);
	enum filter_result result =
	    filter_table(&run, world->own->rules, world->own->rule_count, &copy);
	assert_string_equal(names[result], vector_string(base, "result"));
	assert_true(run.zt_dest == hex(base, "final_dest"));
	assert_true(copy.dest == hex(base, "cc"));
	assert_int_equal(copy.length, vector_number(base, "cc_len"));
	bool is_watch = copy.flags == EXT_FRAME_WATCH_IN || copy.flags == EXT_FRAME_WATCH_OUT;
	assert_int_equal(is_watch, vector_bool(base, "cc_watch"));
}

static void check_copy(const struct world *world, const struct filter_copy *copy,
		       const json_t *emitted)
{
	uint8_t bytes[MSG2_EXT_FRAME_HEADER_BYTES + ZT_MAX_FRAME_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	ext_frame_write_header(&w, &(struct ext_frame){ .nwid = world->own->nwid,
							.flags = copy->flags,
							.to = world->in.mac_dest,
							.from = world->in.mac_source,
							.ether_type = world->in.ether_type });
	wr_bytes(&w, world->in.data.bytes, copy->length);
	assert_true(copy->dest == hex(emitted, "dest"));
	assert_int_equal(vector_number(emitted, "verb"), 7);
	assert_field_equal(emitted, "payload", bytes, wr_length(&w));
}

static void check_entry(const json_t *entry)
{
	struct world world;
	struct filter_out out;
	const json_t *emitted = json_object_get(entry, "emitted");
	world_load(&world, entry);
	check_table(&world, json_object_get(entry, "base"));
	assert_int_equal(filter_frame(&world.in, &out), vector_number(entry, "verdict"));
	assert_int_equal(out.copy_count, json_array_size(emitted));
	for (size_t i = 0; i < out.copy_count; i++) {
		check_copy(&world, &out.copies[i], json_array_get(emitted, i));
	}
	if (filter_is_open(world.own->rules, world.own->rule_count)) {
		assert_int_equal(vector_number(entry, "verdict"), FILTER_PASS);
		assert_int_equal(json_array_size(emitted), 0);
	}
	world_free(&world);
}

static void test_vl2_filter(void **state)
{
	(void)state;
	size_t i;
	const json_t *entry, *section = vectors_section("vl2.json", "filter");
	assert_true(json_array_size(section) > 0);
	json_array_foreach((json_t *)(uintptr_t)section, i, entry)
	{
		/* the last one printed is the one that failed */
		print_message("%zu %s\n", i, vector_string(entry, "name"));
		check_entry(entry);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_filter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
