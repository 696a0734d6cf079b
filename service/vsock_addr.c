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

/* What inet6_bind() says to an address that is no IPv4 address in disguise. */
static int bind_check_v6(const struct vsock *s, const struct rpc_addr *address)
{
	if (vaddr_is_multicast(address)) {
		return -EINVAL;
	}
	if (s->state != VSOCK_FRESH || (vaddr_is_v4(address) && s->opts.v6_only) ||
	    (vaddr_is_link_local(address) && address->scope == 0)) {
		return -EINVAL;
	}
	return 0;
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
	bool is_here = vhost_is_local(s->vhost, address) &&
		       !(vaddr_is_link_local(address) && address->scope == RPC_IFINDEX_LOOPBACK);
	if (!is_free && !is_here) {
		return -EADDRNOTAVAIL;
	}
	return s->state == VSOCK_FRESH ? 0 : -EINVAL;
}

/* connect() to "any" means this host. */
static struct rpc_addr destination_of(const struct vsock *s, const struct rpc_addr *address)
{
	if (!vaddr_is_any(address)) {
		return vsock_address(s, address);
	}
	bool is_v4 = vaddr_is_v4(address) || vaddr_is_v4(&s->local);
	struct rpc_addr localhost = vaddr_localhost(is_v4, vaddr_port(address));
	return vsock_address(s, &localhost);
}

int vsock_destination(struct vsock *s, const struct rpc_addr *address)
{
	const struct net *net = s->vhost->net;
	if (address->family != s->family) {
		return -EAFNOSUPPORT;
	}
	s->remote = destination_of(s, address);
	if (vaddr_is_multicast(&s->remote) || (vaddr_is_v4(&s->remote) && s->opts.v6_only)) {
		return -ENETUNREACH;
	}
	if (vaddr_is_link_local(&s->remote) && address->scope == 0 &&
	    !vaddr_is_link_local(&s->local)) {
		return -EINVAL;
	}
	bool is_here = vhost_is_local(s->vhost, &s->remote);
	if (!is_here && (!net->is_ok || !net->stack)) {
		return -ENETUNREACH;
	}
	if (vaddr_is_any(&s->local)) {
		return 0;
	}
	if (vaddr_is_v4(&s->local) && !vaddr_is_v4(&s->remote)) {
		return -EAFNOSUPPORT;
	}
	return vaddr_is_loopback(&s->local) && !is_here ? -EINVAL : 0;
}

int vsock_source(const struct vsock *s, struct rpc_addr *out)
{
	const struct net *net = s->vhost->net;
	bool is_v4 = vaddr_is_v4(&s->remote);
	struct stack_ip remote = vaddr_to_stack(&s->remote), source = { 0 };
	int error = 0;
	*out = s->local;
	if (!vaddr_is_any(&s->local)) {
		return vaddr_is_v4(&s->local) == is_v4 ? 0 : -EINVAL;
	}
	if (vaddr_is_loopback(&s->remote)) {
		*out = vaddr_localhost(is_v4, vaddr_port(&s->local));
	} else if (vhost_is_local(s->vhost, &s->remote)) {
		*out = s->remote;
	} else {
		error = net->ops->source_for(net->stack, &remote, &source);
		*out = vaddr_from_stack(&source, s->family);
	}
	*out = vsock_address(s, out);
	out->port_be = s->local.port_be;
	return error;
}
