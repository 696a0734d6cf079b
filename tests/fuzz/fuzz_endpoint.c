/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Physical addresses, binary and text: what is read can be written and read again. */
#include "core/endpoint.h"
#include "tests/fuzz/fuzz.h"

static void text_check(const uint8_t *data, size_t size)
{
	char text[256], again_text[ENDPOINT_TEXT_MAX];
	struct zt_endpoint e, again;
	size = size < sizeof text - 1 ? size : sizeof text - 1;
	memcpy(text, data, size);
	text[size] = '\0';
	if (endpoint_parse(text, &e)) {
		BUG_ON(!endpoint_parse(endpoint_text(&e, again_text), &again));
		BUG_ON(!endpoint_equal(&e, &again));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct zt_endpoint e, again;
	uint8_t bytes[32];
	text_check(data, size);
	while (rd_left(&r) > 0 && endpoint_read(&r, &e) == 0) {
		struct wr w = wr_init(bytes, sizeof bytes);
		endpoint_write(&w, &e);
		struct rd back = rd_init(bytes, wr_length(&w));
		BUG_ON(endpoint_read(&back, &again) != 0 || !rd_done(&back));
		BUG_ON(!endpoint_equal(&e, &again));
		BUG_ON(endpoint_path_ok(&e) && endpoint_scope(&e) < SCOPE_PSEUDO_PRIVATE);
	}
	return 0;
}
