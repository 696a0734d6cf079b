/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The rules engine against a second, trivial one on random rules and frames; and what the vectors
 * do not say. */
#include "core/addr.h"
#include "core/filter_impl.h"
#include "tests/lib/check.h"

enum {
	ROUNDS = 200000,
	FRAME_MAX = 120,
};
#define NWID 0xcc15a64a34a0d478ULL
#define SELF 0x0208636a4aULL
#define PEER 0x18973ed9b4ULL

/* ---- randomness: small ranges, so that things meet --------------------------------------------
 */

static uint64_t state = 42;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t below(uint64_t n)
{
	return (next() >> 11) % n;
}

static uint64_t pick(const uint64_t *of, size_t count)
{
	return of[below(count)];
}

/* ---- the second implementation ----------------------------------------------------------------
 *
 * Written from the table of 7.3 with nothing in common with the first: indices into the frame, a
 * copy padded with nothing. `hard` answers are not turned round. */

struct naive {
	const struct filter_in *in;
	const uint8_t *d;
	size_t n;
};

enum { NO = 0, YES = 1, HARD_NO = 2, HARD_YES = 3 };

static bool v4(const struct naive *f)
{
	return f->in->ether_type == 0x800 && f->n >= 20;
}

static bool v6(const struct naive *f)
{
	return f->in->ether_type == 0x86dd && f->n >= 40;
}

/* Where the payload of an IPv6 packet starts, or 0. */
static size_t v6_payload(const struct naive *f, uint8_t *protocol)
{
	size_t at = 40;
	*protocol = f->d[6];
	while (*protocol == 0 || *protocol == 43 || *protocol == 60 || *protocol == 135) {
		if (at + 8 > f->n) {
			return 0;
		}
		*protocol = f->d[at];
		at += 8 + 8 * (size_t)f->d[at + 1];
		if (at > f->n) {
			return 0;
		}
	}
	return at;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits, unsigned length)
{
	for (unsigned i = 0; i < bits && i < 8 * length; i++) {
		if ((a[i / 8] >> (7 - i % 8) & 1) != (b[i / 8] >> (7 - i % 8) & 1)) {
			return false;
		}
	}
	return true;
}

static int naive_ipv4(const struct naive *f, const struct rule *rule)
{
	const uint8_t *at = f->d + (rule->type == RULE_IPV4_SOURCE ? 12 : 16);
	return v4(f) ? bits_equal(at, rule->u.ip.address, rule->u.ip.bits, 4) : HARD_NO;
}

static int naive_ipv6(const struct naive *f, const struct rule *rule)
{
	if (!v6(f)) {
		return HARD_NO;
	}
	for (unsigned i = rule->u.ip.bits; i < 128; i++) { /* host bits in the rule */
		if (rule->u.ip.address[i / 8] >> (7 - i % 8) & 1) {
			return NO;
		}
	}
	return bits_equal(f->d + (rule->type == RULE_IPV6_SOURCE ? 8 : 24), rule->u.ip.address,
			  rule->u.ip.bits, 16);
}

static int naive_tos(const struct naive *f, const struct rule *rule)
{
	unsigned tos;
	if (v4(f)) {
		tos = f->d[1];
	} else if (v6(f)) {
		tos = (unsigned)((f->d[0] & 15) * 16 + f->d[1] / 16);
	} else {
		return HARD_NO;
	}
	tos &= rule->u.tos.mask;
	return tos >= rule->u.tos.start && tos <= rule->u.tos.end;
}

static int naive_protocol(const struct naive *f, const struct rule *rule)
{
	uint8_t protocol;
	if (v4(f)) {
		return f->d[9] == rule->u.number;
	}
	return v6(f) && v6_payload(f, &protocol) ? protocol == rule->u.number : HARD_NO;
}

static int naive_icmp(const struct naive *f, const struct rule *rule)
{
	size_t at = 0;
	uint8_t protocol = 0;
	bool is_icmp = false;
	if (v4(f)) {
		at = 4 * (size_t)(f->d[0] & 15);
		is_icmp = f->d[9] == 1;
	} else if (v6(f)) {
		at = v6_payload(f, &protocol);
		is_icmp = at > 0 && protocol == 0x3a;
	}
	if (!is_icmp || f->n < at + 2 || f->d[at] != rule->u.icmp.type) {
		return HARD_NO;
	}
	return rule->u.icmp.flags & 1 ? f->d[at + 1] == rule->u.icmp.code : HARD_YES;
}

