/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What control calls cost, one after the other on 127.0.0.1: "name microseconds" per line, medians.
 * Run natively and under interception, the two columns make a ratio (bench/run.sh).
 * usage: calls [ROUNDS]      (default 400)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS_DEFAULT = 400, ROUNDS_MAX = 100000, BATCH = 1000, QUEUE = 64 };

static double *samples;
static int count, rounds;

static double now_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void sample(double us)
{
	samples[count++] = us;
}

static void report(const char *name)
{
	qsort(samples, (size_t)count, sizeof *samples, by_value);
	printf("%s %.3f\n", name, samples[count / 2]);
	count = 0;
}

static void check(int result, const char *what)
{
	if (result < 0) {
		(void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static int new_socket(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	check(fd, "socket");
	return fd;
}

static int listener(struct sockaddr_in *at)
{
	socklen_t length = sizeof *at;
	int fd = new_socket(0);
	*at = (struct sockaddr_in){ .sin_family = AF_INET };
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(bind(fd, (struct sockaddr *)at, sizeof *at), "bind");
	check(listen(fd, QUEUE), "listen");
	check(getsockname(fd, (struct sockaddr *)at, &length), "getsockname");
	return fd;
}

static void bench_socket(void)
{
	for (int i = 0; i < rounds; i++) {
		double begin = now_us();
		(void)close(new_socket(SOCK_CLOEXEC));
		sample(now_us() - begin);
	}
	report("socket+close");
}

static void bench_connect(const char *name, int flags)
{
	struct sockaddr_in at;
	int l = listener(&at);
	for (int i = 0; i < rounds; i++) {
		int fd = new_socket(flags);
		double begin = now_us();
		int result = connect(fd, (struct sockaddr *)&at, sizeof at);
		sample(now_us() - begin);
		check(result < 0 && errno != EINPROGRESS ? -1 : 0, "connect");
		int c = accept(l, NULL, NULL);
		check(c, "accept");
		(void)close(c);
		(void)close(fd);
	}
	(void)close(l);
	report(name);
}

/* Connections that wait already: the call alone. */
static void bench_accept(void)
{
	struct sockaddr_in at;
	int l = listener(&at), fds[QUEUE / 2], taken[QUEUE / 2];
	for (int done = 0; done < rounds; done += QUEUE / 2) {
		for (int i = 0; i < QUEUE / 2; i++) {
			fds[i] = new_socket(0);
			check(connect(fds[i], (struct sockaddr *)&at, sizeof at), "connect");
		}
		for (int i = 0; i < QUEUE / 2; i++) {
			struct pollfd p = { .fd = l, .events = POLLIN };
			(void)poll(&p, 1, -1);
			double begin = now_us();
			taken[i] = accept(l, NULL, NULL);
			sample(now_us() - begin);
			check(taken[i], "accept");
		}
		for (int i = 0; i < QUEUE / 2; i++) {
			(void)close(fds[i]);
			(void)close(taken[i]);
		}
	}
	(void)close(l);
	report("accept");
}

static void bench_connection(void)
{
	struct sockaddr_in at, name;
	int l = listener(&at), fd = new_socket(0), one = 1;
	check(connect(fd, (struct sockaddr *)&at, sizeof at), "connect");
	int c = accept(l, NULL, NULL);
	for (int i = 0; i < rounds; i++) {
		double begin = now_us();
		check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "setsockopt");
		sample(now_us() - begin);
	}
	report("setsockopt");
	for (int i = 0; i < rounds; i++) {
		socklen_t length = sizeof one;
		double begin = now_us();
		check(getsockopt(fd, SOL_SOCKET, SO_ERROR, &one, &length), "getsockopt");
		sample(now_us() - begin);
	}
	report("getsockopt-error");
	for (int i = 0; i < rounds; i++) {
		double begin = now_us();
		for (int k = 0; k < 100; k++) {
			socklen_t length = sizeof name;
			(void)getpeername(fd, (struct sockaddr *)&name, &length);
		}
		sample((now_us() - begin) / 100);
	}
	report("getpeername");
	for (int i = 0; i < rounds; i++) {
		char byte = 0;
		double begin = now_us();
		check((int)send(fd, &byte, 1, 0), "send");
		check((int)recv(c, &byte, 1, 0), "recv");
		sample(now_us() - begin);
	}
	report("send+recv");
	(void)close(fd);
	(void)close(c);
	(void)close(l);
}

/* Descriptors that are none of ours: what a hook adds to a call of 50 ns. */
static void bench_foreign(void)
{
	int pipes[2];
	check(pipe(pipes), "pipe");
	for (int i = 0; i < rounds; i++) {
		double begin = now_us();
		for (int k = 0; k < BATCH; k++) {
			(void)fcntl(pipes[0], F_GETFD);
		}
		sample((now_us() - begin) / BATCH);
	}
	report("foreign-fcntl");
}

int main(int argc, char **argv)
{
	rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS_DEFAULT;
	if (rounds < QUEUE || rounds > ROUNDS_MAX) {
		(void)fprintf(stderr, "usage: calls [ROUNDS]\n");
		return 2;
	}
	samples = calloc((size_t)rounds + QUEUE, sizeof *samples);
	if (!samples) {
		return 1;
	}
	bench_socket();
	bench_connect("connect", 0);
	bench_connect("connect-nonblocking", SOCK_NONBLOCK);
	bench_accept();
	bench_connection();
	bench_foreign();
	free(samples);
	return 0;
}
