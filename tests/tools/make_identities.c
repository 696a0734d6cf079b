/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Writes tests/vectors/identities.json: ready identities, because a test cannot wait for 1 200 of
 * them.
 *
 *   make build/release/make-identities && build/release/make-identities FIRST COUNT
 *
 * prints COUNT JSON strings, one per line. Number n always gives the same identity (its randomness
 * is derived from n), so ranges can be made by several processes and the file can be made again.
 * They are test data: their secrets are public.
 */
#include "core/identity.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct source {
	uint8_t seed[randombytes_SEEDBYTES];
	uint32_t drawn;
};

static void draw(void *context, void *out, size_t length)
{
	struct source *source = context;
	memcpy(source->seed + sizeof source->seed - sizeof source->drawn, &source->drawn,
	       sizeof source->drawn);
	randombytes_buf_deterministic(out, length, source->seed);
	source->drawn++;
}

int main(int argc, char **argv)
{
	if (argc != 3 || sodium_init() < 0) {
		(void)fprintf(stderr, "usage: make-identities FIRST COUNT\n");
		return 2;
	}
	uint32_t first = (uint32_t)strtoul(argv[1], NULL, 10);
	uint32_t count = (uint32_t)strtoul(argv[2], NULL, 10);
	for (uint32_t n = first; n < first + count; n++) {
		struct source source = { .seed = "netcon test identity" };
		struct identity id;
		char text[IDENTITY_TEXT_MAX];
		memcpy(source.seed + 24, &n, sizeof n);
		if (identity_generate(&id, draw, &source) != 0) {
			(void)fprintf(stderr, "make-identities: cannot generate\n");
			return 1;
		}
		printf("\"%s\"\n", identity_text(&id, true, text));
		(void)fflush(stdout);
	}
	return 0;
}