static int naive_ports(const struct naive *f, const struct rule *rule)
{
	uint8_t protocol;
	size_t at;
	if (v4(f)) {
		protocol = f->d[9];
		at = 4 * (size_t)(f->d[0] & 15);
	} else if (v6(f) && v6_payload(f, &protocol)) {
		at = v6_payload(f, &protocol);
	} else {
		return HARD_NO;
	}
	if ((protocol != 6 && protocol != 17 && protocol != 0x84 && protocol != 0x88) ||
	    f->n <= at + 4) {
		return NO;
	}
	at += rule->type == RULE_SOURCE_PORTS ? 0 : 2;
	int port = f->d[at] * 256 + f->d[at + 1];
	if (port == 0 && v6(f)) {
		return NO;
	}
	return port >= rule->u.range.start && port <= rule->u.range.end;
}

static uint64_t naive_tcp(const struct naive *f)
{
	uint8_t protocol;
	size_t at;
	if (v4(f) && f->d[9] == 6) {
		at = 4 * (size_t)(f->d[0] & 15);
		return at + 14 <= f->n ? (f->d[at + 12] & 15U) * 256U + f->d[at + 13] : 0;
	}
	at = v6(f) ? v6_payload(f, &protocol) : 0;
	if (at && protocol == 6 && f->n > at + 14) {
		return (f->d[at + 12] & 15U) * 256U + f->d[at + 13];
	}
	return 0;
}

/* Bits 60 and 59 need certificates; the random test leaves them out of its masks. */
static int naive_characteristics(const struct naive *f, const struct rule *rule)
{
	uint64_t have = naive_tcp(f);
	have |= f->in->is_inbound ? 1ULL << 63 : 0;
	have |= f->in->mac_dest & 0x010000000000ULL ? 1ULL << 62 : 0;
	have |= f->in->mac_dest == 0xffffffffffffULL ? 1ULL << 61 : 0;
	return (have & rule->u.mask) != 0;
}

static int naive_integer(const struct naive *f, const struct rule *rule)
{
	unsigned bits = rule->u.integer.format % 64 + 1;
	size_t bytes = bits / 8 + (bits % 8 != 0);
	bool little = rule->u.integer.format >= 128;
	size_t at = rule->u.integer.index + (little ? 0 : 8 - bytes);
	uint64_t value = 0;
	if (at + bytes <= f->n) {
		for (size_t i = 0; i < bytes; i++) {
			value = value * 256 + f->d[little ? at + bytes - 1 - i : at + i];
		}
		if (little) { /* the low bits of the last byte read are cut, not the high ones */
			value >>= 8 * bytes - bits;
		} else if (bits < 64) {
			value %= 1ULL << bits;
		}
	}
	return value >= rule->u.integer.start &&
	       value <= rule->u.integer.start + rule->u.integer.delta;
}

static int naive_plain(const struct naive *f, const struct rule *rule)
{
	const struct filter_in *in = f->in;
	switch (rule->type) {
	case RULE_SOURCE_ZT:
		return rule->u.zt == in->zt_source;
	case RULE_DEST_ZT:
		return rule->u.zt == in->zt_dest;
	case RULE_VLAN_ID:
		return rule->u.number == in->vlan_id;
	case RULE_VLAN_PCP:
	case RULE_VLAN_DEI:
		return rule->u.number == 0;
	case RULE_MAC_SOURCE:
		return rule->u.mac == in->mac_source;
	case RULE_MAC_DEST:
		return rule->u.mac == in->mac_dest;
	case RULE_ETHERTYPE:
		return rule->u.number == in->ether_type;
	case RULE_FRAME_SIZE:
		return f->n >= rule->u.range.start && f->n <= rule->u.range.end;
	default:
		return (in->own->flags & 8) != 0;
	}
}

