/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* bind() and connect() of virtual sockets (spec/intercept.md 3.2, 3.3).
 *
 * How this works
 * While a connection is being made the program's end is filled (by the library before CONNECT, by
 * us for DETACH), which makes poll() say what it says of a connecting TCP socket. Success: B is
 * named first, so that a woken thread finds the addresses, then everything but one byte is read in
 * one call, which gives exactly one edge. Failure: B is closed with the filling unread, which gives
 * the masks of a refused TCP connection.
 *
 * A blocking connect() waits for its reply instead; its descriptor is not filled, holds one planted
 * byte, and survives a failure.
 */
#include "service/vsock.h"

#include "service/service.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { CONNECT_PORT_TRIES = 8 };

bool vsock_is_hung_up(const struct vsock *s)
{
	struct pollfd p = { .fd = s->watch.fd };
	return s->watch.fd >= 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

static bool holds_idly(const struct vsock *s, uint16_t port)
{
	return s->port.bucket && !s->dgram && s->port.place.port == port &&
	       s->state != VSOCK_ESTABLISHED;
}

void vsock_reap_port(struct vhost *vhost, uint16_t port)
{
	struct vsock *s = vhost->all.first;
	while (s) {
		/* What was freed is in no list any more, which the analyzer cannot know.
		 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		if (holds_idly(s, port) && vsock_is_hung_up(s)) {
			vsock_free(s); /* and those that waited for it */
			s = vhost->all.first;
		} else {
			s = s->all.next;
		}
	}
}

static int port_take(struct vsock *s, const struct rpc_addr *address)
{
	struct vhost *vhost = s->vhost;
	struct port_place place = vsock_place(s, address);
	int error = ports_bind(vhost->ports, &s->port, &place);
	if (error == -EADDRINUSE) {
		if (place.port == 0) {
			shortcut_sweep(vhost, SIZE_MAX);
		} else {
			shortcut_sweep_port(vhost, place.port);
			vsock_reap_port(vhost, place.port);
		}
		error = ports_bind(vhost->ports, &s->port, &place);
	}
	return error;
}

int vsock_bind(struct vsock *s, const struct rpc_addr *address, bool is_free)
{
	int error = vsock_bind_check(s, address, is_free);
	if (error != 0) {
		return error;
	}
	struct rpc_addr wanted = vsock_address(s, address);
	error = port_take(s, &wanted);
	if (error != 0) {
		return error;
	}
	s->local = wanted;
	s->local.port_be = htons(s->port.place.port);
	vsock_move(s, VSOCK_BOUND);
	return 0;
}

int vsock_autobind(struct vsock *s)
{
	struct rpc_addr address = vaddr_any(s->family);
	return vsock_bind(s, &address, false);
}

/* ---- connect ---- */

/* Take a port for a socket that has none. */
static int connect_port(struct vsock *s)
{
	if (s->port.bucket) {
		return 0;
	}
	struct rpc_addr address = s->local;
	address.port_be = 0;
	int error = port_take(s, &address);
	if (error != 0) {
		return error == -EADDRINUSE ? -EADDRNOTAVAIL : error;
	}
	s->is_autobound = true;
	s->local.port_be = htons(s->port.place.port);
	return 0;
}

/* Back to what the socket was before connect(): its own bound address or none. */
static void connect_undo(struct vsock *s)
{
	if (s->is_autobound) {
		ports_release(s->vhost->ports, &s->port);
		s->is_autobound = false;
		s->local = vaddr_any(s->family);
	} else if (s->port.bucket) {
		struct rpc_addr bound = { .port_be = htons(s->port.place.port) };
		memcpy(bound.addr, s->port.place.address, sizeof bound.addr);
		s->local = vsock_address(s, &bound);
	}
	s->remote = vaddr_any(s->family);
	vsock_discard(s, vsock_unread(s));
	s->has_pawn = false;
}

