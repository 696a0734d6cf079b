/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Control connections: HELLO, who may connect, proof of possession, malformed messages, options. */
#include "tests/unit/service/rig.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static bool is_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };
	char byte;
	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLRDHUP)) != 0 &&
	       recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) <= 0;
}

static uint64_t malformed(const struct rig *r)
{
	struct vhost_stats stats;
	vhost_stats(r->net.vhost, &stats);
	return stats.malformed;
}

static void test_hello(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct rpc_welcome w;
	int fd = rig_dial(&r);
	rig_hello(&r, fd, &w);
	assert_int_equal(w.h.error, 0);
	assert_int_equal(w.h.seq, 7);
	assert_int_equal(w.magic, RPC_MAGIC);
	assert_int_equal(w.version, RPC_VERSION);
	assert_int_equal(w.nwid, r.net.nwid);
	assert_int_equal(w.state, RPC_NET_OK);
	assert_true(w.prefill_max >= VSOCK_SNDBUF_MIN);
	r.net.is_ok = false;
	rig_hello(&r, fd, &w); /* again is allowed: how the library asks for the state */
	assert_int_equal(w.state, RPC_NET_JOINING);
	(void)close(fd);
	rig_close(&r);
}

static void test_hello_of_another_version(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int fd = rig_dial(&r);
	struct rpc_hello hello = { .h = { .length = sizeof hello, .op = RPC_HELLO },
				   .magic = RPC_MAGIC,
				   .version_min = 9,
				   .version_max = 12 };
	assert_int_equal(rpc_send(fd, &hello, sizeof hello, NULL, 0, 0), 0);
	rig_settle(&r);
	struct rpc_welcome w;
	size_t none = 0;
	assert_int_equal(rpc_recv(fd, &w, sizeof w, NULL, &none, MSG_DONTWAIT), sizeof w);
	assert_int_equal(w.h.error, EPROTONOSUPPORT);
	assert_true(is_closed(fd));
	(void)close(fd);
	rig_close(&r);
}

/* Each of these closes the connection that sent it, and no other. */
static void test_malformed_closes_only_its_connection(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	size_t before = rig_fd_count();
	int a = rig_socket(&r);
	static const struct {
		uint32_t length; /* what the header says */
		uint32_t sent;
		uint16_t op, flags;
		uint32_t fd_count;
	} cases[] = {
		{ 16, 3, RPC_PING, 0, 0 },               /* no header */
		{ 17, 16, RPC_PING, 0, 0 },              /* wrong length */
		{ 15, 16, RPC_PING, 0, 0 },              /* wrong length */
		{ 20, 20, RPC_BIND, RPC_HAVE_FD, 1 },    /* shorter than its kind */
		{ 40, 40, RPC_SOCKET, 0, 0 },            /* needs a reply end */
		{ 48, 48, RPC_BIND, 0, 0 },              /* needs the socket */
		{ 48, 48, RPC_BIND, RPC_HAVE_FD, 0 },    /* ... which did not come */
		{ 16, 16, RPC_PING, 0, 2 },              /* descriptors nobody announced */
		{ 16, 16, RPC_PING, RPC_HAVE_REPLY, 2 }, /* one too many */
		{ 32, 32, RPC_HELLO, 0, 0 },             /* shorter than its kind */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rpc_welcome w;
		int fd = rig_dial(&r);
		rig_hello(&r, fd, &w);
		uint8_t bytes[RPC_MAX_BYTES] = { 0 };
		struct rpc_header h = { .length = cases[i].length,
					.op = cases[i].op,
					.flags = cases[i].flags };
		memcpy(bytes, &h, sizeof h);
		int fds[2] = { a, a };
		assert_int_equal(rpc_send(fd, bytes, cases[i].sent, fds, cases[i].fd_count, 0), 0);
		rig_settle(&r);
		if (!is_closed(fd) || malformed(&r) != i + 1) {
			fail_msg("case %zu", i);
		}
		(void)close(fd);
		assert_int_equal(rig_simple(&r, RPC_SOERROR, a), 0); /* the other one works */
	}
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(rig_fd_count(), before);
	rig_close(&r);
}

static void test_request_before_hello(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int fd = rig_dial(&r);
	struct rpc_header h = { .length = sizeof h, .op = RPC_PING };
	assert_int_equal(rpc_send(fd, &h, sizeof h, NULL, 0, 0), 0);
	rig_settle(&r);
	assert_true(is_closed(fd));
	assert_int_equal(malformed(&r), 1);
	(void)close(fd);
	rig_close(&r);
}

