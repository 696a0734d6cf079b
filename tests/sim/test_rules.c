/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Rules end to end: a controller that signs tables, tags and capabilities, members that obey. */
#include "core/addr.h"
#include "tests/lib/check.h"
#include "tests/lib/vnet.h"

#include <string.h>

enum {
	WATCHERS = 8,
	SEEN_MAX = 64,
	TCP = 6,
	UDP = 17,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	FRAME_BYTES = 14 + 40 + 24,
	SETTLE_MS = 500,
};
#define GROUP 0x01005e000005ULL

/* ---- who saw what -----------------------------------------------------------------------------
 */

struct seen {
	uint64_t nwid, to, from;
	uint32_t length;
	uint16_t ether_type;
	uint8_t bytes[FRAME_BYTES + 8];
};

static struct {
	struct sim_node *node;
	size_t count;
	struct seen frames[SEEN_MAX];
} watchers[WATCHERS];

static void on_frames_in(void *context, uint64_t nwid, const struct zt_frame *frames, size_t count)
{
	size_t w = 0;
	while (watchers[w].node != context) {
		w++;
	}
	for (size_t i = 0; i < count; i++) {
		assert_true(watchers[w].count < SEEN_MAX);
		struct seen *seen = &watchers[w].frames[watchers[w].count++];
		struct rd r = rd_init(frames[i].bytes, frames[i].length);
		*seen = (struct seen){ .nwid = nwid, .to = rd_u48(&r) };
		seen->from = rd_u48(&r);
		seen->ether_type = rd_u16(&r);
		seen->length = frames[i].length;
		assert_true(frames[i].length <= sizeof(seen->bytes));
		memcpy(seen->bytes, frames[i].bytes, frames[i].length);
	}
}

static size_t seen_by(const struct vnet_member *m)
{
	return watchers[m - m->vnet->members].count;
}

static const struct seen *sight(const struct vnet_member *m, size_t index)
{
	assert_true(index < seen_by(m));
	return &watchers[m - m->vnet->members].frames[index];
}

static void forget_sights(void)
{
	for (size_t i = 0; i < WATCHERS; i++) {
		watchers[i].count = 0;
	}
}

/* ---- a network with rules ---------------------------------------------------------------------
 */

static void member_set(struct vnet *v, const struct vnet_member *m, const char *settings)
{
	json_t *body = json_loads(settings, 0, NULL);
	assert_non_null(body);
	json_t *record =
	    controller_member_set(v->controller, sim_now(v->root), v->nwid, m->node->address, body);
	assert_non_null(record);
	json_decref(record);
	json_decref(body);
}

/* Members are in, with these settings of theirs (NULL = none), and their stacks are ours. */
static struct vnet *started(const char *network, const char *const *settings, size_t count)
{
	struct vnet *v = vnet_new(count, network);
	memset(watchers, 0, sizeof(watchers));
	for (size_t i = 0; i < count; i++) {
		struct vnet_member *m = &v->members[i];
		if (settings && settings[i]) {
			member_set(v, m, settings[i]);
		}
		vnet_authorise(v, m, true);
		vnet_join(m);
	}
	assert_true(vnet_all_ready(v, count, 5000));
	for (size_t i = 0; i < count; i++) {
		watchers[i].node = v->members[i].node;
		v->members[i].node->callbacks.frames_in = on_frames_in;
	}
	return v;
}

static uint64_t mac(const struct vnet_member *m)
{
	return addr_mac(m->vnet->nwid, m->node->address);
}

