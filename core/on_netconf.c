/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Configurations: asking for them, receiving their chunks, and the controller's side (vl2 3).
 *
 * How this works: chunks come as OK to our request, as NETWORK_CONFIG pushes, from any member that
 * passes on an urgent one, or from the controller in this very node. All end in chunk_in, where the
 * controller's signature decides, not the sender. A complete dictionary goes to config_apply.
 */
#include "core/vl2_impl.h"

#include "core/addr.h"
#include "core/chunk.h"
#include "core/dict.h"
#include "core/limit.h"
#include "core/mem.h"
#include "core/proto.h"

#include <inttypes.h>

/* The reference's number for a request that a controller makes to itself (3.1). */
#define SELF_REQUEST_ID UINT64_MAX

/* ---- asking -----------------------------------------------------------------------------------
 */

/* Metadata in the order of 3.1. */
static void metadata_write(struct wr *w)
{
	dict_add_u64(w, "v", VL2_NETCONF_VERSION);
	dict_add_u64(w, "vend", VL2_VENDOR_ZEROTIER);
	dict_add_u64(w, "pv", ZT_VERSION_PROTOCOL);
	dict_add_u64(w, "majv", ZT_VERSION_MAJOR);
	dict_add_u64(w, "minv", ZT_VERSION_MINOR);
	dict_add_u64(w, "revv", ZT_VERSION_REVISION);
	dict_add_u64(w, "mr", VL2_RULES_MAX);
	dict_add_u64(w, "mc", VL2_CAPABILITIES_MAX);
	dict_add_u64(w, "mcr", VL2_CAPABILITY_RULES_MAX);
	dict_add_u64(w, "mt", VL2_TAGS_MAX);
	dict_add_u64(w, "f", 0);
	dict_add_u64(w, "revr", VL2_RULES_ENGINE_REVISION);
	dict_add_string(w, "o", "linux/x86_64");
}

static void status_set(struct zt_node *node, struct network *network, enum zt_network_status status)
{
	if (network->status != status) {
		network->status = status;
		node_event(node, ZT_EVENT_NETWORK, network->nwid);
	}
}

/* We are the controller: no packet, the same path from there on. */
static void ask_self(struct zt_node *node, struct network *network, const struct span *metadata)
{
	uint8_t identity[IDENTITY_BYTES];
	struct wr w = wr_init(identity, sizeof(identity));
	identity_write(&w, node_identity(node));
	struct zt_config_request request = {
		.nwid = network->nwid,
		.member = node_address(node),
		.packet_id = SELF_REQUEST_ID,
		.identity = identity,
		.metadata = metadata->bytes,
		.metadata_length = metadata->length,
		.revision = network->config ? network->config->revision : 0,
		.timestamp = network->config ? network->config->timestamp : 0,
	};
	if (!node_config_request(node, &request)) {
		status_set(node, network, ZT_NETWORK_NOT_FOUND);
	}
}

/* Requests that cannot leave are not queued: with a hundred networks they would push each other out
 * of a queue of 32. vl2_peer_known and vl2_online ask again. */
static bool is_reachable(const struct zt_node *node, struct zt_now now, uint64_t address)
{
	const struct peer *peer = peer_find(node, address);
	return peer && (peer_has_path(peer, now) || node_best_upstream(node, now) != 0);
}

void config_ask(struct zt_node *node, struct zt_now now, struct network *network)
{
	uint8_t dict[VL2_METADATA_MAX_BYTES];
	struct wr w = wr_init(dict, sizeof(dict));
	metadata_write(&w);
	struct span metadata = { .bytes = dict, .length = wr_length(&w) };
	network->requested_ms = now.mono_ms;
	if (network->controller == node_address(node)) {
		network->is_asked = true;
		ask_self(node, network, &metadata);
		return;
	}
	network->is_asked = is_reachable(node, now, network->controller);
	if (!network->is_asked) {
		node_whois(node, now, network->controller);
		return;
	}
	uint8_t bytes[VL2_METADATA_MAX_BYTES + 32];
	struct wr out = wr_init(bytes, sizeof(bytes));
	config_request_write(&out,
			     &(struct config_request){
				 .nwid = network->nwid,
				 .metadata = metadata,
				 .revision = network->config ? network->config->revision : 0,
				 .timestamp = network->config ? network->config->timestamp : 0,
			     });
	struct span payload = { .bytes = bytes, .length = wr_length(&out) };
	vl2_send(node, now, network->controller, VERB_NETWORK_CONFIG_REQUEST,
		 TX_EXPECT | TX_COMPRESS, &payload);
}

/* ---- applying ---------------------------------------------------------------------------------
 */

