/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Byte streams between two stacks arrive whole and in order, whatever the wire does. */
#include "tests/unit/stack/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PORT = 80 };

struct pair {
	struct wire wire;
	struct host *a, *b;
	struct conn *client, *server;
};

static bool both_closed(void *data)
{
	struct pair *p = data;
	p->server = host_conn(p->b, 0);
	return p->client->is_closed && p->server && p->server->is_closed;
}

static void open_pair(struct pair *p, uint64_t seed)
{
	*p = (struct pair){ .client = NULL };
	wire_open(&p->wire, seed);
	p->a = wire_host(&p->wire, 1, "10.1.0.1", 24);
	p->b = wire_host(&p->wire, 2, "10.1.0.2", 24);
	assert_int_equal(p->b->ops->tcp_listen(p->b->stack, PORT), 0);
	p->b->echoes_fin = true;
	p->a->echoes_fin = true;
}

/* Both directions at once; the client closes first. */
static void transfer(unsigned loss, unsigned reorder, unsigned duplicate, uint64_t bytes)
{
	struct pair p;
	open_pair(&p, 42 + loss);
	p.wire.delay_ms = 10;
	p.b->accept_to_send = bytes / 2;
	p.client = host_connect(p.a, "10.1.0.2", PORT, 50000);
	assert_non_null(p.client->tcp);
	wire_run(&p.wire, 100); /* resolved without loss: that is neigh's own test */
	p.wire.loss_percent = loss;
	p.wire.reorder_percent = reorder;
	p.wire.duplicate_percent = duplicate;
	conn_send(p.client, bytes, true);
	assert_true(wire_until(&p.wire, both_closed, &p, 600000));
	assert_int_equal(p.client->error, 0);
	assert_int_equal(p.server->error, 0);
	assert_int_equal(p.server->received, bytes);
	assert_int_equal(p.client->received, bytes / 2);
	assert_false(p.server->is_wrong);
	assert_false(p.client->is_wrong);
	print_message("# %u%% loss: %llu bytes in %lld ms, %llu frames lost\n", loss,
		      (unsigned long long)bytes, (long long)p.wire.now_ms,
		      (unsigned long long)p.wire.lost);
	wire_close(&p.wire);
}

static void loss_0(void **state)
{
	(void)state;
	transfer(0, 0, 0, 8 << 20);
}

static void loss_1(void **state)
{
	(void)state;
	transfer(1, 0, 0, 4 << 20);
}

static void loss_5(void **state)
{
	(void)state;
	transfer(5, 0, 0, 1 << 20);
}

static void loss_10(void **state)
{
	(void)state;
	transfer(10, 0, 0, 1 << 19);
}

static void reorder_and_duplicates(void **state)
{
	(void)state;
	transfer(0, 20, 10, 2 << 20);
}

static void everything_wrong(void **state)
{
	(void)state;
	transfer(5, 20, 10, 1 << 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loss_0),
		cmocka_unit_test(loss_1),
		cmocka_unit_test(loss_5),
		cmocka_unit_test(loss_10),
		cmocka_unit_test(reorder_and_duplicates),
		cmocka_unit_test(everything_wrong),
	};
	return cmocka_run_group_tests_name("stack/stream", tests, NULL, NULL);
}
