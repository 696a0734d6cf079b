/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/fakestack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_ROOM = 64 << 10 };

static void check(bool holds, const char *rule)
{
	if (!holds) {
		(void)fprintf(stderr, "fakestack: the caller broke a rule: %s\n", rule);
		abort();
	}
}

static void check_alive(const struct stack_tcp *tcp)
{
	check(tcp && tcp->end == FAKE_ALIVE, "a dead handle was used");
}

static void *must(void *p)
{
	check(p != NULL, "memory");
	return p;
}

struct stack *fakestack_new(const struct stack_callbacks *callbacks, void *context)
{
	struct stack *s = must(calloc(1, sizeof *s));
	s->callbacks = *callbacks;
	s->context = context;
	s->default_room = DEFAULT_ROOM;
	return s;
}

void fakestack_free(struct stack *stack)
{
	while (stack->connections) {
		struct stack_tcp *tcp = stack->connections;
		stack->connections = tcp->next;
		free(tcp->received);
		free(tcp->sent);
		free(tcp);
	}
	free(stack);
}

static struct stack_tcp *tcp_new_fake(struct stack *s, const struct stack_ip *local,
				      const struct stack_ip *remote)
{
	struct stack_tcp *tcp = must(calloc(1, sizeof *tcp));
	tcp->stack = s;
	tcp->local = *local;
	tcp->remote = *remote;
	tcp->room = s->default_room;
	tcp->next = s->connections;
	s->connections = tcp;
	return tcp;
}

/* ---- operations ---- */

static int op_listen(struct stack *s, uint16_t port)
{
	if (s->listens[port]) {
		return -EADDRINUSE;
	}
	s->listens[port] = 1;
	return 0;
}

static void op_unlisten(struct stack *s, uint16_t port)
{
	check(s->listens[port] == 1, "unlisten without listen");
	s->listens[port] = 0;
}

static int op_connect(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		      void *context, struct stack_tcp **out)
{
	s->connect_count++;
	check(local->port != 0, "connect without a local port");
	if (s->connect_error != 0) {
		int error = s->connect_error;
		s->connect_error = 0;
		return error;
	}
	struct stack_tcp *tcp = tcp_new_fake(s, local, remote);
	tcp->context = context;
	*out = tcp;
	return 0;
}

static int op_source_for(struct stack *s, const struct stack_ip *remote, struct stack_ip *out)
{
	(void)s;
	if (remote->family == 6 && remote->bytes[0] >= 0xfd) { /* ours: fd00::1, fe80::1 */
		*out = (struct stack_ip){ .bytes = { remote->bytes[0], [15] = 1 }, .family = 6 };
		out->bytes[1] = remote->bytes[1];
		return 0;
	}
	if (remote->family == 6 || (remote->bytes[0] != 10 && remote->bytes[0] < 224)) {
		return -ENETUNREACH;
	}
	*out = (struct stack_ip){ .bytes = { 10, 0, 0, 1 }, .family = 4 };
	return 0;
}

static void op_context_set(struct stack_tcp *tcp, void *context)
{
	check_alive(tcp);
	tcp->context = context;
}

static void op_names(const struct stack_tcp *tcp, struct stack_ip *local, struct stack_ip *remote)
{
	check_alive(tcp);
	*local = tcp->local;
	*remote = tcp->remote;
}

static int op_peek(struct stack_tcp *tcp, struct iovec *iov, int max)
{
	check_alive(tcp);
	int count = 0;
	for (size_t at = 0; at < tcp->received_length && count < max; count++) {
		size_t length = tcp->received_length - at;
		if (tcp->piece > 0 && length > tcp->piece) {
			length = tcp->piece;
		}
		iov[count] = (struct iovec){ tcp->received + at, length };
		at += length;
	}
	return count;
}

static void op_consumed(struct stack_tcp *tcp, size_t length)
{
	check_alive(tcp);
	check(length <= tcp->received_length, "consumed more than was lent");
	tcp->received_length -= length;
	tcp->consumed_total += length;
	memmove(tcp->received, tcp->received + length, tcp->received_length);
}

static size_t op_room(const struct stack_tcp *tcp)
{
	check_alive(tcp);
	return tcp->room;
}

