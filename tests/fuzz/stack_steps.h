/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One stack and steps against it, for the fuzz targets of the stack: frames, time and the program's
 * operations, in any order.
 *
 * The stack is compiled in (mk/lwip.mk, FUZZ_STACK_OBJECTS) instead of loaded, so that its coverage
 * is seen; it is created for each input and must give back every byte at the end. Frames are
 * authentic: checksums are not checked. The input is a list of steps, each a kind and its bytes: 0
 * a raw frame: u16 length, bytes 1  a TCP segment to port 80 that knows the sequence numbers of its
 * connection: flags, port, seq and ack as i16 beside what is right, window, u8 options length, u16
 * payload length, bytes 2  u16 ms pass 3  an operation: which, connection, u16 argument 4  an IPv6
 * packet to us from a neighbour: next header, u16 length, bytes (the seeds of neighbour discovery,
 * fragments and ICMPv6) 5  the same for IPv4: protocol, u16 fragment field, u16 length, bytes 6  a
 * datagram or echo request of ours: which, where to, u16 length 7  ports and groups: which, u16 8
 * an ICMP error about a segment of ours: type, code, u16 MTU, which, i16 beside its sequence number
 */
#ifndef TESTS_FUZZ_STACK_STEPS_H
#define TESTS_FUZZ_STACK_STEPS_H

#include "base/rd.h"
#include "stack/internal.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

enum { CONNS = 8, STEPS = 200, FRAME = 12000, PEER_PORTS = 4 };

static struct stack_callbacks callbacks;
static struct stack *stack;
static const struct stack_ops *ops;
static int64_t now_ms;
static uint32_t seed;
static bool reads, admits, accepts;

/* The program's connections: the context is the slot. */
static struct stack_tcp *conns[CONNS];

/* What a peer would know of its four connections. */
static struct {
	uint32_t next, expected; /* its next sequence number, and ours */
} peers[PEER_PORTS];

static const uint8_t OUR_MAC[6] = { 2, 0, 0, 0, 0, 1 }, PEER_MAC[6] = { 2, 0, 0, 0, 0, 2 };