static void test_unknown_and_longer(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct rpc_addr_reply reply;
	struct rpc_header unknown = { .op = 99 };
	assert_int_equal(rig_call(&r, &unknown, sizeof unknown, -1, &reply), ENOSYS);
	struct {
		struct rpc_header h;
		uint8_t more[32];
	} ping = { .h.op = RPC_PING }; /* fields of a later version are ignored */
	assert_int_equal(rig_call(&r, &ping, sizeof ping, -1, &reply), 0);
	assert_int_equal(malformed(&r), 0);
	rig_close(&r);
}

/* A descriptor counts only if it is the one that was handed out (decision S2). */
/* Managed routes come in pieces. */
static void test_routes(void **state)
{
	struct rig r;
	struct {
		struct rpc_routes_reply head;
		struct rpc_managed_route list[RPC_ROUTES_PIECE];
	} reply;
	enum { COUNT = RPC_ROUTES_PIECE + 2 };
	(void)state;
	rig_open(&r, true);
	r.net.route_count = COUNT;
	for (uint8_t i = 0; i < COUNT; i++) {
		struct stack_route *route = &r.net.routes[i];
		route->target = (struct stack_ip){ .family = 4, .bits = 24, .bytes = { 10, 1, i } };
		route->via = (struct stack_ip){ .family = 6, .bytes = { 0xfd, [15] = i } };
		if (i % 2) {
			route->via.family = 0;
		}
	}
	for (uint32_t first = 0; first <= COUNT + 1; first++) {
		struct rpc_routes m = { .h = { .op = RPC_ROUTES }, .first = first };
		uint32_t left = first < COUNT ? COUNT - first : 0;
		int from = rig_send(&r, &m, sizeof m, -1);
		assert_int_equal(rig_reply(&r, from, &reply, sizeof reply, NULL), 0);
		assert_int_equal(reply.head.total, COUNT);
		assert_int_equal(reply.head.count,
				 left < RPC_ROUTES_PIECE ? left : RPC_ROUTES_PIECE);
		for (uint32_t i = 0; i < reply.head.count; i++) {
			const struct rpc_managed_route *route = &reply.list[i];
			assert_int_equal(route->family, AF_INET);
			assert_int_equal(route->bits, 24);
			assert_int_equal(route->target[11], 0xff);
			assert_int_equal(route->target[14], first + i);
			assert_int_equal(route->has_via, (first + i) % 2 == 0);
			assert_int_equal(route->via[15], route->has_via ? first + i : 0);
		}
	}
	rig_close(&r);
}

static void test_forged_descriptors(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	size_t before = rig_fd_count();
	int a = rig_socket(&r), pair[2], pipes[2];
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof name;
	assert_int_equal(getsockname(a, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), 0);
	int copy = dup(a); /* the same socket by another number is the same socket */
	assert_int_equal(rig_simple(&r, RPC_SOERROR, copy), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, pair[0]), EBADF); /* no name */
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, pipes[0]), EBADF); /* no socket */
	int inet = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, inet), EBADF);
	/* The name of a dead socket, bound again by hand. */
	(void)close(copy);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(bind(pair[1], (struct sockaddr *)&name, length), 0);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, pair[1]), EBADF);
	(void)close(inet);
	(void)close(pair[0]);
	(void)close(pair[1]);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	assert_int_equal(rig_fd_count(), before);
	rig_close(&r);
}

/* In another network namespace the name of a living socket can be had: it proves nothing. */
static void test_forged_name_from_another_namespace(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_socket(&r), channel[2];
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof name;
	assert_int_equal(getsockname(a, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel), 0);
	pid_t child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
			_exit(77);
		}
		int forged = socket(AF_UNIX, SOCK_STREAM, 0);
		if (bind(forged, (struct sockaddr *)&name, length) != 0) {
			_exit(1);
		}
		_exit(rpc_send(channel[1], "x", 1, &forged, 1, 0) == 0 ? 0 : 2);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WEXITSTATUS(status) == 77) {
		print_message("no network namespace for us here: not tried\n");
	} else {
		assert_int_equal(status, 0);
		char byte;
		int forged = -1;
		size_t count = 1;
		assert_int_equal(rpc_recv(channel[0], &byte, 1, &forged, &count, MSG_DONTWAIT), 1);
		struct rpc_ident ident;
		assert_true(rig_ident(forged, false, &ident)); /* the name is perfect */
		assert_int_equal(rig_simple(&r, RPC_SOERROR, forged), EBADF);
		(void)close(forged);
	}
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), 0);
	(void)close(channel[0]);
	(void)close(channel[1]);
	(void)close(a);
	rig_close(&r);
}

