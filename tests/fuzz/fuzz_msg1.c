/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Every VL1 message: what reads well is written and read again, and must be the same. */
#include "core/msg1.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 4096 };

static void hello(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct msg_hello in, again;
	if (msg_hello_read(&r, &in) != 0) {
		return;
	}
	uint8_t bytes[ROOM];
	struct wr w = wr_init(bytes, sizeof bytes);
	msg_hello_write(&w, &in);
	BUG_ON(w.bad);
	struct rd back = rd_init(bytes, wr_length(&w));
	BUG_ON(msg_hello_read(&back, &again) != 0 || !rd_done(&back));
	BUG_ON(!identity_equal(&in.identity, &again.identity) || in.clock != again.clock);
	BUG_ON(!endpoint_equal(&in.destination, &again.destination));
	BUG_ON(in.has_planet != again.has_planet || in.planet_id != again.planet_id);
	struct msg_moons moons = msg_moons_start(r);
	struct msg_moon moon;
	size_t count = 0;
	while (msg_moons_next(&moons, &moon)) {
		count++;
	}
	BUG_ON(count * 17 > size);
}

static void ok_hello(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct msg_ok_hello in, again;
	if (msg_ok_hello_read(&r, &in) != 0) {
		return;
	}
	size_t worlds = rd_left(&in.worlds);
	BUG_ON(worlds > 0 && (in.worlds.p < data || in.worlds.p + worlds > data + size));
	if (worlds > ROOM / 2) {
		return;
	}
	uint8_t bytes[ROOM];
	struct wr w = wr_init(bytes, sizeof bytes);
	msg_ok_hello_write(&w, &in);
	BUG_ON(w.bad);
	struct rd back = rd_init(bytes, wr_length(&w));
	BUG_ON(msg_ok_hello_read(&back, &again) != 0 || !rd_done(&back));
	BUG_ON(in.clock != again.clock || !endpoint_equal(&in.surface, &again.surface));
	BUG_ON(worlds != rd_left(&again.worlds));
}

static void rendezvous(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct msg_rendezvous in, again;
	if (msg_rendezvous_read(&r, &in) != 0) {
		return;
	}
	uint8_t bytes[64];
	struct wr w = wr_init(bytes, sizeof bytes);
	msg_rendezvous_write(&w, &in);
	struct rd back = rd_init(bytes, wr_length(&w));
	BUG_ON(msg_rendezvous_read(&back, &again) != 0 || in.peer != again.peer);
	BUG_ON(!endpoint_equal(&in.endpoint, &again.endpoint) || in.endpoint.port == 0);
}

static void push(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	uint16_t count;
	struct msg_push_path path;
	if (msg_push_count_read(&r, &count) != 0) {
		return;
	}
	for (uint16_t i = 0; i < count && msg_push_path_read(&r, &path) == 0; i++) {
		uint8_t bytes[64];
		struct msg_push_path again;
		if (path.endpoint.family == 0) {
			continue;
		}
		struct wr w = wr_init(bytes, sizeof bytes);
		msg_push_path_write(&w, &path);
		struct rd back = rd_init(bytes, wr_length(&w));
		BUG_ON(msg_push_path_read(&back, &again) != 0 || !rd_done(&back));
		BUG_ON(!endpoint_equal(&path.endpoint, &again.endpoint));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct msg_re re;
	hello(data, size);
	ok_hello(data, size);
	rendezvous(data, size);
	push(data, size);
	BUG_ON((msg_re_read(&r, &re) == 0) != (size >= 9));
	return 0;
}
