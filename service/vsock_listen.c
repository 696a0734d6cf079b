/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Listening and the accept queue (spec/intercept.md 3.2, decision S6).
 *
 * How this works
 * accept() is a recvmsg on the listener's A: one record and one descriptor per connection, written
 * by us into B. At most min(backlog, 256) such records are on their way, because each holds two
 * descriptors and kernel memory; further established connections wait here as bare records; once
 * the backlog is reached `admit` refuses the SYN, before the stack has spent anything on it.
 *
 * How many records the program has taken is asked of the kernel: SIOCOUTQ of B in units of one
 * record's cost. While something waits, B is watched for EPOLLOUT (edge triggered), which the
 * kernel reports when accept() has freed room. Where the kernel refuses descriptors (EMFILE,
 * ETOOMANYREFS) the queue rests for VSOCK_ACCEPT_RETRY_MS; nothing spins.
 */
#include "service/vsock.h"

#include "service/log.h"
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const uint32_t listener_events = EPOLLIN | EPOLLRDHUP | EPOLLET;

static int backlog_clamp(int backlog)
{
	return backlog < 0 || backlog > VSOCK_BACKLOG_MAX ? VSOCK_BACKLOG_MAX : backlog;
}

/* One more socket listens on this port of the stack. A loopback listener is the stack's business
 * never; a network that has no stack yet gets its listeners with vhost_update(). */
int vsock_stack_listen(struct vsock *s)
{
	const struct net *net = s->vhost->net;
	if (s->listener->is_in_stack || vaddr_is_loopback(&s->local) || !net->stack) {
		return 0;
	}
	if (ports_stack_users(&s->port, 1) == 1) {
		int error = net->ops->tcp_listen(net->stack, vaddr_port(&s->local));
		if (error != 0) {
			(void)ports_stack_users(&s->port, -1);
			return error;
		}
	}
	s->listener->is_in_stack = true;
	return 0;
}

static void stack_unlisten(struct vsock *s)
{
	const struct net *net = s->vhost->net;
	if (!s->listener->is_in_stack) {
		return;
	}
	s->listener->is_in_stack = false;
	if (ports_stack_users(&s->port, -1) == 0 && net->stack) {
		net->ops->tcp_unlisten(net->stack, vaddr_port(&s->local));
	}
}

