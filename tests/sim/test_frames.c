/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A virtual network end to end: real nodes, a real controller, a simulated Internet. */
#include "core/addr.h"
#include "core/proto.h"
#include "core/tx.h"
#include "tests/lib/check.h"
#include "tests/lib/vnet.h"

#include <string.h>

static const char private_network[] =
    "{\"name\":\"sim\",\"private\":true,\"v4AssignMode\":{\"zt\":true},"
    "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.7.0.1\",\"ipRangeEnd\":\"10.7.0.200\"}],"
    "\"routes\":[{\"target\":\"10.7.0.0/24\",\"via\":null}]}";

static const char public_network[] =
    "{\"name\":\"open\",\"private\":false,\"v4AssignMode\":{\"zt\":true},"
    "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.8.0.1\",\"ipRangeEnd\":\"10.8.0.200\"}],"
    "\"routes\":[{\"target\":\"10.8.0.0/24\",\"via\":null}]}";

/* Members are authorised before they ask, and join. */
static struct vnet *started(size_t count, const char *settings, const struct sim_link *link)
{
	struct vnet *v = vnet_new(count, settings);
	if (link) {
		v->sim->link = *link;
	}
	for (size_t i = 0; i < count; i++) {
		vnet_authorise(v, &v->members[i], true);
		vnet_join(&v->members[i]);
	}
	return v;
}

static uint64_t counter(const struct vnet_member *m, enum zt_counter which)
{
	return zt_counter(m->node->zt, which);
}

static bool nobody_saw_a_forgery(const struct vnet *v)
{
	for (size_t i = 0; i < v->member_count; i++) {
		if (v->members[i].saw_forged) {
			return false;
		}
	}
	return true;
}

static void a_join_takes_two_round_trips(void **state)
{
	(void)state;
	struct vnet *v = vnet_new(1, private_network);
	struct vnet_member *a = &v->members[0];
	vnet_authorise(v, a, true);
	sim_run(v->sim, 500); /* the node is online */
	int64_t start_ms = v->sim->now_ms;
	vnet_join(a);
	assert_int_equal(vnet_status(a), ZT_NETWORK_REQUESTING_CONFIGURATION);
	assert_true(vnet_all_ready(v, 1, 1000));
	print_message("join to OK: %lld ms at 20 ms one way\n",
		      (long long)(v->sim->now_ms - start_ms));
	assert_true(v->sim->now_ms - start_ms < 100);
	assert_int_equal(a->ip >> 8, 0x0a0700);
	struct zt_network_view view;
	assert_true(zt_network_find(a->node->zt, v->nwid, &view));
	assert_string_equal(view.name, "sim");
	assert_true(view.is_private && view.mtu == 2800 && view.route_count == 1);
	assert_true(view.mac == addr_mac(v->nwid, a->node->address));
	assert_true(a->node->stored[ZT_STORE_NETWORK] > 0);
	/* Idle, it asks once a minute and not more. */
	unsigned requests = v->requests;
	uint64_t ticks = a->node->ticks, sent = a->node->sent;
	sim_run(v->sim, 600000);
	assert_in_range(v->requests - requests, 9, 11);
	print_message("idle: %llu wakes and %llu datagrams in 10 minutes\n",
		      (unsigned long long)(a->node->ticks - ticks),
		      (unsigned long long)(a->node->sent - sent));
	assert_true(a->node->ticks - ticks < 150);
	vnet_free(v);
}

static void joining_twice_or_wrongly_is_refused(void **state)
{
	(void)state;
	struct vnet *v = vnet_new(1, private_network);
	struct vnet_member *a = &v->members[0];
	struct zt_now now = sim_now(a->node);
	vnet_join(a);
	assert_int_equal(zt_join(a->node->zt, now, v->nwid, NULL, 0), ZT_E_EXISTS);
	assert_int_equal(zt_join(a->node->zt, now, 0xff00160016000000, NULL, 0), 0);
	assert_int_equal(zt_join(a->node->zt, now, 1, NULL, 0), ZT_E_MALFORMED);
	vnet_leave(a);
	assert_int_equal(zt_leave(a->node->zt, now, v->nwid), ZT_E_NOT_FOUND);
	struct zt_network_view view;
	assert_false(zt_network_find(a->node->zt, v->nwid, &view));
	vnet_free(v);
}

