/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* UDP, ICMP echo and errors, groups and fragments, over both families. */
#include "tests/unit/stack/stacktest.h"

#include <errno.h>

/* Two hosts with 10.1.0.N/24 and fd00:1::N/64. */
static void both_open(struct pair *p)
{
	memset(p, 0, sizeof(*p));
	wire_open(&p->wire, 13);
	struct host **hosts[2] = { &p->a, &p->b };
	for (uint8_t i = 0; i < 2; i++) {
		struct stack_ip list[2] = { ip_of("10.1.0.0", 0), ip_of("fd00:1::", 0) };
		list[0].bytes[3] = list[1].bytes[15] = (uint8_t)(i + 1);
		list[0].bits = 24;
		list[1].bits = 64;
		struct host *h = *hosts[i] = wire_host(&p->wire, (uint8_t)(i + 1), NULL, 0);
		assert_int_equal(h->ops->addresses_set(h->stack, list, 2), 0);
		h->is_authentic = false; /* our checksums are looked at */
		h->group_count = 0;
	}
}

static const char *const OF_A[2] = { "10.1.0.1", "fd00:1::1" };
static const char *const OF_B[2] = { "10.1.0.2", "fd00:1::2" };

static int send_to(struct host *h, const char *to, uint16_t port, uint32_t length)
{
	static uint8_t bytes[70000];
	struct stack_ip local = { .port = 5000 }, remote = ip_of(to, port);
	struct stack_marks marks = { .tos = 0x28, .ttl = 33 };
	for (uint32_t i = 0; i < length; i++) {
		bytes[i] = pattern_byte(i);
	}
	struct iovec iov[2] = { { bytes, length / 3 },
				{ bytes + length / 3, length - length / 3 } };
	return h->ops->udp_send(h->stack, &local, &remote, &marks, iov, 2);
}

static uint64_t sum_of_pattern(uint32_t length)
{
	uint64_t sum = length;
	for (uint32_t i = 0; i < length; i++) {
		sum += pattern_byte(i) * (uint64_t)(i + 1);
	}
	return sum;
}

static void datagrams_of_every_size(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 1399, 2752, 2753, 2772, 2773, 9000, 65507 };
	struct pair p;
	(void)state;
	both_open(&p);
	assert_int_equal(p.b->ops->udp_open(p.b->stack, 53, STACK_V4 | STACK_V6), 0);
	size_t n = 0;
	for (int family = 0; family < 2; family++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++, n++) {
			assert_int_equal(send_to(p.a, OF_B[family], 53, sizes[i]), 0);
			wire_run(&p.wire, 10);
			assert_int_equal(p.b->datagram_count, n + 1);
			const struct heard *d = &p.b->datagrams[n];
			assert_int_equal(d->length, sizes[i]);
			assert_true(d->sum == sum_of_pattern(sizes[i]));
			assert_int_equal(d->tos, 0x28);
			assert_int_equal(d->ttl, 33);
			assert_int_equal(d->remote.port, 5000);
			assert_int_equal(d->local.port, 53);
			assert_memory_equal(d->remote.bytes, ip_of(OF_A[family], 0).bytes,
					    family ? 16 : 4);
			assert_memory_equal(d->local.bytes, ip_of(OF_B[family], 0).bytes,
					    family ? 16 : 4);
		}
	}
	assert_int_equal(send_to(p.a, OF_B[0], 53, 65508), -EMSGSIZE);
	assert_int_equal(send_to(p.a, OF_B[1], 53, 65528), -EMSGSIZE);
	assert_int_equal(p.a->ops->deadline(p.a->stack), INT64_MAX);
	assert_int_equal(p.b->ops->deadline(p.b->stack), INT64_MAX);
	wire_close(&p.wire);
}

