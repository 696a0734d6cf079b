/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A virtual host on a test bench: a real control socket, real socketpairs and epoll, a fake stack,
 * and a client that speaks rpc/rpc.h as the library does.
 *
 * How this works: everything runs in one thread and in steps. rig_settle() runs turns until no
 * event is left and nothing is ready, so a test sees a state that cannot change by itself, and
 * needs no sleeps. The clock only moves when the test says so. This header defines the functions of
 * service/loop.h; a test program that includes it does not link the daemon's loop.
 */
#ifndef TESTS_UNIT_SERVICE_RIG_H
#define TESTS_UNIT_SERVICE_RIG_H

#include "rpc/rpc.h"
#include "service/log.h"
#include "service/resolver.h"
#include "service/rpcd.h"
#include "service/service.h"
#include "service/vsock.h"
#include "tests/lib/fakestack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the loop's double ---- */

enum { RIG_SLOTS = 4096 };

struct loop {
	int epoll;
	struct zt_now now;
	struct watch *slots[RIG_SLOTS];
	uint32_t generations[RIG_SLOTS];
};

int loop_add(struct loop *loop, struct watch *w, uint32_t events)
{
	uint32_t slot = 0;
	while (loop->slots[slot]) {
		assert_true(++slot < RIG_SLOTS);
	}
	struct epoll_event e = { .events = events,
				 .data.u64 = (uint64_t)loop->generations[slot] << 32 | slot };
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, w->fd, &e) != 0) {
		return -errno;
	}
	loop->slots[slot] = w;
	w->slot = slot;
	return 0;
}

int loop_modify(struct loop *loop, struct watch *w, uint32_t events)
{
	assert_ptr_equal(loop->slots[w->slot], w);
	struct epoll_event e = { .events = events,
				 .data.u64 = (uint64_t)loop->generations[w->slot] << 32 | w->slot };
	return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, w->fd, &e) == 0 ? 0 : -errno;
}

