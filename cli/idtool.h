/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* zerotier-idtool: what its files share. */
#ifndef CLI_IDTOOL_H
#define CLI_IDTOOL_H

#include "core/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes. */
enum { IDTOOL_DONE = 0, IDTOOL_REFUSED = 1, IDTOOL_USAGE = 2 };

/* A command: its arguments without the program's and its own name. */
typedef int idtool_command(int argc, char **argv);
idtool_command idtool_generate, idtool_validate, idtool_getpublic, idtool_sign, idtool_verify;
idtool_command idtool_initmoon, idtool_genmoon, idtool_mkplanet;

/* The help text and IDTOOL_REFUSED, as the reference answers wrong arguments. */
int idtool_help_refuse(void);
/* One sentence on stderr, with a line end; returns IDTOOL_REFUSED. */
int idtool_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An identity named by file or given literally. False after saying why on stderr. */
bool idtool_identity_get(const char *argument, struct identity *out);
/* The same without a word; 0 or the zt_err of identity_parse (ZT_E_NOT_FOUND: no such file). */
int idtool_identity_read(const char *argument, struct identity *out);

/* Key pairs in the identity layout, as worlds use them. False after saying why. */
struct keypair {
	uint8_t public_key[IDENTITY_KEY_BYTES], secret[IDENTITY_KEY_BYTES];
};
bool keypair_generate(struct keypair *out);

/* Cryptographic randomness, as identity_generate wants it. */
void idtool_random(void *context, void *out, size_t length);
/* Milliseconds since 1970. */
uint64_t idtool_wall_ms(void);

#endif