static bool naive_match(const struct filter_in *in, const struct rule *rule)
{
	const struct naive f = { .in = in, .d = in->data.bytes, .n = in->data.length };
	int m;
	switch (rule->type) {
	case RULE_IPV4_SOURCE:
	case RULE_IPV4_DEST:
		m = naive_ipv4(&f, rule);
		break;
	case RULE_IPV6_SOURCE:
	case RULE_IPV6_DEST:
		m = naive_ipv6(&f, rule);
		break;
	case RULE_IP_TOS:
		m = naive_tos(&f, rule);
		break;
	case RULE_IP_PROTOCOL:
		m = naive_protocol(&f, rule);
		break;
	case RULE_ICMP:
		m = naive_icmp(&f, rule);
		break;
	case RULE_SOURCE_PORTS:
	case RULE_DEST_PORTS:
		m = naive_ports(&f, rule);
		break;
	case RULE_CHARACTERISTICS:
		m = naive_characteristics(&f, rule);
		break;
	case RULE_INTEGER_RANGE:
		m = naive_integer(&f, rule);
		break;
	default:
		m = naive_plain(&f, rule);
		break;
	}
	return m >= HARD_NO ? m == HARD_YES : (m == YES) != rule->is_not;
}

/* ---- random rules and frames ------------------------------------------------------------------
 */

static const uint64_t macs[] = { 0x7acc370a9312, 0x7ad6a85720ec, 0xffffffffffff, 0x3333ff000001 };
static const uint64_t nodes[] = { SELF, PEER, 0, 0x8846785f01 };
static const uint64_t protocols[] = { 0, 1, 6, 17, 43, 60, 0x3a, 0x84, 0x88, 135 };
static const uint64_t ether_types[] = { 0x800, 0x800, 0x86dd, 0x86dd, 0x806, 0x88cc };

static void random_frame(uint8_t *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		d[i] = (uint8_t)below(i % 3 ? 4 : 256);
	}
	d[0] = (uint8_t)(0x40 | below(16));
	if (below(4) > 0) {
		d[0] = 0x45;
	}
	d[n > 9 && below(2) ? 9 : 0] = (uint8_t)pick(protocols, 10);
	if (n > 48) {
		d[6] = (uint8_t)pick(protocols, 10);
		d[40] = (uint8_t)pick(protocols, 10);
		d[41] = (uint8_t)below(3);
		d[48] = (uint8_t)pick(protocols, 10);
	}
}

