/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/vl2node.h"

#include "core/compress.h"
#include "core/crypt.h"
#include "core/limit.h"
#include "core/packet.h"
#include "core/peer_impl.h"
#include "core/rx.h"
#include "tests/lib/check.h"

enum { ARENA_BYTES = 1 << 21, ARENA_DATAGRAMS = 4096 };

static void on_random(void *context, void *out, size_t length)
{
	struct vl2node *v = context;
	uint8_t *p = out;
	for (size_t i = 0; i < length; i++) {
		v->random = v->random * 6364136223846793005ULL + 1442695040888963407ULL;
		p[i] = (uint8_t)(v->random >> 56);
	}
}

static void on_log(void *context, enum zt_level level, const char *text)
{
	(void)context;
	(void)level;
	(void)text;
}

static void on_arena_full(void *context)
{
	(void)context;
	fail_msg("the test's arena is too small");
}

static bool on_job(void *context, const struct zt_job *job)
{
	(void)context;
	(void)job;
	return false;
}

static void on_store(void *context, enum zt_store kind, uint64_t id, const void *bytes,
		     size_t length)
{
	struct vl2node *v = context;
	(void)id;
	(void)length;
	v->stored_count += kind == ZT_STORE_NETWORK && bytes;
}

static void on_event(void *context, const struct zt_event *event)
{
	struct vl2node *v = context;
	v->event_count += event->kind == ZT_EVENT_NETWORK;
}

static void on_frames_in(void *context, uint64_t nwid, const struct zt_frame *frames, size_t count)
{
	struct vl2node *v = context;
	for (size_t i = 0; i < count; i++) {
		assert_true(v->frame_count < VL2NODE_FRAMES);
		struct vl2node_frame *f = &v->frames[v->frame_count++];
		assert_true(frames[i].length <= sizeof(f->bytes));
		f->nwid = nwid;
		f->is_authentic = frames[i].is_authentic;
		f->length = frames[i].length;
		memcpy(f->bytes, frames[i].bytes, f->length);
	}
}

static void on_config_request_made(void *context, const struct zt_config_request *request)
{
	struct vl2node *v = context;
	v->request = *request;
	v->request_count++;
}

static const struct zt_callbacks member_callbacks = {
	.random = on_random,
	.log = on_log,
	.arena_full = on_arena_full,
	.job = on_job,
	.store = on_store,
	.event = on_event,
	.frames_in = on_frames_in,
};

static const struct zt_callbacks controller_callbacks = {
	.random = on_random,
	.log = on_log,
	.arena_full = on_arena_full,
	.job = on_job,
	.store = on_store,
	.event = on_event,
	.frames_in = on_frames_in,
	.config_request = on_config_request_made,
};

void vl2node_init(struct vl2node *v, const char *secret, int64_t wall_ms, bool is_controller)
{
	*v = (struct vl2node){ .now = { .mono_ms = 1000000, .wall_ms = wall_ms }, .next_id = 1 };
	v->is_controller = is_controller;
	assert_int_equal(identity_parse(secret, &v->identity), 0);
	v->frames = calloc(VL2NODE_FRAMES, sizeof(*v->frames));
	v->arena = (struct zt_arena){ .bytes = malloc(ARENA_BYTES),
				      .capacity = ARENA_BYTES,
				      .tx = calloc(ARENA_DATAGRAMS, sizeof(struct zt_tx)),
				      .tx_capacity = ARENA_DATAGRAMS };
	assert_true(v->frames && v->arena.bytes && v->arena.tx);
	const struct zt_config config = {
		.identity_secret = secret,
		.callbacks = is_controller ? &controller_callbacks : &member_callbacks,
		.context = v,
		.arena = &v->arena,
	};
	assert_int_equal(zt_node_new(&config, v->now, &v->node), 0);
}

void vl2node_fini(struct vl2node *v)
{
	zt_node_free(v->node, v->now);
	identity_wipe(&v->identity);
	free(v->frames);
	free(v->arena.bytes);
	free(v->arena.tx);
}