static void arp_finds_the_peer_and_frames_go_direct(void **state)
{
	(void)state;
	struct vnet *v = started(3, private_network, NULL);
	struct vnet_member *a = &v->members[0], *b = &v->members[1], *c = &v->members[2];
	assert_true(vnet_all_ready(v, 3, 2000));
	sim_run(v->sim, 200);
	int64_t start_ms = v->sim->now_ms;
	assert_true(vnet_ping(a, b, 3000));
	print_message("first query answered after %lld ms\n",
		      (long long)(v->sim->now_ms - start_ms));
	/* The group of the address reaches its owner alone. */
	assert_true(b->arp_requests >= 1);
	assert_int_equal(c->arp_requests, 0);
	assert_true(vnet_ping(b, a, 2000));
	sim_run(v->sim, 2000);
	struct sim_pair pair = { a->node, b->node };
	assert_true(sim_is_direct(&pair));
	/* Direct: the root carries nothing more. */
	uint64_t relayed = zt_counter(v->root->zt, ZT_COUNT_RELAYED);
	for (int i = 0; i < 10; i++) {
		assert_true(vnet_ping(a, b, 1000));
	}
	assert_int_equal(zt_counter(v->root->zt, ZT_COUNT_RELAYED), relayed);
	assert_int_equal(counter(a, ZT_COUNT_DROP_RULES), 0);
	assert_true(nobody_saw_a_forgery(v));
	vnet_free(v);
}

static void an_unauthorised_member_waits_until_it_is_let_in(void **state)
{
	(void)state;
	struct vnet *v = vnet_new(1, private_network);
	struct vnet_member *a = &v->members[0];
	vnet_join(a);
	sim_run(v->sim, 2000);
	assert_int_equal(vnet_status(a), ZT_NETWORK_ACCESS_DENIED);
	vnet_authorise(v, a, true);
	assert_true(vnet_all_ready(v, 1, 6000)); /* its next request */
	vnet_free(v);
}

static void deauthorised_members_are_not_heard_within_seconds(void **state)
{
	(void)state;
	struct vnet *v = started(3, private_network, NULL);
	struct vnet_member *a = &v->members[0], *b = &v->members[1], *c = &v->members[2];
	assert_true(vnet_all_ready(v, 3, 2000));
	assert_true(vnet_ping(a, b, 3000));
	assert_true(vnet_ping(a, c, 3000));
	vnet_authorise(v, a, false);
	sim_run(v->sim, 2000);
	/* Nobody hears it, and it is told why. */
	unsigned heard_b = b->queries, heard_c = c->queries;
	uint64_t dropped = counter(b, ZT_COUNT_DROP_MEMBERSHIP);
	for (int i = 0; i < 5; i++) {
		vnet_query(a, b);
		vnet_query(a, c);
		sim_run(v->sim, 1000);
	}
	assert_int_equal(b->queries, heard_b);
	assert_int_equal(c->queries, heard_c);
	assert_true(counter(b, ZT_COUNT_DROP_MEMBERSHIP) > dropped);
	/* The others are not disturbed. */
	assert_true(vnet_ping(b, c, 3000));
	/* The revocation names it: it asked its controller at once. */
	assert_int_equal(vnet_status(a), ZT_NETWORK_ACCESS_DENIED);
	/* Let in again, it is heard again. */
	vnet_authorise(v, a, true);
	assert_true(vnet_all_ready(v, 3, 6000));
	assert_true(vnet_ping(a, b, 5000));
	assert_true(nobody_saw_a_forgery(v));
	vnet_free(v);
}

