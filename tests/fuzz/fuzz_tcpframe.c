/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a TCP relay may say: any bytes, in any pieces. */
#include "service/tcpframe.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size + 1);
	BUG_ON(!bytes);
	memcpy(bytes, data, size);
	size_t at = 0, used = 0;
	struct zt_datagram d;
	enum tcpframe_kind kind;
	while ((kind = tcpframe_next(bytes + at, size - at, &used, &d)) == TCPFRAME_PACKET ||
	       kind == TCPFRAME_IGNORED) {
		BUG_ON(used < TCPFRAME_HEADER_BYTES || used > size - at);
		if (kind == TCPFRAME_PACKET) {
			uint8_t head[TCPFRAME_HEAD_MAX_BYTES];
			BUG_ON(d.length == 0 || d.length > ZT_MAX_DATAGRAM_BYTES);
			BUG_ON(d.bytes < bytes + at || d.bytes + d.length != bytes + at + used);
			/* Said again, it is the same message. */
			BUG_ON(tcpframe_head(&d.from, d.length, head) + d.length != used);
			BUG_ON(memcmp(head, bytes + at, used - d.length) != 0);
		}
		at += used;
	}
	free(bytes);
	return 0;
}
