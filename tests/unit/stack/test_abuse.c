/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Frames that no honest stack sends: dropped, counted, and the connection beside them lives on. */
#include "tests/unit/stack/stacktest.h"

/* Remembers the newest data segment and ACK of A. */
struct tap {
	struct host *from;
	uint8_t data[4096], syn[128];
	uint32_t data_length, syn_length;
};

static bool tapper(struct wire *w, struct host *from, const uint8_t *frame, uint32_t length)
{
	struct tap *tap = w->filter_data;
	if (from == tap->from && is_tcp(frame, length) && length <= sizeof(tap->data)) {
		if ((frame[TCP_AT + 13] & TCP_SYN) != 0) {
			memcpy(tap->syn, frame, length);
			tap->syn_length = length;
		} else {
			memcpy(tap->data, frame, length);
			tap->data_length = length;
		}
	}
	return true;
}

static struct conn *tapped(struct pair *p, struct tap *tap)
{
	pair_open(p, 1);
	*tap = (struct tap){ .from = p->a };
	p->wire.filter = tapper;
	p->wire.filter_data = tap;
	struct conn *c = pair_connect(p);
	conn_send(c, 500, false);
	wire_run(&p->wire, 500);
	return c;
}

static void input(struct host *h, const void *frame, uint32_t length)
{
	struct stack_frame f = { frame, length, true };
	h->ops->input(h->stack, &f, 1, h->wire->now_ms);
}

static void works(struct pair *p, struct conn *c)
{
	struct conn *s = host_conn(p->b, 0);
	uint64_t before = s->received;
	conn_send(c, 20000, false);
	conn_send(s, 20000, false);
	wire_run(&p->wire, 5000);
	assert_int_equal(s->received, before + 20000);
	assert_false(s->is_wrong || c->is_wrong || c->is_closed || s->is_closed);
}

static void every_truncation(void **state)
{
	struct pair p;
	struct tap tap;
	(void)state;
	struct conn *c = tapped(&p, &tap);
	for (uint32_t length = 0; length < tap.data_length; length++) {
		uint8_t *exact = test_malloc(length); /* a byte too far is the sanitizer's */
		memcpy(exact, tap.data, length);
		input(p.b, exact, length);
		test_free(exact);
	}
	for (uint32_t length = 0; length < tap.syn_length; length++) {
		uint8_t *exact = test_malloc(length);
		memcpy(exact, tap.syn, length);
		input(p.b, exact, length);
		test_free(exact);
	}
	struct stack_stats stats;
	p.b->ops->stats(p.b->stack, &stats);
	assert_in_range(stats.frames_dropped, 50, 100000);
	works(&p, c);
	wire_close(&p.wire);
}