static void frames_of_strangers_are_dropped(void **state)
{
	(void)state;
	struct vnet *v = started(2, private_network, NULL);
	struct vnet_member *a = &v->members[0], *b = &v->members[1];
	assert_true(vnet_all_ready(v, 2, 2000));
	assert_true(vnet_ping(a, b, 3000));
	/* A node that never was a member, with frames made by hand. */
	struct sim_node *stranger = sim_node_new(v->sim, 7, "192.0.9.2", NULL);
	sim_node_start(stranger);
	sim_run(v->sim, 500);
	uint8_t frame[8 + 2 + 9];
	struct wr w = wr_init(frame, sizeof frame);
	wr_u64(&w, v->nwid);
	wr_u16(&w, 0x0800);
	wr_bytes(&w, "Q\0\0\0\0\0\0\0\0", 9);
	unsigned queries = b->queries;
	uint64_t dropped = counter(b, ZT_COUNT_DROP_MEMBERSHIP);
	uint64_t in = zt_counter(stranger->zt, ZT_COUNT_PACKETS_IN);
	for (int i = 0; i < 20; i++) {
		struct iovec iov = { .iov_base = frame, .iov_len = sizeof frame };
		struct tx_packet packet = {
			.dest = b->node->address, .iov = &iov, .iov_count = 1, .verb = VERB_FRAME
		};
		(void)tx_send(stranger->zt, sim_now(stranger), &packet, NULL);
		sim_touch(stranger);
		sim_run(v->sim, 50);
	}
	sim_run(v->sim, 500);
	assert_int_equal(b->queries, queries);
	assert_in_range(counter(b, ZT_COUNT_DROP_MEMBERSHIP) - dropped, 20, 41);
	/* Asked for a certificate, but not 20 times. */
	assert_true(zt_counter(stranger->zt, ZT_COUNT_PACKETS_IN) > in);
	assert_true(vnet_ping(a, b, 1000));
	vnet_free(v);
}

static void bad_weather_is_survived(void **state)
{
	(void)state;
	const struct sim_link rain = {
		.delay_ms = 20, .jitter_ms = 15, .loss = 100, .duplicate = 20, .reorder = 50
	};
	struct vnet *v = started(4, private_network, &rain);
	assert_true(vnet_all_ready(v, 4, 30000));
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 4; j++) {
			assert_true(i == j || vnet_ping(&v->members[i], &v->members[j], 10000));
		}
	}
	sim_run(v->sim, 180000);
	assert_true(vnet_all_ready(v, 4, 0));
	for (size_t i = 0; i < 4; i++) {
		assert_true(vnet_ping(&v->members[i], &v->members[(i + 1) % 4], 5000));
	}
	assert_true(nobody_saw_a_forgery(v));
	vnet_free(v);
}

static void a_restart_of_the_controller_disturbs_nobody(void **state)
{
	(void)state;
	struct vnet *v = started(2, private_network, NULL);
	struct vnet_member *a = &v->members[0], *b = &v->members[1];
	assert_true(vnet_all_ready(v, 2, 2000));
	assert_true(vnet_ping(a, b, 3000));
	uint32_t ip = a->ip;
	sim_run(v->sim, 5000); /* saved */
	vnet_controller_stop(v);
	sim_run(v->sim, 90000);
	assert_int_equal(vnet_status(a), ZT_NETWORK_OK);
	assert_true(vnet_ping(a, b, 3000));
	vnet_controller_start(v);
	struct zt_network_view before, after;
	assert_true(zt_network_find(a->node->zt, v->nwid, &before));
	unsigned requests = v->requests;
	sim_run(v->sim, 90000);
	assert_true(v->requests > requests);
	assert_true(zt_network_find(a->node->zt, v->nwid, &after));
	assert_int_equal(vnet_status(a), ZT_NETWORK_OK);
	assert_int_equal(a->ip, ip);
	assert_true(vnet_ping(b, a, 3000));
	vnet_free(v);
}

