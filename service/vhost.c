/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The virtual host: opening and closing, the turn, the stack's callbacks. See vhost.h and vsock.h.
 */
#include "service/vsock.h"

#include "base/bug.h"
#include "service/log.h"
#include "service/resolver.h"
#include "service/rpcd.h"
#include "service/service.h"
#include "service/vdgram.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#define VSOCK_OF(w) ((struct vsock *)(void *)((char *)(w)-offsetof(struct vsock, watch)))

/* ---- users and descriptors ---- */

struct uid_use *vhost_uid(struct vhost *vhost, uid_t uid)
{
	struct uid_use *use = vhost->uids;
	while (use && use->uid != uid) {
		use = use->next;
	}
	if (!use) {
		use = calloc(1, sizeof *use);
		if (use) {
			use->uid = uid;
			use->next = vhost->uids;
			vhost->uids = use;
		}
	}
	return use;
}

int vhost_fd_take(struct vhost *vhost, uid_t uid)
{
	static struct log_limit limit;
	struct service *service = vhost->net->service;
	const struct uid_use *use = vhost_uid(vhost, uid);
	bool is_own = uid == geteuid() || uid == 0;
	/* Others share, but one of them cannot take everything: half is the most. */
	bool is_over = use && !is_own && use->sockets > service->fd_capacity / 2;
	if (!is_over && service->fd_used < service->fd_capacity) {
		service->fd_used++;
		return 0;
	}
	if (log_limited(&limit, vhost_now(vhost), 10000)) {
		log_warn("vsock",
			 "no descriptor left for a socket uid=%u used=%u capacity=%u; "
			 "raise `ulimit -n` of the service",
			 (unsigned)uid, service->fd_used, service->fd_capacity);
	}
	return -ENOBUFS;
}

void vhost_fd_give(struct vhost *vhost)
{
	BUG_ON(vhost->net->service->fd_used == 0);
	vhost->net->service->fd_used--;
}

bool vhost_is_local(const struct vhost *vhost, const struct rpc_addr *address)
{
	if (vaddr_is_any(address) || vaddr_is_loopback(address)) {
		return true;
	}
	struct stack_ip ip = vaddr_to_stack(address);
	return net_is_own_address(vhost->net, &ip);
}

/* ---- opening and closing ---- */

int vhost_open(struct net *net, const char *path, struct vhost **out)
{
	struct vhost *vhost = calloc(1, sizeof *vhost);
	uint64_t key = 0;
	if (!vhost || getrandom(&key, sizeof key, 0) != sizeof key) {
		free(vhost);
		return -ENOMEM;
	}
	vhost->net = net;
	vhost->listen = (struct watch){ .fd = -1, .kind = WATCH_RPC_LISTEN };
	vhost->accept_retry_ms = vhost->listen_retry_ms = INT64_MAX;
	vhost->heap_trim_ms = INT64_MAX;
	(void)vsock_kernel();
	vhost->ports = ports_new(key);
	int error = vdgram_open(vhost, key);
	error = vhost->ports && error == 0 ? rpcd_open(vhost, path) : -ENOMEM;
	if (error != 0) {
		vdgram_close(vhost);
		ports_free(vhost->ports);
		free(vhost);
		return error;
	}
	*out = vhost;
	return 0;
}

/* End one socket because the service or the network ends. */
static void socket_end(struct vsock *s)
{
	if (s->state == VSOCK_CONNECTING) {
		vsock_reply_waiting(s, ENETDOWN);
	}
	relay_reset(s);
}

void vhost_close(struct vhost *vhost)
{
	if (!vhost) {
		return;
	}
	vhost->is_closing = true;
	rpcd_close(vhost);
	while (vhost->all.first) {
		socket_end(vhost->all.first);
	}
	vdgram_close(vhost);
	ports_free(vhost->ports);
	while (vhost->uids) {
		struct uid_use *next = vhost->uids->next;
		free(vhost->uids);
		vhost->uids = next;
	}
	free(vhost->timers);
	free(vhost->table);
	free(vhost);
}

