/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works
 *
 * This is the outside of liblwip.so: the table of stack.h and the life of the one stack that a
 * loaded copy holds. Time, randomness and frames come from the caller. input() lets lwIP read all
 * frames of a batch first; what lwIP reports meanwhile becomes events on the connections
 * (stk_tcp_event.c), and these are delivered once at the end. So no callback runs while lwIP works,
 * a callback may call any operation on any connection, and a batch of segments makes one
 * `readable`.
 */
#include "stack/stack.h"

#include "stack/hooks.h"
#include "stack/internal.h"

#include <errno.h>
#include <lwip/init.h>
#include <lwip/stats.h>
#include <string.h>

enum { MTU_MIN = 576, MTU_MAX = 10000 };

struct stack the_stack;

static struct stack *create(const struct stack_config *config)
{
	struct stack *s = &the_stack;
	if (s->is_open || config->size < sizeof(*config) || config->mtu < MTU_MIN ||
	    config->mtu > MTU_MAX || config->callbacks->size < sizeof(*config->callbacks)) {
		return NULL;
	}
	*s = (struct stack){
		.is_open = true,
		.callbacks = config->callbacks,
		.context = config->context,
		.now_ms = config->now_ms,
		.mtu = config->mtu,
		.conflict_told_ms = INT64_MIN / 2,
		.icmp_refilled_ms = config->now_ms - 1000, /* a full burst */
		.heap_bytes = s->heap_bytes,
	};
	memcpy(s->mac, config->mac, sizeof(s->mac));
	config->callbacks->random(config->context, s->hash_key, sizeof(s->hash_key));
	config->callbacks->random(config->context, &s->next_id, sizeof(s->next_id));
	neigh_init(&s->neighbours);
	lwip_init();
	stk_tcp_clock(s);
	return s;
}

static void destroy(struct stack *s)
{
	stk_tcp_close_all(s);
	addr_close(s);
	fragments_close(&s->fragments);
	demux_close(s);
	timewait_close(s);
	stk_heap_free(s->groups);
	stk_heap_free(s->ports);
	neigh_close(&s->neighbours);
	*s = (struct stack){ .heap_bytes = s->heap_bytes }; /* 0, or something leaks */
}

/* Operations do not carry the time, and the caller's clock may have moved on since it was last
 * told. So deadline() asks to be told after each operation, and what the operation dated is dated
 * anew. */
static void clock_set(struct stack *s, int64_t now_ms)
{
	int64_t last_ms = s->now_ms;
	if (now_ms > last_ms) { /* never back, whatever the caller's clock does */
		s->now_ms = now_ms;
	}
	stk_tcp_clock(s);
	if (s->has_undated) {
		neigh_redate(s, last_ms);
		s->has_undated = false;
	}
}

static void advance(struct stack *s, int64_t now_ms)
{
	clock_set(s, now_ms);
	s->is_clocked = true;
	stk_tcp_advance(s);
	timewait_advance(s);
	neigh_advance(s);
	fragments_advance(&s->fragments, s->now_ms);
	stk_tcp_deliver(s);
	s->is_clocked = false;
}

static void input(struct stack *s, const struct stack_frame *frames, size_t count, int64_t now_ms)
{
	clock_set(s, now_ms);
	s->is_clocked = true;
	for (size_t i = 0; i < count; i++) {
		frame_input(s, &frames[i]);
	}
	stk_tcp_deliver(s);
	s->is_clocked = false;
}

static int64_t deadline(const struct stack *s)
{
	if (s->has_undated) {
		return s->now_ms;
	}
	int64_t at = stk_tcp_deadline(s);
	int64_t ask = neigh_deadline(&s->neighbours);
	at = ask < at ? ask : at;
	int64_t names = timewait_deadline(s);
	at = names < at ? names : at;
	int64_t fragments = fragments_deadline(&s->fragments);
	return fragments < at ? fragments : at;
}

static int source_for(struct stack *s, const struct stack_ip *remote, struct stack_ip *out)
{
	struct ipa destination;
	const struct addr *a = ipa_read(remote, &destination) ? addr_source(s, &destination) : NULL;
	if (!a) {
		return -ENETUNREACH;
	}
	*out = ipa_name(&a->ip, 0);
	out->bits = (uint8_t)(out->family == 4 ? a->bits - 96 : a->bits);
	return 0;
}

static void stats(const struct stack *s, struct stack_stats *out)
{
	*out = s->counts;
	out->tcp_retransmitted = lwip_stats.mib2.tcpretranssegs;
	out->neighbours = s->neighbours.count;
	out->heap_bytes = s->heap_bytes;
	stk_tcp_count(s, out);
}

static bool neighbour(const struct stack *s, const struct stack_ip *ip, uint8_t mac[6])
{
	struct ipa a;
	return ipa_read(ip, &a) && neigh_peek(s, &a, mac);
}

__attribute__((visibility("default"))) const struct stack_ops *stack_open(uint32_t abi)
{
	static const struct stack_ops ops = {
		.abi = STACK_ABI,
		.size = sizeof(ops),
		.create = create,
		.destroy = destroy,
		.addresses_set = addr_set,
		.routes_set = addr_routes_set,
		.input = input,
		.advance = advance,
		.deadline = deadline,
		.tcp_listen = stk_tcp_listen,
		.tcp_unlisten = stk_tcp_unlisten,
		.tcp_connect = stk_tcp_connect,
		.source_for = source_for,
		.tcp_context_set = stk_tcp_set_context,
		.tcp_names = stk_tcp_names,
		.tcp_peek = stk_tcp_peek,
		.tcp_consumed = stk_tcp_consumed,
		.tcp_room = stk_tcp_room,
		.tcp_write = stk_tcp_write,
		.tcp_flush = stk_tcp_flush,
		.tcp_shutdown_write = stk_tcp_shutdown_write,
		.tcp_close = stk_tcp_close,
		.tcp_abort = stk_tcp_abort,
		.tcp_option_set = stk_tcp_option_set,
		.tcp_info = stk_tcp_info,
		.stats = stats,
		.neighbour = neighbour,
		.udp_open = stk_udp_open,
		.udp_close = stk_udp_close,
		.udp_send = stk_udp_send,
		.echo_send = stk_echo_send,
		.group_join = stk_group_join,
		.group_leave = stk_group_leave,
		.tcp_export = stk_tcp_export,
		.tcp_import = stk_tcp_import,
		.rest_export = stk_rest_export,
		.rest_import = stk_rest_import,
	};
	return abi == STACK_ABI ? &ops : NULL;
}
