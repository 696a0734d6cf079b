/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/rules.h"

#include <string.h>

/* How this works: a rule's value has one of a few shapes; one table says which, another how long a
 * shape is on the wire. A type without a row has no value: what it carries is skipped when read,
 * and it is written with length 0 (vl2 7.1). */

enum shape {
	SHAPE_NONE,
	SHAPE_FORWARD,
	SHAPE_ZT,
	SHAPE_U8,
	SHAPE_U16,
	SHAPE_MAC,
	SHAPE_IPV4,
	SHAPE_IPV6,
	SHAPE_TOS,
	SHAPE_ICMP,
	SHAPE_RANGE,
	SHAPE_MASK,
	SHAPE_RANDOM,
	SHAPE_TAG,
	SHAPE_INTEGER,
};

static const uint8_t shape_bytes[] = {
	[SHAPE_NONE] = 0,   [SHAPE_FORWARD] = 14, [SHAPE_ZT] = 5,       [SHAPE_U8] = 1,
	[SHAPE_U16] = 2,    [SHAPE_MAC] = 6,      [SHAPE_IPV4] = 5,     [SHAPE_IPV6] = 17,
	[SHAPE_TOS] = 3,    [SHAPE_ICMP] = 3,     [SHAPE_RANGE] = 4,    [SHAPE_MASK] = 8,
	[SHAPE_RANDOM] = 4, [SHAPE_TAG] = 8,      [SHAPE_INTEGER] = 19,
};

static const uint8_t shapes[RULE_TYPE_MAX + 1] = {
	[RULE_TEE] = SHAPE_FORWARD,
	[RULE_WATCH] = SHAPE_FORWARD,
	[RULE_REDIRECT] = SHAPE_FORWARD,
	[RULE_SOURCE_ZT] = SHAPE_ZT,
	[RULE_DEST_ZT] = SHAPE_ZT,
	[RULE_VLAN_ID] = SHAPE_U16,
	[RULE_VLAN_PCP] = SHAPE_U8,
	[RULE_VLAN_DEI] = SHAPE_U8,
	[RULE_MAC_SOURCE] = SHAPE_MAC,
	[RULE_MAC_DEST] = SHAPE_MAC,
	[RULE_IPV4_SOURCE] = SHAPE_IPV4,
	[RULE_IPV4_DEST] = SHAPE_IPV4,
	[RULE_IPV6_SOURCE] = SHAPE_IPV6,
	[RULE_IPV6_DEST] = SHAPE_IPV6,
	[RULE_IP_TOS] = SHAPE_TOS,
	[RULE_IP_PROTOCOL] = SHAPE_U8,
	[RULE_ETHERTYPE] = SHAPE_U16,
	[RULE_ICMP] = SHAPE_ICMP,
	[RULE_SOURCE_PORTS] = SHAPE_RANGE,
	[RULE_DEST_PORTS] = SHAPE_RANGE,
	[RULE_CHARACTERISTICS] = SHAPE_MASK,
	[RULE_FRAME_SIZE] = SHAPE_RANGE,
	[RULE_RANDOM] = SHAPE_RANDOM,
	[RULE_TAGS_DIFFERENCE] = SHAPE_TAG,
	[RULE_TAGS_AND] = SHAPE_TAG,
	[RULE_TAGS_OR] = SHAPE_TAG,
	[RULE_TAGS_XOR] = SHAPE_TAG,
	[RULE_TAGS_EQUAL] = SHAPE_TAG,
	[RULE_TAG_SENDER] = SHAPE_TAG,
	[RULE_TAG_RECEIVER] = SHAPE_TAG,
	[RULE_INTEGER_RANGE] = SHAPE_INTEGER,
};

enum { TYPE_MASK = 0x3f, FLAG_OR = 0x40, FLAG_NOT = 0x80 };

static void read_integer(struct rd *r, struct rule *rule)
{
	rule->u.integer.start = rd_u64(r);
	rule->u.integer.delta = (uint32_t)(rd_u64(r) - rule->u.integer.start);
	rule->u.integer.index = rd_u16(r);
	rule->u.integer.format = rd_u8(r);
}

static void read_ip(struct rd *r, struct rule *rule, size_t bytes)
{
	rd_copy(r, rule->u.ip.address, bytes);
	rule->u.ip.bits = rd_u8(r);
}

static void read_value(struct rd *r, struct rule *rule)
{
	switch ((enum shape)shapes[rule->type]) {
	case SHAPE_NONE:
		return;
	case SHAPE_FORWARD:
		rule->u.forward.address = rd_u64(r);
		rule->u.forward.flags = rd_u32(r);
		rule->u.forward.length = rd_u16(r);
		return;
	case SHAPE_ZT:
		rule->u.zt = rd_u40(r);
		return;
	case SHAPE_U8:
		rule->u.number = rd_u8(r);
		return;
	case SHAPE_U16:
		rule->u.number = rd_u16(r);
		return;
	case SHAPE_MAC:
		rule->u.mac = rd_u48(r);
		return;
	case SHAPE_IPV4:
		read_ip(r, rule, 4);
		return;
	case SHAPE_IPV6:
		read_ip(r, rule, 16);
		return;
	case SHAPE_TOS:
		rule->u.tos.mask = rd_u8(r);
		rule->u.tos.start = rd_u8(r);
		rule->u.tos.end = rd_u8(r);
		return;
	case SHAPE_ICMP:
		rule->u.icmp.type = rd_u8(r);
		rule->u.icmp.code = rd_u8(r);
		rule->u.icmp.flags = rd_u8(r);
		return;
	case SHAPE_RANGE:
		rule->u.range.start = rd_u16(r);
		rule->u.range.end = rd_u16(r);
		return;
	case SHAPE_MASK:
		rule->u.mask = rd_u64(r);
		return;
	case SHAPE_RANDOM:
		rule->u.probability = rd_u32(r);
		return;
	case SHAPE_TAG:
		rule->u.tag.id = rd_u32(r);
		rule->u.tag.value = rd_u32(r);
		return;
	case SHAPE_INTEGER:
		read_integer(r, rule);
		return;
	}
}

