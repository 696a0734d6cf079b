/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Two programs of one virtual host: loopback and our own address without the stack. */
#include "tests/unit/service/rig.h"

/* Connect, accept; both ends. */
static void pair_up(struct rig *r, int listener, const char *address, int *connector, int *acceptor)
{
	struct rpc_accept record;
	*connector = rig_socket(r);
	assert_int_equal(rig_connect(r, *connector, address, 80), EINPROGRESS);
	assert_int_equal(rig_poll(*connector), POLLOUT); /* done inside the request */
	*acceptor = rig_accept(r, listener, &record);
	assert_true(*acceptor >= 0);
}

static void assert_address(const struct rpc_addr *a, const char *text, int port)
{
	struct rpc_addr expected = rig_address(text, 0);
	assert_memory_equal(a->addr, expected.addr, sizeof a->addr);
	if (port >= 0) {
		assert_int_equal(vaddr_port(a), port);
	}
}

static void test_names_of_both_ends(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int l = rig_listener(&r, "0.0.0.0", 80, 5), c = -1, s = -1;
	pair_up(&r, l, "10.0.0.1", &c, &s);
	struct rpc_ident own, peer, of_c;
	assert_true(rig_ident(s, false, &own)); /* the acceptor's own name has it all */
	assert_int_equal(own.kind, RPC_KIND_CONNECTION);
	assert_int_equal(own.flags & RPC_SIDE_ACCEPTOR, RPC_SIDE_ACCEPTOR);
	assert_address(&own.local, "10.0.0.1", 80);
	assert_address(&own.remote, "10.0.0.1", -1);
	assert_true(rig_ident(c, true, &peer)); /* the connector reads the same and swaps */
	assert_int_equal(peer.id, own.id);
	assert_int_equal(vaddr_port(&peer.remote), vaddr_port(&own.remote));
	assert_true(rig_ident(c, false, &of_c));
	assert_int_equal(of_c.kind, RPC_KIND_STREAM);
	assert_int_not_equal(of_c.id, own.id);
	assert_int_equal(fcntl(s, F_GETFL) & O_NONBLOCK, 0);
	(void)close(l);
	(void)close(c);
	(void)close(s);
	rig_close(&r);
}

static void test_bytes_and_ends(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, false); /* works before the network has an address */
	int l = rig_listener(&r, "127.0.0.1", 80, 5), c = -1, s = -1;
	pair_up(&r, l, "127.0.0.1", &c, &s);
	char text[16] = "";
	int queued = -1;
	assert_int_equal(recv(s, text, sizeof text, MSG_DONTWAIT), -1); /* no filling, no pawn */
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(c, "ping", 4), 4);
	assert_int_equal(read(s, text, sizeof text), 4);
	assert_int_equal(write(s, "pong", 4), 4);
	assert_int_equal(read(c, text, sizeof text), 4);
	(void)queued;
	assert_int_equal(shutdown(c, SHUT_WR), 0);
	assert_int_equal(read(s, text, sizeof text), 0);
	assert_int_equal(write(s, "rest", 4), 4);
	(void)close(s);
	assert_int_equal(read(c, text, sizeof text), 4);
	assert_int_equal(read(c, text, sizeof text), 0);
	assert_int_equal(r.net.stack->connect_count, 0);
	(void)close(c);
	(void)close(l);
	rig_close(&r);
}

static void test_refused(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int c = rig_socket(&r);
	assert_int_equal(rig_connect(&r, c, "127.0.0.1", 80), EINPROGRESS);
	assert_int_equal(rig_poll(c), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, c), ECONNREFUSED);
	int w = rig_socket_of(&r, false, NULL);
	struct rpc_addr_reply reply;
	int from = rig_connect_wait(&r, w, "10.0.0.1", 80);
	assert_int_equal(rig_reply(&r, from, &reply, sizeof reply, NULL), ECONNREFUSED);
	int l = rig_listener(&r, "0.0.0.0", 80, 5);
	from = rig_connect_wait(&r, w, "10.0.0.1", 80); /* the same socket again */
	assert_int_equal(rig_reply(&r, from, &reply, sizeof reply, NULL), 0);
	assert_address(&reply.addr, "10.0.0.1", -1);
	(void)close(l);
	(void)close(c);
	(void)close(w);
	rig_close(&r);
}

static void test_addresses_of_listeners(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int l = rig_listener(&r, "10.0.0.1", 80, 5), c = rig_socket(&r), d = rig_socket(&r);
	assert_int_equal(rig_connect(&r, c, "127.0.0.1", 80), EINPROGRESS);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, c), ECONNREFUSED); /* listens elsewhere */
	assert_int_equal(rig_connect(&r, d, "10.0.0.1", 80), EINPROGRESS);
	assert_int_equal(rig_poll(d), POLLOUT);
	struct rpc_ident ident;
	int z = rig_listener(&r, "0.0.0.0", 81, 5), e = rig_socket(&r);
	assert_int_equal(rig_connect(&r, e, "0.0.0.0", 81), EINPROGRESS); /* any = this host */
	assert_true(rig_ident(e, true, &ident));
	assert_address(&ident.local, "127.0.0.1", 81);
	(void)close(l);
	(void)close(z);
	(void)close(c);
	(void)close(d);
	(void)close(e);
	rig_close(&r);
}

