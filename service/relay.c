/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Moving bytes between a program's descriptor and the stack, with back-pressure both ways
 * (spec/intercept.md 3.4, decision S1).
 *
 * How this works
 * Up (program to network): we ask the stack how much fits and read only that from B, so a slow
 * network fills B and the program's write() blocks. Down: the stack lends received bytes, sendmsg()
 * takes what B has room for, and only that is given back to the stack, which opens the TCP window.
 * No byte is kept here; there is one scratch buffer for the whole process.
 *
 * B is edge triggered. `can_read_b` and `can_peek` are our own ready bits: set by events, cleared
 * only when a look found nothing. A socket that used up its turn is queued again behind the others.
 *
 * The pawn: the last byte read is only peeked at. It stays in B as the unread byte that turns
 * close(B) into ECONNRESET for the program. So each read takes the old pawn (sent long ago), new
 * bytes, and a look at the last new one. When the end is orderly the pawn is read first.
 *
 * Ends:
 *   program shut down writing (RDHUP)      FIN after the last byte
 *   program closed (HUP)                   the rest is sent, then an orderly close; a reset if it
 * left bytes unread (a connection that nobody accepted has one, decision 180) or asked for
 *                           SO_LINGER {1, 0}
 *   peer's FIN shutdown(B, WR) after the last byte
 *   stack reports an error                 B is closed over its pawn
 */
#include "service/vsock.h"

#include "service/service.h"
#include "service/vdgram.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	RELAY_TURN_BYTES = 128 << 10,    /* per connection, direction and turn (decision S17) */
	RELAY_SCRATCH_BYTES = 128 << 10, /* in one piece: fewer, larger copies */
	RELAY_IOVECS = 64,
	RELAY_CORK_MS = 200,
};

/* scratch[0] takes the old pawn, the byte after the last is the new one. */
static uint8_t scratch[RELAY_SCRATCH_BYTES + 1];

/* Release the record; the stack has done or will do the rest by itself. */
static void relay_done(struct vsock *s, bool is_active_close)
{
	if (is_active_close) {
		ports_release_time_wait(s->vhost->ports, &s->port, vhost_now(s->vhost));
	}
	vsock_free(s);
}

void relay_reset(struct vsock *s)
{
	vsock_free(s); /* resets the stack's connection and closes B over its pawn */
}

/* ---- up ---- */

/* Read `length` new bytes of B; *out points at them. How many came, 0 if none. */
static size_t up_read(struct vsock *s, size_t length, const uint8_t **out)
{
	if (!s->has_pawn) {
		ssize_t got = recv(s->watch.fd, scratch, length, MSG_DONTWAIT);
		*out = scratch;
		return got > 0 ? (size_t)got : 0;
	}
	ssize_t got = recv(s->watch.fd, scratch, length, MSG_DONTWAIT);
	if (got <= 0) {
		return 0;
	}
	/* The old pawn and got - 1 new bytes came; the next one becomes the new pawn. */
	if (recv(s->watch.fd, scratch + got, 1, MSG_DONTWAIT | MSG_PEEK) != 1) {
		s->has_pawn = false; /* cannot be: FIONREAD counted it */
		got--;
	}
	*out = scratch + 1;
	return (size_t)got;
}

static void up_end(struct vsock *s)
{
	if (!s->is_up_shut) {
		s->is_up_shut = true;
		s->has_closed_first = !s->has_peer_eof;
		vsock_ops(s)->tcp_shutdown_write(s->tcp);
	}
}

/* TCP_CORK: of `fresh` bytes, how many may go now; only whole segments do, but nothing waits longer
 * than 200 ms (as Linux), or beyond the program's end. */
static size_t up_uncorked(struct vsock *s, size_t fresh)
{
	if (!s->opts.cork || s->is_cork_due || s->has_b_eof || s->has_b_hup) {
		return fresh;
	}
	struct stack_tcp_info info = { 0 };
	vsock_ops(s)->tcp_info(s->tcp, &info);
	size_t whole = info.mss ? fresh - fresh % info.mss : fresh;
	if (whole == 0 && s->timer_at == 0) {
		vsock_timer_set(s, vhost_now(s->vhost) + RELAY_CORK_MS);
	}
	return whole;
}