static uint32_t u32_of(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void on_output(void *context, uint8_t *frame, uint32_t length)
{
	(void)context;
	memset(frame - STACK_FRAME_HEADROOM, 0x5a, STACK_FRAME_HEADROOM);
	BUG_ON(length < 14 + 20 || length > 14 + 2800 ||
	       (frame[0] & 1 && frame[0] != 0xff && frame[0] != 1 && frame[0] != 0x33));
	BUG_ON(memcmp(frame + 6, OUR_MAC, 6) != 0);
	if (length < 54 || frame[12] != 8 || frame[13] != 0 || frame[23] != 6) {
		return;
	}
	uint32_t payload =
	    (uint32_t)(frame[16] << 8 | frame[17]) - 20 - (uint32_t)(frame[46] >> 4) * 4;
	uint32_t slot = frame[37] % PEER_PORTS;
	peers[slot].expected =
	    u32_of(frame + 38) + payload + (frame[47] & 1) + (frame[47] >> 1 & 1);
	if ((frame[47] & 16) != 0) {
		peers[slot].next = u32_of(frame + 42);
	}
}

static bool on_admit(void *context, const struct stack_ip *local, const struct stack_ip *remote)
{
	(void)context;
	BUG_ON(local->family != remote->family);
	return admits;
}

static void *slot_take(struct stack_tcp *tcp)
{
	for (int i = 0; i < CONNS; i++) {
		if (!conns[i]) {
			conns[i] = tcp;
			return &conns[i];
		}
	}
	return NULL;
}

static void *on_accepted(void *context, struct stack_tcp *tcp, const struct stack_ip *local,
			 const struct stack_ip *remote)
{
	(void)context;
	(void)local;
	(void)remote;
	return accepts ? slot_take(tcp) : NULL;
}

static void on_event(void *tcp_context)
{
	BUG_ON(*(struct stack_tcp **)tcp_context == NULL);
}

static void consume(struct stack_tcp *tcp, size_t most)
{
	struct iovec iov[4];
	size_t total = 0;
	int count = ops->tcp_peek(tcp, iov, 4);
	for (int i = 0; i < count; i++) {
		for (size_t k = 0; k < iov[i].iov_len; k++) {
			seed += ((const uint8_t *)iov[i].iov_base)[k]; /* the sanitizer looks */
		}
		total += iov[i].iov_len;
	}
	ops->tcp_consumed(tcp, total < most ? total : most);
}

static void on_readable(void *tcp_context)
{
	struct stack_tcp *tcp = *(struct stack_tcp **)tcp_context;
	BUG_ON(!tcp);
	if (reads) {
		consume(tcp, SIZE_MAX);
	}
}

static void on_closed(void *tcp_context, int error)
{
	BUG_ON(*(struct stack_tcp **)tcp_context == NULL || error < 0);
	*(struct stack_tcp **)tcp_context = NULL;
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
	(void)context;
	memset(out, 7, length);
}

static void on_fail(void *context, const char *text)
{
	(void)context;
	bug_abort(text, "lwip", 0);
}

static void input(const uint8_t *bytes, size_t length)
{
	uint8_t *exact = malloc(length ? length : 1); /* a byte too far is the sanitizer's */
	BUG_ON(!exact);
	if (length > 0) {
		memcpy(exact, bytes, length);
	}
	struct stack_frame f = { exact, (uint32_t)length, true };
	ops->input(stack, &f, 1, now_ms);
	free(exact);
}

static void put(uint8_t *at, uint32_t value, int width)
{
	for (int i = width - 1; i >= 0; i--, value >>= 8) {
		at[i] = (uint8_t)value;
	}
}

static void step_segment(struct rd *r)
{
	static uint8_t frame[FRAME];
	static const uint8_t headers[22] = { 8, 0, 0x45, 0,  0, 0, 0, 0,  0, 0, 64,
					     6, 0, 0,    10, 0, 0, 2, 10, 0, 0, 1 };
	uint8_t flags = rd_u8(r), slot = rd_u8(r) % PEER_PORTS;
	int16_t seq = (int16_t)rd_u16(r), ack = (int16_t)rd_u16(r);
	uint16_t window = rd_u16(r);
	uint32_t options = rd_u8(r) % 11 * 4, payload = rd_u16(r) % 2800;
	memset(frame, 0, 54);
	memcpy(frame, OUR_MAC, 6);
	memcpy(frame + 6, PEER_MAC, 6);
	memcpy(frame + 12, headers, sizeof(headers));
	put(frame + 16, 40 + options + payload, 2);
	put(frame + 34, 0x4000u + slot, 2);
	put(frame + 36, 80, 2);
	put(frame + 38, peers[slot].next + (uint32_t)seq, 4);
	put(frame + 42, peers[slot].expected + (uint32_t)ack, 4);
	frame[46] = (uint8_t)((5 + options / 4) << 4);
	frame[47] = flags;
	put(frame + 48, window, 2);
	size_t have = rd_left(r) < options + payload ? rd_left(r) : options + payload;
	memset(frame + 54, 0, options + payload);
	rd_copy(r, frame + 54, have);
	input(frame, 54 + options + payload);
}

static void step_operation(struct rd *r)
{
	static const uint8_t data[4096];
	uint8_t which = rd_u8(r), slot = rd_u8(r) % CONNS;
	uint16_t argument = rd_u16(r);
	struct stack_tcp **at = &conns[slot], *tcp = *at;
	struct iovec iov = { (void *)(uintptr_t)data, argument % sizeof(data) };
	if (which % 12 == 0 && !tcp) {
		struct stack_ip local = { .port = 0x5000 };
		struct stack_ip remote = { .family = 4, .bytes = { 10, 0, 0, 2 } };
		local.port = (uint16_t)(local.port + slot);
		remote.port = (uint16_t)(0x4000 + argument % PEER_PORTS);
		(void)ops->tcp_connect(stack, &local, &remote, at, at);
		return;
	}
	switch (tcp ? which % 12 : 11) {
	case 1:
		for (int i = 0; i < 64 && ops->tcp_room(tcp) > iov.iov_len; i++) {
			(void)ops->tcp_write(tcp, &iov, 1);
		}
		break;
	case 2:
		ops->tcp_flush(tcp);
		break;
	case 3:
		ops->tcp_shutdown_write(tcp);
		break;
	case 4:
		*at = NULL;
		ops->tcp_close(tcp);
		break;
	case 5:
		*at = NULL;
		ops->tcp_abort(tcp);
		break;
	case 6:
		consume(tcp, argument);
		break;
	case 7:
		(void)ops->tcp_option_set(tcp, argument % 8, argument >> 8);
		break;
	case 8: {
		struct stack_tcp_info info;
		ops->tcp_info(tcp, &info);
		break;
	}
	default:
		reads = (argument & 1) != 0;
		admits = (argument & 2) != 0;
		accepts = (argument & 4) != 0;
		break;
	}
}

static void read_all(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		seed += bytes[i]; /* the sanitizer looks */
	}
}

