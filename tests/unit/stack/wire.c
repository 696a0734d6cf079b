/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/unit/stack/wire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flight {
	struct flight *next;
	int64_t at_ms;
	uint64_t order;
	struct host *from;
	uint32_t length;
	uint8_t frame[];
};

__attribute__((noreturn)) static void die(const char *what, const char *detail)
{
	(void)fprintf(stderr, "wire: %s: %s\n", what, detail);
	abort();
}

uint32_t wire_random(struct wire *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (uint32_t)(w->seed >> 16);
}

static bool chance(struct wire *w, unsigned percent)
{
	return percent > 0 && wire_random(w) % 100 < percent;
}

uint8_t pattern_byte(uint64_t offset)
{
	return (uint8_t)(offset * 131 + (offset >> 8) * 7 + (offset >> 16));
}

struct stack_ip ip_of(const char *text, uint16_t port)
{
	bool is_v6 = strchr(text, ':') != NULL;
	struct stack_ip ip = { .family = is_v6 ? 6 : 4, .bits = is_v6 ? 128 : 32, .port = port };
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, text, ip.bytes) != 1) {
		die("not an address", text);
	}
	return ip;
}

/* --- The wire. */

static void fly(struct wire *w, struct host *from, const void *frame, uint32_t length,
		int64_t delay_ms)
{
	struct flight *f = malloc(sizeof(*f) + length);
	if (!f) {
		die("no memory", "flight");
	}
	f->at_ms = w->now_ms + delay_ms;
	f->order = w->order++;
	f->from = from;
	f->length = length;
	memcpy(f->frame, frame, length);
	struct flight **at = &w->flights;
	/* Nearly always the last: remembered, or a long queue costs a walk for each frame. */
	while (*at &&
	       ((*at)->at_ms < f->at_ms || ((*at)->at_ms == f->at_ms && (*at)->order < f->order))) {
		at = &(*at)->next;
	}
	f->next = *at;
	*at = f;
}

void wire_inject(struct wire *w, struct host *from, const void *frame, uint32_t length)
{
	fly(w, from, frame, length, w->delay_ms);
}

static void on_output(void *context, uint8_t *frame, uint32_t length)
{
	struct host *h = context;
	struct wire *w = h->wire;
	h->frames_out++;
	/* The promise of stack.h: the bytes before the frame are ours to write. */
	memset(frame - STACK_FRAME_HEADROOM, 0xa5, STACK_FRAME_HEADROOM);
	if ((w->filter && !w->filter(w, h, frame, length)) || chance(w, w->loss_percent)) {
		w->lost++;
		return;
	}
	w->carried++;
	int64_t late = chance(w, w->reorder_percent) ? 1 + (int64_t)(wire_random(w) % 20) : 0;
	fly(w, h, frame, length, w->delay_ms + late);
	if (chance(w, w->duplicate_percent)) {
		fly(w, h, frame, length, w->delay_ms + 1);
	}
}

static void deliver(struct wire *w, struct flight *first, size_t count)
{
	struct stack_frame *frames = calloc(count, sizeof(*frames));
	if (!frames) {
		die("no memory", "batch");
	}
	for (size_t i = 0; i < w->host_count; i++) {
		struct host *h = w->hosts[i];
		size_t mine = 0;
		for (struct flight *f = first; f; f = f->next) {
			bool is_to_all = (f->frame[0] & 1) != 0;
			if (f->from != h &&
			    (f->length < 6 || is_to_all || memcmp(f->frame, h->mac, 6) == 0)) {
				frames[mine++] = (struct stack_frame){ f->frame, f->length,
								       f->from->is_authentic };
			}
		}
		if (mine > 0) {
			h->ops->input(h->stack, frames, mine, w->now_ms);
		}
	}
	free(frames);
}

/* Everything that arrives now, as one batch for each host. */
static void arrivals(struct wire *w)
{
	struct flight *first = w->flights, *last = NULL;
	size_t count = 0;
	for (struct flight *f = first; f && f->at_ms <= w->now_ms; f = f->next) {
		last = f;
		count++;
	}
	if (!last) {
		return;
	}
	w->flights = last->next;
	last->next = NULL;
	deliver(w, first, count);
	while (first) {
		struct flight *next = first->next;
		free(first);
		first = next;
	}
}

static int64_t next_event(const struct wire *w)
{
	int64_t at = w->flights ? w->flights->at_ms : INT64_MAX;
	for (size_t i = 0; i < w->host_count; i++) {
		int64_t deadline = w->hosts[i]->ops->deadline(w->hosts[i]->stack);
		at = deadline < at ? deadline : at;
	}
	return at;
}

bool wire_until(struct wire *w, bool (*condition)(void *data), void *data, int64_t limit_ms)
{
	int64_t end = w->now_ms + limit_ms;
	for (;;) {
		if (condition && condition(data)) {
			return true;
		}
		int64_t at = next_event(w);
		if (at > end) {
			w->now_ms = end;
			return condition && condition(data);
		}
		w->now_ms = at > w->now_ms ? at : w->now_ms;
		arrivals(w);
		for (size_t i = 0; i < w->host_count; i++) {
			struct host *h = w->hosts[i];
			if (h->ops->deadline(h->stack) <= w->now_ms) {
				h->wakeups++;
				h->ops->advance(h->stack, w->now_ms);
			}
		}
	}
}

