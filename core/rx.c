/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: zt_recv takes each datagram to the first place that can refuse it. Nothing of an
 * unauthenticated datagram is stored except in the fixed reassembly table, the ring of kept packets
 * and the identity checks, each bounded; and the only answers a stranger can provoke are a WHOIS to
 * our own upstream and, after the proof of work was checked, OK(HELLO). Paths come into being only
 * for authenticated packets.
 */
#include "core/rx.h"

#include "core/compress.h"
#include "core/extended.h"
#include "core/keep.h"
#include "core/packet.h"
#include "core/peer_impl.h"
#include "core/rx_impl.h"
#include "core/vl2.h"
#include "core/whois.h"

enum { ONCE = 1, PLAIN = 2, SILENT = 4 };

struct verb_rule {
	rx_handler *handle;
	uint16_t least_payload;
	uint8_t flags;
};

static const struct verb_rule rules[PACKET_VERB_MASK + 1] = {
#define X(name, least, flag_bits, handler) [VERB_##name] = { handler, least, flag_bits },
#include "core/verbs.def"
#undef X
};

enum rx_result on_nop(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	(void)node;
	(void)now;
	(void)in;
	return RX_DONE;
}

/* Verbs that carry nothing we use: bonding (vl1 20), traces, messages of applications. */
enum rx_result on_ignored(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	return on_nop(node, now, in);
}

enum rx_result rx_of_vl2(enum vl2_result result)
{
	switch (result) {
	case VL2_DONE:
		return RX_DONE;
	case VL2_KEEP:
		return RX_KEEP;
	case VL2_IGNORED:
		break;
	}
	return RX_IGNORED;
}

enum rx_result on_vl2(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	enum rx_result result = rx_of_vl2(vl2_on_packet(node, now, in));
	if (in->verb == VERB_NETWORK_CREDENTIALS && result == RX_DONE) {
		keep_ready(node, in->source); /* frames that waited for them */
	}
	return result;
}

void rx_judge(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	const struct verb_rule *rule = &rules[in->verb];
	in->payload = rd_init(in->bytes + PACKET_PAYLOAD_AT, in->length - PACKET_PAYLOAD_AT);
	in->is_trusted = false;
	path_ref(in->path); /* nothing below may evict it */
	enum rx_result result = RX_DONE;
	if (rd_left(&in->payload) < rule->least_payload) {
		result = RX_MALFORMED;
	} else if (rule->handle) {
		result = rule->handle(node, now, in);
	}
	if (result == RX_MALFORMED) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		if (in->peer) {
			in->peer->packet_errors++;
		}
	} else if (result == RX_KEEP) {
		keep_open(node, in);
		if (in->wanted != in->source) {
			node_whois(node, now, in->wanted);
		}
	}
	/* A new planet may have thrown the sender out. */
	in->peer = peers_find(&node->peers, in->source);
	if (result == RX_DONE && in->peer && !(rule->flags & SILENT)) {
		learn_from(node, now, in);
	}
	path_unref(in->path);
}

void rx_opened(struct zt_node *node, struct zt_now now, const struct rx_packet *packet,
	       struct peer *peer)
{
	struct packet_in in = {
		.peer = peer,
		.source = peer->identity.address,
		.id = packet_id(packet->bytes),
		.verb = packet_verb(packet->bytes),
		.hops = packet_hops(packet->bytes),
		.cipher = packet_cipher(packet->bytes),
		.bytes = packet->bytes,
		.length = packet->length,
		.since_ms = packet->since_ms,
	};
	node_count(node, ZT_COUNT_PACKETS_IN);
	node->tally.packets[ZT_IN][in.verb]++;
	peer->packets_in++;
	if ((rules[in.verb].flags & ONCE) && !peer_first_seen(peer, in.id)) {
		node_count(node, ZT_COUNT_DROP_DUPLICATE);
		return;
	}
	in.path = paths_get(node->paths, packet->origin.socket, &packet->origin.from);
	if (!in.path) {
		node_count(node, ZT_COUNT_DROP_MEMORY);
		return;
	}
	if (in.hops == 0) {
		in.path->last_in_ms = now.mono_ms;
	}
	if (packet_is_compressed(in.bytes)) {
		if (packet_expand(in.bytes, in.length, node->expanded, &in.length) != 0) {
			node_count(node, ZT_COUNT_DROP_COMPRESSION);
			return;
		}
		in.bytes = node->expanded;
	}
	rx_judge(node, now, &in);
}

/* No cryptography between here and there, as both sides' local.conf say (vl1 5.8). */
static bool is_of_trusted_path(const struct zt_node *node, const struct rx_packet *packet)
{
	uint64_t id = paths_trusted_id(node->paths, &packet->origin.from);
	return id != 0 && packet_trusted_id(packet->bytes) == id;
}

