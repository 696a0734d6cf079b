/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Receiving datagrams (dgram.h).
 *
 * How this works: one recvmsg() takes header, payload, B's name and what the kernel says of the
 * message. The name, which costs nothing extra, tells three things: the id that a header must
 * begin with, the peer of a message without one, and, by being there, an empty datagram from the
 * end of file. The header's place is kept free in front of the program's buffers, or behind them if
 * none is expected.
 *
 * A message of no bytes with a descriptor is an error report: the service is asked which, once.
 */
#include "intercept/dgram.h"
#include "intercept/netlink.h"

#include "rpc/sys.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

enum {
	IOV_LIMIT = 1024,
	IOV_FEW = 8,
	CONTROL_BYTES = 256,
	FLAGS_PASSED = MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL,
};

/* One message as the kernel delivered it. */
struct taken {
	struct rpc_dgram spill; /* the header's place */
	struct sockaddr_un name;
	union {
		struct cmsghdr header;
		char bytes[CONTROL_BYTES];
	} control;
	struct msghdr m;
	bool is_head_first; /* where the place is */
	bool has_head;
	size_t length;         /* of the payload, all of it */
	struct rpc_ident peer; /* B's name, if it has one */
	bool has_peer;
};

/* ---- bytes across iovecs ---- */

/* Copy up to `length` bytes between `bytes` and position `at` of the buffers. */
static void iov_copy(const struct iovec *iov, size_t count, size_t at, uint8_t *bytes,
		     size_t length, bool is_out)
{
	for (size_t i = 0; i < count && length > 0; i++) {
		if (at >= iov[i].iov_len) {
			at -= iov[i].iov_len;
			continue;
		}
		size_t n = iov[i].iov_len - at < length ? iov[i].iov_len - at : length;
		uint8_t *place = (uint8_t *)iov[i].iov_base + at;
		memcpy(is_out ? place : bytes, is_out ? bytes : place, n);
		bytes += n;
		length -= n;
		at = 0;
	}
}

static size_t iov_room(const struct iovec *iov, size_t count)
{
	size_t room = 0;
	for (size_t i = 0; i < count; i++) {
		room += iov[i].iov_len;
	}
	return room;
}

/* A header lies at the front of the program's buffers: take it out and move the rest down. The
 * last bytes are in the spill. */
static void head_take_out(struct taken *t, const struct iovec *iov, size_t count, size_t room,
			  struct rpc_dgram *head)
{
	enum { STEP = RPC_DGRAM_BYTES };
	uint8_t piece[STEP];
	size_t total = room + STEP < t->length + STEP ? room + STEP : t->length + STEP;
	for (size_t at = STEP; at < total; at += STEP) {
		size_t n = total - at < STEP ? total - at : STEP;
		size_t inside = at >= room ? 0 : room - at < n ? room - at : n;
		iov_copy(iov, count, at, piece, inside, false);
		if (inside < n) {
			memcpy(piece + inside, (const uint8_t *)&t->spill + (at + inside - room),
			       n - inside);
		}
		iov_copy(iov, count, at - STEP, piece, n, true);
	}
	t->spill = *head;
}

/* There was no header: what lies in its place is the payload's beginning. */
static void head_put_back(const struct taken *t, const struct iovec *iov, size_t count, size_t room)
{
	enum { STEP = RPC_DGRAM_BYTES };
	uint8_t piece[STEP];
	size_t end = t->length < room ? t->length : room;
	for (size_t at = end; at > STEP;) { /* from the back, so that nothing is overwritten */
		size_t n = at - STEP < STEP ? at - STEP : STEP;
		at -= n;
		iov_copy(iov, count, at - STEP, piece, n, false);
		iov_copy(iov, count, at, piece, n, true);
	}
	uint8_t first[STEP];
	memcpy(first, &t->spill, STEP);
	iov_copy(iov, count, 0, first, end < STEP ? end : STEP, true);
}

/* ---- one message ---- */