/* An IPv4 frame of 24 bytes TCP or UDP, and time to arrive. */
static void send_ipv4(struct vnet_member *m, uint64_t to, uint8_t protocol, uint16_t port)
{
	uint8_t bytes[FRAME_BYTES] = { 0 };
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u48(&w, to);
	wr_u48(&w, mac(m));
	wr_u16(&w, ETHERTYPE_IPV4);
	wr_u8(&w, 0x45);
	wr_zeros(&w, 8);
	wr_u8(&w, protocol);
	wr_zeros(&w, 2);
	wr_u32(&w, m->ip);
	wr_u32(&w, 0x0a070001);
	wr_u16(&w, 40000);
	wr_u16(&w, port);
	wr_zeros(&w, 20);
	struct zt_frame frame = { .bytes = bytes, .length = (uint32_t)wr_length(&w) };
	zt_send_frames(m->node->zt, sim_now(m->node), m->vnet->nwid, &frame, 1);
	sim_touch(m->node);
	sim_run(m->vnet->sim, SETTLE_MS);
}

#define NETWORK(more)                                                                              \
	"{\"name\":\"rules\",\"private\":true,\"v4AssignMode\":{\"zt\":true},"                     \
	"\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.7.0.1\",\"ipRangeEnd\":\"10.7.0.200\"}],"   \
	"\"routes\":[{\"target\":\"10.7.0.0/24\",\"via\":null}]," more "}"

/* ---- tests ------------------------------------------------------------------------------------
 */

static void members_of_one_department_hear_each_other(void **state)
{
	(void)state;
	static const char *const tags[] = { "{\"tags\":[[1,5]]}", "{\"tags\":[[1,5]]}",
					    "{\"tags\":[[1,7]]}", NULL };
	struct vnet *v =
	    started(NETWORK("\"tags\":[{\"id\":1,\"default\":null}],"
			    "\"rules\":[{\"type\":\"MATCH_TAGS_DIFFERENCE\",\"id\":1,\"value\":0},"
			    "{\"type\":\"ACTION_ACCEPT\"}]"),
		    tags, 4);
	struct vnet_member *a = &v->members[0], *same = &v->members[1], *other = &v->members[2],
			   *untagged = &v->members[3];
	send_ipv4(a, mac(same), TCP, 80);
	send_ipv4(same, mac(a), TCP, 80);
	assert_int_equal(seen_by(same), 1);
	assert_int_equal(seen_by(a), 1);
	/* A frame goes out to whose tag is not known, and is dropped there. The receiver knows
	 * both tags then and does not even try. */
	send_ipv4(a, mac(other), TCP, 80);
	assert_int_equal(zt_counter(a->node->zt, ZT_COUNT_DROP_RULES), 0);
	assert_int_equal(zt_counter(other->node->zt, ZT_COUNT_DROP_RULES), 1);
	uint64_t received = zt_counter(a->node->zt, ZT_COUNT_PACKETS_IN);
	send_ipv4(other, mac(a), TCP, 80);
	assert_int_equal(zt_counter(other->node->zt, ZT_COUNT_DROP_RULES), 2);
	assert_int_equal(zt_counter(a->node->zt, ZT_COUNT_PACKETS_IN), received);
	send_ipv4(untagged, mac(a), TCP, 80);
	assert_int_equal(seen_by(other), 0);
	assert_int_equal(seen_by(a), 1);
	vnet_free(v);
}

/* A frame to many reaches those only that may have it. */
static void multicast_is_judged_per_recipient(void **state)
{
	(void)state;
	static const char *const tags[] = { "{\"tags\":[[1,5]]}", "{\"tags\":[[1,5]]}",
					    "{\"tags\":[[1,7]]}" };
	struct vnet *v =
	    started(NETWORK("\"tags\":[{\"id\":1,\"default\":null}],"
			    "\"rules\":[{\"type\":\"MATCH_TAGS_DIFFERENCE\",\"id\":1,\"value\":0},"
			    "{\"type\":\"ACTION_ACCEPT\"}]"),
		    tags, 3);
	for (size_t i = 1; i < 3; i++) {
		struct sim_node *node = v->members[i].node;
		assert_int_equal(zt_multicast_join(node->zt, sim_now(node), v->nwid, GROUP, 0), 0);
		sim_touch(node);
	}
	sim_run(v->sim, 2000);
	send_ipv4(&v->members[0], GROUP, UDP, 5);
	assert_int_equal(seen_by(&v->members[1]), 1);
	assert_int_equal(seen_by(&v->members[2]), 0);
	assert_true(sight(&v->members[1], 0)->to == GROUP);
	vnet_free(v);
}

