/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/tcprelay.h"

#include "core/endpoint.h"
#include "service/log.h"
#include "service/service.h"
#include "service/tcpframe.h"
#include "service/udp_socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	IN_BYTES = 64 * 1024, /* several messages a read, and the largest one in any case */
	BATCH = 64,           /* datagrams handed on at once */
	DEAD_MS = 30000,      /* unacknowledged by the relay's host */
};

enum state { STATE_CLOSED, STATE_CONNECTING, STATE_OPEN };

struct tcprelay {
	struct service *service;
	struct watch watch;
	enum state state;
	struct tcprelay_times times;
	struct zt_endpoint to; /* connected to, or trying */
	int64_t give_up_ms;    /* while connecting */
	int64_t retry_ms;      /* not before that */
	int64_t pause_ms;      /* after the next failure */
	bool has_heard;        /* a message came on this connection */
	size_t in_used;
	size_t out_start, out_end;
	struct tcprelay_stats stats;
	uint8_t in[IN_BYTES];
	uint8_t out[TCPRELAY_QUEUE_BYTES];
};

/* ---- the rule ------------------------------------------------------------------------------- */

bool tcprelay_is_wanted(const struct settings *settings, const struct tcprelay_times *times,
			int64_t now_ms)
{
	if (settings->tcp_relay.family == 0) {
		return false;
	}
	return settings->force_tcp_relay ||
	       (settings->allow_tcp_relay && times->first_send_ms != INT64_MAX &&
		now_ms - times->first_send_ms >= TCPRELAY_SILENCE_MS);
}

static bool is_forced(const struct settings *settings)
{
	return settings->tcp_relay.family != 0 && settings->force_tcp_relay;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct tcprelay *tcprelay_new(struct service *service)
{
	struct tcprelay *relay = calloc(1, sizeof *relay);
	if (relay) {
		relay->service = service;
		relay->watch = (struct watch){ .fd = -1, .kind = WATCH_TCP_RELAY };
		relay->times.first_send_ms = INT64_MAX;
		relay->pause_ms = TCPRELAY_RETRY_MIN_MS;
		relay->retry_ms = INT64_MIN;
	}
	return relay;
}

/* The next connection is another address to the world. */
static void disconnect(struct tcprelay *relay)
{
	if (relay->state == STATE_OPEN && relay->service->node) {
		zt_socket_gone(relay->service->node, ZT_SOCKET_RELAY);
	}
	if (relay->watch.fd >= 0) {
		loop_remove(relay->service->loop, &relay->watch);
		(void)close(relay->watch.fd);
		relay->watch.fd = -1;
	}
	relay->state = STATE_CLOSED;
	relay->in_used = relay->out_start = relay->out_end = 0;
}

void tcprelay_free(struct tcprelay *relay)
{
	if (relay) {
		disconnect(relay);
		free(relay);
	}
}

/* The connection broke or was not made: again after a pause. */
static void fail(struct tcprelay *relay, const char *why)
{
	char text[ENDPOINT_TEXT_MAX];
	int64_t now_ms = loop_now(relay->service->loop).mono_ms;
	log_warn("tcprelay", "%s relay=%s again_in_s=%lld", why, endpoint_text(&relay->to, text),
		 (long long)relay->pause_ms / 1000);
	relay->stats.failures++;
	relay->retry_ms = now_ms + relay->pause_ms;
	relay->pause_ms = relay->pause_ms * 2 < TCPRELAY_RETRY_MAX_MS ? relay->pause_ms * 2
								      : TCPRELAY_RETRY_MAX_MS;
	disconnect(relay);
}

static void option_set(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof value); /* better with, works without */
}

static int socket_connect(const struct zt_endpoint *to)
{
	struct sockaddr_storage name;
	socklen_t length = udp_sockaddr(to, &name);
	int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	option_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_MS);
	option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (connect(fd, (struct sockaddr *)&name, length) != 0 && errno != EINPROGRESS) {
		int error = -errno;
		(void)close(fd);
		return error;
	}
	return fd;
}

