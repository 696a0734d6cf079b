/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* From a frame to a packet for one of our protocols: TCP goes on to lwIP, the rest stays here.
 *
 * Reads both IP versions into one `struct packet`; everything that no honest host sends is dropped
 * here, so that the files behind deal with whole packets that are for us. */
#include "base/rd.h"
#include "stack/hooks.h"
#include "stack/internal.h"

enum {
	ETH_HEADER = 14,
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	IPV6_OPTIONS_MAX = 4, /* headers of options before the payload; more is an attack */
	NEXT_HOP_BY_HOP = 0,
	NEXT_FRAGMENT = 44,
	NEXT_DESTINATION = 60,
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ICMP6 = 58,
};

static bool ipv4_read(struct packet *p, struct fragment *f)
{
	struct rd r = rd_init(p->bytes, p->length);
	uint32_t source = 0, destination = 0;
	uint8_t version = rd_u8(&r);
	p->tos = rd_u8(&r);
	uint16_t length = rd_u16(&r);
	f->id = rd_u16(&r);
	uint16_t field = rd_u16(&r);
	p->ttl = rd_u8(&r);
	p->protocol = rd_u8(&r);
	(void)rd_u16(&r);
	rd_copy(&r, &source, 4);
	rd_copy(&r, &destination, 4);
	/* Options are dropped, source routing with them: nobody on a virtual network sends any. */
	if (r.bad || version != 0x45 || length < IPV4_HEADER || length > p->length ||
	    (!p->is_authentic && stk_checksum(p->bytes, IPV4_HEADER) != 0xffff)) {
		return false;
	}
	f->offset = (field & 0x1fffu) * 8;
	f->has_more = (field & 0x2000) != 0;
	p->length = length;
	p->payload = p->bytes + IPV4_HEADER;
	p->payload_length = length - IPV4_HEADER;
	p->source = ipa_v4(source);
	p->destination = ipa_v4(destination);
	return true;
}

/* Skip options and take the fragment header off. False: nothing that we know. */
static bool ipv6_options(struct packet *p, struct fragment *f)
{
	struct rd r = rd_init(p->payload, p->payload_length);
	for (int i = 0; i < IPV6_OPTIONS_MAX; i++) {
		if (p->protocol == NEXT_FRAGMENT) {
			p->protocol = rd_u8(&r);
			(void)rd_u8(&r);
			uint16_t field = rd_u16(&r);
			f->id = rd_u32(&r);
			f->offset = field & 0xfff8u;
			f->has_more = (field & 1) != 0;
		} else if (p->protocol == NEXT_HOP_BY_HOP || p->protocol == NEXT_DESTINATION) {
			p->protocol = rd_u8(&r);
			(void)rd_bytes(&r, (size_t)rd_u8(&r) * 8 + 6);
		} else {
			break;
		}
		if (r.bad) {
			return false;
		}
		size_t left = rd_left(&r);
		p->payload += p->payload_length - left;
		p->payload_length = (uint32_t)left;
		if (f->offset != 0 || f->has_more) {
			return true; /* what follows belongs to the whole */
		}
	}
	return p->protocol != NEXT_FRAGMENT;
}

static bool ipv6_read(struct packet *p, struct fragment *f)
{
	struct rd r = rd_init(p->bytes, p->length);
	uint32_t first = rd_u32(&r);
	uint16_t length = rd_u16(&r);
	p->protocol = rd_u8(&r);
	p->ttl = rd_u8(&r);
	rd_copy(&r, &p->source, 16);
	rd_copy(&r, &p->destination, 16);
	if (r.bad || first >> 28 != 6 || length > rd_left(&r)) {
		return false;
	}
	p->tos = (uint8_t)(first >> 20);
	p->length = IPV6_HEADER + length;
	p->payload = p->bytes + IPV6_HEADER;
	p->payload_length = length;
	/* An IPv4 address in an IPv6 packet would pass for one of IPv4's (ipa.h). */
	return !ipa_is_v4(&p->source) && !ipa_is_v4(&p->destination) &&
	       !ipa_is_multicast(&p->source) && ipv6_options(p, f);
}

/* Is the packet for us, and does it come from another? */
static bool is_acceptable(struct stack *s, struct packet *p)
{
	if (addr_find(s, &p->source)) {
		neigh_conflict(s, &p->source, p->sender);
		return false;
	}
	if (addr_find(s, &p->destination)) {
		if (p->is_authentic && addr_is_on_link(s, &p->source)) {
			neigh_learn(s, &p->source, p->sender, true);
		}
		return true;
	}
	p->is_to_many = true;
	return ipa_is_multicast(&p->destination) ? group_is_joined(s, &p->destination)
						 : addr_is_broadcast(s, &p->destination);
}

void packet_input(struct stack *s, struct packet *p)
{
	bool is_v4 = ipa_is_v4(&p->destination);
	if (p->protocol == PROTOCOL_TCP && !p->is_to_many) {
		s->counts.tcp_in++;
		frame_to_tcp(s, addr_find(s, &p->destination), p);
	} else if (p->protocol == PROTOCOL_UDP) {
		udp_input(s, p);
	} else if (p->protocol == (is_v4 ? PROTOCOL_ICMP : PROTOCOL_ICMP6)) {
		icmp_input(s, p);
	} else {
		s->counts.frames_dropped++;
	}
}

void packets_input(struct stack *s, const struct stack_frame *frame)
{
	struct packet p = { .bytes = frame->bytes + ETH_HEADER,
			    .length = frame->length - ETH_HEADER,
			    .is_authentic = frame->is_authentic,
			    .sender = frame->bytes + 6 };
	struct fragment f = { .offset = 0 };
	bool is_v4 = frame->bytes[12] == 8;
	if (!(is_v4 ? ipv4_read(&p, &f) : ipv6_read(&p, &f)) || !is_acceptable(s, &p)) {
		s->counts.frames_dropped++;
	} else if (f.offset != 0 || f.has_more) {
		fragments_input(s, &p, &f);
	} else {
		packet_input(s, &p);
	}
}
