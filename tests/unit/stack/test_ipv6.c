/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* IPv6: neighbour discovery, TCP, routes, both families beside each other. */
#include "tests/unit/stack/stacktest.h"

#include <errno.h>

enum { IP6_BYTES = 40, ICMP_AT = IP_AT + IP6_BYTES, NDP_FRAME = 14 + 40 + 32 };

static void pair6_open(struct pair *p, int64_t delay_ms)
{
	memset(p, 0, sizeof(*p));
	wire_open(&p->wire, 11);
	p->wire.delay_ms = delay_ms;
	p->a = wire_host(&p->wire, 1, "fd00:1::1", 64);
	p->b = wire_host(&p->wire, 2, "fd00:1::2", 64);
	assert_int_equal(p->b->ops->tcp_listen(p->b->stack, PORT), 0);
}

struct nd_log {
	struct host *from;
	unsigned solicitations, advertisements, to_groups;
	int64_t at_ms[8];
	uint8_t last[NDP_FRAME];
};

static bool nd_recorder(struct wire *w, struct host *from, const uint8_t *frame, uint32_t length)
{
	struct nd_log *log = w->filter_data;
	if (from == log->from && length == NDP_FRAME && frame[12] == 0x86 && frame[20] == 58) {
		bool is_question = frame[ICMP_AT] == 135;
		if (is_question && log->solicitations < 8) {
			log->at_ms[log->solicitations] = w->now_ms;
		}
		log->solicitations += is_question;
		log->advertisements += frame[ICMP_AT] == 136;
		log->to_groups += frame[0] == 0x33;
		memcpy(log->last, frame, length);
	}
	return true;
}

static void input(struct host *h, const void *frame, uint32_t length)
{
	struct stack_frame f = { frame, length, true };
	h->ops->input(h->stack, &f, 1, h->wire->now_ms);
}

/* A neighbour message in `out`; `option` 0 = none. */
static void nd_frame(uint8_t out[NDP_FRAME], const char *from, const char *to, uint8_t type,
		     const char *target, const uint8_t mac[6])
{
	struct stack_ip a = ip_of(from, 0), b = ip_of(to, 0), c = ip_of(target, 0);
	memset(out, 0, NDP_FRAME);
	memcpy(out, "\x33\x33\xff\0\0\2", 6);
	memcpy(out + 6, mac, 6);
	memcpy(out + 12, "\x86\xdd\x60\0\0\0\0\x20\x3a\xff", 10);
	memcpy(out + 22, a.bytes, 16);
	memcpy(out + 38, b.bytes, 16);
	out[ICMP_AT] = type;
	memcpy(out + ICMP_AT + 8, c.bytes, 16);
	out[ICMP_AT + 24] = type == 135 ? 1 : 2;
	out[ICMP_AT + 25] = 1;
	memcpy(out + ICMP_AT + 26, mac, 6);
}

static void streams_both_ways_with_loss(void **state)
{
	static const unsigned losses[] = { 0, 3, 10 };
	(void)state;
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		struct pair p;
		pair6_open(&p, 5);
		p.wire.loss_percent = losses[i];
		p.wire.reorder_percent = losses[i];
		p.a->is_authentic = p.b->is_authentic = false; /* checksums are right, too */
		p.b->accept_to_send = 300000;
		struct conn *c = host_connect(p.a, "fd00:1::2", PORT, 50000);
		assert_non_null(c->tcp);
		conn_send(c, 300001, true);
		wire_run(&p.wire, 120000);
		struct conn *s = host_conn(p.b, 0);
		assert_non_null(s);
		assert_int_equal(c->received, 300000);
		assert_int_equal(s->received, 300001);
		assert_false(c->is_wrong || s->is_wrong);
		assert_true(c->has_eof && s->has_eof);
		assert_int_equal(s->local.family, 6);
		assert_memory_equal(s->remote.bytes, ip_of("fd00:1::1", 0).bytes, 16);
		wire_close(&p.wire);
	}
}

