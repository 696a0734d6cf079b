/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Lengths of requests: whatever is accepted can be read as its struct, options with their values.
 */
#include "rpc/rpc.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_option option;
	struct rpc_header header;
	_Alignas(8) uint8_t bytes[RPC_MAX_BYTES];
	if (size < sizeof header || size > sizeof bytes) {
		return 0;
	}
	memcpy(bytes, data, size);
	memcpy(&header, data, sizeof header);
	if (!rpc_request_ok((const void *)bytes, size)) {
		return 0;
	}
	BUG_ON(header.length != size);
	BUG_ON(header.op == RPC_CONNECT && size < sizeof(struct rpc_connect));
	BUG_ON(header.op == RPC_SOCKET && size < sizeof(struct rpc_socket));
	if (header.op == RPC_SETOPT) {
		memcpy(&option, bytes, offsetof(struct rpc_option, value));
		BUG_ON(option.value_length > sizeof option.value);
		BUG_ON(offsetof(struct rpc_option, value) + option.value_length > size);
	}
	return 0;
}
