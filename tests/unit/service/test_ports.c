/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The port table: Linux's rules as a table, and a random walk against a trivial model. */
#include "service/ports.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KEY = 12345, USER = 1000, OTHER_USER = 1001 };
enum { REUSE_ADDR = 1, REUSE_PORT = 2, ANY = 4, LISTENS = 8, OTHER_UID = 16, V6 = 32, DUAL = 64 };

static struct port_place place(unsigned flags, uint8_t host, uint16_t port)
{
	struct port_place p = {
		.families = flags & DUAL ? PORT_V4 | PORT_V6
			    : flags & V6 ? PORT_V6
					 : PORT_V4,
		.is_any = flags & ANY,
		.reuse_address = flags & REUSE_ADDR,
		.reuse_port = flags & REUSE_PORT,
		.port = port,
		.uid = flags & OTHER_UID ? OTHER_USER : USER,
	};
	if (!p.is_any) {
		memcpy(p.address, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0", 15);
		p.address[15] = host;
	}
	return p;
}

/* What Linux 6 does; each row was tried natively where the two sockets can be made. */
static void test_linux_rules(void **state)
{
	(void)state;
	static const struct {
		unsigned first, second;
		uint8_t first_host, second_host;
		int error;
	} rows[] = {
		{ 0, 0, 1, 1, EADDRINUSE },
		{ 0, 0, 1, 2, 0 },
		{ ANY, 0, 0, 1, EADDRINUSE },
		{ 0, ANY, 1, 0, EADDRINUSE },
		{ REUSE_ADDR, 0, 1, 1, EADDRINUSE },
		{ 0, REUSE_ADDR, 1, 1, EADDRINUSE },
		{ REUSE_ADDR, REUSE_ADDR, 1, 1, 0 },
		{ REUSE_ADDR | LISTENS, REUSE_ADDR, 1, 1, EADDRINUSE },
		{ REUSE_ADDR | LISTENS, REUSE_ADDR, 1, 2, 0 },
		{ REUSE_ADDR | LISTENS | ANY, REUSE_ADDR, 0, 2, EADDRINUSE },
		{ REUSE_PORT, REUSE_PORT, 1, 1, 0 },
		{ REUSE_PORT | LISTENS, REUSE_PORT, 1, 1, 0 },
		{ REUSE_PORT | LISTENS, REUSE_PORT | OTHER_UID, 1, 1, EADDRINUSE },
		{ REUSE_PORT | LISTENS, REUSE_ADDR, 1, 1, EADDRINUSE },
		{ REUSE_PORT | REUSE_ADDR, REUSE_ADDR, 1, 1, 0 },
		{ V6 | ANY | LISTENS, ANY, 0, 0, 0 },
		{ DUAL | ANY | LISTENS, ANY, 0, 0, EADDRINUSE },
		{ ANY | LISTENS, DUAL | ANY, 0, 0, EADDRINUSE },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ports *ports = ports_new(KEY);
		struct port_entry first = { 0 }, second = { 0 };
		struct port_place p = place(rows[i].first, rows[i].first_host, 80);
		assert_int_equal(ports_bind(ports, &first, &p), 0);
		if (rows[i].first & LISTENS) {
			assert_int_equal(ports_listen(ports, &first), 0);
		}
		p = place(rows[i].second, rows[i].second_host, 80);
		if (ports_bind(ports, &second, &p) != -rows[i].error) {
			fail_msg("row %zu", i);
		}
		ports_release(ports, &first);
		ports_release(ports, &second);
		ports_free(ports);
	}
}

static void test_only_one_of_two_may_listen(void **state)
{
	(void)state;
	struct ports *ports = ports_new(KEY);
	struct port_entry a = { 0 }, b = { 0 };
	struct port_place p = place(REUSE_ADDR, 1, 80);
	assert_int_equal(ports_bind(ports, &a, &p), 0);
	assert_int_equal(ports_bind(ports, &b, &p), 0);
	assert_int_equal(ports_listen(ports, &a), 0);
	assert_int_equal(ports_listen(ports, &b), -EADDRINUSE);
	ports_release(ports, &a);
	assert_int_equal(ports_listen(ports, &b), 0);
	ports_release(ports, &b);
	ports_free(ports);
}

static void test_time_wait(void **state)
{
	(void)state;
	struct ports *ports = ports_new(KEY);
	struct port_entry a = { 0 }, b = { 0 };
	struct port_place plain = place(0, 1, 80), reuse = place(REUSE_ADDR, 1, 80);
	assert_int_equal(ports_deadline(ports), INT64_MAX);
	assert_int_equal(ports_bind(ports, &a, &reuse), 0);
	ports_release_time_wait(ports, &a, 1000);
	assert_null(a.bucket);
	assert_int_equal(ports_bind(ports, &b, &plain), -EADDRINUSE);
	assert_int_equal(ports_bind(ports, &b, &reuse), 0); /* that is what REUSEADDR is for */
	assert_int_equal(ports_listen(ports, &b), 0);
	ports_release(ports, &b);
	assert_int_equal(ports_deadline(ports), 1000 + PORTS_TIME_WAIT_MS);
	ports_advance(ports, 1000 + PORTS_TIME_WAIT_MS - 1);
	assert_int_equal(ports_time_wait_count(ports), 1);
	ports_advance(ports, 1000 + PORTS_TIME_WAIT_MS);
	assert_int_equal(ports_time_wait_count(ports), 0);
	assert_int_equal(ports_bind(ports, &b, &plain), 0);
	ports_release(ports, &b);
	ports_free(ports);
}

static void test_time_wait_is_capped(void **state)
{
	(void)state;
	struct ports *ports = ports_new(KEY);
	struct port_place p = place(0, 1, 0);
	for (int i = 0; i < PORTS_TIME_WAIT_MAX + 100; i++) {
		struct port_entry e = { 0 };
		assert_int_equal(ports_bind(ports, &e, &p), 0);
		ports_release_time_wait(ports, &e, i);
	}
	assert_int_equal(ports_time_wait_count(ports), PORTS_TIME_WAIT_MAX);
	ports_free(ports);
}

static void test_ephemeral(void **state)
{
	(void)state;
	enum { COUNT = PORTS_EPHEMERAL_LAST - PORTS_EPHEMERAL_FIRST + 1 };
	struct ports *ports = ports_new(KEY);
	struct port_entry *entries = calloc(COUNT + 1, sizeof *entries);
	uint8_t *seen = calloc(65536, 1);
	struct port_place p = place(REUSE_ADDR | REUSE_PORT, 1, 0);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(ports_bind(ports, &entries[i], &p), 0);
		uint16_t port = entries[i].place.port;
		assert_in_range(port, PORTS_EPHEMERAL_FIRST, PORTS_EPHEMERAL_LAST);
		assert_false(seen[port]); /* never shared, whatever the flags */
		seen[port] = 1;
	}
	assert_int_equal(ports_bind(ports, &entries[COUNT], &p), -EADDRINUSE);
	uint16_t freed = entries[777].place.port;
	ports_release(ports, &entries[777]);
	assert_int_equal(ports_bind(ports, &entries[COUNT], &p), 0);
	assert_int_equal(entries[COUNT].place.port, freed);
	for (int i = 0; i <= COUNT; i++) {
		ports_release(ports, &entries[i]);
	}
	free(seen);
	free(entries);
	ports_free(ports);
}

