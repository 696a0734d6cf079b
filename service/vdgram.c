/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Datagram sockets: life, ports, bind() and connect(). See vdgram.h. */
#include "service/vdgram.h"

#include "base/bug.h"
#include "service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	VDGRAM_BATCH = 16,             /* messages read in one call */
	VDGRAM_ROOM = 65536 + 256,     /* the largest message that is looked at whole */
	VDGRAM_TURN_BYTES = 128 << 10, /* of one socket (decision S17) */
	VDGRAM_BUFFER_BYTES = 4 << 20, /* asked for; the kernel gives what it allows */
	VDGRAM_MESSAGE_COST = 512,     /* a small datagram is not free either */
};

/* One batch of the process: each message has a place of its own. */
static uint8_t batch[VDGRAM_BATCH][VDGRAM_ROOM];

/* ---- life ---- */

int vdgram_open(struct vhost *vhost, uint64_t key)
{
	int pair[2];
	vhost->udp_ports = ports_new(key + 1);
	vhost->ping_ports = ports_new(key + 2);
	vhost->marker_fd = -1;
	/* A descriptor that is nothing: one end of a pair without the other. */
	if (!vhost->udp_ports || !vhost->ping_ports ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) {
		vdgram_close(vhost);
		return -ENOMEM;
	}
	(void)close(pair[1]);
	vhost->marker_fd = pair[0];
	return 0;
}

void vdgram_close(struct vhost *vhost)
{
	if (vhost->marker_fd >= 0) {
		(void)close(vhost->marker_fd);
		vhost->marker_fd = -1;
	}
	ports_free(vhost->udp_ports);
	ports_free(vhost->ping_ports);
	vhost->udp_ports = vhost->ping_ports = NULL;
}

int vdgram_new(struct vsock *s, bool is_ping)
{
	s->dgram = calloc(1, sizeof *s->dgram);
	if (!s->dgram) {
		return -ENOMEM;
	}
	s->dgram->is_ping = is_ping;
	s->dgram->multicast_ttl = s->dgram->multicast_hops = 1;
	return 0;
}

struct ports *vdgram_ports(const struct vsock *s)
{
	return s->dgram->is_ping ? s->vhost->ping_ports : s->vhost->udp_ports;
}

void vdgram_buffer(struct vsock *s)
{
	int half = s->opts.receive_buffer ? s->opts.receive_buffer / 2 : VDGRAM_BUFFER_BYTES;
	if (s->watch.fd >= 0) {
		(void)setsockopt(s->watch.fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof half);
	}
}

/* ---- ports ---- */

static void port_give(struct vsock *s)
{
	struct vdgram *d = s->dgram;
	const struct net *net = s->vhost->net;
	if (d->is_in_stack && ports_stack_users(&s->port, -1) == 0 && net->stack) {
		net->ops->udp_close(net->stack, s->port.place.port, STACK_V4 | STACK_V6);
	}
	d->is_in_stack = false;
	ports_release(vdgram_ports(s), &s->port);
}

/* Those that were closed, which the loop has not told yet: their last datagrams go, then they. */
static void reap_port(const struct vsock *s, uint16_t port)
{
	struct port_entry *e = ports_holders(vdgram_ports(s), port);
	while (e) {
		struct vsock *holder = VSOCK_OF_PORT(e);
		e = e->next;
		if (vsock_is_hung_up(holder)) {
			vdgram_drain(holder);
			vsock_free(holder);
		}
	}
}

static int port_take(struct vsock *s, const struct rpc_addr *address)
{
	struct port_place place = vsock_place(s, address);
	int error = ports_bind(vdgram_ports(s), &s->port, &place);
	if (error == -EADDRINUSE && place.port != 0) {
		reap_port(s, place.port);
		error = ports_bind(vdgram_ports(s), &s->port, &place);
	}
	return error ? error : vdgram_port_opened(s);
}

int vdgram_port_opened(struct vsock *s)
{
	const struct net *net = s->vhost->net;
	if (s->dgram->is_ping || !net->stack) {
		return 0;
	}
	if (ports_stack_users(&s->port, 1) == 1) {
		int error = net->ops->udp_open(net->stack, s->port.place.port, STACK_V4 | STACK_V6);
		if (error != 0) {
			(void)ports_stack_users(&s->port, -1);
			ports_release(vdgram_ports(s), &s->port);
			return error;
		}
	}
	s->dgram->is_in_stack = true;
	return 0;
}

