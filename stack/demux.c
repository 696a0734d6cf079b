/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which connection does a segment belong to? A hash of the four names, chained through the
 * connections themselves, so that adding cannot fail: without memory to grow, chains get longer.
 * The key is random, for whoever connects chooses two of the names. The connection of the segment
 * before is looked at first. */
#include "stack/hooks.h"
#include "stack/internal.h"

#include <lwip/tcp.h>

enum { BUCKETS_FIRST = sizeof(the_stack.demux.first) / sizeof(the_stack.demux.first[0]) };

static uint32_t hash_of(const struct ip_addr *local, uint16_t local_port,
			const struct ip_addr *remote, uint16_t remote_port)
{
	struct {
		struct ipa local, remote;
		uint32_t ports;
	} names = { ipa_of_lwip(local), ipa_of_lwip(remote),
		    (uint32_t)local_port << 16 | remote_port };
	return (uint32_t)hash_siphash(the_stack.hash_key, &names, sizeof(names));
}

static struct tcp_pcb **bucket_of(struct demux *d, uint32_t hash)
{
	if (!d->buckets) {
		d->buckets = d->first;
		d->capacity = BUCKETS_FIRST;
	}
	return &d->buckets[hash & (d->capacity - 1)];
}

static void chain_in(struct tcp_pcb **bucket, struct tcp_pcb *pcb)
{
	pcb->extra.chain = *bucket;
	pcb->extra.chain_link = bucket;
	if (*bucket) {
		(*bucket)->extra.chain_link = &pcb->extra.chain;
	}
	*bucket = pcb;
}

static void grow(struct demux *d)
{
	struct tcp_pcb **old = d->buckets;
	uint32_t old_capacity = d->capacity;
	struct tcp_pcb **buckets =
	    stk_heap_calloc((size_t)old_capacity * 2, sizeof(struct tcp_pcb *));
	if (!buckets) {
		return;
	}
	d->buckets = buckets;
	d->capacity = old_capacity * 2;
	for (uint32_t i = 0; i < old_capacity; i++) {
		for (struct tcp_pcb *pcb = old[i], *next; pcb; pcb = next) {
			next = pcb->extra.chain;
			chain_in(bucket_of(d, pcb->extra.hash), pcb);
		}
	}
	if (old != d->first) {
		stk_heap_free((void *)old);
	}
}

void stk_demux_add(struct tcp_pcb *pcb)
{
	struct demux *d = &the_stack.demux;
	pcb->extra.hash =
	    hash_of(&pcb->local_ip, pcb->local_port, &pcb->remote_ip, pcb->remote_port);
	chain_in(bucket_of(d, pcb->extra.hash), pcb);
	if (++d->count > d->capacity) {
		grow(d);
	}
}

void stk_demux_remove(struct tcp_pcb *pcb)
{
	struct demux *d = &the_stack.demux;
	if (!pcb->extra.chain_link) {
		return;
	}
	*pcb->extra.chain_link = pcb->extra.chain;
	if (pcb->extra.chain) {
		pcb->extra.chain->extra.chain_link = pcb->extra.chain_link;
	}
	pcb->extra.chain = NULL;
	pcb->extra.chain_link = NULL;
	d->count--;
	if (d->recent == pcb) {
		d->recent = NULL;
	}
}

static bool is_named(const struct tcp_pcb *pcb, const struct ip_addr *local, uint16_t local_port,
		     const struct ip_addr *remote, uint16_t remote_port)
{
	return pcb->local_port == local_port && pcb->remote_port == remote_port &&
	       ip_addr_eq(&pcb->remote_ip, remote) && ip_addr_eq(&pcb->local_ip, local);
}

struct tcp_pcb *stk_demux_find(const struct ip_addr *local, uint16_t local_port,
			       const struct ip_addr *remote, uint16_t remote_port)
{
	struct demux *d = &the_stack.demux;
	if (d->recent && is_named(d->recent, local, local_port, remote, remote_port)) {
		return d->recent;
	}
	struct tcp_pcb *pcb = *bucket_of(d, hash_of(local, local_port, remote, remote_port));
	while (pcb && !is_named(pcb, local, local_port, remote, remote_port)) {
		pcb = pcb->extra.chain;
	}
	d->recent = pcb ? pcb : d->recent;
	return pcb;
}

void demux_close(struct stack *s)
{
	if (s->demux.buckets != s->demux.first) {
		stk_heap_free((void *)s->demux.buckets);
	}
}
