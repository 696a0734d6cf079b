/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Identities, endpoints, worlds, compression: refusals and corners that the vectors do not show. */
#include "core/compress.h"
#include "core/endpoint.h"
#include "core/identity.h"
#include "core/mem.h"
#include "core/packet.h"
#include "core/peercache.h"
#include "core/world.h"
#include "core/zt.h"
#include "tests/lib/check.h"

#include <sodium.h>

static struct identity identity_get(size_t index)
{
	struct identity id;
	const json_t *texts = vectors_section("identities.json", "identities");
	assert_int_equal(identity_parse(json_string_value(json_array_get(texts, index)), &id), 0);
	return id;
}

static void ready_identities_are_valid(void **state)
{
	(void)state;
	const json_t *texts = vectors_section("identities.json", "identities");
	assert_int_equal(json_array_size(texts), 1200);
	for (size_t i = 0; i < 1200; i += 300) {
		struct identity id = identity_get(i);
		assert_true(id.has_secret);
		assert_int_equal(identity_validate(&id), 0);
		id.address ^= 1;
		assert_int_equal(identity_validate(&id), ZT_E_BAD_IDENTITY);
	}
}

static void random_fill(void *context, void *out, size_t length)
{
	(void)context;
	randombytes_buf(out, length);
}

static void generated_identity_is_valid(void **state)
{
	(void)state;
	struct identity id, again;
	char text[IDENTITY_TEXT_MAX];
	assert_int_equal(identity_generate(&id, random_fill, NULL), 0);
	assert_int_equal(identity_validate(&id), 0);
	assert_int_equal(identity_parse(identity_text(&id, true, text), &again), 0);
	assert_true(identity_equal(&id, &again));
	zt_mem_fail_after(0);
	assert_int_equal(identity_generate(&id, random_fill, NULL), ZT_E_NO_MEMORY);
}

/* The text cut anywhere is refused, except where the secret is just missing. */
static void text_truncated_and_damaged(void **state)
{
	(void)state;
	struct identity id = identity_get(0), out;
	char text[IDENTITY_TEXT_MAX], padded[IDENTITY_TEXT_MAX + 8];
	(void)identity_text(&id, true, text);
	size_t length = strlen(text), public_length = length - 129;
	for (size_t n = 0; n < length; n++) {
		char *copy = strndup(text, n);
		assert_non_null(copy);
		assert_int_equal(identity_parse(copy, &out) == 0, n == public_length);
		free(copy);
	}
	for (size_t n = 0; n < length; n++) {
		char old = text[n];
		text[n] = 'x';
		assert_int_equal(identity_parse(text, &out), ZT_E_MALFORMED);
		text[n] = old;
	}
	(void)snprintf(padded, sizeof padded, " \t%s\r\n", text);
	assert_int_equal(identity_parse(padded, &out), 0);
	(void)snprintf(padded, sizeof padded, "%s:", text);
	assert_int_equal(identity_parse(padded, &out), ZT_E_MALFORMED);
	text[length - 1] = text[length - 1] == '0' ? '1' : '0';
	assert_int_equal(identity_parse(text, &out), ZT_E_BAD_IDENTITY); /* not its secret */
	text[0] = text[1] = 'f';
	assert_int_equal(identity_parse(text, &out), ZT_E_BAD_IDENTITY);
}

static void binary_refusals(void **state)
{
	(void)state;
	struct identity id = identity_get(1), out;
	uint8_t bytes[IDENTITY_BYTES];
	static const struct {
		size_t at;
		uint8_t value;
		int err;
	} cases[] = {
		{ 5, 1, ZT_E_MALFORMED },   { 70, 1, ZT_E_MALFORMED },      { 70, 64, ZT_E_SHORT },
		{ 70, 63, ZT_E_MALFORMED }, { 0, 0xff, ZT_E_BAD_IDENTITY },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct wr w = wr_init(bytes, sizeof bytes);
		identity_write(&w, &id);
		bytes[cases[i].at] = cases[i].value;
		struct rd r = rd_init(bytes, sizeof bytes);
		assert_int_equal(identity_read(&r, &out), cases[i].err);
	}
	assert_true(address_is_reserved(0));
	assert_true(address_is_reserved(0xff00000001));
	assert_false(address_is_reserved(0xfe00000001));
}