static void start(struct tcprelay *relay, int64_t now_ms)
{
	relay->to = relay->service->settings.tcp_relay;
	int fd = socket_connect(&relay->to);
	if (fd < 0) {
		fail(relay, strerror(-fd));
		return;
	}
	relay->watch.fd = fd;
	relay->state = STATE_CONNECTING;
	relay->give_up_ms = now_ms + TCPRELAY_CONNECT_MS;
	if (loop_add(relay->service->loop, &relay->watch, EPOLLOUT) != 0) {
		relay->watch.fd = -1;
		(void)close(fd);
		fail(relay, "cannot watch the connection");
	}
}

/* ---- writing -------------------------------------------------------------------------------- */

static void flush(struct tcprelay *relay)
{
	while (relay->state == STATE_OPEN && relay->out_start < relay->out_end) {
		ssize_t n = send(relay->watch.fd, relay->out + relay->out_start,
				 relay->out_end - relay->out_start, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			break;
		}
		if (n <= 0) {
			fail(relay, n < 0 ? strerror(errno) : "closed");
			return;
		}
		relay->stats.bytes_out += (uint64_t)n;
		relay->out_start += (size_t)n;
	}
	if (relay->state != STATE_OPEN) {
		return;
	}
	uint32_t events = EPOLLIN | (relay->out_start < relay->out_end ? EPOLLOUT : 0);
	if (events != relay->watch.events) {
		(void)loop_modify(relay->service->loop, &relay->watch, events);
	}
}

/* Whole messages only. */
static void enqueue(struct tcprelay *relay, const struct zt_endpoint *to, const uint8_t *bytes,
		    size_t length)
{
	uint8_t head[TCPFRAME_HEAD_MAX_BYTES];
	size_t head_length = tcpframe_head(to, length, head);
	if (relay->out_start > 0 && relay->out_end + head_length + length > TCPRELAY_QUEUE_BYTES) {
		memmove(relay->out, relay->out + relay->out_start,
			relay->out_end - relay->out_start);
		relay->out_end -= relay->out_start;
		relay->out_start = 0;
	}
	if (relay->out_end + head_length + length > TCPRELAY_QUEUE_BYTES) {
		relay->stats.dropped++;
		return;
	}
	memcpy(relay->out + relay->out_end, head, head_length);
	memcpy(relay->out + relay->out_end + head_length, bytes, length);
	relay->out_end += head_length + length;
	relay->stats.packets_out++;
}

bool tcprelay_send(struct tcprelay *relay, const uint8_t *bytes, const struct zt_tx *tx,
		   size_t count)
{
	if (!relay || relay->service->settings.tcp_relay.family == 0) {
		return false;
	}
	bool is_alone = is_forced(&relay->service->settings);
	for (size_t i = 0; i < count; i++) {
		bool is_global = endpoint_scope(&tx[i].to) == SCOPE_GLOBAL;
		if (is_global && tx[i].to.family == 4 && relay->times.first_send_ms == INT64_MAX) {
			relay->times.first_send_ms = loop_now(relay->service->loop).mono_ms;
		}
		/* A datagram with a short life only opens a NAT on the way of UDP. */
		if (relay->state == STATE_OPEN && tx[i].ttl == 0 && (is_global || is_alone)) {
			enqueue(relay, &tx[i].to, bytes + tx[i].offset, tx[i].length);
		}
	}
	return is_alone;
}

/* ---- reading -------------------------------------------------------------------------------- */

bool tcprelay_heard_udp(struct tcprelay *relay, const struct zt_datagram *datagrams, size_t count)
{
	if (!relay || relay->service->settings.tcp_relay.family == 0) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (endpoint_scope(&datagrams[i].from) == SCOPE_GLOBAL) {
			relay->times.first_send_ms = INT64_MAX;
		}
	}
	return is_forced(&relay->service->settings);
}

/* Hand on what is complete, keep the rest. False: the connection is gone. */
static bool consume(struct tcprelay *relay)
{
	struct zt_datagram batch[BATCH];
	size_t at = 0, count = 0, used = 0;
	struct zt_now now = loop_now(relay->service->loop);
	for (;;) {
		enum tcpframe_kind kind =
		    tcpframe_next(relay->in + at, relay->in_used - at, &used, &batch[count]);
		if (kind == TCPFRAME_MORE || kind == TCPFRAME_BAD) {
			zt_recv(relay->service->node, now, batch, count);
			relay->in_used -= at;
			memmove(relay->in, relay->in + at, relay->in_used);
			if (kind == TCPFRAME_BAD) {
				fail(relay, "what answers is no ZeroTier TCP relay");
			}
			return kind != TCPFRAME_BAD;
		}
		at += used;
		relay->has_heard = true;
		relay->stats.packets_in += kind == TCPFRAME_PACKET;
		relay->stats.ignored += kind == TCPFRAME_IGNORED && used != TCPFRAME_GREETING_BYTES;
		count += kind == TCPFRAME_PACKET;
		if (count == BATCH) {
			zt_recv(relay->service->node, now, batch, count);
			count = 0;
		}
	}
}

