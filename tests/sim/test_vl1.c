/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* VL1 in the simulator: nodes find each other through a root, in every weather. */
#include "core/packet.h"
#include "core/peer_impl.h"
#include "core/tx.h"
#include "tests/lib/check.h"
#include "tests/sim/sim.h"

#include <stdio.h>

/* A root in the open and two leaves; the usual cast. */
struct cast {
	struct sim *sim;
	struct sim_node *root, *a, *b;
	struct nat *nat_a, *nat_b;
};

static struct cast cast_new(struct nat *nat_a, struct nat *nat_b)
{
	struct cast c = { .sim = sim_new(), .nat_a = nat_a, .nat_b = nat_b };
	c.root = sim_node_new(c.sim, 0, "198.51.100.1", NULL);
	c.a = sim_node_new(c.sim, 1, nat_a ? "10.1.0.2" : "203.0.113.2", nat_a);
	c.b = sim_node_new(c.sim, 2, nat_b ? "10.2.0.2" : "192.0.2.2", nat_b);
	sim_planet(c.sim, &c.root, 1);
	sim_node_start(c.root);
	sim_node_start(c.a);
	sim_node_start(c.b);
	return c;
}

static void cast_free(struct cast *c)
{
	sim_free(c->sim);
	nat_free(c->nat_a);
	nat_free(c->nat_b);
}

static bool both_online(void *context)
{
	struct cast *c = context;
	return sim_is_online(c->a) && sim_is_online(c->b);
}

static bool both_direct(void *context)
{
	struct cast *c = context;
	struct sim_pair pair = { c->a, c->b };
	return sim_is_direct(&pair);
}

/* Something from `from` to `to` that gets an answer. */
static void say(struct sim_node *from, const struct sim_node *to, const void *bytes, size_t length)
{
	uint8_t copy[PACKET_PAYLOAD_MAX_BYTES];
	const struct iovec iov = { .iov_base = copy, .iov_len = length };
	memcpy(copy, bytes, length);
	const struct tx_packet packet = {
		.dest = to->address,
		.iov = &iov,
		.iov_count = 1,
		.verb = VERB_ECHO,
		.flags = TX_EXPECT,
	};
	(void)tx_send(from->zt, sim_now(from), &packet, NULL);
	sim_touch(from);
}

/* When `node` last heard something authentic from `other`; 0 = never. */
static int64_t heard_ms(const struct sim_node *node, const struct sim_node *other)
{
	const struct peer *peer = peer_find(node->zt, other->address);
	return peer && peer_last_receive_ms(peer) > 0 ? peer_last_receive_ms(peer) : 0;
}

struct exchange {
	struct sim_node *a, *b;
	int64_t since_ms;
};

static bool exchanged(void *context)
{
	const struct exchange *x = context;
	return heard_ms(x->a, x->b) > x->since_ms && heard_ms(x->b, x->a) > x->since_ms;
}

/* An ECHO and its answer, through whatever way, repeated each second until the limit. */
static bool can_talk(struct sim_node *a, struct sim_node *b, int64_t limit_ms)
{
	struct exchange x = { a, b, a->sim->now_ms };
	for (int64_t left_ms = limit_ms; left_ms > 0; left_ms -= 1000) {
		say(a, b, "hello", 5);
		if (sim_until(a->sim, exchanged, &x, 1000)) {
			return true;
		}
	}
	return false;
}

static void two_leaves_meet_through_a_root_and_go_direct(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 300));
	assert_false(sim_knows(c.a, c.b));
	int64_t start_ms = c.sim->now_ms;
	assert_true(can_talk(c.a, c.b, 3000));
	assert_true(sim_until(c.sim, both_direct, &c, 2000));
	print_message("online, met and direct within %lld ms of the first packet\n",
		      (long long)(c.sim->now_ms - start_ms));
	/* From now on nothing goes through the root. */
	uint64_t relayed = zt_counter(c.root->zt, ZT_COUNT_RELAYED);
	assert_true(relayed > 0);
	sim_run(c.sim, 1000);
	assert_true(can_talk(c.a, c.b, 1000));
	assert_int_equal(zt_counter(c.root->zt, ZT_COUNT_RELAYED), relayed);
	cast_free(&c);
}

/* ---- NATs ---- */

static const char *const side_names[] = { "open", "full cone", "restricted", "port restricted",
					  "symmetric" };
enum { SIDES = 5, OPEN = 0 };

static struct nat *side_nat(int side, const char *public_ip)
{
	if (side == OPEN) {
		return NULL;
	}
	const struct zt_endpoint ip = sim_endpoint(public_ip, 0);
	return nat_new((enum nat_kind)(side - 1), &ip, 120000);
}

