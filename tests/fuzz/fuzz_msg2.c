/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* VL2 messages: the first byte chooses; what reads, writes back the same bytes. */
#include "core/com.h"
#include "core/cred.h"
#include "core/msg2.h"
#include "core/proto.h"
#include "tests/fuzz/fuzz.h"

enum { WORK_BYTES = 1 << 17 };

static uint8_t written[WORK_BYTES];

/* What was read from `data` up to r->p is what was written, unless a part was not ours to write. */
static void compare(const struct wr *w, const uint8_t *data, const struct rd *r, size_t rest)
{
	size_t length = (size_t)(r->p - data) - rest;
	BUG_ON(w->bad || wr_length(w) != length || memcmp(written, data, length) != 0);
}

static void request(struct rd *r, const uint8_t *data)
{
	struct config_request m;
	struct wr w = wr_init(written, sizeof(written));
	if (config_request_read(r, &m) == 0) {
		config_request_write(&w, &m);
		compare(&w, data, r, 0);
	}
}

static void frame(struct rd *r, const uint8_t *data)
{
	struct frame_msg m;
	struct wr w = wr_init(written, sizeof(written));
	if (frame_msg_read(r, &m) == 0) {
		frame_msg_write_header(&w, &m);
		compare(&w, data, r, m.data.length);
	}
}

static void ext_frame(struct rd *r, const uint8_t *data)
{
	struct ext_frame m;
	struct wr w = wr_init(written, sizeof(written));
	if (ext_frame_read(r, &m) == 0) {
		ext_frame_write_header(&w, &m);
		compare(&w, data, r, m.data.length);
	}
}

static void gather(struct rd *r, const uint8_t *data)
{
	struct gather_msg m;
	struct wr w = wr_init(written, sizeof(written));
	if (gather_msg_read(r, &m) == 0) {
		gather_msg_write(&w, &m);
		compare(&w, data, r, 0);
	}
}

static void mcast(struct rd *r, const uint8_t *data)
{
	struct mcast_frame m;
	struct wr w = wr_init(written, sizeof(written));
	if (mcast_frame_read(r, &m) == 0) {
		mcast_frame_write_header(&w, &m);
		compare(&w, data, r, m.data.length);
	}
}

static void answers(struct rd *r, uint8_t kind)
{
	struct gathered m;
	struct span com;
	if ((kind & 1 ? gathered_read(r, &m) : mcast_ok_read(r, &m, &com)) == 0) {
		for (uint16_t i = 0; i < m.count; i++) {
			(void)rd_u40(&m.addresses);
		}
		BUG_ON(m.count > 0 && !rd_done(&m.addresses));
	}
}

static int object(enum credentials_kind kind, struct rd *r)
{
	static struct capability cap;
	static struct coo coo;
	struct com com;
	struct tag tag;
	struct revocation rev;
	switch (kind) {
	case CREDENTIALS_COM:
		return com_read(r, &com);
	case CREDENTIALS_CAPABILITY:
		return capability_read(r, &cap);
	case CREDENTIALS_TAG:
		return tag_read(r, &tag);
	case CREDENTIALS_REVOCATION:
		return revocation_read(r, &rev);
	default:
		return coo_read(r, &coo);
	}
}

static void credentials(struct rd *r, size_t size)
{
	struct credentials_walk it = credentials_walk_init(*r);
	enum credentials_kind kind;
	size_t steps = 0;
	while ((kind = credentials_walk_next(&it)) != CREDENTIALS_END) {
		BUG_ON(++steps > size); /* every object takes bytes */
		if (object(kind, &it.r) != 0) {
			return;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > PACKET_MAX_BYTES) {
		return 0;
	}
	struct rd r = rd_init(data + 1, size - 1);
	switch (data[0] % 8) {
	case 0:
		request(&r, data + 1);
		break;
	case 1:
		frame(&r, data + 1);
		break;
	case 2:
		ext_frame(&r, data + 1);
		break;
	case 3:
		gather(&r, data + 1);
		break;
	case 4:
		mcast(&r, data + 1);
		break;
	case 5:
		credentials(&r, size);
		break;
	default:
		answers(&r, data[0]);
		break;
	}
	return 0;
}
