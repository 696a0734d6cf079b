/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A virtual network with two bridges, end to end: where frames for foreign MACs go (vl2 6.4). */
#include "core/addr.h"
#include "tests/lib/check.h"
#include "tests/lib/vnet.h"

static const char settings[] =
    "{\"name\":\"sim\",\"private\":true,\"v4AssignMode\":{\"zt\":true},"
    "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.7.0.1\",\"ipRangeEnd\":\"10.7.0.200\"}],"
    "\"routes\":[{\"target\":\"10.7.0.0/24\",\"via\":null}]}";

enum { PLAIN, OTHER, BRIDGE, SECOND_BRIDGE, MEMBERS, WITHIN_MS = 3000 };
static const uint64_t FOREIGN = 0x020000000001;

static void make_bridge(struct vnet *v, const struct vnet_member *m)
{
	json_t *body = json_pack("{s:b}", "activeBridge", 1);
	assert_non_null(body);
	json_t *record =
	    controller_member_set(v->controller, sim_now(v->root), v->nwid, m->node->address, body);
	assert_non_null(record);
	json_decref(record);
	json_decref(body);
}

static void put_frame(struct vnet_member *m, uint64_t to, uint64_t from)
{
	uint8_t bytes[64] = { 0 };
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u48(&w, to);
	wr_u48(&w, from);
	wr_u16(&w, 0x9999);
	const struct zt_frame frame = { .bytes = bytes, .length = sizeof(bytes) };
	zt_send_frames(m->node->zt, sim_now(m->node), m->vnet->nwid, &frame, 1);
	sim_touch(m->node);
}

static void expect_got(const struct vnet *v, unsigned plain, unsigned first, unsigned second)
{
	assert_int_equal(v->members[PLAIN].others, plain);
	assert_int_equal(v->members[OTHER].others, 0);
	assert_int_equal(v->members[BRIDGE].others, first);
	assert_int_equal(v->members[SECOND_BRIDGE].others, second);
}

static void a_foreign_mac_is_found_behind_its_bridge(void **state)
{
	(void)state;
	struct vnet *v = vnet_new(MEMBERS, settings);
	struct vnet_member *plain = &v->members[PLAIN];
	for (size_t i = 0; i < MEMBERS; i++) {
		vnet_authorise(v, &v->members[i], true);
	}
	make_bridge(v, &v->members[BRIDGE]);
	make_bridge(v, &v->members[SECOND_BRIDGE]);
	for (size_t i = 0; i < MEMBERS; i++) {
		vnet_join(&v->members[i]);
	}
	assert_true(vnet_all_ready(v, MEMBERS, 5000));
	uint64_t mac = addr_mac(v->nwid, plain->node->address);
	/* Nobody knows where it is: both bridges hear of it, other members do not. */
	put_frame(plain, FOREIGN, mac);
	sim_run(v->sim, WITHIN_MS);
	expect_got(v, 0, 1, 1);
	/* It speaks through the first bridge, then is answered there alone. */
	put_frame(&v->members[BRIDGE], mac, FOREIGN);
	sim_run(v->sim, WITHIN_MS);
	expect_got(v, 1, 1, 1);
	put_frame(plain, FOREIGN, mac);
	sim_run(v->sim, WITHIN_MS);
	expect_got(v, 1, 2, 1);
	/* It moves behind the second. */
	put_frame(&v->members[SECOND_BRIDGE], mac, FOREIGN);
	put_frame(plain, FOREIGN, mac); /* not heard of yet */
	sim_run(v->sim, WITHIN_MS);
	expect_got(v, 2, 3, 1);
	put_frame(plain, FOREIGN, mac);
	sim_run(v->sim, WITHIN_MS);
	expect_got(v, 2, 3, 2);
	/* What another member does not know yet, it asks of both. */
	put_frame(&v->members[OTHER], FOREIGN, addr_mac(v->nwid, v->members[OTHER].node->address));
	sim_run(v->sim, WITHIN_MS);
	expect_got(v, 2, 4, 3);
	vnet_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_foreign_mac_is_found_behind_its_bridge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
