/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Certificates of membership: what reads, writes back the same bytes. */
#include "base/bug.h"
#include "core/com.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct com com;
	if (com_read(&r, &com) != 0) {
		return 0;
	}
	uint8_t bytes[COM_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	com_write(&w, &com);
	BUG_ON(w.bad || wr_length(&w) != (size_t)(r.p - data));
	BUG_ON(memcmp(bytes, data, wr_length(&w)) != 0);
	BUG_ON(!com_equal(&com, &com));
	return 0;
}
