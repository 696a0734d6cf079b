/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "controller/rules_json.h"

#include "controller/coerce.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* How this works: a table gives each type its name and the shape of its fields; one function per
 * direction knows the shapes. Numbers are masked to the width of their field. */

enum shape {
	FIELDS_NONE,
	FIELDS_FORWARD,  /* address flags length */
	FIELDS_REDIRECT, /* address flags */
	FIELDS_ZT,
	FIELDS_NUMBER, /* one integer under `field`, masked with `mask` */
	FIELDS_MAC,
	FIELDS_IP,
	FIELDS_TOS,
	FIELDS_ICMP,
	FIELDS_RANGE,
	FIELDS_MASK,
	FIELDS_RANDOM,
	FIELDS_TAG,
	FIELDS_INTEGER,
};

struct form {
	const char *name;
	const char *field; /* FIELDS_NUMBER */
	enum shape shape;
	uint16_t mask;
	bool is_output_only; /* 1.14.1 drops it on input (7.2) */
};

static const struct form forms[RULE_TYPE_MAX + 1] = {
	[RULE_DROP] = { "ACTION_DROP", NULL, FIELDS_NONE, 0, false },
	[RULE_ACCEPT] = { "ACTION_ACCEPT", NULL, FIELDS_NONE, 0, false },
	[RULE_TEE] = { "ACTION_TEE", NULL, FIELDS_FORWARD, 0, false },
	[RULE_WATCH] = { "ACTION_WATCH", NULL, FIELDS_FORWARD, 0, false },
	[RULE_REDIRECT] = { "ACTION_REDIRECT", NULL, FIELDS_REDIRECT, 0, false },
	[RULE_BREAK] = { "ACTION_BREAK", NULL, FIELDS_NONE, 0, false },
	[RULE_SOURCE_ZT] = { "MATCH_SOURCE_ZEROTIER_ADDRESS", NULL, FIELDS_ZT, 0, false },
	[RULE_DEST_ZT] = { "MATCH_DEST_ZEROTIER_ADDRESS", NULL, FIELDS_ZT, 0, false },
	[RULE_VLAN_ID] = { "MATCH_VLAN_ID", "vlanId", FIELDS_NUMBER, 0xffff, false },
	[RULE_VLAN_PCP] = { "MATCH_VLAN_PCP", "vlanPcp", FIELDS_NUMBER, 0xff, false },
	[RULE_VLAN_DEI] = { "MATCH_VLAN_DEI", "vlanDei", FIELDS_NUMBER, 0xff, false },
	[RULE_MAC_SOURCE] = { "MATCH_MAC_SOURCE", NULL, FIELDS_MAC, 0, false },
	[RULE_MAC_DEST] = { "MATCH_MAC_DEST", NULL, FIELDS_MAC, 0, false },
	[RULE_IPV4_SOURCE] = { "MATCH_IPV4_SOURCE", NULL, FIELDS_IP, 32, false },
	[RULE_IPV4_DEST] = { "MATCH_IPV4_DEST", NULL, FIELDS_IP, 32, false },
	[RULE_IPV6_SOURCE] = { "MATCH_IPV6_SOURCE", NULL, FIELDS_IP, 128, false },
	[RULE_IPV6_DEST] = { "MATCH_IPV6_DEST", NULL, FIELDS_IP, 128, false },
	[RULE_IP_TOS] = { "MATCH_IP_TOS", NULL, FIELDS_TOS, 0, false },
	[RULE_IP_PROTOCOL] = { "MATCH_IP_PROTOCOL", "ipProtocol", FIELDS_NUMBER, 0xff, false },
	[RULE_ETHERTYPE] = { "MATCH_ETHERTYPE", "etherType", FIELDS_NUMBER, 0xffff, false },
	[RULE_ICMP] = { "MATCH_ICMP", NULL, FIELDS_ICMP, 0, false },
	[RULE_SOURCE_PORTS] = { "MATCH_IP_SOURCE_PORT_RANGE", NULL, FIELDS_RANGE, 0, false },
	[RULE_DEST_PORTS] = { "MATCH_IP_DEST_PORT_RANGE", NULL, FIELDS_RANGE, 0, false },
	[RULE_CHARACTERISTICS] = { "MATCH_CHARACTERISTICS", NULL, FIELDS_MASK, 0, false },
	[RULE_FRAME_SIZE] = { "MATCH_FRAME_SIZE_RANGE", NULL, FIELDS_RANGE, 0, false },
	[RULE_RANDOM] = { "MATCH_RANDOM", NULL, FIELDS_RANDOM, 0, false },
	[RULE_TAGS_DIFFERENCE] = { "MATCH_TAGS_DIFFERENCE", NULL, FIELDS_TAG, 0, false },
	[RULE_TAGS_AND] = { "MATCH_TAGS_BITWISE_AND", NULL, FIELDS_TAG, 0, false },
	[RULE_TAGS_OR] = { "MATCH_TAGS_BITWISE_OR", NULL, FIELDS_TAG, 0, false },
	[RULE_TAGS_XOR] = { "MATCH_TAGS_BITWISE_XOR", NULL, FIELDS_TAG, 0, false },
	[RULE_TAGS_EQUAL] = { "MATCH_TAGS_EQUAL", NULL, FIELDS_TAG, 0, false },
	[RULE_TAG_SENDER] = { "MATCH_TAG_SENDER", NULL, FIELDS_TAG, 0, false },
	[RULE_TAG_RECEIVER] = { "MATCH_TAG_RECEIVER", NULL, FIELDS_TAG, 0, false },
	[RULE_INTEGER_RANGE] = { "INTEGER_RANGE", NULL, FIELDS_INTEGER, 0, true },
};

