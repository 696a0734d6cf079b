/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* connect() (spec/intercept.md 3.3).
 *
 * How this works: a non-blocking connect fills A first, so that poll() answers as for a TCP socket
 * in SYN_SENT, then asks the service, which drains the fill when the connection is there or closes
 * B without draining when it failed. A blocking connect asks the service to answer only when it
 * knows, and waits for that answer in one cancellation point; a signal or SO_SNDTIMEO turns it into
 * a non-blocking one (DETACH). A socket whose attempt failed is spent, because its B is closed: the
 * next attempt lays a fresh A over it.
 */
#include "intercept/dgram.h"
#include "intercept/hint.h"
#include "intercept/host.h"
#include "intercept/intercept.h"
#include "intercept/netlink.h"

#include "rpc/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/time.h>

static bool is_nonblocking(int fd)
{
	long flags = sys(SYS_fcntl, fd, F_GETFL);
	return flags >= 0 && (flags & O_NONBLOCK);
}

static void send_timeout(int fd, struct timeval *out)
{
	socklen_t length = sizeof *out;
	*out = (struct timeval){ 0, 0 };
	(void)sys(SYS_getsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, out, &length);
}

static bool is_loopback(const struct rpc_addr *addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t one[16] = { [15] = 1 };
	return memcmp(addr->addr, mapped, sizeof mapped) == 0
		   ? addr->addr[12] == 127
		   : memcmp(addr->addr, one, sizeof one) == 0;
}

static int connect_nonblocking(int fd, struct rpc_connect *m)
{
	union client_reply reply;
	if (is_loopback(&m->addr)) { /* done at once; if not, the service fills A */
		return client_call(&m->h, sizeof *m, fd, &reply, NULL);
	}
	/* First make sure that there is somebody to ask: a fill without an answer stays. */
	int error = client_fd();
	if (error < 0) {
		return error;
	}
	int events = ident_poll(fd);
	m->prefill = (events & POLLOUT) && !(events & POLLHUP) ? rpc_prefill(fd) : 0;
	return client_call(&m->h, sizeof *m, fd, &reply, NULL);
}

static void close_quietly(void *fd)
{
	(void)sys(SYS_close, *(int *)fd);
}

/* Wait for the answer to a CONNECT that waits. Takes `from`. -EINTR and -EAGAIN as the kernel says
 * for this descriptor, which is what it would say for a connect(). */
static int connect_wait(int from, union client_reply *reply)
{
	long n;
	pthread_cleanup_push(close_quietly, &from);
	n = real.recv(from, reply, sizeof *reply, 0);
	n = n < 0 ? -errno : n;
	pthread_cleanup_pop(1);
	if (n == -EINTR || n == -EAGAIN) {
		return (int)n;
	}
	return client_verdict(&reply->h, n);
}

static int connect_detach(int fd, int interrupted)
{
	union client_reply reply;
	struct rpc_detach m = { .h = { .op = RPC_DETACH } };
	int error = client_call(&m.h, sizeof m, fd, &reply, NULL);
	if (error != -EINPROGRESS) {
		return error;
	}
	hint_set(fd, HINT_PENDING);
	return interrupted == -EINTR ? -EINTR : -EINPROGRESS;
}

/* A blocking connect() on a socket that is connecting already waits with it. */
static int connect_join(int fd, const struct timeval *timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct timespec limit = { timeout->tv_sec, timeout->tv_usec * 1000 };
	bool has_limit = limit.tv_sec != 0 || limit.tv_nsec != 0;
	struct who who;
	long n = sys(SYS_ppoll, &p, 1, has_limit ? &limit : 0, 0, 0);
	if (n < 0) {
		return (int)n;
	}
	if (n == 0) {
		return -EALREADY;
	}
	if (ident_who(fd, &who) && who.state == WHO_CONNECTED) {
		return 0;
	}
	int error = opt_take_error(fd);
	return error > 0 ? -error : -ECONNABORTED;
}

