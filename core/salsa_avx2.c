/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Salsa20 on 8 blocks at once; compiled with -mavx2 and called only where that works. */
#if defined(__x86_64__)

#define LANES                8
#define UNPACK_LOW_32(a, b)  SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define UNPACK_HIGH_32(a, b) SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define UNPACK_LOW_64(a, b)  SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define UNPACK_HIGH_64(a, b) SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#include "core/salsa_vector.h"

#define PARTS_0(a, b) SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define PARTS_1(a, b) SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

static inline void parts_gather(const vec t[16], size_t r, vec stream[LANES * VECS_PER_BLOCK])
{
	stream[2 * r] = PARTS_0(t[r], t[4 + r]);
	stream[2 * r + 1] = PARTS_0(t[8 + r], t[12 + r]);
	stream[2 * (4 + r)] = PARTS_1(t[r], t[4 + r]);
	stream[2 * (4 + r) + 1] = PARTS_1(t[8 + r], t[12 + r]);
}

void salsa_run_avx2(const struct salsa *s, uint8_t *head, uint8_t *out, const uint8_t *in,
		    size_t length)
{
	run(s, head, out, in, length);
}

#endif
