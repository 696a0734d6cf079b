/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TCP's times, to the millisecond (stack/patches 0003 and 0004), and that nothing ticks. */
#include "tests/unit/stack/stacktest.h"

#include <errno.h>

/* The times at which A sent what `wants` selects. */
struct log {
	int64_t at_ms[64];
	size_t count;
	struct host *from;
	bool (*wants)(const uint8_t *frame);
	bool loses; /* and it never arrives */
};

static bool recorder(struct wire *w, struct host *from, const uint8_t *frame, uint32_t length)
{
	struct log *log = w->filter_data;
	if (from != log->from || !is_tcp(frame, length) || !log->wants(frame)) {
		return true;
	}
	if (log->count < 64) {
		log->at_ms[log->count++] = w->now_ms;
	}
	return !log->loses;
}

static bool is_data(const uint8_t *frame)
{
	return tcp_payload(frame) > 0;
}

static bool is_syn(const uint8_t *frame)
{
	return (frame[TCP_AT + 13] & TCP_SYN) != 0;
}

static bool is_bare_ack(const uint8_t *frame)
{
	return tcp_payload(frame) == 0 && (frame[TCP_AT + 13] & (TCP_SYN | TCP_FIN)) == 0;
}

/* The first bytes on a connection cause a window update, which is not what is timed here. */
static struct conn *settled(struct pair *p)
{
	struct conn *c = pair_connect(p);
	conn_send(c, 10, false);
	wire_run(&p->wire, 1000);
	return c;
}

static void watch(struct pair *p, struct log *log)
{
	p->wire.filter = recorder;
	p->wire.filter_data = log;
}

static void delayed_ack_after_40_ms(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = settled(&p);
	struct log log = { .from = p.b, .wants = is_bare_ack };
	watch(&p, &log);
	int64_t start = p.wire.now_ms;
	conn_send(c, 100, false);
	wire_run(&p.wire, 500);
	assert_int_equal(log.count, 1);
	assert_int_equal(log.at_ms[0] - start, 1 + 40);
	wire_close(&p.wire);
}

static void second_segment_is_acked_at_once(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = settled(&p);
	struct log log = { .from = p.b, .wants = is_bare_ack };
	watch(&p, &log);
	int64_t start = p.wire.now_ms;
	conn_send(c, 2 * 2760, false);
	wire_run(&p.wire, 500);
	assert_int_equal(log.count, 1);
	assert_int_equal(log.at_ms[0] - start, 1);
	wire_close(&p.wire);
}

static void rto_starts_above_200_ms_and_doubles(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 5);
	struct conn *c = pair_connect(&p);
	struct stack_tcp_info info;
	p.a->ops->tcp_info(c->tcp, &info);
	assert_in_range(info.rtt_us, 10000, 30000); /* the handshake's, with an ARP exchange */
	assert_in_range(info.rttvar_us, info.rtt_us / 4, info.rtt_us / 2); /* half of it at first */
	int64_t rto = info.rto_us / 1000;
	assert_in_range(rto, 210, 231);
	struct log log = { .from = p.a, .wants = is_data, .loses = true };
	watch(&p, &log);
	conn_send(c, 10, false);
	wire_run(&p.wire, 60 * 60 * 1000);
	assert_int_equal(log.count, 1 + 12);
	for (size_t i = 1; i < log.count; i++) {
		assert_int_equal(log.at_ms[i] - log.at_ms[i - 1], rto < 120000 ? rto : 120000);
		rto = rto * 2;
	}
	assert_true(c->is_closed);
	assert_int_equal(c->error, ETIMEDOUT);
	wire_close(&p.wire);
}

static void rto_follows_the_round_trip(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 150);
	struct conn *c = pair_connect(&p);
	for (int i = 0; i < 40; i++) {
		conn_send(c, 6000, false);
		wire_run(&p.wire, 400);
	}
	struct stack_tcp_info info;
	p.a->ops->tcp_info(c->tcp, &info);
	assert_in_range(info.rtt_us, 295000, 350000);
	assert_in_range(info.rto_us, 495000, 560000);
	struct stack_stats stats;
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_retransmitted, 0);
	wire_close(&p.wire);
}

