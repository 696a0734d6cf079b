/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Ethernet frames in and out of lwIP's pbufs.
 *
 * In: a frame is borrowed and lwIP keeps and changes what it reads, so the bytes after the Ethernet
 * header are copied once, into one pbuf. Out: lwIP builds each segment in one buffer with room for
 * the Ethernet header and STACK_FRAME_HEADROOM before it (LWIP_NETIF_TX_SINGLE_PBUF), so a frame is
 * handed on without a copy; only packets that waited for a neighbour take a scratch buffer. */
#include "base/rd.h"
#include "stack/internal.h"

#include <assert.h>
#include <errno.h>
#include <lwip/ip.h>
#include <lwip/ip4.h>
#include <lwip/ip6.h>
#include <lwip/pbuf.h>
#include <string.h>

enum {
	ETH_HEADER = 14,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_IPV6 = 0x86dd,
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	IPV4_PROTOCOL_AT = 9,
	IPV6_LENGTH_AT = 4,
	IPV6_PROTOCOL_AT = 6,
	PROTOCOL_TCP = 6,
	TCP_FLAGS_AT = 13,
	TCP_FLAG_RST = 4,
	FRAME_MAX = 10000 + ETH_HEADER,
};

static_assert(PBUF_LINK_ENCAPSULATION_HLEN == STACK_FRAME_HEADROOM, "as stack.h promises");
static_assert(PBUF_LINK_HLEN == ETH_HEADER, "plain Ethernet");

static void frame_output(struct stack *s, const uint8_t mac[6], uint16_t ethertype, uint8_t *frame,
			 size_t length)
{
	memcpy(frame, mac, 6);
	memcpy(frame + 6, s->mac, 6);
	frame[12] = (uint8_t)(ethertype >> 8);
	frame[13] = (uint8_t)ethertype;
	s->counts.frames_out++;
	s->callbacks->output(s->context, frame, (uint32_t)length);
}

void frame_send_copy(struct stack *s, const uint8_t mac[6], uint16_t ethertype, const void *packet,
		     size_t length)
{
	static uint8_t scratch[STACK_FRAME_HEADROOM + FRAME_MAX];
	if (length > FRAME_MAX - ETH_HEADER) {
		s->counts.frames_dropped++;
		return;
	}
	uint8_t *frame = scratch + STACK_FRAME_HEADROOM;
	memcpy(frame + ETH_HEADER, packet, length);
	frame_output(s, mac, ethertype, frame, length + ETH_HEADER);
}

/* What leaves is counted here, because lwIP's own counters wrap at 2^32. */
static void count_out(struct stack *s, bool is_v4, const uint8_t *packet, size_t length)
{
	size_t header = is_v4 ? IPV4_HEADER : IPV6_HEADER;
	if (packet[is_v4 ? IPV4_PROTOCOL_AT : IPV6_PROTOCOL_AT] == PROTOCOL_TCP &&
	    length > header + TCP_FLAGS_AT) {
		s->counts.tcp_out++;
		s->counts.tcp_resets_out += (packet[header + TCP_FLAGS_AT] & TCP_FLAG_RST) != 0;
	}
}

static void send_to_mac(struct stack *s, const uint8_t mac[6], uint8_t *packet, size_t length,
			bool has_headroom)
{
	uint16_t ethertype = packet[0] >> 4 == 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
	if (has_headroom) {
		frame_output(s, mac, ethertype, packet - ETH_HEADER, length + ETH_HEADER);
	} else {
		frame_send_copy(s, mac, ethertype, packet, length);
	}
}

int frame_send_to(struct stack *s, const struct ipa *destination, uint8_t *packet, size_t length,
		  bool has_headroom)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	if (ipa_is_multicast(destination)) {
		uint8_t mac[6];
		ipa_multicast_mac(destination, mac);
		send_to_mac(s, mac, packet, length, has_headroom);
		return 0;
	}
	const struct ipa *next = addr_next_hop(s, destination); /* first: it remembers */
	if (!next && addr_is_broadcast(s, destination)) {
		send_to_mac(s, everybody, packet, length, has_headroom);
		return 0;
	}
	if (!next) {
		s->counts.frames_dropped++;
		return -ENETUNREACH;
	}
	struct ipa hop = *next;
	const uint8_t *mac = neigh_find(s, &hop);
	if (mac) {
		uint8_t copy[6]; /* the table may change under a question about this neighbour */
		memcpy(copy, mac, sizeof(copy));
		send_to_mac(s, copy, packet, length, has_headroom);
	} else {
		neigh_wait(s, &hop, packet, length);
	}
	return 0;
}

/* lwIP's interface output: a TCP packet for `destination`, which may be beyond a router. */
static err_t packet_output(struct netif *netif, struct pbuf *p, const struct ipa *destination)
{
	struct stack *s = netif->state;
	LWIP_ASSERT("lwIP gathers segments", p->next == NULL);
	count_out(s, ipa_is_v4(destination), p->payload, p->len);
	size_t length = p->len;
	bool has_headroom = pbuf_add_header(p, ETH_HEADER + STACK_FRAME_HEADROOM) == 0;
	size_t skip = has_headroom ? ETH_HEADER + STACK_FRAME_HEADROOM : 0;
	int error =
	    frame_send_to(s, destination, (uint8_t *)p->payload + skip, length, has_headroom);
	if (has_headroom) {
		(void)pbuf_remove_header(p, ETH_HEADER + STACK_FRAME_HEADROOM);
	}
	return error == 0 ? ERR_OK : ERR_RTE;
}

/* Segments are not to be cut on the way: a router that would have to says so, and they become
 * smaller (RFC 1191; stk_tcp_icmp.c). lwIP leaves the bit out; its checksum is brought along (RFC
 * 1624). */
