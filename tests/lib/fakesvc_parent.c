/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* See fakesvc.h. The test's side: the scripted service's files, its process, the commands to it. */
#include "tests/lib/fakesvc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int fakesvc_start(struct fakesvc *svc)
{
	memset(svc, 0, sizeof *svc);
	char base[] = "/tmp/fakesvc.XXXXXX";
	if (!mkdtemp(base)) {
		return -1;
	}
	(void)snprintf(svc->dir, sizeof svc->dir, "%s/nc", base);
	(void)snprintf(svc->link, sizeof svc->link, "%s/nc_1234", base);
	(void)snprintf(svc->command, sizeof svc->command, "%s/command", base);
	svc->shared = mmap(NULL, sizeof *svc->shared, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (svc->shared == MAP_FAILED || mkdir(svc->dir, 0700) != 0 ||
	    symlink("nc/sock", svc->link) != 0 || mkfifo(svc->command, 0600) != 0) {
		return -1;
	}
	return fakesvc_fork(svc);
}

void fakesvc_kill(struct fakesvc *svc)
{
	if (svc->pid > 0) {
		(void)kill(svc->pid, SIGKILL);
		(void)waitpid(svc->pid, NULL, 0);
	}
	svc->pid = 0;
}

int fakesvc_restart(struct fakesvc *svc)
{
	fakesvc_kill(svc);
	return fakesvc_fork(svc);
}

void fakesvc_stop(struct fakesvc *svc)
{
	char path[128];
	fakesvc_kill(svc);
	(void)snprintf(path, sizeof path, "%s/sock", svc->dir);
	(void)unlink(path);
	(void)unlink(svc->link);
	(void)unlink(svc->command);
	(void)rmdir(svc->dir);
	*strrchr(svc->dir, '/') = '\0';
	(void)rmdir(svc->dir);
	(void)munmap(svc->shared, sizeof *svc->shared);
}

void fakesvc_command(const char *path, const char *line)
{
	int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		(void)dprintf(fd, "%s\n", line);
		(void)close(fd);
	}
}
