/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Every kernel against libsodium, at every length. */
#include "core/salsa.h"
#include "tests/lib/check.h"

#include <sodium.h>

enum { LONGEST = 1500 };

static uint8_t key[32], nonce[8], text[LONGEST + 64], want[LONGEST + 64];

static int setup(void **state)
{
	(void)state;
	assert_true(sodium_init() >= 0);
	randombytes_buf(key, sizeof key);
	randombytes_buf(nonce, sizeof nonce);
	randombytes_buf(text, sizeof text);
	assert_int_equal(crypto_stream_salsa2012(want, sizeof want, nonce, key), 0);
	return 0;
}

/* Exactly as long as the text, so that a sanitizer sees a byte too many. */
static void length_check(enum salsa_kernel kernel, size_t length, bool with_head, bool in_place)
{
	uint8_t *in = malloc(length ? length : 1), *out = malloc(length ? length : 1);
	uint8_t head[SALSA_BLOCK_BYTES];
	struct salsa s;
	assert_non_null(in);
	assert_non_null(out);
	memcpy(in, text, length);
	salsa_init(&s, 12, key, nonce);
	salsa_kernel_run(kernel, &s, with_head ? head : NULL, in_place ? in : out, in, length);
	const uint8_t *got = in_place ? in : out;
	const uint8_t *stream = with_head ? want + sizeof head : want;
	if (with_head) {
		assert_memory_equal(head, want, sizeof head);
	}
	for (size_t i = 0; i < length; i++) {
		assert_int_equal(got[i], text[i] ^ stream[i]);
	}
	size_t blocks = (with_head ? 1 : 0) + (length + 63) / 64;
	assert_int_equal(s.words[8], blocks);
	free(in);
	free(out);
}

static void kernel_check(enum salsa_kernel kernel)
{
	if (!salsa_kernel_available(kernel)) {
		skip();
	}
	for (size_t length = 0; length <= LONGEST; length++) {
		length_check(kernel, length, false, length % 2 == 0);
		length_check(kernel, length, true, length % 3 == 0);
	}
}

static void salsa_portable_is_libsodiums(void **state)
{
	(void)state;
	kernel_check(SALSA_PORTABLE);
}

static void salsa_avx2_is_libsodiums(void **state)
{
	(void)state;
	kernel_check(SALSA_AVX2);
}

static void salsa_avx512_is_libsodiums(void **state)
{
	(void)state;
	kernel_check(SALSA_AVX512);
}

/* Pieces of any whole number of blocks continue the stream; 20 rounds; the 64-bit counter carries.
 */
static void salsa_continues(void **state)
{
	(void)state;
	uint8_t in[8192] = { 0 }, got[8192];
	for (unsigned k = 0; k < SALSA_KERNELS; k++) {
		if (!salsa_kernel_available(k)) {
			continue;
		}
		struct salsa s;
		size_t at = 0;
		salsa_init(&s, 20, key, nonce);
		for (size_t blocks = 1; at + blocks * 64 <= sizeof got; blocks++) {
			salsa_kernel_run(k, &s, NULL, got + at, in, blocks * 64);
			at += blocks * 64;
		}
		uint8_t long_want[8192];
		assert_int_equal(crypto_stream_salsa20(long_want, at, nonce, key), 0);
		assert_memory_equal(got, long_want, at);

		const uint64_t before_carry = 0xfffffff5;
		salsa_init(&s, 20, key, nonce);
		s.words[8] = (uint32_t)before_carry;
		salsa_kernel_run(k, &s, NULL, got, in, sizeof got);
		assert_int_equal(crypto_stream_salsa20_xor_ic(long_want, in, sizeof long_want,
							      nonce, before_carry, key),
				 0);
		assert_memory_equal(got, long_want, sizeof got);
		assert_int_equal(s.words[9], 1);
	}
}

static void salsa_best_is_available(void **state)
{
	(void)state;
	struct salsa s;
	uint8_t head[64], got[LONGEST];
	assert_true(salsa_kernel_available(salsa_kernel_best()));
	assert_true(salsa_kernel_available(SALSA_PORTABLE));
	salsa_init(&s, 12, key, nonce);
	salsa_head_xor(&s, head, got, text, sizeof got);
	assert_memory_equal(head, want, sizeof head);
	assert_int_equal(got[LONGEST - 1], text[LONGEST - 1] ^ want[64 + LONGEST - 1]);
	salsa_init(&s, 12, key, nonce);
	salsa_xor(&s, got, text, 64);
	salsa_xor(&s, got + 64, text + 64, 600);
	assert_int_equal(got[663], text[663] ^ want[663]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(salsa_portable_is_libsodiums),
		cmocka_unit_test(salsa_avx2_is_libsodiums),
		cmocka_unit_test(salsa_avx512_is_libsodiums),
		cmocka_unit_test(salsa_continues),
		cmocka_unit_test(salsa_best_is_available),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
