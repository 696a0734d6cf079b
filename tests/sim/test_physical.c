/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What local.conf says of the physical network: trusted paths, MTU, hints, low bandwidth (vl1 5.8,
 * 10.5, 16). */
#include "core/packet.h"
#include "core/physical.h"
#include "core/proto.h"
#include "tests/lib/check.h"
#include "tests/sim/cast.h"

enum { TRUST = 7, BIG_BYTES = 3000 };

/* What left a's host directly for b's: by cipher, and the largest. */
struct seen {
	const struct cast *cast;
	unsigned ciphers[8];
	unsigned relayed_trusted; /* for b in the clear, but through another */
	unsigned to_b;
	size_t largest;
};

static bool watch(void *context, struct sim_node *from, const struct zt_endpoint *source,
		  const struct zt_tx *tx, const uint8_t *bytes)
{
	struct seen *seen = context;
	const struct cast *c = seen->cast;
	(void)source;
	if (from != c->a || datagram_classify(bytes, tx->length) == DATAGRAM_FRAGMENT) {
		return true;
	}
	bool is_direct = endpoint_ip_equal(&tx->to, &c->b->ip);
	uint8_t cipher = packet_cipher(bytes);
	if (is_direct) {
		seen->to_b++;
		seen->ciphers[cipher]++;
		seen->largest = tx->length > seen->largest ? tx->length : seen->largest;
	} else if (cipher == PACKET_CIPHER_TRUSTED && packet_dest(bytes) == c->b->address) {
		seen->relayed_trusted++;
	}
	return true;
}

/* Both online, and everything that `a` sends is seen. */
static struct cast open_cast(struct seen *seen)
{
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	*seen = (struct seen){ 0 };
	c.sim->tap = watch;
	c.sim->tap_context = seen;
	return c;
}

static void know(struct sim_node *node, const char *net, uint64_t trusted, uint16_t mtu)
{
	struct zt_physical physical = { .trusted_path_id = trusted, .mtu = mtu };
	assert_true(endpoint_parse(net, &physical.net));
	zt_physical_set(node->zt, &physical, 1);
}

static void forget(struct seen *seen)
{
	*seen = (struct seen){ .cast = seen->cast };
}

static void a_trusted_path_goes_in_the_clear(void **state)
{
	(void)state;
	struct seen seen;
	struct cast c = open_cast(&seen);
	seen.cast = &c;
	know(c.root, "0.0.0.0/0", TRUST, 0); /* inside, too */
	know(c.a, "0.0.0.0/0", TRUST, 0);
	know(c.b, "0.0.0.0/0", TRUST, 0);
	assert_true(can_talk(c.a, c.b, 5000));
	assert_true(sim_until(c.sim, both_direct, &c, 5000));
	assert_int_equal(zt_counter(c.b->zt, ZT_COUNT_DROP_CIPHER), 0);
	uint8_t big[BIG_BYTES] = { 0 };
	forget(&seen);
	struct exchange e = { c.a, c.b, c.sim->now_ms };
	say(c.a, c.b, big, sizeof big);
	assert_true(sim_until(c.sim, exchanged, &e, 1000));
	assert_true(seen.ciphers[PACKET_CIPHER_TRUSTED] > 0);
	assert_int_equal(seen.ciphers[PACKET_CIPHER_SIV], 0);
	/* What goes through a relay is sealed: where the relay sends it nobody said. */
	assert_int_equal(seen.relayed_trusted, 0);
	struct zt_peer_view view;
	assert_true(zt_peer_find(c.a->zt, sim_now(c.a), c.b->address, &view));
	assert_int_equal(view.paths[0].trusted_path_id, TRUST);
	/* And when the configuration is taken back, sealed again. */
	zt_physical_set(c.a->zt, NULL, 0);
	forget(&seen);
	say(c.a, c.b, big, sizeof big);
	sim_run(c.sim, 100);
	assert_int_equal(seen.ciphers[PACKET_CIPHER_TRUSTED], 0);
	assert_true(seen.ciphers[PACKET_CIPHER_SIV] > 0);
	cast_free(&c);
}

