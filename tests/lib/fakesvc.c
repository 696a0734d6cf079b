/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* See fakesvc.h. One process, one poll loop, tables of fixed size; what it cannot do it refuses. */
#include "tests/lib/fakesvc.h"

#include "rpc/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_CLIENTS = 64, MAX_SOCKS = 512, MAX_OPTIONS = 24, NWID = 0x1234, FIRST_PORT = 40000 };

enum state { NEW, BOUND, PENDING, FAILED, CONNECTED, LISTENING };

struct option {
	int32_t level, name;
	uint32_t length;
	uint8_t value[16];
};

struct sock {
	uint64_t id, cookie;
	int b, reply; /* -1 = none */
	uint32_t seq;
	enum state state;
	struct rpc_addr local, remote;
	int error;
	bool is_error_told, is_stale, is_used;
	struct option options[MAX_OPTIONS];
	size_t option_count;
};

static struct sock socks[MAX_SOCKS];
static int clients[MAX_CLIENTS];
static size_t client_count;
static int listen_fd, command_fd;
static char socket_path[96];
static struct fakesvc_shared *shared;
static uint64_t next_id;
static unsigned next_port = FIRST_PORT;
static int fault_kind, fault_op;
static int held_a = -1; /* the copy of A of the request at hand: closed before the answer */

/* ---- names ----------------------------------------------------------------------------------- */

static void name_bind(int fd, const struct rpc_ident *ident)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	size_t length = rpc_ident_write(ident, bytes);
	memcpy(name.sun_path, bytes, length);
	if (bind(fd, (struct sockaddr *)&name,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) != 0) {
		abort();
	}
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof cookie;
	(void)getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length);
	return cookie;
}

/* A free record, else that of an old short cut: of those it is never told when they end. */
static struct sock *sock_new(void)
{
	static size_t next;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < MAX_SOCKS; i++) {
			struct sock *s = &socks[next++ % MAX_SOCKS];
			if (!s->is_used || (pass && s->state == CONNECTED && s->b < 0)) {
				*s = (struct sock){
					.is_used = true, .id = ++next_id, .b = -1, .reply = -1
				};
				s->local.family = AF_INET;
				return s;
			}
		}
	}
	return NULL;
}

static struct sock *sock_of(int a)
{
	uint64_t cookie = cookie_of(a);
	for (size_t i = 0; i < MAX_SOCKS; i++) {
		if (socks[i].is_used && socks[i].cookie == cookie) {
			return &socks[i];
		}
	}
	return NULL;
}

static struct sock *listener_at(uint16_t port_be)
{
	for (size_t i = 0; i < MAX_SOCKS; i++) {
		if (socks[i].is_used && socks[i].state == LISTENING &&
		    socks[i].local.port_be == port_be) {
			return &socks[i];
		}
	}
	return NULL;
}

static bool port_used(uint16_t port_be)
{
	for (size_t i = 0; i < MAX_SOCKS; i++) {
		if (socks[i].is_used && (socks[i].state == LISTENING || socks[i].state == BOUND) &&
		    socks[i].local.port_be == port_be) {
			return true;
		}
	}
	return false;
}

static void drain(int b, size_t keep)
{
	static char sink[1 << 20];
	ssize_t n = recv(b, sink, sizeof sink, MSG_DONTWAIT | MSG_PEEK);
	if (n > (ssize_t)keep) {
		(void)recv(b, sink, (size_t)n - keep, MSG_DONTWAIT);
	}
}

/* ---- replies --------------------------------------------------------------------------------- */

static void reply_send(int fd, struct rpc_header *h, size_t length, int pass)
{
	int fds[2] = { pass, pass };
	size_t count = pass >= 0 ? 1 : 0;
	int kind = fault_op == h->op ? fault_kind : FAKE_NO_FAULT;
	if (held_a >= 0) {
		(void)close(held_a);
		held_a = -1;
	}
	fault_kind = kind ? FAKE_NO_FAULT : fault_kind;
	h->length = (uint32_t)length;
	switch (kind) {
	case FAKE_NO_REPLY:
		return;
	case FAKE_TRUNCATED:
		length /= 2;
		break;
	case FAKE_EMPTY:
		length = 0;
		break;
	case FAKE_NO_FD:
		count = 0;
		break;
	case FAKE_TWO_FDS:
		count = count ? 2 : 0;
		break;
	case FAKE_WRONG_FD:
		fds[0] = command_fd;
		break;
	case FAKE_HUGE_ERROR:
		h->error = 100000;
		break;
	default:
		break;
	}
	(void)rpc_send(fd, h, length, fds, count, MSG_DONTWAIT);
	if (kind == FAKE_DIE_AFTER) {
		_exit(0);
	}
}

