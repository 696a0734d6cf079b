/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* ARP for IPv4 over Ethernet (RFC 826), announcements and conflicts (RFC 5227). */
#include "base/rd.h"
#include "base/wr.h"
#include "stack/internal.h"

#include <string.h>

enum {
	ARP_BYTES = 28,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	ETHERTYPE_ARP = 0x0806,
};

static const uint8_t EVERYBODY[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

struct arp {
	uint16_t operation;
	const uint8_t *sender_mac;
	uint32_t sender_ip, target_ip; /* wire order */
};

static bool arp_read(struct rd *r, struct arp *out)
{
	uint16_t hardware = rd_u16(r), protocol = rd_u16(r);
	uint8_t hardware_length = rd_u8(r), protocol_length = rd_u8(r);
	out->operation = rd_u16(r);
	out->sender_mac = rd_bytes(r, 6);
	rd_copy(r, &out->sender_ip, 4);
	(void)rd_bytes(r, 6);
	rd_copy(r, &out->target_ip, 4);
	return hardware == 1 && protocol == 0x0800 && hardware_length == 6 &&
	       protocol_length == 4 && !r->bad;
}

static void arp_send(struct stack *s, const uint8_t to[6], const struct arp *a,
		     const uint8_t target_mac[6])
{
	uint8_t packet[ARP_BYTES];
	struct wr w = wr_init(packet, sizeof(packet));
	wr_u16(&w, 1);
	wr_u16(&w, 0x0800);
	wr_u8(&w, 6);
	wr_u8(&w, 4);
	wr_u16(&w, a->operation);
	wr_bytes(&w, a->sender_mac, 6);
	wr_bytes(&w, &a->sender_ip, 4);
	wr_bytes(&w, target_mac, 6);
	wr_bytes(&w, &a->target_ip, 4);
	frame_send_copy(s, to, ETHERTYPE_ARP, packet, sizeof(packet));
}

void arp_ask(struct stack *s, uint32_t ip, const uint8_t *mac)
{
	static const uint8_t unknown[6];
	struct ipa wanted = ipa_v4(ip);
	const struct addr *source = addr_source(s, &wanted);
	if (source) {
		struct arp a = { ARP_REQUEST, s->mac, source->ip.word[3], ip };
		arp_send(s, mac ? mac : EVERYBODY, &a, unknown);
	}
}

void arp_announce(struct stack *s, uint32_t ip)
{
	static const uint8_t unknown[6];
	struct arp a = { ARP_REQUEST, s->mac, ip, ip };
	arp_send(s, EVERYBODY, &a, unknown);
}

void arp_input(struct stack *s, const uint8_t *frame, size_t length)
{
	struct rd r = rd_init(frame, length);
	(void)rd_bytes(&r, 14);
	struct arp a;
	if (!arp_read(&r, &a) || (a.sender_mac[0] & 1) != 0) {
		s->counts.frames_dropped++;
		return;
	}
	struct ipa sender = ipa_v4(a.sender_ip), target = ipa_v4(a.target_ip);
	if (addr_find(s, &sender)) {
		if (memcmp(a.sender_mac, s->mac, 6) != 0) {
			neigh_conflict(s, &sender, a.sender_mac);
		}
		return;
	}
	bool is_for_us = addr_find(s, &target) != NULL;
	if (addr_is_on_link(s, &sender)) {
		/* RFC 826: update what we have; make an entry only for who talks to us. */
		neigh_learn(s, &sender, a.sender_mac, is_for_us);
	}
	if (a.operation == ARP_REQUEST && is_for_us) {
		struct arp reply = { ARP_REPLY, s->mac, a.target_ip, a.sender_ip };
		arp_send(s, a.sender_mac, &reply, a.sender_mac);
	}
}
