/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The life of a connection as the caller of stack.h sees it. */
#include "tests/unit/stack/stacktest.h"

#include <errno.h>

static void half_close(bool client_first)
{
	struct pair p;
	pair_open(&p, 3);
	struct conn *c = pair_connect(&p), *s = host_conn(p.b, 0);
	struct conn *first = client_first ? c : s, *second = client_first ? s : c;
	conn_send(first, 1000, true);
	wire_run(&p.wire, 1000);
	assert_true(second->has_eof);
	assert_int_equal(second->received, 1000);
	assert_false(first->is_closed);
	conn_send(second, 300000, false); /* the other direction goes on */
	wire_run(&p.wire, 2000);
	assert_int_equal(first->received, 300000);
	assert_false(first->has_eof);
	conn_send(second, 5, true);
	wire_run(&p.wire, 1000);
	assert_int_equal(first->received, 300005);
	assert_true(first->has_eof && first->is_closed && second->is_closed);
	assert_int_equal(first->error, 0);
	assert_int_equal(second->error, 0);
	assert_false(first->is_wrong || second->is_wrong);
	wire_close(&p.wire);
}

static void half_close_by_client(void **state)
{
	(void)state;
	half_close(true);
}

static void half_close_by_server(void **state)
{
	(void)state;
	half_close(false);
}

static void both_close_at_once(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 5);
	struct conn *c = pair_connect(&p), *s = host_conn(p.b, 0);
	p.a->ops->tcp_shutdown_write(c->tcp);
	p.b->ops->tcp_shutdown_write(s->tcp);
	wire_run(&p.wire, 1000);
	assert_true(c->is_closed && s->is_closed && c->has_eof && s->has_eof);
	assert_int_equal(c->error, 0);
	assert_int_equal(s->error, 0);
	wire_close(&p.wire);
}

/* `closed` in order waits until everything was read: the handle holds the bytes. */
static void closed_comes_after_the_last_byte(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.b->reads = false;
	struct conn *c = pair_connect(&p), *s = host_conn(p.b, 0);
	p.b->ops->tcp_shutdown_write(s->tcp);
	conn_send(c, 50000, true);
	wire_run(&p.wire, 2000);
	assert_true(s->has_eof);
	assert_false(s->is_closed);
	assert_true(c->is_closed);
	conn_read(s);
	assert_int_equal(s->received, 50000);
	assert_false(s->is_closed); /* not from inside an operation */
	assert_true(p.b->ops->deadline(p.b->stack) <= p.wire.now_ms);
	p.b->ops->advance(p.b->stack, p.wire.now_ms);
	assert_true(s->is_closed);
	wire_close(&p.wire);
}

static void connect_refused(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = host_connect(p.a, "10.1.0.2", PORT + 1, 50000);
	wire_run(&p.wire, 100);
	assert_true(c->is_closed);
	assert_int_equal(c->error, ECONNREFUSED);
	struct stack_stats stats;
	p.b->ops->stats(p.b->stack, &stats);
	assert_int_equal(stats.tcp_resets_out, 1);
	wire_close(&p.wire);
}

static void reset_by_peer(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = pair_connect(&p), *s = host_conn(p.b, 0);
	p.b->ops->tcp_abort(s->tcp);
	s->tcp = NULL;
	wire_run(&p.wire, 100);
	assert_true(c->is_closed);
	assert_int_equal(c->error, ECONNRESET);
	assert_false(s->is_closed);
	wire_close(&p.wire);
}

