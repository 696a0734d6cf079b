/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* ICMP (RFC 792, RFC 1122 3.2.2) and ICMPv6 (RFC 4443): echo both ways, what did not arrive, and
 * closed ports. What is said about TCP is weighed in stk_tcp_icmp.c. */
#include "base/rd.h"
#include "base/wr.h"
#include "stack/hooks.h"
#include "stack/internal.h"

#include <errno.h>

enum {
	ICMP_HEADER = 8,
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ICMP6 = 58,
	V4_ECHO_REPLY = 0,
	V4_UNREACHABLE = 3,
	V4_ECHO = 8,
	V4_TIME_EXCEEDED = 11,
	V4_PARAMETER = 12,
	V6_UNREACHABLE = 1,
	V6_TOO_BIG = 2,
	V6_TIME_EXCEEDED = 3,
	V6_PARAMETER = 4,
	V6_ECHO = 128,
	V6_ECHO_REPLY = 129,
	V6_ND_FIRST = 133,
	V6_ND_LAST = 137,
	CODE_PORT = 3, /* of IPv4's unreachable */
	CODE_PORT6 = 4,
	QUOTED_V4 = 548,  /* of the packet that we answer: 576 bytes in all (RFC 1812 4.3.2.3) */
	QUOTED_V6 = 1232, /* 1280 in all (RFC 4443 2.4) */
	ERRORS_BURST = 50,
	ERRORS_PER_SECOND = 100,
};

static uint16_t checksum(const struct ipa *source, const struct ipa *destination,
			 const uint8_t *message, size_t length)
{
	return ipa_is_v4(source)
		   ? (uint16_t)~stk_checksum(message, (int)length)
		   : ip_checksum(source, destination, PROTOCOL_ICMP6, message, length);
}

static int send(struct stack *s, struct ip_out *out, uint8_t *message, size_t length)
{
	out->protocol = ipa_is_v4(&out->source) ? PROTOCOL_ICMP : PROTOCOL_ICMP6;
	memset(message + 2, 0, 2);
	uint16_t sum = checksum(&out->source, &out->destination, message, length);
	memcpy(message + 2, &sum, 2);
	return ip_out_send(s, out, length);
}

static void echo_answer(struct stack *s, const struct packet *p)
{
	struct ip_out out = { .source = p->destination, .destination = p->source, .tos = p->tos };
	uint8_t *message = ip_out_payload(p->payload_length);
	if (p->is_to_many || !message) { /* as Linux: no amplifier */
		s->counts.frames_dropped++;
		return;
	}
	memcpy(message, p->payload, p->payload_length);
	message[0] = ipa_is_v4(&p->source) ? V4_ECHO_REPLY : V6_ECHO_REPLY;
	s->counts.icmp_echo_answered += send(s, &out, message, p->payload_length) == 0;
}

static void echo_take(struct stack *s, const struct packet *p)
{
	uint16_t identifier = (uint16_t)(p->payload[4] << 8 | p->payload[5]);
	struct stack_datagram d = { .local = ipa_name(&p->destination, identifier),
				    .remote = ipa_name(&p->source, 0),
				    .tos = p->tos,
				    .ttl = p->ttl,
				    .bytes = p->payload,
				    .length = p->payload_length };
	if (s->callbacks->echo && !p->is_to_many) {
		s->callbacks->echo(s->context, &d);
	}
}

/* --- What of ours did not arrive. */

static int error_v4(uint8_t type, uint8_t code)
{
	/* Linux's icmp_err_convert */
	static const int unreachable[] = {
		ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT,  ECONNREFUSED, EMSGSIZE,     EOPNOTSUPP,
		ENETUNREACH,  EHOSTDOWN,    ENONET,       ENETUNREACH,  EHOSTUNREACH, ENETUNREACH,
		EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH,
	};
	if (type == V4_UNREACHABLE && code < sizeof(unreachable) / sizeof(unreachable[0])) {
		return unreachable[code];
	}
	return type == V4_PARAMETER ? EPROTO : EHOSTUNREACH;
}

