/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a virtual host's programs see as its interface (RPC_INTERFACES, RPC_ROUTES). */
#ifndef SERVICE_INTERFACES_H
#define SERVICE_INTERFACES_H

#include "rpc/rpc.h"

struct net;

/* The answer into RPC_MAX_BYTES at `out`, all but the header; returns its length. */
size_t interfaces_write(const struct net *net, struct rpc_interfaces *out);

/* The same for RPC_ROUTES: the managed routes from number `first` on. */
size_t interfaces_routes_write(const struct net *net, uint32_t first, struct rpc_routes_reply *out);

#endif
