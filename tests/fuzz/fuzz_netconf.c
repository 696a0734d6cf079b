/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Configuration dictionaries: whatever parses, writes, and what was written parses to the same. */
#include "base/bug.h"
#include "core/netconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t dict[VL2_CONFIG_MAX_BYTES];
	struct netconf *first, *second;
	if (netconf_parse(data, size, &first) != 0) {
		return 0;
	}
	struct wr w = wr_init(dict, sizeof(dict));
	netconf_write(&w, first);
	if (!w.bad && wr_length(&w) < sizeof(dict)) {
		BUG_ON(netconf_parse(dict, wr_length(&w), &second) != 0);
		BUG_ON(!netconf_equal(first, second));
		netconf_free(second);
	}
	netconf_free(first);
	return 0;
}
