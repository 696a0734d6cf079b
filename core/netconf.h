/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A network's configuration: from and to the dictionary of vl2 3.4.
 *
 * Members that may be many are heap arrays of exactly their count, so that a configuration takes a
 * few KiB for most networks and stays bounded by proto2.h for all.
 */
#ifndef CORE_NETCONF_H
#define CORE_NETCONF_H

#include "core/com.h"
#include "core/cred.h"
#include "core/proto2.h"
#include "core/rules.h"
#include "core/zt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Single sign-on (3.4, sso*): only there when the configuration says something about it. */
struct netconf_sso {
	char url[2048]; /* version 0: login URL */
	uint64_t expiry_ms;
	char issuer[2048], central[2048]; /* version 1 */
	char nonce[128], state[256], client_id[256], provider[64];
};

struct netconf {
	uint64_t nwid, timestamp, credential_delta_ms, revision;
	uint64_t issued_to;
	uint64_t trace_target, trace_level;
	uint64_t flags; /* enum netconf_flag */
	uint32_t multicast_limit, mtu;
	enum netconf_type type;
	char name[VL2_NAME_MAX_BYTES + 1];
	bool has_com;
	struct com com;
	size_t capability_count, tag_count, coo_count; /* capabilities and tags ascending by id */
	struct capability *capabilities;
	struct tag *tags;
	struct coo *coos;
	size_t specialist_count;
	uint64_t *specialists; /* address | SPECIALIST_* */
	size_t route_count;
	struct zt_route *routes;
	size_t address_count;
	struct zt_endpoint addresses[VL2_ADDRESSES_MAX]; /* port = prefix length */
	size_t rule_count;
	struct rule *rules;
	char dns_domain[VL2_DNS_DOMAIN_BYTES + 1];
	size_t dns_count;
	struct zt_endpoint dns[VL2_DNS_SERVERS_MAX];
	uint64_t sso_version;
	bool is_sso_enabled;
	struct netconf_sso *sso; /* NULL = none */
};

/* An empty configuration with the defaults of 3.4, or NULL without memory. */
struct netconf *netconf_new(void);
void netconf_free(struct netconf *nc); /* NULL is fine */

/* Parse a dictionary. ZT_E_UNSUPPORTED (format too old), ZT_E_MALFORMED, ZT_E_TOO_BIG,
 * ZT_E_NO_MEMORY. */
int netconf_parse(const void *dict, size_t length, struct netconf **out) ZT_MUST_CHECK;
/* Write the dictionary exactly in 3.4's order. A configuration at every limit at once can exceed
 * VL2_CONFIG_MAX_BYTES: ask w->bad. */
void netconf_write(struct wr *w, const struct netconf *nc);
/* Same content (order of specialists, routes and addresses matters)? */
bool netconf_equal(const struct netconf *a, const struct netconf *b);

/* Building. ZT_E_NO_ROOM at the limit, ZT_E_NO_MEMORY. Tags and capabilities are kept sorted. */
int netconf_add_capability(struct netconf *nc, const struct capability *cap) ZT_MUST_CHECK;
int netconf_add_tag(struct netconf *nc, const struct tag *tag) ZT_MUST_CHECK;
int netconf_add_coo(struct netconf *nc, const struct coo *coo) ZT_MUST_CHECK;
int netconf_add_specialist(struct netconf *nc, uint64_t specialist) ZT_MUST_CHECK;
int netconf_add_route(struct netconf *nc, const struct zt_route *route) ZT_MUST_CHECK;
int netconf_add_address(struct netconf *nc, const struct zt_endpoint *address) ZT_MUST_CHECK;
int netconf_add_rule(struct netconf *nc, const struct rule *rule) ZT_MUST_CHECK;

/* Is `address` a specialist with all of these roles? */
bool netconf_has_role(const struct netconf *nc, uint64_t address, uint64_t roles);

#endif