static void random_ip(struct rule *rule, const struct filter_in *in)
{
	bool is_v4 = rule->type <= RULE_IPV4_DEST;
	size_t length = is_v4 ? 4 : 16, at = is_v4 ? 12 : 8;
	rule->u.ip.bits = (uint8_t)below(is_v4 ? 34 : 130);
	at += rule->type == RULE_IPV4_DEST || rule->type == RULE_IPV6_DEST ? length : 0;
	memset(rule->u.ip.address, 0, sizeof(rule->u.ip.address));
	if (at + length <= in->data.length) {
		memcpy(rule->u.ip.address, in->data.bytes + at, length);
	}
	if (below(2)) { /* no host bits */
		for (unsigned i = rule->u.ip.bits; i < 8 * length; i++) {
			rule->u.ip.address[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
		}
	}
	if (below(4) == 0) {
		rule->u.ip.address[below(length)] ^= (uint8_t)(1U << below(8));
	}
}

static void random_number(struct rule *rule)
{
	if (rule->type == RULE_ETHERTYPE) {
		rule->u.number = (uint16_t)pick(ether_types, 6);
	} else if (rule->type == RULE_IP_PROTOCOL) {
		rule->u.number = (uint16_t)pick(protocols, 10);
	} else {
		rule->u.number = (uint16_t)below(2);
	}
}

static void random_integer(struct rule *rule, const struct filter_in *in)
{
	rule->u.integer.format = (uint8_t)next();
	rule->u.integer.index = (uint16_t)below(in->data.length + 8);
	rule->u.integer.start = below(2) ? below(4) : next() >> below(64);
	rule->u.integer.delta = (uint32_t)(next() >> below(32));
}

static void random_rule(struct rule *rule, const struct filter_in *in)
{
	memset(rule, 0, sizeof(*rule));
	do {
		rule->type = (uint8_t)(16 + below(48));
	} while (rule->type == RULE_RANDOM ||
		 (rule->type >= RULE_TAGS_DIFFERENCE && rule->type <= RULE_TAG_RECEIVER));
	rule->is_not = below(2);
	if (rule->type >= RULE_IPV4_SOURCE && rule->type <= RULE_IPV6_DEST) {
		random_ip(rule, in);
	} else if (rule->type == RULE_SOURCE_ZT || rule->type == RULE_DEST_ZT) {
		rule->u.zt = pick(nodes, 4);
	} else if (rule->type == RULE_MAC_SOURCE || rule->type == RULE_MAC_DEST) {
		rule->u.mac = pick(macs, 4);
	} else if (rule->type == RULE_IP_TOS) {
		rule->u.tos.mask = (uint8_t)next();
		rule->u.tos.start = (uint8_t)below(8);
		rule->u.tos.end = (uint8_t)below(256);
	} else if (rule->type == RULE_ICMP) {
		rule->u.icmp.type = (uint8_t)below(4);
		rule->u.icmp.code = (uint8_t)below(4);
		rule->u.icmp.flags = (uint8_t)below(4);
	} else if (rule->type == RULE_CHARACTERISTICS) {
		rule->u.mask = next() & 0x8421084210842108ULL >> below(5) & ~(3ULL << 59);
	} else if (rule->type == RULE_INTEGER_RANGE) {
		random_integer(rule, in);
	} else if (rule->type >= RULE_SOURCE_PORTS && rule->type <= RULE_FRAME_SIZE) {
		rule->u.range.start = (uint16_t)below(below(2) ? 80 : 2000);
		rule->u.range.end = (uint16_t)(rule->u.range.start + below(1000));
	} else {
		random_number(rule);
	}
}

static void matches_agree_with_a_second_implementation(void **unused)
{
	(void)unused;
	struct netconf *own = netconf_new();
	assert_non_null(own);
	own->nwid = NWID;
	size_t yes = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t n = below(FRAME_MAX) + 1;
		uint8_t *bytes = malloc(n); /* of exactly its length, for the sanitizers */
		assert_non_null(bytes);
		random_frame(bytes, n);
		own->flags = below(2) ? NETCONF_UNKNOWN_RULES_MATCH : 0;
		const struct filter_in in = {
			.is_inbound = below(2),
			.self = SELF,
			.zt_source = pick(nodes, 4),
			.zt_dest = pick(nodes, 4),
			.mac_source = pick(macs, 4),
			.mac_dest = pick(macs, 4),
			.ether_type = (uint16_t)pick(ether_types, 6),
			.data = { .bytes = bytes, .length = n },
			.own = own,
		};
		struct rule rule;
		random_rule(&rule, &in);
		struct filter_run run = filter_run_init(&in);
		bool have = filter_match(&run, &rule), want = naive_match(&in, &rule);
		if (have != want) {
			fail_msg("round %u: rule type %u: %d, not %d", round, rule.type, have,
				 want);
		}
		yes += have;
		free(bytes);
	}
	print_message("%zu of %d match\n", yes, ROUNDS);
	assert_in_range(yes, ROUNDS / 10, ROUNDS - ROUNDS / 10);
	netconf_free(own);
}

/* ---- single questions -------------------------------------------------------------------------
 */

static struct filter_in plain(const struct netconf *own, const uint8_t *bytes, size_t length)
{
	return (struct filter_in){
		.self = SELF,
		.zt_source = SELF,
		.zt_dest = PEER,
		.mac_source = addr_mac(NWID, SELF),
		.mac_dest = addr_mac(NWID, PEER),
		.ether_type = 0x0800,
		.data = { .bytes = bytes, .length = length },
		.own = own,
	};
}

static struct netconf *with_rules(const struct rule *rules, size_t count)
{
	struct netconf *own = netconf_new();
	assert_non_null(own);
	own->nwid = NWID;
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(netconf_add_rule(own, &rules[i]), 0);
	}
	return own;
}

