/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: three children at most, one after the other: the service; `zerotier-cli wait`,
 * once the service has written its pid file (inotify says so); the program, once that was
 * successful. Signals arrive on a descriptor and are passed on to the program; what the terminal
 * sends reaches its group by itself. When the program ends, the service is told to, so that what
 * the program closed is still sent to its peers. Children of others that end up here (we are
 * process 1) are reaped. Nothing polls and nothing sleeps.
 */
#include "container/container.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef NETCON_LIBDIR
#define NETCON_LIBDIR "/usr/local/lib/netcon" /* the Makefile's LIBDIR */
#endif

enum {
	STOP_MS = 4900, /* the service needs at most 4 s; an engine kills after 10 */
	STATUS_SIGNAL = 128,
};

extern char **environ;

struct watch_over {
	struct setup *setup;
	char *const *program;
	int signal_fd, inotify_fd;
	pid_t service, waiter, main; /* 0 = not running */
	bool is_stopping;
	int64_t deadline_ms; /* while stopping */
	int status;          /* to exit with */
};

static int64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Start a child with no signal blocked; in a process group of its own if the terminal's signals are
 * not for it. The pid, or 0 after saying why not. */
static pid_t start(char *const *argv, bool is_own_group)
{
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t pid = 0;
	(void)sigemptyset(&none);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setflags(
	    &attributes,
	    (short)(POSIX_SPAWN_SETSIGMASK | (is_own_group ? POSIX_SPAWN_SETPGROUP : 0)));
	int error = posix_spawnp(&pid, argv[0], NULL, &attributes, argv, environ);
	(void)posix_spawnattr_destroy(&attributes);
	if (error != 0) {
		say("cannot start %s: %s", argv[0], strerror(error));
		return 0;
	}
	return pid;
}

/* ---- the three children --------------------------------------------------------------------- */

static void stop(struct watch_over *w)
{
	if (!w->is_stopping) {
		w->is_stopping = true;
		w->deadline_ms = now_ms() + STOP_MS;
	}
	if (w->waiter > 0) {
		(void)kill(w->waiter, SIGTERM);
	}
	if (w->main > 0) {
		(void)kill(w->main, SIGTERM);
	} else if (w->service > 0) {
		(void)kill(w->service, SIGTERM);
	}
}

static void waiter_start(struct watch_over *w)
{
	char home[INIT_PATH_BYTES], *nwid = w->setup->networks[0];
	char cli[] = "zerotier-cli", verb[] = "wait", option[] = "--timeout", usual[] = "60";
	char *seconds = w->setup->values[VAR_WAIT];
	(void)snprintf(home, sizeof home, "-D%s", w->setup->home);
	char *argv[] = { cli, home, verb, nwid, option, seconds ? seconds : usual, NULL };
	w->waiter = start(argv, true);
	if (w->waiter == 0) {
		w->status = INIT_EXIT_FAILED;
		stop(w);
	}
}

/* The library before what is preloaded already, the network's directory (decision S3). */
static void program_environment(const struct setup *setup)
{
	static const char library[] = NETCON_LIBDIR "/libzerotierintercept.so";
	char text[INIT_PATH_BYTES * 2];
	const char *present = getenv("LD_PRELOAD");
	bool is_there = present && strstr(present, "libzerotierintercept.so");
	if (!is_there) {
		(void)snprintf(text, sizeof text, "%s%s%s", library, present ? ":" : "",
			       present ? present : "");
		(void)setenv("LD_PRELOAD", text, 1);
	}
	if (!getenv("ZT_NC_NETWORK")) {
		(void)snprintf(text, sizeof text, "%s/nc/%s", setup->home, setup->networks[0]);
		(void)setenv("ZT_NC_NETWORK", text, 1);
	}
}

static void program_start(struct watch_over *w)
{
	program_environment(w->setup);
	w->main = start(w->program, false);
	if (w->main == 0) {
		w->status = 127;
		stop(w);
	}
}

static int status_of(int how)
{
	return WIFSIGNALED(how) ? STATUS_SIGNAL + WTERMSIG(how) : WEXITSTATUS(how);
}

