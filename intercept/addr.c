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

/* Just above our own frame: a variable of our caller's, or of its. Most arguments are, and the
 * stack there is mapped beyond doubt. */
static bool is_on_stack(uintptr_t first, uintptr_t last)
{
	enum { NEAR_BYTES = 2048 };
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	return first >= here && last >= first && last - here < NEAR_BYTES;
}

bool addr_readable(const void *p, size_t length)
{
	uintptr_t first = (uintptr_t)p, last = first + length - 1;
	if (length == 0 || likely(is_on_stack(first, last))) {
		return true;
	}
	if (last < first || !word_readable(first)) {
		return false;
	}
	/* What we pass is smaller than a page: its two ends are all the pages there are. */
	return (first & ~(uintptr_t)7) == (last & ~(uintptr_t)7) || word_readable(last);
}

static int in_v4(const struct sockaddr *sa, socklen_t length, struct rpc_addr *out)
{
	struct sockaddr_in in;
	if (!addr_readable(sa, length < sizeof in ? length : sizeof in)) {
		return -EFAULT;
	}
	if (length < sizeof in) {
		return -EINVAL;
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

static int in_v6(const struct sockaddr *sa, socklen_t length, struct rpc_addr *out)
{
	enum { WITHOUT_SCOPE = offsetof(struct sockaddr_in6, sin6_scope_id) }; /* RFC 2133 */
	struct sockaddr_in6 in = { .sin6_scope_id = 0 };
	size_t size = length < sizeof in ? WITHOUT_SCOPE : sizeof in;
	if (!addr_readable(sa, length < size ? length : size)) {
		return -EFAULT;
	}
	if (length < WITHOUT_SCOPE) {
		return -EINVAL;
	}
	memcpy(&in, sa, size);
	if (in.sin6_family != AF_INET6) {
		return -EAFNOSUPPORT;
	}
	*out = (struct rpc_addr){ .family = AF_INET6,
				  .port_be = in.sin6_port,
				  .scope = in.sin6_scope_id };
	memcpy(out->addr, &in.sin6_addr, sizeof out->addr);
	return 0;
}

int addr_in(int family, const struct sockaddr *sa, socklen_t length, struct rpc_addr *out)
{
	if (length > sizeof(struct sockaddr_storage)) {
		return -EINVAL;
	}
	return family == AF_INET6 ? in_v6(sa, length, out) : in_v4(sa, length, out);
}

/* As the program's socket sees it: the family of `in`. Returns its size. */
static size_t name_write(const struct rpc_addr *in, struct sockaddr_storage *out)
{
	if (in->family == AF_INET6) {
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = in->port_be };
		memcpy(&v6.sin6_addr, in->addr, sizeof v6.sin6_addr);
		v6.sin6_scope_id = rpc_is_link_local(in) ? in->scope : 0;
		memcpy(out, &v6, sizeof v6);
		return sizeof v6;
	}
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = in->port_be };
	memcpy(&v4.sin_addr, in->addr + 12, 4);
	memcpy(out, &v4, sizeof v4);
	return sizeof v4;
}

int addr_out(const struct rpc_addr *in, struct sockaddr *sa, socklen_t *length)
{
	struct sockaddr_storage out;
	size_t size = name_write(in, &out);
	if (!addr_readable(length, sizeof *length)) {
		return -EFAULT;
	}
	if ((int)*length < 0) {
		return -EINVAL;
	}
	size_t copied = *length < size ? *length : size;
	if (!addr_readable(sa, copied)) {
		return -EFAULT;
	}
	if (copied > 0) {
		memcpy(sa, &out, copied);
	}
	*length = (socklen_t)size;
	return 0;
}