/* A freed port does not come again soon: the peer may remember the old connection. */
static void test_ephemeral_comes_again_late(void **state)
{
	(void)state;
	enum { ROUND = 9000 };
	struct ports *ports = ports_new(KEY);
	uint8_t *seen = calloc(65536, 1);
	struct port_place p = place(0, 1, 0);
	for (int i = 0; i < ROUND; i++) {
		struct port_entry e = { 0 };
		assert_int_equal(ports_bind(ports, &e, &p), 0);
		assert_false(seen[e.place.port]);
		seen[e.place.port] = 1;
		ports_release(ports, &e);
	}
	free(seen);
	ports_free(ports);
}

static struct port_tuple tuple(uint8_t host, uint16_t port, uint16_t remote_port)
{
	struct port_tuple t = { .family = PORT_V4, .local_port = port, .remote_port = remote_port };
	struct port_place p = place(0, host, 0);
	memcpy(t.local, p.address, sizeof t.local);
	memcpy(t.remote, p.address, sizeof t.remote);
	t.remote[15] = 99;
	return t;
}

static void test_lookup_prefers_the_exact_address(void **state)
{
	(void)state;
	struct ports *ports = ports_new(KEY);
	struct port_entry any = { 0 }, exact = { 0 }, bound = { 0 };
	struct port_place p = place(ANY | REUSE_PORT, 0, 80);
	assert_int_equal(ports_bind(ports, &any, &p), 0);
	assert_int_equal(ports_listen(ports, &any), 0);
	p = place(REUSE_PORT, 1, 80);
	assert_int_equal(ports_bind(ports, &exact, &p), 0);
	assert_int_equal(ports_listen(ports, &exact), 0);
	p = place(REUSE_PORT, 2, 80);
	assert_int_equal(ports_bind(ports, &bound, &p), 0); /* bound only: gets nothing */
	struct port_tuple one = tuple(1, 80, 5), two = tuple(2, 80, 5), other = tuple(1, 81, 5);
	assert_ptr_equal(ports_lookup(ports, &one), &exact);
	assert_ptr_equal(ports_lookup(ports, &two), &any);
	assert_null(ports_lookup(ports, &other));
	assert_int_equal(ports_stack_users(&any, 1), 1);
	assert_int_equal(ports_stack_users(&exact, 1), 2);
	assert_int_equal(ports_stack_users(&exact, -1), 1);
	assert_int_equal(ports_stack_users(&any, -1), 0);
	ports_release(ports, &any);
	ports_release(ports, &exact);
	assert_null(ports_lookup(ports, &one));
	ports_release(ports, &bound);
	ports_free(ports);
}

