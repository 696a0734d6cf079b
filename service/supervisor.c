/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works
 * The program forks before it has done anything: the child becomes the service, the parent watches
 * it. The parent's pid is what init, systemd and docker know and keep; it passes signals on, ends
 * as the service ends, and if it is killed the kernel kills the service. When the service asks for
 * a successor, the parent starts the file it was itself started from, by the path of that time, so
 * that what lies there now is run. Until the service says COMMIT the successor is on trial: if it
 * ends, that is reported and nothing else happens.
 */
#include "service/supervisor.h"

#include "rpc/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct child {
	pid_t pid; /* 0 = none */
	int channel;
};

struct supervisor {
	char *const *argv;
	char path[PATH_MAX];
	int signal_fd;
	struct child service, successor;
};

static const int forwarded[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR2 };

/* ---- messages ---- */

int supervisor_send(int fd, enum supervisor_op op, int64_t value, const int *fds, size_t count)
{
	struct supervisor_message m = { .op = (uint32_t)op, .value = value };
	return rpc_send(fd, &m, sizeof m, fds, count, 0);
}

int supervisor_receive(int fd, struct supervisor_message *out, int fds[2])
{
	size_t count = 2;
	fds[0] = fds[1] = -1;
	long length = rpc_recv(fd, out, sizeof *out, fds, &count, MSG_DONTWAIT);
	if (length == -EAGAIN || length == -EINTR) {
		return -EAGAIN;
	}
	return length == (long)sizeof *out ? 0 : -EPIPE;
}

static void close_all(const int fds[2])
{
	for (size_t i = 0; i < 2; i++) {
		if (fds[i] >= 0) {
			(void)close(fds[i]);
		}
	}
}

/* ---- the parent ---- */

static void child_forget(struct child *child)
{
	if (child->channel >= 0) {
		(void)close(child->channel);
	}
	*child = (struct child){ .channel = -1 };
}

/* The successor's environment: ours, and where its ends are. NULL = no memory. */
static char **environment_make(char text[64])
{
	size_t count = 0;
	while (environ[count]) {
		count++;
	}
	char **list = calloc(count + 2, sizeof *list);
	if (!list) {
		return NULL;
	}
	(void)snprintf(text, 64, SUPERVISOR_ENV "=%d,%d,%ld", SUPERVISOR_FD, SUPERVISOR_HANDOVER_FD,
		       (long)getpid());
	memcpy(list, environ, count * sizeof *list);
	list[count] = text;
	return list;
}

/* Both ends come above the numbers they are to have, so that neither overwrites the other. */
static int program_spawn(struct supervisor *s, const int ends[2], pid_t *pid)
{
	char text[64];
	char **environment = environment_make(text);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	(void)sigemptyset(&none);
	if (!environment || posix_spawn_file_actions_init(&actions) != 0) {
		free(environment);
		return ENOMEM;
	}
	(void)posix_spawnattr_init(&attributes);
	int error = posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	error = error ? error : posix_spawn_file_actions_adddup2(&actions, ends[0], SUPERVISOR_FD);
	error = error ? error
		      : posix_spawn_file_actions_adddup2(&actions, ends[1], SUPERVISOR_HANDOVER_FD);
	error =
	    error ? error : posix_spawn(pid, s->path, &actions, &attributes, s->argv, environment);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	free(environment);
	return error;
}

static int successor_spawn(struct supervisor *s, int handover)
{
	int pair[2], ends[2] = { -1, -1 };
	if (s->successor.pid != 0) {
		return EBUSY;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		return errno;
	}
	ends[0] = fcntl(pair[1], F_DUPFD_CLOEXEC, SUPERVISOR_HANDOVER_FD + 1);
	ends[1] = fcntl(handover, F_DUPFD_CLOEXEC, SUPERVISOR_HANDOVER_FD + 1);
	(void)close(pair[1]);
	pid_t pid = 0;
	int error = ends[0] < 0 || ends[1] < 0 ? EMFILE : program_spawn(s, ends, &pid);
	close_all(ends);
	if (error != 0) {
		(void)close(pair[0]);
		return error;
	}
	s->successor = (struct child){ .pid = pid, .channel = pair[0] };
	return 0;
}

static void on_spawn(struct supervisor *s, int handover)
{
	int error = handover < 0 ? EINVAL : successor_spawn(s, handover);
	(void)supervisor_send(s->service.channel, error ? SUPERVISOR_REFUSED : SUPERVISOR_SPAWNED,
			      error ? error : s->successor.pid, NULL, 0);
}

static void on_commit(struct supervisor *s, int64_t signals)
{
	if (s->successor.pid == 0) {
		return;
	}
	child_forget(&s->service);
	s->service = s->successor;
	s->successor = (struct child){ .channel = -1 };
	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++) {
		if ((signals >> forwarded[i] & 1) != 0) {
			(void)kill(s->service.pid, forwarded[i]);
		}
	}
}

static void on_stdio(const int fds[2])
{
	if (fds[0] >= 0 && fds[1] >= 0) {
		(void)dup2(fds[0], STDIN_FILENO);
		(void)dup2(fds[0], STDOUT_FILENO);
		(void)dup2(fds[1], STDERR_FILENO);
	}
}

