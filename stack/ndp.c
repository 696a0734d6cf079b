/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Neighbour discovery for IPv6 (RFC 4861), what ARP is for IPv4: questions, answers, announcements
 * and conflicts. No routers: routes come from the controller, so router messages and redirects are
 * dropped. No waiting for duplicates (RFC 4862 5.4): the controller assigns each address once, so
 * an address is valid at once, and whoever else claims it is reported. */
#include "base/rd.h"
#include "base/wr.h"
#include "stack/internal.h"

enum {
	NDP_BYTES = 40 + 32, /* IPv6 header, message with target, one option */
	MESSAGE_BYTES = 32,
	ETHERTYPE_IPV6 = 0x86dd,
	PROTOCOL_ICMP6 = 58,
	SOLICITATION = 135,
	ADVERTISEMENT = 136,
	OPTION_SOURCE = 1,
	OPTION_TARGET = 2,
	HOP_LIMIT = 255, /* proof that no router has forwarded it */
	OPTIONS_MAX = 8,
};

#define FLAG_SOLICITED 0x40000000u
#define FLAG_OVERRIDE  0x20000000u

struct message {
	uint8_t type;
	uint32_t flags;
	struct ipa target;
};

static void ndp_send(struct stack *s, const uint8_t mac[6], const struct ipa *from,
		     const struct ipa *to, const struct message *m)
{
	uint8_t packet[NDP_BYTES];
	struct wr w = wr_init(packet, sizeof(packet));
	wr_u32(&w, 6u << 28);
	wr_u16(&w, MESSAGE_BYTES);
	wr_u8(&w, PROTOCOL_ICMP6);
	wr_u8(&w, HOP_LIMIT);
	wr_bytes(&w, from, 16);
	wr_bytes(&w, to, 16);
	wr_u8(&w, m->type);
	wr_u8(&w, 0);
	wr_u16(&w, 0);
	wr_u32(&w, m->flags);
	wr_bytes(&w, &m->target, 16);
	wr_u8(&w, m->type == SOLICITATION ? OPTION_SOURCE : OPTION_TARGET);
	wr_u8(&w, 1); /* times 8 bytes */
	wr_bytes(&w, s->mac, 6);
	uint16_t sum = ip_checksum(from, to, PROTOCOL_ICMP6, packet + 40, MESSAGE_BYTES);
	memcpy(packet + 42, &sum, 2);
	frame_send_copy(s, mac, ETHERTYPE_IPV6, packet, sizeof(packet));
}

void ndp_ask(struct stack *s, const struct ipa *ip, const uint8_t *mac)
{
	const struct addr *source = addr_source(s, ip);
	if (!source) {
		return;
	}
	struct message m = { .type = SOLICITATION, .target = *ip };
	struct ipa group = addr_solicited_node(ip);
	uint8_t group_mac[6];
	ipa_multicast_mac(&group, group_mac);
	ndp_send(s, mac ? mac : group_mac, &source->ip, mac ? ip : &group, &m);
}

void ndp_announce(struct stack *s, const struct ipa *ip)
{
	struct message m = { ADVERTISEMENT, FLAG_OVERRIDE, *ip };
	struct ipa all_nodes = ipa_all_nodes();
	uint8_t mac[6];
	ipa_multicast_mac(&all_nodes, mac);
	ndp_send(s, mac, ip, &all_nodes, &m);
}

/* The link-layer address of this kind of option, or NULL. False: the message is malformed. */
static bool option_find(struct rd *r, uint8_t wanted, const uint8_t **mac)
{
	*mac = NULL;
	for (int i = 0; i < OPTIONS_MAX && rd_left(r) > 0; i++) {
		uint8_t kind = rd_u8(r), units = rd_u8(r);
		const uint8_t *body = rd_bytes(r, units > 0 ? (size_t)units * 8 - 2 : 0);
		if (units == 0 || r->bad) {
			return false;
		}
		if (kind == wanted && units == 1 && (body[0] & 1) == 0) {
			*mac = body;
		}
	}
	return true;
}

static void solicitation_input(struct stack *s, const struct packet *p, const struct ipa *target,
			       const uint8_t *mac)
{
	bool is_ours = addr_find(s, target) != NULL;
	bool is_probe = ipa_is_unspecified(&p->source); /* for duplicates */
	if (!is_probe && addr_is_on_link(s, &p->source)) {
		neigh_learn(s, &p->source, mac, is_ours);
	}
	if (is_ours && is_probe) {
		ndp_announce(s, target); /* so the other will not take it */
		neigh_conflict(s, target, mac);
	} else if (is_ours) {
		struct message m = { ADVERTISEMENT, FLAG_SOLICITED | FLAG_OVERRIDE, *target };
		ndp_send(s, mac, target, &p->source, &m);
	}
}

void ndp_input(struct stack *s, const struct packet *p)
{
	struct rd r = rd_init(p->payload, p->payload_length);
	struct ipa target = { { 0 } };
	const uint8_t *mac;
	uint8_t type = rd_u8(&r), code = rd_u8(&r);
	(void)rd_u16(&r);
	(void)rd_u32(&r);
	rd_copy(&r, &target, 16);
	bool is_known = type == SOLICITATION || type == ADVERTISEMENT;
	if (r.bad || code != 0 || !is_known || p->ttl != HOP_LIMIT || ipa_is_v4(&target) ||
	    !ipa_is_unicast(&target) ||
	    !option_find(&r, type == SOLICITATION ? OPTION_SOURCE : OPTION_TARGET, &mac)) {
		s->counts.frames_dropped++;
		return;
	}
	mac = mac ? mac : p->sender;
	if (type == SOLICITATION) {
		solicitation_input(s, p, &target, mac);
	} else if (!addr_find(s, &target)) {
		if (addr_is_on_link(s, &target)) {
			neigh_learn(s, &target, mac, false);
		}
	} else if (memcmp(mac, s->mac, 6) != 0) {
		neigh_conflict(s, &target, mac);
	}
}
