/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* zerotier-netcon-service: start order top to bottom, shutdown in reverse.
 *
 * Every start-up step either succeeds or prints one sentence that names what is wrong and the cure,
 * and the program ends with status 1. From loop_run on, nothing but a signal, a lost identity or
 * our own mistake ends it.
 */
#include "service/ctl.h"
#include "service/daemonize.h"
#include "service/handover.h"
#include "service/home.h"
#include "service/http.h"
#include "service/localconf.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/moons.h"
#include "service/net.h"
#include "service/node.h"
#include "service/options.h"
#include "service/portmap.h"
#include "service/reload.h"
#include "service/sandbox.h"
#include "service/service.h"
#include "service/supervisor.h"
#include "service/tcprelay.h"
#include "service/udp.h"
#include "service/vsock.h"
#include "service/worker.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
	FD_RESERVE = 256, /* decision S6 */
	DRAIN_S = 4,      /* shutdown takes at most 5 s */
	EXIT_USAGE = 2,
};

static const char VERSION[] = "netcon 2.0.0-dev (protocol 12, ZeroTier 1.14.1 compatible)";
static const char COMPATIBLE_VERSION[] = "1.14.1"; /* decision S22 */

static const char *program;
static int predecessor = -1; /* the channel to it, while we are on trial */

__attribute__((format(printf, 1, 2))) static int fatal(const char *format, ...)
{
	va_list arguments;
	char text[2048];
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "%s: fatal error: %s\n", program, text);
	if (predecessor >= 0) {
		inherited_fail(predecessor, text);
	}
	return -1;
}

/* ---- other personalities -------------------------------------------------------------------- */

/* Become the tool beside this program, in the library's folder, or in PATH. */
static int tool_exec(const char *tool, int argc, char *argv[], int skip)
{
	char path[PATH_MAX], name[32];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
	path[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(path, '/');
	(void)snprintf(name, sizeof name, "%s", tool);
	if (skip > 0) {
		for (int i = skip; i < argc; i++) { /* argv[argc] is NULL and moves along */
			argv[i] = argv[i + 1];
		}
	}
	argv[0] = name;
	if (slash) {
		(void)snprintf(slash + 1, 64, "%s", tool);
		(void)execv(path, argv);
	}
	(void)snprintf(path, sizeof path, "%s/%s", NETCON_LIBDIR, tool);
	(void)execv(path, argv);
	(void)execvp(tool, argv);
	(void)fprintf(stderr, "%s: cannot find %s beside this program or in PATH: %s\n", program,
		      tool, strerror(errno));
	return 1;
}

/* ---- start ---------------------------------------------------------------------------------- */

/* Decision S6: as many descriptors as we may have, some kept back for ourselves. */
static void limits_raise(struct service *service)
{
	struct rlimit limit = { 0 };
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	rlim_t soft = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
		limit.rlim_cur = soft;
	}
	unsigned count = limit.rlim_cur > INT_MAX ? INT_MAX : (unsigned)limit.rlim_cur;
	service->fd_reserve = FD_RESERVE;
	service->fd_capacity = count > FD_RESERVE ? count - FD_RESERVE : 0;
	/* A virtual socket costs one descriptor here; while it is handed over, two. */
	log_info("main", "room for descriptors of programs capacity=%u (see `ulimit -Hn`)",
		 service->fd_capacity);
}

/* SIGTERM and the like arrive as events; a closed pipe is an error code, no signal. */
static int signals_open(struct service *service)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGUSR2); /* restart */
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	service->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	service->signal_watch = (struct watch){ .fd = service->signal_fd, .kind = WATCH_SIGNAL };
	return service->signal_fd < 0 ? -errno
				      : loop_add(service->loop, &service->signal_watch, EPOLLIN);
}

static int loop_open(struct service *service)
{
	service->loop = loop_new(service);
	if (!service->loop) {
		return fatal("cannot create the event loop: %s", strerror(errno));
	}
	int error = signals_open(service);
	if (error == 0) {
		error = worker_new(service, &service->worker);
	}
	return error == 0 ? 0 : fatal("cannot start: %s", strerror(-error));
}

