/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What programs write into datagram sockets, and what arrives for them: random messages, connects
 * and binds on three sockets of a virtual host with a fake stack. Whatever comes: no descriptor is
 * lost, and when the program's ends are closed nothing remains.
 *
 * The input is a list of steps: kind, length, bytes.
 */
#include "service/vdgram.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/service/rig.h"

enum { SOCKETS = 3, CLIENT_UID = 1000 };

static struct rig rig;

static struct rpc_addr address_of(uint8_t what, uint8_t family)
{
	static const char *const v4[] = {
		"127.0.0.1",   "10.0.0.1", "10.0.0.2",  "10.0.0.255",
		"224.0.0.251", "0.0.0.0",  "192.0.2.1", "255.255.255.255"
	};
	static const char *const v6[] = { "::1", "fd00::1", "fd00::2",         "ff02::fb",
					  "::",  "fe80::2", "::ffff:10.0.0.2", "2001:db8::1" };
	uint16_t port = (uint16_t)(5000 + (what >> 3) % 4);
	struct rpc_addr out = rig_address((family == AF_INET6 ? v6 : v4)[what % 8], port);
	out.family = family;
	out.scope = 2;
	return out;
}

static struct vsock *socket_new(int number, int *a)
{
	struct vsock *s = vsock_new(rig.net.vhost, CLIENT_UID, number == 1 ? AF_INET6 : AF_INET);
	BUG_ON(!s || vdgram_new(s, number == 2) != 0);
	*a = vsock_pair(s, true);
	BUG_ON(*a < 0);
	return s;
}

/* Bytes as they are, or behind a header that gets through. */
static void message_send(const struct vsock *s, int a, uint8_t how, const uint8_t *bytes,
			 size_t length)
{
	uint8_t message[RPC_DGRAM_BYTES + 256] = { 0 };
	struct rpc_dgram h = { .flags = 0 };
	size_t head = length < sizeof h ? length : sizeof h;
	if (how & 1) {
		memcpy(&h, bytes, head);
		h.id = s->id;
		h.magic = RPC_DGRAM_MAGIC;
		h.flags &= RPC_DGRAM_LOCAL | RPC_DGRAM_TOS | RPC_DGRAM_TTL;
		h.local = address_of(how >> 2, s->family);
		h.peer = address_of(h.tos, s->family);
		h.peer.family = how & 2 ? s->family : 0;
		memcpy(message, &h, sizeof h);
		memcpy(message + sizeof h, bytes + head, length - head);
		(void)send(a, message, sizeof h + length - head, MSG_DONTWAIT);
	} else {
		(void)send(a, bytes, length, MSG_DONTWAIT);
	}
}

static void from_network(const uint8_t *bytes, size_t length, uint8_t how)
{
	uint8_t family = how & 1 ? AF_INET6 : AF_INET;
	struct rpc_addr to = address_of(how >> 1, family), from = address_of(how >> 3, family);
	struct stack_ip local = vaddr_to_stack(&to), remote = vaddr_to_stack(&from);
	struct stack_callbacks *calls = &rig.net.stack->callbacks;
	struct stack_datagram d = {
		.local = local, .remote = remote, .bytes = bytes, .length = (uint32_t)length
	};
	struct stack_unreachable u = { .local = local,
				       .remote = remote,
				       .protocol = how & 2 ? 17 : 1,
				       .type = 3,
				       .code = 3,
				       .error = ECONNREFUSED };
	if (local.family != remote.family) {
		return;
	}
	if (how % 3 == 0) {
		(void)calls->datagram(&rig.net, &d);
	} else if (how % 3 == 1 && length >= 8) {
		calls->echo(&rig.net, &d);
	} else {
		calls->unreachable(&rig.net, &u);
	}
}

static void step(struct vsock *const sockets[SOCKETS], const int ends[SOCKETS], const uint8_t *data,
		 size_t length)
{
	uint8_t how = data[0];
	struct vsock *s = sockets[how % SOCKETS];
	int a = ends[how % SOCKETS];
	struct rpc_addr address = address_of(data[1], s->family);
	uint8_t sink[512];
	switch (how / SOCKETS % 8) {
	case 0:
		(void)vdgram_bind(s, &address, false);
		break;
	case 1:
		address.family = data[1] > 240 ? AF_UNSPEC : s->family;
		vdgram_drain(s);
		(void)vdgram_connect(s, &address);
		break;
	case 2:
		(void)vdgram_option_set(s, data[1] & 1 ? IPPROTO_IP : IPPROTO_IPV6, data[1] >> 1,
					data + 2, (uint32_t)length - 2);
		break;
	case 3:
		(void)recv(a, sink, sizeof sink, MSG_DONTWAIT);
		(void)vdgram_error_take(s);
		break;
	case 4:
		from_network(data + 2, length - 2, data[1]);
		break;
	default:
		message_send(s, a, data[1], data + 2, length - 2);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { HEADER = 3 };
	struct vsock *sockets[SOCKETS];
	int ends[SOCKETS];
	rig_open(&rig, true);
	size_t before = rig_fd_count();
	for (int i = 0; i < SOCKETS; i++) {
		sockets[i] = socket_new(i, &ends[i]);
	}
	while (size > HEADER) {
		size_t length = data[0] % 128 + (size_t)2;
		length = length < size - 1 ? length : size - 1;
		step(sockets, ends, data + 1, length);
		rig_settle(&rig);
		data += 1 + length;
		size -= 1 + length;
	}
	for (int i = 0; i < SOCKETS; i++) {
		(void)close(ends[i]);
	}
	rig_settle(&rig);
	struct vhost_stats stats;
	vhost_stats(rig.net.vhost, &stats);
	BUG_ON(stats.sockets != 0);
	BUG_ON(rig.net.stack->group_count != 0);
	BUG_ON(rig_fd_count() != before);
	rig_close(&rig);
	return 0;
}