static void a_capability_lets_one_member_through(void **state)
{
	(void)state;
	static const char *const settings[] = { "{\"capabilities\":[10]}", NULL };
	struct vnet *v =
	    started(NETWORK("\"capabilities\":[{\"id\":10,\"default\":false,"
			    "\"rules\":[{\"type\":\"ACTION_ACCEPT\"}]}],"
			    "\"rules\":[{\"type\":\"MATCH_IP_PROTOCOL\",\"ipProtocol\":6},"
			    "{\"type\":\"ACTION_ACCEPT\"}]"),
		    settings, 2);
	struct vnet_member *a = &v->members[0], *b = &v->members[1];
	send_ipv4(a, mac(b), TCP, 80);
	send_ipv4(b, mac(a), TCP, 80);
	assert_true(seen_by(a) == 1 && seen_by(b) == 1);
	send_ipv4(b, mac(a), UDP, 53);
	assert_int_equal(seen_by(a), 1);
	assert_int_equal(zt_counter(b->node->zt, ZT_COUNT_DROP_RULES), 1);
	send_ipv4(a, mac(b), UDP, 53);
	assert_int_equal(seen_by(b), 2);
	vnet_free(v);
}

/* A network of three; the table, once known, names the third by its address. */
static struct vnet *observed(const char *action, char *buffer, size_t size)
{
	struct vnet *v = started(NETWORK("\"rules\":[{\"type\":\"ACTION_ACCEPT\"}]"), NULL, 3);
	(void)snprintf(
	    buffer, size,
	    "{\"rules\":[{\"type\":\"MATCH_IP_DEST_PORT_RANGE\",\"start\":25,\"end\":25},"
	    "{\"type\":\"%s\",\"address\":\"%010llx\",\"flags\":0,\"length\":30},"
	    "{\"type\":\"ACTION_ACCEPT\"}]}",
	    action, (unsigned long long)v->members[2].node->address);
	vnet_network_set(v, buffer);
	sim_run(v->sim, 5000);
	forget_sights();
	return v;
}

static void a_third_party_watches(void **state)
{
	(void)state;
	char rules[512];
	const char *const kinds[] = { "ACTION_TEE", "ACTION_WATCH" };
	for (size_t kind = 0; kind < 2; kind++) {
		struct vnet *v = observed(kinds[kind], rules, sizeof(rules));
		struct vnet_member *a = &v->members[0], *b = &v->members[1], *c = &v->members[2];
		send_ipv4(a, mac(b), TCP, 80); /* of no interest */
		assert_int_equal(seen_by(b), 1);
		assert_int_equal(seen_by(c), 0);
		send_ipv4(a, mac(b), TCP, 25);
		assert_int_equal(seen_by(b), 2);
		/* Once from either end, cut to 30 bytes, with the original's addresses. */
		assert_int_equal(seen_by(c), 2);
		for (size_t i = 0; i < 2; i++) {
			const struct seen *copy = sight(c, i);
			assert_true(copy->to == mac(b) && copy->from == mac(a));
			assert_int_equal(copy->length, 14 + 30);
			assert_memory_equal(copy->bytes, sight(b, 1)->bytes, copy->length);
		}
		vnet_free(v);
	}
}

static void frames_are_led_elsewhere(void **state)
{
	(void)state;
	char rules[512];
	struct vnet *v = observed("ACTION_REDIRECT", rules, sizeof(rules));
	struct vnet_member *a = &v->members[0], *b = &v->members[1], *c = &v->members[2];
	send_ipv4(a, mac(b), TCP, 80);
	send_ipv4(a, mac(b), TCP, 25);
	assert_int_equal(seen_by(b), 1);
	assert_int_equal(seen_by(c), 1);
	assert_true(sight(c, 0)->to == mac(b) && sight(c, 0)->from == mac(a));
	assert_int_equal(sight(c, 0)->length, sight(b, 0)->length);
	vnet_free(v);
}

