/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What arrives for programs: which sockets it belongs to, and into their descriptors.
 *
 * How this works (Linux's __udp4_lib_lookup and mcast_deliver)
 * A datagram to one address goes to the socket that fits best: connected to the sender before bound
 * to the address before bound to any, of equals the one that was bound last, of a SO_REUSEPORT
 * group the one that the addresses hash to. A datagram to many goes to every socket that fits.
 *
 * A program that does not read loses datagrams: what does not fit into its descriptor is counted
 * and gone.
 */
#include "service/resolver.h"
#include "service/vdgram.h"

#include "service/service.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

/* ---- into a descriptor ---- */

static uint16_t wants_of(const struct vsock *s, const struct vdgram_packet *p)
{
	const struct sockopts *o = &s->opts;
	bool is_v4 = vaddr_is_v4(&p->to);
	unsigned wants = o->receive_overflow ? (unsigned)RPC_WANT_OVERFLOW : 0;
	if (is_v4) {
		wants |= o->recv_packet_info ? (unsigned)RPC_WANT_PKTINFO : 0;
		wants |= o->recv_ttl ? (unsigned)RPC_WANT_TTL : 0;
		wants |= o->recv_tos ? (unsigned)RPC_WANT_TOS : 0;
	}
	if (s->family == AF_INET6) { /* also of IPv4's: as v4-mapped addresses */
		wants |= o->recv_packet_info6 ? (unsigned)RPC_WANT_PKTINFO6 : 0;
		if (!is_v4) {
			wants |= o->recv_hops6 ? (unsigned)RPC_WANT_HOPLIMIT : 0;
			wants |= o->recv_tclass6 ? (unsigned)RPC_WANT_TCLASS : 0;
		}
	}
	return (uint16_t)wants;
}

void vdgram_give(struct vsock *s, const struct vdgram_packet *p)
{
	struct vdgram *d = s->dgram;
	struct rpc_dgram h = {
		.id = s->id,
		.magic = RPC_DGRAM_MAGIC,
		.flags = RPC_DGRAM_LOCAL | RPC_DGRAM_TOS | RPC_DGRAM_TTL,
		.wants = wants_of(s, p),
		.tos = p->tos,
		.ttl = p->ttl,
		.ifindex = p->ifindex,
		.dropped = d->dropped,
		.peer = vsock_address(s, &p->from),
		.local = vsock_address(s, &p->to),
	};
	struct iovec iov[2] = { { .iov_base = &h, .iov_len = sizeof h },
				{ .iov_base = (void *)(uintptr_t)p->bytes, .iov_len = p->length } };
	bool is_raw = d->is_connected && d->is_named && !d->is_renamed && h.wants == 0;
	struct msghdr m = { .msg_iov = is_raw ? iov + 1 : iov, .msg_iovlen = is_raw ? 1 : 2 };
	if (s->watch.fd >= 0 && sendmsg(s->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		s->vhost->stats.datagrams_in++;
		return;
	}
	d->dropped++;
	s->vhost->stats.datagrams_dropped++;
}

/* ---- to whom ---- */

enum { SCORE_NONE = 0, SCORE_FITS = 1, SCORE_FAMILY = 2, SCORE_ADDRESS = 4, SCORE_PEER = 8 };

/* How well a socket that holds the port fits. */
static int score_of(const struct vsock *s, const struct vdgram_packet *p)
{
	bool is_v4 = vaddr_is_v4(&p->to);
	int score = SCORE_FITS;
	if ((s->port.place.families & (is_v4 ? PORT_V4 : PORT_V6)) == 0) {
		return SCORE_NONE;
	}
	score += (s->family == AF_INET) == is_v4 ? SCORE_FAMILY : 0;
	if (!vaddr_is_any(&s->local)) {
		if (!vaddr_same_host(&s->local, &p->to)) {
			return SCORE_NONE;
		}
		score += SCORE_ADDRESS;
	}
	if (s->dgram->is_connected) {
		if (s->remote.port_be != p->from.port_be && !p->is_ping) {
			return SCORE_NONE;
		}
		if (!vaddr_same_host(&s->remote, &p->from)) {
			return SCORE_NONE;
		}
		score += SCORE_PEER;
	}
	return score;
}

static bool deliver_to_many(struct vhost *vhost, const struct vdgram_packet *p)
{
	bool is_multicast = vaddr_is_multicast(&p->to) && !vdgram_is_broadcast(vhost, &p->to);
	bool is_v4 = vaddr_is_v4(&p->to), is_taken = false;
	struct port_entry *next = NULL;
	for (struct port_entry *e = ports_holders(vhost->udp_ports, vaddr_port(&p->to)); e;
	     e = next) {
		struct vsock *s = VSOCK_OF_PORT(e);
		next = e->next;
		bool is_members_only = is_v4 ? s->dgram->has_all_off : s->dgram->has_all6_off;
		if (score_of(s, p) == SCORE_NONE ||
		    (is_multicast && is_members_only && !vdgram_is_member(s, &p->to))) {
			continue;
		}
		vdgram_give(s, p);
		is_taken = true;
	}
	return is_taken;
}

static struct vsock *best_of(const struct ports *ports, const struct vdgram_packet *p,
			     uint16_t port)
{
	struct vsock *best = NULL;
	int best_score = SCORE_NONE;
	unsigned group = 0;
	for (struct port_entry *e = ports_holders(ports, port); e; e = e->next) {
		struct vsock *s = VSOCK_OF_PORT(e);
		int score = score_of(s, p);
		if (score > best_score) {
			best = s;
			best_score = score;
			group = 0;
		}
		group += score == best_score && score > SCORE_NONE && e->place.reuse_port ? 1 : 0;
	}
	if (!best || !best->port.place.reuse_port || group == 0) {
		return best;
	}
	struct port_tuple tuple = { .local_port = port, .remote_port = vaddr_port(&p->from) };
	memcpy(tuple.local, p->to.addr, sizeof tuple.local);
	memcpy(tuple.remote, p->from.addr, sizeof tuple.remote);
	uint64_t chosen = ports_spread(ports, &tuple) % group;
	for (struct port_entry *e = ports_holders(ports, port); e; e = e->next) {
		if (e->place.reuse_port && score_of(VSOCK_OF_PORT(e), p) == best_score &&
		    chosen-- == 0) {
			return VSOCK_OF_PORT(e);
		}
	}
	return best;
}

static uint16_t ping_identifier(const struct vdgram_packet *p)
{
	return (uint16_t)(p->length < 8 ? 0 : p->bytes[4] << 8 | p->bytes[5]);
}

bool vdgram_deliver(struct vhost *vhost, const struct vdgram_packet *p)
{
	if (!p->is_ping && resolver_datagram(vhost->net, p)) {
		return true;
	}
	if (p->is_to_many) {
		return deliver_to_many(vhost, p);
	}
	const struct ports *ports = p->is_ping ? vhost->ping_ports : vhost->udp_ports;
	struct vsock *s = best_of(ports, p, p->is_ping ? ping_identifier(p) : vaddr_port(&p->to));
	if (s) {
		vdgram_give(s, p);
	}
	return s != NULL;
}

/* ---- the stack calls ---- */

static struct vdgram_packet packet_of(const struct stack_datagram *d)
{
	return (struct vdgram_packet){
		.from = vaddr_from_stack(&d->remote, AF_INET6),
		.to = vaddr_from_stack(&d->local, AF_INET6),
		.bytes = d->bytes,
		.length = d->length,
		.tos = d->tos,
		.ttl = d->ttl,
		.ifindex = RPC_IFINDEX_NETWORK,
	};
}

static bool on_datagram(void *context, const struct stack_datagram *d)
{
	const struct net *net = context;
	if (!net->vhost || net->vhost->is_closing) {
		return false;
	}
	struct vdgram_packet p = packet_of(d);
	p.is_to_many = vaddr_is_multicast(&p.to) || vdgram_is_broadcast(net->vhost, &p.to);
	return vdgram_deliver(net->vhost, &p) || p.is_to_many;
}

static void on_echo(void *context, const struct stack_datagram *d)
{
	const struct net *net = context;
	if (!net->vhost || net->vhost->is_closing) {
		return;
	}
	struct vdgram_packet p = packet_of(d);
	p.is_ping = true;
	p.from.port_be = 0;
	(void)vdgram_deliver(net->vhost, &p);
}

/* Linux's icmp_err_convert and tab_unreach: what ends an attempt, and what may pass by itself. */
static bool is_hard(const struct stack_unreachable *u)
{
	if (u->local.family == 4) {
		return (u->type == ICMP_DEST_UNREACH &&
			(u->code == ICMP_PROT_UNREACH || u->code == ICMP_PORT_UNREACH ||
			 u->code == ICMP_NET_ANO || u->code == ICMP_HOST_ANO)) ||
		       u->type == ICMP_PARAMETERPROB;
	}
	return (u->type == 1 && (u->code == 1 || u->code == 4)) || u->type == 4;
}

static void on_unreachable(void *context, const struct stack_unreachable *u)
{
	const struct net *net = context;
	if (!net->vhost || net->vhost->is_closing) {
		return;
	}
	/* The datagram that did not arrive, the other way round, belongs to its sender. */
	struct vdgram_packet p = { .from = vaddr_from_stack(&u->remote, AF_INET6),
				   .to = vaddr_from_stack(&u->local, AF_INET6),
				   .is_ping = u->protocol != IPPROTO_UDP };
	const struct ports *ports = p.is_ping ? net->vhost->ping_ports : net->vhost->udp_ports;
	struct vsock *s = best_of(ports, &p, vaddr_port(&p.to));
	if (!s) {
		return;
	}
	bool wants_all = u->local.family == 4 ? s->opts.recv_error : s->opts.recv_error6;
	if (wants_all || (s->dgram->is_connected && is_hard(u))) {
		vdgram_error_set(s, u->error);
	}
}

void vdgram_stack_callbacks(struct stack_callbacks *callbacks)
{
	callbacks->datagram = on_datagram;
	callbacks->echo = on_echo;
	callbacks->unreachable = on_unreachable;
}
