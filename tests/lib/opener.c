/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/opener.h"

#include "core/compress.h"
#include "tests/lib/check.h"

void opener_init(struct opener *opener, const char *const secrets[OPENER_NODES])
{
	memset(opener, 0, sizeof *opener);
	for (size_t i = 0; i < OPENER_NODES; i++) {
		assert_int_equal(identity_parse(secrets[i], &opener->nodes[i]), 0);
		opener->tables[i] = frag_table_new();
		assert_non_null(opener->tables[i]);
	}
	for (size_t i = 0; i < OPENER_NODES; i++) {
		for (size_t j = 0; j < OPENER_NODES; j++) {
			uint8_t key[AGREED_KEY_BYTES];
			assert_int_equal(identity_agree(&opener->nodes[i], &opener->nodes[j], key),
					 0);
			opener->keys[i][j] = crypt_key_new(key);
			assert_non_null(opener->keys[i][j]);
		}
	}
}

void opener_fini(struct opener *opener)
{
	for (size_t i = 0; i < OPENER_NODES; i++) {
		frag_table_free(opener->tables[i]);
		for (size_t j = 0; j < OPENER_NODES; j++) {
			crypt_key_free(opener->keys[i][j]);
		}
	}
}

size_t opener_find(const struct opener *opener, uint64_t address)
{
	size_t i = 0;
	while (i < OPENER_NODES && opener->nodes[i].address != address) {
		i++;
	}
	return i;
}

static enum opener_result packet_open(struct opener *opener, uint8_t *bytes, size_t length,
				      struct opened *out)
{
	struct opened opened = { .plain = bytes, .length = length, .wire_length = length };
	opened.source = opener_find(opener, packet_source(bytes));
	opened.dest = opener_find(opener, packet_dest(bytes));
	if (opened.source == OPENER_NODES || opened.dest == OPENER_NODES ||
	    crypt_open(opener->keys[opened.dest][opened.source], bytes, length) != 0) {
		return OPENER_FAILED;
	}
	opened.is_compressed = packet_is_compressed(bytes);
	if (opened.is_compressed) {
		if (packet_expand(bytes, length, opener->plain, &opened.length) != 0) {
			return OPENER_FAILED;
		}
		opened.plain = opener->plain;
	}
	*out = opened;
	return OPENER_PACKET;
}

enum opener_result opener_take(struct opener *opener, size_t receiver, const uint8_t *bytes,
			       size_t length, struct opened *out)
{
	const struct frag_origin origin = { .socket = 0 };
	struct frag_packet packet;
	switch (datagram_classify(bytes, length)) {
	case DATAGRAM_PACKET:
		memcpy(opener->work, bytes, length);
		return packet_open(opener, opener->work, length, out);
	case DATAGRAM_HEAD:
	case DATAGRAM_FRAGMENT:
		switch (frag_add(opener->tables[receiver], bytes, length, &origin, 0, &packet)) {
		case FRAG_COMPLETE:
			return packet_open(opener, packet.bytes, packet.length, out);
		case FRAG_HELD:
			return OPENER_HELD;
		default:
			return OPENER_FAILED;
		}
	default:
		return OPENER_JUNK;
	}
}