static int connect_stack(struct vsock *s)
{
	const struct net *net = s->vhost->net;
	struct stack_ip remote = vaddr_to_stack(&s->remote);
	int error = -EADDRINUSE;
	for (int i = 0; error == -EADDRINUSE && i < CONNECT_PORT_TRIES; i++) {
		if (i > 0) { /* the old pair of ports still lingers in the stack: another one */
			ports_release(s->vhost->ports, &s->port);
			error = connect_port(s);
			if (error != 0) {
				return error;
			}
		}
		struct stack_ip local = vaddr_to_stack(&s->local);
		error = net->ops->tcp_connect(net->stack, &local, &remote, s, &s->tcp);
		if (!s->is_autobound) {
			break;
		}
	}
	if (error != 0) {
		s->tcp = NULL;
		return error == -EADDRINUSE ? -EADDRNOTAVAIL : error;
	}
	struct sockopt_target target = vsock_option_target(s);
	sockopt_apply(&target);
	net->ops->tcp_flush(s->tcp);
	return -EINPROGRESS;
}

/* The byte that stays unread: the library's filling has it; a descriptor that was not filled gets
 * one. */
static void connect_pawn(struct vsock *s, const struct vsock_connect *r)
{
	if (r->is_waiting) {
		vsock_discard(s,
			      vsock_unread(s)); /* written before connect(): nobody to send it to */
		vsock_plant_pawn(s, r->a);
	} else if (r->prefill == 0) {
		(void)rpc_prefill(r->a);
	}
}

/* The byte that the acceptor's end holds until accept() (decision 180): the last of the filling, or
 * this one. */
