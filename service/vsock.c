/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Records of virtual sockets: birth, proof of possession, names, death. See vsock.h. */
#include "service/vsock.h"

#include "base/bug.h"
#include "service/service.h"
#include "service/vdgram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- states ---- */

#define TO(state) (1U << (state))
static const unsigned moves[VSOCK_STATES] = {
	[VSOCK_FRESH] = TO(VSOCK_BOUND) | TO(VSOCK_CONNECTING) | TO(VSOCK_ESTABLISHED) |
			TO(VSOCK_LISTEN) | TO(VSOCK_CLOSED),
	/* back to FRESH: a datagram socket whose connection was dissolved */
	[VSOCK_BOUND] =
	    TO(VSOCK_CONNECTING) | TO(VSOCK_LISTEN) | TO(VSOCK_FRESH) | TO(VSOCK_CLOSED),
	[VSOCK_CONNECTING] = TO(VSOCK_ESTABLISHED) | TO(VSOCK_FAILED) | TO(VSOCK_FRESH) |
			     TO(VSOCK_BOUND) | TO(VSOCK_CLOSED),
	[VSOCK_ESTABLISHED] = TO(VSOCK_FAILED) | TO(VSOCK_CLOSED),
	[VSOCK_FAILED] = TO(VSOCK_CLOSED),
	[VSOCK_LISTEN] = TO(VSOCK_CLOSED),
	[VSOCK_CLOSED] = 0,
};

bool vsock_may(enum vsock_state from, enum vsock_state to)
{
	return (moves[from] & TO(to)) != 0;
}

void vsock_move(struct vsock *s, enum vsock_state to)
{
	BUG_ON(!vsock_may(s->state, to));
	struct vhost_stats *stats = &s->vhost->stats;
	stats->listeners += to == VSOCK_LISTEN;
	stats->listeners -= s->state == VSOCK_LISTEN;
	stats->connections += to == VSOCK_ESTABLISHED;
	stats->connections -= s->state == VSOCK_ESTABLISHED;
	s->state = to;
}

/* ---- lists ---- */

void vsock_list_add(struct vsock_list *list, struct vsock_link *link, struct vsock *s)
{
	BUG_ON(link->is_linked);
	size_t offset = (size_t)((char *)link - (char *)s);
	*link = (struct vsock_link){ .previous = list->last, .is_linked = true };
	if (list->last) {
		((struct vsock_link *)(void *)((char *)list->last + offset))->next = s;
	} else {
		list->first = s;
	}
	list->last = s;
	list->count++;
}

void vsock_list_remove(struct vsock_list *list, struct vsock_link *link, size_t offset)
{
	if (!link->is_linked) {
		return;
	}
	if (link->previous) {
		((struct vsock_link *)(void *)((char *)link->previous + offset))->next = link->next;
	} else {
		list->first = link->next;
	}
	if (link->next) {
		((struct vsock_link *)(void *)((char *)link->next + offset))->previous =
		    link->previous;
	} else {
		list->last = link->previous;
	}
	list->count--;
	*link = (struct vsock_link){ 0 };
}

void vsock_ready(struct vsock *s)
{
	if (!s->ready.is_linked) {
		VSOCK_LIST_ADD(&s->vhost->ready, s, ready);
	}
}

/* ---- the table by id ---- */

static int table_grow(struct vhost *vhost)
{
	size_t size = vhost->table_size ? vhost->table_size * 2 : 64;
	struct vsock **table = calloc(size, sizeof(void *));
	if (!table) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < vhost->table_size; i++) {
		for (struct vsock *s = vhost->table[i], *next = NULL; s; s = next) {
			next = s->hash_next;
			s->hash_next = table[s->id & (size - 1)];
			table[s->id & (size - 1)] = s;
		}
	}
	free(vhost->table);
	vhost->table = table;
	vhost->table_size = size;
	return 0;
}

struct vsock *vsock_find(const struct vhost *vhost, uint64_t id)
{
	if (vhost->table_size == 0) {
		return NULL;
	}
	struct vsock *s = vhost->table[id & (vhost->table_size - 1)];
	while (s && s->id != id) {
		s = s->hash_next;
	}
	return s;
}

