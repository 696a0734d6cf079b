/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* CHUNK: what it borrows lies inside the input. */
#include "base/bug.h"
#include "core/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct chunk chunk;
	if (chunk_read(&r, &chunk) != 0) {
		return 0;
	}
	BUG_ON(chunk.data < data || chunk.data + chunk.data_length > data + size);
	if (chunk.is_signed) {
		BUG_ON((uint64_t)chunk.offset + chunk.data_length > chunk.total_length);
		BUG_ON(chunk.signed_bytes != data);
		BUG_ON(chunk.signature + VL2_SIGNATURE_BYTES > data + size);
	}
	(void)chunk_key(&chunk);
	return 0;
}
