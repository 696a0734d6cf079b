/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Making, forgetting and changing peers, for the files of VL1. */
#ifndef ZT_PEER_IMPL_H
#define ZT_PEER_IMPL_H

#include "core/node_impl.h"

enum { PEERS_MAX = 65536, PATHS_MAX = 131072 };

/* A new peer; the caller vouches for its identity (hash, signed planet, our own disk). `key` is
 * taken over when the call succeeds; NULL: it is agreed on here. Everybody who waited for this
 * identity is told. 0, ZT_E_NO_MEMORY, ZT_E_NO_ROOM, ZT_E_NO_CRYPTO, ZT_E_EXISTS. */
int peer_add(struct zt_node *node, struct zt_now now, const struct identity *identity,
	     struct crypt_key *key, struct peer **out) __attribute__((warn_unused_result));
/* Hand its record to the store (vl1 18a) and free it. */
void peer_forget(struct zt_node *node, struct peer *peer);

/* The key for an identity; NULL if it is degenerate or memory is out. */
struct crypt_key *peer_agree(const struct zt_node *node, const struct identity *identity);

/* The usable path of best quality (vl1 10.3); NULL = none. */
struct path *peer_best_path(const struct peer *peer, int64_t now_ms);
/* When nothing else is left: the path heard last, however long ago. */
struct path *peer_last_path(const struct peer *peer);
/* The best usable path of that scope and family (vl1 14, Introduce). */
struct path *peer_scope_path(const struct peer *peer, int64_t now_ms, enum endpoint_scope scope,
			     uint8_t family);
struct peer_path *peer_path_find(const struct peer *peer, const struct path *path);
/* Add or refresh a path after an expected reply came over it (vl1 10.2). True if it is new. */
bool peer_learn(struct peer *peer, struct path *path, int64_t now_ms, unsigned priority);
void peer_paths_prune(struct peer *peer, int64_t now_ms);
void peer_path_remove(struct peer *peer, size_t index);

/* Has it proved common membership lately (vl1 10.2)? */
bool peer_is_trusted(const struct peer *peer, int64_t now_ms);

/* First time that this packet id comes from this peer? */
bool peer_first_seen(struct peer *peer, uint64_t id);

#endif
