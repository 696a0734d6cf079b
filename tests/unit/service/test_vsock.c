/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Virtual sockets through the control socket: names, states, connect, listen, accept. */
#include "tests/unit/service/rig.h"

#include <netinet/tcp.h>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/uio.h>

static void test_kernel_proof(void **state)
{
	(void)state;
	const struct vsock_kernel *k = vsock_kernel();
	assert_true(k->has_pawn);
	assert_true(k->record_cost >= 256 && k->record_cost <= 4096);
	assert_true(k->prefill_max >= VSOCK_SNDBUF_MIN);
}

static void test_moves(void **state)
{
	(void)state;
	assert_true(vsock_may(VSOCK_FRESH, VSOCK_BOUND));
	assert_true(vsock_may(VSOCK_BOUND, VSOCK_LISTEN));
	assert_true(vsock_may(VSOCK_CONNECTING, VSOCK_FAILED));
	assert_false(vsock_may(VSOCK_LISTEN, VSOCK_CONNECTING));
	assert_false(vsock_may(VSOCK_ESTABLISHED, VSOCK_CONNECTING));
	assert_false(vsock_may(VSOCK_FAILED, VSOCK_ESTABLISHED));
	for (int to = 0; to < VSOCK_STATES; to++) {
		assert_false(vsock_may(VSOCK_CLOSED, (enum vsock_state)to));
	}
}

