/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The lower half of sending, for the files of VL1: the arena and packets to a given address. */
#ifndef ZT_TX_IMPL_H
#define ZT_TX_IMPL_H

#include "core/node_impl.h"
#include "core/tx.h"

/* Where a datagram goes. */
struct tx_to {
	struct zt_endpoint to;
	int32_t socket; /* or ZT_SOCKET_ALL */
	uint8_t ttl;    /* 0 = the socket's own */
};

static inline struct tx_to tx_to_path(const struct path *path)
{
	return (struct tx_to){ .to = path->to, .socket = path->socket };
}

/* Room at the arena's end for that many bytes in that many datagrams, or NULL (counted). What is
 * written there counts once tx_commit has taken it. */
uint8_t *tx_room(struct zt_node *node, size_t bytes, size_t datagrams);
void tx_commit(struct zt_node *node, const struct tx_to *to, size_t length);

/* Send bytes as they are: relayed datagrams, junk that opens a NAT. */
void tx_raw(struct zt_node *node, const struct tx_to *to, const uint8_t *bytes, size_t length);

/* Seal a packet for `peer` and send it as one datagram to an address of the caller's choice. */
struct tx_direct {
	struct peer *peer;
	struct tx_to to;
	uint8_t verb;
	bool is_expecting; /* remember the id for a reply */
	const struct iovec *iov;
	int iov_count;
};
void tx_direct(struct zt_node *node, struct zt_now now, const struct tx_direct *packet);

/* The cipher a peer's packets are sealed with (vl1 5.6). */
uint8_t tx_cipher(const struct peer *peer);

/* Where a packet to this peer goes now (vl1 10.5): its own best path, else the best upstream's;
 * NULL when there is none. */
struct path *tx_path(struct zt_node *node, struct zt_now now, struct peer *peer);

/* Seal and split onto a path; false when it did not fit (counted). */
bool tx_on_path(struct zt_node *node, struct zt_now now, struct peer *peer, struct path *path,
		const struct tx_packet *packet, uint64_t *on_wire_id);

#endif
