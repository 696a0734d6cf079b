/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* vl2.json sections revocations, tags, capabilities and certificates_of_ownership. */
#include "core/addr.h"
#include "core/cred.h"
#include "core/identity.h"
#include "tests/lib/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct identity actors[4];

static int load_actors(void **state)
{
	(void)state;
	static const char *const names[] = { "controller", "local", "remote", "third" };
	for (size_t i = 0; i < 4; i++) {
		const char *text = vector_string(vectors_section("vl2.json", "actors"), names[i]);
		if (identity_parse(text, &actors[i])) {
			return -1;
		}
	}
	return 0;
}

static const struct identity *find_actor(void *context, uint64_t address)
{
	(void)context;
	for (size_t i = 0; i < 4; i++) {
		if (actors[i].address == address) {
			return &actors[i];
		}
	}
	return NULL;
}

static uint64_t integer(const json_t *entry, const char *key)
{
	const json_t *value = json_object_get(entry, key);
	assert_true(json_is_integer(value));
	return (uint64_t)json_integer_value(value);
}

static uint64_t hex(const json_t *entry, const char *key)
{
	return strtoull(vector_string(entry, key), NULL, 16);
}

/* What was written into `w` is the hex value of `key`. */
static void check_bytes(const struct wr *w, const json_t *entry, const char *key)
{
	size_t length;
	uint8_t *want = vector_hex(entry, key, &length);
	assert_false(w->bad);
	assert_int_equal(wr_length(w), length);
	assert_memory_equal(w->start, want, length);
	free(want);
}

/* Read the `serialized` bytes of an entry; and at every shorter length expect ZT_E_SHORT. */
static void check_read(const json_t *entry, int (*read)(struct rd *r, void *out), void *out)
{
	size_t length;
	uint8_t *bytes = vector_hex(entry, "serialized", &length);
	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *part = malloc(cut + 1);
		assert_non_null(part);
		memcpy(part + 1, bytes, cut);
		struct rd r = rd_init(part + 1, cut);
		assert_int_equal(read(&r, out), ZT_E_SHORT);
		free(part);
	}
	struct rd r = rd_init(bytes, length);
	assert_int_equal(read(&r, out), 0);
	assert_true(rd_done(&r));
	free(bytes);
}

static uint8_t buffer[CAPABILITY_MAX_BYTES];

static struct wr writer(void)
{
	return wr_init(buffer, sizeof(buffer));
}

/* ---- revocations ----------------------------------------------------------------------------- */

static int read_revocation(struct rd *r, void *out)
{
	return revocation_read(r, out);
}

static void test_vl2_revocations(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *section = vectors_section("vl2.json", "revocations");
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, entry)
	{
		struct revocation rev;
		check_read(entry, read_revocation, &rev);
		assert_int_equal(rev.id, integer(entry, "id"));
		assert_int_equal(rev.credential_id, integer(entry, "credential_id"));
		assert_int_equal(rev.nwid, hex(entry, "network_id"));
		assert_int_equal(rev.threshold, integer(entry, "threshold"));
		assert_int_equal(rev.flags, integer(entry, "flags"));
		assert_int_equal(rev.target, hex(entry, "target"));
		assert_int_equal(rev.type, integer(entry, "type"));
		assert_int_equal(rev.signer, actors[0].address);
		assert_true(revocation_verify(&rev, &actors[0]));
		assert_false(revocation_verify(&rev, &actors[1]));

		memset(&rev.signature, 0, sizeof(rev.signature));
		assert_false(revocation_verify(&rev, &actors[0]));
		assert_int_equal(revocation_sign(&rev, &actors[0]), 0);
		struct wr w = writer();
		revocation_write(&w, &rev);
		check_bytes(&w, entry, "serialized");
		w = writer();
		revocation_write_signed(&w, &rev);
		check_bytes(&w, entry, "signed_bytes");
		rev.threshold++;
		assert_false(revocation_verify(&rev, &actors[0]));
	}
}

/* ---- tags ------------------------------------------------------------------------------------ */

static int read_tag(struct rd *r, void *out)
{
	return tag_read(r, out);
}