static void test_birth(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	uint64_t id = 0;
	int a = rig_socket_of(&r, false, &id);
	int b = rig_socket_of(&r, true, NULL);
	struct rpc_ident ident;
	assert_true(rig_ident(a, false, &ident));
	assert_int_equal(ident.kind, RPC_KIND_STREAM);
	assert_int_equal(ident.id, id);
	assert_int_equal(ident.nwid, r.net.nwid);
	assert_false(rig_ident(a, true, &ident)); /* B has no name yet */
	assert_int_equal(fcntl(a, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(b, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	int value = 0;
	socklen_t length = sizeof value;
	assert_int_equal(getsockopt(a, SOL_SOCKET, SO_SNDBUF, &value, &length), 0);
	assert_true(value >= VSOCK_SNDBUF_MIN);
	assert_int_equal(rig_socket_error(&r, AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
	assert_int_equal(rig_socket_error(&r, AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	assert_int_equal(rig_socket_error(&r, AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	assert_int_equal(rig_socket_error(&r, AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
	struct vhost_stats stats;
	vhost_stats(r.net.vhost, &stats);
	assert_int_equal(stats.sockets, 2);
	(void)close(a);
	(void)close(b);
	rig_settle(&r);
	vhost_stats(r.net.vhost, &stats);
	assert_int_equal(stats.sockets, 0); /* HUP ends the record */
	rig_close(&r);
}

static void test_bind(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_socket(&r), b = rig_socket(&r), c = rig_socket(&r);
	uint16_t port = 80;
	assert_int_equal(rig_bind(&r, a, "192.168.1.1", &port), EADDRNOTAVAIL);
	port = 80;
	assert_int_equal(rig_bind(&r, a, "0.0.0.0", &port), 0);
	assert_int_equal(port, 80);
	assert_int_equal(rig_bind(&r, a, "0.0.0.0", &port), EINVAL); /* twice */
	port = 80;
	assert_int_equal(rig_bind(&r, b, "10.0.0.1", &port), EADDRINUSE);
	port = 0;
	assert_int_equal(rig_bind(&r, b, "127.0.0.1", &port), 0);
	assert_in_range(port, PORTS_EPHEMERAL_FIRST, PORTS_EPHEMERAL_LAST);
	(void)close(a);
	rig_settle(&r);
	port = 80;
	assert_int_equal(rig_bind(&r, c, "10.0.0.1", &port), 0);
	(void)close(b);
	(void)close(c);
	rig_close(&r);
}

/* A program closes a listener; the request that follows may be seen before the loop sees the close.
 */
static void test_a_close_counts_at_once(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	uint64_t id = 0, other = 0;
	struct rpc_addr address = rig_address("127.0.0.1", 80);
	int l = rig_listener(&r, "0.0.0.0", 80, 5), a = rig_socket_of(&r, true, &id);
	int b = rig_socket_of(&r, true, &other);
	(void)close(l);
	assert_int_equal(vsock_bind(vsock_find(r.net.vhost, id), &address, false), 0);
	assert_int_equal(r.net.stack->listens[80], 0);
	assert_int_equal(rig_listen(&r, a, 5), 0);
	(void)close(a);
	struct vsock_connect connect = { .address = &address, .a = b, .reply_fd = -1 };
	assert_int_equal(vsock_connect(vsock_find(r.net.vhost, other), &connect), -EINPROGRESS);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, b), ECONNREFUSED);
	(void)close(b);
	rig_close(&r);
}

static void test_listen(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_listener(&r, "0.0.0.0", 80, 10);
	assert_int_equal(r.net.stack->listens[80], 1);
	struct rpc_ident ident;
	assert_true(rig_ident(a, true, &ident));
	assert_int_equal(ident.kind, RPC_KIND_LISTENER);
	assert_int_equal(vaddr_port(&ident.local), 80);
	assert_int_equal(rig_listen(&r, a, 20), 0); /* again: another backlog */
	int b = rig_listener(&r, "127.0.0.1", 81, 10);
	assert_int_equal(r.net.stack->listens[81], 0); /* loopback is not the stack's business */
	int c = rig_socket(&r);
	assert_int_equal(rig_listen(&r, c, 1), 0); /* picks a port */
	assert_true(rig_ident(c, true, &ident));
	assert_in_range(vaddr_port(&ident.local), PORTS_EPHEMERAL_FIRST, PORTS_EPHEMERAL_LAST);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 1), EISCONN);
	(void)close(a);
	(void)close(b);
	(void)close(c);
	rig_settle(&r);
	assert_int_equal(r.net.stack->listens[80], 0);
	rig_close(&r);
}

static void test_two_listeners_one_stack_port(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	r.net.addresses[1] = (struct stack_ip){ .bytes = { 10, 0, 0, 9 }, .family = 4, .bits = 24 };
	r.net.address_count = 2;
	int a = rig_listener(&r, "10.0.0.1", 80, 10), b = rig_listener(&r, "10.0.0.9", 80, 10);
	assert_int_equal(r.net.stack->listens[80], 1);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(r.net.stack->listens[80], 1);
	bool admitted = true;
	struct stack_ip one = rig_ip("10.0.0.1", 80), nine = rig_ip("10.0.0.9", 80);
	struct stack_ip from = rig_ip("10.0.0.2", 5000);
	assert_null(fakestack_incoming(r.net.stack, &one, &from, &admitted));
	assert_false(admitted);
	assert_non_null(fakestack_incoming(r.net.stack, &nine, &from, &admitted));
	(void)close(b);
	rig_settle(&r);
	assert_int_equal(r.net.stack->listens[80], 0);
	rig_close(&r);
}

static void test_connect_masks(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_socket(&r);
	int epoll = epoll_create1(EPOLL_CLOEXEC); /* registered before connect(), as nginx does */
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET }, out;
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, a, &e), 0);
	(void)epoll_wait(epoll, &out, 1, 0);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), EINPROGRESS);
	assert_int_equal(rig_poll(a), 0);
	assert_int_equal(epoll_wait(epoll, &out, 1, 0), 0);
	struct rpc_ident ident;
	assert_false(rig_ident(a, true, &ident));
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), 0);
	struct stack_tcp *tcp = fakestack_last(r.net.stack);
	fakestack_establish(tcp);
	rig_settle(&r);
	assert_int_equal(rig_poll(a), POLLOUT);
	assert_int_equal(epoll_wait(epoll, &out, 1, 0), 1);
	assert_int_equal(epoll_wait(epoll, &out, 1, 0), 0); /* one edge, not several */
	assert_true(rig_ident(a, true, &ident));
	assert_int_equal(ident.kind, RPC_KIND_CONNECTION);
	assert_memory_equal(ident.local.addr + 12, "\x0a\0\0\x01", 4);
	assert_memory_equal(ident.remote.addr + 12, "\x0a\0\0\x02", 4);
	assert_int_equal(vaddr_port(&ident.remote), 80);
	assert_int_equal(tcp->sent_length, 0); /* no byte of the filling is data */
	(void)close(epoll);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(tcp->end, FAKE_CLOSED);
	rig_close(&r);
}

