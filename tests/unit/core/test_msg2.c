/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* VL2 messages: what is written reads back the same, and no shorter input reads at all. */
#include "core/com.h"
#include "core/cred.h"
#include "core/identity.h"
#include "core/msg2.h"
#include "core/proto2.h"
#include "tests/lib/check.h"

#define NWID 0x8056c2e21c000001ULL

/* A certificate with three qualifiers and a signer. */
static struct span com_bytes(void)
{
	static uint8_t bytes[COM_MAX_BYTES];
	struct com com = { .count = 3, .signer = 0x8056c2e21cULL };
	for (size_t i = 0; i < 3; i++) {
		com.q[i] = (struct com_qualifier){ .id = i, .value = 7 + i };
	}
	struct wr w = wr_init(bytes, sizeof(bytes));
	com_write(&w, &com);
	return (struct span){ .bytes = bytes, .length = wr_length(&w) };
}

static bool span_equal(struct span a, struct span b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static int read_config_request(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct config_request m;
	return config_request_read(&r, &m);
}

static void test_config_request(void **state)
{
	(void)state;
	static const uint8_t dict[] = "v=7";
	struct config_request in = {
		.nwid = NWID,
		.metadata = { .bytes = dict, .length = 3 },
		.revision = 5,
		.timestamp = 0x123456789aULL,
	};
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	config_request_write(&w, &in);
	struct rd r = rd_init(bytes, wr_length(&w));
	struct config_request out;
	assert_int_equal(config_request_read(&r, &out), 0);
	assert_true(rd_done(&r));
	assert_true(out.nwid == in.nwid && out.revision == 5 && out.timestamp == in.timestamp);
	assert_true(span_equal(out.metadata, in.metadata));
	assert_prefixes_refused(bytes, wr_length(&w), read_config_request);
}

static int read_network_error(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct network_error m;
	return network_error_read(&r, &m);
}

static void test_network_error(void **state)
{
	(void)state;
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof(bytes));
	network_error_write(&w, &(struct network_error){ .nwid = NWID });
	assert_int_equal(wr_length(&w), 8);
	assert_prefixes_refused(bytes, 8, read_network_error);

	static const uint8_t dict[] = "aV=0";
	w = wr_init(bytes, sizeof(bytes));
	network_error_write(&w, &(struct network_error){ .nwid = NWID, .dict = { dict, 4 } });
	struct rd r = rd_init(bytes, wr_length(&w));
	struct network_error out;
	assert_int_equal(network_error_read(&r, &out), 0);
	assert_true(out.nwid == NWID && span_equal(out.dict, (struct span){ dict, 4 }));
	for (size_t n = 9; n < wr_length(&w); n++) {
		r = rd_init(bytes, n);
		assert_int_not_equal(network_error_read(&r, &out), 0);
	}
}

static int read_frame(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct frame_msg m;
	return frame_msg_read(&r, &m);
}

static int read_ext_frame(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct ext_frame m;
	return ext_frame_read(&r, &m);
}

static void test_frames(void **state)
{
	(void)state;
	uint8_t bytes[512];
	struct wr w = wr_init(bytes, sizeof(bytes));
	frame_msg_write_header(&w, &(struct frame_msg){ .nwid = NWID, .ether_type = 0x800 });
	assert_int_equal(wr_length(&w), MSG2_FRAME_HEADER_BYTES);
	assert_prefixes_refused(bytes, wr_length(&w), read_frame);
	wr_bytes(&w, "data", 4);
	struct rd r = rd_init(bytes, wr_length(&w));
	struct frame_msg frame;
	assert_int_equal(frame_msg_read(&r, &frame), 0);
	assert_true(frame.nwid == NWID && frame.ether_type == 0x800 && frame.data.length == 4);
	assert_ptr_equal(frame.data.bytes, bytes + MSG2_FRAME_HEADER_BYTES);

	for (unsigned flags = 0; flags <= EXT_FRAME_COM; flags++) {
		struct ext_frame in = { .nwid = NWID,
					.flags = (uint8_t)flags,
					.to = 0x020000000001,
					.from = 0xa20102030405,
					.ether_type = 0x86dd };
		in.com = flags ? com_bytes() : (struct span){ 0 };
		w = wr_init(bytes, sizeof(bytes));
		ext_frame_write_header(&w, &in);
		assert_prefixes_refused(bytes, wr_length(&w), read_ext_frame);
		wr_u8(&w, 0x55);
		r = rd_init(bytes, wr_length(&w));
		struct ext_frame out;
		assert_int_equal(ext_frame_read(&r, &out), 0);
		assert_true(out.flags == flags && out.to == in.to && out.from == in.from);
		assert_true(span_equal(out.com, in.com) && out.data.length == 1);
		assert_true(out.ether_type == 0x86dd && out.data.bytes[0] == 0x55);
	}
}

