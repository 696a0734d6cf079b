/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names of descriptors (spec/intercept.md 3.7).
 *
 * How this works: both ends of a virtual socket's socketpair carry abstract AF_UNIX names, so that
 * getsockname() and getpeername() tell any process what it holds, after fork, exec, chroot and in
 * any namespace. Layout, fixed offsets, integers in host order (one machine), ports big-endian as
 * in sockaddr:
 *
 *    0  6  "\0ztnc1"            9  8  network id         25  2  local port    45 16  remote address
 *    6  1  kind                17  8  socket id          27 16  local address 61  4  scope
 *    7  1  family                  (A's name ends here)  43  2  remote port
 *    8  1  flags
 *
 * Anyone may bind a name that looks like ours, so a name decides nothing alone: the service checks
 * SO_COOKIE (decision S2), and a program that forges one fools only itself.
 */
#include "rpc/rpc.h"

#include <string.h>
#include <sys/socket.h>

static const uint8_t MAGIC[6] = { 0, 'z', 't', 'n', 'c', '1' };

enum {
	AT_KIND = 6,
	AT_FAMILY = 7,
	AT_FLAGS = 8,
	AT_NWID = 9,
	AT_ID = 17,
	AT_LOCAL = 25, /* port, address */
	AT_REMOTE = 43,
	AT_SCOPE = 61,
	KNOWN_FLAGS = RPC_SIDE_ACCEPTOR | RPC_DUAL_STACK,
};

static_assert((int)AT_LOCAL == (int)RPC_NAME_BARE_BYTES, "name layout");
static_assert((int)AT_SCOPE + 4 == (int)RPC_NAME_FULL_BYTES, "name layout");
static_assert(RPC_NAME_FULL_BYTES <= RPC_NAME_MAX_BYTES, "name layout");

static bool is_full(uint8_t kind)
{
	return kind == RPC_KIND_LISTENER || kind == RPC_KIND_CONNECTION || kind == RPC_KIND_PEER;
}

size_t rpc_ident_write(const struct rpc_ident *ident, uint8_t out[RPC_NAME_MAX_BYTES])
{
	memcpy(out, MAGIC, sizeof MAGIC);
	out[AT_KIND] = ident->kind;
	out[AT_FAMILY] = ident->family;
	out[AT_FLAGS] = ident->flags;
	memcpy(out + AT_NWID, &ident->nwid, 8);
	memcpy(out + AT_ID, &ident->id, 8);
	if (!is_full(ident->kind)) {
		return RPC_NAME_BARE_BYTES;
	}
	memcpy(out + AT_LOCAL, &ident->local.port_be, 2);
	memcpy(out + AT_LOCAL + 2, ident->local.addr, 16);
	memcpy(out + AT_REMOTE, &ident->remote.port_be, 2);
	memcpy(out + AT_REMOTE + 2, ident->remote.addr, 16);
	/* One link, one scope; other addresses have none. */
	uint32_t scope = (rpc_is_link_local(&ident->local) ? ident->local.scope : 0) |
			 (rpc_is_link_local(&ident->remote) ? ident->remote.scope : 0);
	memcpy(out + AT_SCOPE, &scope, 4);
	return RPC_NAME_FULL_BYTES;
}

static void address_read(const uint8_t *name, size_t at, uint8_t family, struct rpc_addr *out)
{
	*out = (struct rpc_addr){ .family = family };
	memcpy(&out->port_be, name + at, 2);
	memcpy(out->addr, name + at + 2, 16);
	if (rpc_is_link_local(out)) {
		memcpy(&out->scope, name + AT_SCOPE, 4);
	}
}

/* Are family and flags such as this kind has? */
static bool is_kind(uint8_t kind, uint8_t family, uint8_t flags)
{
	if (kind == RPC_KIND_NETLINK) {
		return family == AF_NETLINK && flags == 0;
	}
	return (kind == RPC_KIND_STREAM || kind == RPC_KIND_DGRAM || kind == RPC_KIND_PING ||
		is_full(kind)) &&
	       (family == AF_INET || family == AF_INET6) && (flags & ~KNOWN_FLAGS) == 0;
}

bool rpc_ident_read(const uint8_t *name, size_t length, struct rpc_ident *out)
{
	if (length < RPC_NAME_BARE_BYTES || memcmp(name, MAGIC, sizeof MAGIC) != 0) {
		return false;
	}
	uint8_t kind = name[AT_KIND], family = name[AT_FAMILY], flags = name[AT_FLAGS];
	if (!is_kind(kind, family, flags) ||
	    length != (is_full(kind) ? RPC_NAME_FULL_BYTES : RPC_NAME_BARE_BYTES)) {
		return false;
	}
	*out = (struct rpc_ident){ .kind = kind, .family = family, .flags = flags };
	memcpy(&out->nwid, name + AT_NWID, 8);
	memcpy(&out->id, name + AT_ID, 8);
	if (is_full(kind)) {
		out->has_addresses = true;
		address_read(name, AT_LOCAL, family, &out->local);
		address_read(name, AT_REMOTE, family, &out->remote);
		uint32_t scope;
		memcpy(&scope, name + AT_SCOPE, 4);
		/* We never write one that belongs to no address. */
		return scope == (out->local.scope | out->remote.scope);
	}
	return true;
}
