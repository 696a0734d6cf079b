/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* getifaddrs(), if_nameindex() and their like: a virtual host has "lo" and the network's interface,
 * whatever interfaces its machine has. ifreq.c answers the ioctls.
 */
#include "intercept/interfaces.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>

bool interfaces_ask(struct interfaces *out)
{
	struct interfaces in;
	struct rpc_header m = { .op = RPC_INTERFACES };
	static_assert(sizeof in <= RPC_MAX_BYTES, "one answer");
	memset(out, 0, sizeof *out);
	memset(&in, 0, sizeof in);
	if (ask_service(&m, sizeof m, &in, sizeof in) < (long)sizeof in.head ||
	    in.head.name[0] == '\0') {
		return false;
	}
	*out = in;
	out->head.name[sizeof out->head.name - 1] = '\0';
	/* The message may have been longer than what was received of it. */
	size_t received = out->head.h.length < sizeof *out ? out->head.h.length : sizeof *out;
	size_t have = (received - sizeof out->head) / sizeof out->addresses[0];
	if (out->head.count > have) {
		out->head.count = (uint16_t)have;
	}
	return true;
}

size_t interfaces_routes_ask(struct rpc_managed_route out[INTERFACES_ROUTES_MAX])
{
	struct {
		struct rpc_routes_reply head;
		struct rpc_managed_route list[RPC_ROUTES_PIECE];
	} in;
	size_t count = 0;
	static_assert(sizeof in <= RPC_MAX_BYTES, "one answer");
	while (count < INTERFACES_ROUTES_MAX) {
		struct rpc_routes m = { .h = { .op = RPC_ROUTES }, .first = (uint32_t)count };
		memset(&in, 0, sizeof in);
		long n = ask_service(&m.h, sizeof m, &in, sizeof in);
		if (n < (long)sizeof in.head) {
			break;
		}
		size_t received = (size_t)n < sizeof in ? (size_t)n : sizeof in;
		size_t have = (received - sizeof in.head) / sizeof in.list[0];
		have = in.head.count < have ? in.head.count : have;
		for (size_t i = 0; i < have && count < INTERFACES_ROUTES_MAX; i++) {
			out[count++] = in.list[i];
		}
		if (have == 0 || count >= in.head.total) {
			break;
		}
	}
	return count;
}

/* ---- names and numbers ----------------------------------------------------------------------- */

EXPORT unsigned if_nametoindex(const char *name)
{
	struct interfaces all;
	if (!on()) {
		return LIBC(if_nametoindex)(name);
	}
	int saved = errno;
	(void)interfaces_ask(&all);
	unsigned index = interface_index(&all, name);
	errno = index ? saved : ENODEV;
	return index;
}

EXPORT char *if_indextoname(unsigned index, char name[IF_NAMESIZE])
{
	struct interfaces all;
	if (!on()) {
		return LIBC(if_indextoname)(index, name);
	}
	int saved = errno;
	(void)interfaces_ask(&all);
	const char *known = interface_name(&all, index);
	if (!known) {
		errno = ENXIO;
		return NULL;
	}
	errno = saved;
	memcpy(name, known, strlen(known) + 1);
	return name;
}

EXPORT struct if_nameindex *if_nameindex(void)
{
	struct interfaces all;
	if (!on()) {
		return LIBC(if_nameindex)();
	}
	(void)interfaces_ask(&all);
	size_t count = 0;
	struct if_nameindex *list = calloc(RPC_IFINDEX_NETWORK + 1, sizeof *list);
	for (unsigned i = RPC_IFINDEX_LOOPBACK; list && i <= RPC_IFINDEX_NETWORK; i++) {
		const char *name = interface_name(&all, i);
		if (name) {
			list[count].if_index = i;
			list[count++].if_name = strdup(name);
		}
	}
	if (!list) {
		errno = ENOBUFS;
	}
	return list;
}

EXPORT void if_freenameindex(struct if_nameindex *list)
{
	if (!on()) {
		LIBC(if_freenameindex)(list);
		return;
	}
	for (size_t i = 0; list && list[i].if_index != 0; i++) {
		free(list[i].if_name);
	}
	free(list);
}

/* ---- getifaddrs ------------------------------------------------------------------------------ */

struct node {
	struct ifaddrs head;
	char name[IF_NAMESIZE];
	struct sockaddr_storage address, netmask, broadcast;
};

