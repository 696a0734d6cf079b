/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Options that only datagram sockets have: groups, and how datagrams to groups are sent. Everything
 * else is sockopt.c's.
 *
 * There are two interfaces, loopback (1) and the network (2); groups are joined on the network. The
 * virtual network carries them (vl2 chapter 8) and stands in for IGMP and MLD.
 */
#include "service/vdgram.h"

#include "service/service.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { ALL6_OPTION = 29 /* IPV6_MULTICAST_ALL, newer than some headers */ };

/* ---- groups ---- */

static struct vdgram_group **group_place(struct vhost *vhost, const struct rpc_addr *group)
{
	struct vdgram_group **at = &vhost->groups;
	while (*at && !vaddr_same_host(&(*at)->group, group)) {
		at = &(*at)->next;
	}
	return at;
}

bool vdgram_is_joined(const struct vhost *vhost, const struct rpc_addr *group)
{
	const struct vdgram_group *g = vhost->groups;
	while (g && !vaddr_same_host(&g->group, group)) {
		g = g->next;
	}
	return g != NULL;
}

/* One more member on this host; the first one tells the network. */
static int host_join(struct vhost *vhost, const struct rpc_addr *group)
{
	const struct net *net = vhost->net;
	struct vdgram_group **at = group_place(vhost, group);
	if (*at) {
		(*at)->members++;
		return 0;
	}
	struct vdgram_group *g = calloc(1, sizeof *g);
	struct stack_ip ip = vaddr_to_stack(group);
	int error = !g ? -ENOMEM : net->stack ? net->ops->group_join(net->stack, &ip) : -ENODEV;
	if (error != 0) {
		free(g);
		return error;
	}
	*g = (struct vdgram_group){ .group = *group, .members = 1 };
	*at = g;
	return 0;
}

static void host_leave(struct vhost *vhost, const struct rpc_addr *group)
{
	const struct net *net = vhost->net;
	struct vdgram_group **at = group_place(vhost, group), *g = *at;
	if (!g || --g->members > 0) {
		return;
	}
	struct stack_ip ip = vaddr_to_stack(group);
	if (net->stack) {
		(void)net->ops->group_leave(net->stack, &ip);
	}
	*at = g->next;
	free(g);
}

static struct rpc_addr *membership(const struct vsock *s, const struct rpc_addr *group)
{
	for (size_t i = 0; i < s->dgram->group_count; i++) {
		if (vaddr_same_host(&s->dgram->groups[i], group)) {
			return &s->dgram->groups[i];
		}
	}
	return NULL;
}

bool vdgram_is_member(const struct vsock *s, const struct rpc_addr *group)
{
	return membership(s, group) != NULL;
}

static int join(struct vsock *s, const struct rpc_addr *group)
{
	struct vdgram *d = s->dgram;
	if (!d->groups) {
		d->groups = calloc(VDGRAM_GROUPS_MAX, sizeof *d->groups);
	}
	if (!d->groups || d->group_count == VDGRAM_GROUPS_MAX) {
		return -ENOBUFS;
	}
	if (membership(s, group)) {
		return -EADDRINUSE;
	}
	int error = host_join(s->vhost, group);
	if (error == 0) {
		d->groups[d->group_count++] = *group;
	}
	return error;
}

int vdgram_group_join(struct vsock *s, const struct rpc_addr *group)
{
	return join(s, group);
}

static int leave(struct vsock *s, const struct rpc_addr *group)
{
	struct vdgram *d = s->dgram;
	struct rpc_addr *place = membership(s, group);
	if (!place) {
		return -EADDRNOTAVAIL;
	}
	host_leave(s->vhost, group);
	*place = d->groups[--d->group_count];
	return 0;
}

void vdgram_groups_leave(struct vsock *s)
{
	while (s->dgram->group_count > 0) {
		(void)leave(s, &s->dgram->groups[s->dgram->group_count - 1]);
	}
}

/* ---- requests about groups ---- */

/* What the many forms of the request have in common. */
struct group_request {
	struct rpc_addr group;
	uint32_t ifindex;
	struct rpc_addr interface; /* IPv4: its address, or any */
	bool is_join;
};

static int group_apply(struct vsock *s, const struct group_request *q)
{
	bool is_v4 = vaddr_is_v4(&q->group);
	if (is_v4 ? (q->group.addr[12] & 0xf0) != 0xe0 : q->group.addr[0] != 0xff) {
		return -EINVAL;
	}
	if (q->ifindex > RPC_IFINDEX_NETWORK ||
	    (q->ifindex == 0 && is_v4 && !vhost_is_local(s->vhost, &q->interface))) {
		return -ENODEV;
	}
	return q->is_join ? join(s, &q->group) : leave(s, &q->group);
}

