/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/udp_run.c, udp_gso.c, udp.c, ifscan.c: runs, super-packets over loopback, fallback. */
#include "service/udp_socket.h"

#include "service/ifscan.h"
#include "service/localconf.h"
#include "service/log.h"
#include "service/service.h"

#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

static const struct zt_endpoint A = { .ip = { 10, 0, 0, 1 }, .port = 1, .family = 4 };
static const struct zt_endpoint B = { .ip = { 10, 0, 0, 2 }, .port = 1, .family = 4 };

void turn_dispatch(struct service *s, struct watch *w, uint32_t events)
{
	(void)s;
	(void)w;
	(void)events;
}

void turn_finish(struct service *s, struct zt_now now)
{
	(void)s;
	(void)now;
}

int64_t turn_deadline(struct service *s)
{
	(void)s;
	return INT64_MAX;
}

/* ---- runs ----------------------------------------------------------------------------------- */

static struct zt_tx txs[UDP_TX_MAX];
static struct udp_run runs[UDP_TX_MAX];
static uint32_t next[UDP_TX_MAX];

static size_t build(size_t count)
{
	return udp_runs_build(txs, count, runs, next);
}

static void tx_set(size_t i, const struct zt_endpoint *to, uint16_t length)
{
	txs[i] = (struct zt_tx){ .to = *to, .socket = 1, .length = length };
}

static void test_equal_sizes_are_grouped(void **state)
{
	(void)state;
	for (size_t i = 0; i < 20; i++) {
		tx_set(i, i % 2 == 0 ? &A : &B, 1400);
	}
	assert_int_equal(build(20), 2);
	for (size_t r = 0; r < 2; r++) {
		assert_int_equal(runs[r].count, 10);
		assert_int_equal(runs[r].segment, 1400);
		uint32_t index = runs[r].first;
		for (size_t i = 0; i < 10; i++, index = next[index]) {
			assert_int_equal(index, 2 * i + r); /* in order */
		}
		assert_int_equal(index, RUN_NONE);
	}
}

static void test_a_shorter_one_ends_the_run(void **state)
{
	(void)state;
	static const uint16_t lengths[] = { 1400, 1400, 600, 1400, 1400, 1432, 100, 100 };
	for (size_t i = 0; i < 8; i++) {
		tx_set(i, &A, lengths[i]);
	}
	/* 1400 1400 600 | 1400 1400 | 1432 100 | 100 */
	assert_int_equal(build(8), 4);
	static const uint32_t counts[] = { 3, 2, 2, 1 };
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(runs[i].count, counts[i]);
	}
}

static void test_run_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < 100; i++) {
		tx_set(i, &A, 1432);
	}
	size_t count = build(100);
	assert_int_equal(count, 5); /* 22 x 1432 fit into 32 KB */
	for (size_t i = 0; i < count; i++) {
		assert_true(runs[i].bytes <= RUN_MAX_BYTES);
	}
	for (size_t i = 0; i < 100; i++) {
		tx_set(i, &A, 64);
	}
	assert_int_equal(build(100), 3);
	assert_int_equal(runs[0].count, RUN_MAX_SEGMENTS);
}

static void test_socket_and_ttl_part_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		tx_set(i, &A, 100);
	}
	txs[1].ttl = 2;
	txs[2].socket = 5;
	assert_int_equal(build(3), 3);
}

/* Many destinations: none is lost, none reordered. */
static void test_many_destinations(void **state)
{
	(void)state;
	for (size_t i = 0; i < UDP_TX_MAX; i++) {
		struct zt_endpoint to = A;
		to.ip[3] = (uint8_t)(i % 200);
		tx_set(i, &to, 500);
	}
	size_t count = build(UDP_TX_MAX), sum = 0;
	uint32_t last[256] = { 0 };
	for (size_t r = 0; r < count; r++) {
		for (uint32_t i = runs[r].first; i != RUN_NONE; i = next[i], sum++) {
			uint32_t *before = &last[txs[i].to.ip[3]];
			assert_true(*before <= i);
			*before = i + 1;
		}
	}
	assert_int_equal(sum, UDP_TX_MAX);
}

/* ---- over loopback -------------------------------------------------------------------------- */

struct side {
	struct service service;
	struct udp *udp;
	struct udp_socket *socket;
	uint64_t received, bytes, wrong;
	uint32_t expect; /* the next datagram's number */
	struct zt_endpoint last_from;
};

static struct side left, right;

