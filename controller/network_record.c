/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a record starts from the held one (or nothing), missing fields get their
 * defaults, then each settable field present in the body goes through the function that normalises
 * it. Unknown fields of a body are ignored; unknown fields of a stored record are kept (vl2 9.2).
 */
#include "controller/coerce.h"
#include "controller/field.h"
#include "controller/record.h"
#include "controller/rules_json.h"
#include "core/proto2.h"

#include <stdlib.h>
#include <string.h>

/* ---- one function per kind of value: new reference, or NULL = leave the field as it is ----------
 */

static json_t *normal_mtu(const json_t *value)
{
	int64_t mtu = coerce_int(value, VL2_MTU_DEFAULT);
	return json_integer(mtu < VL2_MTU_MIN   ? VL2_MTU_MIN
			    : mtu > VL2_MTU_MAX ? VL2_MTU_MAX
						: mtu);
}

static json_t *normal_limit(const json_t *value)
{
	int64_t limit = coerce_int(value, 32);
	return json_integer(limit < 0 ? 0 : limit > UINT32_MAX ? UINT32_MAX : limit);
}

static json_t *normal_v4_mode(const json_t *value)
{
	const char *text = json_string_value(value);
	bool zt = text ? strcmp(text, "zt") == 0 : object_bool(value, "zt", false);
	return json_pack("{s:b}", "zt", zt);
}

static const char *const v6_modes[] = { "6plane", "rfc4193", "zt" };

/* Is `word` one of the comma-separated words of `list`? */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);
	while (*list) {
		size_t end = strcspn(list, ",");
		if (end == length && memcmp(list, word, length) == 0) {
			return true;
		}
		list += end + (list[end] == ',');
	}
	return false;
}

static json_t *normal_v6_mode(const json_t *value)
{
	const char *text = json_string_value(value);
	json_t *out = json_object();
	for (size_t i = 0; i < sizeof(v6_modes) / sizeof(v6_modes[0]); i++) {
		const json_t *given = json_object_get(value, v6_modes[i]);
		if (given) {
			(void)json_object_set_new(out, v6_modes[i],
						  json_boolean(coerce_bool(given, false)));
		} else if (!json_is_object(value)) {
			bool on = text && has_word(text, v6_modes[i]);
			(void)json_object_set_new(out, v6_modes[i], json_boolean(on));
		}
	}
	return out;
}

static json_t *normal_routes(const json_t *value)
{
	json_t *out = json_array();
	size_t size = coerce_array_size(value);
	for (size_t i = 0; i < size; i++) {
		const json_t *item = json_array_get(value, i);
		struct zt_endpoint target, via;
		bool has_bits, via_bits;
		if (!ip_parse(json_object_get(item, "target"), &target, &has_bits) || !has_bits ||
		    target.port > (target.family == 4 ? 32 : 128)) {
			continue;
		}
		bool has_via = ip_parse(json_object_get(item, "via"), &via, &via_bits) &&
			       via.family == target.family;
		(void)json_array_append_new(out, json_pack("{s:o,s:o}", "target",
							   ip_bits_json(&target), "via",
							   has_via ? ip_json(&via) : json_null()));
	}
	return out;
}

static json_t *normal_pools(const json_t *value)
{
	json_t *out = json_array();
	size_t size = coerce_array_size(value);
	for (size_t i = 0; i < size; i++) {
		const json_t *item = json_array_get(value, i);
		struct zt_endpoint start, end;
		bool has_bits;
		if (ip_parse(json_object_get(item, "ipRangeStart"), &start, &has_bits) &&
		    ip_parse(json_object_get(item, "ipRangeEnd"), &end, &has_bits) &&
		    start.family == end.family) {
			(void)json_array_append_new(out, json_pack("{s:o,s:o}", "ipRangeStart",
								   ip_json(&start), "ipRangeEnd",
								   ip_json(&end)));
		}
	}
	return out;
}

static json_t *normal_tokens(const json_t *value)
{
	if (!json_is_object(value)) {
		return json_pack("[n]");
	}
	json_t *out = json_deep_copy(value), *expiry;
	const char *token;
	void *next;
	json_object_foreach_safe(out, next, token, expiry)
	{
		int64_t until = json_is_number(expiry) ? coerce_int(expiry, -1) : -1;
		if (until < 0) {
			(void)json_object_del(out, token);
		} else {
			(void)json_object_set_new(out, token, json_integer(until));
		}
	}
	return out;
}

static json_t *normal_dns(const json_t *value)
{
	if (!json_is_object(value)) {
		return NULL;
	}
	json_t *out = json_object();
	const json_t *domain = json_object_get(value, "domain");
	const json_t *servers = json_object_get(value, "servers");
	if (json_is_string(domain)) {
		(void)json_object_set_new(out, "domain", coerce_string(domain));
	}
	if (json_is_array(servers)) {
		json_t *list = json_array();
		size_t size = coerce_array_size(servers);
		for (size_t i = 0; i < size; i++) {
			struct zt_endpoint ip;
			bool has_bits;
			if (ip_parse(json_array_get(servers, i), &ip, &has_bits)) {
				(void)json_array_append_new(list, ip_json(&ip));
			}
		}
		(void)json_object_set_new(out, "servers", list);
	}
	return out;
}