static int group_v4(struct vsock *s, bool is_join, const void *value, uint32_t length)
{
	struct ip_mreqn m = { .imr_ifindex = 0 };
	if (length < sizeof(struct ip_mreq)) {
		return -EINVAL;
	}
	memcpy(&m, value, length < sizeof m ? sizeof(struct ip_mreq) : sizeof m);
	struct group_request q = { .is_join = is_join, .ifindex = (uint32_t)m.imr_ifindex };
	q.group = vaddr_v4((const uint8_t *)&m.imr_multiaddr, 0);
	q.interface = vaddr_v4((const uint8_t *)&m.imr_address, 0);
	return group_apply(s, &q);
}

static int group_v6(struct vsock *s, bool is_join, const void *value, uint32_t length)
{
	struct ipv6_mreq m;
	if (length < sizeof m) {
		return -EINVAL;
	}
	memcpy(&m, value, sizeof m);
	struct group_request q = { .is_join = is_join, .ifindex = m.ipv6mr_interface };
	q.group = vaddr_v6((const uint8_t *)&m.ipv6mr_multiaddr, 0);
	return vaddr_is_v4(&q.group) ? -EINVAL : group_apply(s, &q);
}

/* MCAST_JOIN_GROUP: the family is the address's. */
static int group_any(struct vsock *s, bool is_join, const void *value, uint32_t length)
{
	struct group_req m;
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;
	if (length < sizeof m) {
		return -EINVAL;
	}
	memcpy(&m, value, sizeof m);
	memcpy(&v4, &m.gr_group, sizeof v4);
	memcpy(&v6, &m.gr_group, sizeof v6);
	struct group_request q = { .is_join = is_join, .ifindex = m.gr_interface };
	if (m.gr_group.ss_family == AF_INET) {
		q.group = vaddr_v4((const uint8_t *)&v4.sin_addr, 0);
		q.interface = vaddr_any(AF_INET);
	} else if (m.gr_group.ss_family == AF_INET6) {
		q.group = vaddr_v6((const uint8_t *)&v6.sin6_addr, 0);
	} else {
		return -EADDRNOTAVAIL;
	}
	return group_apply(s, &q);
}

/* 1 = not about groups. */
static int group_set(struct vsock *s, int level, int name, const void *value, uint32_t length)
{
	if (name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP) {
		return group_any(s, name == MCAST_JOIN_GROUP, value, length);
	}
	if (level == IPPROTO_IP && (name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP)) {
		return group_v4(s, name == IP_ADD_MEMBERSHIP, value, length);
	}
	if (level == IPPROTO_IPV6 && (name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP)) {
		return group_v6(s, name == IPV6_JOIN_GROUP, value, length);
	}
	return 1;
}

/* ---- where groups are sent ---- */

static int interface_v4(struct vsock *s, const void *value, uint32_t length)
{
	struct ip_mreqn m = { .imr_ifindex = 0 };
	if (length >= sizeof(struct ip_mreq)) {
		memcpy(&m, value, length < sizeof m ? sizeof(struct ip_mreq) : sizeof m);
	} else if (length >= sizeof m.imr_address) {
		memcpy(&m.imr_address, value, sizeof m.imr_address);
	} else {
		return -EINVAL;
	}
	struct rpc_addr own = vaddr_v4((const uint8_t *)&m.imr_address, 0);
	if (m.imr_ifindex < 0 || m.imr_ifindex > (int)RPC_IFINDEX_NETWORK ||
	    !vhost_is_local(s->vhost, &own)) {
		return -EADDRNOTAVAIL;
	}
	memcpy(s->dgram->multicast_if, &m.imr_address, sizeof s->dgram->multicast_if);
	return 0;
}

/* ---- integers ---- */

static int hops_set(uint8_t *field, int value)
{
	if (value < -1 || value > UINT8_MAX) {
		return -EINVAL;
	}
	*field = (uint8_t)(value == -1 ? 1 : value);
	return 0;
}

static int flag_set(bool *is_off, int value)
{
	if (value != 0 && value != 1) {
		return -EINVAL;
	}
	*is_off = value == 0;
	return 0;
}