/* What the service says; a COMMIT makes it another one. */
static void service_listen(struct supervisor *s)
{
	struct supervisor_message m;
	int fds[2];
	while (s->service.channel >= 0 && supervisor_receive(s->service.channel, &m, fds) == 0) {
		switch (m.op) {
		case SUPERVISOR_SPAWN:
			on_spawn(s, fds[0]);
			break;
		case SUPERVISOR_COMMIT:
			on_commit(s, m.value);
			break;
		case SUPERVISOR_ABANDON:
			if (s->successor.pid != 0) {
				(void)kill(s->successor.pid, SIGKILL);
			}
			break;
		case SUPERVISOR_STDIO:
			on_stdio(fds);
			break;
		default:
			break;
		}
		close_all(fds);
	}
}

/* End as the service did, for whoever waits for us. */
__attribute__((noreturn)) static void end_as(struct supervisor *s, int status)
{
	if (s->successor.pid != 0) {
		(void)kill(s->successor.pid, SIGKILL);
	}
	if (WIFEXITED(status)) {
		exit(WEXITSTATUS(status));
	}
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, WTERMSIG(status));
	(void)signal(WTERMSIG(status), SIG_DFL);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)kill(getpid(), WTERMSIG(status));
	exit(128 + WTERMSIG(status)); /* process 1 of a container cannot kill itself */
}

static void children_reap(struct supervisor *s)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		service_listen(s); /* what it said before it ended comes first */
		if (pid == s->service.pid) {
			end_as(s, status);
		}
		if (pid == s->successor.pid) {
			child_forget(&s->successor);
			(void)supervisor_send(s->service.channel, SUPERVISOR_ENDED, status, NULL,
					      0);
		}
	}
}

static void on_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;
	while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		service_listen(s); /* it may just have become another */
		if (info.ssi_signo == SIGCHLD) {
			children_reap(s);
		} else {
			(void)kill(s->service.pid, (int)info.ssi_signo);
		}
	}
}

__attribute__((noreturn)) static void supervise(struct supervisor *s)
{
	(void)prctl(PR_SET_NAME, "zt-supervisor");
	for (;;) {
		/* A channel at its end is not watched: SIGCHLD tells the rest. */
		struct pollfd watched[] = {
			{ .fd = s->signal_fd, .events = POLLIN },
			{ .fd = s->service.channel, .events = POLLIN },
		};
		(void)poll(watched, 2, -1);
		if ((watched[1].revents & POLLIN) != 0) {
			service_listen(s);
		}
		if (s->service.channel == watched[1].fd && s->service.channel >= 0 &&
		    (watched[1].revents & (POLLHUP | POLLERR)) != 0) {
			(void)close(s->service.channel);
			s->service.channel = -1;
		}
		on_signals(s);
	}
}

static void signals_block(sigset_t *old)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++) {
		(void)sigaddset(&set, forwarded[i]);
	}
	(void)sigprocmask(SIG_BLOCK, &set, old);
}

static int signals_open(void)
{
	sigset_t set;
	(void)sigprocmask(SIG_SETMASK, NULL, &set);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The service does not outlive its supervisor. */
static void die_with(pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(1); /* it is gone already */
	}
}

int supervisor_start(char *const argv[], int close_fd)
{
	static struct supervisor s = { .service = { .channel = -1 },
				       .successor = { .channel = -1 } };
	int pair[2];
	ssize_t length = readlink("/proc/self/exe", s.path, sizeof s.path - 1);
	s.path[length > 0 ? length : 0] = '\0';
	s.argv = argv;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		return -errno;
	}
	sigset_t old;
	signals_block(&old);
	/* Whoever started us may have it ignored; then we would never hear that the service ended.
	 */
	(void)signal(SIGCHLD, SIG_DFL);
	s.signal_fd = signals_open();
	pid_t parent = getpid(), pid = s.signal_fd < 0 ? -1 : fork();
	if (pid < 0) {
		int error = -errno;
		(void)sigprocmask(SIG_SETMASK, &old, NULL);
		(void)close(pair[0]);
		(void)close(pair[1]);
		return error;
	}
	if (pid == 0) {
		(void)sigprocmask(SIG_SETMASK, &old, NULL);
		(void)close(s.signal_fd);
		(void)close(pair[0]);
		die_with(parent);
		return pair[1];
	}
	(void)close(pair[1]);
	if (close_fd >= 0) {
		(void)close(close_fd);
	}
	s.service = (struct child){ .pid = pid, .channel = pair[0] };
	supervise(&s);
}

/* ---- the successor ---- */

static bool is_channel(int fd)
{
	int type = 0;
	socklen_t length = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int supervisor_successor(struct successor *out)
{
	const char *text = getenv(SUPERVISOR_ENV);
	char expected[64];
	if (!text) {
		return -ENOENT;
	}
	(void)snprintf(expected, sizeof expected, "%d,%d,%ld", SUPERVISOR_FD,
		       SUPERVISOR_HANDOVER_FD, (long)getppid());
	bool is_right = strcmp(text, expected) == 0 && is_channel(SUPERVISOR_FD) &&
			is_channel(SUPERVISOR_HANDOVER_FD);
	(void)unsetenv(SUPERVISOR_ENV);
	if (!is_right) {
		return -EINVAL;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	*out = (struct successor){ SUPERVISOR_FD, SUPERVISOR_HANDOVER_FD };
	return 0;
}
