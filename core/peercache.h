/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The record of a peer that peers.d/<address>.peer keeps (vl1 18a). */
#ifndef ZT_PEERCACHE_H
#define ZT_PEERCACHE_H

#include "core/endpoint.h"
#include "core/identity.h"

#include <stddef.h>
#include <stdint.h>

enum {
	PEERCACHE_VERSION = 2,
	PEERCACHE_MAX_PATHS = 64,
	PEERCACHE_MAX_BYTES = 1 + IDENTITY_BYTES + 5 * 2 + PEERCACHE_MAX_PATHS * 19,
};

struct peercache {
	struct identity identity;
	uint16_t protocol, major, minor, revision;
	size_t path_count;
	struct zt_endpoint paths[PEERCACHE_MAX_PATHS];
};

/* ZT_E_UNSUPPORTED (other version), ZT_E_SHORT, ZT_E_MALFORMED, ZT_E_TOO_BIG, ZT_E_BAD_IDENTITY. */
int peercache_read(struct rd *r, struct peercache *out) __attribute__((warn_unused_result));
void peercache_write(struct wr *w, const struct peercache *peer);

#endif