/* Nobody has asked since it started, and yet a revocation finds its readers. */
static void a_controller_that_just_started_revokes(void **state)
{
	(void)state;
	struct vnet *v = started(3, private_network, NULL);
	struct vnet_member *a = &v->members[0], *b = &v->members[1];
	assert_true(vnet_all_ready(v, 3, 2000));
	assert_true(vnet_ping(a, b, 3000));
	assert_true(vnet_ping(a, &v->members[2], 3000));
	sim_run(v->sim, 5000); /* saved */
	vnet_controller_stop(v);
	sim_run(v->sim, 5000);
	vnet_controller_start(v);
	unsigned requests = v->requests;
	sim_run(v->sim, 25000); /* they have greeted the root again */
	assert_int_equal(v->requests, requests);
	vnet_authorise(v, b, false);
	sim_run(v->sim, 2000);
	assert_false(vnet_ping(a, b, 2000));
	assert_true(vnet_ping(a, &v->members[2], 3000));
	vnet_free(v);
}

static void a_change_reaches_members_at_once(void **state)
{
	(void)state;
	struct vnet *v = started(2, private_network, NULL);
	assert_true(vnet_all_ready(v, 2, 2000));
	sim_run(v->sim, 5000);
	vnet_network_set(v, "{\"name\":\"renamed\"}");
	sim_run(v->sim, 1500);
	for (size_t i = 0; i < 2; i++) {
		struct zt_network_view view;
		assert_true(zt_network_find(v->members[i].node->zt, v->nwid, &view));
		assert_string_equal(view.name, "renamed");
	}
	vnet_free(v);
}

static void anybody_may_join_a_public_network(void **state)
{
	(void)state;
	struct vnet *v = vnet_new(2, public_network);
	vnet_join(&v->members[0]);
	vnet_join(&v->members[1]);
	assert_true(vnet_all_ready(v, 2, 6000));
	assert_true(vnet_ping(&v->members[0], &v->members[1], 3000));
	vnet_free(v);
}

static void rules_with_matches_drop_everything_for_now(void **state)
{
	(void)state;
	struct vnet *v = started(2, private_network, NULL);
	struct vnet_member *a = &v->members[0], *b = &v->members[1];
	assert_true(vnet_all_ready(v, 2, 2000));
	assert_true(vnet_ping(a, b, 3000));
	sim_run(v->sim, 5000);
	vnet_network_set(v, "{\"rules\":[{\"type\":\"MATCH_ETHERTYPE\",\"etherType\":2048},"
			    "{\"type\":\"ACTION_DROP\"},{\"type\":\"ACTION_ACCEPT\"}]}");
	sim_run(v->sim, 3000);
	uint64_t dropped = counter(a, ZT_COUNT_DROP_RULES);
	assert_false(vnet_ping(a, b, 2000));
	assert_true(counter(a, ZT_COUNT_DROP_RULES) > dropped);
	assert_int_equal(vnet_status(a), ZT_NETWORK_OK);
	vnet_network_set(v, "{\"rules\":[{\"type\":\"ACTION_ACCEPT\"}]}");
	sim_run(v->sim, 3000);
	assert_true(vnet_ping(a, b, 3000));
	vnet_free(v);
}

static void a_cached_configuration_is_used_at_once(void **state)
{
	(void)state;
	struct vnet *v = started(2, private_network, NULL);
	struct vnet_member *a = &v->members[0], *b = &v->members[1];
	assert_true(vnet_all_ready(v, 2, 2000));
	assert_non_null(a->cached);
	struct zt_network_view view;
	assert_true(zt_network_find(a->node->zt, v->nwid, &view));
	assert_int_equal(view.group_count, 2); /* broadcast and its address */
	uint32_t ip = a->ip;
	vnet_controller_stop(v);
	vnet_restart(a);
	assert_int_equal(vnet_status(a), ZT_NETWORK_OK);
	assert_true(vnet_all_ready(v, 2, 0) || vnet_all_ready(v, 2, 1));
	assert_int_equal(a->ip, ip);
	/* Back in the world, the two still agree on who belongs here. The root has forgotten b and
	 * its groups: it takes a minute each at most until b says HELLO (vl1 12.1) and LIKE (8.1)
	 * again. */
	vnet_controller_start(v);
	assert_true(vnet_ping(a, b, 125000));
	vnet_leave(a);
	assert_null(a->cached);
	vnet_free(v);
}