static void nobody_else_is_believed(void **state)
{
	(void)state;
	struct seen seen;
	struct cast c = open_cast(&seen);
	seen.cast = &c;
	assert_true(can_talk(c.a, c.b, 5000));
	assert_true(sim_until(c.sim, both_direct, &c, 5000));
	know(c.a, "0.0.0.0/0", TRUST, 0);
	static const struct {
		const char *net;
		uint64_t id;
	} others[] = {
		{ "0.0.0.0/0", TRUST + 1 }, /* another id */
		{ "0.0.0.0/0", 0 },         /* no trust */
		{ "10.0.0.0/8", TRUST },    /* another network */
	};
	uint64_t dropped = 0;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		know(c.b, others[i].net, others[i].id, 0);
		say(c.a, c.b, "x", 1);
		sim_run(c.sim, 100);
		assert_int_equal(zt_counter(c.b->zt, ZT_COUNT_DROP_CIPHER), ++dropped);
	}
	zt_physical_set(c.b->zt, NULL, 0);
	say(c.a, c.b, "x", 1);
	sim_run(c.sim, 100);
	assert_int_equal(zt_counter(c.b->zt, ZT_COUNT_DROP_CIPHER), ++dropped);
	cast_free(&c);
}

static void a_configured_mtu_cuts_packets(void **state)
{
	(void)state;
	static const struct {
		uint16_t mtu;
		size_t most, least;
	} cases[] = { { 9000, BIG_BYTES + 28, BIG_BYTES + 28 },
		      { 1000, 1400, 1001 },
		      { 0, 1432, 1001 } };
	struct seen seen;
	struct cast c = open_cast(&seen);
	seen.cast = &c;
	assert_true(can_talk(c.a, c.b, 5000));
	assert_true(sim_until(c.sim, both_direct, &c, 5000));
	uint8_t big[BIG_BYTES] = { 0 };
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		know(c.a, "0.0.0.0/0", 0, cases[i].mtu);
		forget(&seen);
		sim_run(c.sim, 1000); /* ECHO has a gate */
		struct exchange e = { c.a, c.b, c.sim->now_ms };
		say(c.a, c.b, big, sizeof big);
		assert_true(sim_until(c.sim, exchanged, &e, 1000));
		assert_in_range(seen.largest, cases[i].least, cases[i].most);
	}
	cast_free(&c);
}

/* The service found that the route takes less (decision S18). */
static void a_narrow_route_cuts_packets(void **state)
{
	(void)state;
	static const struct {
		uint16_t limit;
		bool is_news;
		size_t most, least, bytes;
	} steps[] = {
		{ 9000, false, 1432, 1401, 2810 }, /* more than we send */
		{ 1372, true, 1372, 900, 2810 },   /* tunnels */
		{ 1372, false, 1372, 900, 2810 },  /* known */
		{ 1232, true, 1232, 900, 2810 },   /* IPv6's minimum */
		{ 1232, false, 1432, 1233, 9900 }, /* 8 pieces are too many: the kernel cuts */
		{ 100, true, 548, 400, 2810 },     /* no such route */
	};
	struct seen seen;
	struct cast c = open_cast(&seen);
	seen.cast = &c;
	assert_true(can_talk(c.a, c.b, 5000));
	assert_true(sim_until(c.sim, both_direct, &c, 5000));
	struct zt_peer_view view;
	assert_true(zt_peer_find(c.a->zt, sim_now(c.a), c.b->address, &view));
	const struct zt_path_view path = view.paths[0];
	static uint8_t big[9900];
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		assert_int_equal(
		    zt_path_limit(c.a->zt, path.socket, &path.endpoint, steps[i].limit),
		    steps[i].is_news);
		forget(&seen);
		sim_run(c.sim, 1000); /* ECHO has a gate */
		struct exchange e = { c.a, c.b, c.sim->now_ms };
		say(c.a, c.b, big, steps[i].bytes);
		assert_true(sim_until(c.sim, exchanged, &e, 1000));
		assert_in_range(seen.largest, steps[i].least, steps[i].most);
	}
	/* A configuration that is read again does not make the route wider. */
	know(c.a, "0.0.0.0/0", 0, 9000);
	forget(&seen);
	say(c.a, c.b, big, 2810);
	sim_run(c.sim, 100);
	assert_in_range(seen.largest, 400, 548);
	/* Of other paths nothing is known. */
	assert_false(zt_path_limit(c.a->zt, path.socket + 1, &path.endpoint, 600));
	cast_free(&c);
}