/* One piece. False when there is no more to do now. */
static bool up_step(struct vsock *s, size_t *budget)
{
	const struct stack_ops *ops = vsock_ops(s);
	bool has_ended = s->has_b_eof || s->has_b_hup; /* before asking: then nothing can follow */
	size_t queued = vsock_unread(s);
	size_t fresh = queued - (s->has_pawn && queued > 0);
	if (fresh == 0) {
		s->can_read_b = false;
		if (has_ended) {
			up_end(s);
		}
		return false;
	}
	size_t length = ops->tcp_room(s->tcp);
	fresh = up_uncorked(s, fresh);
	length = length < fresh ? length : fresh;
	length = length < *budget ? length : *budget;
	length = length < RELAY_SCRATCH_BYTES ? length : RELAY_SCRATCH_BYTES;
	if (length == 0) {
		return false; /* `writable`, the next turn or the cork's time goes on */
	}
	const uint8_t *bytes = NULL;
	length = up_read(s, length, &bytes);
	if (length == 0) {
		s->can_read_b = false;
		return false;
	}
	struct iovec iov;
	memcpy(&iov.iov_base, &bytes, sizeof bytes); /* read only; struct iovec has no const */
	iov.iov_len = length;
	int64_t taken = ops->tcp_write(s->tcp, &iov, 1);
	if (taken == -ENOTCONN) { /* reset by the peer; what it sent before is still being read */
		s->can_read_b = false;
		(void)shutdown(s->watch.fd, SHUT_RD); /* EPIPE for the writer */
		return false;
	}
	if (taken != (int64_t)length) {
		relay_reset(s); /* it took less than it promised: bytes would be lost silently */
		return false;
	}
	s->is_cork_due = false;
	vsock_timer_clear(s);
	s->vhost->stats.bytes_in += length;
	*budget -= length;
	return true;
}

/* False if the record is gone. */
static bool relay_up(struct vsock *s)
{
	struct vhost *vhost = s->vhost;
	uint64_t id = s->id;
	size_t budget = RELAY_TURN_BYTES;
	bool has_any = false;
	while (s->can_read_b && !s->is_up_shut && up_step(s, &budget)) {
		has_any = true;
	}
	if (vsock_find(vhost, id) != s) {
		return false;
	}
	if (has_any) {
		vsock_ops(s)->tcp_flush(s->tcp);
	}
	if (budget == 0) {
		vsock_ready(s);
	}
	return true;
}

/* ---- down ---- */

static void down_arm(struct vsock *s, bool is_full)
{
	if (s->is_b_full == is_full) {
		return;
	}
	s->is_b_full = is_full;
	uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET | (is_full ? (uint32_t)EPOLLOUT : 0);
	(void)loop_modify(s->vhost->net->service->loop, &s->watch, events);
}

static size_t iov_trim(struct iovec *iov, int *count, size_t limit)
{
	size_t total = 0;
	for (int i = 0; i < *count; i++) {
		if (iov[i].iov_len >= limit - total) {
			iov[i].iov_len = limit - total;
			*count = i + 1;
			return limit;
		}
		total += iov[i].iov_len;
	}
	return total;
}

/* How many of the lent bytes the program's end takes now; all of them if it does not read. */
static size_t down_send(struct vsock *s, struct iovec *iov, int count, size_t total)
{
	if (s->is_b_write_gone) {
		return total;
	}
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)count };
	ssize_t sent = sendmsg(s->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent >= 0) {
		return (size_t)sent;
	}
	if (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) {
		s->is_b_write_gone = true; /* shutdown(A, SHUT_RD), or closed: HUP comes too */
		return total;
	}
	down_arm(s, true);
	return 0;
}

static void relay_down(struct vsock *s)
{
	const struct stack_ops *ops = vsock_ops(s);
	size_t budget = RELAY_TURN_BYTES;
	while (s->can_peek && budget > 0) {
		struct iovec iov[RELAY_IOVECS];
		int count = ops->tcp_peek(s->tcp, iov, RELAY_IOVECS);
		if (count <= 0) {
			s->can_peek = false;
			break;
		}
		size_t total = iov_trim(iov, &count, budget);
		size_t sent = down_send(s, iov, count, total);
		if (sent == 0) {
			return; /* EPOLLOUT goes on */
		}
		ops->tcp_consumed(s->tcp, sent);
		s->vhost->stats.bytes_out += sent;
		budget -= sent;
	}
	if (s->can_peek) {
		vsock_ready(s);
		return;
	}
	down_arm(s, false);
	if (s->has_peer_eof && !s->is_down_shut) {
		s->is_down_shut = true;
		(void)shutdown(s->watch.fd, SHUT_WR);
	}
}