static void test_connect_refused(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_socket(&r);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), EINPROGRESS);
	fakestack_close(fakestack_last(r.net.stack), ECONNREFUSED);
	rig_settle(&r);
	assert_int_equal(rig_poll(a), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
	int error = 0;
	socklen_t length = sizeof error;
	assert_int_equal(getsockopt(a, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	assert_int_equal(error, ECONNRESET); /* the library asks for the true one */
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), ECONNREFUSED);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), 0);
	assert_int_equal(rig_poll(a), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), ECONNABORTED);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), ESTALE);
	int b = rig_socket(&r);
	assert_int_equal(rig_connect(&r, b, "10.0.0.2", 80), EINPROGRESS);
	fakestack_close(fakestack_last(r.net.stack), EHOSTUNREACH);
	rig_settle(&r);
	assert_int_equal(rig_connect(&r, b, "10.0.0.2", 80), EHOSTUNREACH);
	assert_int_equal(rig_connect(&r, b, "10.0.0.2", 80), ESTALE);
	rig_sleep(&r, VSOCK_FAILED_MS); /* two minutes later nobody remembers */
	assert_int_equal(rig_simple(&r, RPC_SOERROR, b), EBADF);
	(void)close(a);
	(void)close(b);
	rig_close(&r);
}

static void test_connect_immediate_errors(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, false); /* no address yet */
	int a = rig_socket(&r);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), ENETUNREACH);
	assert_int_equal(rig_poll(a), POLLOUT); /* the filling is gone again */
	assert_int_equal(rig_connect(&r, a, "224.0.0.1", 80), ENETUNREACH);
	r.net.is_ok = true;
	r.net.stack->connect_error = -ENOMEM;
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), ENOMEM);
	assert_int_equal(rig_connect(&r, a, "192.168.0.1", 80), ENETUNREACH);
	r.net.stack->connect_error = -EADDRINUSE; /* a port that lingers: another is tried */
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), EINPROGRESS);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), EALREADY);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(fakestack_last(r.net.stack)->end, FAKE_ABORTED);
	rig_close(&r);
}

static void test_connect_blocking(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct rpc_addr_reply reply;
	int a = rig_socket_of(&r, false, NULL);
	int from = rig_connect_wait(&r, a, "10.0.0.2", 80);
	assert_int_equal(rig_poll(from), POLLOUT); /* no answer yet */
	fakestack_close(fakestack_last(r.net.stack), ECONNREFUSED);
	rig_settle(&r);
	assert_int_equal(rig_reply(&r, from, &reply, sizeof reply, NULL), ECONNREFUSED);
	assert_int_equal(rig_poll(a), POLLOUT); /* usable again, as in Linux */
	from = rig_connect_wait(&r, a, "10.0.0.2", 80);
	struct stack_tcp *tcp = fakestack_last(r.net.stack);
	fakestack_establish(tcp);
	rig_settle(&r);
	assert_int_equal(rig_reply(&r, from, &reply, sizeof reply, NULL), 0);
	assert_int_equal(write(a, "x", 1), 1);
	rig_settle(&r);
	assert_int_equal(tcp->sent_length, 1);
	assert_int_equal(tcp->sent[0], 'x'); /* the planted byte was not sent */
	(void)close(a);
	rig_close(&r);
}

