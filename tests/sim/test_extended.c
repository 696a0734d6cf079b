/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Nodes of protocol 13 hide their HELLOs (vl1 5.7): a leaf whose HELLOs are all wrapped on their
 * way joins the universe as any other. The wrapping is written from the specification with
 * libsodium and libcrypto alone. */
#include "core/extended.h"
#include "core/identity.h"
#include "core/salsa.h"
#include "tests/lib/check.h"
#include "tests/sim/cast.h"

#include <openssl/evp.h>
#include <sodium.h>

enum { EPHEMERAL_BYTES = 32, WRAPPED_MAX = 2048 };

struct wrapper {
	struct sim *sim;
	struct sim_node *leaf, *root;
	uint8_t key48[48];
	unsigned wrapped;
	bool is_damaged; /* a bit of what is hidden flips */
};

/* Cipher 0 with bit 7 set (5.1, 5.3). */
static void seal(const uint8_t key48[48], uint8_t *packet, size_t length)
{
	uint8_t key[32], head[SALSA_BLOCK_BYTES], mac[16];
	struct salsa salsa;
	packet[PACKET_FLAGS_AT] |= PACKET_FLAG_ENCRYPTED;
	memcpy(key, key48, sizeof(key));
	for (size_t i = 0; i < 18; i++) {
		key[i] ^= packet[i];
	}
	key[18] ^= packet[18] & 0xf8;
	key[19] ^= (uint8_t)length;
	key[20] ^= (uint8_t)(length >> 8);
	salsa_init(&salsa, 12, key, packet);
	salsa_head_xor(&salsa, head, NULL, NULL, 0);
	crypto_onetimeauth_poly1305(mac, packet + 27, length - 27, head);
	memcpy(packet + 19, mac, 8);
}

/* Hide bytes 19 on and append the ephemeral key; returns the new length. */
static size_t hide(const struct identity *receiver, uint8_t *packet, size_t length)
{
	uint8_t secret[EPHEMERAL_BYTES], shared[32], hash[64], counter[16] = { 0 };
	int n;
	memset(secret, 7, sizeof(secret));
	crypto_scalarmult_curve25519_base(packet + length, secret);
	assert_int_equal(crypto_scalarmult_curve25519(shared, secret, receiver->public_key), 0);
	crypto_hash_sha512(hash, shared, sizeof(shared));
	memcpy(counter, packet, 12);
	EVP_CIPHER_CTX *ctr = EVP_CIPHER_CTX_new();
	assert_non_null(ctr);
	assert_int_equal(EVP_EncryptInit_ex(ctr, EVP_aes_256_ctr(), NULL, hash, counter), 1);
	assert_int_equal(EVP_EncryptUpdate(ctr, packet + 19, &n, packet + 19, (int)(length - 19)),
			 1);
	EVP_CIPHER_CTX_free(ctr);
	return length + EPHEMERAL_BYTES;
}

static bool wrap(void *context, struct sim_node *from, const struct zt_endpoint *source,
		 const struct zt_tx *tx, const uint8_t *bytes)
{
	struct wrapper *w = context;
	if (from != w->leaf || datagram_classify(bytes, tx->length) != DATAGRAM_PACKET ||
	    packet_dest(bytes) != w->root->address || packet_cipher(bytes) != PACKET_CIPHER_POLY ||
	    packet_verb(bytes) != VERB_HELLO) {
		return true;
	}
	struct identity root;
	uint8_t packet[WRAPPED_MAX];
	assert_true((size_t)tx->length + EPHEMERAL_BYTES <= sizeof(packet));
	assert_int_equal(identity_parse(w->root->secret, &root), 0);
	memcpy(packet, bytes, tx->length);
	seal(w->key48, packet, tx->length);
	size_t length = hide(&root, packet, tx->length);
	packet[40] ^= w->is_damaged;
	w->wrapped++;
	sim_inject(w->sim, source, &tx->to, packet, length);
	return false;
}

static struct wrapper wrapper_new(const struct cast *c)
{
	struct wrapper w = { .sim = c->sim, .leaf = c->a, .root = c->root };
	struct identity leaf, root;
	assert_int_equal(identity_parse(c->a->secret, &leaf), 0);
	assert_int_equal(identity_parse(c->root->secret, &root), 0);
	assert_int_equal(identity_agree(&leaf, &root, w.key48), 0);
	return w;
}

static void a_hidden_hello_is_heard(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	struct wrapper w = wrapper_new(&c);
	c.sim->tap = wrap;
	c.sim->tap_context = &w;
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	assert_true(can_talk(c.a, c.b, 3000));
	sim_run(c.sim, 300000); /* known senders stay known */
	assert_true(sim_is_online(c.a));
	assert_true(w.wrapped > 2);
	assert_int_equal(zt_counter(c.root->zt, ZT_COUNT_DROP_CIPHER), 0);
	assert_int_equal(zt_counter(c.root->zt, ZT_COUNT_DROP_MAC), 0);
	cast_free(&c);
}

/* What was hidden badly is no HELLO, or does not authenticate; nobody answers. */
static void a_damaged_one_is_dropped(void **state)
{
	(void)state;
	struct cast c = cast_new(NULL, NULL);
	struct wrapper w = wrapper_new(&c);
	w.is_damaged = true;
	c.sim->tap = wrap;
	c.sim->tap_context = &w;
	sim_run(c.sim, 5000);
	assert_true(w.wrapped > 0);
	assert_false(sim_is_online(c.a));
	uint64_t dropped = zt_counter(c.root->zt, ZT_COUNT_DROP_MAC) +
			   zt_counter(c.root->zt, ZT_COUNT_DROP_MALFORMED) +
			   zt_counter(c.root->zt, ZT_COUNT_DROP_RATE);
	assert_int_equal(dropped, w.wrapped);
	cast_free(&c);
}

/* Each costs a key agreement: a flood is cut at 500 a second. */
static void a_flood_is_cut(void **state)
{
	(void)state;
	enum { FLOOD = 2000 };
	struct cast c = cast_new(NULL, NULL);
	assert_true(sim_until(c.sim, both_online, &c, 5000));
	struct zt_endpoint from = c.b->ip, to = c.root->ip;
	from.port = to.port = SIM_PORT;
	uint8_t packet[200] = { 0 };
	struct wr w = wr_init(packet, sizeof(packet));
	wr_u64(&w, 1);
	wr_u40(&w, c.root->address);
	wr_u40(&w, c.a->address);
	wr_u8(&w, PACKET_FLAG_ENCRYPTED);
	packet[sizeof(packet) - 1] = 9; /* no key of small order */
	for (int i = 0; i < FLOOD; i++) {
		packet[0] = (uint8_t)i;
		packet[1] = (uint8_t)(i >> 8);
		sim_inject(c.sim, &from, &to, packet, sizeof(packet));
	}
	sim_run(c.sim, 100);
	assert_true(zt_counter(c.root->zt, ZT_COUNT_DROP_RATE) >= FLOOD - 600);
	assert_true(can_talk(c.a, c.b, 3000));
	cast_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hidden_hello_is_heard),
		cmocka_unit_test(a_damaged_one_is_dropped),
		cmocka_unit_test(a_flood_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
