/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What ICMP errors do to TCP: errno of a connect, smaller segments, forgeries. Both families. */
#include "tests/unit/stack/stacktest.h"

#include <errno.h>

enum { IPV4_BYTES = 20, IPV6_BYTES = 40, ICMP_BYTES = 8, QUOTED = 500 };

/* A router on the way that says no. */
struct router {
	bool is_v6;
	struct host *to, *from; /* whom it tells, and in whose name */
	uint8_t type, code;
	uint32_t rest;     /* the four bytes after the checksum: the MTU, if any */
	uint32_t narrow;   /* only packets longer than this; 0 = every one */
	uint32_t sequence; /* added to the quoted one */
	bool lets_pass;    /* ... the packets that it complains about */
	bool is_silent;    /* from now on: drop, say nothing */
	unsigned told;
	uint32_t largest; /* packet that passed */
	bool may_be_cut;  /* an IPv4 segment of ours lacked "don't fragment" */
};

static void complain(struct wire *w, struct router *r, const uint8_t *frame, uint32_t length)
{
	uint8_t out[14 + IPV6_BYTES + ICMP_BYTES + QUOTED] = { 0 };
	uint32_t header = r->is_v6 ? IPV6_BYTES : IPV4_BYTES;
	uint32_t quoted = length - 14 < QUOTED ? length - 14 : QUOTED;
	uint8_t *ip = out + 14, *icmp = ip + header;
	memcpy(out, r->to->mac, 6);
	memcpy(out + 6, r->from->mac, 6);
	memcpy(out + 12, frame + 12, 2);
	if (r->is_v6) {
		ip[0] = 0x60;
		ip[4] = (uint8_t)((quoted + ICMP_BYTES) >> 8);
		ip[5] = (uint8_t)(quoted + ICMP_BYTES);
		ip[6] = 58;
		ip[7] = 64;
		memcpy(ip + 8, ip_of("fd00:1::2", 0).bytes, 16);
		memcpy(ip + 24, ip_of("fd00:1::1", 0).bytes, 16);
	} else {
		ip[0] = 0x45;
		ip[2] = (uint8_t)((header + ICMP_BYTES + quoted) >> 8);
		ip[3] = (uint8_t)(header + ICMP_BYTES + quoted);
		ip[8] = 64;
		ip[9] = 1;
		memcpy(ip + 12, ip_of("10.1.0.2", 0).bytes, 4);
		memcpy(ip + 16, ip_of("10.1.0.1", 0).bytes, 4);
	}
	icmp[0] = r->type;
	icmp[1] = r->code;
	u32_put(icmp + 4, r->rest);
	memcpy(icmp + ICMP_BYTES, frame + 14, quoted);
	uint8_t *sequence = icmp + ICMP_BYTES + header + 4;
	u32_put(sequence, u32_at(sequence) + r->sequence);
	r->told++;
	wire_inject(w, r->from, out, 14 + header + ICMP_BYTES + quoted);
}

static bool routed(struct wire *w, struct host *from, const uint8_t *frame, uint32_t length)
{
	struct router *r = w->filter_data;
	bool is_tcp_packet = r->is_v6 ? frame[12] == 0x86 && frame[20] == 6
				      : frame[12] == 8 && frame[13] == 0 && frame[23] == 6;
	r->may_be_cut |= !r->is_v6 && is_tcp_packet && frame[20] != 0x40;
	if (from != r->to || !is_tcp_packet || (r->narrow != 0 && length - 14 <= r->narrow)) {
		r->largest = is_tcp_packet && length - 14 > r->largest ? length - 14 : r->largest;
		return true;
	}
	if (r->is_silent) {
		return false;
	}
	complain(w, r, frame, length);
	return r->lets_pass;
}

