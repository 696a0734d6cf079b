/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* ioctl(SIOCGIF...) on a virtual socket (netdevice(7)): IPv4 and the link, as in the kernel. */
#include "intercept/interfaces.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>

static void sockaddr_set(struct sockaddr *out, const uint8_t bytes[4])
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	memcpy(&sa.sin_addr, bytes, 4);
	memcpy(out, &sa, sizeof sa);
}

/* The nth IPv4 address of an interface, or NULL. */
static const struct rpc_interface_addr *v4_of(const struct interfaces *all, unsigned index,
					      size_t n)
{
	if (index == RPC_IFINDEX_LOOPBACK) {
		return n == 0 ? &interface_loopback[0] : NULL;
	}
	for (size_t i = 0; i < all->head.count; i++) {
		if (all->addresses[i].family == AF_INET && n-- == 0) {
			return &all->addresses[i];
		}
	}
	return NULL;
}

/* Each IPv4 address is one entry; without a buffer, how much room they need. */
static int list_addresses(const struct interfaces *all, struct ifconf *out)
{
	size_t used = 0, room = out->ifc_len > 0 ? (size_t)out->ifc_len : 0;
	const struct rpc_interface_addr *a;
	for (unsigned i = RPC_IFINDEX_LOOPBACK; i <= RPC_IFINDEX_NETWORK; i++) {
		const char *name = interface_name(all, i);
		for (size_t n = 0; name && (a = v4_of(all, i, n)) != NULL; n++) {
			struct ifreq entry = { .ifr_ifindex = 0 };
			memcpy(entry.ifr_name, name, strlen(name) + 1);
			sockaddr_set(&entry.ifr_addr, a->addr + 12);
			bool fits = out->ifc_buf && used + sizeof entry <= room;
			if (fits && !addr_readable(out->ifc_buf + used, sizeof entry)) {
				return -EFAULT;
			}
			if (fits) {
				memcpy(out->ifc_buf + used, &entry, sizeof entry);
			}
			used += fits || !out->ifc_buf ? sizeof entry : 0;
		}
	}
	out->ifc_len = (int)used;
	return 0;
}

static int address_answer(const struct interfaces *all, unsigned index, unsigned long request,
			  struct ifreq *r)
{
	const struct rpc_interface_addr *a = v4_of(all, index, 0);
	uint8_t mask[16], broadcast[4];
	if (!a) {
		return -EADDRNOTAVAIL;
	}
	interface_mask(mask, a->bits);
	for (int i = 0; i < 4; i++) {
		broadcast[i] = (uint8_t)(a->addr[12 + i] | (uint8_t)~mask[i]);
	}
	if (index == RPC_IFINDEX_LOOPBACK) {
		memset(broadcast, 0, sizeof broadcast);
	}
	sockaddr_set(&r->ifr_addr, request == SIOCGIFNETMASK   ? mask
				   : request == SIOCGIFBRDADDR ? broadcast
							       : a->addr + 12);
	return 0;
}

static void hardware_answer(const struct interfaces *all, unsigned index, struct ifreq *r)
{
	bool is_loopback = index == RPC_IFINDEX_LOOPBACK;
	memset(&r->ifr_hwaddr, 0, sizeof r->ifr_hwaddr);
	r->ifr_hwaddr.sa_family = is_loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	memcpy(r->ifr_hwaddr.sa_data, all->head.mac, is_loopback ? 0 : sizeof all->head.mac);
}

static int one_answer(const struct interfaces *all, unsigned index, unsigned long request,
		      struct ifreq *r)
{
	switch (request) {
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
		return address_answer(all, index, request, r);
	case SIOCGIFHWADDR:
		hardware_answer(all, index, r);
		return 0;
	case SIOCGIFFLAGS:
		r->ifr_flags = (short)interface_flags(all, index);
		return 0;
	case SIOCGIFMTU:
		r->ifr_mtu =
		    index == RPC_IFINDEX_LOOPBACK ? INTERFACE_LOOPBACK_MTU : (int)all->head.mtu;
		return 0;
	case SIOCGIFINDEX:
		r->ifr_ifindex = (int)index;
		return 0;
	case SIOCGIFMETRIC:
		r->ifr_metric = 0;
		return 0;
	case SIOCGIFTXQLEN:
		r->ifr_qlen = 1000;
		return 0;
	default: /* what would change it, and what it has not (maps, statistics of drivers) */
		return request == SIOCETHTOOL ? -EOPNOTSUPP : -EPERM;
	}
}

static int name_answer(const struct interfaces *all, struct ifreq *r)
{
	const char *name = interface_name(all, (unsigned)r->ifr_ifindex);
	if (!name) {
		return -ENODEV;
	}
	memcpy(r->ifr_name, name, strlen(name) + 1);
	return 0;
}

int ifreq_answer(unsigned long request, void *argument)
{
	struct interfaces all;
	struct ifreq *r = argument;
	size_t size = request == SIOCGIFCONF ? sizeof(struct ifconf) : sizeof *r;
	if (!addr_readable(argument, size)) {
		return -EFAULT;
	}
	(void)interfaces_ask(&all); /* without a service there is lo */
	if (request == SIOCGIFCONF) {
		return list_addresses(&all, argument);
	}
	if (request == SIOCGIFNAME) {
		return name_answer(&all, r);
	}
	char name[IF_NAMESIZE];
	memcpy(name, r->ifr_name, sizeof name);
	name[sizeof name - 1] = '\0';
	name[strcspn(name, ":")] = '\0'; /* "zt0:1", an alias of old */
	unsigned index = interface_index(&all, name);
	return index == 0 ? -ENODEV : one_answer(&all, index, request, r);
}
