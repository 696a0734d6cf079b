/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The control connection and the calls over it (spec/intercept.md 6.1, 6.2, decisions S3, S4).
 *
 * How this works: one SEQPACKET connection per program, at a high number, close-on-exec. Nothing
 * protects it: programs close and reuse any number. Instead its socket cookie is compared before
 * each use, and a lost one is opened again by path. Each request brings one end of a socketpair of
 * its own for its reply, so threads and forked processes share the connection without a lock and
 * can never read each other's answers.
 *
 * Descriptor and cookie live in one 64-bit word, so that a thread or signal handler never sees one
 * without the other.
 *
 * Time: nothing here sleeps. Connecting and being welcomed may take a second each, a reply five; a
 * service that is not there is noticed at once.
 */
#include "intercept/intercept.h"

#include "rpc/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

enum {
	CONNECT_S = 1,
	WELCOME_S = 1,
	REPLY_S = 5,
	NUMBER_MIN = 64,  /* the connection's number is above half the soft limit, between these: */
	NUMBER_MAX = 900, /* the kernel's table of descriptors need not grow beyond 1024 for us */
	COOKIE_BITS = 40,
};
#define COOKIE_MASK (((uint64_t)1 << COOKIE_BITS) - 1)

static _Atomic uint64_t current; /* descriptor << 40 | cookie; 0 = none */

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof cookie;
	if (sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0) {
		return 0;
	}
	return cookie & COOKIE_MASK;
}

/* The descriptor in this word, or -1 if it is none (any more). */
static int word_fd(uint64_t word)
{
	int fd = (int)(word >> COOKIE_BITS);
	return word != 0 && cookie_of(fd) == (word & COOKIE_MASK) ? fd : -1;
}

static void timeout_set(int fd, int option, long seconds)
{
	struct timeval tv = { .tv_sec = seconds };
	(void)sys(SYS_setsockopt, fd, SOL_SOCKET, option, &tv, sizeof tv);
}

static int64_t clock_s(void)
{
	struct timespec now = { 0, 0 };
	(void)sys(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Receive on a descriptor with SO_RCVTIMEO set, however many signals arrive meanwhile. */
static long receive(int fd, union client_reply *reply, int *fds, size_t *fd_count, int seconds)
{
	size_t room = fd_count ? *fd_count : 0;
	int64_t until = 0;
	for (;;) {
		long n = rpc_recv(fd, reply, sizeof *reply, fds, fd_count, 0);
		if (n != -EINTR) {
			return n == -EAGAIN ? -ENETDOWN : n;
		}
		int64_t now = clock_s();
		until = until ? until : now + seconds;
		if (now > until) {
			return -ENETDOWN;
		}
		if (fd_count) {
			*fd_count = room;
		}
	}
}

/* ---- opening --------------------------------------------------------------------------------- */

/* `size` counts the NUL. */
static long connect_at(int fd, const char *path, size_t size)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	memcpy(name.sun_path, path, size); /* NOLINT(bugprone-not-null-terminated-result) */
	long result;
	int64_t until = clock_s() + CONNECT_S;
	do {
		result = sys(SYS_connect, fd, &name, sizeof name);
	} while (result == -EINTR && clock_s() <= until);
	return result;
}

/* A path that is too long for sockaddr_un is reached through /proc/self/fd. */
static long connect_long(int fd, const char *path)
{
	char link[32] = "/proc/self/fd/";
	long target = sys(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC);
	if (target < 0) {
		return target;
	}
	char digits[12];
	size_t count = 0, at = strlen(link);
	for (long n = target; n > 0 || count == 0; n /= 10) {
		digits[count++] = (char)('0' + n % 10);
	}
	while (count > 0) {
		link[at++] = digits[--count];
	}
	long result = connect_at(fd, link, at + 1);
	(void)sys(SYS_close, target);
	return result;
}

static long connect_path(int fd, const char *path)
{
	size_t size = strlen(path) + 1;
	if (size <= sizeof((struct sockaddr_un *)0)->sun_path) {
		return connect_at(fd, path, size);
	}
	return connect_long(fd, path);
}

/* ZT_NC_NETWORK names the socket, a link to it, or the directory that it is in (S3). */
static long connect_network(int fd)
{
	static const char suffix[] = "/sock";
	char path[PATH_MAX_BYTES];
	size_t length = strlen(init_network);
	if (length == 0) {
		return -ENAMETOOLONG;
	}
	long result = connect_path(fd, init_network);
	/* A directory: refused to who may write it, denied to all others. */
	if (result != -ECONNREFUSED && result != -EACCES && result != -EROFS) {
		return result;
	}
	memcpy(path, init_network, length + 1);
	memcpy(path + length, suffix, sizeof suffix);
	long inside = connect_path(fd, path);
	return inside == -ENOTDIR ? result : inside;
}

static int hello(int fd)
{
	struct stat netns = { .st_ino = 0 };
	union {
		struct rpc_welcome welcome;
		union client_reply reply;
	} in;
	static_assert(sizeof in.reply >= sizeof in.welcome, "receive() reads a reply's worth");
	(void)stat("/proc/self/ns/net", &netns);
	struct rpc_hello out = { .h = { .length = sizeof out, .op = RPC_HELLO },
				 .magic = RPC_MAGIC,
				 .version_min = RPC_VERSION,
				 .version_max = RPC_VERSION,
				 .pid = (uint32_t)sys(SYS_getpid, 0),
				 .netns = netns.st_ino };
	/* A service that refuses us says so without waiting for us, and is gone: EPIPE, or
	 * ECONNRESET once, before what it said. */
	int error = rpc_send(fd, &out, sizeof out, NULL, 0, 0);
	if (error && error != -EPIPE && error != -ECONNRESET) {
		return error;
	}
	timeout_set(fd, SO_RCVTIMEO, WELCOME_S);
	long n = receive(fd, &in.reply, NULL, NULL, WELCOME_S);
	if (n == -ECONNRESET) {
		n = receive(fd, &in.reply, NULL, NULL, WELCOME_S);
	}
	if (n < (long)sizeof in.welcome.h) {
		return n < 0 ? (int)n : -ENETDOWN;
	}
	if (in.welcome.h.error != 0) {
		return in.welcome.h.error == EACCES ? -EACCES : -ENETDOWN;
	}
	if (n < (long)sizeof in.welcome || in.welcome.h.op != RPC_HELLO ||
	    in.welcome.magic != RPC_MAGIC || in.welcome.version != RPC_VERSION) {
		return -EPROTO;
	}
	return 0;
}

/* Move the connection out of the way of programs that expect the lowest number. */
static int move_up(int fd)
{
	struct rlimit limit = { .rlim_cur = 1024 };
	(void)sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
	rlim_t number = limit.rlim_cur / 2;
	number = number < NUMBER_MIN ? NUMBER_MIN : number > NUMBER_MAX ? NUMBER_MAX : number;
	long moved = sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, number);
	if (moved < 0) {
		return fd;
	}
	(void)sys(SYS_close, fd);
	return (int)moved;
}

