/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* httpstub: a small threaded HTTP server that answers every request with one file. The C program of
 * the original's walk-through and load tests.
 *
 *   httpstub -p PORT (default 8402) -f FILE [-d DELAY_MS] [-l IP] [-q]
 *
 * How this works: the main thread accepts and hands each descriptor, as 4 bytes through a pipe, to
 * one of two workers in turn. A worker's epoll watches its pipe and its connections, level
 * triggered: first for a whole request (it ends with a blank line), then for room to write the
 * reply. HTTP/1.0 without "Connection: Keep-Alive" is closed after the reply. SIGINT and SIGTERM
 * close the listener, and accept() then fails with EBADF, which ends the program.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	DEFAULT_PORT = 8402,
	FILE_MAX_BYTES = 1 << 20,
	REQUEST_MAX_BYTES = 4096,
	HEAD_MAX_BYTES = 256,
	WORKERS = 2,
	BACKLOG = 32,
	EVENTS = 64,
	MAX_DESCRIPTORS = 65536,
};

struct connection {
	size_t received, sent;
	bool keep_alive;
	char request[REQUEST_MAX_BYTES + 1];
};

static char reply[HEAD_MAX_BYTES + FILE_MAX_BYTES];
static size_t reply_length;
static int delay_ms;
static bool is_quiet;
static FILE *log_file;
static int listener = -1;
static int pipes[WORKERS][2];
static struct connection *connections[MAX_DESCRIPTORS]; /* by descriptor; its worker's alone */

static void log_line(const char *what, int fd)
{
	if (!is_quiet && log_file) {
		(void)fprintf(log_file, "%ld %s fd=%d\n", (long)time(NULL), what, fd);
		(void)fflush(log_file);
	}
}

static bool reply_load(const char *path)
{
	static char body[FILE_MAX_BYTES + 1];
	FILE *file = fopen(path, "rb");
	if (!file) {
		perror(path);
		return false;
	}
	size_t length = fread(body, 1, sizeof body, file);
	(void)fclose(file);
	if (length == 0 || length > FILE_MAX_BYTES) {
		(void)fprintf(stderr, "%s: must have between 1 byte and 1 MiB\n", path);
		return false;
	}
	int head = snprintf(reply, HEAD_MAX_BYTES,
			    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: Keep-Alive\r\n"
			    "Content-Type: text/plain\r\n\r\n",
			    length);
	if (head < 0) {
		return false;
	}
	memcpy(reply + head, body, length);
	reply_length = (size_t)head + length;
	return true;
}

/* ---- workers --------------------------------------------------------------------------------- */

static void connection_close(int fd)
{
	log_line("close", fd);
	free(connections[fd]);
	connections[fd] = NULL;
	(void)shutdown(fd, SHUT_RDWR);
	(void)close(fd);
}

static void watch(int ep, int fd, int operation, uint32_t events)
{
	struct epoll_event e = { .events = events, .data = { .fd = fd } };
	if (epoll_ctl(ep, operation, fd, &e) != 0) {
		connection_close(fd);
	}
}

static bool has_word(const char *request, const char *word)
{
	size_t length = strlen(word);
	for (; *request; request++) {
		if (strncasecmp(request, word, length) == 0) {
			return true;
		}
	}
	return false;
}

static void on_readable(int ep, int fd)
{
	struct connection *c = connections[fd];
	ssize_t n =
	    recv(fd, c->request + c->received, REQUEST_MAX_BYTES - c->received, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN) {
		return;
	}
	if (n <= 0) {
		connection_close(fd);
		return;
	}
	c->received += (size_t)n;
	c->request[c->received] = '\0';
	if (!strstr(c->request, "\r\n\r\n")) {
		if (c->received == REQUEST_MAX_BYTES) {
			connection_close(fd);
		}
		return;
	}
	c->keep_alive = strstr(c->request, "HTTP/1.0") == NULL ||
			has_word(c->request, "\nConnection: Keep-Alive");
	c->received = c->sent = 0;
	if (delay_ms > 0) {
		struct timespec delay = { delay_ms / 1000, delay_ms % 1000 * 1000000L };
		(void)nanosleep(&delay, NULL);
	}
	watch(ep, fd, EPOLL_CTL_MOD, EPOLLOUT);
}

