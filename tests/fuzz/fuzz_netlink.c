/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a program sends into a virtual netlink socket, whatever the service said of the network: the
 * answer is made of whole messages with whole attributes, no datagram is longer than programs have
 * room for, and nothing outside the request is looked at. The library's files are compiled in.
 *
 * The input: flags, how many addresses and routes there are, those, then the request.
 */
#include "tests/fuzz/fuzz.h"

#include "intercept/interfaces_table.c"
#include "intercept/netlink_answer.c"
#include "intercept/netlink_route.c"
#include "intercept/netlink_wire.c"

uint8_t hint_table[HINT_MAX];

static size_t fixed_bytes(uint16_t type)
{
	return type == RTM_NEWLINK    ? sizeof(struct ifinfomsg)
	       : type == RTM_NEWADDR  ? sizeof(struct ifaddrmsg)
	       : type == RTM_NEWROUTE ? sizeof(struct rtmsg)
				      : 0;
}

static void attributes_check(const uint8_t *message, const struct nlmsghdr *h)
{
	size_t at = sizeof *h + fixed_bytes(h->nlmsg_type);
	BUG_ON(at == sizeof *h || at > h->nlmsg_len);
	while (at < h->nlmsg_len) {
		struct rtattr a;
		BUG_ON(h->nlmsg_len - at < sizeof a);
		memcpy(&a, message + at, sizeof a);
		BUG_ON(a.rta_len < sizeof a || a.rta_len > h->nlmsg_len - at);
		at += RTA_ALIGN((size_t)a.rta_len);
	}
}

static int taken(void *context, const void *bytes, size_t length)
{
	size_t *budget = context, at = 0;
	struct nlmsghdr h;
	BUG_ON(length == 0 || length > NL_PIECE_BYTES);
	for (const uint8_t *m; (m = nl_next(bytes, length, &at, &h)) != NULL;) {
		BUG_ON(h.nlmsg_pid != 4242);
		if (h.nlmsg_type != NLMSG_ERROR && h.nlmsg_type != NLMSG_DONE) {
			attributes_check(m, &h);
		}
	}
	BUG_ON(at != length);
	if (*budget < length) {
		return -ENOBUFS;
	}
	*budget -= length;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { HEADER = 4, ROUTES_MAX = 8 };
	struct interfaces all = { .head = { .mtu = 2800 } };
	struct rpc_managed_route routes[ROUTES_MAX];
	if (size < HEADER) {
		return 0;
	}
	size_t addresses = data[1] % (RPC_INTERFACE_ADDRS_MAX + 1), count = data[2] % ROUTES_MAX;
	size_t budget = data[3] * (size_t)256;
	struct nl_view view = { .all = &all,
				.routes = routes,
				.route_count = count,
				.is_strict = (data[0] & 1) != 0,
				.is_capped = (data[0] & 2) != 0 };
	const uint8_t *at = data + HEADER;
	size_t left = size - HEADER;
	if (left < addresses * sizeof *all.addresses + count * sizeof *routes) {
		return 0;
	}
	memcpy(all.addresses, at, addresses * sizeof *all.addresses);
	at += addresses * sizeof *all.addresses;
	memcpy(routes, at, count * sizeof *routes);
	at += count * sizeof *routes;
	left -= (size_t)(at - data) - HEADER;
	all.head.count = (uint16_t)addresses;
	all.head.is_up = (data[0] & 4) != 0;
	memcpy(all.head.name, "ztnet", data[0] & 8 ? 6 : 0);
	uint8_t *exact = malloc(left + 1);
	memcpy(exact, at, left);
	struct nl_out out = { .send = taken, .context = &budget, .pid = 4242 };
	(void)nl_wants_routes(exact, left);
	nl_answer(&view, exact, left, &out);
	free(exact);
	return 0;
}
