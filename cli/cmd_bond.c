/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* bond and listbonds, as the reference's answer where no link is bonded (vl2 11.2; measured
 * with 1.14.1). */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static void one_path(const struct cli *cli)
{
	complain(cli,
		 "links are not bonded here: a peer is reached on its best path; see: %s peers",
		 cli->program);
}

int cmd_listbonds(const struct cli *given, int argc, char **argv)
{
	(void)argc;
	struct cli cli = *given;
	int code = home_settle(&cli);
	if (code != CLI_DONE) {
		return code;
	}
	json_t *peers = ask_json(&cli, argv[0], "/peer");
	if (!peers) {
		return CLI_REFUSED;
	}
	json_decref(peers);
	(void)fputs(cli.is_json ? "[]\n"
				: "    <peer>                        <bondtype>     <links>\n"
				  "      NONE\t\t\t\tNONE\t    NONE       NONE\n",
		    cli.out);
	return CLI_DONE;
}

static int refused(const struct cli *given, const char *name, const char *method, const char *path)
{
	struct cli cli = *given;
	struct cli_reply reply;
	int code = home_settle(&cli);
	if (code != CLI_DONE) {
		return code;
	}
	if (!cli.request(&cli, method, path, NULL, &reply)) {
		complain(&cli, "the request could not be made: out of memory");
		free(reply.body);
		return CLI_REFUSED;
	}
	if (reply.status != 400) {
		ask_failed(&cli, name, path, &reply);
		return CLI_REFUSED;
	}
	(void)fprintf(cli.out, "400 %s%s\n",
		      strncmp(path, "/bond/setmtu/", 13) == 0 ? "Failed to set MTU: " : "bond ",
		      reply.body);
	free(reply.body);
	one_path(&cli);
	return CLI_REFUSED;
}

int cmd_bond(const struct cli *cli, int argc, char **argv)
{
	char path[256] = "";
	if (argc == 1 && strcmp(argv[1], "list") == 0) {
		return cmd_listbonds(cli, argc, argv);
	}
	if (argc == 2 && (strcmp(argv[2], "show") == 0 || strcmp(argv[2], "rotate") == 0)) {
		(void)snprintf(path, sizeof path, "/bond/%s/%.32s", argv[2], argv[1]);
		return refused(cli, argv[0], strcmp(argv[2], "show") == 0 ? "GET" : "POST", path);
	}
	if (argc == 4 && strcmp(argv[1], "setmtu") == 0) {
		(void)snprintf(path, sizeof path, "/bond/setmtu/%.16s/%.32s/%.64s", argv[2],
			       argv[3], argv[4]);
		return refused(cli, argv[0], "POST", path);
	}
	(void)fprintf(cli->out, "(bond) command is missing required arguments\n");
	complain(cli, "give: bond list, bond <address> show, bond <address> rotate or bond setmtu "
		      "<mtu> <interface> <ip>");
	return CLI_USAGE;
}
