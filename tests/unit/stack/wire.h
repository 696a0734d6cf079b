/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A virtual Ethernet with hosts on it: each host is one private copy of liblwip.so, loaded as the
 * service loads it. The clock is virtual and everything random comes from one seed, so a test is a
 * script that always runs the same. */
#ifndef TESTS_UNIT_STACK_WIRE_H
#define TESTS_UNIT_STACK_WIRE_H

#include "service/stacklib.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_HOSTS = 128, HOST_CONNS = 1500, HOST_GROUPS = 64, HOST_HEARD = 64 };

struct wire;
struct host;

/* One connection as a program would see it. */
struct conn {
	struct host *host;
	struct stack_tcp *tcp; /* NULL once closed */
	bool is_used, is_established, has_eof, is_closed;
	int error;
	bool reads;      /* take what arrives and compare it with the pattern (default) */
	bool echoes_fin; /* close our direction when the peer has closed its */
	uint64_t received, sent, to_send;
	bool fin_after_sending;
	unsigned readable, writable;
	bool is_wrong; /* a received byte differed from the pattern */
	struct stack_ip local, remote;
};

/* A datagram or echo reply as the service would get it. */
struct heard {
	struct stack_ip local, remote;
	uint8_t tos, ttl;
	uint32_t length;
	uint64_t sum;      /* of all bytes, each times its place */
	uint8_t bytes[64]; /* the first */
};

struct host {
	struct wire *wire;
	struct stacklib library;
	const struct stack_ops *ops;
	struct stack *stack;
	struct stack_callbacks callbacks;
	uint8_t mac[6];
	bool admits, accepts, reads, echoes_fin;
	unsigned admit_calls;
	uint64_t accept_to_send; /* bytes that accepted connections send */
	struct conn conns[HOST_CONNS];
	unsigned frames_out, conflicts, wakeups;
	struct {
		uint8_t mac[6];
		uint32_t adi;
		bool joined;
	} groups[HOST_GROUPS];
	size_t group_count;
	struct heard datagrams[HOST_HEARD], echoes[HOST_HEARD];
	size_t datagram_count, echo_count; /* may exceed HOST_HEARD */
	bool refuses_datagrams;            /* as if nobody wanted them */
	struct stack_unreachable reports[HOST_HEARD];
	size_t report_count;
	bool is_authentic; /* frames from this host are marked so */
};

struct flight;

struct wire {
	int64_t now_ms;
	uint64_t seed;
	struct host *hosts[WIRE_HOSTS];
	size_t host_count;
	int64_t delay_ms;
	unsigned loss_percent, reorder_percent, duplicate_percent;
	struct flight *flights; /* ordered by arrival */
	uint64_t order;
	/* Sees each frame before the wire does; false = lost. May be NULL. */
	bool (*filter)(struct wire *w, struct host *from, const uint8_t *frame, uint32_t length);
	void *filter_data;
	uint64_t carried, lost;
};

void wire_open(struct wire *w, uint64_t seed);
void wire_close(struct wire *w);
struct host *wire_host(struct wire *w, uint8_t number, const char *address, uint8_t bits);
/* Put raw bytes on the wire as if `from` had sent them. */
void wire_inject(struct wire *w, struct host *from, const void *frame, uint32_t length);

/* Run until `condition(data)` or for `limit_ms` of virtual time. Returns whether it came true. */
bool wire_until(struct wire *w, bool (*condition)(void *data), void *data, int64_t limit_ms);
void wire_run(struct wire *w, int64_t ms);
uint32_t wire_random(struct wire *w);

struct stack_ip ip_of(const char *text, uint16_t port);
struct conn *host_connect(struct host *h, const char *address, uint16_t port, uint16_t local_port);
/* The n-th connection that the host accepted or opened. */
struct conn *host_conn(struct host *h, size_t n);
/* Send `length` bytes of the pattern from where the connection is. */
void conn_send(struct conn *c, uint64_t length, bool fin_after);
/* Read everything there is and compare it. */
void conn_read(struct conn *c);
uint64_t sum_of_bytes(const uint8_t *bytes, uint32_t length);
uint8_t pattern_byte(uint64_t offset);

#endif
