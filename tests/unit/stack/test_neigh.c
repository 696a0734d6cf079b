/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Neighbours (decision S15), addresses and routes, ICMP echo, checksums. */
#include "tests/unit/stack/stacktest.h"

#include <errno.h>

struct arp_log {
	struct host *from;
	unsigned requests, replies, broadcasts;
	uint32_t target;
	int64_t at_ms[32];
};

static bool arp_recorder(struct wire *w, struct host *from, const uint8_t *frame, uint32_t length)
{
	struct arp_log *log = w->filter_data;
	if (from == log->from && length >= 42 && frame[12] == 8 && frame[13] == 6) {
		bool is_request = frame[21] == 1;
		if (is_request && log->requests < 32) {
			log->at_ms[log->requests] = w->now_ms;
		}
		log->requests += is_request;
		log->replies += !is_request;
		log->broadcasts += frame[0] == 0xff;
		log->target = u32_at(frame + 38);
	}
	return true;
}

/* An ARP frame in `out` (42 bytes). */
static void arp_frame(uint8_t *out, const uint8_t *to, const uint8_t *from, uint8_t operation,
		      uint32_t sender_ip, uint32_t target_ip)
{
	memset(out, 0, 42);
	memcpy(out, to, 6);
	memcpy(out + 6, from, 6);
	memcpy(out + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00", 9);
	out[21] = operation;
	memcpy(out + 22, from, 6);
	u32_put(out + 28, sender_ip);
	u32_put(out + 38, target_ip);
}

static void input(struct host *h, const void *frame, uint32_t length, bool is_authentic)
{
	struct stack_frame f = { frame, length, is_authentic };
	h->ops->input(h->stack, &f, 1, h->wire->now_ms);
}

static void asks_once_a_second_and_then_gives_up(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct arp_log log = { .from = p.a };
	p.wire.filter = arp_recorder;
	p.wire.filter_data = &log;
	int64_t start = p.wire.now_ms;
	for (uint16_t i = 0; i < 10; i++) {
		(void)host_connect(p.a, "10.1.0.9", PORT, (uint16_t)(50000 + i));
	}
	wire_run(&p.wire, 10000);
	assert_int_equal(log.requests, 3);
	assert_int_equal(log.broadcasts, 3);
	assert_int_equal(log.target, 0x0a010009);
	assert_int_equal(log.at_ms[0], start);
	assert_int_equal(log.at_ms[1], start + 1000);
	assert_int_equal(log.at_ms[2], start + 2000);
	assert_int_equal(p.a->ops->deadline(p.a->stack), INT64_MAX);
	wire_close(&p.wire);
}

static void talking_hosts_never_ask_again(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = pair_connect(&p);
	struct arp_log log = { .from = p.a };
	p.wire.filter = arp_recorder;
	p.wire.filter_data = &log;
	for (int i = 0; i < 100; i++) {
		conn_send(c, 100, false);
		wire_run(&p.wire, 30000);
	}
	assert_int_equal(log.requests, 0);
	wire_run(&p.wire, 120000);
	p.wire.loss_percent = 100;
	conn_send(c, 100, false); /* old: used at once; without an answer its MAC is asked */
	wire_run(&p.wire, 500);
	p.wire.loss_percent = 0;
	wire_run(&p.wire, 5000);
	assert_int_equal(log.requests, 1);
	assert_int_equal(log.broadcasts, 0);
	assert_int_equal(host_conn(p.b, 0)->received, 10100);
	wire_close(&p.wire);
}

/* The peer moved to another MAC while we were idle. */
static void a_neighbour_that_moved_is_found_again(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct conn *c = pair_connect(&p);
	wire_run(&p.wire, 61000);
	p.b->mac[5] = 99; /* the wire no longer delivers to the old one */
	uint8_t frame[42];
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	arp_frame(frame, everybody, p.b->mac, 1, 0x0a010002, 0x0a010002);
	input(p.a, frame, sizeof(frame), true);
	bool goes_there = false;
	conn_send(c, 10, false);
	wire_run(&p.wire, 10);
	/* B drops it (its stack has the old MAC), but A has sent it to the new one. */
	goes_there = host_conn(p.b, 0)->received == 0;
	assert_true(goes_there);
	wire_close(&p.wire);
}

static void answers_for_its_addresses_only(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct arp_log log = { .from = p.b };
	p.wire.filter = arp_recorder;
	p.wire.filter_data = &log;
	uint8_t frame[42];
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	arp_frame(frame, everybody, p.a->mac, 1, 0x0a010001, 0x0a010003);
	input(p.b, frame, sizeof(frame), true);
	assert_int_equal(log.replies, 0);
	arp_frame(frame, everybody, p.a->mac, 1, 0x0a010001, 0x0a010002);
	input(p.b, frame, sizeof(frame), true);
	assert_int_equal(log.replies, 1);
	input(p.b, frame, sizeof(frame), false); /* bridged hosts ask too */
	assert_int_equal(log.replies, 2);
	wire_close(&p.wire);
}

static void conflict_is_reported_and_defended(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct arp_log log = { .from = p.b };
	p.wire.filter = arp_recorder;
	p.wire.filter_data = &log;
	uint8_t frame[42];
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	arp_frame(frame, everybody, p.a->mac, 1, 0x0a010002, 0x0a010002);
	for (int i = 0; i < 5; i++) {
		input(p.b, frame, sizeof(frame), true);
	}
	assert_int_equal(p.b->conflicts, 1); /* not for each frame */
	assert_int_equal(log.requests, 1);
	wire_run(&p.wire, 10001);
	input(p.b, frame, sizeof(frame), true);
	assert_int_equal(p.b->conflicts, 2);
	wire_close(&p.wire);
}

static void announces_and_subscribes_each_address_once(void **state)
{
	struct wire w;
	(void)state;
	wire_open(&w, 3);
	struct host *h = wire_host(&w, 1, NULL, 0);
	struct arp_log log = { .from = h };
	w.filter = arp_recorder;
	w.filter_data = &log;
	struct stack_ip list[2] = { ip_of("10.1.0.1", 0), ip_of("10.2.0.1", 0) };
	list[0].bits = list[1].bits = 24;
	assert_int_equal(h->ops->addresses_set(h->stack, list, 1), 0);
	assert_int_equal(log.requests, 1);
	assert_int_equal(log.target, 0x0a010001);
	assert_int_equal(h->ops->addresses_set(h->stack, list, 2), 0);
	assert_int_equal(log.requests, 2);
	assert_int_equal(log.target, 0x0a020001);
	assert_int_equal(h->ops->addresses_set(h->stack, list + 1, 1), 0);
	assert_int_equal(log.requests, 2);
	assert_int_equal(h->group_count, 3);
	assert_true(h->groups[0].adi == 0x0a010001 && h->groups[0].joined);
	assert_true(h->groups[1].adi == 0x0a020001 && h->groups[1].joined);
	assert_true(h->groups[2].adi == 0x0a010001 && !h->groups[2].joined);
	assert_int_equal(h->ops->deadline(h->stack), INT64_MAX);
	wire_close(&w);
}

static void bad_addresses_change_nothing(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct stack_ip list[STACK_MAX_ADDRESSES + 1];
	for (size_t i = 0; i <= STACK_MAX_ADDRESSES; i++) {
		list[i] = ip_of("10.9.0.1", 0);
		list[i].bytes[3] = (uint8_t)(i + 1);
	}
	const struct stack_ops *ops = p.a->ops;
	assert_int_equal(ops->addresses_set(p.a->stack, list, STACK_MAX_ADDRESSES + 1), -E2BIG);
	list[1].bytes[0] = 224;
	assert_int_equal(ops->addresses_set(p.a->stack, list, 2), -EINVAL);
	list[1].family = 7;
	assert_int_equal(ops->addresses_set(p.a->stack, list, 2), -EINVAL);
	static const char *const wrong[] = { "ff02::1", "::1", "::", "::ffff:10.9.0.2" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		list[1] = ip_of(wrong[i], 0);
		assert_int_equal(ops->addresses_set(p.a->stack, list, 2), -EINVAL);
	}
	struct conn *c = pair_connect(&p); /* 10.1.0.1 is still ours */
	assert_false(c->is_closed);
	assert_int_equal(ops->addresses_set(p.a->stack, list + 2, STACK_MAX_ADDRESSES - 2), 0);
	wire_close(&p.wire);
}

static void removing_an_address_aborts_its_connections(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct stack_ip both[2] = { ip_of("10.1.0.1", 0), ip_of("10.1.0.5", 0) };
	both[0].bits = both[1].bits = 24;
	assert_int_equal(p.a->ops->addresses_set(p.a->stack, both, 2), 0);
	struct conn *first = pair_connect(&p);
	struct stack_ip from = ip_of("10.1.0.5", 50000), to = ip_of("10.1.0.2", PORT);
	struct conn *second = &p.a->conns[HOST_CONNS - 1];
	*second = (struct conn){ .is_used = true, .host = p.a, .reads = true };
	assert_int_equal(p.a->ops->tcp_connect(p.a->stack, &from, &to, second, &second->tcp), 0);
	wire_run(&p.wire, 50);
	assert_true(second->is_established);
	assert_int_equal(p.a->ops->addresses_set(p.a->stack, both, 1), 0);
	wire_run(&p.wire, 50);
	assert_true(second->is_closed);
	assert_int_equal(second->error, ECONNABORTED);
	assert_false(first->is_closed);
	assert_true(host_conn(p.b, 1)->is_closed); /* by our RST */
	assert_int_equal(host_conn(p.b, 1)->error, ECONNRESET);
	conn_send(first, 1000, false);
	wire_run(&p.wire, 50);
	assert_int_equal(host_conn(p.b, 0)->received, 1000);
	wire_close(&p.wire);
}

/* A reaches 172.16/16 through B's address: the frame goes to B's MAC, the packet keeps its target.
 */
static void routes_with_via(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct stack_route routes[2] = { { ip_of("172.16.0.0", 0), ip_of("10.1.0.9", 0) },
					 { ip_of("172.16.5.0", 0), ip_of("10.1.0.2", 0) } };
	routes[0].target.bits = 16;
	routes[1].target.bits = 24;
	struct stack_ip remote = ip_of("172.16.5.1", PORT), source;
	assert_int_equal(p.a->ops->source_for(p.a->stack, &remote, &source), -ENETUNREACH);
	assert_int_equal(p.a->ops->routes_set(p.a->stack, routes, 2), 0);
	assert_int_equal(p.a->ops->source_for(p.a->stack, &remote, &source), 0);
	assert_memory_equal(source.bytes, "\x0a\x01\x00\x01", 4);
	struct stack_ip of_b[2] = { ip_of("10.1.0.2", 0), ip_of("172.16.5.1", 0) };
	of_b[0].bits = of_b[1].bits = 24;
	assert_int_equal(p.b->ops->addresses_set(p.b->stack, of_b, 2), 0);
	struct stack_route back = { ip_of("10.1.0.0", 0), { .family = 0 } };
	back.target.bits = 24;
	assert_int_equal(p.b->ops->routes_set(p.b->stack, &back, 1), 0);
	struct conn *c = host_connect(p.a, "172.16.5.1", PORT, 50000);
	assert_non_null(c->tcp);
	conn_send(c, 5000, false);
	wire_run(&p.wire, 200);
	assert_true(c->is_established);
	assert_int_equal(host_conn(p.b, 0)->received, 5000);
	assert_memory_equal(host_conn(p.b, 0)->local.bytes, "\xac\x10\x05\x01", 4);
	wire_close(&p.wire);
}

struct echo_log {
	struct host *from;
	unsigned replies;
	uint32_t length;
	bool is_equal;
};

static bool echo_recorder(struct wire *w, struct host *from, const uint8_t *frame, uint32_t length)
{
	struct echo_log *log = w->filter_data;
	if (from == log->from && length > 42 && frame[12] == 8 && frame[13] == 0 &&
	    frame[IP_AT + 9] == 1) {
		log->replies +=
		    frame[TCP_AT] == 0 || (frame[IP_AT + 7] | (frame[IP_AT + 6] & 31)) != 0;
		log->length += length - 34;
		log->is_equal = true;
		for (uint32_t i = 42; i < length && log->length == length - 34; i++) {
			log->is_equal &= frame[i] == pattern_byte(i);
		}
	}
	return true;
}

static uint16_t sum_of(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < length; i++) {
		sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

/* An echo request of `size` bytes of data from A to B into `frame`; returns its length. */
static uint32_t echo_request(const struct pair *p, uint8_t *frame, uint32_t size)
{
	memcpy(frame, p->b->mac, 6);
	memcpy(frame + 6, p->a->mac, 6);
	memcpy(frame + 12, "\x08\x00\x45\0\0\0\0\1\0\0\x40\x01\0\0\x0a\x01\0\x01\x0a\x01\0\x02",
	       22);
	frame[IP_AT + 2] = (uint8_t)((28 + size) >> 8);
	frame[IP_AT + 3] = (uint8_t)(28 + size);
	memcpy(frame + TCP_AT, "\x08\0\0\0\x12\x34\0\1", 8);
	for (uint32_t i = 42; i < 42 + size; i++) {
		frame[i] = pattern_byte(i);
	}
	uint16_t sum = sum_of(frame + IP_AT, 20);
	frame[IP_AT + 10] = (uint8_t)(sum >> 8);
	frame[IP_AT + 11] = (uint8_t)sum;
	sum = sum_of(frame + TCP_AT, size + 8);
	frame[TCP_AT + 2] = (uint8_t)(sum >> 8);
	frame[TCP_AT + 3] = (uint8_t)sum;
	return 42 + size;
}

static void echo_is_answered(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct echo_log log = { .from = p.b };
	p.wire.filter = echo_recorder;
	p.wire.filter_data = &log;
	static const uint32_t sizes[] = { 1, 56, 57, 1400, 2772 };
	uint8_t frame[4096];
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		log = (struct echo_log){ .from = p.b };
		input(p.b, frame, echo_request(&p, frame, sizes[i]), true);
		assert_int_equal(log.replies, 1);
		assert_int_equal(log.length, sizes[i] + 8);
		assert_true(log.is_equal);
	}
	struct stack_stats stats;
	p.b->ops->stats(p.b->stack, &stats);
	assert_int_equal(stats.icmp_echo_answered, 5);
	wire_close(&p.wire);
}

/* In three fragments, the middle one last; the answer comes in fragments too. */
static void fragments_are_put_together(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct echo_log log = { .from = p.b };
	p.wire.filter = echo_recorder;
	p.wire.filter_data = &log;
	uint8_t whole[8192], part[4096];
	uint32_t length = echo_request(&p, whole, 6000) - TCP_AT;
	static const uint32_t starts[] = { 0, 4000, 2000 };
	for (int i = 0; i < 3; i++) {
		uint32_t size = starts[i] == 4000 ? length - 4000 : 2000;
		memcpy(part, whole, TCP_AT);
		memcpy(part + TCP_AT, whole + TCP_AT + starts[i], size);
		uint32_t offset = starts[i] / 8 | (starts[i] == 4000 ? 0 : 0x2000);
		part[IP_AT + 2] = (uint8_t)((size + 20) >> 8);
		part[IP_AT + 3] = (uint8_t)(size + 20);
		part[IP_AT + 6] = (uint8_t)(offset >> 8);
		part[IP_AT + 7] = (uint8_t)offset;
		assert_int_equal(log.replies, 0);
		input(p.b, part, TCP_AT + size, true);
	}
	assert_int_equal(log.replies, 3);
	assert_int_equal(log.length, length);
	/* One fragment alone: forgotten after 15 s, and then nothing is timed. */
	part[IP_AT + 5] = 77;
	input(p.b, part, TCP_AT + 2000, true);
	struct stack_stats before, after;
	p.b->ops->stats(p.b->stack, &before);
	wire_run(&p.wire, 20000);
	p.b->ops->stats(p.b->stack, &after);
	assert_true(after.heap_bytes < before.heap_bytes);
	assert_int_equal(p.b->ops->deadline(p.b->stack), INT64_MAX);
	wire_close(&p.wire);
}

static void checksums_are_checked_unless_authentic(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct echo_log log = { .from = p.b };
	p.wire.filter = echo_recorder;
	p.wire.filter_data = &log;
	uint8_t frame[256];
	uint32_t length = echo_request(&p, frame, 57);
	input(p.b, frame, length, true); /* makes the neighbour known */
	assert_int_equal(log.replies, 1);
	input(p.b, frame, length, false);
	assert_int_equal(log.replies, 2);
	frame[IP_AT + 10] ^= 1;
	input(p.b, frame, length, false);
	assert_int_equal(log.replies, 2);
	input(p.b, frame, length, true);
	assert_int_equal(log.replies, 3);
	frame[IP_AT + 10] ^= 1;
	frame[50] ^= 1;
	input(p.b, frame, length, false);
	assert_int_equal(log.replies, 3);
	wire_close(&p.wire);
}

/* What we send carries right checksums: a peer that trusts nothing takes it all. */
static void generated_checksums_are_right(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	p.a->is_authentic = p.b->is_authentic = false;
	p.b->accept_to_send = 100001;
	struct conn *c = pair_connect(&p);
	conn_send(c, 77777, true);
	wire_run(&p.wire, 2000);
	assert_int_equal(c->received, 100001);
	assert_int_equal(host_conn(p.b, 0)->received, 77777);
	struct stack_stats stats;
	p.a->ops->stats(p.a->stack, &stats);
	assert_int_equal(stats.tcp_retransmitted, 0);
	wire_close(&p.wire);
}

static void the_table_is_bounded(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct stack_ip wide = ip_of("10.1.0.2", 0);
	wide.bits = 8;
	assert_int_equal(p.b->ops->addresses_set(p.b->stack, &wide, 1), 0);
	uint8_t frame[42], mac[6] = { 2, 0, 0, 0, 0, 0 };
	struct stack_stats stats;
	for (uint32_t i = 0; i < 10000; i++) {
		u32_put(mac + 2, i);
		arp_frame(frame, p.b->mac, mac, 1, 0x0a020000 + i, 0x0a010002);
		input(p.b, frame, sizeof(frame), true);
	}
	p.b->ops->stats(p.b->stack, &stats);
	assert_int_equal(stats.neighbours, 4096);
	assert_in_range(stats.heap_bytes, 1, 600000);
	/* The newest are there: nobody needs to be asked about them. */
	struct arp_log log = { .from = p.b };
	p.wire.filter = arp_recorder;
	p.wire.filter_data = &log;
	(void)host_connect(p.b, "10.2.39.15", PORT, 50000); /* i = 9999 */
	assert_int_equal(log.requests, 0);
	(void)host_connect(p.b, "10.2.0.1", PORT, 50001); /* long replaced */
	assert_int_equal(log.requests, 1);
	wire_close(&p.wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_once_a_second_and_then_gives_up),
		cmocka_unit_test(talking_hosts_never_ask_again),
		cmocka_unit_test(a_neighbour_that_moved_is_found_again),
		cmocka_unit_test(answers_for_its_addresses_only),
		cmocka_unit_test(conflict_is_reported_and_defended),
		cmocka_unit_test(announces_and_subscribes_each_address_once),
		cmocka_unit_test(bad_addresses_change_nothing),
		cmocka_unit_test(removing_an_address_aborts_its_connections),
		cmocka_unit_test(routes_with_via),
		cmocka_unit_test(echo_is_answered),
		cmocka_unit_test(fragments_are_put_together),
		cmocka_unit_test(checksums_are_checked_unless_authentic),
		cmocka_unit_test(generated_checksums_are_right),
		cmocka_unit_test(the_table_is_bounded),
	};
	return cmocka_run_group_tests_name("stack/neigh", tests, NULL, NULL);
}
