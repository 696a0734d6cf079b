/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the TCP/IP stack alone costs: two private copies of liblwip.so in one thread, joined by a
 * queue of frames, so that one number holds a sender and a receiver. Then memory: of a stack, of an
 * idle connection. usage: stack [LIBRARY [MEBIBYTES [MTU]]] */
#include "service/stacklib.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
	QUEUE = 4096,        /* frames in flight on one side */
	BATCH = 64,          /* frames handed to a stack at once, as recvmmsg and GRO give them */
	SLOT = 12288,        /* bytes for one frame */
	STACKS = 100,        /* for the memory of a stack */
	CONNECTIONS = 10000, /* for the memory of a connection */
	PORT = 80,
};

struct side {
	struct stacklib library;
	struct stack *stack;
	struct side *peer;
	struct stack_callbacks callbacks;
	uint8_t *slots; /* frames from the peer, waiting */
	uint32_t lengths[QUEUE];
	uint32_t head, tail;
	struct stack_tcp *tcp;
	uint64_t received, accepted;
	uint8_t mac[6];
	unsigned seed;
};

static uint64_t lost;

static void on_output(void *context, uint8_t *frame, uint32_t length)
{
	struct side *to = ((struct side *)context)->peer;
	if (!to || length > SLOT || to->tail - to->head == QUEUE) {
		lost++;
		return;
	}
	uint32_t slot = to->tail++ % QUEUE;
	to->lengths[slot] = length;
	memcpy(to->slots + (size_t)slot * SLOT, frame, length);
}

static bool on_admit(void *context, const struct stack_ip *local, const struct stack_ip *remote)
{
	(void)context;
	(void)local;
	(void)remote;
	return true;
}

static void *on_accepted(void *context, struct stack_tcp *tcp, const struct stack_ip *local,
			 const struct stack_ip *remote)
{
	struct side *s = context;
	(void)local;
	(void)remote;
	s->tcp = tcp;
	s->accepted++;
	return s;
}

static void on_nothing(void *tcp_context)
{
	(void)tcp_context;
}

static void on_readable(void *tcp_context)
{
	struct side *s = tcp_context;
	struct iovec iov[64];
	int count;
	while ((count = s->library.ops->tcp_peek(s->tcp, iov, 64)) > 0) {
		size_t total = 0;
		for (int i = 0; i < count; i++) {
			total += iov[i].iov_len;
		}
		s->received += total;
		s->library.ops->tcp_consumed(s->tcp, total);
	}
}

static void on_closed(void *tcp_context, int error)
{
	(void)tcp_context;
	(void)fprintf(stderr, "bench/stack: a connection closed with error %d\n", error);
	exit(1);
}

static void on_multicast(void *context, const uint8_t mac[6], uint32_t adi, bool join)
{
	(void)context;
	(void)mac;
	(void)adi;
	(void)join;
}

static void on_conflict(void *context, const struct stack_ip *address, const uint8_t mac[6])
{
	(void)context;
	(void)address;
	(void)mac;
}

static void on_random(void *context, void *out, size_t length)
{
	struct side *s = context;
	for (size_t i = 0; i < length; i++) {
		((uint8_t *)out)[i] = (uint8_t)rand_r(&s->seed);
	}
}

static void on_fail(void *context, const char *text)
{
	(void)context;
	(void)fprintf(stderr, "bench/stack: %s\n", text);
	abort();
}

