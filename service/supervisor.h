/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The process that was started stays, waits, and starts the successor when the service hands over
 * (decision 200). It knows no secret, parses nothing from outside and holds no socket but one to
 * the service, so it needs no sandbox, and can do what the service inside its sandbox cannot: exec.
 */
#ifndef SERVICE_SUPERVISOR_H
#define SERVICE_SUPERVISOR_H

#include <stdint.h>
#include <sys/types.h>

/* In the successor's environment: "FD,FD,PID", its end to the supervisor, its end to the
 * predecessor, the supervisor's pid. */
#define SUPERVISOR_ENV "ZT_NC_SUCCESSOR"

enum { SUPERVISOR_FD = 3, SUPERVISOR_HANDOVER_FD = 4 }; /* the successor's numbers */

/* One message between the two, SOCK_SEQPACKET. */
enum supervisor_op {
	SUPERVISOR_SPAWN = 1, /* service: start the program again; its hand-over end comes along */
	SUPERVISOR_SPAWNED,   /* answer; value: pid */
	SUPERVISOR_REFUSED,   /* answer; value: errno of the exec */
	SUPERVISOR_ENDED,     /* the successor ended before it took over; value: wait status */
	SUPERVISOR_COMMIT,    /* service: the successor has taken over. value: bits of signals (1 <<
				 number) that came too late for me and are for it */
	SUPERVISOR_ABANDON,   /* service: end the successor, it took too long */
	SUPERVISOR_STDIO,     /* service: my stdin and stderr come along, use them as well */
};

struct supervisor_message {
	uint32_t op;
	int32_t pad;
	int64_t value;
};

/* Fork: the caller goes on in the child, as the service, and gets its end to the supervisor; the
 * parent never returns, ends as the service ends and passes signals on to it. `close_fd` (-1 =
 * none) is closed in the parent. -errno. */
int supervisor_start(char *const argv[], int close_fd);

/* Is this process a successor? Then its ends, checked, close-on-exec set, and the variable gone. */
struct successor {
	int supervisor, handover;
};
int supervisor_successor(struct successor *out);

/* 0 or -errno. `fds` may be NULL. */
int supervisor_send(int fd, enum supervisor_op op, int64_t value, const int *fds, size_t count);
/* 0, -EAGAIN, or -EPIPE when the supervisor is gone; *fds (room for 2) -1 where none came. */
int supervisor_receive(int fd, struct supervisor_message *out, int fds[2]);

#endif
