/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Speed of the ciphers at one packet's size, ours beside libsodium's in one run.
 *
 * Prints one JSON object. GB/s are bytes of text; best of several rounds, because a shared machine
 * can only make a round slower.
 */
#include "core/salsa.h"
#include "core/crypt.h"
#include "core/identity.h"
#include "core/packet.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BYTES = 1400, ROUNDS = 20, CALLS = 4000 };

static uint8_t key[32], nonce[8], text[BYTES], out[BYTES];
static struct crypt_key *peer;

static double seconds_now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef void work(int argument);

static double best_seconds(work *run, int argument, int calls)
{
	double best = 1e9;
	for (int round = 0; round < ROUNDS; round++) {
		double start = seconds_now();
		for (int i = 0; i < calls; i++) {
			run(argument);
		}
		double took = (seconds_now() - start) / calls;
		best = took < best ? took : best;
	}
	return best;
}

static void run_kernel(int kernel)
{
	struct salsa s;
	uint8_t head[SALSA_BLOCK_BYTES];
	salsa_init(&s, 12, key, nonce);
	salsa_kernel_run((enum salsa_kernel)kernel, &s, head, out, text, sizeof text);
	nonce[0] ^= head[0];
}

/* What a program on libsodium has to do: keystream, then XOR (there is no _xor for 12 rounds it
 * could start at the second block). */
static void run_libsodium(int unused)
{
	(void)unused;
	uint8_t stream[SALSA_BLOCK_BYTES + BYTES];
	(void)crypto_stream_salsa2012(stream, sizeof stream, nonce, key);
	for (size_t i = 0; i < sizeof text; i++) {
		out[i] = text[i] ^ stream[SALSA_BLOCK_BYTES + i];
	}
	nonce[0] ^= stream[0];
}

static void run_seal(int cipher)
{
	if (crypt_seal(peer, (uint8_t)cipher, out, text, sizeof text) == 0) {
		text[0] ^= out[PACKET_MAC_AT];
	}
}

static void run_seal_open(int cipher)
{
	run_seal(cipher);
	if (crypt_open(peer, out, sizeof out) != 0) {
		(void)fprintf(stderr, "bench: a packet does not open\n");
	}
}

static void run_hash(int unused)
{
	(void)unused;
	uint8_t public_key[IDENTITY_KEY_BYTES] = { 0 }, hash[IDENTITY_HASH_BYTES];
	if (identity_hash(public_key, hash) != 0) {
		(void)fprintf(stderr, "bench: out of memory\n");
	}
}

static double rate(double seconds)
{
	return BYTES / seconds * 1e-9;
}

int main(void)
{
	const uint8_t key48[48] = { 1 };
	if (sodium_init() < 0 || (peer = crypt_key_new(key48)) == NULL) {
		(void)fprintf(stderr, "bench: no cryptography\n");
		return 1;
	}
	double sodium = rate(best_seconds(run_libsodium, 0, CALLS));
	double best = 0;
	printf("{\n \"bytes\": %d,\n \"salsa2012_libsodium_GBps\": %.2f,\n", BYTES, sodium);
	for (int k = 0; k < SALSA_KERNELS; k++) {
		if (!salsa_kernel_available((enum salsa_kernel)k)) {
			continue;
		}
		double own = rate(best_seconds(run_kernel, k, CALLS));
		best = own > best ? own : best;
		printf(" \"salsa2012_%s_GBps\": %.2f,\n", salsa_kernel_name((enum salsa_kernel)k),
		       own);
	}
	printf(" \"salsa2012_ratio\": %.2f,\n", best / sodium);
	static const struct {
		const char *name;
		int cipher;
	} ciphers[] = { { "salsa_poly1305", PACKET_CIPHER_SALSA },
			{ "gmac_siv", PACKET_CIPHER_SIV } };
	for (size_t i = 0; i < 2; i++) {
		double seal = best_seconds(run_seal, ciphers[i].cipher, CALLS);
		double both = best_seconds(run_seal_open, ciphers[i].cipher, CALLS);
		printf(" \"%s_seal_GBps\": %.2f,\n \"%s_open_GBps\": %.2f,\n", ciphers[i].name,
		       rate(seal), ciphers[i].name, rate(both - seal));
	}
	printf(" \"identity_hash_ms\": %.2f\n}\n", best_seconds(run_hash, 0, 1) * 1e3);
	crypt_key_free(peer);
	return 0;
}
