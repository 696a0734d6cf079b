/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* sockets [NWID]: the virtual sockets, in the columns of ss(8). */
#include "cli/cli.h"

#include <string.h>

enum { PATH_BYTES = 64, PROCESS_BYTES = 64, COMM_BYTES = 32 };

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static long long number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* users:(("nginx",pid=12)) as ss(8), where this machine still knows the name. */
static void process_text(const json_t *socket, char out[PROCESS_BYTES])
{
	char path[PATH_BYTES], comm[COMM_BYTES] = "";
	long long pid = number_of(socket, "pid");
	out[0] = '\0';
	if (pid <= 0) {
		return;
	}
	(void)snprintf(path, sizeof(path), "/proc/%lld/comm", pid);
	FILE *file = fopen(path, "re");
	if (file) {
		if (!fgets(comm, sizeof(comm), file)) {
			comm[0] = '\0';
		}
		(void)fclose(file);
		comm[strcspn(comm, "\n")] = '\0';
	}
	(void)snprintf(out, PROCESS_BYTES, comm[0] ? "users:((\"%s\",pid=%lld))" : "%spid=%lld",
		       comm, pid);
}

static void print_sockets(FILE *out, const json_t *sockets)
{
	size_t i;
	const json_t *s;
	char process[PROCESS_BYTES];
	(void)fprintf(out, "%-5s %-10s %-7s %-7s %-28s %-28s %-6s %s\n", "Netid", "State", "Recv-Q",
		      "Send-Q", "Local Address:Port", "Peer Address:Port", "Uid", "Process");
	json_array_foreach(sockets, i, s)
	{
		process_text(s, process);
		(void)fprintf(out, "%-5s %-10s %-7lld %-7lld %-28s %-28s %-6lld %s\n",
			      text_of(s, "protocol"), text_of(s, "state"), number_of(s, "recvQ"),
			      number_of(s, "sendQ"), text_of(s, "local"), text_of(s, "remote"),
			      number_of(s, "uid"), process);
	}
}

int cmd_sockets(const struct cli *given, int argc, char **argv)
{
	struct cli cli = *given;
	char path[PATH_BYTES] = "/netcon/sockets";
	if (argc > 1 || (argc == 1 && !nwid_is_valid(argv[1]))) {
		complain(&cli, "sockets takes at most the id of a network, 16 hex digits, as "
			       "listnetworks shows it");
		return CLI_USAGE;
	}
	if (argc == 1) {
		(void)snprintf(path, sizeof(path), "/netcon/sockets/%s", argv[1]);
	}
	int code = home_settle(&cli);
	json_t *sockets = code == CLI_DONE ? ask_json(&cli, argv[0], path) : NULL;
	if (!sockets) {
		return code == CLI_DONE ? CLI_REFUSED : code;
	}
	if (cli.is_json) {
		fmt_json(cli.out, sockets);
	} else {
		print_sockets(cli.out, sockets);
	}
	json_decref(sockets);
	return CLI_DONE;
}
