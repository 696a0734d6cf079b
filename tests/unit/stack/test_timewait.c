/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TIME-WAIT: compact, capped, gone after a minute; names that are used again; listeners by port. */
#include "stack/timewait.h"
#include "tests/unit/stack/stacktest.h"

#include <errno.h>

static uint32_t time_wait(struct host *h)
{
	struct stack_stats stats;
	h->ops->stats(h->stack, &stats);
	return stats.tcp_time_wait;
}

static uint64_t heap(struct host *h)
{
	struct stack_stats stats;
	h->ops->stats(h->stack, &stats);
	return stats.heap_bytes;
}

/* Connections that are over make room for others. */
static void sweep(struct host *h)
{
	for (size_t i = 0; i < HOST_CONNS; i++) {
		if (h->conns[i].is_closed) {
			h->conns[i] = (struct conn){ .host = NULL };
		}
	}
}

/* `count` connections, ten at a time, one after the other from ever other ports; A closes first. */
static void short_connections(struct pair *p, uint32_t count)
{
	enum { AT_ONCE = 10 };
	static uint16_t port;
	for (uint32_t i = 0; i < count; i += AT_ONCE) {
		struct conn *c[AT_ONCE];
		for (int j = 0; j < AT_ONCE; j++) {
			port = (uint16_t)(port < 1024 || port > 65000 ? 1024 : port + 1);
			c[j] = host_connect(p->a, "10.1.0.2", PORT, port);
			assert_int_equal(c[j]->error, 0);
			conn_send(c[j], 1, true);
		}
		wire_run(&p->wire, 4);
		for (int j = 0; j < AT_ONCE; j++) {
			assert_true(c[j]->is_closed);
			assert_int_equal(c[j]->error, 0);
		}
		sweep(p->a);
		sweep(p->b);
	}
}

static void twenty_thousand_in_a_row(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 0);
	p.b->echoes_fin = true;
	short_connections(&p, 10);
	wire_run(&p.wire, 62000);
	assert_int_equal(time_wait(p.a), 0);
	uint64_t before = heap(p.a), before_b = heap(p.b);
	short_connections(&p, 20000); /* 8 s of virtual time */
	assert_int_equal(time_wait(p.a), 20000);
	assert_int_equal(time_wait(p.b), 0);
	/* an array and a hash that double: at most two of either for each */
	assert_in_range(heap(p.a) - before, 1, 32768 * (sizeof(struct timewait) + 4) + 4096);
	assert_int_equal(heap(p.b), before_b);
	unsigned wakeups = p.a->wakeups;
	wire_run(&p.wire, 62000);
	assert_int_equal(time_wait(p.a), 0);
	assert_int_equal(heap(p.a), before);
	assert_in_range(p.a->wakeups - wakeups, 1, 62); /* once a second at most */
	assert_int_equal(p.a->ops->deadline(p.a->stack), INT64_MAX);
	wire_close(&p.wire);
}

static void the_oldest_gives_way(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 0);
	p.b->echoes_fin = true;
	short_connections(&p, TIMEWAIT_MAX + 1000);
	assert_int_equal(time_wait(p.a), TIMEWAIT_MAX);
	wire_run(&p.wire, 62000);
	assert_int_equal(time_wait(p.a), 0);
	wire_close(&p.wire);
}

static bool last_ack_lost(struct wire *w, struct host *from, const uint8_t *frame, uint32_t length)
{
	struct pair *p = w->filter_data;
	static bool has_fin;
	if (from == p->b && is_tcp(frame, length)) {
		has_fin = (frame[TCP_AT + 13] & TCP_FIN) != 0;
	}
	return from != p->a || !has_fin || !is_tcp(frame, length) ||
	       (frame[TCP_AT + 13] & TCP_FIN) != 0;
}

/* The peer's FIN comes again because our acknowledgement was lost: it is acknowledged again, and
 * the minute begins anew. */
static void a_repeated_fin_is_acknowledged(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.b->echoes_fin = true;
	struct conn *c = pair_connect(&p), *s = host_conn(p.b, 0);
	p.wire.filter = last_ack_lost;
	p.wire.filter_data = &p;
	conn_send(c, 10, true);
	wire_run(&p.wire, 3000);
	assert_int_equal(time_wait(p.a), 1);
	assert_false(s->is_closed); /* waits for its FIN's acknowledgement */
	p.wire.filter = NULL;
	wire_run(&p.wire, 10000);
	assert_true(s->is_closed);
	assert_int_equal(s->error, 0);
	wire_run(&p.wire, 48500); /* 61.5 s after the first FIN */
	assert_int_equal(time_wait(p.a), 1);
	wire_run(&p.wire, 15000);
	assert_int_equal(time_wait(p.a), 0);
	wire_close(&p.wire);
}

struct syn_log {
	struct host *from;
	uint32_t sequence;
	unsigned count;
};

static bool note_syn(struct wire *w, struct host *from, const uint8_t *frame, uint32_t length)
{
	struct syn_log *log = w->filter_data;
	if (from == log->from && is_tcp(frame, length) && (frame[TCP_AT + 13] & TCP_SYN) != 0) {
		log->sequence = u32_at(frame + TCP_AT + 4);
		log->count++;
	}
	return true;
}

