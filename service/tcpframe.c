/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/tcpframe.h"

#include "base/bug.h"
#include "base/rd.h"
#include "base/wr.h"
#include "core/proto.h"

#include <string.h>

static const uint8_t RECORD[3] = { 0x17, 0x03, 0x03 };

enum { KIND_V4 = 4, KIND_V6 = 6, GREETING_BODY_BYTES = 4 };

void tcpframe_greeting(uint8_t out[TCPFRAME_GREETING_BYTES])
{
	struct wr w = wr_init(out, TCPFRAME_GREETING_BYTES);
	wr_bytes(&w, RECORD, sizeof RECORD);
	wr_u16(&w, GREETING_BODY_BYTES);
	wr_u8(&w, ZT_VERSION_MAJOR);
	wr_u8(&w, ZT_VERSION_MINOR);
	wr_u16(&w, ZT_VERSION_REVISION);
}

size_t tcpframe_head(const struct zt_endpoint *to, size_t length,
		     uint8_t out[TCPFRAME_HEAD_MAX_BYTES])
{
	size_t ip_bytes = to->family == 4 ? 4 : 16;
	BUG_ON((to->family != 4 && to->family != 6) || length > ZT_MAX_DATAGRAM_BYTES);
	struct wr w = wr_init(out, TCPFRAME_HEAD_MAX_BYTES);
	wr_bytes(&w, RECORD, sizeof RECORD);
	wr_u16(&w, (uint16_t)(1 + ip_bytes + 2 + length));
	wr_u8(&w, to->family);
	wr_bytes(&w, to->ip, ip_bytes);
	wr_u16(&w, to->port);
	return wr_length(&w);
}

static enum tcpframe_kind body_read(uint8_t *body, size_t length, struct zt_datagram *out)
{
	struct rd r = rd_init(body, length);
	uint8_t kind = rd_u8(&r);
	if (length == GREETING_BODY_BYTES || (kind != KIND_V4 && kind != KIND_V6)) {
		return TCPFRAME_IGNORED;
	}
	*out = (struct zt_datagram){ .socket = ZT_SOCKET_RELAY };
	size_t ip_bytes = kind == KIND_V4 ? 4 : 16;
	const uint8_t *ip = rd_bytes(&r, ip_bytes);
	out->from.port = rd_u16(&r);
	size_t left = rd_left(&r);
	if (r.bad || out->from.port == 0 || left == 0 || left > ZT_MAX_DATAGRAM_BYTES) {
		return TCPFRAME_IGNORED;
	}
	memcpy(out->from.ip, ip, ip_bytes);
	out->from.family = kind;
	out->bytes = body + (length - left);
	out->length = (uint32_t)left;
	return TCPFRAME_PACKET;
}

enum tcpframe_kind tcpframe_next(uint8_t *bytes, size_t length, size_t *used,
				 struct zt_datagram *out)
{
	size_t known = length < sizeof RECORD ? length : sizeof RECORD;
	if (memcmp(bytes, RECORD, known) != 0) {
		return TCPFRAME_BAD;
	}
	if (length < TCPFRAME_HEADER_BYTES) {
		return TCPFRAME_MORE;
	}
	size_t body = (size_t)bytes[3] << 8 | bytes[4];
	if (body > TCPFRAME_BODY_MAX_BYTES) {
		return TCPFRAME_BAD;
	}
	if (length < TCPFRAME_HEADER_BYTES + body) {
		return TCPFRAME_MORE;
	}
	*used = TCPFRAME_HEADER_BYTES + body;
	return body_read(bytes + TCPFRAME_HEADER_BYTES, body, out);
}