static void what_cannot_be_sent(void **state)
{
	struct pair p;
	(void)state;
	both_open(&p);
	assert_int_equal(send_to(p.a, "172.16.0.1", 53, 1), -ENETUNREACH);
	assert_int_equal(send_to(p.a, "fd00:2::1", 53, 1), -ENETUNREACH);
	assert_int_equal(send_to(p.a, OF_A[0], 53, 1), -ENETUNREACH); /* the short cut's */
	assert_int_equal(send_to(p.a, OF_B[0], 0, 1), -EINVAL);
	struct stack_ip local = ip_of("10.1.0.9", 5000), remote = ip_of(OF_B[0], 53);
	struct stack_marks marks = { .dont_fragment = true };
	static uint8_t bytes[4000];
	struct iovec iov = { bytes, 2773 };
	const struct stack_ops *ops = p.a->ops;
	assert_int_equal(ops->udp_send(p.a->stack, &local, &remote, &marks, &iov, 1),
			 -EADDRNOTAVAIL);
	local.family = 0;
	assert_int_equal(ops->udp_send(p.a->stack, &local, &remote, &marks, &iov, 1), -EMSGSIZE);
	iov.iov_len = 2772;
	assert_int_equal(ops->udp_send(p.a->stack, &local, &remote, &marks, &iov, 1), 0);
	assert_int_equal(ops->udp_open(p.a->stack, 0, STACK_V4), -EINVAL);
	assert_int_equal(ops->udp_open(p.a->stack, 1, 4), -EINVAL);
	assert_int_equal(ops->udp_open(p.a->stack, 1, 0), -EINVAL);
	wire_close(&p.wire);
}

static void closed_ports_say_so(void **state)
{
	struct pair p;
	(void)state;
	both_open(&p);
	for (int family = 0; family < 2; family++) {
		assert_int_equal(p.a->ops->udp_open(p.a->stack, 5000, family ? STACK_V6 : STACK_V4),
				 0);
		assert_int_equal(send_to(p.a, OF_B[family], 99, 100), 0);
		wire_run(&p.wire, 10);
		assert_int_equal(p.a->report_count, family + 1);
		const struct stack_unreachable *u = &p.a->reports[family];
		assert_int_equal(u->error, ECONNREFUSED);
		assert_int_equal(u->protocol, 17);
		assert_int_equal(u->local.port, 5000);
		assert_int_equal(u->remote.port, 99);
		assert_memory_equal(u->remote.bytes, ip_of(OF_B[family], 0).bytes, family ? 16 : 4);
	}
	/* Families are apart: a port open for IPv4 is closed for IPv6. */
	assert_int_equal(p.b->ops->udp_open(p.b->stack, 99, STACK_V4), 0);
	assert_int_equal(send_to(p.a, OF_B[0], 99, 1), 0);
	assert_int_equal(send_to(p.a, OF_B[1], 99, 1), 0);
	wire_run(&p.wire, 10);
	assert_int_equal(p.b->datagram_count, 1);
	assert_int_equal(p.a->report_count, 3);
	/* A port can be open and a datagram still be nobody's. */
	p.b->refuses_datagrams = true;
	assert_int_equal(send_to(p.a, OF_B[0], 99, 1), 0);
	wire_run(&p.wire, 10);
	assert_int_equal(p.b->datagram_count, 2);
	assert_int_equal(p.a->report_count, 4);
	assert_int_equal(p.a->reports[3].error, ECONNREFUSED);
	/* Nobody is told about a port that was closed meanwhile. */
	p.a->ops->udp_close(p.a->stack, 5000, STACK_V4 | STACK_V6);
	assert_int_equal(send_to(p.a, OF_B[1], 99, 1), 0);
	wire_run(&p.wire, 10);
	assert_int_equal(p.a->report_count, 4);
	wire_close(&p.wire);
}

static void errors_are_limited(void **state)
{
	struct pair p;
	struct stack_stats stats;
	(void)state;
	both_open(&p);
	wire_run(&p.wire, 10000);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(send_to(p.a, OF_B[0], 99, 1), 0);
		if (i == 0) {
			wire_run(&p.wire, 10); /* resolve */
		}
	}
	wire_run(&p.wire, 2);
	p.b->ops->stats(p.b->stack, &stats);
	assert_int_equal(stats.udp_no_port, 1000);
	assert_in_range(stats.icmp_errors_out, 50, 52);
	wire_run(&p.wire, 1000);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(send_to(p.a, OF_B[0], 99, 1), 0);
	}
	wire_run(&p.wire, 2);
	p.b->ops->stats(p.b->stack, &stats);
	assert_in_range(stats.icmp_errors_out, 100, 103);
	wire_close(&p.wire);
}

