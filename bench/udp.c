/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Small datagrams asked and answered, as a time server is used: run bare it measures the kernel,
 * under the interceptor us.
 *
 *   udp serve PORT                      for ever: every datagram goes back to its sender
 *   udp ask HOST PORT COUNT WINDOW      COUNT requests of 48 bytes, at most WINDOW unanswered; what
 * is not answered within half a second is lost. Prints rate and loss; exit 1 if nothing came.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_BYTES = 48, LOST_MS = 500 };

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

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in out = { .sin_family = AF_INET };
	out.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	if (inet_pton(AF_INET, host, &out.sin_addr) != 1) {
		die(host);
	}
	return out;
}

static void serve(const char *port)
{
	char bytes[2048];
	struct sockaddr_in any = address("0.0.0.0", port), from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) != 0) {
		die("bind");
	}
	for (;;) {
		socklen_t length = sizeof from;
		ssize_t n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
		if (n < 0) {
			die("recvfrom");
		}
		(void)sendto(fd, bytes, (size_t)n, 0, (struct sockaddr *)&from, length);
	}
}

static int ask(const char *host, const char *port, unsigned long count, unsigned long window)
{
	char bytes[REQUEST_BYTES] = { 0 };
	struct sockaddr_in to = address(host, port);
	unsigned long sent = 0, answered = 0, lost = 0;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		die("connect");
	}
	double start = now_s();
	while (answered + lost < count) {
		while (sent < count && sent - answered - lost < window) {
			memcpy(bytes, &sent, sizeof sent);
			if (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) < 0) {
				if (errno == EAGAIN) {
					break;
				}
				die("send");
			}
			sent++;
		}
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (poll(&p, 1, LOST_MS) == 0) {
			lost = sent - answered;
			continue;
		}
		while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
			answered++;
		}
	}
	double seconds = now_s() - start;
	printf("%lu asked, %lu answered, %lu lost (%.3f %%), %.0f answers/s, %.1f s\n", count,
	       answered, lost, 100.0 * (double)lost / (double)count, (double)answered / seconds,
	       seconds);
	return answered > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0) {
		serve(argv[2]);
		return 1;
	}
	if (argc == 6 && strcmp(argv[1], "ask") == 0) {
		return ask(argv[2], argv[3], strtoul(argv[4], NULL, 10),
			   strtoul(argv[5], NULL, 10));
	}
	(void)fprintf(stderr, "usage: udp serve PORT | udp ask HOST PORT COUNT WINDOW\n");
	return 2;
}