/* What connecting and greeting can tell a program: permission, or that there is no network. */
static int open_error(long error)
{
	switch (-error) {
	case EACCES:
	case EPERM:
		return -EACCES;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return (int)error;
	default:
		return -ENETDOWN;
	}
}

static int open_new(void)
{
	long fd = sys(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return open_error(fd);
	}
	timeout_set((int)fd, SO_SNDTIMEO, CONNECT_S);
	long error = connect_network((int)fd);
	if (error >= 0) {
		error = hello((int)fd);
	}
	if (error < 0) {
		debug_no_service((int)-error);
		(void)sys(SYS_close, fd);
		return open_error(error);
	}
	return move_up((int)fd);
}

/* Replace what `old` says by a new connection. A dead one that we still hold is replaced in place,
 * so that its number never stands for something else while another thread is about to use it. */
static int open_over(uint64_t old)
{
	int fd = open_new();
	if (fd < 0) {
		return fd;
	}
	uint64_t cookie = cookie_of(fd);
	int dead = word_fd(old);
	if (dead >= 0 && sys(SYS_dup3, fd, dead, O_CLOEXEC) >= 0) {
		(void)sys(SYS_close, fd);
		fd = dead;
	}
	uint64_t word = (uint64_t)fd << COOKIE_BITS | cookie;
	if (cookie == 0) {
		(void)sys(SYS_close, fd);
		return -ENETDOWN;
	}
	if (atomic_compare_exchange_strong(&current, &old, word) || fd == dead) {
		atomic_store(&current, word);
		return fd;
	}
	/* Another thread was faster: use its connection if it is good. */
	int other = word_fd(old);
	if (other < 0) {
		atomic_store(&current, word);
		return fd;
	}
	(void)sys(SYS_close, fd);
	return other;
}

int client_fd(void)
{
	uint64_t word = atomic_load(&current);
	int fd = word_fd(word);
	return fd >= 0 ? fd : open_over(word);
}

bool client_current(int *fd, uint64_t *cookie)
{
	uint64_t word = atomic_load(&current);
	*fd = word_fd(word);
	*cookie = word & COOKIE_MASK;
	return *fd >= 0;
}

void client_adopt(const char *text)
{
	uint64_t numbers[2] = { 0, 0 };
	for (int i = 0; i < 2; i++) {
		const char *start = text;
		for (; *text >= '0' && *text <= '9'; text++) {
			numbers[i] = numbers[i] * 10 + (uint64_t)(*text - '0');
		}
		if (text == start || *text != (i == 0 ? ':' : '\0')) {
			return;
		}
		text++;
	}
	uint64_t word = numbers[0] << COOKIE_BITS | (numbers[1] & COOKIE_MASK);
	if (numbers[0] < (1 << 20) && numbers[1] != 0 && word_fd(word) >= 0) {
		atomic_store(&current, word);
	}
}