void wire_run(struct wire *w, int64_t ms)
{
	(void)wire_until(w, NULL, NULL, ms);
}

/* --- The program on a host. */

static uint64_t fill(struct iovec *iov, uint8_t *buffer, size_t size, uint64_t offset,
		     uint64_t left)
{
	size_t length = left < size ? (size_t)left : size;
	for (size_t i = 0; i < length; i++) {
		buffer[i] = pattern_byte(offset + i);
	}
	*iov = (struct iovec){ buffer, length };
	return length;
}

static void conn_pump(struct conn *c)
{
	uint8_t buffer[16384];
	while (c->tcp && c->sent < c->to_send) {
		struct iovec iov;
		size_t room = c->host->ops->tcp_room(c->tcp);
		uint64_t left = c->to_send - c->sent;
		if (room == 0) {
			break;
		}
		(void)fill(&iov, buffer, sizeof(buffer), c->sent, left < room ? left : room);
		int64_t taken = c->host->ops->tcp_write(c->tcp, &iov, 1);
		if (taken <= 0) {
			break;
		}
		c->sent += (uint64_t)taken;
	}
	if (c->tcp) {
		c->host->ops->tcp_flush(c->tcp);
		if (c->fin_after_sending && c->sent == c->to_send) {
			c->fin_after_sending = false;
			c->host->ops->tcp_shutdown_write(c->tcp);
		}
	}
}

void conn_send(struct conn *c, uint64_t length, bool fin_after)
{
	c->to_send += length;
	c->fin_after_sending = fin_after;
	if (c->is_established) {
		conn_pump(c);
	}
}

void conn_read(struct conn *c)
{
	struct iovec iov[16];
	int count;
	while (c->tcp && (count = c->host->ops->tcp_peek(c->tcp, iov, 16)) > 0) {
		size_t total = 0;
		for (int i = 0; i < count; i++) {
			const uint8_t *bytes = iov[i].iov_base;
			for (size_t k = 0; k < iov[i].iov_len; k++) {
				c->is_wrong |= bytes[k] != pattern_byte(c->received++);
			}
			total += iov[i].iov_len;
		}
		c->host->ops->tcp_consumed(c->tcp, total);
	}
}

static struct conn *conn_new(struct host *h)
{
	for (size_t i = 0; i < HOST_CONNS; i++) {
		if (!h->conns[i].is_used) {
			h->conns[i] = (struct conn){ .is_used = true,
						     .host = h,
						     .reads = h->reads,
						     .echoes_fin = h->echoes_fin };
			return &h->conns[i];
		}
	}
	die("too many connections", "HOST_CONNS");
}

struct conn *host_conn(struct host *h, size_t n)
{
	return h->conns[n].is_used ? &h->conns[n] : NULL;
}

static bool on_admit(void *context, const struct stack_ip *local, const struct stack_ip *remote)
{
	struct host *h = context;
	(void)local;
	(void)remote;
	h->admit_calls++;
	return h->admits;
}

static void *on_accepted(void *context, struct stack_tcp *tcp, const struct stack_ip *local,
			 const struct stack_ip *remote)
{
	struct host *h = context;
	if (!h->accepts) {
		return NULL;
	}
	struct conn *c = conn_new(h);
	c->tcp = tcp;
	c->is_established = true;
	c->local = *local;
	c->remote = *remote;
	c->to_send = h->accept_to_send;
	if (c->to_send > 0) {
		c->fin_after_sending = true;
		conn_pump(c);
	}
	return c;
}

static void on_established(void *tcp_context)
{
	struct conn *c = tcp_context;
	c->is_established = true;
	if (c->to_send > 0 || c->fin_after_sending) {
		conn_pump(c);
	}
}

static void on_readable(void *tcp_context)
{
	struct conn *c = tcp_context;
	c->readable++;
	if (c->reads) {
		conn_read(c);
	}
}

static void on_writable(void *tcp_context)
{
	struct conn *c = tcp_context;
	c->writable++;
	conn_pump(c);
}

static void on_eof(void *tcp_context)
{
	struct conn *c = tcp_context;
	if (c->has_eof) {
		die("eof twice", "");
	}
	c->has_eof = true;
	if (c->echoes_fin) {
		c->fin_after_sending = true;
		conn_pump(c);
	}
}

static void on_closed(void *tcp_context, int error)
{
	struct conn *c = tcp_context;
	if (c->is_closed) {
		die("closed twice", "");
	}
	c->is_closed = true;
	c->error = error;
	c->tcp = NULL;
}

static void on_multicast(void *context, const uint8_t mac[6], uint32_t adi, bool join)
{
	struct host *h = context;
	if ((mac[0] & 1) == 0 || h->group_count == HOST_GROUPS) {
		die("multicast", "unexpected group");
	}
	memcpy(h->groups[h->group_count].mac, mac, 6);
	h->groups[h->group_count].adi = adi;
	h->groups[h->group_count++].joined = join;
}

