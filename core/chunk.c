/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/chunk.h"

#include "core/identity.h"

int chunk_read(struct rd *r, struct chunk *out)
{
	struct chunk c = { .signed_bytes = r->p };
	c.nwid = rd_u64(r);
	c.data_length = rd_u16(r);
	c.data = rd_bytes(r, c.data_length);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if (rd_left(r) == 0) {
		c.signed_bytes = NULL;
		*out = c;
		return 0;
	}
	c.is_signed = true;
	c.flags = rd_u8(r);
	c.update_id = rd_u64(r);
	c.total_length = rd_u32(r);
	c.offset = rd_u32(r);
	c.signed_length = (size_t)(r->p - c.signed_bytes);
	uint8_t type = rd_u8(r);
	uint16_t length = rd_u16(r);
	c.signature = rd_bytes(r, VL2_SIGNATURE_BYTES);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if (type != VL2_SIGNATURE_ED25519 || length != VL2_SIGNATURE_BYTES) {
		return ZT_E_MALFORMED;
	}
	if ((uint64_t)c.offset + c.data_length > c.total_length ||
	    c.total_length >= VL2_CONFIG_MAX_BYTES) {
		return ZT_E_TOO_BIG;
	}
	*out = c;
	return 0;
}

uint64_t chunk_key(const struct chunk *chunk)
{
	if (!chunk->is_signed) {
		return 0;
	}
	struct rd r = rd_init(chunk->signature, VL2_SIGNATURE_BYTES);
	uint64_t high = rd_u64(&r);
	return high ^ rd_u64(&r);
}

bool chunk_verify(const struct chunk *chunk, const struct identity *controller)
{
	return chunk->is_signed && chunk->nwid >> 24 == controller->address &&
	       identity_verify(controller, chunk->signed_bytes, chunk->signed_length,
			       chunk->signature);
}

size_t chunk_count(size_t total_length)
{
	return (total_length + VL2_CHUNK_DATA_MAX_BYTES - 1) / VL2_CHUNK_DATA_MAX_BYTES;
}

int chunk_write(struct wr *w, const struct chunk_source *source, size_t index,
		const struct identity *signer)
{
	size_t offset = index * VL2_CHUNK_DATA_MAX_BYTES;
	if (source->dict_length >= VL2_CONFIG_MAX_BYTES || offset >= source->dict_length) {
		return ZT_E_TOO_BIG;
	}
	if (!signer->has_secret) {
		return ZT_E_BAD_IDENTITY;
	}
	size_t length = source->dict_length - offset;
	if (length > VL2_CHUNK_DATA_MAX_BYTES) {
		length = VL2_CHUNK_DATA_MAX_BYTES;
	}
	const uint8_t *start = w->p;
	wr_u64(w, source->nwid);
	wr_u16(w, (uint16_t)length);
	wr_bytes(w, source->dict + offset, length);
	wr_u8(w, 0); /* no fast propagation */
	wr_u64(w, source->update_id);
	wr_u32(w, (uint32_t)source->dict_length);
	wr_u32(w, (uint32_t)offset);
	size_t signed_length = w->bad ? 0 : (size_t)(w->p - start);
	wr_u8(w, VL2_SIGNATURE_ED25519);
	wr_u16(w, VL2_SIGNATURE_BYTES);
	uint8_t *signature = wr_room(w, VL2_SIGNATURE_BYTES);
	if (!signature) {
		return ZT_E_NO_ROOM;
	}
	identity_sign(signer, start, signed_length, signature);
	return 0;
}
