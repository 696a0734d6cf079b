/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Datagram sockets in the library (spec/intercept.md 3.5, decision 175): private to dgram*.c and
 * the hooks that lead there.
 *
 * How this works
 * A UDP or ping socket is a SOCK_SEQPACKET pair; each message that crosses it is one datagram, with
 * a header (rpc/dgram.h) or, on a connected socket, without. Every message says by itself which of
 * the two it is, so nothing has to be remembered or agreed upon: the hint of a descriptor only
 * decides where the header is expected (before the program's buffers, or behind them in room of our
 * own), and what came the other way round is moved.
 */
#ifndef INTERCEPT_DGRAM_H
#define INTERCEPT_DGRAM_H

#include "intercept/hint.h"
#include "intercept/intercept.h"
#include "rpc/dgram.h"

#include <poll.h>
#include <sys/uio.h>

/* The one load that a data call on any other descriptor pays. */
static inline bool dgram_hinted(int fd)
{
	return unlikely(hint_get(fd) >= HINT_DGRAM);
}

/* Is it a datagram socket of ours, whatever the hint says? Sets the hint. */
bool dgram_is(int fd, struct who *out);

/* dgram_send.c: results are lengths or -errno. */
ssize_t dgram_sendmsg(int fd, const struct msghdr *m, int flags);
int dgram_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags);

/* dgram_recv.c */
ssize_t dgram_recvmsg(int fd, struct msghdr *m, int flags);
int dgram_recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags, struct timespec *timeout);
/* Bytes of the datagram that is next, as FIONREAD says. */
int dgram_next_size(int fd);

/* dgram_cmsg.c: ancillary data. */
/* What the program asked for with this datagram. 0 or -errno. */
int dgram_control_in(const struct msghdr *m, int family, struct rpc_dgram *head);
/* Fill in the program's control buffer; sets MSG_CTRUNC in m->msg_flags if it is too small. */
void dgram_control_out(struct msghdr *m, size_t room, const struct rpc_dgram *head,
		       const struct msghdr *native);

/* dgram_conn.c: 0 or -errno */
int dgram_connect(int fd, const struct who *who, const struct sockaddr *sa, socklen_t length);
int dgram_name(int fd, const struct who *who, uint32_t which, struct sockaddr *sa,
	       socklen_t *length);

#endif
