/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Frames taken apart for the matches of 7.3. Every length from the frame is checked by a bounded
 * reader, so a header that overruns the frame simply has no ports, flags or protocol. */
#include "core/filter_impl.h"

#include <string.h>

enum {
	IPV4_MIN_BYTES = 20,
	IPV6_BYTES = 40,
	IPV6_NEXT_AT = 6,
	ARP_BYTES = 28,
	ARP_SENDER_AT = 14,
	NDP_BYTES = 64, /* IPv6 header, ICMPv6 header, target */
	NDP_TARGET_AT = 48,
	NDP_SOLICITATION = 0x87,
	NDP_ADVERTISEMENT = 0x88,
	TCP_RESERVED_AT = 12,
	TCP_FLAGS_AT = 13,
	PORTS_BYTES = 4,
};

/* IPv6 extension headers that are stepped over. */
static bool is_extension(uint8_t protocol)
{
	return protocol == 0 || protocol == 43 || protocol == 60 || protocol == 135;
}

/* Each step consumes at least 8 bytes. */
static void ipv6_walk(struct filter_ip *ip, struct span data)
{
	struct rd r = rd_init(data.bytes, data.length);
	(void)rd_bytes(&r, IPV6_BYTES);
	ip->protocol = data.bytes[IPV6_NEXT_AT];
	while (is_extension(ip->protocol)) {
		const uint8_t *header = rd_bytes(&r, 8);
		if (!header) {
			return;
		}
		ip->protocol = header[0];
		(void)rd_bytes(&r, 8 * (size_t)header[1]);
	}
	ip->has_payload = !r.bad;
	ip->payload_at = (size_t)(r.p - data.bytes);
}

struct filter_ip filter_ip_of(uint16_t ether_type, struct span data)
{
	struct filter_ip ip = { .version = 0 };
	const uint8_t *d = data.bytes;
	if (ether_type == ETHER_IPV4 && data.length >= IPV4_MIN_BYTES) {
		ip.version = 4;
		ip.has_payload = true;
		ip.tos = d[1];
		ip.protocol = d[9];
		ip.payload_at = 4 * (size_t)(d[0] & 0x0f);
		ip.source = d + 12;
		ip.dest = d + 16;
	} else if (ether_type == ETHER_IPV6 && data.length >= IPV6_BYTES) {
		ip.version = 6;
		ip.tos = (uint8_t)(d[0] << 4 | d[1] >> 4);
		ip.source = d + 8;
		ip.dest = d + 24;
		ipv6_walk(&ip, data);
	}
	return ip;
}

static bool has_ports(uint8_t protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 0x84 || protocol == 0x88;
}

int32_t filter_port(const struct filter_ip *ip, struct span data, size_t offset)
{
	/* "More than", not "at least": four bytes of ports and one of anything. */
	if (!has_ports(ip->protocol) || data.length <= ip->payload_at + PORTS_BYTES) {
		return -1;
	}
	const uint8_t *p = data.bytes + ip->payload_at + offset;
	int32_t port = p[0] << 8 | p[1];
	return ip->version == 6 && port == 0 ? -1 : port;
}

uint64_t filter_tcp_bits(const struct filter_ip *ip, struct span data)
{
	size_t least = ip->payload_at + TCP_FLAGS_AT + (ip->version == 6 ? 1 : 0);
	if (ip->version == 0 || !ip->has_payload || ip->protocol != IP_PROTOCOL_TCP ||
	    data.length <= least) {
		return 0;
	}
	const uint8_t *tcp = data.bytes + ip->payload_at;
	return (uint64_t)(tcp[TCP_RESERVED_AT] & 0x0f) << 8 | tcp[TCP_FLAGS_AT];
}

static enum filter_sender ipv6_sender(const struct filter_ip *ip, struct span data,
				      struct zt_endpoint *out)
{
	const uint8_t *d = data.bytes;
	bool is_ndp = d[IPV6_NEXT_AT] == IP_PROTOCOL_ICMPV6 && data.length >= NDP_BYTES;
	if (is_ndp && d[IPV6_BYTES] == NDP_SOLICITATION) {
		return SENDER_TRUSTED;
	}
	*out = (struct zt_endpoint){ .family = 6 };
	memcpy(out->ip,
	       is_ndp && d[IPV6_BYTES] == NDP_ADVERTISEMENT ? d + NDP_TARGET_AT : ip->source, 16);
	return SENDER_IP;
}

enum filter_sender filter_sender_ip(const struct filter_ip *ip, uint16_t ether_type,
				    struct span data, struct zt_endpoint *out)
{
	const uint8_t *ipv4 = NULL;
	if (ip->version == 6) {
		return ipv6_sender(ip, data, out);
	}
	if (ip->version == 4) {
		ipv4 = ip->source;
	} else if (ether_type == ETHER_ARP && data.length >= ARP_BYTES) {
		ipv4 = data.bytes + ARP_SENDER_AT;
	}
	if (!ipv4) {
		return SENDER_NONE;
	}
	*out = (struct zt_endpoint){ .family = 4 };
	memcpy(out->ip, ipv4, 4);
	return SENDER_IP;
}
