/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What is known of a virtual host's two interfaces, without asking anybody: shared by those who
 * show them (getifaddrs, ioctl, netlink).
 */
#include "intercept/interfaces.h"

#include <net/if.h>

/* IFF_LOWER_UP, which <linux/if.h> has and <net/if.h> has not. */
enum { INTERFACE_LOWER_UP = 1 << 16 };

unsigned interface_flags(const struct interfaces *all, unsigned index)
{
	if (index == RPC_IFINDEX_LOOPBACK) {
		return IFF_UP | IFF_LOOPBACK | IFF_RUNNING | INTERFACE_LOWER_UP;
	}
	return IFF_UP | IFF_BROADCAST | IFF_MULTICAST |
	       (all->head.is_up ? IFF_RUNNING | INTERFACE_LOWER_UP : 0);
}

const char *interface_name(const struct interfaces *all, unsigned index)
{
	return index == RPC_IFINDEX_LOOPBACK                       ? "lo"
	       : index == RPC_IFINDEX_NETWORK && all->head.name[0] ? all->head.name
								   : NULL;
}

unsigned interface_index(const struct interfaces *all, const char *name)
{
	for (unsigned i = RPC_IFINDEX_LOOPBACK; i <= RPC_IFINDEX_NETWORK; i++) {
		const char *known = interface_name(all, i);
		if (known && strcmp(known, name) == 0) {
			return i;
		}
	}
	return 0;
}

void interface_mask(uint8_t out[16], unsigned bits)
{
	memset(out, 0, 16);
	for (unsigned i = 0; i < bits && i < 128; i++) {
		out[i / 8] = (uint8_t)(out[i / 8] | 0x80 >> i % 8);
	}
}

const struct rpc_interface_addr interface_loopback[2] = {
	{ .addr = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 },
	  .family = AF_INET,
	  .bits = 8 },
	{ .addr = { [15] = 1 }, .family = AF_INET6, .bits = 128 },
};
