/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The library's side of a datagram: whatever message arrives, with or without a header, into
 * buffers of whatever sizes, nothing is written outside them, and the bytes are the message's.
 * The library's files are compiled in; the kernel is this one's recvmsg().
 *
 * The input: flags, five sizes of buffers, room for control data, then the message.
 */
#include "tests/fuzz/fuzz.h"

#include <sys/un.h>

#define ident_poll     fuzzed_ident_poll
#define opt_take_error fuzzed_opt_take_error
#define addr_out       fuzzed_addr_out
#include "intercept/dgram_cmsg.c"
#undef MAX
#include "intercept/dgram_recv.c"
#include "intercept/hint.c"

static const uint64_t ID = 0x0102030405060708;
static const uint8_t *message;
static size_t message_length;
static bool is_named;
static struct rpc_addr reported;

struct real real;

int fuzzed_ident_poll(int fd)
{
	(void)fd;
	return 0;
}

int fuzzed_opt_take_error(int fd)
{
	(void)fd;
	return 0;
}

int fuzzed_addr_out(const struct rpc_addr *in, struct sockaddr *sa, socklen_t *length)
{
	reported = *in;
	memset(sa, 1, *length);
	return 0;
}

ssize_t netlink_recvmsg(int fd, struct msghdr *m, int flags)
{
	(void)fd;
	(void)m;
	(void)flags;
	BUG_ON(true); /* never hinted */
	return -1;
}

static ssize_t fuzzed_recvmsg(int fd, struct msghdr *m, int flags)
{
	size_t at = 0;
	struct rpc_ident ident = {
		.kind = RPC_KIND_PEER, .family = AF_INET, .has_addresses = true, .id = ID
	};
	(void)fd;
	BUG_ON((flags & MSG_TRUNC) == 0);
	for (size_t i = 0; i < m->msg_iovlen && at < message_length; i++) {
		size_t n = message_length - at < m->msg_iov[i].iov_len ? message_length - at
								       : m->msg_iov[i].iov_len;
		if (n > 0) {
			memcpy(m->msg_iov[i].iov_base, message + at, n);
		}
		at += n;
	}
	struct sockaddr_un *name = m->msg_name;
	name->sun_family = AF_UNIX;
	m->msg_namelen = 0;
	if (is_named) {
		uint8_t bytes[RPC_NAME_MAX_BYTES];
		size_t length = rpc_ident_write(&ident, bytes);
		memcpy(name->sun_path, bytes, length);
		m->msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	}
	m->msg_controllen = 0;
	m->msg_flags = 0;
	return (ssize_t)message_length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { BUFFERS = 5, HEADER = 2 + BUFFERS };
	struct iovec iov[BUFFERS];
	uint8_t name[32], flat[BUFFERS * 64];
	if (size < HEADER) {
		return 0;
	}
	real.recvmsg = fuzzed_recvmsg;
	uint8_t *exact = malloc(size - HEADER + sizeof(struct rpc_dgram));
	struct rpc_dgram h = { .id = 0 };
	message_length = size - HEADER;
	memcpy(exact, data + HEADER, message_length);
	if ((data[0] & 1) && message_length >= sizeof h) { /* a header that gets through */
		memcpy(&h, exact, sizeof h);
		h.id = ID;
		h.magic = RPC_DGRAM_MAGIC;
		h.flags &= 7;
		h.peer.family = h.local.family = AF_INET;
		memcpy(exact, &h, sizeof h);
	}
	message = exact;
	is_named = (data[0] & 2) != 0;
	hint_table[3] = data[0] & 4 ? HINT_DGRAM : HINT_DGRAM_CONNECTED;
	size_t room = 0;
	for (int i = 0; i < BUFFERS; i++) {
		iov[i].iov_len = data[2 + i] % 64;
		iov[i].iov_base = malloc(iov[i].iov_len + 1);
		room += iov[i].iov_len;
	}
	uint8_t *control = malloc(data[1] + (size_t)1);
	struct msghdr m = { .msg_name = name,
			    .msg_namelen = sizeof name,
			    .msg_iov = iov,
			    .msg_iovlen = BUFFERS,
			    .msg_control = control,
			    .msg_controllen = data[1] };
	bool has_head =
	    message_length >= sizeof h &&
	    rpc_dgram_read(
		exact, message_length,
		is_named ? ID : ((struct rpc_dgram *)(void *)memcpy(&h, exact, sizeof h))->id, &h);
	size_t skip = has_head ? sizeof h : 0;
	ssize_t n = dgram_recvmsg(3, &m, 0);
	if (message_length > 0 || is_named) {
		size_t copied = message_length - skip < room ? message_length - skip : room;
		BUG_ON(n != (ssize_t)copied);
		size_t at = 0;
		for (int i = 0; i < BUFFERS; i++) {
			memcpy(flat + at, iov[i].iov_base, iov[i].iov_len);
			at += iov[i].iov_len;
		}
		BUG_ON(memcmp(flat, exact + skip, copied) != 0);
		BUG_ON(m.msg_controllen > data[1]);
	}
	for (int i = 0; i < BUFFERS; i++) {
		free(iov[i].iov_base);
	}
	free(control);
	free(exact);
	return 0;
}