static void a_silent_neighbour_is_reported(void **state)
{
	struct pair p;
	(void)state;
	both_open(&p);
	static const char *const nobody[2] = { "10.1.0.77", "fd00:1::77" };
	assert_int_equal(p.a->ops->udp_open(p.a->stack, 5000, STACK_V4 | STACK_V6), 0);
	for (int family = 0; family < 2; family++) {
		assert_int_equal(send_to(p.a, nobody[family], 53, 9), 0);
		wire_run(&p.wire, 2999);
		assert_int_equal(p.a->report_count, family);
		wire_run(&p.wire, 10);
		assert_int_equal(p.a->report_count, family + 1);
		assert_int_equal(p.a->reports[family].error, EHOSTUNREACH);
		assert_int_equal(p.a->reports[family].remote.port, 53);
	}
	assert_int_equal(p.a->ops->deadline(p.a->stack), INT64_MAX);
	wire_close(&p.wire);
}

static void ports_are_counted(void **state)
{
	struct pair p;
	(void)state;
	both_open(&p);
	const struct stack_ops *ops = p.b->ops;
	/* Many, in an order that moves what is there. */
	for (uint32_t i = 0; i < 1000; i++) {
		uint16_t port = (uint16_t)(1 + i * 7919 % 1000);
		assert_int_equal(ops->udp_open(p.b->stack, port, STACK_V4), 0);
	}
	assert_int_equal(p.b->group_count, 1); /* broadcasts, once */
	assert_true(p.b->groups[0].joined && p.b->groups[0].adi == 0);
	assert_int_equal(ops->udp_open(p.b->stack, 500, STACK_V4), 0);
	for (uint16_t port = 1; port <= 1000; port++) {
		ops->udp_close(p.b->stack, port, STACK_V4 | STACK_V6);
	}
	assert_int_equal(send_to(p.a, OF_B[0], 500, 1), 0); /* open once more */
	assert_int_equal(send_to(p.a, OF_B[0], 501, 1), 0);
	wire_run(&p.wire, 10);
	assert_int_equal(p.b->datagram_count, 1);
	assert_int_equal(p.b->group_count, 1);
	ops->udp_close(p.b->stack, 500, STACK_V4);
	assert_int_equal(p.b->group_count, 2);
	assert_false(p.b->groups[1].joined);
	for (int i = 0; i < 255; i++) {
		assert_int_equal(ops->udp_open(p.b->stack, 7, STACK_V6), 0);
	}
	assert_int_equal(ops->udp_open(p.b->stack, 7, STACK_V4 | STACK_V6), -ENOBUFS);
	assert_int_equal(p.b->group_count, 2); /* nothing of it was done */
	wire_close(&p.wire);
}

static void broadcasts_reach_open_ports(void **state)
{
	struct pair p;
	(void)state;
	both_open(&p);
	assert_int_equal(p.b->ops->udp_open(p.b->stack, 67, STACK_V4 | STACK_V6), 0);
	assert_int_equal(send_to(p.a, "255.255.255.255", 67, 10), 0);
	assert_int_equal(send_to(p.a, "10.1.0.255", 67, 5000), 0); /* in fragments */
	assert_int_equal(send_to(p.a, "10.1.0.255", 68, 10), 0);   /* closed: silence */
	wire_run(&p.wire, 10);
	assert_int_equal(p.b->datagram_count, 2);
	assert_memory_equal(p.b->datagrams[0].local.bytes, "\xff\xff\xff\xff", 4);
	assert_memory_equal(p.b->datagrams[0].remote.bytes, "\x0a\x01\x00\x01", 4);
	assert_int_equal(p.b->datagrams[1].length, 5000);
	struct stack_stats stats;
	p.b->ops->stats(p.b->stack, &stats);
	assert_int_equal(stats.icmp_errors_out, 0);
	wire_close(&p.wire);
}

