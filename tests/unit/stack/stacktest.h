/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the tests of the stack share: cmocka in the right order, two hosts, frames taken apart. */
#ifndef TESTS_UNIT_STACK_STACKTEST_H
#define TESTS_UNIT_STACK_STACKTEST_H

#include "tests/unit/stack/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
	PORT = 80,
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_ACK = 16,
	IP_AT = 14,
	TCP_AT = 34, /* our frames carry no IP options */
};

struct pair {
	struct wire wire;
	struct host *a, *b;
};

/* 10.1.0.1 and 10.1.0.2, `delay_ms` apart; B listens on PORT. */
static inline void pair_open(struct pair *p, int64_t delay_ms)
{
	memset(p, 0, sizeof(*p));
	wire_open(&p->wire, 7);
	p->wire.delay_ms = delay_ms;
	p->a = wire_host(&p->wire, 1, "10.1.0.1", 24);
	p->b = wire_host(&p->wire, 2, "10.1.0.2", 24);
	assert_int_equal(p->b->ops->tcp_listen(p->b->stack, PORT), 0);
}

/* An established connection from A; B's end is host_conn(p->b, 0). */
static inline struct conn *pair_connect(struct pair *p)
{
	struct conn *c = host_connect(p->a, "10.1.0.2", PORT, 50000);
	assert_non_null(c->tcp);
	wire_run(&p->wire, p->wire.delay_ms * 6 + 10);
	assert_true(c->is_established);
	assert_non_null(host_conn(p->b, 0));
	return c;
}

static inline bool is_tcp(const uint8_t *frame, uint32_t length)
{
	return length >= 54 && frame[12] == 8 && frame[13] == 0 && frame[IP_AT + 9] == 6;
}

static inline uint32_t tcp_payload(const uint8_t *frame)
{
	uint32_t total = (uint32_t)(frame[IP_AT + 2] << 8 | frame[IP_AT + 3]);
	return total - 20 - (uint32_t)(frame[TCP_AT + 12] >> 4) * 4;
}

static inline uint32_t u32_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void u32_put(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	p[1] = (uint8_t)(value >> 16);
	p[2] = (uint8_t)(value >> 8);
	p[3] = (uint8_t)value;
}

#endif