/* The advertised MSS leaves room for the larger header. */
static void segments_fill_the_mtu(void **state)
{
	struct pair p;
	struct stack_tcp_info info;
	(void)state;
	pair6_open(&p, 1);
	struct conn *c = host_connect(p.a, "fd00:1::2", PORT, 50000);
	wire_run(&p.wire, 100);
	assert_true(c->is_established);
	p.a->ops->tcp_info(c->tcp, &info);
	assert_int_equal(info.mss, 2800 - 60);
	wire_close(&p.wire);
}

static void one_listener_serves_both_families(void **state)
{
	struct pair p;
	(void)state;
	pair_open(&p, 1);
	struct stack_ip of_a[2] = { ip_of("10.1.0.1", 0), ip_of("fd00:1::1", 0) };
	struct stack_ip of_b[2] = { ip_of("10.1.0.2", 0), ip_of("fd00:1::2", 0) };
	of_a[0].bits = of_b[0].bits = 24;
	of_a[1].bits = of_b[1].bits = 64;
	assert_int_equal(p.a->ops->addresses_set(p.a->stack, of_a, 2), 0);
	assert_int_equal(p.b->ops->addresses_set(p.b->stack, of_b, 2), 0);
	struct conn *four = host_connect(p.a, "10.1.0.2", PORT, 50000);
	struct conn *six = host_connect(p.a, "fd00:1::2", PORT, 50000);
	wire_run(&p.wire, 100);
	assert_true(four->is_established && six->is_established);
	/* The IPv6 address goes: its connection is aborted, the other lives. */
	assert_int_equal(p.a->ops->addresses_set(p.a->stack, of_a, 1), 0);
	wire_run(&p.wire, 100);
	assert_int_equal(six->error, ECONNABORTED);
	conn_send(four, 5000, false);
	wire_run(&p.wire, 100);
	assert_false(four->is_closed);
	struct stack_ip local = ip_of("10.1.0.1", 50001), remote = ip_of("fd00:1::2", PORT);
	struct stack_tcp *tcp;
	assert_int_equal(p.a->ops->tcp_connect(p.a->stack, &local, &remote, NULL, &tcp),
			 -ENETUNREACH);
	assert_int_equal(p.b->ops->tcp_connect(p.b->stack, &local, &of_a[1], NULL, &tcp),
			 -EADDRNOTAVAIL);
	wire_close(&p.wire);
}

static void a_closed_port_refuses(void **state)
{
	struct pair p;
	(void)state;
	pair6_open(&p, 1);
	struct conn *c = host_connect(p.a, "fd00:1::2", 81, 50000);
	wire_run(&p.wire, 100);
	assert_true(c->is_closed);
	assert_int_equal(c->error, ECONNREFUSED);
	wire_close(&p.wire);
}

static void asks_the_group_thrice_and_gives_up(void **state)
{
	struct pair p;
	(void)state;
	pair6_open(&p, 1);
	struct nd_log log = { .from = p.a };
	p.wire.filter = nd_recorder;
	p.wire.filter_data = &log;
	int64_t start = p.wire.now_ms;
	struct conn *c = host_connect(p.a, "fd00:1::1234:5678", PORT, 50000);
	wire_run(&p.wire, 10000);
	assert_int_equal(log.solicitations, 3);
	assert_int_equal(log.to_groups, 3);
	assert_memory_equal(log.last, "\x33\x33\xff\x34\x56\x78", 6);
	assert_memory_equal(log.last + 38, ip_of("ff02::1:ff34:5678", 0).bytes, 16);
	assert_int_equal(log.at_ms[2], start + 2000);
	assert_int_equal(c->error, EHOSTUNREACH);
	assert_int_equal(p.a->ops->deadline(p.a->stack), INT64_MAX);
	wire_close(&p.wire);
}

