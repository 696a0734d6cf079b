/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Reading a virtual host that a predecessor wrote. How this works: handover_vhost.h. */
#include "service/handover_vhost.h"

#include "service/handover_fields.h"
#include "service/log.h"
#include "service/rpcd.h"
#include "service/service.h"
#include "service/vdgram.h"
#include "service/vdgram_handover.h"
#include "service/vsock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct reading {
	struct handover_in *in;
	struct net *net;
	struct handover_counts *counts;
};

static void opts_read(struct rd *r, struct sockopts *opts)
{
	uint16_t count = rd_u16(r), at = 0;
#define X(name)                                                                                    \
	if (at++ < count) {                                                                        \
		opts->name = (__typeof__(opts->name))rd_u64(r);                                    \
	}
	HANDOVER_OPTIONS(X)
#undef X
	for (; at < count && !r->bad; at++) {
		(void)rd_u64(r);
	}
}

static void bits_set(struct vsock *s, uint32_t bits)
{
	uint32_t bit = 1;
#define X(name)                                                                                    \
	s->name = (bits & bit) != 0;                                                               \
	bit <<= 1;
	HANDOVER_BITS(X)
#undef X
}

static void place_read(struct rd *r, struct port_place *place)
{
	place->families = rd_u8(r) & (PORT_V4 | PORT_V6);
	place->is_any = rd_u8(r) != 0;
	place->reuse_address = rd_u8(r) != 0;
	place->reuse_port = rd_u8(r) != 0;
	place->port = rd_u16(r);
	place->uid = (uid_t)rd_u32(r);
	rd_copy(r, place->address, sizeof place->address);
}

/* B is ours from here on; an acceptor of a short cut that still waits has its descriptor there. */
static int b_adopt(struct vsock *s, int fd)
{
	if (fd < 0) {
		return 0;
	}
	int error = vhost_fd_take(s->vhost, s->uid);
	if (error != 0) {
		(void)close(fd);
		return error;
	}
	s->watch.fd = fd;
	if (s->is_shortcut) {
		return 0;
	}
	return loop_add(s->vhost->net->service->loop, &s->watch, EPOLLIN | EPOLLRDHUP | EPOLLET);
}

static int listener_adopt(struct vsock *s, uint32_t backlog, uint32_t in_flight)
{
	s->listener = calloc(1, sizeof *s->listener);
	if (!s->listener) {
		return -ENOMEM;
	}
	s->listener->backlog = backlog < VSOCK_BACKLOG_MAX ? (int)backlog : VSOCK_BACKLOG_MAX;
	s->listener->in_flight = in_flight;
	return vsock_stack_listen(s);
}

/* The moves that led to this state are not made again. */
static void state_adopt(struct vsock *s, uint8_t state)
{
	s->vhost->stats.listeners += state == VSOCK_LISTEN;
	s->vhost->stats.connections += state == VSOCK_ESTABLISHED;
	s->state = state;
}

static bool state_is_sane(uint8_t state, uint8_t use, const struct port_place *place)
{
	bool needs_port =
	    state == VSOCK_BOUND || state == VSOCK_LISTEN || state == VSOCK_CONNECTING;
	return state < VSOCK_CLOSED && use < PORT_TIME_WAIT && (use == 0 || place->port != 0) &&
	       (!needs_port || use != 0) && (state == VSOCK_LISTEN) == (use == PORT_LISTENING);
}

/* Do the record's parts go together? What runs later relies on it. */
static bool record_is_sane(const struct vsock *s, uint8_t state, bool has_fd)
{
	bool is_in_queue = s->is_waiting_record || s->is_deferred;
	if (s->dgram) {
		return state <= VSOCK_BOUND && !s->is_shortcut && !is_in_queue;
	}
	if (s->is_shortcut || is_in_queue) {
		return state == VSOCK_ESTABLISHED && (s->is_waiting_record || !s->is_deferred);
	}
	return has_fd || state == VSOCK_FAILED;
}