static bool on_datagram(void *context, const struct stack_datagram *d)
{
	(void)context;
	BUG_ON(d->local.family != d->remote.family);
	read_all(d->bytes, d->length);
	struct stack_marks marks = { .ttl = d->ttl };
	struct iovec iov = { (void *)(uintptr_t)d->bytes, d->length };
	struct stack_ip local = d->local;
	local.family = 0; /* may have been a group */
	(void)ops->udp_send(stack, &local, &d->remote, &marks, &iov, 1);
	return d->length % 3 != 0;
}

static void on_echo(void *context, const struct stack_datagram *d)
{
	(void)context;
	read_all(d->bytes, d->length);
}

static void on_unreachable(void *context, const struct stack_unreachable *u)
{
	(void)context;
	BUG_ON(u->error <= 0 || u->local.family != u->remote.family);
}

static const uint8_t OURS6[16] = { 0xfd, [15] = 1 }, PEER6[16] = { 0xfd, [15] = 2 };

static void step_packet6(struct rd *r)
{
	static uint8_t frame[FRAME];
	uint8_t next = rd_u8(r);
	size_t length = rd_u16(r) % 4096;
	length = length < rd_left(r) ? length : rd_left(r);
	memset(frame, 0, 54);
	memcpy(frame, OUR_MAC, 6);
	memcpy(frame + 6, PEER_MAC, 6);
	put(frame + 12, 0x86dd, 2);
	frame[14] = 0x60;
	put(frame + 18, (uint32_t)length, 2);
	frame[20] = next;
	frame[21] = 255;
	memcpy(frame + 22, PEER6, 16);
	memcpy(frame + 38, OURS6, 16);
	rd_copy(r, frame + 54, length);
	input(frame, 54 + length);
}

static void step_packet4(struct rd *r)
{
	static uint8_t frame[FRAME];
	static const uint8_t addresses[8] = { 10, 0, 0, 2, 10, 0, 0, 1 };
	uint8_t protocol = rd_u8(r);
	uint16_t fragment = rd_u16(r);
	size_t length = rd_u16(r) % 4096;
	length = length < rd_left(r) ? length : rd_left(r);
	memset(frame, 0, 34);
	memcpy(frame, OUR_MAC, 6);
	memcpy(frame + 6, PEER_MAC, 6);
	put(frame + 12, 0x0800, 2);
	frame[14] = 0x45;
	put(frame + 16, (uint32_t)length + 20, 2);
	put(frame + 20, fragment, 2);
	frame[22] = 64;
	frame[23] = protocol;
	memcpy(frame + 26, addresses, 8);
	rd_copy(r, frame + 34, length);
	input(frame, 34 + length);
}

static void step_send(struct rd *r)
{
	static const uint8_t data[65536];
	static const uint8_t targets[][4] = {
		{ 10, 0, 0, 2 }, { 10, 0, 0, 77 }, { 10, 0, 0, 255 }, { 224, 0, 0, 251 }
	};
	uint8_t which = rd_u8(r), where = rd_u8(r) % 8;
	struct iovec iov = { (void *)(uintptr_t)data, rd_u16(r) };
	struct stack_ip local = { .port = 53 }, remote = { .family = 4, .port = 5000 };
	struct stack_marks marks = { .dont_fragment = (which & 2) != 0 };
	if (where < 4) {
		memcpy(remote.bytes, targets[where], 4);
	} else {
		remote.family = 6;
		memcpy(remote.bytes, PEER6, 16);
		remote.bytes[0] = where == 7 ? 0xff : 0xfd;
		remote.bytes[15] = where;
	}
	if ((which & 1) != 0) {
		(void)ops->udp_send(stack, &local, &remote, &marks, &iov, 1);
	} else {
		(void)ops->echo_send(stack, &local, &remote, &marks, &iov, 1);
	}
}

