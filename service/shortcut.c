/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Two programs of one virtual host talk directly (spec/intercept.md 5.5-5.6, decisions D8; no
 * rule concerns them: docs/decisions/153).
 *
 * How this works
 * The destination is loopback or an address of our own. If a listener of this host has it, the
 * connector's B is not relayed but handed to the acceptor as its descriptor: from then on the two
 * programs hold the two ends of one socketpair and the kernel moves their bytes. B is bound to the
 * acceptor's view of the addresses first (RPC_SIDE_ACCEPTOR), so both ends report the truth.
 *
 * Two records remain, the connector's and the acceptor's, for options and for the connector's port.
 * We hold no end any more, so nothing tells us when they are dead; but a name can be bound only
 * while nobody has it. Each new short cut therefore probes four of the oldest records by trying to
 * bind their names, which keeps the dead fewer than the living without a timer.
 */
#include "service/vsock.h"

#include "service/service.h"

#include <errno.h>
#include <sys/un.h>
#include <unistd.h>

enum { SWEEP_PER_CONNECT = 4 }; /* each adds two: the dead never outnumber the living */

static struct rpc_ident ident_of(const struct vsock *s, bool is_acceptor)
{
	return (struct rpc_ident){
		.kind = is_acceptor ? RPC_KIND_CONNECTION : RPC_KIND_STREAM,
		.family = s->family,
		.flags = is_acceptor ? RPC_SIDE_ACCEPTOR : 0,
		.has_addresses = is_acceptor,
		.nwid = s->vhost->net->nwid,
		.id = s->id,
		.local = s->local,
		.remote = s->remote,
	};
}

/* Does any process still hold the descriptor with this record's name? */
static bool is_alive(const struct vsock *s, int *probe)
{
	struct rpc_ident ident = ident_of(s, s->born_of != 0);
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	size_t length = rpc_ident_write(&ident, bytes);
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	memcpy(name.sun_path, bytes, length);
	if (*probe < 0) {
		*probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	}
	socklen_t total = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (*probe < 0 || bind(*probe, (const struct sockaddr *)&name, total) != 0) {
		return true;
	}
	(void)close(*probe); /* it has the name now: a new one for the next */
	*probe = -1;
	return false;
}

void shortcut_sweep_port(struct vhost *vhost, uint16_t port)
{
	int probe = -1;
	for (struct vsock *s = vhost->probes.first, *next = NULL; s; s = next) {
		next = s->queue.next;
		if (s->port.bucket && s->port.place.port == port && !is_alive(s, &probe)) {
			vsock_free(s);
		}
	}
	if (probe >= 0) {
		(void)close(probe);
	}
}

void shortcut_sweep(struct vhost *vhost, size_t max)
{
	int probe = -1;
	size_t left = vhost->probes.count;
	for (left = left < max ? left : max; left > 0; left--) {
		struct vsock *s = vhost->probes.first;
		if (is_alive(s, &probe)) {
			VSOCK_LIST_REMOVE(&vhost->probes, s, queue);
			VSOCK_LIST_ADD(&vhost->probes, s, queue);
		} else {
			vsock_free(s);
		}
	}
	if (probe >= 0) {
		(void)close(probe);
	}
}

/* B changes hands: from the connector's record to the acceptor's, no longer watched. */
static int hand_over(struct vsock *connector, struct vsock *acceptor)
{
	socklen_t length = sizeof acceptor->cookie;
	if (getsockopt(connector->watch.fd, SOL_SOCKET, SO_COOKIE, &acceptor->cookie, &length) !=
	    0) {
		return -errno;
	}
	loop_remove(connector->vhost->net->service->loop, &connector->watch);
	acceptor->watch.fd = connector->watch.fd;
	connector->watch.fd = -1;
	return 0;
}

/* Is there a connection with the same two ends? Ports that were picked have none. */
static bool has_twin(const struct vsock *s)
{
	for (const struct vsock *t = s->vhost->probes.first; t; t = t->queue.next) {
		if (t->local.port_be == s->local.port_be &&
		    t->remote.port_be == s->remote.port_be &&
		    memcmp(t->local.addr, s->local.addr, sizeof s->local.addr) == 0 &&
		    memcmp(t->remote.addr, s->remote.addr, sizeof s->remote.addr) == 0) {
			int probe = -1;
			bool is_twin = is_alive(t, &probe);
			if (probe >= 0) {
				(void)close(probe);
			}
			return is_twin;
		}
	}
	return false;
}

int shortcut_connect(struct vsock *s)
{
	struct vhost *vhost = s->vhost;
	struct vsock *listener = vsock_listener_for(vhost, &s->remote, &s->local);
	if (!listener) {
		return -ECONNREFUSED;
	}
	if (!s->is_autobound && has_twin(s)) {
		return -EADDRNOTAVAIL;
	}
	if (!vsock_has_backlog(listener)) {
		s->queued_at = listener;
		VSOCK_LIST_ADD(&listener->listener->knocking, s, queue);
		vsock_ready(listener);
		return -EAGAIN;
	}
	shortcut_sweep(vhost, SWEEP_PER_CONNECT);
	struct vsock *acceptor = vsock_accepted_new(listener, &s->remote, &s->local);
	if (!acceptor) {
		return -ECONNREFUSED;
	}
	if (hand_over(s, acceptor) != 0) {
		vsock_free(acceptor);
		return -ENOBUFS;
	}
	/* Order as everywhere: the name first, then the drain that wakes the program. */
	vsock_name_b(acceptor, RPC_KIND_CONNECTION, RPC_SIDE_ACCEPTOR);
	size_t filled = vsock_unread(acceptor);
	acceptor->has_token = filled > 0; /* accept() takes the last byte of the filling */
	vsock_discard(acceptor, filled - acceptor->has_token);
	acceptor->is_shortcut = s->is_shortcut = true;
	s->has_pawn = false;
	vsock_timer_clear(s);
	ports_connected(&s->port);
	if (s->state != VSOCK_CONNECTING) {
		vsock_move(s, VSOCK_CONNECTING);
	}
	vsock_move(s, VSOCK_ESTABLISHED);
	VSOCK_LIST_ADD(&vhost->probes, s, queue);
	vhost->stats.shortcuts++;
	vsock_queue_accept(listener, acceptor);
	vsock_reply_waiting(s, 0);
	return 0;
}
