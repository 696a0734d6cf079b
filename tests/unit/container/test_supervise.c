/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The first process beside a program, with scripts in the places of the service and the CLI: who is
 * told what, in which order, and the status at the end. The same with real ones:
 * docker-test/image.sh. */
#include "container/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_S = 60, PATH_CHARS = 128, SCRIPT_CHARS = 1024 };

/* Up, until it is told to end; then it says that it was. */
#define SERVICE                                                                                    \
	"trap 'kill $!; echo service told >>$1/log; exit 0' TERM\n"                                \
	"echo $$ >$1/service.pid; echo $$ >$1/zerotier-one.pid\n"                                  \
	"while :; do sleep 10 & wait $!; done\n"
#define WAITER "echo waited $3 $4 $5 >>${1#-D}/log\n"

struct fixture {
	char folder[64];
	char *path; /* of the environment before */
	pid_t pid;
};

static void script(struct fixture *f, const char *name, const char *text)
{
	char path[PATH_CHARS], whole[SCRIPT_CHARS];
	(void)snprintf(path, sizeof path, "%s/bin/%s", f->folder, name);
	(void)snprintf(whole, sizeof whole, "#!/bin/sh\n%s", text);
	assert_int_equal(file_replace(path, whole, strlen(whole), 0755), 0);
}

static int fixture_new(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char path[4096];
	assert_non_null(f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/netcon-supervise.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(path, sizeof path, "%s/bin", f->folder);
	assert_int_equal(mkdir(path, 0755), 0);
	f->path = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	(void)snprintf(path, sizeof path, "%s/bin:%s", f->folder, f->path);
	assert_int_equal(setenv("PATH", path, 1), 0);
	(void)snprintf(path, sizeof path, "%s/fifo", f->folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	script(f, "zerotier-netcon-service", SERVICE);
	script(f, "zerotier-cli", WAITER);
	(void)alarm(DEADLINE_S);
	*state = f;
	return 0;
}

static int fixture_free(void **state)
{
	struct fixture *f = *state;
	char command[PATH_CHARS];
	(void)alarm(0);
	(void)setenv("PATH", f->path, 1);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
	assert_int_equal(system(command), 0);
	free(f->path);
	free(f);
	return 0;
}

/* Start the first process with `text` as a program of sh; "$0" is the home. */
static void start(struct fixture *f, const char *text)
{
	(void)fflush(NULL);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid != 0) {
		return;
	}
	static struct setup setup = { .network_count = 1 };
	char log[PATH_CHARS];
	(void)snprintf(log, sizeof log, "%s/log", f->folder);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
		_exit(99);
	}
	setup.home = f->folder;
	memcpy(setup.networks[0], "8056c2e21c000001", INIT_NWID_CHARS);
	char shell[] = "sh", option[] = "-c";
	char *program[] = { shell, option, strdup(text), f->folder, NULL };
	if (strcmp(text, "missing") == 0) {
		program[0] = program[2];
	}
	int status = supervise(&setup, program);
	free(program[2]);
	_exit(status);
}

/* Wait until the program has said that it runs. */
static void until_said(struct fixture *f)
{
	char path[PATH_CHARS], byte = 0;
	(void)snprintf(path, sizeof path, "%s/fifo", f->folder);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, &byte, 1), 1);
	(void)close(fd);
}

/* Let it go on that reads from there. */
static void say_on(struct fixture *f)
{
	char path[PATH_CHARS];
	(void)snprintf(path, sizeof path, "%s/fifo", f->folder);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\n", 1), 1);
	(void)close(fd);
}

static int ended(struct fixture *f)
{
	int how = 0;
	while (waitpid(f->pid, &how, 0) < 0) {
		assert_int_equal(errno, EINTR);
	}
	assert_true(WIFEXITED(how));
	return WEXITSTATUS(how);
}

