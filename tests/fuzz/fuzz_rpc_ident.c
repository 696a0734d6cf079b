/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names of descriptors, which anybody may bind: what is accepted is written back byte for byte. */
#include "rpc/rpc.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_ident ident;
	uint8_t again[RPC_NAME_MAX_BYTES];
	if (!rpc_ident_read(data, size, &ident)) {
		return 0;
	}
	BUG_ON(rpc_ident_write(&ident, again) != size);
	BUG_ON(memcmp(again, data, size) != 0);
	return 0;
}