static void on_writable(int ep, int fd)
{
	struct connection *c = connections[fd];
	ssize_t n = send(fd, reply + c->sent, reply_length - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN) {
		return;
	}
	if (n < 0) {
		connection_close(fd);
		return;
	}
	c->sent += (size_t)n;
	if (c->sent < reply_length) {
		return;
	}
	log_line("reply", fd);
	if (!c->keep_alive) {
		connection_close(fd);
		return;
	}
	watch(ep, fd, EPOLL_CTL_MOD, EPOLLIN);
}

static void on_new(int ep, int from)
{
	int fd;
	if (read(from, &fd, sizeof fd) != sizeof fd) {
		return;
	}
	connections[fd] = calloc(1, sizeof *connections[fd]);
	if (!connections[fd]) {
		(void)close(fd);
		return;
	}
	watch(ep, fd, EPOLL_CTL_ADD, EPOLLIN);
}

static void *worker(void *number)
{
	int from = pipes[*(const int *)number][0], ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[EVENTS];
	struct epoll_event e = { .events = EPOLLIN, .data = { .fd = from } };
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, from, &e) != 0) {
		perror("epoll");
		exit(1);
	}
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == from) {
				on_new(ep, from);
			} else if (events[i].events & EPOLLIN) {
				on_readable(ep, fd);
			} else if (events[i].events & EPOLLOUT) {
				on_writable(ep, fd);
			} else {
				connection_close(fd);
			}
		}
	}
	return NULL;
}

/* ---- the main thread ------------------------------------------------------------------------- */

static void on_signal(int number)
{
	(void)number;
	(void)shutdown(listener, SHUT_RDWR);
	(void)close(listener);
}

static bool listener_open(const char *ip, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1;
	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1) {
		(void)fprintf(stderr, "%s: not an IPv4 address\n", ip);
		return false;
	}
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(listener, (struct sockaddr *)&a, sizeof a) != 0 ||
	    listen(listener, BACKLOG) != 0) {
		perror("listen");
		return false;
	}
	return true;
}

static void hand_over(int fd)
{
	static int next;
	int one = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	log_line("accept", fd);
	if (fd >= MAX_DESCRIPTORS || write(pipes[next][1], &fd, sizeof fd) != sizeof fd) {
		(void)close(fd);
	}
	next = (next + 1) % WORKERS;
}

static int serve(void)
{
	for (;;) {
		struct sockaddr_in peer;
		/* The original never set it: a length beyond all measure must do no harm. */
		socklen_t length = 0x5a5a5a5a;
		int fd = accept(listener, (struct sockaddr *)&peer, &length);
		if (fd >= 0) {
			hand_over(fd);
		} else if (errno == EBADF || errno == EINVAL) {
			return 0; /* closed by the signal handler */
		} else if (errno != EINTR && errno != ECONNABORTED) {
			(void)fprintf(stderr, "accept: %s, please check ulimit -n\n",
				      strerror(errno));
			(void)sleep(1);
		}
	}
}

static int usage(const char *name)
{
	(void)fprintf(stderr, "usage: %s -p PORT -f FILE [-d DELAY_MS] [-l IP] [-q]\n", name);
	return 1;
}

struct options {
	const char *file, *ip;
	long port;
};

static bool options_read(int argc, char **argv, struct options *out)
{
	int option;
	while ((option = getopt(argc, argv, "p:f:d:l:q")) >= 0) {
		switch (option) {
		case 'p':
			out->port = strtol(optarg, NULL, 10);
			break;
		case 'f':
			out->file = optarg;
			break;
		case 'd':
			delay_ms = (int)strtol(optarg, NULL, 10);
			break;
		case 'l':
			out->ip = optarg;
			break;
		case 'q':
			is_quiet = true;
			break;
		default:
			return false;
		}
	}
	return out->file && out->port >= 0 && out->port <= 65535;
}

static bool workers_start(void)
{
	static int numbers[WORKERS];
	for (int i = 0; i < WORKERS; i++) {
		pthread_t thread;
		numbers[i] = i;
		if (pipe2(pipes[i], O_CLOEXEC) != 0 ||
		    pthread_create(&thread, NULL, worker, &numbers[i]) != 0) {
			perror("worker");
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct options options = { .ip = "0.0.0.0", .port = DEFAULT_PORT };
	struct sigaction action = { .sa_handler = on_signal };
	if (!options_read(argc, argv, &options)) {
		return usage(argv[0]);
	}
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	if (!reply_load(options.file) || !listener_open(options.ip, (uint16_t)options.port)) {
		return 1;
	}
	log_file = is_quiet ? NULL : fopen("stub.log", "ae");
	return workers_start() ? serve() : 1;
}