static void receive(struct tcprelay *relay)
{
	ssize_t n = recv(relay->watch.fd, relay->in + relay->in_used, IN_BYTES - relay->in_used,
			 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		fail(relay, n < 0 ? strerror(errno) : "the relay closed the connection");
		return;
	}
	relay->stats.bytes_in += (uint64_t)n;
	relay->in_used += (size_t)n;
	if (consume(relay) && relay->has_heard) {
		relay->pause_ms = TCPRELAY_RETRY_MIN_MS;
	}
}

static void connected(struct tcprelay *relay)
{
	int error = 0;
	socklen_t length = sizeof error;
	char text[ENDPOINT_TEXT_MAX];
	if (getsockopt(relay->watch.fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) {
		fail(relay, strerror(error != 0 ? error : errno));
		return;
	}
	log_info("tcprelay", "%s relay=%s",
		 is_forced(&relay->service->settings)
		     ? "packets go through the TCP relay alone"
		     : "UDP is not answered: packets go through the TCP relay as well",
		 endpoint_text(&relay->to, text));
	relay->state = STATE_OPEN;
	relay->has_heard = false;
	relay->stats.connects++;
	tcpframe_greeting(relay->out);
	relay->out_end = TCPFRAME_GREETING_BYTES;
	flush(relay);
}

void tcprelay_on_ready(struct watch *w, uint32_t events)
{
	struct tcprelay *relay = (struct tcprelay *)((char *)w - offsetof(struct tcprelay, watch));
	if (relay->state == STATE_CONNECTING) {
		connected(relay);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		receive(relay);
	}
	flush(relay);
}

/* ---- what is due ---------------------------------------------------------------------------- */

void tcprelay_advance(struct tcprelay *relay, int64_t now_ms)
{
	if (!relay) {
		return;
	}
	const struct settings *settings = &relay->service->settings;
	bool is_wanted = tcprelay_is_wanted(settings, &relay->times, now_ms);
	if (relay->state != STATE_CLOSED &&
	    (!is_wanted || !endpoint_equal(&relay->to, &settings->tcp_relay))) {
		log_info("tcprelay", "closed: %s",
			 is_wanted ? "another relay is named now" : "UDP is enough");
		disconnect(relay);
		relay->retry_ms = INT64_MIN;
	}
	if (relay->state == STATE_CONNECTING && now_ms >= relay->give_up_ms) {
		fail(relay, "no answer");
	}
	if (relay->state == STATE_CLOSED && is_wanted && now_ms >= relay->retry_ms) {
		start(relay, now_ms);
	}
	flush(relay);
}

int64_t tcprelay_deadline(const struct tcprelay *relay)
{
	if (!relay) {
		return INT64_MAX;
	}
	const struct settings *settings = &relay->service->settings;
	if (relay->state == STATE_CONNECTING) {
		return relay->give_up_ms;
	}
	if (relay->state == STATE_OPEN || settings->tcp_relay.family == 0) {
		return INT64_MAX;
	}
	if (settings->force_tcp_relay) {
		return relay->retry_ms;
	}
	if (!settings->allow_tcp_relay || relay->times.first_send_ms == INT64_MAX) {
		return INT64_MAX;
	}
	int64_t wanted_ms = relay->times.first_send_ms + TCPRELAY_SILENCE_MS;
	return wanted_ms > relay->retry_ms ? wanted_ms : relay->retry_ms;
}

bool tcprelay_is_active(const struct tcprelay *relay)
{
	return relay && relay->state == STATE_OPEN;
}

const struct tcprelay_stats *tcprelay_stats(const struct tcprelay *relay)
{
	static const struct tcprelay_stats none;
	return relay ? &relay->stats : &none;
}