void loop_remove(struct loop *loop, struct watch *w)
{
	if (loop->slots[w->slot] != w) {
		return;
	}
	(void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	loop->slots[w->slot] = NULL;
	loop->generations[w->slot]++;
}

struct zt_now loop_now(const struct loop *loop)
{
	return loop->now;
}

/* ---- the bench ---- */

struct rig {
	struct service service;
	struct net net;
	struct loop loop;
	char directory[64], path[96];
	int control; /* the client's connection */
	uint32_t seq;
	unsigned turns;                /* of the last rig_settle */
	bool (*pump)(struct rig *rig); /* moves frames of a real stack; true if something moved */
	void *wire;
};

static void rig_dispatch(struct watch *w, uint32_t events)
{
	switch (w->kind) {
	case WATCH_RPC_LISTEN:
		vhost_on_listen(w);
		break;
	case WATCH_RPC_CLIENT:
		vhost_on_client(w, events);
		break;
	case WATCH_VSOCK:
		vhost_on_vsock(w, events);
		break;
	default:
		fail_msg("unknown watch kind");
	}
}

/* One turn without waiting; how many events there were. */
static int rig_turn(struct rig *r)
{
	struct epoll_event events[64];
	int count = epoll_wait(r->loop.epoll, events, 64, 0);
	for (int i = 0; i < count; i++) {
		uint32_t slot = (uint32_t)events[i].data.u64;
		struct watch *w = r->loop.slots[slot];
		if (w && r->loop.generations[slot] == (uint32_t)(events[i].data.u64 >> 32)) {
			rig_dispatch(w, events[i].events);
		}
	}
	if (vhost_deadline(r->net.vhost) <= r->loop.now.mono_ms) { /* not called without need */
		vhost_advance(r->net.vhost, r->loop.now.mono_ms);
	}
	return count;
}

static void rig_settle(struct rig *r)
{
	enum { MOST_TURNS = 100000 }; /* more is a busy loop */
	r->turns = 0;
	for (int quiet = 0; quiet < 2; r->turns++) { /* two: the first may have closed something */
		assert_true(r->turns < MOST_TURNS);
		bool is_quiet =
		    rig_turn(r) == 0 && vhost_deadline(r->net.vhost) > r->loop.now.mono_ms;
		is_quiet = !(r->pump && r->pump(r)) && is_quiet;
		quiet = is_quiet ? quiet + 1 : 0;
	}
}

__attribute__((unused)) static void rig_sleep(struct rig *r, int64_t ms)
{
	r->loop.now.mono_ms += ms;
	rig_settle(r);
}

static int rig_dial(const struct rig *r)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", r->path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void rig_hello(struct rig *r, int fd, struct rpc_welcome *out)
{
	struct rpc_hello hello = {
		.h = { .length = sizeof hello, .op = RPC_HELLO, .seq = 7 },
		.magic = RPC_MAGIC,
		.version_min = 1,
		.version_max = 3,
	};
	assert_int_equal(rpc_send(fd, &hello, sizeof hello, NULL, 0, 0), 0);
	rig_settle(r);
	size_t none = 0;
	assert_int_equal(rpc_recv(fd, out, sizeof *out, NULL, &none, MSG_DONTWAIT), sizeof *out);
}

/* Everything around a virtual host, except its stack. */
static void rig_prepare(struct rig *r)
{
	memset(r, 0, sizeof *r);
	(void)snprintf(r->directory, sizeof r->directory, "/tmp/netcon-rig-XXXXXX");
	assert_non_null(mkdtemp(r->directory));
	(void)snprintf(r->path, sizeof r->path, "%s/sock", r->directory);
	log_level_set(LOG_LEVEL_ERROR);
	r->loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	r->loop.now.mono_ms = 1000000;
	r->service.loop = &r->loop;
	r->service.home_gid = getegid();
	r->service.settings.socket_mode = 0660;
	r->service.fd_capacity = 4000;
	r->net.service = &r->service;
	r->net.nwid = 0x8056c2e21c000001U;
}

static void rig_start(struct rig *r, const char *address)
{
	if (address) {
		r->net.is_ok = true;
		r->net.address_count = 1;
		r->net.addresses[0] = (struct stack_ip){ .family = 4, .bits = 24 };
		assert_int_equal(inet_pton(AF_INET, address, r->net.addresses[0].bytes), 1);
	}
	assert_int_equal(vhost_open(&r->net, r->path, &r->net.vhost), 0);
	struct rpc_welcome w;
	r->control = rig_dial(r);
	rig_hello(r, r->control, &w);
	assert_int_equal(w.h.error, 0);
}

/* A virtual host with a fake stack and the address 10.0.0.1; is_up: the network is OK. */
__attribute__((unused)) static void rig_open(struct rig *r, bool is_up)
{
	rig_prepare(r);
	struct stack_callbacks callbacks = { .size = sizeof callbacks };
	vhost_stack_callbacks(&callbacks);
	r->net.ops = fakestack_ops();
	r->net.stack = fakestack_new(&callbacks, &r->net);
	rig_start(r, is_up ? "10.0.0.1" : NULL);
}

static void rig_close(struct rig *r)
{
	(void)close(r->control);
	rig_settle(r);
	resolver_free(&r->net);
	vhost_close(r->net.vhost);
	assert_int_equal(r->service.fd_used, 0);
	r->net.ops->destroy(r->net.stack);
	(void)close(r->loop.epoll);
	assert_int_not_equal(access(r->path, F_OK), 0); /* the socket file is gone */
	assert_int_equal(rmdir(r->directory), 0);
}

/* Open descriptors of this process. */
__attribute__((unused)) static size_t rig_fd_count(void)
{
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	size_t count = 0;
	while (readdir(d)) {
		count++;
	}
	(void)closedir(d);
	return count - 3; /* ".", "..", and d itself */
}

/* ---- the client ---- */

/* Send a request with A (or -1); returns the reply end to read from. */
static int rig_send(struct rig *r, void *request, size_t length, int a)
{
	struct rpc_header *h = request;
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	h->length = (uint32_t)length;
	h->seq = ++r->seq;
	h->flags |= RPC_HAVE_REPLY | (a >= 0 ? RPC_HAVE_FD : 0);
	int fds[2] = { a, pair[1] };
	assert_int_equal(
	    rpc_send(r->control, request, length, a >= 0 ? fds : fds + 1, a >= 0 ? 2 : 1, 0), 0);
	(void)close(pair[1]);
	rig_settle(r);
	return pair[0];
}

/* The reply on `from`, which is closed; its error, or -1 if there is none. */
static int rig_reply(struct rig *r, int from, void *reply, size_t length, int *fd)
{
	int fds[1] = { -1 };
	size_t count = fd ? 1 : 0;
	memset(reply, 0, length);
	long got = rpc_recv(from, reply, length, fds, &count, MSG_DONTWAIT);
	(void)close(from);
	rig_settle(r);
	const struct rpc_header *h = reply;
	if (got < (long)sizeof *h) {
		return -1;
	}
	assert_int_equal(h->seq, r->seq);
	if (fd) {
		*fd = count ? fds[0] : -1;
	}
	return h->error;
}

static int rig_call(struct rig *r, void *request, size_t length, int a,
		    struct rpc_addr_reply *reply)
{
	return rig_reply(r, rig_send(r, request, length, a), reply, sizeof *reply, NULL);
}

__attribute__((unused)) static int rig_socket_error(struct rig *r, int family, int type,
						    int protocol)
{
	struct rpc_socket m = {
		.h.op = RPC_SOCKET, .family = family, .type = type, .protocol = protocol
	};
	struct rpc_addr_reply reply;
	return rig_call(r, &m, sizeof m, -1, &reply);
}

static int rig_socket_family(struct rig *r, int family, bool is_nonblocking, uint64_t *id)
{
	struct rpc_socket m = { .h.op = RPC_SOCKET,
				.family = family,
				.type = SOCK_STREAM,
				.nonblock = is_nonblocking };
	struct rpc_socket_reply reply;
	int fd = -1;
	assert_int_equal(rig_reply(r, rig_send(r, &m, sizeof m, -1), &reply, sizeof reply, &fd), 0);
	assert_true(fd >= 0);
	if (id) {
		*id = reply.id;
	}
	return fd;
}

__attribute__((unused)) static int rig_socket_of(struct rig *r, bool is_nonblocking, uint64_t *id)
{
	return rig_socket_family(r, AF_INET, is_nonblocking, id);
}

__attribute__((unused)) static int rig_socket6(struct rig *r)
{
	return rig_socket_family(r, AF_INET6, true, NULL);
}

__attribute__((unused)) static int rig_socket(struct rig *r)
{
	return rig_socket_of(r, true, NULL);
}

__attribute__((unused)) static struct rpc_addr rig_address(const char *text, uint16_t port)
{
	uint8_t bytes[16];
	if (inet_pton(AF_INET6, text, bytes) == 1) {
		return vaddr_v6(bytes, port);
	}
	assert_int_equal(inet_pton(AF_INET, text, bytes), 1);
	return vaddr_v4(bytes, port);
}

__attribute__((unused)) static struct stack_ip rig_ip(const char *text, uint16_t port)
{
	struct rpc_addr a = rig_address(text, port);
	return vaddr_to_stack(&a);
}

/* bind(); the error, and the port that was given. */
__attribute__((unused)) static int rig_bind(struct rig *r, int a, const char *text, uint16_t *port)
{
	struct rpc_bind m = { .h.op = RPC_BIND, .addr = rig_address(text, *port) };
	struct rpc_addr_reply reply;
	int error = rig_call(r, &m, sizeof m, a, &reply);
	*port = vaddr_port(&reply.addr);
	return error;
}

__attribute__((unused)) static int rig_listen(struct rig *r, int a, int backlog)
{
	struct rpc_listen m = { .h.op = RPC_LISTEN, .backlog = backlog };
	struct rpc_addr_reply reply;
	return rig_call(r, &m, sizeof m, a, &reply);
}

__attribute__((unused)) static int rig_listener(struct rig *r, const char *text, uint16_t port,
						int backlog)
{
	int a = strchr(text, ':') ? rig_socket6(r) : rig_socket(r);
	assert_int_equal(rig_bind(r, a, text, &port), 0);
	assert_int_equal(rig_listen(r, a, backlog), 0);
	return a;
}

/* A non-blocking connect() as the library does it: filled first. */
__attribute__((unused)) static int rig_connect(struct rig *r, int a, const char *text,
					       uint16_t port)
{
	struct rpc_connect m = { .h.op = RPC_CONNECT,
				 .addr = rig_address(text, port),
				 .prefill = rpc_prefill(a) };
	struct rpc_addr_reply reply;
	return rig_call(r, &m, sizeof m, a, &reply);
}

/* A blocking one: the reply end, for rig_reply. */
__attribute__((unused)) static int rig_connect_wait(struct rig *r, int a, const char *text,
						    uint16_t port)
{
	struct rpc_connect m = { .h = { .op = RPC_CONNECT, .flags = RPC_WAIT },
				 .addr = rig_address(text, port) };
	return rig_send(r, &m, sizeof m, a);
}

__attribute__((unused)) static int rig_simple(struct rig *r, enum rpc_op op, int a)
{
	struct rpc_detach m = { .h.op = (uint16_t)op };
	struct rpc_addr_reply reply;
	return rig_call(r, &m, sizeof m, a, &reply);
}

/* accept(): the descriptor, or -errno. 0 bytes (a listener that was shut down) is -EINVAL. */
__attribute__((unused)) static int rig_accept(struct rig *r, int a, struct rpc_accept *record)
{
	int fd = -1;
	size_t count = 1;
	long got = rpc_recv(a, record, sizeof *record, &fd, &count, MSG_DONTWAIT);
	rig_settle(r);
	if (got <= 0) {
		return got == 0 ? -EINVAL : (int)got;
	}
	assert_int_equal(got, sizeof *record);
	assert_int_equal(record->magic, RPC_ACCEPT_MAGIC);
	assert_int_equal(count, 1);
	if (record->flags & RPC_ACCEPT_TOKEN) { /* as the library does */
		char token;
		assert_int_equal(recv(fd, &token, 1, MSG_DONTWAIT), 1);
	}
	return fd;
}

__attribute__((unused)) static int rig_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI };
	(void)poll(&p, 1, 0);
	return p.revents;
}

/* What getsockname (own) or getpeername say about a descriptor. */
__attribute__((unused)) static bool rig_ident(int fd, bool is_peer, struct rpc_ident *out)
{
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof name;
	int error = is_peer ? getpeername(fd, (struct sockaddr *)&name, &length)
			    : getsockname(fd, (struct sockaddr *)&name, &length);
	const size_t header = offsetof(struct sockaddr_un, sun_path);
	*out = (struct rpc_ident){ 0 };
	uint8_t bytes[sizeof name.sun_path];
	if (error != 0 || length <= header) {
		return false;
	}
	memcpy(bytes, name.sun_path, length - header);
	return rpc_ident_read(bytes, length - header, out);
}

/* An established connection to 10.0.0.2:80 through the stack. */
__attribute__((unused)) static int rig_connected(struct rig *r, struct stack_tcp **tcp)
{
	int a = rig_socket(r);
	assert_int_equal(rig_connect(r, a, "10.0.0.2", 80), EINPROGRESS);
	*tcp = fakestack_last(r->net.stack);
	fakestack_establish(*tcp);
	rig_settle(r);
	return a;
}

#endif
