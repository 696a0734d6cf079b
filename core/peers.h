/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What VL1 keeps about a peer, and the table of all peers. VL2 sees core/peer.h only. */
#ifndef ZT_PEERS_H
#define ZT_PEERS_H

#include "core/crypt.h"
#include "core/deadline.h"
#include "core/dedup.h"
#include "core/identity.h"
#include "core/limit.h"
#include "core/msg1.h"
#include "core/path.h"
#include "core/peer.h"

/* A path as one peer sees it (vl1 10.3). */
struct peer_path {
	struct path *path;
	int64_t last_heard_ms; /* LIMIT_NEVER_MS: unused until it answers */
	unsigned priority;
};

struct peer {
	struct identity identity; /* public part */
	struct crypt_key *key;
	bool has_version, is_upstream;
	struct version version;
	struct peer_path *paths;
	size_t path_count, path_capacity;
	struct dedup *seen; /* made when the first packet that needs it comes */
	int64_t created_ms;
	int64_t last_receive_ms, last_nontrivial_ms, last_trust_ms;
	int64_t wanted_until_ms; /* a network of ours names it */
	int64_t last_full_hello_ms;
	int64_t last_push_ms;    /* our PUSH_DIRECT_PATHS to it */
	int64_t last_push_in_ms; /* gate 15.4 */
	unsigned push_in_count;
	struct limit_quota groups;    /* entries that it made in the directory (vl2 8) */
	int64_t last_whois_answer_ms; /* gate 15.3 */
	int64_t last_hints_ms;        /* its hints were tried (vl1 10.5) */
	unsigned attempts;            /* upstreams: tries without an answer */
	/* An address that it may be reached at, tried a few times (keepalive.c). */
	struct {
		struct zt_endpoint to;
		int32_t socket;
		unsigned left; /* 0 = none */
		bool is_hello; /* else ECHO where that is understood */
		int64_t next_ms;
	} punch;
	uint64_t packets_in, packets_out, packet_errors;
	struct zt_latencies latencies;
	struct deadline deadline;
	struct peer *next; /* hash chain */
};

struct peers {
	struct peer **buckets;
	size_t bucket_count, count; /* bucket_count: a power of two, or 0 */
	struct peer **sorted;       /* the same peers in ascending order of address, for views */
	size_t sorted_capacity;
};

void peers_fini(struct peers *peers); /* the table must be empty */
struct peer *peers_find(const struct peers *peers, uint64_t address);
/* The address must not be there yet. 0 or ZT_E_NO_MEMORY. */
int peers_insert(struct peers *peers, struct peer *peer) __attribute__((warn_unused_result));
void peers_remove(struct peers *peers, struct peer *peer);
/* The index-th in ascending order of address, or NULL. */
struct peer *peers_at(const struct peers *peers, size_t index);

#endif