static void open_routed(struct pair *p, struct router *r, bool is_v6)
{
	memset(p, 0, sizeof(*p));
	wire_open(&p->wire, 13);
	p->wire.delay_ms = 2;
	p->a = wire_host(&p->wire, 1, is_v6 ? "fd00:1::1" : "10.1.0.1", is_v6 ? 64 : 24);
	p->b = wire_host(&p->wire, 2, is_v6 ? "fd00:1::2" : "10.1.0.2", is_v6 ? 64 : 24);
	assert_int_equal(p->b->ops->tcp_listen(p->b->stack, PORT), 0);
	r->is_v6 = is_v6;
	r->to = p->a;
	r->from = p->b;
	p->a->is_authentic = p->b->is_authentic = true;
	p->wire.filter = routed;
	p->wire.filter_data = r;
}

static struct conn *connect_routed(struct pair *p, const struct router *r)
{
	return host_connect(p->a, r->is_v6 ? "fd00:1::2" : "10.1.0.2", PORT, 50000);
}

/* Linux's icmp_err_convert and icmpv6_err_convert; all of them end a connect. */
static void errno_of_a_connect(void **state)
{
	static const struct {
		uint8_t is_v6, type, code;
		int error;
	} rows[] = {
		{ 0, 3, 0, ENETUNREACH },   { 0, 3, 1, EHOSTUNREACH },  { 0, 3, 2, ENOPROTOOPT },
		{ 0, 3, 3, ECONNREFUSED },  { 0, 3, 5, EOPNOTSUPP },    { 0, 3, 6, ENETUNREACH },
		{ 0, 3, 7, EHOSTDOWN },     { 0, 3, 9, ENETUNREACH },   { 0, 3, 10, EHOSTUNREACH },
		{ 0, 3, 13, EHOSTUNREACH }, { 0, 11, 0, EHOSTUNREACH }, { 0, 12, 0, EPROTO },
		{ 1, 1, 0, ENETUNREACH },   { 1, 1, 1, EACCES },        { 1, 1, 2, EHOSTUNREACH },
		{ 1, 1, 3, EHOSTUNREACH },  { 1, 1, 4, ECONNREFUSED },  { 1, 1, 5, EACCES },
		{ 1, 1, 6, EACCES },        { 1, 3, 0, EHOSTUNREACH },  { 1, 4, 0, EPROTO },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pair p;
		struct router r = { .type = rows[i].type, .code = rows[i].code };
		open_routed(&p, &r, rows[i].is_v6);
		struct conn *c = connect_routed(&p, &r);
		wire_run(&p.wire, 100);
		assert_true(c->is_closed);
		assert_int_equal(c->error, rows[i].error);
		assert_int_equal(r.told, 1);
		wire_close(&p.wire);
	}
}

/* A sequence number that is not on its way: forged. The connection comes about. */
static void forged_errors_are_ignored(void **state)
{
	static const uint32_t off_by[] = { 2, 0x80000000u, (uint32_t)-2, 100000 };
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(off_by) / sizeof(off_by[0]); i++) {
		struct pair p;
		bool is_v6 = i % 2 == 1;
		struct router r = { .type = is_v6 ? 1 : 3,
				    .code = is_v6 ? 4 : 3,
				    .sequence = off_by[i / 2],
				    .lets_pass = true };
		open_routed(&p, &r, is_v6);
		struct conn *c = connect_routed(&p, &r);
		wire_run(&p.wire, 100);
		assert_true(c->is_established);
		assert_false(c->is_closed);
		assert_true(r.told > 0);
		wire_close(&p.wire);
	}
}