static void test_vl2_tags(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *section = vectors_section("vl2.json", "tags");
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, entry)
	{
		struct tag tag;
		check_read(entry, read_tag, &tag);
		assert_int_equal(tag.id, integer(entry, "id"));
		assert_int_equal(tag.value, integer(entry, "value"));
		assert_int_equal(tag.timestamp, integer(entry, "ts"));
		assert_int_equal(tag.nwid, hex(entry, "network_id"));
		assert_int_equal(tag.issued_to, hex(entry, "issued_to"));
		assert_true(tag_verify(&tag, &actors[0]));
		memset(&tag.signature, 0, sizeof(tag.signature));
		assert_int_equal(tag_sign(&tag, &actors[0]), 0);
		struct wr w = writer();
		tag_write(&w, &tag);
		check_bytes(&w, entry, "serialized");
		w = writer();
		tag_write_signed(&w, &tag);
		check_bytes(&w, entry, "signed_bytes");
		/* Signed well, but not by the network's controller. */
		assert_int_equal(tag_sign(&tag, &actors[3]), 0);
		assert_false(tag_verify(&tag, &actors[3]));
		assert_false(tag_verify(&tag, &actors[0]));
	}
}

/* ---- certificates of ownership --------------------------------------------------------------- */

static int read_coo(struct rd *r, void *out)
{
	return coo_read(r, out);
}

static void check_things(const struct coo *coo, const json_t *things)
{
	size_t i;
	json_t *thing;
	assert_int_equal(coo->thing_count, json_array_size(things));
	json_array_foreach(things, i, thing)
	{
		size_t length;
		uint8_t *value = vector_hex(thing, "value", &length);
		assert_int_equal(coo->things[i].type, integer(thing, "type"));
		assert_memory_equal(coo->things[i].value, value, length);
		struct zt_endpoint ip = { .family = coo->things[i].type == COO_IPV4 ? 4 : 6 };
		memcpy(ip.ip, coo->things[i].value, 16);
		if (coo->things[i].type != COO_MAC) {
			assert_true(coo_owns_ip(coo, &ip));
			ip.ip[0] ^= 0x80;
			assert_false(coo_owns_ip(coo, &ip));
		} else {
			struct rd r = rd_init(coo->things[i].value, 6);
			uint64_t mac = rd_u48(&r);
			assert_true(coo_owns_mac(coo, mac));
			assert_false(coo_owns_mac(coo, mac ^ 1));
		}
		free(value);
	}
}

static void test_vl2_certificates_of_ownership(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *section = vectors_section("vl2.json", "certificates_of_ownership");
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, entry)
	{
		struct coo coo;
		check_read(entry, read_coo, &coo);
		assert_int_equal(coo.id, integer(entry, "id"));
		assert_int_equal(coo.timestamp, integer(entry, "ts"));
		assert_int_equal(coo.issued_to, hex(entry, "issued_to"));
		check_things(&coo, json_object_get(entry, "things"));
		assert_true(coo_verify(&coo, &actors[0]));
		assert_false(coo_verify(&coo, &actors[2]));
		memset(&coo.signature, 0, sizeof(coo.signature));
		assert_int_equal(coo_sign(&coo, &actors[0]), 0);
		struct wr w = writer();
		coo_write(&w, &coo);
		check_bytes(&w, entry, "serialized");
		w = writer();
		coo_write_signed(&w, &coo);
		check_bytes(&w, entry, "signed_bytes");
	}
}

/* ---- capabilities ---------------------------------------------------------------------------- */

static int read_capability(struct rd *r, void *out)
{
	return capability_read(r, out);
}

