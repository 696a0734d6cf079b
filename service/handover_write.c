/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Writing a virtual host down. How this works: handover_vhost.h. */
#include "service/handover_vhost.h"

#include "service/handover_fields.h"
#include "service/rpcd.h"
#include "service/service.h"
#include "service/vdgram_handover.h"
#include "service/vsock.h"

enum { VSOCK_BYTES = 2048, SMALL_BYTES = 256 };

enum {
#define X(name) OPTION_##name,
	HANDOVER_OPTIONS(X)
#undef X
	    OPTION_COUNT,
};

static void opts_write(struct wr *w, const struct sockopts *opts)
{
	wr_u16(w, OPTION_COUNT);
#define X(name) wr_u64(w, (uint64_t)opts->name);
	HANDOVER_OPTIONS(X)
#undef X
}

static uint32_t bits_of(const struct vsock *s)
{
	uint32_t bits = 0, bit = 1;
#define X(name)                                                                                    \
	bits |= s->name ? bit : 0;                                                                 \
	bit <<= 1;
	HANDOVER_BITS(X)
#undef X
	return bits;
}

static void place_write(struct wr *w, const struct port_place *place)
{
	wr_u8(w, place->families);
	wr_u8(w, place->is_any);
	wr_u8(w, place->reuse_address);
	wr_u8(w, place->reuse_port);
	wr_u16(w, place->port);
	wr_u32(w, place->uid);
	wr_bytes(w, place->address, sizeof place->address);
}

static void record_write(struct handover_out *out, struct wr *w, const struct vsock *s)
{
	wr_u64(w, s->id);
	wr_u32(w, s->uid);
	wr_u8(w, s->family);
	wr_u32(w, (uint32_t)s->pid);
	wr_u8(w, s->state);
	wr_u64(w, s->cookie);
	handover_write_fd(out, w, s->watch.fd);
	handover_write_fd(out, w, s->reply_fd);
	wr_u32(w, s->reply_seq);
	wr_bytes(w, &s->local, sizeof s->local);
	wr_bytes(w, &s->remote, sizeof s->remote);
	wr_u32(w, bits_of(s));
	wr_u32(w, (uint32_t)s->error);
	wr_u32(w, (uint32_t)s->stack_error);
	wr_u8(w, s->timer_at != 0);
	wr_u64(w, s->timer_at != 0 ? (uint64_t)s->timer_ms : 0);
	wr_u64(w, s->born_of);
	opts_write(w, &s->opts);
	wr_u8(w, s->port.bucket ? (uint8_t)s->port.use : 0);
	place_write(w, &s->port.place);
	vdgram_handover_write(w, s);
	wr_u32(w, s->listener ? (uint32_t)s->listener->backlog : 0);
	wr_u32(w, s->listener ? s->listener->in_flight : 0);
}

static void vsock_write(struct handover_out *out, const struct vsock *s, bool has_stack)
{
	const struct stack_ops *ops = vsock_ops(s);
	bool is_exported = s->tcp && has_stack;
	int64_t room = is_exported ? ops->tcp_export(s->tcp, NULL, 0) : 0;
	struct wr w = handover_begin_section(out, HANDOVER_VSOCK, VSOCK_BYTES + (size_t)room);
	record_write(out, &w, s);
	wr_u8(&w, s->tcp != NULL);
	int64_t length = is_exported && !w.bad ? ops->tcp_export(s->tcp, w.p, wr_left(&w)) : 0;
	if (length > 0) {
		(void)wr_room(&w, (size_t)length);
	}
	handover_end_section(out, &w);
}

static void ids_write(struct wr *w, const struct vsock_list *list)
{
	wr_u32(w, (uint32_t)list->count);
	for (const struct vsock *s = list->first; s; s = s->queue.next) {
		wr_u64(w, s->id);
	}
}

static void queue_write(struct handover_out *out, const struct vsock *s)
{
	const struct listener *l = s->listener;
	size_t count = l->waiting.count + l->knocking.count + l->deferred.count;
	struct wr w = handover_begin_section(out, HANDOVER_QUEUE, SMALL_BYTES + count * 8);
	wr_u64(&w, s->id);
	ids_write(&w, &l->waiting);
	ids_write(&w, &l->knocking);
	ids_write(&w, &l->deferred);
	handover_end_section(out, &w);
}

static void time_wait_write(void *context, const struct port_place *place, int64_t until_ms)
{
	struct handover_out *out = context;
	struct wr w = handover_begin_section(out, HANDOVER_TIME_WAIT, SMALL_BYTES);
	place_write(&w, place);
	wr_u64(&w, (uint64_t)until_ms);
	handover_end_section(out, &w);
}

static void client_write(void *context, int fd, bool has_hello)
{
	struct handover_out *out = context;
	struct wr w = handover_begin_section(out, HANDOVER_CLIENT, SMALL_BYTES);
	handover_write_fd(out, &w, fd);
	wr_u8(&w, has_hello);
	handover_end_section(out, &w);
}

static void stack_write(struct handover_out *out, const struct net *net)
{
	int64_t room = net->ops->rest_export(net->stack, NULL, 0);
	struct wr w = handover_begin_section(out, HANDOVER_STACK, (size_t)room);
	int64_t length = w.bad ? 0 : net->ops->rest_export(net->stack, w.p, wr_left(&w));
	if (length > 0) {
		(void)wr_room(&w, (size_t)length);
	}
	handover_end_section(out, &w);
}

void handover_vhost_write(struct handover_out *out, struct net *net, bool has_stack)
{
	struct vhost *vhost = net->vhost;
	struct wr w = handover_begin_section(out, HANDOVER_NETWORK, SMALL_BYTES);
	wr_u64(&w, net->nwid);
	handover_write_fd(out, &w, vhost->listen.fd);
	handover_end_section(out, &w);
	rpcd_clients_each(vhost, client_write, out);
	for (const struct vsock *s = vhost->all.first; s; s = s->all.next) {
		vsock_write(out, s, has_stack);
	}
	for (const struct vsock *s = vhost->all.first; s; s = s->all.next) {
		if (s->listener) {
			queue_write(out, s);
		}
	}
	ports_time_wait_each(vhost->ports, time_wait_write, out);
	if (has_stack && net->stack) {
		stack_write(out, net);
	}
}
