/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/daemonize.h"

#include "service/log.h"
#include "service/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noreturn)) static void wait_for(pid_t child, int fd)
{
	char answer = 0;
	ssize_t n;
	do {
		n = read(fd, &answer, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1) {
		_exit(0);
	}
	int status = 0;
	(void)waitpid(child, &status, 0);
	_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

int daemonize_begin(void)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0) {
		return -1;
	}
	pid_t child = fork();
	if (child < 0) {
		(void)close(ends[0]);
		(void)close(ends[1]);
		return -1;
	}
	if (child > 0) {
		(void)close(ends[1]);
		wait_for(child, ends[0]);
	}
	(void)close(ends[0]);
	(void)setsid();
	return ends[1];
}

void daemonize_ready(int fd, const char *log_path, int supervisor)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (log < 0) {
		log_warn_errno("main", "no log file from here on file=%s", log_path);
	}
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(log >= 0 ? log : null, STDERR_FILENO);
		(void)close(null);
	}
	if (log >= 0) {
		(void)close(log);
	}
	if (supervisor >= 0) { /* it must not keep the terminal either */
		const int fds[2] = { STDIN_FILENO, STDERR_FILENO };
		(void)supervisor_send(supervisor, SUPERVISOR_STDIO, 0, fds, 2);
	}
	char answer = 0;
	ssize_t n = write(fd, &answer, 1);
	(void)n; /* a parent that was killed meanwhile wants no answer */
	(void)close(fd);
}
