/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: c-ares opens a UDP or TCP "socket" per server while it has questions there, and
 * never sees a kernel socket. A datagram is handed over inside the stack's call, borrowed; what TCP
 * reports is only noted, and c-ares looks in the same turn (resolver_advance).
 *
 * Source ports are random, above the programs' ephemeral range (61000-65535), so that they take
 * none away from ports.c. A server that is one of our own addresses is a program of this virtual
 * host: its datagrams go and come through vdgram_deliver. TCP to oneself is not offered: a short
 * cut joins two programs.
 */
#include "service/resolver_wire.h"

#include "service/resolver.h"
#include "service/service.h"
#include "service/vaddr.h"
#include "service/vdgram.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { PORT_FIRST = 61000, PORT_TRIES = 8, DATAGRAM_MAX = 4096, DNS_TTL = 64 };

static struct resolver_endpoint *endpoint_of(struct resolver *r, ares_socket_t fd)
{
	bool is_one = fd >= 1 && fd <= RESOLVER_ENDPOINTS && r->endpoints[fd - 1].is_used;
	errno = EBADF;
	return is_one ? &r->endpoints[fd - 1] : NULL;
}

static uint16_t port_random(void)
{
	return (uint16_t)(PORT_FIRST + randombytes_uniform(65536 - PORT_FIRST));
}

static ares_socket_t on_socket(int family, int type, int protocol, void *context)
{
	struct resolver *r = context;
	(void)family;
	(void)protocol;
	for (int i = 0; i < RESOLVER_ENDPOINTS; i++) {
		struct resolver_endpoint *e = &r->endpoints[i];
		if (!e->is_used) {
			*e = (struct resolver_endpoint){ .resolver = r,
							 .is_used = true,
							 .is_tcp = type == SOCK_STREAM };
			return i + 1;
		}
	}
	errno = EMFILE;
	return ARES_SOCKET_BAD;
}

static int on_close(ares_socket_t fd, void *context)
{
	struct resolver *r = context;
	struct resolver_endpoint *e = endpoint_of(r, fd);
	if (!e) {
		return -1;
	}
	if (e->tcp) {
		r->net->ops->tcp_close(e->tcp);
	}
	if (e->is_open) {
		r->net->ops->udp_close(r->net->stack, e->local.port, STACK_V4 | STACK_V6);
	}
	*e = (struct resolver_endpoint){ .is_used = false };
	return 0;
}

static bool address_in(const struct sockaddr *sa, struct stack_ip *out)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in v4;
		memcpy(&v4, sa, sizeof v4);
		*out = (struct stack_ip){ .family = 4, .port = ntohs(v4.sin_port) };
		memcpy(out->bytes, &v4.sin_addr, 4);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, sa, sizeof v6);
		*out = (struct stack_ip){ .family = 6, .port = ntohs(v6.sin6_port) };
		memcpy(out->bytes, &v6.sin6_addr, 16);
		return true;
	}
	return false;
}

static bool is_here(const struct resolver *r, const struct stack_ip *ip)
{
	return net_is_own_address(r->net, ip);
}

static int source_find(const struct resolver *r, struct resolver_endpoint *e)
{
	if (is_here(r, &e->remote)) {
		e->local = e->remote;
		return 0;
	}
	return r->net->ops->source_for(r->net->stack, &e->remote, &e->local);
}

static int udp_begin(struct resolver *r, struct resolver_endpoint *e)
{
	int error = source_find(r, e);
	if (error == 0) {
		e->local.port = port_random();
		error = r->net->ops->udp_open(r->net->stack, e->local.port, STACK_V4 | STACK_V6);
		e->is_open = error == 0;
	}
	return error;
}

static int tcp_begin(struct resolver *r, struct resolver_endpoint *e)
{
	int error = is_here(r, &e->remote) ? -ECONNREFUSED : source_find(r, e);
	for (int i = 0; i < PORT_TRIES && !e->tcp && (error == 0 || error == -EADDRINUSE); i++) {
		e->local.port = port_random();
		error = r->net->ops->tcp_connect(r->net->stack, &e->local, &e->remote, e, &e->tcp);
	}
	return error == 0 ? -EINPROGRESS : error;
}

static int on_connect(ares_socket_t fd, const struct sockaddr *sa, ares_socklen_t length,
		      void *context)
{
	struct resolver *r = context;
	struct resolver_endpoint *e = endpoint_of(r, fd);
	(void)length;
	if (!e || !address_in(sa, &e->remote)) {
		return -1;
	}
	int error = e->is_tcp ? tcp_begin(r, e) : udp_begin(r, e);
	errno = -error;
	return error == 0 ? 0 : -1;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void address_out(const struct stack_ip *ip, struct sockaddr *sa, ares_socklen_t *length)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(ip->port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(ip->port) };
	memcpy(&v6.sin6_addr, ip->bytes, 16);
	memcpy(&v4.sin_addr, ip->bytes, 4);
	ares_socklen_t size = ip->family == 4 ? sizeof v4 : sizeof v6;
	memcpy(sa, ip->family == 4 ? (void *)&v4 : (void *)&v6, *length < size ? *length : size);
	*length = size;
}