static void every_bit_flipped(void **state)
{
	struct pair p;
	struct tap tap;
	(void)state;
	struct conn *c = tapped(&p, &tap);
	uint8_t *frame = test_malloc(tap.data_length);
	for (uint32_t bit = 0; bit < 60 * 8; bit++) {
		memcpy(frame, tap.data, tap.data_length);
		frame[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		uint32_t at = bit / 8 - TCP_AT;
		if (at == 13 || (at >= 4 && at < 8)) {
			continue; /* a right RST ends it, another sequence number is other data */
		}
		input(p.b, frame, tap.data_length);
	}
	test_free(frame);
	wire_run(&p.wire, 1000);
	works(&p, c);
	wire_close(&p.wire);
}

/* stack/patches 0002: upstream lwIP asserts in tcp_write() after this. */
static void mss_option_after_the_handshake(void **state)
{
	struct pair p;
	struct tap tap;
	(void)state;
	struct conn *c = tapped(&p, &tap);
	struct conn *s = host_conn(p.b, 0);
	p.wire.loss_percent = 100; /* B's segments stay queued */
	p.a->reads = true;
	conn_send(s, 300000, false);
	uint8_t frame[64];
	memcpy(frame, tap.data, 54);
	uint32_t seq = u32_at(frame + TCP_AT + 4) + 500;
	u32_put(frame + TCP_AT + 4, seq);
	frame[IP_AT + 2] = 0;
	frame[IP_AT + 3] = 44;
	frame[TCP_AT + 12] = 6 << 4;
	frame[TCP_AT + 13] = TCP_ACK;
	memcpy(frame + 54, "\x02\x04\x00\x01", 4); /* MSS 1 */
	input(p.b, frame, 58);
	conn_send(s, 100000, false);
	struct stack_tcp_info info;
	p.b->ops->tcp_info(s->tcp, &info);
	assert_int_equal(info.mss, 2760);
	p.wire.loss_percent = 0;
	wire_run(&p.wire, 10000);
	assert_int_equal(c->received, 400000);
	works(&p, c);
	wire_close(&p.wire);
}

/* stack/patches 0006: A opens with window 0, B writes, then A says 96. */
static void window_that_grows_from_nothing(void **state)
{
	struct pair p;
	struct tap tap;
	(void)state;
	(void)tapped(&p, &tap);
	p.a->is_authentic = true;
	p.wire.loss_percent = 100; /* the rest is A's voice alone */
	uint8_t frame[58];
	memcpy(frame, tap.syn, 58);
	frame[IP_AT + 3] = 44;
	frame[TCP_AT + 1] ^= 1;
	frame[TCP_AT + 12] = 6 << 4; /* the MSS option only */
	frame[TCP_AT + 14] = frame[TCP_AT + 15] = 0;
	tap.from = p.b;
	input(p.b, frame, 58);
	assert_int_equal(tap.syn[TCP_AT + 13], TCP_SYN | TCP_ACK);
	u32_put(frame + TCP_AT + 4, u32_at(frame + TCP_AT + 4) + 1);
	u32_put(frame + TCP_AT + 8, u32_at(tap.syn + TCP_AT + 4) + 1);
	frame[IP_AT + 3] = 40;
	frame[TCP_AT + 12] = 5 << 4;
	frame[TCP_AT + 13] = TCP_ACK;
	input(p.b, frame, 54);
	struct conn *s = host_conn(p.b, 1);
	assert_non_null(s);
	conn_send(s, 10000, false);
	frame[TCP_AT + 15] = 96;
	input(p.b, frame, 54);
	conn_send(s, 10000, false);
	assert_int_equal(s->sent, 20000);
	wire_run(&p.wire, 1000);
	assert_false(s->is_closed);
	wire_close(&p.wire);
}

/* stack/patches 0005: an option kind in the last byte of the header, its length beyond the segment.
 */
static void option_without_its_length(void **state)
{
	struct pair p;
	struct tap tap;
	(void)state;
	struct conn *c = tapped(&p, &tap);
	static const uint8_t kinds[] = { 2, 3, 4, 8, 77 };
	for (size_t i = 0; i < sizeof(kinds); i++) {
		uint8_t *exact = test_malloc(58);
		memcpy(exact, tap.syn, 58);
		exact[IP_AT + 3] = 44;
		exact[TCP_AT] = (uint8_t)(i + 1);
		exact[TCP_AT + 12] = 6 << 4;
		memcpy(exact + 54, (uint8_t[]){ 1, 1, 1, kinds[i] }, 4);
		input(p.b, exact, 58);
		test_free(exact);
	}
	works(&p, c);
	wire_close(&p.wire);
}

static void tiny_mss_in_a_syn(void **state)
{
	struct pair p;
	struct tap tap;
	(void)state;
	(void)tapped(&p, &tap);
	uint8_t *at = tap.syn + 54; /* MSS comes first */
	assert_int_equal(at[0], 2);
	at[2] = 0;
	at[3] = 1;
	tap.syn[TCP_AT + 1] ^= 1; /* another source port */
	input(p.b, tap.syn, tap.syn_length);
	/* A answers the SYN|ACK with RST; what counts is that B lives. */
	wire_run(&p.wire, 1000);
	wire_close(&p.wire);
}

static void rst_must_match_exactly(void **state)
{
	struct pair p;
	struct tap tap;
	(void)state;
	struct conn *c = tapped(&p, &tap);
	uint8_t frame[54];
	memcpy(frame, tap.data, 54);
	frame[IP_AT + 2] = 0;
	frame[IP_AT + 3] = 40;
	frame[TCP_AT + 12] = 5 << 4;
	frame[TCP_AT + 13] = TCP_RST;
	uint32_t next = u32_at(tap.data + TCP_AT + 4) + 500;
	u32_put(frame + TCP_AT + 4, next + 1000); /* in the window: RFC 5961 asks back */
	input(p.b, frame, 54);
	wire_run(&p.wire, 100);
	works(&p, c);
	wire_close(&p.wire);
}

/* Ones that the peer sends byte by byte are gathered: 100 KB of them cost no megabytes. */
static void single_bytes_are_gathered(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.b->reads = false;
	struct conn *c = pair_connect(&p), *s = host_conn(p.b, 0);
	p.a->ops->tcp_option_set(c->tcp, STACK_TCP_NODELAY, 1);
	struct stack_stats before, after;
	p.b->ops->stats(p.b->stack, &before);
	for (int i = 0; i < 20000; i++) {
		conn_send(c, 1, false);
		wire_run(&p.wire, 3);
	}
	p.b->ops->stats(p.b->stack, &after);
	assert_in_range(after.heap_bytes - before.heap_bytes, 20000, 40000);
	conn_read(s);
	assert_int_equal(s->received, 20000);
	assert_false(s->is_wrong);
	wire_close(&p.wire);
}

/* Whatever bytes arrive, also after a valid beginning. */
static void random_frames(void **state)
{
	struct pair p;
	struct tap tap;
	(void)state;
	struct conn *c = tapped(&p, &tap);
	for (int i = 0; i < 20000; i++) {
		uint32_t length = wire_random(&p.wire) % 120;
		uint32_t kept = wire_random(&p.wire) % 60;
		uint8_t *frame = test_malloc(length);
		for (uint32_t k = 0; k < length; k++) {
			frame[k] = k < kept && k < tap.data_length ? tap.data[k]
								   : (uint8_t)wire_random(&p.wire);
		}
		input(p.b, frame, length);
		test_free(frame);
	}
	wire_run(&p.wire, 130000);
	if (!c->is_closed && !host_conn(p.b, 0)->is_closed) { /* a random RST may have hit */
		works(&p, c);
	}
	struct conn *fresh = host_connect(p.a, "10.1.0.2", PORT, 51111);
	wire_run(&p.wire, 5000);
	assert_true(fresh->is_established);
	wire_close(&p.wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(every_bit_flipped),
		cmocka_unit_test(mss_option_after_the_handshake),
		cmocka_unit_test(window_that_grows_from_nothing),
		cmocka_unit_test(option_without_its_length),
		cmocka_unit_test(tiny_mss_in_a_syn),
		cmocka_unit_test(rst_must_match_exactly),
		cmocka_unit_test(single_bytes_are_gathered),
		cmocka_unit_test(random_frames),
	};
	return cmocka_run_group_tests_name("stack/abuse", tests, NULL, NULL);
}
