/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Two virtual hosts with the real stack (private copies of liblwip.so) on one wire: programs on
 * both sides, everything between them as in the daemon, except ZeroTier itself. The clock is
 * virtual. */
#include "service/stacklib.h"
#include "tests/unit/service/rig.h"

enum {
	FRAMES_MAX = 4096,
	MEBIBYTE = 1 << 20,
	PATIENCE_MS = 60000, /* virtual */
};

struct wire_frame {
	uint8_t *bytes;
	uint32_t length;
};

/* One end: a host, its copy of the library, and what waits on the wire for it. */
struct wire_end {
	struct rig rig;
	struct stacklib library;
	struct stack_callbacks callbacks;
	struct wire_end *peer;
	struct wire_frame queue[FRAMES_MAX];
	size_t count;
	unsigned loss_percent;
	uint64_t dice;
};

static struct wire_end *end_of(void *context)
{
	struct net *net = context;
	return (struct wire_end *)(void *)((char *)net - offsetof(struct rig, net) -
					   offsetof(struct wire_end, rig));
}

static void wire_output(void *context, uint8_t *frame, uint32_t length)
{
	struct wire_end *e = end_of(context), *to = e->peer;
	e->dice = e->dice * 6364136223846793005U + 1442695040888963407U;
	if (to->count == FRAMES_MAX || (e->dice >> 33) % 100 < e->loss_percent) {
		return; /* a wire may lose */
	}
	uint8_t *copy = malloc(length);
	assert_non_null(copy);
	memcpy(copy, frame, length);
	to->queue[to->count++] = (struct wire_frame){ copy, length };
}

static void wire_multicast(void *context, const uint8_t mac[6], uint32_t adi, bool join)
{
	(void)context;
	(void)mac;
	(void)adi;
	(void)join;
}

static void wire_conflict(void *context, const struct stack_ip *address, const uint8_t mac[6])
{
	(void)context;
	(void)address;
	(void)mac;
	fail_msg("an address conflict");
}

static void wire_random(void *context, void *out, size_t length)
{
	struct wire_end *e = end_of(context);
	for (size_t i = 0; i < length; i++) {
		e->dice = e->dice * 6364136223846793005U + 1442695040888963407U;
		((uint8_t *)out)[i] = (uint8_t)(e->dice >> 40);
	}
}

static void wire_fail(void *context, const char *text)
{
	(void)context;
	(void)fprintf(stderr, "the stack: %s\n", text);
	abort();
}

static bool end_step(struct wire_end *e)
{
	const struct stack_ops *ops = e->rig.net.ops;
	int64_t now = e->rig.loop.now.mono_ms;
	bool has_moved = e->count > 0;
	struct stack_frame frames[FRAMES_MAX];
	size_t count = e->count;
	struct wire_frame taken[FRAMES_MAX];
	memcpy(taken, e->queue, count * sizeof taken[0]);
	e->count = 0;
	for (size_t i = 0; i < count; i++) {
		frames[i] = (struct stack_frame){ taken[i].bytes, taken[i].length, true };
	}
	if (count > 0) {
		ops->input(e->rig.net.stack, frames, count, now);
	}
	for (size_t i = 0; i < count; i++) {
		free(taken[i].bytes);
	}
	if (ops->deadline(e->rig.net.stack) <= now) {
		ops->advance(e->rig.net.stack, now);
		has_moved = true;
	}
	return rig_turn(&e->rig) > 0 || has_moved ||
	       vhost_deadline(e->rig.net.vhost) <= e->rig.loop.now.mono_ms;
}

static bool wire_pump(struct rig *rig)
{
	struct wire_end *e = rig->wire;
	bool one = end_step(e), two = e->peer->rig.net.vhost && end_step(e->peer);
	return one || two;
}

