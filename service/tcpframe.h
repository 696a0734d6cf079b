/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Datagrams inside a TCP connection to a relay (vl1 18): messages that look like TLS records.
 *
 *     17 03 03 | u16 length | body
 *     body = 04 | 4-byte IP | u16 port | packet     or 06 | 16-byte IP | u16 port | packet
 *
 * To the relay the address is where the packet goes, from it where the packet came from. A 4-byte
 * body is a greeting. Pure: no descriptor, no clock.
 */
#ifndef SERVICE_TCPFRAME_H
#define SERVICE_TCPFRAME_H

#include "core/zt.h"

#include <stddef.h>
#include <stdint.h>

enum {
	TCPFRAME_HEADER_BYTES = 5,
	TCPFRAME_ADDRESS_MAX_BYTES = 19,
	TCPFRAME_BODY_MAX_BYTES = TCPFRAME_ADDRESS_MAX_BYTES + ZT_MAX_DATAGRAM_BYTES,
	TCPFRAME_GREETING_BYTES = TCPFRAME_HEADER_BYTES + 4,
	TCPFRAME_HEAD_MAX_BYTES = TCPFRAME_HEADER_BYTES + TCPFRAME_ADDRESS_MAX_BYTES,
};

/* What a client says first: its version. */
void tcpframe_greeting(uint8_t out[TCPFRAME_GREETING_BYTES]);
/* What comes before a packet of `length` bytes (at most ZT_MAX_DATAGRAM_BYTES) for `to`. Returns
 * how many bytes were written. */
size_t tcpframe_head(const struct zt_endpoint *to, size_t length,
		     uint8_t out[TCPFRAME_HEAD_MAX_BYTES]);

enum tcpframe_kind {
	TCPFRAME_MORE,    /* the message is not complete yet */
	TCPFRAME_PACKET,  /* *out is set; its bytes lie in the buffer */
	TCPFRAME_IGNORED, /* a greeting, or a body that says nothing to us */
	TCPFRAME_BAD,     /* this is not the protocol: close */
};
/* The message at the beginning of `bytes`. For PACKET and IGNORED *used is its whole length. */
enum tcpframe_kind tcpframe_next(uint8_t *bytes, size_t length, size_t *used,
				 struct zt_datagram *out);

#endif
