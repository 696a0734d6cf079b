/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works (the predecessor's side; handover.h has the picture)
 * Up to HELLO all goes by events, while programs are served as ever. With HELLO the turn is
 * finished and then, without returning to the loop, everything is written down and sent. From there
 * to GO nobody serves the programs: bytes wait in the kernel's sockets and datagrams in those of
 * the node, which both processes hold, so nothing is lost. If the successor does not get READY in
 * PAUSE_MAX_MS, it is abandoned, and the loop goes on as if nothing had been.
 *
 * After GO nothing may be touched that is the successor's now. What is left is ours alone: the
 * answers to those who ask over HTTP, and resets to the peers of connections that a stack of
 * another ABI cannot take.
 */
#include "service/handover.h"

#include "service/ctl.h"
#include "service/handover_vhost.h"
#include "service/hold.h"
#include "service/home.h"
#include "service/http.h"
#include "service/log.h"
#include "service/net.h"
#include "service/node.h"
#include "service/service.h"
#include "service/supervisor.h"
#include "service/udp_socket.h"
#include "service/vsock.h"
#include "service/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	START_MAX_MS = 20000, /* from SPAWN to HELLO: reads files, checks our identity */
	PAUSE_MAX_MS = 5000,  /* from HELLO to READY: programs wait */
	ANSWER_ROUNDS = 8,    /* of libmicrohttpd, for the answers */
};

struct handover {
	struct service *service;
	enum handover_stage stage;
	struct watch supervisor, successor;
	int64_t deadline_ms;
	uint64_t stack_abi;
	pid_t pid;
	char version[HANDOVER_TEXT_BYTES];
	bool is_result_wanted, has_result, is_result_ok;
	char result[2 * HANDOVER_TEXT_BYTES];
};

int handover_new(struct service *service, struct handover **out)
{
	struct handover *h = calloc(1, sizeof *h);
	if (!h) {
		return -ENOMEM;
	}
	h->service = service;
	h->successor = (struct watch){ .fd = -1, .kind = WATCH_SUCCESSOR };
	h->supervisor = (struct watch){ .fd = service->supervisor_fd, .kind = WATCH_SUPERVISOR };
	h->deadline_ms = INT64_MAX;
	*out = h;
	return h->supervisor.fd < 0 ? 0 : loop_add(service->loop, &h->supervisor, EPOLLIN);
}

void handover_free(struct handover *h)
{
	if (!h) {
		return;
	}
	struct watch *watches[] = { &h->supervisor, &h->successor };
	for (size_t i = 0; i < 2; i++) {
		if (watches[i]->fd >= 0) {
			loop_remove(h->service->loop, watches[i]);
			(void)close(watches[i]->fd);
		}
	}
	free(h);
}

enum handover_stage handover_stage(const struct handover *h)
{
	return h->stage;
}

/* ---- the result ---- */

void handover_want_result(struct handover *h)
{
	h->is_result_wanted = true;
}

const char *handover_result(struct handover *h, bool *ok)
{
	if (!h->has_result) {
		return NULL;
	}
	h->has_result = false;
	*ok = h->is_result_ok;
	return h->result;
}

static void result_set(struct handover *h, bool ok)
{
	h->has_result = h->is_result_wanted;
	h->is_result_wanted = false;
	h->is_result_ok = ok;
	hold_stir(h->service);
}

/* It will not be. The service goes on as it is. */
__attribute__((format(printf, 2, 3))) static void give_up(struct handover *h, const char *format,
							  ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(h->result, sizeof h->result, format, arguments);
	va_end(arguments);
	log_err("handover", "no restart, the service goes on: %s", h->result);
	if (h->successor.fd >= 0) {
		loop_remove(h->service->loop, &h->successor);
		(void)close(h->successor.fd);
		h->successor.fd = -1;
		(void)supervisor_send(h->supervisor.fd, SUPERVISOR_ABANDON, 0, NULL, 0);
	}
	h->stage = HANDOVER_IDLE;
	h->deadline_ms = INT64_MAX;
	result_set(h, false);
}

/* ---- up to HELLO ---- */

int handover_begin(struct handover *h)
{
	int pair[2];
	if (h->stage != HANDOVER_IDLE) {
		return -EALREADY;
	}
	if (h->supervisor.fd < 0) {
		return -ENOTSUP;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		return -errno;
	}
	int error = supervisor_send(h->supervisor.fd, SUPERVISOR_SPAWN, 0, &pair[1], 1);
	(void)close(pair[1]);
	h->successor.fd = pair[0];
	error = error ? error : loop_add(h->service->loop, &h->successor, EPOLLIN);
	if (error != 0) {
		(void)close(pair[0]);
		h->successor.fd = -1;
		return error;
	}
	h->stage = HANDOVER_STARTING;
	h->deadline_ms = loop_now(h->service->loop).mono_ms + START_MAX_MS;
	log_info("handover", "restart: starting the successor");
	return 0;
}