/* A measurement left running from the SYN would take the idle minute for a round trip. */
static void idle_time_is_no_round_trip(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 2);
	struct conn *c = pair_connect(&p);
	wire_run(&p.wire, 60000);
	conn_send(c, 10, false);
	wire_run(&p.wire, 1000);
	struct stack_tcp_info info;
	p.a->ops->tcp_info(c->tcp, &info);
	assert_in_range(info.rtt_us, 0, 50000);
	wire_close(&p.wire);
}

static void connect_times_out_as_on_linux(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	(void)pair_connect(&p); /* resolves the neighbour */
	struct log log = { .from = p.a, .wants = is_syn, .loses = true };
	watch(&p, &log);
	struct conn *c = host_connect(p.a, "10.1.0.2", PORT, 50001);
	int64_t start = p.wire.now_ms;
	wire_run(&p.wire, 10 * 60 * 1000);
	assert_int_equal(log.count, 1 + 6);
	int64_t wait = 1000;
	for (size_t i = 1; i < log.count; i++, wait *= 2) {
		assert_int_equal(log.at_ms[i] - log.at_ms[i - 1], wait);
	}
	assert_true(c->is_closed);
	assert_int_equal(c->error, ETIMEDOUT);
	assert_in_range(log.at_ms[6] + wait - start, 127000, 127010);
	wire_close(&p.wire);
}

static void idle_stack_wakes_nobody(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	assert_int_equal(p.a->ops->deadline(p.a->stack), INT64_MAX);
	struct conn *c = pair_connect(&p);
	conn_send(c, 100000, false);
	wire_run(&p.wire, 2000);
	/* An established connection at rest has nothing to wait for. */
	assert_int_equal(p.a->ops->deadline(p.a->stack), INT64_MAX);
	assert_int_equal(p.b->ops->deadline(p.b->stack), INT64_MAX);
	unsigned before = p.a->wakeups + p.b->wakeups;
	wire_run(&p.wire, 24 * 60 * 60 * 1000);
	assert_int_equal(p.a->wakeups + p.b->wakeups, before);
	wire_close(&p.wire);
}

/* B closed first `bytes` after the beginning: it is in TIME_WAIT, A has forgotten. A's next
 * connection from the same port must not wait for it. */
static void reopen_in_time_wait(uint64_t bytes, int64_t limit_ms)
{
	struct pair p;
	struct stack_stats stats;
	pair_open(&p, 1);
	struct conn *c = pair_connect(&p);
	c->echoes_fin = true;
	conn_send(c, bytes, false);
	wire_run(&p.wire, 500);
	assert_int_equal(host_conn(p.b, 0)->received, bytes);
	conn_send(host_conn(p.b, 0), 10, true);
	wire_run(&p.wire, 100);
	assert_true(c->is_closed);
	p.b->ops->stats(p.b->stack, &stats);
	assert_int_equal(stats.tcp_time_wait, 1);

	struct conn *again = host_connect(p.a, "10.1.0.2", PORT, 50000);
	wire_run(&p.wire, limit_ms);
	assert_true(again->is_established);
	p.b->ops->stats(p.b->stack, &stats);
	assert_int_equal(stats.tcp_time_wait, 0);
	conn_send(again, 100000, true);
	wire_run(&p.wire, 1000);
	assert_int_equal(host_conn(p.b, 1)->received, 100000);
	wire_close(&p.wire);
}

static void new_syn_ends_time_wait(void **state)
{
	(void)state;
	reopen_in_time_wait(10, 10);
}

/* 8 MB in 600 ms is faster than the clock of the sequence numbers (250 KB/s, RFC 6528): the new SYN
 * is lower than the end of the old connection. */
static void lower_syn_ends_time_wait_by_reset(void **state)
{
	(void)state;
	reopen_in_time_wait(8 << 20, 1100);
}

static void time_wait_lasts_60_s(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.b->echoes_fin = true;
	struct conn *c = pair_connect(&p);
	host_conn(p.b, 0)->echoes_fin = true;
	conn_send(c, 10, true);
	wire_run(&p.wire, 1000);
	assert_true(c->is_closed);
	struct stack_stats stats;
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_time_wait, 1);
	assert_int_equal(stats.tcp_connections, 0);
	wire_run(&p.wire, 58000);
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_time_wait, 1);
	wire_run(&p.wire, 2000);
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_time_wait, 0);
	assert_int_equal(p.a->ops->deadline(p.a->stack), INT64_MAX);
	wire_close(&p.wire);
}

