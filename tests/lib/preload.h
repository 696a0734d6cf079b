/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Running a test case in a process of its own, natively or under the interception library.
 *
 * A test program's main() hands "--case NAME" to preload_main(); its cmocka tests call
 * preload_run(), which executes the program again with that argument and collects what the case
 * printed. The same source thus runs on the host's loopback and on the virtual one, and the two
 * outputs are compared.
 */
#ifndef TESTS_LIB_PRELOAD_H
#define TESTS_LIB_PRELOAD_H

#include <stdbool.h>
#include <stddef.h>

struct preload_case {
	const char *name;
	void (*run)(void);
};

/* If the arguments ask for a case: run it and exit. */
void preload_main(int argc, char **argv, const struct preload_case *cases, size_t count);

struct preload_options {
	const char *network; /* ZT_NC_NETWORK; NULL = native */
	const char *command; /* FAKESVC, the FIFO for the case (fakesvc.h) */
	const char *debug;   /* ZT_NC_DEBUG */
	const char *runner;  /* e.g. "strace -f -o FILE": words put before the program */
	int timeout_s;       /* 0 = 20 */
	bool without;        /* without the library altogether */
};

struct preload_result {
	int status;      /* as of waitpid() */
	char out[32768]; /* stdout and stderr */
};

/* 0, or -1 if it could not be started. */
int preload_run(const char *case_name, const struct preload_options *options,
		struct preload_result *out);

/* Inside a case: print a line, unbuffered. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
