/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The command line: switches in any order (vl2 11.2), then one row of the command table. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 64 };

static const char DEFAULT_HOME[] = NETCON_STATEDIR; /* the service's, vl2 10.2 */
static const char DEFAULT_HOST[] = "127.0.0.1";

static const struct command {
	const char *name, *arguments, *help;
	cli_command *run;
	bool has_options; /* what begins with - after its name is its own business, but for -j */
} commands[] = {
	{ "info", "", "Display status info", cmd_info, false },
	{ "status", NULL, NULL, cmd_info, false },
	{ "listpeers", "", "List all peers", cmd_listpeers, false },
	{ "peers", "", "List all peers (prettier)", cmd_peers, false },
	{ "listnetworks", "", "List all networks", cmd_listnetworks, false },
	{ "join", "<network ID>", "Join a network", cmd_join, false },
	{ "leave", "<network ID>", "Leave a network", cmd_leave, false },
	{ "set", "<network ID> <setting>", "Set a network setting", cmd_set, false },
	{ "get", "<network ID> <setting>", "Get a network setting", cmd_get, false },
	{ "listmoons", "", "List moons (federated root sets)", cmd_listmoons, false },
	{ "orbit", "<world ID> <seed>", "Join a moon via any member root", cmd_orbit, false },
	{ "deorbit", "<world ID>", "Leave a moon", cmd_deorbit, false },
	{ "listbonds", "", "List bonded links (there are none here)", cmd_listbonds, false },
	{ "bond", NULL, NULL, cmd_bond, false },
	{ "dump", "", "Debug settings dump for support", cmd_dump, false },
	{ "health", "", "Is every joined network usable?", cmd_health, false },
	{ "wait", "<network ID> [--timeout S]", "Wait until it is usable", cmd_wait, true },
	{ "diagnose", "", "Say what is wrong and what helps", cmd_diagnose, false },
	{ "restart", "", "Let the program on disk take over", cmd_restart, false },
	{ "whois", "<address|IP>", "Who is that?", cmd_whois, false },
	{ "sockets", "[network ID]", "Virtual sockets of the programs", cmd_sockets, false },
	{ "capture", "<network ID> -w <file>", "Capture packets (-c count)", cmd_capture, true },
	{ "controller", "<verb> [...]", "Networks of our own (no verb: list)", cmd_controller,
	  true },
	{ "/<path>", "", "GET a path of the service's API", cmd_path, false },
};

void help_print(FILE *out)
{
	(void)fprintf(out,
		      "zerotier-cli of netcon " CLI_VERSION " (ZeroTier " CLI_REFERENCE_VERSION
		      " compatible)\n"
		      "Usage: zerotier-cli [-switches] <command/path> [<args>]\n\n"
		      "Available switches:\n"
		      "  -h                      - Display this help\n"
		      "  -v                      - Show version\n"
		      "  -j                      - Display full raw JSON output\n"
		      "  -D<path>                - ZeroTier home path for parameter auto-detect\n"
		      "  -H<ip>                  - Address of the service (default: %s)\n"
		      "  -p<port>                - HTTP port (default: auto)\n"
		      "  -T<token>               - Authentication token (default: auto)\n\n"
		      "Available commands:\n",
		      DEFAULT_HOST);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];
		if (c->help) {
			int width = fprintf(out, "  %s%s%s", c->name, c->arguments[0] ? " " : "",
					    c->arguments);
			(void)fprintf(out, "%*s- %s\n", width < 30 ? 30 - width : 1, "", c->help);
		}
	}
	(void)fprintf(out,
		      "\nAvailable settings:\n"
		      "  Settings to use with [get/set] may include property names from\n"
		      "  the JSON output of \"zerotier-cli -j listnetworks\". Additionally,\n"
		      "  (ip, ip4, ip6, ip6plane, and ip6prefix can be used). For instance:\n"
		      "  zerotier-cli get <network ID> ip6plane will return the 6PLANE address\n"
		      "  assigned to this node. allowManaged, allowGlobal, allowDefault and\n"
		      "  allowDNS can be set.\n\n"
		      "The home path defaults to $ZEROTIER_HOME, else %s.\n",
		      DEFAULT_HOME);
}

/* ---- switches ----------------------------------------------------------------------------------
 */

enum verdict {
	GO_ON = -1, /* anything else is an exit code */
};

/* Malformed: the help on standard output and exit 1, as the reference. */
static int malformed(const struct cli *cli, const char *text, const char *why)
{
	help_print(cli->out);
	complain(cli, "%s: %s", text, why);
	return CLI_REFUSED;
}

