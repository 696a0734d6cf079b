/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: everything leaves through tx_room (bytes and rows of the arena, emptied through
 * the caller's arena_full when they run out) and tx_commit. tx_on_path is the hot one: gather,
 * compress if asked, seal in place, split in place. The on-wire id is read after sealing, because
 * cipher 3 changes it (vl1 22.5).
 */
#include "core/tx.h"

#include "base/bug.h"
#include "core/compress.h"
#include "core/crypt.h"
#include "core/hints.h"
#include "core/keepalive.h"
#include "core/msg1.h"
#include "core/packet.h"
#include "core/peer_impl.h"
#include "core/rx.h"
#include "core/tx_impl.h"
#include "core/upstream.h"
#include "core/waiting.h"

enum {
	/* A direct path on which nothing came for so long, though both sides send a heartbeat each
	 * 14 s, has lost two of them: go through an upstream until it answers again. The reference
	 * uses it for 243 s (docs/decisions/020). */
	PATH_STALE_MS = 2 * PATH_HEARTBEAT_MS + PEER_CHECK_MS + 2000,
};

uint8_t *tx_room(struct zt_node *node, size_t bytes, size_t datagrams)
{
	struct zt_arena *arena = node->arena;
	for (int try = 0; try < 2; try++) {
		if (arena->capacity - arena->used >= bytes &&
		    arena->tx_capacity - arena->tx_count >= datagrams) {
			return arena->bytes + arena->used;
		}
		if (try == 0 && node->callbacks->arena_full) {
			node->callbacks->arena_full(node->context);
		}
	}
	node_count(node, ZT_COUNT_DROP_ARENA);
	return NULL;
}

void tx_commit(struct zt_node *node, const struct tx_to *to, size_t length)
{
	struct zt_arena *arena = node->arena;
	arena->tx[arena->tx_count++] = (struct zt_tx){
		.to = to->to,
		.socket = to->socket,
		.offset = (uint32_t)arena->used,
		.length = (uint16_t)length,
		.ttl = to->ttl,
	};
	arena->used += length;
	node_count(node, ZT_COUNT_DATAGRAMS_OUT);
	node_count_many(node, ZT_COUNT_BYTES_OUT, length);
}

void tx_raw(struct zt_node *node, const struct tx_to *to, const uint8_t *bytes, size_t length)
{
	uint8_t *room = tx_room(node, length, 1);
	if (!room) {
		return;
	}
	memcpy(room, bytes, length);
	tx_commit(node, to, length);
}

uint8_t tx_cipher(const struct peer *peer)
{
	return peer->has_version && peer->version.protocol >= PROTO_VERSION_SIV
		   ? PACKET_CIPHER_SIV
		   : PACKET_CIPHER_SALSA;
}

static size_t iov_length(const struct iovec *iov, int count)
{
	size_t length = 0;
	for (int i = 0; i < count; i++) {
		length += iov[i].iov_len;
	}
	return length;
}

static void gather(uint8_t *out, const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > 0) {
			memcpy(out, iov[i].iov_base, iov[i].iov_len);
			out += iov[i].iov_len;
		}
	}
}

static void header_write(const struct zt_node *node, uint8_t *packet, uint64_t dest, uint8_t verb)
{
	const struct packet_header header = {
		.id = node_random_u64(node),
		.dest = dest,
		.source = node->identity.address,
		.verb = verb,
	};
	packet_header_write(packet, &header);
}

/* By verb and peer; while the packet can still be read. */
static void tally_out(struct zt_node *node, struct peer *peer, const uint8_t *packet, size_t length)
{
	enum { CODE_AT = ERROR_PAYLOAD_AT - 1 };
	uint8_t verb = packet_verb(packet);
	node->tally.packets[ZT_OUT][verb]++;
	if (verb == VERB_ERROR && length > CODE_AT && packet[CODE_AT] < ZT_TALLY_ERRORS) {
		node->tally.errors[ZT_OUT][packet[CODE_AT]]++;
	}
	peer->packets_out++;
}

static bool seal(struct zt_node *node, struct peer *peer, uint8_t *packet, size_t length)
{
	tally_out(node, peer, packet, length);
	if (crypt_seal(peer->key, tx_cipher(peer), packet, packet, length) != 0) {
		return false; /* libcrypto ran out of memory */
	}
	node_count(node, ZT_COUNT_PACKETS_OUT);
	return true;
}

void tx_direct(struct zt_node *node, struct zt_now now, const struct tx_direct *packet)
{
	size_t length = PACKET_PAYLOAD_AT + iov_length(packet->iov, packet->iov_count);
	if (length > PACKET_MAX_BYTES) {
		node_count(node, ZT_COUNT_DROP_TOO_BIG);
		return;
	}
	uint8_t *room = tx_room(node, length, 1);
	if (!room) {
		return;
	}
	header_write(node, room, packet->peer->identity.address, packet->verb);
	gather(room + PACKET_PAYLOAD_AT, packet->iov, packet->iov_count);
	if (!seal(node, packet->peer, room, length)) {
		return;
	}
	if (packet->is_expecting) {
		expect_add(node->expect, packet_id(room), packet->peer->identity.address,
			   packet->verb, now.mono_ms);
	}
	tx_commit(node, &packet->to, length);
}

struct path *tx_path(struct zt_node *node, struct zt_now now, struct peer *peer)
{
	struct path *own = peer_best_path(peer, now.mono_ms);
	if (own && now.mono_ms - own->last_in_ms < PATH_STALE_MS) {
		return own;
	}
	if (!own) {
		hints_try(node, now, peer);
	}
	struct path *relay = upstream_best_path(node, now, peer);
	if (own && relay) {
		keepalive_probe(node, now, peer, own);
	}
	if (relay) {
		return relay;
	}
	return own ? own : peer_last_path(peer);
}

