/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The vector kernels' common text: included by salsa_avx2.c and salsa_avx512.c, which set LANES.
 *
 * How this works: vector w of the 16 holds word w of LANES consecutive blocks, one per lane. The
 * rounds then are plain vector arithmetic. Afterwards the words are transposed into a stack buffer
 * so that each block is contiguous: 4x4 inside each 128-bit part here, across the parts in
 * parts_gather(), which depends on LANES. GCC and clang vector extensions instead of intrinsics:
 * one text for both widths, which the compilers turn into the expected instructions (rotations
 * become vprold with AVX-512).
 */
#ifndef LANES
#error "include this from a kernel"
#endif

#include "core/salsa.h"

#include <string.h>

typedef uint32_t vec __attribute__((vector_size(LANES * 4)));

/* Lanes of two vectors by number; GCC before 12 (Debian 11) knows it by another name. */
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vec){ __VA_ARGS__ })
#endif

enum {
	BATCH_BYTES = LANES * SALSA_BLOCK_BYTES,
	VECS_PER_BLOCK = SALSA_BLOCK_BYTES / (LANES * 4),
};

/* t[4 * q + r], part p: words 4q to 4q+3 of block 4p + r. Writes the blocks 4p + r for one r. */
static inline void parts_gather(const vec t[16], size_t r, vec stream[LANES * VECS_PER_BLOCK]);

#define QUARTER(a, b, c, d)                                                                        \
	do {                                                                                       \
		vec sum = (a) + (d);                                                               \
		(b) ^= sum << 7 | sum >> 25;                                                       \
		sum = (b) + (a);                                                                   \
		(c) ^= sum << 9 | sum >> 23;                                                       \
		sum = (c) + (b);                                                                   \
		(d) ^= sum << 13 | sum >> 19;                                                      \
		sum = (d) + (c);                                                                   \
		(a) ^= sum << 18 | sum >> 14;                                                      \
	} while (0)

static inline void rounds_do(vec x[16], unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i += 2) {
		QUARTER(x[0], x[4], x[8], x[12]);
		QUARTER(x[5], x[9], x[13], x[1]);
		QUARTER(x[10], x[14], x[2], x[6]);
		QUARTER(x[15], x[3], x[7], x[11]);
		QUARTER(x[0], x[1], x[2], x[3]);
		QUARTER(x[5], x[6], x[7], x[4]);
		QUARTER(x[10], x[11], x[8], x[9]);
		QUARTER(x[15], x[12], x[13], x[14]);
	}
}

/* The LANES blocks from `counter` on. */
static inline void batch_make(const struct salsa *s, uint64_t counter,
			      vec stream[LANES * VECS_PER_BLOCK])
{
	vec start[16], x[16], t[16];
#pragma GCC unroll 16
	for (unsigned i = 0; i < 16; i++) {
		start[i] = (vec){ 0 } + s->words[i];
	}
	for (unsigned lane = 0; lane < LANES; lane++) {
		start[8][lane] = (uint32_t)(counter + lane);
		start[9][lane] = (uint32_t)((counter + lane) >> 32);
	}
#pragma GCC unroll 16
	for (unsigned i = 0; i < 16; i++) {
		x[i] = start[i];
	}
	rounds_do(x, s->rounds);
#pragma GCC unroll 4
	for (unsigned q = 0; q < 16; q += 4) {
		vec a = x[q] + start[q], b = x[q + 1] + start[q + 1];
		vec c = x[q + 2] + start[q + 2], d = x[q + 3] + start[q + 3];
		vec ab_low = UNPACK_LOW_32(a, b), ab_high = UNPACK_HIGH_32(a, b);
		vec cd_low = UNPACK_LOW_32(c, d), cd_high = UNPACK_HIGH_32(c, d);
		t[q] = UNPACK_LOW_64(ab_low, cd_low);
		t[q + 1] = UNPACK_HIGH_64(ab_low, cd_low);
		t[q + 2] = UNPACK_LOW_64(ab_high, cd_high);
		t[q + 3] = UNPACK_HIGH_64(ab_high, cd_high);
	}
#pragma GCC unroll 4
	for (size_t r = 0; r < 4; r++) {
		parts_gather(t, r, stream);
	}
}

static inline void xor_bytes(uint8_t *out, const uint8_t *in, const uint8_t *stream, size_t length)
{
	size_t i = 0;
	for (; i + sizeof(vec) <= length; i += sizeof(vec)) {
		vec text, key;
		memcpy(&text, in + i, sizeof text);
		memcpy(&key, stream + i, sizeof key);
		text ^= key;
		memcpy(out + i, &text, sizeof text);
	}
	for (; i < length; i++) {
		out[i] = in[i] ^ stream[i];
	}
}

static inline void run(const struct salsa *s, uint8_t *head, uint8_t *out, const uint8_t *in,
		       size_t length)
{
	vec stream[LANES * VECS_PER_BLOCK];
	const uint8_t *bytes = (const uint8_t *)stream;
	uint64_t counter = s->words[8] | (uint64_t)s->words[9] << 32;
	size_t skip = 0;

	if (head) {
		batch_make(s, counter, stream);
		memcpy(head, bytes, SALSA_BLOCK_BYTES);
		skip = SALSA_BLOCK_BYTES;
	}
	while (length > 0) {
		if (skip == 0) {
			batch_make(s, counter, stream);
		}
		size_t part = BATCH_BYTES - skip < length ? BATCH_BYTES - skip : length;
		xor_bytes(out, in, bytes + skip, part);
		out += part;
		in += part;
		length -= part;
		counter += LANES;
		skip = 0;
	}
}