static void groups_are_joined_and_left(void **state)
{
	struct pair p;
	(void)state;
	both_open(&p);
	static const char *const groups[2] = { "224.0.0.251", "ff02::fb" };
	static const char *const macs[2] = { "\x01\x00\x5e\x00\x00\xfb",
					     "\x33\x33\x00\x00\x00\xfb" };
	const struct stack_ops *ops = p.b->ops;
	assert_int_equal(ops->udp_open(p.b->stack, 5353, STACK_V4 | STACK_V6), 0);
	p.b->group_count = 0;
	for (size_t family = 0; family < 2; family++) {
		struct stack_ip group = ip_of(groups[family], 0);
		size_t before = p.b->datagram_count;
		assert_int_equal(send_to(p.a, groups[family], 5353, 10), 0);
		wire_run(&p.wire, 10);
		assert_int_equal(p.b->datagram_count, before);
		assert_int_equal(ops->group_join(p.b->stack, &group), 0);
		assert_int_equal(ops->group_join(p.b->stack, &group), 0);
		assert_int_equal(p.b->group_count, 2 * family + 1);
		assert_memory_equal(p.b->groups[2 * family].mac, macs[family], 6);
		assert_int_equal(send_to(p.a, groups[family], 5353, 10), 0);
		wire_run(&p.wire, 10);
		assert_int_equal(p.b->datagram_count, before + 1);
		assert_memory_equal(p.b->datagrams[before].local.bytes, group.bytes,
				    family ? 16 : 4);
		assert_int_equal(ops->group_leave(p.b->stack, &group), 0);
		assert_int_equal(p.b->group_count, 2 * family + 1);
		assert_int_equal(ops->group_leave(p.b->stack, &group), 0);
		assert_int_equal(p.b->group_count, 2 * family + 2);
		assert_false(p.b->groups[2 * family + 1].joined);
		assert_int_equal(ops->group_leave(p.b->stack, &group), -EADDRNOTAVAIL);
	}
	struct stack_ip no_group = ip_of("10.1.0.2", 0);
	assert_int_equal(ops->group_join(p.b->stack, &no_group), -EINVAL);
	/* A bound, beyond which our own addresses still get theirs. */
	struct stack_ip group = ip_of("239.1.0.0", 0);
	int joined = 0;
	for (int i = 0; i < 1000; i++) {
		group.bytes[2] = (uint8_t)(i >> 8);
		group.bytes[3] = (uint8_t)i;
		p.b->group_count = 0;
		joined += ops->group_join(p.b->stack, &group) == 0;
	}
	assert_in_range(joined, 200, 256);
	struct stack_ip other = ip_of("fd00:1::abcd", 0);
	assert_int_equal(ops->addresses_set(p.b->stack, &other, 1), 0);
	assert_memory_equal(p.b->groups[p.b->group_count - 2].mac, "\x33\x33\xff\x00\xab\xcd", 6);
	wire_close(&p.wire);
}

