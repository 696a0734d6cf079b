/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Addresses between the program's memory and ours, with the kernel's manners: a bad pointer is
 * EFAULT, never a crash, and a short buffer gets as much as fits and the full length.
 */
#include "intercept/intercept.h"

#include "rpc/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* rt_sigprocmask() with an impossible `how` reads the 8 bytes of the new mask, then fails: EFAULT
 * tells that they cannot be read, EINVAL that they can, and nothing is changed. 90 ns. */
static bool word_readable(uintptr_t at)
{
	at &= ~(uintptr_t)7; /* 0 would mean "no new mask" */
	return at != 0 && sys(SYS_rt_sigprocmask, -1, at, 0, 8) != -EFAULT;
}

bool addr_readable(const void *p, size_t length)
{
	uintptr_t first = (uintptr_t)p, last = first + length - 1;
	if (length == 0) {
		return true;
	}
	if (last < first || !word_readable(first)) {
		return false;
	}
	/* What we pass is smaller than a page: its two ends are all the pages there are. */
	return (first & ~(uintptr_t)7) == (last & ~(uintptr_t)7) || word_readable(last);
}

int addr_in(const struct sockaddr *sa, socklen_t length, struct rpc_addr *out)
{
	struct sockaddr_in in;
	if (length > sizeof(struct sockaddr_storage) || length < sizeof in) {
		return -EINVAL;
	}
	if (!addr_readable(sa, sizeof in)) {
		return -EFAULT;
	}
	memcpy(&in, sa, sizeof in);
	if (in.sin_family != AF_INET) {
		return -EAFNOSUPPORT;
	}
	*out = (struct rpc_addr){ .family = AF_INET, .port_be = in.sin_port };
	out->addr[10] = out->addr[11] = 0xff;
	memcpy(out->addr + 12, &in.sin_addr, 4);
	return 0;
}

int addr_out(const struct rpc_addr *in, struct sockaddr *sa, socklen_t *length)
{
	struct sockaddr_in out = { .sin_family = AF_INET, .sin_port = in->port_be };
	memcpy(&out.sin_addr, in->addr + 12, 4);
	if (!addr_readable(length, sizeof *length)) {
		return -EFAULT;
	}
	if ((int)*length < 0) {
		return -EINVAL;
	}
	size_t copied = *length < sizeof out ? *length : sizeof out;
	if (!addr_readable(sa, copied)) {
		return -EFAULT;
	}
	if (copied > 0) {
		memcpy(sa, &out, copied);
	}
	*length = sizeof out;
	return 0;
}
