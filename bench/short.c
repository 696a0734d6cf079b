/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Short connections a second: run bare it measures the kernel, under the interceptor us.
 *
 *   short serve PORT WORKERS              for ever: accept, read until end of file, close
 *   short connect HOST PORT COUNT WORKERS   COUNT connections by WORKERS processes, each one after
 * the other: connect, send 64 bytes, end, wait for the end, close; prints connections a second. Any
 * failure is told and counts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 64, BACKLOG = 1024 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static socklen_t address(const char *host, const char *port, struct sockaddr_storage *out)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = v4.sin_port };
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
		memcpy(out, &v4, sizeof v4);
		return sizeof v4;
	}
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1) {
		die(host);
	}
	memcpy(out, &v6, sizeof v6);
	return sizeof v6;
}

static void read_to_end(int fd)
{
	char bytes[MESSAGE_BYTES];
	while (read(fd, bytes, sizeof bytes) > 0) {
	}
}

__attribute__((noreturn)) static void serve(const char *port, int workers)
{
	struct sockaddr_storage a;
	socklen_t length = address("::", port, &a);
	int one = 1, listener = socket(AF_INET6, SOCK_STREAM, 0);
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&a, length) != 0 || listen(listener, BACKLOG) != 0) {
		die("listen");
	}
	while (--workers > 0) {
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
			break;
		}
	}
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0) {
			die("accept");
		}
		read_to_end(fd);
		(void)close(fd);
	}
}

static int one_by_one(const char *host, const char *port, int count)
{
	char message[MESSAGE_BYTES] = { 0 };
	struct sockaddr_storage a;
	socklen_t length = address(host, port, &a);
	for (int i = 0; i < count; i++) {
		int fd = socket(a.ss_family, SOCK_STREAM, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&a, length) != 0 ||
		    write(fd, message, sizeof message) != sizeof message ||
		    shutdown(fd, SHUT_WR) != 0) {
			(void)fprintf(stderr, "connection %d: %s\n", i, strerror(errno));
			return 1;
		}
		read_to_end(fd);
		(void)close(fd);
	}
	return 0;
}

static int connect_all(const char *host, const char *port, int count, int workers)
{
	double start = now_s();
	int failed = 0, status = 0;
	for (int i = 0; i < workers; i++) {
		pid_t child = fork();
		if (child == 0) {
			exit(one_by_one(host, port, count / workers));
		}
		failed += child < 0;
	}
	while (wait(&status) > 0) {
		failed += status != 0;
	}
	printf("%.0f\n", count / (now_s() - start));
	return failed != 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0) {
		serve(argv[2], atoi(argv[3]));
	}
	if (argc == 6 && strcmp(argv[1], "connect") == 0) {
		return connect_all(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
	}
	(void)fprintf(stderr,
		      "usage: short serve PORT WORKERS | connect HOST PORT COUNT WORKERS\n");
	return 2;
}