static void degenerate_keys_are_refused(void **state)
{
	(void)state;
	struct identity mine = identity_get(2), theirs = identity_get(3);
	uint8_t key[AGREED_KEY_BYTES];
	memset(theirs.public_key, 0, 32);
	assert_int_equal(identity_agree(&mine, &theirs, key), ZT_E_NO_CRYPTO);
	theirs.public_key[0] = 1; /* the other small-order point everybody knows */
	assert_int_equal(identity_agree(&mine, &theirs, key), ZT_E_NO_CRYPTO);
}

static void hash_job(void **state)
{
	(void)state;
	struct identity id = identity_get(4);
	struct zt_job job = { .kind = ZT_JOB_IDENTITY_HASH };
	memcpy(job.input, id.public_key, sizeof job.input);
	zt_job_run(&job);
	assert_true(identity_hash_ok(id.address, job.output));
	zt_mem_fail_after(0);
	zt_job_run(&job);
	assert_false(identity_hash_ok(id.address, job.output));
}

static void endpoint_texts(void **state)
{
	(void)state;
	static const struct {
		const char *text, *again;
	} cases[] = {
		{ "10.0.0.1/9993", "10.0.0.1/9993" },
		{ "10.0.0.1", "10.0.0.1/0" },
		{ "2001:DB8::0:1/24", "2001:db8::1/24" },
		{ "::1", "::1/0" },
		{ "", NULL },
		{ "/9993", NULL },
		{ "10.0.0.1/", NULL },
		{ "10.0.0.1/65536", NULL },
		{ "10.0.0.1/99999999999", NULL },
		{ "10.0.0.1/-1", NULL },
		{ "10.0.0.1/80x", NULL },
		{ "10.0.0.256/1", NULL },
		{ "10.0.0.1:80", NULL },
		{ "example.org/80", NULL },
		{ "1111111111111111111111111111111111111111111111111111111111111111111111/1",
		  NULL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct zt_endpoint e;
		char text[ENDPOINT_TEXT_MAX];
		bool ok = endpoint_parse(cases[i].text, &e);
		assert_int_equal(ok, cases[i].again != NULL);
		if (ok) {
			assert_string_equal(endpoint_text(&e, text), cases[i].again);
		}
	}
}

static bool within(const char *ip, const char *net)
{
	struct zt_endpoint a, b;
	assert_true(endpoint_parse(ip, &a));
	assert_true(endpoint_parse(net, &b));
	return endpoint_within(&a, &b);
}

static void endpoint_prefixes(void **state)
{
	(void)state;
	assert_true(within("10.1.2.3", "10.1.2.0/24"));
	assert_false(within("10.1.3.3", "10.1.2.0/24"));
	assert_true(within("10.1.3.3", "10.1.2.0/23"));
	assert_true(within("1.2.3.4", "0.0.0.0/0"));
	assert_true(within("1.2.3.4", "1.2.3.4/32"));
	assert_false(within("1.2.3.4", "1.2.3.4/33"));
	assert_false(within("::1", "0.0.0.0/0"));
	assert_true(within("fd00::1", "fc00::/7"));
	assert_false(within("fe00::1", "fc00::/7"));
	assert_true(within("fd00::1", "fd00::1/128"));
	assert_false(within("fd00::1", "fd00::1/129"));
}

static void world_limits(void **state)
{
	(void)state;
	struct world world = { .type = WORLD_TYPE_PLANET, .id = 1, .root_count = WORLD_MAX_ROOTS };
	uint8_t bytes[WORLD_MAX_BYTES];
	for (size_t i = 0; i < WORLD_MAX_ROOTS; i++) {
		world.roots[i].identity = identity_get(i);
		world.roots[i].endpoint_count = WORLD_MAX_ENDPOINTS;
		for (size_t j = 0; j < WORLD_MAX_ENDPOINTS; j++) {
			assert_true(endpoint_parse("fd00::1/9993", &world.roots[i].endpoints[j]));
		}
	}
	struct wr w = wr_init(bytes, sizeof bytes);
	world_write(&w, &world);
	assert_false(w.bad);
	struct world out;
	struct rd r = rd_init(bytes, wr_length(&w));
	assert_int_equal(world_read(&r, &out), 0);
	assert_true(rd_done(&r));

	static const struct {
		size_t at;
		uint8_t value;
		int err;
	} cases[] = {
		{ 0, 0, ZT_E_MALFORMED },         { 0, 2, ZT_E_MALFORMED },
		{ 0, 127, ZT_E_SHORT },           { 177, 5, ZT_E_TOO_BIG },
		{ 249, 33, ZT_E_TOO_BIG },        { 250, 9, ZT_E_MALFORMED },
		{ 178, 0xff, ZT_E_BAD_IDENTITY },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t old = bytes[cases[i].at];
		bytes[cases[i].at] = cases[i].value;
		r = rd_init(bytes, wr_length(&w));
		assert_int_equal(world_read(&r, &out), cases[i].err);
		bytes[cases[i].at] = old;
	}
}

static void peercache_limits(void **state)
{
	(void)state;
	struct peercache peer = { .identity = identity_get(5), .path_count = PEERCACHE_MAX_PATHS };
	uint8_t bytes[PEERCACHE_MAX_BYTES];
	for (size_t i = 0; i < PEERCACHE_MAX_PATHS; i++) {
		assert_true(endpoint_parse("fd00::1/9993", &peer.paths[i]));
	}
	struct wr w = wr_init(bytes, sizeof bytes);
	peercache_write(&w, &peer);
	assert_false(w.bad);
	assert_int_equal(wr_left(&w), 0);
	bytes[81] = PEERCACHE_MAX_PATHS + 1;
	struct rd r = rd_init(bytes, sizeof bytes);
	assert_int_equal(peercache_read(&r, &peer), ZT_E_TOO_BIG);
}

/* A block cut anywhere either fails or gives fewer bytes; never more than it should. */
static void compression_truncated(void **state)
{
	(void)state;
	uint8_t plain[3000] = { 0 }, packet[3000], out[PACKET_MAX_BYTES];
	for (size_t i = PACKET_PAYLOAD_AT; i < sizeof plain; i++) {
		plain[i] = (uint8_t)(i % 97 < 60 ? 'a' : i / 3);
	}
	plain[PACKET_VERB_AT] = VERB_USER_MESSAGE;
	memcpy(packet, plain, sizeof packet);
	size_t length = packet_compress(packet, sizeof packet);
	assert_true(length < sizeof packet);
	assert_int_equal(packet_compress(packet, length), length); /* not twice */
	for (size_t n = 0; n < length; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		size_t expanded = 0;
		assert_non_null(copy);
		memcpy(copy, packet, n);
		int err = packet_expand(copy, n, out, &expanded);
		assert_true(err != 0 || expanded < sizeof plain);
		free(copy);
	}
	for (size_t n = PACKET_MIN_BYTES; n <= PACKET_PAYLOAD_AT + COMPRESS_MIN_BYTES; n++) {
		uint8_t zeros[PACKET_PAYLOAD_AT + COMPRESS_MIN_BYTES] = { 0 };
		assert_int_equal(packet_compress(zeros, n), n);
	}
}

static void error_texts(void **state)
{
	(void)state;
	assert_string_equal(zt_err_text(0), "no error");
	assert_string_equal(zt_err_text(ZT_E_BAD_MAC), "the packet does not authenticate");
	assert_string_equal(zt_err_text(-9999), "an unknown error");
	for (unsigned i = 0; i < ZT_COUNTERS; i++) {
		assert_true(strlen(zt_counter_name(i)) > 1);
	}
	assert_string_equal(zt_counter_name(ZT_COUNTERS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_identities_are_valid),
		cmocka_unit_test(generated_identity_is_valid),
		cmocka_unit_test(text_truncated_and_damaged),
		cmocka_unit_test(binary_refusals),
		cmocka_unit_test(degenerate_keys_are_refused),
		cmocka_unit_test(hash_job),
		cmocka_unit_test(endpoint_texts),
		cmocka_unit_test(endpoint_prefixes),
		cmocka_unit_test(world_limits),
		cmocka_unit_test(peercache_limits),
		cmocka_unit_test(compression_truncated),
		cmocka_unit_test(error_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
