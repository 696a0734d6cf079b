/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A virtual host written down and read by another: everything is there again, and what is malformed
 * is refused without harm. */
#include "service/handover_vhost.h"
#include "service/vdgram.h"
#include "tests/unit/service/rig.h"

#include <sys/mman.h>

/* What `r` would hand over. */
static struct handover_out written(struct rig *r)
{
	struct handover_out out = { 0 };
	handover_vhost_write(&out, &r->net, true);
	assert_false(out.is_bad);
	return out;
}

/* As a successor gets it: bytes in a mapping, descriptors of its own. */
static struct handover_in arrived(const struct handover_out *out, size_t length)
{
	struct handover_in in = { .fd_count = out->fd_count, .length = length };
	void *bytes =
	    mmap(NULL, length + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	memcpy(bytes, out->bytes, length);
	in.bytes = bytes;
	in.fds = calloc(out->fd_count + 1, sizeof *in.fds);
	assert_non_null(in.fds);
	for (size_t i = 0; i < out->fd_count; i++) {
		in.fds[i] = dup(out->fds[i]);
		assert_true(in.fds[i] >= 0);
	}
	return in;
}

static int read_into(struct rig *r, struct handover_in *in, struct handover_counts *counts)
{
	struct rd sections = rd_init(in->bytes, in->length), contents;
	enum handover_tag tag;
	uint64_t nwid = 0;
	if (!handover_next_section(&sections, &tag, &contents)) {
		return -EBADMSG;
	}
	int fd = handover_network_read(in, contents, &nwid);
	if (fd >= 0) {
		(void)close(fd);
	}
	return handover_vhost_read(in, &sections, &r->net, counts);
}

/* Sockets in every state; their descriptors in `held`. */
static size_t populate(struct rig *r, int held[16])
{
	size_t count = 0;
	int l = held[count++] = rig_listener(r, "0.0.0.0", 80, 300);
	held[count++] = rig_socket(r); /* fresh */
	held[count++] = rig_listener(r, "127.0.0.1", 81, 1);
	int connecting = held[count++] = rig_socket(r);
	assert_int_equal(rig_connect(r, connecting, "10.0.0.9", 7), EINPROGRESS);
	int established = held[count++] = rig_socket(r);
	assert_int_equal(rig_connect(r, established, "10.0.0.8", 7), EINPROGRESS);
	fakestack_establish(fakestack_last(r->net.stack));
	rig_settle(r);
	struct stack_ip to = rig_ip("10.0.0.1", 80), from = rig_ip("10.0.0.2", 5000);
	for (int i = 0; i < 280; i++) { /* more than travel with a descriptor */
		from.port++;
		assert_non_null(fakestack_incoming(r->net.stack, &to, &from, NULL));
	}
	rig_settle(r);
	for (int i = 0; i < 4; i++) { /* two wait with a record, two knock */
		int c = held[count++] = rig_socket(r);
		assert_int_equal(rig_connect(r, c, "127.0.0.1", 81), EINPROGRESS);
	}
	struct vsock *dgram = vsock_new(r->net.vhost, geteuid(), AF_INET);
	assert_non_null(dgram);
	assert_int_equal(vdgram_new(dgram, true), 0);
	held[count++] = vsock_pair(dgram, false);
	assert_int_equal(vdgram_autobind(dgram), 0);
	rig_settle(r);
	assert_true(l >= 0);
	return count;
}

static void release(int held[16], size_t count)
{
	while (count > 0) {
		(void)close(held[--count]);
	}
}

static void round_trip(void **state)
{
	(void)state;
	struct rig old, fresh;
	int held[16];
	rig_open(&old, true);
	size_t count = populate(&old, held);
	struct handover_out out = written(&old);
	struct handover_in in = arrived(&out, out.length);
	rig_open(&fresh, true);
	(void)close(fresh.control); /* the other's comes */
	rig_settle(&fresh);
	struct handover_counts counts = { 0 };
	assert_int_equal(read_into(&fresh, &in, &counts), 0);
	assert_int_equal(counts.reset, 0);
	assert_int_equal(counts.sockets, old.net.vhost->socket_count);
	struct handover_out again = written(&fresh);
	assert_int_equal(again.length, out.length);
	assert_memory_equal(again.bytes, out.bytes, out.length);
	assert_int_equal(again.fd_count, out.fd_count);
	handover_in_free(&in);
	handover_out_free(&again);
	handover_out_free(&out);
	rig_settle(&fresh); /* it lives */
	struct rpc_accept record;
	int accepted = rig_accept(&fresh, held[0], &record);
	assert_true(accepted >= 0);
	assert_int_equal(record.remote.port_be, htons(5001));
	(void)close(accepted);
	fresh.control = dup(old.control);
	release(held, count);
	rig_close(&old);
	rig_close(&fresh);
}

/* The successor's stack is another: connections are lost, the rest is there. */
static void without_the_stack(void **state)
{
	(void)state;
	struct rig old, fresh;
	int held[16];
	rig_open(&old, true);
	size_t count = populate(&old, held);
	struct handover_out out = { 0 };
	handover_vhost_write(&out, &old.net, false);
	struct handover_in in = arrived(&out, out.length);
	rig_open(&fresh, true);
	struct handover_counts counts = { 0 };
	assert_int_equal(read_into(&fresh, &in, &counts), 0);
	assert_int_equal(counts.connections, 0);
	assert_int_equal(counts.reset, 282);
	handover_in_free(&in);
	handover_out_free(&out);
	struct vhost_stats stats;
	vhost_stats(fresh.net.vhost, &stats);
	assert_int_equal(stats.listeners, 2);
	release(held, count);
	rig_close(&old);
	rig_close(&fresh);
}

/* Cut anywhere, changed anywhere: refused or read, and no descriptor is lost. */
static void malformed(void **state)
{
	(void)state;
	struct rig old;
	int held[16];
	rig_open(&old, true);
	size_t count = populate(&old, held);
	struct handover_out out = written(&old);
	size_t refused = 0;
	for (size_t at = 0; at < out.length; at += at < 3000 ? 41 : 1009) {
		for (int way = 0; way < 2; way++) {
			struct rig fresh;
			size_t before = rig_fd_count();
			rig_open(&fresh, true);
			struct handover_in in = arrived(&out, way ? out.length : at);
			if (way) {
				uint8_t *byte;
				memcpy(&byte, &in.bytes, sizeof byte);
				byte[at] ^= 0x5b;
			}
			struct handover_counts counts = { 0 };
			refused += read_into(&fresh, &in, &counts) != 0;
			handover_in_free(&in);
			rig_close(&fresh);
			assert_int_equal(rig_fd_count(), before);
		}
	}
	assert_true(refused > 20);
	handover_out_free(&out);
	release(held, count);
	rig_close(&old);
}

/* Tags that a later version may add are passed over. */
static void later_sections(void **state)
{
	(void)state;
	struct rig old, fresh;
	int held[16];
	rig_open(&old, true);
	size_t count = populate(&old, held);
	struct handover_out out = written(&old);
	struct wr w = handover_begin_section(&out, (enum handover_tag)999, 16);
	wr_u64(&w, 1);
	handover_end_section(&out, &w);
	struct handover_in in = arrived(&out, out.length);
	rig_open(&fresh, true);
	struct handover_counts counts = { 0 };
	assert_int_equal(read_into(&fresh, &in, &counts), 0);
	handover_in_free(&in);
	handover_out_free(&out);
	release(held, count);
	rig_close(&old);
	rig_close(&fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(without_the_stack),
		cmocka_unit_test(malformed),
		cmocka_unit_test(later_sections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