static void forbid_fragments(uint8_t *header)
{
	enum { FLAGS_AT = 6, CHECKSUM_AT = 10, DONT_FRAGMENT = 0x40 };
	if (header[FLAGS_AT] != 0) {
		return;
	}
	header[FLAGS_AT] = DONT_FRAGMENT;
	uint32_t sum = (uint16_t) ~(header[CHECKSUM_AT] << 8 | header[CHECKSUM_AT + 1]);
	sum += DONT_FRAGMENT << 8;
	sum = ~((sum & 0xffff) + (sum >> 16));
	header[CHECKSUM_AT] = (uint8_t)(sum >> 8);
	header[CHECKSUM_AT + 1] = (uint8_t)sum;
}

static err_t output_v4(struct netif *netif, struct pbuf *p, const ip4_addr_t *destination)
{
	struct ipa to = ipa_v4(destination->addr);
	forbid_fragments(p->payload);
	return packet_output(netif, p, &to);
}

static err_t output_v6(struct netif *netif, struct pbuf *p, const ip6_addr_t *destination)
{
	struct ipa to = ipa_v6(destination->addr);
	return packet_output(netif, p, &to);
}

static err_t netif_ready(struct netif *netif)
{
	const struct stack *s = netif->state;
	netif->name[0] = 'z';
	netif->name[1] = 't';
	netif->mtu = (u16_t)s->mtu;
	netif->mtu6 = (u16_t)s->mtu;
	netif->hwaddr_len = 6;
	memcpy(netif->hwaddr, s->mac, 6);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_LINK_UP;
	netif->output = output_v4;
	netif->output_ip6 = output_v6;
	return ERR_OK;
}

static ip4_addr_t mask_of(uint8_t bits)
{
	uint32_t short_of = 128u - bits; /* ipa.h counts IPv4's from 96 */
	return (ip4_addr_t){ .addr = short_of >= 32 ? 0 : htobe32(0xffffffffu << short_of) };
}

void netif_prefix_set(struct netif *netif, const struct ipa *ip, uint8_t bits)
{
	if (ipa_is_v4(ip)) {
		ip4_addr_t mask = mask_of(bits);
		netif_set_netmask(netif, &mask);
	}
}

void netif_setup(struct stack *s, struct netif *netif, const struct ipa *ip, uint8_t bits)
{
	bool is_v4 = ipa_is_v4(ip);
	ip4_addr_t address = { .addr = is_v4 ? ip->word[3] : 0 };
	ip4_addr_t mask = { .addr = 0 }, gateway = { .addr = 0 };
	if (is_v4) {
		mask = mask_of(bits);
	}
	(void)netif_add(netif, &address, &mask, &gateway, s, netif_ready,
			is_v4 ? ip4_input : ip6_input);
	if (!is_v4) {
		netif_ip6_addr_set_parts(netif, 0, ip->word[0], ip->word[1], ip->word[2],
					 ip->word[3]);
		netif_ip6_addr_set_state(netif, 0, IP6_ADDR_PREFERRED);
	}
	netif_set_up(netif);
}

/* lwIP gets the IP header and the segment, never an extension header between them: its walk through
 * their options reads beyond the packet (found by tests/fuzz/fuzz_stack_input.c). */
void frame_to_tcp(struct stack *s, struct addr *to, const struct packet *packet)
{
	bool is_v4 = ipa_is_v4(&to->ip);
	size_t header = is_v4 ? IPV4_HEADER : IPV6_HEADER, length = packet->payload_length;
	struct pbuf *p = NULL;
	if (header + length <= UINT16_MAX) { /* fragments of a larger one: nobody sends such */
		p = pbuf_alloc(PBUF_RAW_TX, (u16_t)(header + length), PBUF_RAM);
	}
	if (!p) {
		s->counts.frames_dropped++;
		return;
	}
	uint8_t *bytes = p->payload;
	memcpy(bytes, packet->bytes, header);
	memcpy(bytes + header, packet->payload, length);
	if (!is_v4) {
		bytes[IPV6_LENGTH_AT] = (uint8_t)(length >> 8);
		bytes[IPV6_LENGTH_AT + 1] = (uint8_t)length;
		bytes[IPV6_PROTOCOL_AT] = PROTOCOL_TCP;
	}
	u16_t checks = NETIF_CHECKSUM_CHECK_IP | NETIF_CHECKSUM_CHECK_TCP;
	NETIF_SET_CHECKSUM_CTRL(&to->netif, packet->is_authentic
						? NETIF_CHECKSUM_ENABLE_ALL & ~checks
						: NETIF_CHECKSUM_ENABLE_ALL);
	if (is_v4) {
		(void)ip4_input(p, &to->netif);
	} else {
		(void)ip6_input(p, &to->netif);
	}
	stk_tcp_leave(s);
}

void frame_input(struct stack *s, const struct stack_frame *f)
{
	struct rd r = rd_init(f->bytes, f->length);
	const uint8_t *target = rd_bytes(&r, 6);
	const uint8_t *sender = rd_bytes(&r, 6);
	uint16_t ethertype = rd_u16(&r);
	s->counts.frames_in++;
	if (r.bad || f->length > FRAME_MAX || memcmp(sender, s->mac, 6) == 0 ||
	    ((target[0] & 1) == 0 && memcmp(target, s->mac, 6) != 0)) {
		s->counts.frames_dropped++;
		return;
	}
	if (ethertype == ETHERTYPE_ARP) {
		arp_input(s, f->bytes, f->length);
	} else if (ethertype == ETHERTYPE_IPV4 || ethertype == ETHERTYPE_IPV6) {
		packets_input(s, f);
	} else {
		s->counts.frames_dropped++;
	}
}