static void test_reuseport_spreads(void **state)
{
	(void)state;
	enum { GROUP = 4, CONNECTIONS = 4000 };
	struct ports *ports = ports_new(KEY);
	struct port_entry group[GROUP] = { 0 };
	struct port_place p = place(ANY | REUSE_PORT, 0, 80);
	for (int i = 0; i < GROUP; i++) {
		assert_int_equal(ports_bind(ports, &group[i], &p), 0);
		assert_int_equal(ports_listen(ports, &group[i]), 0);
	}
	int hits[GROUP] = { 0 };
	for (int i = 0; i < CONNECTIONS; i++) {
		struct port_tuple t = tuple(1, 80, (uint16_t)(1000 + i));
		const struct port_entry *e = ports_lookup(ports, &t);
		assert_ptr_equal(e, ports_lookup(ports, &t)); /* the same one each time */
		hits[e - group]++;
	}
	for (int i = 0; i < GROUP; i++) {
		assert_in_range(hits[i], CONNECTIONS / GROUP * 8 / 10,
				CONNECTIONS / GROUP * 12 / 10);
		ports_release(ports, &group[i]);
	}
	ports_free(ports);
}

/* ---- the random walk ---- */

enum { WALKERS = 24, STEPS = 60000 };

struct walker {
	struct port_entry entry;
	bool is_held, is_listening;
};

static bool model_overlap(const struct port_place *a, const struct port_place *b)
{
	return a->port == b->port && (a->families & b->families) &&
	       (a->is_any || b->is_any || memcmp(a->address, b->address, 16) == 0);
}

