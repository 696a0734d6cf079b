/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The matches of 7.3, one function each.
 *
 * Most answers are turned round by the rule's NOT; some are not, because the question does not
 * apply ("hard" answers): an IPv4 address in an ARP frame matches neither the rule nor its
 * negation. Quirks of the reference that tables in the field rely on are kept and named.
 */
#include "core/filter_impl.h"

#include "core/addr.h"

#include <string.h>

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_NO_HARD, ANSWER_YES_HARD };

static enum answer answer(bool is_yes)
{
	return is_yes ? ANSWER_YES : ANSWER_NO;
}

/* ---- addresses --------------------------------------------------------------------------------
 */

static enum answer match_address(const struct filter_run *run, const struct rule *rule)
{
	const struct filter_in *in = run->in;
	switch (rule->type) {
	case RULE_SOURCE_ZT:
		return answer(rule->u.zt == in->zt_source);
	case RULE_DEST_ZT:
		return answer(rule->u.zt == run->zt_dest);
	case RULE_MAC_SOURCE:
		return answer(rule->u.mac == in->mac_source);
	default:
		return answer(rule->u.mac == in->mac_dest);
	}
}

static enum answer match_ethernet(const struct filter_run *run, const struct rule *rule)
{
	if (rule->type == RULE_ETHERTYPE) {
		return answer(rule->u.number == run->in->ether_type);
	}
	/* There are no priorities inside: both fields count as zero. */
	return answer(rule->u.number == (rule->type == RULE_VLAN_ID ? run->in->vlan_id : 0));
}

/* The top `bits` of 16 or fewer bytes of an address, the rest zero. */
static void masked(const uint8_t *in, uint8_t *out, size_t length, unsigned bits)
{
	for (size_t i = 0; i < length; i++) {
		unsigned keep = bits > 8 ? 8 : bits;
		out[i] = in[i] & (uint8_t)(0xff00U >> keep);
		bits -= keep;
	}
}

static enum answer match_ipv4(const struct filter_run *run, const struct rule *rule)
{
	if (run->ip.version != 4) {
		return ANSWER_NO_HARD;
	}
	uint8_t want[4], have[4];
	masked(rule->u.ip.address, want, sizeof(want), rule->u.ip.bits);
	masked(rule->type == RULE_IPV4_SOURCE ? run->ip.source : run->ip.dest, have, sizeof(have),
	       rule->u.ip.bits);
	return answer(memcmp(want, have, sizeof(have)) == 0);
}

/* Quirk: the rule's own address is not masked, so one with host bits never matches. */
static enum answer match_ipv6(const struct filter_run *run, const struct rule *rule)
{
	if (run->ip.version != 6) {
		return ANSWER_NO_HARD;
	}
	uint8_t have[16];
	masked(rule->type == RULE_IPV6_SOURCE ? run->ip.source : run->ip.dest, have, sizeof(have),
	       rule->u.ip.bits);
	return answer(memcmp(rule->u.ip.address, have, sizeof(have)) == 0);
}

/* ---- IP ---------------------------------------------------------------------------------------
 */

static enum answer match_tos(const struct filter_run *run, const struct rule *rule)
{
	if (run->ip.version == 0) {
		return ANSWER_NO_HARD;
	}
	uint8_t tos = run->ip.tos & rule->u.tos.mask;
	return answer(tos >= rule->u.tos.start && tos <= rule->u.tos.end);
}

static enum answer match_protocol(const struct filter_run *run, const struct rule *rule)
{
	if (!run->ip.has_payload) {
		return ANSWER_NO_HARD;
	}
	return answer(rule->u.number == run->ip.protocol);
}

static enum answer match_icmp(const struct filter_run *run, const struct rule *rule)
{
	struct span data = run->in->data;
	uint8_t protocol = run->ip.version == 4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6;
	if (!run->ip.has_payload || run->ip.protocol != protocol ||
	    data.length < run->ip.payload_at + 2) {
		return ANSWER_NO_HARD;
	}
	const uint8_t *icmp = data.bytes + run->ip.payload_at;
	if (rule->u.icmp.type != icmp[0]) {
		return ANSWER_NO_HARD;
	}
	return rule->u.icmp.flags & 1 ? answer(rule->u.icmp.code == icmp[1]) : ANSWER_YES_HARD;
}

static enum answer match_ports(const struct filter_run *run, const struct rule *rule)
{
	if (!run->ip.has_payload) {
		return ANSWER_NO_HARD;
	}
	int32_t port =
	    filter_port(&run->ip, run->in->data, rule->type == RULE_SOURCE_PORTS ? 0 : 2);
	return answer(port >= rule->u.range.start && port <= rule->u.range.end);
}

/* ---- any bytes --------------------------------------------------------------------------------
 */

static enum answer match_size(const struct filter_run *run, const struct rule *rule)
{
	size_t length = run->in->data.length;
	return answer(length >= rule->u.range.start && length <= rule->u.range.end);
}

