/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* LZ4 compression of packet payloads (vl1 7). */
#ifndef ZT_COMPRESS_H
#define ZT_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

/* Compress an unsealed packet in place if that makes it shorter; returns its new length. */
size_t packet_compress(uint8_t *packet, size_t length);

/* Expand an opened packet whose compressed bit is set into `out` (PACKET_MAX_BYTES, not
 * overlapping), header included, the bit cleared. 0 or ZT_E_MALFORMED; *out_length only on success.
 */
int packet_expand(const uint8_t *packet, size_t length, uint8_t *out, size_t *out_length)
    __attribute__((warn_unused_result));

#endif
