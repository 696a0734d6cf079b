/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* When a gateway is asked for a port, and what of its answers is believed. Pure. */
#ifndef SERVICE_PORTMAP_RULE_H
#define SERVICE_PORTMAP_RULE_H

#include "core/zt.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	PORTMAP_LIFETIME_S = 7200,    /* asked for; RFC 6886 recommends it */
	PORTMAP_RENEW_MS = 600000,    /* at the latest: a gateway may have restarted */
	PORTMAP_RENEW_MIN_MS = 30000, /* however short the lifetime that was granted */
	PORTMAP_RETRY_MS = 60000,     /* after a failure, doubled with each */
	PORTMAP_RETRY_MAX_MS = 3600000,
};

/* The times of one mapping, monotonic. */
struct portmap_rule {
	int64_t next_ms;    /* when to ask; INT64_MAX = never */
	int64_t expires_ms; /* when the mapping ends; INT64_MAX = there is none */
	unsigned failures;  /* in a row */
};

/* Nothing is wanted yet. */
void portmap_rule_init(struct portmap_rule *rule);
/* The addresses, the port or the settings are others now: ask at once, or no more. What was mapped
 * is void. */
void portmap_rule_changed(struct portmap_rule *rule, bool is_wanted, int64_t now_ms);
/* The operator asks: as soon as possible; a mapping stays what it is. */
void portmap_rule_hurry(struct portmap_rule *rule, int64_t now_ms);
/* The gateway granted so many seconds; 0 = for ever. */
void portmap_rule_mapped(struct portmap_rule *rule, uint32_t lifetime_s, int64_t now_ms);
void portmap_rule_failed(struct portmap_rule *rule, int64_t now_ms);
/* True once, when the mapping has ended without being renewed. */
bool portmap_rule_expired(struct portmap_rule *rule, int64_t now_ms);
/* When something is due. */
int64_t portmap_rule_deadline(const struct portmap_rule *rule, bool is_asking);

/* Is this address of ours one that a gateway could map to (IPv4, not loopback or link-local)? */
bool portmap_local_ok(const struct zt_endpoint *local);
/* May this address be spoken to as a gateway? Only what is near: private, shared, link-local. */
bool portmap_gateway_ok(const struct zt_endpoint *gateway);
/* Can the address that a gateway calls ours be told to peers? */
bool portmap_external_ok(const struct zt_endpoint *external);
/* The host of "http://1.2.3.4[:port][/...]", if it is one that portmap_gateway_ok. */
bool portmap_url_gateway(const char *url, struct zt_endpoint *out);

#endif
