/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* VL1 under attack: what strangers and recordings must not achieve. */
#include "core/expect.h"
#include "core/node_impl.h"
#include "core/packet.h"
#include "tests/lib/check.h"
#include "tests/sim/cast.h"

#include <stdlib.h>

/* A copy of what one host sent, to be used against another. */
struct recording {
	struct sim_node *from;
	size_t count;
	struct {
		uint8_t bytes[1500];
		size_t length;
	} datagrams[64];
};

static bool record(void *context, struct sim_node *from, const struct zt_endpoint *source,
		   const struct zt_tx *tx, const uint8_t *bytes)
{
	struct recording *r = context;
	(void)source;
	if (from == r->from && r->count < 64 && tx->length <= sizeof r->datagrams[0].bytes) {
		memcpy(r->datagrams[r->count].bytes, bytes, tx->length);
		r->datagrams[r->count++].length = tx->length;
	}
	return true;
}

/* Hand a datagram to a node, now; how many datagrams did it send in return? */
static uint64_t provoke(struct sim_node *node, const struct zt_endpoint *from, const uint8_t *bytes,
			size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct zt_datagram datagram = { .from = *from, .length = (uint32_t)length, .bytes = copy };
	uint64_t before = node->sent;
	memcpy(copy, bytes, length);
	zt_recv(node->zt, sim_now(node), &datagram, 1);
	sim_touch(node);
	free(copy);
	return node->sent - before;
}

static void garbage_is_dropped_and_counted(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	const struct zt_endpoint stranger = sim_endpoint("192.0.2.99", 1234);
	uint8_t bytes[1500];
	uint64_t answers = 0;
	for (int i = 0; i < 20000; i++) {
		size_t length = sim_random(c.sim) % sizeof bytes;
		for (size_t b = 0; b < length; b++) {
			bytes[b] = (uint8_t)sim_random(c.sim);
		}
		if (length > 18 && i % 2) { /* half of it aimed at us */
			for (size_t b = 0; b < 5; b++) {
				bytes[8 + b] = (uint8_t)(c.a->address >> (8 * (4 - b)));
			}
		}
		if (length > 18 && i % 4 == 1) { /* and half of that from a known sender */
			for (size_t b = 0; b < 5; b++) {
				bytes[13 + b] = (uint8_t)(c.root->address >> (8 * (4 - b)));
			}
		}
		answers += provoke(c.a, &stranger, bytes, length);
	}
	/* What strangers' packets provoke is WHOIS to our own root, within its limit. */
	assert_true(answers <= 64);
	assert_true(zt_counter(c.a->zt, ZT_COUNT_DROP_RELAY) > 5000);
	assert_true(zt_counter(c.a->zt, ZT_COUNT_DROP_MAC) > 100);
	assert_true(zt_counter(c.a->zt, ZT_COUNT_DROP_CIPHER) > 100);
	assert_true(zt_counter(c.a->zt, ZT_COUNT_DROP_SHORT) > 100);
	assert_int_equal(paths_count(((const struct zt_node *)c.a->zt)->paths), 1);
	cast_free(&c);
}

static void truncated_and_damaged_packets_change_nothing(void **state)
{
	(void)state;
	struct recording *r = calloc(1, sizeof *r);
	struct cast c = cast_new(NULL, NULL);
	r->from = c.b;
	c.sim->tap = record;
	c.sim->tap_context = r;
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(c.sim, both_direct, &c, 3000));
	c.sim->tap = NULL;
	sim_run(c.sim, 1000);
	const struct zt_endpoint stranger = sim_endpoint("192.0.2.2", SIM_PORT);
	struct sim_node *const targets[] = { c.a, c.root };
	for (size_t t = 0; t < 2; t++) {
		uint64_t answers = 0;
		for (size_t i = 0; i < r->count; i++) {
			uint8_t *bytes = r->datagrams[i].bytes;
			uint64_t dest = packet_dest(bytes);
			for (size_t n = 0; n < r->datagrams[i].length; n++) {
				answers += dest == targets[t]->address
					       ? provoke(targets[t], &stranger, bytes, n)
					       : 0;
			}
			for (size_t n = 27; n < r->datagrams[i].length; n++) {
				bytes[n] ^= 0x10;
				answers += dest == targets[t]->address
					       ? provoke(targets[t], &stranger, bytes,
							 r->datagrams[i].length)
					       : 0;
				bytes[n] ^= 0x10;
			}
		}
		assert_int_equal(answers, 0);
		assert_true(zt_counter(targets[t]->zt, ZT_COUNT_DROP_MAC) > 100);
	}
	cast_free(&c);
	free(r);
}

