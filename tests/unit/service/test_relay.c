/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Bytes between a program's descriptor and the stack: back-pressure, half-close, resets. */
#include "tests/unit/service/rig.h"

#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

enum { MEBIBYTE = 1 << 20 };

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static uint8_t *pattern_new(size_t length)
{
	uint8_t *bytes = malloc(length);
	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++) {
		bytes[i] = pattern(i);
	}
	return bytes;
}

static bool pattern_ok(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != pattern(i)) {
			return false;
		}
	}
	return true;
}

/* The program writes 1 MiB while the stack takes little at a time. */
static void up_through_window(size_t room)
{
	struct rig r;
	rig_open(&r, true);
	r.net.stack->default_room = room;
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	uint8_t *bytes = pattern_new(MEBIBYTE);
	size_t written = 0;
	while (tcp->sent_length < MEBIBYTE) {
		ssize_t n = write(a, bytes + written, MEBIBYTE - written);
		written += n > 0 ? (size_t)n : 0;
		rig_settle(&r);
		if (tcp->room == 0) {
			fakestack_ack(tcp, room);
			rig_settle(&r);
		}
		assert_true(tcp->is_flushed);
	}
	assert_int_equal(tcp->sent_length, MEBIBYTE);
	assert_true(pattern_ok(tcp->sent, MEBIBYTE));
	free(bytes);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(tcp->end, FAKE_CLOSED);
	rig_close(&r);
}

static void test_up_tiny_windows(void **state)
{
	(void)state;
	up_through_window(1000);
	up_through_window(1);
	up_through_window(60000);
}

static void test_up_blocks_the_program(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	r.net.stack->default_room = 10;
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	uint8_t *bytes = pattern_new(MEBIBYTE);
	size_t total = 0;
	for (ssize_t n = 1; n > 0; total += n > 0 ? (size_t)n : 0) {
		n = write(a, bytes, 4096);
		rig_settle(&r);
	}
	assert_true(total < MEBIBYTE); /* EAGAIN, not endless memory here */
	assert_int_equal(rig_poll(a) & POLLOUT, 0);
	assert_int_equal(tcp->sent_length, 10);
	free(bytes);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(tcp->end, FAKE_ALIVE); /* the program left: what it wrote still goes out */
	while (tcp->end == FAKE_ALIVE) {
		fakestack_ack(tcp, 5000);
		rig_settle(&r);
	}
	assert_int_equal(tcp->end, FAKE_CLOSED);
	assert_int_equal(tcp->sent_length, total);
	rig_close(&r);
}

/* The peer sends 1 MiB; the program reads in pieces. */
static void down_in_pieces(size_t segment, size_t read_size)
{
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	tcp->piece = 1360;
	uint8_t *bytes = pattern_new(MEBIBYTE), *got = calloc(1, MEBIBYTE);
	size_t sent = 0, read_total = 0;
	while (read_total < MEBIBYTE) {
		if (sent < MEBIBYTE && tcp->received_length < 8 * segment) {
			size_t n = MEBIBYTE - sent < segment ? MEBIBYTE - sent : segment;
			fakestack_receive(tcp, bytes + sent, n);
			sent += n;
		}
		rig_settle(&r);
		size_t room = MEBIBYTE - read_total;
		ssize_t n = read(a, got + read_total, room < read_size ? room : read_size);
		read_total += n > 0 ? (size_t)n : 0;
	}
	assert_true(pattern_ok(got, MEBIBYTE));
	assert_int_equal(tcp->consumed_total, MEBIBYTE);
	free(bytes);
	free(got);
	(void)close(a);
	rig_close(&r);
}

static void test_down_pieces(void **state)
{
	(void)state;
	down_in_pieces(64 << 10, 64 << 10);
	down_in_pieces(1360, 3000);
	down_in_pieces(200000, 7777);
}

static void test_down_full_program_stops_the_window(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	uint8_t *bytes = pattern_new(MEBIBYTE);
	fakestack_receive(tcp, bytes, MEBIBYTE);
	rig_settle(&r);
	assert_true(tcp->consumed_total < MEBIBYTE / 2); /* the rest stays in the stack */
	assert_true(r.turns < 100);
	size_t before = tcp->consumed_total;
	rig_settle(&r);
	assert_int_equal(tcp->consumed_total, before);
	uint8_t *got = malloc(MEBIBYTE);
	size_t total = 0;
	while (total < MEBIBYTE) {
		ssize_t n = read(a, got + total, MEBIBYTE - total);
		assert_true(n > 0);
		total += (size_t)n;
		rig_settle(&r);
	}
	assert_true(pattern_ok(got, MEBIBYTE));
	free(got);
	free(bytes);
	(void)close(a);
	rig_close(&r);
}

