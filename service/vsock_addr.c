/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which addresses a socket may have, and which errno says why not (spec/intercept.md 5).
 *
 * How this works
 * A socket has a family, AF_INET or AF_INET6, and each of its addresses says by itself which
 * protocol it belongs to (vaddr.h). An AF_INET6 socket without IPV6_V6ONLY that is bound to `::` or
 * to nothing serves both; bound to `::ffff:a.b.c.d` it is an IPv4 socket with longer names. The
 * order of the checks is Linux's (inet_bind, inet6_bind, tcp_v4_connect, tcp_v6_connect).
 *
 * Link-local addresses need a scope id, or a socket bound to one. There is one link, so any id will
 * do, and the one of the virtual interface is reported. `::1` and 127.0.0.0/8 are this virtual
 * host's own (5.5).
 */
#include "service/vsock.h"

#include "service/service.h"
#include "service/vdgram.h"

#include <errno.h>

struct port_place vsock_place(const struct vsock *s, const struct rpc_addr *address)
{
	struct port_place place = {
		.families = vaddr_is_v4(address) ? PORT_V4 : PORT_V6,
		.is_any = vaddr_is_any(address),
		.reuse_address = s->opts.reuse_address,
		.reuse_port = s->opts.reuse_port,
		.port = vaddr_port(address),
		.uid = s->uid,
	};
	if (place.is_any && place.families == PORT_V6 && !s->opts.v6_only) {
		place.families = PORT_V4 | PORT_V6;
	}
	memcpy(place.address, address->addr, sizeof place.address);
	return place;
}

struct rpc_addr vsock_address(const struct vsock *s, const struct rpc_addr *address)
{
	struct rpc_addr out = *address;
	out.family = s->family;
	out.pad = 0;
	out.scope = rpc_is_link_local(&out) ? RPC_IFINDEX_NETWORK : 0;
	return out;
}

/* What inet6_bind() says before it looks who has the address. */
static int bind_check_v6(const struct vsock *s, const struct rpc_addr *address)
{
	bool is_v4 = vaddr_is_v4(address);
	if (s->state != VSOCK_FRESH || (is_v4 && s->opts.v6_only) ||
	    (!is_v4 && vaddr_is_multicast(address)) ||
	    (vaddr_is_link_local(address) && address->scope == 0)) {
		return -EINVAL;
	}
	return 0;
}

/* Ours, or, as Linux has it for IPv4, everybody's. */
static bool may_be_bound(const struct vsock *s, const struct rpc_addr *address)
{
	if (vaddr_is_link_local(address) && address->scope == RPC_IFINDEX_LOOPBACK) {
		return false;
	}
	return vhost_is_local(s->vhost, address) ||
	       (vaddr_is_v4(address) && vaddr_is_multicast(address));
}

int vsock_bind_check(const struct vsock *s, const struct rpc_addr *address, bool is_free)
{
	bool is_unspecified =
	    address->family == AF_UNSPEC && s->family == AF_INET && vaddr_is_any(address);
	if (address->family != s->family && !is_unspecified) {
		return -EAFNOSUPPORT;
	}
	int error = s->family == AF_INET6 ? bind_check_v6(s, address) : 0;
	if (error != 0) {
		return error;
	}
	is_free = is_free || s->opts.freebind || s->opts.transparent;
	if (!is_free && !may_be_bound(s, address)) {
		return -EADDRNOTAVAIL;
	}
	return s->state == VSOCK_FRESH ? 0 : -EINVAL;
}

/* connect() to "any" means this host: by the address that is bound, or over loopback. */
static struct rpc_addr destination_of(const struct vsock *s, const struct rpc_addr *address)
{
	if (!vaddr_is_any(address)) {
		return vsock_address(s, address);
	}
	bool is_v4 = vaddr_is_v4(address);
	if (is_v4 && vaddr_is_v4(&s->local) && !vaddr_is_any(&s->local)) {
		struct rpc_addr own = s->local;
		own.port_be = address->port_be;
		return own;
	}
	struct rpc_addr localhost =
	    vaddr_localhost(is_v4 || vaddr_is_v4(&s->local), vaddr_port(address));
	return vsock_address(s, &localhost);
}

