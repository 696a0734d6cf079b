/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/ndp.h"

#include "base/bug.h"
#include "core/addr.h"

#include <string.h>

enum {
	ETHERTYPE_IPV6 = 0x86dd,
	IPV6_BYTES = 40,
	IPV6_NEXT_AT = 6,
	PROTOCOL_ICMPV6 = 0x3a,
	NEIGHBOUR_SOLICITATION = 0x87,
	NEIGHBOUR_ADVERTISEMENT = 0x88,
	SOLICITED_OVERRIDE = 0x60, /* flags of an advertisement that answers */
	OPTION_TARGET_MAC = 0x02,
	TARGET_AT = 48,
	SOLICITATION_BYTES = 64,
	ICMP_BYTES = 32,
	CHECKSUM_AT = IPV6_BYTES + 2,
	HOP_LIMIT = 255,
};

/* How much of an address is the network's own; the node address follows. 0: it is not of that kind.
 */
static size_t derived_prefix(const struct netconf *own, const struct zt_endpoint *ip)
{
	struct zt_endpoint plane = addr_6plane(own->nwid, own->issued_to);
	if (ip->family != 6) {
		return 0;
	}
	if (ip->port == 88 && ip->ip[0] == 0xfd && ip->ip[9] == 0x99 && ip->ip[10] == 0x93) {
		return 11;
	}
	return ip->port == 40 && memcmp(ip->ip, plane.ip, 5) == 0 ? 5 : 0;
}

/* The Internet checksum of the ICMPv6 message in a packet without extension headers. */
static uint16_t checksum(const uint8_t *packet, size_t length)
{
	uint32_t sum = PROTOCOL_ICMPV6 + (uint32_t)(length - IPV6_BYTES);
	struct rd r = rd_init(packet + 8, length - 8); /* from the addresses on */
	while (rd_left(&r) >= 2) {
		sum += rd_u16(&r);
	}
	while (sum >> 16) {
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

static void advertise(struct wr *w, uint64_t mac, const uint8_t *target,
		      const struct zt_endpoint *asker)
{
	uint8_t *packet = w->p;
	wr_u32(w, 0x60000000);
	wr_u16(w, ICMP_BYTES);
	wr_u8(w, PROTOCOL_ICMPV6);
	wr_u8(w, HOP_LIMIT);
	wr_bytes(w, target, 16);
	wr_bytes(w, asker->ip, 16);
	wr_u8(w, NEIGHBOUR_ADVERTISEMENT);
	wr_u8(w, 0);
	wr_u16(w, 0); /* checksum */
	wr_u32(w, (uint32_t)SOLICITED_OVERRIDE << 24);
	wr_bytes(w, target, 16);
	wr_u8(w, OPTION_TARGET_MAC);
	wr_u8(w, 1); /* in units of 8 bytes */
	wr_u48(w, mac);
	BUG_ON(w->bad);
	uint16_t sum = checksum(packet, (size_t)(w->p - packet));
	packet[CHECKSUM_AT] = (uint8_t)(sum >> 8);
	packet[CHECKSUM_AT + 1] = (uint8_t)sum;
}

static bool is_solicitation(const struct ndp_query *query)
{
	const uint8_t *d = query->data.bytes;
	return query->ether_type == ETHERTYPE_IPV6 && addr_mac_is_multicast(query->to) &&
	       query->to != ADDR_MAC_BROADCAST && query->data.length >= SOLICITATION_BYTES &&
	       d[IPV6_NEXT_AT] == PROTOCOL_ICMPV6 && d[IPV6_BYTES] == NEIGHBOUR_SOLICITATION;
}

bool ndp_answer(const struct netconf *own, uint64_t self, const struct ndp_query *query,
		uint8_t out[NDP_ANSWER_BYTES])
{
	if (!(own->flags & NETCONF_NDP_EMULATION) || !is_solicitation(query)) {
		return false;
	}
	const uint8_t *target = query->data.bytes + TARGET_AT;
	for (size_t i = 0; i < own->address_count; i++) {
		size_t prefix = derived_prefix(own, &own->addresses[i]);
		if (prefix == 0 || memcmp(target, own->addresses[i].ip, prefix) != 0) {
			continue;
		}
		struct rd r = rd_init(target + prefix, 5);
		uint64_t owner = rd_u40(&r);
		if (owner == self) {
			continue;
		}
		uint64_t mac = addr_mac(own->nwid, owner);
		struct wr w = wr_init(out, NDP_ANSWER_BYTES);
		wr_u48(&w, query->from);
		wr_u48(&w, mac);
		wr_u16(&w, ETHERTYPE_IPV6);
		advertise(&w, mac, target, &own->addresses[i]);
		return true;
	}
	return false;
}