static int listen_begin(struct vsock *s)
{
	struct listener *l = calloc(1, sizeof *l);
	if (!l) {
		return -ENOMEM;
	}
	int error = ports_listen(s->vhost->ports, &s->port);
	if (error == -EADDRINUSE) {
		vsock_reap_port(s->vhost, s->port.place.port);
		error = ports_listen(s->vhost->ports, &s->port);
	}
	if (error != 0) {
		free(l);
		return error;
	}
	s->listener = l;
	error = vsock_stack_listen(s);
	if (error != 0) {
		s->listener = NULL;
		free(l);
		ports_connected(&s->port); /* holds the port, does not listen */
		return error;
	}
	vsock_move(s, VSOCK_LISTEN);
	/* Room for the records: the largest the kernel gives, so that EPOLLOUT comes early. */
	int size = VSOCK_SNDBUF_MIN * 2;
	(void)setsockopt(s->watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	vsock_name_b(s, RPC_KIND_LISTENER, 0);
	return 0;
}

int vsock_listen(struct vsock *s, int backlog)
{
	int error = 0;
	if (s->state == VSOCK_FRESH) {
		error = vsock_autobind(s);
	}
	if (error == 0 && s->state == VSOCK_BOUND) {
		error = listen_begin(s);
	}
	if (error != 0) {
		return error;
	}
	if (s->state != VSOCK_LISTEN) {
		return -EINVAL;
	}
	s->listener->backlog = backlog_clamp(backlog);
	vsock_ready(s);
	return 0;
}

void vsock_unlisten(struct vsock *s)
{
	struct listener *l = s->listener;
	stack_unlisten(s);
	while (l->waiting.first) {
		vsock_free(l->waiting.first); /* resets: nobody will accept it */
	}
	while (l->deferred.first) {
		vsock_free(l->deferred.first);
	}
	while (l->knocking.first) {
		struct vsock *c = l->knocking.first;
		VSOCK_LIST_REMOVE(&l->knocking, c, queue);
		c->queued_at = NULL;
		vsock_failed(c, ECONNREFUSED);
	}
	s->listener = NULL;
	free(l);
}

struct vsock *vsock_listener_for(const struct vhost *vhost, const struct rpc_addr *local,
				 const struct rpc_addr *remote)
{
	struct port_tuple tuple = {
		.family = vaddr_is_v4(local) ? PORT_V4 : PORT_V6,
		.local_port = vaddr_port(local),
		.remote_port = vaddr_port(remote),
	};
	memcpy(tuple.local, local->addr, sizeof tuple.local);
	memcpy(tuple.remote, remote->addr, sizeof tuple.remote);
	struct port_entry *e = ports_lookup(vhost->ports, &tuple);
	if (!e) {
		return NULL;
	}
	return (struct vsock *)(void *)((char *)e - offsetof(struct vsock, port));
}

/* ---- the queue ---- */

static unsigned in_flight_limit(const struct listener *l)
{
	int limit = l->backlog < VSOCK_IN_FLIGHT_MAX ? l->backlog : VSOCK_IN_FLIGHT_MAX;
	return limit > 0 ? (unsigned)limit : 1;
}

static void in_flight_measure(struct vsock *s)
{
	int queued = 0;
	if (s->listener->in_flight > 0 && ioctl(s->watch.fd, SIOCOUTQ, &queued) == 0) {
		s->listener->in_flight = (unsigned)queued / vsock_kernel()->record_cost;
	}
}

/* Like Linux, a backlog of n lets n + 1 connections wait. */
static bool is_within(const struct vsock *s, size_t slack)
{
	const struct listener *l = s->listener;
	return l->waiting.count + l->in_flight <= (size_t)l->backlog + slack;
}

int vsock_waiting(struct vsock *listener)
{
	in_flight_measure(listener);
	return (int)(listener->listener->waiting.count + listener->listener->in_flight);
}

bool vsock_has_backlog(struct vsock *listener)
{
	if (!is_within(listener, 0)) {
		in_flight_measure(listener);
	}
	return is_within(listener, 0);
}

struct vsock *vsock_accepted_new(struct vsock *listener, const struct rpc_addr *local,
				 const struct rpc_addr *remote)
{
	in_flight_measure(listener);
	if (!is_within(listener, VSOCK_OVER_BACKLOG_MAX)) {
		return NULL;
	}
	struct vsock *s = vsock_new(listener->vhost, listener->uid, listener->family);
	if (!s) {
		return NULL;
	}
	s->pid = listener->pid;
	s->opts = listener->opts;
	s->local = *local;
	s->remote = *remote;
	s->local.family = s->remote.family = s->family;
	s->born_of = listener->id;
	struct port_place place = vsock_place(s, local);
	if (ports_share(s->vhost->ports, &s->port, &place) != 0) {
		vsock_free(s);
		return NULL;
	}
	vsock_move(s, VSOCK_ESTABLISHED);
	return s;
}

void vsock_queue_accept(struct vsock *listener, struct vsock *s)
{
	s->is_waiting_record = true;
	s->queued_at = listener;
	VSOCK_LIST_ADD(&listener->listener->waiting, s, queue);
	vsock_ready(listener);
}

static int record_send(struct vsock *listener, struct vsock *s, int a)
{
	struct rpc_accept record = {
		.magic = RPC_ACCEPT_MAGIC,
		.flags = s->has_token ? RPC_ACCEPT_TOKEN : 0,
		.id = s->id,
		.local = s->local,
		.remote = s->remote,
	};
	return rpc_send(listener->watch.fd, &record, sizeof record, &a, 1, MSG_DONTWAIT);
}

/* What the listener's program set is on the new descriptor, too; most of it is read natively. */
static void native_options(int fd, const struct sockopts *o)
{
	struct linger linger = { .l_onoff = o->is_lingering, .l_linger = o->linger_s };
	const struct timeval receive = { o->receive_timeout_us / 1000000,
					 o->receive_timeout_us % 1000000 };
	const struct timeval send = { o->send_timeout_us / 1000000, o->send_timeout_us % 1000000 };
	const int yes = 1;
	const struct {
		bool is_set;
		int name;
		const void *value;
		socklen_t length;
	} options[] = {
		{ o->reuse_address, SO_REUSEADDR, &yes, sizeof yes },
		{ o->keep_alive, SO_KEEPALIVE, &yes, sizeof yes },
		{ o->oob_inline, SO_OOBINLINE, &yes, sizeof yes },
		{ o->broadcast, SO_BROADCAST, &yes, sizeof yes },
		{ o->receive_low != 0, SO_RCVLOWAT, &o->receive_low, sizeof o->receive_low },
		{ o->is_lingering, SO_LINGER, &linger, sizeof linger },
		{ o->receive_timeout_us != 0, SO_RCVTIMEO, &receive, sizeof receive },
		{ o->send_timeout_us != 0, SO_SNDTIMEO, &send, sizeof send },
	};
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (options[i].is_set) {
			(void)setsockopt(fd, SOL_SOCKET, options[i].name, options[i].value,
					 options[i].length);
		}
	}
}