/* Connect as another user (needs root) and say what the service answers; -1: not possible here. */
static int hello_as(struct rig *r, uid_t uid, gid_t gid)
{
	int result[2], go[2];
	assert_int_equal(pipe(result), 0);
	assert_int_equal(pipe(go), 0);
	pid_t child = fork();
	if (child == 0) {
		char byte;
		struct rpc_welcome w = { .h.error = -1 };
		size_t none = 0;
		if (setgid(gid) != 0 || setuid(uid) != 0) {
			_exit(77);
		}
		int fd = rig_dial(r);
		(void)!write(result[1], "c", 1);
		(void)!read(go[0], &byte, 1);
		struct rpc_hello hello = { .h = { .length = sizeof hello, .op = RPC_HELLO },
					   .magic = RPC_MAGIC,
					   .version_min = 1,
					   .version_max = 1 };
		(void)rpc_send(fd, &hello, sizeof hello, NULL, 0, 0);
		(void)!write(result[1], "s", 1);
		(void)!read(go[0], &byte, 1);
		(void)rpc_recv(fd, &w, sizeof w, NULL, &none, MSG_DONTWAIT);
		_exit(w.h.error == 0 ? 1 : w.h.error);
	}
	(void)close(result[1]);
	char byte;
	for (int i = 0; i < 2 && read(result[0], &byte, 1) == 1; i++) {
		rig_settle(r);
		(void)!write(go[1], "g", 1);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	(void)close(result[0]);
	(void)close(go[0]);
	(void)close(go[1]);
	rig_settle(r);
	return WEXITSTATUS(status) == 77 ? -1 : WEXITSTATUS(status);
}

static unsigned file_mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 0777;
}

static void test_who_may_connect(void **state)
{
	(void)state;
	enum { ACCEPTED = 1, STRANGER = 54321, FRIEND = 54322, GROUP = 54323 };
	struct rig r;
	if (geteuid() != 0) {
		skip();
	}
	rig_open(&r, true);
	r.service.home_gid = GROUP;
	r.service.settings.allow_uids[0] = FRIEND;
	r.service.settings.allow_uid_count = 1;
	assert_int_equal(file_mode_of(r.path), 0660);
	assert_int_equal(rpcd_permit(r.net.vhost), 0); /* as after a change of settings */
	assert_int_equal(file_mode_of(r.path), 0666);
	assert_int_equal(chmod(r.directory, 0755), 0);
	assert_int_equal(hello_as(&r, STRANGER, STRANGER), EACCES);
	assert_int_equal(hello_as(&r, FRIEND, STRANGER), ACCEPTED);
	assert_int_equal(hello_as(&r, STRANGER, GROUP), ACCEPTED);
	struct vhost_stats stats;
	vhost_stats(r.net.vhost, &stats);
	assert_int_equal(stats.refused, 1);
	r.service.settings.socket_mode = 0666; /* images: the mount is the permission */
	assert_int_equal(hello_as(&r, STRANGER, STRANGER), ACCEPTED);
	rig_close(&r);
}

static int option_set(struct rig *r, int a, int level, int name, int value)
{
	struct rpc_option m = { .h.op = RPC_SETOPT, .level = level, .name = name };
	m.value_length = sizeof value;
	memcpy(m.value, &value, sizeof value);
	struct rpc_addr_reply reply;
	return rig_call(r, &m, offsetof(struct rpc_option, value) + sizeof value, a, &reply);
}

static int option_get(struct rig *r, int a, int level, int name, void *value, uint32_t *length)
{
	struct rpc_option m = { .h.op = RPC_GETOPT, .level = level, .name = name };
	m.value_length = *length;
	int from = rig_send(r, &m, offsetof(struct rpc_option, value), a);
	int error = rig_reply(r, from, &m, sizeof m, NULL);
	if (error == 0) {
		*length = m.value_length;
		memcpy(value, m.value, m.value_length);
	}
	return error;
}

static int option_number(struct rig *r, int a, int level, int name)
{
	int value = -1;
	uint32_t length = sizeof value;
	assert_int_equal(option_get(r, a, level, name, &value, &length), 0);
	assert_int_equal(length, sizeof value);
	return value;
}