/* Linux reads out what came before the RST; only then ECONNRESET (decision 122). */
static void reset_comes_after_the_last_byte(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = pair_connect(&p);
	struct conn *s = host_conn(p.b, 0);
	c->reads = false;
	conn_send(s, 100000, false);
	wire_run(&p.wire, 1000);
	unsigned writable = c->writable;
	p.b->ops->tcp_abort(s->tcp);
	s->tcp = NULL;
	wire_run(&p.wire, 100);
	assert_false(c->is_closed);
	/* A writer is woken, and told by the write. */
	assert_true(c->writable > writable);
	assert_true(p.a->ops->tcp_room(c->tcp) > 0);
	struct iovec one = { .iov_base = &(char){ 0 }, .iov_len = 1 };
	assert_int_equal(p.a->ops->tcp_write(c->tcp, &one, 1), -ENOTCONN);
	conn_read(c);
	wire_run(&p.wire, 1);
	assert_int_equal(c->received, 100000);
	assert_false(c->is_wrong);
	assert_true(c->is_closed);
	assert_int_equal(c->error, ECONNRESET);
	wire_close(&p.wire);
}

static void accepted_may_refuse(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.b->accepts = false;
	struct conn *c = host_connect(p.a, "10.1.0.2", PORT, 50000);
	wire_run(&p.wire, 100);
	assert_true(c->is_established && c->is_closed);
	assert_int_equal(c->error, ECONNRESET);
	wire_close(&p.wire);
}

static void admit_is_asked_before_memory_is_spent(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.b->admits = false;
	struct stack_stats before, after;
	struct conn *c = host_connect(p.a, "10.1.0.2", PORT, 50000);
	wire_run(&p.wire, 500);
	p.b->ops->stats(p.b->stack, &before);
	wire_run(&p.wire, 5000);
	p.b->ops->stats(p.b->stack, &after);
	assert_int_equal(p.b->admit_calls, 3); /* SYNs at 0, 1 and 3 s */
	assert_int_equal(after.heap_bytes, before.heap_bytes);
	assert_int_equal(after.tcp_out, 0); /* silence */
	assert_false(c->is_closed);
	p.b->admits = true;
	wire_run(&p.wire, 5000);
	assert_true(c->is_established);
	wire_close(&p.wire);
}

/* A flood of SYNs from hosts that do not exist holds a bounded number of half-open connections. */
static void syn_flood_is_bounded(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	uint8_t frame[54] = { 0 };
	memcpy(frame, p.b->mac, 6);
	memcpy(frame + 6, p.a->mac, 6);
	frame[12] = 8;
	memcpy(frame + IP_AT, "\x45\0\0\x28\0\0\0\0\x40\x06\0\0\x0a\x01\0\x07\x0a\x01\0\x02", 20);
	memcpy(frame + TCP_AT, "\0\1\0\x50\0\0\0\0\0\0\0\0\x50\x02\xff\xff\0\0\0\0", 20);
	struct stack_stats stats;
	for (unsigned i = 0; i < 5000; i++) {
		frame[TCP_AT] = (uint8_t)(i >> 8);
		frame[TCP_AT + 1] = (uint8_t)i;
		struct stack_frame f = { frame, sizeof(frame), true };
		p.b->ops->input(p.b->stack, &f, 1, p.wire.now_ms);
	}
	p.b->ops->stats(p.b->stack, &stats);
	assert_in_range(stats.heap_bytes, 100000, 2000000);
	assert_int_equal(p.b->admit_calls, 1024);
	wire_run(&p.wire, 60000); /* they time out and make room */
	struct conn *c = host_connect(p.a, "10.1.0.2", PORT, 50000);
	wire_run(&p.wire, 100);
	assert_true(c->is_established);
	wire_close(&p.wire);
}

static void unlisten_keeps_connections(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = pair_connect(&p), *s = host_conn(p.b, 0);
	assert_int_equal(p.b->ops->tcp_listen(p.b->stack, PORT), -EADDRINUSE);
	p.b->ops->tcp_unlisten(p.b->stack, PORT);
	struct conn *refused = host_connect(p.a, "10.1.0.2", PORT, 50001);
	conn_send(c, 1000, false);
	wire_run(&p.wire, 100);
	assert_true(refused->is_closed);
	assert_int_equal(s->received, 1000);
	assert_int_equal(p.b->ops->tcp_listen(p.b->stack, PORT), 0);
	wire_close(&p.wire);
}