/* A short-cut connection: the connector's B is the acceptor's descriptor. It becomes an ordinary
 * blocking one, and no longer ours. */
static int accept_shortcut(struct vsock *listener, struct vsock *s)
{
	if (fcntl(s->watch.fd, F_SETFL, O_RDWR) != 0) {
		return -errno;
	}
	native_options(s->watch.fd, &s->opts);
	int error = record_send(listener, s, s->watch.fd);
	if (error == 0) {
		vsock_close_b(s);
	}
	return error;
}

static int accept_stack(struct vsock *listener, struct vsock *s)
{
	int a = vsock_pair(s, false);
	if (a < 0) {
		return a;
	}
	vsock_plant_pawn(s, a);
	native_options(a, &s->opts);
	s->has_token = send(s->watch.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
	vsock_name_b(s, RPC_KIND_CONNECTION, 0);
	/* Who defers accept() reads at once, without waiting: the bytes go before the record. */
	size_t lent = s->opts.defer_accept_s != 0 ? relay_lend(s) : 0;
	int error = record_send(listener, s, a);
	(void)close(a);
	if (error != 0) {
		vsock_close_b(s);
	} else if (lent > 0) {
		vsock_ops(s)->tcp_consumed(s->tcp, lent);
	}
	return error;
}

static int accept_one(struct vsock *listener, struct vsock *s)
{
	int error = s->is_shortcut ? accept_shortcut(listener, s) : accept_stack(listener, s);
	if (error != 0) {
		return error;
	}
	VSOCK_LIST_REMOVE(&listener->listener->waiting, s, queue);
	s->queued_at = NULL;
	s->is_waiting_record = false;
	listener->listener->in_flight++;
	listener->vhost->stats.accepted++;
	if (s->is_shortcut) {
		VSOCK_LIST_ADD(&s->vhost->probes, s, queue);
	} else {
		s->can_read_b = s->can_peek = true;
		vsock_ready(s);
	}
	return 0;
}

/* The kernel or our own limit refuses a descriptor: rest, then try again. */
static void accept_rest(struct vsock *listener, int error)
{
	static struct log_limit limit;
	struct vhost *vhost = listener->vhost;
	if (error == -EAGAIN || error == -EPIPE || error == -ECONNRESET) {
		return; /* full: EPOLLOUT follows; gone: EPOLLHUP follows */
	}
	vhost->accept_retry_ms = vhost_now(vhost) + VSOCK_ACCEPT_RETRY_MS;
	if (error != -ENOBUFS && log_limited(&limit, vhost_now(vhost), 10000)) {
		errno = -error;
		log_warn_errno("vsock", "connections wait for descriptors; raise `ulimit -n`");
	}
}

static void knocking_retry(struct vsock *listener)
{
	struct listener *l = listener->listener;
	while (l->knocking.first && vsock_has_backlog(listener)) {
		struct vsock *c = l->knocking.first;
		VSOCK_LIST_REMOVE(&l->knocking, c, queue);
		c->queued_at = NULL;
		int error = shortcut_connect(c);
		if (error == -EAGAIN) {
			return;
		}
		if (error != 0) {
			vsock_failed(c, -error);
		}
	}
}

void vsock_top_up(struct vsock *listener)
{
	struct listener *l = listener->listener;
	if (!l->waiting.first && !l->knocking.first && !l->is_out_armed) {
		return;
	}
	if (listener->vhost->accept_retry_ms != INT64_MAX) {
		return; /* at rest: a record that is refused frees its memory, which is an EPOLLOUT
			 */
	}
	in_flight_measure(listener);
	int error = 0;
	while (error == 0 && l->waiting.first && l->in_flight < in_flight_limit(l)) {
		error = accept_one(listener, l->waiting.first);
	}
	if (error != 0) {
		accept_rest(listener, error);
	}
	knocking_retry(listener);
	bool wants_out = l->waiting.first != NULL || l->knocking.first != NULL;
	if (wants_out != l->is_out_armed) {
		uint32_t events = listener_events | (wants_out ? (uint32_t)EPOLLOUT : 0);
		(void)loop_modify(listener->vhost->net->service->loop, &listener->watch, events);
		l->is_out_armed = wants_out;
	}
}
