/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* ioctl(): native, but for two kinds of request that a unix socket answers wrongly: the bytes still
 * to be sent, and questions about interfaces, which would be answered with those of the host.
 */
#include "intercept/dgram.h"
#include "intercept/hint.h"
#include "intercept/intercept.h"
#include "intercept/interfaces.h"
#include "intercept/netlink.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

enum { INTERFACES_FIRST = SIOCADDRT, INTERFACES_LAST = 0x89ff };

/* How much the peer has not acknowledged. `answer` holds what the kernel said of A. */
static void unsent(int fd, unsigned long request, int *answer)
{
	union client_reply reply;
	struct rpc_ioctl m = { .h = { .op = RPC_IOCTL }, .request = request };
	*answer = request == SIOCOUTQNSD ? 0 : *answer;
	if (client_call(&m.h, sizeof m, fd, &reply, NULL) == 0 &&
	    reply.option.value_length >= sizeof *answer) {
		memcpy(answer, reply.option.value, sizeof *answer);
	}
}

/* A unix socket would count records. The kernel is asked only where a hint says so. */
static bool is_listener(int fd)
{
	struct who who;
	return unlikely(hint_get(fd) == HINT_LISTEN) && ident_hinted(fd, &who) &&
	       who.state == WHO_LISTENING;
}

EXPORT int ioctl(int fd, ioctl_request given, ...)
{
	unsigned long request = (unsigned)given; /* all that the kernel looks at */
	va_list list;
	va_start(list, given);
	void *argument = va_arg(list, void *);
	va_end(list);
	if (!on()) {
		return real.ioctl(fd, request, argument);
	}
	if ((request == SIOCOUTQ || request == FIONREAD) && is_listener(fd)) {
		return done("ioctl", fd, -EINVAL);
	}
	if (request == SIOCOUTQNSD && ident_is_ours(fd)) {
		if (!addr_readable(argument, sizeof(int))) {
			return done("ioctl", fd, -EFAULT);
		}
		unsent(fd, request, argument);
		return 0;
	}
	if (request >= INTERFACES_FIRST && request <= INTERFACES_LAST &&
	    (netlink_hinted(fd) || ident_is_ours(fd))) {
		return done("ioctl", fd, ifreq_answer(request, argument));
	}
	int result = real.ioctl(fd, request, argument);
	if (request == FIONREAD && result == 0 && dgram_hinted(fd)) {
		int size = dgram_next_size(fd);
		memcpy(argument, &size, sizeof size);
	}
	if (request == SIOCOUTQ && result == 0 && !dgram_hinted(fd) && ident_is_ours(fd)) {
		unsent(fd, request, argument);
	}
	return result;
}