static int read_gather(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct gather_msg m;
	return gather_msg_read(&r, &m);
}

static int read_group(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct group_id m;
	return group_id_read(&r, &m);
}

static void test_gather(void **state)
{
	(void)state;
	uint8_t bytes[512];
	struct gather_msg in = {
		.group = { .nwid = NWID, .mac = 0xffffffffffffULL, .adi = 0x0a0b0c0d },
		.flags = GATHER_COM,
		.limit = 33,
		.com = com_bytes(),
	};
	struct wr w = wr_init(bytes, sizeof(bytes));
	gather_msg_write(&w, &in);
	struct rd r = rd_init(bytes, wr_length(&w));
	struct gather_msg out;
	assert_int_equal(gather_msg_read(&r, &out), 0);
	assert_true(rd_done(&r) && out.limit == 33 && out.group.adi == in.group.adi);
	assert_true(out.group.mac == in.group.mac && span_equal(out.com, in.com));
	assert_prefixes_refused(bytes, wr_length(&w), read_gather);

	w = wr_init(bytes, sizeof(bytes));
	group_id_write(&w, &in.group);
	assert_int_equal(wr_length(&w), MSG2_LIKE_BYTES);
	assert_prefixes_refused(bytes, wr_length(&w), read_group);
}

static int read_gathered(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct gathered m;
	return gathered_read(&r, &m);
}

static int read_mcast_ok(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct gathered m;
	struct span com;
	return mcast_ok_read(&r, &m, &com);
}

static void test_gathered(void **state)
{
	(void)state;
	uint8_t bytes[512];
	struct gathered in = { .group = { .nwid = NWID, .mac = 0x3333ff010203 },
			       .total = 9,
			       .count = 2 };
	struct wr w = wr_init(bytes, sizeof(bytes));
	gathered_write_header(&w, &in);
	wr_u40(&w, 0x1111111111);
	wr_u40(&w, 0x2222222222);
	struct rd r = rd_init(bytes, wr_length(&w));
	struct gathered out;
	assert_int_equal(gathered_read(&r, &out), 0);
	assert_true(rd_done(&r) && out.total == 9 && out.count == 2);
	assert_true(rd_u40(&out.addresses) == 0x1111111111);
	assert_true(rd_u40(&out.addresses) == 0x2222222222 && rd_done(&out.addresses));
	assert_prefixes_refused(bytes, wr_length(&w), read_gathered);

	w = wr_init(bytes, sizeof(bytes));
	mcast_ok_write_header(&w, &in);
	wr_u40(&w, 0x1111111111);
	wr_u40(&w, 0x2222222222);
	assert_prefixes_refused(bytes, wr_length(&w), read_mcast_ok);

	/* A certificate before the members (8.4). */
	struct span com = com_bytes(), got;
	w = wr_init(bytes, sizeof(bytes));
	group_id_write(&w, &in.group);
	wr_u8(&w, MCAST_OK_HAS_COM | MCAST_OK_HAS_MEMBERS);
	wr_bytes(&w, com.bytes, com.length);
	wr_u32(&w, 1);
	wr_u16(&w, 1);
	wr_u40(&w, 0x1111111111);
	r = rd_init(bytes, wr_length(&w));
	assert_int_equal(mcast_ok_read(&r, &out, &got), 0);
	assert_true(span_equal(com, got) && out.count == 1);
	assert_prefixes_refused(bytes, wr_length(&w), read_mcast_ok);
}

static int read_mcast_frame(const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	struct mcast_frame m;
	return mcast_frame_read(&r, &m);
}

