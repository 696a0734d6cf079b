/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/interfaces.h"

#include "core/addr.h"
#include "service/net.h"
#include "service/service.h"

#include <string.h>
#include <sys/socket.h>

static bool address_write(struct rpc_interface_addr *out, const struct stack_ip *ip)
{
	if (ip->family == 0) {
		return false;
	}
	bool is_v4 = ip->family == 4;
	*out =
	    (struct rpc_interface_addr){ .family = is_v4 ? AF_INET : AF_INET6, .bits = ip->bits };
	if (is_v4) {
		out->addr[10] = out->addr[11] = 0xff;
		memcpy(out->addr + 12, ip->bytes, 4);
	} else {
		memcpy(out->addr, ip->bytes, 16);
	}
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
