/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/portmap_rule.h"

#include <string.h>

void portmap_rule_init(struct portmap_rule *rule)
{
	*rule = (struct portmap_rule){ .next_ms = INT64_MAX, .expires_ms = INT64_MAX };
}

void portmap_rule_changed(struct portmap_rule *rule, bool is_wanted, int64_t now_ms)
{
	portmap_rule_init(rule);
	if (is_wanted) {
		rule->next_ms = now_ms;
	}
}

void portmap_rule_hurry(struct portmap_rule *rule, int64_t now_ms)
{
	rule->failures = 0;
	if (rule->next_ms != INT64_MAX) {
		rule->next_ms = now_ms;
	}
}

void portmap_rule_mapped(struct portmap_rule *rule, uint32_t lifetime_s, int64_t now_ms)
{
	int64_t lifetime_ms = (int64_t)(lifetime_s > 0 ? lifetime_s : PORTMAP_LIFETIME_S) * 1000;
	int64_t renew_ms = lifetime_ms / 2;
	renew_ms = renew_ms < PORTMAP_RENEW_MS ? renew_ms : PORTMAP_RENEW_MS;
	renew_ms = renew_ms > PORTMAP_RENEW_MIN_MS ? renew_ms : PORTMAP_RENEW_MIN_MS;
	rule->failures = 0;
	rule->next_ms = now_ms + renew_ms;
	/* Never before we have asked again. */
	rule->expires_ms =
	    now_ms + (lifetime_ms > renew_ms ? lifetime_ms : renew_ms + PORTMAP_RETRY_MS);
}

void portmap_rule_failed(struct portmap_rule *rule, int64_t now_ms)
{
	int64_t wait_ms = PORTMAP_RETRY_MS;
	for (unsigned i = 0; i < rule->failures && wait_ms < PORTMAP_RETRY_MAX_MS; i++) {
		wait_ms *= 2;
	}
	rule->failures++;
	rule->next_ms = now_ms + (wait_ms < PORTMAP_RETRY_MAX_MS ? wait_ms : PORTMAP_RETRY_MAX_MS);
}

bool portmap_rule_expired(struct portmap_rule *rule, int64_t now_ms)
{
	if (now_ms < rule->expires_ms) {
		return false;
	}
	rule->expires_ms = INT64_MAX;
	return true;
}

int64_t portmap_rule_deadline(const struct portmap_rule *rule, bool is_asking)
{
	if (is_asking || rule->expires_ms < rule->next_ms) {
		return rule->expires_ms;
	}
	return rule->next_ms;
}

bool portmap_local_ok(const struct zt_endpoint *local)
{
	return local->family == 4 && portmap_external_ok(local);
}

bool portmap_external_ok(const struct zt_endpoint *external)
{
	return endpoint_path_ok(external) && external->port != 0;
}

bool portmap_gateway_ok(const struct zt_endpoint *gateway)
{
	enum endpoint_scope scope = endpoint_scope(gateway);
	return gateway->family == 4 &&
	       (scope == SCOPE_PRIVATE || scope == SCOPE_SHARED || scope == SCOPE_LINK_LOCAL);
}

bool portmap_url_gateway(const char *url, struct zt_endpoint *out)
{
	static const char scheme[] = "http://";
	char host[16];
	if (!url || strncmp(url, scheme, sizeof scheme - 1) != 0) {
		return false;
	}
	const char *begin = url + sizeof scheme - 1;
	size_t length = strcspn(begin, ":/?#");
	if (length >= sizeof host) {
		return false;
	}
	memcpy(host, begin, length);
	host[length] = '\0';
	struct zt_endpoint e;
	if (!endpoint_parse(host, &e) || !portmap_gateway_ok(&e)) {
		return false;
	}
	*out = e;
	return true;
}