void vhost_update(struct vhost *vhost)
{
	for (struct vsock *s = vhost->all.first, *next = NULL; s; s = next) {
		next = s->all.next;
		if (s->state == VSOCK_LISTEN) {
			vsock_stack_listen(s);
		}
		if (s->tcp && !vhost_is_local(vhost, &s->local)) {
			vsock_ops(s)->tcp_abort(s->tcp);
			s->tcp = NULL;
			s->has_stack_end = true;
			s->stack_error = s->state == VSOCK_CONNECTING ? ENETUNREACH : ECONNRESET;
			vsock_ready(s);
		}
	}
}

/* ---- the turn ---- */

void vhost_on_vsock(struct watch *w, uint32_t events)
{
	struct vsock *s = VSOCK_OF(w);
	s->can_read_b |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0;
	s->has_b_eof |= (events & EPOLLRDHUP) != 0;
	s->has_b_hup |= (events & EPOLLHUP) != 0;
	s->has_b_error |= (events & EPOLLERR) != 0;
	vsock_ready(s);
}

static void timers_run(struct vhost *vhost, int64_t now_ms)
{
	while (vhost->timer_count > 0 && vhost->timers[0]->timer_ms <= now_ms) {
		struct vsock *s = vhost->timers[0];
		vsock_timer_clear(s);
		if (s->state == VSOCK_ESTABLISHED) {
			s->is_cork_due = true;
			vsock_ripe(s);
			vsock_ready(s);
			continue;
		}
		if (s->state != VSOCK_CONNECTING) {
			vsock_free(s);
			continue;
		}
		if (s->tcp) {
			vsock_ops(s)->tcp_abort(s->tcp);
			s->tcp = NULL;
		}
		if (s->queued_at) {
			VSOCK_LIST_REMOVE(&s->queued_at->listener->knocking, s, queue);
			s->queued_at = NULL;
		}
		vsock_failed(s, ETIMEDOUT);
	}
}

static void accept_retry(struct vhost *vhost)
{
	vhost->accept_retry_ms = INT64_MAX;
	for (struct vsock *s = vhost->all.first; s; s = s->all.next) {
		if (s->state == VSOCK_LISTEN &&
		    (s->listener->waiting.first || s->listener->knocking.first)) {
			vsock_ready(s);
		}
	}
}

/* A crowd has gone: what its connections were made of lies about in the heap as small free pieces,
 * which the allocator gives back only when it is told to (decision 230). Each time three quarters
 * of the most there were have gone, and a minute later: what the stack keeps of them ends after
 * them. */
static void heap_give_back(struct vhost *vhost, int64_t now_ms)
{
	if (vhost->heap_trim_ms <= now_ms) {
		int64_t next_ms = vhost->crowd_left_ms + VHOST_HEAP_TRIM_MS;
		vhost->heap_trim_ms = next_ms > now_ms ? next_ms : INT64_MAX;
		(void)malloc_trim(0);
	}
	if (vhost->socket_count > vhost->socket_peak) {
		vhost->socket_peak = vhost->socket_count;
	}
	if (vhost->socket_peak >= VHOST_CROWD_MIN &&
	    vhost->socket_count <= vhost->socket_peak / 4) {
		vhost->socket_peak = vhost->socket_count;
		vhost->crowd_left_ms = now_ms;
		if (vhost->heap_trim_ms == INT64_MAX) {
			vhost->heap_trim_ms = now_ms + VHOST_HEAP_TRIM_MS;
		}
	}
}

void vhost_advance(struct vhost *vhost, int64_t now_ms)
{
	ports_advance(vhost->ports, now_ms);
	timers_run(vhost, now_ms);
	if (vhost->accept_retry_ms <= now_ms) {
		accept_retry(vhost);
	}
	if (vhost->listen_retry_ms <= now_ms) {
		vhost->listen_retry_ms = INT64_MAX;
		vhost_on_listen(&vhost->listen);
	}
	vdgram_shares_renew(vhost);
	/* Those that are ready now; who uses up its turn comes again in the next. */
	for (size_t left = vhost->ready.count; left > 0 && vhost->ready.first; left--) {
		struct vsock *s = vhost->ready.first;
		VSOCK_LIST_REMOVE(&vhost->ready, s, ready);
		relay_turn(s);
	}
	heap_give_back(vhost, now_ms);
}

