/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Rule tables: what was read and written is stable from then on. */
#include "base/bug.h"
#include "core/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rule rules[VL2_RULES_MAX], again[VL2_RULES_MAX];
	static uint8_t bytes[VL2_RULES_MAX * RULE_MAX_BYTES];
	struct rd r = rd_init(data, size);
	size_t count, second;
	if (rules_read(&r, rules, VL2_RULES_MAX, &count) != 0) {
		return 0;
	}
	struct wr w = wr_init(bytes, sizeof(bytes));
	rules_write(&w, rules, count);
	BUG_ON(w.bad);
	r = rd_init(bytes, wr_length(&w));
	BUG_ON(rules_read(&r, again, VL2_RULES_MAX, &second) != 0 || second != count);
	for (size_t i = 0; i < count; i++) {
		BUG_ON(!rule_equal(&rules[i], &again[i]));
	}
	return 0;
}