static void reply_error(int fd, const struct rpc_header *q, int error)
{
	struct rpc_addr_reply r = { .h = { .op = q->op, .seq = q->seq, .error = error } };
	r.addr.family = AF_INET;
	if (fd >= 0) {
		reply_send(fd, &r.h, sizeof r, -1);
	}
}

/* ---- requests -------------------------------------------------------------------------------- */

static void on_socket(const struct rpc_socket *m, int reply)
{
	int pair[2];
	struct sock *s = sock_new();
	if (!s || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		reply_error(reply, &m->h, ENOBUFS);
		return;
	}
	s->b = pair[1];
	(void)fcntl(s->b, F_SETFL, O_NONBLOCK);
	if (m->nonblock) {
		(void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
	}
	s->cookie = cookie_of(pair[0]);
	struct rpc_ident ident = {
		.kind = RPC_KIND_STREAM, .family = AF_INET, .nwid = NWID, .id = s->id
	};
	name_bind(pair[0], &ident);
	struct rpc_socket_reply r = { .h = { .op = RPC_SOCKET, .seq = m->h.seq }, .id = s->id };
	reply_send(reply, &r.h, sizeof r, pair[0]);
	(void)close(pair[0]);
}

static bool is_local(const struct rpc_addr *a)
{
	static const uint8_t any[4], mine[4] = { 10, 1, 2, 3 };
	return memcmp(a->addr + 12, any, 4) == 0 || memcmp(a->addr + 12, mine, 4) == 0 ||
	       a->addr[12] == 127;
}

static int do_bind(struct sock *s, const struct rpc_addr *addr)
{
	if (s->state != NEW) {
		return EINVAL;
	}
	if (!is_local(addr)) {
		return EADDRNOTAVAIL;
	}
	if (addr->port_be != 0 && port_used(addr->port_be)) {
		return EADDRINUSE;
	}
	s->local = *addr;
	if (addr->port_be == 0) {
		s->local.port_be = htons((uint16_t)next_port++);
	}
	s->state = BOUND;
	return 0;
}

static int do_listen(struct sock *s)
{
	if (s->state == LISTENING) {
		return 0;
	}
	struct rpc_addr any = { .family = AF_INET };
	if (s->state == NEW) {
		(void)do_bind(s, &any);
	}
	if (s->state != BOUND) {
		return EINVAL;
	}
	s->state = LISTENING;
	struct rpc_ident ident = { .kind = RPC_KIND_LISTENER,
				   .family = AF_INET,
				   .nwid = NWID,
				   .id = s->id,
				   .local = s->local };
	name_bind(s->b, &ident);
	return 0;
}

/* Give B to the listener's program. */
static void short_cut(struct sock *s, struct sock *listener)
{
	struct rpc_ident ident = { .kind = RPC_KIND_CONNECTION,
				   .family = AF_INET,
				   .flags = RPC_SIDE_ACCEPTOR,
				   .nwid = NWID,
				   .id = ++next_id,
				   .local = s->remote,
				   .remote = s->local };
	struct rpc_accept record = { .magic = RPC_ACCEPT_MAGIC,
				     .id = ident.id,
				     .local = ident.local,
				     .remote = ident.remote };
	struct sock *acceptor = sock_new();
	if (!acceptor) {
		abort();
	}
	name_bind(s->b, &ident);
	drain(s->b, 0);
	(void)fcntl(s->b, F_SETFL, 0);
	acceptor->cookie = cookie_of(s->b);
	acceptor->state = s->state = CONNECTED;
	(void)rpc_send(listener->b, &record, sizeof record, &s->b, 1, MSG_DONTWAIT);
	(void)close(s->b);
	s->b = -1;
}

/* Connected to nobody in particular: B stays here, silent. */
static void connect_alone(struct sock *s)
{
	struct rpc_ident ident = { .kind = RPC_KIND_CONNECTION,
				   .family = AF_INET,
				   .nwid = NWID,
				   .id = s->id,
				   .local = s->local,
				   .remote = s->remote };
	name_bind(s->b, &ident);
	drain(s->b, s->reply < 0);
	s->state = CONNECTED;
}

static void fail(struct sock *s, int error)
{
	s->state = FAILED;
	s->error = error;
	(void)close(s->b);
	s->b = -1;
}

static int connect_state(struct sock *s)
{
	switch (s->state) {
	case PENDING:
		return EALREADY;
	case CONNECTED:
	case LISTENING:
		return EISCONN;
	case FAILED:
		if (s->is_stale) {
			return ESTALE;
		}
		s->is_stale = true;
		return s->is_error_told ? ECONNABORTED : s->error;
	default:
		return 0;
	}
}

static bool is_unreachable(const struct rpc_addr *a)
{
	static const uint8_t nowhere[4] = { 10, 9, 9, 9 };
	return memcmp(a->addr + 12, nowhere, 4) == 0;
}

/* Errno; EINPROGRESS with `reply` kept if the request waits. */
static int do_connect(struct sock *s, const struct rpc_connect *m, int a, int reply)
{
	bool waits = (m->h.flags & RPC_WAIT) != 0;
	int error = connect_state(s);
	if (error) {
		return error;
	}
	if (is_unreachable(&m->addr)) {
		drain(s->b, 0);
		return ENETUNREACH;
	}
	if (!waits && m->prefill == 0) {
		(void)rpc_prefill(a); /* to loopback the library leaves that to the service */
	}
	s->remote = m->addr;
	if (s->local.port_be == 0) {
		s->local = m->addr;
		s->local.port_be = htons((uint16_t)next_port++);
	}
	struct sock *listener = listener_at(m->addr.port_be);
	if (listener) {
		short_cut(s, listener);
		return waits ? 0 : EINPROGRESS;
	}
	if (m->addr.port_be == htons(9)) {
		s->state = PENDING;
		s->reply = waits ? reply : -1;
		s->seq = m->h.seq;
		return EINPROGRESS;
	}
	if (!waits) {
		fail(s, ECONNREFUSED);
		return EINPROGRESS;
	}
	return ECONNREFUSED;
}

static int do_detach(struct sock *s, int a)
{
	if (s->state == PENDING) {
		if (s->reply >= 0) {
			(void)close(s->reply);
			s->reply = -1;
		}
		(void)rpc_prefill(a);
		return EINPROGRESS;
	}
	return s->state == CONNECTED ? 0 : s->error ? s->error : EINVAL;
}

static int do_soerror(struct sock *s)
{
	int error = s->state == FAILED && !s->is_error_told ? s->error : 0;
	s->is_error_told = true;
	return error;
}

static struct option *option_find(struct sock *s, int level, int name)
{
	for (size_t i = 0; i < s->option_count; i++) {
		if (s->options[i].level == level && s->options[i].name == name) {
			return &s->options[i];
		}
	}
	return NULL;
}

static int do_setopt(struct sock *s, const struct rpc_option *m)
{
	struct option *o = option_find(s, m->level, m->name);
	if (m->name == 9999) {
		return ENOPROTOOPT;
	}
	if (!o && s->option_count < MAX_OPTIONS) {
		o = &s->options[s->option_count++];
	}
	if (!o || m->value_length > sizeof o->value) {
		return EINVAL;
	}
	*o = (struct option){ .level = m->level, .name = m->name, .length = m->value_length };
	memcpy(o->value, m->value, m->value_length);
	return 0;
}

/* What was never set reads as the int 0. */
static void on_getopt(struct sock *s, const struct rpc_option *m, int reply)
{
	struct rpc_option r = { .h = { .op = RPC_GETOPT, .seq = m->h.seq }, .value_length = 4 };
	const struct option *o = option_find(s, m->level, m->name);
	if (o) {
		r.value_length = o->length;
		memcpy(r.value, o->value, o->length);
	} else if (m->name == 9999) {
		r.h.error = ENOPROTOOPT;
	}
	reply_send(reply, &r.h, offsetof(struct rpc_option, value) + r.value_length, -1);
}

static void on_ioctl(const struct rpc_header *h, int reply)
{
	struct rpc_option r = { .h = { .op = RPC_IOCTL, .seq = h->seq }, .value_length = 4 };
	r.value[0] = 77; /* recognisable */
	reply_send(reply, &r.h, offsetof(struct rpc_option, value) + 4, -1);
}

static void on_name(struct sock *s, const struct rpc_header *h, int reply)
{
	struct rpc_addr_reply r = { .h = { .op = RPC_NAME, .seq = h->seq }, .addr = s->local };
	reply_send(reply, &r.h, sizeof r, -1);
}

/* True if the reply end is kept. */
static bool on_connect(struct sock *s, const struct rpc_connect *m, int a, int reply)
{
	int error = do_connect(s, m, a, reply);
	if (s->reply >= 0 && s->reply == reply) {
		return true;
	}
	reply_error(reply, &m->h, error);
	return false;
}

static bool request_run(const struct rpc_header *h, int a, int reply)
{
	const void *m = h;
	struct sock *s = a >= 0 ? sock_of(a) : NULL;
	if (h->op == RPC_SOCKET) {
		on_socket(m, reply);
		return false;
	}
	if (!s) {
		reply_error(reply, h, h->op > RPC_PING ? ENOSYS : EBADF);
		return false;
	}
	switch (h->op) {
	case RPC_BIND:
		reply_error(reply, h, do_bind(s, &((const struct rpc_bind *)m)->addr));
		break;
	case RPC_LISTEN:
		reply_error(reply, h, do_listen(s));
		break;
	case RPC_CONNECT:
		return on_connect(s, m, a, reply);
	case RPC_DETACH:
		reply_error(reply, h, do_detach(s, a));
		break;
	case RPC_SOERROR:
		reply_error(reply, h, do_soerror(s));
		break;
	case RPC_NAME:
		on_name(s, h, reply);
		break;
	case RPC_SETOPT:
		reply_error(reply, h, do_setopt(s, m));
		break;
	case RPC_GETOPT:
		on_getopt(s, m, reply);
		break;
	case RPC_IOCTL:
		on_ioctl(h, reply);
		break;
	default:
		reply_error(reply, h, ENOSYS);
	}
	return false;
}

/* ---- commands -------------------------------------------------------------------------------- */

static void decide(int error)
{
	for (size_t i = 0; i < MAX_SOCKS; i++) {
		struct sock *s = &socks[i];
		if (!s->is_used || s->state != PENDING) {
			continue;
		}
		struct rpc_header h = { .op = RPC_CONNECT, .seq = s->seq };
		int reply = s->reply;
		if (error == 0) {
			connect_alone(s);
		} else if (reply >= 0) {
			s->state = NEW;
		} else {
			fail(s, error);
		}
		if (reply >= 0) {
			reply_error(reply, &h, error);
			(void)close(reply);
			s->reply = -1;
		}
	}
}

static int next_decision = -1; /* of the next connect() that waits */

/* "decide" for who may not be waiting yet. */
static void decide_next(void)
{
	for (size_t i = 0; next_decision >= 0 && i < MAX_SOCKS; i++) {
		if (socks[i].is_used && socks[i].state == PENDING) {
			decide(next_decision);
			next_decision = -1;
		}
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	(void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
	(void)unlink(path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0 &&
	    listen(fd, 64) == 0) {
		return fd;
	}
	return -1;
}

/* As if it had been killed and started again: nothing is known, the socket is a new one. */
static void forget_all(void)
{
	(void)close(listen_fd);
	listen_fd = listen_at(socket_path);
	for (; client_count > 0; client_count--) {
		(void)close(clients[client_count - 1]);
	}
	/* Last, because programs see it. */
	for (size_t i = 0; i < MAX_SOCKS; i++) {
		if (socks[i].is_used && socks[i].b >= 0) {
			(void)close(socks[i].b);
		}
		socks[i].is_used = false;
	}
}

static void commands_run(void)
{
	char text[512];
	ssize_t n = read(command_fd, text, sizeof text - 1);
	char *save = NULL;
	if (n <= 0) {
		return;
	}
	text[n] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *end = strchr(line, ' ');
		if (strncmp(line, "decide ", 7) == 0) {
			decide((int)strtol(end, NULL, 10));
		} else if (strncmp(line, "next ", 5) == 0) {
			next_decision = (int)strtol(end, NULL, 10);
		} else if (strncmp(line, "fault ", 6) == 0) {
			fault_kind = (int)strtol(end, &end, 10);
			fault_op = (int)strtol(end, NULL, 10);
		} else if (strcmp(line, "restart") == 0) {
			forget_all();
		}
	}
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void welcome(int fd)
{
	struct rpc_welcome w = { .h = { .length = sizeof w, .op = RPC_HELLO },
				 .magic = RPC_MAGIC,
				 .version = RPC_VERSION,
				 .nwid = NWID,
				 .prefill_max = 1 << 20 };
	reply_send(fd, &w.h, sizeof w, -1);
}

static void refuse(int fd)
{
	struct rpc_welcome w = { .h = { .length = sizeof w, .op = RPC_HELLO, .error = EACCES },
				 .magic = RPC_MAGIC,
				 .version = RPC_VERSION };
	(void)rpc_send(fd, &w, sizeof w, NULL, 0, MSG_DONTWAIT);
}

/* False: the connection is over. */
static bool client_step(int fd)
{
	uint8_t bytes[RPC_MAX_BYTES] __attribute__((aligned(8)));
	int fds[RPC_MAX_FDS];
	size_t count = RPC_MAX_FDS;
	if (fault_kind == FAKE_REFUSE) {
		fault_kind = FAKE_NO_FAULT;
		refuse(fd);
		return false;
	}
	long n = rpc_recv(fd, bytes, sizeof bytes, fds, &count, MSG_DONTWAIT);
	if (n == -EAGAIN) {
		return true;
	}
	if (n <= 0) {
		return false;
	}
	commands_run(); /* what was ordered before this message was sent */
	const struct rpc_header *h = (const void *)bytes;
	size_t wanted = (h->flags & RPC_HAVE_FD) ? 1 : 0;
	wanted += (h->flags & RPC_HAVE_REPLY) ? 1 : 0;
	if (!rpc_request_ok(h, (size_t)n) || count != wanted) {
		shared->malformed++;
		return false;
	}
	shared->requests[h->op % FAKE_OPS]++;
	if (fault_kind == FAKE_DIE_BEFORE && fault_op == h->op) {
		_exit(0);
	}
	if (h->op == RPC_HELLO) {
		welcome(fd);
		return true;
	}
	int a = (h->flags & RPC_HAVE_FD) ? fds[0] : -1;
	int reply = (h->flags & RPC_HAVE_REPLY) ? fds[count - 1] : -1;
	held_a = a;
	bool is_kept = request_run(h, a, reply);
	if (held_a >= 0) {
		(void)close(held_a);
		held_a = -1;
	}
	if (reply >= 0 && !is_kept) {
		(void)close(reply);
	}
	return true;
}

/* The program closed its end, or shut a listener down. */
static void hang_up(struct sock *s)
{
	(void)close(s->b);
	s->b = -1;
	s->is_used = false;
}

static struct pollfd polled[2 + MAX_CLIENTS + MAX_SOCKS];
static struct sock *watched[MAX_SOCKS];

static void hang_ups(const struct pollfd *p, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if ((p[i].revents & POLLHUP) && watched[i]->b == p[i].fd) {
			hang_up(watched[i]);
		}
	}
}

static void messages(const struct pollfd *p, size_t count)
{
	for (size_t i = count; i-- > 0;) {
		if (i < client_count && p[i].revents && !client_step(clients[i]) &&
		    i < client_count) {
			(void)close(clients[i]);
			clients[i] = clients[--client_count];
		}
	}
	decide_next();
}

static void client_accept(void)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) {
		return;
	}
	shared->connections++;
	commands_run();
	if (fault_kind == FAKE_REFUSE_NOW) {
		refuse(fd);
		(void)close(fd);
		return;
	}
	clients[client_count++] = fd;
}

