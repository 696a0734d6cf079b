/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* controller ...: the embedded controller without curl. Networks by id or by name.
 *
 * How this works: a row of the table per verb. A network given by name is looked up in the list
 * first, so that what is not there gets a sentence, not a status code. Changes are the same POSTs
 * that any client of the API makes (docs/api.md).
 */
#include "cli/cli.h"
#include "cli/controller.h"
#include "cli/json_get.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 128 };

/* One question with a JSON answer; `body` is taken. NULL after the error was printed. */
static json_t *call(const struct cli *cli, const char *method, const char *path, json_t *body)
{
	struct cli_reply reply;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	bool is_done = ask(cli, "controller", method, path, text, &reply);
	free(text);
	if (!is_done) {
		return NULL;
	}
	json_t *json = json_loadb(reply.body, reply.length, JSON_DECODE_ANY, NULL);
	free(reply.body);
	if (!json) {
		complain(cli, "what answers at %s port %ld is not the service", cli->host,
			 cli->port);
	}
	return json;
}

static json_t *networks_get(const struct cli *cli)
{
	json_t *all = call(cli, "GET", "/unstable/controller/network", NULL);
	json_t *data = all ? json_incref(json_object_get(all, "data")) : NULL;
	json_decref(all);
	return data;
}

/* The network that `given` means, by id or else by name (new reference); NULL after saying why. */
static json_t *network_of(const struct cli *cli, const char *given)
{
	json_t *all = networks_get(cli), *found = NULL;
	size_t matches = 0;
	if (!all) {
		return NULL;
	}
	for (size_t i = 0; i < json_array_size(all); i++) {
		json_t *network = json_array_get(all, i);
		if (strcasecmp(text_of(network, "id"), given) == 0) {
			found = network; /* an id wins over a name */
			matches = 1;
			break;
		}
		if (strcmp(text_of(network, "name"), given) == 0) {
			found = network;
			matches++;
		}
	}
	if (matches == 0) {
		complain(cli, "this controller has no network %s; see: %s controller list", given,
			 cli->program);
	} else if (matches > 1) {
		complain(cli, "%zu networks are called %s; give the id, see: %s controller list",
			 matches, given, cli->program);
	}
	found = matches == 1 ? json_incref(found) : NULL;
	json_decref(all);
	return found;
}

static bool address_is_valid(const struct cli *cli, const char *text)
{
	if (strlen(text) == 10 && strspn(text, "0123456789abcdefABCDEF") == 10) {
		return true;
	}
	complain(cli, "%s is no node address; that is 10 hex digits, as `%s info` prints", text,
		 cli->program);
	return false;
}

/* ---- networks ----------------------------------------------------------------------------------
 */

static int run_create(const struct cli *cli, int argc, char **argv)
{
	json_t *body = controller_options(cli, argc, argv, true);
	if (!body) {
		return CLI_USAGE;
	}
	json_t *network = call(cli, "POST", "/controller/network", body);
	if (!network) {
		return CLI_REFUSED;
	}
	if (cli->is_json) {
		fmt_json(cli->out, network);
	} else {
		(void)fprintf(cli->out, "%s\n", text_of(network, "id"));
	}
	json_decref(network);
	return CLI_DONE;
}

static int run_list(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	json_t *all = networks_get(cli);
	if (!all) {
		return CLI_REFUSED;
	}
	if (cli->is_json) {
		fmt_json(cli->out, all);
	} else {
		(void)fprintf(cli->out,
			      "200 controller list <nwid> <name> <type> <members> <authorised>\n");
	}
	for (size_t i = 0; !cli->is_json && i < json_array_size(all); i++) {
		const json_t *network = json_array_get(all, i);
		const json_t *meta = json_object_get(network, "meta");
		(void)fprintf(
		    cli->out, "200 controller list %s %s %s %lld %lld\n", text_of(network, "id"),
		    text_of(network, "name"),
		    json_is_false(json_object_get(network, "private")) ? "PUBLIC" : "PRIVATE",
		    (long long)json_integer_value(json_object_get(meta, "totalMemberCount")),
		    (long long)json_integer_value(json_object_get(meta, "authorizedMemberCount")));
	}
	json_decref(all);
	return CLI_DONE;
}

/* <network> [<member>]: the record, as JSON in either mode. */
static int run_show(const struct cli *cli, int argc, char **argv)
{
	char path[PATH_BYTES];
	if (argc > 1 && !address_is_valid(cli, argv[1])) {
		return CLI_USAGE;
	}
	json_t *network = network_of(cli, argv[0]);
	if (!network) {
		return CLI_REFUSED;
	}
	json_t *shown = network;
	if (argc > 1) {
		(void)snprintf(path, sizeof path, "/controller/network/%s/member/%s",
			       text_of(network, "id"), argv[1]);
		shown = call(cli, "GET", path, NULL);
		json_decref(network);
	}
	if (!shown) {
		return CLI_REFUSED;
	}
	fmt_json(cli->out, shown);
	json_decref(shown);
	return CLI_DONE;
}

static int run_set(const struct cli *cli, int argc, char **argv)
{
	char path[PATH_BYTES];
	json_t *body = controller_options(cli, argc - 1, argv + 1, false);
	if (!body) {
		return CLI_USAGE;
	}
	json_t *network = network_of(cli, argv[0]);
	if (!network) {
		json_decref(body);
		return CLI_REFUSED;
	}
	(void)snprintf(path, sizeof path, "/controller/network/%s", text_of(network, "id"));
	json_decref(network);
	json_t *changed = call(cli, "POST", path, body);
	if (!changed) {
		return CLI_REFUSED;
	}
	if (cli->is_json) {
		fmt_json(cli->out, changed);
	} else {
		(void)fprintf(cli->out, "200 controller set OK\n");
	}
	json_decref(changed);
	return CLI_DONE;
}

