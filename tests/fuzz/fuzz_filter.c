/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Random rules on a random frame, as sender and as receiver.
 *
 * Input: direction and flags, addresses, length of the table, the table, the rest is the frame. */
#include "core/filter_impl.h"
#include "core/mem.h"
#include "tests/fuzz/fuzz.h"

#define SELF 0x0208636a4aULL

static struct rule rules[VL2_RULES_MAX];

static void check(const struct filter_in *in)
{
	struct filter_out out, again;
	enum filter_verdict verdict = filter_frame(in, &out);
	BUG_ON(filter_frame(in, &again) != verdict || again.copy_count != out.copy_count);
	BUG_ON(verdict == FILTER_PASS_SUPER && !in->is_inbound);
	BUG_ON(out.copy_count > FILTER_COPIES_MAX);
	for (size_t i = 0; i < out.copy_count; i++) {
		BUG_ON(out.copies[i].dest == 0 || out.copies[i].dest == in->self);
		BUG_ON(out.copies[i].length > in->data.length);
	}
	if (filter_is_open(in->own->rules, in->own->rule_count)) {
		BUG_ON(verdict != FILTER_PASS || out.copy_count != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	uint8_t bits = rd_u8(&r);
	struct tag tag = { .id = rd_u8(&r), .value = rd_u8(&r) };
	struct filter_in in = { .is_inbound = bits & 1,
				.is_tee_suppressed = bits & 2,
				.self = SELF,
				.zt_source = rd_u40(&r),
				.zt_dest = rd_u40(&r),
				.mac_source = rd_u48(&r),
				.mac_dest = rd_u48(&r),
				.ether_type = rd_u16(&r),
				.random = bits };
	size_t table_length = rd_u16(&r);
	struct rd table = rd_sub(&r, table_length < rd_left(&r) ? table_length : rd_left(&r));
	struct netconf own = { .nwid = 0xcc15a64a34a0d478ULL, .issued_to = SELF, .rules = rules };
	struct capability cap = { .id = 1 };
	struct coo coo = { .thing_count = 1 };
	coo.things[0].type = COO_MAC;
	/* What was read before the first error counts. */
	while (rd_left(&table) > 0 && own.rule_count < VL2_RULES_MAX &&
	       rule_read(&table, &rules[own.rule_count]) == 0) {
		own.rule_count++;
	}
	cap.rule_count =
	    own.rule_count < VL2_CAPABILITY_RULES_MAX ? own.rule_count : VL2_CAPABILITY_RULES_MAX;
	memcpy(cap.rules, rules, cap.rule_count * sizeof(rules[0]));
	own.flags = bits & (NETCONF_NDP_EMULATION | NETCONF_UNKNOWN_RULES_MATCH);
	own.tags = &tag;
	own.tag_count = 1;
	own.coos = &coo;
	own.coo_count = bits >> 6 & 1;
	own.capabilities = &cap;
	own.capability_count = bits >> 5 & 1;
	struct held held = { .tags = &tag,
			     .tag_count = bits >> 4 & 1,
			     .coos = &coo,
			     .coo_count = 1,
			     .capabilities = &cap,
			     .capability_count = 1 };
	in.own = &own;
	in.other = bits >> 7 ? NULL : &held;
	/* A frame of exactly its length on the heap, so that the sanitizer sees one byte more. */
	size_t length = rd_left(&r);
	uint8_t *frame = zt_malloc(length + 1);
	if (!frame) {
		return 0;
	}
	memcpy(frame + 1, r.p, length);
	in.data = (struct span){ .bytes = frame + 1, .length = length };
	check(&in);
	in.is_inbound = !in.is_inbound;
	check(&in);
	zt_free(frame);
	return 0;
}