/* Quirk: a big-endian number lies at the end of the 8 bytes from its index on. */
static enum answer match_integer(const struct filter_run *run, const struct rule *rule)
{
	unsigned bits = (rule->u.integer.format & 63U) + 1;
	size_t width = (bits + 7) / 8;
	bool is_little = rule->u.integer.format & 0x80;
	struct rd r = rd_init(run->in->data.bytes, run->in->data.length);
	(void)rd_bytes(&r, rule->u.integer.index + (is_little ? 0 : 8 - width));
	uint64_t value = rd_uint(&r, width); /* 0 when it is not there */
	if (is_little) {
		value = __builtin_bswap64(value) >> (64 - bits);
	} else {
		value &= UINT64_MAX >> (64 - bits);
	}
	uint64_t end = rule->u.integer.start + rule->u.integer.delta;
	return answer(value >= rule->u.integer.start && value <= end);
}

/* A step of SplitMix64: several random rules of one table do not depend on each other. */
static enum answer match_random(struct filter_run *run, const struct rule *rule)
{
	uint64_t x = run->random += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return answer((uint32_t)(x >> 32) <= rule->u.probability);
}

/* ---- characteristics --------------------------------------------------------------------------
 */

enum characteristic {
	CHARACTERISTIC_INBOUND = 63,
	CHARACTERISTIC_MULTICAST = 62,
	CHARACTERISTIC_BROADCAST = 61,
	CHARACTERISTIC_SENDER_IP = 60,
	CHARACTERISTIC_SENDER_MAC = 59,
};

static uint64_t bit(enum characteristic which, bool is_set)
{
	return (uint64_t)is_set << which;
}

/* Does a certificate of ownership of the sender's list this address (a MAC when ip is NULL)? */
static bool sender_owns(const struct filter_in *in, const struct zt_endpoint *ip)
{
	const struct coo *coos =
	    in->is_inbound ? in->other ? in->other->coos : NULL : in->own->coos;
	size_t count = in->is_inbound ? in->other ? in->other->coo_count : 0 : in->own->coo_count;
	for (size_t i = 0; i < count; i++) {
		if (in->is_inbound && !held_coo_usable(in->other, &coos[i], &in->window)) {
			continue;
		}
		if (ip ? coo_owns_ip(&coos[i], ip) : coo_owns_mac(&coos[i], in->mac_source)) {
			return true;
		}
	}
	return false;
}

/* Where neighbour discovery is emulated, addresses derived from the sender's are its own, if we use
 * that kind of address, too. Stricter than 7.3 on purpose: docs/decisions/090. */
static bool sender_derives(const struct filter_in *in, const struct zt_endpoint *ip)
{
	const struct netconf *own = in->own;
	if (!in->is_inbound || !(own->flags & NETCONF_NDP_EMULATION) || ip->family != 6) {
		return false;
	}
	struct zt_endpoint ours[] = { addr_rfc4193(own->nwid, in->self),
				      addr_6plane(own->nwid, in->self) };
	struct zt_endpoint theirs[] = { addr_rfc4193(own->nwid, in->zt_source),
					addr_6plane(own->nwid, in->zt_source) };
	theirs[0].port = 128; /* one address */
	theirs[1].port = 80;  /* a range */
	for (size_t i = 0; i < own->address_count; i++) {
		for (size_t kind = 0; kind < 2; kind++) {
			if (endpoint_equal(&own->addresses[i], &ours[kind]) &&
			    endpoint_within(ip, &theirs[kind])) {
				return true;
			}
		}
	}
	return false;
}

static bool is_ip_authentic(const struct filter_run *run)
{
	struct zt_endpoint ip;
	switch (filter_sender_ip(&run->ip, run->in->ether_type, run->in->data, &ip)) {
	case SENDER_TRUSTED:
		return true;
	case SENDER_IP:
		return sender_owns(run->in, &ip) || sender_derives(run->in, &ip);
	case SENDER_NONE:
		break;
	}
	return false;
}

static enum answer match_characteristics(const struct filter_run *run, const struct rule *rule)
{
	const struct filter_in *in = run->in;
	uint64_t mask = rule->u.mask;
	uint64_t have = filter_tcp_bits(&run->ip, in->data) |
			bit(CHARACTERISTIC_INBOUND, in->is_inbound) |
			bit(CHARACTERISTIC_MULTICAST, addr_mac_is_multicast(in->mac_dest)) |
			bit(CHARACTERISTIC_BROADCAST, in->mac_dest == ADDR_MAC_BROADCAST);
	/* Certificates are searched only for whom it matters. */
	if (mask >> CHARACTERISTIC_SENDER_IP & 1) {
		have |= bit(CHARACTERISTIC_SENDER_IP, is_ip_authentic(run));
	}
	if (mask >> CHARACTERISTIC_SENDER_MAC & 1) {
		have |= bit(CHARACTERISTIC_SENDER_MAC, sender_owns(in, NULL));
	}
	return answer((have & mask) != 0);
}

