/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Opens recorded datagrams with the keys of all nodes concerned: as each receiver would, and as no
 * outsider could. */
#ifndef TESTS_LIB_OPENER_H
#define TESTS_LIB_OPENER_H

#include "core/crypt.h"
#include "core/frag.h"
#include "core/identity.h"
#include "core/packet.h"

enum { OPENER_NODES = 3 };

struct opener {
	struct identity nodes[OPENER_NODES];
	struct crypt_key *keys[OPENER_NODES][OPENER_NODES];
	struct frag_table *tables[OPENER_NODES]; /* by the node whose address it was sent to */
	uint8_t work[PACKET_MAX_BYTES], plain[PACKET_MAX_BYTES];
};

struct opened {
	uint8_t *plain; /* header and expanded payload; valid until the next call */
	size_t length;
	size_t wire_length;  /* reassembled, before expanding */
	size_t source, dest; /* indices of nodes */
	bool is_compressed;
};

enum opener_result {
	OPENER_PACKET,
	OPENER_HELD, /* a fragment that completes nothing yet */
	OPENER_JUNK, /* too short to be anything */
	OPENER_FAILED,
};

/* Secret text identities. Fails the test if one is bad. */
void opener_init(struct opener *opener, const char *const secrets[OPENER_NODES]);
void opener_fini(struct opener *opener);
/* The node of an address, or OPENER_NODES. */
size_t opener_find(const struct opener *opener, uint64_t address);
/* A datagram as `receiver` (index) got it, be it for itself or to be relayed. */
enum opener_result opener_take(struct opener *opener, size_t receiver, const uint8_t *bytes,
			       size_t length, struct opened *out);

/* Parse the payload of an opened packet to its last byte with the readers of core/. 0, or the error
 * of the reader that refused. HELLO tails are decrypted in place. */
int opened_parse(struct opener *opener, struct opened *packet);

#endif
