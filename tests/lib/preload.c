/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/preload.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORDS = 16, DEFAULT_TIMEOUT_S = 20 };

void say(const char *format, ...)
{
	char line[1024];
	va_list list;
	va_start(list, format);
	int n = vsnprintf(line, sizeof line - 1, format, list);
	va_end(list);
	if (n < 0 || (size_t)n >= sizeof line - 1) {
		abort();
	}
	line[n] = '\n';
	if (write(1, line, (size_t)n + 1) != n + 1) {
		abort();
	}
}

void preload_main(int argc, char **argv, const struct preload_case *cases, size_t count)
{
	if (argc != 3 || strcmp(argv[1], "--case") != 0) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (strcmp(cases[i].name, argv[2]) == 0) {
			cases[i].run();
			exit(0);
		}
	}
	exit(99);
}

/* The library beside the running program: build/PROFILE/. */
static bool library_path(char *out, size_t size)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0) {
		return false;
	}
	self[n] = '\0';
	char *tests = strstr(self, "/tests/unit/");
	if (!tests) {
		return false;
	}
	*tests = '\0';
	return snprintf(out, size, "%s/libzerotierintercept.so", self) < (int)size;
}

/* A sanitizer's runtime has to come before every other library. */
static void sanitizer_path(char *out, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4096];
	out[0] = '\0';
	while (maps && fgets(line, sizeof line, maps)) {
		char *path = strchr(line, '/');
		char *name = path ? strrchr(line, '/') : NULL;
		if (name &&
		    (strncmp(name, "/libasan", 8) == 0 || strncmp(name, "/libtsan", 8) == 0)) {
			path[strcspn(path, "\n")] = '\0';
			(void)snprintf(out, size, "%s:", path);
			break;
		}
	}
	if (maps) {
		(void)fclose(maps);
	}
}

static void set_or_unset(const char *name, const char *value)
{
	if (value) {
		(void)setenv(name, value, 1);
	} else {
		(void)unsetenv(name);
	}
}

static void child(const char *name, const struct preload_options *options, int out)
{
	char library[4096], sanitizer[4096], preload[8300], words[512], self[4096];
	char *argv[MAX_WORDS + 4], *save = NULL;
	size_t argc = 0;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0 || !library_path(library, sizeof library)) {
		_exit(98);
	}
	self[n] = '\0';
	sanitizer_path(sanitizer, sizeof sanitizer);
	(void)snprintf(preload, sizeof preload, "%s%s", sanitizer, options->without ? "" : library);
	(void)snprintf(words, sizeof words, "%s", options->runner ? options->runner : "");
	for (char *w = strtok_r(words, " ", &save); w && argc < MAX_WORDS;
	     w = strtok_r(NULL, " ", &save)) {
		argv[argc++] = w;
	}
	if (argc > 0) { /* the runner itself is not what is tested */
		static char set[8400];
		(void)snprintf(set, sizeof set, "LD_PRELOAD=%s", preload);
		argv[argc++] = (char *)(size_t) "-E";
		argv[argc++] = set;
	} else {
		set_or_unset("LD_PRELOAD", preload);
	}
	/* Leaks of test cases are not the question, and the search for them fails under strace. */
	set_or_unset("ASAN_OPTIONS", "detect_leaks=0");
	set_or_unset("ZT_NC_NETWORK", options->network);
	set_or_unset("ZT_NC_DEBUG", options->debug);
	set_or_unset("FAKESVC", options->command);
	argv[argc++] = self;
	argv[argc++] = (char *)(size_t) "--case";
	argv[argc++] = (char *)(size_t)name;
	argv[argc] = NULL;
	(void)dup2(out, 1);
	(void)dup2(out, 2);
	(void)execvp(argv[0], argv);
	_exit(97);
}

static long clock_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int preload_run(const char *case_name, const struct preload_options *options,
		struct preload_result *out)
{
	int pipe_fds[2];
	size_t length = 0;
	if (pipe(pipe_fds) != 0) {
		return -1;
	}
	pid_t pid = fork();
	if (pid < 0) {
		return -1;
	}
	if (pid == 0) {
		(void)close(pipe_fds[0]);
		child(case_name, options, pipe_fds[1]);
	}
	(void)close(pipe_fds[1]);
	long until =
	    clock_ms() + 1000L * (options->timeout_s ? options->timeout_s : DEFAULT_TIMEOUT_S);
	for (;;) {
		struct pollfd p = { .fd = pipe_fds[0], .events = POLLIN };
		long left = until - clock_ms();
		if (left <= 0 || poll(&p, 1, (int)left) == 0) {
			length += (size_t)snprintf(out->out + length, sizeof out->out - length,
						   "TIMEOUT\n");
			(void)kill(pid, SIGKILL);
			break;
		}
		ssize_t n = read(pipe_fds[0], out->out + length, sizeof out->out - 32 - length);
		if (n <= 0 && !(n < 0 && errno == EINTR)) {
			break;
		}
		length += n > 0 ? (size_t)n : 0;
	}
	out->out[length] = '\0';
	(void)close(pipe_fds[0]);
	return waitpid(pid, &out->status, 0) == pid ? 0 : -1;
}
