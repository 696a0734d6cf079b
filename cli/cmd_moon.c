/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* orbit and deorbit: follow a moon, or no more. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* 10 to 16 hex digits, not all 0. */
static bool id_read(const char *text, uint64_t *out)
{
	size_t length = strlen(text);
	if (length < 10 || length > 16 || strspn(text, "0123456789abcdefABCDEF") != length) {
		return false;
	}
	*out = strtoull(text, NULL, 16);
	return *out != 0;
}

static int send(const struct cli *given, char **argv, const char *method, uint64_t world,
		const char *body)
{
	struct cli cli = *given;
	int code = home_settle(&cli);
	if (code != CLI_DONE) {
		return code;
	}
	char path[64];
	struct cli_reply reply;
	(void)snprintf(path, sizeof path, "/moon/%010" PRIx64, world);
	if (!ask(&cli, argv[0], method, path, body, &reply)) {
		return CLI_REFUSED;
	}
	if (cli.is_json && !body) {
		(void)fprintf(cli.out, "%s", reply.body);
	} else {
		(void)fprintf(cli.out, "200 %s OK\n", argv[0]);
	}
	free(reply.body);
	return CLI_DONE;
}

int cmd_orbit(const struct cli *cli, int argc, char **argv)
{
	uint64_t world, seed;
	char body[64];
	if (argc < 2 || !id_read(argv[1], &world) || !id_read(argv[2], &seed) ||
	    seed > 0xffffffffffULL) {
		complain(
		    cli,
		    "give a moon's id and the address of one of its roots, 10 hex digits each, "
		    "as in: %s orbit 0a1b2c3d4e 0a1b2c3d4e",
		    cli->program);
		return CLI_USAGE;
	}
	(void)snprintf(body, sizeof body, "{\"seed\":\"%010" PRIx64 "\"}", seed);
	return send(cli, argv, "POST", world, body);
}

int cmd_deorbit(const struct cli *cli, int argc, char **argv)
{
	uint64_t world;
	if (argc < 1 || !id_read(argv[1], &world)) {
		complain(cli, "give a moon's id; they are those of: %s listmoons", cli->program);
		return CLI_USAGE;
	}
	return send(cli, argv, "DELETE", world, NULL);
}
