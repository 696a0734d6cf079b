/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One joined network in the service: core frames <-> its private stack, addresses from the config. */
#ifndef SERVICE_NET_H
#define SERVICE_NET_H

#include "core/zt.h"
#include "stack/stack.h"

#include <stdbool.h>
#include <stdint.h>

struct service;
struct vhost; /* vhost.h: the virtual sockets of this network (rpcd, vsock, ports, relay) */

struct net {
	struct service *service;
	struct net *next;
	uint64_t nwid;
	void *library;			/* dlopen handle of the private liblwip.so */
	int library_fd;			/* its memfd: numbers stay distinct while the handle lives (D2) */
	const struct stack_ops *ops;
	struct stack *stack;
	struct vhost *vhost;
	size_t address_count;
	struct stack_ip addresses[STACK_MAX_ADDRESSES]; /* as last given to the stack */
	bool is_ok;			/* status OK and at least one address */
	char socket_path[512];		/* HOME/nc_<nwid>, the "device name" */
};

/* Load a private stack, create HOME/nc/<nwid>/sock and the nc_<nwid> symlink, join in the core.
 * 0 or -errno; on failure a log line says why. */
int net_join(struct service *service, uint64_t nwid);
/* Leave: every virtual socket is reset, files are removed. -ENOENT. */
int net_leave(struct service *service, uint64_t nwid);
struct net *net_find(struct service *service, uint64_t nwid);
/* The core reports a change: bring addresses and routes of the stack up to date. */
void net_update(struct net *net);
/* Is this one of the network's own addresses (host order port ignored)? */
bool net_is_own_address(const struct net *net, const struct stack_ip *ip);
void net_advance_all(struct service *service, int64_t now_ms);
int64_t net_deadline(const struct service *service);
void net_close_all(struct service *service);

#endif