static void table_remove(struct vsock *s)
{
	struct vsock **at = &s->vhost->table[s->id & (s->vhost->table_size - 1)];
	while (*at != s) {
		at = &(*at)->hash_next;
	}
	*at = s->hash_next;
}

static uint64_t id_new(const struct vhost *vhost)
{
	uint64_t id = 0;
	do {
		if (getrandom(&id, sizeof id, 0) != sizeof id) {
			return 0;
		}
	} while (id == 0 || vsock_find(vhost, id));
	return id;
}

static struct vsock *record_new(struct vhost *vhost, uid_t uid, uint8_t family, uint64_t given)
{
	if (vhost->socket_count >= vhost->table_size && table_grow(vhost) != 0) {
		errno = ENOMEM;
		return NULL;
	}
	struct uid_use *use = vhost_uid(vhost, uid);
	struct vsock *s = use ? calloc(1, sizeof *s) : NULL;
	uint64_t id = !s ? 0 : given ? given : id_new(vhost);
	if (id == 0 || vsock_find(vhost, id)) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	s->vhost = vhost;
	s->id = id;
	s->uid = uid;
	s->family = family;
	s->watch = (struct watch){ .fd = -1, .kind = WATCH_VSOCK };
	s->reply_fd = -1;
	s->local = s->remote = vaddr_any(family);
	s->hash_next = vhost->table[id & (vhost->table_size - 1)];
	vhost->table[id & (vhost->table_size - 1)] = s;
	VSOCK_LIST_ADD(&vhost->all, s, all);
	use->sockets++;
	vhost->socket_count++;
	vhost->stats.sockets++;
	return s;
}

struct vsock *vsock_new(struct vhost *vhost, uid_t uid, uint8_t family)
{
	return record_new(vhost, uid, family, 0);
}

struct vsock *vsock_adopt(struct vhost *vhost, uid_t uid, uint8_t family, uint64_t id)
{
	return id ? record_new(vhost, uid, family, id) : NULL;
}

void vsock_free(struct vsock *s)
{
	struct vhost *vhost = s->vhost;
	if (s->listener) {
		vsock_unlisten(s);
	}
	if (s->queued_at) {
		struct listener *l = s->queued_at->listener;
		struct vsock_list *list = s->is_deferred         ? &l->deferred
					  : s->is_waiting_record ? &l->waiting
								 : &l->knocking;
		VSOCK_LIST_REMOVE(list, s, queue);
	} else {
		VSOCK_LIST_REMOVE(&vhost->probes, s, queue);
	}
	if (s->tcp) {
		vsock_ops(s)->tcp_abort(s->tcp);
	}
	if (s->reply_fd >= 0) {
		(void)close(s->reply_fd);
	}
	vsock_close_b(s);
	vsock_timer_clear(s);
	if (s->dgram) {
		vdgram_end(s);
	}
	ports_release(vhost->ports, &s->port);
	vsock_move(s, VSOCK_CLOSED);
	VSOCK_LIST_REMOVE(&vhost->ready, s, ready);
	VSOCK_LIST_REMOVE(&vhost->all, s, all);
	table_remove(s);
	struct uid_use *use = vhost_uid(vhost, s->uid);
	if (use) {
		use->sockets--;
	}
	vhost->socket_count--;
	vhost->stats.sockets--;
	free(s);
}

/* ---- timers: a binary min-heap; s->timer_at is the place + 1 ---- */

static void heap_put(struct vhost *vhost, size_t at, struct vsock *s)
{
	vhost->timers[at] = s;
	s->timer_at = at + 1;
}

