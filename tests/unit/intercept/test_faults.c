/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A service that dies, lies or hangs up: the program gets an errno, at once, and loses no
 * descriptor (spec/intercept.md 4, 6.3, 7.1). Intercepted only. */
#include "tests/lib/loopback.h"

#include "rpc/rpc.h"
#include "tests/lib/fakesvc.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *command(void)
{
	return getenv("FAKESVC");
}

static int descriptors(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (dir && readdir(dir)) {
		count++;
	}
	if (dir) {
		(void)closedir(dir);
	}
	return count;
}

static void fault(int kind, int op)
{
	char line[64];
	(void)snprintf(line, sizeof line, "fault %d %d", kind, op);
	fakesvc_command(command(), line);
}

static void say_short(const char *what, long result)
{
	say("%s: %s", what, result < 0 ? error_name(errno) : "ok");
}

/* Each lie in turn, told about each kind of request. */
static void case_lies(void)
{
	static const struct {
		int kind;
		const char *text;
	} lies[] = {
		{ FAKE_NO_REPLY, "no reply" },
		{ FAKE_TRUNCATED, "truncated" },
		{ FAKE_EMPTY, "empty" },
		{ FAKE_NO_FD, "no descriptor" },
		{ FAKE_TWO_FDS, "two" },
		{ FAKE_WRONG_FD, "wrong descriptor" },
		{ FAKE_HUGE_ERROR, "error 100000" },
	};
	struct sockaddr_in a = lo_addr("127.0.0.1", 0);
	socklen_t length = sizeof a;
	int fd = lo_socket(0), before = descriptors();
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		int value = 1;
		fault(lies[i].kind, RPC_SOCKET);
		int other = socket(AF_INET, SOCK_STREAM, 0);
		say("%s: socket %s", lies[i].text, other < 0 ? error_name(errno) : "ok");
		(void)close(other);
		if (lies[i].kind >= FAKE_NO_FD && lies[i].kind <= FAKE_WRONG_FD) {
			continue;
		}
		fault(lies[i].kind, RPC_NAME);
		say_short("getsockname", getsockname(fd, (struct sockaddr *)&a, &length));
		fault(lies[i].kind, RPC_CONNECT);
		say_short("connect", lo_connect(fd, 1));
		fault(lies[i].kind, RPC_GETOPT);
		length = sizeof value;
		say_short("getsockopt", getsockopt(fd, IPPROTO_TCP, 4, &value, &length));
		length = sizeof a;
	}
	say("descriptors kept: %d", descriptors() - before);
}

/* The service dies at a message; then everything about old sockets fails and nothing hangs. */
static void die_at(int kind, int op)
{
	long start = clock_ms();
	struct sockaddr_in a = lo_addr("127.0.0.1", 0);
	socklen_t length = sizeof a;
	uint16_t port;
	int c, s, value = 1, listener = lo_listener(&port), fd = lo_socket(0);
	lo_pair(&c, &s);
	int nonblocking = lo_socket(SOCK_NONBLOCK);
	fault(kind, op);
	say_short("socket", socket(AF_INET, SOCK_STREAM, 0));
	say_short("bind", bind(fd, (struct sockaddr *)&a, sizeof a));
	say_short("listen", listen(fd, 1));
	say_short("getsockname", getsockname(fd, (struct sockaddr *)&a, &length));
	say_short("getsockopt", getsockopt(fd, IPPROTO_TCP, 4, &value, &length));
	say_short("setsockopt", setsockopt(fd, IPPROTO_TCP, 4, &value, sizeof value));
	say_short("connect", lo_connect(fd, port));
	say_short("connect non-blocking", lo_connect(nonblocking, port));
	say_short("accept", accept(listener, NULL, NULL));
	say_short("accept again", accept(listener, NULL, NULL));
	/* The two ends of a short cut need nobody. */
	length = sizeof a;
	say_short("getpeername", getpeername(c, (struct sockaddr *)&a, &length));
	say_short("send", send(c, "x", 1, 0));
	say_short("recv", recv(s, &value, 1, 0));
	say("quick: %d", clock_ms() - start < 2000);
}

static void case_die_before_socket(void)
{
	die_at(FAKE_DIE_BEFORE, RPC_SOCKET);
}

static void case_die_after_socket(void)
{
	die_at(FAKE_DIE_AFTER, RPC_SOCKET);
}

static void case_die_before_bind(void)
{
	die_at(FAKE_DIE_BEFORE, RPC_BIND);
}

static void case_die_before_connect(void)
{
	die_at(FAKE_DIE_BEFORE, RPC_CONNECT);
}

