/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* usage: shim peer PATH
 *        shim run FAMILY ME PEER PATH cross|local [PATTERN...]   the cases whose names match
 *        shim count FAMILY cross|local
 *        shim helper WHAT...                                     what cases exec
 */
#include "tests/shim/helper.h"
#include "tests/shim/shim.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CASES_MAX = 450, JOBS = 8, CASE_S = 30, PORT_FIRST = 2000, PORT_ROUND = 10 * CASES_MAX };
/* From there on the universe's services have theirs (free_port in scripts/universe.sh), on the same
 * loopback. */
static_assert(PORT_FIRST + 4 * PORT_ROUND <= 20000, "the rounds' ports are nobody else's");

struct shim_env env;

struct one {
	enum case_kind kind;
	const char *name;
	void (*run)(void);
	int output, pid, status;
};
static struct one cases[CASES_MAX];
static int case_count;

void case_add(enum case_kind kind, const char *name, void (*run)(void))
{
	if (case_count < CASES_MAX) {
		cases[case_count++] =
		    (struct one){ .kind = kind, .name = name, .run = run, .output = -1 };
	}
}

/* The order of constructors is the linker's. */
static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct one *)a)->name, ((const struct one *)b)->name);
}

static bool is_wanted(const struct one *c, char **patterns)
{
	if (c->kind == CASE_ONCE && !(env.is_local && env.family == AF_INET)) {
		return false;
	}
	bool is_any = !*patterns;
	for (; *patterns && !is_any; patterns++) {
		is_any = fnmatch(*patterns, c->name, 0) == 0;
	}
	return is_any;
}

static void start(struct one *c, int index)
{
	c->output = memfd_create("output", MFD_CLOEXEC);
	/* A memfd's position is not locked: parent and child of a case would write over each other.
	 */
	(void)fcntl(c->output, F_SETFL, O_APPEND);
	(void)fflush(stdout);
	c->pid = fork();
	if (c->pid != 0) {
		return;
	}
	/* A number that the cases do not meet; 0, 1, 2 as programs have them. */
	(void)dup2(c->output, STDOUT_FILENO);
	for (int fd = 3; fd < 64; fd++) {
		(void)close(fd);
	}
	/* Four rounds in one namespace: none meets what another left in TIME_WAIT. */
	int round = 2 * (env.family == AF_INET6) + env.is_local;
	env.port = PORT_FIRST + round * PORT_ROUND + index * 10;
	(void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	(void)alarm(CASE_S);
	c->run();
	(void)fflush(stdout);
	_exit(0);
}

static void finish(struct one *c)
{
	char bytes[4096];
	long n;
	printf("== %s\n", c->name);
	(void)lseek(c->output, 0, SEEK_SET);
	while ((n = read(c->output, bytes, sizeof bytes)) > 0) {
		(void)fwrite(bytes, 1, (size_t)n, stdout);
	}
	if (c->status != 0) {
		printf("ENDED: %s %d\n", WIFSIGNALED(c->status) ? "signal" : "exit",
		       WIFSIGNALED(c->status) ? WTERMSIG(c->status) : WEXITSTATUS(c->status));
	}
	(void)close(c->output);
}

/* One child has ended. */
static void reap(void)
{
	int status;
	int pid = wait(&status);
	for (int i = 0; i < case_count; i++) {
		if (cases[i].pid == pid) {
			cases[i].status = status;
			cases[i].pid = 0;
		}
	}
}

static void run(char **patterns)
{
	int running = 0;
	for (int i = 0; i < case_count; i++) {
		if (!is_wanted(&cases[i], patterns)) {
			continue;
		}
		if (running == JOBS) {
			reap();
			running--;
		}
		start(&cases[i], i);
		running++;
	}
	for (; running > 0; running--) {
		reap();
	}
	for (int i = 0; i < case_count; i++) {
		if (cases[i].output >= 0) {
			finish(&cases[i]);
		}
	}
}

int main(int argc, char **argv)
{
	qsort(cases, (size_t)case_count, sizeof *cases, by_name);
	env.program = argv[0];
	if (argc == 3 && strcmp(argv[1], "peer") == 0) {
		return peer_main(argv[2]);
	}
	if (argc >= 3 && strcmp(argv[1], "helper") == 0) {
		return helper_main(argc - 2, argv + 2);
	}
	if (argc >= 7 && strcmp(argv[1], "run") == 0) {
		env.family = strcmp(argv[2], "6") == 0 ? AF_INET6 : AF_INET;
		env.me = argv[3];
		env.peer = argv[4];
		env.control = argv[5];
		env.is_local = strcmp(argv[6], "local") == 0;
		run(argv + 7);
		return 0;
	}
	(void)fprintf(stderr, "usage: see the head of tests/shim/main.c\n");
	return 2;
}