/* Our own new connection may take the names after a second, and begins beyond what was sent. */
static void names_are_used_again(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.b->echoes_fin = true;
	struct syn_log log = { .from = p.a };
	p.wire.filter = note_syn;
	p.wire.filter_data = &log;
	struct conn *c = pair_connect(&p);
	uint32_t first = log.sequence;
	conn_send(c, 4 << 20, true); /* faster than the clock of the sequence numbers */
	wire_run(&p.wire, 700);
	assert_true(c->is_closed);
	assert_int_equal(time_wait(p.a), 1);
	assert_int_equal(host_connect(p.a, "10.1.0.2", PORT, 50000)->error, EADDRINUSE);
	wire_run(&p.wire, 1000);
	p.a->ops->advance(p.a->stack, p.wire.now_ms); /* operations carry no time */
	struct conn *again = host_connect(p.a, "10.1.0.2", PORT, 50000);
	wire_run(&p.wire, 50);
	assert_true(again->is_established);
	assert_int_equal(time_wait(p.a), 0);
	assert_true((int32_t)(log.sequence - (first + (4u << 20))) > 65535);
	conn_send(again, 5000, true);
	wire_run(&p.wire, 100);
	assert_int_equal(host_conn(p.b, 1)->received, 5000);
	wire_close(&p.wire);
}

/* Rubbish for a connection in TIME-WAIT: a reset does not end it (RFC 1337), data is acknowledged.
 */
static void old_segments_change_nothing(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.b->echoes_fin = true;
	struct conn *c = pair_connect(&p);
	conn_send(c, 10, true);
	wire_run(&p.wire, 100);
	assert_int_equal(time_wait(p.a), 1);
	uint8_t frame[14 + 40] = { 0 };
	memcpy(frame, p.a->mac, 6);
	memcpy(frame + 6, p.b->mac, 6);
	memcpy(frame + 12, "\x08\0\x45\0\0\x28\0\0\0\0\x40\x06\0\0\x0a\1\0\2\x0a\1\0\1", 22);
	frame[TCP_AT + 1] = PORT;
	frame[TCP_AT + 2] = 50000 >> 8;
	frame[TCP_AT + 3] = 50000 & 0xff;
	frame[TCP_AT + 12] = 0x50;
	static const uint8_t flags[] = { TCP_RST, TCP_RST | TCP_ACK, TCP_ACK, TCP_SYN | TCP_ACK };
	/* B has forgotten: its reset in answer to an acknowledgement would end it (decision 121).
	 */
	assert_int_equal(p.b->ops->addresses_set(p.b->stack, NULL, 0), 0);
	for (size_t i = 0; i < sizeof(flags); i++) {
		frame[TCP_AT + 13] = flags[i];
		unsigned before = p.a->frames_out;
		wire_inject(&p.wire, p.b, frame, sizeof(frame));
		wire_run(&p.wire, 20);
		assert_int_equal(time_wait(p.a), 1);
		assert_int_equal(p.a->frames_out - before, (flags[i] & TCP_SYN) != 0);
	}
	wire_close(&p.wire);
}

static void listeners_are_found_by_port(void **state)
{
	enum { FIRST = 2000, COUNT = 3000 };
	struct pair p;
	(void)state;
	pair_open(&p, 0);
	struct conn *first = pair_connect(&p); /* whatever is made once */
	p.a->ops->tcp_abort(first->tcp);
	wire_run(&p.wire, 10);
	uint64_t before = heap(p.b);
	for (uint16_t i = 0; i < COUNT; i++) {
		uint16_t port = (uint16_t)(FIRST + i * 21u);
		assert_int_equal(p.b->ops->tcp_listen(p.b->stack, port), 0);
		assert_int_equal(p.b->ops->tcp_listen(p.b->stack, port), -EADDRINUSE);
	}
	for (uint16_t i = 0; i < COUNT; i += 100) {
		uint16_t port = (uint16_t)(FIRST + i * 21u);
		struct conn *c = host_connect(p.a, "10.1.0.2", port, 50000);
		struct conn *none = host_connect(p.a, "10.1.0.2", (uint16_t)(port + 1), 50000);
		wire_run(&p.wire, 10);
		assert_true(c->is_established);
		assert_int_equal(none->error, ECONNREFUSED);
		p.a->ops->tcp_abort(c->tcp);
		wire_run(&p.wire, 10);
	}
	for (uint16_t i = 0; i < COUNT; i++) {
		p.b->ops->tcp_unlisten(p.b->stack, (uint16_t)(FIRST + i * 21u));
	}
	p.b->ops->tcp_unlisten(p.b->stack, FIRST); /* nobody: nothing */
	assert_int_equal(heap(p.b), before);
	struct conn *none = host_connect(p.a, "10.1.0.2", FIRST, 50000);
	wire_run(&p.wire, 10);
	assert_int_equal(none->error, ECONNREFUSED);
	wire_close(&p.wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twenty_thousand_in_a_row),
		cmocka_unit_test(the_oldest_gives_way),
		cmocka_unit_test(a_repeated_fin_is_acknowledged),
		cmocka_unit_test(names_are_used_again),
		cmocka_unit_test(old_segments_change_nothing),
		cmocka_unit_test(listeners_are_found_by_port),
	};
	return cmocka_run_group_tests_name("time-wait", tests, NULL, NULL);
}