/* A turn is at most 128 KB per connection, so that others have theirs. */
static void test_turns_are_fair(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *one = NULL, *two = NULL;
	int a = rig_connected(&r, &one), b = rig_connected(&r, &two);
	one->room = two->room = MEBIBYTE;
	uint8_t *bytes = pattern_new(150 << 10);
	assert_int_equal(write(a, bytes, 150 << 10), 150 << 10);
	assert_int_equal(write(b, bytes, 150 << 10), 150 << 10);
	(void)rig_turn(&r);
	assert_int_equal(one->sent_length, 128 << 10);
	assert_int_equal(two->sent_length, 128 << 10);
	assert_true(vhost_deadline(r.net.vhost) <= r.loop.now.mono_ms); /* goes on at once */
	rig_settle(&r);
	assert_int_equal(one->sent_length, 150 << 10);
	assert_int_equal(vhost_deadline(r.net.vhost), INT64_MAX); /* and idles */
	free(bytes);
	(void)close(a);
	(void)close(b);
	rig_close(&r);
}

static void test_half_close_by_program(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	assert_int_equal(write(a, "request", 7), 7);
	assert_int_equal(shutdown(a, SHUT_WR), 0);
	rig_settle(&r);
	assert_int_equal(tcp->sent_length, 7);
	assert_true(tcp->has_fin);
	assert_int_equal(tcp->end, FAKE_ALIVE);
	fakestack_receive(tcp, "answer", 6); /* the other direction goes on */
	rig_settle(&r);
	char text[16] = "";
	assert_int_equal(read(a, text, sizeof text), 6);
	assert_string_equal(text, "answer");
	fakestack_eof(tcp);
	rig_settle(&r);
	assert_int_equal(read(a, text, sizeof text), 0);
	assert_int_equal(tcp->end, FAKE_CLOSED);
	(void)close(a);
	rig_close(&r);
}

static void test_half_close_by_peer(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	fakestack_receive(tcp, "last words", 10);
	fakestack_eof(tcp);
	rig_settle(&r);
	char text[16] = "";
	assert_int_equal(read(a, text, sizeof text), 10);
	assert_int_equal(read(a, text, sizeof text), 0);
	assert_int_equal(rig_poll(a), POLLIN | POLLOUT | POLLRDHUP);
	assert_int_equal(write(a, "reply", 5), 5); /* still writable */
	rig_settle(&r);
	assert_int_equal(tcp->sent_length, 5);
	assert_false(tcp->has_fin);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(tcp->end, FAKE_CLOSED);
	assert_false(ports_time_wait_count(r.net.vhost->ports)); /* the peer closed first */
	rig_close(&r);
}

static void test_eof_waits_for_the_data(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	uint8_t *bytes = pattern_new(MEBIBYTE), *got = malloc(MEBIBYTE);
	fakestack_receive(tcp, bytes, MEBIBYTE);
	fakestack_eof(tcp);
	rig_settle(&r);
	size_t total = 0;
	for (ssize_t n = 1; n > 0;) {
		n = read(a, got + total, MEBIBYTE - total);
		total += n > 0 ? (size_t)n : 0;
		rig_settle(&r);
	}
	assert_int_equal(total, MEBIBYTE);
	assert_true(pattern_ok(got, MEBIBYTE));
	free(bytes);
	free(got);
	(void)close(a);
	rig_close(&r);
}

