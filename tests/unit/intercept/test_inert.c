/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Without ZT_NC_NETWORK the library changes nothing; with it nothing reaches the host (decision
 * S9). */
#include "tests/lib/loopback.h"

#include "tests/lib/fakesvc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A bit of everything a network program does. */
static void case_work(void)
{
	int c, s;
	char text[8];
	lo_pair(&c, &s);
	(void)send(c, "hello", 5, 0);
	(void)recv(s, text, sizeof text, 0);
	(void)dup2(c, 30);
	int on = 1;
	(void)setsockopt(c, IPPROTO_TCP, 1, &on, sizeof on);
	(void)shutdown(c, SHUT_RDWR);
	(void)close(c);
	(void)lo_connect(s, 1);
	(void)lo_connect(lo_socket(0), 1);
}

/* Every kind of socket, through every door. */
static void case_refused(void)
{
	static const struct {
		int domain, type, protocol;
		const char *text;
	} t[] = {
		{ AF_INET6, SOCK_STREAM, 0, "tcp6" },     { AF_INET6, SOCK_DGRAM, 0, "udp6" },
		{ AF_INET6, SOCK_RAW, 58, "raw6" },       { AF_INET, SOCK_DGRAM, 0, "udp" },
		{ AF_INET, SOCK_DGRAM, 17, "udp 17" },    { AF_INET, SOCK_DGRAM, 1, "ping" },
		{ AF_INET, SOCK_DGRAM, 136, "udplite" },  { AF_INET, SOCK_RAW, 1, "icmp" },
		{ AF_INET, SOCK_RAW, 255, "raw" },        { AF_INET, SOCK_PACKET, 0, "packet" },
		{ AF_INET, SOCK_SEQPACKET, 132, "sctp" }, { AF_INET, SOCK_STREAM, 132, "sctp" },
		{ AF_INET, SOCK_STREAM, 262, "mptcp" },
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		int fd = socket(t[i].domain, t[i].type, t[i].protocol);
		say("%s: %s", t[i].text, fd < 0 ? error_name(errno) : "ok");
		long raw = syscall(SYS_socket, t[i].domain, t[i].type, t[i].protocol);
		say("%s by syscall(): %s", t[i].text, raw < 0 ? error_name(errno) : "ok");
	}
	say("io_uring: %s", syscall(425, 8, NULL) < 0 ? error_name(errno) : "ok");
}

static void trace(const char *name, const char *what, struct preload_options *options, char *text,
		  size_t size)
{
	static struct preload_result out;
	static char runner[256];
	char file[] = "/tmp/trace.XXXXXX";
	int fd = mkstemp(file);
	assert_true(fd >= 0);
	(void)snprintf(runner, sizeof runner, "strace -f -qq -o %s %s", file, what);
	options->runner = runner;
	assert_int_equal(preload_run(name, options, &out), 0);
	ssize_t n = read(fd, text, size - 1);
	(void)close(fd);
	(void)unlink(file);
	text[n > 0 ? n : 0] = '\0';
	if (n <= 0 || !WIFEXITED(out.status) || WEXITSTATUS(out.status) != 0) {
		print_message("strace does not work here: %s\n", out.out);
		skip();
	}
}

/* The lines of a trace, without what differs from run to run: numbers and addresses. */
static size_t calls_after_main(const char *text, char *names, size_t size)
{
	size_t length = 0;
	/* The loader maps one library more; what counts begins with the program's first socket. */
	const char *at = strstr(text, "socket(");
	while (at && *at) {
		const char *end = strchr(at, '(');
		size_t n = end ? (size_t)(end - at) : 0;
		if (!end || length + n + 2 > size) {
			break;
		}
		memcpy(names + length, at, n);
		length += n;
		names[length++] = '\n';
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
		while (at && (*at == ' ' || (*at >= '0' && *at <= '9'))) {
			at++;
		}
	}
	names[length] = '\0';
	return length;
}

static void test_no_call_more(void **state)
{
	static char with[1 << 18], without[1 << 18], a[1 << 15], b[1 << 15];
	(void)state;
	struct preload_options options = { .network = NULL };
	trace("work", "", &options, with, sizeof with);
	assert_non_null(strstr(with, "libzerotierintercept.so"));
	options.without = true;
	trace("work", "", &options, without, sizeof without);
	assert_null(strstr(without, "libzerotierintercept.so"));
	assert_true(calls_after_main(with, a, sizeof a) > 50);
	(void)calls_after_main(without, b, sizeof b);
	assert_string_equal(a, b);
}

static void test_silent(void **state)
{
	static struct preload_result out;
	struct preload_options options = { .network = NULL, .debug = "1" };
	(void)state;
	assert_int_equal(preload_run("work", &options, &out), 0);
	assert_string_equal(out.out, "");
	options = (struct preload_options){ .network = lo_service()->link };
	assert_int_equal(preload_run("work", &options, &out), 0);
	assert_string_equal(out.out, "");
}

static void test_nothing_reaches_the_host(void **state)
{
	static char text[1 << 19];
	(void)state;
	struct preload_options options = { .network = lo_service()->link };
	trace("work", "-e trace=network", &options, text, sizeof text);
	assert_non_null(strstr(text, "AF_UNIX"));
	assert_null(strstr(text, "AF_INET"));
	assert_null(strstr(text, "inet_addr"));
	trace("refused", "-e trace=network,io_uring_setup", &options, text, sizeof text);
	assert_null(strstr(text, "AF_INET"));
	assert_null(strstr(text, "io_uring_setup("));
	assert_null(strstr(text, "AF_PACKET"));
}

static void test_refused(void **state)
{
	(void)state;
	assert_string_equal(lo_intercepted("refused"), "tcp6: ok\n"
						       "tcp6 by syscall(): ok\n"
						       "udp6: ok\n"
						       "udp6 by syscall(): ok\n"
						       "raw6: EPERM\n"
						       "raw6 by syscall(): EPERM\n"
						       "udp: ok\n"
						       "udp by syscall(): ok\n"
						       "udp 17: ok\n"
						       "udp 17 by syscall(): ok\n"
						       "ping: ok\n"
						       "ping by syscall(): ok\n"
						       "udplite: EPROTONOSUPPORT\n"
						       "udplite by syscall(): EPROTONOSUPPORT\n"
						       "icmp: EPERM\n"
						       "icmp by syscall(): EPERM\n"
						       "raw: EPERM\n"
						       "raw by syscall(): EPERM\n"
						       "packet: EPERM\n"
						       "packet by syscall(): EPERM\n"
						       "sctp: ESOCKTNOSUPPORT\n"
						       "sctp by syscall(): ESOCKTNOSUPPORT\n"
						       "sctp: EPROTONOSUPPORT\n"
						       "sctp by syscall(): EPROTONOSUPPORT\n"
						       "mptcp: ok\n"
						       "mptcp by syscall(): ok\n"
						       "io_uring: ENOSYS\n");
}

static const struct preload_case cases[] = { { "work", case_work }, { "refused", case_refused } };

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_call_more),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_nothing_reaches_the_host),
		cmocka_unit_test(test_refused),
	};
	preload_main(argc, argv, cases, sizeof cases / sizeof *cases);
	return cmocka_run_group_tests_name("inert", tests, lo_service_start, lo_service_stop);
}