static void the_first_network_that_holds_it_counts(void **state)
{
	(void)state;
	struct physical p;
	struct zt_physical list[3] = { { .mtu = 2000 }, { .mtu = 65535, .trusted_path_id = 1 } };
	assert_true(endpoint_parse("10.1.0.0/16", &list[0].net));
	assert_true(endpoint_parse("10.0.0.0/8", &list[1].net));
	assert_true(endpoint_parse("fd00::/8", &list[2].net));
	physical_set(&p, list, 3);
	struct zt_endpoint at;
	assert_true(endpoint_parse("10.1.2.3/9993", &at));
	assert_int_equal(physical_mtu(&p, &at), 2000);
	assert_int_equal(physical_trusted(&p, &at), 0);
	assert_true(endpoint_parse("10.2.2.3/9993", &at));
	assert_int_equal(physical_mtu(&p, &at), PATH_MTU_MAX_BYTES);
	assert_int_equal(physical_trusted(&p, &at), 1);
	assert_true(endpoint_parse("fd00::1/9993", &at));
	assert_int_equal(physical_mtu(&p, &at), PATH_MTU_BYTES);
	assert_true(endpoint_parse("192.0.2.1/9993", &at));
	assert_int_equal(physical_mtu(&p, &at), PATH_MTU_BYTES);
}

/* Two nodes that know each other lose their paths and their root; one has a hint. */
static void a_hint_finds_a_peer_without_a_root(void **state)
{
	(void)state;
	struct seen seen;
	struct cast c = open_cast(&seen);
	seen.cast = &c;
	assert_true(can_talk(c.a, c.b, 5000));
	assert_true(sim_until(c.sim, both_direct, &c, 5000));
	c.root->is_cut = true;
	sim_node_move(c.b, "198.18.0.9", NULL); /* where nobody has seen it */
	c.b->is_cut = true;
	for (int i = 0; i < 300; i++) { /* a goes on talking, so b is not forgotten */
		say(c.a, c.b, "x", 1);
		sim_run(c.sim, 1000);
	}
	c.b->is_cut = false;
	struct zt_hint hint = { .peer = c.b->address, .at = sim_endpoint("198.18.0.9", SIM_PORT) };
	zt_hints_set(c.a->zt, &hint, 1);
	forget(&seen);
	assert_true(can_talk(c.a, c.b, 5000));
	/* With paths, or for others, it is not used. */
	forget(&seen);
	hint.peer = c.root->address;
	zt_hints_set(c.a->zt, &hint, 1);
	sim_run(c.sim, 40000);
	assert_true(can_talk(c.a, c.b, 5000));
	cast_free(&c);
}

static uint64_t sent_while_offline(bool is_low)
{
	struct seen seen;
	struct cast c = open_cast(&seen);
	seen.cast = &c;
	zt_low_bandwidth_set(c.a->zt, is_low);
	c.root->is_cut = true;
	sim_run(c.sim, 60000);
	uint64_t before = c.a->sent;
	sim_run(c.sim, 100000);
	uint64_t sent = c.a->sent - before;
	cast_free(&c);
	return sent;
}

static void low_bandwidth_is_quieter(void **state)
{
	(void)state;
	uint64_t usual = sent_while_offline(false), low = sent_while_offline(true);
	assert_true(low > 0 && low * 4 <= usual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trusted_path_goes_in_the_clear),
		cmocka_unit_test(nobody_else_is_believed),
		cmocka_unit_test(a_configured_mtu_cuts_packets),
		cmocka_unit_test(a_narrow_route_cuts_packets),
		cmocka_unit_test(the_first_network_that_holds_it_counts),
		cmocka_unit_test(a_hint_finds_a_peer_without_a_root),
		cmocka_unit_test(low_bandwidth_is_quieter),
	};
	return cmocka_run_group_tests_name("sim/physical: vl1 5.8, 16", tests, NULL, NULL);
}
