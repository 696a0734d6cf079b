/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What programs send: which way a datagram goes, and what Linux says if there is none.
 *
 * How this works
 * Loopback and our own addresses are this virtual host itself: the datagram goes from program to
 * program and never sees the stack. Groups and broadcasts go both ways, to the network and, unless
 * the program does not want it, to those on this host that listen. Everything else is the stack's.
 *
 * sendto() has returned when a datagram comes here. So what is wrong with it is told as Linux tells
 * what it learns later: on a connected socket by the next call, on others not at all.
 */
#include "service/vdgram.h"

#include "service/service.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

enum {
	ICMP_HEADER_BYTES = 8,
	ICMP6_ECHO_REQUEST_TYPE = 128,
	ICMP6_ECHO_REPLY_TYPE = 129,
	DESTINATIONS = 64,                  /* shares of a turn, by hash */
	DESTINATION_TURN_BYTES = 128 << 10, /* decision S17 */
};

/* One datagram of a program. */
struct way {
	struct rpc_addr from, to;
	const uint8_t *bytes;
	size_t length;
	struct stack_marks marks;
	bool is_to_many;
};

/* ---- shares of a turn ---- */

static size_t destination_slot(const struct rpc_addr *to)
{
	uint32_t h = 0;
	for (size_t i = 0; i < sizeof to->addr; i += 4) {
		uint32_t word = 0;
		memcpy(&word, to->addr + i, 4);
		h = (h ^ word) * 0x9e3779b1U;
	}
	return h >> 26;
}

static void share_use(struct vsock *s, const struct rpc_addr *to, size_t bytes)
{
	s->dgram->slot = (uint8_t)destination_slot(to);
	s->vhost->dgram_shares[s->dgram->slot] += (uint32_t)bytes;
}

bool vdgram_has_share(const struct vsock *s)
{
	return s->vhost->dgram_shares[s->dgram->slot] < DESTINATION_TURN_BYTES;
}

void vdgram_shares_renew(struct vhost *vhost)
{
	static_assert(sizeof vhost->dgram_shares / sizeof vhost->dgram_shares[0] == DESTINATIONS,
		      "slots");
	memset(vhost->dgram_shares, 0, sizeof vhost->dgram_shares);
}

/* ---- which way ---- */

static void marks_choose(const struct vsock *s, const struct rpc_dgram *h, struct way *w)
{
	const struct vdgram *d = s->dgram;
	bool is_v4 = vaddr_is_v4(&w->to), is_multicast = vaddr_is_multicast(&w->to);
	w->marks.tos = is_v4 ? s->opts.tos : s->opts.tclass;
	w->marks.ttl = is_v4 ? s->opts.ttl : s->opts.hops6;
	if (is_multicast && !vdgram_is_broadcast(s->vhost, &w->to)) {
		w->marks.ttl = is_v4 ? d->multicast_ttl : d->multicast_hops;
	}
	if ((h->flags & RPC_DGRAM_TOS) != 0) {
		w->marks.tos = h->tos;
	}
	if ((h->flags & RPC_DGRAM_TTL) != 0) {
		w->marks.ttl = h->ttl;
	}
	w->marks.dont_fragment = is_v4 ? s->opts.mtu_discover == IP_PMTUDISC_DO ||
					     s->opts.mtu_discover == IP_PMTUDISC_PROBE
				       : s->opts.mtu_discover6 == IPV6_PMTUDISC_DO ||
					     s->opts.mtu_discover6 == IPV6_PMTUDISC_PROBE ||
					     s->opts.dont_fragment6;
}

/* The destination: the header's, or the peer of a connected socket. */
static int to_choose(const struct vsock *s, const struct rpc_dgram *h, struct rpc_addr *to)
{
	if (h->peer.family == 0) {
		*to = s->remote;
		bool is_somewhere = to->port_be != 0 || s->dgram->is_ping;
		return !s->dgram->is_connected ? -EDESTADDRREQ : is_somewhere ? 0 : -EINVAL;
	}
	*to = vsock_address(s, &h->peer);
	if (vaddr_is_any(to)) {
		bool is_v4 = vaddr_is_v4(to) || vaddr_is_v4(&s->local);
		*to = vaddr_localhost(is_v4, vaddr_port(to));
		to->family = s->family;
	}
	if (s->family == AF_INET6 && s->opts.v6_only && vaddr_is_v4(to)) {
		return -ENETUNREACH;
	}
	return to->port_be == 0 && !s->dgram->is_ping ? -EINVAL : 0;
}

/* IP_PKTINFO's source address, if it is one of ours. */
static int from_choose(const struct vsock *s, const struct rpc_dgram *h, struct way *w)
{
	bool is_given = (h->flags & RPC_DGRAM_LOCAL) != 0 && !vaddr_is_any(&h->local);
	if (!is_given) {
		return vdgram_source(s, &w->to, &w->from);
	}
	w->from = vsock_address(s, &h->local);
	w->from.port_be = s->local.port_be;
	if (vaddr_is_v4(&w->from) != vaddr_is_v4(&w->to) || !vhost_is_local(s->vhost, &w->from)) {
		return -EINVAL;
	}
	return 0;
}

