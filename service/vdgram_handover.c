/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a datagram socket has beside its record, on its way to a successor. Datagrams themselves
 * need nothing: those that were not read lie in the pair, which both processes hold. */
#include "service/vdgram_handover.h"

#include "service/vdgram.h"

#include <errno.h>

/* In the order of the format; new ones are added at the end. */
#define MEMBERS(X)                                                                                 \
	X(is_connected)                                                                            \
	X(is_named)                                                                                \
	X(is_renamed)                                                                              \
	X(is_autobound)                                                                            \
	X(is_marked)                                                                               \
	X(has_loop_off)                                                                            \
	X(has_loop6_off)                                                                           \
	X(has_all_off)                                                                             \
	X(has_all6_off)                                                                            \
	X(multicast_ttl)                                                                           \
	X(multicast_hops)                                                                          \
	X(error)                                                                                   \
	X(dropped)                                                                                 \
	X(multicast_ifindex)

enum vdgram_kind { VDGRAM_NONE, VDGRAM_UDP, VDGRAM_PING };

void vdgram_handover_write(struct wr *w, const struct vsock *s)
{
	const struct vdgram *d = s->dgram;
	wr_u8(w, !d ? VDGRAM_NONE : d->is_ping ? VDGRAM_PING : VDGRAM_UDP);
	if (!d) {
		return;
	}
#define X(member) wr_u32(w, (uint32_t)d->member);
	MEMBERS(X)
#undef X
	wr_bytes(w, d->multicast_if, sizeof d->multicast_if);
	wr_bytes(w, &d->bound, sizeof d->bound);
	wr_u8(w, (uint8_t)d->group_count);
	for (size_t i = 0; i < d->group_count; i++) {
		wr_bytes(w, &d->groups[i], sizeof d->groups[i]);
	}
}

int vdgram_handover_read(struct rd *r, struct vsock *s)
{
	uint8_t kind = rd_u8(r);
	if (kind == VDGRAM_NONE) {
		return 0;
	}
	if (kind > VDGRAM_PING) {
		return -EBADMSG;
	}
	int error = vdgram_new(s, kind == VDGRAM_PING);
	if (error != 0) {
		return error;
	}
	struct vdgram *d = s->dgram;
#define X(member) d->member = (__typeof__(d->member))rd_u32(r);
	MEMBERS(X)
#undef X
	rd_copy(r, d->multicast_if, sizeof d->multicast_if);
	rd_copy(r, &d->bound, sizeof d->bound);
	for (uint8_t count = rd_u8(r); count > 0 && !r->bad; count--) {
		struct rpc_addr group;
		rd_copy(r, &group, sizeof group);
		if (!r->bad) {
			(void)vdgram_group_join(s, &group); /* no memory: not heard any more */
		}
	}
	return r->bad ? -EBADMSG : 0;
}