static void step_error(struct rd *r)
{
	static const uint8_t headers[] = {
		8,    0, 0x45, 0, 0,  56, 0, 0, 0,  0, 64, 1, 0,  0,                    /* ICMP */
		10,   0, 0,    2, 10, 0,  0, 1, 0,  0, 0,  0, 0,  0, 0, 0,              /* ... */
		0x45, 0, 4,    0, 0,  0,  0, 0, 64, 6, 0,  0, 10, 0, 0, 1, 10, 0, 0, 2, /* quoted */
	};
	uint8_t frame[70] = { 0 }, type = rd_u8(r), code = rd_u8(r);
	uint16_t mtu = rd_u16(r);
	uint8_t which = rd_u8(r), slot = which % PEER_PORTS;
	int16_t sequence = (int16_t)rd_u16(r);
	memcpy(frame, OUR_MAC, 6);
	memcpy(frame + 6, PEER_MAC, 6);
	memcpy(frame + 12, headers, sizeof(headers));
	frame[34] = type;
	frame[35] = code;
	put(frame + 40, mtu, 2);
	put(frame + 62, which & 0x80 ? 80 : 0x5000u + (which >> 2) % CONNS, 2);
	put(frame + 64, 0x4000u + slot, 2);
	put(frame + 66, peers[slot].expected + (uint32_t)sequence, 4);
	input(frame, sizeof(frame));
}

static void step_names(struct rd *r)
{
	uint8_t which = rd_u8(r);
	uint16_t argument = rd_u16(r);
	struct stack_ip group = { .family = 4, .bytes = { 224, 0, 0, (uint8_t)argument } };
	if ((argument & 0x100) != 0) {
		group = (struct stack_ip){ .family = 6, .bytes = { 0xff, 2 } };
		group.bytes[15] = (uint8_t)argument;
	}
	switch (which % 4) {
	case 0:
		(void)ops->udp_open(stack, argument, which >> 2 & 3);
		break;
	case 1:
		ops->udp_close(stack, argument, which >> 2 & 3);
		break;
	case 2:
		(void)ops->group_join(stack, &group);
		break;
	default:
		(void)ops->group_leave(stack, &group);
		break;
	}
}

static void step(struct rd *r)
{
	switch (rd_u8(r) % 9) {
	case 0: {
		size_t length = rd_u16(r);
		length = length < rd_left(r) ? length : rd_left(r);
		input(rd_bytes(r, length), length);
		break;
	}
	case 1:
		step_segment(r);
		break;
	case 2:
		now_ms += rd_u16(r);
		ops->advance(stack, now_ms);
		break;
	case 4:
		step_packet6(r);
		break;
	case 5:
		step_packet4(r);
		break;
	case 6:
		step_send(r);
		break;
	case 7:
		step_names(r);
		break;
	case 8:
		step_error(r);
		break;
	default:
		step_operation(r);
		break;
	}
	BUG_ON(ops->deadline(stack) < 0);
}

static void begin(void)
{
	callbacks = (struct stack_callbacks){
		.size = sizeof(callbacks),
		.output = on_output,
		.admit = on_admit,
		.accepted = on_accepted,
		.established = on_event,
		.readable = on_readable,
		.eof = on_event,
		.writable = on_event,
		.closed = on_closed,
		.multicast = on_multicast,
		.conflict = on_conflict,
		.random = on_random,
		.fail = on_fail,
		.datagram = on_datagram,
		.echo = on_echo,
		.unreachable = on_unreachable,
	};
	struct stack_config config = {
		.size = sizeof(config), .mtu = 2800, .callbacks = &callbacks, .now_ms = now_ms
	};
	memcpy(config.mac, OUR_MAC, 6);
	memset(conns, 0, sizeof(conns));
	memset(peers, 0, sizeof(peers));
	reads = admits = accepts = true;
	ops = stack_open(STACK_ABI);
	stack = ops->create(&config);
	BUG_ON(!stack);
	struct stack_ip addresses[2] = { { .family = 4, .bits = 24, .bytes = { 10, 0, 0, 1 } },
					 { .family = 6, .bits = 64 } };
	memcpy(addresses[1].bytes, OURS6, 16);
	BUG_ON(ops->addresses_set(stack, addresses, 2) != 0 || ops->tcp_listen(stack, 80) != 0 ||
	       ops->udp_open(stack, 53, STACK_V4 | STACK_V6) != 0);
}

static void steps(struct rd *r)
{
	for (int i = 0; i < STEPS && rd_left(r) > 0; i++) {
		step(r);
	}
}

static void end(void)
{
	ops->destroy(stack);
	BUG_ON(the_stack.heap_bytes != 0); /* destroy() must have given everything back */
}

#endif
