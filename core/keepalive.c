/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: every peer has one deadline; keepalive_schedule computes it from what was sent
 * and heard last, so there is no periodic check. A deadline may come early, because sends since
 * then have made the heartbeat unnecessary: then nothing is sent and it is set anew.
 *
 * Data peers (a frame or the like within 500 s, or named by a network of ours) get HELLO every 60
 * s, and ECHO on each path after 14 s without a send. Upstreams the same, always. Everyone else is
 * forgotten after 500 s of silence.
 *
 * While no path to an upstream is alive, HELLO goes to its paths, to its listed endpoints and
 * through another upstream: at once, then after 0.25, 0.5, 1, 2, 4 and every 5 s. The first steps
 * are short because a start with the network up should take less than half a second even if a
 * datagram is lost; the last is the reference's period. Each is shortened by up to a quarter at
 * random: a universe that starts all at once would otherwise knock in step at the root's gate 15.1,
 * which opens every 2 s.
 */
#include "core/keepalive.h"

#include "core/moon.h"
#include "core/packet.h"
#include "core/peer_impl.h"
#include "core/reach.h"
#include "core/upstream.h"

enum {
	FIRST_RETRY_MS = 250,
	/* Both ends of a RENDEZVOUS begin at about the same time, and what reaches a NAT before its
	 * own side has sent is lost. Two more tries make up for that, and for a lost datagram; the
	 * next introduction may be 30 s away, the next heartbeat of a new client 14 s. */
	PUNCH_TRIES = 3,
	PUNCH_MS = 500,
};

/* ---- contact ---- */

void contact_hello(struct zt_node *node, struct zt_now now, struct peer *peer,
		   const struct tx_to *to, bool is_relayed)
{
	struct msg_moon moons[ZT_MAX_MOONS];
	size_t moon_count = moon_entries(node, moons);
	size_t most = MSG_HELLO_MAX_BYTES + moon_count * HELLO_MOON_BYTES;
	uint8_t *room = tx_room(node, PACKET_PAYLOAD_AT + most, 1);
	if (!room) {
		return;
	}
	const struct packet_header header = {
		.id = node_random_u64(node),
		.dest = peer->identity.address,
		.source = node->identity.address,
		.verb = VERB_HELLO,
	};
	packet_header_write(room, &header);
	struct msg_hello hello = {
		.version = { ZT_VERSION_PROTOCOL, ZT_VERSION_MAJOR, ZT_VERSION_MINOR,
			     ZT_VERSION_REVISION },
		.clock = (uint64_t)now.wall_ms,
		.has_planet = true,
		.planet_id = node->has_planet ? node->planet.id : 0,
		.planet_timestamp = node->has_planet ? node->planet.timestamp : 0,
	};
	hello.identity.address = node->identity.address;
	memcpy(hello.identity.public_key, node->identity.public_key,
	       sizeof hello.identity.public_key);
	if (!is_relayed) {
		hello.destination = to->to;
	}
	struct wr w = wr_init(room + PACKET_PAYLOAD_AT, most);
	msg_hello_write(&w, &hello);
	size_t tail = PACKET_PAYLOAD_AT + wr_length(&w);
	msg_moons_write(&w, moons, (uint16_t)moon_count);
	size_t length = PACKET_PAYLOAD_AT + wr_length(&w);
	crypt_hello_tail(peer->key, room, tail, length);
	if (crypt_seal(peer->key, PACKET_CIPHER_POLY, room, room, length) != 0) {
		return;
	}
	node_count(node, ZT_COUNT_PACKETS_OUT);
	node->tally.packets[ZT_OUT][VERB_HELLO]++;
	peer->packets_out++;
	expect_add(node->expect, packet_id(room), peer->identity.address, VERB_HELLO, now.mono_ms);
	tx_commit(node, to, length);
}

static void contact_echo(struct zt_node *node, struct zt_now now, struct peer *peer,
			 const struct tx_to *to)
{
	const struct tx_direct echo = {
		.peer = peer,
		.to = *to,
		.verb = VERB_ECHO,
		.is_expecting = true,
	};
	tx_direct(node, now, &echo);
}

void contact(struct zt_node *node, struct zt_now now, struct peer *peer, const struct tx_to *to)
{
	if (peer->has_version && peer->version.protocol >= PROTO_VERSION_PORT) {
		contact_echo(node, now, peer, to);
	} else {
		contact_hello(node, now, peer, to, false);
	}
}