static void subscribes_announces_and_is_valid_at_once(void **state)
{
	struct wire w;
	(void)state;
	wire_open(&w, 3);
	struct host *h = wire_host(&w, 1, NULL, 0);
	struct nd_log log = { .from = h };
	w.filter = nd_recorder;
	w.filter_data = &log;
	/* The first two share the group of their last three bytes. */
	struct stack_ip list[3] = { ip_of("fd00:1::1:2:3", 0), ip_of("fd00:2::2:2:3", 0),
				    ip_of("fd00:3::4", 0) };
	list[1].bytes[13] = list[0].bytes[13];
	assert_int_equal(h->ops->addresses_set(h->stack, list, 3), 0);
	assert_int_equal(log.advertisements, 3);
	assert_int_equal(log.solicitations, 0); /* nobody is asked, nothing is waited for */
	assert_int_equal(h->group_count, 3);
	assert_memory_equal(h->groups[0].mac, "\x33\x33\xff\x02\x00\x03", 6);
	assert_memory_equal(h->groups[1].mac, "\x33\x33\x00\x00\x00\x01", 6);
	assert_memory_equal(h->groups[2].mac, "\x33\x33\xff\x00\x00\x04", 6);
	assert_int_equal(h->ops->addresses_set(h->stack, list + 1, 2), 0);
	assert_int_equal(h->group_count, 3); /* another address still needs the group */
	assert_int_equal(h->ops->addresses_set(h->stack, list + 2, 1), 0);
	assert_int_equal(h->group_count, 4);
	assert_false(h->groups[3].joined);
	assert_memory_equal(h->groups[3].mac, "\x33\x33\xff\x02\x00\x03", 6);
	assert_int_equal(h->ops->addresses_set(h->stack, list, 0), 0);
	assert_int_equal(h->group_count, 6);
	assert_int_equal(h->ops->deadline(h->stack), INT64_MAX);
	wire_close(&w);
}

static void answers_questions_from_any_address(void **state)
{
	struct pair p;
	uint8_t frame[NDP_FRAME];
	(void)state;
	pair6_open(&p, 1);
	struct nd_log log = { .from = p.b };
	p.wire.filter = nd_recorder;
	p.wire.filter_data = &log;
	nd_frame(frame, "fe80::1", "ff02::1:ff00:2", 135, "fd00:1::2", p.a->mac);
	input(p.b, frame, sizeof(frame));
	assert_int_equal(log.advertisements, 1);
	assert_memory_equal(log.last, p.a->mac, 6);
	assert_int_equal(log.last[ICMP_AT + 4], 0x60); /* solicited, override */
	nd_frame(frame, "fd00:1::1", "ff02::1:ff00:2", 135, "fd00:1::3", p.a->mac);
	input(p.b, frame, sizeof(frame));
	assert_int_equal(log.advertisements, 1); /* not ours */
	nd_frame(frame, "fd00:1::1", "ff02::1:ff00:2", 135, "fd00:1::2", p.a->mac);
	frame[21] = 254; /* forwarded */
	input(p.b, frame, sizeof(frame));
	assert_int_equal(log.advertisements, 1);
	frame[21] = 255;
	frame[ICMP_AT + 25] = 0; /* an option without length */
	input(p.b, frame, sizeof(frame));
	assert_int_equal(log.advertisements, 1);
	wire_close(&p.wire);
}

static void conflicts_are_reported_and_defended(void **state)
{
	struct pair p;
	uint8_t frame[NDP_FRAME];
	static const uint8_t other[6] = { 2, 9, 9, 9, 9, 9 };
	(void)state;
	pair6_open(&p, 1);
	struct nd_log log = { .from = p.b };
	p.wire.filter = nd_recorder;
	p.wire.filter_data = &log;
	nd_frame(frame, "fd00:1::2", "ff02::1", 136, "fd00:1::2", other);
	input(p.b, frame, sizeof(frame)); /* our address as a source */
	assert_int_equal(p.b->conflicts, 1);
	assert_int_equal(log.advertisements, 1);
	wire_run(&p.wire, 10001);
	nd_frame(frame, "fe80::9", "ff02::1", 136, "fd00:1::2", other);
	input(p.b, frame, sizeof(frame)); /* as a target */
	assert_int_equal(p.b->conflicts, 2);
	wire_run(&p.wire, 10001);
	nd_frame(frame, "::", "ff02::1:ff00:2", 135, "fd00:1::2", other);
	input(p.b, frame, sizeof(frame)); /* a probe for duplicates */
	assert_int_equal(p.b->conflicts, 3);
	assert_true(log.advertisements >= 3);
	wire_close(&p.wire);
}

