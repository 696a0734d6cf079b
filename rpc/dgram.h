/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One message between a datagram socket's two ends (spec/intercept.md 3.5, decision 175).
 *
 * A and B of a datagram socket are a SOCK_SEQPACKET pair: one message is one datagram. A message is
 * either the payload alone ("raw", for a connected socket: what read() and write() do), or a header
 * and the payload. Which of the two it is, each message says by itself: a header begins with the
 * 64-bit id of the socket, which nobody on the network knows. So there is no moment at which the
 * two ends could disagree about the mode.
 *
 * Down, raw messages are sent only after B was named, and headers to an unnamed B's peer only, or
 * with the id; a message of 0 bytes with a descriptor means: there is an error, ask SOERROR.
 */
#ifndef RPC_DGRAM_H
#define RPC_DGRAM_H

#include "rpc/rpc.h"

enum {
	RPC_DGRAM_MAGIC = 0x4744, /* "DG" */
	RPC_DGRAM_BYTES = 72,
	RPC_DGRAM_UDP4_MAX = 65507, /* payload of the largest datagram */
	RPC_DGRAM_UDP6_MAX = 65527,
};

enum rpc_dgram_flag {
	RPC_DGRAM_LOCAL = 1, /* `local` is valid. Up: send from there (IP_PKTINFO) */
	RPC_DGRAM_TOS = 2,   /* `tos` */
	RPC_DGRAM_TTL = 4,   /* `ttl` */
};

/* What the program wants to be told with each datagram; the service repeats it in each header, so
 * that no process has to remember it. */
enum rpc_dgram_want {
	RPC_WANT_PKTINFO = 1,
	RPC_WANT_TTL = 2,
	RPC_WANT_TOS = 4,
	RPC_WANT_PKTINFO6 = 8,
	RPC_WANT_HOPLIMIT = 16,
	RPC_WANT_TCLASS = 32,
	RPC_WANT_OVERFLOW = 64, /* SO_RXQ_OVFL */
};

struct rpc_dgram {
	uint64_t id;
	uint16_t magic;
	uint16_t flags; /* enum rpc_dgram_flag */
	uint16_t wants; /* down: enum rpc_dgram_want */
	uint8_t tos, ttl;
	uint32_t ifindex;      /* down: where it came in; up: IP_PKTINFO's, or 0 */
	uint32_t dropped;      /* down: datagrams lost because the program did not read, so far */
	struct rpc_addr peer;  /* down: the sender; up: the destination, family 0 = as connected */
	struct rpc_addr local; /* down: the destination; up: the source, if RPC_DGRAM_LOCAL */
};
static_assert(sizeof(struct rpc_dgram) == RPC_DGRAM_BYTES, "wire layout");

/* Is this message one with a header, of this socket? Then *out is it, and the payload follows
 * RPC_DGRAM_BYTES. */
bool rpc_dgram_read(const void *message, size_t length, uint64_t id, struct rpc_dgram *out);

#endif