/* Is `scope` the link that the socket is on, or will be? */
static int scope_check(const struct vsock *s, uint32_t scope)
{
	bool is_on_link = vaddr_is_link_local(&s->local);
	if (scope == RPC_IFINDEX_LOOPBACK) {
		return is_on_link ? -EINVAL : -ENETUNREACH;
	}
	return scope == 0 && !is_on_link ? -EINVAL : 0;
}

int vsock_destination(struct vsock *s, const struct rpc_addr *address)
{
	if (address->family != s->family) {
		return -EAFNOSUPPORT;
	}
	s->remote = destination_of(s, address);
	if (vaddr_is_multicast(&s->remote) || (vaddr_is_v4(&s->remote) && s->opts.v6_only)) {
		return -ENETUNREACH;
	}
	return vaddr_is_link_local(&s->remote) ? scope_check(s, address->scope) : 0;
}

/* Does the address that the socket is bound to reach `remote`? */
static int bound_check(const struct vsock *s, bool is_here)
{
	if (vaddr_is_v4(&s->local)) {
		if (!vaddr_is_v4(&s->remote)) {
			return -EAFNOSUPPORT;
		}
		return vaddr_is_loopback(&s->local) && !is_here ? -EINVAL : 0;
	}
	if (vaddr_is_v4(&s->remote) || (vaddr_is_loopback(&s->local) && !is_here) ||
	    (vaddr_is_link_local(&s->local) && vaddr_is_loopback(&s->remote))) {
		return -ENETUNREACH;
	}
	return 0;
}

int vsock_source(const struct vsock *s, struct rpc_addr *out)
{
	const struct net *net = s->vhost->net;
	struct stack_ip remote = vaddr_to_stack(&s->remote), source = { 0 };
	bool is_here = vhost_is_local(s->vhost, &s->remote);
	if (!is_here && (!net->is_ok || !net->stack ||
			 net->ops->source_for(net->stack, &remote, &source) != 0)) {
		return -ENETUNREACH;
	}
	*out = s->local;
	if (!vaddr_is_any(&s->local)) {
		return bound_check(s, is_here);
	}
	bool is_v4 = vaddr_is_v4(&s->remote);
	if (s->family == AF_INET6 && vaddr_is_v4(&s->local) && !is_v4) {
		return -EAFNOSUPPORT; /* bound to ::ffff:0.0.0.0 */
	}
	if (vaddr_is_loopback(&s->remote)) {
		*out = vaddr_localhost(is_v4, vaddr_port(&s->local));
	} else {
		*out = is_here ? s->remote : vaddr_from_stack(&source, s->family);
	}
	*out = vsock_address(s, out);
	out->port_be = s->local.port_be;
	return 0;
}

bool vsock_is_elsewhere(const struct vsock *s, const struct rpc_addr *address)
{
	static const uint8_t everybody[4] = { 255, 255, 255, 255 };
	const struct net *net = s->vhost->net;
	struct stack_ip ip = vaddr_to_stack(address), source = { 0 };
	bool is_everybody =
	    vaddr_is_v4(address) && memcmp(address->addr + 12, everybody, sizeof everybody) == 0;
	if (address->family != s->family || !net->is_ok || !net->stack || is_everybody ||
	    vhost_is_local(s->vhost, address) || vaddr_is_multicast(address) ||
	    vaddr_is_link_local(address)) {
		return false;
	}
	return net->ops->source_for(net->stack, &ip, &source) != 0;
}

bool vsock_is_fresh(const struct vsock *s)
{
	bool has_peer = s->dgram && s->dgram->is_connected;
	return s->state == VSOCK_FRESH && !s->port.bucket && !has_peer;
}
