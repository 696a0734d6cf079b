/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Addresses of virtual sockets: struct rpc_addr (as the library sees them) and struct stack_ip (as
 * the stack does).
 *
 * Inside struct rpc_addr IPv4 is v4-mapped, so the 16 bytes alone say which protocol carries the
 * bytes: `::ffff:0.0.0.0` is "any" of IPv4, `::` of IPv6 (or of both, for a dual stack socket). The
 * family says what the program's socket is; an AF_INET6 socket with an IPv4 address is a dual stack
 * socket in use for IPv4.
 */
#ifndef SERVICE_VADDR_H
#define SERVICE_VADDR_H

#include "rpc/rpc.h"
#include "stack/stack.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

static inline bool vaddr_is_v4(const struct rpc_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	return memcmp(a->addr, mapped, sizeof mapped) == 0;
}

static inline struct rpc_addr vaddr_v4(const uint8_t bytes[4], uint16_t port)
{
	struct rpc_addr out = { .family = AF_INET, .port_be = htons(port) };
	out.addr[10] = out.addr[11] = 0xff;
	memcpy(out.addr + 12, bytes, 4);
	return out;
}

static inline struct rpc_addr vaddr_v6(const uint8_t bytes[16], uint16_t port)
{
	struct rpc_addr out = { .family = AF_INET6, .port_be = htons(port) };
	memcpy(out.addr, bytes, 16);
	return out;
}

/* No address of this family of sockets, port 0. */
static inline struct rpc_addr vaddr_any(uint8_t family)
{
	struct rpc_addr out = { .family = family };
	out.addr[10] = out.addr[11] = family == AF_INET ? 0xff : 0;
	return out;
}

/* 127.0.0.1 or ::1 */
static inline struct rpc_addr vaddr_localhost(bool is_v4, uint16_t port)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 };
	return is_v4 ? vaddr_v4(v4, port) : vaddr_v6(v6, port);
}

static inline uint16_t vaddr_port(const struct rpc_addr *a)
{
	return ntohs(a->port_be);
}

static inline bool vaddr_is_any(const struct rpc_addr *a)
{
	static const uint8_t zero[16];
	return memcmp(a->addr, zero, 16) == 0 ||
	       (vaddr_is_v4(a) && memcmp(a->addr + 12, zero, 4) == 0);
}

static inline bool vaddr_is_loopback(const struct rpc_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };
	return vaddr_is_v4(a) ? a->addr[12] == 127 : memcmp(a->addr, one, sizeof one) == 0;
}

/* Nobody's address in particular: class D and E and the limited broadcast; ff00::/8. No TCP goes
 * there. */
static inline bool vaddr_is_multicast(const struct rpc_addr *a)
{
	return vaddr_is_v4(a) ? a->addr[12] >= 224 : a->addr[0] == 0xff;
}

/* fe80::/10: means nothing without an interface. */
static inline bool vaddr_is_link_local(const struct rpc_addr *a)
{
	return rpc_is_link_local(a);
}

static inline struct stack_ip vaddr_to_stack(const struct rpc_addr *a)
{
	bool is_v4 = vaddr_is_v4(a);
	struct stack_ip out = { .family = is_v4 ? 4 : 6, .port = vaddr_port(a) };
	memcpy(out.bytes, is_v4 ? a->addr + 12 : a->addr, is_v4 ? 4 : 16);
	return out;
}

/* As a socket of `family` sees it. */
static inline struct rpc_addr vaddr_from_stack(const struct stack_ip *ip, uint8_t family)
{
	struct rpc_addr out =
	    ip->family == 4 ? vaddr_v4(ip->bytes, ip->port) : vaddr_v6(ip->bytes, ip->port);
	out.family = family;
	out.scope = rpc_is_link_local(&out) ? RPC_IFINDEX_NETWORK : 0;
	return out;
}

static inline bool vaddr_same_host(const struct rpc_addr *a, const struct rpc_addr *b)
{
	return memcmp(a->addr, b->addr, sizeof a->addr) == 0;
}

#endif