static void on_ended(struct handover *h, int status)
{
	if (h->stage == HANDOVER_IDLE) {
		return; /* abandoned before */
	}
	if (WIFSIGNALED(status)) {
		give_up(h,
			"the new program was killed by signal %d before it was ready; its last "
			"words are in the service's log",
			WTERMSIG(status));
	} else {
		give_up(h,
			"the new program ended with status %d before it was ready; its last "
			"words are in the service's log",
			WEXITSTATUS(status));
	}
}

void handover_on_supervisor(struct watch *w)
{
	struct handover *h =
	    (struct handover *)(void *)((char *)w - offsetof(struct handover, supervisor));
	struct supervisor_message m;
	int fds[2], error;
	while ((error = supervisor_receive(w->fd, &m, fds)) == 0) {
		if (m.op == SUPERVISOR_REFUSED && h->stage != HANDOVER_IDLE) {
			give_up(h,
				"the program cannot be started: %s; is the file in place and "
				"executable?",
				strerror((int)m.value));
		} else if (m.op == SUPERVISOR_SPAWNED && h->stage == HANDOVER_STARTING) {
			h->stage = HANDOVER_MEETING;
		} else if (m.op == SUPERVISOR_ENDED) {
			on_ended(h, (int)m.value);
		}
	}
	if (error != -EAGAIN) { /* it is gone, and the kernel ends us with it */
		loop_remove(h->service->loop, w);
	}
}

static void on_hello(struct handover *h, const struct handover_message *m)
{
	if (m->kind == HANDOVER_FAIL) {
		give_up(h, "%s", m->text);
	} else if (m->kind != HANDOVER_HELLO) {
		give_up(h, "the new program does not speak as a successor does");
	} else if (m->a < HANDOVER_FORMAT) {
		give_up(h,
			"the new program (%s) is older than the one that runs and does not "
			"understand its state; stop the service and start that one",
			m->text);
	} else {
		h->stack_abi = m->b;
		h->pid = (pid_t)m->c;
		memcpy(h->version, m->text, sizeof h->version);
		h->stage = HANDOVER_DUE;
	}
}

void handover_on_successor(struct watch *w)
{
	struct handover *h =
	    (struct handover *)(void *)((char *)w - offsetof(struct handover, successor));
	struct handover_message m;
	int fd = -1, error = handover_receive(w->fd, 0, &m, &fd);
	if (fd >= 0) {
		(void)close(fd);
	}
	if (error == 0) {
		on_hello(h, &m);
		return;
	}
	if (error == -EPIPE) { /* SUPERVISOR_ENDED says how; this end says no more */
		loop_remove(h->service->loop, w);
		return;
	}
	if (error != -ETIMEDOUT) {
		give_up(h, "the new program does not speak as a successor does");
	}
}

/* ---- the pause ---- */