/* May this verb come in this cipher (vl1 5.3, 19.10)? Before decryption the verb shows only in
 * plain packets. */
static bool cipher_allowed(const struct zt_node *node, const struct rx_packet *packet)
{
	const uint8_t *bytes = packet->bytes;
	switch (packet_cipher(bytes)) {
	case PACKET_CIPHER_SALSA:
	case PACKET_CIPHER_SIV:
		return true;
	case PACKET_CIPHER_POLY:
		return extended_is(bytes) ? packet_verb(bytes) == VERB_HELLO
					  : rules[packet_verb(bytes)].flags & PLAIN;
	case PACKET_CIPHER_TRUSTED:
		return is_of_trusted_path(node, packet);
	default:
		return false;
	}
}

/* A key agreement for whoever asks, strangers included: so many a second and no more. */
static bool extended_off(struct zt_node *node, struct zt_now now, struct rx_packet *packet)
{
	if (!limit_bucket_take(&node->disclosing, now.mono_ms)) {
		node_count(node, ZT_COUNT_DROP_RATE);
		return false;
	}
	if (extended_open(node->extended, &node->identity, packet->bytes, &packet->length) != 0) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return false;
	}
	return true;
}

void rx_packet(struct zt_node *node, struct zt_now now, const struct rx_packet *packet)
{
	uint64_t source = packet_source(packet->bytes);
	if (source == node->identity.address) {
		node_count(node, ZT_COUNT_DROP_SELF);
		return;
	}
	if (address_is_reserved(source)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return;
	}
	struct rx_packet disclosed = *packet;
	if (extended_is(packet->bytes)) {
		if (!extended_off(node, now, &disclosed)) {
			return;
		}
		packet = &disclosed;
	}
	if (!cipher_allowed(node, packet)) {
		node_count(node, ZT_COUNT_DROP_CIPHER);
		return;
	}
	if (packet_cipher(packet->bytes) == PACKET_CIPHER_POLY &&
	    packet_verb(packet->bytes) == VERB_HELLO) {
		hello_sealed(node, now, packet);
		return;
	}
	struct peer *peer = peers_find(&node->peers, source);
	if (!peer) {
		keep_sealed(node, packet, source);
		whois_stranger(node, now, source);
		return;
	}
	if (packet_cipher(packet->bytes) != PACKET_CIPHER_TRUSTED &&
	    crypt_open(peer->key, packet->bytes, packet->length) != 0) {
		node_count(node, ZT_COUNT_DROP_MAC);
		return;
	}
	rx_opened(node, now, packet, peer);
}

static void rx_piece(struct zt_node *node, struct zt_now now, const struct zt_datagram *datagram)
{
	const struct frag_origin origin = { .from = datagram->from, .socket = datagram->socket };
	struct frag_packet whole;
	switch (frag_add(node->frags, datagram->bytes, datagram->length, &origin, now.mono_ms,
			 &whole)) {
	case FRAG_COMPLETE: {
		const struct rx_packet packet = {
			.origin = whole.origin,
			.bytes = whole.bytes,
			.length = whole.length,
			.since_ms = now.mono_ms,
		};
		rx_packet(node, now, &packet);
		break;
	}
	case FRAG_BAD:
		node_count(node, ZT_COUNT_DROP_FRAGMENT);
		break;
	case FRAG_DUPLICATE:
		node_count(node, ZT_COUNT_DROP_DUPLICATE);
		break;
	case FRAG_HELD:
		break;
	}
}

static void rx_datagram(struct zt_node *node, struct zt_now now, const struct zt_datagram *datagram)
{
	node_count(node, ZT_COUNT_DATAGRAMS_IN);
	node_count_many(node, ZT_COUNT_BYTES_IN, datagram->length);
	enum datagram_kind kind = datagram_classify(datagram->bytes, datagram->length);
	if (kind == DATAGRAM_JUNK || kind == DATAGRAM_BEACON) {
		node_count(node, ZT_COUNT_DROP_SHORT);
		return;
	}
	if (packet_dest(datagram->bytes) != node->identity.address) {
		relay_datagram(node, now, datagram);
		return;
	}
	if (kind != DATAGRAM_PACKET) {
		rx_piece(node, now, datagram);
		return;
	}
	if (datagram->length > PACKET_MAX_BYTES) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return;
	}
	const struct rx_packet packet = {
		.origin = { .from = datagram->from, .socket = datagram->socket },
		.bytes = datagram->bytes,
		.length = datagram->length,
		.since_ms = now.mono_ms,
	};
	rx_packet(node, now, &packet);
}

void zt_recv(struct zt_node *node, struct zt_now now, struct zt_datagram *datagrams, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		rx_datagram(node, now, &datagrams[i]);
		keep_run(node, now);
	}
}