static bool model_allows(const struct walker *walkers, const struct port_place *wanted, int self)
{
	for (int i = 0; i < WALKERS; i++) {
		const struct walker *w = &walkers[i];
		const struct port_place *held = &w->entry.place;
		if (i == self || !w->is_held || !model_overlap(wanted, held)) {
			continue;
		}
		bool by_address = wanted->reuse_address && held->reuse_address && !w->is_listening;
		bool by_port = wanted->reuse_port && held->reuse_port && wanted->uid == held->uid;
		if (!by_address && !by_port) {
			return false;
		}
	}
	return true;
}

static void walk_step(struct ports *ports, struct walker *walkers, int i, unsigned dice)
{
	struct walker *w = &walkers[i];
	if (!w->is_held) {
		unsigned flags = dice % 128 & ~(unsigned)LISTENS;
		struct port_place p =
		    place(flags, (uint8_t)(dice >> 8) % 3, (uint16_t)(80 + (dice >> 12) % 3));
		bool expected = model_allows(walkers, &p, i);
		assert_int_equal(ports_bind(ports, &w->entry, &p), expected ? 0 : -EADDRINUSE);
		w->is_held = expected;
		w->is_listening = false;
	} else if (!w->is_listening && dice % 3 == 0) {
		bool expected = model_allows(walkers, &w->entry.place, i);
		assert_int_equal(ports_listen(ports, &w->entry), expected ? 0 : -EADDRINUSE);
		w->is_listening = expected;
	} else if (dice % 3 == 1) {
		ports_release(ports, &w->entry);
		w->is_held = w->is_listening = false;
	}
}

static int model_score(const struct walker *w, const struct port_tuple *t)
{
	if (!w->is_held || !w->is_listening) {
		return 0;
	}
	const struct port_place *p = &w->entry.place;
	if (p->port != t->local_port || !(p->families & PORT_V4)) {
		return 0;
	}
	return p->is_any ? 1 : memcmp(p->address, t->local, 16) == 0 ? 2 : 0;
}

static void walk_lookup(const struct ports *ports, const struct walker *walkers, unsigned dice)
{
	struct port_tuple t =
	    tuple((uint8_t)(dice % 3), (uint16_t)(80 + (dice >> 4) % 3), (uint16_t)dice);
	int best = 0;
	for (int i = 0; i < WALKERS; i++) {
		int score = model_score(&walkers[i], &t);
		best = score > best ? score : best;
	}
	const struct port_entry *e = ports_lookup(ports, &t);
	assert_int_equal(e == NULL, best == 0);
	for (int i = 0; i < WALKERS; i++) {
		if (e == &walkers[i].entry) {
			assert_int_equal(model_score(&walkers[i], &t), best);
		}
	}
}

static void test_random_walk(void **state)
{
	(void)state;
	const char *wanted = getenv("PORTS_SEED");
	unsigned seed = wanted ? (unsigned)strtoul(wanted, NULL, 0) : 1;
	print_message("PORTS_SEED=%u\n", seed);
	struct ports *ports = ports_new(KEY);
	static struct walker walkers[WALKERS];
	uint64_t x = seed;
	for (int step = 0; step < STEPS; step++) {
		x = x * 6364136223846793005U + 1442695040888963407U;
		unsigned dice = (unsigned)(x >> 33);
		walk_step(ports, walkers, (int)(dice % WALKERS), dice / WALKERS);
		walk_lookup(ports, walkers, dice ^ (dice >> 7));
	}
	for (int i = 0; i < WALKERS; i++) {
		ports_release(ports, &walkers[i].entry);
	}
	ports_free(ports); /* aborts if a bucket is left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linux_rules),
		cmocka_unit_test(test_only_one_of_two_may_listen),
		cmocka_unit_test(test_time_wait),
		cmocka_unit_test(test_time_wait_is_capped),
		cmocka_unit_test(test_ephemeral),
		cmocka_unit_test(test_ephemeral_comes_again_late),
		cmocka_unit_test(test_lookup_prefers_the_exact_address),
		cmocka_unit_test(test_reuseport_spreads),
		cmocka_unit_test(test_random_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