static void test_connect_detach(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_socket_of(&r, false, NULL);
	int from = rig_connect_wait(&r, a, "10.0.0.2", 80);
	assert_int_equal(rig_simple(&r, RPC_DETACH, a), EINPROGRESS);
	assert_int_equal(rig_poll(a), 0); /* filled by the service */
	struct stack_tcp *tcp = fakestack_last(r.net.stack);
	fakestack_establish(tcp);
	rig_settle(&r);
	assert_int_equal(rig_poll(a), POLLOUT);
	assert_int_equal(tcp->sent_length, 0);
	assert_int_equal(rig_simple(&r, RPC_DETACH, a), 0);
	(void)close(from);
	(void)close(a);
	rig_close(&r);
}

static void test_connect_timeout(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	rig_sleep(&r, 3600000); /* an idle host is not called; its clock must not stand still */
	int a = rig_socket(&r);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), EINPROGRESS);
	rig_sleep(&r, 126999);
	assert_int_equal(rig_poll(a), 0);
	rig_sleep(&r, 1);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), ETIMEDOUT);
	assert_int_equal(fakestack_last(r.net.stack)->end, FAKE_ABORTED);
	(void)close(a);
	rig_close(&r);
}

static void test_accept(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_listener(&r, "0.0.0.0", 80, 10);
	struct stack_ip to = rig_ip("10.0.0.1", 80), from = rig_ip("10.0.0.2", 5000);
	struct rpc_accept record;
	assert_int_equal(rig_accept(&r, a, &record), -EAGAIN);
	struct stack_tcp *tcp = fakestack_incoming(r.net.stack, &to, &from, NULL);
	fakestack_receive(tcp, "GET", 3);
	rig_settle(&r);
	assert_true(rig_poll(a) & POLLIN);
	int c = rig_accept(&r, a, &record);
	assert_true(c >= 0);
	assert_int_equal(vaddr_port(&record.remote), 5000);
	assert_int_equal(fcntl(c, F_GETFL) & O_NONBLOCK, 0);
	struct rpc_ident ident;
	assert_true(rig_ident(c, false, &ident));
	assert_int_equal(ident.id, record.id);
	assert_true(rig_ident(c, true, &ident));
	assert_int_equal(vaddr_port(&ident.local), 80);
	char text[8] = "";
	assert_int_equal(read(c, text, sizeof text), 3);
	assert_string_equal(text, "GET");
	assert_int_equal(shutdown(a, SHUT_RDWR), 0); /* accept() then says EINVAL */
	rig_settle(&r);
	assert_int_equal(rig_accept(&r, a, &record), -EINVAL);
	(void)close(c);
	(void)close(a);
	rig_close(&r);
}

static void test_backlog(void **state)
{
	(void)state;
	enum { BACKLOG = 300 };
	struct rig r;
	rig_open(&r, true);
	size_t before = rig_fd_count();
	int a = rig_listener(&r, "0.0.0.0", 80, BACKLOG);
	struct stack_ip to = rig_ip("10.0.0.1", 80);
	unsigned admitted = 0;
	for (int i = 0; i < BACKLOG + 50; i++) {
		struct stack_ip from = rig_ip("10.0.0.2", (uint16_t)(1000 + i));
		admitted += fakestack_incoming(r.net.stack, &to, &from, NULL) != NULL;
		rig_settle(&r);
	}
	assert_int_equal(admitted, BACKLOG + 1); /* Linux lets one more wait */
	/* Only 256 of them hold descriptors: B here, A in flight (not in our table). */
	assert_int_equal(rig_fd_count() - before, 1 + 1 + VSOCK_IN_FLIGHT_MAX);
	unsigned accepted = 0;
	struct rpc_accept record;
	for (int c = rig_accept(&r, a, &record); c >= 0; c = rig_accept(&r, a, &record)) {
		accepted++;
		(void)close(c);
		rig_settle(&r);
	}
	assert_int_equal(accepted, BACKLOG + 1); /* topped up until nothing waited */
	struct stack_ip from = rig_ip("10.0.0.2", 5000);
	assert_non_null(fakestack_incoming(r.net.stack, &to, &from, NULL));
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(fakestack_last(r.net.stack)->end, FAKE_ABORTED); /* never accepted: RST */
	assert_int_equal(rig_fd_count(), before);
	rig_close(&r);
}