static void case_die_before_listen(void)
{
	die_at(FAKE_DIE_BEFORE, RPC_LISTEN);
}

static void case_die_at_hello(void)
{
	long start = clock_ms();
	fault(FAKE_DIE_BEFORE, RPC_HELLO);
	say_short("socket", socket(AF_INET, SOCK_STREAM, 0));
	say_short("socket", socket(AF_INET, SOCK_STREAM, 0));
	say("quick: %d", clock_ms() - start < 2000);
}

/* It says so before it reads what we say, or before we have said anything. */
static void case_refused_at_hello(void)
{
	fault(FAKE_REFUSE, RPC_HELLO);
	say_short("unread", socket(AF_INET, SOCK_STREAM, 0));
	fault(FAKE_REFUSE_NOW, RPC_HELLO);
	int others = 0;
	for (int i = 0; i < 200; i++) {
		others += socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EACCES;
	}
	say("at once: %d others than EACCES", others);
	fault(FAKE_NO_FAULT, RPC_HELLO);
	say_short("then", socket(AF_INET, SOCK_STREAM, 0));
}

static void waiting_connect(void)
{
	int fd = lo_socket(0);
	say_short("connect", lo_connect(fd, 9));
	say_mask("then", fd);
	say_short("peer", getpeername(fd, NULL, NULL) == 0 || errno == EFAULT ? 0 : -1);
}

static void case_waiting(void)
{
	/* A blocking connect() to a place that answers when it is told to. */
	fakesvc_command(command(), "next 0");
	waiting_connect();
	fakesvc_command(command(), "next 113");
	waiting_connect();
	struct timeval tv = { .tv_usec = 20000 };
	int fd = lo_socket(0);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	say_short("SO_SNDTIMEO", lo_connect(fd, 9));
	say_mask("connecting", fd);
	say_short("again", lo_connect(fd, 9));
	say_short("early send", send(fd, "x", 1, MSG_DONTWAIT));
	fakesvc_command(command(), "decide 110");
	say_mask_after("decided", fd, POLLOUT);
	say_so_error("decided", fd);
}

static int alarms;

static void on_alarm(int number)
{
	(void)number;
	if (++alarms == 20) {
		fakesvc_command(command(), "decide 0");
	}
}

static void storm(int flags)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval timer = { { .tv_usec = 2000 }, { .tv_usec = 2000 } };
	int fd = lo_socket(0);
	alarms = 0;
	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	say_short("connect", lo_connect(fd, 9));
	if (!(flags & SA_RESTART)) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		while (poll(&p, 1, 5000) < 0 && errno == EINTR) {
		}
		say_short("connect", lo_connect(fd, 9));
	}
	memset(&timer, 0, sizeof timer);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	say_mask("connected", fd);
	say_so_error("connected", fd);
}

static void case_storm(void)
{
	storm(SA_RESTART);
	storm(0);
}

static void *connect_thread(void *fd)
{
	(void)lo_connect(*(int *)fd, 9);
	return NULL;
}

static void case_cancel(void)
{
	pthread_t thread;
	int fd = lo_socket(0), before = descriptors();
	void *how = NULL;
	(void)pthread_create(&thread, NULL, connect_thread, &fd);
	(void)usleep(30000);
	(void)pthread_cancel(thread);
	(void)pthread_join(thread, &how);
	say("cancelled %d, descriptors kept %d", how == PTHREAD_CANCELED, descriptors() - before);
}

static void case_unreachable(void)
{
	struct sockaddr_in a = lo_addr("10.9.9.9", 80);
	for (int i = 0; i < 2; i++) {
		int fd = lo_socket(i ? SOCK_NONBLOCK : 0);
		say_short("connect", connect(fd, (struct sockaddr *)&a, sizeof a));
		say_mask("as before", fd);
		say_so_error("as before", fd);
	}
}

/* Programs close descriptors they do not know, and reuse numbers. */
static void case_control_connection(void)
{
	(void)lo_socket(0);
	int before = descriptors();
	for (int fd = 3; fd < 1024; fd++) {
		int type = 0;
		socklen_t length = sizeof type;
		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
		    type == SOCK_SEQPACKET) {
			say("control connection above 100: %d, close-on-exec %d", fd > 100,
			    fcntl(fd, F_GETFD));
		}
		(void)close(fd);
	}
	say("socket: %d", lo_socket(0));
	(void)close_range(3, ~0U, 0);
	/* files and sockets at every number */
	int null = open("/dev/null", O_RDWR), pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
		return;
	}
	for (int fd = 10; fd < 1000; fd++) {
		(void)dup2(fd % 2 ? null : pair[0], fd);
	}
	int fd = lo_socket(0);
	say("socket: %d", fd);
	say_short("connect", lo_connect(fd, 1));
	char byte;
	say_short("nothing was written into theirs", recv(pair[1], &byte, 1, MSG_DONTWAIT));
	closefrom(3);
	say("socket: %d", lo_socket(0));
	say("no more descriptors than before: %d", descriptors() <= before);
}

