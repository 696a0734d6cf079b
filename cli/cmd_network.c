/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* join, leave, get, set: one network. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 128 };

/* ---- join and leave ----------------------------------------------------------------------------
 */

static int change(const struct cli *given, int argc, char **argv, const char *method,
		  const char *request)
{
	struct cli cli = *given;
	if (argc < 1 || !nwid_is_valid(argv[1])) {
		(void)fprintf(cli.out, "invalid network id\n");
		complain(&cli, "a network id is 16 hex digits, as in: %s %s 8056c2e21c000001",
			 cli.program, argv[0]);
		return CLI_USAGE;
	}
	int code = home_settle(&cli);
	if (code != CLI_DONE) {
		return code;
	}
	char path[PATH_BYTES];
	struct cli_reply reply;
	(void)snprintf(path, sizeof(path), "/network/%s", argv[1]);
	if (!ask(&cli, argv[0], method, path, request, &reply)) {
		return CLI_REFUSED;
	}
	if (cli.is_json) {
		(void)fprintf(cli.out, "%s", reply.body);
	} else {
		(void)fprintf(cli.out, "200 %s OK\n", argv[0]);
	}
	free(reply.body);
	return CLI_DONE;
}

int cmd_join(const struct cli *cli, int argc, char **argv)
{
	return change(cli, argc, argv, "POST", "{}");
}

int cmd_leave(const struct cli *cli, int argc, char **argv)
{
	return change(cli, argc, argv, "DELETE", NULL);
}

/* ---- get and set -------------------------------------------------------------------------------
 */

/* <network id> <something> there? Else the reference's text and CLI_USAGE. */
static int arguments_check(const struct cli *cli, int argc, char **argv)
{
	if (argc < 1 || !nwid_is_valid(argv[1])) {
		(void)fprintf(cli->err, "invalid format: must be a 16-digit (network) ID\n");
		return CLI_USAGE;
	}
	if (argc < 2) {
		(void)fprintf(cli->err, "invalid format: include a property name to %s\n", argv[0]);
		return CLI_USAGE;
	}
	return CLI_DONE;
}

/* The network, from the list: a single one answers 404 without saying why. NULL after the error. */
static json_t *network_find(const struct cli *cli, const char *name, const char *nwid)
{
	json_t *list = ask_json(cli, name, "/network"), *found = NULL;
	if (!list) {
		return NULL;
	}
	for (size_t i = 0; !found && i < json_array_size(list); i++) {
		json_t *network = json_array_get(list, i);
		const char *id = json_string_value(json_object_get(network, "nwid"));
		if (id && strcasecmp(id, nwid) == 0) {
			found = json_incref(network);
		}
	}
	json_decref(list);
	if (!found) {
		(void)fprintf(cli->err,
			      "unknown network ID, check that you are a member of the network\n");
		complain(cli, "join it first: %s join %s", cli->program, nwid);
	}
	return found;
}

int cmd_get(const struct cli *given, int argc, char **argv)
{
	struct cli cli = *given;
	int code = arguments_check(&cli, argc, argv);
	if (code == CLI_DONE) {
		code = home_settle(&cli);
	}
	if (code != CLI_DONE) {
		return code;
	}
	json_t *network = network_find(&cli, argv[0], argv[1]);
	if (!network) {
		return CLI_REFUSED;
	}
	const json_t *value = json_object_get(network, argv[2]);
	if (cli.is_json && value) {
		fmt_json(cli.out, value);
	} else if (!fmt_property(cli.out, network, argv[2])) {
		(void)fprintf(cli.out, "error, unknown property name\n");
		complain(&cli, "the names are those of: %s -j listnetworks", cli.program);
		code = CLI_REFUSED;
	}
	json_decref(network);
	return code;
}

static bool is_settable(const char *name)
{
	static const char *const names[] = { "allowManaged", "allowGlobal", "allowDefault",
					     "allowDNS" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

int cmd_set(const struct cli *given, int argc, char **argv)
{
	struct cli cli = *given;
	int code = arguments_check(&cli, argc, argv);
	if (code != CLI_DONE) {
		return code;
	}
	char name[64], path[PATH_BYTES], body[PATH_BYTES];
	size_t length = strcspn(argv[2], "=");
	(void)snprintf(name, sizeof(name), "%.*s", (int)length, argv[2]);
	if (argv[2][length] != '=') {
		help_print(cli.err);
		complain(&cli, "a setting is name=value, as in: %s set %s allowGlobal=1",
			 cli.program, argv[1]);
		return CLI_USAGE;
	}
	if (!is_settable(name)) {
		complain(&cli,
			 "%s cannot be set; allowManaged, allowGlobal, allowDefault and "
			 "allowDNS can",
			 name);
		return CLI_USAGE;
	}
	code = home_settle(&cli);
	if (code != CLI_DONE) {
		return code;
	}
	bool value = argv[2][length + 1] == 't' || argv[2][length + 1] == '1';
	struct cli_reply reply;
	(void)snprintf(path, sizeof(path), "/network/%s", argv[1]);
	(void)snprintf(body, sizeof(body), "{\"%s\":%s}", name, value ? "true" : "false");
	if (!ask(&cli, argv[0], "POST", path, body, &reply)) {
		return CLI_REFUSED;
	}
	(void)fwrite(reply.body, 1, reply.length, cli.out);
	free(reply.body);
	return CLI_DONE;
}