/* Close the descriptor of an error report. False: it is none. */
static bool is_report(struct msghdr *m)
{
	bool found = false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		    c->cmsg_len >= CMSG_LEN(sizeof(int))) {
			int fd;
			memcpy(&fd, CMSG_DATA(c), sizeof fd);
			(void)sys(SYS_close, fd);
			found = true;
		}
	}
	/* Without a number left for it the descriptor is lost, and the report still one. */
	return found || (m->msg_flags & MSG_CTRUNC) != 0;
}

static void name_read(struct taken *t)
{
	enum { HEAD = offsetof(struct sockaddr_un, sun_path) };
	t->has_peer = t->m.msg_namelen > HEAD && rpc_ident_read((const uint8_t *)t->name.sun_path,
								t->m.msg_namelen - HEAD, &t->peer);
}

/* The first bytes of the message, wherever they lie. */
static void front_read(const struct taken *t, const struct iovec *iov, size_t count,
		       struct rpc_dgram *out)
{
	if (t->is_head_first) {
		*out = t->spill;
		return;
	}
	uint8_t bytes[RPC_DGRAM_BYTES] = { 0 };
	size_t room = iov_room(iov, count);
	size_t inside = room < sizeof bytes ? room : sizeof bytes;
	iov_copy(iov, count, 0, bytes, inside, false);
	memcpy(bytes + inside, &t->spill, sizeof bytes - inside);
	memcpy(out, bytes, sizeof *out);
}

/* `n` bytes came. Sort out what they are; the payload ends up in the program's buffers. */
static void message_sort(struct taken *t, size_t n, const struct iovec *iov, size_t count)
{
	struct rpc_dgram front, head;
	size_t room = iov_room(iov, count);
	front_read(t, iov, count, &front);
	/* An unnamed B never sends without a header, so there the id need not be known. */
	uint64_t id = t->has_peer ? t->peer.id : front.id;
	t->has_head = rpc_dgram_read(&front, n < sizeof front ? n : sizeof front, id, &head);
	t->length = t->has_head ? n - RPC_DGRAM_BYTES : n;
	if (t->has_head && !t->is_head_first) {
		head_take_out(t, iov, count, room, &head);
	} else if (t->has_head) {
		t->spill = head;
	} else if (t->is_head_first) {
		head_put_back(t, iov, count, room);
	}
}

/* End of file: the program's own shutdown(), or the end of the service. */
static ssize_t at_end(int fd)
{
	bool is_gone = (ident_poll(fd) & POLLHUP) && hint_get(fd) != HINT_DGRAM_SHUT;
	return is_gone ? -ENETDOWN : 0;
}

/* The error that the service reports. 0 = it was told already, look at the next message. */
static int report_read(int fd, struct taken *t, int flags)
{
	if (flags & MSG_PEEK) { /* it was only looked at: take it */
		char none;
		struct iovec iov = { &none, 0 };
		struct msghdr m = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = &t->control,
				    .msg_controllen = sizeof t->control };
		if (sys(SYS_recvmsg, fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) == 0) {
			(void)is_report(&m);
		}
	}
	int error = opt_take_error(fd);
	return error > 0 ? -error : 0;
}

/* Take one message into the program's buffers; `iov` has one place more than they are. 1 = taken,
 * 0 = end of file, -errno. */
static int take(int fd, struct taken *t, const struct msghdr *user, int flags, struct iovec *iov)
{
	size_t count = user->msg_iovlen;
	for (;;) {
		t->is_head_first = hint_get(fd) != HINT_DGRAM_CONNECTED;
		if (count > 0) {
			memcpy(iov + t->is_head_first, user->msg_iov, count * sizeof *iov);
		}
		iov[t->is_head_first ? 0 : count] =
		    (struct iovec){ .iov_base = &t->spill, .iov_len = sizeof t->spill };
		t->m = (struct msghdr){ .msg_name = &t->name,
					.msg_namelen = sizeof t->name,
					.msg_iov = iov,
					.msg_iovlen = count + 1,
					.msg_control = &t->control,
					.msg_controllen = sizeof t->control };
		ssize_t n =
		    real.recvmsg(fd, &t->m, (flags & FLAGS_PASSED) | MSG_TRUNC | MSG_CMSG_CLOEXEC);
		if (n < 0) {
			return errno == ECONNRESET ? -ENETDOWN : -errno;
		}
		if (n == 0 && is_report(&t->m)) {
			int error = report_read(fd, t, flags);
			if (error) {
				return error;
			}
			continue;
		}
		name_read(t);
		if (n == 0 && !t->has_peer) {
			return 0;
		}
		message_sort(t, (size_t)n, user->msg_iov, count);
		return 1;
	}
}