static void test_reset_by_peer(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	fakestack_receive(tcp, "before", 6);
	fakestack_close(tcp, ECONNRESET); /* in the same batch */
	rig_settle(&r);
	char text[16] = "";
	assert_int_equal(read(a, text, sizeof text),
			 6); /* as TCP: data, then the error, then EOF */
	assert_int_equal(read(a, text, sizeof text), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(read(a, text, sizeof text), 0);
	(void)close(a);
	rig_close(&r);
}

static void test_reset_after_traffic(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(write(a, "ping", 4), 4);
		rig_settle(&r);
	}
	assert_int_equal(tcp->sent_length, 200);
	assert_int_equal(rig_poll(a), POLLOUT); /* the pawn does not show */
	fakestack_close(tcp, ECONNRESET);
	rig_settle(&r);
	char byte = 0;
	assert_int_equal(read(a, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	(void)close(a);
	rig_close(&r);
}

static void test_timeout_is_told_by_soerror(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	fakestack_close(tcp, ETIMEDOUT);
	rig_settle(&r);
	assert_int_equal(rig_simple(&r, RPC_SOERROR, a), ETIMEDOUT);
	(void)close(a);
	rig_close(&r);
}

static void test_orderly_end_is_no_reset(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	assert_int_equal(write(a, "bye", 3), 3);
	rig_settle(&r);
	fakestack_eof(tcp);
	fakestack_close(tcp, 0);
	rig_settle(&r);
	char byte = 0;
	assert_int_equal(read(a, &byte, 1), 0); /* the pawn was taken first */
	assert_int_equal(rig_poll(a) & POLLERR, 0);
	(void)close(a);
	rig_close(&r);
}

static void test_program_leaves_bytes_unread(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	fakestack_receive(tcp, "unread", 6);
	rig_settle(&r);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(tcp->end, FAKE_ABORTED); /* RST, as Linux */
	rig_close(&r);
}

static void test_linger_zero_resets(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	struct rpc_option m = { .h.op = RPC_SETOPT, .level = SOL_SOCKET, .name = SO_LINGER };
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	memcpy(m.value, &linger, sizeof linger);
	m.value_length = sizeof linger;
	struct rpc_addr_reply reply;
	assert_int_equal(rig_call(&r, &m, sizeof m, a, &reply), 0);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(tcp->end, FAKE_ABORTED);
	rig_close(&r);
}

static void test_shutdown_read_discards(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	assert_int_equal(shutdown(a, SHUT_RD), 0);
	rig_settle(&r);
	fakestack_receive(tcp, "ignored", 7);
	rig_settle(&r);
	assert_int_equal(tcp->consumed_total, 7);
	assert_int_equal(write(a, "out", 3), 3);
	rig_settle(&r);
	assert_int_equal(tcp->sent_length, 3);
	(void)close(a);
	rig_close(&r);
}

static void test_killed_in_the_middle(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	size_t before = rig_fd_count();
	for (int i = 0; i < 50; i++) {
		struct stack_tcp *tcp = NULL;
		int a = rig_connected(&r, &tcp);
		uint8_t *bytes = pattern_new(MEBIBYTE);
		(void)!write(a, bytes, 100000);
		fakestack_receive(tcp, bytes, MEBIBYTE);
		rig_settle(&r);
		(void)close(a); /* what the kernel does for a killed program */
		rig_settle(&r);
		assert_int_equal(tcp->end, FAKE_ABORTED);
		free(bytes);
	}
	assert_int_equal(rig_fd_count(), before);
	rig_close(&r);
}

static void option_set(struct rig *r, int a, int name, int value)
{
	struct rpc_option m = {
		.h.op = RPC_SETOPT, .level = IPPROTO_TCP, .name = name, .value_length = sizeof value
	};
	struct rpc_addr_reply reply;
	memcpy(m.value, &value, sizeof value);
	assert_int_equal(
	    rig_call(r, &m, offsetof(struct rpc_option, value) + sizeof value, a, &reply), 0);
}

/* TCP_CORK: whole segments go, the rest waits for the cork's end, or 200 ms, or the program's. */
static void test_cork(void **state)
{
	(void)state;
	enum { SEGMENT = 1360 }; /* of the fake stack */
	struct rig r;
	uint8_t bytes[2 * SEGMENT] = { 0 };
	struct stack_tcp *tcp = NULL;
	rig_open(&r, true);
	int a = rig_connected(&r, &tcp);
	option_set(&r, a, TCP_CORK, 1);
	assert_int_equal(write(a, bytes, 10), 10);
	rig_settle(&r);
	assert_int_equal(tcp->sent_length, 0);
	assert_int_equal(write(a, bytes, SEGMENT), SEGMENT);
	rig_settle(&r);
	assert_int_equal(tcp->sent_length, SEGMENT);
	option_set(&r, a, TCP_CORK, 0);
	rig_settle(&r);
	assert_int_equal(tcp->sent_length, SEGMENT + 10);
	option_set(&r, a, TCP_CORK, 1);
	assert_int_equal(write(a, bytes, 10), 10);
	rig_settle(&r);
	assert_int_equal(tcp->sent_length, SEGMENT + 10);
	rig_sleep(&r, 201);
	assert_int_equal(tcp->sent_length, SEGMENT + 20);
	assert_int_equal(write(a, bytes, 10), 10);
	(void)close(a);
	rig_settle(&r);
	assert_int_equal(tcp->sent_length, SEGMENT + 30);
	assert_int_equal(tcp->end, FAKE_CLOSED);
	rig_close(&r);
}

/* TCP_MAXSEG reaches the stack when the connection is there, not before. */
static void test_largest_segment(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	int a = rig_socket(&r);
	option_set(&r, a, TCP_MAXSEG, 600);
	assert_int_equal(rig_connect(&r, a, "10.0.0.2", 80), EINPROGRESS);
	struct stack_tcp *tcp = fakestack_last(r.net.stack);
	assert_int_equal(tcp->options[STACK_TCP_MAXSEG], 0);
	fakestack_establish(tcp);
	rig_settle(&r);
	assert_int_equal(tcp->options[STACK_TCP_MAXSEG], 600);
	(void)close(a);
	rig_close(&r);
}

/* A reset after the peer's FIN is EPIPE on Linux, and the end of file stays one. */
static void test_reset_after_fin(void **state)
{
	(void)state;
	struct rig r;
	struct stack_tcp *tcp = NULL;
	char byte;
	rig_open(&r, true);
	int a = rig_connected(&r, &tcp);
	fakestack_eof(tcp);
	rig_settle(&r);
	assert_int_equal(recv(a, &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(write(a, "x", 1), 1);
	rig_settle(&r);
	fakestack_close(tcp, ECONNRESET);
	rig_settle(&r);
	assert_int_equal(recv(a, &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(send(a, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(rig_poll(a) & POLLERR, 0);
	(void)close(a);
	rig_close(&r);
}

static void test_time_wait_of_active_close(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	uint16_t port = tcp->local.port;
	(void)close(a);
	rig_settle(&r);
	assert_true(ports_is_used(r.net.vhost->ports, port));
	rig_sleep(&r, PORTS_TIME_WAIT_MS);
	assert_false(ports_is_used(r.net.vhost->ports, port));
	assert_int_equal(vhost_deadline(r.net.vhost), INT64_MAX);
	rig_close(&r);
}

/* The pawn pins a kernel buffer: whatever a program writes, it becomes writable again (S1). */
static void test_pawn_never_starves(void **state)
{
	(void)state;
	struct rig r;
	rig_open(&r, true);
	r.net.stack->default_room = (size_t)64 * MEBIBYTE;
	struct stack_tcp *tcp = NULL;
	int a = rig_connected(&r, &tcp);
	uint8_t *bytes = pattern_new(256 << 10);
	static const size_t sizes[] = { 1, 100, 4096, 16000, 65536, 131072, 262144 };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (int k = 0; k < 10; k++) {
			(void)!write(a, bytes, sizes[i]);
			rig_settle(&r);
			assert_true(rig_poll(a) & POLLOUT);
		}
	}
	/* sendfile() as nginx uses it: larger kernel buffers. Edge-triggered, it would stall for
	 * ever. */
	int file = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(write(file, bytes, 256 << 10), 256 << 10);
	for (int i = 0; i < 200; i++) {
		off_t at = i;
		(void)sendfile(a, file, &at, 256 << 10);
		rig_settle(&r);
		assert_true(rig_poll(a) & POLLOUT);
	}
	(void)close(file);
	free(bytes);
	(void)close(a);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_up_tiny_windows),
		cmocka_unit_test(test_up_blocks_the_program),
		cmocka_unit_test(test_down_pieces),
		cmocka_unit_test(test_down_full_program_stops_the_window),
		cmocka_unit_test(test_turns_are_fair),
		cmocka_unit_test(test_half_close_by_program),
		cmocka_unit_test(test_half_close_by_peer),
		cmocka_unit_test(test_eof_waits_for_the_data),
		cmocka_unit_test(test_reset_by_peer),
		cmocka_unit_test(test_reset_after_traffic),
		cmocka_unit_test(test_timeout_is_told_by_soerror),
		cmocka_unit_test(test_orderly_end_is_no_reset),
		cmocka_unit_test(test_program_leaves_bytes_unread),
		cmocka_unit_test(test_linger_zero_resets),
		cmocka_unit_test(test_shutdown_read_discards),
		cmocka_unit_test(test_killed_in_the_middle),
		cmocka_unit_test(test_cork),
		cmocka_unit_test(test_largest_segment),
		cmocka_unit_test(test_reset_after_fin),
		cmocka_unit_test(test_time_wait_of_active_close),
		cmocka_unit_test(test_pawn_never_starves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
