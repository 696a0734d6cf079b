/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Ethernet frames in and out of lwIP's pbufs.
 *
 * In: a frame is borrowed and lwIP keeps and changes what it reads, so the bytes after the Ethernet
 * header are copied once, into one pbuf. Out: lwIP builds each segment in one buffer with room for
 * the Ethernet header and STACK_FRAME_HEADROOM before it (LWIP_NETIF_TX_SINGLE_PBUF), so a frame is
 * handed on without a copy; only fragments and packets that waited for a neighbour take a scratch
 * buffer. */
#include "base/rd.h"
#include "stack/internal.h"

#include <assert.h>
#include <lwip/etharp.h>
#include <lwip/ip.h>
#include <lwip/ip4.h>
#include <lwip/ip4_frag.h>
#include <lwip/pbuf.h>
#include <string.h>

enum {
	ETH_HEADER = 14,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	IPV4_HEADER = 20,
	IPV4_PROTOCOL_AT = 9,
	IPV4_SOURCE_AT = 12,
	IPV4_DESTINATION_AT = 16,
	IPV4_FRAGMENT_MASK = 0x3fff, /* more-fragments bit and offset */
	PROTOCOL_ICMP = 1,
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
static void count_out(struct stack *s, const uint8_t *packet, size_t length)
{
	size_t header = (size_t)(packet[0] & 15) * 4;
	if (length <= header + TCP_FLAGS_AT) {
		s->counts.icmp_echo_answered += packet[IPV4_PROTOCOL_AT] == PROTOCOL_ICMP &&
						length > header && packet[header] == 0;
		return;
	}
	if (packet[IPV4_PROTOCOL_AT] == PROTOCOL_TCP) {
		s->counts.tcp_out++;
		s->counts.tcp_resets_out += (packet[header + TCP_FLAGS_AT] & TCP_FLAG_RST) != 0;
	} else if (packet[IPV4_PROTOCOL_AT] == PROTOCOL_ICMP && packet[header] == 0) {
		s->counts.icmp_echo_answered++;
	}
}

/* lwIP's interface output: an IP packet for `destination`, which may be beyond a router. */
static err_t packet_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *destination)
{
	struct stack *s = netif->state;
	uint32_t hop = addr_next_hop(s, destination->addr);
	if (hop == 0) {
		s->counts.frames_dropped++;
		return ERR_RTE;
	}
	const uint8_t *packet = p->payload;
	if (p->next) { /* fragments: header and data in two pbufs */
		static uint8_t gathered[FRAME_MAX];
		if (p->tot_len > sizeof(gathered)) {
			s->counts.frames_dropped++;
			return ERR_BUF;
		}
		(void)pbuf_copy_partial(p, gathered, p->tot_len, 0);
		packet = gathered;
	}
	count_out(s, packet, p->tot_len);
	const uint8_t *mac = neigh_find(s, hop);
	if (!mac) {
		neigh_wait(s, hop, packet, p->tot_len);
	} else if (!p->next && pbuf_add_header(p, ETH_HEADER + STACK_FRAME_HEADROOM) == 0) {
		uint8_t *frame = (uint8_t *)p->payload + STACK_FRAME_HEADROOM;
		frame_output(s, mac, ETHERTYPE_IPV4, frame,
			     (size_t)p->tot_len - STACK_FRAME_HEADROOM);
		(void)pbuf_remove_header(p, ETH_HEADER + STACK_FRAME_HEADROOM);
	} else {
		frame_send_copy(s, mac, ETHERTYPE_IPV4, packet, p->tot_len);
	}
	return ERR_OK;
}

static err_t netif_ready(struct netif *netif)
{
	const struct stack *s = netif->state;
	netif->name[0] = 'z';
	netif->name[1] = 't';
	netif->mtu = (u16_t)s->mtu;
	netif->hwaddr_len = 6;
	memcpy(netif->hwaddr, s->mac, 6);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_LINK_UP;
	netif->output = packet_output;
	return ERR_OK;
}

void netif_setup(struct stack *s, struct netif *netif, uint32_t ip, uint8_t bits)
{
	ip4_addr_t address = { .addr = ip };
	ip4_addr_t mask = { .addr = bits == 0 ? 0 : htobe32(0xffffffffu << (32 - bits)) };
	ip4_addr_t gateway = { .addr = 0 };
	(void)netif_add(netif, &address, &mask, &gateway, s, netif_ready, ip4_input);
	netif_set_up(netif);
}

/* Fragments wait in lwIP for at most IP_REASS_MAXAGE seconds; only then is its timer needed. */
static void expect_fragments(struct stack *s)
{
	if (s->fragments_until_ms < s->now_ms) {
		s->fragments_tick_ms = s->now_ms + IP_TMR_INTERVAL;
	}
	s->fragments_until_ms = s->now_ms + (int64_t)(IP_REASS_MAXAGE + 1) * IP_TMR_INTERVAL;
}

static void ipv4_input(struct stack *s, const struct stack_frame *f)
{
	const uint8_t *packet = f->bytes + ETH_HEADER;
	size_t length = f->length - ETH_HEADER;
	uint32_t source, destination;
	if (length < IPV4_HEADER) {
		s->counts.frames_dropped++;
		return;
	}
	memcpy(&source, packet + IPV4_SOURCE_AT, 4);
	memcpy(&destination, packet + IPV4_DESTINATION_AT, 4);
	const uint8_t *sender = f->bytes + 6;
	struct addr *to = addr_find(s, destination);
	if (addr_find(s, source)) {
		arp_conflict(s, source, sender);
		to = NULL; /* our own address as a source can only be wrong */
	}
	if (!to) { /* not ours; broadcasts and multicasts have nobody to go to */
		s->counts.frames_dropped++;
		return;
	}
	if (f->is_authentic && addr_is_on_link(s, source)) {
		neigh_learn(s, source, sender, true);
	}
	struct pbuf *p = pbuf_alloc(PBUF_RAW_TX, (u16_t)length, PBUF_RAM);
	if (!p) {
		s->counts.frames_dropped++;
		return;
	}
	memcpy(p->payload, packet, length);
	s->counts.tcp_in += packet[IPV4_PROTOCOL_AT] == PROTOCOL_TCP;
	if (((packet[6] << 8 | packet[7]) & IPV4_FRAGMENT_MASK) != 0) {
		expect_fragments(s);
	}
	u16_t checks =
	    NETIF_CHECKSUM_CHECK_IP | NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_ICMP;
	NETIF_SET_CHECKSUM_CTRL(&to->netif, f->is_authentic ? NETIF_CHECKSUM_ENABLE_ALL & ~checks
							    : NETIF_CHECKSUM_ENABLE_ALL);
	(void)ip4_input(p, &to->netif);
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
	} else if (ethertype == ETHERTYPE_IPV4) {
		ipv4_input(s, f);
	} else {
		s->counts.frames_dropped++;
	}
}