static void heap_settle(struct vhost *vhost, size_t at, struct vsock *s)
{
	while (at > 0 && vhost->timers[(at - 1) / 2]->timer_ms > s->timer_ms) {
		heap_put(vhost, at, vhost->timers[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (size_t child = 2 * at + 1; child < vhost->timer_count; child = 2 * at + 1) {
		if (child + 1 < vhost->timer_count &&
		    vhost->timers[child + 1]->timer_ms < vhost->timers[child]->timer_ms) {
			child++;
		}
		if (vhost->timers[child]->timer_ms >= s->timer_ms) {
			break;
		}
		heap_put(vhost, at, vhost->timers[child]);
		at = child;
	}
	heap_put(vhost, at, s);
}

void vsock_timer_clear(struct vsock *s)
{
	if (s->timer_at == 0) {
		return;
	}
	struct vhost *vhost = s->vhost;
	size_t at = s->timer_at - 1;
	s->timer_at = 0;
	struct vsock *last = vhost->timers[--vhost->timer_count];
	if (last != s) {
		heap_settle(vhost, at, last);
	}
}

/* Short of memory the timer is simply missing: the stack's own limits end the attempt. */
void vsock_timer_set(struct vsock *s, int64_t at_ms)
{
	struct vhost *vhost = s->vhost;
	vsock_timer_clear(s);
	if (vhost->timer_count == vhost->timer_capacity) {
		size_t capacity = vhost->timer_capacity ? vhost->timer_capacity * 2 : 32;
		struct vsock **timers = reallocarray(vhost->timers, capacity, sizeof(void *));
		if (!timers) {
			return;
		}
		vhost->timers = timers;
		vhost->timer_capacity = capacity;
	}
	s->timer_ms = at_ms;
	heap_settle(vhost, vhost->timer_count++, s);
}

/* ---- names ---- */

static int name_bind(int fd, const struct rpc_ident *ident)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	size_t length = rpc_ident_write(ident, bytes);
	BUG_ON(length > sizeof name.sun_path);
	memcpy(name.sun_path, bytes, length);
	socklen_t total = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return bind(fd, (const struct sockaddr *)&name, total) == 0 ? 0 : -errno;
}

static struct rpc_ident ident_of(const struct vsock *s, enum rpc_kind kind, uint8_t flags)
{
	return (struct rpc_ident){
		.kind = (uint8_t)kind,
		.family = s->family,
		.flags = flags,
		.has_addresses = kind == RPC_KIND_LISTENER || kind == RPC_KIND_CONNECTION ||
				 kind == RPC_KIND_PEER,
		.nwid = s->vhost->net->nwid,
		.id = s->id,
		.local = s->local,
		.remote = s->remote,
	};
}

void vsock_name_b(struct vsock *s, enum rpc_kind kind, uint8_t flags)
{
	struct rpc_ident ident = ident_of(s, kind, flags);
	if (s->watch.fd >= 0) {
		(void)name_bind(s->watch.fd,
				&ident); /* fails only if it has one: then it is right */
	}
}

static int cookie_of(int fd, uint64_t *out)
{
	socklen_t length = sizeof *out;
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, out, &length) == 0 ? 0 : -errno;
}

struct vsock *vsock_by_descriptor(const struct vhost *vhost, int fd)
{
	struct sockaddr_un name = { 0 };
	socklen_t total = sizeof name;
	const size_t header = offsetof(struct sockaddr_un, sun_path);
	if (getsockname(fd, (struct sockaddr *)&name, &total) != 0 || total <= header ||
	    total > sizeof name || name.sun_family != AF_UNIX) {
		return NULL;
	}
	struct rpc_ident ident;
	uint8_t bytes[sizeof name.sun_path];
	memcpy(bytes, name.sun_path, total - header);
	if (!rpc_ident_read(bytes, total - header, &ident) || ident.nwid != vhost->net->nwid) {
		return NULL;
	}
	struct vsock *s = vsock_find(vhost, ident.id);
	uint64_t cookie = 0;
	if (!s || cookie_of(fd, &cookie) != 0 || cookie != s->cookie) {
		return NULL;
	}
	return s;
}

/* ---- the pair ---- */

static enum rpc_kind kind_of(const struct vsock *s)
{
	return !s->dgram ? RPC_KIND_STREAM : s->dgram->is_ping ? RPC_KIND_PING : RPC_KIND_DGRAM;
}

int vsock_pair(struct vsock *s, bool is_nonblocking)
{
	int pair[2];
	int error = vhost_fd_take(s->vhost, s->uid);
	if (error != 0) {
		return error;
	}
	int type = s->dgram ? SOCK_SEQPACKET : SOCK_STREAM;
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		error = -errno;
		vhost_fd_give(s->vhost);
		return error;
	}
	int half = vsock_kernel()->sndbuf / 2, yes = 1;
	if (half > 0) {
		(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &half, sizeof half);
	}
	/* Urgent data of the program is ordinary data for us (no stack of ours carries a mark). */
	(void)setsockopt(pair[1], SOL_SOCKET, SO_OOBINLINE, &yes, sizeof yes);
	struct rpc_ident ident = ident_of(s, kind_of(s), 0);
	s->watch.fd = pair[1];
	if (s->dgram) {
		vdgram_buffer(s);
	}
	error = name_bind(pair[0], &ident);
	error = error ? error : cookie_of(pair[0], &s->cookie);
	if (error == 0 && !is_nonblocking && fcntl(pair[0], F_SETFL, O_RDWR) != 0) {
		error = -errno;
	}
	error = error ? error
		      : loop_add(s->vhost->net->service->loop, &s->watch,
				 EPOLLIN | EPOLLRDHUP | EPOLLET);
	if (error != 0) {
		(void)close(pair[0]);
		vsock_close_b(s);
		return error;
	}
	return pair[0];
}