/* Hole punching by RENDEZVOUS fails where a symmetric NAT meets one that filters by port
 * (vl1 12.6). */
static bool should_go_direct(int a, int b)
{
	const int port_restricted = 1 + NAT_PORT_RESTRICTED, symmetric = 1 + NAT_SYMMETRIC;
	return !((a == symmetric && b >= port_restricted) ||
		 (b == symmetric && a >= port_restricted));
}

static void every_nat_pairing_delivers_and_most_go_direct(void **state)
{
	(void)state;
	for (int a = 0; a < SIDES; a++) {
		for (int b = 0; b < SIDES; b++) {
			struct cast c =
			    cast_new(side_nat(a, "203.0.113.1"), side_nat(b, "192.0.2.1"));
			assert_true(sim_until(c.sim, both_online, &c, 5000));
			assert_true(can_talk(c.a, c.b, 5000));
			bool is_direct = sim_until(c.sim, both_direct, &c, 5000);
			print_message("%-16s %-16s %s\n", side_names[a], side_names[b],
				      is_direct ? "direct" : "relayed");
			assert_int_equal(is_direct, should_go_direct(a, b));
			sim_run(c.sim, 10000);
			assert_true(can_talk(c.a, c.b, 3000));
			assert_true(can_talk(c.b, c.a, 3000));
			cast_free(&c);
		}
	}
}

static void neighbours_behind_one_nat_meet_on_their_lan(void **state)
{
	(void)state;
	const struct zt_endpoint ip = sim_endpoint("203.0.113.1", 0);
	struct cast c = { .sim = sim_new(), .nat_a = nat_new(NAT_SYMMETRIC, &ip, 120000) };
	c.root = sim_node_new(c.sim, 0, "198.51.100.1", NULL);
	c.a = sim_node_new(c.sim, 1, "10.0.0.2", c.nat_a);
	c.b = sim_node_new(c.sim, 2, "10.0.0.3", c.nat_a);
	sim_planet(c.sim, &c.root, 1);
	sim_node_start(c.root);
	sim_node_start(c.a);
	sim_node_start(c.b);
	assert_true(sim_until(c.sim, both_online, &c, 20000));
	/* The NAT has no hairpin: only PUSH_DIRECT_PATHS can tell them, and that is for those who
	 * proved common membership; stand in for VL2's proof. */
	assert_true(can_talk(c.a, c.b, 5000));
	assert_false(both_direct(&c));
	peer_find(c.a->zt, c.b->address)->last_trust_ms = c.sim->now_ms;
	peer_find(c.b->zt, c.a->address)->last_trust_ms = c.sim->now_ms;
	assert_true(can_talk(c.a, c.b, 5000));
	assert_true(sim_until(c.sim, both_direct, &c, 20000));
	cast_free(&c);
}

/* ---- bad weather ---- */

static void loss_reordering_and_copies_are_survived(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	c.sim->link = (struct sim_link){
		.delay_ms = 20, .jitter_ms = 10, .loss = 100, .duplicate = 50, .reorder = 100
	};
	assert_true(sim_until(c.sim, both_online, &c, 30000));
	assert_true(can_talk(c.a, c.b, 20000));
	for (int i = 0; i < 60 && !both_direct(&c); i++) {
		(void)can_talk(c.a, c.b, 1000);
		sim_run(c.sim, 1000);
	}
	assert_true(both_direct(&c));
	/* Packets of three datagrams: 0.9^3 there, 0.9 back (one datagram), is 66 %. */
	static const uint8_t big[3500];
	unsigned answered = 0;
	for (int i = 0; i < 200; i++) {
		struct exchange x = { c.a, c.b, c.sim->now_ms };
		say(c.a, c.b, big, sizeof big);
		answered += sim_until(c.sim, exchanged, &x, 500);
		sim_run(c.sim, GATE_ECHO_MS);
	}
	print_message("%u of 200 packets of three datagrams answered\n", answered);
	assert_true(answered > 100);
	cast_free(&c);
}

static void a_restarted_root_is_found_again(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(c.sim, both_direct, &c, 3000));
	sim_node_stop(c.root);
	assert_true(can_talk(c.a, c.b, 3000)); /* they do not need it */
	sim_run(c.sim, 60000);
	sim_node_start(c.root);
	struct exchange with_a = { c.a, c.root, c.sim->now_ms };
	struct exchange with_b = { c.b, c.root, c.sim->now_ms };
	int64_t start_ms = c.sim->now_ms;
	assert_true(sim_until(c.sim, exchanged, &with_a, 12000));
	assert_true(sim_until(c.sim, exchanged, &with_b, 12000));
	print_message("root found again after %lld ms\n", (long long)(c.sim->now_ms - start_ms));
	assert_true(can_talk(c.a, c.b, 3000));
	cast_free(&c);
}