static void case_restart(void)
{
	uint16_t port;
	int fd = lo_socket(0), listener = lo_listener(&port);
	fakesvc_command(command(), "restart");
	struct pollfd p = { .fd = listener, .events = 0 };
	(void)poll(&p, 1, 5000); /* until the old service's end is gone */
	say_short("a new socket", socket(AF_INET, SOCK_STREAM, 0));
	say_short("connect on an old one", lo_connect(fd, 1));
	say_short("accept on an old one", accept(listener, NULL, NULL));
	p.events = POLLIN;
	say("a server that polls is left in peace: %d", poll(&p, 1, 0) == 0);
	say_short("and again", accept(listener, NULL, NULL));
	say_short("getsockname", getsockname(listener, NULL, NULL));
	int c, s;
	lo_pair(&c, &s);
	say_short("a new connection", send(c, "x", 1, 0));
}

static void case_limits(void)
{
	/* With n descriptors left, socket() works or says EMFILE, and nothing is left behind. */
	struct rlimit limit = { .rlim_cur = 20, .rlim_max = 20 };
	(void)close(lo_socket(0));
	int before = descriptors(), fds[32], count = 0;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	while (count < 32 && (fds[count] = socket(AF_INET, SOCK_STREAM, 0)) >= 0) {
		count++;
	}
	say("then %s, more than ten: %d", error_name(errno), count > 10);
	while (count > 0) {
		(void)close(fds[--count]);
	}
	say("descriptors kept: %d", descriptors() - before);
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, case_##name                                                                 \
	}
static const struct preload_case cases[] = {
	CASE(lies),
	CASE(die_before_socket),
	CASE(die_after_socket),
	CASE(die_before_bind),
	CASE(die_before_connect),
	CASE(die_before_listen),
	CASE(die_at_hello),
	CASE(refused_at_hello),
	CASE(waiting),
	CASE(storm),
	CASE(cancel),
	CASE(unreachable),
	CASE(control_connection),
	CASE(restart),
	CASE(limits),
};

/* ---- what each must print ---------------------------------------------------------------------
 */

