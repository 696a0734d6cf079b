/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What each request of the library does.
 *
 * How this works
 * A request names no socket: it brings the socket's descriptor, and vsock_by_descriptor() finds the
 * record only if the descriptor is the one that was handed out (decision S2). Handlers get a
 * checked struct request, answer at most once on the reply end, and never keep a descriptor, except
 * CONNECT with RPC_WAIT, which keeps the reply end until the attempt is decided.
 */
#include "service/rpcd.h"

#include "service/interfaces.h"
#include "service/resolver.h"
#include "service/service.h"
#include "service/vdgram.h"
#include "service/vsock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct request {
	struct vhost *vhost;
	struct rpc_header h;
	const uint8_t *bytes;
	size_t length;
	uid_t uid;
	pid_t pid;
	int a, reply; /* -1 = none */
	int *a_held;  /* where `a` lies among the message's descriptors; -1 there = closed */
	bool is_reply_kept;
	struct vsock *s;
};

/* ---- answers ---- */

/* Our copy of A is closed before the answer: once it has the answer the program may close its own,
 * and that must be the last one, or its epoll set goes on reporting a descriptor that is gone. */
static void answer(const struct request *q, struct rpc_header *h, size_t length, int error)
{
	if (q->a_held && *q->a_held >= 0) {
		(void)close(*q->a_held);
		*q->a_held = -1;
	}
	if (q->reply < 0) {
		return;
	}
	*h = (struct rpc_header){
		.length = (uint32_t)length, .op = q->h.op, .seq = q->h.seq, .error = error
	};
	(void)rpc_send(q->reply, h, length, NULL, 0, MSG_DONTWAIT);
}

static void answer_error(const struct request *q, int error)
{
	struct rpc_header h;
	answer(q, &h, sizeof h, error);
}

/* `error` is 0 or -errno, as the service's functions return it. */
static void answer_address(const struct request *q, int error, const struct rpc_addr *address)
{
	struct rpc_addr_reply r = { .addr = *address };
	answer(q, &r.h, sizeof r, -error);
}

void rpcd_reply_address(int fd, uint32_t seq, int error, const struct rpc_addr *address)
{
	struct rpc_addr_reply r = {
		.h = { .length = sizeof r, .op = RPC_CONNECT, .seq = seq, .error = error },
		.addr = *address,
	};
	(void)rpc_send(fd, &r, sizeof r, NULL, 0, MSG_DONTWAIT);
}

/* ---- SOCKET ---- */

static int socket_check(const struct rpc_socket *m)
{
	if (m->family != AF_INET && m->family != AF_INET6) {
		return EAFNOSUPPORT;
	}
	if (m->type == SOCK_DGRAM) {
		int ping = m->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		bool is_known =
		    m->protocol == 0 || m->protocol == IPPROTO_UDP || m->protocol == ping;
		return is_known ? 0 : EPROTONOSUPPORT;
	}
	if (m->type != SOCK_STREAM) {
		return ESOCKTNOSUPPORT;
	}
	if (m->protocol != 0 && m->protocol != IPPROTO_TCP) {
		return EPROTONOSUPPORT;
	}
	return 0;
}

/* The new socket takes the place of another: its options carry over. */
static void socket_inherit(const struct request *q, struct vsock *s, uint64_t replaces)
{
	struct vsock *old = q->s; /* proven by the descriptor that came with the request */
	if (!old || old->id != replaces) {
		return;
	}
	s->opts = old->opts;
	if (old->state == VSOCK_FAILED) {
		vsock_free(old); /* nothing will tell us of its end; the others have a B */
	}
}

