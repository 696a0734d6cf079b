/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the filter's files share: the frame taken apart, one table's run, one match. */
#ifndef ZT_FILTER_IMPL_H
#define ZT_FILTER_IMPL_H

#include "core/filter.h"

enum {
	ETHER_IPV4 = 0x0800,
	ETHER_ARP = 0x0806,
	ETHER_IPV6 = 0x86dd,
	IP_PROTOCOL_ICMP = 1,
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_ICMPV6 = 58,
};

/* An IP packet's headers. Offsets were checked; what lies at `payload_at` was not. */
struct filter_ip {
	uint8_t version;   /* 4 or 6; 0 = neither, or too short for its header */
	bool has_payload;  /* IPv6: the extension headers are whole; IPv4: always */
	uint8_t tos;       /* or traffic class */
	uint8_t protocol;  /* after extension headers */
	size_t payload_at; /* may lie beyond the frame (IPv4) */
	const uint8_t *source, *dest;
};
struct filter_ip filter_ip_of(uint16_t ether_type, struct span data);
/* 16 bits at `offset` of the payload; -1: no TCP, UDP, SCTP or UDP-Lite header there (7.3). */
int32_t filter_port(const struct filter_ip *ip, struct span data, size_t offset);
/* TCP's flags and reserved bits, bits 11 to 0 of the characteristics. */
uint64_t filter_tcp_bits(const struct filter_ip *ip, struct span data);

enum filter_sender {
	SENDER_NONE,    /* no address that anybody could own */
	SENDER_IP,      /* this one */
	SENDER_TRUSTED, /* counts as authenticated without an address */
};
/* Which IP address a frame claims to come from (characteristics bit 60). */
enum filter_sender filter_sender_ip(const struct filter_ip *ip, uint16_t ether_type,
				    struct span data, struct zt_endpoint *out);

/* One table being evaluated. */
struct filter_run {
	const struct filter_in *in;
	uint64_t zt_dest; /* where a redirection leads */
	uint64_t random;
	bool is_super; /* it is addressed to us as an observer */
	bool skips;    /* the next drop does not count: a tag was not known (7.3) */
	struct filter_ip ip;
};
struct filter_run filter_run_init(const struct filter_in *in);

/* How one table ends. */
enum filter_result {
	FILTER_NO_MATCH,
	FILTER_DROP,
	FILTER_REDIRECT,
	FILTER_ACCEPT,
	FILTER_SUPER_ACCEPT,
	FILTER_GOES_ON, /* no end yet; never the result of a table */
};
enum filter_result filter_table(struct filter_run *run, const struct rule *rules, size_t count,
				struct filter_copy *copy);

/* Does the rule match, its NOT included? */
bool filter_match(struct filter_run *run, const struct rule *rule);

#endif