struct list {
	struct node *nodes;
	size_t count;
};

static struct node *node_add(struct list *list, const struct interfaces *all, unsigned index)
{
	struct node *n = &list->nodes[list->count];
	if (list->count > 0) {
		n[-1].head.ifa_next = &n->head;
	}
	list->count++;
	const char *name = interface_name(all, index);
	memcpy(n->name, name, strlen(name) + 1);
	n->head.ifa_name = n->name;
	n->head.ifa_flags = interface_flags(all, index);
	n->head.ifa_addr = (struct sockaddr *)&n->address;
	return n;
}

static void link_add(struct list *list, const struct interfaces *all, unsigned index)
{
	struct node *n = node_add(list, all, index);
	bool is_loopback = index == RPC_IFINDEX_LOOPBACK;
	struct sockaddr_ll l = { .sll_family = AF_PACKET,
				 .sll_ifindex = (int)index,
				 .sll_hatype = is_loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER,
				 .sll_halen = ETH_ALEN };
	struct sockaddr_ll all_ones = l;
	memcpy(l.sll_addr, all->head.mac, is_loopback ? 0 : ETH_ALEN);
	memset(all_ones.sll_addr, is_loopback ? 0 : 0xff, ETH_ALEN);
	memcpy(&n->address, &l, sizeof l);
	memcpy(&n->broadcast, &all_ones, sizeof all_ones);
	n->head.ifa_broadaddr = (struct sockaddr *)&n->broadcast;
}

static void v4_set(struct sockaddr_storage *out, const uint8_t bytes[4])
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	memcpy(&sa.sin_addr, bytes, 4);
	memcpy(out, &sa, sizeof sa);
}

static void v6_set(struct sockaddr_storage *out, const uint8_t bytes[16], uint32_t scope)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_scope_id = scope };
	memcpy(&sa.sin6_addr, bytes, 16);
	memcpy(out, &sa, sizeof sa);
}

static void address_add(struct list *list, const struct interfaces *all, unsigned index,
			const struct rpc_interface_addr *a)
{
	struct node *n = node_add(list, all, index);
	uint8_t mask[16], broadcast[4];
	interface_mask(mask, a->bits);
	n->head.ifa_netmask = (struct sockaddr *)&n->netmask;
	if (a->family == AF_INET6) {
		bool is_link_local = a->addr[0] == 0xfe && (a->addr[1] & 0xc0) == 0x80;
		v6_set(&n->address, a->addr, is_link_local ? index : 0);
		v6_set(&n->netmask, mask, 0);
		return;
	}
	for (int i = 0; i < 4; i++) {
		broadcast[i] = (uint8_t)(a->addr[12 + i] | (uint8_t)~mask[i]);
	}
	v4_set(&n->address, a->addr + 12);
	v4_set(&n->netmask, mask);
	/* a loopback interface has its own address there */
	v4_set(&n->broadcast, index == RPC_IFINDEX_LOOPBACK ? a->addr + 12 : broadcast);
	n->head.ifa_broadaddr = (struct sockaddr *)&n->broadcast;
}

EXPORT int getifaddrs(struct ifaddrs **out)
{
	struct interfaces all;
	if (!on()) {
		return LIBC(getifaddrs)(out);
	}
	int saved = errno;
	bool has_network = interfaces_ask(&all);
	struct list list = { .nodes = calloc(4u + all.head.count, sizeof *list.nodes) };
	if (!list.nodes) {
		return -1;
	}
	link_add(&list, &all, RPC_IFINDEX_LOOPBACK);
	if (has_network) {
		link_add(&list, &all, RPC_IFINDEX_NETWORK);
	}
	for (int i = 0; i < 2; i++) { /* IPv4 first, as the kernel lists them */
		uint8_t family = interface_loopback[i].family;
		address_add(&list, &all, RPC_IFINDEX_LOOPBACK, &interface_loopback[i]);
		for (size_t k = 0; k < all.head.count; k++) {
			if (all.addresses[k].family == family) {
				address_add(&list, &all, RPC_IFINDEX_NETWORK, &all.addresses[k]);
			}
		}
	}
	*out = &list.nodes->head; /* one block, as glibc's */
	errno = saved;
	return 0;
}

EXPORT void freeifaddrs(struct ifaddrs *list)
{
	if (on()) {
		free(list);
	} else {
		LIBC(freeifaddrs)(list);
	}
}
