/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/tcpframe.c: messages of the TCP relay; service/tcprelay.c: when it is wanted (vl1 18). */
#include "core/endpoint.h"
#include "service/localconf.h"
#include "service/tcpframe.h"
#include "service/tcprelay.h"
#include "tests/lib/check.h"

static void a_client_says_its_version_first(void **state)
{
	(void)state;
	static const uint8_t want[] = { 0x17, 3, 3, 0, 4, 1, 14, 0, 1 };
	uint8_t bytes[TCPFRAME_GREETING_BYTES];
	tcpframe_greeting(bytes);
	assert_memory_equal(bytes, want, sizeof want);
}

static struct zt_endpoint endpoint(const char *text)
{
	struct zt_endpoint e;
	assert_true(endpoint_parse(text, &e));
	return e;
}

static void heads_are_as_the_text_says(void **state)
{
	(void)state;
	static const uint8_t v4[] = { 0x17, 3, 3, 0, 35, 4, 1, 2, 3, 4, 0x27, 0x09 };
	static const uint8_t v6[] = { 0x17, 3, 3, 0x28, 0x67, 6, 0x20, 1, 0xd, 0xb8, 0, 0,
				      0,    0, 0, 0,    0,    0, 0,    0, 0,   1,    0, 1 };
	uint8_t head[TCPFRAME_HEAD_MAX_BYTES];
	struct zt_endpoint to = endpoint("1.2.3.4/9993");
	assert_int_equal(tcpframe_head(&to, 28, head), sizeof v4);
	assert_memory_equal(head, v4, sizeof v4);
	to = endpoint("2001:db8::1/1");
	assert_int_equal(tcpframe_head(&to, ZT_MAX_DATAGRAM_BYTES, head), sizeof v6);
	assert_memory_equal(head, v6, sizeof v6);
}

/* A message with this body, read byte by byte: complete with the last one only. */
static enum tcpframe_kind read_body(const uint8_t *body, size_t length, struct zt_datagram *out)
{
	static uint8_t bytes[TCPFRAME_HEADER_BYTES + TCPFRAME_BODY_MAX_BYTES + 1];
	size_t used = 0, whole = TCPFRAME_HEADER_BYTES + length;
	bytes[0] = 0x17;
	bytes[1] = bytes[2] = 3;
	bytes[3] = (uint8_t)(length >> 8);
	bytes[4] = (uint8_t)length;
	memcpy(bytes + TCPFRAME_HEADER_BYTES, body, length);
	for (size_t n = 0; n < whole; n++) {
		assert_int_equal(tcpframe_next(bytes, n, &used, out), TCPFRAME_MORE);
	}
	enum tcpframe_kind kind = tcpframe_next(bytes, whole, &used, out);
	assert_int_equal(used, whole);
	/* What follows does not matter. */
	assert_int_equal(tcpframe_next(bytes, whole + 1, &used, out), kind);
	return kind;
}

static void packets_come_with_their_source(void **state)
{
	(void)state;
	static const uint8_t v4[] = { 4, 10, 0, 0, 7, 0x12, 0x34, 'a', 'b', 'c' };
	static const uint8_t v6[] = { 6, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0,
				      0, 0,    0, 0, 0, 0, 9, 1, 0, 'x' };
	struct zt_datagram d;
	struct zt_endpoint from = endpoint("10.0.0.7/4660");
	assert_int_equal(read_body(v4, sizeof v4, &d), TCPFRAME_PACKET);
	assert_true(endpoint_equal(&d.from, &from));
	assert_int_equal(d.socket, ZT_SOCKET_RELAY);
	assert_int_equal(d.length, 3);
	assert_memory_equal(d.bytes, "abc", 3);
	from = endpoint("fd00::9/256");
	assert_int_equal(read_body(v6, sizeof v6, &d), TCPFRAME_PACKET);
	assert_true(endpoint_equal(&d.from, &from));
	assert_int_equal(d.length, 1);
}

static void what_is_no_packet_is_ignored(void **state)
{
	(void)state;
	static const struct {
		size_t length;
		uint8_t body[20];
	} bodies[] = {
		{ 0, { 0 } },
		{ 4, { 1, 14, 0, 1 } },                  /* a greeting */
		{ 4, { 4, 1, 2, 3 } },                   /* ... whatever it looks like */
		{ 3, { 4, 1, 2 } },                      /* cut off */
		{ 7, { 4, 1, 2, 3, 4, 0, 9 } },          /* no packet */
		{ 8, { 4, 1, 2, 3, 4, 0, 0, 'x' } },     /* no port */
		{ 19, { 6, 1 } },                        /* no packet */
		{ 6, { 0, 'x', 'y', 'z', 'u', 'v' } },   /* no address */
		{ 9, { 5, 1, 2, 3, 4, 0, 9, 'x', 'y' } } /* no such kind */
	};
	struct zt_datagram d;
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		assert_int_equal(read_body(bodies[i].body, bodies[i].length, &d), TCPFRAME_IGNORED);
	}
}

static void other_protocols_are_told_at_once(void **state)
{
	(void)state;
	uint8_t http[] = "HTTP/1.1 400", tls[] = { 0x15, 3, 3 }, old[] = { 0x17, 3, 1 };
	uint8_t long_body[] = { 0x17, 3, 3, 0x28, 0x68 };
	size_t used = 0;
	struct zt_datagram d;
	assert_int_equal(tcpframe_next(http, 1, &used, &d), TCPFRAME_BAD);
	assert_int_equal(tcpframe_next(tls, 1, &used, &d), TCPFRAME_BAD);
	assert_int_equal(tcpframe_next(old, 2, &used, &d), TCPFRAME_MORE);
	assert_int_equal(tcpframe_next(old, 3, &used, &d), TCPFRAME_BAD);
	assert_int_equal(tcpframe_next(long_body, 5, &used, &d), TCPFRAME_BAD);
}

static void a_minute_of_silence_makes_it_wanted(void **state)
{
	(void)state;
	struct settings settings;
	struct tcprelay_times times = { .first_send_ms = INT64_MAX };
	settings_defaults(&settings);
	times.first_send_ms = 1000;
	assert_false(tcprelay_is_wanted(&settings, &times, INT64_MAX / 2)); /* no relay is named */
	settings.tcp_relay = endpoint("192.0.2.1/443");
	assert_false(tcprelay_is_wanted(&settings, &times, 60999));
	assert_true(tcprelay_is_wanted(&settings, &times, 61000));
	times.first_send_ms = INT64_MAX; /* something came */
	assert_false(tcprelay_is_wanted(&settings, &times, INT64_MAX / 2));
	settings.allow_tcp_relay = false;
	times.first_send_ms = 1000;
	assert_false(tcprelay_is_wanted(&settings, &times, 61000));
	settings.force_tcp_relay = true;
	times.first_send_ms = INT64_MAX;
	assert_true(tcprelay_is_wanted(&settings, &times, 0));
	settings.tcp_relay.family = 0;
	assert_false(tcprelay_is_wanted(&settings, &times, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_says_its_version_first),
		cmocka_unit_test(heads_are_as_the_text_says),
		cmocka_unit_test(packets_come_with_their_source),
		cmocka_unit_test(what_is_no_packet_is_ignored),
		cmocka_unit_test(other_protocols_are_told_at_once),
		cmocka_unit_test(a_minute_of_silence_makes_it_wanted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