static void on_socket(struct request *q)
{
	struct rpc_socket m;
	memcpy(&m, q->bytes, sizeof m);
	int error = socket_check(&m);
	if (error != 0) {
		answer_error(q, error);
		return;
	}
	struct vsock *s = vsock_new(q->vhost, q->uid, (uint8_t)m.family);
	bool is_ping = m.protocol == IPPROTO_ICMP || m.protocol == IPPROTO_ICMPV6;
	if (s && m.type == SOCK_DGRAM && vdgram_new(s, is_ping) != 0) {
		vsock_free(s);
		s = NULL;
	}
	int a = s ? vsock_pair(s, m.nonblock != 0) : -ENOBUFS;
	if (a < 0) {
		if (s) {
			vsock_free(s);
		}
		answer_error(q, a == -EMFILE || a == -ENFILE ? ENOBUFS : -a);
		return;
	}
	s->pid = q->pid;
	socket_inherit(q, s, m.replaces);
	struct rpc_socket_reply r = {
		.h = { .length = sizeof r, .op = RPC_SOCKET, .seq = q->h.seq },
		.id = s->id,
	};
	if (rpc_send(q->reply, &r, sizeof r, &a, 1, MSG_DONTWAIT) == -ETOOMANYREFS) {
		answer_error(q, ENOBUFS); /* too many descriptors of ours are under way */
	}
	(void)close(a); /* if it did not arrive, this was the last one: HUP ends the record */
}

/* ---- names and connections ---- */

static void on_bind(struct request *q)
{
	struct rpc_bind m;
	memcpy(&m, q->bytes, sizeof m);
	bool is_free = m.freebind != 0;
	int error =
	    q->s->dgram ? vdgram_bind(q->s, &m.addr, is_free) : vsock_bind(q->s, &m.addr, is_free);
	answer_address(q, error, &q->s->local);
}

static void on_listen(struct request *q)
{
	struct rpc_listen m;
	memcpy(&m, q->bytes, sizeof m);
	answer_address(q, q->s->dgram ? -EOPNOTSUPP : vsock_listen(q->s, m.backlog), &q->s->local);
}

/* Only a reply end is kept while a connection is made. If a program's own A were kept instead, its
 * B would never see HUP. */