/* ---- ad-hoc networks --------------------------------------------------------------------------
 */

#define ADHOC 0xff00160017000000ULL /* ports 22 and 23 */

static void send_ipv6(struct vnet_member *m, uint64_t to, const struct vnet_member *target,
		      uint8_t protocol, const uint8_t payload[24])
{
	struct zt_endpoint mine = addr_6plane(ADHOC, m->node->address);
	struct zt_endpoint theirs = addr_6plane(ADHOC, target->node->address);
	uint8_t bytes[FRAME_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u48(&w, to);
	wr_u48(&w, addr_mac(ADHOC, m->node->address));
	wr_u16(&w, ETHERTYPE_IPV6);
	wr_u32(&w, 0x60000000);
	wr_u16(&w, 24);
	wr_u8(&w, protocol);
	wr_u8(&w, 255);
	wr_bytes(&w, mine.ip, 16);
	wr_bytes(&w, theirs.ip, 16);
	wr_bytes(&w, payload, 24);
	assert_false(w.bad);
	struct zt_frame frame = { .bytes = bytes, .length = (uint32_t)wr_length(&w) };
	zt_send_frames(m->node->zt, sim_now(m->node), ADHOC, &frame, 1);
	sim_touch(m->node);
	sim_run(m->vnet->sim, SETTLE_MS);
}

static void send_tcp6(struct vnet_member *m, uint64_t to, const struct vnet_member *target,
		      uint16_t port, uint8_t flags)
{
	uint8_t tcp[24] = { 0x9c, 0x40, (uint8_t)(port >> 8), (uint8_t)port, [13] = flags };
	send_ipv6(m, to, target, TCP, tcp);
}

static void nodes_meet_on_an_ad_hoc_network(void **state)
{
	(void)state;
	struct vnet *v = started(NETWORK("\"rules\":[{\"type\":\"ACTION_ACCEPT\"}]"), NULL, 2);
	struct vnet_member *a = &v->members[0], *b = &v->members[1];
	for (size_t i = 0; i < 2; i++) {
		struct sim_node *node = v->members[i].node;
		assert_int_equal(zt_join(node->zt, sim_now(node), ADHOC, NULL, 0), 0);
		sim_touch(node);
	}
	forget_sights();
	/* Neighbour discovery is answered without a packet. */
	uint8_t solicitation[24] = { 0x87 };
	struct zt_endpoint theirs = addr_6plane(ADHOC, b->node->address);
	memcpy(solicitation + 8, theirs.ip, 16);
	send_ipv6(a, 0x3333ff000001, b, 58, solicitation);
	assert_int_equal(seen_by(b), 0);
	assert_int_equal(seen_by(a), 1);
	uint64_t to = sight(a, 0)->from;
	assert_true(to == addr_mac(ADHOC, b->node->address) && sight(a, 0)->nwid == ADHOC);
	/* Connections to its ports only, and what answers. */
	send_tcp6(a, to, b, 22, 0x02);
	assert_int_equal(seen_by(b), 1);
	assert_true(sight(b, 0)->nwid == ADHOC);
	send_tcp6(b, addr_mac(ADHOC, a->node->address), a, 40000, 0x12);
	assert_int_equal(seen_by(a), 2);
	send_tcp6(a, to, b, 80, 0x02);
	assert_int_equal(seen_by(b), 1);
	assert_int_equal(zt_counter(a->node->zt, ZT_COUNT_DROP_RULES), 1);
	vnet_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_of_one_department_hear_each_other),
		cmocka_unit_test(multicast_is_judged_per_recipient),
		cmocka_unit_test(a_capability_lets_one_member_through),
		cmocka_unit_test(a_third_party_watches),
		cmocka_unit_test(frames_are_led_elsewhere),
		cmocka_unit_test(nodes_meet_on_an_ad_hoc_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