static int network_open(struct service *service)
{
	int error = udp_open(service, &service->udp);
	if (error != 0) {
		return fatal("cannot bind UDP port %u: %s. Choose another with -p, or stop the "
			     "program that has it.",
			     service->settings.primary_port, strerror(-error));
	}
	service->tcprelay = tcprelay_new(service);
	error = http_open(service, &service->http);
	if (error != 0) {
		return fatal("cannot bind to local control interface port %u: %s. Choose another "
			     "with -p, or stop the program that has it.",
			     service->settings.primary_port, strerror(-error));
	}
	return 0;
}

static int node_start(struct service *service, const struct identity *identity)
{
	char error[HOME_ERROR_BYTES], *planet = NULL;
	size_t length = 0;
	if (home_planet(service, &planet, &length, error) != 0) {
		return fatal("%s", error);
	}
	service->loopback_ok =
	    home_planet_is_loopback(planet, length) || moons_have_loopback(service);
	for (size_t i = 0; i < service->settings.bind_count; i++) {
		service->loopback_ok |=
		    endpoint_scope(&service->settings.bind[i]) == SCOPE_LOOPBACK;
	}
	int result = network_open(service);
	if (result == 0) {
		int failure = node_open(service, identity, planet, length);
		if (failure == 0) {
			failure = ctl_open(service, identity);
		}
		result = failure == 0 ? 0 : fatal("cannot start: %s", zt_err_text(failure));
	}
	free(planet);
	return result;
}

static int home_start(struct service *service, const struct options *options)
{
	char error[HOME_ERROR_BYTES] = "out of memory";
	settings_defaults(&service->base);
	service->base.primary_port = options->port;
	service->base.use_sandbox = options->use_sandbox;
	if (home_open(service, options->home, predecessor >= 0, error) != 0) {
		return fatal("%s", error);
	}
	service->settings = service->base;
	if (localconf_load(service->home, &service->settings, &service->local_conf, error) != 0 ||
	    home_token(service, error) != 0) {
		return fatal("%s", error);
	}
	log_level_set((enum log_level)service->settings.log_level);
	return 0;
}

/* Nobody needs it so much that the service should not start without. */
static void portmap_start(struct service *service)
{
	int error = portmap_open(service, &service->portmap);
	if (error != 0) {
		errno = -error;
		log_warn_errno("portmap", "no port of a gateway will be asked for");
	}
}

static void sandbox_start(struct service *service)
{
	if (!service->settings.use_sandbox) {
		log_warn("sandbox", "no filter of system calls, as asked by --no-sandbox");
	} else if (sandbox_is_possible()) {
		service->is_sandboxed = sandbox_enter();
	}
}

/* Everything that a predecessor holds, but for what was bound already. */
static int predecessor_take(struct service *service)
{
	char error[HANDOVER_TEXT_BYTES];
	inherited_peers(service);
	return inherited_networks(service, error) == 0 ? 0 : fatal("%s", error);
}

/* From here on it is us. */
static int predecessor_replace(struct service *service)
{
	if (inherited_ready(service) != 0) {
		return fatal("the predecessor goes on by itself");
	}
	predecessor = -1;
	return 0;
}

static int service_start(struct service *service, const struct options *options)
{
	struct identity identity;
	char error[HOME_ERROR_BYTES];
	if (home_start(service, options) != 0) {
		return -1;
	}
	if (home_identity(service, &identity, error) != 0) {
		return fatal("%s", error);
	}
	limits_raise(service);
	randombytes_buf(service->boot_id, sizeof service->boot_id);
	int result = loop_open(service);
	if (result == 0 && predecessor >= 0) {
		(void)vsock_kernel(); /* measured while the predecessor still serves */
		result = inherited_receive(service, predecessor, error);
		result = result == 0 ? 0 : fatal("%s", error);
	}
	if (result == 0) {
		result = node_start(service, &identity);
	}
	identity_wipe(&identity);
	if (result != 0) {
		return result;
	}
	if (predecessor < 0 && home_announce(service, error) != 0) {
		return fatal("%s", error);
	}
	portmap_start(service);
	reload_core(service);
	reload_watch(service);
	moons_load(service);
	net_join_listed(service);
	if (predecessor < 0) {
		node_restore_peers(service);
	} else if (predecessor_take(service) != 0) {
		return -1;
	}
	int failure = handover_new(service, &service->handover);
	if (failure != 0) {
		return fatal("cannot start: %s", strerror(-failure));
	}
	sandbox_start(service);
	if (predecessor >= 0 && predecessor_replace(service) != 0) {
		return -1;
	}
	log_info("main", "up address=%010llx port=%u home=%s", (unsigned long long)service->address,
		 service->settings.primary_port, service->home);
	return 0;
}