void vdgram_end(struct vsock *s)
{
	vdgram_groups_leave(s);
	port_give(s);
	free(s->dgram->groups);
	free(s->dgram);
	s->dgram = NULL;
}

/* ---- bind ---- */

bool vdgram_is_broadcast(const struct vhost *vhost, const struct rpc_addr *address)
{
	static const uint8_t everybody[4] = { 255, 255, 255, 255 };
	const struct net *net = vhost->net;
	if (!vaddr_is_v4(address)) {
		return false;
	}
	if (memcmp(address->addr + 12, everybody, 4) == 0) {
		return true;
	}
	uint32_t ip = 0;
	memcpy(&ip, address->addr + 12, 4);
	for (size_t i = 0; i < net->address_count; i++) {
		const struct stack_ip *own = &net->addresses[i];
		uint32_t base = 0;
		if (own->family != 4 || own->bits == 0 || own->bits >= 31) {
			continue;
		}
		memcpy(&base, own->bytes, 4);
		if (ntohl(ip) == (ntohl(base) | UINT32_MAX >> own->bits)) {
			return true;
		}
	}
	return false;
}

/* Linux lets a datagram socket have the address of a group or a broadcast: it hears only that. */
static bool is_of_many(const struct vsock *s, const struct rpc_addr *address)
{
	return !s->dgram->is_ping && address->family == s->family && !vaddr_is_any(address) &&
	       (vaddr_is_multicast(address) || vdgram_is_broadcast(s->vhost, address));
}

int vdgram_bind(struct vsock *s, const struct rpc_addr *address, bool is_free)
{
	int error = is_of_many(s, address) ? s->state == VSOCK_FRESH ? 0 : -EINVAL
					   : vsock_bind_check(s, address, is_free);
	if (error != 0) {
		return error;
	}
	struct rpc_addr wanted = vsock_address(s, address);
	error = port_take(s, &wanted);
	if (error != 0) {
		return error;
	}
	s->dgram->is_autobound = wanted.port_be == 0;
	s->dgram->bound = wanted;
	s->local = wanted;
	s->local.port_be = htons(s->port.place.port);
	vsock_move(s, VSOCK_BOUND);
	return 0;
}

int vdgram_autobind(struct vsock *s)
{
	struct rpc_addr any = vaddr_any(s->family);
	int error = s->state == VSOCK_FRESH ? vdgram_bind(s, &any, false) : 0;
	return error == -EADDRINUSE ? -EAGAIN : error;
}

/* ---- connect ---- */

int vdgram_source(const struct vsock *s, const struct rpc_addr *to, struct rpc_addr *out)
{
	struct vsock asked = *s; /* vsock_source() looks at nothing but addresses */
	asked.remote = *to;
	if (vaddr_is_multicast(&asked.local) || vdgram_is_broadcast(s->vhost, &asked.local)) {
		asked.local = vaddr_any(s->family);
		asked.local.port_be = s->local.port_be;
	}
	if (vaddr_is_any(to)) {
		return -ENETUNREACH;
	}
	return vsock_source(&asked, out);
}

static int dissolve(struct vsock *s)
{
	struct vdgram *d = s->dgram;
	if (!d->is_connected) {
		return 0;
	}
	d->is_connected = false;
	s->remote = vaddr_any(s->family);
	s->local = d->bound;
	s->local.port_be = htons(s->port.place.port);
	if (d->is_autobound) { /* Linux gives an autobound port back */
		port_give(s);
		s->local = vaddr_any(s->family);
		vsock_move(s, VSOCK_FRESH);
	}
	return 0;
}