static int64_t now_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void side_open(struct side *s, const char *path, uint8_t number, uint32_t mtu)
{
	char why[512];
	*s = (struct side){ .seed = number, .mac = { 2, 0, 0, 0, 0, number } };
	if (stacklib_load(&s->library, path, why, sizeof(why)) != 0) {
		(void)fprintf(stderr, "bench/stack: %s\n", why);
		exit(1);
	}
	s->callbacks = (struct stack_callbacks){
		.size = sizeof(s->callbacks),
		.output = on_output,
		.admit = on_admit,
		.accepted = on_accepted,
		.established = on_nothing,
		.readable = on_readable,
		.eof = on_nothing,
		.writable = on_nothing,
		.closed = on_closed,
		.multicast = on_multicast,
		.conflict = on_conflict,
		.random = on_random,
		.fail = on_fail,
	};
	struct stack_config config = {
		.size = sizeof(config), .mtu = mtu, .callbacks = &s->callbacks, .context = s
	};
	memcpy(config.mac, s->mac, 6);
	s->stack = s->library.ops->create(&config);
	struct stack_ip ip = { .family = 4, .bits = 8, .bytes = { 10, 0, 0, number } };
	if (!s->stack || s->library.ops->addresses_set(s->stack, &ip, 1) != 0) {
		(void)fprintf(stderr, "bench/stack: no stack\n");
		exit(1);
	}
}

/* Hand one batch of waiting frames to a side. */
static bool feed(struct side *s, int64_t now_ms)
{
	struct stack_frame frames[BATCH];
	uint32_t count = s->tail - s->head;
	count = count < BATCH ? count : BATCH;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = (s->head + i) % QUEUE;
		frames[i] =
		    (struct stack_frame){ s->slots + (size_t)slot * SLOT, s->lengths[slot], true };
	}
	if (count > 0) {
		s->library.ops->input(s->stack, frames, count, now_ms);
		s->head += count;
	}
	return count > 0;
}

static void turn(struct side *a, struct side *b)
{
	int64_t now_ms = now_ns() / 1000000;
	bool is_busy = true;
	while (is_busy) {
		is_busy = feed(b, now_ms);
		is_busy |= feed(a, now_ms);
	}
	a->library.ops->advance(a->stack, now_ms);
	b->library.ops->advance(b->stack, now_ms);
}

static struct stack_tcp *dial(struct side *a, uint16_t local_port, uint8_t host)
{
	struct stack_ip local = { .port = local_port };
	struct stack_ip remote = { .family = 4, .port = PORT, .bytes = { 10, 0, 0, host } };
	struct stack_tcp *tcp = NULL;
	if (a->library.ops->tcp_connect(a->stack, &local, &remote, a, &tcp) != 0) {
		(void)fprintf(stderr, "bench/stack: connect failed\n");
		exit(1);
	}
	return tcp;
}

static double cpu_seconds(void)
{
	struct rusage usage;
	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
	       (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
}

static void throughput(struct side *a, struct side *b, uint64_t bytes, uint32_t mtu)
{
	static uint8_t data[131072];
	struct iovec iov = { data, sizeof(data) };
	uint64_t sent = 0;
	a->tcp = dial(a, 50000, 2);
	turn(a, b);
	lost = 0; /* announcements from before the two were joined */
	struct stack_stats before, after;
	b->library.ops->stats(b->stack, &before);
	int64_t start = now_ns();
	double cpu = cpu_seconds();
	while (b->received < bytes) {
		size_t room = a->library.ops->tcp_room(a->tcp);
		if (sent < bytes && room > 0) {
			iov.iov_len = room < sizeof(data) ? room : sizeof(data);
			sent += (uint64_t)a->library.ops->tcp_write(a->tcp, &iov, 1);
			a->library.ops->tcp_flush(a->tcp);
		}
		turn(a, b);
	}
	double seconds = (double)(now_ns() - start) / 1e9;
	cpu = cpu_seconds() - cpu;
	b->library.ops->stats(b->stack, &after);
	uint64_t frames = after.frames_in - before.frames_in;
	printf("mtu %5u  %6.2f Gbit/s  %5.3f CPU-s/GB both sides  %4.0f ns/segment  lost %llu\n",
	       mtu, (double)b->received * 8 / seconds / 1e9, cpu / ((double)b->received / 1e9),
	       seconds * 1e9 / (double)frames, (unsigned long long)lost);
}

/* Resident memory in bytes; heap that is free counts as given back. */
static uint64_t resident(void)
{
	unsigned long long size = 0, pages = 0;
	(void)malloc_trim(0);
	FILE *f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%llu %llu", &size, &pages) != 2) { // NOLINT(cert-err34-c)
		exit(1);
	}
	(void)fclose(f);
	return pages * 4096;
}