static int record_read(const struct reading *g, struct rd *r, struct vsock *s)
{
	s->pid = (pid_t)rd_u32(r);
	uint8_t state = rd_u8(r);
	s->cookie = rd_u64(r);
	int fd = handover_read_fd(g->in, r);
	s->reply_fd = handover_read_fd(g->in, r);
	s->reply_seq = rd_u32(r);
	rd_copy(r, &s->local, sizeof s->local);
	rd_copy(r, &s->remote, sizeof s->remote);
	bits_set(s, rd_u32(r));
	s->error = (int)rd_u32(r);
	s->stack_error = (int)rd_u32(r);
	bool has_timer = rd_u8(r) != 0;
	int64_t timer_ms = (int64_t)rd_u64(r);
	s->born_of = rd_u64(r);
	opts_read(r, &s->opts);
	uint8_t use = rd_u8(r);
	struct port_place place = { .port = 0 };
	place_read(r, &place);
	int error = vdgram_handover_read(r, s);
	uint32_t backlog = rd_u32(r), in_flight = rd_u32(r);
	int b_error = b_adopt(s, fd);
	error = error ? error : b_error;
	if (r->bad || !state_is_sane(state, use, &place) || !record_is_sane(s, state, fd >= 0)) {
		return -EBADMSG;
	}
	if (error == 0 && use != 0) {
		struct ports *ports = s->dgram ? vdgram_ports(s) : s->vhost->ports;
		error = ports_restore(ports, &s->port, &place, (enum port_use)use);
	}
	if (error == 0 && use != 0 && s->dgram) {
		error = vdgram_port_opened(s);
	}
	if (error == 0 && state == VSOCK_LISTEN) {
		error = listener_adopt(s, backlog, in_flight);
	}
	if (error == 0) {
		state_adopt(s, state);
		if (has_timer) {
			vsock_timer_set(s, timer_ms);
		}
	}
	return error;
}

/* The connection through the stack, if there is one. A lost one is a reset. */
static void connection_read(const struct reading *g, struct rd *r, struct vsock *s)
{
	bool is_possible = s->state == VSOCK_CONNECTING || s->state == VSOCK_ESTABLISHED;
	if (rd_u8(r) == 0 || !is_possible || s->is_shortcut) {
		return;
	}
	size_t length = rd_left(r);
	const uint8_t *bytes = rd_bytes(r, length);
	int error = length > 0 && g->net->stack
			? g->net->ops->tcp_import(g->net->stack, bytes, length, s, &s->tcp)
			: -ENOTSUP;
	if (error == 0) {
		g->counts->connections++;
		return;
	}
	s->tcp = NULL;
	s->has_stack_end = true;
	s->stack_error = ECONNRESET;
	g->counts->reset++;
	log_debug("handover", "a connection is reset id=%016llx error=%d",
		  (unsigned long long)s->id, -error);
}

static int vsock_read(const struct reading *g, struct rd *r)
{
	uint64_t id = rd_u64(r);
	uid_t uid = (uid_t)rd_u32(r);
	uint8_t family = rd_u8(r);
	if (r->bad || (family != AF_INET && family != AF_INET6)) {
		return -EBADMSG;
	}
	struct vsock *s = vsock_adopt(g->net->vhost, uid, family, id);
	if (!s) {
		return vsock_find(g->net->vhost, id) ? -EBADMSG : -ENOMEM;
	}
	int error = record_read(g, r, s);
	if (error != 0) {
		vsock_free(s); /* resets the program's end */
		return error == -EBADMSG ? error : 0;
	}
	connection_read(g, r, s);
	s->can_read_b = true;
	s->can_peek = s->tcp != NULL;
	g->counts->sockets++;
	vsock_ready(s);
	return 0;
}

