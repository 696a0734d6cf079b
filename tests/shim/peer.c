/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The other end: a server that forks per case and does what the case says, and the case's side of
 * that conversation. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SLOTS = 64, CONTROL_NUMBER = 300, PATTERN_MAX = 4 << 20 };

struct request {
	int32_t op, slot, a, b, family, port;
	char me[64], peer[64];
};

struct reply {
	int64_t result;
	int32_t error;
};

int peer_error;
static int control = -1;

/* ---- the case's side ------------------------------------------------------------------------- */

static socklen_t control_name(const char *path, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(out->sun_path, sizeof out->sun_path, "%s", path);
	return sizeof *out;
}

static void control_open(void)
{
	struct sockaddr_un name;
	socklen_t length = control_name(env.control, &name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, length) != 0) {
		die("no peer");
	}
	control = dup3(fd, CONTROL_NUMBER, O_CLOEXEC); /* out of the way of lowest numbers */
	close(fd);
}

void peer_begin(enum peer_op op, int slot, int a, int b)
{
	struct request q = { (int32_t)op, slot, a, b, env.family, env.port, "", "" };
	(void)snprintf(q.me, sizeof q.me, "%s", env.me);
	(void)snprintf(q.peer, sizeof q.peer, "%s", env.peer);
	if (control < 0) {
		control_open();
	}
	if (send(control, &q, sizeof q, MSG_NOSIGNAL) != sizeof q) {
		die("the peer is gone");
	}
}

long peer_end(void)
{
	struct reply r;
	long n;
	do {
		n = recv(control, &r, sizeof r, 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof r) {
		die("the peer does not answer");
	}
	peer_error = r.error;
	errno = r.error;
	return (long)r.result;
}

long peer(enum peer_op op, int slot, int a, int b)
{
	peer_begin(op, slot, a, b);
	return peer_end();
}

/* ---- the peer's side ------------------------------------------------------------------------- */

static int slots[SLOTS];
static char pattern[PATTERN_MAX];

/* In the peer's process `me` is the peer. */
static int open_slot(const struct request *q, int type)
{
	int fd = sock_new(type);
	slots[q->slot] = fd;
	return fd;
}

static long on_listen(const struct request *q)
{
	int fd = open_slot(q, SOCK_STREAM);
	return bind_me(fd, q->a) == 0 ? listen(fd, q->b) : -1;
}

static long on_accept(const struct request *q)
{
	if (!wait_for(slots[q->a], POLLIN)) {
		errno = ETIMEDOUT;
		return -1;
	}
	slots[q->slot] = accept(slots[q->a], NULL, NULL);
	return slots[q->slot] < 0 ? -1 : 0;
}

static long on_recv(const struct request *q)
{
	long total = 0;
	while (total < q->a) {
		if (!wait_for(slots[q->slot], POLLIN)) {
			break;
		}
		long n = recv(slots[q->slot], pattern, (size_t)(q->a - total), 0);
		if (n < 0 && total == 0) {
			return -1;
		}
		if (n <= 0) {
			break;
		}
		total += n;
	}
	return total;
}

static long on_drain(const struct request *q)
{
	int error = 0;
	long total = drain(slots[q->slot], &error);
	errno = error;
	return total;
}

static long on_reset(const struct request *q)
{
	struct linger now = { 1, 0 };
	(void)setsockopt(slots[q->slot], SOL_SOCKET, SO_LINGER, &now, sizeof now);
	return close(slots[q->slot]);
}

static long on_send(const struct request *q)
{
	fill_pattern(pattern, (size_t)q->a);
	return send(slots[q->slot], pattern, (size_t)q->a, q->b | MSG_NOSIGNAL);
}

static long on_udp(const struct request *q)
{
	return bind_me(open_slot(q, SOCK_DGRAM), q->a);
}

static long on_sendto(const struct request *q)
{
	struct sockaddr_storage sa;
	socklen_t length = at_peer(q->a, &sa);
	fill_pattern(pattern, (size_t)q->b);
	return sendto(slots[q->slot], pattern, (size_t)q->b, 0, (struct sockaddr *)&sa, length);
}

static long on_mark(const struct request *q)
{
	int mark = -1;
	return ioctl(slots[q->slot], SIOCATMARK, &mark) == 0 ? mark : -1;
}

static long on_close(const struct request *q)
{
	return close(slots[q->slot]);
}

static long on_shut(const struct request *q)
{
	return shutdown(slots[q->slot], q->a);
}

static long on_option(const struct request *q)
{
	return set_int(slots[q->slot], q->a >> 16, q->a & 0xffff, q->b);
}

static long on_wait(const struct request *q)
{
	return wait_for(slots[q->slot], q->a);
}

static long on_connect(const struct request *q)
{
	return connect_peer(open_slot(q, SOCK_STREAM), q->a);
}

static long obey(const struct request *q)
{
	static long (*const table[])(const struct request *) = {
		[PEER_LISTEN] = on_listen, [PEER_ACCEPT] = on_accept, [PEER_CONNECT] = on_connect,
		[PEER_SEND] = on_send,     [PEER_RECV] = on_recv,     [PEER_DRAIN] = on_drain,
		[PEER_SHUT] = on_shut,     [PEER_CLOSE] = on_close,   [PEER_RESET] = on_reset,
		[PEER_OPTION] = on_option, [PEER_WAIT] = on_wait,     [PEER_MARK] = on_mark,
		[PEER_UDP] = on_udp,       [PEER_SENDTO] = on_sendto, [PEER_TRY] = on_connect,
	};
	env.family = q->family;
	env.port = q->port;
	env.me = q->peer;
	env.peer = q->me;
	errno = 0;
	return table[q->op](q);
}

static void session(int fd)
{
	struct request q;
	while (recv(fd, &q, sizeof q, 0) == sizeof q) {
		struct reply r = { .result = obey(&q), .error = errno };
		if (send(fd, &r, sizeof r, MSG_NOSIGNAL) != sizeof r) {
			return;
		}
	}
}

int peer_main(const char *path)
{
	struct sockaddr_un name;
	socklen_t length = control_name(path, &name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, length) != 0 || listen(fd, 64) != 0 ||
	    chmod(path, 0777) != 0) { /* cases become other users */
		die("cannot listen for commands");
	}
	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	puts("ready");
	(void)fflush(stdout);
	for (;;) {
		int one = accept(fd, NULL, NULL);
		if (one < 0) {
			continue;
		}
		if (fork() == 0) {
			close(fd);
			session(one);
			_exit(0);
		}
		close(one);
	}
}