/* In the clear where local.conf says so (vl1 5.8), but not through a relay: where that sends it we
 * do not know. */
static bool seal_for_path(struct zt_node *node, struct peer *peer, const struct path *path,
			  uint8_t *packet, size_t length)
{
	if (path->trusted_id == 0 || !peer_path_find(peer, path)) {
		return seal(node, peer, packet, length);
	}
	packet_trusted_seal(packet, path->trusted_id);
	node_count(node, ZT_COUNT_PACKETS_OUT);
	return true;
}

bool tx_on_path(struct zt_node *node, struct zt_now now, struct peer *peer, struct path *path,
		const struct tx_packet *packet, uint64_t *on_wire_id)
{
	size_t length = PACKET_PAYLOAD_AT + iov_length(packet->iov, packet->iov_count);
	/* Once: arena_full, in tx_room, may find that the route takes less. */
	const size_t mtu = path_mtu_for(node->paths, path, length);
	size_t count = frag_count(length, mtu);
	uint8_t *room = count ? tx_room(node, frag_room(length, count), count) : NULL;
	if (!room) {
		node_count_many(node, ZT_COUNT_DROP_TOO_BIG, count == 0);
		return false;
	}
	header_write(node, room, packet->dest, packet->verb);
	gather(room + PACKET_PAYLOAD_AT, packet->iov, packet->iov_count);
	if (packet->flags & TX_COMPRESS) {
		length = packet_compress(room, length);
		count = frag_count(length, mtu);
	}
	if (count > 1) {
		packet_fragmented_set(room);
	}
	if (!seal_for_path(node, peer, path, room, length)) {
		return false;
	}
	uint64_t id = packet_id(room);
	if (packet->flags & TX_EXPECT) {
		expect_add(node->expect, id, packet->dest, packet->verb, now.mono_ms);
	}
	if (on_wire_id) {
		*on_wire_id = id;
	}
	uint16_t lengths[FRAG_MAX_DATAGRAMS] = { (uint16_t)length };
	if (count > 1) {
		frag_split(room, length, frag_even_mtu(length, mtu), lengths);
	}
	struct tx_to to = tx_to_path(path);
	for (size_t i = 0; i < count; i++) {
		tx_commit(node, &to, lengths[i]);
	}
	path->last_out_ms = now.mono_ms;
	return true;
}

enum tx_result tx_send(struct zt_node *node, struct zt_now now, const struct tx_packet *packet,
		       uint64_t *on_wire_id)
{
	if (on_wire_id) {
		*on_wire_id = 0;
	}
	if (packet->dest == node->identity.address || address_is_reserved(packet->dest)) {
		return TX_DROPPED;
	}
	size_t length = PACKET_PAYLOAD_AT + iov_length(packet->iov, packet->iov_count);
	if (frag_count(length, PATH_MTU_BYTES) == 0) {
		node_count(node, ZT_COUNT_DROP_TOO_BIG);
		return TX_DROPPED;
	}
	struct peer *peer = peers_find(&node->peers, packet->dest);
	struct path *path = peer ? tx_path(node, now, peer) : NULL;
	if (path) {
		return tx_on_path(node, now, peer, path, packet, on_wire_id) ? TX_SENT : TX_DROPPED;
	}
	waiting_add(node, now, packet);
	if (!peer) {
		node_whois(node, now, packet->dest);
	}
	return TX_WAITING;
}

void tx_reply(struct zt_node *node, struct zt_now now, const struct packet_in *in, uint8_t verb,
	      const struct iovec *iov, int iov_count)
{
	const struct tx_direct reply = {
		.peer = in->peer,
		.to = tx_to_path(in->path),
		.verb = verb,
		.iov = iov,
		.iov_count = iov_count,
	};
	tx_direct(node, now, &reply);
	in->path->last_out_ms = now.mono_ms;
}

/* More pieces than any message has. */
enum { IOV_MAX_REPLY = 8 };

/* The pieces with the in-re part before them; returns their number. */
static int pieces_re(struct iovec all[IOV_MAX_REPLY + 1], const struct wr *head,
		     const struct iovec *iov, int iov_count)
{
	BUG_ON(iov_count > IOV_MAX_REPLY);
	all[0] = (struct iovec){ .iov_base = head->start, .iov_len = wr_length(head) };
	for (int i = 0; i < iov_count; i++) {
		all[i + 1] = iov[i];
	}
	return iov_count + 1;
}

void tx_ok(struct zt_node *node, struct zt_now now, const struct packet_in *in,
	   const struct iovec *iov, int iov_count)
{
	uint8_t bytes[OK_PAYLOAD_AT - PACKET_PAYLOAD_AT];
	struct wr head = wr_init(bytes, sizeof bytes);
	msg_re_write(&head, &(struct msg_re){ .verb = in->verb, .id = in->id });
	struct iovec all[IOV_MAX_REPLY + 1];
	int count = pieces_re(all, &head, iov, iov_count);
	tx_reply(node, now, in, VERB_OK, all, count);
}

void tx_error(struct zt_node *node, struct zt_now now, const struct packet_in *in, uint8_t code,
	      const struct iovec *iov, int iov_count)
{
	uint8_t bytes[ERROR_PAYLOAD_AT - PACKET_PAYLOAD_AT];
	struct wr head = wr_init(bytes, sizeof bytes);
	msg_re_write(&head, &(struct msg_re){ .verb = in->verb, .id = in->id });
	wr_u8(&head, code);
	struct iovec all[IOV_MAX_REPLY + 1];
	int count = pieces_re(all, &head, iov, iov_count);
	tx_reply(node, now, in, VERB_ERROR, all, count);
}