static void keepalive_probes_and_gives_up(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = pair_connect(&p);
	assert_int_equal(p.a->ops->tcp_option_set(c->tcp, STACK_TCP_KEEPIDLE, 5), 0);
	assert_int_equal(p.a->ops->tcp_option_set(c->tcp, STACK_TCP_KEEPINTVL, 2), 0);
	assert_int_equal(p.a->ops->tcp_option_set(c->tcp, STACK_TCP_KEEPCNT, 3), 0);
	assert_int_equal(p.a->ops->tcp_option_set(c->tcp, STACK_TCP_KEEPALIVE, 1), 0);
	wire_run(&p.wire, 60000); /* the peer answers: it stays */
	assert_false(c->is_closed);
	struct log log = { .from = p.a, .wants = is_bare_ack, .loses = true };
	watch(&p, &log);
	wire_run(&p.wire, 30000);
	assert_true(c->is_closed);
	assert_int_equal(c->error, ETIMEDOUT);
	assert_int_equal(log.count, 3 + 1); /* three probes and the RST that ends it */
	assert_int_equal(log.at_ms[1] - log.at_ms[0], 2000);
	assert_int_equal(log.at_ms[2] - log.at_ms[1], 2000);
	assert_int_equal(log.at_ms[3] - log.at_ms[2], 2000);
	wire_close(&p.wire);
}

static void zero_window_is_probed_and_reopens(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.b->reads = false;
	struct conn *c = pair_connect(&p), *server = host_conn(p.b, 0);
	conn_send(c, 4 << 20, true);
	wire_run(&p.wire, 5000);
	struct stack_tcp_info info;
	p.a->ops->tcp_info(c->tcp, &info);
	assert_int_equal(info.send_window, 0);
	p.b->ops->tcp_info(server->tcp, &info);
	assert_in_range(info.receive_window, 0, 127); /* less than the scale can say */
	assert_in_range(info.unread_bytes, (1 << 20) - 127, 1 << 20);
	unsigned frames = p.a->frames_out;
	wire_run(&p.wire, 10 * 60 * 1000);
	/* Probes from 200 ms, doubling to a minute: about 8 + 9, never a stream. */
	assert_in_range(p.a->frames_out - frames, 10, 25);
	assert_false(c->is_closed);
	server->reads = true;
	conn_read(server);
	wire_run(&p.wire, 70000);
	assert_int_equal(server->received, 4 << 20);
	assert_false(server->is_wrong);
	assert_true(server->has_eof);
	wire_close(&p.wire);
}

/* tcp_close() with a megabyte unsent, on a path that needs minutes for it. */
static void close_still_sends_everything(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 2000);
	struct conn *c = pair_connect(&p), *server = host_conn(p.b, 0);
	p.wire.loss_percent = 2;
	conn_send(c, 1 << 20, false);
	assert_int_equal(c->sent, 1 << 20);
	p.a->ops->tcp_close(c->tcp);
	c->tcp = NULL;
	wire_run(&p.wire, 60 * 60 * 1000);
	assert_int_equal(server->received, 1 << 20);
	assert_false(server->is_wrong);
	assert_true(server->has_eof);
	assert_false(c->is_closed); /* no callback follows a close */
	wire_close(&p.wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delayed_ack_after_40_ms),
		cmocka_unit_test(second_segment_is_acked_at_once),
		cmocka_unit_test(rto_starts_above_200_ms_and_doubles),
		cmocka_unit_test(rto_follows_the_round_trip),
		cmocka_unit_test(idle_time_is_no_round_trip),
		cmocka_unit_test(connect_times_out_as_on_linux),
		cmocka_unit_test(idle_stack_wakes_nobody),
		cmocka_unit_test(time_wait_lasts_60_s),
		cmocka_unit_test(new_syn_ends_time_wait),
		cmocka_unit_test(lower_syn_ends_time_wait_by_reset),
		cmocka_unit_test(keepalive_probes_and_gives_up),
		cmocka_unit_test(zero_window_is_probed_and_reopens),
		cmocka_unit_test(close_still_sends_everything),
	};
	return cmocka_run_group_tests_name("stack/timers", tests, NULL, NULL);
}