/* Accepted, the listener closed, no byte in either direction: an ordinary end all the same. */
static void test_accepted_ends_with_fin(void **state)
{
	(void)state;
	struct rig r;
	struct rpc_accept record;
	rig_open(&r, true);
	int a = rig_listener(&r, "0.0.0.0", 80, 5);
	struct stack_ip to = rig_ip("10.0.0.1", 80), from = rig_ip("10.0.0.2", 5000);
	struct stack_tcp *tcp = fakestack_incoming(r.net.stack, &to, &from, NULL);
	rig_settle(&r);
	int c = rig_accept(&r, a, &record);
	assert_int_equal(record.flags, RPC_ACCEPT_TOKEN);
	(void)close(a);
	rig_settle(&r);
	(void)close(c);
	rig_settle(&r);
	assert_int_equal(tcp->end, FAKE_CLOSED);
	rig_close(&r);
}

/* close() and at once bind() or listen() to the same port: both may be read in one turn. */
static void test_port_of_the_dead(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_listener(&r, "0.0.0.0", 80, 5), b = rig_socket(&r), c = rig_socket(&r);
	uint16_t port = 81, of_a = 80;
	assert_int_equal(rig_bind(&r, c, "10.0.0.1", &port), 0);
	int d = rig_socket(&r);
	(void)close(a);
	struct stack_ip to = rig_ip("10.0.0.1", 80), from = rig_ip("10.0.0.2", 5000);
	assert_null(fakestack_incoming(r.net.stack, &to, &from, NULL)); /* nobody to accept it */
	(void)close(c);
	assert_int_equal(rig_bind(&r, b, "10.0.0.1", &of_a), 0);
	assert_int_equal(rig_bind(&r, d, "10.0.0.1", &port), 0);
	(void)close(b);
	(void)close(d);
	rig_close(&r);
}

/* TCP_DEFER_ACCEPT: no record before there are bytes; then they are there with it. */
static void test_deferred(void **state)
{
	(void)state;
	struct rig r;
	struct rpc_accept record;
	rig_open(&r, true);
	int a = rig_listener(&r, "0.0.0.0", 80, 5);
	struct rpc_addr_reply reply;
	const int three = 3;
	struct rpc_option m = { .h.op = RPC_SETOPT,
				.level = IPPROTO_TCP,
				.name = TCP_DEFER_ACCEPT,
				.value_length = sizeof three };
	memcpy(m.value, &three, sizeof three);
	assert_int_equal(
	    rig_call(&r, &m, offsetof(struct rpc_option, value) + sizeof three, a, &reply), 0);
	struct stack_ip to = rig_ip("10.0.0.1", 80), from = rig_ip("10.0.0.2", 5000);
	struct stack_tcp *tcp = fakestack_incoming(r.net.stack, &to, &from, NULL);
	rig_settle(&r);
	assert_int_equal(rig_accept(&r, a, &record), -EAGAIN);
	fakestack_receive(tcp, "GET", 3);
	rig_settle(&r);
	int c = rig_accept(&r, a, &record);
	char text[8] = "";
	assert_int_equal(recv(c, text, sizeof text, MSG_DONTWAIT), 3);
	from.port = 5001;
	tcp = fakestack_incoming(r.net.stack, &to, &from, NULL);
	rig_settle(&r);
	fakestack_close(tcp, ECONNRESET); /* nobody ever sees this one */
	rig_settle(&r);
	assert_int_equal(rig_accept(&r, a, &record), -EAGAIN);
	from.port = 5002;
	(void)fakestack_incoming(r.net.stack, &to, &from, NULL);
	rig_settle(&r);
	rig_sleep(&r, 3001); /* time makes it ripe, too */
	int d = rig_accept(&r, a, &record);
	assert_true(d >= 0);
	(void)close(a);
	(void)close(c);
	(void)close(d);
	rig_close(&r);
}