static int64_t op_write(struct stack_tcp *tcp, const struct iovec *iov, int count)
{
	check_alive(tcp);
	check(!tcp->has_fin, "write after shutdown_write");
	size_t total = 0;
	for (int i = 0; i < count; i++) {
		size_t length = iov[i].iov_len;
		check(length <= tcp->room, "wrote more than room()");
		if (tcp->sent_length + length > tcp->sent_capacity) {
			tcp->sent_capacity = 2 * (tcp->sent_length + length);
			tcp->sent = must(realloc(tcp->sent, tcp->sent_capacity));
		}
		memcpy(tcp->sent + tcp->sent_length, iov[i].iov_base, length);
		tcp->sent_length += length;
		tcp->room -= length;
		total += length;
	}
	tcp->is_flushed = false;
	return (int64_t)total;
}

static void op_flush(struct stack_tcp *tcp)
{
	check_alive(tcp);
	tcp->is_flushed = true;
}

static void op_shutdown_write(struct stack_tcp *tcp)
{
	check_alive(tcp);
	tcp->has_fin = true;
}

static void op_close(struct stack_tcp *tcp)
{
	check_alive(tcp);
	tcp->end = FAKE_CLOSED;
}

static void op_abort(struct stack_tcp *tcp)
{
	check_alive(tcp);
	tcp->end = FAKE_ABORTED;
}

static int op_option_set(struct stack_tcp *tcp, enum stack_option option, int value)
{
	check_alive(tcp);
	tcp->options[option] = value;
	return 0;
}

static void op_info(const struct stack_tcp *tcp, struct stack_tcp_info *out)
{
	check_alive(tcp);
	*out = (struct stack_tcp_info){
		.state = 1, .mss = 1360, .rtt_us = 1234, .rttvar_us = 617, .cwnd_bytes = 13600
	};
}

/* ---- datagrams ---- */

static int op_udp_open(struct stack *s, uint16_t port, unsigned families)
{
	check(port != 0 && families != 0, "udp_open of nothing");
	s->udp_ports[port]++;
	return 0;
}

static void op_udp_close(struct stack *s, uint16_t port, unsigned families)
{
	check(families != 0 && s->udp_ports[port] > 0, "udp_close without udp_open");
	s->udp_ports[port]--;
}

static int datagram_keep(struct stack *s, const struct fake_datagram *d, const struct iovec *iov,
			 int count)
{
	check(d->local.port != 0, "a datagram from port 0");
	if (s->send_error != 0) {
		return s->send_error;
	}
	s->datagram = *d;
	for (int i = 0; i < count; i++) {
		size_t at = s->datagram.length;
		s->datagram.length += iov[i].iov_len;
		if (at < sizeof s->datagram.bytes) {
			size_t room = sizeof s->datagram.bytes - at;
			memcpy(s->datagram.bytes + at, iov[i].iov_base,
			       iov[i].iov_len < room ? iov[i].iov_len : room);
		}
	}
	s->datagram_count++;
	return 0;
}

static int op_udp_send(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		       const struct stack_marks *marks, const struct iovec *iov, int count)
{
	struct fake_datagram d = { .local = *local, .remote = *remote, .marks = *marks };
	check(remote->port != 0, "a datagram to port 0");
	return datagram_keep(s, &d, iov, count);
}

static int op_echo_send(struct stack *s, const struct stack_ip *local,
			const struct stack_ip *remote, const struct stack_marks *marks,
			const struct iovec *iov, int count)
{
	struct fake_datagram d = {
		.local = *local, .remote = *remote, .marks = *marks, .is_echo = true
	};
	return datagram_keep(s, &d, iov, count);
}

static int op_group_join(struct stack *s, const struct stack_ip *group)
{
	(void)group;
	s->group_count++;
	return 0;
}

static int op_group_leave(struct stack *s, const struct stack_ip *group)
{
	(void)group;
	check(s->group_count > 0, "group_leave without group_join");
	s->group_count--;
	return 0;
}

bool fakestack_datagram(struct stack *stack, const struct stack_ip *local,
			const struct stack_ip *remote, const void *bytes, uint32_t length)
{
	struct stack_datagram d = { .local = *local,
				    .remote = *remote,
				    .ttl = 61,
				    .tos = 8,
				    .bytes = bytes,
				    .length = length };
	return stack->udp_ports[local->port] > 0 && stack->callbacks.datagram(stack->context, &d);
}

