/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What this kernel's socketpairs do, measured once when the first virtual host opens.
 *
 * How this works (decision S1)
 * The pawn, one byte that we never read while a connection lives, makes closing B a reset. But that
 * byte pins the whole kernel buffer it came in, and the program's end is writable only while a
 * quarter of its SO_SNDBUF is in use. So we write 8 to 256 KB through a pair, read all but the last
 * byte, and ask poll(): if the writer is not writable again, SO_SNDBUF is raised; if no size helps,
 * the service runs without the pawn (resets then look like end of file) and says so. sendfile() is
 * tried as well: its kernel buffers hold 16 pages each, twice as much as those of write().
 *
 * The cost of a queued accept record (SIOCOUTQ counts kernel memory, not bytes) and the bytes that
 * fill an end completely are measured in the same way rather than assumed.
 */
#include "service/log.h"
#include "service/vsock.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PROOF_FIRST = 8 << 10, PROOF_LAST = 256 << 10 };

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

/* Read all but one byte: is the writer writable? */
static bool is_writable_over_pawn(const int pair[2])
{
	static uint8_t sink[64 << 10];
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

/* Write `size` bytes in one go as a program would, or send them from a file. */
static bool proof_round(const int pair[2], int file, size_t size)
{
	static uint8_t source[PROOF_LAST];
	off_t at = 0;
	if (file >= 0) {
		(void)sendfile(pair[0], file, &at, size);
	} else {
		(void)send(pair[0], source, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return is_writable_over_pawn(pair);
}

static bool proof(int sndbuf, int file)
{
	int pair[2];
	if (!pair_make(pair, sndbuf)) {
		return false;
	}
	bool ok = true;
	for (size_t size = PROOF_FIRST; ok && size <= PROOF_LAST; size *= 2) {
		for (int i = 0; ok && i < 2; i++) { /* with another round's pawn, too */
			ok = proof_round(pair, -1, size) &&
			     (file < 0 || proof_round(pair, file, size));
		}
	}
	pair_close(pair);
	return ok;
}

/* The smallest SO_SNDBUF with which the proof holds, 0 if none. */
static int sndbuf_find(void)
{
	static const int sizes[] = { VSOCK_SNDBUF_MIN, VSOCK_SNDBUF_SPLICE, 2 * VSOCK_SNDBUF_MIN,
				     4 * VSOCK_SNDBUF_MIN };
	int file = memfd_create("netcon-proof", MFD_CLOEXEC);
	if (file >= 0 && ftruncate(file, PROOF_LAST) != 0) {
		(void)close(file);
		file = -1;
	}
	int found = 0;
	for (size_t i = 0; found == 0 && i < sizeof sizes / sizeof sizes[0]; i++) {
		found = proof(sizes[i], file) ? sizes[i] : 0;
	}
	if (file >= 0) {
		(void)close(file);
	}
	return found;
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

const struct vsock_kernel *vsock_kernel(void)
{
	static struct vsock_kernel kernel;
	if (kernel.record_cost != 0) {
		return &kernel;
	}
	kernel.sndbuf = sndbuf_find();
	kernel.has_pawn = kernel.sndbuf > 0;
	kernel.sndbuf = kernel.has_pawn ? kernel.sndbuf : VSOCK_SNDBUF_MIN;
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
