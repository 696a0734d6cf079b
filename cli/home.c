/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Where the service answers and what it wants to see: files of the home directory (vl2 11.2). */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 1024 };

/* The first line of a file, white space around it removed. 0 or an errno. */
static int line_read(const char *path, char *out, size_t capacity)
{
	FILE *file = fopen(path, "re");
	if (!file) {
		return errno;
	}
	size_t length = fread(out, 1, capacity - 1, file);
	int error = ferror(file) ? EIO : 0;
	(void)fclose(file);
	out[length] = '\0';
	size_t start = strspn(out, " \t\r\n");
	size_t end = start + strcspn(out + start, " \t\r\n");
	memmove(out, out + start, end - start);
	out[end - start] = '\0';
	return !error && end == start ? ENODATA : error;
}

static int home_line(const struct cli *cli, const char *name, char *out, size_t capacity)
{
	char path[PATH_BYTES];
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", cli->home, name) >= sizeof(path)) {
		return ENAMETOOLONG;
	}
	return line_read(path, out, capacity);
}

/* After the reference's line: what is the matter and what helps. */
static void hint(const struct cli *cli, const char *file, int error)
{
	if (error == EACCES) {
		complain(cli,
			 "%s/%s: no permission; run it as the user that runs the service, or "
			 "give the token with -T and the port with -p",
			 cli->home, file);
	} else if (error == ENOENT || error == ENOTDIR) {
		complain(cli,
			 "is the service running with this home? Start it with: "
			 "zerotier-netcon-service -d %s    or name another home with -D<path>",
			 cli->home);
	} else {
		complain(cli, "%s/%s: %s; restart the service to have it written again", cli->home,
			 file, error == ENODATA ? "it is empty" : strerror(error));
	}
}

static int port_settle(struct cli *cli)
{
	char text[32];
	if (cli->port != 0) {
		return CLI_DONE;
	}
	int error = home_line(cli, "zerotier-one.port", text, sizeof(text));
	char *end = text;
	cli->port = error ? 0 : strtol(text, &end, 10);
	if (error || *end != '\0' || cli->port < 1 || cli->port > 65535) {
		(void)fprintf(cli->err, "%s: missing port and zerotier-one.port not found in %s\n",
			      cli->program, cli->home);
		hint(cli, "zerotier-one.port", error ? error : EINVAL);
		return CLI_USAGE;
	}
	return CLI_DONE;
}

static bool token_of_user(struct cli *cli)
{
	const char *home = getenv("HOME");
	char path[PATH_BYTES];
	return home &&
	       (size_t)snprintf(path, sizeof(path), "%s/.zeroTierOneAuthToken", home) <
		   sizeof(path) &&
	       line_read(path, cli->token, sizeof(cli->token)) == 0;
}

int home_settle(struct cli *cli)
{
	int code = port_settle(cli);
	if (code != CLI_DONE || cli->token[0]) {
		return code;
	}
	int error = home_line(cli, "authtoken.secret", cli->token, sizeof(cli->token));
	if (error && !token_of_user(cli)) {
		(void)fprintf(
		    cli->err,
		    "%s: authtoken.secret not found or readable in %s (try again as root)\n",
		    cli->program, cli->home);
		hint(cli, "authtoken.secret", error);
		return CLI_USAGE;
	}
	return CLI_DONE;
}