static pid_t number_in(struct fixture *f, const char *name)
{
	char path[PATH_CHARS], *text = NULL;
	size_t length = 0;
	(void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
	assert_int_equal(file_slurp(path, &text, &length), 0);
	pid_t pid = (pid_t)strtol(text, NULL, 10);
	free(text);
	assert_true(pid > 1);
	return pid;
}

/* Does the log say these, in this order? */
static void assert_said(struct fixture *f, const char *const *lines)
{
	char path[PATH_CHARS], *text = NULL;
	size_t length = 0;
	(void)snprintf(path, sizeof path, "%s/log", f->folder);
	assert_int_equal(file_slurp(path, &text, &length), 0);
	const char *at = text;
	for (; *lines; lines++) {
		at = strstr(at, *lines);
		if (!at) {
			fail_msg("\"%s\" is not, or not in order, in:\n%s", *lines, text);
		}
	}
	free(text);
}
#define SAID(f, ...) assert_said(f, (const char *const[]){ __VA_ARGS__, NULL })

static void the_programs_status_is_the_last_word(void **state)
{
	struct fixture *f = *state;
	start(f, "echo program $ZT_NC_NETWORK >>$0/log; exit 7");
	assert_int_equal(ended(f), 7);
	SAID(f, "waited 8056c2e21c000001 --timeout 60", "/nc/8056c2e21c000001", "service told");
}

static void a_signal_that_ends_it_counts_from_128(void **state)
{
	struct fixture *f = *state;
	start(f, "kill -KILL $$");
	assert_int_equal(ended(f), 128 + SIGKILL);
	SAID(f, "service told");
}

static void a_program_that_is_missing_is_127(void **state)
{
	struct fixture *f = *state;
	start(f, "missing");
	assert_int_equal(ended(f), 127);
	SAID(f, "cannot start missing", "service told");
}

static void a_signal_is_the_programs_and_the_service_ends_last(void **state)
{
	struct fixture *f = *state;
	start(f, "trap 'kill $!; echo drained >>$0/log; exit 3' TERM; sleep 100 & echo >$0/fifo; "
		 "wait $!");
	until_said(f);
	assert_int_equal(kill(f->pid, SIGTERM), 0);
	assert_int_equal(ended(f), 3);
	SAID(f, "drained", "service told");
}

static void other_signals_are_passed_on_as_well(void **state)
{
	struct fixture *f = *state;
	start(f, "trap 'kill $!; exit 5' USR1; sleep 100 & echo >$0/fifo; wait $!");
	until_said(f);
	assert_int_equal(kill(f->pid, SIGUSR1), 0);
	assert_int_equal(ended(f), 5);
}

static void a_service_that_crashes_ends_the_program(void **state)
{
	struct fixture *f = *state;
	start(f, "trap 'kill $!; echo drained >>$0/log; exit 0' TERM; sleep 100 & echo >$0/fifo; "
		 "wait $!");
	until_said(f);
	assert_int_equal(kill(number_in(f, "service.pid"), SIGKILL), 0);
	assert_int_equal(ended(f), INIT_EXIT_FAILED);
	SAID(f, "the service ended with status 137, and the program with it", "drained");
}

static void a_service_that_does_not_start_is_a_failure(void **state)
{
	struct fixture *f = *state;
	script(f, "zerotier-netcon-service", "exit 4");
	start(f, "echo never >>$0/log");
	assert_int_equal(ended(f), INIT_EXIT_FAILED);
	SAID(f, "the service ended with status 4");
}

static void a_network_that_does_not_come_is_a_failure(void **state)
{
	struct fixture *f = *state;
	script(f, "zerotier-cli", "echo not in time >&2; exit 1");
	start(f, "echo never >>$0/log; exit 0");
	assert_int_equal(ended(f), INIT_EXIT_FAILED);
	SAID(f, "not in time", "service told");
}

static void a_signal_ends_the_wait_for_the_network(void **state)
{
	struct fixture *f = *state;
	script(f, "zerotier-cli", "echo >${1#-D}/fifo; exec sleep 100");
	start(f, "echo never >>$0/log; exit 0");
	until_said(f);
	assert_int_equal(kill(f->pid, SIGTERM), 0);
	assert_int_equal(ended(f), 128 + SIGTERM);
	SAID(f, "service told");
}

/* A grandchild whose parent has ended: it comes to the first process, which reaps it. */
static void what_is_left_over_is_reaped(void **state)
{
	struct fixture *f = *state;
	start(f, "(sleep 100 & echo $! >$0/orphan); echo >$0/fifo; read line <$0/fifo; exit 0");
	until_said(f);
	pid_t orphan = number_in(f, "orphan");
	assert_int_equal(kill(orphan, SIGKILL), 0);
	/* Gone as a process means reaped: a zombie still has its number. */
	while (kill(orphan, 0) == 0) {
		(void)sched_yield();
	}
	assert_int_equal(errno, ESRCH);
	say_on(f);
	assert_int_equal(ended(f), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_new, fixture_free)
	const struct CMUnitTest tests[] = {
		TEST(the_programs_status_is_the_last_word),
		TEST(a_signal_that_ends_it_counts_from_128),
		TEST(a_program_that_is_missing_is_127),
		TEST(a_signal_is_the_programs_and_the_service_ends_last),
		TEST(other_signals_are_passed_on_as_well),
		TEST(a_service_that_crashes_ends_the_program),
		TEST(a_service_that_does_not_start_is_a_failure),
		TEST(a_network_that_does_not_come_is_a_failure),
		TEST(a_signal_ends_the_wait_for_the_network),
		TEST(what_is_left_over_is_reaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