static int finish(const struct cli *cli, const char *verb, json_t *json)
{
	if (!json) {
		return CLI_REFUSED;
	}
	if (cli->is_json) {
		fmt_json(cli->out, json);
	} else {
		(void)fprintf(cli->out, "200 controller %s OK\n", verb);
	}
	json_decref(json);
	return CLI_DONE;
}

static int run_delete(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	char path[PATH_BYTES];
	json_t *network = network_of(cli, argv[0]);
	if (!network) {
		return CLI_REFUSED;
	}
	(void)snprintf(path, sizeof path, "/controller/network/%s", text_of(network, "id"));
	json_decref(network);
	return finish(cli, "delete", call(cli, "DELETE", path, NULL));
}

/* ---- members -----------------------------------------------------------------------------------
 */

static void member_print(const struct cli *cli, const json_t *member)
{
	const json_t *ips = json_object_get(member, "ipAssignments");
	(void)fprintf(cli->out, "200 controller members %s %s ", text_of(member, "id"),
		      json_is_true(json_object_get(member, "authorized")) ? "AUTHORISED"
									  : "WAITING");
	for (size_t i = 0; i < json_array_size(ips); i++) {
		(void)fprintf(cli->out, "%s%s", i ? "," : "",
			      json_string_value(json_array_get(ips, i)));
	}
	(void)fprintf(cli->out, "%s\n", json_array_size(ips) == 0 ? "-" : "");
}

static int run_members(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	char path[PATH_BYTES];
	json_t *network = network_of(cli, argv[0]);
	if (!network) {
		return CLI_REFUSED;
	}
	(void)snprintf(path, sizeof path, "/unstable/controller/network/%s/member",
		       text_of(network, "id"));
	json_decref(network);
	json_t *all = call(cli, "GET", path, NULL);
	if (!all) {
		return CLI_REFUSED;
	}
	const json_t *data = json_object_get(all, "data");
	if (cli->is_json) {
		fmt_json(cli->out, data);
	} else {
		(void)fprintf(cli->out, "200 controller members <address> <state> <ips>\n");
	}
	for (size_t i = 0; !cli->is_json && i < json_array_size(data); i++) {
		member_print(cli, json_array_get(data, i));
	}
	json_decref(all);
	return CLI_DONE;
}

/* <network> <address>...: the same request for each. */
static int members_change(const struct cli *cli, const char *verb, int argc, char **argv,
			  const json_t *body)
{
	char path[PATH_BYTES];
	int code = CLI_DONE;
	for (int i = 1; i < argc; i++) {
		if (!address_is_valid(cli, argv[i])) {
			return CLI_USAGE;
		}
	}
	json_t *network = network_of(cli, argv[0]);
	if (!network) {
		return CLI_REFUSED;
	}
	for (int i = 1; i < argc && code == CLI_DONE; i++) {
		(void)snprintf(path, sizeof path, "/controller/network/%s/member/%s",
			       text_of(network, "id"), argv[i]);
		code = finish(
		    cli, verb,
		    call(cli, body ? "POST" : "DELETE", path, body ? json_deep_copy(body) : NULL));
	}
	json_decref(network);
	return code;
}

static int authorise(const struct cli *cli, const char *verb, int argc, char **argv, bool wanted)
{
	json_t *body = json_pack("{s:b}", "authorized", wanted);
	int code = members_change(cli, verb, argc, argv, body);
	json_decref(body);
	return code;
}

static int run_authorise(const struct cli *cli, int argc, char **argv)
{
	return authorise(cli, "authorise", argc, argv, true);
}

static int run_deauthorise(const struct cli *cli, int argc, char **argv)
{
	return authorise(cli, "deauthorise", argc, argv, false);
}

static int run_remove(const struct cli *cli, int argc, char **argv)
{
	return members_change(cli, "remove", argc, argv, NULL);
}

/* ---- the table ---------------------------------------------------------------------------------
 */

static const struct verb {
	const char *name, *arguments;
	int least;
	int (*run)(const struct cli *cli, int argc, char **argv);
} verbs[] = {
	{ "create", "[--name N] [--pool FIRST-LAST] [--route NET[,VIA]] [--public]", 0,
	  run_create },
	{ "list", "", 0, run_list },
	{ "show", "NETWORK [ADDRESS]", 1, run_show },
	{ "set", "NETWORK [the options of create] [field=JSON]", 2, run_set },
	{ "delete", "NETWORK", 1, run_delete },
	{ "members", "NETWORK", 1, run_members },
	{ "authorise", "NETWORK ADDRESS...", 2, run_authorise },
	{ "authorize", NULL, 2, run_authorise },
	{ "deauthorise", "NETWORK ADDRESS...", 2, run_deauthorise },
	{ "deauthorize", NULL, 2, run_deauthorise },
	{ "remove", "NETWORK ADDRESS...", 2, run_remove },
};

static int usage(const struct cli *cli)
{
	(void)fprintf(cli->err, "The controller's commands (NETWORK is an id or a name):\n");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (verbs[i].arguments) {
			(void)fprintf(cli->err, "  %s controller %s %s\n", cli->program,
				      verbs[i].name, verbs[i].arguments);
		}
	}
	return CLI_USAGE;
}

int cmd_controller(const struct cli *given, int argc, char **argv)
{
	struct cli cli = *given;
	for (size_t i = 0; argc > 0 && i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(verbs[i].name, argv[1]) != 0) {
			continue;
		}
		if (argc - 1 < verbs[i].least) {
			return usage(&cli);
		}
		int code = home_settle(&cli);
		return code == CLI_DONE ? verbs[i].run(&cli, argc - 1, argv + 2) : code;
	}
	return usage(&cli);
}