/* ---- calling --------------------------------------------------------------------------------- */

static bool is_lost(int error)
{
	return error == -EPIPE || error == -ECONNRESET || error == -ENOTCONN || error == -EBADF ||
	       error == -ENOTSOCK || error == -ECONNREFUSED;
}

/* Send by `fd`, which was the connection a moment ago; one whose service went away is opened again,
 * once. (Another thread may have closed everything and opened something in that moment: then the
 * message goes there, as it could after any check.) */
static int transmit(int fd, const struct rpc_header *request, size_t length, const int *fds,
		    size_t count)
{
	uint64_t word = atomic_load(&current);
	int error = rpc_send(fd, request, length, fds, count, 0);
	if (is_lost(error)) {
		fd = open_over(word);
		error = fd < 0 ? fd : rpc_send(fd, request, length, fds, count, 0);
	}
	if (error == -ETOOMANYREFS) {
		return -ENOBUFS;
	}
	return error == -EAGAIN || is_lost(error) ? -ENETDOWN : error;
}

static void header_fill(struct rpc_header *h, size_t length, int a)
{
	static atomic_uint sequence;
	h->length = (uint32_t)length;
	h->seq = atomic_fetch_add_explicit(&sequence, 1, memory_order_relaxed);
	h->error = 0;
	h->flags = (uint16_t)(h->flags | (a >= 0 ? RPC_HAVE_FD : 0));
}

int client_start(struct rpc_header *request, size_t length, int a)
{
	int pair[2] = { -1, -1 }, fds[RPC_MAX_FDS];
	size_t count = 0;
	header_fill(request, length, a);
	request->flags = (uint16_t)(request->flags | RPC_HAVE_REPLY);
	/* Before the pair: the connection's own number must not take one of theirs. */
	int connection = client_fd(), error;
	if (connection < 0) {
		return connection;
	}
	long result = sys(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
	if (result < 0) {
		return (int)result;
	}
	if (a >= 0) {
		fds[count++] = a;
	}
	fds[count++] = pair[1];
	error = transmit(connection, request, length, fds, count);
	(void)sys(SYS_close, pair[1]);
	if (error) {
		(void)sys(SYS_close, pair[0]);
		return error;
	}
	return pair[0];
}

int client_verdict(const struct rpc_header *h, long received)
{
	if (received < 0) {
		return (int)received;
	}
	if (received < (long)sizeof *h || h->length != (unsigned long)received) {
		return -ENETDOWN; /* end of file, or not our protocol */
	}
	if (h->error == EBADF) {
		return -ENETDOWN; /* a socket of a service that is gone */
	}
	if (h->error < 0 || h->error > 4095) {
		return -EPROTO;
	}
	return -h->error;
}

/* The least a good reply to `op` has. */
static size_t reply_least(uint16_t op)
{
	switch (op) {
	case RPC_SOCKET:
		return sizeof(struct rpc_socket_reply);
	case RPC_BIND:
	case RPC_NAME:
	case RPC_CONNECT:
		return sizeof(struct rpc_addr_reply);
	case RPC_ROUTE:
		return sizeof(struct rpc_route_reply);
	case RPC_GETOPT:
	case RPC_IOCTL:
		return offsetof(struct rpc_option, value);
	default:
		return sizeof(struct rpc_header);
	}
}

/* A descriptor that came is moved to the number of the reply end: that is the lowest one that was
 * free, which is what socket() must return. */
static int finish(int from, uint16_t op, union client_reply *reply, int *reply_fd)
{
	size_t count = reply_fd ? 1 : 0;
	int fd = -1;
	memset(reply, 0, sizeof *reply);
	timeout_set(from, SO_RCVTIMEO, REPLY_S);
	long n = receive(from, reply, &fd, &count, REPLY_S);
	int error = client_verdict(&reply->h, n);
	if (!error && (size_t)n < reply_least(op)) {
		error = -EPROTO;
	}
	bool has_fd = reply_fd && n >= 0 && count > 0;
	if (!error && has_fd && sys(SYS_dup3, fd, from, *reply_fd) < 0) {
		error = -EMFILE;
	}
	if (has_fd) {
		(void)sys(SYS_close, fd);
	}
	if (error || !has_fd) {
		(void)sys(SYS_close, from);
	}
	if (!error && reply_fd) {
		*reply_fd = has_fd ? from : -1;
	}
	return error;
}

int client_call(struct rpc_header *request, size_t length, int a, union client_reply *reply,
		int *reply_fd)
{
	int from = client_start(request, length, a);
	return from < 0 ? from : finish(from, request->op, reply, reply_fd);
}