static int way_find(struct vsock *s, const struct rpc_dgram *h, struct way *w)
{
	int error = to_choose(s, h, &w->to);
	error = error ? error : vdgram_autobind(s);
	if (error != 0) {
		return error;
	}
	bool is_broadcast = vdgram_is_broadcast(s->vhost, &w->to);
	w->is_to_many = is_broadcast || vaddr_is_multicast(&w->to);
	if (is_broadcast && !s->opts.broadcast) {
		return -EACCES;
	}
	error = from_choose(s, h, w);
	marks_choose(s, h, w);
	return error;
}

/* ---- the ways ---- */

static int to_stack(const struct vsock *s, const struct way *w)
{
	const struct net *net = s->vhost->net;
	struct stack_ip local = vaddr_to_stack(&w->from), remote = vaddr_to_stack(&w->to);
	struct iovec iov = { .iov_base = (void *)(uintptr_t)w->bytes, .iov_len = w->length };
	if (!net->is_ok || !net->stack) {
		return -ENETUNREACH;
	}
	if (vaddr_is_loopback(&w->from)) {
		return -EINVAL;
	}
	return (s->dgram->is_ping ? net->ops->echo_send : net->ops->udp_send)(
	    net->stack, &local, &remote, &w->marks, &iov, 1);
}

static struct vdgram_packet packet_of(const struct vsock *s, const struct way *w)
{
	bool is_loopback = vaddr_is_loopback(&w->to);
	return (struct vdgram_packet){
		.from = w->from,
		.to = w->to,
		.bytes = w->bytes,
		.length = w->length,
		.tos = w->marks.tos,
		.ttl = w->marks.ttl ? w->marks.ttl : 64,
		.is_to_many = w->is_to_many,
		.is_ping = s->dgram->is_ping,
		.ifindex = is_loopback ? RPC_IFINDEX_LOOPBACK : RPC_IFINDEX_NETWORK,
	};
}

static int to_many(struct vsock *s, const struct way *w)
{
	const struct vdgram *d = s->dgram;
	bool is_v4 = vaddr_is_v4(&w->to), is_broadcast = vdgram_is_broadcast(s->vhost, &w->to);
	bool is_looped = is_broadcast || !(is_v4 ? d->has_loop_off : d->has_loop6_off);
	bool is_staying = !is_broadcast && (is_v4 ? d->multicast_ttl : d->multicast_hops) == 0;
	int error = is_staying ? 0 : to_stack(s, w);
	if (error == 0 && is_looped && !d->is_ping &&
	    (is_broadcast || vdgram_is_joined(s->vhost, &w->to))) {
		struct vdgram_packet p = packet_of(s, w);
		(void)vdgram_deliver(s->vhost, &p);
	}
	return error;
}

/* An echo request to ourselves. */
static int ping_here(struct vsock *s, const struct way *w)
{
	static uint8_t message[65536];
	struct vdgram_packet p = packet_of(s, w);
	uint16_t identifier = s->local.port_be;
	memcpy(message, w->bytes, w->length);
	message[0] = vaddr_is_v4(&w->to) ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY_TYPE;
	memcpy(message + 4, &identifier, sizeof identifier);
	p.from = w->to;
	p.from.port_be = 0;
	p.to = w->from;
	p.bytes = message;
	(void)vdgram_deliver(s->vhost, &p);
	return 0;
}

static int to_here(struct vsock *s, const struct way *w)
{
	if (s->dgram->is_ping) {
		return ping_here(s, w);
	}
	struct vdgram_packet p = packet_of(s, w);
	return vdgram_deliver(s->vhost, &p) ? 0 : -ECONNREFUSED;
}

/* What Linux asks of a message: an echo request, or not too long. */
static int message_check(const struct vsock *s, const struct way *w)
{
	bool is_v4 = vaddr_is_v4(&w->to);
	if (s->dgram->is_ping) {
		bool is_echo = w->length >= ICMP_HEADER_BYTES &&
			       w->bytes[0] == (is_v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST_TYPE) &&
			       w->bytes[1] == 0;
		return !is_echo ? -EINVAL : w->length > RPC_DGRAM_UDP4_MAX + 8 ? -EMSGSIZE : 0;
	}
	return w->length > (is_v4 ? RPC_DGRAM_UDP4_MAX : RPC_DGRAM_UDP6_MAX) ? -EMSGSIZE : 0;
}

void vdgram_send(struct vsock *s, const uint8_t *message, size_t length)
{
	struct rpc_dgram h = { .flags = 0 };
	struct way w = { .bytes = message, .length = length };
	if (rpc_dgram_read(message, length, s->id, &h)) {
		w.bytes += RPC_DGRAM_BYTES;
		w.length -= RPC_DGRAM_BYTES;
	}
	int error = way_find(s, &h, &w);
	error = error ? error : message_check(s, &w);
	if (error == 0) {
		share_use(s, &w.to, w.length);
		error = w.is_to_many                      ? to_many(s, &w)
			: vhost_is_local(s->vhost, &w.to) ? to_here(s, &w)
							  : to_stack(s, &w);
	}
	if (error == 0) {
		s->vhost->stats.datagrams_out++;
		return;
	}
	s->vhost->stats.datagrams_refused++;
	if (s->dgram->is_connected || error == -EDESTADDRREQ) {
		vdgram_error_set(s, -error);
	}
}