int64_t vhost_deadline(const struct vhost *vhost)
{
	if (vhost->ready.first) {
		return INT64_MIN; /* at once */
	}
	int64_t at = ports_deadline(vhost->ports);
	if (vhost->timer_count > 0 && vhost->timers[0]->timer_ms < at) {
		at = vhost->timers[0]->timer_ms;
	}
	at = vhost->heap_trim_ms < at ? vhost->heap_trim_ms : at;
	at = vhost->accept_retry_ms < at ? vhost->accept_retry_ms : at;
	return vhost->listen_retry_ms < at ? vhost->listen_retry_ms : at;
}

void vhost_stats(const struct vhost *vhost, struct vhost_stats *out)
{
	*out = vhost->stats;
	out->clients = (uint32_t)vhost->client_count;
}

/* ---- the stack calls ---- */

static bool on_admit(void *context, const struct stack_ip *local, const struct stack_ip *remote)
{
	const struct net *net = context;
	if (!net->vhost || net->vhost->is_closing) {
		return false;
	}
	struct rpc_addr to = vaddr_from_stack(local, AF_INET6);
	struct rpc_addr from = vaddr_from_stack(remote, AF_INET6);
	struct vsock *listener = vsock_listener_for(net->vhost, &to, &from);
	if (!listener || vsock_is_hung_up(listener)) {
		return false; /* closed or shut down just now: the next SYN is refused */
	}
	if (vsock_has_backlog(listener)) {
		return true;
	}
	vsock_ready(listener); /* top up at each SYN (decision S6) */
	return false;
}

static void *on_accepted(void *context, struct stack_tcp *tcp, const struct stack_ip *local,
			 const struct stack_ip *remote)
{
	const struct net *net = context;
	if (!net->vhost || net->vhost->is_closing) {
		return NULL;
	}
	struct rpc_addr to = vaddr_from_stack(local, AF_INET6);
	struct rpc_addr from = vaddr_from_stack(remote, AF_INET6);
	struct vsock *listener = vsock_listener_for(net->vhost, &to, &from);
	struct vsock *s = listener ? vsock_accepted_new(listener, &to, &from) : NULL;
	if (!s) {
		return NULL;
	}
	s->tcp = tcp;
	struct sockopt_target target = vsock_option_target(s);
	sockopt_apply(&target);
	sockopt_established(&target);
	if (!vsock_defer(listener, s)) {
		vsock_queue_accept(listener, s);
	}
	return s;
}

static void on_established(void *tcp_context)
{
	if (resolver_owns(tcp_context)) {
		resolver_on_tcp(tcp_context);
		return;
	}
	vsock_established(tcp_context);
}

/* At once rather than in the socket's turn: a reset that came in the same batch takes with it what
 * was not read. The stack calls this once per batch of frames, so nothing is lost in coalescing. */
static void on_readable(void *tcp_context)
{
	if (resolver_owns(tcp_context)) {
		resolver_on_tcp(tcp_context);
		return;
	}
	struct vsock *s = tcp_context;
	s->can_peek = true;
	vsock_ripe(s);
	relay_received(s);
	vsock_ready(s);
}

static void on_eof(void *tcp_context)
{
	if (resolver_owns(tcp_context)) {
		resolver_on_tcp(tcp_context);
		return;
	}
	struct vsock *s = tcp_context;
	s->has_peer_eof = true;
	vsock_ripe(s);
	vsock_ready(s);
}

static void on_writable(void *tcp_context)
{
	if (resolver_owns(tcp_context)) {
		resolver_on_tcp(tcp_context);
		return;
	}
	vsock_ready(tcp_context);
}

static void on_closed(void *tcp_context, int error)
{
	if (resolver_owns(tcp_context)) {
		resolver_on_closed(tcp_context, error);
		return;
	}
	struct vsock *s = tcp_context;
	s->tcp = NULL;
	s->has_stack_end = true;
	s->stack_error = error;
	vsock_ready(s);
}

void vhost_stack_callbacks(struct stack_callbacks *callbacks)
{
	callbacks->admit = on_admit;
	callbacks->accepted = on_accepted;
	callbacks->established = on_established;
	callbacks->readable = on_readable;
	callbacks->eof = on_eof;
	callbacks->writable = on_writable;
	callbacks->closed = on_closed;
	vdgram_stack_callbacks(callbacks);
}