static void write_integer(struct wr *w, const struct rule *rule)
{
	wr_u64(w, rule->u.integer.start);
	wr_u64(w, rule->u.integer.start + rule->u.integer.delta);
	wr_u16(w, rule->u.integer.index);
	wr_u8(w, rule->u.integer.format);
}

static void write_ip(struct wr *w, const struct rule *rule, size_t bytes)
{
	wr_bytes(w, rule->u.ip.address, bytes);
	wr_u8(w, rule->u.ip.bits);
}

static void write_value(struct wr *w, const struct rule *rule)
{
	switch ((enum shape)shapes[rule->type & TYPE_MASK]) {
	case SHAPE_NONE:
		return;
	case SHAPE_FORWARD:
		wr_u64(w, rule->u.forward.address);
		wr_u32(w, rule->u.forward.flags);
		wr_u16(w, rule->u.forward.length);
		return;
	case SHAPE_ZT:
		wr_u40(w, rule->u.zt);
		return;
	case SHAPE_U8:
		wr_u8(w, (uint8_t)rule->u.number);
		return;
	case SHAPE_U16:
		wr_u16(w, rule->u.number);
		return;
	case SHAPE_MAC:
		wr_u48(w, rule->u.mac);
		return;
	case SHAPE_IPV4:
		write_ip(w, rule, 4);
		return;
	case SHAPE_IPV6:
		write_ip(w, rule, 16);
		return;
	case SHAPE_TOS:
		wr_u8(w, rule->u.tos.mask);
		wr_u8(w, rule->u.tos.start);
		wr_u8(w, rule->u.tos.end);
		return;
	case SHAPE_ICMP:
		wr_u8(w, rule->u.icmp.type);
		wr_u8(w, rule->u.icmp.code);
		wr_u8(w, rule->u.icmp.flags);
		return;
	case SHAPE_RANGE:
		wr_u16(w, rule->u.range.start);
		wr_u16(w, rule->u.range.end);
		return;
	case SHAPE_MASK:
		wr_u64(w, rule->u.mask);
		return;
	case SHAPE_RANDOM:
		wr_u32(w, rule->u.probability);
		return;
	case SHAPE_TAG:
		wr_u32(w, rule->u.tag.id);
		wr_u32(w, rule->u.tag.value);
		return;
	case SHAPE_INTEGER:
		write_integer(w, rule);
		return;
	}
}

int rule_read(struct rd *r, struct rule *out)
{
	uint8_t head = rd_u8(r);
	uint8_t length = rd_u8(r);
	struct rd value = rd_sub(r, length);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	struct rule rule;
	memset(&rule, 0, sizeof(rule));
	rule.type = head & TYPE_MASK;
	rule.is_or = (head & FLAG_OR) != 0;
	rule.is_not = (head & FLAG_NOT) != 0;
	read_value(&value, &rule);
	if (value.bad) {
		return ZT_E_MALFORMED;
	}
	*out = rule;
	return 0;
}

void rule_write(struct wr *w, const struct rule *rule)
{
	wr_u8(w, (uint8_t)((rule->type & TYPE_MASK) | (rule->is_or ? FLAG_OR : 0) |
			   (rule->is_not ? FLAG_NOT : 0)));
	wr_u8(w, shape_bytes[shapes[rule->type & TYPE_MASK]]);
	write_value(w, rule);
}

bool rule_equal(const struct rule *a, const struct rule *b)
{
	uint8_t a_bytes[RULE_MAX_BYTES], b_bytes[RULE_MAX_BYTES];
	struct wr aw = wr_init(a_bytes, sizeof(a_bytes)), bw = wr_init(b_bytes, sizeof(b_bytes));
	rule_write(&aw, a);
	rule_write(&bw, b);
	return wr_length(&aw) == wr_length(&bw) && memcmp(a_bytes, b_bytes, wr_length(&aw)) == 0;
}

int rules_read(struct rd *r, struct rule *out, size_t max, size_t *count)
{
	size_t stored = 0;
	while (!r->bad && rd_left(r) > 0) {
		struct rule rule;
		int err = rule_read(r, &rule);
		if (err) {
			return err;
		}
		if (stored < max) {
			out[stored++] = rule;
		}
	}
	*count = stored;
	return r->bad ? ZT_E_SHORT : 0;
}

void rules_write(struct wr *w, const struct rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		rule_write(w, &rules[i]);
	}
}