static void turn(void)
{
	nfds_t n = 2;
	size_t count = 0, at = client_count;
	polled[0] = (struct pollfd){ .fd = listen_fd, .events = POLLIN };
	polled[1] = (struct pollfd){ .fd = command_fd, .events = POLLIN };
	for (size_t i = 0; i < at; i++) {
		polled[n++] = (struct pollfd){ .fd = clients[i], .events = POLLIN };
	}
	for (size_t i = 0; i < MAX_SOCKS; i++) {
		if (socks[i].is_used && socks[i].b >= 0) {
			watched[count++] = &socks[i];
			polled[n++] = (struct pollfd){ .fd = socks[i].b };
		}
	}
	if (poll(polled, n, -1) < 0) {
		return;
	}
	hang_ups(polled + 2 + at, count);
	if (polled[1].revents) {
		commands_run();
	}
	messages(polled + 2, at);
	if (polled[0].revents && polled[0].fd == listen_fd && client_count < MAX_CLIENTS) {
		client_accept();
	}
}

/* ---- the child's start -------------------------------------------------------------------------
 */

int fakesvc_fork(struct fakesvc *svc)
{
	(void)snprintf(socket_path, sizeof socket_path, "%s/sock", svc->dir);
	listen_fd = listen_at(socket_path);
	command_fd = open(svc->command, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (listen_fd < 0 || command_fd < 0) {
		return -1;
	}
	shared = svc->shared;
	next_id = (uint64_t)getpid() << 20;
	svc->pid = fork();
	if (svc->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			turn();
		}
	}
	(void)close(listen_fd);
	(void)close(command_fd);
	return svc->pid > 0 ? 0 : -1;
}