static void end_open(struct wire_end *e, struct wire_end *peer, uint8_t host)
{
	char path[256], why[256] = "", address[32];
	e->peer = peer;
	e->dice = host;
	rig_prepare(&e->rig);
	(void)snprintf(path, sizeof path, "%s/liblwip.so",
		       getenv("BUILD") ? getenv("BUILD") : "build/release");
	if (stacklib_load(&e->library, path, why, sizeof why) != 0) {
		fail_msg("%s", why);
	}
	e->callbacks = (struct stack_callbacks){
		.size = sizeof e->callbacks,
		.output = wire_output,
		.multicast = wire_multicast,
		.conflict = wire_conflict,
		.random = wire_random,
		.fail = wire_fail,
	};
	vhost_stack_callbacks(&e->callbacks);
	struct net *net = &e->rig.net;
	struct stack_config config = { .size = sizeof config,
				       .mtu = 2800,
				       .mac = { 2, 0, 0, 0, 0, host },
				       .callbacks = &e->callbacks,
				       .context = net,
				       .now_ms = e->rig.loop.now.mono_ms };
	net->ops = e->library.ops;
	net->stack = net->ops->create(&config);
	assert_non_null(net->stack);
	(void)snprintf(address, sizeof address, "10.0.0.%d", host);
	e->rig.wire = e;
	rig_start(&e->rig, address);
	assert_int_equal(net->ops->addresses_set(net->stack, net->addresses, 1), 0);
	e->rig.pump = wire_pump;
}

static void wire_open(struct wire_end ends[2])
{
	memset(ends, 0, 2 * sizeof ends[0]);
	end_open(&ends[0], &ends[1], 1);
	end_open(&ends[1], &ends[0], 2);
	rig_settle(&ends[0].rig);
}

static void wire_close(struct wire_end ends[2])
{
	for (int i = 0; i < 2; i++) {
		struct wire_end *e = &ends[i];
		e->rig.pump = NULL; /* the other end may be gone */
		rig_close(&e->rig);
		e->rig.net.vhost = NULL;
		stacklib_unload(&e->library);
	}
	for (int i = 0; i < 2; i++) {
		for (size_t k = 0; k < ends[i].count; k++) {
			free(ends[i].queue[k].bytes);
		}
	}
}

/* A millisecond passes. */
static void wire_tick(struct wire_end ends[2])
{
	ends[0].rig.loop.now.mono_ms++;
	ends[1].rig.loop.now.mono_ms++;
	rig_settle(&ends[0].rig);
}

/* Until the descriptor has one of these poll events. */
static void wire_wait(struct wire_end ends[2], int fd, int events)
{
	int left = PATIENCE_MS;
	while ((rig_poll(fd) & events) == 0) {
		assert_true(left-- > 0);
		wire_tick(ends);
	}
}

static void wire_connect(struct wire_end ends[2], int listener, int *client, int *server)
{
	struct rpc_accept record;
	*client = rig_socket(&ends[0].rig);
	assert_int_equal(rig_connect(&ends[0].rig, *client, "10.0.0.2", 80), EINPROGRESS);
	wire_wait(ends, *client, POLLOUT);
	wire_wait(ends, listener, POLLIN);
	*server = rig_accept(&ends[1].rig, listener, &record);
	assert_true(*server >= 0);
	assert_memory_equal(record.remote.addr + 12, "\x0a\0\0\x01", 4);
	assert_int_equal(fcntl(*server, F_SETFL, O_RDWR | O_NONBLOCK), 0);
}

static uint8_t pattern(size_t i, unsigned seed)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16) + seed);
}

/* One direction of a transfer. */
struct flow {
	int from, to;
	unsigned seed;
	size_t total, written, taken;
	bool is_right;
};

