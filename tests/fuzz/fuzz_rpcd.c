/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Random messages with random descriptors into the dispatcher of a virtual host with a fake stack.
 *
 * Whatever comes: no descriptor is lost, and when the program's ends are closed nothing remains.
 * The input is a list of messages: kind of A, kind of reply, events of the stack, length, bytes.
 */
#include "service/vdgram.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/service/rig.h"

enum { HELD_MAX = 16, CLIENT_UID = 1000 };

static struct rig rig;
static int held[HELD_MAX]; /* descriptors that programs hold, so that later messages bring them */
static size_t held_count;
static int dev_null = -1;

static void hold(int fd)
{
	if (held_count < HELD_MAX) {
		held[held_count++] = fd;
	} else {
		(void)close(fd);
	}
}

/* A new virtual socket of the "program". */
static int socket_new(uint8_t how)
{
	struct vsock *s = vsock_new(rig.net.vhost, CLIENT_UID, how & 8 ? AF_INET6 : AF_INET);
	BUG_ON(!s);
	if (how & 2) {
		BUG_ON(vdgram_new(s, (how & 4) != 0) != 0);
	}
	int a = vsock_pair(s, (how & 1) != 0);
	BUG_ON(a < 0);
	hold(a);
	return held[held_count - 1];
}

static int descriptor_of(uint8_t kind)
{
	int pair[2];
	switch (kind % 5) {
	case 0:
		return dup(socket_new((uint8_t)(kind / 5)));
	case 1:
		return held_count > 0 ? dup(held[kind % held_count]) : dup(dev_null);
	case 2:
		return dup(dev_null);
	case 3:
		BUG_ON(pipe2(pair, O_CLOEXEC) != 0);
		break;
	default:
		BUG_ON(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0);
		break;
	}
	(void)close(pair[1]);
	return pair[0];
}

/* Something happens on the network. */
static void stack_event(uint8_t what)
{
	struct stack_tcp *tcp = fakestack_last(rig.net.stack);
	bool is_v6 = what >= 16;
	struct stack_ip to = rig_ip(is_v6 ? "fd00::1" : "10.0.0.1", (uint16_t)(what % 4));
	struct stack_ip from = rig_ip(is_v6 ? "fd00::2" : "10.0.0.2", (uint16_t)(1000 + what));
	if (what % 8 == 0) {
		(void)fakestack_incoming(rig.net.stack, &to, &from, NULL);
		return;
	}
	if (!tcp || tcp->end != FAKE_ALIVE) {
		return;
	}
	const struct vsock *s = tcp->context;
	bool is_connecting = s->state == VSOCK_CONNECTING;
	switch (what % 8) {
	case 1:
		if (is_connecting) {
			fakestack_establish(tcp);
		}
		break;
	case 2:
		fakestack_close(tcp, is_connecting ? ECONNREFUSED : ECONNRESET);
		break;
	case 3:
		fakestack_receive(tcp, "data", 4);
		break;
	case 4:
		if (!is_connecting) {
			fakestack_eof(tcp);
		}
		break;
	case 5:
		fakestack_ack(tcp, what);
		break;
	default:
		break;
	}
}

/* Most random messages would be refused at the door; these get through it. */
static void make_plausible(uint8_t *bytes)
{
	static const char *const addresses[] = {
		"0.0.0.0", "127.0.0.1", "10.0.0.1",         "10.0.0.2",        "::",
		"::1",     "fd00::1",   "::ffff:127.0.0.1", "::ffff:10.0.0.2", "fe80::9",
	};
	enum { ADDRESSES = sizeof addresses / sizeof addresses[0] };
	struct rpc_header *h = (void *)bytes;
	h->op %= RPC_ROUTES + 2;
	h->flags |= RPC_HAVE_FD | RPC_HAVE_REPLY;
	if (h->op == RPC_BIND || h->op == RPC_CONNECT) {
		struct rpc_bind *m = (void *)bytes;
		uint32_t scope = m->addr.addr[2] % 4U;
		m->addr = rig_address(addresses[m->addr.addr[0] % ADDRESSES], m->addr.addr[1] % 4);
		m->addr.scope = scope;
	} else if (h->op == RPC_SOCKET) {
		struct rpc_socket *m = (void *)bytes;
		m->family = m->family & 1 ? AF_INET6 : AF_INET;
		m->type = m->type & 1 ? SOCK_STREAM : SOCK_DGRAM;
		m->protocol = 0;
	} else if (h->op == RPC_SETOPT || h->op == RPC_GETOPT) {
		struct rpc_option *m = (void *)bytes;
		m->level %= 42;
		m->name %= 64;
		m->value_length %= 33;
	}
}

/* One message off the input; returns how many bytes of it were used. */
static size_t message(const uint8_t *data, size_t size)
{
	enum { HEADER = 4 };
	if (size < HEADER) {
		return size;
	}
	uint8_t bytes[RPC_MAX_BYTES] __attribute__((aligned(8))) = { 0 };
	size_t length = (size_t)data[3] * 2;
	length = length < size - HEADER ? length : size - HEADER;
	memcpy(bytes, data + HEADER, length);
	struct rpc_header *h = (void *)bytes;
	size_t used = HEADER + length;
	if (data[2] & 1) {
		length = length < 64 ? 64 : length;
		h->length = (uint32_t)length;
		make_plausible(bytes);
	}
	int fds[RPC_MAX_FDS];
	size_t count = 0;
	fds[count++] = descriptor_of(data[0]);
	fds[count++] = descriptor_of(data[1]);
	if ((data[2] & 6) == 6) {
		(void)close(fds[--count]);
	}
	struct rpcd_message m = {
		.bytes = bytes,
		.length = length,
		.fds = fds,
		.fd_count = count,
		.uid = CLIENT_UID,
	};
	int result = rpcd_dispatch(rig.net.vhost, &m);
	BUG_ON(result != 0 && result != -EPROTO);
	rig_settle(&rig);
	stack_event(data[2] >> 3);
	rig_settle(&rig);
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (dev_null < 0) {
		dev_null = open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	rig_open(&rig, true);
	rig.net.addresses[rig.net.address_count++] = rig_ip("fd00::1", 0);
	size_t before = rig_fd_count();
	for (size_t used = 0; used < size;) {
		used += message(data + used, size - used);
	}
	while (held_count > 0) {
		(void)close(held[--held_count]);
	}
	/* Records in the queue of a listener and short-cut pairs go with the turns. */
	rig_settle(&rig);
	shortcut_sweep(rig.net.vhost, SIZE_MAX);
	rig_sleep(&rig, VSOCK_FAILED_MS + PORTS_TIME_WAIT_MS);
	struct vhost_stats stats;
	vhost_stats(rig.net.vhost, &stats);
	BUG_ON(stats.sockets != 0);
	BUG_ON(rig_fd_count() != before);
	rig_close(&rig);
	return 0;
}
