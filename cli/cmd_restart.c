/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* restart: the program that lies where the service's lay takes over, and programs do not notice. */
#include "cli/cli.h"

#include <stdlib.h>

static const char PATH[] = "/netcon/restart?wait=30000"; /* the service gives up before */

static void why_not(const struct cli *cli, const struct cli_reply *reply)
{
	json_error_t error;
	json_t *json = json_loadb(reply->body, reply->length, 0, &error);
	const char *text = json_string_value(json_object_get(json, "error"));
	(void)fprintf(cli->out, "%d restart %s\n", reply->status, reply->body);
	complain(cli, "not restarted, the service that ran goes on: %s",
		 text ? text : "no reason given");
	json_decref(json);
}

static void done(const struct cli *cli, const struct cli_reply *reply)
{
	json_error_t error;
	json_t *json = json_loadb(reply->body, reply->length, 0, &error);
	if (cli->is_json) {
		(void)fprintf(cli->out, "%s\n", reply->body);
	} else {
		long long lost = (long long)json_integer_value(json_object_get(json, "reset"));
		(void)fprintf(cli->out,
			      "200 restart OK (%lld sockets, %lld connections kept, %lld reset, "
			      "paused %.1f ms)\n",
			      (long long)json_integer_value(json_object_get(json, "sockets")),
			      (long long)json_integer_value(json_object_get(json, "connections")),
			      lost, json_number_value(json_object_get(json, "pauseMs")));
	}
	json_decref(json);
}

int cmd_restart(const struct cli *given, int argc, char **argv)
{
	struct cli cli = *given;
	struct cli_reply reply;
	(void)argc;
	int code = home_settle(&cli);
	if (code != CLI_DONE) {
		return code;
	}
	if (!cli.request(&cli, "POST", PATH, "", &reply)) {
		complain(&cli, "the request could not be made: out of memory");
		free(reply.body);
		return CLI_REFUSED;
	}
	if (reply.status == 500) {
		why_not(&cli, &reply);
	} else if (reply.status == 200) {
		done(&cli, &reply);
	} else {
		ask_failed(&cli, argv[0], PATH, &reply);
		return CLI_REFUSED;
	}
	int status = reply.status;
	free(reply.body);
	return status == 200 ? CLI_DONE : CLI_REFUSED;
}