static void config_store(struct zt_node *node, const struct network *network)
{
	uint8_t *dict = zt_malloc(VL2_CONFIG_MAX_BYTES);
	if (!dict) {
		return; /* the file of the last configuration stays */
	}
	struct wr w = wr_init(dict, VL2_CONFIG_MAX_BYTES);
	netconf_write(&w, network->config);
	if (!w.bad) {
		node_store(node, ZT_STORE_NETWORK, network->nwid, dict, wr_length(&w));
	}
	zt_free(dict);
}

/* The broadcast group comes and goes with the network's flag (8). */
static void broadcast_follow(struct network *network)
{
	if (network->config->flags & NETCONF_BROADCAST) {
		network_group_add(network, ADDR_MAC_BROADCAST, 0);
	} else {
		network_group_remove(network, ADDR_MAC_BROADCAST, 0);
	}
}

/* Is it about this network, and for us? */
static bool config_is_ours(const struct zt_node *node, const struct network *network,
			   const struct netconf *config)
{
	return config->nwid == network->nwid && config->issued_to == node_address(node);
}

bool config_restore(struct zt_node *node, struct network *network, const void *dict, size_t length)
{
	struct netconf *config;
	if (netconf_parse(dict, length, &config)) {
		return false;
	}
	if (!config_is_ours(node, network, config)) {
		netconf_free(config);
		return false;
	}
	network_apply_take(network, config);
	broadcast_follow(network);
	node_event(node, ZT_EVENT_NETWORK, network->nwid);
	return true;
}

/* Where a chunk came from. */
struct chunk_origin {
	uint64_t source;
	uint64_t packet_id;
	struct packet_in *in; /* NULL: our own controller */
	bool is_answer;       /* to a request of ours, from the controller */
};

/* False: malformed. True also for a configuration that is not for us or older than what we have: it
 * is acknowledged like any other, and left alone. Members could replay an old one, so only an
 * answer of the controller itself may go back in time (its clock was set). */
static bool config_apply(struct zt_node *node, struct zt_now now, struct network *network,
			 const struct chunk_origin *origin, const struct span *dict)
{
	struct netconf *config;
	if (netconf_parse(dict->bytes, dict->length, &config)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return false;
	}
	bool is_older = network->config && config->timestamp < network->config->timestamp;
	if (!config_is_ours(node, network, config) || (is_older && !origin->is_answer)) {
		node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		netconf_free(config);
		return true;
	}
	network->config_ms = now.mono_ms;
	network->clock_skew_ms = (int64_t)config->timestamp - now.wall_ms;
	if (network_apply_take(network, config)) {
		broadcast_follow(network);
		config_store(node, network);
		node_event(node, ZT_EVENT_NETWORK, network->nwid);
	}
	network_schedule(node, network);
	return true;
}

/* ---- chunks -----------------------------------------------------------------------------------
 */

/* An urgent configuration travels from member to member, too (3.3, flag bit 0). */
static void chunk_pass_on(struct zt_node *node, struct zt_now now, const struct network *network,
			  const struct chunk_origin *origin, const struct span *bytes)
{
	const struct members *members = &network->members;
	for (size_t i = 0; i < members->capacity; i++) {
		const struct member *m = members->slots[i];
		if (!m || m->address == origin->source || m->address == network->controller ||
		    m->address == node_address(node) ||
		    (!m->has_com && !network_is_public(network))) {
			continue;
		}
		vl2_send(node, now, m->address, VERB_NETWORK_CONFIG, TX_COMPRESS, bytes);
	}
}

/* OK to a push. Its in-re verb is ECHO, as the reference's is (3.2). */
static void chunk_acknowledge(struct zt_node *node, struct zt_now now, const struct packet_in *in,
			      const struct config_ack *ack)
{
	uint8_t bytes[1 + 8 + 16];
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u8(&w, VERB_ECHO);
	wr_u64(&w, in->id);
	config_ack_write(&w, ack);
	struct iovec iov = { .iov_base = bytes, .iov_len = wr_length(&w) };
	tx_reply(node, now, in, VERB_OK, &iov, 1);
}

static bool chunk_unsigned(struct zt_node *node, struct zt_now now, struct network *network,
			   const struct chunk_origin *origin, const struct chunk *chunk)
{
	if (origin->source != network->controller) {
		node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		return false;
	}
	struct span dict = { .bytes = chunk->data, .length = chunk->data_length };
	return config_apply(node, now, network, origin, &dict);
}