static int error_v6(uint8_t type, uint8_t code)
{
	static const int unreachable[] = { ENETUNREACH,  EACCES, EHOSTUNREACH, EHOSTUNREACH,
					   ECONNREFUSED, EACCES, EACCES };
	if (type == V6_UNREACHABLE && code < sizeof(unreachable) / sizeof(unreachable[0])) {
		return unreachable[code];
	}
	return type == V6_TOO_BIG ? EMSGSIZE : type == V6_PARAMETER ? EPROTO : EHOSTUNREACH;
}

/* A packet that we sent, or its beginning. False: it is none. */
static bool own_packet(struct stack *s, const uint8_t *bytes, size_t length, struct packet *out)
{
	struct rd r = rd_init(bytes, length);
	uint8_t first = rd_u8(&r);
	uint32_t from = 0, to = 0;
	if (first == 0x45) {
		(void)rd_bytes(&r, 5);
		uint16_t fragment = rd_u16(&r);
		(void)rd_u8(&r);
		out->protocol = rd_u8(&r);
		(void)rd_u16(&r);
		rd_copy(&r, &from, 4);
		rd_copy(&r, &to, 4);
		out->source = ipa_v4(from);
		out->destination = ipa_v4(to);
		r.bad |= (fragment & 0x1fff) != 0;
	} else {
		(void)rd_bytes(&r, 5);
		out->protocol = rd_u8(&r);
		(void)rd_u8(&r);
		rd_copy(&r, &out->source, 16);
		rd_copy(&r, &out->destination, 16);
		if (out->protocol == 44 && rd_left(&r) >= 8) { /* a fragment, the first? */
			out->protocol = rd_u8(&r);
			(void)rd_u8(&r);
			r.bad |= (rd_u16(&r) & 0xfff8) != 0;
			(void)rd_u32(&r);
		}
		r.bad |= first >> 4 != 6 || ipa_is_v4(&out->source);
	}
	out->payload_length = (uint32_t)rd_left(&r);
	out->payload = rd_bytes(&r, out->payload_length);
	return !r.bad && out->payload_length >= 8 && addr_find(s, &out->source) != NULL;
}

/* Say that `p`, which is ours, did not arrive; `report` says why. */
static void tell(struct stack *s, const struct packet *p, struct stack_unreachable *report)
{
	struct rd r = rd_init(p->payload, p->payload_length);
	uint16_t local = rd_u16(&r), remote = rd_u16(&r);
	bool is_v4 = ipa_is_v4(&p->source);
	if (p->protocol == PROTOCOL_TCP) {
		stk_tcp_icmp(s, p, report);
		return;
	}
	if (p->protocol == (is_v4 ? PROTOCOL_ICMP : PROTOCOL_ICMP6)) {
		if (p->payload[0] != (is_v4 ? V4_ECHO : V6_ECHO)) {
			return;
		}
		local = rd_u16(&r);
		remote = 0;
	} else if (p->protocol != PROTOCOL_UDP || !udp_is_open(s, local, is_v4)) {
		return;
	}
	report->local = ipa_name(&p->source, local);
	report->remote = ipa_name(&p->destination, remote);
	report->protocol = p->protocol;
	if (s->callbacks->unreachable) {
		s->callbacks->unreachable(s->context, report);
	}
}

void icmp_report(struct stack *s, const uint8_t *packet, size_t length, int error)
{
	struct packet p;
	struct stack_unreachable report = { .error = error };
	if (own_packet(s, packet, length, &p)) {
		tell(s, &p, &report);
	}
}

static void error_input(struct stack *s, const struct packet *p)
{
	bool is_v4 = ipa_is_v4(&p->source);
	uint8_t type = p->payload[0], code = p->payload[1];
	struct packet inner;
	struct stack_unreachable report = { .type = type,
					    .code = code,
					    .error = is_v4 ? error_v4(type, code)
							   : error_v6(type, code) };
	struct rd r = rd_init(p->payload + 4, 4);
	uint32_t rest = rd_u32(&r);
	if (report.error == EMSGSIZE) {
		report.mtu = is_v4 ? rest & 0xffff : rest;
	}
	if (own_packet(s, p->payload + ICMP_HEADER, p->payload_length - ICMP_HEADER, &inner) &&
	    ipa_is_v4(&inner.source) == is_v4) {
		tell(s, &inner, &report);
	} else {
		s->counts.frames_dropped++;
	}
}

