/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The command line (vl2 11.1, netcon.md 1.2); one table in options.def. */
#ifndef SERVICE_OPTIONS_H
#define SERVICE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { OPTIONS_HOME_BYTES = 400, OPTIONS_ERROR_BYTES = 160, OPTIONS_DEFAULT_PORT = 9993 };

enum options_action {
	OPTIONS_RUN,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_FULL_VERSION,
	OPTIONS_IDTOOL, /* exec the tool beside us with all arguments but argv[tool_index] */
	OPTIONS_CLI,
	OPTIONS_BAD, /* a usage error: `error` says which */
};

struct options {
	enum options_action action;
	bool is_daemon, use_sandbox;
	uint16_t port;  /* 0 = random */
	int tool_index; /* the argument that chose a tool; 0 = the program's name did */
	char home[OPTIONS_HOME_BYTES];
	char error[OPTIONS_ERROR_BYTES];
};

/* Never fails but through action OPTIONS_BAD. `environment_home` is $ZEROTIER_HOME or NULL. */
void options_parse(int argc, char *const argv[], const char *environment_home, struct options *out);
void options_help(FILE *out, const char *program);

#endif
