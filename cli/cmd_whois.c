/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* whois: a node address or a virtual IP -> who that is, as far as this node knows. */
#include "cli/cli.h"
#include "cli/json_get.h"

#include <string.h>

enum { PATH_BYTES = 128 };

static void paths_print(FILE *out, const json_t *peer)
{
	const json_t *paths = json_object_get(peer, "paths");
	size_t active = 0;
	for (size_t i = 0; i < json_array_size(paths); i++) {
		const json_t *path = json_array_get(paths, i);
		if (json_is_true(json_object_get(path, "active"))) {
			active++;
			(void)fprintf(
			    out, "  path      %s%s\n", text_of(path, "address"),
			    json_is_true(json_object_get(path, "preferred")) ? " (preferred)" : "");
		}
	}
	if (active == 0) {
		(void)fprintf(out, "  path      none direct: relayed by a root\n");
	}
}

static void member_print(FILE *out, const json_t *member)
{
	const json_t *peer = json_object_get(member, "peer");
	const json_t *networks = json_object_get(member, "networks");
	const char *version = text_of(peer, "version");
	(void)fprintf(out, "%s%s\n", text_of(member, "address"),
		      json_is_true(json_object_get(member, "self")) ? " (this node)" : "");
	if (text_of(member, "nwid")[0] != '\0') {
		(void)fprintf(out, "  on        %s\n", text_of(member, "nwid"));
	}
	(void)fprintf(out, "  identity  %s\n",
		      json_is_true(json_object_get(member, "known")) ? text_of(member, "identity")
								     : "not known here");
	if (json_is_object(peer)) {
		(void)fprintf(out, "  version   %s\n  role      %s\n",
			      strcmp(version, "-1.-1.-1") == 0 ? "-" : version,
			      text_of(peer, "role"));
		paths_print(out, peer);
	}
	for (size_t i = 0; i < json_array_size(networks); i++) {
		(void)fprintf(out, "  member of %s\n",
			      json_string_value(json_array_get(networks, i)));
	}
}

/* Anybody known? An address always has a row; who is neither peer nor us is not known. */
static bool has_known(const json_t *members, bool is_ip)
{
	return json_array_size(members) > 0 &&
	       (is_ip || json_is_true(json_object_get(json_array_get(members, 0), "known")));
}

int cmd_whois(const struct cli *given, int argc, char **argv)
{
	struct cli cli = *given;
	char path[PATH_BYTES];
	if (argc != 1 || strlen(argv[1]) > 64 ||
	    strspn(argv[1], "0123456789abcdefABCDEF.:") != strlen(argv[1])) {
		complain(&cli, "usage: %s whois <node address of 10 hex digits, or an IP>",
			 cli.program);
		return CLI_USAGE;
	}
	int code = home_settle(&cli);
	if (code != CLI_DONE) {
		return code;
	}
	(void)snprintf(path, sizeof path, "/netcon/whois/%s", argv[1]);
	json_t *reply = ask_json(&cli, argv[0], path);
	if (!reply) {
		return CLI_REFUSED;
	}
	const json_t *members = json_object_get(reply, "members");
	bool is_ip = json_object_get(reply, "ip") != NULL, is_known = has_known(members, is_ip);
	if (cli.is_json) {
		fmt_json(cli.out, reply);
	}
	for (size_t i = 0; !cli.is_json && is_known && i < json_array_size(members); i++) {
		member_print(cli.out, json_array_get(members, i));
	}
	if (!is_known && is_ip) {
		complain(&cli,
			 "no joined network knows %s yet; send it something first (a ping is "
			 "enough), or ask at the network's controller",
			 argv[1]);
	} else if (!is_known) {
		complain(&cli, "this node has not met %s; it learns a node when it talks to it",
			 argv[1]);
	}
	json_decref(reply);
	return is_known ? CLI_DONE : CLI_REFUSED;
}