static void echo_both_ways(void **state)
{
	static const uint32_t sizes[] = { 8, 64, 1408, 2780, 9000, 65515 };
	static uint8_t message[65536];
	struct pair p;
	(void)state;
	both_open(&p);
	struct stack_marks marks = { .ttl = 9, .tos = 4 };
	size_t n = 0;
	for (int family = 0; family < 2; family++) {
		struct stack_ip local = { .port = 0x4321 }, remote = ip_of(OF_B[family], 0);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++, n++) {
			for (uint32_t k = 0; k < sizes[i]; k++) {
				message[k] = pattern_byte(k);
			}
			message[6] = 0;
			message[7] = (uint8_t)n; /* sequence number */
			struct iovec iov = { message, sizes[i] };
			assert_int_equal(
			    p.a->ops->echo_send(p.a->stack, &local, &remote, &marks, &iov, 1), 0);
			wire_run(&p.wire, 20);
			assert_int_equal(p.a->echo_count, n + 1);
			const struct heard *d = &p.a->echoes[n];
			assert_int_equal(d->length, sizes[i]);
			assert_int_equal(d->local.port, 0x4321);
			assert_int_equal(d->bytes[0], family ? 129 : 0);
			assert_int_equal(d->bytes[4], 0x43);
			assert_int_equal(d->bytes[7], n);
			assert_int_equal(d->ttl, 64);
			assert_int_equal(d->tos, 4);
			assert_memory_equal(d->remote.bytes, remote.bytes, family ? 16 : 4);
			/* All but the eight bytes of the header came back as they were. */
			memcpy(message, d->bytes, 8);
			assert_true(d->sum == sum_of_bytes(message, sizes[i]));
		}
	}
	struct stack_ip local = { .port = 1 }, remote = ip_of("10.1.0.66", 0);
	struct iovec small = { message, 7 }, whole = { message, 8 };
	const struct stack_ops *ops = p.a->ops;
	assert_int_equal(ops->echo_send(p.a->stack, &local, &remote, &marks, &small, 1), -EINVAL);
	assert_int_equal(ops->echo_send(p.a->stack, &local, &remote, &marks, &whole, 1), 0);
	wire_run(&p.wire, 5000);
	assert_int_equal(p.a->report_count, 1);
	assert_int_equal(p.a->reports[0].protocol, 1);
	assert_int_equal(p.a->reports[0].local.port, 1);
	wire_close(&p.wire);
}

/* --- Fragments. */

static void input(struct host *h, const void *frame, uint32_t length)
{
	uint8_t *exact = test_malloc(length); /* a byte too far is the sanitizer's */
	memcpy(exact, frame, length);
	struct stack_frame f = { exact, length, true };
	h->ops->input(h->stack, &f, 1, h->wire->now_ms);
	test_free(exact);
}

static void bytes_put(uint8_t *at, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		at[i] = (uint8_t)bytes[i];
	}
}

static void header_v6(uint8_t *frame, uint8_t id, uint32_t offset, uint32_t length, bool has_more)
{
	bytes_put(frame + 12, "\x86\xdd\x60", 3);
	frame[18] = (uint8_t)((length + 8) >> 8);
	frame[19] = (uint8_t)(length + 8);
	frame[20] = 44;
	frame[21] = 64;
	memcpy(frame + 22, ip_of(OF_A[1], 0).bytes, 16);
	memcpy(frame + 38, ip_of(OF_B[1], 0).bytes, 16);
	frame[54] = 17;
	frame[56] = (uint8_t)(offset >> 8);
	frame[57] = (uint8_t)((offset & 0xf8) | has_more);
	frame[61] = id;
}

static void header_v4(uint8_t *frame, uint8_t id, uint32_t offset, uint32_t length, bool has_more)
{
	bytes_put(frame + 12, "\x08\x00\x45", 3);
	frame[16] = (uint8_t)((length + 20) >> 8);
	frame[17] = (uint8_t)(length + 20);
	frame[19] = id;
	frame[20] = (uint8_t)((offset >> 11) | (has_more ? 0x20 : 0));
	frame[21] = (uint8_t)(offset >> 3);
	frame[22] = 64;
	frame[23] = 17;
	memcpy(frame + 26, ip_of(OF_A[0], 0).bytes, 4);
	memcpy(frame + 30, ip_of(OF_B[0], 0).bytes, 4);
}

struct part {
	uint32_t offset, length;
	bool has_more;
};

/* A fragment of a datagram of zeros from A to port 53 of B. */
static uint32_t fragment(const struct pair *p, uint8_t *frame, bool is_v6, uint8_t id,
			 struct part part)
{
	uint32_t at = 14 + (is_v6 ? 48 : 20);
	memset(frame, 0, at + part.length);
	memcpy(frame, p->b->mac, 6);
	memcpy(frame + 6, p->a->mac, 6);
	(is_v6 ? header_v6 : header_v4)(frame, id, part.offset, part.length, part.has_more);
	if (part.offset == 0) { /* UDP: 5000 to 53, 3000 bytes in all, some checksum */
		bytes_put(frame + at, "\x13\x88\x00\x35\x0b\xb8\x01\x01", 8);
	}
	return at + part.length;
}

