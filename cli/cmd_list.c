/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* info, listpeers, peers, listnetworks, listmoons and raw paths: ask and print. */
#include "cli/cli.h"

#include <stdlib.h>

/* Ask for `path`; with -j the JSON is printed here and NULL returned with *code CLI_DONE. */
static json_t *fetch(const struct cli *given, const char *name, const char *path, int *code,
		     bool is_json)
{
	struct cli cli = *given;
	*code = home_settle(&cli);
	if (*code != CLI_DONE) {
		return NULL;
	}
	json_t *json = ask_json(&cli, name, path);
	*code = json ? CLI_DONE : CLI_REFUSED;
	if (json && is_json) {
		fmt_json(cli.out, json);
		json_decref(json);
		return NULL;
	}
	return json;
}

int cmd_info(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	int code;
	json_t *json = fetch(cli, argv[0], "/status", &code, cli->is_json);
	if (json) {
		fmt_info(cli->out, json);
		json_decref(json);
	}
	return code;
}

int cmd_listpeers(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	int code;
	json_t *json = fetch(cli, argv[0], "/peer", &code, cli->is_json);
	if (json) {
		fmt_listpeers(cli->out, json, cli->now_ms);
		json_decref(json);
	}
	return code;
}

int cmd_peers(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	int code;
	json_t *json = fetch(cli, argv[0], "/peer", &code, cli->is_json);
	if (json) {
		fmt_peers(cli->out, json, cli->now_ms);
		json_decref(json);
	}
	return code;
}

int cmd_listnetworks(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	int code;
	json_t *json = fetch(cli, argv[0], "/network", &code, cli->is_json);
	if (json) {
		fmt_listnetworks(cli->out, json, cli->now_ms);
		json_decref(json);
	}
	return code;
}

/* Always JSON, as the reference. */
int cmd_listmoons(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	int code;
	(void)fetch(cli, argv[0], "/moon", &code, true);
	return code;
}

/* The raw body, no line end added. */
int cmd_path(const struct cli *given, int argc, char **argv)
{
	(void)argc;
	struct cli cli = *given;
	struct cli_reply reply;
	int code = home_settle(&cli);
	if (code != CLI_DONE) {
		return code;
	}
	if (!ask(&cli, argv[0], "GET", argv[0], NULL, &reply)) {
		return CLI_REFUSED;
	}
	(void)fwrite(reply.body, 1, reply.length, cli.out);
	free(reply.body);
	return CLI_DONE;
}
