/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Emulated neighbour discovery: vl2.json section emission where it answers, and when it does not.
 */
#include "core/addr.h"
#include "core/ndp.h"
#include "tests/lib/check.h"

static uint64_t hex(const json_t *entry, const char *key)
{
	return strtoull(vector_string(entry, key), NULL, 16);
}

static uint64_t nwid(void)
{
	return hex(vectors_section("vl2.json", "actors"), "network_id");
}

static uint64_t self(void)
{
	return strtoull(vector_string(vectors_section("vl2.json", "actors"), "local"), NULL, 16);
}

/* Our two derived addresses, as the node of the vectors had them. */
static struct netconf *config(void)
{
	struct netconf *nc = netconf_new();
	assert_non_null(nc);
	nc->nwid = nwid();
	nc->issued_to = self();
	nc->flags = NETCONF_NDP_EMULATION;
	struct zt_endpoint v4 = { .family = 4, .port = 24, .ip = { 10, 0, 0, 1 } };
	struct zt_endpoint rfc4193 = addr_rfc4193(nwid(), self());
	struct zt_endpoint plane = addr_6plane(nwid(), self());
	assert_int_equal(netconf_add_address(nc, &v4), 0);
	assert_int_equal(netconf_add_address(nc, &rfc4193), 0);
	assert_int_equal(netconf_add_address(nc, &plane), 0);
	return nc;
}

struct question {
	struct blob data;
	struct ndp_query query;
};

static struct question question_of(const json_t *input)
{
	struct question q = { .data = blob_get(input, "data") };
	q.query = (struct ndp_query){
		.to = hex(input, "to"),
		.from = hex(input, "from"),
		.ether_type = (uint16_t)vector_number(input, "ether_type"),
		.data = { .bytes = q.data.bytes, .length = q.data.length },
	};
	return q;
}

static const json_t *solicitation(size_t *index)
{
	const json_t *section = vectors_section("vl2.json", "emission");
	for (; *index < json_array_size(section); ++*index) {
		const json_t *entry = json_array_get(section, *index);
		if (strstr(vector_string(entry, "name"), "NDP solicitation")) {
			++*index;
			return entry;
		}
	}
	return NULL;
}

static void vl2_emission_ndp(void **state)
{
	(void)state;
	struct netconf *nc = config();
	size_t index = 0, answered = 0;
	for (const json_t *entry; (entry = solicitation(&index)) != NULL; answered++) {
		const json_t *want = json_array_get(json_object_get(entry, "delivered_locally"), 0);
		struct question q = question_of(json_object_get(entry, "input"));
		uint8_t out[NDP_ANSWER_BYTES];
		assert_true(ndp_answer(nc, self(), &q.query, out));
		struct rd r = rd_init(out, sizeof(out));
		assert_true(rd_u48(&r) == hex(want, "to"));
		assert_true(rd_u48(&r) == hex(want, "from"));
		assert_int_equal(rd_u16(&r), vector_number(want, "ether_type"));
		assert_field_equal(want, "data", r.p, rd_left(&r));
		blob_free(&q.data);
	}
	assert_true(answered > 0);
	netconf_free(nc);
}

static struct question first(void)
{
	size_t index = 0;
	return question_of(json_object_get(solicitation(&index), "input"));
}

/* Summed with its own checksum, a message gives all ones (RFC 4443 2.3). */
static void the_checksum_adds_up(void **state)
{
	(void)state;
	struct netconf *nc = config();
	struct question q = first();
	uint8_t out[NDP_ANSWER_BYTES];
	for (unsigned byte = 0; byte < 256; byte++) {
		q.data.bytes[63] = (uint8_t)byte;
		assert_true(ndp_answer(nc, self(), &q.query, out));
		uint32_t sum = 0x3a + 32;
		for (size_t i = 14 + 8; i < sizeof(out); i += 2) {
			sum += (uint32_t)out[i] << 8 | out[i + 1];
		}
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	}
	blob_free(&q.data);
	netconf_free(nc);
}

static void what_is_no_question_for_us_goes_its_way(void **state)
{
	(void)state;
	struct netconf *nc = config();
	struct question q = first();
	uint8_t out[NDP_ANSWER_BYTES];
	struct ndp_query other = q.query;

	nc->flags = 0;
	assert_false(ndp_answer(nc, self(), &q.query, out));
	nc->flags = NETCONF_NDP_EMULATION;
	other.to = ADDR_MAC_BROADCAST;
	assert_false(ndp_answer(nc, self(), &other, out));
	other.to = addr_mac(nwid(), 0x18973ed9b4);
	assert_false(ndp_answer(nc, self(), &other, out));
	other = q.query;
	other.ether_type = 0x0800;
	assert_false(ndp_answer(nc, self(), &other, out));
	static const size_t matter[] = { 6, 40, 48, 52 }; /* protocol, type, prefix */
	for (size_t i = 0; i < sizeof(matter) / sizeof(matter[0]); i++) {
		q.data.bytes[matter[i]] ^= 1;
		assert_false(ndp_answer(nc, self(), &q.query, out));
		q.data.bytes[matter[i]] ^= 1;
	}
	assert_true(ndp_answer(nc, self(), &q.query, out));
	/* Somebody looks for us. */
	struct zt_endpoint own = addr_6plane(nwid(), self());
	memcpy(q.data.bytes + 48, own.ip, 16);
	assert_false(ndp_answer(nc, self(), &q.query, out));
	blob_free(&q.data);
	netconf_free(nc);
}

static void truncated_questions_are_left_alone(void **state)
{
	(void)state;
	struct netconf *nc = config();
	struct question q = first();
	uint8_t out[NDP_ANSWER_BYTES];
	for (size_t cut = 0; cut < 64; cut++) {
		uint8_t *part = malloc(cut + 1);
		assert_non_null(part);
		memcpy(part + 1, q.data.bytes, cut);
		q.query.data = (struct span){ .bytes = part + 1, .length = cut };
		assert_false(ndp_answer(nc, self(), &q.query, out));
		free(part);
	}
	blob_free(&q.data);
	netconf_free(nc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vl2_emission_ndp),
		cmocka_unit_test(the_checksum_adds_up),
		cmocka_unit_test(what_is_no_question_for_us_goes_its_way),
		cmocka_unit_test(truncated_questions_are_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