static void fragments_in_any_order(void **state)
{
	struct pair p;
	uint8_t frame[4096];
	(void)state;
	both_open(&p);
	assert_int_equal(p.b->ops->udp_open(p.b->stack, 53, STACK_V4 | STACK_V6), 0);
	static const uint32_t starts[] = { 0, 1000, 2000 };
	static const uint8_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	size_t n = 0;
	for (size_t i = 0; i < 12; i++) {
		for (size_t k = 0; k < 3; k++) {
			uint32_t start = starts[orders[i % 6][k]];
			uint32_t length = fragment(&p, frame, i >= 6, (uint8_t)i,
						   (struct part){ start, 1000, start != 2000 });
			input(p.b, frame, length);
			if (k == 1) {
				input(p.b, frame, length); /* twice does no harm */
			}
			assert_int_equal(p.b->datagram_count, k == 2 ? n + 1 : n);
		}
		assert_int_equal(p.b->datagrams[n].length, 2992);
		assert_int_equal(p.b->datagrams[n].remote.port, 5000);
		n++;
	}
	assert_int_equal(p.b->ops->deadline(p.b->stack), INT64_MAX);
	wire_close(&p.wire);
}

static void bad_fragments_are_dropped(void **state)
{
	struct pair p;
	uint8_t frame[4096];
	(void)state;
	both_open(&p);
	assert_int_equal(p.b->ops->udp_open(p.b->stack, 53, STACK_V4 | STACK_V6), 0);
	for (uint8_t family = 0; family < 2; family++) {
		static const struct part parts[][3] = {
			{ { 0, 1000, true }, { 992, 1008, true }, { 2000, 1000, false } },
			{ { 0, 1000, true }, { 2000, 1000, false }, { 1000, 2000, true } },
			{ { 0, 3000, false }, { 0, 1000, true }, { 1000, 2000, true } },
			{ { 0, 1004, true }, { 1004, 1996, false }, { 8, 0, true } },
			{ { 65528, 1000, false }, { 0, 1000, true }, { 1000, 2000, true } },
			{ { 2000, 1000, false }, { 1000, 1000, false }, { 0, 1000, true } },
		};
		size_t count = sizeof(parts) / sizeof(parts[0]);
		for (size_t i = 0; i < count; i++) {
			size_t before = p.b->datagram_count;
			for (size_t k = 0; k < 3; k++) {
				if (i == 2 && k == 0) {
					continue; /* whole, no fragment */
				}
				input(p.b, frame,
				      fragment(&p, frame, family, (uint8_t)i, parts[i][k]));
			}
			assert_int_equal(p.b->datagram_count, before);
		}
	}
	wire_run(&p.wire, 15001);
	assert_int_equal(p.b->ops->deadline(p.b->stack), INT64_MAX);
	wire_close(&p.wire);
}

static void held_fragments_are_bounded_and_forgotten(void **state)
{
	struct pair p;
	uint8_t frame[4096];
	struct stack_stats before, after;
	(void)state;
	both_open(&p);
	assert_int_equal(p.b->ops->udp_open(p.b->stack, 53, STACK_V4 | STACK_V6), 0);
	input(p.b, frame, fragment(&p, frame, false, 0, (struct part){ 0, 2000, true }));
	p.b->ops->stats(p.b->stack, &before); /* with the neighbour */
	assert_int_equal(p.b->ops->deadline(p.b->stack), p.wire.now_ms + 15000);
	for (int i = 0; i < 100000; i++) {
		input(p.b, frame,
		      fragment(&p, frame, i % 2, (uint8_t)(i / 256),
			       (struct part){ (uint32_t)(i % 256) * 256, 8, true }));
	}
	for (int i = 0; i < 1000; i++) {
		input(p.b, frame,
		      fragment(&p, frame, i % 2, (uint8_t)i, (struct part){ 0, 2000, true }));
	}
	p.b->ops->stats(p.b->stack, &after);
	assert_true(after.heap_bytes < before.heap_bytes + 20L * (2000 + 300));
	wire_run(&p.wire, 15000);
	p.b->ops->stats(p.b->stack, &after);
	assert_true(after.heap_bytes < before.heap_bytes);
	assert_int_equal(p.b->ops->deadline(p.b->stack), INT64_MAX);
	assert_int_equal(p.b->wakeups, 1); /* no ticks */
	wire_close(&p.wire);
}

