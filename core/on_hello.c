/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* HELLO and its OK: identities, versions, clocks, external addresses, newer worlds (vl1 9.2, 9.3).
 *
 * How this works: a HELLO is authenticated but not encrypted. hello_sealed verifies it in the order
 * that costs an attacker most and us least: rate gate of the neighbourhood, one key agreement, the
 * MAC, and only then the memory-hard hash, elsewhere (checks.c). From there, and for known senders
 * at once, it goes the way of all packets and ends in on_hello.
 */
#include "core/checks.h"
#include "core/crypt.h"
#include "core/latency.h"
#include "core/moon.h"
#include "core/msg1.h"
#include "core/packet.h"
#include "core/peer_impl.h"
#include "core/reach.h"
#include "core/rx_impl.h"
#include "core/tx_impl.h"
#include "core/upstream.h"

/* The newcomer's own key seals the answer, so that it can read it (vl1 9.2 step 2a). */
static void collision_answer(struct zt_node *node, const struct rx_packet *packet,
			     const struct identity *newcomer, struct crypt_key *key)
{
	uint8_t *room = tx_room(node, ERROR_PAYLOAD_AT, 1);
	if (!room) {
		return;
	}
	const struct packet_header header = {
		.id = node_random_u64(node),
		.dest = newcomer->address,
		.source = node->identity.address,
		.verb = VERB_ERROR,
	};
	packet_header_write(room, &header);
	struct wr w = wr_init(room + PACKET_PAYLOAD_AT, ERROR_PAYLOAD_AT - PACKET_PAYLOAD_AT);
	msg_re_write(&w, &(struct msg_re){ .verb = VERB_HELLO, .id = packet_id(packet->bytes) });
	wr_u8(&w, ERROR_IDENTITY_COLLISION);
	if (crypt_seal(key, PACKET_CIPHER_SALSA, room, room, ERROR_PAYLOAD_AT) != 0) {
		return;
	}
	node->tally.packets[ZT_OUT][VERB_ERROR]++;
	node->tally.errors[ZT_OUT][ERROR_IDENTITY_COLLISION]++;
	const struct tx_to to = { .to = packet->origin.from, .socket = packet->origin.socket };
	tx_commit(node, &to, ERROR_PAYLOAD_AT);
}

/* Somebody whose identity we do not have, or who claims a known address with other keys. */
static void hello_from_stranger(struct zt_node *node, struct zt_now now,
				const struct rx_packet *packet, const struct identity *identity)
{
	/* A root that restarts meets its whole universe at once: those that it validated before,
	 * and remembers, need not pass the gate of their neighbourhood one by one (decision S20).
	 */
	bool may_pass;
	if (validated_has(node->validated, identity)) {
		may_pass = limit_bucket_take(&node->returning, now.mono_ms);
	} else {
		bool is_collision = peers_find(&node->peers, identity->address);
		may_pass =
		    (is_collision || checks_have_room(node, now, identity)) &&
		    limit_neighbours_pass(node->neighbours, &packet->origin.from, now.mono_ms);
	}
	if (!may_pass) {
		node_count(node, ZT_COUNT_DROP_RATE);
		return;
	}
	struct crypt_key *key = peer_agree(node, identity);
	if (!key) {
		node_count(node, ZT_COUNT_DROP_IDENTITY);
		return;
	}
	if (crypt_open(key, packet->bytes, packet->length) != 0) {
		node_count(node, ZT_COUNT_DROP_MAC);
		crypt_key_free(key);
		return;
	}
	if (peers_find(&node->peers, identity->address)) {
		node_count(node, ZT_COUNT_DROP_IDENTITY);
		collision_answer(node, packet, identity, key);
		crypt_key_free(key);
		return;
	}
	checks_hello(node, now, packet, identity, key);
}

void hello_sealed(struct zt_node *node, struct zt_now now, const struct rx_packet *packet)
{
	struct rd r =
	    rd_init(packet->bytes + PACKET_PAYLOAD_AT, packet->length - PACKET_PAYLOAD_AT);
	struct msg_hello hello;
	if (packet_is_compressed(packet->bytes) || msg_hello_read(&r, &hello) != 0 ||
	    hello.version.protocol < PROTO_VERSION_MIN ||
	    hello.identity.address != packet_source(packet->bytes)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return;
	}
	struct peer *peer = peers_find(&node->peers, hello.identity.address);
	if (!peer || !identity_equal(&peer->identity, &hello.identity)) {
		hello_from_stranger(node, now, packet, &hello.identity);
		return;
	}
	if (crypt_open(peer->key, packet->bytes, packet->length) != 0) {
		node_count(node, ZT_COUNT_DROP_MAC);
		return;
	}
	rx_opened(node, now, packet, peer);
}