static bool is_reply_end(int fd)
{
	int type = 0;
	socklen_t length = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

static void on_connect(struct request *q)
{
	struct rpc_connect m;
	memcpy(&m, q->bytes, sizeof m);
	if (q->s->dgram) {
		answer_address(q, vdgram_connect(q->s, &m.addr), &q->s->local);
		return;
	}
	if ((q->h.flags & RPC_WAIT) != 0 && !is_reply_end(q->reply)) {
		answer_error(q, EINVAL);
		return;
	}
	struct vsock_connect c = {
		.address = &m.addr,
		.a = q->a,
		.prefill = m.prefill,
		.is_waiting = (q->h.flags & RPC_WAIT) != 0,
		.reply_fd = q->reply,
		.seq = q->h.seq,
	};
	int error = vsock_connect(q->s, &c);
	if (c.is_waiting && error == -EINPROGRESS && q->s->reply_fd == q->reply) {
		q->is_reply_kept = true; /* answered when it is decided */
		return;
	}
	answer_address(q, error, &q->s->local);
}

static void on_detach(struct request *q)
{
	answer_error(q, -vsock_detach(q->s, q->a));
}

static void on_soerror(struct request *q)
{
	struct vsock *s = q->s;
	if (s->dgram) {
		answer_error(q, vdgram_error_take(s));
		return;
	}
	int error = s->state == VSOCK_FAILED && !s->is_error_told ? s->error : 0;
	s->is_error_told |= s->state == VSOCK_FAILED;
	answer_error(q, error);
}

static void on_name(struct request *q)
{
	struct rpc_name m;
	memcpy(&m, q->bytes, sizeof m);
	if (m.which == RPC_NAME_LOCAL) {
		answer_address(q, 0, &q->s->local);
	} else if (m.which == RPC_NAME_REMOTE && (q->s->state == VSOCK_ESTABLISHED ||
						  (q->s->dgram && q->s->dgram->is_connected))) {
		answer_address(q, 0, &q->s->remote);
	} else {
		answer_error(q, m.which == RPC_NAME_REMOTE ? ENOTCONN : EINVAL);
	}
}

/* ---- options ---- */

/* The fixed part of SETOPT and GETOPT; the value follows it. */
enum { OPTION_HEADER = offsetof(struct rpc_option, value) };

static void on_setopt(struct request *q)
{
	struct rpc_option m = { 0 };
	memcpy(&m, q->bytes, q->length < sizeof m ? q->length : sizeof m);
	if (m.value_length > RPC_OPTION_MAX_BYTES || m.value_length > q->length - OPTION_HEADER) {
		answer_error(q, EINVAL);
		return;
	}
	struct sockopt_target target = vsock_option_target(q->s);
	int error = q->s->dgram ? vdgram_option_set(q->s, m.level, m.name, m.value, m.value_length)
				: sockopt_set(&target, m.level, m.name, m.value, m.value_length);
	if (q->s->port.bucket) {
		ports_reuse(&q->s->port, q->s->opts.reuse_address, q->s->opts.reuse_port);
	}
	if (q->s->state == VSOCK_ESTABLISHED && !q->s->opts.cork) {
		vsock_ready(q->s); /* what TCP_CORK held back goes now */
	}
	answer_error(q, -error);
}

static void answer_option(const struct request *q, struct rpc_option *r, int error)
{
	uint32_t length = error ? 0 : r->value_length;
	r->value_length = length;
	answer(q, &r->h, OPTION_HEADER + length, -error);
}

static void on_getopt(struct request *q)
{
	struct rpc_option m = { 0 };
	memcpy(&m, q->bytes, q->length < sizeof m ? q->length : sizeof m);
	if (m.value_length > RPC_OPTION_MAX_BYTES) {
		m.value_length = RPC_OPTION_MAX_BYTES;
	}
	struct sockopt_target target = vsock_option_target(q->s);
	memset(m.value, 0, sizeof m.value);
	int error = q->s->dgram ? vdgram_option_get(q->s, m.level, m.name, m.value, &m.value_length)
				: sockopt_get(&target, m.level, m.name, m.value, &m.value_length);
	answer_option(q, &m, error);
}

/* Bytes written by the program that the peer has not acknowledged. */
static int bytes_unsent(struct vsock *s)
{
	size_t total = s->state == VSOCK_ESTABLISHED ? vsock_unread(s) : 0;
	total -= s->has_pawn && total > 0;
	if (s->tcp) {
		struct stack_tcp_info info = { 0 };
		vsock_ops(s)->tcp_info(s->tcp, &info);
		total += info.unacked_bytes;
	}
	return (int)total;
}

static void on_ioctl(struct request *q)
{
	struct rpc_ioctl m;
	memcpy(&m, q->bytes, sizeof m);
	if (!q->s || (m.request != SIOCOUTQ && m.request != SIOCOUTQNSD)) {
		answer_error(q, ENOTTY);
		return;
	}
	struct rpc_option r = { .value_length = sizeof(int) };
	int bytes = bytes_unsent(q->s);
	memcpy(r.value, &bytes, sizeof bytes);
	answer_option(q, &r, 0);
}

static void on_resolve(struct request *q)
{
	struct rpc_resolve m = { .length = 0 };
	memcpy(&m, q->bytes, q->length < sizeof m ? q->length : sizeof m);
	if (!is_reply_end(q->reply)) {
		answer_error(q, EINVAL);
		return;
	}
	q->is_reply_kept = true; /* the resolver's from here on */
	resolver_ask(q->vhost->net, &m, q->uid, q->reply);
}

static void on_interfaces(struct request *q)
{
	uint64_t bytes[RPC_MAX_BYTES / sizeof(uint64_t)];
	struct rpc_interfaces *r = (void *)bytes;
	size_t length = interfaces_write(q->vhost->net, r);
	answer(q, &r->h, length, 0);
}

static void on_routes(struct request *q)
{
	uint64_t bytes[RPC_MAX_BYTES / sizeof(uint64_t)];
	struct rpc_routes m;
	struct rpc_routes_reply *r = (void *)bytes;
	memcpy(&m, q->bytes, sizeof m);
	size_t length = interfaces_routes_write(q->vhost->net, m.first, r);
	answer(q, &r->h, length, 0);
}

static void on_route(struct request *q)
{
	struct rpc_route m;
	memcpy(&m, q->bytes, sizeof m);
	struct rpc_route_reply r = { .is_elsewhere = vsock_is_elsewhere(q->s, &m.addr),
				     .is_fresh = vsock_is_fresh(q->s) };
	answer(q, &r.h, sizeof r, 0);
}

static void on_ping(struct request *q)
{
	answer_error(q, 0);
}

/* ---- the table ---- */

enum need { NEEDS_NOTHING, NEEDS_SOCKET, NEEDS_REPLY };

static const struct {
	void (*handle)(struct request *q);
	enum need need;
} table[] = {
	[RPC_SOCKET] = { on_socket, NEEDS_REPLY },
	[RPC_BIND] = { on_bind, NEEDS_SOCKET },
	[RPC_LISTEN] = { on_listen, NEEDS_SOCKET },
	[RPC_CONNECT] = { on_connect, NEEDS_SOCKET },
	[RPC_DETACH] = { on_detach, NEEDS_SOCKET },
	[RPC_SOERROR] = { on_soerror, NEEDS_SOCKET },
	[RPC_NAME] = { on_name, NEEDS_SOCKET },
	[RPC_SETOPT] = { on_setopt, NEEDS_SOCKET },
	[RPC_GETOPT] = { on_getopt, NEEDS_SOCKET },
	[RPC_IOCTL] = { on_ioctl, NEEDS_NOTHING },
	[RPC_PING] = { on_ping, NEEDS_NOTHING },
	[RPC_RESOLVE] = { on_resolve, NEEDS_REPLY },
	[RPC_INTERFACES] = { on_interfaces, NEEDS_REPLY },
	[RPC_ROUTE] = { on_route, NEEDS_SOCKET },
	[RPC_ROUTES] = { on_routes, NEEDS_REPLY },
};

static int request_run(struct request *q)
{
	bool is_known = q->h.op < sizeof table / sizeof table[0] && table[q->h.op].handle;
	if (!is_known) {
		answer_error(q, ENOSYS);
		return 0;
	}
	if (table[q->h.op].need == NEEDS_REPLY && q->reply < 0) {
		return -EPROTO;
	}
	if (q->a >= 0) {
		q->s = vsock_by_descriptor(q->vhost, q->a);
	}
	if (table[q->h.op].need == NEEDS_SOCKET && q->a < 0) {
		return -EPROTO;
	}
	if (table[q->h.op].need == NEEDS_SOCKET && !q->s) {
		answer_error(q, EBADF);
		return 0;
	}
	if (q->s && q->s->dgram) {
		vdgram_drain(q->s); /* what was sent before the call goes before it */
	}
	table[q->h.op].handle(q);
	return 0;
}

int rpcd_dispatch(struct vhost *vhost, const struct rpcd_message *m)
{
	const struct rpc_header *h = m->bytes;
	int error = -EPROTO;
	bool is_reply_kept = false;
	if (m->length >= sizeof *h && rpc_request_ok(h, m->length)) {
		size_t has_a = (h->flags & RPC_HAVE_FD) != 0;
		size_t has_reply = (h->flags & RPC_HAVE_REPLY) != 0;
		struct request q = {
			.vhost = vhost,
			.h = *h,
			.bytes = m->bytes,
			.length = m->length,
			.uid = m->uid,
			.pid = m->pid,
			.a = has_a && m->fd_count > 0 ? m->fds[0] : -1,
			.a_held = has_a && m->fd_count > 0 ? &m->fds[0] : NULL,
			.reply = has_reply && m->fd_count > 0 ? m->fds[m->fd_count - 1] : -1,
		};
		if (m->fd_count == has_a + has_reply) {
			error = request_run(&q);
			is_reply_kept = q.is_reply_kept;
		}
	}
	/* A reply end that is kept is the last descriptor. */
	for (size_t i = 0; i < m->fd_count - is_reply_kept; i++) {
		if (m->fds[i] >= 0) {
			(void)close(m->fds[i]);
		}
	}
	return error;
}
