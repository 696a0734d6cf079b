/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Every VL1 message: there and back, and cut off at every length. */
#include "core/msg1.h"
#include "core/proto.h"
#include "core/zt.h"
#include "tests/lib/check.h"

static struct zt_endpoint at(const char *text)
{
	struct zt_endpoint endpoint;
	assert_true(endpoint_parse(text, &endpoint));
	return endpoint;
}

static struct identity an_identity(void)
{
	struct identity identity = { .address = 0x1234567890 };
	memset(identity.public_key, 0x5a, sizeof identity.public_key);
	return identity;
}

static const struct version VERSION = { 12, 1, 14, 0x0102 };

static void assert_version(const struct version *version)
{
	assert_int_equal(version->protocol, 12);
	assert_int_equal(version->major, 1);
	assert_int_equal(version->minor, 14);
	assert_int_equal(version->revision, 0x0102);
}

static size_t hello_bytes(uint8_t *bytes, size_t capacity)
{
	const struct msg_hello hello = {
		.version = VERSION,
		.clock = 0x8000000000000001U,
		.identity = an_identity(),
		.destination = at("192.0.2.1/9993"),
		.has_planet = true,
		.planet_id = 7,
		.planet_timestamp = 8,
	};
	struct wr w = wr_init(bytes, capacity);
	msg_hello_write(&w, &hello);
	assert_false(w.bad);
	return wr_length(&w);
}

static void hello(void **state)
{
	(void)state;
	uint8_t bytes[200];
	size_t length = hello_bytes(bytes, sizeof bytes);
	/* vl1 9.2: the optional part starts at packet byte 112, the tail at q */
	assert_int_equal(length, 112 - 28 + 7 + 16);
	struct msg_hello out;
	struct rd r = rd_init(bytes, length);
	assert_int_equal(msg_hello_read(&r, &out), 0);
	assert_true(rd_done(&r));
	assert_version(&out.version);
	assert_int_equal(out.clock, 0x8000000000000001U);
	const struct identity identity = an_identity();
	assert_true(identity_equal(&out.identity, &identity));
	const struct zt_endpoint destination = at("192.0.2.1/9993");
	assert_true(endpoint_equal(&out.destination, &destination));
	assert_true(out.has_planet);
	assert_int_equal(out.planet_id, 7);
	assert_int_equal(out.planet_timestamp, 8);
}

/* Old senders stop after the identity, or after the address. */
static void hello_cut_off(void **state)
{
	(void)state;
	uint8_t bytes[200];
	size_t length = hello_bytes(bytes, sizeof bytes);
	for (size_t n = 0; n < length; n++) {
		struct rd r = rd_init(bytes, n);
		struct msg_hello out;
		int err = msg_hello_read(&r, &out);
		bool is_whole = n == 84 || n >= 91;
		assert_int_equal(err == 0, is_whole);
		if (is_whole) {
			assert_int_equal(out.destination.family, n == 84 ? 0 : 4);
			assert_false(out.has_planet);
		}
	}
}

static void hello_tail(void **state)
{
	(void)state;
	const struct msg_moon moons[2] = { { 1, 2 }, { 3, 0 } };
	uint8_t bytes[100];
	struct wr w = wr_init(bytes, sizeof bytes);
	msg_moons_write(&w, moons, 2);
	size_t length = wr_length(&w);
	assert_int_equal(length, 2 + 2 * HELLO_MOON_BYTES);
	for (size_t n = 0; n <= length; n++) {
		struct msg_moons tail = msg_moons_start(rd_init(bytes, n));
		struct msg_moon moon;
		size_t count = 0;
		for (; count < 2 && msg_moons_next(&tail, &moon); count++) {
			assert_int_equal(moon.id, moons[count].id);
			assert_int_equal(moon.timestamp, moons[count].timestamp);
		}
		assert_false(msg_moons_next(&tail, &moon));
		assert_int_equal(count, n < 2 ? 0 : (n - 2) / HELLO_MOON_BYTES);
	}
	bytes[2] = 1; /* of another type: stepped over */
	struct msg_moons tail = msg_moons_start(rd_init(bytes, length));
	struct msg_moon moon;
	assert_true(msg_moons_next(&tail, &moon));
	assert_int_equal(moon.id, 3);
	assert_false(msg_moons_next(&tail, &moon));
}

static void ok_hello(void **state)
{
	(void)state;
	static const uint8_t worlds[] = "worlds are opaque here";
	const struct msg_ok_hello ok = {
		.clock = 42,
		.version = VERSION,
		.surface = at("2001:db8::1/1234"),
		.worlds = rd_init(worlds, sizeof worlds),
	};
	uint8_t bytes[200];
	struct wr w = wr_init(bytes, sizeof bytes);
	msg_ok_hello_write(&w, &ok);
	size_t length = wr_length(&w);
	assert_int_equal(length, 50 - 37 + 19 + 2 + sizeof worlds);
	for (size_t n = 0; n <= length; n++) {
		struct rd r = rd_init(bytes, n);
		struct msg_ok_hello out;
		int err = msg_ok_hello_read(&r, &out);
		assert_int_equal(err == 0, n == 13 || n == 32 || n == length);
		if (n == length) {
			assert_int_equal(out.clock, 42);
			assert_version(&out.version);
			assert_true(endpoint_equal(&out.surface, &ok.surface));
			assert_int_equal(rd_left(&out.worlds), sizeof worlds);
			assert_memory_equal(out.worlds.p, worlds, sizeof worlds);
		}
	}
}