size_t relay_lend(struct vsock *s)
{
	struct iovec iov[RELAY_IOVECS];
	int count = s->tcp ? vsock_ops(s)->tcp_peek(s->tcp, iov, RELAY_IOVECS) : 0;
	if (count <= 0) {
		return 0;
	}
	size_t total = iov_trim(iov, &count, RELAY_TURN_BYTES);
	return down_send(s, iov, count, total);
}

void relay_received(struct vsock *s)
{
	if (s->state == VSOCK_ESTABLISHED && s->watch.fd >= 0 && !s->has_b_hup) {
		relay_down(s);
	}
}

/* ---- ends ---- */

/* The stack's connection is over: error 0 after both sides' FIN. */
static void relay_stack_end(struct vsock *s)
{
	int error = s->stack_error;
	if (error == 0) {
		vsock_close_b_orderly(s);
		relay_done(s, s->has_closed_first);
		return;
	}
	if (error == ECONNRESET && s->has_peer_eof && s->watch.fd >= 0) {
		/* Linux, in CLOSE_WAIT: the end of file stays, writing is EPIPE. */
		vsock_discard(s, vsock_unread(s));
		vsock_close_b(s);
		relay_done(s, false);
		return;
	}
	if (error == ECONNRESET || s->watch.fd < 0) {
		relay_reset(s);
		return;
	}
	vsock_move(s, VSOCK_FAILED); /* ETIMEDOUT, ...: SOERROR tells what the kernel cannot */
	s->error = error;
	s->is_stale = true;
	vsock_close_b(s);
	ports_release(s->vhost->ports, &s->port);
	vsock_timer_set(s, vhost_now(s->vhost) + VSOCK_FAILED_MS);
}

static bool has_unread_received(struct vsock *s)
{
	int error = 0;
	socklen_t length = sizeof error;
	if (s->has_b_error && getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 &&
	    error == ECONNRESET) {
		return true; /* in the program's end */
	}
	struct iovec iov;
	return !s->is_b_write_gone &&
	       vsock_ops(s)->tcp_peek(s->tcp, &iov, 1) > 0; /* or before it */
}

/* The program closed its last descriptor. */
static void relay_hup(struct vsock *s)
{
	bool wants_reset = s->opts.is_lingering && s->opts.linger_s == 0;
	if (wants_reset || has_unread_received(s)) {
		relay_reset(s);
		return;
	}
	if (s->has_pawn) {
		vsock_discard(s, 1);
		s->has_pawn = false;
	}
	s->can_read_b = true;
	if (s->is_up_shut || (relay_up(s) && s->is_up_shut)) {
		struct stack_tcp *tcp = s->tcp;
		s->tcp = NULL;
		vsock_ops(s)->tcp_close(tcp);
		relay_done(s, s->has_closed_first);
	}
}

static void relay_connection(struct vsock *s)
{
	if (s->is_deferred && !s->tcp) {
		vsock_free(s); /* reset before anybody saw it */
		return;
	}
	if (s->is_waiting_record) {
		return; /* bytes and errors wait with it */
	}
	if (!s->tcp) {
		relay_stack_end(s);
		return;
	}
	if (s->has_b_hup) {
		relay_hup(s);
		return;
	}
	relay_down(s);
	if (!relay_up(s) || !s->is_up_shut || !s->is_down_shut) {
		return;
	}
	/* Both directions have ended: what is left is between the stack and the peer. */
	struct stack_tcp *tcp = s->tcp;
	s->tcp = NULL;
	vsock_ops(s)->tcp_close(tcp);
	vsock_close_b_orderly(s);
	relay_done(s, s->has_closed_first);
}

void relay_turn(struct vsock *s)
{
	if (s->dgram) {
		vdgram_turn(s);
		return;
	}
	if (s->is_shortcut) {
		return; /* not between us and anybody */
	}
	if (s->has_b_hup && s->state != VSOCK_ESTABLISHED) {
		vsock_free(s);
		return;
	}
	if (s->state == VSOCK_CONNECTING && s->has_stack_end) {
		vsock_failed(s, s->stack_error ? s->stack_error : ECONNREFUSED);
		return;
	}
	if (s->state == VSOCK_ESTABLISHED) {
		relay_connection(s);
	} else if (s->state == VSOCK_LISTEN) {
		vsock_discard(s, vsock_unread(s)); /* a program that writes to its listener */
		vsock_top_up(s);
	}
}