static void test_mcast_frame(void **state)
{
	(void)state;
	uint8_t bytes[512];
	for (uint8_t flags = 0; flags < 16; flags++) {
		struct mcast_frame in = {
			.group = { .nwid = NWID, .mac = 0xffffffffffffULL, .adi = 77 },
			.flags = flags,
			.ether_type = 0x806,
		};
		in.com = flags & MULTICAST_FRAME_COM ? com_bytes() : (struct span){ 0 };
		in.gather_limit = flags & MULTICAST_FRAME_GATHER ? 32 : 0;
		in.from = flags & MULTICAST_FRAME_SOURCE ? 0xa20102030405 : 0;
		struct wr w = wr_init(bytes, sizeof(bytes));
		mcast_frame_write_header(&w, &in);
		assert_prefixes_refused(bytes, wr_length(&w), read_mcast_frame);
		wr_bytes(&w, "abc", 3);
		struct rd r = rd_init(bytes, wr_length(&w));
		struct mcast_frame out;
		assert_int_equal(mcast_frame_read(&r, &out), 0);
		assert_true(out.flags == flags && out.gather_limit == in.gather_limit);
		assert_true(out.from == in.from && out.group.mac == in.group.mac);
		assert_true(out.group.adi == 77 && out.ether_type == 0x806);
		assert_true(span_equal(out.com, in.com) && out.data.length == 3);
	}
}

/* Read one object the way on_cred.c does. */
static int read_object(enum credentials_kind kind, struct rd *r)
{
	static struct capability cap;
	struct com com;
	struct tag tag;
	struct coo coo;
	struct revocation rev;
	switch (kind) {
	case CREDENTIALS_COM:
		return com_read(r, &com);
	case CREDENTIALS_CAPABILITY:
		return capability_read(r, &cap);
	case CREDENTIALS_TAG:
		return tag_read(r, &tag);
	case CREDENTIALS_REVOCATION:
		return revocation_read(r, &rev);
	case CREDENTIALS_COO:
		return coo_read(r, &coo);
	case CREDENTIALS_END:
		break;
	}
	return ZT_E_MALFORMED;
}

/* How many objects a payload holds, as text: one letter each, ! for a malformed one. */
static void walk(const uint8_t *bytes, size_t length, char *out)
{
	struct credentials_walk it = credentials_walk_init(rd_init(bytes, length));
	enum credentials_kind kind;
	while ((kind = credentials_walk_next(&it)) != CREDENTIALS_END) {
		if (read_object(kind, &it.r)) {
			*out++ = '!';
			break;
		}
		*out++ = "?mctro"[kind];
	}
	*out = 0;
}

static void test_credentials_walk(void **state)
{
	(void)state;
	static uint8_t bytes[4096];
	char seen[64];
	struct span com = com_bytes();
	struct tag tag = { .nwid = NWID, .id = 1, .signature = { .type = 1 } };
	struct coo coo = { .nwid = NWID, .id = 1, .signature = { .type = 1 } };
	struct revocation rev = { .nwid = NWID, .signature = { .type = 1 } };
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_bytes(&w, com.bytes, com.length);
	wr_bytes(&w, com.bytes, com.length);
	wr_u8(&w, 0);
	size_t coms_end = wr_length(&w);
	wr_u16(&w, 0);
	size_t caps_end = wr_length(&w);
	wr_u16(&w, 2);
	tag_write(&w, &tag);
	tag_write(&w, &tag);
	size_t tags_end = wr_length(&w);
	wr_u16(&w, 1);
	revocation_write(&w, &rev);
	size_t revs_end = wr_length(&w);
	wr_u16(&w, 1);
	coo_write(&w, &coo);
	walk(bytes, wr_length(&w), seen);
	assert_string_equal(seen, "mmttro");
	/* The packet may end after the zero byte or before any count. */
	walk(bytes, coms_end, seen);
	assert_string_equal(seen, "mm");
	walk(bytes, caps_end, seen);
	assert_string_equal(seen, "mm");
	walk(bytes, tags_end, seen);
	assert_string_equal(seen, "mmtt");
	walk(bytes, revs_end, seen);
	assert_string_equal(seen, "mmttr");
	walk(bytes, 0, seen);
	assert_string_equal(seen, "");
	/* No length goes wrong: a cut object is malformed, never more than there is. */
	for (size_t n = 0; n < wr_length(&w); n++) {
		uint8_t *copy = malloc(n ? n : 1);
		assert_non_null(copy);
		memcpy(copy, bytes, n);
		walk(copy, n, seen);
		assert_true(strlen(seen) <= strlen("mmttr!"));
		free(copy);
	}
	/* Neither 0 nor 1 where a certificate could start. */
	bytes[0] = 2;
	walk(bytes, wr_length(&w), seen);
	assert_string_equal(seen, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_request),   cmocka_unit_test(test_network_error),
		cmocka_unit_test(test_frames),           cmocka_unit_test(test_gather),
		cmocka_unit_test(test_gathered),         cmocka_unit_test(test_mcast_frame),
		cmocka_unit_test(test_credentials_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
