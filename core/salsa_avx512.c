/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Salsa20 on 16 blocks at once; compiled with -mavx512f -mavx512vl and called only where that
 * works. */
#if defined(__x86_64__)

#define LANES               16
#define UNPACK_LOW_32(a, b) SHUFFLE(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define UNPACK_HIGH_32(a, b)                                                                       \
	SHUFFLE(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define UNPACK_LOW_64(a, b) SHUFFLE(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define UNPACK_HIGH_64(a, b)                                                                       \
	SHUFFLE(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#include "core/salsa_vector.h"

/* 128-bit parts 0 and 1 of each, 2 and 3 of each, the even ones, the odd ones. */
#define PARTS_LOW(a, b)  SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define PARTS_HIGH(a, b) SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define PARTS_EVEN(a, b) SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
#define PARTS_ODD(a, b)  SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)

static inline void parts_gather(const vec t[16], size_t r, vec stream[LANES * VECS_PER_BLOCK])
{
	vec low_01 = PARTS_LOW(t[r], t[4 + r]), low_23 = PARTS_LOW(t[8 + r], t[12 + r]);
	vec high_01 = PARTS_HIGH(t[r], t[4 + r]), high_23 = PARTS_HIGH(t[8 + r], t[12 + r]);
	stream[r] = PARTS_EVEN(low_01, low_23);
	stream[4 + r] = PARTS_ODD(low_01, low_23);
	stream[8 + r] = PARTS_EVEN(high_01, high_23);
	stream[12 + r] = PARTS_ODD(high_01, high_23);
}

void salsa_run_avx512(const struct salsa *s, uint8_t *head, uint8_t *out, const uint8_t *in,
		      size_t length)
{
	run(s, head, out, in, length);
}

#endif