static void side_open(struct side *side)
{
	memset(side, 0, sizeof *side);
	settings_defaults(&side->service.settings);
	side->service.settings.bind[0] =
	    (struct zt_endpoint){ .ip = { 127, 0, 0, 1 }, .family = 4 };
	side->service.settings.bind_count = 1;
	side->service.settings.primary_port = 0;
	side->service.loopback_ok = true;
	side->service.loop = loop_new(&side->service);
	assert_non_null(side->service.loop);
	assert_int_equal(udp_open(&side->service, &side->udp), 0);
	side->service.udp = side->udp;
	assert_true(side->service.settings.primary_port_is_random);
	side->socket = &side->udp->sockets[0];
	assert_int_equal(side->udp->stats.sockets, 1); /* loopback has no secondary port */
}

static int setup(void **state)
{
	(void)state;
	log_level_set(LOG_LEVEL_ERROR);
	side_open(&left);
	side_open(&right);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	udp_close(left.udp);
	udp_close(right.udp);
	loop_free(left.service.loop);
	loop_free(right.service.loop);
	return 0;
}

/* Datagram i: its number, then bytes that follow from it. */
static void fill(uint8_t *bytes, uint32_t i, size_t length)
{
	memcpy(bytes, &i, sizeof i);
	for (size_t k = sizeof i; k < length; k++) {
		bytes[k] = (uint8_t)(i * 7 + k);
	}
}

static void take(void *context, struct zt_datagram *datagrams, size_t count)
{
	struct side *side = context;
	for (size_t i = 0; i < count; i++) {
		uint8_t wanted[65536];
		fill(wanted, side->expect++, datagrams[i].length);
		side->received++;
		side->bytes += datagrams[i].length;
		side->wrong += memcmp(wanted, datagrams[i].bytes, datagrams[i].length) != 0;
		side->last_from = datagrams[i].from;
	}
}

static void receive_all(struct side *side)
{
	uint64_t before;
	do {
		before = side->received;
		udp_receive(side->socket, take, side);
	} while (side->received > before);
}

static uint8_t arena[UDP_ARENA_BYTES];

/* `count` datagrams of `length` to `to`, back to back or with gaps. */
static void send_burst(struct side *from, const struct zt_endpoint *to, uint32_t first,
		       uint32_t count, size_t length, size_t gap)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t offset = i * (length + gap);
		fill(arena + offset, first + i, length);
		txs[i] = (struct zt_tx){ .to = *to,
					 .socket = from->socket->number,
					 .offset = (uint32_t)offset,
					 .length = (uint16_t)length };
	}
	udp_send(from->udp, arena, txs, count);
}

static void test_round_trip_in_super_packets(void **state)
{
	(void)state;
	send_burst(&left, &right.socket->local, 0, 40, 1432, 0);
	receive_all(&right);
	assert_int_equal(right.received, 40);
	assert_int_equal(right.wrong, 0);
	assert_true(endpoint_equal(&right.last_from, &left.socket->local));
	struct udp_stats out, in;
	udp_stats(left.udp, &out);
	udp_stats(right.udp, &in);
	assert_int_equal(out.datagrams_out, 40);
	assert_int_equal(out.bytes_out, 40 * 1432);
	assert_int_equal(in.datagrams_in, 40);
	if (left.socket->has_gso) {
		assert_int_equal(out.runs, 2); /* 22 + 18 */
		assert_int_equal(out.sends, 1);
	}
}

static void test_gaps_and_sizes(void **state)
{
	(void)state;
	send_burst(&left, &right.socket->local, 0, 30, 700, 13); /* not back to back */
	send_burst(&left, &right.socket->local, 30, 1, 9000, 0);
	send_burst(&left, &right.socket->local, 31, 1, 4, 0);
	receive_all(&right);
	assert_int_equal(right.received, 32);
	assert_int_equal(right.wrong, 0);
}

/* A destination that is known to take no super-packets gets datagrams; the order stays. */
static void test_fallback_per_destination(void **state)
{
	(void)state;
	if (!left.socket->has_gso) {
		skip();
	}
	send_burst(&left, &right.socket->local, 0, 10, 700, 0);
	left.udp->no_gso[0] =
	    (struct udp_no_gso){ .socket = left.socket->number, .to = right.socket->local };
	uint64_t runs_before = left.udp->stats.runs;
	send_burst(&left, &right.socket->local, 10, 10, 700, 0);
	assert_int_equal(left.udp->stats.runs - runs_before, 10); /* one by one */
	receive_all(&right);
	assert_int_equal(right.received, 20);
	assert_int_equal(right.wrong, 0);
}

