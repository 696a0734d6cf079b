/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The configuration of one member, from the records (vl2 9.4, "build config"). Nothing is signed
 * here: sign.c does that on another thread. */
#include "controller/coerce.h"
#include "controller/plan.h"
#include "core/addr.h"
#include "core/dict.h"

#include <stdio.h>
#include <string.h>

enum { COO_ID = 1 };

static uint64_t credential_delta(const json_t *network)
{
	int64_t window =
	    object_int(network, "certificateTimeoutWindowSize", VL2_CREDENTIAL_DELTA_DEFAULT_MS);
	return window < VL2_CREDENTIAL_DELTA_MIN_MS   ? VL2_CREDENTIAL_DELTA_MIN_MS
	       : window > VL2_CREDENTIAL_DELTA_MAX_MS ? VL2_CREDENTIAL_DELTA_MAX_MS
						      : (uint64_t)window;
}

static void build_scalars(struct netconf *nc, const struct ctl_member *m, int64_t now_ms)
{
	const json_t *network = m->network->record;
	nc->nwid = m->network->nwid;
	nc->timestamp = (uint64_t)now_ms;
	nc->credential_delta_ms = credential_delta(network);
	nc->revision = (uint64_t)object_int(network, "revision", 0);
	nc->issued_to = m->address;
	nc->multicast_limit = (uint32_t)object_int(network, "multicastLimit", 32);
	int64_t mtu = object_int(network, "mtu", VL2_MTU_DEFAULT);
	nc->mtu = mtu < VL2_MTU_MIN ? VL2_MTU_MIN : mtu > VL2_MTU_MAX ? VL2_MTU_MAX : (uint32_t)mtu;
	nc->type = object_bool(network, "private", true) ? NETCONF_PRIVATE : NETCONF_PUBLIC;
	nc->flags = object_bool(network, "enableBroadcast", true) ? NETCONF_BROADCAST : 0;
	(void)snprintf(nc->name, sizeof(nc->name), "%s", object_text(network, "name"));
	/* The member's trace target wins over the network's. */
	const json_t *trace =
	    strlen(object_text(m->record, "remoteTraceTarget")) == 10 ? m->record : network;
	if (strlen(object_text(trace, "remoteTraceTarget")) == 10) {
		nc->trace_target = coerce_hex(json_object_get(trace, "remoteTraceTarget"));
		nc->trace_level = (uint64_t)object_int(trace, "remoteTraceLevel", 0);
	}
}

static int build_rules(struct netconf *nc, const struct plan *p, bool has_rules_engine)
{
	static const struct rule accept = { .type = RULE_ACCEPT };
	int err = 0;
	if (!has_rules_engine) {
		return netconf_add_rule(nc, &accept);
	}
	for (size_t i = 0; !err && i < p->rule_count; i++) {
		err = netconf_add_rule(nc, &p->rules[i]);
	}
	return err;
}

static int build_capabilities(struct netconf *nc, const struct plan *p, const struct ctl_member *m)
{
	const json_t *ids = json_object_get(m->record, "capabilities");
	size_t size = coerce_array_size(ids);
	int err = 0;
	for (size_t i = 0; !err && i < size && nc->capability_count < VL2_CAPABILITIES_MAX; i++) {
		uint32_t id = (uint32_t)coerce_int(json_array_get(ids, i), 0);
		const struct plan_capability *from = plan_capability_find(p, id);
		if (!from) {
			continue;
		}
		struct capability cap = { .nwid = nc->nwid,
					  .timestamp = nc->timestamp,
					  .id = id,
					  .custody_max = 1,
					  .rule_count = from->rule_count };
		memcpy(cap.rules, from->rules, from->rule_count * sizeof(cap.rules[0]));
		err = netconf_add_capability(nc, &cap);
	}
	return err;
}

