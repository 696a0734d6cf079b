/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A listener whose service died (decision 063).
 *
 * How this works: its B is closed, so the kernel says "readable" for ever, and servers that poll()
 * and then accept() would use up a processor. No hook may sleep (S10), so the descriptor is laid to
 * rest: a silent one takes its place. That alone is not enough for epoll, which watches the open
 * file, not the number: while another process (nginx's master) holds the listener, its entry in
 * this process's epoll set lives on and cannot be removed any more, because the number now stands
 * for something else. So the entry goes first. Which descriptors are epoll sets nobody tells;
 * epoll_ctl() on each number does, at 0.1 us apiece, once per listener and process.
 */
#include "intercept/hint.h"
#include "intercept/intercept.h"

#include "rpc/sys.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/un.h>

enum { SETS_MAX = 16 };

/* A socket that is never readable and never hung up, named as a virtual socket that nobody knows:
 * every call on it says what a dead service's sockets say. Descriptor or -errno. */
static int silent_new(uint8_t family)
{
	struct rpc_ident ident = { .kind = RPC_KIND_STREAM, .family = family };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	socklen_t length = sizeof ident.id;
	long fd = sys(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return (int)fd;
	}
	(void)sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &ident.id, &length);
	size_t size = rpc_ident_write(&ident, bytes);
	memcpy(name.sun_path, bytes, size);
	(void)sys(SYS_bind, fd, &name, offsetof(struct sockaddr_un, sun_path) + size);
	return (int)fd;
}

/* Take `fd` out of every epoll set of this process. How many are in `sets`. */
static size_t epoll_forget(int fd, int sets[SETS_MAX])
{
	struct rlimit limit = { .rlim_cur = 1024 };
	struct epoll_event none = { 0 };
	size_t count = 0;
	(void)sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
	int end = limit.rlim_cur < HINT_MAX ? (int)limit.rlim_cur : HINT_MAX;
	for (int set = 0; set < end; set++) {
		if (sys(SYS_epoll_ctl, set, EPOLL_CTL_DEL, fd, &none) == 0 && count < SETS_MAX) {
			sets[count++] = set;
		}
	}
	return count;
}

/* If the program did not shut the listener down itself, and no service answers for it (none there,
 * another one, or one that refuses the user whom this process has become): in this process; others
 * that share it do the same when their accept() fails. */
void rest_listener(int fd)
{
	union client_reply reply;
	struct rpc_name m = { .h = { .op = RPC_NAME }, .which = RPC_NAME_LOCAL };
	if (hint_get(fd) == HINT_SHUT || client_call(&m.h, sizeof m, fd, &reply, NULL) == 0) {
		return;
	}
	long flags = sys(SYS_fcntl, fd, F_GETFD);
	struct who who;
	int silent = silent_new(ident_who(fd, &who) ? who.family : AF_INET), sets[SETS_MAX];
	if (silent < 0) {
		return;
	}
	size_t count = epoll_forget(fd, sets);
	(void)sys(SYS_dup3, silent, fd, flags > 0 ? O_CLOEXEC : 0);
	(void)sys(SYS_close, silent);
	hint_set(fd, HINT_FRESH);
	for (size_t i = 0; i < count; i++) { /* so that the program's own removal succeeds */
		struct epoll_event never = { .events = 0 };
		(void)sys(SYS_epoll_ctl, sets[i], EPOLL_CTL_ADD, fd, &never);
	}
}