/* ---- from JSON ------------------------------------------------------------------------------- */

static uint64_t mac_from_text(const char *text)
{
	uint64_t mac = 0;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (isxdigit(c)) {
			mac = mac << 4 | (uint64_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
		}
	}
	return mac & 0xffffffffffffULL;
}

static bool ip_from_json(const json_t *json, const struct form *form, struct rule *rule)
{
	struct zt_endpoint ip;
	bool has_bits;
	if (!ip_parse(json_object_get(json, "ip"), &ip, &has_bits) ||
	    ip.family != (form->mask == 32 ? 4 : 6)) {
		return false;
	}
	memcpy(rule->u.ip.address, ip.ip, ip.family == 4 ? 4 : 16);
	rule->u.ip.bits = (uint8_t)(ip.port < form->mask ? ip.port : form->mask);
	return true;
}

static void icmp_from_json(const json_t *json, struct rule *rule)
{
	const json_t *code = json_object_get(json, "icmpCode");
	rule->u.icmp.type = (uint8_t)object_int(json, "icmpType", 0);
	if (code && !json_is_null(code)) {
		rule->u.icmp.code = (uint8_t)coerce_int(code, 0);
		rule->u.icmp.flags = 1;
	}
}

static bool fields_from_json(const json_t *json, const struct form *form, struct rule *rule)
{
	int64_t start = object_int(json, "start", 0), end = object_int(json, "end", start);
	switch (form->shape) {
	case FIELDS_FORWARD:
		rule->u.forward.length = (uint16_t)object_int(json, "length", 0);
		/* fall through */
	case FIELDS_REDIRECT:
		rule->u.forward.address =
		    coerce_hex(json_object_get(json, "address")) & VL2_ADDRESS_MASK;
		rule->u.forward.flags = (uint32_t)object_int(json, "flags", 0);
		return true;
	case FIELDS_ZT:
		rule->u.zt = coerce_hex(json_object_get(json, "zt")) & VL2_ADDRESS_MASK;
		return true;
	case FIELDS_NUMBER:
		rule->u.number = (uint16_t)(object_int(json, form->field, 0) & form->mask);
		return true;
	case FIELDS_MAC:
		rule->u.mac = mac_from_text(object_text(json, "mac"));
		return true;
	case FIELDS_IP:
		return ip_from_json(json, form, rule);
	case FIELDS_TOS:
		rule->u.tos.mask = (uint8_t)object_int(json, "mask", 0);
		rule->u.tos.start = (uint8_t)start;
		rule->u.tos.end = (uint8_t)end;
		return true;
	case FIELDS_ICMP:
		icmp_from_json(json, rule);
		return true;
	case FIELDS_RANGE:
		rule->u.range.start = (uint16_t)start;
		rule->u.range.end = (uint16_t)end;
		return true;
	case FIELDS_MASK:
		rule->u.mask = coerce_hex(json_object_get(json, "mask"));
		return true;
	case FIELDS_RANDOM:
		rule->u.probability = (uint32_t)object_int(json, "probability", 0);
		return true;
	case FIELDS_TAG:
		rule->u.tag.id = (uint32_t)object_int(json, "id", 0);
		rule->u.tag.value = (uint32_t)object_int(json, "value", 0);
		return true;
	case FIELDS_NONE:
	case FIELDS_INTEGER:
		break;
	}
	return true;
}