/* ---- tags -------------------------------------------------------------------------------------
 */

static bool own_tag(const struct filter_in *in, uint32_t id, uint32_t *value)
{
	size_t low = 0, high = in->own->tag_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct tag *tag = &in->own->tags[middle];
		if (tag->id == id) {
			*value = tag->value;
			return true;
		}
		if (tag->id < id) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return false;
}

static bool their_tag(const struct filter_in *in, uint32_t id, uint32_t *value)
{
	const struct tag *tag = in->other ? held_tag_usable(in->other, id, &in->window) : NULL;
	if (tag) {
		*value = tag->value;
	}
	return tag;
}

/* Who sends does not always know the receiver's tags and lets it decide; a drop that was to follow
 * from the match must not happen then, either. */
static enum answer undecided(struct filter_run *run)
{
	run->skips = true;
	return ANSWER_YES_HARD;
}

static bool tags_relate(const struct rule *rule, uint32_t mine, uint32_t theirs)
{
	uint32_t value = rule->u.tag.value;
	switch (rule->type) {
	case RULE_TAGS_DIFFERENCE:
		return (mine > theirs ? mine - theirs : theirs - mine) <= value;
	case RULE_TAGS_AND:
		return (mine & theirs) == value;
	case RULE_TAGS_OR:
		return (mine | theirs) == value;
	case RULE_TAGS_XOR:
		return (mine ^ theirs) == value;
	default:
		return mine == value && theirs == value;
	}
}

static enum answer match_tags(struct filter_run *run, const struct rule *rule)
{
	uint32_t mine, theirs;
	if (!own_tag(run->in, rule->u.tag.id, &mine)) {
		return ANSWER_NO_HARD;
	}
	if (their_tag(run->in, rule->u.tag.id, &theirs)) {
		return answer(tags_relate(rule, mine, theirs));
	}
	return run->in->is_inbound && !run->is_super ? ANSWER_NO_HARD : undecided(run);
}

static enum answer match_one_tag(struct filter_run *run, const struct rule *rule)
{
	const struct filter_in *in = run->in;
	uint32_t value;
	if (run->is_super) {
		return undecided(run);
	}
	bool is_theirs = (rule->type == RULE_TAG_SENDER) == in->is_inbound;
	if (is_theirs ? their_tag(in, rule->u.tag.id, &value)
		      : own_tag(in, rule->u.tag.id, &value)) {
		return answer(value == rule->u.tag.value);
	}
	return is_theirs && !in->is_inbound ? undecided(run) : ANSWER_NO_HARD;
}

/* ---- dispatch ---------------------------------------------------------------------------------
 */

static enum answer ask(struct filter_run *run, const struct rule *rule)
{
	switch (rule->type) {
	case RULE_SOURCE_ZT:
	case RULE_DEST_ZT:
	case RULE_MAC_SOURCE:
	case RULE_MAC_DEST:
		return match_address(run, rule);
	case RULE_VLAN_ID:
	case RULE_VLAN_PCP:
	case RULE_VLAN_DEI:
	case RULE_ETHERTYPE:
		return match_ethernet(run, rule);
	case RULE_IPV4_SOURCE:
	case RULE_IPV4_DEST:
		return match_ipv4(run, rule);
	case RULE_IPV6_SOURCE:
	case RULE_IPV6_DEST:
		return match_ipv6(run, rule);
	case RULE_IP_TOS:
		return match_tos(run, rule);
	case RULE_IP_PROTOCOL:
		return match_protocol(run, rule);
	case RULE_ICMP:
		return match_icmp(run, rule);
	case RULE_SOURCE_PORTS:
	case RULE_DEST_PORTS:
		return match_ports(run, rule);
	case RULE_CHARACTERISTICS:
		return match_characteristics(run, rule);
	case RULE_FRAME_SIZE:
		return match_size(run, rule);
	case RULE_RANDOM:
		return match_random(run, rule);
	case RULE_TAGS_DIFFERENCE:
	case RULE_TAGS_AND:
	case RULE_TAGS_OR:
	case RULE_TAGS_XOR:
	case RULE_TAGS_EQUAL:
		return match_tags(run, rule);
	case RULE_TAG_SENDER:
	case RULE_TAG_RECEIVER:
		return match_one_tag(run, rule);
	case RULE_INTEGER_RANGE:
		return match_integer(run, rule);
	default:
		return answer(run->in->own->flags & NETCONF_UNKNOWN_RULES_MATCH);
	}
}

bool filter_match(struct filter_run *run, const struct rule *rule)
{
	switch (ask(run, rule)) {
	case ANSWER_YES_HARD:
		return true;
	case ANSWER_NO_HARD:
		return false;
	case ANSWER_YES:
		return !rule->is_not;
	case ANSWER_NO:
		break;
	}
	return rule->is_not;
}