/* An established connection lives on; if it is given up later, ICMP's reason is told. */
static void an_established_connection_only_remembers(void **state)
{
	(void)state;
	for (int is_v6 = 0; is_v6 <= 1; is_v6++) {
		struct pair p;
		struct router r = { .type = is_v6 ? 1 : 3,
				    .code = is_v6 ? 0 : 1,
				    .narrow = 100000 };
		open_routed(&p, &r, is_v6);
		struct conn *c = connect_routed(&p, &r);
		wire_run(&p.wire, 100);
		assert_true(c->is_established);
		r.narrow = 100;
		r.lets_pass = true;
		conn_send(c, 5000, false);
		wire_run(&p.wire, 1000);
		assert_true(r.told > 0);
		assert_false(c->is_closed);
		assert_int_equal(host_conn(p.b, 0)->received, 5000);
		r.is_silent = true;
		conn_send(c, 5000, false);
		wire_run(&p.wire, 3600 * 1000);
		assert_true(c->is_closed);
		assert_int_equal(c->error, is_v6 ? ENETUNREACH : EHOSTUNREACH);
		wire_close(&p.wire);
	}
}

/* Beyond the router is a link that takes `mtu` bytes. */
static void transfer(bool is_v6, uint32_t mtu, uint32_t said, uint32_t fits)
{
	struct pair p;
	struct router r = {
		.type = is_v6 ? 2 : 3, .code = is_v6 ? 0 : 4, .narrow = mtu, .rest = said
	};
	open_routed(&p, &r, is_v6);
	struct conn *c = connect_routed(&p, &r);
	wire_run(&p.wire, 100);
	assert_true(c->is_established);
	conn_send(c, 300000, true);
	int64_t start = p.wire.now_ms;
	while (host_conn(p.b, 0)->received < 300000 && p.wire.now_ms < start + 20000) {
		wire_run(&p.wire, 10);
	}
	assert_int_equal(host_conn(p.b, 0)->received, 300000);
	assert_false(host_conn(p.b, 0)->is_wrong);
	assert_in_range(p.wire.now_ms - start, 0, 199); /* not one timeout */
	struct stack_tcp_info info;
	p.a->ops->tcp_info(c->tcp, &info);
	assert_int_equal(info.mss, fits - (is_v6 ? 60 : 40));
	assert_in_range(r.told, 1, 20);
	assert_false(r.may_be_cut);
	wire_close(&p.wire);
}

static void too_big_cuts_segments(void **state)
{
	(void)state;
	transfer(false, 1400, 1400, 1400);
	transfer(true, 1400, 1400, 1400);
	transfer(true, 1280, 1280, 1280);
	transfer(true, 1280, 600, 1280); /* RFC 8201 4: never below 1280 */
	transfer(false, 700, 100, 552);
	transfer(false, 700, 0, 552); /* an old router says no number */
}

static void forged_too_big_changes_nothing(void **state)
{
	(void)state;
	for (int is_v6 = 0; is_v6 <= 1; is_v6++) {
		struct pair p;
		struct stack_tcp_info before, after;
		struct router r = { .type = is_v6 ? 2 : 3,
				    .code = is_v6 ? 0 : 4,
				    .narrow = 1000,
				    .rest = 1300,
				    .sequence = 0x40000000,
				    .lets_pass = true };
		open_routed(&p, &r, is_v6);
		struct conn *c = connect_routed(&p, &r);
		wire_run(&p.wire, 100);
		p.a->ops->tcp_info(c->tcp, &before);
		conn_send(c, 100000, false);
		wire_run(&p.wire, 1000);
		p.a->ops->tcp_info(c->tcp, &after);
		assert_true(r.told > 0);
		assert_int_equal(before.mss, after.mss);
		/* a larger MTU than ours is no news either */
		r.sequence = 0;
		r.rest = 9000;
		conn_send(c, 100000, false);
		wire_run(&p.wire, 1000);
		p.a->ops->tcp_info(c->tcp, &after);
		assert_int_equal(before.mss, after.mss);
		assert_int_equal(host_conn(p.b, 0)->received, 200000);
		wire_close(&p.wire);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errno_of_a_connect),
		cmocka_unit_test(forged_errors_are_ignored),
		cmocka_unit_test(an_established_connection_only_remembers),
		cmocka_unit_test(too_big_cuts_segments),
		cmocka_unit_test(forged_too_big_changes_nothing),
	};
	return cmocka_run_group_tests_name("icmp and tcp", tests, NULL, NULL);
}
