/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/adhoc.h"

#include "core/addr.h"

#include <stdio.h>

enum {
	ADHOC_IPV4_FORM = 0x01, /* the id's last byte */
	ADHOC_IPV4_BITS = 8,
	ADHOC_MULTICAST_LIMIT = 1024,
	ETHERTYPE_IPV6 = 0x86dd,
	PROTOCOL_TCP = 0x06,
	PROTOCOL_UDP = 0x11,
	PROTOCOL_ICMPV6 = 0x3a,
};
#define CHARACTERISTIC_SYN 0x02ULL
#define CHARACTERISTIC_ACK 0x10ULL

/* What both forms share. */
static struct netconf *common(uint64_t nwid, uint64_t self, int64_t wall_ms)
{
	struct netconf *nc = netconf_new();
	if (!nc) {
		return NULL;
	}
	nc->nwid = nwid;
	nc->issued_to = self;
	nc->timestamp = (uint64_t)wall_ms;
	nc->credential_delta_ms = VL2_ADHOC_DELTA_MS;
	nc->revision = 1;
	nc->type = NETCONF_PUBLIC;
	nc->flags = NETCONF_NDP_EMULATION;
	nc->mtu = VL2_MTU_DEFAULT;
	struct zt_endpoint ip = addr_6plane(nwid, self);
	if (netconf_add_address(nc, &ip) != 0) {
		netconf_free(nc);
		return NULL;
	}
	return nc;
}

/* IPv6 only; ICMPv6, UDP and TCP to these ports, and what answers. */
static int ports_fill(struct netconf *nc, uint16_t start, uint16_t end)
{
	const struct rule rules[] = {
		{ .type = RULE_ETHERTYPE, .is_not = true, .u.number = ETHERTYPE_IPV6 },
		{ .type = RULE_DROP },
		{ .type = RULE_IP_PROTOCOL, .u.number = PROTOCOL_ICMPV6 },
		{ .type = RULE_ACCEPT },
		{ .type = RULE_IP_PROTOCOL, .u.number = PROTOCOL_UDP },
		{ .type = RULE_IP_PROTOCOL, .is_or = true, .u.number = PROTOCOL_TCP },
		{ .type = RULE_DEST_PORTS, .u.range = { .start = start, .end = end } },
		{ .type = RULE_ACCEPT },
		{ .type = RULE_CHARACTERISTICS, .is_not = true, .u.mask = CHARACTERISTIC_SYN },
		{ .type = RULE_ACCEPT },
		{ .type = RULE_CHARACTERISTICS, .u.mask = CHARACTERISTIC_SYN },
		{ .type = RULE_CHARACTERISTICS, .u.mask = CHARACTERISTIC_ACK },
		{ .type = RULE_ACCEPT },
		{ .type = RULE_DROP },
	};
	(void)snprintf(nc->name, sizeof(nc->name), "adhoc-%04x-%04x", start, end);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		int err = netconf_add_rule(nc, &rules[i]);
		if (err) {
			return err;
		}
	}
	return 0;
}

/* Everything may pass; addresses AA.x.y.z follow from the members' own. */
static int ipv4_fill(struct netconf *nc, uint8_t octet, uint64_t hub)
{
	struct zt_endpoint ip = {
		.family = 4,
		.port = ADHOC_IPV4_BITS,
		.ip = { octet, (uint8_t)(nc->issued_to >> 16), (uint8_t)(nc->issued_to >> 8),
			(uint8_t)nc->issued_to },
	};
	(void)snprintf(nc->name, sizeof(nc->name), "adhoc-%u.0.0.0", octet);
	nc->multicast_limit = ADHOC_MULTICAST_LIMIT;
	int err = netconf_add_address(nc, &ip);
	if (!err && hub != 0) {
		err = netconf_add_specialist(nc, hub);
	}
	return err ? err : netconf_add_rule(nc, &(struct rule){ .type = RULE_ACCEPT });
}

int adhoc_netconf(uint64_t nwid, uint64_t self, int64_t wall_ms, struct netconf **out)
{
	bool has_ports = (nwid & 0xffffff) == 0;
	uint16_t start = (uint16_t)(nwid >> 40), end = (uint16_t)(nwid >> 24);
	if (!adhoc_is(nwid) || (!has_ports && (nwid & 0xff) != ADHOC_IPV4_FORM)) {
		return ZT_E_UNSUPPORTED;
	}
	if (has_ports && end < start) {
		return ZT_E_NOT_FOUND;
	}
	struct netconf *nc = common(nwid, self, wall_ms);
	if (!nc) {
		return ZT_E_NO_MEMORY;
	}
	int err = has_ports ? ports_fill(nc, start, end)
			    : ipv4_fill(nc, (uint8_t)(nwid >> 48), nwid >> 8 & VL2_ADDRESS_MASK);
	if (err) {
		netconf_free(nc);
		return err;
	}
	*out = nc;
	return 0;
}