static void input_v4(struct stack *s, const struct packet *p)
{
	switch (p->payload[0]) {
	case V4_ECHO:
		echo_answer(s, p);
		break;
	case V4_ECHO_REPLY:
		echo_take(s, p);
		break;
	case V4_UNREACHABLE:
	case V4_TIME_EXCEEDED:
	case V4_PARAMETER:
		error_input(s, p);
		break;
	default: /* redirects, timestamps, masks: nobody's business */
		s->counts.frames_dropped++;
		break;
	}
}

static void input_v6(struct stack *s, const struct packet *p)
{
	uint8_t type = p->payload[0];
	if (type == V6_ECHO) {
		echo_answer(s, p);
	} else if (type == V6_ECHO_REPLY) {
		echo_take(s, p);
	} else if (type >= V6_UNREACHABLE && type <= V6_PARAMETER) {
		error_input(s, p);
	} else if (type >= V6_ND_FIRST && type <= V6_ND_LAST) {
		ndp_input(s, p);
	} else {
		s->counts.frames_dropped++;
	}
}

void icmp_input(struct stack *s, struct packet *p)
{
	if (p->payload_length < ICMP_HEADER ||
	    (!p->is_authentic &&
	     checksum(&p->source, &p->destination, p->payload, p->payload_length) != 0)) {
		s->counts.frames_dropped++;
	} else if (ipa_is_v4(&p->destination)) {
		input_v4(s, p);
	} else {
		input_v6(s, p);
	}
}

/* --- Errors that we send: no more than ERRORS_PER_SECOND, whoever asks for them. */

static bool may_send_error(struct stack *s)
{
	int64_t elapsed = s->now_ms - s->icmp_refilled_ms;
	int64_t refill = elapsed * ERRORS_PER_SECOND / 1000;
	if (refill > 0) {
		int64_t tokens = s->icmp_tokens + refill;
		s->icmp_tokens = tokens < ERRORS_BURST ? (uint32_t)tokens : ERRORS_BURST;
		s->icmp_refilled_ms = s->now_ms;
	}
	if (s->icmp_tokens == 0) {
		return false;
	}
	s->icmp_tokens--;
	return true;
}

void icmp_port_unreachable(struct stack *s, const struct packet *p)
{
	bool is_v4 = ipa_is_v4(&p->source);
	if (p->is_to_many || !ipa_is_unicast(&p->source) || !may_send_error(s)) {
		return;
	}
	size_t quoted = is_v4 ? QUOTED_V4 : QUOTED_V6;
	quoted = p->length < quoted ? p->length : quoted;
	uint8_t *message = ip_out_payload(ICMP_HEADER + quoted);
	struct ip_out out = { .source = p->destination, .destination = p->source };
	memset(message, 0, ICMP_HEADER);
	message[0] = is_v4 ? V4_UNREACHABLE : V6_UNREACHABLE;
	message[1] = is_v4 ? CODE_PORT : CODE_PORT6;
	memcpy(message + ICMP_HEADER, p->bytes, quoted);
	s->counts.icmp_errors_out += send(s, &out, message, ICMP_HEADER + quoted) == 0;
}

int stk_echo_send(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		  const struct stack_marks *marks, const struct iovec *iov, int count)
{
	struct ip_out out = { .protocol = PROTOCOL_ICMP };
	int error = ip_out_names(s, local, remote, marks, &out);
	if (error != 0) {
		return error;
	}
	size_t room = UINT16_MAX - (ipa_is_v4(&out.source) ? 20u : 0u);
	uint8_t *message = ip_out_payload(room);
	int64_t length = ip_out_gather(message, room, iov, count);
	if (length < ICMP_HEADER) {
		return length < 0 ? (int)length : -EINVAL;
	}
	struct wr w = wr_init(message, 6);
	wr_u16(&w, (uint16_t)((ipa_is_v4(&out.source) ? V4_ECHO : V6_ECHO) << 8));
	wr_u16(&w, 0);
	wr_u16(&w, local->port);
	if (!s->is_clocked) {
		s->has_undated = true; /* a neighbour may have been asked: date it */
	}
	return send(s, &out, message, (size_t)length);
}
