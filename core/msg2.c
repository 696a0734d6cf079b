/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/msg2.h"

#include "core/zt.h"

enum { COM_QUALIFIER_BYTES = 24 };

static struct span span_read(struct rd *r, size_t length)
{
	return (struct span){ .bytes = rd_bytes(r, length), .length = length };
}

static struct span span_rest(struct rd *r)
{
	return span_read(r, rd_left(r));
}

/* A certificate of membership's extent (vl2 5.1), so that what follows it can be read; com_read
 * judges its content. */
static struct span com_extent(struct rd *r)
{
	const uint8_t *start = r->p;
	uint8_t version = rd_u8(r);
	uint16_t count = rd_u16(r);
	if (version != 1 || count > VL2_COM_QUALIFIERS_MAX) {
		r->bad = true;
	}
	rd_bytes(r, (size_t)count * COM_QUALIFIER_BYTES);
	if (rd_u40(r) != 0) {
		rd_bytes(r, VL2_SIGNATURE_BYTES);
	}
	if (r->bad) {
		return (struct span){ 0 };
	}
	return (struct span){ .bytes = start, .length = (size_t)(r->p - start) };
}

int config_request_read(struct rd *r, struct config_request *out)
{
	struct config_request m = { 0 };
	m.nwid = rd_u64(r);
	m.metadata = span_read(r, rd_u16(r));
	m.revision = rd_u64(r);
	m.timestamp = rd_u64(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = m;
	return ZT_OK;
}

void config_request_write(struct wr *w, const struct config_request *in)
{
	wr_u64(w, in->nwid);
	wr_u16(w, (uint16_t)in->metadata.length);
	wr_bytes(w, in->metadata.bytes, in->metadata.length);
	wr_u64(w, in->revision);
	wr_u64(w, in->timestamp);
}

int network_error_read(struct rd *r, struct network_error *out)
{
	struct network_error m = { .nwid = rd_u64(r) };
	if (rd_left(r) > 0) {
		m.dict = span_read(r, rd_u16(r));
	}
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = m;
	return ZT_OK;
}

void network_error_write(struct wr *w, const struct network_error *in)
{
	wr_u64(w, in->nwid);
	if (in->dict.length > 0) {
		wr_u16(w, (uint16_t)in->dict.length);
		wr_bytes(w, in->dict.bytes, in->dict.length);
	}
}

int config_ack_read(struct rd *r, struct config_ack *out)
{
	struct config_ack m = { .nwid = rd_u64(r), .update_id = rd_u64(r) };
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = m;
	return ZT_OK;
}

void config_ack_write(struct wr *w, const struct config_ack *in)
{
	wr_u64(w, in->nwid);
	wr_u64(w, in->update_id);
}

int frame_msg_read(struct rd *r, struct frame_msg *out)
{
	struct frame_msg m = { 0 };
	m.nwid = rd_u64(r);
	m.ether_type = rd_u16(r);
	m.data = span_rest(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = m;
	return ZT_OK;
}

void frame_msg_write_header(struct wr *w, const struct frame_msg *in)
{
	wr_u64(w, in->nwid);
	wr_u16(w, in->ether_type);
}

int ext_frame_read(struct rd *r, struct ext_frame *out)
{
	struct ext_frame m = { 0 };
	m.nwid = rd_u64(r);
	m.flags = rd_u8(r);
	if (m.flags & EXT_FRAME_COM) {
		m.com = com_extent(r);
	}
	m.to = rd_u48(r);
	m.from = rd_u48(r);
	m.ether_type = rd_u16(r);
	m.data = span_rest(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = m;
	return ZT_OK;
}

void ext_frame_write_header(struct wr *w, const struct ext_frame *in)
{
	wr_u64(w, in->nwid);
	wr_u8(w, in->flags);
	if (in->flags & EXT_FRAME_COM) {
		wr_bytes(w, in->com.bytes, in->com.length);
	}
	wr_u48(w, in->to);
	wr_u48(w, in->from);
	wr_u16(w, in->ether_type);
}

int group_id_read(struct rd *r, struct group_id *out)
{
	struct group_id m = { 0 };
	m.nwid = rd_u64(r);
	m.mac = rd_u48(r);
	m.adi = rd_u32(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = m;
	return ZT_OK;
}

void group_id_write(struct wr *w, const struct group_id *in)
{
	wr_u64(w, in->nwid);
	wr_u48(w, in->mac);
	wr_u32(w, in->adi);
}

int gather_msg_read(struct rd *r, struct gather_msg *out)
{
	struct gather_msg m = { 0 };
	m.group.nwid = rd_u64(r);
	m.flags = rd_u8(r);
	m.group.mac = rd_u48(r);
	m.group.adi = rd_u32(r);
	m.limit = rd_u32(r);
	if (m.flags & GATHER_COM) {
		m.com = com_extent(r);
	}
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = m;
	return ZT_OK;
}

void gather_msg_write(struct wr *w, const struct gather_msg *in)
{
	wr_u64(w, in->group.nwid);
	wr_u8(w, in->flags);
	wr_u48(w, in->group.mac);
	wr_u32(w, in->group.adi);
	wr_u32(w, in->limit);
	if (in->flags & GATHER_COM) {
		wr_bytes(w, in->com.bytes, in->com.length);
	}
}

/* total, count and the addresses, after the group. */
static void members_read(struct rd *r, struct gathered *m)
{
	m->total = rd_u32(r);
	m->count = rd_u16(r);
	m->addresses = rd_sub(r, (size_t)m->count * MSG2_ADDRESS_BYTES);
}

int gathered_read(struct rd *r, struct gathered *out)
{
	struct gathered m = { 0 };
	if (group_id_read(r, &m.group)) {
		return ZT_E_SHORT;
	}
	members_read(r, &m);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = m;
	return ZT_OK;
}

void gathered_write_header(struct wr *w, const struct gathered *in)
{
	group_id_write(w, &in->group);
	wr_u32(w, in->total);
	wr_u16(w, in->count);
}

int mcast_ok_read(struct rd *r, struct gathered *out, struct span *com)
{
	struct gathered m = { 0 };
	if (group_id_read(r, &m.group)) {
		return ZT_E_SHORT;
	}
	uint8_t flags = rd_u8(r);
	struct span certificate = { 0 };
	if (flags & MCAST_OK_HAS_COM) {
		certificate = com_extent(r);
	}
	if (flags & MCAST_OK_HAS_MEMBERS) {
		members_read(r, &m);
	}
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = m;
	*com = certificate;
	return ZT_OK;
}

void mcast_ok_write_header(struct wr *w, const struct gathered *in)
{
	group_id_write(w, &in->group);
	wr_u8(w, MCAST_OK_HAS_MEMBERS);
	wr_u32(w, in->total);
	wr_u16(w, in->count);
}

int mcast_frame_read(struct rd *r, struct mcast_frame *out)
{
	struct mcast_frame m = { 0 };
	m.group.nwid = rd_u64(r);
	m.flags = rd_u8(r);
	if (m.flags & MULTICAST_FRAME_COM) {
		m.com = com_extent(r);
	}
	if (m.flags & MULTICAST_FRAME_GATHER) {
		m.gather_limit = rd_u32(r);
	}
	if (m.flags & MULTICAST_FRAME_SOURCE) {
		m.from = rd_u48(r);
	}
	m.group.mac = rd_u48(r);
	m.group.adi = rd_u32(r);
	m.ether_type = rd_u16(r);
	m.data = span_rest(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = m;
	return ZT_OK;
}

void mcast_frame_write_header(struct wr *w, const struct mcast_frame *in)
{
	wr_u64(w, in->group.nwid);
	wr_u8(w, in->flags);
	if (in->flags & MULTICAST_FRAME_COM) {
		wr_bytes(w, in->com.bytes, in->com.length);
	}
	if (in->flags & MULTICAST_FRAME_GATHER) {
		wr_u32(w, in->gather_limit);
	}
	if (in->flags & MULTICAST_FRAME_SOURCE) {
		wr_u48(w, in->from);
	}
	wr_u48(w, in->group.mac);
	wr_u32(w, in->group.adi);
	wr_u16(w, in->ether_type);
}

struct credentials_walk credentials_walk_init(struct rd payload)
{
	return (struct credentials_walk){ .r = payload, .kind = CREDENTIALS_COM, .left = 0 };
}

/* Certificates come first, each marked by a 1, and end with a 0; then counted lists in the order of
 * enum credentials_kind. The packet may end before any count. */
enum credentials_kind credentials_walk_next(struct credentials_walk *it)
{
	if (it->kind == CREDENTIALS_COM) {
		if (rd_left(&it->r) > 0 && *it->r.p == 1) {
			return CREDENTIALS_COM;
		}
		if (rd_left(&it->r) == 0 || rd_u8(&it->r) != 0) {
			it->kind = CREDENTIALS_END;
			return CREDENTIALS_END;
		}
	}
	while (it->left == 0) {
		if (it->kind == CREDENTIALS_COO || it->kind == CREDENTIALS_END ||
		    rd_left(&it->r) == 0) {
			it->kind = CREDENTIALS_END;
			return CREDENTIALS_END;
		}
		it->kind++;
		it->left = rd_u16(&it->r);
	}
	if (it->r.bad) {
		it->kind = CREDENTIALS_END;
		it->left = 0;
		return CREDENTIALS_END;
	}
	it->left--;
	return it->kind;
}