/* What is left for worlds in the largest packet. */
enum { WORLDS_MAX_BYTES = PACKET_MAX_BYTES - OK_PAYLOAD_AT - 64 };

/* The worlds that the asker has or wants and that we have newer (vl1 9.3), as many as fit. The
 * entries of moons are the reader `tail`; we look at no more of them than we would follow. */
static void newer_worlds(const struct zt_node *node, const struct msg_hello *hello, struct rd tail,
			 struct wr *w)
{
	if (node->has_planet && hello->has_planet && hello->planet_id != 0 &&
	    hello->planet_id == node->planet.id &&
	    hello->planet_timestamp < node->planet.timestamp) {
		world_write(w, &node->planet);
	}
	struct msg_moons moons = msg_moons_start(tail);
	struct msg_moon entry;
	for (size_t n = 0; n < ZT_MAX_MOONS && msg_moons_next(&moons, &entry); n++) {
		const struct world *world = moon_world(node, entry.id);
		if (world && entry.timestamp < world->timestamp &&
		    WORLDS_MAX_BYTES - wr_length(w) >= WORLD_MAX_BYTES) {
			world_write(w, world);
		}
	}
}

static void answer(struct zt_node *node, struct zt_now now, const struct packet_in *in,
		   const struct msg_hello *hello)
{
	uint8_t worlds[WORLDS_MAX_BYTES], bytes[64 + WORLDS_MAX_BYTES];
	struct wr list = wr_init(worlds, sizeof worlds);
	struct msg_ok_hello ok = {
		.clock = hello->clock,
		.version = { ZT_VERSION_PROTOCOL, ZT_VERSION_MAJOR, ZT_VERSION_MINOR,
			     ZT_VERSION_REVISION },
		.surface = in->path->to,
	};
	if (hello->version.protocol < PROTO_VERSION_PORT) {
		ok.surface.port = 0;
	}
	newer_worlds(node, hello, in->payload, &list);
	ok.worlds = rd_init(worlds, wr_length(&list));
	struct wr w = wr_init(bytes, sizeof bytes);
	msg_ok_hello_write(&w, &ok);
	const struct iovec iov = { .iov_base = bytes, .iov_len = wr_length(&w) };
	tx_ok(node, now, in, &iov, 1);
}

enum rx_result on_hello(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct msg_hello hello;
	if (msg_hello_read(&in->payload, &hello) != 0 ||
	    hello.version.protocol < PROTO_VERSION_MIN ||
	    !identity_equal(&hello.identity, &in->peer->identity)) {
		return RX_MALFORMED;
	}
	/* What is left is the tail, encrypted for itself (vl1 5.4). */
	crypt_hello_tail(in->peer->key, in->bytes, (size_t)(in->payload.p - in->bytes), in->length);
	if (in->hops == 0 && hello.destination.family) {
		reach_report(node, now, in, &hello.destination);
	}
	/* The version is stored after the answer: the first OK goes out in the cipher that every
	 * version understands (vl1 5.6). */
	answer(node, now, in, &hello);
	in->peer->version = hello.version;
	in->peer->has_version = true;
	return RX_DONE;
}

/* Each may change who is an upstream, the sender included, or forget it. */
static void worlds_take(struct zt_node *node, struct zt_now now, uint64_t source, struct rd worlds)
{
	struct world world;
	const struct peer *peer;
	while ((peer = peers_find(&node->peers, source)) && rd_left(&worlds) > 0 &&
	       world_read(&worlds, &world) == 0) {
		if (world.type == WORLD_TYPE_MOON) {
			moon_offer(node, now, peer, &world);
		} else if (peer->is_upstream) {
			upstream_planet_offer(node, now, &world);
		}
	}
}

enum rx_result on_ok_hello(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct msg_ok_hello ok;
	if (msg_ok_hello_read(&in->payload, &ok) != 0) {
		return RX_MALFORMED;
	}
	if (ok.version.protocol < PROTO_VERSION_MIN) {
		return RX_MALFORMED;
	}
	if (in->hops == 0) {
		path_latency_sample(in->path, now.wall_ms - (int64_t)ok.clock);
		latency_note(&in->peer->latencies, now.wall_ms - (int64_t)ok.clock);
	}
	in->peer->version = ok.version;
	in->peer->has_version = true;
	if (in->hops == 0 && ok.surface.family) {
		reach_report(node, now, in, &ok.surface);
	}
	if (in->peer->is_upstream || moon_is_seed(node, in->source)) {
		worlds_take(node, now, in->source, ok.worlds); /* may forget in->peer: last */
	}
	return RX_DONE;
}
