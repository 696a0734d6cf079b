/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Reassembly of configurations: any sequence of chunks, as if each were well signed. The input is a
 * list of update id, total, offset and length, one byte each; the data of a chunk follows from
 * where it lies, so that a complete dictionary can be checked. */
#include "core/reassembly.h"
#include "tests/fuzz/fuzz.h"

enum { UPDATES = 8 };

static uint8_t byte_at(uint64_t update_id, size_t offset)
{
	return (uint8_t)(update_id * 31 + offset * 7);
}

static void check_complete(uint64_t update_id, const uint8_t *dict, size_t length)
{
	/* Overlapping pieces may leave holes; those are zeros, never other memory. */
	for (size_t i = 0; i < length; i++) {
		BUG_ON(dict[i] != 0 && dict[i] != byte_at(update_id, i));
	}
}

static void step(struct reassembly *r, const uint8_t *in)
{
	uint8_t bytes[256], signature[VL2_SIGNATURE_BYTES] = { 0 };
	struct chunk chunk = {
		.nwid = 1,
		.is_signed = true,
		.update_id = in[0] % UPDATES,
		.total_length = in[1],
		.offset = in[2],
		.data = bytes,
		.data_length = in[3],
		.signature = signature,
	};
	if (chunk.offset + chunk.data_length > chunk.total_length) {
		return; /* chunk_read refuses it */
	}
	signature[0] = in[0];
	signature[1] = in[2];
	signature[2] = in[3];
	for (size_t i = 0; i < chunk.data_length; i++) {
		bytes[i] = byte_at(chunk.update_id, chunk.offset + i);
	}
	bool had = reassembly_has(r, &chunk);
	const uint8_t *dict;
	size_t length;
	enum reassembly_result result = reassembly_add(r, &chunk, &dict, &length);
	BUG_ON(had && result != REASSEMBLY_REFUSED);
	BUG_ON(result == REASSEMBLY_STORED && !reassembly_has(r, &chunk));
	if (result == REASSEMBLY_COMPLETE) {
		BUG_ON(length != chunk.total_length);
		check_complete(chunk.update_id, dict, length);
		reassembly_trim(r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reassembly r = { 0 };
	for (size_t i = 0; i + 4 <= size; i += 4) {
		step(&r, data + i);
	}
	reassembly_fini(&r);
	return 0;
}
