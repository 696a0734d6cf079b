/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A stack hands its connections to another instance in the middle of what they do (decision S10).
 */
#include "tests/unit/stack/stacktest.h"

#include <errno.h>
#include <stdlib.h>

/* Frames on the wire still point at the hosts that sent them. */
static struct host *graves[64];
static size_t grave_count;

static void end(struct pair *p)
{
	wire_close(&p->wire);
	while (grave_count > 0) {
		free(graves[--grave_count]);
	}
}

/* Nothing of the host that is no more reaches the wire. */
static bool from_others(struct wire *w, struct host *from, const uint8_t *frame, uint32_t length)
{
	(void)frame;
	(void)length;
	for (size_t i = 0; i < w->host_count; i++) {
		if (w->hosts[i] == from) {
			return true;
		}
	}
	return false;
}

struct bytes {
	uint8_t *data;
	size_t length;
};

static struct bytes exported(const struct host *h, const struct stack_tcp *tcp)
{
	struct bytes b = { 0 };
	int64_t room =
	    tcp ? h->ops->tcp_export(tcp, NULL, 0) : h->ops->rest_export(h->stack, NULL, 0);
	assert_true(room >= 0);
	b.data = malloc((size_t)room + 1);
	assert_non_null(b.data);
	int64_t length = tcp ? h->ops->tcp_export(tcp, b.data, (size_t)room)
			     : h->ops->rest_export(h->stack, b.data, (size_t)room);
	assert_true(length >= 0 && length <= room);
	b.length = (size_t)length;
	return b;
}

/* Another copy of the library takes the host's place, address and connections. Returns the new
 * host; pointers to connections are looked up again with host_conn(). */
static struct host *succeed(struct wire *w, struct host *old, const char *address)
{
	size_t slot = 0;
	while (w->hosts[slot] != old) {
		slot++;
	}
	old->ops->advance(old->stack, w->now_ms);
	struct host *h = wire_host(w, old->mac[5], address, 24);
	w->host_count--;
	w->hosts[slot] = h;
	h->echoes_fin = old->echoes_fin;
	h->accept_to_send = old->accept_to_send;
	(void)h->ops->tcp_listen(h->stack, PORT);
	memcpy(h->conns, old->conns, sizeof(h->conns));
	for (size_t i = 0; i < HOST_CONNS && h->conns[i].is_used; i++) {
		struct conn *c = &h->conns[i];
		c->host = h;
		if (c->tcp) {
			struct bytes b = exported(old, c->tcp);
			c->tcp = NULL;
			assert_int_equal(h->ops->tcp_import(h->stack, b.data, b.length, c, &c->tcp),
					 0);
			free(b.data);
		}
	}
	struct bytes rest = exported(old, NULL);
	assert_int_equal(h->ops->rest_import(h->stack, rest.data, rest.length), 0);
	free(rest.data);
	w->filter = from_others;
	old->ops->destroy(old->stack);
	stacklib_unload(&old->library);
	assert_true(grave_count < sizeof graves / sizeof *graves);
	graves[grave_count++] = old;
	return h;
}

static struct host *succeed_b(struct pair *p)
{
	p->b = succeed(&p->wire, p->b, "10.1.0.2");
	return p->b;
}

static struct host *succeed_a(struct pair *p)
{
	p->a = succeed(&p->wire, p->a, "10.1.0.1");
	return p->a;
}

static bool both_closed(void *data)
{
	struct pair *p = data;
	const struct conn *a = host_conn(p->a, 0), *b = host_conn(p->b, 0);
	return a->is_closed && b && b->is_closed;
}

/* Both directions at once; each side is replaced again and again on the way. */
static void transfer(unsigned loss, unsigned reorder, uint64_t bytes, int64_t every_ms)
{
	struct pair p;
	pair_open(&p, 10);
	p.a->echoes_fin = p.b->echoes_fin = true;
	p.b->accept_to_send = bytes / 2;
	(void)host_connect(p.a, "10.1.0.2", PORT, 50000);
	wire_run(&p.wire, 100);
	p.wire.loss_percent = loss;
	p.wire.reorder_percent = reorder;
	conn_send(host_conn(p.a, 0), bytes, true);
	unsigned replaced = 0;
	int64_t limit = p.wire.now_ms + 900000;
	while (!wire_until(&p.wire, both_closed, &p, every_ms) && p.wire.now_ms < limit) {
		if (replaced < 40) {
			(void)(replaced++ % 2 ? succeed_a(&p) : succeed_b(&p));
		}
	}
	const struct conn *a = host_conn(p.a, 0), *b = host_conn(p.b, 0);
	assert_true(both_closed(&p));
	assert_true(replaced > 3);
	assert_int_equal(a->error, 0);
	assert_int_equal(b->error, 0);
	assert_int_equal(b->received, bytes);
	assert_int_equal(a->received, bytes / 2);
	assert_false(a->is_wrong);
	assert_false(b->is_wrong);
	print_message("# %u%% loss: %llu bytes in %lld ms, %u hand-overs\n", loss,
		      (unsigned long long)bytes, (long long)p.wire.now_ms, replaced);
	end(&p);
}