/* One byte on each of the connections, in an order in which no two neighbours are near. */
static void cold_walk(struct side *a, struct side *b, struct stack_tcp **conns)
{
	uint8_t byte = 1;
	struct iovec iov = { &byte, 1 };
	int64_t start = now_ns();
	for (int i = 0; i < CONNECTIONS; i++) {
		struct stack_tcp *tcp = conns[(int64_t)i * 7919 % CONNECTIONS];
		(void)a->library.ops->tcp_write(tcp, &iov, 1);
		a->library.ops->tcp_flush(tcp);
		turn(a, b);
	}
	double us = (double)(now_ns() - start) / 1e3 / CONNECTIONS;
	printf("connection, cold   %7.2f us for a byte on each of them in turn\n", us);
	start = now_ns();
	for (int i = 0; i < CONNECTIONS; i++) {
		a->library.ops->tcp_close(conns[(int64_t)i * 7919 % CONNECTIONS]);
	}
	us = (double)(now_ns() - start) / 1e3 / CONNECTIONS;
	printf("connection, close  %7.2f us each\n", us);
}

static void memory(const char *path)
{
	static struct side sides[STACKS];
	uint64_t before = resident();
	for (int i = 0; i < STACKS; i++) {
		side_open(&sides[i], path, (uint8_t)(i + 1), 2800);
	}
	printf("stack, idle        %7.1f KiB resident each (%d of them)\n",
	       (double)(resident() - before) / STACKS / 1024, STACKS);
	struct side *a = &sides[0], *b = &sides[1];
	a->peer = b;
	b->peer = a;
	a->slots = calloc(QUEUE, SLOT);
	b->slots = calloc(QUEUE, SLOT);
	if (!a->slots || !b->slots || b->library.ops->tcp_listen(b->stack, PORT) != 0) {
		exit(1);
	}
	struct stack_stats s0, s1;
	b->library.ops->stats(b->stack, &s0);
	int64_t start = now_ns();
	static struct stack_tcp *conns[CONNECTIONS];
	for (int i = 0; i < CONNECTIONS; i++) {
		conns[i] = dial(a, (uint16_t)(20000 + i), 2);
		turn(a, b);
	}
	double us = (double)(now_ns() - start) / 1e3 / CONNECTIONS;
	b->library.ops->stats(b->stack, &s1);
	printf("connection, idle   %7.0f bytes each (%llu of them, %.1f us to open one)\n",
	       (double)(s1.heap_bytes - s0.heap_bytes) / CONNECTIONS,
	       (unsigned long long)b->accepted, us);
	cold_walk(a, b, conns);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "build/release/liblwip.so";
	uint64_t bytes = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1024) << 20;
	static const uint32_t mtus[] = { 1394, 2800 };
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		static struct side a, b;
		uint32_t mtu = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : mtus[i];
		side_open(&a, path, 1, mtu);
		side_open(&b, path, 2, mtu);
		a.peer = &b;
		b.peer = &a;
		a.slots = calloc(QUEUE, SLOT);
		b.slots = calloc(QUEUE, SLOT);
		if (!a.slots || !b.slots || b.library.ops->tcp_listen(b.stack, PORT) != 0) {
			return 1;
		}
		throughput(&a, &b, bytes, mtu);
		a.peer = b.peer = NULL;
		a.library.ops->destroy(a.stack);
		b.library.ops->destroy(b.stack);
		stacklib_unload(&a.library);
		stacklib_unload(&b.library);
		free(a.slots);
		free(b.slots);
		if (argc > 3) {
			return 0;
		}
	}
	memory(path);
	return 0;
}