static int64_t clock_us(void)
{
	struct timespec now = { 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Nothing half done: what is due is done, what was to be sent or saved is. */
static void settle(struct service *service)
{
	int64_t now_ms = loop_now(service->loop).mono_ms;
	for (struct net *net = service->networks; net; net = net->next) {
		if (net->stack) {
			net->ops->advance(net->stack, now_ms);
		}
	}
	ctl_save(service);
	udp_flush(service->udp);
	worker_drain(service->worker);
}

static void udp_write(struct handover_out *out, const struct udp *udp)
{
	for (size_t i = 0; i < UDP_MAX_SOCKETS; i++) {
		const struct udp_socket *socket = &udp->sockets[i];
		if (socket->local.family == 0) {
			continue;
		}
		struct wr w = handover_begin_section(out, HANDOVER_UDP, 64);
		wr_u8(&w, socket->local.family);
		wr_bytes(&w, socket->local.ip, sizeof socket->local.ip);
		wr_u16(&w, socket->local.port);
		handover_write_fd(out, &w, socket->watch.fd);
		handover_end_section(out, &w);
	}
}

static void service_write(struct handover_out *out, const struct service *service)
{
	struct wr w = handover_begin_section(out, HANDOVER_SERVICE, 256);
	wr_bytes(&w, service->boot_id, sizeof service->boot_id);
	wr_u16(&w, service->settings.primary_port);
	wr_u16(&w, udp_secondary_port(service->udp));
	handover_write_fd(out, &w, service->lock_fd);
	handover_write_fd(out, &w, http_socket(service->http, 0));
	handover_write_fd(out, &w, http_socket(service->http, 1));
	handover_end_section(out, &w);
	udp_write(out, service->udp);
}

static int memory_file(const struct handover_out *out)
{
	int fd = memfd_create("netcon-handover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) {
		return -errno;
	}
	for (size_t at = 0; at < out->length;) {
		ssize_t n = write(fd, out->bytes + at, out->length - at);
		if (n <= 0) {
			(void)close(fd);
			return -ENOSPC;
		}
		at += (size_t)n;
	}
	(void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	return fd;
}

static int state_send(const struct handover *h, const struct handover_out *out)
{
	int memory = memory_file(out);
	if (memory < 0) {
		return memory;
	}
	const struct timeval limit = { .tv_sec = PAUSE_MAX_MS / 1000 };
	(void)setsockopt(h->successor.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	struct handover_message m = { .kind = HANDOVER_STATE,
				      .a = out->length,
				      .b = out->fd_count };
	int error = handover_send(h->successor.fd, &m, &memory, 1);
	(void)close(memory);
	for (size_t at = 0; error == 0 && at < out->fd_count;) {
		size_t count = out->fd_count - at;
		count = count < HANDOVER_FDS_PER_MESSAGE ? count : HANDOVER_FDS_PER_MESSAGE;
		m = (struct handover_message){ .kind = HANDOVER_FDS, .a = count };
		error = handover_send(h->successor.fd, &m, out->fds + at, count);
		at += count;
	}
	return error;
}

static void state_write(struct handover *h, struct handover_out *out)
{
	struct service *service = h->service;
	settle(service);
	service_write(out, service);
	node_handover_write(service, out);
	for (struct net *net = service->networks; net; net = net->next) {
		handover_vhost_write(out, net, h->stack_abi == STACK_ABI);
	}
}

/* Peers of connections that the successor's stack cannot take hear a reset from us. */
static void connections_reset(struct service *service)
{
	for (struct net *net = service->networks; net; net = net->next) {
		for (struct vsock *s = net->vhost->all.first; s; s = s->all.next) {
			if (s->tcp) {
				net->ops->tcp_abort(s->tcp);
				s->tcp = NULL;
			}
		}
	}
	udp_flush(service->udp);
}

/* Signals that came during the pause are for the successor. */
static int64_t signals_pending(const struct service *service)
{
	struct signalfd_siginfo info;
	int64_t bits = 0;
	while (read(service->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		bits |= (int64_t)1 << info.ssi_signo;
	}
	return bits;
}

__attribute__((noreturn)) static void leave(struct handover *h,
					    const struct handover_message *ready, int64_t pause_us)
{
	struct service *service = h->service;
	if (h->stack_abi != STACK_ABI) {
		connections_reset(service);
	}
	(void)snprintf(h->result, sizeof h->result,
		       "{\"connections\":%llu,\"pauseMs\":%lld.%03d,\"reset\":%llu,"
		       "\"restarted\":true,\"sockets\":%llu,\"version\":\"%s\"}",
		       (unsigned long long)ready->b, (long long)(pause_us / 1000),
		       (int)(pause_us % 1000), (unsigned long long)ready->c,
		       (unsigned long long)ready->a, h->version);
	log_info("handover", "handed over sockets=%llu connections=%llu reset=%llu pause_us=%lld",
		 (unsigned long long)ready->a, (unsigned long long)ready->b,
		 (unsigned long long)ready->c, (long long)pause_us);
	(void)supervisor_send(h->supervisor.fd, SUPERVISOR_COMMIT, signals_pending(service), NULL,
			      0);
	home_successor(service, h->pid);
	result_set(h, true);
	http_finish(service->http, ANSWER_ROUNDS);
	_exit(0);
}

static void hand_over(struct handover *h)
{
	int64_t begin_us = clock_us();
	struct handover_out out = { 0 };
	state_write(h, &out);
	int error = out.is_bad ? -ENOMEM : state_send(h, &out);
	handover_out_free(&out);
	if (error != 0) {
		give_up(h, "the state cannot be handed over: %s", strerror(-error));
		return;
	}
	struct handover_message m;
	int fd = -1;
	error = handover_receive(h->successor.fd, PAUSE_MAX_MS, &m, &fd);
	if (fd >= 0) {
		(void)close(fd);
	}
	if (error == 0 && m.kind == HANDOVER_FAIL) {
		give_up(h, "%s", m.text);
		return;
	}
	if (error != 0 || m.kind != HANDOVER_READY) {
		give_up(h, "the new program did not take over%s",
			error == -ETIMEDOUT ? " in time"
					    : "; its last words are in the service's log");
		return;
	}
	struct handover_message go = { .kind = HANDOVER_GO };
	if (handover_send(h->successor.fd, &go, NULL, 0) != 0) {
		give_up(h, "the new program ended when it should have begun");
		return;
	}
	leave(h, &m, clock_us() - begin_us);
}

void handover_advance(struct handover *h, int64_t now_ms)
{
	if (!h) {
		return;
	}
	if (h->stage == HANDOVER_DUE) {
		hand_over(h);
	} else if (now_ms >= h->deadline_ms) {
		give_up(h, "the new program was not ready in %d s", START_MAX_MS / 1000);
	}
}

int64_t handover_deadline(const struct handover *h)
{
	return !h ? INT64_MAX : h->stage == HANDOVER_DUE ? INT64_MIN : h->deadline_ms;
}