/* Where connect() shall go, in the socket's form. */
static int destination(const struct vsock *s, const struct rpc_addr *address, struct rpc_addr *out)
{
	if (address->family != s->family) {
		return -EAFNOSUPPORT;
	}
	*out = vsock_address(s, address);
	if (vaddr_is_any(address)) {
		bool is_v4 = vaddr_is_v4(address) || vaddr_is_v4(&s->local);
		*out = vaddr_localhost(is_v4, vaddr_port(address));
		out->family = s->family;
	}
	bool is_v4 = vaddr_is_v4(out), has_local = !vaddr_is_any(&s->local);
	if (is_v4 && s->family == AF_INET6 && s->opts.v6_only) {
		return -ENETUNREACH;
	}
	if (has_local && vaddr_is_v4(&s->local) != is_v4) {
		return is_v4 ? -EINVAL : -EAFNOSUPPORT;
	}
	if (vaddr_is_link_local(out) && address->scope == 0 && !vaddr_is_link_local(&s->local)) {
		return -EINVAL;
	}
	if (vdgram_is_broadcast(s->vhost, out) && !s->opts.broadcast) {
		return -EACCES;
	}
	return 0;
}

static void name_settle(struct vsock *s, const struct rpc_addr *old)
{
	struct vdgram *d = s->dgram;
	if (!d->is_named) {
		d->is_named = true;
		vsock_name_b(s, RPC_KIND_PEER, 0);
	} else if (old->port_be != s->remote.port_be || !vaddr_same_host(old, &s->remote)) {
		d->is_renamed = true;
	}
}

int vdgram_connect(struct vsock *s, const struct rpc_addr *address)
{
	struct rpc_addr to, source, old = s->remote;
	if (address->family == AF_UNSPEC) {
		return dissolve(s);
	}
	int error = destination(s, address, &to);
	error = error ? error : vdgram_source(s, &to, &source);
	error = error ? error : vdgram_autobind(s);
	if (error != 0) {
		return error;
	}
	source.port_be = s->local.port_be;
	s->local = source;
	s->remote = to;
	s->dgram->is_connected = true;
	name_settle(s, &old);
	return 0;
}

/* ---- errors ---- */

void vdgram_error_set(struct vsock *s, int error)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { .iov_base = NULL, .iov_len = 0 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct vdgram *d = s->dgram;
	d->error = error;
	if (!d->is_marked && s->watch.fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &s->vhost->marker_fd, sizeof(int));
		d->is_marked = sendmsg(s->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 0;
	}
}

int vdgram_error_take(struct vsock *s)
{
	int error = s->dgram->error;
	s->dgram->error = 0;
	s->dgram->is_marked = false;
	return error;
}

/* ---- what the program wrote ---- */

/* Read and send one batch. How many bytes it cost, 0 if nothing was there. */
static size_t batch_send(struct vsock *s)
{
	struct mmsghdr m[VDGRAM_BATCH];
	struct iovec iov[VDGRAM_BATCH];
	struct sockaddr_un names[VDGRAM_BATCH];
	for (int i = 0; i < VDGRAM_BATCH; i++) {
		iov[i] = (struct iovec){ .iov_base = batch[i], .iov_len = VDGRAM_ROOM };
		m[i].msg_hdr = (struct msghdr){ .msg_name = &names[i],
						.msg_namelen = sizeof names[i],
						.msg_iov = &iov[i],
						.msg_iovlen = 1 };
	}
	int count =
	    s->watch.fd < 0 ? -1 : recvmmsg(s->watch.fd, m, VDGRAM_BATCH, MSG_DONTWAIT, NULL);
	size_t cost = 0;
	for (int i = 0; i < count; i++) {
		/* A has a name, so a message of 0 bytes has a sender and end of file has none. */
		if (m[i].msg_hdr.msg_namelen == 0) {
			s->can_read_b = false;
			return cost;
		}
		cost += m[i].msg_len + VDGRAM_MESSAGE_COST;
		vdgram_send(s, batch[i], m[i].msg_len);
	}
	s->can_read_b = count == VDGRAM_BATCH;
	return cost;
}

void vdgram_drain(struct vsock *s)
{
	s->can_read_b = true;
	while (s->can_read_b && batch_send(s) > 0) {
	}
}

void vdgram_turn(struct vsock *s)
{
	size_t cost = 0;
	while (s->can_read_b && cost < VDGRAM_TURN_BYTES && vdgram_has_share(s)) {
		cost += batch_send(s);
	}
	if (s->can_read_b) {
		vsock_ready(s); /* behind the others */
	} else if (s->has_b_hup) {
		vsock_free(s);
	}
}