static void a_root_that_restarts_unnoticed_is_greeted_soon(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	sim_run(c.sim, 30000);
	sim_node_stop(c.root);
	sim_node_start(c.root); /* it knows nobody: only a HELLO helps, an ECHO cannot be opened */
	struct exchange x = { c.a, c.root, c.sim->now_ms };
	assert_true(sim_until(c.sim, exchanged, &x, PATH_ALIVE_MS + 6000));
	cast_free(&c);
}

static void a_node_that_moves_is_followed(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(c.sim, both_direct, &c, 3000));
	sim_node_move(c.b, "192.0.2.77", NULL);
	int64_t start_ms = c.sim->now_ms;
	assert_true(can_talk(c.b, c.a, 5000));
	print_message("heard again from the new address after %lld ms\n",
		      (long long)(c.sim->now_ms - start_ms));
	sim_run(c.sim, 1000);
	/* Now A must have switched: what it sends arrives at once. */
	struct exchange x = { c.a, c.b, c.sim->now_ms };
	say(c.a, c.b, "there?", 6);
	assert_true(sim_until(c.sim, exchanged, &x, 200));
	cast_free(&c);
}

static void a_nat_that_reboots_does_not_cut_off_for_long(void **state)
{
	(void)state;
	const struct zt_endpoint ip = sim_endpoint("203.0.113.1", 0);
	struct cast c = cast_new(nat_new(NAT_PORT_RESTRICTED, &ip, 120000), NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000) && sim_until(c.sim, both_direct, &c, 3000));
	nat_reset(c.nat_a);
	int64_t start_ms = c.sim->now_ms;
	/* B cannot reach A until A says something through its new mapping. */
	assert_true(can_talk(c.b, c.a, 60000));
	print_message("reached again after %lld ms\n", (long long)(c.sim->now_ms - start_ms));
	cast_free(&c);
}

/* ---- what must not happen ---- */

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

/* ---- many ---- */

static size_t online_count(const struct sim *sim)
{
	size_t count = 0;
	for (struct sim_node *n = sim->nodes; n; n = n->next) {
		count += n->zt && sim_is_online(n);
	}
	return count;
}

struct crowd {
	struct sim *sim;
	size_t count;
};

static bool all_online(void *context)
{
	const struct crowd *crowd = context;
	return online_count(crowd->sim) == crowd->count;
}

static struct crowd crowd_new(size_t leaves, const char *prefix, const char *root_ip)
{
	struct crowd crowd = { .sim = sim_new(), .count = leaves + 1 };
	struct sim_node *root = sim_node_new(crowd.sim, 0, root_ip, NULL);
	root->loopback_ok = true;
	sim_planet(crowd.sim, &root, 1);
	sim_node_start(root);
	for (size_t i = 1; i <= leaves; i++) {
		char ip[32];
		(void)snprintf(ip, sizeof ip, "%s%zu", prefix, i + 1);
		struct sim_node *leaf = sim_node_new(crowd.sim, i, ip, NULL);
		leaf->loopback_ok = true;
		sim_node_start(leaf);
	}
	return crowd;
}

static void a_crowd_behind_one_24_gets_in_one_by_one(void **state)
{
	(void)state;
	enum { LEAVES = 100 };
	struct crowd crowd = crowd_new(LEAVES, "203.0.113.", "198.51.100.1");
	int64_t start_ms = crowd.sim->now_ms;
	assert_true(sim_until(crowd.sim, all_online, &crowd, 2LL * LEAVES * GATE_IDENTITY_MS));
	int64_t took_ms = crowd.sim->now_ms - start_ms;
	print_message("%d nodes of one /24 online after %lld s\n", LEAVES,
		      (long long)took_ms / 1000);
	assert_int_equal(crowd.sim->jobs, LEAVES); /* each identity is hashed once */
	assert_true(took_ms >= (LEAVES - 1LL) * GATE_IDENTITY_MS);
	sim_free(crowd.sim);
}

static void a_loopback_universe_starts_at_once(void **state)
{
	(void)state;
	enum { LEAVES = 20 };
	struct crowd crowd = crowd_new(LEAVES, "127.0.0.", "127.0.0.1");
	int64_t start_ms = crowd.sim->now_ms;
	assert_true(sim_until(crowd.sim, all_online, &crowd, 20000));
	print_message("%d nodes on loopback online after %lld ms\n", LEAVES,
		      (long long)(crowd.sim->now_ms - start_ms));
	struct sim_pair pair = { crowd.sim->nodes, crowd.sim->nodes->next };
	assert_true(can_talk(pair.a, pair.b, 3000));
	assert_true(sim_until(crowd.sim, sim_is_direct, &pair, 3000));
	sim_free(crowd.sim);
}