/* Descriptors that are under way in unix sockets count against the user: put more there than
 * RLIMIT_NOFILE allows. The end that holds them. */
static int inflight_exhaust(void)
{
	enum { MESSAGE_FDS = 250, MESSAGES = 4 };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
	} control;
	int pair[2], fds[MESSAGE_FDS];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (int i = 0; i < MESSAGE_FDS; i++) {
		fds[i] = STDERR_FILENO;
	}
	memset(&control, 0, sizeof control);
	control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fds),
					   .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	for (int i = 0; i < MESSAGES; i++) {
		assert_int_equal(sendmsg(pair[0], &m, 0), 1);
	}
	(void)close(pair[0]);
	return pair[1];
}

/* ETOOMANYREFS (decision S6): the queue rests, does not spin, and goes on; nothing is lost. */
static void test_too_many_in_flight(void **state)
{
	(void)state;
	enum { LIMIT = 500, NOBODY = 65534 };
	struct rig r;
	struct rpc_accept record;
	struct rlimit before, low;
	rig_open(&r, true);
	int a = rig_listener(&r, "0.0.0.0", 80, 5), holder = inflight_exhaust(), pair[2];
	struct rpc_socket m = {
		.h = { .length = sizeof m, .op = RPC_SOCKET, .flags = RPC_HAVE_REPLY },
		.family = AF_INET,
		.type = SOCK_STREAM
	};
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(rpc_send(r.control, &m, sizeof m, &pair[1], 1, 0), 0);
	bool is_root = geteuid() == 0;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){ .rlim_cur = LIMIT, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_true(!is_root || seteuid(NOBODY) == 0); /* root may have as many as it likes */
	struct stack_ip to = rig_ip("10.0.0.1", 80), from = rig_ip("10.0.0.2", 5000);
	struct stack_tcp *tcp = fakestack_incoming(r.net.stack, &to, &from, NULL);
	fakestack_receive(tcp, "GET", 3);
	rig_settle(&r);
	struct rpc_header answer = { .error = 0 };
	assert_int_equal(recv(pair[0], &answer, sizeof answer, MSG_DONTWAIT), sizeof answer);
	assert_int_equal(answer.error, ENOBUFS);
	(void)close(pair[0]);
	(void)close(pair[1]);
	assert_int_equal(rig_accept(&r, a, &record), -EAGAIN);
	rig_sleep(&r, VSOCK_ACCEPT_RETRY_MS);
	assert_int_equal(rig_accept(&r, a, &record), -EAGAIN);
	(void)close(holder);
	rig_sleep(&r, VSOCK_ACCEPT_RETRY_MS);
	assert_true(!is_root || seteuid(0) == 0);
	int c = rig_accept(&r, a, &record);
	char text[8] = "";
	assert_int_equal(read(c, text, sizeof text), 3);
	assert_int_equal(tcp->end, FAKE_ALIVE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	(void)close(a);
	(void)close(c);
	rig_close(&r);
}

static void test_queued_reset_is_delivered(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_listener(&r, "0.0.0.0", 80, 5);
	struct stack_ip to = rig_ip("10.0.0.1", 80), from = rig_ip("10.0.0.2", 5000);
	struct stack_tcp *tcp = fakestack_incoming(r.net.stack, &to, &from, NULL);
	fakestack_close(tcp, ECONNRESET); /* before any record could be sent */
	rig_settle(&r);
	struct rpc_accept record;
	int c = rig_accept(&r, a, &record);
	assert_true(c >= 0);
	char byte = 0;
	assert_int_equal(read(c, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	(void)close(c);
	(void)close(a);
	rig_close(&r);
}

static void test_descriptors_run_out(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	r.service.fd_capacity = 4;
	int a = rig_listener(&r, "0.0.0.0", 80, 50);
	struct stack_ip to = rig_ip("10.0.0.1", 80);
	for (uint16_t i = 0; i < 10; i++) {
		struct stack_ip from = rig_ip("10.0.0.2", (uint16_t)(1000 + i));
		assert_non_null(fakestack_incoming(r.net.stack, &to, &from, NULL));
	}
	rig_settle(&r); /* three records; the rest waits, and nothing spins */
	assert_true(r.turns < 20);
	assert_int_equal(rig_socket_error(&r, AF_INET, SOCK_STREAM, 0), ENOBUFS);
	struct rpc_accept record;
	for (int i = 0; i < 10; i++) {
		int c = rig_accept(&r, a, &record);
		assert_true(c >= 0);
		(void)close(c);
		rig_sleep(&r, VSOCK_ACCEPT_RETRY_MS);
	}
	assert_int_equal(rig_accept(&r, a, &record), -EAGAIN);
	(void)close(a);
	rig_close(&r);
}

static void test_address_goes_away(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	r.net.address_count = 0;
	vhost_update(r.net.vhost);
	rig_settle(&r);
	assert_int_equal(tcp->end, FAKE_ABORTED);
	char byte = 0;
	assert_int_equal(read(a, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	(void)close(a);
	rig_close(&r);
}

static void test_host_closes(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp), l = rig_listener(&r, "0.0.0.0", 80, 5);
	int w = rig_socket_of(&r, false, NULL);
	int from = rig_connect_wait(&r, w, "10.0.0.3", 80);
	rig_close(&r);
	char byte = 0;
	assert_int_equal(read(a, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	struct rpc_accept record;
	int fd = -1;
	size_t count = 1;
	assert_int_equal(rpc_recv(l, &record, sizeof record, &fd, &count, MSG_DONTWAIT), 0);
	struct rpc_addr_reply reply;
	count = 0;
	assert_int_equal(rpc_recv(from, &reply, sizeof reply, NULL, &count, MSG_DONTWAIT),
			 sizeof reply);
	assert_int_equal(reply.h.error, ENETDOWN);
	(void)close(a);
	(void)close(l);
	(void)close(w);
	(void)close(from);
}

static void test_thousand_connections(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	size_t before = rig_fd_count();
	int l = rig_listener(&r, "0.0.0.0", 80, 100);
	struct stack_ip to = rig_ip("10.0.0.1", 80);
	for (unsigned i = 0; i < 1000; i++) {
		struct stack_ip from = rig_ip("10.0.0.2", (uint16_t)(1000 + i));
		struct stack_tcp *tcp = fakestack_incoming(r.net.stack, &to, &from, NULL);
		assert_non_null(tcp);
		rig_settle(&r);
		struct rpc_accept record;
		int c = rig_accept(&r, l, &record);
		assert_int_equal(write(c, "hello", 5), 5);
		(void)close(c);
		rig_settle(&r);
		assert_int_equal(tcp->sent_length, 5);
		assert_int_equal(tcp->end, FAKE_CLOSED);
	}
	(void)close(l);
	rig_settle(&r);
	assert_int_equal(rig_fd_count(), before);
	struct vhost_stats stats;
	vhost_stats(r.net.vhost, &stats);
	assert_int_equal(stats.sockets, 0);
	assert_int_equal(stats.accepted, 1000);
	rig_close(&r);
}

static void test_record_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct vsock) <= 640);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_proof),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_birth),
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_a_close_counts_at_once),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_two_listeners_one_stack_port),
		cmocka_unit_test(test_connect_masks),
		cmocka_unit_test(test_connect_refused),
		cmocka_unit_test(test_connect_immediate_errors),
		cmocka_unit_test(test_connect_blocking),
		cmocka_unit_test(test_connect_detach),
		cmocka_unit_test(test_connect_timeout),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_accepted_ends_with_fin),
		cmocka_unit_test(test_port_of_the_dead),
		cmocka_unit_test(test_deferred),
		cmocka_unit_test(test_too_many_in_flight),
		cmocka_unit_test(test_queued_reset_is_delivered),
		cmocka_unit_test(test_descriptors_run_out),
		cmocka_unit_test(test_address_goes_away),
		cmocka_unit_test(test_host_closes),
		cmocka_unit_test(test_thousand_connections),
		cmocka_unit_test(test_record_is_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