void vl2node_peer(struct vl2node *v, const char *identity)
{
	assert_true(v->peer_count < VL2NODE_PEERS);
	struct identity *id = &v->peers[v->peer_count];
	assert_int_equal(identity_parse(identity, id), 0);
	struct peer *peer;
	assert_int_equal(peer_add(v->node, v->now, id, NULL, &peer), 0);
	struct zt_endpoint to = { .family = 4, .port = 9993 };
	to.ip[0] = 10;
	to.ip[3] = (uint8_t)++v->peer_count;
	struct path *path = paths_get(v->node->paths, 0, &to);
	assert_non_null(path);
	path->last_in_ms = v->now.mono_ms;
	peer_learn(peer, path, v->now.mono_ms, 1);
}

enum vl2_result vl2node_packet(struct vl2node *v, uint64_t source, uint64_t id, uint8_t verb,
			       const void *payload, size_t length)
{
	struct peer *peer = peers_find(&v->node->peers, source);
	assert_non_null(peer);
	assert_true(length + PACKET_PAYLOAD_AT <= PACKET_MAX_BYTES);
	uint8_t *bytes = malloc(length + PACKET_PAYLOAD_AT);
	assert_non_null(bytes);
	memset(bytes, 0, PACKET_PAYLOAD_AT);
	memcpy(bytes + PACKET_PAYLOAD_AT, payload, length);
	struct packet_in in = {
		.peer = peer,
		.path = peer->paths[0].path,
		.source = source,
		.id = id ? id : v->next_id++,
		.verb = verb,
		.cipher = PACKET_CIPHER_SIV,
		.bytes = bytes,
		.length = length + PACKET_PAYLOAD_AT,
	};
	in.payload = rd_init(bytes + PACKET_PAYLOAD_AT, length);
	enum vl2_result result = vl2_on_packet(v->node, v->now, &in);
	free(bytes);
	return result;
}

void vl2node_advance(struct vl2node *v, int64_t ms)
{
	v->now.mono_ms += ms;
	v->now.wall_ms += ms;
}

static const struct identity *peer_of(const struct vl2node *v, uint64_t address)
{
	for (size_t i = 0; i < v->peer_count; i++) {
		if (v->peers[i].address == address) {
			return &v->peers[i];
		}
	}
	return NULL;
}

/* Open a copy of one datagram with the key of the pair, from the sender's side. */
static void open_sent(const struct vl2node *v, const struct zt_tx *tx, struct vl2node_sent *out)
{
	const uint8_t *sealed = v->arena.bytes + tx->offset;
	assert_false(packet_is_fragmented(sealed));
	memcpy(out->bytes, sealed, tx->length);
	out->length = tx->length;
	out->dest = packet_dest(sealed);
	const struct identity *peer = peer_of(v, out->dest);
	assert_non_null(peer);
	uint8_t raw[AGREED_KEY_BYTES];
	assert_int_equal(identity_agree(&v->identity, peer, raw), 0);
	struct crypt_key *key = crypt_key_new(raw);
	assert_non_null(key);
	assert_int_equal(crypt_open(key, out->bytes, out->length), 0);
	crypt_key_free(key);
	out->verb = packet_verb(out->bytes);
	if (packet_is_compressed(out->bytes)) {
		static uint8_t expanded[PACKET_MAX_BYTES];
		assert_int_equal(packet_expand(out->bytes, out->length, expanded, &out->length), 0);
		memcpy(out->bytes, expanded, out->length);
	}
}

bool vl2node_sent(struct vl2node *v, size_t index, struct vl2node_sent *out)
{
	if (index >= v->arena.tx_count) {
		return false;
	}
	open_sent(v, &v->arena.tx[index], out);
	return true;
}

size_t vl2node_count(struct vl2node *v, uint64_t dest, uint8_t verb)
{
	static struct vl2node_sent sent;
	size_t n = 0;
	for (size_t i = 0; vl2node_sent(v, i, &sent); i++) {
		n += sent.verb == verb && (dest == 0 || sent.dest == dest);
	}
	return n;
}

void vl2node_clear(struct vl2node *v)
{
	v->arena.used = 0;
	v->arena.tx_count = 0;
}