/* The kernel refuses UDP_SEGMENT on a socket without checksums (EIO), as it does for devices that
 * cannot compute them: the run arrives all the same, and the destination is remembered. */
static void test_refused_run_is_sent_singly(void **state)
{
	(void)state;
	if (!left.socket->has_gso) {
		skip();
	}
	int on = 1;
	assert_int_equal(setsockopt(left.socket->watch.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on),
			 0);
	send_burst(&left, &right.socket->local, 0, 10, 700, 0);
	receive_all(&right);
	assert_int_equal(right.received, 10);
	assert_int_equal(right.wrong, 0);
	assert_int_equal(left.udp->stats.fallbacks, 1);
	assert_int_equal(left.udp->stats.dropped, 0);
	send_burst(&left, &right.socket->local, 10, 10, 700, 0);
	receive_all(&right);
	assert_int_equal(right.received, 20);
	assert_int_equal(left.udp->stats.fallbacks, 1); /* remembered */
}

/* ---- a route that takes less ---- */

enum { NARROW_MTU = 1300 };
static bool is_narrow;
static uint16_t limit_told;

/* In place of the core's: news the first time. */
bool zt_path_limit(struct zt_node *node, int32_t socket, const struct zt_endpoint *to,
		   uint16_t bytes)
{
	bool is_news = limit_told != bytes;
	assert_non_null(node);
	assert_int_equal(socket, left.socket->number);
	assert_true(endpoint_equal(to, &right.socket->local));
	limit_told = bytes;
	return is_news;
}

/* Loopback in a network namespace of this thread's own, with that MTU. */
static bool narrow_loopback(int mtu)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	request.ifr_mtu = mtu;
	bool is_set = ioctl(fd, SIOCSIFMTU, &request) == 0;
	request.ifr_flags = IFF_UP | IFF_LOOPBACK;
	is_set = is_set && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	(void)close(fd);
	return is_set;
}

static int setup_narrow(void **state)
{
	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		return 0; /* the test says so */
	}
	is_narrow = narrow_loopback(NARROW_MTU);
	return is_narrow ? setup(state) : 0;
}

static int teardown_narrow(void **state)
{
	return is_narrow ? teardown(state) : 0;
}

static void test_a_narrow_route_is_measured_and_told(void **state)
{
	(void)state;
	if (!is_narrow) {
		print_message("no network namespaces here\n");
		skip();
	}
	assert_int_equal(udp_route_bytes(left.socket, &right.socket->local), NARROW_MTU - 28);
	struct zt_endpoint v6 = { .ip = { 0x20, 1 }, .port = 9, .family = 6 };
	assert_int_equal(udp_route_bytes(left.socket, &v6), 0); /* no route */
	if (!left.socket->has_gso) {
		return;
	}
	/* The core is told once and cuts smaller; runs go on. The refused run arrives all the same.
	 */
	left.service.node = (struct zt_node *)&left; /* opaque: only handed on */
	send_burst(&left, &right.socket->local, 0, 4, 1432, 0);
	assert_int_equal(limit_told, NARROW_MTU - 28);
	assert_int_equal(left.udp->stats.fallbacks, 0); /* super-packets stay */
	uint64_t runs_before = left.udp->stats.runs;
	send_burst(&left, &right.socket->local, 4, 4, NARROW_MTU - 28, 0);
	assert_int_equal(left.udp->stats.runs - runs_before, 1);
	/* No news: the core cannot help, so no super-packets of that size any more. */
	send_burst(&left, &right.socket->local, 8, 4, 1432, 0);
	assert_int_equal(left.udp->stats.fallbacks, 1);
	receive_all(&right);
	assert_int_equal(right.received, 12);
	assert_int_equal(right.wrong, 0);
}

static void test_ttl_and_unknown_socket(void **state)
{
	(void)state;
	send_burst(&left, &right.socket->local, 0, 0, 0, 0);
	fill(arena, 0, 100);
	txs[0] = (struct zt_tx){
		.to = right.socket->local, .socket = ZT_SOCKET_ALL, .length = 100, .ttl = 2
	};
	udp_send(left.udp, arena, txs, 1);
	fill(arena, 1, 100);
	txs[0].socket = left.socket->number + UDP_MAX_SOCKETS; /* closed long ago */
	udp_send(left.udp, arena, txs, 1);
	receive_all(&right);
	assert_int_equal(right.received, 2);
	assert_int_equal(right.wrong, 0);
}