static void connect_errors(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct stack_tcp *tcp = NULL;
	struct stack_ip any = { .port = 50000 }, b = ip_of("10.1.0.2", PORT);
	struct stack_ip stranger = ip_of("10.1.0.77", 50000), far = ip_of("192.0.2.1", PORT);
	struct stack_ip self = ip_of("10.1.0.1", PORT), broadcast = ip_of("10.1.0.255", PORT);
	const struct stack_ops *ops = p.a->ops;
	assert_int_equal(ops->tcp_connect(p.a->stack, &any, &far, NULL, &tcp), -ENETUNREACH);
	assert_int_equal(ops->tcp_connect(p.a->stack, &any, &self, NULL, &tcp), -ENETUNREACH);
	assert_int_equal(ops->tcp_connect(p.a->stack, &any, &broadcast, NULL, &tcp), -ENETUNREACH);
	assert_int_equal(ops->tcp_connect(p.a->stack, &stranger, &b, NULL, &tcp), -EADDRNOTAVAIL);
	struct conn *c = host_connect(p.a, "10.1.0.2", PORT, 50000);
	assert_non_null(c->tcp);
	assert_int_equal(ops->tcp_connect(p.a->stack, &any, &b, NULL, &tcp), -EADDRINUSE);
	struct conn *other = host_connect(p.a, "10.1.0.2", PORT + 1, 50000); /* another 4-tuple */
	assert_non_null(other->tcp);
	wire_run(&p.wire, 100);
	assert_true(c->is_established);
	wire_close(&p.wire);
}

static void nobody_there_is_ehostunreach(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = host_connect(p.a, "10.1.0.9", PORT, 50000);
	wire_run(&p.wire, 2900);
	assert_false(c->is_closed);
	wire_run(&p.wire, 200);
	assert_true(c->is_closed);
	assert_int_equal(c->error, EHOSTUNREACH);
	assert_int_equal(p.a->ops->deadline(p.a->stack), INT64_MAX);
	wire_close(&p.wire);
}

static void many_connections(void **state)
{
	enum { MANY = 1000 };
	struct pair p;
	(void)state;
	pair_open(&p, 2);
	p.a->echoes_fin = p.b->echoes_fin = true;
	p.b->accept_to_send = 3000;
	for (int i = 0; i < MANY; i++) {
		struct conn *c = host_connect(p.a, "10.1.0.2", PORT, (uint16_t)(20000 + i));
		assert_non_null(c->tcp);
		conn_send(c, 2000 + (uint64_t)i, true);
	}
	wire_run(&p.wire, 20000);
	uint64_t sum = 0;
	for (size_t i = 0; i < MANY; i++) {
		struct conn *c = host_conn(p.a, i), *s = host_conn(p.b, i);
		assert_true(c->is_closed && s && s->is_closed);
		assert_int_equal(c->error, 0);
		assert_int_equal(c->received, 3000);
		assert_false(c->is_wrong || s->is_wrong);
		sum += s->received;
	}
	assert_int_equal(sum, 2000 * MANY + MANY * (MANY - 1) / 2);
	wire_run(&p.wire, 61000);
	struct stack_stats stats;
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_connections, 0);
	assert_int_equal(stats.tcp_time_wait, 0);
	wire_close(&p.wire);
}

/* Everything is given back: what a stack holds after work is what it held before. */
static void memory_comes_back(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.a->echoes_fin = p.b->echoes_fin = true;
	struct stack_stats before, after;
	struct conn *warm = pair_connect(&p);
	conn_send(warm, 1, true);
	wire_run(&p.wire, 100000);
	p.b->ops->stats(p.b->stack, &before);
	p.wire.loss_percent = 5;
	struct conn *c = host_connect(p.a, "10.1.0.2", PORT, 50001);
	conn_send(c, 1 << 20, true);
	wire_run(&p.wire, 200000);
	assert_true(c->is_closed);
	p.b->ops->stats(p.b->stack, &after);
	assert_int_equal(after.heap_bytes, before.heap_bytes);
	wire_close(&p.wire);
}

