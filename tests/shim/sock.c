/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Small steps that many cases share. */
#include "tests/shim/shim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

void die(const char *what)
{
	printf("FATAL %s: %s\n", what, strerror(errno));
	(void)fflush(stdout);
	_exit(3);
}

socklen_t at_text(const char *address, int number, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (env.family == AF_INET6) {
		struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)out;
		in->sin6_family = AF_INET6;
		in->sin6_port = htons((uint16_t)number);
		if (inet_pton(AF_INET6, address, &in->sin6_addr) != 1) {
			die("not an address");
		}
		return sizeof *in;
	}
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)number);
	if (inet_pton(AF_INET, address, &in->sin_addr) != 1) {
		die("not an address");
	}
	return sizeof *in;
}

static int number(int port)
{
	return port < 0 ? 0 : env.port + port;
}

socklen_t at_me(int port, struct sockaddr_storage *out)
{
	return at_text(env.me, number(port), out);
}

socklen_t at_peer(int port, struct sockaddr_storage *out)
{
	return at_text(env.peer, number(port), out);
}

socklen_t at_any(int port, struct sockaddr_storage *out)
{
	return at_text(env.family == AF_INET6 ? "::" : "0.0.0.0", number(port), out);
}

int sock_new(int type)
{
	int fd = socket(env.family, type, 0);
	if (fd < 0) {
		die("socket");
	}
	return fd;
}

int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value);
}

int get_int(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;
	return getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
}

int bind_me(int fd, int port)
{
	struct sockaddr_storage sa;
	socklen_t length = at_me(port, &sa);
	(void)set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return bind(fd, (struct sockaddr *)&sa, length);
}

int connect_peer(int fd, int port)
{
	struct sockaddr_storage sa;
	socklen_t length = at_peer(port, &sa);
	return connect(fd, (struct sockaddr *)&sa, length);
}

int listen_me(int port, int backlog)
{
	int fd = sock_new(SOCK_STREAM);
	if (bind_me(fd, port) != 0 || listen(fd, backlog) != 0) {
		die("listen");
	}
	return fd;
}

int connected(int slot)
{
	int fd = sock_new(SOCK_STREAM);
	if (peer(PEER_LISTEN, 60, 5, 8) != 0 || connect_peer(fd, 5) != 0 ||
	    peer(PEER_ACCEPT, slot, 60, 0) != 0) {
		die("connected");
	}
	(void)peer(PEER_CLOSE, 60, 0, 0);
	return fd;
}

int connected_narrow(int slot)
{
	int fd = sock_new(SOCK_STREAM);
	(void)set_int(fd, SOL_SOCKET, SO_SNDBUF, 16384);
	if (peer(PEER_LISTEN, 60, 5, 8) != 0 ||
	    peer(PEER_OPTION, 60, SOL_SOCKET << 16 | SO_RCVBUF, 16384) != 0 ||
	    connect_peer(fd, 5) != 0 || peer(PEER_ACCEPT, slot, 60, 0) != 0) {
		die("connected");
	}
	(void)peer(PEER_CLOSE, 60, 0, 0);
	return fd;
}

void fill_queue(void)
{
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	if (peer(PEER_LISTEN, 60, 5, 0) != 0 ||
	    (connect_peer(fd, 5) != 0 && errno != EINPROGRESS) || !wait_for(fd, POLLOUT) ||
	    peer(PEER_WAIT, 60, POLLIN, 0) != POLLIN) {
		die("the first fills the queue");
	}
}

int accepted(int slot)
{
	int listener = listen_me(0, 8);
	if (peer(PEER_CONNECT, slot, 0, 0) != 0) {
		die("the peer cannot connect");
	}
	int fd = accept(listener, NULL, NULL);
	if (fd < 0) {
		die("accept");
	}
	close(listener);
	return fd;
}

void fill_pattern(char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		bytes[i] = (char)('a' + i % 26);
	}
}

enum { ALL_EVENTS = POLLIN | POLLPRI | POLLOUT | POLLRDHUP };

int mask_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = ALL_EVENTS };
	return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

/* ERR and HUP are told unasked, and may come a moment before what was asked. */
int wait_for(int fd, int events)
{
	struct pollfd p = { .fd = fd, .events = (short)events };
	int n, early = 0;
	do {
		n = poll(&p, 1, PATIENCE_MS);
	} while ((n < 0 && errno == EINTR) || (n == 1 && !(p.revents & events) && early++ < 1000));
	return n == 1 ? p.revents : 0;
}

static long now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int wait_mask(int fd, int mask)
{
	long until = now_ms() + PATIENCE_MS;
	int seen = mask_now(fd);
	while (seen != mask && now_ms() < until) {
		/* Something that is missing may still come; what is there already would not wait.
		 */
		struct pollfd p = { .fd = fd, .events = (short)(mask & ~seen) };
		(void)poll(&p, 1, 20);
		seen = mask_now(fd);
	}
	return seen;
}

long drain(int fd, int *error)
{
	char bytes[65536];
	long total = 0;
	for (;;) {
		long n = wait_for(fd, POLLIN) ? recv(fd, bytes, sizeof bytes, 0) : -2;
		if (n <= 0) {
			*error = n == 0 ? 0 : n == -1 ? errno : ETIMEDOUT;
			return total;
		}
		total += n;
	}
}

void child_join(const char *label, int pid)
{
	int status = 0;
	if (waitpid(pid, &status, 0) != pid) {
		show(label, -1);
	} else if (WIFSIGNALED(status)) {
		printf("%s: signal %s\n", label, sigabbrev_np(WTERMSIG(status)));
	} else {
		printf("%s: exit %d\n", label, WEXITSTATUS(status));
	}
}
