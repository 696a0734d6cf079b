/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The rule tables of a network, binary form (vl2 7.1): reading and writing, no evaluation. */
#ifndef CORE_RULES_H
#define CORE_RULES_H

#include "base/rd.h"
#include "base/wr.h"
#include "core/proto2.h"
#include "core/zt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rule_type {
	RULE_DROP = 0,
	RULE_ACCEPT = 1,
	RULE_TEE = 2,
	RULE_WATCH = 3,
	RULE_REDIRECT = 4,
	RULE_BREAK = 5,
	RULE_PRIORITY = 6,
	RULE_ACTION_LAST = 15, /* types up to here are actions */
	RULE_SOURCE_ZT = 24,
	RULE_DEST_ZT = 25,
	RULE_VLAN_ID = 26,
	RULE_VLAN_PCP = 27,
	RULE_VLAN_DEI = 28,
	RULE_MAC_SOURCE = 29,
	RULE_MAC_DEST = 30,
	RULE_IPV4_SOURCE = 31,
	RULE_IPV4_DEST = 32,
	RULE_IPV6_SOURCE = 33,
	RULE_IPV6_DEST = 34,
	RULE_IP_TOS = 35,
	RULE_IP_PROTOCOL = 36,
	RULE_ETHERTYPE = 37,
	RULE_ICMP = 38,
	RULE_SOURCE_PORTS = 39,
	RULE_DEST_PORTS = 40,
	RULE_CHARACTERISTICS = 41,
	RULE_FRAME_SIZE = 42,
	RULE_RANDOM = 43,
	RULE_TAGS_DIFFERENCE = 44,
	RULE_TAGS_AND = 45,
	RULE_TAGS_OR = 46,
	RULE_TAGS_XOR = 47,
	RULE_TAGS_EQUAL = 48,
	RULE_TAG_SENDER = 49,
	RULE_TAG_RECEIVER = 50,
	RULE_INTEGER_RANGE = 51,
	RULE_TYPE_MAX = 63,
};

/* One rule; which member of the union holds depends on `type`. */
struct rule {
	uint8_t type; /* enum rule_type, or a number that we do not know */
	bool is_not, is_or;
	union {
		struct {
			uint64_t address;
			uint32_t flags;
			uint16_t length; /* of the copy; 0 = whole frame */
		} forward;               /* TEE, WATCH, REDIRECT */
		uint64_t zt;             /* SOURCE_ZT, DEST_ZT */
		uint64_t mac;            /* MAC_* */
		uint64_t mask;           /* CHARACTERISTICS */
		uint32_t probability;    /* RANDOM */
		uint16_t number;         /* VLAN_*, IP_PROTOCOL, ETHERTYPE */
		struct {
			uint8_t address[16]; /* IPv4: the first four */
			uint8_t bits;
		} ip;
		struct {
			uint8_t mask, start, end;
		} tos;
		struct {
			uint8_t type, code, flags; /* flags bit 0: code is matched */
		} icmp;
		struct {
			uint16_t start, end;
		} range; /* ports, frame size */
		struct {
			uint32_t id, value;
		} tag;
		struct {
			uint64_t start;
			uint32_t delta; /* end = start + delta */
			uint16_t index;
			uint8_t format; /* bit 7 little endian, bits 0-5 = bits - 1 */
		} integer;
	} u;
};

enum { RULE_MAX_BYTES = 2 + 19 };

static inline bool rule_is_action(const struct rule *rule)
{
	return rule->type <= RULE_ACTION_LAST;
}

/* One rule. Longer values than we know of are cut, shorter ones are ZT_E_MALFORMED. */
int rule_read(struct rd *r, struct rule *out) ZT_MUST_CHECK;
void rule_write(struct wr *w, const struct rule *rule);
bool rule_equal(const struct rule *a, const struct rule *b);
/* All of the reader; *count = how many were stored, those beyond `max` are checked and skipped. */
int rules_read(struct rd *r, struct rule *out, size_t max, size_t *count) ZT_MUST_CHECK;
void rules_write(struct wr *w, const struct rule *rules, size_t count);

#endif
