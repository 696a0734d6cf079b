/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What this kernel's socketpairs do, measured once when the first virtual host opens.
 *
 * How this works (decision S1)
 * The pawn, one byte that we never read while a connection lives, makes closing B a reset. But that
 * byte pins the whole kernel buffer it came in, and the program's end is writable only while a
 * quarter of its SO_SNDBUF is in use. So we write 8 to 256 KB through a pair, read all but the last
 * byte, and ask poll(): if the writer is not writable again, SO_SNDBUF is raised; if no size helps,
 * the service runs without the pawn (resets then look like end of file) and says so.
 *
 * The cost of a queued accept record (SIOCOUTQ counts kernel memory, not bytes) and the bytes that
 * fill an end completely are measured in the same way rather than assumed.
 */
#include "service/log.h"
#include "service/vsock.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PROOF_FIRST = 8 << 10, PROOF_LAST = 256 << 10, PROOF_SNDBUF_MAX = 4 * VSOCK_SNDBUF_MIN };

static bool pair_make(int pair[2], int sndbuf)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
		return false;
	}
	int half = sndbuf / 2; /* the kernel doubles what it is given */
	if (sndbuf > 0) {
		(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &half, sizeof half);
	}
	return true;
}

static void pair_close(const int pair[2])
{
	(void)close(pair[0]);
	(void)close(pair[1]);
}

/* Write `size` bytes in one go as a program would, leave one unread: is the writer writable? */
static bool proof_round(const int pair[2], size_t size)
{
	static uint8_t sink[64 << 10];
	static uint8_t source[PROOF_LAST];
	(void)send(pair[0], source, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	int queued = 0;
	if (ioctl(pair[1], FIONREAD, &queued) != 0 || queued < 2) {
		return false;
	}
	while (queued > 1) {
		size_t want = (size_t)queued - 1;
		ssize_t got = recv(pair[1], sink, want < sizeof sink ? want : sizeof sink, 0);
		if (got <= 0) {
			return false;
		}
		queued -= (int)got;
	}
	struct pollfd p = { .fd = pair[0], .events = POLLOUT };
	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

static bool proof(int sndbuf)
{
	int pair[2];
	if (!pair_make(pair, sndbuf)) {
		return false;
	}
	bool ok = true;
	for (size_t size = PROOF_FIRST; ok && size <= PROOF_LAST; size *= 2) {
		for (int i = 0; ok && i < 2; i++) { /* with another round's pawn, too */
			ok = proof_round(pair, size);
		}
	}
	pair_close(pair);
	return ok;
}

/* Kernel memory that one accept record holds while it waits. */
static unsigned record_cost(void)
{
	enum { LINUX_6_COST = 768 };
	int pair[2], queued = 0;
	if (!pair_make(pair, 0)) {
		return LINUX_6_COST;
	}
	struct rpc_accept record = { .magic = RPC_ACCEPT_MAGIC };
	if (rpc_send(pair[0], &record, sizeof record, &pair[1], 1, MSG_DONTWAIT) != 0 ||
	    ioctl(pair[0], SIOCOUTQ, &queued) != 0 || queued <= 0) {
		queued = LINUX_6_COST;
	}
	pair_close(pair);
	return (unsigned)queued;
}

static uint32_t prefill_bytes(int sndbuf)
{
	int pair[2];
	if (!pair_make(pair, sndbuf)) {
		return 1U << 20;
	}
	uint32_t filled = rpc_prefill(pair[0]);
	pair_close(pair);
	return filled + filled / 4;
}

static int default_sndbuf(void)
{
	int pair[2], value = 0;
	socklen_t length = sizeof value;
	if (!pair_make(pair, 0)) {
		return 0;
	}
	(void)getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, &length);
	pair_close(pair);
	return value;
}

const struct vsock_kernel *vsock_kernel(void)
{
	static struct vsock_kernel kernel;
	if (kernel.record_cost != 0) {
		return &kernel;
	}
	kernel.sndbuf = default_sndbuf() >= VSOCK_SNDBUF_MIN ? 0 : VSOCK_SNDBUF_MIN;
	kernel.has_pawn = proof(kernel.sndbuf);
	for (int size = 2 * VSOCK_SNDBUF_MIN; !kernel.has_pawn && size <= PROOF_SNDBUF_MAX;
	     size *= 2) {
		kernel.sndbuf = size;
		kernel.has_pawn = proof(size);
	}
	if (!kernel.has_pawn) {
		log_warn(
		    "vsock",
		    "this kernel starves a writer whose last byte is unread: connection resets "
		    "will look like end of file to programs; raise net.core.wmem_max");
	}
	kernel.prefill_max = prefill_bytes(kernel.sndbuf);
	kernel.record_cost = record_cost();
	return &kernel;
}
