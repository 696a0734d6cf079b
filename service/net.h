/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One joined network in the service: core frames <-> its private stack, addresses from the config.
 */
#ifndef SERVICE_NET_H
#define SERVICE_NET_H

#include "core/zt.h"
#include "service/stacklib.h"
#include "stack/stack.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct capture;
struct service;
struct resolver;
struct vhost; /* vhost.h: the virtual sockets of this network (rpcd, vsock, ports, relay) */

struct net {
	struct service *service;
	struct net *next;
	uint64_t nwid;
	struct stacklib library; /* the private copy of liblwip.so (design D2) */
	const struct stack_ops *ops;
	struct stack *stack;
	struct stack_callbacks callbacks; /* what the stack calls; vhost.c's and ours */
	struct vhost *vhost;
	size_t address_count;
	struct stack_ip addresses[STACK_MAX_ADDRESSES]; /* as last given to the stack */
	struct stack_ip link_local;                     /* likewise; family 0 = none */
	size_t route_count;
	struct stack_route routes[STACK_MAX_ROUTES]; /* likewise */
	bool is_ok;                                  /* status OK and at least one address */
	char socket_path[512];                       /* HOME/nc_<nwid>, the "device name" */
	struct resolver *resolver; /* resolver.h; NULL until a name is asked for */
	char domain[129];          /* of the names of its members, pushed; empty = none */
	struct stack_ip dns[ZT_MAX_DNS_SERVERS]; /* pushed, if allowDNS is on */
	size_t dns_count;
	char name[128];           /* of the network; empty = none yet */
	uint32_t mtu;             /* as the stack was made */
	struct capture *captures; /* capture.h; NULL = none under way */
	uint64_t capture_dropped; /* frames that a reader was too slow for */
	struct {                  /* the last member that claimed one of our addresses */
		struct stack_ip address;
		uint8_t mac[6];
		int64_t at_ms; /* monotonic; 0 = never */
	} conflict;
	bool is_stale;      /* the core reported a change: net_settle_all brings it over */
	struct net_policy { /* networks.d/<nwid>.local.conf; in a virtual host all default to on */
		bool managed, global, standard, dns; /* allowManaged, -Global, -Default, -DNS */
		size_t allowed_count;                /* allowManaged as a list: only these */
		struct zt_endpoint allowed[16];
	} policy;
};

/* Load a private stack, create HOME/nc/<nwid>/sock and the nc_<nwid> symlink, join in the core.
 * 0 or -errno; on failure a log line says why. */
int net_join(struct service *service, uint64_t nwid);
/* Leave: every virtual socket is reset, files are removed. -ENOENT. */
int net_leave(struct service *service, uint64_t nwid);
struct net *net_find(struct service *service, uint64_t nwid);
/* (Re)create the network's stack. 0 or -ENOMEM, logged. For net.c and net_update.c. */
int net_stack_make(struct net *net, uint32_t mtu);
/* Bring addresses and routes of the stack up to date with the core's view. Not from a core
 * callback: there, mark the network with net_mark and it happens at the end of the turn. */
void net_update(struct net *net);
/* What of the network's addresses and routes the stack is given: those that the policy allows (IPv6
 * only if the MTU does). How many were written. */
size_t net_stack_addresses(const struct net_policy *policy, const struct zt_network_view *view,
			   struct stack_ip out[STACK_MAX_ADDRESSES]);
/* The interface's own address, derived from its MAC, if it has any other. Family 0: none. */
struct stack_ip net_link_local(const struct zt_network_view *view, size_t address_count);
size_t net_stack_routes(const struct net *net, const struct zt_network_view *view,
			struct stack_route out[STACK_MAX_ROUTES]);
void net_mark(struct service *service, uint64_t nwid);
void net_settle_all(struct service *service);
/* The core's frames_in callback. */
void net_frames_in(struct service *service, uint64_t nwid, const struct zt_frame *frames,
		   size_t count);
/* Join what networks.d lists; a network that fails is logged and skipped. */
void net_join_listed(struct service *service);
/* Change the policy from a POST body and save it (vl2 10.1). Unknown keys and types are ignored. */
void net_policy_set(struct net *net, const json_t *body);
/* Is this one of the network's own addresses (host order port ignored)? */
bool net_is_own_address(const struct net *net, const struct stack_ip *ip);
void net_advance_all(struct service *service, int64_t now_ms);
int64_t net_deadline(const struct service *service);
void net_close_all(struct service *service);

#endif