static void contact_path(struct zt_node *node, struct zt_now now, struct peer *peer,
			 struct path *path, bool is_hello)
{
	const struct tx_to to = tx_to_path(path);
	if (is_hello) {
		contact_hello(node, now, peer, &to, false);
	} else {
		contact(node, now, peer, &to);
	}
	path->last_out_ms = now.mono_ms;
}

void keepalive_probe(struct zt_node *node, struct zt_now now, struct peer *peer, struct path *path)
{
	if (limit_gate(&path->last_confirm_ms, now.mono_ms, GATE_CONFIRM_MS)) {
		contact_path(node, now, peer, path, false);
	}
}

static void punch_once(struct zt_node *node, struct zt_now now, struct peer *peer)
{
	const struct tx_to to = { .to = peer->punch.to, .socket = peer->punch.socket };
	peer->punch.left--;
	if (peer->punch.is_hello) {
		peer->punch.next_ms = now.mono_ms + GATE_CONFIRM_MS;
		contact_hello(node, now, peer, &to, false);
	} else {
		peer->punch.next_ms = now.mono_ms + PUNCH_MS;
		contact(node, now, peer, &to);
	}
}

void keepalive_punch(struct zt_node *node, struct zt_now now, struct peer *peer,
		     const struct tx_to *to, bool is_hello)
{
	peer->punch.is_hello = is_hello;
	peer->punch.to = to->to;
	peer->punch.socket = to->socket;
	peer->punch.left = PUNCH_TRIES;
	punch_once(node, now, peer);
	keepalive_schedule(node, now, peer);
}

/* Again, unless the peer has a path to that IP by now. */
static void punch_again(struct zt_node *node, struct zt_now now, struct peer *peer)
{
	for (size_t i = 0; i < peer->path_count; i++) {
		const struct path *path = peer->paths[i].path;
		if (endpoint_ip_equal(&path->to, &peer->punch.to) &&
		    path_is_alive(path, now.mono_ms)) {
			peer->punch.left = 0;
			return;
		}
	}
	punch_once(node, now, peer);
}

/* ---- what is due
 * ---- */

static bool is_data_peer(const struct peer *peer, int64_t now_ms)
{
	return now_ms - peer->last_nontrivial_ms < PEER_EXPIRY_MS || now_ms < peer->wanted_until_ms;
}

static int64_t silent_since(const struct peer *peer)
{
	return peer->last_receive_ms > peer->created_ms ? peer->last_receive_ms : peer->created_ms;
}

/* The time at which something came last over any path of its own; LIMIT_NEVER_MS without paths. */
static int64_t last_direct(const struct peer *peer)
{
	int64_t last_ms = LIMIT_NEVER_MS;
	for (size_t i = 0; i < peer->path_count; i++) {
		int64_t in_ms = peer->paths[i].path->last_in_ms;
		last_ms = in_ms > last_ms ? in_ms : last_ms;
	}
	return last_ms;
}

