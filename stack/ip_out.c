/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What we send that is not TCP: one packet is built here at a time, in one place, and leaves whole
 * or in fragments. */
#include "base/wr.h"
#include "stack/hooks.h"
#include "stack/internal.h"

#include <errno.h>

enum {
	ETH_HEADER = 14,
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	FRAGMENT_HEADER = 8,
	NEXT_FRAGMENT = 44,
	PACKET_MAX = 65535,
	FRAME_MAX = 10000,
	MORE_FRAGMENTS = 0x2000,
	DONT_FRAGMENT = 0x4000,
	TTL = 64,
	HEAD = STACK_FRAME_HEADROOM + ETH_HEADER + IPV6_HEADER + FRAGMENT_HEADER,
};

/* The payload begins at HEAD, and before it is room for every header. */
static uint8_t message[HEAD + PACKET_MAX];
static uint8_t piece[HEAD + FRAME_MAX];

uint8_t *ip_out_payload(size_t length)
{
	return length <= PACKET_MAX ? message + HEAD : NULL;
}

uint16_t ip_checksum(const struct ipa *source, const struct ipa *destination, uint8_t protocol,
		     const uint8_t *payload, size_t length)
{
	uint8_t pseudo[IPV6_HEADER];
	struct wr w = wr_init(pseudo, sizeof(pseudo));
	bool is_v4 = ipa_is_v4(source);
	wr_bytes(&w, is_v4 ? &source->word[3] : source->word, is_v4 ? 4 : 16);
	wr_bytes(&w, is_v4 ? &destination->word[3] : destination->word, is_v4 ? 4 : 16);
	wr_u32(&w, (uint32_t)length); /* IPv4: 0, protocol, length; the order is all the same */
	wr_u32(&w, protocol);
	uint32_t sum = (uint32_t)stk_checksum(pseudo, is_v4 ? 16 : IPV6_HEADER) +
		       stk_checksum(payload, (int)length);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* Write the header that ends at `payload`; `field` is IPv4's flags and offset. Returns where it
 * begins. */
static uint8_t *ipv4_header(const struct ip_out *out, uint8_t *payload, size_t length,
			    uint16_t field)
{
	uint8_t *header = payload - IPV4_HEADER;
	struct wr w = wr_init(header, IPV4_HEADER);
	wr_u8(&w, 0x45);
	wr_u8(&w, out->tos);
	wr_u16(&w, (uint16_t)(IPV4_HEADER + length));
	wr_u16(&w, (uint16_t)the_stack.next_id);
	wr_u16(&w, field);
	wr_u8(&w, out->ttl ? out->ttl : TTL);
	wr_u8(&w, out->protocol);
	wr_u16(&w, 0);
	wr_bytes(&w, &out->source.word[3], 4);
	wr_bytes(&w, &out->destination.word[3], 4);
	uint16_t sum = (uint16_t)~stk_checksum(header, IPV4_HEADER);
	memcpy(header + 10, &sum, 2);
	return header;
}

static uint8_t *ipv6_header(const struct ip_out *out, uint8_t next, uint8_t *payload, size_t length)
{
	uint8_t *header = payload - IPV6_HEADER;
	struct wr w = wr_init(header, IPV6_HEADER);
	wr_u32(&w, 6u << 28 | (uint32_t)out->tos << 20);
	wr_u16(&w, (uint16_t)length);
	wr_u8(&w, next);
	wr_u8(&w, out->ttl ? out->ttl : TTL);
	wr_bytes(&w, &out->source, 16);
	wr_bytes(&w, &out->destination, 16);
	return header;
}

/* The headers of one fragment. */
static uint8_t *fragment_header(const struct ip_out *out, uint8_t *payload, size_t length,
				size_t offset, bool has_more)
{
	if (ipa_is_v4(&out->source)) {
		return ipv4_header(out, payload, length,
				   (uint16_t)(offset / 8 | (has_more ? MORE_FRAGMENTS : 0)));
	}
	uint8_t *header = payload - FRAGMENT_HEADER;
	struct wr w = wr_init(header, FRAGMENT_HEADER);
	wr_u8(&w, out->protocol);
	wr_u8(&w, 0);
	wr_u16(&w, (uint16_t)(offset | has_more));
	wr_u32(&w, the_stack.next_id);
	return ipv6_header(out, NEXT_FRAGMENT, header, length + FRAGMENT_HEADER);
}

static int send_fragments(struct stack *s, const struct ip_out *out, size_t length)
{
	size_t headers = ipa_is_v4(&out->source) ? IPV4_HEADER : IPV6_HEADER + FRAGMENT_HEADER;
	size_t step = (s->mtu - headers) & ~(size_t)7;
	int error = 0;
	for (size_t offset = 0; offset < length && error == 0; offset += step) {
		size_t part = length - offset < step ? length - offset : step;
		memcpy(piece + HEAD, message + HEAD + offset, part);
		uint8_t *packet =
		    fragment_header(out, piece + HEAD, part, offset, offset + part < length);
		error = frame_send_to(s, &out->destination, packet,
				      (size_t)(piece + HEAD + part - packet), true);
	}
	return error;
}

int ip_out_send(struct stack *s, const struct ip_out *out, size_t length)
{
	bool is_v4 = ipa_is_v4(&out->source);
	size_t header = is_v4 ? IPV4_HEADER : IPV6_HEADER;
	if (length + (is_v4 ? IPV4_HEADER : 0) > PACKET_MAX ||
	    (out->dont_fragment && header + length > s->mtu)) {
		return -EMSGSIZE;
	}
	s->next_id++;
	if (header + length > s->mtu) {
		return send_fragments(s, out, length);
	}
	uint8_t *packet =
	    is_v4 ? ipv4_header(out, message + HEAD, length, out->dont_fragment ? DONT_FRAGMENT : 0)
		  : ipv6_header(out, out->protocol, message + HEAD, length);
	return frame_send_to(s, &out->destination, packet, header + length, true);
}

int ip_out_names(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		 const struct stack_marks *marks, struct ip_out *out)
{
	out->tos = marks->tos;
	out->ttl = marks->ttl;
	out->dont_fragment = marks->dont_fragment;
	if (!ipa_read(remote, &out->destination) || addr_find(s, &out->destination)) {
		return -ENETUNREACH;
	}
	const struct addr *source = NULL;
	if (local->family != 0 && ipa_read(local, &out->source) &&
	    !ipa_is_unspecified(&out->source)) {
		source = addr_find(s, &out->source);
		if (!source || ipa_is_v4(&source->ip) != ipa_is_v4(&out->destination)) {
			return -EADDRNOTAVAIL;
		}
	} else {
		source = addr_source(s, &out->destination);
	}
	if (!source) {
		return -ENETUNREACH;
	}
	out->source = source->ip;
	return 0;
}

int64_t ip_out_gather(uint8_t *to, size_t room, const struct iovec *iov, int count)
{
	size_t length = 0;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > room - length) {
			return -EMSGSIZE;
		}
		if (iov[i].iov_len > 0) {
			memcpy(to + length, iov[i].iov_base, iov[i].iov_len);
		}
		length += iov[i].iov_len;
	}
	return (int64_t)length;
}
