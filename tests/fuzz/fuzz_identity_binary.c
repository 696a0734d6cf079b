/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Identities inside messages. */
#include "core/identity.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct identity id, again;
	uint8_t bytes[IDENTITY_BYTES];
	while (rd_left(&r) > 0 && identity_read(&r, &id) == 0) {
		BUG_ON(id.has_secret || address_is_reserved(id.address));
		struct wr w = wr_init(bytes, sizeof bytes);
		identity_write(&w, &id);
		struct rd back = rd_init(bytes, wr_length(&w));
		BUG_ON(identity_read(&back, &again) != 0 || !rd_done(&back));
		BUG_ON(!identity_equal(&id, &again));
	}
	return 0;
}
