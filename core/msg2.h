/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The payload of every VL2 message, read and written; pure (vl2 3.1, 3.2, 5.3, 6.1, 6.2, 8.1-8.4).
 *
 * Payload means: what follows the verb byte, or for replies what follows the in-re packet id (OK)
 * or the code (ERROR). Data, dictionaries and certificates are borrowed spans of the packet.
 * Writers of frames stop before the data: it is sent from where it lies.
 */
#ifndef ZT_MSG2_H
#define ZT_MSG2_H

#include "base/rd.h"
#include "base/wr.h"
#include "core/proto2.h"

enum {
	MSG2_ADDRESS_BYTES = 5,
	MSG2_LIKE_BYTES = 18,
	MSG2_FRAME_HEADER_BYTES = 10,     /* FRAME up to its data */
	MSG2_EXT_FRAME_HEADER_BYTES = 23, /* EXT_FRAME without a certificate */
	MSG2_MCAST_HEADER_MAX_BYTES = 31, /* MULTICAST_FRAME without a certificate */

	GATHER_COM = 0x01, /* flags of MULTICAST_GATHER; those of frames are in proto2.h */

	MCAST_OK_HAS_COM = 0x01,
	MCAST_OK_HAS_MEMBERS = 0x02,
};

/* Borrowed bytes. */
struct span {
	const uint8_t *bytes;
	size_t length;
};

/* NETWORK_CONFIG_REQUEST (3.1). */
struct config_request {
	uint64_t nwid;
	struct span metadata;
	uint64_t revision, timestamp; /* of the configuration held; 0 = none */
};
int config_request_read(struct rd *r, struct config_request *out);
void config_request_write(struct wr *w, const struct config_request *in);

/* ERROR with code 3, 5, 6, 7 or 9 (3.2): the network, and for code 9 perhaps a dictionary. */
struct network_error {
	uint64_t nwid;
	struct span dict;
};
int network_error_read(struct rd *r, struct network_error *out);
void network_error_write(struct wr *w, const struct network_error *in);

/* The OK that acknowledges a pushed configuration; its in-re verb is ECHO (3.2). */
struct config_ack {
	uint64_t nwid, update_id;
};
int config_ack_read(struct rd *r, struct config_ack *out);
void config_ack_write(struct wr *w, const struct config_ack *in);

/* FRAME (6.1). */
struct frame_msg {
	uint64_t nwid;
	uint16_t ether_type;
	struct span data;
};
int frame_msg_read(struct rd *r, struct frame_msg *out);
void frame_msg_write_header(struct wr *w, const struct frame_msg *in);

/* EXT_FRAME (6.2). */
struct ext_frame {
	uint64_t nwid;
	uint8_t flags;
	struct span com; /* empty unless flags has EXT_FRAME_COM */
	uint64_t to, from;
	uint16_t ether_type;
	struct span data;
};
int ext_frame_read(struct rd *r, struct ext_frame *out);
void ext_frame_write_header(struct wr *w, const struct ext_frame *in);

/* One record of MULTICAST_LIKE, UNWANTED_MULTICAST, and the head of gather messages (8.1, 8.2). */
struct group_id {
	uint64_t nwid, mac;
	uint32_t adi;
};
int group_id_read(struct rd *r, struct group_id *out);
void group_id_write(struct wr *w, const struct group_id *in);

/* MULTICAST_GATHER (8.2). */
struct gather_msg {
	struct group_id group;
	uint8_t flags;
	uint32_t limit;
	struct span com;
};
int gather_msg_read(struct rd *r, struct gather_msg *out);
void gather_msg_write(struct wr *w, const struct gather_msg *in);

/* Members of a group, as both OKs of multicast carry them. */
struct gathered {
	struct group_id group;
	uint32_t total; /* known to the answering node */
	uint16_t count;
	struct rd addresses; /* exactly count of them: rd_u40 */
};
/* OK(MULTICAST_GATHER). */
int gathered_read(struct rd *r, struct gathered *out);
/* The head; the caller writes `count` addresses after it. */
void gathered_write_header(struct wr *w, const struct gathered *in);
/* OK(MULTICAST_FRAME): the same behind a flag byte, a certificate perhaps between (8.4). Without
 * MCAST_OK_HAS_MEMBERS count is 0. */
int mcast_ok_read(struct rd *r, struct gathered *out, struct span *com);
void mcast_ok_write_header(struct wr *w, const struct gathered *in);

/* MULTICAST_FRAME (8.3). */
struct mcast_frame {
	struct group_id group; /* mac = destination */
	uint8_t flags;
	struct span com;
	uint32_t gather_limit; /* 0 without the flag */
	uint64_t from;         /* 0 without the flag: the sender's own */
	uint16_t ether_type;
	struct span data;
};
int mcast_frame_read(struct rd *r, struct mcast_frame *out);
void mcast_frame_write_header(struct wr *w, const struct mcast_frame *in);

/* NETWORK_CREDENTIALS (5.3), object by object. The caller parses each with its own reader from
 * it->r; a parser's failure ends the walk.
 *
 *     struct credentials_walk it = credentials_walk_init(payload);
 *     while ((kind = credentials_walk_next(&it)) != CREDENTIALS_END) ...
 */
enum credentials_kind {
	CREDENTIALS_END = 0,
	CREDENTIALS_COM,
	CREDENTIALS_CAPABILITY,
	CREDENTIALS_TAG,
	CREDENTIALS_REVOCATION,
	CREDENTIALS_COO,
};
struct credentials_walk {
	struct rd r;
	enum credentials_kind kind;
	uint16_t left; /* of the current kind */
};
struct credentials_walk credentials_walk_init(struct rd payload);
enum credentials_kind credentials_walk_next(struct credentials_walk *it);

#endif
