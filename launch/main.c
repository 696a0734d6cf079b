/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* zerotier-intercept-exec: options, environment, exec. See launch.h. */
#include "launch/launch.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAUNCH_VERSION "2.0.0-dev"

static const char DEFAULT_HOME[] = "/var/lib/zerotier-one"; /* the service's, vl2 10.2 */
static const char LIBRARY[] = "libzerotierintercept.so";

struct options {
	const char *home, *network;
	const char *explain; /* NULL = no, "1" = standard error, else a file */
	const char *library; /* NULL = the one beside this program */
};

void launch_complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)fputs("zerotier-intercept: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
}

static void help(FILE *out)
{
	(void)fprintf(
	    out,
	    "Usage: zerotier-intercept [options] [--] program [arguments]\n"
	    "Runs a program with its sockets on a virtual network of zerotier-netcon-service.\n\n"
	    "  -n, --network NETWORK  its id, its name, or the path of its socket\n"
	    "                         (default: $ZT_NC_NETWORK, else the only one joined)\n"
	    "  -D, --home HOME        the service's home (default: $ZEROTIER_HOME, else\n"
	    "                         %s)\n"
	    "  --explain[=FILE]       say of each socket call what became of it\n"
	    "  --library FILE         another libzerotierintercept.so\n"
	    "  -h, --help; --version\n\n"
	    ". zerotier-intercept on  in a shell: for what is started from it (off: no more)\n"
	    "zerotier-intercept show  print LD_PRELOAD\n\n"
	    "Exit status: the program's; 125 if zerotier-intercept fails, 126 if the program\n"
	    "cannot be run so (static, set-user-ID, other machine), 127 if there is none.\n",
	    DEFAULT_HOME);
}

/* ---- options --------------------------------------------------------------------------------- */

enum { GO_ON = -1, OPTION_EXPLAIN = 256, OPTION_LIBRARY, OPTION_VERSION };

static int usage(const char *text)
{
	if (text) {
		launch_complain("%s", text);
	}
	(void)fputs("Try: zerotier-intercept --help\n", stderr);
	return LAUNCH_OURS;
}

/* Reads the options; optind is the program's place afterwards. GO_ON or an exit code. */
static int options_read(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "network", required_argument, NULL, 'n' },
		{ "home", required_argument, NULL, 'D' },
		{ "explain", optional_argument, NULL, OPTION_EXPLAIN },
		{ "library", required_argument, NULL, OPTION_LIBRARY },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int c;
	/* '+': the program's own options are left alone */
	while ((c = getopt_long(argc, argv, "+n:D:h", names, NULL)) != -1) {
		switch (c) {
		case 'n':
			o->network = optarg;
			break;
		case 'D':
			o->home = optarg;
			break;
		case OPTION_EXPLAIN:
			o->explain = optarg ? optarg : "1";
			break;
		case OPTION_LIBRARY:
			o->library = optarg;
			break;
		case 'h':
			help(stdout);
			return 0;
		case OPTION_VERSION:
			(void)puts(LAUNCH_VERSION);
			return 0;
		default: /* getopt has said it */
			return usage(NULL);
		}
	}
	return GO_ON;
}

/* ---- the environment ------------------------------------------------------------------------- */

/* The library beside this program, or the one that was asked for. */
static int library_find(const struct options *o, char out[LAUNCH_PATH_BYTES])
{
	char folder[LAUNCH_PATH_BYTES] = "";
	if (o->library) {
		char *full = realpath(o->library, NULL);
		(void)snprintf(out, LAUNCH_PATH_BYTES, "%s", full ? full : o->library);
		free(full);
	} else {
		ssize_t length = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
		folder[length > 0 ? length : 0] = '\0';
		char *slash = strrchr(folder, '/');
		if (slash) {
			*slash = '\0';
		}
		int n = snprintf(out, LAUNCH_PATH_BYTES, "%s/%s", folder, LIBRARY);
		if (n < 0 || n >= LAUNCH_PATH_BYTES) {
			out[0] = '\0';
		}
	}
	if (access(out, R_OK) != 0) {
		launch_complain("%s cannot be read (%s): build it with `make`, install it with "
				"`make install`, or name it with --library",
				out, strerror(errno));
		return LAUNCH_OURS;
	}
	if (strpbrk(out, ": ")) {
		launch_complain("%s: the loader splits LD_PRELOAD at blanks and colons; install "
				"the library where the path has none",
				out);
		return LAUNCH_OURS;
	}
	return 0;
}

/* Is `library` an entry of this LD_PRELOAD? */
static bool preload_has(const char *list, const char *library)
{
	size_t length = strlen(library);
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ": ");
		if (n == length && strncmp(p, library, n) == 0) {
			return true;
		}
		p += n + (p[n] != '\0');
	}
	return false;
}

/* LD_PRELOAD with the library at its end: sanitizers and allocators must stay first. The caller's
 * to free; NULL = no memory. */
static char *preload_with(const char *list, const char *library)
{
	char *text = NULL;
	if (!list || !*list) {
		return strdup(library);
	}
	if (preload_has(list, library)) {
		return strdup(list);
	}
	return asprintf(&text, "%s:%s", list, library) < 0 ? NULL : text;
}

