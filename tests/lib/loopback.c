/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/loopback.h"

#include "tests/lib/fakesvc.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 5000 };

struct sockaddr_in lo_addr(const char *ip, uint16_t port)
{
	struct sockaddr_in out = { .sin_family = AF_INET, .sin_port = htons(port) };
	if (inet_pton(AF_INET, ip, &out.sin_addr) != 1) {
		abort();
	}
	return out;
}

int lo_socket(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	if (fd < 0) {
		say("socket: %s", error_name(errno));
		exit(96);
	}
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in a = { .sin_port = 0 };
	socklen_t length = sizeof a;
	return getsockname(fd, (struct sockaddr *)&a, &length) == 0 ? ntohs(a.sin_port) : 0;
}

int lo_listener(uint16_t *port)
{
	struct sockaddr_in a = lo_addr("127.0.0.1", 0);
	int fd = lo_socket(0);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 64) != 0) {
		say("listener: %s", error_name(errno));
		exit(95);
	}
	*port = port_of(fd);
	return fd;
}

int lo_connect(int fd, uint16_t port)
{
	struct sockaddr_in a = lo_addr("127.0.0.1", port);
	return connect(fd, (struct sockaddr *)&a, sizeof a);
}

uint16_t lo_closed_port(void)
{
	uint16_t port;
	int fd = lo_listener(&port);
	(void)shutdown(fd, SHUT_RDWR);
	(void)close(fd);
	return port;
}

void lo_pair(int *client, int *server)
{
	uint16_t port;
	int fd = lo_listener(&port);
	*client = lo_socket(0);
	if (lo_connect(*client, port) != 0 || (*server = accept(fd, NULL, NULL)) < 0) {
		say("pair: %s", error_name(errno));
		exit(94);
	}
	(void)close(fd);
}

const char *error_name(int error)
{
	const char *name = strerrorname_np(error);
	return name ? name : "?";
}

void say_result(const char *what, long result)
{
	if (result < 0) {
		say("%s: %s", what, error_name(errno));
	} else {
		say("%s: %ld", what, result);
	}
}

void say_so_error(const char *what, int fd)
{
	int error = -1;
	socklen_t length = sizeof error;
	int result = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	say("%s: SO_ERROR %d %s length %u", what, result, error ? error_name(error) : "0", length);
}

static void say_events(const char *what, int events)
{
	say("%s:%s%s%s%s%s%s", what, events & POLLIN ? " IN" : "", events & POLLOUT ? " OUT" : "",
	    events & POLLERR ? " ERR" : "", events & POLLHUP ? " HUP" : "",
	    events & POLLRDHUP ? " RDHUP" : "", events & POLLPRI ? " PRI" : "");
}

void say_mask(const char *what, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI };
	(void)poll(&p, 1, 0);
	say_events(what, p.revents);
}

long clock_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void say_mask_after(const char *what, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	/* A hang-up ends poll() a moment before the kernel has freed what makes room. */
	for (long end = clock_ms() + WAIT_MS; (p.revents & events) != events && clock_ms() < end;) {
		(void)poll(&p, 1, WAIT_MS);
	}
	say_mask(what, fd);
}

void say_select(const char *what, int fd)
{
	fd_set r, w, x;
	struct timeval zero = { 0, 0 };
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	FD_SET(fd, &r);
	FD_SET(fd, &w);
	FD_SET(fd, &x);
	int n = select(fd + 1, &r, &w, &x, &zero);
	say("%s: select %d r%d w%d x%d", what, n, FD_ISSET(fd, &r) != 0, FD_ISSET(fd, &w) != 0,
	    FD_ISSET(fd, &x) != 0);
}

/* ---- the test program's side ----------------------------------------------------------------- */

static struct fakesvc service;

struct fakesvc *lo_service(void)
{
	return &service;
}

int lo_service_start(void **state)
{
	(void)state;
	return fakesvc_start(&service);
}

int lo_service_stop(void **state)
{
	(void)state;
	fakesvc_stop(&service);
	return 0;
}

static void run(const char *name, const struct preload_options *options, struct preload_result *out)
{
	assert_int_equal(preload_run(name, options, out), 0);
	if (!WIFEXITED(out->status) || WEXITSTATUS(out->status) != 0) {
		fail_msg("case %s (%s) ended with status %#x:\n%s", name,
			 options->network ? "intercepted" : "native", (unsigned)out->status,
			 out->out);
	}
}

const char *lo_intercepted(const char *case_name)
{
	static struct preload_result out;
	struct preload_options options = { .network = service.link, .command = service.command };
	run(case_name, &options, &out);
	return out.out;
}

void lo_compare(const char *case_name)
{
	static struct preload_result native;
	struct preload_options options = { .network = NULL };
	run(case_name, &options, &native);
	const char *intercepted = lo_intercepted(case_name);
	if (strcmp(native.out, intercepted) != 0) {
		fail_msg("case %s differs\n--- native\n%s--- intercepted\n%s", case_name,
			 native.out, intercepted);
	}
}

static void compare(void **state)
{
	lo_compare(*state);
}

int lo_main(int argc, char **argv, const struct preload_case *cases, size_t count)
{
	enum { MAX_CASES = 64 };
	struct CMUnitTest tests[MAX_CASES];
	preload_main(argc, argv, cases, count);
	if (count > MAX_CASES) {
		abort();
	}
	for (size_t i = 0; i < count; i++) {
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = compare,
						.initial_state = (void *)(size_t)cases[i].name };
	}
	return _cmocka_run_group_tests("native against intercepted", tests, count, lo_service_start,
				       lo_service_stop);
}