static void child_ended(struct watch_over *w, pid_t pid, int how)
{
	if (pid == w->waiter) {
		w->waiter = 0;
		if (w->is_stopping) {
			return;
		}
		if (status_of(how) == 0) {
			program_start(w);
		} else {
			w->status = INIT_EXIT_FAILED;
			stop(w);
		}
	} else if (pid == w->main) {
		w->main = 0;
		w->status = status_of(how);
		stop(w);
	} else if (pid == w->service) {
		w->service = 0;
		if (!w->is_stopping) {
			say("the service ended with status %d, and the program with it",
			    status_of(how));
			w->status = INIT_EXIT_FAILED;
			stop(w);
		}
	}
}

static void reap(struct watch_over *w)
{
	int how = 0;
	for (pid_t pid; (pid = waitpid(-1, &how, WNOHANG)) > 0;) {
		int status = w->status;
		bool service_failed = w->service == 0;
		child_ended(w, pid, how);
		if (service_failed) {
			w->status = status; /* not that of the program that we ended ourselves */
		}
	}
}

/* ---- events --------------------------------------------------------------------------------- */

static void on_signal(struct watch_over *w)
{
	struct signalfd_siginfo info;
	while (read(w->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		int number = (int)info.ssi_signo;
		if (number == SIGCHLD) {
			reap(w);
		} else if (w->main > 0 && info.ssi_code != SI_KERNEL) {
			(void)kill(w->main, number);
		} else if (w->main == 0 &&
			   (number == SIGTERM || number == SIGINT || number == SIGQUIT)) {
			w->status = w->is_stopping ? w->status : STATUS_SIGNAL + number;
			stop(w);
		}
	}
}

/* Has the service written its pid file? That is its last step before it is up. */
static void on_home(struct watch_over *w)
{
	_Alignas(struct inotify_event) char buffer[4096];
	ssize_t length = read(w->inotify_fd, buffer, sizeof buffer);
	bool is_up = false;
	for (ssize_t at = 0; at < length;) {
		const struct inotify_event *event = (const void *)(buffer + at);
		is_up |= event->len > 0 && strcmp(event->name, "zerotier-one.pid") == 0;
		at += (ssize_t)(sizeof *event + event->len);
	}
	if (is_up) {
		(void)close(w->inotify_fd);
		w->inotify_fd = -1;
		if (!w->is_stopping) {
			waiter_start(w);
		}
	}
}

static void turn(struct watch_over *w)
{
	struct pollfd fds[] = { { .fd = w->signal_fd, .events = POLLIN },
				{ .fd = w->inotify_fd, .events = POLLIN } };
	int64_t left = w->is_stopping && w->main == 0 ? w->deadline_ms - now_ms() : -1;
	if (left < 0 && w->is_stopping && w->main == 0) {
		say("the service did not end in time");
		(void)kill(w->service, SIGKILL);
		left = STOP_MS;
	}
	if (poll(fds, 2, (int)left) <= 0) {
		return;
	}
	if (fds[0].revents != 0) {
		on_signal(w);
	}
	if (w->inotify_fd >= 0 && fds[1].revents != 0) {
		on_home(w);
	}
}

static int watch_open(struct watch_over *w)
{
	sigset_t set;
	(void)sigfillset(&set);
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTTIN, SIGTTOU };
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		(void)sigdelset(&set, own[i]);
	}
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->signal_fd < 0 || w->inotify_fd < 0 ||
	    inotify_add_watch(w->inotify_fd, w->setup->home, IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
		return failed("cannot watch %s: %s", w->setup->home, strerror(errno));
	}
	return 0;
}

int supervise(struct setup *setup, char *const *program)
{
	struct watch_over w = {
		.setup = setup, .program = program, .signal_fd = -1, .inotify_fd = -1
	};
	char name[] = "zerotier-netcon-service";
	char *argv[] = { name, setup->home, NULL };
	if (watch_open(&w) != 0 || (w.service = start(argv, true)) == 0) {
		return INIT_EXIT_FAILED;
	}
	while (w.service > 0 || w.main > 0) {
		turn(&w);
	}
	return w.status;
}
