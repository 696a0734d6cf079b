/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Extended armour, in which nodes of protocol 13 hide the content of a HELLO (vl1 5.7): taken off,
 * never put on. */
#ifndef ZT_EXTENDED_H
#define ZT_EXTENDED_H

#include "core/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct identity;

/* A libcrypto context: nothing is allocated per packet. Not for two threads at once. */
struct extended;

/* NULL when memory or libcrypto fails. */
struct extended *extended_new(void) __attribute__((warn_unused_result));
void extended_free(struct extended *extended); /* NULL is fine */

/* Does a packet wear it? */
static inline bool extended_is(const uint8_t *packet)
{
	return packet_cipher(packet) == PACKET_CIPHER_POLY &&
	       (packet[PACKET_FLAGS_AT] & PACKET_FLAG_ENCRYPTED);
}

/* Take it off in place: *length shrinks by the key that was appended. Costs a key agreement, and
 * proves nothing: the packet's own armour has still to be opened. ZT_E_SHORT, ZT_E_NO_CRYPTO; the
 * packet is garbage then. */
int extended_open(struct extended *extended, const struct identity *mine, uint8_t *packet,
		  size_t *length) __attribute__((warn_unused_result));

#endif