/* docs/decisions/091. */
static void random_rules_are_independent(void **unused)
{
	(void)unused;
	enum { TRIES = 40000 };
	const struct rule half = { .type = RULE_RANDOM, .u.probability = 0x7fffffff };
	const struct rule table[] = { half, half, { .type = RULE_ACCEPT } };
	struct netconf *own = with_rules(table, 3);
	uint8_t frame[20] = { 0x45 };
	struct filter_in in = plain(own, frame, sizeof(frame));
	struct filter_out out;
	unsigned passed = 0;
	for (unsigned i = 0; i < TRIES; i++) {
		in.random = next();
		enum filter_verdict verdict = filter_frame(&in, &out);
		assert_int_equal(filter_frame(&in, &out), verdict); /* repeats */
		passed += verdict == FILTER_PASS;
	}
	assert_in_range(passed, TRIES * 23 / 100, TRIES * 27 / 100); /* a quarter */
	netconf_free(own);
}

/* docs/decisions/090: a member that sends from another's derived address is not authentic. */
static void a_derived_address_is_its_owners(void **unused)
{
	(void)unused;
	const struct rule table[] = {
		{ .type = RULE_CHARACTERISTICS, .u.mask = 1ULL << 60 },
		{ .type = RULE_ACCEPT },
	};
	const uint64_t other = 0x8846785f01;
	struct zt_endpoint (*const kinds[])(uint64_t, uint64_t) = { addr_rfc4193, addr_6plane };
	for (size_t kind = 0; kind < 2; kind++) {
		struct netconf *own = with_rules(table, 2);
		struct zt_endpoint mine = kinds[kind](NWID, SELF);
		own->flags = NETCONF_NDP_EMULATION;
		assert_int_equal(netconf_add_address(own, &mine), 0);
		uint8_t frame[40] = { 0x60 };
		struct filter_in in = plain(own, frame, sizeof(frame));
		struct filter_out out;
		in.is_inbound = true;
		in.ether_type = 0x86dd;
		in.zt_source = PEER;
		in.zt_dest = SELF;
		struct zt_endpoint source = kinds[kind](NWID, PEER);
		memcpy(frame + 8, source.ip, 16);
		assert_int_equal(filter_frame(&in, &out), FILTER_PASS);
		source = kinds[kind](NWID, other);
		memcpy(frame + 8, source.ip, 16);
		assert_int_equal(filter_frame(&in, &out), FILTER_DENY);
		netconf_free(own);
	}
}

/* A tee and a redirection at once, and to nobody. */
static void copies_of_table_and_capability(void **unused)
{
	(void)unused;
	const struct rule tee = { .type = RULE_TEE, .u.forward = { .address = 0x1111111111 } };
	struct netconf *own = with_rules(&tee, 1);
	struct capability cap = { .id = 1, .rule_count = 2 };
	cap.rules[0] = (struct rule){ .type = RULE_WATCH,
				      .u.forward = { .address = 0x2222222222, .length = 4 } };
	cap.rules[1] =
	    (struct rule){ .type = RULE_REDIRECT, .u.forward = { .address = 0x3333333333 } };
	assert_int_equal(netconf_add_capability(own, &cap), 0);
	uint8_t frame[20] = { 0x45 };
	struct filter_in in = plain(own, frame, sizeof(frame));
	struct filter_out out;
	assert_int_equal(filter_frame(&in, &out), FILTER_DENY);
	assert_int_equal(out.copy_count, 3);
	assert_true(out.copies[0].dest == 0x1111111111 && out.copies[0].length == 20 &&
		    out.copies[0].flags == EXT_FRAME_TEE_OUT);
	assert_true(out.copies[1].dest == 0x2222222222 && out.copies[1].length == 4 &&
		    out.copies[1].flags == EXT_FRAME_WATCH_OUT);
	assert_true(out.copies[2].dest == 0x3333333333 && out.copies[2].length == 20 &&
		    out.copies[2].flags == EXT_FRAME_REDIRECT_OUT);
	own->capabilities[0].rule_count = 1; /* it decides nothing now: no copies at all */
	assert_int_equal(filter_frame(&in, &out), FILTER_DENY);
	assert_int_equal(out.copy_count, 0);
	netconf_free(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_agree_with_a_second_implementation),
		cmocka_unit_test(random_rules_are_independent),
		cmocka_unit_test(a_derived_address_is_its_owners),
		cmocka_unit_test(copies_of_table_and_capability),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
