/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the kernel would answer to a request, if the virtual host's interfaces were its own: its
 * order of checks (rtnetlink_rcv_msg), its messages and attributes. Links and addresses are here,
 * routes in netlink_route.c; a virtual host has no neighbours, rules or queues to show, so a dump
 * of those is empty. Nothing can be changed: EPERM, as for a user without rights.
 */
#include "intercept/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

enum {
	KIND_MASK = 3, /* RTM_NEWx, RTM_DELx, RTM_GETx, RTM_SETx come in fours */
	KIND_GET = 2,
	QUEUE_LENGTH = 1000,
	OPERATION_UNKNOWN = 0, /* RFC 2863, as lo has it */
	OPERATION_DOWN = 2,
	OPERATION_UP = 6,
};

/* The fixed part of a request; what it lacks is zero. False: shorter than that. */
static bool body_read(const struct nl_request *r, void *out, size_t size)
{
	size_t have = r->h.nlmsg_len - sizeof r->h;
	memset(out, 0, size);
	memcpy(out, r->bytes + sizeof r->h, have < size ? have : size);
	return have >= size;
}

/* ---- links ----------------------------------------------------------------------------------- */

static void link_write(const struct nl_request *r, unsigned index, uint8_t family)
{
	static const uint8_t zeros[ETH_ALEN];
	static const uint8_t ones[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct interfaces *all = r->view->all;
	const char *name = interface_name(all, index);
	bool is_loopback = index == RPC_IFINDEX_LOOPBACK;
	struct ifinfomsg body = { .ifi_family = family,
				  .ifi_type = is_loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER,
				  .ifi_index = (int)index,
				  .ifi_flags = interface_flags(all, index) };
	uint8_t state = is_loopback                      ? OPERATION_UNKNOWN
			: (body.ifi_flags & IFF_RUNNING) ? OPERATION_UP
							 : OPERATION_DOWN;
	uint8_t mode = 0, carrier = (body.ifi_flags & IFF_RUNNING) != 0;
	nl_begin(r->out, RTM_NEWLINK, r->flags, &body, sizeof body);
	nl_attribute(r->out, IFLA_IFNAME, name, strlen(name) + 1);
	nl_u32(r->out, IFLA_TXQLEN, QUEUE_LENGTH);
	nl_attribute(r->out, IFLA_OPERSTATE, &state, sizeof state);
	nl_attribute(r->out, IFLA_LINKMODE, &mode, sizeof mode);
	nl_u32(r->out, IFLA_MTU, is_loopback ? INTERFACE_LOOPBACK_MTU : all->head.mtu);
	nl_u32(r->out, IFLA_GROUP, 0);
	nl_u32(r->out, IFLA_PROMISCUITY, 0);
	nl_u32(r->out, IFLA_NUM_TX_QUEUES, 1);
	nl_u32(r->out, IFLA_NUM_RX_QUEUES, 1);
	nl_attribute(r->out, IFLA_CARRIER, &carrier, sizeof carrier);
	nl_attribute(r->out, IFLA_QDISC, "noqueue", sizeof "noqueue");
	nl_attribute(r->out, IFLA_ADDRESS, is_loopback ? zeros : all->head.mac, ETH_ALEN);
	nl_attribute(r->out, IFLA_BROADCAST, is_loopback ? zeros : ones, ETH_ALEN);
	nl_end(r->out);
}

static int links_dump(const struct nl_request *r, uint8_t family)
{
	if (family == AF_BRIDGE) {
		return 0;
	}
	for (unsigned i = RPC_IFINDEX_LOOPBACK; i <= RPC_IFINDEX_NETWORK; i++) {
		if (interface_name(r->view->all, i)) {
			link_write(r, i, family == AF_INET6 ? AF_INET6 : AF_UNSPEC);
		}
	}
	return 0;
}

/* By number, else by name. */
static int link_get(const struct nl_request *r)
{
	struct ifinfomsg body;
	char name[IF_NAMESIZE] = "";
	size_t length;
	if (!body_read(r, &body, sizeof body)) {
		return -EINVAL;
	}
	unsigned index = body.ifi_index > 0 ? (unsigned)body.ifi_index : 0;
	const uint8_t *given = nl_find(r->bytes, sizeof body, IFLA_IFNAME, &length);
	given = given ? given : nl_find(r->bytes, sizeof body, IFLA_ALT_IFNAME, &length);
	if (index == 0 && !given) {
		return -EINVAL;
	}
	if (index == 0) {
		memcpy(name, given, length < sizeof name ? length : sizeof name - 1);
		index = interface_index(r->view->all, name);
	}
	if (!interface_name(r->view->all, index)) {
		return -ENODEV;
	}
	link_write(r, index, AF_UNSPEC);
	return 0;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static uint8_t scope_of(unsigned index, const struct rpc_interface_addr *a)
{
	bool is_link_local =
	    a->family == AF_INET6 && a->addr[0] == 0xfe && (a->addr[1] & 0xc0) == 0x80;
	return index == RPC_IFINDEX_LOOPBACK ? RT_SCOPE_HOST
	       : is_link_local               ? RT_SCOPE_LINK
					     : RT_SCOPE_UNIVERSE;
}

static void address_write(const struct nl_request *r, unsigned index,
			  const struct rpc_interface_addr *a)
{
	static const uint32_t for_ever = UINT32_MAX;
	const char *name = interface_name(r->view->all, index);
	struct ifa_cacheinfo cache = { .ifa_prefered = for_ever, .ifa_valid = for_ever };
	struct ifaddrmsg body = { .ifa_family = a->family,
				  .ifa_prefixlen = a->bits,
				  .ifa_flags = IFA_F_PERMANENT,
				  .ifa_scope = scope_of(index, a),
				  .ifa_index = index };
	nl_begin(r->out, RTM_NEWADDR, r->flags, &body, sizeof body);
	if (a->family == AF_INET6) {
		nl_attribute(r->out, IFA_ADDRESS, a->addr, sizeof a->addr);
	} else {
		uint8_t mask[16], broadcast[4];
		interface_mask(mask, a->bits);
		for (int i = 0; i < 4; i++) {
			broadcast[i] = (uint8_t)(a->addr[12 + i] | (uint8_t)~mask[i]);
		}
		nl_attribute(r->out, IFA_ADDRESS, a->addr + 12, 4);
		nl_attribute(r->out, IFA_LOCAL, a->addr + 12, 4);
		if (index != RPC_IFINDEX_LOOPBACK) {
			nl_attribute(r->out, IFA_BROADCAST, broadcast, 4);
		}
		nl_attribute(r->out, IFA_LABEL, name, strlen(name) + 1);
	}
	nl_u32(r->out, IFA_FLAGS, IFA_F_PERMANENT);
	nl_attribute(r->out, IFA_CACHEINFO, &cache, sizeof cache);
	nl_end(r->out);
}

static void addresses_write(const struct nl_request *r, const struct ifaddrmsg *wanted, int family)
{
	const struct interfaces *all = r->view->all;
	unsigned only = r->view->is_strict ? wanted->ifa_index : 0;
	for (size_t i = 0; i < 2 && (only == 0 || only == RPC_IFINDEX_LOOPBACK); i++) {
		if (interface_loopback[i].family == family) {
			address_write(r, RPC_IFINDEX_LOOPBACK, &interface_loopback[i]);
		}
	}
	bool has_network = interface_name(all, RPC_IFINDEX_NETWORK) != NULL;
	for (size_t i = 0;
	     i < all->head.count && has_network && (only == 0 || only == RPC_IFINDEX_NETWORK);
	     i++) {
		if (all->addresses[i].family == family) {
			address_write(r, RPC_IFINDEX_NETWORK, &all->addresses[i]);
		}
	}
}

static int addresses_dump(const struct nl_request *r, uint8_t family)
{
	struct ifaddrmsg wanted;
	(void)body_read(r, &wanted, sizeof wanted);
	if (r->view->is_strict && wanted.ifa_index != 0 &&
	    !interface_name(r->view->all, wanted.ifa_index)) {
		return -ENODEV;
	}
	if (family != AF_INET6) {
		addresses_write(r, &wanted, AF_INET);
	}
	if (family != AF_INET) {
		addresses_write(r, &wanted, AF_INET6);
	}
	return 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

static int dump(const struct nl_request *r, uint8_t family)
{
	switch (r->h.nlmsg_type) {
	case RTM_GETLINK:
		return links_dump(r, family);
	case RTM_GETADDR:
		return addresses_dump(r, family);
	case RTM_GETROUTE:
		return nl_routes_dump(r);
	case RTM_GETNEIGH:
	case RTM_GETRULE:
	case RTM_GETQDISC:
	case RTM_GETTCLASS:
	case RTM_GETTFILTER:
	case RTM_GETMULTICAST:
	case RTM_GETANYCAST:
	case RTM_GETNEIGHTBL:
	case RTM_GETADDRLABEL:
	case RTM_GETNETCONF:
	case RTM_GETNSID:
	case RTM_GETSTATS:
	case RTM_GETNEXTHOP:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int get(const struct nl_request *r)
{
	switch (r->h.nlmsg_type) {
	case RTM_GETLINK:
		return link_get(r);
	case RTM_GETROUTE:
		return nl_route_get(r);
	default:
		return -EOPNOTSUPP;
	}
}

/* An end that says whether all could be told. */
static void dump_end(const struct nl_request *r, int error)
{
	nl_begin(r->out, NLMSG_DONE, r->flags, &error, sizeof error);
	nl_end(r->out);
}

/* A dump's messages say so, and if it was asked for a part only. */
static uint16_t flags_of(const struct nl_request *r)
{
	struct ifaddrmsg address;
	bool is_filtered = false;
	if ((r->h.nlmsg_flags & NLM_F_DUMP) == 0) {
		return 0;
	}
	if (r->view->is_strict && r->h.nlmsg_type == RTM_GETADDR) {
		is_filtered = body_read(r, &address, sizeof address) && address.ifa_index != 0;
	} else if (r->view->is_strict && r->h.nlmsg_type == RTM_GETROUTE) {
		is_filtered = nl_routes_filtered(r);
	}
	return NLM_F_MULTI | (is_filtered ? NLM_F_DUMP_FILTERED : 0);
}

static void answer_one(const struct nl_request *r)
{
	bool is_asking = (r->h.nlmsg_flags & NLM_F_REQUEST) && r->h.nlmsg_type >= NLMSG_MIN_TYPE;
	bool is_get = (r->h.nlmsg_type & KIND_MASK) == KIND_GET;
	struct rtgenmsg body;
	int error = 0;
	if (is_asking && r->h.nlmsg_type > RTM_MAX) {
		error = -EOPNOTSUPP;
	} else if (is_asking && body_read(r, &body, sizeof body)) {
		if (is_get && (r->h.nlmsg_flags & NLM_F_DUMP)) {
			error = dump(r, body.rtgen_family);
			if (error != -EOPNOTSUPP) {
				dump_end(r, error);
				return; /* its end is its acknowledgement */
			}
		} else {
			error = is_get ? get(r) : -EPERM;
		}
	}
	if (error != 0 || (r->h.nlmsg_flags & NLM_F_ACK)) {
		nl_verdict(r->out, r->bytes, error, r->view->is_capped);
	}
}

bool nl_wants_routes(const void *bytes, size_t length)
{
	struct nlmsghdr h;
	for (size_t at = 0; nl_next(bytes, length, &at, &h);) {
		if (h.nlmsg_type == RTM_GETROUTE) {
			return true;
		}
	}
	return false;
}

void nl_answer(const struct nl_view *view, const void *bytes, size_t length, struct nl_out *out)
{
	struct nl_request r = { .view = view, .out = out };
	for (size_t at = 0;
	     out->error == 0 && (r.bytes = nl_next(bytes, length, &at, &r.h)) != NULL;) {
		out->seq = r.h.nlmsg_seq;
		r.flags = flags_of(&r);
		answer_one(&r);
		nl_flush(out);
	}
}