static int64_t min_ms(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When keepalive() has something to do for its paths. */
static int64_t paths_next(const struct peer *peer)
{
	if (peer->path_count == 0) {
		return INT64_MAX;
	}
	int64_t next_ms = peer->last_full_hello_ms + PEER_FULL_HELLO_MS;
	for (size_t i = 0; i < peer->path_count; i++) {
		const struct peer_path *p = &peer->paths[i];
		next_ms = min_ms(next_ms, p->path->last_out_ms + PATH_HEARTBEAT_MS);
		next_ms = min_ms(next_ms, p->last_heard_ms + PATH_EXPIRY_MS);
	}
	return next_ms;
}

static int64_t retry_ms(const struct zt_node *node, unsigned attempts)
{
	int64_t most_ms = node->is_low_bandwidth ? PEER_CHECK_LOW_MS : PEER_CHECK_MS;
	int64_t ms = attempts > 7 ? most_ms : (int64_t)FIRST_RETRY_MS << (attempts - 1);
	ms = min_ms(ms, most_ms);
	return ms - (int64_t)(node_random_u64(node) % (uint64_t)(ms / 4));
}

void keepalive_schedule(struct zt_node *node, struct zt_now now, struct peer *peer)
{
	int64_t due_ms;
	int64_t alive_until_ms = last_direct(peer) + PATH_ALIVE_MS;
	if (peer->is_upstream && now.mono_ms < alive_until_ms) {
		due_ms = min_ms(paths_next(peer), alive_until_ms);
	} else if (peer->is_upstream) {
		due_ms = peer->attempts == 0
			     ? now.mono_ms
			     : peer->last_full_hello_ms + retry_ms(node, peer->attempts);
	} else {
		due_ms = silent_since(peer) + PEER_EXPIRY_MS;
		if (is_data_peer(peer, now.mono_ms)) {
			due_ms = min_ms(due_ms, paths_next(peer));
		}
	}
	if (peer->punch.left > 0) {
		due_ms = min_ms(due_ms, peer->punch.next_ms);
	}
	deadline_set(&node->deadlines, &peer->deadline, due_ms);
}

/* vl1 12.1, keepalive(peer) */
static void keepalive(struct zt_node *node, struct zt_now now, struct peer *peer)
{
	bool is_full = now.mono_ms - peer->last_full_hello_ms >= PEER_FULL_HELLO_MS;
	if (is_full) {
		peer->last_full_hello_ms = now.mono_ms;
	}
	peer_paths_prune(peer, now.mono_ms);
	for (size_t i = 0; i < peer->path_count; i++) {
		struct path *path = peer->paths[i].path;
		if (is_full || now.mono_ms - path->last_out_ms >= PATH_HEARTBEAT_MS) {
			contact_path(node, now, peer, path, is_full);
		}
	}
}

/* HELLO to one random listed endpoint of the family, from all sockets. */
static void hello_listed(struct zt_node *node, struct zt_now now, struct peer *peer, uint8_t family)
{
	const struct world_root *root = upstream_root(node, peer->identity.address);
	const struct zt_endpoint *usable[WORLD_MAX_ENDPOINTS];
	size_t count = 0;
	for (size_t i = 0; root && i < root->endpoint_count; i++) {
		const struct zt_endpoint *e = &root->endpoints[i];
		if (e->family == family &&
		    reach_allows(node, peer, e, endpoint_scope(e) == SCOPE_LOOPBACK)) {
			usable[count++] = e;
		}
	}
	if (count == 0) {
		return;
	}
	const struct tx_to to = {
		.to = *usable[node_random_u64(node) % count],
		.socket = ZT_SOCKET_ALL,
	};
	contact_hello(node, now, peer, &to, false);
}

/* No path to this upstream is alive: try all that might lead to it. */
static void search(struct zt_node *node, struct zt_now now, struct peer *peer)
{
	peer_paths_prune(peer, now.mono_ms);
	for (size_t i = 0; i < peer->path_count; i++) {
		contact_path(node, now, peer, peer->paths[i].path, true);
	}
	hello_listed(node, now, peer, 4);
	hello_listed(node, now, peer, 6);
	struct path *relay = upstream_best_path(node, now, peer);
	if (relay) {
		const struct tx_to to = tx_to_path(relay);
		contact_hello(node, now, peer, &to, true);
	}
	peer->last_full_hello_ms = now.mono_ms;
	peer->attempts++;
}

void keepalive_due(struct zt_node *node, struct zt_now now, struct peer *peer)
{
	bool is_new = peer->last_full_hello_ms == LIMIT_NEVER_MS;
	if (peer->punch.left > 0 && now.mono_ms >= peer->punch.next_ms) {
		punch_again(node, now, peer);
	}
	if (peer->is_upstream && (is_new || now.mono_ms - last_direct(peer) >= PATH_ALIVE_MS)) {
		search(node, now, peer);
	} else if (peer->is_upstream) {
		peer->attempts = 0;
		keepalive(node, now, peer);
	} else if (now.mono_ms - silent_since(peer) >= PEER_EXPIRY_MS) {
		peer_forget(node, peer);
		return;
	} else if (is_data_peer(peer, now.mono_ms)) {
		keepalive(node, now, peer);
	}
	keepalive_schedule(node, now, peer);
}

void keepalive_soon(struct zt_node *node)
{
	for (size_t i = 0; i < node->peers.count; i++) {
		struct peer *peer = node->peers.sorted[i];
		peer->last_push_ms = LIMIT_NEVER_MS;
		peer->last_full_hello_ms = LIMIT_NEVER_MS;
		peer->attempts = 0;
		deadline_set(&node->deadlines, &peer->deadline, LIMIT_NEVER_MS);
	}
}