static void transfer_whole(void **state)
{
	(void)state;
	transfer(0, 0, 8 << 20, 23);
}

static void transfer_lossy(void **state)
{
	(void)state;
	transfer(5, 0, 1 << 20, 170);
}

static void transfer_reordered(void **state)
{
	(void)state;
	transfer(2, 30, 2 << 20, 90);
}

static bool is_established(void *data)
{
	struct pair *p = data;
	return host_conn(p->a, 0)->is_established && host_conn(p->b, 0) != NULL;
}

/* At each step of a handshake one side is replaced, and it is still made, without a reset. */
static void handshake(void **state)
{
	(void)state;
	for (int64_t step = 0; step < 10; step++) {
		for (int side = 0; side < 2; side++) {
			struct pair p;
			pair_open(&p, 10);
			(void)host_connect(p.a, "10.1.0.2", PORT, 50000);
			wire_run(&p.wire, step * 7);
			(void)(side ? succeed_a(&p) : succeed_b(&p));
			assert_true(wire_until(&p.wire, is_established, &p, 10000));
			conn_send(host_conn(p.a, 0), 5000, false);
			wire_run(&p.wire, 500);
			assert_int_equal(host_conn(p.b, 0)->received, 5000);
			end(&p);
		}
	}
}

/* ... and so with each step of the end, the closer's minute of TIME_WAIT included. */
static void ending(void **state)
{
	(void)state;
	for (int64_t step = 0; step < 12; step++) {
		for (int side = 0; side < 2; side++) {
			struct pair p;
			pair_open(&p, 10);
			p.b->echoes_fin = true;
			struct conn *c = pair_connect(&p);
			conn_send(c, 100000, true);
			wire_run(&p.wire, step * 7);
			(void)(side ? succeed_a(&p) : succeed_b(&p));
			assert_true(wire_until(&p.wire, both_closed, &p, 60000));
			assert_int_equal(host_conn(p.a, 0)->error, 0);
			assert_int_equal(host_conn(p.b, 0)->error, 0);
			assert_int_equal(host_conn(p.b, 0)->received, 100000);
			end(&p);
		}
	}
}

/* Closed by the program, bytes still on their way: the successor sends them. */
static void orphan(void **state)
{
	(void)state;
	struct pair p;
	pair_open(&p, 10);
	struct conn *c = pair_connect(&p);
	p.b->echoes_fin = true;
	host_conn(p.b, 0)->echoes_fin = true;
	conn_send(c, 300000, false);
	p.a->ops->tcp_close(c->tcp);
	c->tcp = NULL;
	uint64_t queued = c->sent;
	assert_true(queued > 100000);
	wire_run(&p.wire, 15);
	assert_true(host_conn(p.b, 0)->received < queued);
	(void)succeed_a(&p);
	wire_run(&p.wire, 5000);
	assert_int_equal(host_conn(p.b, 0)->received, queued);
	assert_true(host_conn(p.b, 0)->is_closed);
	assert_int_equal(host_conn(p.b, 0)->error, 0);
	struct stack_stats stats;
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_time_wait, 1);
	(void)succeed_a(&p); /* TIME_WAIT passes on, too, and ends when it would have */
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_time_wait, 1);
	wire_run(&p.wire, 61000);
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_time_wait, 0);
	end(&p);
}