/* LD_PRELOAD without our library, wherever it was installed; the caller's to free. */
static char *preload_without(const char *list)
{
	char *text = calloc(1, strlen(list) + 2);
	size_t at = 0;
	for (const char *p = list; text && *p;) {
		size_t n = strcspn(p, ": ");
		size_t name = sizeof(LIBRARY) - 1;
		bool is_ours = n >= name && strncmp(p + n - name, LIBRARY, name) == 0;
		if (n > 0 && !is_ours) {
			at += (size_t)sprintf(text + at, "%s%.*s", at > 0 ? ":" : "", (int)n, p);
		}
		p += n + (p[n] != '\0');
	}
	return text;
}

static int environment_set(const struct options *o, const char *network, const char *library)
{
	char *preload = preload_with(getenv("LD_PRELOAD"), library);
	int error = !preload || setenv("LD_PRELOAD", preload, 1) != 0 ||
		    setenv("ZT_NC_NETWORK", network, 1) != 0 ||
		    (o->explain && setenv("ZT_NC_EXPLAIN", o->explain, 1) != 0);
	free(preload);
	if (error) {
		launch_complain("no memory for the environment");
		return LAUNCH_OURS;
	}
	return 0;
}

/* ---- on, off, show --------------------------------------------------------------------------- */

/* For eval: the value in quotes that end nowhere inside. */
static void print_export(const char *name, const char *value)
{
	(void)printf("%s='", name);
	for (; *value; value++) {
		if (*value == '\'') {
			(void)fputs("'\\''", stdout);
		} else {
			(void)putchar(*value);
		}
	}
	(void)printf("'; export %s;\n", name);
}

static int print_off(void)
{
	const char *list = getenv("LD_PRELOAD");
	char *rest = preload_without(list ? list : "");
	if (!rest) {
		return LAUNCH_OURS;
	}
	if (rest[0]) {
		print_export("LD_PRELOAD", rest);
	} else {
		(void)puts("unset LD_PRELOAD;");
	}
	free(rest);
	(void)puts("unset ZT_NC_NETWORK;");
	return 0;
}

static int print_show(void)
{
	const char *list = getenv("LD_PRELOAD");
	(void)printf("LD_PRELOAD=\"%s\"\n", list ? list : "");
	return 0;
}

/* The library takes a policy that it does not know for `deny`, silently: better said here. */
static int policy_check(void)
{
	const char *policy = getenv("ZT_NC_POLICY");
	if (policy && *policy && strcmp(policy, "all") != 0 && strcmp(policy, "split") != 0 &&
	    strcmp(policy, "deny") != 0) {
		launch_complain(
		    "ZT_NC_POLICY=%s is unknown: set it to all, split or deny, or unset it",
		    policy);
		return LAUNCH_OURS;
	}
	return 0;
}

/* The library and the control socket. */
static int settle(const struct options *o, char network[LAUNCH_PATH_BYTES],
		  char library[LAUNCH_PATH_BYTES])
{
	const char *home = o->home ? o->home : getenv("ZEROTIER_HOME");
	const char *wanted = o->network;
	if (!wanted && !o->home) {
		wanted = getenv("ZT_NC_NETWORK");
		wanted = wanted && *wanted ? wanted : NULL;
	}
	int code = policy_check();
	code = code ? code : library_find(o, library);
	return code ? code : network_find(home && *home ? home : DEFAULT_HOME, wanted, network);
}

/* `--shell on [options]`: what the script evaluates in the shell that sources it. */
static int shell_words(int argc, char **argv)
{
	char network[LAUNCH_PATH_BYTES], library[LAUNCH_PATH_BYTES];
	struct options o = { 0 };
	const char *word = argc > 1 ? argv[1] : "";
	if (strcmp(word, "off") == 0) {
		return print_off();
	}
	if (strcmp(word, "on") != 0) {
		return print_show();
	}
	int code = options_read(&o, argc - 1, argv + 1);
	if (code == GO_ON) {
		code = settle(&o, network, library);
	}
	char *preload = code == 0 ? preload_with(getenv("LD_PRELOAD"), library) : NULL;
	if (preload) {
		print_export("LD_PRELOAD", preload);
		print_export("ZT_NC_NETWORK", network);
	}
	free(preload);
	return code;
}

/* ---- main ------------------------------------------------------------------------------------ */

int main(int argc, char **argv)
{
	char network[LAUNCH_PATH_BYTES], library[LAUNCH_PATH_BYTES], path[LAUNCH_PATH_BYTES];
	static char name[] = "zerotier-intercept"; /* for getopt's messages */
	struct options o = { 0 };
	if (argc > 1 && strcmp(argv[1], "--shell") == 0) {
		return shell_words(argc - 1, argv + 1);
	}
	if (argc > 0) {
		argv[0] = name;
	}
	int code = options_read(&o, argc, argv);
	if (code != GO_ON) {
		return code;
	}
	if (optind >= argc) {
		return usage("insufficient arguments"); /* the original's words */
	}
	char **program = argv + optind;
	code = settle(&o, network, library);
	if (code == 0) {
		code = target_find(program[0], path);
	}
	if (code == 0) {
		code = target_check(path, library);
	}
	if (code == 0) {
		code = environment_set(&o, network, library);
	}
	if (code != 0) {
		return code;
	}
	(void)execvp(program[0], program); /* a script without #! is /bin/sh's */
	int error = errno;
	launch_complain("%s: %s", program[0], strerror(error));
	return error == ENOENT ? LAUNCH_MISSING : LAUNCH_CANNOT;
}
