/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* local.conf: "physical" and "virtual", what the operator knows of networks and peers (vl1 16). */
#include "service/localconf_parse.h"

#include "core/identity.h"
#include "service/api.h"

#include <string.h>

static bool rule_add(struct parse *p, const char *key, uint64_t peer, const char *text)
{
	struct settings *s = p->settings;
	if (s->path_rule_count == SETTINGS_MAX_PATH_RULES) {
		return localconf_refuse(p, key, "more than %d blacklisted networks",
					SETTINGS_MAX_PATH_RULES);
	}
	struct path_rule *rule = &s->path_rules[s->path_rule_count];
	rule->peer = peer;
	if (!localconf_take_net(p, key, text, &rule->net)) {
		return false;
	}
	s->path_rule_count++;
	return true;
}

/* vl1 16.2. The values that are not there stay 0: MTU as usual, no trust. */
static bool physical_values(struct parse *p, const char *net, const json_t *value,
			    struct zt_physical *out)
{
	const json_t *id = json_object_get(value, "trustedPathId");
	const json_t *mtu = json_object_get(value, "mtu");
	if (!json_is_object(value)) {
		return localconf_refuse(p, net, "must be an object");
	}
	if (id && (!json_is_integer(id) || json_integer_value(id) < 0)) {
		return localconf_refuse(p, net, "trustedPathId must be a number");
	}
	if (mtu && !json_is_integer(mtu)) {
		return localconf_refuse(p, net, "mtu must be a number");
	}
	json_int_t bytes = json_integer_value(mtu);
	out->trusted_path_id = (uint64_t)json_integer_value(id);
	out->mtu = bytes <= 0 ? 0 : bytes > UINT16_MAX ? UINT16_MAX : (uint16_t)bytes;
	return true;
}

bool localconf_take_physical(struct parse *p, json_t *physical)
{
	struct settings *s = p->settings;
	const char *net;
	json_t *value;
	s->physical_count = 0;
	json_object_foreach(physical, net, value)
	{
		struct zt_physical *entry = &s->physical[s->physical_count];
		if (s->physical_count == ZT_MAX_PHYSICAL) {
			return localconf_refuse(p, net, "more than %d networks", ZT_MAX_PHYSICAL);
		}
		*entry = (struct zt_physical){ 0 };
		if (!localconf_take_net(p, net, net, &entry->net) ||
		    !physical_values(p, net, value, entry)) {
			return false;
		}
		s->physical_count++;
		if (json_is_true(json_object_get(value, "blacklist")) &&
		    !rule_add(p, net, 0, net)) {
			return false;
		}
	}
	return true;
}

static bool hint_add(struct parse *p, const char *key, uint64_t peer, const char *text)
{
	struct settings *s = p->settings;
	struct zt_hint *hint = &s->hints[s->hint_count];
	if (s->hint_count == ZT_MAX_HINTS) {
		return localconf_refuse(p, key, "more than %d addresses to try", ZT_MAX_HINTS);
	}
	if (!text || !endpoint_parse(text, &hint->at) || hint->at.port == 0) {
		return localconf_refuse(
		    p, key, "\"%.60s\" is not an address such as 192.0.2.1/9993", text ? text : "");
	}
	hint->peer = peer;
	s->hint_count++;
	return true;
}

/* Each text of a list, if there is one, through `add`. */
static bool take_texts(struct parse *p, const char *key, uint64_t peer, const json_t *list,
		       bool (*add)(struct parse *p, const char *key, uint64_t peer,
				   const char *text))
{
	if (list && !json_is_array(list)) {
		return localconf_refuse(p, key, "blacklist and try must be lists");
	}
	size_t i;
	const json_t *text;
	json_array_foreach(list, i, text)
	{
		if (!add(p, key, peer, json_string_value(text))) {
			return false;
		}
	}
	return true;
}

bool localconf_take_virtual(struct parse *p, json_t *virtual_peers)
{
	const char *peer;
	json_t *value;
	p->settings->hint_count = 0;
	json_object_foreach(virtual_peers, peer, value)
	{
		uint64_t address;
		if (!api_id(peer, ADDRESS_DIGITS, &address)) {
			return localconf_refuse(p, peer, "is not an address of ten hex digits");
		}
		if (!take_texts(p, peer, address, json_object_get(value, "blacklist"), rule_add) ||
		    !take_texts(p, peer, address, json_object_get(value, "try"), hint_add)) {
			return false;
		}
	}
	return true;
}