bool rule_from_json(const json_t *json, struct rule *out)
{
	const char *type = object_text(json, "type");
	for (size_t i = 0; i <= RULE_TYPE_MAX; i++) {
		const struct form *form = &forms[i];
		if (!form->name || form->is_output_only || strcmp(form->name, type) != 0) {
			continue;
		}
		struct rule rule;
		memset(&rule, 0, sizeof(rule));
		rule.type = (uint8_t)i;
		rule.is_not = object_bool(json, "not", false);
		rule.is_or = object_bool(json, "or", false);
		if (!fields_from_json(json, form, &rule)) {
			return false;
		}
		*out = rule;
		return true;
	}
	return false;
}

/* ---- to JSON --------------------------------------------------------------------------------- */

static void set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static void set_int(json_t *object, const char *key, uint64_t value)
{
	set(object, key, json_integer((json_int_t)value));
}

static void mac_to_json(json_t *json, uint64_t mac)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x",
		       (unsigned)(mac >> 40 & 0xff), (unsigned)(mac >> 32 & 0xff),
		       (unsigned)(mac >> 24 & 0xff), (unsigned)(mac >> 16 & 0xff),
		       (unsigned)(mac >> 8 & 0xff), (unsigned)(mac & 0xff));
	set(json, "mac", json_string(text));
}

static void ip_to_json(json_t *json, const struct form *form, const struct rule *rule)
{
	struct zt_endpoint ip = { .family = form->mask == 32 ? 4 : 6, .port = rule->u.ip.bits };
	memcpy(ip.ip, rule->u.ip.address, ip.family == 4 ? 4 : 16);
	set(json, "ip", ip_bits_json(&ip));
}

static void integer_to_json(json_t *json, const struct rule *rule)
{
	set(json, "start", id_json(rule->u.integer.start, 16));
	set(json, "end", id_json(rule->u.integer.start + rule->u.integer.delta, 16));
	set_int(json, "idx", rule->u.integer.index);
	set(json, "little", json_boolean((rule->u.integer.format & 0x80) != 0));
	set_int(json, "bits", (rule->u.integer.format & 63U) + 1);
}

static void fields_to_json(json_t *json, const struct form *form, const struct rule *rule)
{
	switch (form->shape) {
	case FIELDS_NONE:
		return;
	case FIELDS_FORWARD:
		set_int(json, "length", rule->u.forward.length);
		/* fall through */
	case FIELDS_REDIRECT:
		set(json, "address", id_json(rule->u.forward.address, 10));
		set_int(json, "flags", rule->u.forward.flags);
		return;
	case FIELDS_ZT:
		set(json, "zt", id_json(rule->u.zt, 10));
		return;
	case FIELDS_NUMBER:
		set_int(json, form->field, rule->u.number);
		return;
	case FIELDS_MAC:
		mac_to_json(json, rule->u.mac);
		return;
	case FIELDS_IP:
		ip_to_json(json, form, rule);
		return;
	case FIELDS_TOS:
		set_int(json, "mask", rule->u.tos.mask);
		set_int(json, "start", rule->u.tos.start);
		set_int(json, "end", rule->u.tos.end);
		return;
	case FIELDS_ICMP:
		set_int(json, "icmpType", rule->u.icmp.type);
		set(json, "icmpCode",
		    rule->u.icmp.flags & 1 ? json_integer(rule->u.icmp.code) : json_null());
		return;
	case FIELDS_RANGE:
		set_int(json, "start", rule->u.range.start);
		set_int(json, "end", rule->u.range.end);
		return;
	case FIELDS_MASK:
		set(json, "mask", id_json(rule->u.mask, 16));
		return;
	case FIELDS_RANDOM:
		set_int(json, "probability", rule->u.probability);
		return;
	case FIELDS_TAG:
		set_int(json, "id", rule->u.tag.id);
		set_int(json, "value", rule->u.tag.value);
		return;
	case FIELDS_INTEGER:
		integer_to_json(json, rule);
		return;
	}
}

json_t *rule_to_json(const struct rule *rule)
{
	const struct form *form = &forms[rule->type & RULE_TYPE_MAX];
	json_t *json = form->name ? json_object() : NULL;
	if (!json) {
		return NULL;
	}
	set(json, "type", json_string(form->name));
	if (!rule_is_action(rule)) {
		set(json, "not", json_boolean(rule->is_not));
		set(json, "or", json_boolean(rule->is_or));
	}
	fields_to_json(json, form, rule);
	return json;
}

json_t *rules_normalise(const json_t *array)
{
	json_t *out = json_array();
	size_t size = coerce_array_size(array);
	for (size_t i = 0; out && i < size; i++) {
		struct rule rule;
		if (rule_from_json(json_array_get(array, i), &rule)) {
			(void)json_array_append_new(out, rule_to_json(&rule));
		}
	}
	return out;
}
