/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Keeping a network's stack in line with what the core has learnt: addresses, routes, MTU.
 *
 * The core says that something changed by an event from inside its own work; that only marks the
 * network, and net_settle_all looks at it at the end of the turn.
 *
 * Beside what the controller assigns, the interface has its link-local address, derived from the
 * MAC as Linux's does (RFC 4291, appendix A). IPv6 wants an MTU of 1280: below, the stack gets the
 * IPv4 part alone, because it refuses a whole list for one bad entry.
 */
#include "service/hold.h"
#include "service/log.h"
#include "service/net.h"
#include "service/net_policy.h"
#include "service/resolver.h"
#include "service/service.h"
#include "service/vhost.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { IPV6_MTU_MIN = 1280, LINK_LOCAL_BITS = 64 };

static unsigned long long id_of(const struct net *net)
{
	return net->nwid;
}

static bool is_same_ip(const struct stack_ip *a, const struct stack_ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

bool net_is_own_address(const struct net *net, const struct stack_ip *ip)
{
	for (size_t i = 0; i < net->address_count; i++) {
		if (is_same_ip(&net->addresses[i], ip)) {
			return true;
		}
	}
	return is_same_ip(&net->link_local, ip);
}

static bool mtu_allows(const struct zt_network_view *view, uint8_t family)
{
	return family == 4 || view->mtu >= IPV6_MTU_MIN;
}

static struct stack_ip stack_ip_of(const struct zt_endpoint *e)
{
	struct stack_ip ip = { .family = e->family, .bits = (uint8_t)e->port };
	memcpy(ip.bytes, e->ip, sizeof ip.bytes);
	return ip;
}

static bool addresses_differ(const struct net *net, const struct stack_ip *list, size_t count)
{
	if (count != net->address_count) {
		return true;
	}
	for (size_t i = 0; i < count; i++) {
		if (!is_same_ip(&list[i], &net->addresses[i]) ||
		    list[i].bits != net->addresses[i].bits) {
			return true;
		}
	}
	return false;
}

size_t net_stack_addresses(const struct net_policy *policy, const struct zt_network_view *view,
			   struct stack_ip out[STACK_MAX_ADDRESSES])
{
	size_t count = 0;
	for (size_t i = 0; i < view->address_count && count < STACK_MAX_ADDRESSES - 1; i++) {
		const struct zt_endpoint *address = &view->addresses[i];
		if (mtu_allows(view, address->family) && net_policy_allows(policy, address)) {
			out[count++] = stack_ip_of(address);
		}
	}
	return count;
}

struct stack_ip net_link_local(const struct zt_network_view *view, size_t address_count)
{
	struct stack_ip ip = { .family = 0 };
	if (address_count == 0 || !mtu_allows(view, 6)) {
		return ip;
	}
	uint8_t mac[6];
	for (int i = 0; i < 6; i++) {
		mac[i] = (uint8_t)(view->mac >> (40 - 8 * i));
	}
	ip = (struct stack_ip){ .bytes = { 0xfe, 0x80, [11] = 0xff, [12] = 0xfe },
				.family = 6,
				.bits = LINK_LOCAL_BITS };
	memcpy(ip.bytes + 8, mac, 3);
	memcpy(ip.bytes + 13, mac + 3, 3);
	ip.bytes[8] ^= 2; /* the bit that says "unique" has the other sense here */
	return ip;
}

static void addresses_update(struct net *net, const struct zt_network_view *view)
{
	struct stack_ip list[STACK_MAX_ADDRESSES];
	size_t count = net_stack_addresses(&net->policy, view, list);
	struct stack_ip link_local = net_link_local(view, count);
	if (!addresses_differ(net, list, count) && is_same_ip(&link_local, &net->link_local)) {
		return;
	}
	size_t total = count;
	if (link_local.family != 0) { /* last: it is nobody's first choice */
		list[total++] = link_local;
	}
	int error = net->ops->addresses_set(net->stack, list, total);
	if (error != 0) {
		errno = -error;
		log_err_errno("net", "cannot set the addresses nwid=%016llx", id_of(net));
		return;
	}
	memcpy(net->addresses, list, count * sizeof *list);
	net->address_count = count;
	net->link_local = link_local;
	log_info("net", "addresses changed nwid=%016llx count=%zu", id_of(net), count);
}

size_t net_stack_routes(const struct net *net, const struct zt_network_view *view,
			struct stack_route out[STACK_MAX_ROUTES])
{
	size_t count = 0;
	for (size_t i = 0; i < view->route_count && count < STACK_MAX_ROUTES; i++) {
		const struct zt_route *route = &view->routes[i];
		struct stack_ip via = stack_ip_of(&route->via);
		if (mtu_allows(view, route->target.family) &&
		    (via.family == 0 || via.family == route->target.family) &&
		    net_policy_allows(&net->policy, &route->target) &&
		    (via.family == 0 || !net_is_own_address(net, &via))) {
			out[count++] = (struct stack_route){ .target = stack_ip_of(&route->target),
							     .via = via };
		}
	}
	return count;
}

static void routes_update(struct net *net, const struct zt_network_view *view)
{
	struct stack_route list[STACK_MAX_ROUTES];
	size_t count = net_stack_routes(net, view, list);
	int error = net->ops->routes_set(net->stack, list, count);
	if (error != 0) {
		errno = -error;
		log_err_errno("net", "cannot set the routes nwid=%016llx", id_of(net));
		return;
	}
	memcpy(net->routes, list, count * sizeof *list);
	net->route_count = count;
}

/* The stack's MTU is fixed when it is made. As long as no program has a socket, it is made anew. */
static void mtu_update(struct net *net, const struct zt_network_view *view)
{
	if (view->status != ZT_NETWORK_OK || view->mtu == net->mtu) {
		return;
	}
	struct vhost_stats stats;
	vhost_stats(net->vhost, &stats);
	if (stats.sockets > 0) {
		log_warn("net",
			 "the network's MTU changed; it applies after a restart of the service "
			 "nwid=%016llx now=%u wanted=%u",
			 id_of(net), net->mtu, view->mtu);
		return;
	}
	resolver_free(net);
	net->ops->destroy(net->stack);
	net->stack = NULL;
	net->address_count = 0;
	net->link_local = (struct stack_ip){ .family = 0 };
	if (net_stack_make(net, view->mtu) != 0) {
		(void)zt_leave(net->service->node, loop_now(net->service->loop), net->nwid);
	}
}

/* Nothing of it reaches the resolver of the host, so "allowDNS" only says whether we use it. */
static void dns_update(struct net *net, const struct zt_network_view *view)
{
	size_t count = net->policy.dns ? view->dns_count : 0;
	(void)snprintf(net->domain, sizeof net->domain, "%s",
		       net->policy.dns ? view->dns_domain : "");
	net->dns_count = 0;
	for (size_t i = 0; i < count; i++) {
		net->dns[net->dns_count++] = stack_ip_of(&view->dns[i]);
	}
	resolver_update(net);
}

void net_update(struct net *net)
{
	struct zt_network_view view;
	net->is_stale = false;
	if (!net->stack || !zt_network_find(net->service->node, net->nwid, &view)) {
		return;
	}
	mtu_update(net, &view);
	if (!net->stack) {
		return;
	}
	bool was_ok = net->is_ok;
	(void)snprintf(net->name, sizeof net->name, "%s", view.name);
	dns_update(net, &view);
	addresses_update(net, &view);
	routes_update(net, &view);
	net->is_ok = view.status == ZT_NETWORK_OK && net->address_count > 0;
	if (net->is_ok != was_ok) {
		log_info("net", "%s nwid=%016llx", net->is_ok ? "ready" : "not ready", id_of(net));
	}
	vhost_update(net->vhost);
	hold_stir(net->service);
}

void net_mark(struct service *service, uint64_t nwid)
{
	struct net *net = net_find(service, nwid);
	if (net) {
		net->is_stale = true;
	}
}

void net_settle_all(struct service *service)
{
	for (struct net *net = service->networks; net; net = net->next) {
		if (net->is_stale) {
			net_update(net);
		}
	}
}
