/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Addresses of virtual sockets: struct rpc_addr (as the library sees them) and struct stack_ip (as
 * the stack does). IPv4 is v4-mapped inside struct rpc_addr. */
#ifndef SERVICE_VADDR_H
#define SERVICE_VADDR_H

#include "rpc/rpc.h"
#include "stack/stack.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

static inline struct rpc_addr vaddr_v4(const uint8_t bytes[4], uint16_t port)
{
	struct rpc_addr out = { .family = AF_INET, .port_be = htons(port) };
	out.addr[10] = out.addr[11] = 0xff;
	memcpy(out.addr + 12, bytes, 4);
	return out;
}

static inline uint16_t vaddr_port(const struct rpc_addr *a)
{
	return ntohs(a->port_be);
}

static inline uint8_t vaddr_first(const struct rpc_addr *a)
{
	return a->addr[12];
}

static inline bool vaddr_is_any(const struct rpc_addr *a)
{
	static const uint8_t zero[4];
	return memcmp(a->addr + 12, zero, 4) == 0;
}

static inline bool vaddr_is_loopback(const struct rpc_addr *a)
{
	return vaddr_first(a) == 127;
}

/* Class D, class E and the limited broadcast: no TCP goes there. */
static inline bool vaddr_is_multicast(const struct rpc_addr *a)
{
	return vaddr_first(a) >= 224;
}

static inline struct stack_ip vaddr_to_stack(const struct rpc_addr *a)
{
	struct stack_ip out = { .family = 4, .port = vaddr_port(a) };
	memcpy(out.bytes, a->addr + 12, 4);
	return out;
}

static inline struct rpc_addr vaddr_from_stack(const struct stack_ip *ip)
{
	return vaddr_v4(ip->bytes, ip->port);
}

static inline bool vaddr_same_host(const struct rpc_addr *a, const struct rpc_addr *b)
{
	return memcmp(a->addr, b->addr, sizeof a->addr) == 0;
}

#endif
