/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* stack/patches 0008: many connections at once, each segment to the right one, none after its end.
 */
#include "tests/unit/stack/stacktest.h"

#include <errno.h>

enum { MANY = 1100 };

/* Both families, more connections than the table begins with; every third goes away, is opened
 * again under its old name, and all carry their own amount of data. */
static void each_segment_finds_its_connection(void **state)
{
	struct pair p;
	static struct conn *conns[MANY];
	(void)state;
	pair_open(&p, 1);
	struct stack_ip of_a[2] = { ip_of("10.1.0.1", 0), ip_of("fd00:1::1", 0) };
	struct stack_ip of_b[2] = { ip_of("10.1.0.2", 0), ip_of("fd00:1::2", 0) };
	of_a[0].bits = of_b[0].bits = 24;
	of_a[1].bits = of_b[1].bits = 64;
	assert_int_equal(p.a->ops->addresses_set(p.a->stack, of_a, 2), 0);
	assert_int_equal(p.b->ops->addresses_set(p.b->stack, of_b, 2), 0);
	static const char *const to[2] = { "10.1.0.2", "fd00:1::2" };
	for (uint32_t i = 0; i < MANY; i++) {
		conns[i] = host_connect(p.a, to[i % 2], PORT, (uint16_t)(20000 + i / 2));
		wire_run(&p.wire, 3);
	}
	wire_run(&p.wire, 100);
	struct conn *twin = host_connect(p.a, to[0], PORT, 20000);
	assert_int_equal(twin->error, EADDRINUSE);
	for (uint32_t i = 0; i < MANY; i += 3) {
		p.a->ops->tcp_abort(conns[i]->tcp);
		conns[i]->is_used = false; /* its place may be taken */
		wire_run(&p.wire, 3);
		conns[i] = host_connect(p.a, to[i % 2], PORT, (uint16_t)(20000 + i / 2));
	}
	wire_run(&p.wire, 100);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_true(conns[i]->is_established);
		conn_send(conns[i], 1 + i * 7, false);
	}
	wire_run(&p.wire, 1000);
	uint64_t total = 0;
	for (uint32_t i = 0; i < MANY; i++) {
		total += 1 + i * 7;
	}
	uint64_t received = 0;
	uint32_t alive = 0;
	for (size_t i = 0; i < HOST_CONNS; i++) {
		const struct conn *c = &p.b->conns[i];
		received += c->received;
		alive += c->is_used && !c->is_closed;
		assert_false(c->is_wrong);
		if (c->is_used && !c->is_closed) { /* what the names say is what came */
			uint32_t n =
			    (uint32_t)(c->remote.port - 20000) * 2 + (c->remote.family == 6);
			assert_int_equal(c->received, 1 + n * 7);
		}
	}
	assert_int_equal(received, total);
	assert_int_equal(alive, MANY);
	wire_close(&p.wire);
}

/* A connection in TIME_WAIT is found too: its name is taken until it ends. */
static void time_wait_keeps_its_name(void **state)
{
	struct pair p;
	struct stack_stats stats;
	(void)state;
	pair_open(&p, 1);
	p.b->echoes_fin = true;
	struct conn *c = pair_connect(&p);
	conn_send(c, 10, true);
	wire_run(&p.wire, 100);
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_time_wait, 1);
	assert_true(c->is_closed);
	struct conn *twin = host_connect(p.a, "10.1.0.2", PORT, 50000);
	assert_int_equal(twin->error, EADDRINUSE);
	wire_run(&p.wire, 61000);
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_time_wait, 0);
	twin = host_connect(p.a, "10.1.0.2", PORT, 50000);
	wire_run(&p.wire, 100);
	assert_true(twin->is_established);
	wire_close(&p.wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_segment_finds_its_connection),
		cmocka_unit_test(time_wait_keeps_its_name),
	};
	return cmocka_run_group_tests_name("stack/demux", tests, NULL, NULL);
}