static void re(void **state)
{
	(void)state;
	uint8_t bytes[16];
	struct wr w = wr_init(bytes, sizeof bytes);
	msg_re_write(&w, &(struct msg_re){ .verb = VERB_ECHO, .id = 0x0102030405060708 });
	assert_int_equal(wr_length(&w), OK_PAYLOAD_AT - PACKET_PAYLOAD_AT);
	for (size_t n = 0; n <= wr_length(&w); n++) {
		struct rd r = rd_init(bytes, n);
		struct msg_re out = { 0 };
		assert_int_equal(msg_re_read(&r, &out), n == 9 ? 0 : ZT_E_SHORT);
		assert_int_equal(out.id, n == 9 ? 0x0102030405060708 : 0);
	}
}

static void rendezvous(void **state)
{
	(void)state;
	static const char *const texts[] = { "192.0.2.1/9993", "2001:db8::1/1" };
	for (size_t i = 0; i < 2; i++) {
		const struct msg_rendezvous in = { .peer = 0x1234567890, .endpoint = at(texts[i]) };
		uint8_t bytes[40];
		struct wr w = wr_init(bytes, sizeof bytes);
		msg_rendezvous_write(&w, &in);
		for (size_t n = 0; n < wr_length(&w); n++) {
			struct rd r = rd_init(bytes, n);
			struct msg_rendezvous out;
			assert_int_equal(msg_rendezvous_read(&r, &out), ZT_E_SHORT);
		}
		struct rd r = rd_init(bytes, wr_length(&w));
		struct msg_rendezvous out;
		assert_int_equal(msg_rendezvous_read(&r, &out), 0);
		assert_true(rd_done(&r));
		assert_int_equal(out.peer, in.peer);
		assert_true(endpoint_equal(&out.endpoint, &in.endpoint));
		bytes[8] = 5; /* no IP is that long */
		r = rd_init(bytes, wr_length(&w));
		assert_int_equal(msg_rendezvous_read(&r, &out), ZT_E_MALFORMED);
	}
	uint8_t portless[13] = { 0, 1, 2, 3, 4, 5, 0, 0, 4, 1, 1, 1, 1 };
	struct rd r = rd_init(portless, sizeof portless);
	struct msg_rendezvous out;
	assert_int_equal(msg_rendezvous_read(&r, &out), ZT_E_MALFORMED);
}

static void push_path(void **state)
{
	(void)state;
	static const char *const texts[] = { "192.0.2.1/9993", "2001:db8::1/1" };
	for (size_t i = 0; i < 2; i++) {
		const struct msg_push_path in = { .flags = PUSH_FLAG_FORGET,
						  .endpoint = at(texts[i]) };
		uint8_t bytes[40];
		struct wr w = wr_init(bytes, sizeof bytes);
		msg_push_path_write(&w, &in);
		for (size_t n = 0; n <= wr_length(&w); n++) {
			struct rd r = rd_init(bytes, n);
			struct msg_push_path out;
			int err = msg_push_path_read(&r, &out);
			assert_int_equal(err, n == wr_length(&w) ? 0 : ZT_E_SHORT);
			if (err == 0) {
				assert_int_equal(out.flags, PUSH_FLAG_FORGET);
				assert_true(endpoint_equal(&out.endpoint, &in.endpoint));
			}
		}
	}
}

/* vl1 9.8: step over extensions, other types, and by the stated length. */
static void push_path_oddities(void **state)
{
	(void)state;
	const uint8_t bytes[] = { 0, 0, 2, 9, 9, 4, 6, 1, 2, 3, 4,  0, 80, /* extension */
				  0, 0, 0, 3, 2, 1, 1,                     /* type 3 */
				  0, 0, 0, 4, 8, 5, 6, 7, 8, 0, 81, 9, 9,  /* longer */
				  0, 0, 0, 4, 2, 1, 1 };                   /* shorter */
	struct rd r = rd_init(bytes, sizeof bytes);
	struct msg_push_path out;
	const struct zt_endpoint first = at("1.2.3.4/80"), third = at("5.6.7.8/81");
	assert_int_equal(msg_push_path_read(&r, &out), 0);
	assert_true(endpoint_equal(&out.endpoint, &first));
	assert_int_equal(msg_push_path_read(&r, &out), 0);
	assert_int_equal(out.endpoint.family, 0);
	assert_int_equal(msg_push_path_read(&r, &out), 0);
	assert_true(endpoint_equal(&out.endpoint, &third));
	assert_int_equal(msg_push_path_read(&r, &out), 0);
	assert_int_equal(out.endpoint.family, 0);
	assert_true(rd_done(&r));
	uint16_t count;
	r = rd_init(bytes, 1);
	assert_int_equal(msg_push_count_read(&r, &count), ZT_E_SHORT);
	r = rd_init(bytes + 1, 2);
	assert_int_equal(msg_push_count_read(&r, &count), 0);
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello),      cmocka_unit_test(hello_cut_off),
		cmocka_unit_test(hello_tail), cmocka_unit_test(ok_hello),
		cmocka_unit_test(re),         cmocka_unit_test(rendezvous),
		cmocka_unit_test(push_path),  cmocka_unit_test(push_path_oddities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