static bool flow_step(struct flow *f)
{
	uint8_t bytes[16384];
	size_t n = f->total - f->written < sizeof bytes ? f->total - f->written : sizeof bytes;
	for (size_t i = 0; i < n; i++) {
		bytes[i] = pattern(f->written + i, f->seed);
	}
	ssize_t w = n > 0 ? send(f->from, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	f->written += w > 0 ? (size_t)w : 0;
	ssize_t got = recv(f->to, bytes, sizeof bytes, MSG_DONTWAIT);
	for (ssize_t i = 0; i < got; i++) {
		f->is_right &= bytes[i] == pattern(f->taken + (size_t)i, f->seed);
	}
	f->taken += got > 0 ? (size_t)got : 0;
	return w > 0 || got > 0;
}

/* `total` bytes both ways at once. */
static void transfer(unsigned loss_percent, size_t total)
{
	static struct wire_end ends[2];
	wire_open(ends);
	int listener = rig_listener(&ends[1].rig, "0.0.0.0", 80, 5), client = -1, server = -1;
	wire_connect(ends, listener, &client, &server);
	ends[0].loss_percent = ends[1].loss_percent = loss_percent;
	struct flow up = { client, server, 1, total, 0, 0, true };
	struct flow down = { server, client, 2, total, 0, 0, true };
	int left = PATIENCE_MS * 10;
	while (up.taken < total || down.taken < total) {
		bool has_moved = flow_step(&up);
		has_moved = flow_step(&down) || has_moved;
		rig_settle(&ends[0].rig);
		if (!has_moved) {
			assert_true(left-- > 0);
			wire_tick(ends);
		}
	}
	assert_true(up.is_right);
	assert_true(down.is_right);
	(void)close(client);
	(void)close(server);
	(void)close(listener);
	rig_settle(&ends[0].rig);
	wire_close(ends);
}

static void test_both_ways(void **state)
{
	(void)state;
	transfer(0, (size_t)4 * MEBIBYTE);
}

static void test_both_ways_with_loss(void **state)
{
	(void)state;
	transfer(3, MEBIBYTE);
}

static void test_refused(void **state)
{
	(void)state;
	static struct wire_end ends[2];
	wire_open(ends);
	int client = rig_socket(&ends[0].rig);
	assert_int_equal(rig_connect(&ends[0].rig, client, "10.0.0.2", 81), EINPROGRESS);
	wire_wait(ends, client, POLLERR);
	assert_int_equal(rig_simple(&ends[0].rig, RPC_SOERROR, client), ECONNREFUSED);
	(void)close(client);
	wire_close(ends);
}

static void test_half_close(void **state)
{
	(void)state;
	static struct wire_end ends[2];
	wire_open(ends);
	int listener = rig_listener(&ends[1].rig, "0.0.0.0", 80, 5), client = -1, server = -1;
	wire_connect(ends, listener, &client, &server);
	char text[32] = "";
	assert_int_equal(write(client, "question", 8), 8);
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	wire_wait(ends, server, POLLRDHUP);
	assert_int_equal(read(server, text, sizeof text), 8);
	assert_int_equal(read(server, text, sizeof text), 0);
	assert_int_equal(write(server, "answer", 6), 6);
	(void)close(server);
	wire_wait(ends, client, POLLRDHUP);
	assert_int_equal(read(client, text, sizeof text), 6);
	assert_int_equal(read(client, text, sizeof text), 0); /* no reset: an orderly end */
	(void)close(client);
	(void)close(listener);
	rig_settle(&ends[0].rig);
	wire_close(ends);
}

static void test_reset(void **state)
{
	(void)state;
	static struct wire_end ends[2];
	wire_open(ends);
	int listener = rig_listener(&ends[1].rig, "0.0.0.0", 80, 5), client = -1, server = -1;
	wire_connect(ends, listener, &client, &server);
	char text[32];
	assert_int_equal(write(client, "unread", 6), 6);
	wire_wait(ends, server, POLLIN);
	(void)close(server); /* with bytes unread: RST */
	wire_wait(ends, client, POLLHUP);
	assert_int_equal(read(client, text, sizeof text), -1);
	assert_int_equal(errno, ECONNRESET);
	(void)close(client);
	(void)close(listener);
	rig_settle(&ends[0].rig);
	wire_close(ends);
}

/* One after another, then the ports are free again and nothing is left. */
static void test_many_in_a_row(void **state)
{
	(void)state;
	enum { MANY = 300 };
	static struct wire_end ends[2];
	wire_open(ends);
	int listener = rig_listener(&ends[1].rig, "0.0.0.0", 80, 5);
	size_t before = rig_fd_count();
	for (int i = 0; i < MANY; i++) {
		int client = -1, server = -1;
		char text[8] = "";
		wire_connect(ends, listener, &client, &server);
		assert_int_equal(write(client, "ping", 4), 4);
		wire_wait(ends, server, POLLIN);
		assert_int_equal(read(server, text, sizeof text), 4);
		(void)close(server);
		wire_wait(ends, client, POLLRDHUP);
		assert_int_equal(read(client, text, sizeof text), 0);
		(void)close(client);
		rig_settle(&ends[0].rig);
	}
	assert_int_equal(rig_fd_count(), before);
	struct vhost_stats stats;
	vhost_stats(ends[0].rig.net.vhost, &stats);
	assert_int_equal(stats.sockets, 0);
	vhost_stats(ends[1].rig.net.vhost, &stats);
	assert_int_equal(stats.sockets, 1);
	(void)close(listener);
	rig_settle(&ends[0].rig);
	wire_close(ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways), cmocka_unit_test(test_both_ways_with_loss),
		cmocka_unit_test(test_refused),   cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_reset),     cmocka_unit_test(test_many_in_a_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