static void options_and_info(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = pair_connect(&p);
	const struct stack_ops *ops = p.a->ops;
	assert_int_equal(ops->tcp_option_set(c->tcp, STACK_TCP_NODELAY, 1), 0);
	assert_int_equal(ops->tcp_option_set(c->tcp, STACK_TCP_NODELAY, 2), -EINVAL);
	assert_int_equal(ops->tcp_option_set(c->tcp, STACK_TCP_TTL, 7), 0);
	assert_int_equal(ops->tcp_option_set(c->tcp, STACK_TCP_TTL, 0), -EINVAL);
	assert_int_equal(ops->tcp_option_set(c->tcp, STACK_TCP_TOS, 255), 0);
	assert_int_equal(ops->tcp_option_set(c->tcp, STACK_TCP_TOS, 256), -EINVAL);
	assert_int_equal(ops->tcp_option_set(c->tcp, STACK_TCP_KEEPIDLE, 40000), -EINVAL);
	assert_int_equal(ops->tcp_option_set(c->tcp, (enum stack_option)99, 1), -ENOPROTOOPT);
	struct stack_tcp_info info;
	ops->tcp_info(c->tcp, &info);
	assert_int_equal(info.state, 1); /* TCP_ESTABLISHED */
	assert_int_equal(info.mss, 2760);
	assert_int_equal(info.send_window, 65535); /* a SYN's window is not scaled */
	struct stack_ip local, remote;
	ops->tcp_names(c->tcp, &local, &remote);
	assert_int_equal(local.port, 50000);
	assert_int_equal(remote.port, PORT);
	assert_memory_equal(remote.bytes, "\x0a\x01\x00\x02", 4);
	char byte = 0;
	struct iovec none = { &byte, 1 };
	p.a->ops->tcp_shutdown_write(c->tcp);
	assert_int_equal(ops->tcp_write(c->tcp, &none, 1), -ENOTCONN);
	assert_int_equal(ops->tcp_room(c->tcp), 0);
	wire_close(&p.wire);
}

/* Without NODELAY small writes wait for the ACK of the one before (RFC 896); with it they leave. */
static void nagle(void **state)
{
	for (int nodelay = 0; nodelay <= 1; nodelay++) {
		struct pair p;
		(void)state;
		pair_open(&p, 10);
		struct conn *c = pair_connect(&p);
		assert_int_equal(p.a->ops->tcp_option_set(c->tcp, STACK_TCP_NODELAY, nodelay), 0);
		wire_run(&p.wire, 1000);
		unsigned before = p.a->frames_out;
		for (int i = 0; i < 5; i++) {
			conn_send(c, 10, false);
		}
		assert_int_equal(p.a->frames_out - before, nodelay ? 5 : 1);
		wire_run(&p.wire, 1000);
		assert_int_equal(host_conn(p.b, 0)->received, 50);
		wire_close(&p.wire);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_close_by_client),
		cmocka_unit_test(half_close_by_server),
		cmocka_unit_test(both_close_at_once),
		cmocka_unit_test(closed_comes_after_the_last_byte),
		cmocka_unit_test(connect_refused),
		cmocka_unit_test(reset_by_peer),
		cmocka_unit_test(reset_comes_after_the_last_byte),
		cmocka_unit_test(accepted_may_refuse),
		cmocka_unit_test(admit_is_asked_before_memory_is_spent),
		cmocka_unit_test(syn_flood_is_bounded),
		cmocka_unit_test(unlisten_keeps_connections),
		cmocka_unit_test(connect_errors),
		cmocka_unit_test(nobody_there_is_ehostunreach),
		cmocka_unit_test(many_connections),
		cmocka_unit_test(memory_comes_back),
		cmocka_unit_test(options_and_info),
		cmocka_unit_test(nagle),
	};
	return cmocka_run_group_tests_name("stack/tcp", tests, NULL, NULL);
}
