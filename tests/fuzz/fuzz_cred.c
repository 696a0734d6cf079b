/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Tags, capabilities, certificates of ownership, revocations: the first byte chooses. What was read
 * and written reads again and writes the same (extra fields and unknown signatures are dropped
 * once). */
#include "base/bug.h"
#include "core/cred.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

union any {
	struct tag tag;
	struct capability cap;
	struct coo coo;
	struct revocation rev;
};

static int any_read(uint8_t kind, struct rd *r, union any *out)
{
	switch (kind & 3) {
	case 0:
		return tag_read(r, &out->tag);
	case 1:
		return capability_read(r, &out->cap);
	case 2:
		return coo_read(r, &out->coo);
	default:
		return revocation_read(r, &out->rev);
	}
}

static void any_write(uint8_t kind, struct wr *w, const union any *in)
{
	switch (kind & 3) {
	case 0:
		tag_write(w, &in->tag);
		return;
	case 1:
		capability_write(w, &in->cap);
		return;
	case 2:
		coo_write(w, &in->coo);
		return;
	default:
		revocation_write(w, &in->rev);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static union any first, second;
	static uint8_t a[CAPABILITY_MAX_BYTES], b[CAPABILITY_MAX_BYTES];
	if (size == 0) {
		return 0;
	}
	struct rd r = rd_init(data + 1, size - 1);
	if (any_read(data[0], &r, &first) != 0) {
		return 0;
	}
	struct wr aw = wr_init(a, sizeof(a)), bw = wr_init(b, sizeof(b));
	any_write(data[0], &aw, &first);
	BUG_ON(aw.bad);
	r = rd_init(a, wr_length(&aw));
	BUG_ON(any_read(data[0], &r, &second) != 0 || !rd_done(&r));
	any_write(data[0], &bw, &second);
	BUG_ON(wr_length(&aw) != wr_length(&bw) || memcmp(a, b, wr_length(&aw)) != 0);
	return 0;
}