static void routes_with_via(void **state)
{
	struct pair p;
	(void)state;
	pair6_open(&p, 1);
	struct stack_route routes[2] = { { ip_of("fd00:9::", 0), ip_of("fd00:1::9", 0) },
					 { ip_of("fd00:9:0:5::", 0), ip_of("fd00:1::2", 0) } };
	routes[0].target.bits = 32;
	routes[1].target.bits = 64;
	struct stack_ip remote = ip_of("fd00:9:0:5::7", PORT), source;
	assert_int_equal(p.a->ops->source_for(p.a->stack, &remote, &source), -ENETUNREACH);
	assert_int_equal(p.a->ops->routes_set(p.a->stack, routes, 2), 0);
	assert_int_equal(p.a->ops->source_for(p.a->stack, &remote, &source), 0);
	assert_memory_equal(source.bytes, ip_of("fd00:1::1", 0).bytes, 16);
	assert_int_equal(source.bits, 64);
	struct stack_ip of_b[2] = { ip_of("fd00:1::2", 0), remote };
	of_b[0].bits = of_b[1].bits = 64;
	assert_int_equal(p.b->ops->addresses_set(p.b->stack, of_b, 2), 0);
	struct conn *c = host_connect(p.a, "fd00:9:0:5::7", PORT, 50000);
	conn_send(c, 5000, false);
	wire_run(&p.wire, 200);
	assert_true(c->is_established);
	assert_int_equal(host_conn(p.b, 0)->received, 5000);
	/* A default route of one family is none of the other. */
	struct stack_route all = { ip_of("::", 0), ip_of("fd00:1::2", 0) };
	all.target.bits = 0;
	struct stack_ip four = ip_of("10.5.5.5", 0);
	assert_int_equal(p.a->ops->routes_set(p.a->stack, &all, 1), 0);
	assert_int_equal(p.a->ops->source_for(p.a->stack, &four, &source), -ENETUNREACH);
	routes[0].via = ip_of("10.1.0.1", 0); /* families must agree */
	assert_int_equal(p.a->ops->routes_set(p.a->stack, routes, 1), -EINVAL);
	wire_close(&p.wire);
}

/* IPv4 in IPv6's clothes must not reach what knows addresses by value. */
/* RFC 6724: scope before subnet, the subnet of the next hop before others. */
static void source_addresses(void **state)
{
	static const struct {
		const char *to, *from;
	} rows[] = {
		{ "fd77::9", "fd77::1" },         { "fd4b:1::9", "fd4b:1::1" },
		{ "fc9a:77::1", "fc9a:1::1" },    { "fe80::9", "fe80::1" },
		{ "2001:db8::1", "fd77::1" },     /* through fd77::2 */
		{ "2001:db8:1::1", "fd4b:1::1" }, /* through fe80::2: any of ours but link-local */
		{ "ff02::fb", "fe80::1" },        { "ff05::fb", "fd4b:1::1" },
	};
	static const struct {
		const char *text;
		uint8_t bits;
	} own[] = {
		{ "fe80::1", 64 },
		{ "fd4b:1::1", 88 },
		{ "fc9a:1::1", 16 },
		{ "fd77::1", 64 },
	};
	struct wire w;
	struct stack_ip list[4], to, source;
	(void)state;
	wire_open(&w, 3);
	struct host *h = wire_host(&w, 1, NULL, 0);
	for (size_t i = 0; i < 4; i++) {
		list[i] = ip_of(own[i].text, 0);
		list[i].bits = own[i].bits;
	}
	struct stack_route routes[2] = { { ip_of("2001:db8::", 0), ip_of("fd77::2", 0) },
					 { ip_of("2001:db8:1::", 0), ip_of("fe80::2", 0) } };
	routes[0].target.bits = routes[1].target.bits = 48;
	assert_int_equal(h->ops->addresses_set(h->stack, list, 4), 0);
	assert_int_equal(h->ops->routes_set(h->stack, routes, 2), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		to = ip_of(rows[i].to, 0);
		assert_int_equal(h->ops->source_for(h->stack, &to, &source), 0);
		if (memcmp(source.bytes, ip_of(rows[i].from, 0).bytes, 16) != 0) {
			fail_msg("towards %s", rows[i].to);
		}
	}
	wire_close(&w);
}

