/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* zerotier-idtool: identities, signatures, planets and moons, without a running service. */
#include "cli/idtool.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char version_text[] = "2.0.0-dev";

static const struct {
	const char *name, *arguments;
	idtool_command *run;
} commands[] = {
	{ "generate", "[<identity.secret>] [<identity.public>] [<vanity>]", idtool_generate },
	{ "validate", "<identity.secret/public>", idtool_validate },
	{ "getpublic", "<identity.secret>", idtool_getpublic },
	{ "sign", "<identity.secret> <file>", idtool_sign },
	{ "verify", "<identity.secret/public> <file> <signature>", idtool_verify },
	{ "initmoon", "<identity.public of first seed>", idtool_initmoon },
	{ "genmoon", "<moon json>", idtool_genmoon },
	{ "mkplanet",
	  "--key <key file> --out <planet> [--id <hex>] <identity.public>=<ip>/<port>[,...] ...",
	  idtool_mkplanet },
	{ "mkplanet", "--public --out <planet>", idtool_mkplanet },
};

static void help_print(void)
{
	printf("netcon %s, not affiliated with ZeroTier, Inc.\n"
	       "Usage: zerotier-idtool <command> [<args>]\n\nCommands:\n",
	       version_text);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		printf("  %s %s\n", commands[i].name, commands[i].arguments);
	}
	printf("\n  --help, -v\n");
}

int idtool_help_refuse(void)
{
	help_print();
	return IDTOOL_REFUSED;
}

int idtool_refuse(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
	return IDTOOL_REFUSED;
}

void idtool_random(void *context, void *out, size_t length)
{
	(void)context;
	randombytes_buf(out, length);
}

bool keypair_generate(struct keypair *out)
{
	randombytes_buf(out->secret, sizeof out->secret);
	if (keypair_make(out->secret, out->public_key) != 0) {
		(void)idtool_refuse("cannot generate a key pair");
		return false;
	}
	return true;
}

uint64_t idtool_wall_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int command_run(int argc, char **argv)
{
	if (argc < 2) {
		return idtool_help_refuse();
	}
	if (strcmp(argv[1], "--help") == 0) {
		help_print();
		return IDTOOL_DONE;
	}
	if (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "--version") == 0) {
		printf("%s\n", version_text);
		return IDTOOL_DONE;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			return commands[i].run(argc - 2, argv + 2);
		}
	}
	return idtool_help_refuse();
}

int main(int argc, char **argv)
{
	if (sodium_init() < 0) {
		return idtool_refuse("libsodium does not start: is there no source of randomness?");
	}
	int status = command_run(argc, argv);
	/* A full disk behind a redirected stdout must not look like success. */
	if (fflush(stdout) != 0 && status == IDTOOL_DONE) {
		status = idtool_refuse("cannot write to stdout");
	}
	return status;
}
