/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* zerotier-netcon-init: see docs/containers.md. Without a program it becomes the service, so that
 * the service is process 1; with one it stays and looks after both (container/supervise.c). */
#include "container/container.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static char default_home[] = "/var/lib/zerotier-one";

static void help(void)
{
	(void)puts(
	    "usage: zerotier-netcon-init [NETWORK-ID...]\n"
	    "       zerotier-netcon-init -OPTION...\n"
	    "       zerotier-netcon-init [--] PROGRAM [ARGUMENT...]\n"
	    "The first process of a container. It makes the home directory ($ZEROTIER_HOME, "
	    "default\n"
	    "/var/lib/zerotier-one) what the variables below say. Then it becomes the service, "
	    "which joins the\n"
	    "networks named; or, given a program, it runs the service beside it: waits until the "
	    "network is\n"
	    "usable, runs the program on it, passes signals on, and ends with the program's "
	    "status.\n"
	    "Variables:");
	vars_print();
}

/* Become the service, whose supervisor reaps what is left to process 1. */
static int become_service(struct setup *setup, int argc, char **argv)
{
	char **words = calloc((size_t)argc + 3, sizeof *words);
	int count = 0;
	if (!words) {
		(void)failed("out of memory");
		return INIT_EXIT_FAILED;
	}
	words[count++] = (char[]){ "zerotier-netcon-service" };
	for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
		words[count++] = argv[i];
	}
	words[count++] = setup->home;
	(void)execvp(words[0], words);
	(void)failed("cannot start %s: %s", words[0], strerror(errno));
	free(words);
	return INIT_EXIT_FAILED;
}

/* The arguments that are networks' ids; -1 if one of several is none. */
static int networks_of_arguments(struct setup *setup, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (network_add(setup, argv[i]) != 0) {
			return -1;
		}
	}
	return 0;
}

static int prepare(struct setup *setup)
{
	char *home = getenv("ZEROTIER_HOME");
	setup->home = home && home[0] != '\0' ? home : default_home;
	if (strlen(setup->home) >= INIT_PATH_BYTES - 64) {
		return failed("ZEROTIER_HOME is too long");
	}
	return vars_read(setup, (const char *const *)environ) == 0 && networks_collect(setup) == 0
		   ? 0
		   : -1;
}

static int run_program(struct setup *setup, char **program)
{
	if (!program[0]) {
		(void)failed("-- is followed by a program");
		return INIT_EXIT_USAGE;
	}
	if (setup->network_count == 0) {
		(void)failed("which network is %s to be on? Set ZTNC_NETWORK to its id.",
			     program[0]);
		return INIT_EXIT_USAGE;
	}
	if (home_prepare(setup) != 0) {
		return INIT_EXIT_FAILED;
	}
	vars_hide();
	return supervise(setup, program);
}

int main(int argc, char **argv)
{
	static struct setup setup;
	const char *first = argc > 1 ? argv[1] : "";
	if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
		help();
		return 0;
	}
	bool is_service =
	    argc == 1 || is_nwid(first) || (first[0] == '-' && strcmp(first, "--") != 0);
	if (prepare(&setup) != 0) {
		return INIT_EXIT_USAGE;
	}
	int status = INIT_EXIT_USAGE;
	if (!is_service) {
		status = run_program(&setup, argv + (first[0] == '-' ? 2 : 1));
	} else if (first[0] == '-' || networks_of_arguments(&setup, argc, argv) == 0) {
		status = INIT_EXIT_FAILED;
		if (home_prepare(&setup) == 0) {
			vars_free(&setup);
			status = become_service(&setup, argc, argv);
		}
	}
	vars_free(&setup);
	return status;
}
