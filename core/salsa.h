/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Salsa20 with 12 or 20 rounds, several blocks at once (design D6). */
#ifndef ZT_SALSA_H
#define ZT_SALSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SALSA_BLOCK_BYTES = 64 };

/* Key, nonce and block counter as the cipher's 16 input words; wipe it after use. */
struct salsa {
	uint32_t words[16];
	unsigned rounds;
};

void salsa_init(struct salsa *s, unsigned rounds, const uint8_t key[32], const uint8_t nonce[8]);
/* XOR `in` with the keystream from the current block on; `out` may be `in`. The counter moves on by
 * the blocks used, a part of a block counting as one. */
void salsa_xor(struct salsa *s, uint8_t *out, const uint8_t *in, size_t length);
/* The current block goes to `head`, the text is XORed with the ones after it: what an armoured
 * packet needs, in one pass. */
void salsa_head_xor(struct salsa *s, uint8_t head[SALSA_BLOCK_BYTES], uint8_t *out,
		    const uint8_t *in, size_t length);

/* The kernels, for tests and benches; everybody else gets the best one the machine has. */
enum salsa_kernel { SALSA_PORTABLE, SALSA_AVX2, SALSA_AVX512, SALSA_KERNELS };
const char *salsa_kernel_name(enum salsa_kernel kernel);
bool salsa_kernel_available(enum salsa_kernel kernel);
enum salsa_kernel salsa_kernel_best(void);
/* As salsa_head_xor (head NULL: as salsa_xor) with a kernel that is available. */
void salsa_kernel_run(enum salsa_kernel kernel, struct salsa *s, uint8_t *head, uint8_t *out,
		      const uint8_t *in, size_t length);

/* One kernel. Reads s, leaves it alone; head may be NULL. */
typedef void salsa_run(const struct salsa *s, uint8_t *head, uint8_t *out, const uint8_t *in,
		       size_t length);
salsa_run salsa_run_portable;
#if defined(__x86_64__)
salsa_run salsa_run_avx2;
salsa_run salsa_run_avx512;
#endif

#endif