static void mapped_addresses_are_dropped(void **state)
{
	struct pair p;
	uint8_t frame[NDP_FRAME];
	struct stack_stats before, after;
	(void)state;
	pair6_open(&p, 1);
	struct stack_ip both[2] = { ip_of("10.1.0.2", 0), ip_of("fd00:1::2", 0) };
	both[0].bits = 24;
	both[1].bits = 64;
	assert_int_equal(p.b->ops->addresses_set(p.b->stack, both, 2), 0);
	p.b->ops->stats(p.b->stack, &before);
	nd_frame(frame, "::ffff:10.1.0.2", "fd00:1::2", 136, "fd00:1::2", p.a->mac);
	input(p.b, frame, sizeof(frame));
	nd_frame(frame, "fd00:1::1", "::ffff:10.1.0.2", 136, "fd00:1::2", p.a->mac);
	input(p.b, frame, sizeof(frame));
	nd_frame(frame, "fd00:1::1", "fd00:1::2", 135, "::ffff:10.1.0.2", p.a->mac);
	input(p.b, frame, sizeof(frame));
	p.b->ops->stats(p.b->stack, &after);
	assert_int_equal(after.frames_dropped - before.frames_dropped, 3);
	assert_int_equal(after.neighbours, before.neighbours + 1); /* the third's sender */
	assert_int_equal(p.b->conflicts, 0);
	wire_close(&p.wire);
}

/* A SYN behind extension headers with options that run out of the packet: lwIP never sees them. */
static void options_do_not_reach_lwip(void **state)
{
	struct pair p;
	uint8_t frame[14 + 40 + 16 + 20];
	(void)state;
	pair6_open(&p, 1);
	for (uint32_t filler = 0; filler < 256; filler++) {
		nd_frame(frame, "fd00:1::1", "fd00:1::2", 0, "::1", p.a->mac);
		memcpy(frame, p.b->mac, 6);
		frame[19] = 36; /* two headers of 8 bytes and TCP's 20 */
		frame[20] = 0;
		memset(frame + ICMP_AT, (int)filler, 16);
		memcpy(frame + ICMP_AT, "\x3c\0", 2);
		memcpy(frame + ICMP_AT + 8, "\x06\0", 2);
		memcpy(frame + ICMP_AT + 16, "\x40\0\0\x50\0\0\0\1\0\0\0\0\x50\2\x40\0\0\0\0\0",
		       20);
		frame[ICMP_AT + 17] = (uint8_t)filler;       /* another port each time */
		uint8_t *exact = test_malloc(sizeof(frame)); /* a byte too far is the sanitizer's */
		memcpy(exact, frame, sizeof(frame));
		input(p.b, exact, sizeof(frame));
		test_free(exact);
		assert_int_equal(p.b->admit_calls, filler + 1);
	}
	frame[ICMP_AT + 1] = 9; /* longer than the packet */
	input(p.b, frame, sizeof(frame));
	assert_int_equal(p.b->admit_calls, 256);
	wire_close(&p.wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_both_ways_with_loss),
		cmocka_unit_test(segments_fill_the_mtu),
		cmocka_unit_test(one_listener_serves_both_families),
		cmocka_unit_test(a_closed_port_refuses),
		cmocka_unit_test(asks_the_group_thrice_and_gives_up),
		cmocka_unit_test(subscribes_announces_and_is_valid_at_once),
		cmocka_unit_test(answers_questions_from_any_address),
		cmocka_unit_test(conflicts_are_reported_and_defended),
		cmocka_unit_test(routes_with_via),
		cmocka_unit_test(source_addresses),
		cmocka_unit_test(mapped_addresses_are_dropped),
		cmocka_unit_test(options_do_not_reach_lwip),
	};
	return cmocka_run_group_tests_name("stack/ipv6", tests, NULL, NULL);
}