static void test_failures_are_counted(void **state)
{
	(void)state;
	struct zt_endpoint v6 = { .ip = { [15] = 1 }, .port = 9, .family = 6 };
	send_burst(&left, &v6, 0, 3, 100, 0); /* no socket of that family */
	assert_int_equal(left.udp->stats.dropped, 3);
	struct zt_endpoint broadcast = { .ip = { 255, 255, 255, 255 }, .port = 9, .family = 4 };
	send_burst(&left, &broadcast, 0, 1, 100, 0); /* EACCES */
	assert_int_equal(left.udp->stats.dropped, 4);
	assert_int_equal(left.udp->stats.errors, 1);
	send_burst(&left, &right.socket->local, 0, 1, 100, 0); /* goes on */
	receive_all(&right);
	assert_int_equal(right.received, 1);
}

static void test_rescan_opens_and_closes(void **state)
{
	(void)state;
	int32_t first = left.socket->number;
	assert_int_equal(udp_socket_port(left.udp, first), left.service.settings.primary_port);
	left.service.settings.bind[0].ip[3] = 2; /* 127.0.0.2 now */
	udp_rescan(left.udp);
	assert_int_equal(left.udp->stats.sockets, 1);
	assert_int_equal(udp_socket_port(left.udp, first), 0);
	assert_null(udp_socket_find(left.udp, first));
	struct zt_endpoint bound[4];
	assert_int_equal(udp_endpoints(left.udp, bound, 4), 1);
	assert_int_equal(bound[0].ip[3], 2);
	assert_int_equal(udp_secondary_port(left.udp), 0);
}

static void test_usable_interfaces(void **state)
{
	(void)state;
	struct settings s;
	settings_defaults(&s);
	struct zt_endpoint private = A, loopback = { .ip = { 127, 0, 0, 1 }, .family = 4 };
	struct zt_endpoint link = { .ip = { 169, 254, 1, 1 }, .family = 4 };
	assert_true(ifscan_usable(&s, "eth0", &private));
	assert_false(ifscan_usable(&s, "lo", &private));
	assert_false(ifscan_usable(&s, "zt5urmgezk", &private));
	assert_false(ifscan_usable(&s, "tun0", &private));
	assert_false(ifscan_usable(&s, "tap1", &private));
	assert_false(ifscan_usable(&s, "eth0", &loopback));
	assert_false(ifscan_usable(&s, "eth0", &link));
	(void)strcpy(s.prefixes[0], "eth");
	s.prefix_count = 1;
	assert_false(ifscan_usable(&s, "eth0", &private));
	assert_true(ifscan_usable(&s, "wlan0", &private));
	s.path_rules[0].net = (struct zt_endpoint){ .ip = { 10 }, .port = 8, .family = 4 };
	s.path_rule_count = 1;
	assert_false(ifscan_usable(&s, "wlan0", &private));
}

static void test_what_is_bound(void **state)
{
	(void)state;
	struct settings s;
	struct zt_endpoint out[8];
	settings_defaults(&s);
	s.bind[0] = A;
	s.bind[1] = A;
	s.bind_count = 2;
	assert_int_equal(ifscan(&s, false, out, 8), 1);
	/* A planet on loopback: 127.0.0.1 in addition (S20). */
	assert_int_equal(ifscan(&s, true, out, 8), 2);
	assert_int_equal(out[1].ip[0], 127);
	/* But not beside another loopback address that was asked for. */
	s.bind[1] = (struct zt_endpoint){ .ip = { 127, 0, 0, 9 }, .family = 4 };
	assert_int_equal(ifscan(&s, true, out, 8), 2);
	assert_int_equal(out[1].ip[3], 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_sizes_are_grouped),
		cmocka_unit_test(test_a_shorter_one_ends_the_run),
		cmocka_unit_test(test_run_limits),
		cmocka_unit_test(test_socket_and_ttl_part_runs),
		cmocka_unit_test(test_many_destinations),
		cmocka_unit_test_setup_teardown(test_round_trip_in_super_packets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gaps_and_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fallback_per_destination, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_run_is_sent_singly, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ttl_and_unknown_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rescan_opens_and_closes, setup, teardown),
		cmocka_unit_test(test_usable_interfaces),
		cmocka_unit_test(test_what_is_bound),
		/* Last: they stay in another network namespace. */
		cmocka_unit_test_setup_teardown(test_a_narrow_route_is_measured_and_told,
						setup_narrow, teardown_narrow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
