/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Asking the service, and saying what is wrong when it does not answer as hoped. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static void unreachable(const struct cli *cli, const struct cli_reply *reply)
{
	/* The reference names port 9993 whatever the port is; standard error names the real one. */
	(void)fprintf(cli->out,
		      "Error connecting to the ZeroTier service: connection failed\n\n"
		      "Please check that the service is running and that TCP port 9993 can "
		      "be contacted via 127.0.0.1.\n");
	complain(cli,
		 "no service answers at %s port %ld (%s); start it with: "
		 "zerotier-netcon-service -d -p%ld %s",
		 cli->host, cli->port, reply->error, cli->port, cli->home);
}

static void refused(const struct cli *cli, const char *name, const char *path,
		    const struct cli_reply *reply)
{
	(void)fprintf(cli->out, "%d %s %s\n", reply->status, name, reply->body);
	if (reply->status == 401) {
		complain(cli,
			 "the service refuses this token; use the one in authtoken.secret of "
			 "its home (this home: %s, another: -D<path>, a token: -T<token>), and "
			 "from another host an address in allowManagementFrom",
			 cli->home);
	} else if (reply->status == 404 && strncmp(path, "/network/", 9) == 0) {
		complain(cli, "this network is not joined; join it first: %s join <network id>",
			 cli->program);
	} else if (reply->status == 404 && strncmp(path, "/controller/", 12) == 0) {
		complain(cli, "this controller has no such record");
	} else if (reply->status == 404) {
		complain(cli, "the service that answers does not serve %s", path);
	}
}

void ask_failed(const struct cli *cli, const char *name, const char *path, struct cli_reply *reply)
{
	if (reply->status == 0) {
		unreachable(cli, reply);
	} else {
		refused(cli, name, path, reply);
	}
	free(reply->body);
}

bool ask(const struct cli *cli, const char *name, const char *method, const char *path,
	 const char *body, struct cli_reply *reply)
{
	if (!cli->request(cli, method, path, body, reply)) {
		complain(cli,
			 "the request could not be made: out of memory or the path is too long");
		free(reply->body);
		return false;
	}
	if (reply->status == 200) {
		return true;
	}
	ask_failed(cli, name, path, reply);
	return false;
}

json_t *ask_json(const struct cli *cli, const char *name, const char *path)
{
	struct cli_reply reply;
	if (!ask(cli, name, "GET", path, NULL, &reply)) {
		return NULL;
	}
	json_error_t error;
	json_t *json = json_loadb(reply.body, reply.length, JSON_DECODE_ANY, &error);
	if (!json) {
		(void)fprintf(cli->out, "%d %s invalid JSON response (%s)\n", reply.status, name,
			      error.text);
		complain(cli, "what answers at %s port %ld is not the service", cli->host,
			 cli->port);
	}
	free(reply.body);
	return json;
}
