/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* NETWORK_CREDENTIALS: receiving, pushing ours, passing revocations on (vl2 5.3, 5.4). */
#include "core/vl2_impl.h"

#include "core/limit.h"
#include "core/proto.h"

#include <inttypes.h>

/* ---- receiving --------------------------------------------------------------------------------
 */

struct credentials_in {
	uint64_t source, packet_id;
	struct packet_in *in; /* NULL: our own controller */
};

/* What one object turned out to be. */
struct outcome {
	enum cred_result result;
	uint64_t wanted; /* whose identity is missing; 0 = none */
};

/* One packet per second, peer and network (15.9; docs/decisions/030-credential-gate.md). Not for
 * the controller, which may revoke many members at once; and a packet that was kept and comes again
 * passes. */
static bool gate_credentials(struct zt_node *node, struct zt_now now, struct network *network,
			     const struct credentials_in *packet)
{
	if (packet->source == network->controller) {
		return true;
	}
	struct member *member = members_get(&network->members, packet->source, now.mono_ms);
	if (!member) {
		node_count(node, ZT_COUNT_DROP_MEMORY);
		return false;
	}
	if (member->credentials_packet == packet->packet_id) {
		return true;
	}
	if (!limit_gate(&member->credentials_in_ms, now.mono_ms, VL2_CREDENTIALS_IN_MS)) {
		node_count(node, ZT_COUNT_DROP_RATE);
		return false;
	}
	member->credentials_packet = packet->packet_id;
	return true;
}

/* The network of an object if it is to be looked at, and its controller's identity. */
static struct network *network_for(struct zt_node *node, struct zt_now now, uint64_t nwid,
				   const struct credentials_in *packet, struct outcome *outcome)
{
	struct network *network = vl2_network(node, nwid);
	if (!network || !gate_credentials(node, now, network, packet)) {
		return NULL;
	}
	if (!vl2_identity(node, network->controller)) {
		outcome->wanted = network->controller;
		return NULL;
	}
	return network;
}