/* ---- for the program ---- */

/* The sender. */
static int name_out(const struct taken *t, struct msghdr *m)
{
	const struct rpc_addr *from = t->has_head ? &t->spill.peer : &t->peer.remote;
	return m->msg_name ? addr_out(from, m->msg_name, &m->msg_namelen) : 0;
}

static ssize_t recv_with(int fd, struct msghdr *m, int flags, struct iovec *iov)
{
	struct taken t;
	size_t room = iov_room(m->msg_iov, m->msg_iovlen), control_room = m->msg_controllen;
	int got = take(fd, &t, m, flags, iov);
	if (got < 0) {
		return got;
	}
	m->msg_flags = 0;
	m->msg_controllen = 0;
	if (got == 0) {
		m->msg_namelen = 0;
		return at_end(fd);
	}
	if (t.has_head && hint_get(fd) == HINT_DGRAM_CONNECTED) {
		hint_set(fd, HINT_DGRAM); /* more of them will come */
	}
	int error = name_out(&t, m);
	if (error) {
		return error;
	}
	dgram_control_out(m, control_room, t.has_head ? &t.spill : NULL, &t.m);
	if (t.length > room) {
		m->msg_flags |= MSG_TRUNC;
	}
	return (ssize_t)(t.length > room && !(flags & MSG_TRUNC) ? room : t.length);
}

static ssize_t __attribute__((noinline)) recv_with_many(int fd, struct msghdr *m, int flags)
{
	struct iovec iov[IOV_LIMIT];
	return m->msg_iovlen >= IOV_LIMIT ? -EMSGSIZE : recv_with(fd, m, flags, iov);
}

ssize_t dgram_recvmsg(int fd, struct msghdr *m, int flags)
{
	struct iovec few[IOV_FEW];
	if (unlikely(hint_get(fd) == HINT_NETLINK)) {
		return netlink_recvmsg(fd, m, flags);
	}
	if (unlikely(flags & MSG_ERRQUEUE)) {
		return -EAGAIN; /* errors are told by the calls themselves */
	}
	if (flags & MSG_OOB) {
		return -EOPNOTSUPP;
	}
	return m->msg_iovlen < IOV_FEW ? recv_with(fd, m, flags, few)
				       : recv_with_many(fd, m, flags);
}

static bool is_over(const struct timespec *until)
{
	struct timespec now = { 0, 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > until->tv_sec ||
	       (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec);
}

/* As the kernel does it: the timeout is looked at after each datagram. */
int dgram_recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags, struct timespec *timeout)
{
	struct timespec until = { 0, 0 };
	unsigned i = 0;
	if (timeout) {
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += timeout->tv_sec;
		until.tv_nsec += timeout->tv_nsec;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
	}
	count = count > IOV_LIMIT ? IOV_LIMIT : count;
	for (; i < count; i++) {
		ssize_t n = dgram_recvmsg(fd, &m[i].msg_hdr, flags & ~MSG_WAITFORONE);
		if (n < 0) {
			return i > 0 ? (int)i : (int)n;
		}
		m[i].msg_len = (unsigned)n;
		if (flags & MSG_WAITFORONE) {
			flags |= MSG_DONTWAIT;
		}
		if (timeout && is_over(&until)) {
			return (int)i + 1;
		}
	}
	return (int)i;
}

int dgram_next_size(int fd)
{
	struct msghdr m = { .msg_iovlen = 0 };
	ssize_t n = dgram_recvmsg(fd, &m, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	return n < 0 ? 0 : (int)n;
}