/* ---- stop ----------------------------------------------------------------------------------- */

static int late_status;

static void on_alarm(int number)
{
	(void)number;
	_exit(late_status);
}

/* Programs' connections are reset, what is queued for the network leaves, state is saved. A disk
 * that hangs does not keep us longer than DRAIN_S. */
static void service_stop(struct service *service)
{
	late_status = service->exit_code;
	notify_send(&service->notify, "STOPPING=1");
	(void)signal(SIGALRM, on_alarm);
	(void)alarm(DRAIN_S);
	http_close(service->http);
	metrics_save(service);
	net_close_all(service);
	if (service->worker) {
		worker_quiesce(service->worker);
	}
	ctl_close(service);
	if (service->udp) {
		udp_flush(service->udp);
	}
	node_close(service);
	tcprelay_free(service->tcprelay);
	handover_free(service->handover);
	portmap_close(service->portmap);
	udp_close(service->udp);
	worker_free(service->worker);
	reload_unwatch(service);
	if (service->signal_fd >= 0) {
		loop_remove(service->loop, &service->signal_watch);
		(void)close(service->signal_fd);
	}
	loop_free(service->loop);
	home_close(service);
	json_decref(service->local_conf);
	sodium_memzero(service->token, sizeof service->token);
	sodium_memzero(service->metrics_token, sizeof service->metrics_token);
}

/* The process that becomes the service: a child of the supervisor, one way or the other. Returns 0,
 * or -1 after saying why. */
static int process_start(struct service *service, const struct options *options, char *const argv[],
			 int *ready_fd)
{
	struct successor ends;
	if (supervisor_successor(&ends) == 0) {
		sandbox_close_inherited(SUPERVISOR_HANDOVER_FD + 1);
		service->supervisor_fd = ends.supervisor;
		predecessor = ends.handover;
		return 0;
	}
	sandbox_close_inherited(STDERR_FILENO + 1);
	if (options->is_daemon && (*ready_fd = daemonize_begin()) < 0) {
		return fatal("cannot go into the background: %s", strerror(errno));
	}
	service->supervisor_fd = supervisor_start(argv, *ready_fd);
	return service->supervisor_fd >= 0
		   ? 0
		   : fatal("cannot start a second process: %s", strerror(-service->supervisor_fd));
}

static int service_main(const struct options *options, char *const argv[])
{
	static struct service service = {
		.signal_fd = -1, .lock_fd = -1, .supervisor_fd = -1, .home_watch = { .fd = -1 }
	};
	int ready_fd = -1;
	notify_open(&service.notify);
	if (process_start(&service, options, argv, &ready_fd) != 0) {
		return 1;
	}
	if (sodium_init() < 0) {
		(void)fatal("libsodium does not work on this machine");
		return 1;
	}
	if (service_start(&service, options) != 0) {
		if (predecessor >= 0) {
			_exit(1); /* all that we hold is the predecessor's: no farewell */
		}
		service.exit_code = 1;
	} else {
		if (ready_fd >= 0) {
			char path[HOME_PATH_BYTES];
			daemonize_ready(ready_fd, home_path(&service, path, "netcon.log"),
					service.supervisor_fd);
		}
		notify_send(&service.notify, "READY=1");
		loop_run(service.loop);
	}
	service_stop(&service);
	return service.exit_code;
}

int main(int argc, char *argv[])
{
	struct options options;
	program = argc > 0 ? argv[0] : "zerotier-netcon-service";
	options_parse(argc, argv, getenv("ZEROTIER_HOME"), &options);
	switch (options.action) {
	case OPTIONS_RUN:
		return service_main(&options, argv);
	case OPTIONS_HELP:
		options_help(stdout, program);
		return 0;
	case OPTIONS_VERSION:
		(void)puts(COMPATIBLE_VERSION);
		return 0;
	case OPTIONS_FULL_VERSION:
		(void)puts(VERSION);
		return 0;
	case OPTIONS_IDTOOL:
		return tool_exec("zerotier-idtool", argc, argv, options.tool_index);
	case OPTIONS_CLI:
		return tool_exec("zerotier-cli", argc, argv, options.tool_index);
	case OPTIONS_BAD:
		break;
	}
	(void)fprintf(stderr, "%s: %s\n\n", program, options.error);
	options_help(stderr, program);
	return EXIT_USAGE;
}
