/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/capture.c: what goes in comes out as pcap records, whole or not at all. */
#include "service/capture.h"

#include "service/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct net net;
static struct api_stream *stream;
static unsigned woken;

static void on_wake(struct api_stream *s)
{
	assert_ptr_equal(s, stream);
	woken++;
}

static int setup(void **state)
{
	(void)state;
	memset(&net, 0, sizeof net);
	woken = 0;
	stream = capture_new(&net);
	assert_non_null(stream);
	stream->wake = on_wake;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stream->close(stream);
	assert_int_equal(capture_count(&net), 0);
	return 0;
}

static uint32_t u32_at(const char *bytes, size_t at)
{
	const unsigned char *b = (const unsigned char *)bytes + at;
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void test_header_and_record(void **state)
{
	(void)state;
	char out[128];
	const uint8_t frame[] = { 1, 2, 3, 4, 5 };
	assert_int_equal(stream->read(stream, out, sizeof out), 24);
	assert_int_equal(u32_at(out, 0), 0xa1b2c3d4);
	assert_int_equal(u32_at(out, 4), 0x00040002);
	assert_int_equal(u32_at(out, 20), 1);
	assert_int_equal(stream->read(stream, out, sizeof out), 0);
	capture_frame(&net, 1795220450706, frame, sizeof frame);
	assert_int_equal(woken, 1);
	assert_int_equal(stream->read(stream, out, sizeof out), 16 + 5);
	assert_int_equal(u32_at(out, 0), 1795220450);
	assert_int_equal(u32_at(out, 4), 706000);
	assert_int_equal(u32_at(out, 8), 5);
	assert_int_equal(u32_at(out, 12), 5);
	assert_memory_equal(out + 16, frame, 5);
}

/* Frames of changing length, read in odd pieces, far beyond the ring's size. */
static void test_wraps(void **state)
{
	(void)state;
	enum { ROUNDS = 6000 };
	uint8_t frame[1500];
	static char out[1600];
	assert_int_equal(stream->read(stream, out, sizeof out), 24);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t length = 14 + i * 7 % 1400;
		memset(frame, (int)i, length);
		capture_frame(&net, 1000, frame, length);
		size_t got = 0;
		while (got < 16 + length) {
			int64_t n = stream->read(stream, out + got, 1 + i % 777);
			assert_true(n > 0);
			got += (size_t)n;
		}
		assert_int_equal(u32_at(out, 8), length);
		assert_memory_equal(out + 16, frame, length);
	}
	assert_int_equal(net.capture_dropped, 0);
}

static void test_full_drops_whole_frames(void **state)
{
	(void)state;
	static uint8_t frame[10014];
	unsigned offered = 0;
	while (net.capture_dropped == 0) {
		capture_frame(&net, 1000, frame, sizeof frame);
		offered++;
	}
	assert_int_equal(woken, offered - 1);
	assert_in_range(offered - 1, CAPTURE_BUFFER_BYTES / 10100, CAPTURE_BUFFER_BYTES / 10030);
	static char out[CAPTURE_BUFFER_BYTES];
	assert_int_equal(stream->read(stream, out, sizeof out),
			 24 + (int64_t)(offered - 1) * (16 + 10014));
	capture_frame(&net, 1000, frame, sizeof frame);
	assert_int_equal(net.capture_dropped, 1);
}

static void test_bounded_and_ended(void **state)
{
	(void)state;
	char out[64];
	struct api_stream *more[CAPTURES_MAX];
	for (size_t i = 1; i < CAPTURES_MAX; i++) {
		more[i] = capture_new(&net);
		assert_non_null(more[i]);
	}
	assert_null(capture_new(&net));
	assert_int_equal(capture_count(&net), CAPTURES_MAX);
	capture_end_all(&net);
	assert_int_equal(woken, 1);
	assert_int_equal(capture_count(&net), 0);
	assert_int_equal(stream->read(stream, out, sizeof out), 24); /* what it has comes first */
	assert_int_equal(stream->read(stream, out, sizeof out), -1);
	for (size_t i = 1; i < CAPTURES_MAX; i++) {
		more[i]->close(more[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_header_and_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wraps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_drops_whole_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded_and_ended, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