static void on_conflict(void *context, const struct stack_ip *address, const uint8_t mac[6])
{
	struct host *h = context;
	(void)address;
	(void)mac;
	h->conflicts++;
}

static void on_random(void *context, void *out, size_t length)
{
	struct host *h = context;
	for (size_t i = 0; i < length; i++) {
		((uint8_t *)out)[i] = (uint8_t)wire_random(h->wire);
	}
}

static void on_fail(void *context, const char *text)
{
	(void)context;
	die("the stack's invariant", text);
}

uint64_t sum_of_bytes(const uint8_t *bytes, uint32_t length)
{
	uint64_t sum = length;
	for (uint32_t i = 0; i < length; i++) {
		sum += bytes[i] * (uint64_t)(i + 1);
	}
	return sum;
}

static void hear(struct heard *heard, size_t *count, const struct stack_datagram *d)
{
	if (*count < HOST_HEARD) {
		heard += *count;
		*heard = (struct heard){ .local = d->local,
					 .remote = d->remote,
					 .tos = d->tos,
					 .ttl = d->ttl,
					 .length = d->length,
					 .sum = sum_of_bytes(d->bytes, d->length) };
		memcpy(heard->bytes, d->bytes, d->length < 64 ? d->length : 64);
	}
	(*count)++;
}

static bool on_datagram(void *context, const struct stack_datagram *d)
{
	struct host *h = context;
	hear(h->datagrams, &h->datagram_count, d);
	return !h->refuses_datagrams;
}

static void on_echo(void *context, const struct stack_datagram *d)
{
	struct host *h = context;
	hear(h->echoes, &h->echo_count, d);
}

static void on_unreachable(void *context, const struct stack_unreachable *report)
{
	struct host *h = context;
	if (h->report_count < HOST_HEARD) {
		h->reports[h->report_count] = *report;
	}
	h->report_count++;
}

struct conn *host_connect(struct host *h, const char *address, uint16_t port, uint16_t local_port)
{
	struct stack_ip local = { .family = 0, .port = local_port };
	struct stack_ip remote = ip_of(address, port);
	struct conn *c = conn_new(h);
	c->error = -h->ops->tcp_connect(h->stack, &local, &remote, c, &c->tcp);
	if (c->error != 0) {
		c->is_closed = true;
	}
	return c;
}

/* --- Hosts. */

void wire_open(struct wire *w, uint64_t seed)
{
	*w = (struct wire){ .now_ms = 1000, .seed = seed, .delay_ms = 1 };
}

static const char *library_path(void)
{
	static char path[512];
	const char *build = getenv("BUILD");
	(void)snprintf(path, sizeof(path), "%s/liblwip.so", build ? build : STACK_TEST_BUILD);
	return path;
}

struct host *wire_host(struct wire *w, uint8_t number, const char *address, uint8_t bits)
{
	struct host *h = calloc(1, sizeof(*h));
	char why[512];
	if (!h || stacklib_load(&h->library, library_path(), why, sizeof(why)) != 0) {
		die("cannot load", h ? why : "no memory");
	}
	h->wire = w;
	h->ops = h->library.ops;
	memcpy(h->mac, (uint8_t[]){ 0x32, 0x11, 0x22, 0x33, 0x44, number }, 6);
	h->admits = h->accepts = h->reads = h->is_authentic = true;
	h->callbacks = (struct stack_callbacks){
		.size = sizeof(h->callbacks),
		.output = on_output,
		.admit = on_admit,
		.accepted = on_accepted,
		.established = on_established,
		.readable = on_readable,
		.eof = on_eof,
		.writable = on_writable,
		.closed = on_closed,
		.multicast = on_multicast,
		.conflict = on_conflict,
		.random = on_random,
		.fail = on_fail,
		.datagram = on_datagram,
		.echo = on_echo,
		.unreachable = on_unreachable,
	};
	struct stack_config config = { .size = sizeof(config),
				       .mtu = 2800,
				       .callbacks = &h->callbacks,
				       .context = h,
				       .now_ms = w->now_ms };
	memcpy(config.mac, h->mac, 6);
	h->stack = h->ops->create(&config);
	if (!h->stack) {
		die("create", "no stack");
	}
	w->hosts[w->host_count++] = h;
	if (address) {
		struct stack_ip ip = ip_of(address, 0);
		ip.bits = bits;
		if (h->ops->addresses_set(h->stack, &ip, 1) != 0) {
			die("addresses_set", address);
		}
	}
	return h;
}

void wire_close(struct wire *w)
{
	for (size_t i = 0; i < w->host_count; i++) {
		struct host *h = w->hosts[i];
		h->ops->destroy(h->stack);
		stacklib_unload(&h->library);
		free(h);
	}
	while (w->flights) {
		struct flight *next = w->flights->next;
		free(w->flights);
		w->flights = next;
	}
	*w = (struct wire){ .now_ms = 0 };
}