/* A chunk whose signature is good. True if it completed a configuration. */
static bool chunk_signed(struct zt_node *node, struct zt_now now, struct network *network,
			 const struct chunk_origin *origin, const struct chunk *chunk)
{
	struct span dict;
	switch (reassembly_add(&network->reassembly, chunk, &dict.bytes, &dict.length)) {
	case REASSEMBLY_COMPLETE: {
		bool is_complete = config_apply(node, now, network, origin, &dict);
		reassembly_trim(&network->reassembly);
		return is_complete;
	}
	case REASSEMBLY_NO_MEMORY:
		node_count(node, ZT_COUNT_DROP_MEMORY);
		return false;
	case REASSEMBLY_REFUSED:
		node_count(node, ZT_COUNT_DROP_DUPLICATE);
		return false;
	case REASSEMBLY_STORED:
		break;
	}
	return false;
}

static enum vl2_result chunk_in(struct zt_node *node, struct zt_now now,
				const struct chunk_origin *origin, struct rd *r)
{
	struct span bytes = { .bytes = r->p, .length = rd_left(r) };
	struct chunk chunk;
	if (chunk_read(r, &chunk)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	struct network *network = vl2_network(node, chunk.nwid);
	if (!network) {
		node_count(node, ZT_COUNT_DROP_NETWORK);
		return VL2_IGNORED;
	}
	bool is_complete;
	if (!chunk.is_signed) {
		is_complete = chunk_unsigned(node, now, network, origin, &chunk);
	} else {
		if (reassembly_has(&network->reassembly, &chunk)) {
			node_count(node, ZT_COUNT_DROP_DUPLICATE);
			return VL2_IGNORED;
		}
		const struct identity *controller = vl2_identity(node, network->controller);
		if (!controller) {
			return origin->in ? vl2_keep(origin->in, network->controller) : VL2_IGNORED;
		}
		if (!chunk_verify(&chunk, controller)) {
			node_count(node, ZT_COUNT_DROP_UNTRUSTED);
			return VL2_IGNORED;
		}
		if (chunk.flags & CHUNK_FAST_PROPAGATE) {
			chunk_pass_on(node, now, network, origin, &bytes);
		}
		is_complete = chunk_signed(node, now, network, origin, &chunk);
	}
	if (is_complete && origin->in && origin->in->verb == VERB_NETWORK_CONFIG) {
		struct config_ack ack = { .nwid = chunk.nwid,
					  .update_id = chunk.is_signed ? chunk.update_id
								       : origin->packet_id };
		chunk_acknowledge(node, now, origin->in, &ack);
	}
	return VL2_DONE;
}

enum vl2_result on_config(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct rd r = in->payload;
	struct chunk_origin origin = { .source = in->source, .packet_id = in->id, .in = in };
	return chunk_in(node, now, &origin, &r);
}

enum vl2_result on_config_ok(struct zt_node *node, struct zt_now now, struct packet_in *in,
			     struct rd *payload)
{
	struct rd peek = *payload;
	struct chunk_origin origin = { .source = in->source, .packet_id = in->id, .in = in };
	origin.is_answer = addr_controller(rd_u64(&peek)) == in->source;
	return chunk_in(node, now, &origin, payload);
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

static enum zt_network_status status_of(uint8_t code)
{
	switch (code) {
	case ERROR_NETWORK_ACCESS_DENIED:
		return ZT_NETWORK_ACCESS_DENIED;
	case ERROR_NETWORK_AUTHENTICATION_REQUIRED:
		return ZT_NETWORK_AUTHENTICATION_REQUIRED;
	default:
		return ZT_NETWORK_NOT_FOUND;
	}
}

/* ---- where to sign on (3.2) -------------------------------------------------------------------
 */

enum { LOGIN_DICT_BYTES = 64 + 2 * ZT_MAX_LOGIN_URL }; /* escapes double a byte */

/* Version 0, all that a URL needs; nothing if there is none, or it is too long. */
static size_t login_write(uint8_t out[LOGIN_DICT_BYTES], const char *url)
{
	struct wr w = wr_init(out, LOGIN_DICT_BYTES);
	if (!url || strlen(url) >= ZT_MAX_LOGIN_URL) {
		return 0;
	}
	dict_add_u64(&w, "aV", 0);
	dict_add_string(&w, "aU", url);
	return wr_length(&w);
}

/* Version 1 wants a client of OpenID Connect; of it the issuer is kept, which tells a person whom
 * to ask. */
static void login_take(struct network *network, uint8_t code, const struct span *bytes)
{
	network->login_url[0] = '\0';
	if (code == VL2_ERROR_AUTHENTICATION_REQUIRED && bytes->length > 0) {
		struct dict dict = dict_init(bytes->bytes, bytes->length);
		(void)dict_string(&dict, dict_u64(&dict, "aV", 0) == 0 ? "aU" : "iU",
				  network->login_url, sizeof(network->login_url));
	}
}

enum vl2_result on_config_error(struct zt_node *node, struct packet_in *in,
				const struct vl2_refusal *refusal, struct rd *payload)
{
	struct network_error error;
	if (network_error_read(payload, &error)) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	struct network *network = vl2_network(node, error.nwid);
	if (!network || in->source != network->controller ||
	    refusal->in_re_verb != VERB_NETWORK_CONFIG_REQUEST) {
		node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		return VL2_IGNORED;
	}
	login_take(network, refusal->code, &error.dict);
	status_set(node, network, status_of(refusal->code));
	return VL2_DONE;
}

/* ---- the controller's side --------------------------------------------------------------------
 */

static void refuse(struct zt_node *node, struct zt_now now, const struct packet_in *in,
		   uint64_t nwid)
{
	uint8_t bytes[8];
	struct wr w = wr_init(bytes, sizeof(bytes));
	network_error_write(&w, &(struct network_error){ .nwid = nwid });
	struct iovec iov = { .iov_base = bytes, .iov_len = wr_length(&w) };
	tx_error(node, now, in, ERROR_UNSUPPORTED_OPERATION, &iov, 1);
}

enum vl2_result on_config_request(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	struct rd r = in->payload;
	struct config_request message;
	if (config_request_read(&r, &message) ||
	    message.metadata.length >= VL2_METADATA_MAX_BYTES) {
		node_count(node, ZT_COUNT_DROP_MALFORMED);
		return VL2_IGNORED;
	}
	if (addr_controller(message.nwid) != node_address(node)) {
		node_count(node, ZT_COUNT_DROP_UNTRUSTED);
		return VL2_IGNORED;
	}
	uint8_t identity[IDENTITY_BYTES];
	struct wr w = wr_init(identity, sizeof(identity));
	identity_write(&w, peer_identity(in->peer));
	struct zt_config_request request = {
		.nwid = message.nwid,
		.member = in->source,
		.packet_id = in->id,
		.identity = identity,
		.metadata = message.metadata.bytes,
		.metadata_length = message.metadata.length,
		.revision = message.revision,
		.timestamp = message.timestamp,
	};
	if (!node_config_request(node, &request)) {
		refuse(node, now, in, message.nwid);
	}
	return VL2_DONE;
}

void zt_config_send(struct zt_node *node, struct zt_now now, const struct zt_reply_to *to,
		    const void *chunk, size_t length)
{
	gate_authorise(node, now, to->nwid, to->member);
	if (to->member == node_address(node)) {
		struct rd r = rd_init(chunk, length);
		struct chunk_origin origin = { .source = to->member,
					       .packet_id = to->request_id,
					       .is_answer = to->request_id != 0 };
		chunk_in(node, now, &origin, &r);
		return;
	}
	uint8_t head[1 + 8];
	struct wr w = wr_init(head, sizeof(head));
	wr_u8(&w, VERB_NETWORK_CONFIG_REQUEST);
	wr_u64(&w, to->request_id);
	struct iovec iov[2] = { { .iov_base = head, .iov_len = sizeof(head) },
				{ .iov_base = (void *)(uintptr_t)chunk, .iov_len = length } };
	bool is_push = to->request_id == 0;
	struct tx_packet packet = {
		.dest = to->member,
		.iov = is_push ? &iov[1] : iov,
		.iov_count = is_push ? 1 : 2,
		.verb = is_push ? VERB_NETWORK_CONFIG : VERB_OK,
		.flags = TX_COMPRESS,
	};
	tx_send(node, now, &packet, NULL);
}

void zt_config_refuse(struct zt_node *node, struct zt_now now, const struct zt_reply_to *to,
		      uint8_t code, const char *login_url)
{
	gate_deauthorise(node, to->nwid, to->member);
	uint8_t dict[LOGIN_DICT_BYTES];
	size_t dict_length = login_write(dict, login_url);
	if (to->member == node_address(node)) {
		struct network *network = vl2_network(node, to->nwid);
		if (network) {
			login_take(network, code, &(struct span){ dict, dict_length });
			status_set(node, network, status_of(code));
		}
		return;
	}
	uint8_t bytes[1 + 8 + 1 + 8 + 2 + LOGIN_DICT_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	wr_u8(&w, VERB_NETWORK_CONFIG_REQUEST);
	wr_u64(&w, to->request_id);
	wr_u8(&w, code);
	network_error_write(
	    &w, &(struct network_error){ .nwid = to->nwid,
					 .dict = { .bytes = dict, .length = dict_length } });
	struct span payload = { .bytes = bytes, .length = wr_length(&w) };
	vl2_send(node, now, to->member, VERB_ERROR, 0, &payload);
}
