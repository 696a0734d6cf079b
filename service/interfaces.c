/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/interfaces.h"

#include "core/addr.h"
#include "service/net.h"
#include "service/service.h"

#include <string.h>
#include <sys/socket.h>

/* v4-mapped if need be; returns the family. */
static uint8_t bytes_write(uint8_t out[16], const struct stack_ip *ip)
{
	if (ip->family == 4) {
		memset(out, 0, 10);
		out[10] = out[11] = 0xff;
		memcpy(out + 12, ip->bytes, 4);
		return AF_INET;
	}
	memcpy(out, ip->bytes, 16);
	return AF_INET6;
}

static bool address_write(struct rpc_interface_addr *out, const struct stack_ip *ip)
{
	if (ip->family == 0) {
		return false;
	}
	*out = (struct rpc_interface_addr){ .bits = ip->bits };
	out->family = bytes_write(out->addr, ip);
	return true;
}

size_t interfaces_write(const struct net *net, struct rpc_interfaces *out)
{
	struct rpc_interface_addr *list = (void *)(out + 1);
	uint16_t count = 0;
	memset(out, 0, sizeof *out);
	static_assert(ADDR_DEVICE_NAME_BYTES <= sizeof out->name, "IFNAMSIZ");
	addr_device_name(net->nwid, 0, out->name);
	uint64_t mac = addr_mac(net->nwid, net->service->address);
	for (int i = 0; i < 6; i++) {
		out->mac[i] = (uint8_t)(mac >> (40 - 8 * i));
	}
	out->mtu = net->mtu;
	out->is_up = net->is_ok;
	for (size_t i = 0; i < net->address_count && count < RPC_INTERFACE_ADDRS_MAX - 1; i++) {
		count = (uint16_t)(count + address_write(&list[count], &net->addresses[i]));
	}
	count = (uint16_t)(count + address_write(&list[count], &net->link_local));
	out->count = count;
	return sizeof *out + count * sizeof *list;
}

size_t interfaces_routes_write(const struct net *net, uint32_t first, struct rpc_routes_reply *out)
{
	struct rpc_managed_route *list = (void *)(out + 1);
	*out = (struct rpc_routes_reply){ .total = (uint32_t)net->route_count };
	for (size_t i = first; i < net->route_count && out->count < RPC_ROUTES_PIECE; i++) {
		const struct stack_route *route = &net->routes[i];
		struct rpc_managed_route *r = &list[out->count++];
		*r = (struct rpc_managed_route){ .bits = route->target.bits,
						 .has_via = route->via.family != 0 };
		r->family = bytes_write(r->target, &route->target);
		if (r->has_via) {
			(void)bytes_write(r->via, &route->via);
		}
	}
	return sizeof *out + out->count * sizeof *list;
}