void vsock_plant_pawn(struct vsock *s, int a)
{
	if (vsock_kernel()->has_pawn && !s->has_pawn) {
		s->has_pawn = send(a, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
	}
}

size_t vsock_unread(const struct vsock *s)
{
	int queued = 0;
	if (s->watch.fd < 0 || ioctl(s->watch.fd, FIONREAD, &queued) != 0 || queued < 0) {
		return 0;
	}
	return (size_t)queued;
}

void vsock_discard(struct vsock *s, size_t length)
{
	enum { PIECE = 16 << 10, PIECES = 64 };
	static uint8_t sink[PIECE]; /* every piece lands in the same place */
	while (length > 0) {
		struct iovec iov[PIECES];
		int count = 0;
		for (size_t left = length; left > 0 && count < PIECES; count++) {
			iov[count].iov_base = sink;
			iov[count].iov_len = left < PIECE ? left : PIECE;
			left -= iov[count].iov_len;
		}
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)count };
		ssize_t got = recvmsg(s->watch.fd, &m, MSG_DONTWAIT);
		if (got <= 0) {
			return;
		}
		length -= (size_t)got;
	}
}

void vsock_close_b(struct vsock *s)
{
	if (s->watch.fd < 0) {
		return;
	}
	loop_remove(s->vhost->net->service->loop, &s->watch);
	(void)close(s->watch.fd);
	s->watch.fd = -1;
	s->has_pawn = false;
	vhost_fd_give(s->vhost);
}

void vsock_close_b_orderly(struct vsock *s)
{
	if (s->has_pawn) {
		vsock_discard(s, 1);
	}
	vsock_close_b(s);
}

/* As Linux's lo has it: 65536, of which IPv4 can use one less. */
static uint32_t path_mtu(const struct vsock *s)
{
	enum { LOOPBACK_MTU = 65536 };
	if (vaddr_is_any(&s->remote)) {
		return 0;
	}
	return vhost_is_local(s->vhost, &s->remote)
		   ? (uint32_t)LOOPBACK_MTU - vaddr_is_v4(&s->remote)
		   : s->vhost->net->mtu;
}

struct sockopt_target vsock_option_target(struct vsock *s)
{
	static const uint8_t linux_state[VSOCK_STATES] = {
		[VSOCK_FRESH] = 7,                               /* TCP_CLOSE */
		[VSOCK_BOUND] = 7,       [VSOCK_CONNECTING] = 2, /* TCP_SYN_SENT */
		[VSOCK_ESTABLISHED] = 1, [VSOCK_FAILED] = 7,
		[VSOCK_LISTEN] = 10,     [VSOCK_CLOSED] = 7,
	};
	return (struct sockopt_target){
		.opts = &s->opts,
		.ops = vsock_ops(s),
		.tcp = s->tcp,
		.linux_state = linux_state[s->state],
		.mss = 536,
		.is_shortcut = s->is_shortcut,
		.waiting = s->listener ? vsock_waiting(s) : 0,
		.backlog = s->listener ? s->listener->backlog : 0,
		.is_inet6 = s->family == AF_INET6,
		.is_bound = s->port.bucket != NULL,
		.is_ipv6 = !vaddr_is_any(&s->remote) && !vaddr_is_v4(&s->remote),
		.mtu = path_mtu(s),
	};
}
