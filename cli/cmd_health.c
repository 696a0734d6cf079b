/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* health: is the service up and each network usable? wait: until one network is. */
#include "cli/cli.h"
#include "cli/json_get.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PATH_BYTES = 128,
	WAIT_DEFAULT_S = 60,
	WAIT_MAX_S = 86400,
	ASK_MAX_MS = 30000, /* one question of wait; below what any middlebox lets idle */
};

static bool is_ready(const json_t *network)
{
	return json_is_true(json_object_get(json_object_get(network, "netcon"), "ready"));
}

/* ---- health ------------------------------------------------------------------------------------
 */

static void health_print(const struct cli *cli, const json_t *networks, size_t ready)
{
	size_t count = json_array_size(networks);
	if (cli->is_json) {
		json_t *list = json_array();
		for (size_t i = 0; i < count; i++) {
			const json_t *network = json_array_get(networks, i);
			(void)json_array_append_new(
			    list,
			    json_pack("{s:s, s:s, s:b}", "nwid", text_of(network, "nwid"), "status",
				      text_of(network, "status"), "ready", is_ready(network)));
		}
		json_t *all = json_pack("{s:b, s:o}", "healthy", ready == count, "networks", list);
		fmt_json(cli->out, all);
		json_decref(all);
		return;
	}
	(void)fprintf(cli->out, "200 health %s %zu/%zu\n", ready == count ? "OK" : "NOT_READY",
		      ready, count);
	for (size_t i = 0; i < count; i++) {
		const json_t *network = json_array_get(networks, i);
		if (!is_ready(network)) {
			complain(cli,
				 "network %s is not usable: status %s, %zu addresses; see: %s "
				 "diagnose",
				 text_of(network, "nwid"), text_of(network, "status"),
				 json_array_size(json_object_get(network, "assignedAddresses")),
				 cli->program);
		}
	}
}

int cmd_health(const struct cli *given, int argc, char **argv)
{
	(void)argc;
	struct cli cli = *given;
	if (home_settle(&cli) != CLI_DONE) {
		return CLI_REFUSED; /* not up: for a health check that is the answer */
	}
	json_t *networks = ask_json(&cli, argv[0], "/network");
	if (!networks) {
		return CLI_REFUSED;
	}
	size_t ready = 0;
	for (size_t i = 0; i < json_array_size(networks); i++) {
		ready += is_ready(json_array_get(networks, i));
	}
	bool is_healthy = ready == json_array_size(networks);
	health_print(&cli, networks, ready);
	json_decref(networks);
	return is_healthy ? CLI_DONE : CLI_REFUSED;
}

/* ---- wait --------------------------------------------------------------------------------------
 */

static int64_t mono_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* [--timeout S] after the network. 0 = said what is wrong. */
static int64_t timeout_of(const struct cli *cli, int argc, char **argv)
{
	if (argc == 1) {
		return (int64_t)WAIT_DEFAULT_S * 1000;
	}
	char *end = NULL;
	double seconds = argc == 3 && strcmp(argv[2], "--timeout") == 0 ? strtod(argv[3], &end) : 0;
	if (!end || *end != '\0' || !(seconds >= 0.001 && seconds <= WAIT_MAX_S)) {
		complain(cli, "the time is given as --timeout SECONDS, more than 0 and at most %d",
			 WAIT_MAX_S);
		return 0;
	}
	return (int64_t)(seconds * 1000);
}

int cmd_wait(const struct cli *given, int argc, char **argv)
{
	struct cli cli = *given;
	char path[PATH_BYTES];
	if (argc < 1 || !nwid_is_valid(argv[1])) {
		complain(&cli, "a network id is 16 hex digits, as in: %s wait 8056c2e21c000001",
			 cli.program);
		return CLI_USAGE;
	}
	int64_t until = timeout_of(&cli, argc, argv);
	int code = until == 0 ? CLI_USAGE : home_settle(&cli);
	until += mono_ms();
	while (code == CLI_DONE) {
		int64_t left = until - mono_ms();
		bool is_last = left <= ASK_MAX_MS;
		left = left < 0 ? 0 : is_last ? left : ASK_MAX_MS;
		/* The service answers when the network becomes ready, or after `wait` ms. */
		(void)snprintf(path, sizeof path, "/network/%s?wait=%lld", argv[1],
			       (long long)left);
		json_t *network = ask_json(&cli, argv[0], path);
		if (!network) {
			return CLI_REFUSED;
		}
		bool is_over = is_ready(network);
		if (is_over && cli.is_json) {
			fmt_json(cli.out, network);
		} else if (is_over) {
			(void)fprintf(cli.out, "200 wait OK\n");
		} else if (is_last) {
			complain(&cli,
				 "network %s is not ready in time: status %s; see: %s diagnose",
				 argv[1], text_of(network, "status"), cli.program);
			code = CLI_REFUSED;
		}
		json_decref(network);
		if (is_over) {
			return CLI_DONE;
		}
	}
	return code;
}
