/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Random sections into a virtual host with a fake stack, as from a predecessor.
 *
 * The input is a list of sections: tag, length in 16 bits, contents. Whatever comes, the host runs
 * and ends afterwards, and no descriptor is lost.
 */
#include "service/handover_vhost.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/service/rig.h"

enum { DESCRIPTORS = 8 };

static struct rig rig;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	rig_open(&rig, true);
	size_t before = rig_fd_count();
	struct handover_out out = { 0 };
	for (size_t at = 0; at + 3 <= size;) {
		size_t length = (size_t)data[at + 1] << 8 | data[at + 2];
		length = length < size - at - 3 ? length : size - at - 3;
		struct wr w = handover_begin_section(
		    &out, (enum handover_tag)(data[at] % (HANDOVER_STACK + 2)), length);
		wr_bytes(&w, data + at + 3, length);
		handover_end_section(&out, &w);
		at += 3 + length;
	}
	int pair[2], fds[DESCRIPTORS], others[DESCRIPTORS];
	for (size_t i = 0; i < DESCRIPTORS; i++) {
		int type = i % 2 ? SOCK_SEQPACKET : SOCK_STREAM;
		BUG_ON(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0);
		fds[i] = pair[0];
		others[i] = pair[1];
	}
	struct handover_in in = {
		.bytes = out.bytes, .length = out.length, .fds = fds, .fd_count = DESCRIPTORS
	};
	struct rd sections = rd_init(out.bytes, out.length);
	struct handover_counts counts = { 0 };
	(void)handover_vhost_read(&in, &sections, &rig.net, &counts);
	for (int i = 0; i < 4; i++) { /* not until it is quiet: it may wait for ever */
		(void)rig_turn(&rig);
		rig.loop.now.mono_ms += VSOCK_FAILED_MS;
	}
	for (size_t i = 0; i < DESCRIPTORS; i++) {
		(void)close(others[i]);
		if (fds[i] >= 0) {
			(void)close(fds[i]);
		}
	}
	handover_out_free(&out);
	vhost_close(rig.net.vhost);
	BUG_ON(vhost_open(&rig.net, rig.path, &rig.net.vhost) != 0);
	BUG_ON(rig_fd_count() != before - 1); /* without the client's connection */
	rig_close(&rig);
	return 0;
}