/* Every bit of a datagram, an echo and an error flipped: nothing happens that should not. */
static void garbage(void **state)
{
	struct pair p;
	uint8_t frame[256], flipped[256];
	(void)state;
	both_open(&p);
	assert_int_equal(p.b->ops->udp_open(p.b->stack, 53, STACK_V4 | STACK_V6), 0);
	for (int family = 0; family < 2; family++) {
		uint32_t length = fragment(&p, frame, family, 1, (struct part){ 0, 100, false });
		frame[14 + (family ? 48 : 20) + 4] = 0;
		frame[14 + (family ? 48 : 20) + 5] = 100;
		input(p.b, frame, length);
		assert_int_equal(p.b->datagram_count, family + 1);
		for (uint32_t bit = 14 * 8; bit < length * 8; bit++) {
			size_t count = p.b->datagram_count;
			memcpy(flipped, frame, length);
			flipped[bit / 8] ^= (uint8_t)(1 << (bit % 8));
			input(p.b, flipped, length);
			assert_true(p.b->datagram_count <= count + 1);
			p.b->datagram_count = count;
		}
		for (uint32_t cut = 0; cut < length; cut++) {
			size_t count = p.b->datagram_count;
			input(p.b, frame, cut);
			assert_int_equal(p.b->datagram_count, count);
		}
	}
	assert_int_equal(send_to(p.a, OF_B[0], 53, 100), 0);
	assert_int_equal(send_to(p.a, OF_B[1], 53, 100), 0);
	wire_run(&p.wire, 20);
	assert_int_equal(p.b->datagram_count, 4);
	wire_close(&p.wire);
}

/* Of 200 datagrams of several fragments at 5 % loss, those arrive whole whose fragments all did. */
static void loss_takes_whole_datagrams(void **state)
{
	struct pair p;
	(void)state;
	both_open(&p);
	assert_int_equal(p.b->ops->udp_open(p.b->stack, 53, STACK_V4 | STACK_V6), 0);
	assert_int_equal(send_to(p.a, OF_B[0], 53, 1), 0);
	assert_int_equal(send_to(p.a, OF_B[1], 53, 1), 0);
	wire_run(&p.wire, 20);
	p.b->datagram_count = 0;
	p.wire.loss_percent = 5;
	p.wire.reorder_percent = 20;
	p.wire.duplicate_percent = 5;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(send_to(p.a, OF_B[i % 2], 53, 10000), 0);
		wire_run(&p.wire, 30);
	}
	assert_in_range(p.b->datagram_count, 130, 190); /* 0.95^4 = 81 % expected */
	for (size_t i = 0; i < HOST_HEARD; i++) {
		assert_int_equal(p.b->datagrams[i].length, 10000);
		assert_true(p.b->datagrams[i].sum == sum_of_pattern(10000));
	}
	wire_close(&p.wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_of_every_size),
		cmocka_unit_test(what_cannot_be_sent),
		cmocka_unit_test(closed_ports_say_so),
		cmocka_unit_test(errors_are_limited),
		cmocka_unit_test(a_silent_neighbour_is_reported),
		cmocka_unit_test(ports_are_counted),
		cmocka_unit_test(broadcasts_reach_open_ports),
		cmocka_unit_test(groups_are_joined_and_left),
		cmocka_unit_test(echo_both_ways),
		cmocka_unit_test(fragments_in_any_order),
		cmocka_unit_test(bad_fragments_are_dropped),
		cmocka_unit_test(held_fragments_are_bounded_and_forgotten),
		cmocka_unit_test(garbage),
		cmocka_unit_test(loss_takes_whole_datagrams),
	};
	return cmocka_run_group_tests_name("stack/udp", tests, NULL, NULL);
}