static ares_ssize_t tcp_receive(struct resolver *r, struct resolver_endpoint *e, void *out,
				size_t size)
{
	struct iovec iov[4];
	size_t taken = 0;
	int count = e->tcp ? r->net->ops->tcp_peek(e->tcp, iov, 4) : 0;
	for (int i = 0; i < count && taken < size; i++) {
		size_t n = iov[i].iov_len < size - taken ? iov[i].iov_len : size - taken;
		memcpy((uint8_t *)out + taken, iov[i].iov_base, n);
		taken += n;
	}
	if (taken > 0) {
		r->net->ops->tcp_consumed(e->tcp, taken);
		e->is_ready =
		    true; /* c-ares reads one piece at a time and expects to be asked again */
		return (ares_ssize_t)taken;
	}
	errno = e->error ? e->error : EAGAIN;
	return e->has_eof && !e->error ? 0 : -1;
}

/* NOLINTNEXTLINE(readability-function-size): c-ares calls it so */
static ares_ssize_t on_receive(ares_socket_t fd, void *out, size_t size, int flags,
			       struct sockaddr *from, ares_socklen_t *from_length, void *context)
{
	struct resolver *r = context;
	struct resolver_endpoint *e = endpoint_of(r, fd);
	(void)flags;
	if (!e) {
		return -1;
	}
	if (e->is_tcp) {
		return tcp_receive(r, e, out, size);
	}
	if (!e->bytes) {
		errno = EAGAIN;
		return -1;
	}
	size_t n = e->length < size ? e->length : size;
	memcpy(out, e->bytes, n);
	e->bytes = NULL;
	if (from && from_length) {
		address_out(&e->remote, from, from_length);
	}
	return (ares_ssize_t)n;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int udp_here(const struct resolver *r, const struct resolver_endpoint *e,
		    const struct iovec *iov, int count)
{
	uint8_t bytes[DATAGRAM_MAX];
	struct vdgram_packet p = { .from = vaddr_from_stack(&e->local, AF_INET6),
				   .to = vaddr_from_stack(&e->remote, AF_INET6),
				   .bytes = bytes,
				   .ttl = DNS_TTL,
				   .ifindex = RPC_IFINDEX_LOOPBACK };
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > sizeof bytes - p.length) {
			return -EMSGSIZE;
		}
		memcpy(bytes + p.length, iov[i].iov_base, iov[i].iov_len);
		p.length += iov[i].iov_len;
	}
	return vdgram_deliver(r->net->vhost, &p) ? 0 : -ECONNREFUSED;
}

static ares_ssize_t on_send(ares_socket_t fd, const struct iovec *iov, int count, void *context)
{
	struct resolver *r = context;
	struct resolver_endpoint *e = endpoint_of(r, fd);
	ares_ssize_t total = 0;
	if (!e) {
		return -1;
	}
	for (int i = 0; i < count; i++) {
		total += (ares_ssize_t)iov[i].iov_len;
	}
	if (e->is_tcp) {
		int64_t taken = -ENOTCONN;
		if (e->tcp) {
			bool has_room = r->net->ops->tcp_room(e->tcp) >= (size_t)total;
			taken = has_room ? r->net->ops->tcp_write(e->tcp, iov, count) : -EAGAIN;
			r->net->ops->tcp_flush(e->tcp);
		}
		errno = taken < 0 ? (int)-taken : 0;
		return taken < 0 ? -1 : (ares_ssize_t)taken;
	}
	struct stack_marks marks = { .ttl = DNS_TTL };
	int error = is_here(r, &e->remote) ? udp_here(r, e, iov, count)
					   : r->net->ops->udp_send(r->net->stack, &e->local,
								   &e->remote, &marks, iov, count);
	errno = -error;
	return error == 0 ? total : -1;
}

void resolver_wire(struct resolver *r)
{
	static const struct ares_socket_functions functions = { .asocket = on_socket,
								.aclose = on_close,
								.aconnect = on_connect,
								.arecvfrom = on_receive,
								.asendv = on_send };
	ares_set_socket_functions(r->channel, &functions, r);
}

/* ---- what arrives ---------------------------------------------------------------------------- */

static bool is_for(const struct resolver_endpoint *e, const struct vdgram_packet *p)
{
	struct rpc_addr remote = vaddr_from_stack(&e->remote, AF_INET6);
	return e->is_used && e->is_open && vaddr_port(&p->to) == e->local.port &&
	       p->from.port_be == remote.port_be &&
	       memcmp(p->from.addr, remote.addr, sizeof remote.addr) == 0;
}

bool resolver_datagram(struct net *net, const struct vdgram_packet *p)
{
	struct resolver *r = net->resolver;
	for (int i = 0; r && i < RESOLVER_ENDPOINTS; i++) {
		struct resolver_endpoint *e = &r->endpoints[i];
		if (is_for(e, p)) {
			e->bytes = p->bytes;
			e->length = p->length;
			ares_process_fd(r->channel, i + 1, ARES_SOCKET_BAD);
			e->bytes = NULL; /* if it was not read; the place is still ours */
			r->deadline_ms = INT64_MIN; /* the next one is found in this turn */
			return true;
		}
	}
	return false;
}

/* Outside lwIP's own work, in the same turn. */
static void look_soon(struct resolver_endpoint *e)
{
	e->is_ready = true;
	e->resolver->deadline_ms = INT64_MIN;
}

void resolver_on_tcp(void *tcp_context)
{
	look_soon(tcp_context);
}

void resolver_on_closed(void *tcp_context, int error)
{
	struct resolver_endpoint *e = tcp_context;
	e->tcp = NULL;
	e->has_eof = true;
	e->error = error;
	look_soon(e);
}