static int connect_blocking(int fd, struct rpc_connect *m)
{
	union client_reply reply = { .h = { .length = 0 } };
	struct timeval timeout;
	send_timeout(fd, &timeout);
	m->prefill = 0;
	m->h.flags = RPC_WAIT;
	int from = client_start(&m->h, sizeof *m, fd);
	if (from < 0) {
		return from;
	}
	if (timeout.tv_sec != 0 || timeout.tv_usec != 0) {
		(void)sys(SYS_setsockopt, from, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	}
	int error = connect_wait(from, &reply);
	if (error == -EINTR || error == -EAGAIN) {
		return connect_detach(fd, error);
	}
	return error == -EALREADY ? connect_join(fd, &timeout) : error;
}

/* connect(AF_UNSPEC): back to a socket that was never connected. */
static int disconnect(int fd, const struct who *who)
{
	if (who->state == WHO_UNNAMED && (ident_poll(fd) & (POLLOUT | POLLHUP)) == POLLOUT) {
		return 0;
	}
	struct linger before = { 0, 0 };
	if (who->state == WHO_CONNECTED) {
		/* The peer learns of it by a reset. */
		struct linger now = { .l_onoff = 1, .l_linger = 0 };
		socklen_t length = sizeof before;
		(void)sys(SYS_getsockopt, fd, SOL_SOCKET, SO_LINGER, &before, &length);
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	}
	int error = sock_replace(fd, who);
	if (!error && who->state == WHO_CONNECTED) {
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &before, sizeof before);
	}
	return error;
}

/* What the state alone decides. 1 = go on. */
static int connect_state(int fd, const struct who *who, const struct sockaddr *sa, socklen_t length)
{
	if (length < sizeof sa->sa_family || length > sizeof(struct sockaddr_storage)) {
		return -EINVAL;
	}
	if (!addr_readable(sa, length)) {
		return -EFAULT;
	}
	if (sa->sa_family == AF_UNSPEC) {
		return disconnect(fd, who);
	}
	if (who->state == WHO_CONNECTED && hint_get(fd) == HINT_PENDING) {
		hint_set(fd, HINT_CONNECTED);
		return 0; /* Linux: the first connect() after EINPROGRESS reports success */
	}
	return who->state == WHO_UNNAMED ? 1 : -EISCONN;
}

/* connect() reported the error: SO_ERROR must not do it again. The kernel's own is taken away. */
static void error_reported(int fd)
{
	int error;
	socklen_t length = sizeof error;
	(void)sys(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &length);
}

int conn_connect(int fd, const struct who *who, const struct sockaddr *sa, socklen_t length)
{
	struct rpc_connect m = { .h = { .op = RPC_CONNECT } };
	if (who->kind != RPC_KIND_STREAM) {
		return dgram_connect(fd, who, sa, length);
	}
	int error = connect_state(fd, who, sa, length);
	if (error <= 0) {
		return error;
	}
	error = addr_in(who->family, sa, length, &m.addr);
	if (error == 0 && unlikely(host_is_possible)) {
		int taken = host_take(fd, who, &m.addr);
		if (taken != 0) {
			return taken < 0 ? taken : host_connect(fd, sa, length);
		}
	}
	if (error) {
		return error;
	}
	bool nonblocking = is_nonblocking(fd);
	error = nonblocking ? connect_nonblocking(fd, &m) : connect_blocking(fd, &m);
	if (error == -ESTALE) {
		error = sock_replace(fd, who);
		m.h.flags = 0;
		if (!error) {
			error =
			    nonblocking ? connect_nonblocking(fd, &m) : connect_blocking(fd, &m);
		}
	}
	if (!error) {
		hint_set(fd, HINT_CONNECTED);
	} else if (error == -EINPROGRESS) {
		hint_set(fd, HINT_PENDING);
	} else if (error != -EALREADY && error != -EINTR) {
		error_reported(fd);
		debug_failure("connect to", fd, -error, &m.addr);
	}
	return error;
}

EXPORT int connect(int fd, const struct sockaddr *sa, socklen_t length)
{
	if (!on()) {
		return real.connect(fd, sa, length);
	}
	if (netlink_hinted(fd)) {
		return done("connect", fd, netlink_connect(fd, sa, length));
	}
	struct who who;
	if (!ident_hinted(fd, &who)) {
		int result = real.connect(fd, sa, length);
		if (result == 0 || errno != EINVAL || !ident_who(fd, &who)) {
			return native("connect", fd, result);
		}
	}
	return done("connect", fd, conn_connect(fd, &who, sa, length));
}

ALIAS(__connect, connect);
