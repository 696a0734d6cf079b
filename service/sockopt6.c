/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Options of IPPROTO_IPV6 that are more than a field of the table in sockopt.c. */
#include "service/sockopt.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>

enum { /* linux/in6.h, which cannot be included beside netinet/in.h */
       OPT6_FLOWINFO = 11,
       OPT6_FLOWLABEL_MGR = 32,
       OPT6_FLOWINFO_SEND = 33,
};

/* Options of AF_INET6 sockets that change nothing for TCP: what is set can be read. Bit in
 * `remembered6`, or -1. */
static int remembered6(int name)
{
	static const int names[] = {
		IPV6_2292PKTINFO,  OPT6_FLOWINFO,      OPT6_FLOWINFO_SEND, IPV6_RECVRTHDR,
		IPV6_RECVHOPOPTS,  IPV6_RECVDSTOPTS,   IPV6_RECVPATHMTU,   IPV6_ORIGDSTADDR,
		IPV6_RECVFRAGSIZE, IPV6_MULTICAST_ALL,
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (names[i] == name) {
			return (int)i;
		}
	}
	return -1;
}

int sockopt6_set(const struct sockopt_target *t, int name, int *number)
{
	enum { ECN_BITS = 3, MTU_MIN = 1280 };
	struct sockopts *opts = t->opts;
	int value = *number, bit = remembered6(name);
	if (bit >= 0) {
		uint16_t mask = (uint16_t)(1U << bit);
		opts->remembered6 =
		    (uint16_t)(value ? opts->remembered6 | mask : opts->remembered6 & ~mask);
		return 0;
	}
	switch (name) {
	case IPV6_V6ONLY:
		return t->is_bound ? -EINVAL : 1;
	case IPV6_UNICAST_HOPS:
		if (value < -1 || value > UINT8_MAX) {
			return -EINVAL;
		}
		opts->has_hops6 = value >= 0;
		*number = value < 0 ? 0 : value;
		return 1;
	case IPV6_MTU_DISCOVER:
		opts->has_mtu_discover6 |= value >= 0 && value <= IPV6_PMTUDISC_OMIT;
		return 1;
	case IPV6_TCLASS: /* TCP keeps its two bits of congestion notification */
		if (value < -1 || value > UINT8_MAX) {
			return -EINVAL;
		}
		*number = value < 0 ? 0 : value & ~ECN_BITS;
		return 1;
	case IPV6_MTU:
		if (value != 0 && value < MTU_MIN) {
			return -EINVAL;
		}
		opts->mtu6 = value;
		return 0;
	case IPV6_AUTOFLOWLABEL:
		opts->flow_label_off6 = value == 0;
		return 0;
	case IPV6_ADDRFORM: /* the descriptor's name cannot change its family */
		return value != AF_INET ? -EINVAL : t->mtu == 0 ? -ENOTCONN : -EADDRNOTAVAIL;
	case IPV6_UNICAST_IF:
		return value == 0 ? 0 : -EADDRNOTAVAIL;
	case OPT6_FLOWLABEL_MGR:
	case IPV6_PKTINFO:
	case IPV6_JOIN_GROUP:
	case IPV6_LEAVE_GROUP:
		return -EINVAL; /* an int is none of their structures */
	default:
		return 1;
	}
}

bool sockopt6_get(const struct sockopt_target *t, int name, int *out)
{
	const struct sockopts *opts = t->opts;
	int bit = remembered6(name);
	if (bit >= 0) {
		*out = opts->remembered6 >> bit & 1;
		return true;
	}
	switch (name) {
	case IPV6_AUTOFLOWLABEL:
		*out = !opts->flow_label_off6;
		return true;
	case IPV6_MTU:
		*out = (int)t->mtu;
		return true;
	case IPV6_ADDRFORM:
		*out = AF_INET6;
		return true;
	case IPV6_UNICAST_IF:
		*out = 0;
		return true;
	case IPV6_UNICAST_HOPS:
		*out = opts->hops6;
		return opts->has_hops6;
	case IPV6_MTU_DISCOVER:
		*out = opts->mtu_discover6;
		return opts->has_mtu_discover6;
	default:
		return false;
	}
}
