/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Whole datagrams into a node: as they come, or sealed by a root or a peer of its.
 *
 * The input is a list of steps: a control byte, a verb, a 16-bit length, that many bytes. Control
 * bits: 1 the bytes are a datagram; else they are a payload that 2 the root (else the peer) seals;
 * 4 as an answer to what the node sent last; 8 relayed; 16 let a second pass. The node is new for
 * each input, so that a crash repeats from its input alone.
 */
#include "core/crypt.h"
#include "core/identity.h"
#include "core/mem.h"
#include "core/packet.h"
#include "core/peercache.h"
#include "core/world.h"
#include "core/zt.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/vectors.h"

enum { RAW = 1, FROM_ROOT = 2, ANSWER = 4, RELAYED = 8, LATER = 16, STEPS = 16 };

static struct identity leaf, root, peer;
static struct crypt_key *root_key, *peer_key;
static uint8_t planet[WORLD_MAX_BYTES], record[PEERCACHE_MAX_BYTES];
static size_t planet_length, record_length;
static char leaf_secret[IDENTITY_TEXT_MAX];
static uint8_t arena_bytes[1 << 18];
static struct zt_tx arena_tx[256];
static struct zt_arena arena = { arena_bytes, sizeof arena_bytes, 0, arena_tx, 256, 0 };
static struct zt_job jobs[64];
static size_t job_count;
static uint8_t last_sent[PACKET_ID_AT + 8];
static uint64_t rng;

static void on_random(void *context, void *out, size_t length)
{
	uint8_t *bytes = out;
	(void)context;
	for (size_t i = 0; i < length; i++) {
		rng = rng * 6364136223846793005U + 1442695040888963407U;
		bytes[i] = (uint8_t)(rng >> 56);
	}
}

static void arena_empty(void *context)
{
	(void)context;
	if (arena.tx_count > 0 && arena.tx[arena.tx_count - 1].length >= sizeof last_sent) {
		memcpy(last_sent, arena.bytes + arena.tx[arena.tx_count - 1].offset,
		       sizeof last_sent);
	}
	for (size_t i = 0; i < arena.tx_count; i++) {
		const struct zt_tx *tx = &arena.tx[i];
		BUG_ON(tx->length == 0 || tx->offset + tx->length > arena.used);
		BUG_ON(tx->to.family != 4 && tx->to.family != 6);
	}
	arena.used = arena.tx_count = 0;
}

static bool on_job(void *context, const struct zt_job *job)
{
	(void)context;
	if (job_count == sizeof jobs / sizeof jobs[0]) {
		return false;
	}
	jobs[job_count++] = *job;
	return true;
}

static void identity_load(size_t index, struct identity *out)
{
	const json_t *texts = vectors_section("identities.json", "identities");
	BUG_ON(identity_parse(json_string_value(json_array_get(texts, index)), out) != 0);
}

static struct crypt_key *key_with_leaf(const struct identity *other)
{
	uint8_t key48[AGREED_KEY_BYTES];
	BUG_ON(identity_agree(&leaf, other, key48) != 0);
	return crypt_key_new(key48);
}

static void prepare(void)
{
	identity_load(0, &leaf);
	identity_load(1, &root);
	identity_load(2, &peer);
	(void)identity_text(&leaf, true, leaf_secret);
	root_key = key_with_leaf(&root);
	peer_key = key_with_leaf(&peer);
	static struct world world = { .type = WORLD_TYPE_PLANET, .id = 1, .timestamp = 1 };
	world.root_count = 1;
	world.roots[0].identity = root;
	struct wr w = wr_init(planet, sizeof planet);
	world_write(&w, &world);
	planet_length = wr_length(&w);
	static struct peercache cache = { .protocol = 12, .major = 1 };
	cache.identity = peer;
	w = wr_init(record, sizeof record);
	peercache_write(&w, &cache);
	record_length = wr_length(&w);
}

static void give(struct zt_node *node, struct zt_now now, uint8_t *bytes, size_t length)
{
	struct zt_datagram datagram = { .length = (uint32_t)length, .bytes = bytes };
	BUG_ON(!endpoint_parse("192.0.2.7/9993", &datagram.from));
	zt_recv(node, now, &datagram, 1);
	arena_empty(NULL);
}