static void test_backlog(void **state)
{
	(void)state;
	enum { BACKLOG = 3, CONNECTORS = 8 };
	struct rig r;
	rig_open(&r, true);
	int l = rig_listener(&r, "127.0.0.1", 80, BACKLOG), c[CONNECTORS];
	for (int i = 0; i < CONNECTORS; i++) {
		c[i] = rig_socket(&r);
		assert_int_equal(rig_connect(&r, c[i], "127.0.0.1", 80), EINPROGRESS);
		assert_int_equal(rig_poll(c[i]), i <= BACKLOG ? POLLOUT : 0);
	}
	struct rpc_accept record;
	int accepted = 0;
	for (int s = rig_accept(&r, l, &record); s >= 0; s = rig_accept(&r, l, &record)) {
		accepted++;
		(void)close(s);
	}
	assert_int_equal(accepted, CONNECTORS);
	for (int i = 0; i < CONNECTORS; i++) {
		assert_true(rig_poll(c[i]) & POLLOUT);
		(void)close(c[i]);
	}
	(void)close(l);
	rig_close(&r);
}

static void test_listener_closes_on_those_who_knock(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int l = rig_listener(&r, "127.0.0.1", 80, 0);
	int a = rig_socket(&r), b = rig_socket(&r), w = rig_socket_of(&r, false, NULL);
	assert_int_equal(rig_connect(&r, a, "127.0.0.1", 80), EINPROGRESS);
	assert_int_equal(rig_connect(&r, b, "127.0.0.1", 80), EINPROGRESS);
	int from = rig_connect_wait(&r, w, "127.0.0.1", 80);
	assert_int_equal(rig_poll(b), 0);
	(void)close(l);
	rig_settle(&r);
	assert_true(rig_poll(a) & POLLHUP); /* was queued: gone */
	assert_int_equal(rig_simple(&r, RPC_SOERROR, b), ECONNREFUSED);
	struct rpc_addr_reply reply;
	uint32_t seq = r.seq;
	r.seq = 0;
	size_t none = 0;
	assert_int_equal(rpc_recv(from, &reply, sizeof reply, NULL, &none, MSG_DONTWAIT),
			 sizeof reply);
	assert_int_equal(reply.h.error, ECONNREFUSED);
	r.seq = seq;
	(void)close(from);
	(void)close(a);
	(void)close(b);
	(void)close(w);
	rig_close(&r);
}

static void test_knocking_gives_up(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int l = rig_listener(&r, "127.0.0.1", 80, 0), a = rig_socket(&r), b = rig_socket(&r);
	assert_int_equal(rig_connect(&r, a, "127.0.0.1", 80), EINPROGRESS);
	assert_int_equal(rig_connect(&r, b, "127.0.0.1", 80), EINPROGRESS);
	rig_sleep(&r, 127000);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, b), ETIMEDOUT);
	(void)close(b);
	(void)close(a);
	(void)close(l);
	rig_close(&r);
}

static void test_options_and_proof_of_both_ends(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int l = rig_listener(&r, "127.0.0.1", 80, 5), c = -1, s = -1;
	pair_up(&r, l, "127.0.0.1", &c, &s);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, c), 0);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, s),
			 0); /* the acceptor's proof: its own cookie */
	assert_int_equal(rig_connect(&r, c, "127.0.0.1", 80), EISCONN);
	(void)close(l);
	(void)close(c);
	(void)close(s);
	rig_close(&r);
}

/* The service holds no end of a short cut; the dead are found when new ones are made. */
static void test_records_of_the_dead_are_freed(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	size_t before = rig_fd_count();
	int l = rig_listener(&r, "127.0.0.1", 80, 5), keep_c = -1, keep_s = -1;
	pair_up(&r, l, "127.0.0.1", &keep_c, &keep_s);
	for (int i = 0; i < 1000; i++) {
		int c = -1, s = -1;
		pair_up(&r, l, "127.0.0.1", &c, &s);
		(void)close(c);
		(void)close(s);
	}
	assert_true(r.net.vhost->probes.count < 16);
	shortcut_sweep(r.net.vhost, SIZE_MAX);
	assert_int_equal(r.net.vhost->probes.count, 2); /* the living stay */
	assert_int_equal(r.service.fd_used, 1);         /* the listener's B */
	(void)close(keep_c);
	(void)close(keep_s);
	shortcut_sweep(r.net.vhost, SIZE_MAX);
	assert_int_equal(r.net.vhost->probes.count, 0);
	(void)close(l);
	rig_settle(&r);
	assert_int_equal(rig_fd_count(), before);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_both_ends),
		cmocka_unit_test(test_bytes_and_ends),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_addresses_of_listeners),
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_listener_closes_on_those_who_knock),
		cmocka_unit_test(test_knocking_gives_up),
		cmocka_unit_test(test_options_and_proof_of_both_ends),
		cmocka_unit_test(test_records_of_the_dead_are_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