static int ids_read(const struct reading *g, struct rd *r, struct vsock *listener,
		    struct vsock_list *list)
{
	const struct listener *l = listener->listener;
	for (uint32_t count = rd_u32(r); count > 0 && !r->bad; count--) {
		struct vsock *s = vsock_find(g->net->vhost, rd_u64(r));
		if (!s) {
			continue; /* there was no room for it */
		}
		bool is_knocking = list == &l->knocking;
		if (s->queue.is_linked || s->listener || s->dgram ||
		    (is_knocking && (s->state != VSOCK_CONNECTING || s->tcp)) ||
		    s->is_waiting_record == is_knocking ||
		    s->is_deferred != (list == &l->deferred)) {
			return -EBADMSG;
		}
		s->queued_at = listener;
		VSOCK_LIST_ADD(list, s, queue);
	}
	return r->bad ? -EBADMSG : 0;
}

static int queue_read(const struct reading *g, struct rd *r)
{
	struct vsock *listener = vsock_find(g->net->vhost, rd_u64(r));
	if (!listener) {
		return 0;
	}
	if (!listener->listener) {
		return -EBADMSG;
	}
	struct listener *l = listener->listener;
	int error = ids_read(g, r, listener, &l->waiting);
	error = error ? error : ids_read(g, r, listener, &l->knocking);
	return error ? error : ids_read(g, r, listener, &l->deferred);
}

static int client_read(const struct reading *g, struct rd *r)
{
	int fd = handover_read_fd(g->in, r);
	bool has_hello = rd_u8(r) != 0;
	if (fd < 0) {
		return -EBADMSG;
	}
	if (r->bad || rpcd_client_adopt(g->net->vhost, fd, has_hello) != 0) {
		(void)close(fd); /* the library connects again */
	}
	return r->bad ? -EBADMSG : 0;
}

static int section_read(const struct reading *g, enum handover_tag tag, struct rd *r)
{
	struct port_place place = { .port = 0 };
	switch (tag) {
	case HANDOVER_CLIENT:
		return client_read(g, r);
	case HANDOVER_VSOCK:
		return vsock_read(g, r);
	case HANDOVER_QUEUE:
		return queue_read(g, r);
	case HANDOVER_TIME_WAIT:
		place_read(r, &place);
		if (r->bad || place.port == 0) {
			return -EBADMSG;
		}
		(void)ports_time_wait_restore(g->net->vhost->ports, &place, (int64_t)rd_u64(r));
		return 0;
	case HANDOVER_STACK:
		if (g->net->stack) {
			size_t length = rd_left(r);
			(void)g->net->ops->rest_import(g->net->stack, rd_bytes(r, length), length);
		}
		return 0;
	default:
		return 0; /* of a later version, and not needed */
	}
}

/* Records of short cuts are probed; one that says it waits, and stands in no queue, never will. */
static void orphans_settle(struct vhost *vhost)
{
	for (struct vsock *s = vhost->all.first, *next = NULL; s; s = next) {
		next = s->all.next;
		if (s->is_waiting_record && !s->queue.is_linked) {
			vsock_free(s);
		} else if (s->is_shortcut && !s->queue.is_linked) {
			VSOCK_LIST_ADD(&vhost->probes, s, queue);
		}
	}
}

int handover_vhost_read(struct handover_in *in, struct rd *sections, struct net *net,
			struct handover_counts *counts)
{
	struct reading g = { .in = in, .net = net, .counts = counts };
	int error = 0;
	while (error == 0) {
		struct rd before = *sections, contents;
		enum handover_tag tag;
		if (!handover_next_section(sections, &tag, &contents)) {
			break;
		}
		if (tag == HANDOVER_NETWORK) {
			*sections = before;
			break;
		}
		error = section_read(&g, tag, &contents);
	}
	orphans_settle(net->vhost);
	return error ? error : sections->bad ? -EBADMSG : 0;
}

int handover_network_read(struct handover_in *in, struct rd contents, uint64_t *nwid)
{
	*nwid = rd_u64(&contents);
	return handover_read_fd(in, &contents);
}