/* A hand-over: the names are all there is. */
static int64_t op_export(const struct stack_tcp *tcp, void *out, size_t capacity)
{
	const struct stack_ip names[2] = { tcp->local, tcp->remote };
	check_alive(tcp);
	if (out && capacity >= sizeof names) {
		memcpy(out, names, sizeof names);
	}
	return !out || capacity >= sizeof names ? (int64_t)sizeof names : -ENOBUFS;
}

static int op_import(struct stack *stack, const void *bytes, size_t length, void *context,
		     struct stack_tcp **out)
{
	struct stack_ip names[2];
	if (length != sizeof names) {
		return -EBADMSG;
	}
	memcpy(names, bytes, sizeof names);
	*out = tcp_new_fake(stack, &names[0], &names[1]);
	(*out)->context = context;
	return 0;
}

static int64_t op_rest_export(const struct stack *stack, void *out, size_t capacity)
{
	(void)stack;
	(void)out;
	(void)capacity;
	return 0;
}

static int op_rest_import(struct stack *stack, const void *bytes, size_t length)
{
	(void)stack;
	(void)bytes;
	(void)length;
	return 0;
}

const struct stack_ops *fakestack_ops(void)
{
	static const struct stack_ops ops = {
		.abi = STACK_ABI,
		.size = sizeof ops,
		.destroy = fakestack_free,
		.tcp_listen = op_listen,
		.tcp_unlisten = op_unlisten,
		.tcp_connect = op_connect,
		.source_for = op_source_for,
		.tcp_context_set = op_context_set,
		.tcp_names = op_names,
		.tcp_peek = op_peek,
		.tcp_consumed = op_consumed,
		.tcp_room = op_room,
		.tcp_write = op_write,
		.tcp_flush = op_flush,
		.tcp_shutdown_write = op_shutdown_write,
		.tcp_close = op_close,
		.tcp_abort = op_abort,
		.tcp_option_set = op_option_set,
		.tcp_info = op_info,
		.udp_open = op_udp_open,
		.udp_close = op_udp_close,
		.udp_send = op_udp_send,
		.echo_send = op_echo_send,
		.group_join = op_group_join,
		.group_leave = op_group_leave,

		.tcp_export = op_export,
		.tcp_import = op_import,
		.rest_export = op_rest_export,
		.rest_import = op_rest_import,
	};
	return &ops;
}

/* ---- the script ---- */

struct stack_tcp *fakestack_last(struct stack *stack)
{
	return stack->connections;
}

struct stack_tcp *fakestack_incoming(struct stack *stack, const struct stack_ip *local,
				     const struct stack_ip *remote, bool *was_admitted)
{
	bool admitted =
	    stack->listens[local->port] && stack->callbacks.admit(stack->context, local, remote);
	if (was_admitted) {
		*was_admitted = admitted;
	}
	if (!admitted) {
		return NULL;
	}
	struct stack_tcp *tcp = tcp_new_fake(stack, local, remote);
	tcp->context = stack->callbacks.accepted(stack->context, tcp, local, remote);
	if (!tcp->context) {
		tcp->end = FAKE_ABORTED;
		return NULL;
	}
	return tcp;
}

void fakestack_establish(struct stack_tcp *tcp)
{
	check_alive(tcp);
	tcp->stack->callbacks.established(tcp->context);
}

void fakestack_receive(struct stack_tcp *tcp, const void *bytes, size_t length)
{
	check_alive(tcp);
	tcp->received = must(realloc(tcp->received, tcp->received_length + length + 1));
	memcpy(tcp->received + tcp->received_length, bytes, length);
	tcp->received_length += length;
	tcp->stack->callbacks.readable(tcp->context);
}

void fakestack_eof(struct stack_tcp *tcp)
{
	check_alive(tcp);
	tcp->stack->callbacks.eof(tcp->context);
}

void fakestack_close(struct stack_tcp *tcp, int error)
{
	check_alive(tcp);
	tcp->end = FAKE_REPORTED;
	tcp->stack->callbacks.closed(tcp->context, error);
}

void fakestack_ack(struct stack_tcp *tcp, size_t length)
{
	check_alive(tcp);
	tcp->room += length;
	tcp->stack->callbacks.writable(tcp->context);
}
