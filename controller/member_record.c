/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Member records (vl2 9.3); see network_record.c for how a record is made. */
#include "controller/coerce.h"
#include "controller/field.h"
#include "controller/record.h"

#include <string.h>

/* Invalid entries are dropped, /bits is stripped. */
static json_t *normal_assignments(const json_t *value)
{
	if (!json_is_array(value)) {
		return NULL;
	}
	json_t *out = json_array();
	size_t size = coerce_array_size(value);
	for (size_t i = 0; i < size; i++) {
		struct zt_endpoint ip;
		bool has_bits;
		if (ip_parse(json_array_get(value, i), &ip, &has_bits)) {
			(void)json_array_append_new(out, ip_json(&ip));
		}
	}
	return out;
}

/* Where `id` is or belongs in an array sorted by id; entries are ids or [id, value] pairs. */
static size_t find_sorted(const json_t *array, json_int_t id, bool *is_there)
{
	size_t low = 0, high = json_array_size(array);
	*is_there = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const json_t *at = json_array_get(array, middle);
		json_int_t key = json_integer_value(json_is_array(at) ? json_array_get(at, 0) : at);
		if (key == id) {
			*is_there = true;
			return middle;
		}
		if (key < id) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static json_t *normal_tags(const json_t *value)
{
	if (!json_is_array(value)) {
		return NULL;
	}
	json_t *out = json_array();
	size_t size = coerce_array_size(value);
	for (size_t i = 0; i < size; i++) {
		const json_t *pair = json_array_get(value, i);
		if (!json_is_array(pair) || json_array_size(pair) != 2) {
			continue;
		}
		json_int_t id = (uint32_t)coerce_int(json_array_get(pair, 0), 0);
		json_int_t tag = (uint32_t)coerce_int(json_array_get(pair, 1), 0);
		bool is_there;
		size_t at = find_sorted(out, id, &is_there);
		json_t *entry = json_pack("[I,I]", id, tag);
		(void)(is_there ? json_array_set_new(out, at, entry)
				: json_array_insert_new(out, at, entry));
	}
	return out;
}

static json_t *normal_capabilities(const json_t *value)
{
	if (!json_is_array(value)) {
		return NULL;
	}
	json_t *out = json_array();
	size_t size = coerce_array_size(value);
	for (size_t i = 0; i < size; i++) {
		json_int_t id = (uint32_t)coerce_int(json_array_get(value, i), 0);
		bool is_there;
		size_t at = find_sorted(out, id, &is_there);
		if (!is_there) {
			(void)json_array_insert_new(out, at, json_integer(id));
		}
	}
	return out;
}

static const struct field settable[] = {
	{ "activeBridge", field_bool },
	{ "noAutoAssignIps", field_bool },
	{ "ipAssignments", normal_assignments },
	{ "tags", normal_tags },
	{ "capabilities", normal_capabilities },
	{ "name", coerce_string },
	{ "remoteTraceTarget", field_trace_target },
	{ "remoteTraceLevel", field_int },
	{ "authenticationExpiryTime", field_int },
};

static json_t *defaults(uint64_t nwid, uint64_t address, int64_t now_ms)
{
	char id[ID_TEXT_BYTES], network[ID_TEXT_BYTES];
	id_text(address, 10, id);
	id_text(nwid, 16, network);
	return json_pack("{s:s,s:s,s:s,s:s,s:b,s:b,s:b,s:[],s:[],s:[],s:n,s:i,s:i,s:b,s:I,s:i,s:i,"
			 "s:n,s:n,s:i,s:i,s:i,s:i,s:i}",
			 "id", id, "address", id, "nwid", network, "objtype", "member",
			 "authorized", 0, "activeBridge", 0, "noAutoAssignIps", 0, "ipAssignments",
			 "tags", "capabilities", "remoteTraceTarget", "remoteTraceLevel", 0,
			 "authenticationExpiryTime", 0, "ssoExempt", 0, "creationTime",
			 (json_int_t)now_ms, "lastAuthorizedTime", 0, "lastDeauthorizedTime", 0,
			 "lastAuthorizedCredentialType", "lastAuthorizedCredential", "vMajor", -1,
			 "vMinor", -1, "vRev", -1, "vProto", -1, "revision", 0);
}

void member_authorise(json_t *record, int64_t now_ms, const char *type, const char *credential)
{
	(void)json_object_set_new(record, "authorized", json_true());
	(void)json_object_set_new(record, "lastAuthorizedTime", json_integer(now_ms));
	(void)json_object_set_new(record, "lastAuthorizedCredentialType", json_string(type));
	(void)json_object_set_new(record, "lastAuthorizedCredential",
				  credential ? json_string(credential) : json_null());
}

void member_deauthorise(json_t *record, int64_t now_ms)
{
	(void)json_object_set_new(record, "authorized", json_false());
	(void)json_object_set_new(record, "lastDeauthorizedTime", json_integer(now_ms));
}

static void apply_authorized(json_t *record, const json_t *value, int64_t now_ms)
{
	bool is_authorized = object_bool(record, "authorized", false);
	bool wanted = coerce_bool(value, is_authorized);
	if (wanted && !is_authorized) {
		member_authorise(record, now_ms, "api", NULL);
	} else if (!wanted && is_authorized) {
		member_deauthorise(record, now_ms);
	}
}

json_t *member_record(const json_t *held, const json_t *body, uint64_t nwid, uint64_t address,
		      int64_t now_ms)
{
	static const char *const removed[] = { "clock",
					       "physicalAddr",
					       "recentLog",
					       "lastModified",
					       "lastRequestMetaData",
					       "authenticationURL",
					       "authenticationClientID" };
	json_t *record = held ? json_deep_copy(held) : json_object();
	json_t *standard = defaults(nwid, address, now_ms);
	(void)json_object_update_missing(record, standard);
	json_decref(standard);
	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
		(void)json_object_del(record, removed[i]);
	}
	fields_apply(record, body, settable, sizeof(settable) / sizeof(settable[0]));
	const json_t *authorized = json_object_get(body, "authorized");
	if (authorized) {
		apply_authorized(record, authorized, now_ms);
	}
	return record;
}
