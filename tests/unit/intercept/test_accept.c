/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* accept() and accept4(): what arrives, what is inherited, what is refused, what is lost
 * (spec/intercept.md 3.2): natively and intercepted. */
#include "tests/lib/loopback.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static int listener;
static uint16_t port;

static int connector(void)
{
	int fd = lo_socket(0);
	if (lo_connect(fd, port) != 0) {
		say("connect: %s", error_name(errno));
	}
	return fd;
}

static void case_addresses(void)
{
	static void *const bad_pointer = (void *)-1;
	struct sockaddr_storage a;
	listener = lo_listener(&port);
	socklen_t lengths[] = { sizeof a, 16, 4, 0, (socklen_t)-5 };
	for (size_t i = 0; i < 5; i++) {
		(void)connector();
		memset(&a, 0x55, sizeof a);
		int fd = accept(listener, (struct sockaddr *)&a, &lengths[i]);
		say("accept: %s, length %u, bytes 3 and 16 %02x %02x",
		    fd < 0 ? error_name(errno) : "ok", lengths[i],
		    ((uint8_t *)&a)[3] == 0x55 ? 0x55 : 0, ((uint8_t *)&a)[16]);
	}
	socklen_t length = sizeof a;
	int c = connector();
	char byte;
	say_result("EFAULT", accept(listener, bad_pointer, &length));
	say("that connection is over: %d", recv(c, &byte, 1, 0) <= 0);
	(void)connector();
	say_result("EFAULT", accept(listener, (struct sockaddr *)&a, LO_BAD_LENGTH));
	(void)connector();
	say_result("NULL length", accept(listener, (struct sockaddr *)&a, NULL));
	(void)connector();
	say("NULL, NULL: %s", accept(listener, NULL, NULL) < 0 ? error_name(errno) : "ok");
}

static void say_flags(const char *what, int fd)
{
	say("%s: nonblock %d cloexec %d", what, (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0,
	    (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void case_flags(void)
{
	listener = lo_listener(&port);
	(void)connector();
	say_flags("accept4 none", accept4(listener, NULL, NULL, 0));
	(void)connector();
	say_flags("accept4 both", accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	say_flags("listener untouched", listener);
	(void)fcntl(listener, F_SETFL, O_NONBLOCK);
	(void)connector();
	say_flags("nothing inherited", accept(listener, NULL, NULL));
	(void)connector();
	say_flags("through syscall()",
		  (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC));
	say_result("nothing pending", accept(listener, NULL, NULL));
	say_result("nothing pending", accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	say_result("bad flag", accept4(listener, NULL, NULL, 0x10));
}

static void case_timeout(void)
{
	struct timeval tv = { .tv_usec = 20000 };
	listener = lo_listener(&port);
	say_result("set", setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
	say_result("accept", accept(listener, NULL, NULL));
}

/* A full table: EMFILE first of all, and the connection is not lost. */
static void case_emfile(void)
{
	struct rlimit limit = { .rlim_cur = 40, .rlim_max = 40 };
	listener = lo_listener(&port);
	int c = connector(), last = -1, fd;
	(void)send(c, "still there", 11, 0);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	while ((fd = dup(1)) >= 0) {
		last = fd;
	}
	say_result("accept", accept(listener, NULL, NULL));
	say_result("socket", socket(AF_INET, SOCK_STREAM, 0));
	struct pollfd p = { .fd = listener, .events = POLLIN };
	say_result("still pending", poll(&p, 1, 0));
	(void)close(last);
	int s = accept(listener, NULL, NULL);
	say("accept gets the free number: %d", s == last);
	char text[16];
	say_result("recv", recv(s, text, sizeof text, 0));
	(void)fcntl(listener, F_SETFL, O_NONBLOCK);
	say_result("EMFILE before EAGAIN", accept(listener, NULL, NULL));
}

static int alarms;

static void on_alarm(int number)
{
	(void)number;
	if (++alarms == 3) {
		struct sigaction action = { .sa_handler = on_alarm };
		(void)sigaction(SIGALRM, &action, NULL); /* from now on without SA_RESTART */
	}
}

static void case_signals(void)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval timer = { { .tv_usec = 10000 }, { .tv_usec = 10000 } };
	(void)sigaction(SIGALRM, &action, NULL);
	listener = lo_listener(&port);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	say_result("accept", accept(listener, NULL, NULL));
	say("restarted: %d", alarms >= 4);
	memset(&timer, 0, sizeof timer);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void *accept_thread(void *result)
{
	*(int *)result = accept(listener, NULL, NULL);
	return NULL;
}

static void case_cancel(void)
{
	pthread_t thread;
	int fd = -1;
	void *how = NULL;
	listener = lo_listener(&port);
	(void)pthread_create(&thread, NULL, accept_thread, &fd);
	(void)usleep(20000); /* most likely inside; cancelled before, it is the same */
	(void)pthread_cancel(thread);
	(void)pthread_join(thread, &how);
	say("cancelled: %d", how == PTHREAD_CANCELED);
	(void)connector();
	say("the next accept works: %d", accept(listener, NULL, NULL) >= 0);
}

static void *shutdown_thread(void *unused)
{
	(void)usleep(20000);
	(void)shutdown(listener, SHUT_RDWR);
	return unused;
}

static void case_shutdown(void)
{
	pthread_t thread;
	listener = lo_listener(&port);
	(void)pthread_create(&thread, NULL, shutdown_thread, NULL);
	say_result("a waiting accept", accept(listener, NULL, NULL));
	(void)pthread_join(thread, NULL);
	say_result("and again", accept(listener, NULL, NULL));
}

static void case_close_pending(void)
{
	listener = lo_listener(&port);
	struct pollfd p = { .fd = connector(), .events = POLLIN | POLLRDHUP };
	(void)close(listener);
	(void)poll(&p, 1, 5000);
	say("its connection is over: %d",
	    (p.revents & (POLLIN | POLLRDHUP)) == (POLLIN | POLLRDHUP));
}

static void case_order(void)
{
	listener = lo_listener(&port);
	for (int i = 0; i < 5; i++) {
		char byte = (char)('a' + i);
		(void)send(connector(), &byte, 1, 0);
	}
	for (int i = 0; i < 5; i++) {
		char byte = 0;
		(void)recv(accept(listener, NULL, NULL), &byte, 1, 0);
		say("%c", byte);
	}
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, case_##name                                                                 \
	}
static const struct preload_case cases[] = {
	CASE(addresses), CASE(flags),    CASE(timeout),       CASE(emfile), CASE(signals),
	CASE(cancel),    CASE(shutdown), CASE(close_pending), CASE(order),
};

int main(int argc, char **argv)
{
	return lo_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