static void test_options(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	assert_int_equal(option_number(&r, a, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_equal(option_set(&r, a, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	assert_int_equal(option_number(&r, a, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(tcp->options[STACK_TCP_NODELAY], 1); /* and the stack knows */
	assert_int_equal(option_number(&r, a, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
	assert_int_equal(option_set(&r, a, IPPROTO_TCP, TCP_KEEPIDLE, 0), EINVAL);
	assert_int_equal(option_set(&r, a, IPPROTO_TCP, TCP_KEEPIDLE, 30), 0);
	assert_int_equal(option_number(&r, a, IPPROTO_TCP, TCP_KEEPIDLE), 30);
	assert_int_equal(option_set(&r, a, IPPROTO_IP, IP_TTL, 256), EINVAL);
	assert_int_equal(option_number(&r, a, IPPROTO_IP, IP_TTL), 64);
	assert_int_equal(option_set(&r, a, SOL_SOCKET, SO_SNDBUF, 4096), 0);
	assert_int_equal(option_number(&r, a, SOL_SOCKET, SO_SNDBUF), 8192);
	assert_int_equal(option_set(&r, a, IPPROTO_TCP, TCP_ULP, 1), ENOENT);
	assert_int_equal(option_set(&r, a, IPPROTO_TCP, 12345, 1), ENOPROTOOPT);
	char value[256];
	uint32_t length = sizeof value;
	assert_int_equal(option_get(&r, a, IPPROTO_TCP, 12345, value, &length), ENOPROTOOPT);
	length = sizeof value;
	assert_int_equal(option_get(&r, a, IPPROTO_IP, IP_OPTIONS, value, &length), 0);
	assert_int_equal(length, 0); /* anything else makes sshd hang up */
	length = 16;
	assert_int_equal(option_get(&r, a, IPPROTO_TCP, TCP_CONGESTION, value, &length), 0);
	assert_string_equal(value, "cubic");
	struct tcp_info info;
	length = 256;
	assert_int_equal(option_get(&r, a, IPPROTO_TCP, TCP_INFO, value, &length), 0);
	memcpy(&info, value, sizeof info < length ? sizeof info : length);
	assert_int_equal(info.tcpi_state, TCP_ESTABLISHED);
	assert_int_equal(info.tcpi_rtt, 1234);
	assert_int_equal(info.tcpi_rttvar, 617);
	assert_int_equal(info.tcpi_snd_cwnd, 10);
	(void)close(a);
	rig_close(&r);
}

static void test_options_are_inherited_and_applied(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int l = rig_listener(&r, "0.0.0.0", 80, 5);
	assert_int_equal(option_set(&r, l, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	assert_int_equal(option_set(&r, l, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	assert_int_equal(option_set(&r, l, IPPROTO_IP, IP_TOS, 16), 0);
	struct stack_ip to = rig_ip("10.0.0.1", 80), from = rig_ip("10.0.0.2", 5000);
	struct stack_tcp *tcp = fakestack_incoming(r.net.stack, &to, &from, NULL);
	rig_settle(&r);
	struct rpc_accept record;
	int c = rig_accept(&r, l, &record);
	assert_int_equal(option_number(&r, c, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(tcp->options[STACK_TCP_NODELAY], 1);
	assert_int_equal(tcp->options[STACK_TCP_KEEPALIVE], 1);
	assert_int_equal(tcp->options[STACK_TCP_TOS], 16);
	int a = rig_socket(&r); /* set before connect(): told when there is a connection */
	assert_int_equal(option_set(&r, a, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	assert_int_equal(option_set(&r, a, IPPROTO_TCP, TCP_SYNCNT, 1), 0);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), EINPROGRESS);
	assert_int_equal(fakestack_last(r.net.stack)->options[STACK_TCP_NODELAY], 1);
	rig_sleep(&r, 3000); /* TCP_SYNCNT 1: 1 + 2 seconds */
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), ETIMEDOUT);
	(void)close(a);
	(void)close(c);
	(void)close(l);
	rig_close(&r);
}

static void test_ioctl_outq(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	r.net.stack->default_room = 10;
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	assert_int_equal(write(a, "0123456789abcdef", 16), 16);
	rig_settle(&r);
	struct rpc_ioctl m = { .h.op = RPC_IOCTL, .request = SIOCOUTQ };
	struct rpc_option reply;
	assert_int_equal(rig_reply(&r, rig_send(&r, &m, sizeof m, a), &reply, sizeof reply, NULL),
			 0);
	int queued = 0;
	memcpy(&queued, reply.value, sizeof queued);
	assert_int_equal(queued, 6); /* the pawn does not count */
	m.h.flags = 0;
	m.request = 0x1234;
	struct rpc_addr_reply other;
	assert_int_equal(rig_call(&r, &m, sizeof m, a, &other), ENOTTY);
	(void)close(a);
	rig_close(&r);
}

static void test_replacement_takes_the_options(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	uint64_t id = 0;
	int a = rig_socket_of(&r, true, &id);
	assert_int_equal(option_set(&r, a, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), EINPROGRESS);
	fakestack_close(fakestack_last(r.net.stack), ECONNREFUSED);
	rig_settle(&r);
	struct rpc_socket m = {
		.h.op = RPC_SOCKET, .family = AF_INET, .type = SOCK_STREAM, .replaces = id
	};
	struct rpc_socket_reply reply;
	int b = -1;
	/* Knowing the id is not enough: the descriptor proves who asks. */
	assert_int_equal(rig_reply(&r, rig_send(&r, &m, sizeof m, -1), &reply, sizeof reply, &b),
			 0);
	assert_int_equal(option_number(&r, b, IPPROTO_TCP, TCP_NODELAY), 0);
	(void)close(b);
	assert_int_equal(rig_reply(&r, rig_send(&r, &m, sizeof m, a), &reply, sizeof reply, &b), 0);
	assert_int_equal(option_number(&r, b, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), EBADF); /* the old record is gone */
	(void)close(a);
	(void)close(b);
	rig_close(&r);
}

/* A client that never reads its answers costs nothing and blocks nobody. */
static void test_client_that_does_not_read(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	size_t before = rig_fd_count();
	struct rpc_welcome w;
	int fd = rig_dial(&r), reply[2];
	rig_hello(&r, fd, &w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, reply), 0);
	for (int i = 0; i < 2000; i++) {
		struct rpc_socket m = {
			.h = { .length = sizeof m, .op = RPC_SOCKET, .flags = RPC_HAVE_REPLY },
			.family = AF_INET,
			.type = SOCK_STREAM,
		};
		assert_int_equal(rpc_send(fd, &m, sizeof m, &reply[1], 1, 0), 0);
		rig_settle(&r);
	}
	struct vhost_stats stats;
	vhost_stats(r.net.vhost, &stats);
	assert_true(stats.sockets < 1000); /* those that did not arrive ended at once */
	(void)close(reply[0]);
	(void)close(reply[1]);
	(void)close(fd);
	rig_settle(&r);
	vhost_stats(r.net.vhost, &stats);
	assert_int_equal(stats.sockets, 0);
	assert_int_equal(rig_fd_count(), before);
	rig_close(&r);
}

/* Found by fuzz_rpcd: a program that passes its own socket as the reply end of a waiting connect
 * would have kept itself alive. */
static void test_own_socket_as_reply_end(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_socket(&r);
	struct rpc_connect m = {
		.h = { .length = sizeof m,
		       .op = RPC_CONNECT,
		       .flags = RPC_WAIT | RPC_HAVE_FD | RPC_HAVE_REPLY },
		.addr = rig_address("10.0.0.2", 80),
	};
	int fds[2] = { a, a };
	assert_int_equal(rpc_send(r.control, &m, sizeof m, fds, 2, 0), 0);
	rig_settle(&r);
	(void)close(a);
	rig_settle(&r);
	struct vhost_stats stats;
	vhost_stats(r.net.vhost, &stats);
	assert_int_equal(stats.sockets, 0);
	rig_close(&r);
}

static void test_long_path(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	char directory[300], path[320];
	int n = snprintf(directory, sizeof directory, "%s/%0120d", r.directory, 7);
	assert_true(n > 108);
	assert_int_equal(mkdir(directory, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/sock", directory);
	struct net other = r.net;
	assert_int_equal(vhost_open(&other, path, &other.vhost), 0);
	struct stat s;
	assert_int_equal(stat(path, &s), 0);
	assert_true(S_ISSOCK(s.st_mode));
	assert_int_equal(s.st_mode & 0777, 0660);
	vhost_close(other.vhost);
	assert_int_equal(rmdir(directory), 0);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_hello_of_another_version),
		cmocka_unit_test(test_malformed_closes_only_its_connection),
		cmocka_unit_test(test_request_before_hello),
		cmocka_unit_test(test_unknown_and_longer),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_forged_descriptors),
		cmocka_unit_test(test_forged_name_from_another_namespace),
		cmocka_unit_test(test_who_may_connect),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_options_are_inherited_and_applied),
		cmocka_unit_test(test_ioctl_outq),
		cmocka_unit_test(test_replacement_takes_the_options),
		cmocka_unit_test(test_client_that_does_not_read),
		cmocka_unit_test(test_own_socket_as_reply_end),
		cmocka_unit_test(test_long_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