static int integer_set_v6(struct vdgram *d, int name, int value)
{
	switch (name) {
	case IPV6_MULTICAST_HOPS:
		return hops_set(&d->multicast_hops, value);
	case IPV6_MULTICAST_LOOP:
		return flag_set(&d->has_loop6_off, value);
	case ALL6_OPTION:
		return flag_set(&d->has_all6_off, value);
	case IPV6_MULTICAST_IF:
		if (value < 0 || value > (int)RPC_IFINDEX_NETWORK) {
			return -ENODEV;
		}
		d->multicast_ifindex = (uint32_t)value;
		return 0;
	default:
		return 1;
	}
}

/* 1 = not one of these. */
static int integer_set(struct vdgram *d, int level, int name, int value)
{
	if (level == IPPROTO_IPV6) {
		return integer_set_v6(d, name, value);
	}
	if (level != IPPROTO_IP) {
		return 1;
	}
	switch (name) {
	case IP_MULTICAST_TTL:
		return hops_set(&d->multicast_ttl, value);
	case IP_MULTICAST_LOOP:
		d->has_loop_off = value == 0;
		return 0;
	case IP_MULTICAST_ALL:
		return flag_set(&d->has_all_off, value);
	default:
		return 1;
	}
}

static bool has_level(const struct vsock *s, int level)
{
	return level == SOL_SOCKET || level == IPPROTO_IP ||
	       (level == IPPROTO_IPV6 && s->family == AF_INET6);
}

int vdgram_option_set(struct vsock *s, int level, int name, const void *value, uint32_t length)
{
	struct sockopt_target target = vsock_option_target(s);
	int number = 0, error = 1;
	if (!has_level(s, level)) {
		return -ENOPROTOOPT;
	}
	if (level != SOL_SOCKET) {
		error = group_set(s, level, name, value, length);
	}
	if (error == 1 && level == IPPROTO_IP && name == IP_MULTICAST_IF) {
		error = interface_v4(s, value, length);
	}
	if (error == 1 && length >= 1) {
		if (length >= sizeof number) {
			memcpy(&number, value, sizeof number);
		} else {
			number = *(const uint8_t *)value;
		}
		error = integer_set(s->dgram, level, name, number);
	}
	if (error != 1) {
		return error;
	}
	error = sockopt_set(&target, level, name, value, length);
	if (error == 0 && level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_RCVBUFFORCE)) {
		vdgram_buffer(s);
	}
	return error;
}

/* ---- reading them back ---- */

/* Within this host there is no wire. */
static int mtu_of(const struct vsock *s)
{
	enum { LOOPBACK_MTU = 65535 };
	return vhost_is_local(s->vhost, &s->remote) ? (int)LOOPBACK_MTU : (int)s->vhost->net->mtu;
}

static bool integer_get(const struct vsock *s, int level, int name, int *out)
{
	const struct vdgram *d = s->dgram;
	if (level == IPPROTO_IP) {
		switch (name) {
		case IP_MULTICAST_TTL:
			*out = d->multicast_ttl;
			return true;
		case IP_MULTICAST_LOOP:
			*out = !d->has_loop_off;
			return true;
		case IP_MULTICAST_ALL:
			*out = !d->has_all_off;
			return true;
		case IP_MULTICAST_IF:
			memcpy(out, d->multicast_if, sizeof *out);
			return true;
		case IP_MTU:
			*out = mtu_of(s);
			return d->is_connected;
		default:
			return false;
		}
	}
	switch (level == IPPROTO_IPV6 ? name : 0) {
	case IPV6_MULTICAST_HOPS:
		*out = d->multicast_hops;
		return true;
	case IPV6_MULTICAST_LOOP:
		*out = !d->has_loop6_off;
		return true;
	case ALL6_OPTION:
		*out = !d->has_all6_off;
		return true;
	case IPV6_MULTICAST_IF:
		*out = (int)d->multicast_ifindex;
		return true;
	default:
		return false;
	}
}

int vdgram_option_get(struct vsock *s, int level, int name, void *value, uint32_t *length)
{
	struct sockopt_target target = vsock_option_target(s);
	int number = 0;
	if (!has_level(s, level)) {
		return -ENOPROTOOPT;
	}
	if (level == IPPROTO_IP && name == IP_MTU && !s->dgram->is_connected) {
		return -ENOTCONN;
	}
	if (!integer_get(s, level, name, &number)) {
		return sockopt_get(&target, level, name, value, length);
	}
	*length = *length < sizeof number ? *length : (uint32_t)sizeof number;
	memcpy(value, &number, *length);
	return 0;
}
