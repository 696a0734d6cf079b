/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Every verb's payload through the reader that core/ has for it, to its last byte. */
#include "core/chunk.h"
#include "core/com.h"
#include "core/cred.h"
#include "core/msg1.h"
#include "core/msg2.h"
#include "core/world.h"
#include "core/zt.h"
#include "tests/lib/opener.h"

#include <stdlib.h>

static int done(const struct rd *r, int err)
{
	if (err != 0) {
		return err;
	}
	return rd_done(r) ? 0 : ZT_E_MALFORMED;
}

static int com_span(struct span span)
{
	struct com com;
	struct rd r = rd_init(span.bytes, span.length);
	return span.length == 0 ? 0 : done(&r, com_read(&r, &com));
}

static int hello_parse(struct opener *opener, struct opened *packet)
{
	struct rd r =
	    rd_init(packet->plain + PACKET_PAYLOAD_AT, packet->length - PACKET_PAYLOAD_AT);
	struct msg_hello hello;
	struct msg_moon moon;
	int err = msg_hello_read(&r, &hello);
	if (err != 0) {
		return err;
	}
	crypt_hello_tail(opener->keys[packet->dest][packet->source], packet->plain,
			 (size_t)(r.p - packet->plain), packet->length);
	struct msg_moons moons = msg_moons_start(r);
	while (msg_moons_next(&moons, &moon)) {
	}
	if (!identity_equal(&hello.identity, &opener->nodes[packet->source]) || !hello.has_planet ||
	    hello.version.protocol < PROTO_VERSION_MIN) {
		return ZT_E_MALFORMED;
	}
	return done(&moons.rest, 0);
}

static int ok_hello_parse(struct rd *r)
{
	struct msg_ok_hello ok;
	struct world world;
	int err = msg_ok_hello_read(r, &ok);
	while (err == 0 && rd_left(&ok.worlds) > 0) {
		err = world_read(&ok.worlds, &world);
	}
	return done(r, err);
}

static int identities_parse(struct rd *r)
{
	struct identity id;
	int err = rd_left(r) > 0 ? 0 : ZT_E_SHORT;
	while (err == 0 && rd_left(r) > 0) {
		err = identity_read(r, &id);
	}
	return done(r, err);
}

static int chunk_parse(struct rd *r, const struct opener *opener)
{
	struct chunk chunk;
	int err = chunk_read(r, &chunk);
	if (err != 0) {
		return err;
	}
	size_t controller = opener_find(opener, chunk.nwid >> 24);
	if (controller == OPENER_NODES || !chunk_verify(&chunk, &opener->nodes[controller])) {
		return ZT_E_BAD_SIGNATURE;
	}
	return done(r, 0);
}

static int gathered_parse(struct rd *r, bool of_frame)
{
	struct gathered gathered;
	struct span com = { 0 };
	int err = of_frame ? mcast_ok_read(r, &gathered, &com) : gathered_read(r, &gathered);
	return err != 0 ? err : done(r, com_span(com));
}

static int ok_parse(struct rd *r, const struct opener *opener)
{
	struct msg_re re;
	struct config_ack ack;
	int err = msg_re_read(r, &re);
	if (err != 0) {
		return err;
	}
	switch (re.verb) {
	case VERB_HELLO:
		return ok_hello_parse(r);
	case VERB_WHOIS:
		return identities_parse(r);
	case VERB_ECHO: /* an empty echo, or the acknowledgement of a configuration (vl1 22b) */
		return rd_left(r) == 0 ? 0 : done(r, config_ack_read(r, &ack));
	case VERB_NETWORK_CONFIG_REQUEST:
		return chunk_parse(r, opener);
	case VERB_MULTICAST_GATHER:
		return gathered_parse(r, false);
	case VERB_MULTICAST_FRAME:
		return gathered_parse(r, true);
	default:
		return ZT_E_UNSUPPORTED;
	}
}

static int error_parse(struct rd *r)
{
	struct msg_re re;
	struct network_error error;
	int err = msg_re_read(r, &re);
	if (err != 0) {
		return err;
	}
	uint8_t code = rd_u8(r);
	if (code == ERROR_NONE || code > ERROR_NETWORK_AUTHENTICATION_REQUIRED) {
		return ZT_E_MALFORMED;
	}
	return done(r, network_error_read(r, &error));
}

