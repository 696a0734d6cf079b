/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sending packets: the general path (vl1 10.5), direct replies, the waiting queue.
 *
 * How this works: a packet is gathered from the caller's pieces straight into the transmit arena,
 * sealed there in place, and split there into datagrams of equal size (decision S18). A packet for
 * a peer that we cannot reach yet waits as plaintext, at most 128 of them for at most 5 s.
 */
#ifndef ZT_TX_H
#define ZT_TX_H

#include "core/zt.h"

#include <sys/uio.h>

struct zt_node;
struct packet_in;

enum tx_flags {
	TX_COMPRESS = 1, /* try LZ4 (never for frames, vl1 7) */
	TX_EXPECT = 2,   /* an OK may come: remember the on-wire id (vl1 10.4) */
};

enum tx_result {
	TX_SENT,    /* sealed into the arena */
	TX_WAITING, /* copied; goes out once the peer is known and reachable, dropped after 5 s */
	TX_DROPPED, /* too large, addressed to ourselves, or no room: counted */
};

/* A packet to send: the payload is the pieces in order, borrowed for the call. */
struct tx_packet {
	uint64_t dest;
	const struct iovec *iov;
	int iov_count;
	uint8_t verb;
	unsigned flags; /* enum tx_flags */
};

/* The general path (vl1 10.5): best direct path, else through the best upstream. on_wire_id may be
 * NULL; *on_wire_id becomes 0 unless TX_SENT. Verbs OK and ERROR may be sent this way, too: the
 * payload then starts with the in-re verb. */
enum tx_result tx_send(struct zt_node *node, struct zt_now now, const struct tx_packet *packet,
		       uint64_t *on_wire_id);

/* One datagram back to where `in` came from (vl1 10.5, 22.15), whatever its size. */
void tx_reply(struct zt_node *node, struct zt_now now, const struct packet_in *in, uint8_t verb,
	      const struct iovec *iov, int iov_count);
/* OK: in-re verb and id, then the pieces. */
void tx_ok(struct zt_node *node, struct zt_now now, const struct packet_in *in,
	   const struct iovec *iov, int iov_count);
/* ERROR: in-re verb and id, the code, then the pieces. */
void tx_error(struct zt_node *node, struct zt_now now, const struct packet_in *in, uint8_t code,
	      const struct iovec *iov, int iov_count);

#endif