static void connect_token(struct vsock *s, const struct vsock_connect *r)
{
	if (r->is_waiting || r->prefill == 0) {
		vsock_discard(s, vsock_unread(s));
		(void)send(r->a, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (!r->is_waiting && r->prefill == 0) {
		/* Reading this one is the edge that an epoll set waits for. */
		(void)send(r->a, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

/* As on Linux's loopback, what connect() began lies in the accept queue when it returns. */
static int connect_here(struct vsock *s, const struct vsock_connect *r)
{
	struct vsock *listener = vsock_listener_for(s->vhost, &s->remote, &s->local);
	if (listener && vsock_is_hung_up(listener)) {
		vsock_reap_port(s->vhost, vaddr_port(&s->remote));
		listener = vsock_listener_for(s->vhost, &s->remote, &s->local);
	}
	connect_token(s, r);
	int error = shortcut_connect(s);
	if (error == 0 && listener) {
		vsock_top_up(listener);
	}
	return error;
}

static int connect_start(struct vsock *s, const struct vsock_connect *r)
{
	int error = vsock_destination(s, r->address);
	struct rpc_addr source;
	error = error ? error : vsock_source(s, &source);
	if (error != 0) {
		return error;
	}
	s->local = source;
	error = connect_port(s);
	if (error != 0) {
		return error;
	}
	if (vhost_is_local(s->vhost, &s->remote)) {
		return connect_here(s, r);
	}
	if (s->remote.port_be == 0) {
		return -ECONNREFUSED; /* nobody listens on port 0; the stack sends no SYN there */
	}
	connect_pawn(s, r);
	return connect_stack(s);
}

/* connect() on a descriptor whose attempt failed: the error once, then "fetch a new one". */
static int connect_failed_again(struct vsock *s)
{
	if (s->is_stale) {
		return -ESTALE;
	}
	s->is_stale = true;
	return s->is_error_told ? -ECONNABORTED : -s->error;
}

static int connect_state_error(struct vsock *s)
{
	switch (s->state) {
	case VSOCK_CONNECTING:
		return -EALREADY;
	case VSOCK_ESTABLISHED:
	case VSOCK_LISTEN:
		return -EISCONN;
	case VSOCK_FAILED:
		return connect_failed_again(s);
	default:
		return 0;
	}
}

static void connect_pending(struct vsock *s, const struct vsock_connect *r)
{
	vsock_move(s, VSOCK_CONNECTING);
	if (r->is_waiting) {
		s->reply_fd = r->reply_fd;
		s->reply_seq = r->seq;
	}
	vsock_timer_set(s, vhost_now(s->vhost) + sockopt_connect_timeout_ms(&s->opts));
}

int vsock_connect(struct vsock *s, const struct vsock_connect *r)
{
	int error = connect_state_error(s);
	if (error != 0) {
		return error;
	}
	if (r->address->family == AF_UNSPEC) { /* disconnect a socket that is not connected */
		return 0;
	}
	s->error = 0;
	s->is_error_told = false;
	error = connect_start(s, r);
	switch (error) {
	case 0: /* a short cut: TCP says EINPROGRESS to a non-blocking connect even on loopback */
		return r->is_waiting ? 0 : -EINPROGRESS;
	case -EAGAIN: /* the short cut's listener is full: like a SYN that is not answered */
		if (r->prefill == 0 && !r->is_waiting) {
			(void)rpc_prefill(r->a);
		}
		connect_pending(s, r);
		return -EINPROGRESS;
	case -EINPROGRESS:
		connect_pending(s, r);
		return -EINPROGRESS;
	case -ECONNREFUSED:
		if (!r->is_waiting) {
			vsock_move(s, VSOCK_CONNECTING);
			vsock_failed(s, ECONNREFUSED);
			return -EINPROGRESS;
		}
		connect_undo(s);
		return error;
	default:
		connect_undo(s);
		return error;
	}
}

void vsock_reply_waiting(struct vsock *s, int error)
{
	if (s->reply_fd < 0) {
		return;
	}
	rpcd_reply_address(s->reply_fd, s->reply_seq, error, &s->local);
	(void)close(s->reply_fd);
	s->reply_fd = -1;
}

void vsock_established(struct vsock *s)
{
	const size_t keep = vsock_kernel()->has_pawn;
	bool is_waiting = s->reply_fd >= 0;
	vsock_timer_clear(s);
	if (s->tcp) {
		struct stack_ip local = { 0 }, remote = { 0 };
		vsock_ops(s)->tcp_names(s->tcp, &local, &remote);
		s->local = vaddr_from_stack(&local, s->family);
		s->remote = vaddr_from_stack(&remote, s->family);
	}
	struct sockopt_target target = vsock_option_target(s);
	sockopt_established(&target);
	ports_connected(&s->port);
	vsock_move(s, VSOCK_ESTABLISHED);
	s->vhost->stats.connected++;
	vsock_name_b(s, RPC_KIND_CONNECTION, 0);
	if (!is_waiting) { /* all that is in B is filling */
		size_t filled = vsock_unread(s);
		vsock_discard(s, filled > keep ? filled - keep : 0);
		s->has_pawn = keep && filled > 0;
	}
	s->can_read_b = s->can_peek = true;
	vsock_reply_waiting(s, 0);
	vsock_ready(s);
}

void vsock_failed(struct vsock *s, int error)
{
	vsock_timer_clear(s);
	s->error = error;
	s->has_stack_end = false;
	if (s->reply_fd >= 0) {
		connect_undo(s);
		vsock_move(s, s->port.bucket ? VSOCK_BOUND : VSOCK_FRESH);
		vsock_reply_waiting(s, error);
		return;
	}
	vsock_move(s, VSOCK_FAILED);
	vsock_close_b(s);
	ports_release(s->vhost->ports, &s->port);
	vsock_timer_set(s, vhost_now(s->vhost) + VSOCK_FAILED_MS);
}

int vsock_detach(struct vsock *s, int a)
{
	if (s->has_stack_end && s->state == VSOCK_CONNECTING) {
		relay_turn(s); /* decided in this very turn: the answer is not "pending" */
	}
	switch (s->state) {
	case VSOCK_CONNECTING:
		if (s->reply_fd >= 0) {
			(void)close(s->reply_fd);
			s->reply_fd = -1;
			(void)rpc_prefill(a);
		}
		return -EINPROGRESS;
	case VSOCK_ESTABLISHED:
		return 0;
	case VSOCK_FAILED:
		s->is_stale = true;
		return -s->error;
	default:
		return s->error ? -s->error : -EINVAL;
	}
}
