/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
#define X(id, letter, name, argument, help) OPTION_##id,
#include "service/options.def"
#undef X
	OPTION_COUNT
};

static const struct row {
	char letter;
	const char *name, *argument, *help;
} rows[OPTION_COUNT] = {
#define X(id, letter, name, argument, help) { letter, name, argument, help },
#include "service/options.def"
#undef X
};

static const char DEFAULT_HOME[] = NETCON_STATEDIR;

__attribute__((format(printf, 2, 3))) static void bad(struct options *o, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(o->error, sizeof o->error, format, arguments);
	va_end(arguments);
	o->action = OPTIONS_BAD;
}

/* The row that an argument names; *value = what is attached to it ("-p8000", "--port=8000") or
 * NULL. */
static int row_find(const char *text, const char **value)
{
	*value = NULL;
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct row *row = &rows[i];
		if (text[1] != '-') {
			if (row->letter != 0 && text[1] == row->letter) {
				*value = text[2] != '\0' ? text + 2 : NULL;
				return i;
			}
			continue;
		}
		if (!row->name) {
			continue;
		}
		size_t length = strlen(row->name);
		if (strncmp(text + 2, row->name, length) == 0 &&
		    (text[2 + length] == '\0' || text[2 + length] == '=')) {
			*value = text[2 + length] == '=' ? text + 3 + length : NULL;
			return i;
		}
	}
	return -1;
}

static void port_set(struct options *o, const char *value)
{
	char *end = NULL;
	errno = 0;
	unsigned long port = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || port > UINT16_MAX) {
		bad(o, "-p wants a port number from 0 to 65535, not \"%.40s\"", value);
		return;
	}
	o->port = (uint16_t)port;
}

static void home_set(struct options *o, const char *path)
{
	size_t length = strlen(path);
	if (length >= sizeof o->home) {
		bad(o, "the home directory's path is longer than %zu bytes", sizeof o->home - 1);
		return;
	}
	memcpy(o->home, path, length + 1);
	for (size_t n = length; n > 1 && o->home[n - 1] == '/'; n--) {
		o->home[n - 1] = '\0';
	}
}

static void option_take(struct options *o, enum option_id id, const char *value)
{
	switch (id) {
	case OPTION_DAEMON:
		o->is_daemon = true;
		break;
	case OPTION_FOREGROUND:
		o->is_daemon = false;
		break;
	case OPTION_NO_SANDBOX:
		o->use_sandbox = false;
		break;
	case OPTION_PORT:
		port_set(o, value ? value : "");
		break;
	case OPTION_IDTOOL:
		o->action = OPTIONS_IDTOOL;
		break;
	case OPTION_CLI:
		o->action = OPTIONS_CLI;
		break;
	case OPTION_VERSION:
		o->action = OPTIONS_VERSION;
		break;
	case OPTION_FULL_VERSION:
		o->action = OPTIONS_FULL_VERSION;
		break;
	case OPTION_HELP:
		o->action = OPTIONS_HELP;
		break;
	case OPTION_UNPRIVILEGED:
	case OPTION_COUNT:
		break;
	}
}

/* The program's own name may choose the tool, as links to the original did. */
static bool tool_by_name(const char *program, struct options *o)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;
	if (strstr(name, "zerotier-cli")) {
		o->action = OPTIONS_CLI;
		return true;
	}
	if (strstr(name, "zerotier-idtool")) {
		o->action = OPTIONS_IDTOOL;
		return true;
	}
	return false;
}

static void argument_take(struct options *o, int argc, char *const argv[], int *index)
{
	const char *text = argv[*index];
	if (text[0] != '-' || text[1] == '\0') {
		if (o->home[0] != '\0') {
			bad(o, "two home directories given: \"%.50s\" and \"%.50s\"", o->home,
			    text);
		} else {
			home_set(o, text);
		}
		return;
	}
	const char *value = NULL;
	int id = row_find(text, &value);
	if (id < 0 || (value && !rows[id].argument)) {
		bad(o, "unknown option \"%.60s\"", text);
		return;
	}
	if (rows[id].argument && !value) {
		if (*index + 1 >= argc) {
			bad(o, "%s wants a value", text);
			return;
		}
		value = argv[++*index];
	}
	o->tool_index = *index;
	option_take(o, (enum option_id)id, value);
}

void options_parse(int argc, char *const argv[], const char *environment_home, struct options *out)
{
	*out = (struct options){ .action = OPTIONS_RUN,
				 .use_sandbox = true,
				 .port = OPTIONS_DEFAULT_PORT };
	if (argc > 0 && tool_by_name(argv[0], out)) {
		return;
	}
	/* The first switch that asks for something else than running decides. */
	for (int i = 1; i < argc && out->action == OPTIONS_RUN; i++) {
		argument_take(out, argc, argv, &i);
	}
	if (out->action == OPTIONS_RUN && out->home[0] == '\0') {
		bool has_home = environment_home && environment_home[0] != '\0';
		home_set(out, has_home ? environment_home : DEFAULT_HOME);
	}
}

void options_help(FILE *out, const char *program)
{
	(void)fprintf(out, "usage: %s [options] [home directory]\n\n", program);
	(void)fprintf(out,
		      "Joins ZeroTier networks in user space, for programs under "
		      "libzerotierintercept.so.\n"
		      "The home directory defaults to $ZEROTIER_HOME, else %s.\n\n",
		      DEFAULT_HOME);
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct row *row = &rows[i];
		char letter[16] = "", name[40] = "";
		if (row->letter != 0) {
			(void)snprintf(letter, sizeof letter, "-%c%s%s", row->letter,
				       row->argument ? " " : "",
				       row->argument ? row->argument : "");
		}
		if (row->name) {
			(void)snprintf(name, sizeof name, "--%s%s%s", row->name,
				       row->argument ? "=" : "",
				       row->argument ? row->argument : "");
		}
		(void)fprintf(out, "  %-8s %-14s %s\n", letter, name, row->help);
	}
}