/* A reader who does not read: the window is closed, what came waits in the stack. */
static void zero_window(void **state)
{
	(void)state;
	struct pair p;
	pair_open(&p, 5);
	p.b->reads = false;
	struct conn *c = pair_connect(&p);
	conn_send(c, 3 << 20, true);
	wire_run(&p.wire, 5000);
	uint64_t sent = c->sent;
	assert_true(sent < 3 << 20);
	(void)succeed_b(&p);
	wire_run(&p.wire, 3000);
	(void)succeed_a(&p);
	wire_run(&p.wire, 3000);
	assert_int_equal(host_conn(p.a, 0)->sent, sent);
	struct conn *server = host_conn(p.b, 0);
	server->reads = true;
	conn_read(server);
	p.b->ops->tcp_flush(server->tcp);
	wire_run(&p.wire, 20000);
	assert_int_equal(server->received, 3 << 20);
	assert_false(server->is_wrong);
	assert_true(server->has_eof);
	end(&p);
}

/* Options and timers are the connection's: keepalive finds the peer gone when it would have. */
static void keepalive(void **state)
{
	(void)state;
	struct pair p;
	pair_open(&p, 1);
	struct conn *c = pair_connect(&p);
	assert_int_equal(p.a->ops->tcp_option_set(c->tcp, STACK_TCP_KEEPALIVE, 1), 0);
	assert_int_equal(p.a->ops->tcp_option_set(c->tcp, STACK_TCP_KEEPIDLE, 10), 0);
	assert_int_equal(p.a->ops->tcp_option_set(c->tcp, STACK_TCP_KEEPINTVL, 2), 0);
	assert_int_equal(p.a->ops->tcp_option_set(c->tcp, STACK_TCP_KEEPCNT, 3), 0);
	wire_run(&p.wire, 6000);
	(void)succeed_a(&p);
	p.wire.loss_percent = 100;
	wire_run(&p.wire, 8000);
	assert_false(host_conn(p.a, 0)->is_closed);
	wire_run(&p.wire, 5000);
	assert_true(host_conn(p.a, 0)->is_closed);
	assert_int_equal(host_conn(p.a, 0)->error, ETIMEDOUT);
	end(&p);
}

/* The neighbours are known: no question is asked. */
static void neighbours(void **state)
{
	(void)state;
	struct pair p;
	pair_open(&p, 1);
	(void)pair_connect(&p);
	(void)succeed_a(&p);
	uint8_t mac[6];
	struct stack_ip b = ip_of("10.1.0.2", 0);
	assert_true(p.a->ops->neighbour(p.a->stack, &b, mac));
	assert_memory_equal(mac, p.b->mac, 6);
	end(&p);
}

/* Every truncation and every changed byte is refused or gives a connection that can be ended. */
static void malformed(void **state)
{
	(void)state;
	struct pair p;
	pair_open(&p, 10);
	struct conn *c = pair_connect(&p);
	p.wire.loss_percent = 20;
	conn_send(c, 20000, false);
	wire_run(&p.wire, 25);
	struct bytes b = exported(p.a, c->tcp);
	p.a->ops->tcp_abort(c->tcp);
	c->tcp = NULL;
	struct stack_stats before, after;
	p.a->ops->stats(p.a->stack, &before);
	unsigned taken = 0, refused = 0;
	for (size_t i = 0; i < b.length; i += i < 600 ? 1 : 97) {
		struct stack_tcp *tcp = NULL;
		assert_int_not_equal(p.a->ops->tcp_import(p.a->stack, b.data, i, c, &tcp), 0);
		b.data[i] ^= 0x41;
		if (p.a->ops->tcp_import(p.a->stack, b.data, b.length, c, &tcp) == 0) {
			p.a->ops->tcp_abort(tcp);
			taken++;
		} else {
			refused++;
		}
		(void)p.a->ops->rest_import(p.a->stack, b.data, b.length);
		b.data[i] ^= 0x41;
	}
	assert_true(taken > 0 && refused > 0);
	p.a->ops->stats(p.a->stack, &after);
	assert_int_equal(after.tcp_connections, before.tcp_connections);
	struct stack_tcp *again = NULL;
	assert_int_equal(p.a->ops->tcp_import(p.a->stack, b.data, b.length, c, &again), 0);
	assert_int_equal(p.a->ops->tcp_import(p.a->stack, b.data, b.length, c, &again),
			 -EADDRINUSE);
	p.a->ops->tcp_abort(again);
	free(b.data);
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transfer_whole),
		cmocka_unit_test(transfer_lossy),
		cmocka_unit_test(transfer_reordered),
		cmocka_unit_test(handshake),
		cmocka_unit_test(ending),
		cmocka_unit_test(orphan),
		cmocka_unit_test(zero_window),
		cmocka_unit_test(keepalive),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
