/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* An ordinary TCP program for the benches: run bare it measures the kernel, under the interceptor
 * us.
 *
 *   tcp serve PORT                  accept for ever; 'S' = count bytes until EOF and reply the
 * count, 'P' = echo 64-byte messages tcp stream HOST PORT MIB        send MIB mebibytes in 128 KiB
 * writes; prints Gbit/s tcp pingpong HOST PORT COUNT    COUNT round trips of 64 bytes; prints the
 * median in microseconds
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_BYTES = 128 << 10, MESSAGE_BYTES = 64 };

static char chunk[CHUNK_BYTES];

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

static void write_all(int fd, const void *bytes, size_t length)
{
	for (const char *p = bytes; length > 0;) {
		ssize_t n = write(fd, p, length);
		if (n <= 0) {
			die("write");
		}
		p += n;
		length -= (size_t)n;
	}
}

static int read_all(int fd, void *bytes, size_t length)
{
	for (char *p = bytes; length > 0;) {
		ssize_t n = read(fd, p, length);
		if (n <= 0) {
			return -1;
		}
		p += n;
		length -= (size_t)n;
	}
	return 0;
}

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
		die(host);
	}
	return a;
}

static void connection(int fd)
{
	char kind = 0, message[MESSAGE_BYTES];
	uint64_t total = 0;
	if (read_all(fd, &kind, 1) != 0) {
		return;
	}
	while (kind == 'P' && read_all(fd, message, sizeof message) == 0) {
		write_all(fd, message, sizeof message);
	}
	for (ssize_t n; kind == 'S' && (n = read(fd, chunk, sizeof chunk)) > 0;) {
		total += (uint64_t)n;
	}
	if (kind == 'S') {
		write_all(fd, &total, sizeof total);
	}
}

static int serve(const char *port)
{
	struct sockaddr_in a = address("0.0.0.0", port);
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(listener, 64) != 0) {
		die("listen");
	}
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0) {
			die("accept");
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		pid_t child = fork();
		if (child == 0) {
			connection(fd);
			exit(0);
		}
		(void)close(fd);
		while (waitpid(-1, NULL, WNOHANG) > 0) {
		}
	}
}

static int dial(const char *host, const char *port, char kind)
{
	struct sockaddr_in a = address(host, port);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		die("connect");
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	write_all(fd, &kind, 1);
	return fd;
}

static int stream(int fd, uint64_t mib)
{
	uint64_t wanted = mib << 20, counted = 0;
	double start = now_s();
	for (uint64_t sent = 0; sent < wanted; sent += sizeof chunk) {
		write_all(fd, chunk, sizeof chunk);
	}
	(void)shutdown(fd, SHUT_WR);
	if (read_all(fd, &counted, sizeof counted) != 0 || counted != wanted) {
		(void)fprintf(stderr, "stream: %llu of %llu bytes arrived\n",
			      (unsigned long long)counted, (unsigned long long)wanted);
		return 1;
	}
	printf("%.3f\n", (double)wanted * 8 / 1e9 / (now_s() - start));
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int pingpong(int fd, size_t count)
{
	double *times = calloc(count, sizeof *times);
	char message[MESSAGE_BYTES] = { 0 };
	for (size_t i = 0; times && i < count; i++) {
		double start = now_s();
		write_all(fd, message, sizeof message);
		if (read_all(fd, message, sizeof message) != 0) {
			die("read");
		}
		times[i] = (now_s() - start) * 1e6;
	}
	if (!times) {
		die("memory");
	}
	qsort(times, count, sizeof *times, by_value);
	printf("%.1f\n", times[count / 2]);
	free(times);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0) {
		return serve(argv[2]);
	}
	if (argc == 5 && strcmp(argv[1], "stream") == 0) {
		return stream(dial(argv[2], argv[3], 'S'), strtoull(argv[4], NULL, 10));
	}
	if (argc == 5 && strcmp(argv[1], "pingpong") == 0) {
		return pingpong(dial(argv[2], argv[3], 'P'), strtoull(argv[4], NULL, 10));
	}
	(void)fprintf(stderr,
		      "usage: tcp serve PORT | stream HOST PORT MIB | pingpong HOST PORT COUNT\n");
	return 2;
}
