/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The header of datagrams. Host order, no padding, copied whole: both ends are on one machine. */
#include "rpc/dgram.h"

#include <string.h>
#include <sys/socket.h>

enum { KNOWN_FLAGS = RPC_DGRAM_LOCAL | RPC_DGRAM_TOS | RPC_DGRAM_TTL };

static bool is_family(uint8_t family)
{
	return family == AF_INET || family == AF_INET6;
}

bool rpc_dgram_read(const void *message, size_t length, uint64_t id, struct rpc_dgram *out)
{
	struct rpc_dgram head;
	if (length < sizeof head) {
		return false;
	}
	memcpy(&head, message, sizeof head);
	if (head.id != id || head.magic != RPC_DGRAM_MAGIC || (head.flags & ~KNOWN_FLAGS) != 0 ||
	    (head.peer.family != 0 && !is_family(head.peer.family)) ||
	    ((head.flags & RPC_DGRAM_LOCAL) != 0 && !is_family(head.local.family))) {
		return false;
	}
	*out = head;
	return true;
}