static void loopback_is_refused_unless_allowed(void **state)
{
	(void)state;
	struct sim *sim = sim_new();
	struct sim_node *root = sim_node_new(sim, 0, "127.0.0.1", NULL);
	struct sim_node *leaf = sim_node_new(sim, 1, "127.0.0.2", NULL);
	sim_planet(sim, &root, 1);
	sim_node_start(root);
	sim_node_start(leaf);
	assert_false(sim_until(sim, sim_is_online, leaf, 20000));
	assert_int_equal(leaf->sent, 0);
	sim_free(sim);
}

/* ---- the planet ---- */

static bool has_new_planet(void *context)
{
	const struct sim_node *node = context;
	return node->events[ZT_EVENT_PLANET] > 0;
}

static void a_planet_update_spreads_and_its_roots_are_used(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	struct sim_node *second = sim_node_new(c.sim, 3, "198.51.100.200", NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	sim_node_stop(c.root);
	sim_planet(c.sim, (struct sim_node *[]){ c.root, second }, 2);
	sim_node_start(c.root);
	sim_node_start(second);
	assert_true(sim_until(c.sim, has_new_planet, c.a, 70000));
	assert_true(sim_until(c.sim, has_new_planet, c.b, 70000));
	assert_int_equal(c.a->stored[ZT_STORE_PLANET], 1);
	sim_run(c.sim, 5000);
	assert_true(sim_has_path(c.a, second));
	/* And the first may go. */
	sim_node_stop(c.root);
	sim_run(c.sim, 60000);
	assert_true(can_talk(c.a, c.b, 5000));
	cast_free(&c);
}

static void the_same_seed_gives_the_same_run(void **state)
{
	(void)state;
	uint64_t sums[2] = { 0 };
	for (int run = 0; run < 2; run++) {
		struct cast c = cast_new(NULL, NULL);
		c.sim->link = (struct sim_link){ .delay_ms = 20, .jitter_ms = 30, .loss = 50 };
		(void)sim_until(c.sim, both_online, &c, 30000);
		(void)can_talk(c.a, c.b, 10000);
		sim_run(c.sim, 100000);
		sums[run] = c.root->sent * 1000003 + c.a->sent * 1009 + c.b->received;
		cast_free(&c);
	}
	assert_int_equal(sums[0], sums[1]);
}

/* An idle leaf sleeps: what it does in ten minutes is a heartbeat each 14 s and a HELLO each
 * minute. */
static void an_idle_leaf_sleeps(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	sim_run(c.sim, 60000);
	uint64_t ticks = c.a->ticks, sent = c.a->sent;
	sim_run(c.sim, 600000);
	print_message("in ten idle minutes: %llu wake-ups, %llu datagrams\n",
		      (unsigned long long)(c.a->ticks - ticks),
		      (unsigned long long)(c.a->sent - sent));
	assert_true(c.a->ticks - ticks < 120);
	assert_true(c.a->sent - sent < 70);
	/* Nothing due: nothing done. */
	sent = c.a->sent;
	zt_tick(c.a->zt, sim_now(c.a));
	sim_touch(c.a);
	assert_int_equal(c.a->sent, sent);
	cast_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_leaves_meet_through_a_root_and_go_direct),
		cmocka_unit_test(every_nat_pairing_delivers_and_most_go_direct),
		cmocka_unit_test(neighbours_behind_one_nat_meet_on_their_lan),
		cmocka_unit_test(loss_reordering_and_copies_are_survived),
		cmocka_unit_test(a_restarted_root_is_found_again),
		cmocka_unit_test(a_root_that_restarts_unnoticed_is_greeted_soon),
		cmocka_unit_test(a_node_that_moves_is_followed),
		cmocka_unit_test(a_nat_that_reboots_does_not_cut_off_for_long),
		cmocka_unit_test(garbage_is_dropped_and_counted),
		cmocka_unit_test(truncated_and_damaged_packets_change_nothing),
		cmocka_unit_test(a_replay_from_elsewhere_teaches_no_path),
		cmocka_unit_test(forged_fragments_destroy_one_packet_at_most),
		cmocka_unit_test(hops_are_limited_and_leaves_do_not_relay),
		cmocka_unit_test(a_crowd_behind_one_24_gets_in_one_by_one),
		cmocka_unit_test(a_loopback_universe_starts_at_once),
		cmocka_unit_test(loopback_is_refused_unless_allowed),
		cmocka_unit_test(a_planet_update_spreads_and_its_roots_are_used),
		cmocka_unit_test(the_same_seed_gives_the_same_run),
		cmocka_unit_test(an_idle_leaf_sleeps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