static void a_replay_from_elsewhere_teaches_no_path(void **state)
{
	(void)state;
	struct recording *r = calloc(1, sizeof *r);
	struct cast c = cast_new(NULL, NULL);
	r->from = c.b;
	c.sim->tap = record;
	c.sim->tap_context = r;
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(c.sim, both_direct, &c, 3000));
	c.sim->tap = NULL;
	sim_run(c.sim, EXPECT_AGE_MS); /* its OKs are no longer expected */
	const struct zt_endpoint thief = sim_endpoint("192.0.2.66", 666);
	uint64_t answers = 0;
	for (size_t i = 0; i < r->count; i++) {
		if (packet_dest(r->datagrams[i].bytes) == c.a->address) {
			answers +=
			    provoke(c.a, &thief, r->datagrams[i].bytes, r->datagrams[i].length);
		}
	}
	assert_true(r->count > 3);
	/* A HELLO is answered, and one confirmation goes out (vl1 19.7). */
	assert_true(answers <= r->count + 1);
	sim_run(c.sim, 3000);
	struct zt_peer_view view;
	assert_true(zt_peer_find(c.a->zt, sim_now(c.a), c.b->address, &view));
	for (size_t i = 0; i < view.path_count; i++) {
		assert_false(endpoint_ip_equal(&view.paths[i].endpoint, &thief));
	}
	cast_free(&c);
	free(r);
}

static void forged_fragments_destroy_one_packet_at_most(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(c.sim, both_direct, &c, 3000));
	const struct zt_endpoint stranger = sim_endpoint("192.0.2.99", 1234);
	uint8_t fragment[200] = { 0 };
	uint64_t answers = 0;
	for (int i = 0; i < 1000; i++) {
		uint64_t id = sim_random(c.sim);
		memcpy(fragment, &id, sizeof id);
		for (size_t b = 0; b < 5; b++) {
			fragment[8 + b] = (uint8_t)(c.b->address >> (8 * (4 - b)));
		}
		fragment[13] = 0xff;
		fragment[14] = (uint8_t)i; /* all totals and numbers */
		answers += provoke(c.b, &stranger, fragment, sizeof fragment);
	}
	assert_int_equal(answers, 0);
	assert_true(zt_counter(c.b->zt, ZT_COUNT_DROP_FRAGMENT) > 500);
	/* Reassembly still works. */
	static const uint8_t big[3000];
	struct exchange x = { c.a, c.b, c.sim->now_ms };
	say(c.a, c.b, big, sizeof big);
	assert_true(sim_until(c.sim, exchanged, &x, 200));
	cast_free(&c);
}

static void hops_are_limited_and_leaves_do_not_relay(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	sim_run(c.sim, 1000);
	const struct zt_endpoint from = sim_endpoint("192.0.2.2", SIM_PORT);
	uint8_t packet[100] = { 0 };
	const struct packet_header header = { .id = 1,
					      .dest = c.a->address,
					      .source = c.b->address };
	for (uint8_t hops = 0; hops < 8; hops++) {
		packet_header_write(packet, &header);
		packet[PACKET_FLAGS_AT] = hops;
		uint64_t relayed = zt_counter(c.root->zt, ZT_COUNT_RELAYED);
		(void)provoke(c.root, &from, packet, sizeof packet);
		relayed = zt_counter(c.root->zt, ZT_COUNT_RELAYED) - relayed;
		assert_int_equal(relayed, hops < RELAY_MAX_HOPS);
	}
	assert_int_equal(zt_counter(c.root->zt, ZT_COUNT_DROP_HOPS), 5);
	/* B refuses what claims to be its own, and relays for nobody. */
	assert_int_equal(provoke(c.b, &from, packet, sizeof packet), 0);
	assert_int_equal(zt_counter(c.b->zt, ZT_COUNT_DROP_SELF), 1);
	const struct packet_header other = { .id = 2,
					     .dest = c.root->address,
					     .source = 0x1234567890 };
	packet_header_write(packet, &other);
	assert_int_equal(provoke(c.b, &from, packet, sizeof packet), 0);
	assert_int_equal(zt_counter(c.b->zt, ZT_COUNT_DROP_RELAY), 1);
	cast_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(garbage_is_dropped_and_counted),
		cmocka_unit_test(truncated_and_damaged_packets_change_nothing),
		cmocka_unit_test(a_replay_from_elsewhere_teaches_no_path),
		cmocka_unit_test(forged_fragments_destroy_one_packet_at_most),
		cmocka_unit_test(hops_are_limited_and_leaves_do_not_relay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
