/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names for the programs of a virtual host (decision S8): RPC_RESOLVE, answered from what the
 * service knows itself and from the DNS servers that the network pushes, asked over the network.
 */
#ifndef SERVICE_RESOLVER_H
#define SERVICE_RESOLVER_H

#include "rpc/rpc.h"
#include "service/net.h"

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

struct vdgram_packet;

/* Answer the request of a program of `uid` on the descriptor `reply`, now or later; it is taken
 * over. */
void resolver_ask(struct net *net, const struct rpc_resolve *m, uid_t uid, int reply);
/* The network's servers may have changed. */
void resolver_update(struct net *net);
/* Questions under way are answered RPC_RESOLVE_AGAIN. Before the stack is destroyed. */
void resolver_free(struct net *net);
int64_t resolver_deadline(const struct net *net);
void resolver_advance(struct net *net);

/* Is this datagram an answer to one of its questions? Then it has been dealt with. */
bool resolver_datagram(struct net *net, const struct vdgram_packet *p);

/* The context of a stack connection: a struct vsock, which begins with its virtual host, or one of
 * the resolver's, which begins with NULL. */
static inline bool resolver_owns(const void *tcp_context)
{
	return *(void *const *)tcp_context == NULL;
}
/* The stack's events for such a connection: readable, writable, established, eof; closed. */
void resolver_on_tcp(void *tcp_context);
void resolver_on_closed(void *tcp_context, int error);

/* ---- resolver_order.c ------------------------------------------------------------------------ */

/* Sort addresses as RFC 6724 wants them, by the source addresses that the network would use. */
void resolver_order(const struct net *net, struct rpc_addr *list, size_t count);

/* ---- resolver_own.c -------------------------------------------------------------------------- */

/* Is `name` (no dot at its end) below the network's own domain, and whose is it? The addresses of
 * the member into `out`; -1 = not ours to answer. */
int resolver_own_find(const struct net *net, const char *name,
		      struct rpc_addr out[RPC_RESOLVE_RECORDS_MAX]);
/* The name of the member with this address, or false. */
bool resolver_own_name(const struct net *net, const struct rpc_addr *address, char *out,
		       size_t size);

#endif
