/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/peercache.h"

#include "base/bug.h"
#include "core/zt.h"

int peercache_read(struct rd *r, struct peercache *out)
{
	struct peercache peer = { 0 };
	uint8_t version = rd_u8(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if (version != PEERCACHE_VERSION) {
		return ZT_E_UNSUPPORTED;
	}
	int err = identity_read(r, &peer.identity);
	if (err != 0) {
		return err;
	}
	peer.protocol = rd_u16(r);
	peer.major = rd_u16(r);
	peer.minor = rd_u16(r);
	peer.revision = rd_u16(r);
	peer.path_count = rd_u16(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if (peer.path_count > PEERCACHE_MAX_PATHS) {
		return ZT_E_TOO_BIG;
	}
	for (size_t i = 0; i < peer.path_count; i++) {
		err = endpoint_read(r, &peer.paths[i]);
		if (err != 0) {
			return err;
		}
	}
	*out = peer;
	return 0;
}

void peercache_write(struct wr *w, const struct peercache *peer)
{
	BUG_ON(peer->path_count > PEERCACHE_MAX_PATHS);
	wr_u8(w, PEERCACHE_VERSION);
	identity_write(w, &peer->identity);
	wr_u16(w, peer->protocol);
	wr_u16(w, peer->major);
	wr_u16(w, peer->minor);
	wr_u16(w, peer->revision);
	wr_u16(w, (uint16_t)peer->path_count);
	for (size_t i = 0; i < peer->path_count; i++) {
		endpoint_write(w, &peer->paths[i]);
	}
}