static json_t *normal_rules(const json_t *value)
{
	return json_is_array(value) ? rules_normalise(value) : NULL;
}

/* Insert by ascending id; an entry of the same id is replaced: the last one wins. */
static void insert_by_id(json_t *array, json_t *entry)
{
	json_int_t id = json_integer_value(json_object_get(entry, "id"));
	size_t low = 0, high = json_array_size(array);
	while (low < high) {
		size_t middle = (low + high) / 2;
		const json_t *at = json_array_get(array, middle);
		if (json_integer_value(json_object_get(at, "id")) < id) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	const json_t *at = json_array_get(array, low);
	if (at && json_integer_value(json_object_get(at, "id")) == id) {
		(void)json_array_set_new(array, low, entry);
	} else {
		(void)json_array_insert_new(array, low, entry);
	}
}

static json_t *normal_capabilities(const json_t *value)
{
	if (!json_is_array(value)) {
		return NULL;
	}
	json_t *out = json_array();
	size_t size = coerce_array_size(value);
	for (size_t i = 0; i < size; i++) {
		const json_t *item = json_array_get(value, i);
		if (json_is_object(item)) {
			insert_by_id(
			    out, json_pack("{s:I,s:b,s:o}", "id",
					   (json_int_t)(uint32_t)object_int(item, "id", 0),
					   "default", object_bool(item, "default", false), "rules",
					   rules_normalise(json_object_get(item, "rules"))));
		}
	}
	return out;
}

static json_t *normal_tags(const json_t *value)
{
	if (!json_is_array(value)) {
		return NULL;
	}
	json_t *out = json_array();
	size_t size = coerce_array_size(value);
	for (size_t i = 0; i < size; i++) {
		const json_t *item = json_array_get(value, i);
		if (!json_is_object(item)) {
			continue;
		}
		const json_t *given = json_object_get(item, "default");
		json_t *standard = given && !json_is_null(given)
				       ? json_integer((json_int_t)(uint32_t)coerce_int(given, 0))
				       : json_null();
		insert_by_id(out, json_pack("{s:I,s:o}", "id",
					    (json_int_t)(uint32_t)object_int(item, "id", 0),
					    "default", standard));
	}
	return out;
}

/* ---- the record ------------------------------------------------------------------------------ */

static const struct field settable[] = {
	{ "name", coerce_string },
	{ "private", field_bool },
	{ "enableBroadcast", field_bool },
	{ "multicastLimit", normal_limit },
	{ "mtu", normal_mtu },
	{ "v4AssignMode", normal_v4_mode },
	{ "v6AssignMode", normal_v6_mode },
	{ "routes", normal_routes },
	{ "ipAssignmentPools", normal_pools },
	{ "rules", normal_rules },
	{ "capabilities", normal_capabilities },
	{ "tags", normal_tags },
	{ "authTokens", normal_tokens },
	{ "dns", normal_dns },
	{ "remoteTraceTarget", field_trace_target },
	{ "remoteTraceLevel", field_int },
};

static json_t *defaults(uint64_t nwid, int64_t now_ms)
{
	char id[ID_TEXT_BYTES];
	id_text(nwid, 16, id);
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:s,s:b,s:b,s:i,s:i,"
			 "s:{s:b},s:{s:b,s:b,s:b},s:[],s:[],s:[{s:b,s:b,s:s}],s:[],s:[],s:[n],s:[],"
			 "s:n,s:i,s:s,s:b,s:s,s:s}",
			 "id", id, "nwid", id, "objtype", "network", "creationTime",
			 (json_int_t)now_ms, "revision", (json_int_t)0, "name", "", "private", 1,
			 "enableBroadcast", 1, "multicastLimit", 32, "mtu", VL2_MTU_DEFAULT,
			 "v4AssignMode", "zt", 0, "v6AssignMode", "rfc4193", 0, "zt", 0, "6plane",
			 0, "routes", "ipAssignmentPools", "rules", "not", 0, "or", 0, "type",
			 "ACTION_ACCEPT", "capabilities", "tags", "authTokens", "dns",
			 "remoteTraceTarget", "remoteTraceLevel", 0, "rulesSource", "",
			 "ssoEnabled", 0, "clientId", "", "authorizationEndpoint", "");
}

json_t *network_record(const json_t *held, const json_t *body, uint64_t nwid, int64_t now_ms)
{
	static const char *const removed[] = { "clock", "authorizedMemberCount",
					       "activeMemberCount", "totalMemberCount",
					       "lastModified" };
	json_t *record = held ? json_deep_copy(held) : json_object();
	json_t *standard = defaults(nwid, now_ms);
	(void)json_object_update_missing(record, standard);
	json_decref(standard);
	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
		(void)json_object_del(record, removed[i]);
	}
	if (json_is_object(body)) {
		/* Every POST that does not carry it resets the level (9.2). */
		(void)json_object_set_new(record, "remoteTraceLevel", json_integer(0));
	}
	fields_apply(record, body, settable, sizeof(settable) / sizeof(settable[0]));
	return record;
}
