/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* VL1 messages byte by byte (vl1 9): pure readers and writers of payloads (from packet byte 28 on).
 */
#ifndef ZT_MSG1_H
#define ZT_MSG1_H

#include "base/rd.h"
#include "base/wr.h"
#include "core/endpoint.h"
#include "core/identity.h"

#include <stdbool.h>
#include <stdint.h>

struct version {
	uint8_t protocol, major, minor;
	uint16_t revision;
};

/* ---- HELLO, vl1 9.2 ---- */

struct msg_hello {
	struct version version;
	uint64_t clock; /* opaque to the receiver */
	struct identity identity;
	struct zt_endpoint destination; /* family 0: relayed or unknown */
	bool has_planet;                /* old senders stop before it */
	uint64_t planet_id, planet_timestamp;
};

/* Without moon entries, each of which adds HELLO_MOON_BYTES. */
enum { MSG_HELLO_MAX_BYTES = 13 + IDENTITY_BYTES + 19 + 16 + 2 };

/* Leaves the encrypted tail in the reader. Versions are not judged. */
int msg_hello_read(struct rd *r, struct msg_hello *out) __attribute__((warn_unused_result));
/* Up to where the encrypted tail starts. */
void msg_hello_write(struct wr *w, const struct msg_hello *hello);

/* The decrypted tail: which moons the sender has or wants. */
struct msg_moon {
	uint64_t id, timestamp;
};
/* The next entry; false at the end. Entries of other types are stepped over. */
struct msg_moons {
	struct rd rest;
	uint16_t left;
};
struct msg_moons msg_moons_start(struct rd tail);
bool msg_moons_next(struct msg_moons *moons, struct msg_moon *out);
void msg_moons_write(struct wr *w, const struct msg_moon *moons, uint16_t count);

/* ---- OK and ERROR, vl1 9.4 ---- */

struct msg_re {
	uint8_t verb;
	uint64_t id;
};
int msg_re_read(struct rd *r, struct msg_re *out) __attribute__((warn_unused_result));
void msg_re_write(struct wr *w, const struct msg_re *re);

/* ---- OK(HELLO), vl1 9.3; after the in-re part ---- */

struct msg_ok_hello {
	uint64_t clock; /* ours, echoed */
	struct version version;
	struct zt_endpoint surface; /* where our HELLO came from */
	struct rd worlds;           /* zero or more, back to back */
};
int msg_ok_hello_read(struct rd *r, struct msg_ok_hello *out) __attribute__((warn_unused_result));
/* Writes worlds.p to worlds.end. */
void msg_ok_hello_write(struct wr *w, const struct msg_ok_hello *ok);

/* ---- RENDEZVOUS, vl1 9.6 ---- */

struct msg_rendezvous {
	uint64_t peer;
	struct zt_endpoint endpoint;
};
int msg_rendezvous_read(struct rd *r, struct msg_rendezvous *out)
    __attribute__((warn_unused_result));
void msg_rendezvous_write(struct wr *w, const struct msg_rendezvous *rendezvous);

/* ---- PUSH_DIRECT_PATHS, vl1 9.8 ---- */

struct msg_push_path {
	uint8_t flags;               /* PUSH_FLAG_* */
	struct zt_endpoint endpoint; /* family 0: of a type that we do not know */
};
/* Call once, then msg_push_path_read that many times or until it fails. */
int msg_push_count_read(struct rd *r, uint16_t *count) __attribute__((warn_unused_result));
int msg_push_path_read(struct rd *r, struct msg_push_path *out) __attribute__((warn_unused_result));
void msg_push_count_write(struct wr *w, uint16_t count);
void msg_push_path_write(struct wr *w, const struct msg_push_path *path);

/* WHOIS is 5-byte addresses, OK(WHOIS) binary identities, ECHO any bytes: rd_u40 and identity_read
 * read those. */

#endif