/* The first five key bytes are the address of identities that shall be valid. */
static void jobs_run(struct zt_node *node, struct zt_now now)
{
	for (size_t i = 0; i < job_count; i++) {
		memset(jobs[i].output, 0, sizeof jobs[i].output);
		memcpy(jobs[i].output + 59, jobs[i].input, 5);
		zt_job_done(node, now, &jobs[i]);
	}
	job_count = 0;
}

static void give_sealed(struct zt_node *node, struct zt_now now, uint8_t control, uint8_t verb,
			struct rd payload)
{
	static uint8_t packet[PACKET_MAX_BYTES];
	struct packet_header header = {
		.dest = leaf.address,
		.source = control & FROM_ROOT ? root.address : peer.address,
		.verb = verb & PACKET_VERB_MASK,
	};
	on_random(NULL, &header.id, sizeof header.id);
	packet_header_write(packet, &header);
	size_t length = rd_left(&payload);
	length = length < PACKET_PAYLOAD_MAX_BYTES ? length : PACKET_PAYLOAD_MAX_BYTES;
	memcpy(packet + PACKET_PAYLOAD_AT, payload.p, length);
	packet[PACKET_VERB_AT] = verb; /* compressed or not */
	if ((control & ANSWER) && length >= 9) {
		memcpy(packet + PACKET_PAYLOAD_AT + 1, last_sent, 8);
	}
	length += PACKET_PAYLOAD_AT;
	uint8_t cipher =
	    (verb & PACKET_VERB_MASK) == VERB_HELLO ? PACKET_CIPHER_POLY : PACKET_CIPHER_SALSA;
	BUG_ON(crypt_seal(control & FROM_ROOT ? root_key : peer_key, cipher, packet, packet,
			  length) != 0);
	if (control & RELAYED) {
		datagram_hop(packet);
	}
	give(node, now, packet, length);
}

static void give_raw(struct zt_node *node, struct zt_now now, struct rd bytes)
{
	size_t length = rd_left(&bytes);
	uint8_t *copy = zt_malloc(length); /* of its own, so that reading past its end shows */
	BUG_ON(!copy);
	rd_copy(&bytes, copy, length);
	give(node, now, copy, length);
	zt_free(copy);
}

static void time_passes(struct zt_node *node, struct zt_now *now, int64_t ms)
{
	now->mono_ms += ms;
	now->wall_ms += ms;
	zt_tick(node, *now);
	arena_empty(NULL);
	BUG_ON(zt_deadline(node) < now->mono_ms);
}

static void play(struct zt_node *node, struct rd *r)
{
	struct zt_now now = { .mono_ms = 1000, .wall_ms = 1700000000000 };
	for (int step = 0; step < STEPS && rd_left(r) > 0; step++) {
		uint8_t control = rd_u8(r), verb = rd_u8(r);
		size_t length = rd_u16(r);
		length = length < rd_left(r) ? length : rd_left(r);
		struct rd bytes = rd_sub(r, length);
		if (length > 0 && (control & RAW)) {
			give_raw(node, now, bytes);
		} else if (length > 0) {
			give_sealed(node, now, control, verb, bytes);
		}
		jobs_run(node, now);
		time_passes(node, &now, control & LATER ? 1000 : 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct zt_callbacks callbacks = {
		.random = on_random,
		.arena_full = arena_empty,
		.job = on_job,
	};
	const struct zt_now now = { .mono_ms = 1000, .wall_ms = 1700000000000 };
	if (!root_key) {
		prepare();
	}
	rng = 1;
	const struct zt_config config = {
		.identity_secret = leaf_secret,
		.planet = planet,
		.planet_length = planet_length,
		.callbacks = &callbacks,
		.arena = &arena,
	};
	struct zt_node *node;
	BUG_ON(zt_node_new(&config, now, &node) != 0);
	BUG_ON(zt_peer_restore(node, now, record, record_length) != 0);
	BUG_ON(zt_join(node, now, root.address << 24 | 1, NULL, 0) != 0);
	arena_empty(NULL);
	struct rd r = rd_init(data, size);
	play(node, &r);
	zt_node_free(node, now);
	arena.used = arena.tx_count = 0;
	job_count = 0;
	return 0;
}