/* A revocation that is news goes on to all members we know, if it asks for that. */
static void revocation_pass_on(struct zt_node *node, struct zt_now now,
			       const struct network *network, uint64_t source,
			       const struct revocation *rev)
{
	uint8_t bytes[1 + 4 * 2 + REVOCATION_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u8(&w, 0);  /* no certificates */
	wr_u16(&w, 0); /* no capabilities */
	wr_u16(&w, 0); /* no tags */
	wr_u16(&w, 1);
	revocation_write(&w, rev);
	wr_u16(&w, 0); /* no certificates of ownership */
	struct span payload = { .bytes = bytes, .length = wr_length(&w) };
	const struct members *members = &network->members;
	for (size_t i = 0; i < members->capacity; i++) {
		const struct member *m = members->slots[i];
		if (m && m->address != source && m->address != rev->signer &&
		    m->address != node_address(node) &&
		    (m->has_com || network_is_public(network))) {
			vl2_send(node, now, m->address, VERB_NETWORK_CREDENTIALS, TX_COMPRESS,
				 &payload);
		}
	}
}

static int read_com(struct zt_node *node, struct zt_now now, const struct credentials_in *packet,
		    struct rd *r, struct outcome *out)
{
	struct com com;
	if (com_read(r, &com)) {
		return ZT_E_MALFORMED;
	}
	struct network *network = network_for(node, now, com_network(&com), packet, out);
	if (network) {
		out->result = members_com(&network->members, &com,
					  vl2_identity(node, network->controller), now.mono_ms);
	}
	return ZT_OK;
}

static int read_capability(struct zt_node *node, struct zt_now now,
			   const struct credentials_in *packet, struct rd *r, struct outcome *out)
{
	struct capability cap;
	if (capability_read(r, &cap)) {
		return ZT_E_MALFORMED;
	}
	struct network *network = network_for(node, now, cap.nwid, packet, out);
	if (network) {
		out->result = members_capability(
		    &network->members, &cap, vl2_identity(node, network->controller), now.mono_ms);
	}
	return ZT_OK;
}

static int read_tag(struct zt_node *node, struct zt_now now, const struct credentials_in *packet,
		    struct rd *r, struct outcome *out)
{
	struct tag tag;
	if (tag_read(r, &tag)) {
		return ZT_E_MALFORMED;
	}
	struct network *network = network_for(node, now, tag.nwid, packet, out);
	if (network) {
		out->result = members_tag(&network->members, &tag,
					  vl2_identity(node, network->controller), now.mono_ms);
	}
	return ZT_OK;
}

static int read_coo(struct zt_node *node, struct zt_now now, const struct credentials_in *packet,
		    struct rd *r, struct outcome *out)
{
	struct coo coo;
	if (coo_read(r, &coo)) {
		return ZT_E_MALFORMED;
	}
	struct network *network = network_for(node, now, coo.nwid, packet, out);
	if (network) {
		out->result = members_coo(&network->members, &coo,
					  vl2_identity(node, network->controller), now.mono_ms);
	}
	return ZT_OK;
}

static int read_revocation(struct zt_node *node, struct zt_now now,
			   const struct credentials_in *packet, struct rd *r, struct outcome *out)
{
	struct revocation rev;
	if (revocation_read(r, &rev)) {
		return ZT_E_MALFORMED;
	}
	struct network *network = network_for(node, now, rev.nwid, packet, out);
	if (!network) {
		return ZT_OK;
	}
	out->result = members_revocation(&network->members, &rev,
					 vl2_identity(node, network->controller), now.mono_ms);
	if (out->result != CRED_NEW) {
		return ZT_OK;
	}
	node_log(node, ZT_LOG_INFO, "credential revoked nwid=%016" PRIx64 " member=%010" PRIx64,
		 rev.nwid, rev.target);
	if (rev.target == node_address(node)) {
		/* Our own: ask the controller now why, instead of at the next refresh in up to 60
		 * s. */
		network->config_ms = LIMIT_NEVER_MS;
		network_schedule(node, network);
	}
	if (rev.flags & REVOCATION_FAST_PROPAGATE) {
		revocation_pass_on(node, now, network, packet->source, &rev);
	}
	return ZT_OK;
}

typedef int read_credential(struct zt_node *node, struct zt_now now,
			    const struct credentials_in *packet, struct rd *r, struct outcome *out);

/* All objects of a payload. A missing identity does not stop the others: what is stored now is
 * redundant when the packet comes again. */
static enum vl2_result credentials_read(struct zt_node *node, struct zt_now now,
					const struct credentials_in *packet, struct rd payload)
{
	static read_credential *const readers[] = {
		[CREDENTIALS_COM] = read_com, [CREDENTIALS_CAPABILITY] = read_capability,
		[CREDENTIALS_TAG] = read_tag, [CREDENTIALS_REVOCATION] = read_revocation,
		[CREDENTIALS_COO] = read_coo,
	};
	struct credentials_walk it = credentials_walk_init(payload);
	enum credentials_kind kind;
	uint64_t wanted = 0;
	while ((kind = credentials_walk_next(&it)) != CREDENTIALS_END) {
		struct outcome outcome = { .result = CRED_REDUNDANT };
		if (readers[kind](node, now, packet, &it.r, &outcome)) {
			node_count(node, ZT_COUNT_DROP_MALFORMED);
			return VL2_IGNORED;
		}
		if (outcome.result == CRED_REJECTED) {
			node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		}
		wanted = outcome.wanted ? outcome.wanted : wanted;
	}
	return wanted && packet->in ? vl2_keep(packet->in, wanted) : VL2_DONE;
}

enum vl2_result on_credentials(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct credentials_in packet = { .source = in->source, .packet_id = in->id, .in = in };
	return credentials_read(node, now, &packet, in->payload);
}

bool credentials_inline(struct zt_node *node, struct zt_now now, struct network *network,
			const struct span *bytes)
{
	struct com com;
	struct rd r = rd_init(bytes->bytes, bytes->length);
	if (bytes->length == 0 || com_read(&r, &com)) {
		return true;
	}
	const struct identity *controller = vl2_identity(node, network->controller);
	if (!controller) {
		return false;
	}
	if (members_com(&network->members, &com, controller, now.mono_ms) == CRED_REJECTED) {
		node_count(node, ZT_COUNT_DROP_UNTRUSTED);
	}
	return true;
}

/* ---- pushing ----------------------------------------------------------------------------------
 */

/* How much of our credentials has been written. */
struct push {
	const struct netconf *config;
	bool is_com_written;
	size_t capabilities, tags, coos;
};

enum {
	PUSH_MAX_PAYLOAD_BYTES = PACKET_PAYLOAD_MAX_BYTES,
	PUSH_COUNTS_BYTES = 4 * 2, /* kept free for the counts */
};

static bool push_fits(const struct wr *w, size_t bytes)
{
	return wr_left(w) >= bytes + PUSH_COUNTS_BYTES;
}

/* As many objects as fit, in the order of 5.3. */
static void push_write(struct wr *w, struct push *push)
{
	const struct netconf *config = push->config;
	if (!push->is_com_written && config->has_com) {
		com_write(w, &config->com);
	}
	push->is_com_written = true;
	wr_u8(w, 0);
	size_t at = push->capabilities;
	uint8_t *count = wr_room(w, 2);
	while (push->capabilities < config->capability_count &&
	       push_fits(w, CAPABILITY_MAX_BYTES)) {
		capability_write(w, &config->capabilities[push->capabilities++]);
	}
	struct wr patch = wr_init(count, 2);
	wr_u16(&patch, (uint16_t)(push->capabilities - at));
	at = push->tags;
	count = wr_room(w, 2);
	while (push->tags < config->tag_count && push_fits(w, TAG_MAX_BYTES)) {
		tag_write(w, &config->tags[push->tags++]);
	}
	patch = wr_init(count, 2);
	wr_u16(&patch, (uint16_t)(push->tags - at));
	wr_u16(w, 0); /* revocations are the controller's */
	at = push->coos;
	count = wr_room(w, 2);
	while (push->coos < config->coo_count && push_fits(w, COO_MAX_BYTES)) {
		coo_write(w, &config->coos[push->coos++]);
	}
	patch = wr_init(count, 2);
	wr_u16(&patch, (uint16_t)(push->coos - at));
}

static bool push_is_done(const struct push *push)
{
	const struct netconf *config = push->config;
	return push->is_com_written && push->capabilities == config->capability_count &&
	       push->tags == config->tag_count && push->coos == config->coo_count;
}

static void push_send(struct zt_node *node, struct zt_now now, const struct network *network,
		      struct member *member)
{
	struct push push = { .config = network->config };
	uint8_t bytes[PUSH_MAX_PAYLOAD_BYTES];
	enum tx_result result = TX_SENT;
	while (!push_is_done(&push) && result != TX_DROPPED) {
		struct wr w = wr_init(bytes, sizeof(bytes));
		push_write(&w, &push);
		struct span payload = { .bytes = bytes, .length = wr_length(&w) };
		result = vl2_send(node, now, member->address, VERB_NETWORK_CREDENTIALS, TX_COMPRESS,
				  &payload);
	}
	if (result != TX_DROPPED) {
		member->pushed_ms = now.mono_ms;
		member->pushed_serial = network->config_serial;
	}
}

static bool has_credentials(const struct netconf *config)
{
	return config && (config->has_com || config->capability_count || config->tag_count ||
			  config->coo_count);
}

void credentials_push_due(struct zt_node *node, struct zt_now now, struct network *network,
			  uint64_t address)
{
	struct member *member = members_get(&network->members, address, now.mono_ms);
	if (!member) {
		return;
	}
	bool is_due = member->pushed_serial != network->config_serial ||
		      now.mono_ms - member->pushed_ms >= VL2_CREDENTIAL_PUSH_MS;
	if (is_due && has_credentials(network->config)) {
		push_send(node, now, network, member);
	}
}

enum vl2_result on_need_credentials(struct zt_node *node, struct zt_now now, struct packet_in *in,
				    struct rd *payload)
{
	struct network_error error;
	if (network_error_read(payload, &error)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	struct network *network = vl2_network(node, error.nwid);
	if (!network || !network_com(network)) {
		node_count(node, ZT_COUNT_DROP_NETWORK);
		return VL2_IGNORED;
	}
	struct member *member = members_get(&network->members, in->source, now.mono_ms);
	if (!member) {
		node_count(node, ZT_COUNT_DROP_MEMORY);
		return VL2_IGNORED;
	}
	if (member->pushed_serial == network->config_serial &&
	    now.mono_ms - member->pushed_ms <= VL2_CREDENTIAL_ON_REQUEST_MS) {
		node_count(node, ZT_COUNT_DROP_RATE);
		return VL2_IGNORED;
	}
	push_send(node, now, network, member);
	return VL2_DONE;
}

void zt_credentials_send(struct zt_node *node, struct zt_now now, uint64_t member,
			 const void *payload, size_t length)
{
	if (member == node_address(node)) {
		struct credentials_in packet = { .source = member };
		(void)credentials_read(node, now, &packet, rd_init(payload, length));
		return;
	}
	if (peer_find(node, member)) {
		struct span span = { .bytes = payload, .length = length };
		vl2_send(node, now, member, VERB_NETWORK_CREDENTIALS, TX_COMPRESS, &span);
	}
}