static void check_chain(struct capability *cap, const json_t *entry)
{
	uint64_t missing;
	size_t i;
	json_t *link, *chain = json_object_get(entry, "chain");
	assert_int_equal(cap->custody_count, json_array_size(chain));
	json_array_foreach(chain, i, link)
	{
		assert_int_equal(cap->custody[i].to, hex(link, "to"));
		assert_int_equal(cap->custody[i].from, hex(link, "from"));
	}
	assert_int_equal(capability_issued_to(cap), hex(entry, "issued_to"));
	assert_true(capability_verify(cap, find_actor, NULL, &missing));
	/* Made again from nothing, link by link. */
	struct capability made = *cap;
	memset(made.custody, 0, sizeof(made.custody));
	made.custody_count = 0;
	assert_false(capability_verify(&made, find_actor, NULL, &missing));
	for (i = 0; i < cap->custody_count; i++) {
		const struct identity *from = find_actor(NULL, cap->custody[i].from);
		assert_int_equal(capability_sign(&made, from, cap->custody[i].to), 0);
	}
	struct wr w = writer();
	capability_write(&w, &made);
	check_bytes(&w, entry, "serialized");
	w = writer();
	capability_write_signed(&w, &made);
	check_bytes(&w, entry, "signed_bytes");
	/* A stranger may not start a chain, nor a link be left out. */
	made.custody[0].from ^= 1;
	assert_false(capability_verify(&made, find_actor, NULL, &missing));
	if (cap->custody_count > 1) {
		cap->custody[0] = cap->custody[1];
		assert_false(capability_verify(cap, find_actor, NULL, &missing));
	}
}

static const struct identity *find_nobody(void *context, uint64_t address)
{
	(void)context;
	(void)address;
	return NULL;
}

static void test_vl2_capabilities(void **state)
{
	(void)state;
	size_t i;
	json_t *entry, *section = vectors_section("vl2.json", "capabilities");
	assert_true(json_array_size(section) > 0);
	json_array_foreach(section, i, entry)
	{
		struct capability cap;
		check_read(entry, read_capability, &cap);
		assert_int_equal(cap.id, integer(entry, "id"));
		assert_int_equal(cap.timestamp, integer(entry, "ts"));
		assert_int_equal(cap.rule_count, integer(entry, "rule_count"));
		assert_int_equal(cap.custody_max, integer(entry, "max_custody_chain"));
		struct wr w = writer();
		rules_write(&w, cap.rules, cap.rule_count);
		check_bytes(&w, entry, "rules_hex");
		uint64_t missing;
		assert_false(capability_verify(&cap, find_nobody, NULL, &missing));
		assert_int_equal(missing, addr_controller(cap.nwid));
		check_chain(&cap, entry);
	}
}

static void test_cred_limits(void **state)
{
	(void)state;
	struct capability cap = { .nwid = actors[0].address << 24, .custody_max = 1 };
	assert_int_equal(capability_sign(&cap, &actors[0], 1), 0);
	assert_int_equal(capability_sign(&cap, &actors[0], 1), ZT_E_NO_ROOM);
	struct wr w = writer();
	capability_write(&w, &cap);
	buffer[8 + 8 + 4 + 2] = 0; /* a chain of no length */
	struct rd r = rd_init(buffer, wr_length(&w));
	assert_int_equal(capability_read(&r, &cap), ZT_E_MALFORMED);
	buffer[8 + 8 + 4] = 0; /* 65 rules */
	buffer[8 + 8 + 4 + 1] = VL2_CAPABILITY_RULES_MAX + 1;
	r = rd_init(buffer, wr_length(&w));
	assert_int_equal(capability_read(&r, &cap), ZT_E_TOO_BIG);

	/* A signature of a kind that we do not know is skipped and never verifies. */
	struct tag tag = { .nwid = actors[0].address << 24, .id = 1 }, read;
	assert_int_equal(tag_sign(&tag, &actors[0]), 0);
	tag.signature.type = 2;
	w = writer();
	tag_write(&w, &tag);
	r = rd_init(buffer, wr_length(&w));
	assert_int_equal(tag_read(&r, &read), 0);
	assert_true(rd_done(&r));
	assert_false(tag_verify(&read, &actors[0]));
	struct identity public_only = actors[0];
	public_only.has_secret = false;
	assert_int_equal(tag_sign(&tag, &public_only), ZT_E_BAD_IDENTITY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vl2_revocations),
		cmocka_unit_test(test_vl2_tags),
		cmocka_unit_test(test_vl2_certificates_of_ownership),
		cmocka_unit_test(test_vl2_capabilities),
		cmocka_unit_test(test_cred_limits),
	};
	return cmocka_run_group_tests(tests, load_actors, NULL);
}