static void rubbish_in_the_cache_is_asked_for_anew(void **state)
{
	(void)state;
	struct vnet *v = started(1, private_network, NULL);
	struct vnet_member *a = &v->members[0];
	assert_true(vnet_all_ready(v, 1, 2000));
	memset(a->cached + 5, 'x', 30);
	vnet_restart(a);
	assert_int_equal(vnet_status(a), ZT_NETWORK_REQUESTING_CONFIGURATION);
	assert_true(vnet_all_ready(v, 1, 6000));
	vnet_free(v);
}

static void a_controller_may_be_a_member_of_its_own_network(void **state)
{
	(void)state;
	struct vnet *v = started(2, private_network, NULL);
	assert_true(vnet_all_ready(v, 2, 2000));
	vnet_join(&v->self);
	sim_run(v->sim, 100);
	assert_int_equal(vnet_status(&v->self), ZT_NETWORK_ACCESS_DENIED);
	sim_run(v->sim, 1000);
	vnet_authorise(v, &v->self, true);
	sim_run(v->sim, 6000);
	assert_int_equal(vnet_status(&v->self), ZT_NETWORK_OK);
	assert_true(v->self.ip != 0);
	assert_true(vnet_ping(&v->members[0], &v->self, 3000));
	assert_true(vnet_ping(&v->self, &v->members[1], 3000));
	/* It learns of revocations like everybody. */
	vnet_authorise(v, &v->members[0], false);
	sim_run(v->sim, 1000);
	unsigned queries = v->self.queries;
	for (int i = 0; i < 3; i++) {
		vnet_query(&v->members[0], &v->self);
		sim_run(v->sim, 500);
	}
	assert_int_equal(v->self.queries, queries);
	assert_false(v->self.saw_forged);
	vnet_free(v);
}

enum { HUNDRED = 100 };

static bool all_are_configured(void *context)
{
	struct sim_node *node = context;
	static struct zt_network_view view;
	size_t n = 0;
	for (size_t i = 0; zt_network_view(node->zt, i, &view); i++) {
		n += view.status == ZT_NETWORK_OK;
	}
	return n == HUNDRED;
}

static void a_hundred_networks_come_up_together(void **state)
{
	(void)state;
	struct vnet *v = vnet_new(1, public_network);
	struct sim_node *node = v->members[0].node;
	uint64_t first = v->nwid;
	for (int i = 0; i < HUNDRED; i++) {
		assert_int_equal(zt_join(node->zt, sim_now(node), v->nwid, NULL, 0), 0);
		sim_touch(node);
		v->nwid = 0; /* another one */
		vnet_network_set(v, public_network);
	}
	int64_t start_ms = v->sim->now_ms;
	assert_true(sim_until(v->sim, all_are_configured, node, 2000));
	print_message("100 networks after %lld ms\n", (long long)(v->sim->now_ms - start_ms));
	v->nwid = first;
	vnet_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_join_takes_two_round_trips),
		cmocka_unit_test(joining_twice_or_wrongly_is_refused),
		cmocka_unit_test(arp_finds_the_peer_and_frames_go_direct),
		cmocka_unit_test(an_unauthorised_member_waits_until_it_is_let_in),
		cmocka_unit_test(deauthorised_members_are_not_heard_within_seconds),
		cmocka_unit_test(frames_of_strangers_are_dropped),
		cmocka_unit_test(bad_weather_is_survived),
		cmocka_unit_test(a_restart_of_the_controller_disturbs_nobody),
		cmocka_unit_test(a_controller_that_just_started_revokes),
		cmocka_unit_test(a_change_reaches_members_at_once),
		cmocka_unit_test(anybody_may_join_a_public_network),
		cmocka_unit_test(rules_with_matches_drop_everything_for_now),
		cmocka_unit_test(a_cached_configuration_is_used_at_once),
		cmocka_unit_test(rubbish_in_the_cache_is_asked_for_anew),
		cmocka_unit_test(a_controller_may_be_a_member_of_its_own_network),
		cmocka_unit_test(a_hundred_networks_come_up_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