static int build_tags(struct netconf *nc, const struct ctl_member *m)
{
	const json_t *pairs = json_object_get(m->record, "tags");
	size_t size = coerce_array_size(pairs);
	int err = 0;
	for (size_t i = 0; !err && i < size && nc->tag_count < VL2_TAGS_MAX; i++) {
		const json_t *pair = json_array_get(pairs, i);
		struct tag tag = { .nwid = nc->nwid,
				   .timestamp = nc->timestamp,
				   .id = (uint32_t)coerce_int(json_array_get(pair, 0), 0),
				   .value = (uint32_t)coerce_int(json_array_get(pair, 1), 0),
				   .issued_to = m->address };
		err = netconf_add_tag(nc, &tag);
	}
	return err;
}

static void build_addresses(struct netconf *nc, const struct plan *p, const struct ctl_member *m)
{
	if (!object_bool(m->record, "noAutoAssignIps", false)) {
		if (p->has_rfc4193) {
			nc->addresses[nc->address_count++] = addr_rfc4193(nc->nwid, m->address);
		}
		if (p->has_6plane) {
			nc->addresses[nc->address_count++] = addr_6plane(nc->nwid, m->address);
		}
		nc->flags |= nc->address_count > 0 ? NETCONF_NDP_EMULATION : 0;
	}
	nc->address_count += plan_assigned(p, m->record, nc->addresses + nc->address_count,
					   VL2_ADDRESSES_MAX - nc->address_count);
}

/* One certificate of ownership for all addresses, as far as it holds them. */
static int build_coo(struct netconf *nc)
{
	if (nc->address_count == 0) {
		return 0;
	}
	struct coo coo = { .nwid = nc->nwid,
			   .timestamp = nc->timestamp,
			   .id = COO_ID,
			   .issued_to = nc->issued_to };
	for (size_t i = 0; i < nc->address_count && i < VL2_COO_THINGS_MAX; i++) {
		const struct zt_endpoint *ip = &nc->addresses[i];
		coo.things[i].type = ip->family == 4 ? COO_IPV4 : COO_IPV6;
		memcpy(coo.things[i].value, ip->ip, ip->family == 4 ? 4 : 16);
		coo.thing_count++;
	}
	return netconf_add_coo(nc, &coo);
}

static void build_dns(struct netconf *nc, const json_t *network)
{
	const json_t *dns = json_object_get(network, "dns");
	const json_t *servers = json_object_get(dns, "servers");
	size_t size = coerce_array_size(servers);
	(void)snprintf(nc->dns_domain, sizeof(nc->dns_domain), "%s", object_text(dns, "domain"));
	for (size_t i = 0; i < size && nc->dns_count < VL2_DNS_SERVERS_MAX; i++) {
		struct zt_endpoint ip;
		bool has_bits;
		if (ip_parse(json_array_get(servers, i), &ip, &has_bits)) {
			ip.port = 0;
			nc->dns[nc->dns_count++] = ip;
		}
	}
}

struct netconf *config_build(struct controller *c, struct ctl_member *m)
{
	const struct plan *p = plan_of(c, m->network);
	struct netconf *nc = p ? netconf_new() : NULL;
	if (!nc) {
		return NULL;
	}
	struct dict metadata = dict_init(m->metadata, m->metadata_length);
	bool has_rules_engine = dict_u64(&metadata, "revr", 0) != 0;
	build_scalars(nc, m, c->now.wall_ms);
	build_addresses(nc, p, m);
	build_dns(nc, m->network->record);
	int err = build_rules(nc, p, has_rules_engine);
	if (!err && has_rules_engine) {
		err = build_capabilities(nc, p, m);
	}
	if (!err && has_rules_engine) {
		err = build_tags(nc, m);
	}
	for (size_t i = 0; !err && i < p->bridge_count; i++) {
		err = netconf_add_specialist(nc, p->bridges[i] | SPECIALIST_BRIDGE);
	}
	for (size_t i = 0; !err && i < p->route_count; i++) {
		err = netconf_add_route(nc, &p->routes[i]);
	}
	if (!err) {
		err = build_coo(nc);
	}
	if (err) {
		netconf_free(nc);
		return NULL;
	}
	nc->has_com = true;
	com_make(&nc->com, nc->timestamp, nc->credential_delta_ms, nc->nwid, &m->identity);
	return nc;
}