static int switch_port(struct cli *cli, const char *text)
{
	char *end;
	cli->port = strtol(text + 2, &end, 10);
	if (end == text + 2 || *end != '\0' || cli->port < 1 || cli->port > 65535) {
		return malformed(cli, text, "the port is a number from 1 to 65535, as in -p9993");
	}
	return GO_ON;
}

static int switch_token(struct cli *cli, const char *text)
{
	size_t length = strlen(text + 2);
	if (length == 0 || length >= sizeof(cli->token)) {
		return malformed(cli, text, "the token follows without a space, as in -Tabc");
	}
	memcpy(cli->token, text + 2, length + 1);
	return GO_ON;
}

static int switch_help(const struct cli *cli)
{
	help_print(cli->out);
	return CLI_DONE;
}

static int switch_version(const struct cli *cli, const char *version)
{
	(void)fprintf(cli->out, "%s\n", version);
	return CLI_DONE;
}

static int switch_unknown(const struct cli *cli, const char *text)
{
	help_print(cli->err);
	complain(cli, "unknown switch %s; the switches are listed above", text);
	return CLI_USAGE;
}

static int switch_read(struct cli *cli, const char *text)
{
	if (strcmp(text, "--version") == 0) {
		return switch_version(cli, CLI_VERSION);
	}
	if (strcmp(text, "--help") == 0) {
		return switch_help(cli);
	}
	switch (text[1]) {
	case 'h':
	case '?':
		return switch_help(cli);
	case 'v':
		return switch_version(cli, CLI_REFERENCE_VERSION);
	case 'q':
		return GO_ON;
	case 'j':
		cli->is_json = true;
		return text[2] ? malformed(cli, text, "-j takes no value") : GO_ON;
	case 'D':
		cli->home = text + 2;
		return text[2] ? GO_ON
			       : malformed(cli, text,
					   "the path follows without a space, as in -D/home");
	case 'H':
		cli->host = text + 2;
		return text[2]
			   ? GO_ON
			   : malformed(cli, text,
				       "the address follows without a space, as in -H127.0.0.1");
	case 'p':
		return switch_port(cli, text);
	case 'T':
		return switch_token(cli, text);
	default:
		return switch_unknown(cli, text);
	}
}

/* ---- commands ----------------------------------------------------------------------------------
 */

static const struct command *command_find(const char *name)
{
	static const struct command path = { .run = cmd_path };
	if (name[0] == '/') {
		return &path;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

/* Does the switch belong to the command before it? Those of the program keep their meaning. */
static bool is_of_command(const char *name, const char *text)
{
	const struct command *command = command_find(name);
	if (!command || !command->has_options) {
		return false;
	}
	if (text[1] == '-') {
		return strcmp(text, "--help") != 0 && strcmp(text, "--version") != 0;
	}
	return text[1] == '\0' || strchr("wc", text[1]) != NULL;
}

void complain(const struct cli *cli, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)fprintf(cli->err, "%s: ", cli->program);
	(void)vfprintf(cli->err, format, args);
	(void)fputc('\n', cli->err);
	va_end(args);
}

bool nwid_is_valid(const char *text)
{
	return strlen(text) == 16 && strspn(text, "0123456789abcdefABCDEF") == 16;
}

int cli_run(struct cli *cli, int argc, char **argv)
{
	char *arguments[ARGUMENTS_MAX];
	int count = 0;
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	cli->program = slash ? slash + 1 : argc > 0 ? argv[0] : "zerotier-cli";
	cli->host = DEFAULT_HOST;
	cli->home = getenv("ZEROTIER_HOME");
	if (!cli->home || !cli->home[0]) {
		cli->home = DEFAULT_HOME;
	}
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && !is_of_command(count > 0 ? arguments[0] : "", argv[i])) {
			int code = switch_read(cli, argv[i]);
			if (code != GO_ON) {
				return code;
			}
		} else if (count < ARGUMENTS_MAX) {
			arguments[count++] = argv[i];
		}
	}
	const struct command *command = count > 0 ? command_find(arguments[0]) : NULL;
	if (!command) {
		help_print(cli->err);
		if (count > 0) {
			complain(cli, "unknown command %s; the commands are listed above",
				 arguments[0]);
		} else {
			complain(cli, "no command given; the commands are listed above");
		}
		return CLI_USAGE;
	}
	return command->run(cli, count - 1, arguments);
}
