/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/network.h"

#include "core/addr.h"
#include "core/filter.h"
#include "core/limit.h"
#include "core/mem.h"

#include <stdio.h>
#include <string.h>

struct network *network_new(uint64_t nwid, uint64_t self)
{
	struct network *network = zt_calloc(1, sizeof(*network));
	if (!network) {
		return NULL;
	}
	network->nwid = nwid;
	network->mac = addr_mac(nwid, self);
	network->controller = addr_controller(nwid);
	network->status = ZT_NETWORK_REQUESTING_CONFIGURATION;
	network->config_ms = LIMIT_NEVER_MS;
	network->requested_ms = LIMIT_NEVER_MS;
	network->announce_ms = LIMIT_NEVER_MS;
	network->announce_repeats = NETWORK_ANNOUNCE_REPEATS;
	members_init(&network->members, nwid);
	return network;
}

void network_free(struct network *network)
{
	netconf_free(network->config);
	reassembly_fini(&network->reassembly);
	members_fini(&network->members);
	bridged_fini(&network->bridged);
	zt_free(network->groups);
	zt_free(network);
}

bool network_apply_take(struct network *network, struct netconf *config)
{
	bool was_ok = network->status == ZT_NETWORK_OK;
	network->status = ZT_NETWORK_OK;
	if (network->config && netconf_equal(network->config, config)) {
		netconf_free(config);
		return !was_ok;
	}
	netconf_free(network->config);
	network->config = config;
	network->config_serial++;
	network->is_open = filter_is_open(config->rules, config->rule_count);
	return true;
}

const struct com *network_com(const struct network *network)
{
	return network->config && network->config->has_com ? &network->config->com : NULL;
}

bool network_allows(const struct network *network, struct member *member,
		    const struct identity *identity)
{
	if (!network->config) {
		return false;
	}
	return network_is_public(network) ||
	       member_agrees(member, network_com(network), network->config_serial, identity);
}

struct held_window network_window(const struct network *network)
{
	const struct netconf *config = network->config;
	return (struct held_window){ .config_timestamp = config ? config->timestamp : 0,
				     .delta = config ? config->credential_delta_ms : 0 };
}

bool network_is_bridge(const struct network *network, uint64_t address)
{
	return network->config && netconf_has_role(network->config, address, SPECIALIST_BRIDGE);
}

size_t network_bridges(const struct network *network, uint64_t self, uint64_t *out, size_t max)
{
	const struct netconf *config = network->config;
	size_t n = 0;
	for (size_t i = 0; i < config->specialist_count && n < max; i++) {
		uint64_t address = config->specialists[i] & VL2_ADDRESS_MASK;
		if ((config->specialists[i] & SPECIALIST_BRIDGE) && address != self) {
			out[n++] = address;
		}
	}
	return n;
}

/* Where the group is, or where it belongs. */
static size_t group_place(const struct network *network, uint64_t mac, uint32_t adi)
{
	size_t low = 0, high = network->group_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct zt_group *g = &network->groups[middle];
		if (g->mac < mac || (g->mac == mac && g->adi < adi)) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

bool network_group_has(const struct network *network, uint64_t mac, uint32_t adi)
{
	size_t i = group_place(network, mac, adi);
	return i < network->group_count && network->groups[i].mac == mac &&
	       network->groups[i].adi == adi;
}

bool network_group_add(struct network *network, uint64_t mac, uint32_t adi)
{
	if (network_group_has(network, mac, adi) || network->group_count >= VL2_SUBSCRIPTIONS_MAX) {
		return false;
	}
	if (network->group_count == network->group_capacity) {
		size_t capacity = network->group_capacity ? 2 * network->group_capacity : 8;
		struct zt_group *groups = zt_realloc(network->groups, capacity * sizeof(*groups));
		if (!groups) {
			return false;
		}
		network->groups = groups;
		network->group_capacity = capacity;
	}
	size_t i = group_place(network, mac, adi);
	memmove(&network->groups[i + 1], &network->groups[i],
		(network->group_count - i) * sizeof(*network->groups));
	network->groups[i] = (struct zt_group){ .mac = mac, .adi = adi };
	network->group_count++;
	return true;
}

bool network_group_remove(struct network *network, uint64_t mac, uint32_t adi)
{
	if (!network_group_has(network, mac, adi)) {
		return false;
	}
	size_t i = group_place(network, mac, adi);
	network->group_count--;
	memmove(&network->groups[i], &network->groups[i + 1],
		(network->group_count - i) * sizeof(*network->groups));
	return true;
}

static void view_config(const struct netconf *config, struct zt_network_view *out)
{
	out->is_private = config->type == NETCONF_PRIVATE;
	out->is_broadcast_enabled = config->flags & NETCONF_BROADCAST;
	out->mtu = config->mtu;
	out->revision = config->revision;
	(void)snprintf(out->name, sizeof(out->name), "%s", config->name);
	out->address_count =
	    config->address_count < ZT_MAX_ADDRESSES ? config->address_count : ZT_MAX_ADDRESSES;
	memcpy(out->addresses, config->addresses, out->address_count * sizeof(*out->addresses));
	out->route_count =
	    config->route_count < ZT_MAX_ROUTES ? config->route_count : ZT_MAX_ROUTES;
	if (out->route_count > 0) {
		memcpy(out->routes, config->routes, out->route_count * sizeof(*out->routes));
	}
	(void)snprintf(out->dns_domain, sizeof(out->dns_domain), "%s", config->dns_domain);
	out->dns_count =
	    config->dns_count < ZT_MAX_DNS_SERVERS ? config->dns_count : ZT_MAX_DNS_SERVERS;
	memcpy(out->dns, config->dns, out->dns_count * sizeof(*out->dns));
}

static void view_login(const struct network *network, struct zt_network_view *out)
{
	const struct netconf_sso *sso = network->config ? network->config->sso : NULL;
	const char *url = network->login_url[0] ? network->login_url : sso ? sso->url : "";
	out->has_login = sso || network->status == ZT_NETWORK_AUTHENTICATION_REQUIRED;
	out->login_until_ms = sso ? (int64_t)sso->expiry_ms : 0;
	size_t length = strlen(url);
	if (length < sizeof(out->login_url)) {
		memcpy(out->login_url, url, length + 1);
	}
}

void network_view(const struct network *network, struct zt_network_view *out)
{
	memset(out, 0, sizeof(*out));
	out->nwid = network->nwid;
	out->mac = network->mac;
	out->status = network->status;
	out->is_private = true; /* before configuration (vl2 10) */
	out->mtu = VL2_MTU_DEFAULT;
	if (network->config) {
		view_config(network->config, out);
		out->is_bridge = network_is_bridge(network, network->config->issued_to);
	}
	view_login(network, out);
	out->frames_in = network->frames[ZT_IN];
	out->frames_out = network->frames[ZT_OUT];
	out->refused_in = network->refused[ZT_IN];
	out->refused_out = network->refused[ZT_OUT];
	out->heard_ms = network->config_ms == LIMIT_NEVER_MS ? 0 : network->config_ms;
	out->clock_skew_ms = network->clock_skew_ms;
	out->group_count = network->group_count < ZT_MAX_GROUPS_VIEWED ? network->group_count
								       : ZT_MAX_GROUPS_VIEWED;
	if (out->group_count > 0) {
		memcpy(out->groups, network->groups, out->group_count * sizeof(*out->groups));
	}
}
