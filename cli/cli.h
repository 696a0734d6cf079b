/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* zerotier-cli: what its files share.
 *
 * How this works: main.c reads the switches into struct cli, command.c finds the row of the command
 * table, the command asks the service (http.c) and prints (fmt.c). Standard output is what the
 * reference prints (vl2 11.2), so that scripts keep working; what to do about an error goes to
 * standard error.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes (decision 040). */
enum { CLI_DONE = 0, CLI_REFUSED = 1, CLI_USAGE = 2 };

#define CLI_REFERENCE_VERSION "1.14.1" /* what peers and scripts gate on (decision S22) */
#define CLI_VERSION           "2.0.0-dev"

struct cli_reply {
	int status; /* HTTP; 0 = the service could not be reached */
	char *body; /* malloc'd, NUL-terminated; never NULL after a request */
	size_t length;
	char error[256]; /* why it could not be reached */
};

/* Where the pieces of a long reply go. */
struct cli_sink {
	bool (*each)(struct cli_sink *sink, const char *bytes, size_t length); /* false = enough */
	bool is_full;                                                          /* `each` said so */
};

struct cli {
	const char *program;
	const char *home;
	const char *host;
	long port;       /* 0 = read from the home directory */
	char token[128]; /* empty = read from the home directory */
	bool is_json;
	FILE *out, *err;
	int64_t now_ms; /* wall clock, for the age of paths */
	/* http_request, or a test's own. False = out of memory. */
	bool (*request)(const struct cli *cli, const char *method, const char *path,
			const char *body, struct cli_reply *reply);
	/* http_stream, or a test's own: a GET whose body is handed on in pieces until it ends or
	 * `each` says false. */
	bool (*stream)(const struct cli *cli, const char *path, struct cli_sink *sink,
		       struct cli_reply *reply);
};

/* The whole program: argv as main gets it. Returns the exit code. */
int cli_run(struct cli *cli, int argc, char **argv);

/* ---- home.c ------------------------------------------------------------------------------------
 */

/* Fill in port and token where the command line did not. 0, or CLI_USAGE after saying why. */
int home_settle(struct cli *cli);

/* ---- http.c ------------------------------------------------------------------------------------
 */

bool http_request(const struct cli *cli, const char *method, const char *path, const char *body,
		  struct cli_reply *reply);
/* Without a limit of time. A reply that is no 200 is kept in reply->body instead. */
bool http_stream(const struct cli *cli, const char *path, struct cli_sink *sink,
		 struct cli_reply *reply);

/* ---- ask.c -------------------------------------------------------------------------------------
 */

/* Ask the service; anything but a 200 is printed as the reference prints it, with what to do on
 * standard error. `name` is the command as typed, `body` may be NULL. True = *reply is to be freed.
 */
bool ask(const struct cli *cli, const char *name, const char *method, const char *path,
	 const char *body, struct cli_reply *reply);
/* The same and the body as JSON (new reference); NULL after the error was printed. */
json_t *ask_json(const struct cli *cli, const char *name, const char *path);
/* Say why a reply is no 200; frees its body. */
void ask_failed(const struct cli *cli, const char *name, const char *path, struct cli_reply *reply);
/* An error of ours: one sentence with a next step on standard error, with the program's name. */
void complain(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- fmt.c: from the service's JSON to text ----------------------------------------------------
 */

void fmt_json(FILE *out, const json_t *json); /* one space per level, then a line end */
void fmt_info(FILE *out, const json_t *status);
void fmt_listpeers(FILE *out, const json_t *peers, int64_t now_ms);
void fmt_peers(FILE *out, const json_t *peers, int64_t now_ms);
void fmt_listnetworks(FILE *out, const json_t *networks, int64_t now_ms);
/* A field, or ip, ip4, ip6, ip6plane, ip6prefix. False if the network has none of that name. */
bool fmt_property(FILE *out, const json_t *network, const char *name);

/* ---- commands ----------------------------------------------------------------------------------
 */

/* argc counts the arguments after the command's own name argv[0]. Returns the exit code. */
typedef int cli_command(const struct cli *cli, int argc, char **argv);
cli_command cmd_info, cmd_listpeers, cmd_peers, cmd_listnetworks, cmd_listmoons;
cli_command cmd_controller, cmd_health, cmd_wait, cmd_diagnose, cmd_whois, cmd_capture, cmd_sockets;
cli_command cmd_orbit, cmd_deorbit, cmd_restart, cmd_bond, cmd_listbonds;
cli_command cmd_join, cmd_leave, cmd_get, cmd_set, cmd_dump, cmd_path;

/* 16 hex digits? */
bool nwid_is_valid(const char *text);

void help_print(FILE *out);

#endif