static int credential_parse(struct credentials_walk *it, enum credentials_kind kind)
{
	static union {
		struct com com;
		struct capability capability;
		struct tag tag;
		struct revocation revocation;
		struct coo coo;
	} any; /* too large for a stack */
	switch (kind) {
	case CREDENTIALS_COM:
		return com_read(&it->r, &any.com);
	case CREDENTIALS_CAPABILITY:
		return capability_read(&it->r, &any.capability);
	case CREDENTIALS_TAG:
		return tag_read(&it->r, &any.tag);
	case CREDENTIALS_REVOCATION:
		return revocation_read(&it->r, &any.revocation);
	case CREDENTIALS_COO:
		return coo_read(&it->r, &any.coo);
	case CREDENTIALS_END:
		break;
	}
	return ZT_E_MALFORMED;
}

static int credentials_parse(struct rd payload)
{
	struct credentials_walk it = credentials_walk_init(payload);
	enum credentials_kind kind;
	while ((kind = credentials_walk_next(&it)) != CREDENTIALS_END) {
		int err = credential_parse(&it, kind);
		if (err != 0) {
			return err;
		}
	}
	return done(&it.r, 0);
}

static int push_parse(struct rd *r)
{
	uint16_t count;
	struct msg_push_path path;
	int err = msg_push_count_read(r, &count);
	for (uint16_t i = 0; err == 0 && i < count; i++) {
		err = msg_push_path_read(r, &path);
	}
	return done(r, err);
}

static int network_parse(struct rd *r, uint8_t verb, const struct opener *opener)
{
	union {
		struct frame_msg frame;
		struct ext_frame ext;
		struct group_id group;
		struct config_request request;
		struct gather_msg gather;
		struct mcast_frame multicast;
	} any;
	int err = 0;
	switch (verb) {
	case VERB_FRAME:
		return done(r, frame_msg_read(r, &any.frame));
	case VERB_EXT_FRAME:
		err = ext_frame_read(r, &any.ext);
		return done(r, err ? err : com_span(any.ext.com));
	case VERB_MULTICAST_LIKE:
		while (err == 0 && rd_left(r) > 0) {
			err = group_id_read(r, &any.group);
		}
		return done(r, err);
	case VERB_NETWORK_CREDENTIALS:
		return credentials_parse(*r);
	case VERB_NETWORK_CONFIG_REQUEST:
		return done(r, config_request_read(r, &any.request));
	case VERB_NETWORK_CONFIG:
		return chunk_parse(r, opener);
	case VERB_MULTICAST_GATHER:
		err = gather_msg_read(r, &any.gather);
		return done(r, err ? err : com_span(any.gather.com));
	case VERB_MULTICAST_FRAME:
		err = mcast_frame_read(r, &any.multicast);
		return done(r, err ? err : com_span(any.multicast.com));
	default:
		return ZT_E_UNSUPPORTED;
	}
}

int opened_parse(struct opener *opener, struct opened *packet)
{
	struct rd r =
	    rd_init(packet->plain + PACKET_PAYLOAD_AT, packet->length - PACKET_PAYLOAD_AT);
	struct msg_rendezvous rendezvous;
	switch (packet_verb(packet->plain)) {
	case VERB_HELLO:
		return hello_parse(opener, packet);
	case VERB_OK:
		return ok_parse(&r, opener);
	case VERB_ERROR:
		return error_parse(&r);
	case VERB_WHOIS:
		return rd_left(&r) > 0 && rd_left(&r) % ADDRESS_BYTES == 0 ? 0 : ZT_E_MALFORMED;
	case VERB_RENDEZVOUS:
		return done(&r, msg_rendezvous_read(&r, &rendezvous));
	case VERB_PUSH_DIRECT_PATHS:
		return push_parse(&r);
	case VERB_ECHO:
		return 0;
	case VERB_USER_MESSAGE:
		return rd_left(&r) >= USER_MESSAGE_MIN_BYTES ? 0 : ZT_E_SHORT;
	default:
		return network_parse(&r, packet_verb(packet->plain), opener);
	}
}