static const char *const expected[] = {
	/* lies */
	"no reply: socket ENETDOWN\n"
	"getsockname: ENETDOWN\n"
	"connect: ENETDOWN\n"
	"getsockopt: ENETDOWN\n"
	"truncated: socket ENETDOWN\n"
	"getsockname: ENETDOWN\n"
	"connect: ENETDOWN\n"
	"getsockopt: ENETDOWN\n"
	"empty: socket ENETDOWN\n"
	"getsockname: ENETDOWN\n"
	"connect: ENETDOWN\n"
	"getsockopt: ENETDOWN\n"
	"no descriptor: socket EPROTO\n"
	"two: socket ok\n"
	"wrong descriptor: socket EPROTO\n"
	"error 100000: socket EPROTO\n"
	"getsockname: EPROTO\n"
	"connect: EPROTO\n"
	"getsockopt: EPROTO\n"
	"descriptors kept: 0\n",
	/* die_before_socket */
	"socket: ENETDOWN\n"
	"bind: ENETDOWN\n"
	"listen: ENETDOWN\n"
	"getsockname: ENETDOWN\n"
	"getsockopt: ENETDOWN\n"
	"setsockopt: ENETDOWN\n"
	"connect: ENETDOWN\n"
	"connect non-blocking: ENETDOWN\n"
	"accept: EINVAL\n"
	"accept again: EINVAL\n"
	"getpeername: ok\n"
	"send: ok\n"
	"recv: ok\n"
	"quick: 1\n",
	/* die_after_socket */
	"socket: ok\n"
	"bind: ENETDOWN\n"
	"listen: ENETDOWN\n"
	"getsockname: ENETDOWN\n"
	"getsockopt: ENETDOWN\n"
	"setsockopt: ENETDOWN\n"
	"connect: ENETDOWN\n"
	"connect non-blocking: ENETDOWN\n"
	"accept: EINVAL\n"
	"accept again: EINVAL\n"
	"getpeername: ok\n"
	"send: ok\n"
	"recv: ok\n"
	"quick: 1\n",
	/* die_before_bind */
	"socket: ok\n"
	"bind: ENETDOWN\n"
	"listen: ENETDOWN\n"
	"getsockname: ENETDOWN\n"
	"getsockopt: ENETDOWN\n"
	"setsockopt: ENETDOWN\n"
	"connect: ENETDOWN\n"
	"connect non-blocking: ENETDOWN\n"
	"accept: EINVAL\n"
	"accept again: EINVAL\n"
	"getpeername: ok\n"
	"send: ok\n"
	"recv: ok\n"
	"quick: 1\n",
	/* die_before_connect */
	"socket: ok\n"
	"bind: ok\n"
	"listen: ok\n"
	"getsockname: ok\n"
	"getsockopt: ok\n"
	"setsockopt: EINVAL\n"
	"connect: EISCONN\n"
	"connect non-blocking: ENETDOWN\n"
	"accept: EINVAL\n"
	"accept again: EINVAL\n"
	"getpeername: ok\n"
	"send: ok\n"
	"recv: ok\n"
	"quick: 1\n",
	/* die_before_listen */
	"socket: ok\n"
	"bind: ok\n"
	"listen: ENETDOWN\n"
	"getsockname: ENETDOWN\n"
	"getsockopt: ENETDOWN\n"
	"setsockopt: ENETDOWN\n"
	"connect: ENETDOWN\n"
	"connect non-blocking: ENETDOWN\n"
	"accept: EINVAL\n"
	"accept again: EINVAL\n"
	"getpeername: ok\n"
	"send: ok\n"
	"recv: ok\n"
	"quick: 1\n",
	/* die_at_hello */
	"socket: ENETDOWN\n"
	"socket: ENETDOWN\n"
	"quick: 1\n",
	/* refused_at_hello */
	"unread: EACCES\n"
	"at once: 0 others than EACCES\n"
	"then: ok\n",
	/* waiting */
	"connect: ok\n"
	"then: OUT\n"
	"peer: ok\n"
	"connect: EHOSTUNREACH\n"
	"then: OUT\n"
	"peer: ENOTCONN\n"
	"SO_SNDTIMEO: EINPROGRESS\n"
	"connecting:\n"
	"again: EALREADY\n"
	"early send: EAGAIN\n"
	"decided: IN OUT ERR HUP RDHUP\n"
	"decided: SO_ERROR 0 ETIMEDOUT length 4\n",
	/* storm */
	"connect: ok\n"
	"connected: OUT\n"
	"connected: SO_ERROR 0 0 length 4\n"
	"connect: EINTR\n"
	"connect: ok\n"
	"connected: OUT\n"
	"connected: SO_ERROR 0 0 length 4\n",
	/* cancel */
	"cancelled 1, descriptors kept 0\n",
	/* unreachable */
	"connect: ENETUNREACH\n"
	"as before: OUT\n"
	"as before: SO_ERROR 0 0 length 4\n"
	"connect: ENETUNREACH\n"
	"as before: OUT\n"
	"as before: SO_ERROR 0 0 length 4\n",
	/* control_connection */
	"control connection above 100: 1, close-on-exec 1\n"
	"socket: 3\n"
	"socket: 6\n"
	"connect: ECONNREFUSED\n"
	"nothing was written into theirs: EAGAIN\n"
	"socket: 3\n"
	"no more descriptors than before: 1\n",
	/* restart */
	"a new socket: ok\n"
	"connect on an old one: ENETDOWN\n"
	"accept on an old one: EINVAL\n"
	"a server that polls is left in peace: 1\n"
	"and again: EINVAL\n"
	"getsockname: ENETDOWN\n"
	"a new connection: ok\n",
	/* limits */
	"then EMFILE, more than ten: 1\n"
	"descriptors kept: 0\n",
};

static void run_one(void **state)
{
	size_t i = *(const size_t *)*state;
	assert_int_equal(fakesvc_restart(lo_service()), 0);
	assert_string_equal(lo_intercepted(cases[i].name), expected[i]);
}

int main(int argc, char **argv)
{
	enum { COUNT = sizeof cases / sizeof *cases };
	static_assert(COUNT == sizeof expected / sizeof *expected, "one text per case");
	static size_t indexes[COUNT];
	struct CMUnitTest tests[COUNT];
	preload_main(argc, argv, cases, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		indexes[i] = i;
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = run_one,
						.initial_state = &indexes[i] };
	}
	return cmocka_run_group_tests_name("faults", tests, lo_service_start, lo_service_stop);
}
