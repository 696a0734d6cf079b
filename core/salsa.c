/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a kernel takes the 16 input words and does a whole text. The portable one makes
 * one block after the other; the vector ones (salsa_vector.h) keep one block per lane, so that a
 * round is the same few instructions on 8 or 16 blocks. Which one runs is asked of the processor
 * for each text: that is a load and a test, and keeps core/ free of globals.
 */
#include "core/salsa.h"

#include "base/bug.h"

#include <string.h>

static uint32_t load32_le(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void salsa_init(struct salsa *s, unsigned rounds, const uint8_t key[32], const uint8_t nonce[8])
{
	static const uint32_t sigma[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	BUG_ON(rounds == 0 || rounds % 2 != 0);
	for (size_t i = 0; i < 4; i++) {
		s->words[5 * i] = sigma[i];
		s->words[1 + i] = load32_le(key + 4 * i);
		s->words[11 + i] = load32_le(key + 16 + 4 * i);
	}
	s->words[6] = load32_le(nonce);
	s->words[7] = load32_le(nonce + 4);
	s->words[8] = 0;
	s->words[9] = 0;
	s->rounds = rounds;
}

/* ---- the portable kernel -------------------------------------------------------------------- */

static inline uint32_t rotate(uint32_t x, int bits)
{
	return x << bits | x >> (32 - bits);
}

static inline void quarter(uint32_t x[16], int a, int b, int c, int d)
{
	x[b] ^= rotate(x[a] + x[d], 7);
	x[c] ^= rotate(x[b] + x[a], 9);
	x[d] ^= rotate(x[c] + x[b], 13);
	x[a] ^= rotate(x[d] + x[c], 18);
}

static void block_make(const uint32_t words[16], unsigned rounds, uint8_t out[SALSA_BLOCK_BYTES])
{
	uint32_t x[16];
	memcpy(x, words, sizeof x);
	for (unsigned i = 0; i < rounds; i += 2) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 5, 9, 13, 1);
		quarter(x, 10, 14, 2, 6);
		quarter(x, 15, 3, 7, 11);
		quarter(x, 0, 1, 2, 3);
		quarter(x, 5, 6, 7, 4);
		quarter(x, 10, 11, 8, 9);
		quarter(x, 15, 12, 13, 14);
	}
	for (size_t i = 0; i < 16; i++) {
		uint32_t word = x[i] + words[i];
		out[4 * i] = (uint8_t)word;
		out[4 * i + 1] = (uint8_t)(word >> 8);
		out[4 * i + 2] = (uint8_t)(word >> 16);
		out[4 * i + 3] = (uint8_t)(word >> 24);
	}
}

static void counter_add(uint32_t words[16], uint64_t blocks)
{
	uint64_t counter = (words[8] | (uint64_t)words[9] << 32) + blocks;
	words[8] = (uint32_t)counter;
	words[9] = (uint32_t)(counter >> 32);
}

void salsa_run_portable(const struct salsa *s, uint8_t *head, uint8_t *out, const uint8_t *in,
			size_t length)
{
	uint32_t words[16];
	uint8_t block[SALSA_BLOCK_BYTES];
	memcpy(words, s->words, sizeof words);
	if (head) {
		block_make(words, s->rounds, head);
		counter_add(words, 1);
	}
	for (size_t done = 0; done < length; done += sizeof block) {
		size_t part = length - done < sizeof block ? length - done : sizeof block;
		block_make(words, s->rounds, block);
		counter_add(words, 1);
		for (size_t i = 0; i < part; i++) {
			out[done + i] = in[done + i] ^ block[i];
		}
	}
}

/* ---- choosing ------------------------------------------------------------------------------- */

const char *salsa_kernel_name(enum salsa_kernel kernel)
{
	static const char *const names[SALSA_KERNELS] = { "portable", "avx2", "avx512" };
	return names[kernel];
}

bool salsa_kernel_available(enum salsa_kernel kernel)
{
#if defined(__x86_64__)
	if (kernel == SALSA_AVX512) {
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
	}
	if (kernel == SALSA_AVX2) {
		return __builtin_cpu_supports("avx2");
	}
#endif
	return kernel == SALSA_PORTABLE;
}

enum salsa_kernel salsa_kernel_best(void)
{
	if (salsa_kernel_available(SALSA_AVX512)) {
		return SALSA_AVX512;
	}
	return salsa_kernel_available(SALSA_AVX2) ? SALSA_AVX2 : SALSA_PORTABLE;
}

void salsa_kernel_run(enum salsa_kernel kernel, struct salsa *s, uint8_t *head, uint8_t *out,
		      const uint8_t *in, size_t length)
{
	uint64_t blocks = (head ? 1 : 0) + (length + SALSA_BLOCK_BYTES - 1) / SALSA_BLOCK_BYTES;
	switch (kernel) {
#if defined(__x86_64__)
	case SALSA_AVX512:
		salsa_run_avx512(s, head, out, in, length);
		break;
	case SALSA_AVX2:
		salsa_run_avx2(s, head, out, in, length);
		break;
#endif
	default:
		salsa_run_portable(s, head, out, in, length);
		break;
	}
	counter_add(s->words, blocks);
}

/* A vector kernel makes all its lanes even for one block, at the price of two portable ones. */
static enum salsa_kernel kernel_for(size_t bytes)
{
	return bytes <= SALSA_BLOCK_BYTES ? SALSA_PORTABLE : salsa_kernel_best();
}

void salsa_xor(struct salsa *s, uint8_t *out, const uint8_t *in, size_t length)
{
	salsa_kernel_run(kernel_for(length), s, NULL, out, in, length);
}

void salsa_head_xor(struct salsa *s, uint8_t head[SALSA_BLOCK_BYTES], uint8_t *out,
		    const uint8_t *in, size_t length)
{
	salsa_kernel_run(kernel_for(SALSA_BLOCK_BYTES + length), s, head, out, in, length);
}
