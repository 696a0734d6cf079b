/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The virtual NETLINK_ROUTE socket: what netlink.h says, on a unix socket that talks to itself.
 *
 * Its name says what it is, and its port id, which getsockname() tells and answers carry: the
 * process id, as the kernel's first choice is, or another number if that name is taken. What is
 * set later (bound, groups, SOL_NETLINK's options) must be known in every process that holds the
 * socket, too, so the kernel keeps it: in SO_MAX_PACING_RATE, which means nothing to a unix socket.
 */
#include "intercept/netlink.h"

#include "intercept/host.h"

#include "rpc/sys.h"

#include <string.h>
#include <sys/un.h>

#ifndef SO_MAX_PACING_RATE
#define SO_MAX_PACING_RATE 47
#endif

enum {
	TYPE_MASK = 0xf,
	PAGE_BYTES = 4096,    /* the least that one look at addr_readable() is good for */
	REQUEST_BYTES = 8192, /* the longest send() that is answered */
	QUEUE_BYTES = 262144, /* SO_SNDBUF: of answers that were not read yet */
	GROUPS_AT = 8,        /* groups 1 to 24 */
	GROUPS_MASK = 0xffffff,
	PID_AT = 32, /* if it is another than the name's */
};

/* Bits of what the kernel keeps. */
enum {
	STATE_BOUND = 1,
	STATE_PKTINFO = 2,
	STATE_BROADCAST_ERROR = 4,
	STATE_NO_ENOBUFS = 8,
	STATE_CAPPED = 16,
	STATE_EXTENDED = 32,
	STATE_STRICT = 64,
	STATE_RAW = 128, /* socket() was asked for SOCK_RAW */
	STATE_BITS = (1 << GROUPS_AT) - 1,
};
#define STATE_UNKNOWN UINT64_MAX /* a kernel that does not keep it */

static bool is_host = true; /* netlink sockets are those of the host */

/* Only where nothing may reach the host anyway: elsewhere its interfaces are of use, too. */
void netlink_init(const char *setting)
{
	bool is_asked = setting && strcmp(setting, "host") == 0;
	if (setting && setting[0] != '\0' && !is_asked && strcmp(setting, "vn") != 0) {
		debug_setting("ZT_NC_NETLINK", setting,
			      "is unknown (vn, host): the network's interfaces are shown");
	}
	is_host = is_asked || host_policy != POLICY_ALL;
}

/* ---- what the kernel keeps ------------------------------------------------------------------- */

bool netlink_is(int fd, struct rpc_ident *out)
{
	struct sockaddr_un name = { .sun_family = AF_UNSPEC };
	socklen_t length = sizeof name;
	enum { HEAD = offsetof(struct sockaddr_un, sun_path) };
	bool is_ours = sys(SYS_getsockname, fd, &name, &length) >= 0 &&
		       name.sun_family == AF_UNIX && length > HEAD && length <= sizeof name &&
		       rpc_ident_read((const uint8_t *)name.sun_path, length - HEAD, out) &&
		       out->kind == RPC_KIND_NETLINK;
	if (is_ours || hint_get(fd) == HINT_NETLINK) {
		hint_set(fd, is_ours ? HINT_NETLINK : HINT_NONE);
	}
	return is_ours;
}

static uint64_t state_get(int fd)
{
	uint64_t state = 0;
	socklen_t length = sizeof state;
	long result = sys(SYS_getsockopt, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &state, &length);
	return result < 0 || length != sizeof state || state == STATE_UNKNOWN ? STATE_BOUND : state;
}

static void state_set(int fd, uint64_t state)
{
	(void)sys(SYS_setsockopt, fd, SOL_SOCKET, SO_MAX_PACING_RATE, &state, sizeof state);
}

static uint32_t pid_of(const struct rpc_ident *own, uint64_t state)
{
	uint32_t pid = (uint32_t)(state >> PID_AT);
	return pid != 0 ? pid : (uint32_t)own->id;
}

/* The first use gives a socket its port id. */
static uint64_t bound(int fd)
{
	uint64_t state = state_get(fd);
	if ((state & STATE_BOUND) == 0) {
		state |= STATE_BOUND;
		state_set(fd, state);
	}
	return state;
}

/* ---- socket() -------------------------------------------------------------------------------- */

bool netlink_wanted(int family, int type, int protocol)
{
	int plain = type & TYPE_MASK;
	return family == AF_NETLINK && protocol == NETLINK_ROUTE && !is_host &&
	       (plain == SOCK_RAW || plain == SOCK_DGRAM) &&
	       (type & ~(TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK)) == 0;
}

/* Name the socket and connect it to its name. 0 or -errno. */
static long name_take(int fd, uint32_t id)
{
	struct rpc_ident ident = { .kind = RPC_KIND_NETLINK, .family = AF_NETLINK, .id = id };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	uint8_t bytes[RPC_NAME_MAX_BYTES];
	size_t size = rpc_ident_write(&ident, bytes);
	memcpy(name.sun_path, bytes, size);
	size += offsetof(struct sockaddr_un, sun_path);
	long error = sys(SYS_bind, fd, &name, size);
	return error < 0 ? error : sys(SYS_connect, fd, &name, size);
}

int netlink_open(int type)
{
	enum { TAKEN_BIT = 1U << 31 };
	int fd = (int)sys(SYS_socket, AF_UNIX, SOCK_DGRAM | (type & ~TYPE_MASK), 0);
	uint64_t cookie = 0;
	socklen_t length = sizeof cookie;
	int queue = QUEUE_BYTES;
	if (fd < 0) {
		return fd;
	}
	long error = name_take(fd, (uint32_t)sys(SYS_getpid, 0));
	if (error == -EADDRINUSE) {
		(void)sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &length);
		error = name_take(fd, (uint32_t)cookie | TAKEN_BIT);
	}
	if (error < 0) {
		(void)sys(SYS_close, fd);
		return (int)error;
	}
	(void)sys(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &queue, sizeof queue);
	state_set(fd, (type & TYPE_MASK) == SOCK_RAW ? STATE_RAW : 0);
	hint_set(fd, HINT_NETLINK);
	return fd;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The program's address. 0 or -errno. */
static int address_in(const struct sockaddr *sa, socklen_t length, struct sockaddr_nl *out)
{
	if (length < sizeof *out) {
		return -EINVAL;
	}
	if (!addr_readable(sa, sizeof *out)) {
		return -EFAULT;
	}
	memcpy(out, sa, sizeof *out);
	return out->nl_family == AF_NETLINK ? 0 : -EINVAL;
}

/* The bytes fit a program's buffer as far as it goes. */
static void address_fill(uint32_t pid, uint32_t groups, void *out, size_t room)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = pid, .nl_groups = groups };
	memcpy(out, &name, room < sizeof name ? room : sizeof name);
}

int netlink_bind(int fd, const struct sockaddr *sa, socklen_t length)
{
	struct rpc_ident own;
	struct sockaddr_nl name;
	int error = address_in(sa, length, &name);
	if (error || !netlink_is(fd, &own)) {
		return error ? error : -EBADF;
	}
	uint64_t state = state_get(fd);
	if ((state & STATE_BOUND) && name.nl_pid != pid_of(&own, state)) {
		return -EINVAL;
	}
	uint64_t groups = (uint64_t)(name.nl_groups & GROUPS_MASK) << GROUPS_AT;
	uint64_t pid = name.nl_pid != (uint32_t)own.id ? name.nl_pid : 0;
	state &= STATE_BITS;
	state_set(fd, state | STATE_BOUND | groups | pid << PID_AT);
	return 0;
}

/* To the kernel, which it is anyway; other programs cannot be reached. */
int netlink_connect(int fd, const struct sockaddr *sa, socklen_t length)
{
	struct sockaddr_nl name;
	if (length < sizeof sa->sa_family) {
		return -EINVAL;
	}
	if (!addr_readable(sa, sizeof sa->sa_family)) {
		return -EFAULT;
	}
	if (sa->sa_family == AF_UNSPEC) {
		return 0;
	}
	int error = address_in(sa, length, &name);
	if (error) {
		return error;
	}
	if (name.nl_pid != 0 || name.nl_groups != 0) {
		return -EPERM;
	}
	(void)bound(fd);
	return 0;
}

int netlink_name(int fd, uint32_t which, struct sockaddr *sa, socklen_t *length)
{
	struct rpc_ident own;
	if (!addr_readable(length, sizeof *length)) {
		return -EFAULT;
	}
	if ((int)*length < 0) {
		return -EINVAL;
	}
	size_t room = *length < sizeof(struct sockaddr_nl) ? *length : sizeof(struct sockaddr_nl);
	if (!netlink_is(fd, &own)) {
		return -EBADF;
	}
	if (!addr_readable(sa, room)) {
		return -EFAULT;
	}
	uint64_t state = state_get(fd);
	bool is_told = which == RPC_NAME_LOCAL && (state & STATE_BOUND);
	if (room > 0) {
		address_fill(is_told ? pid_of(&own, state) : 0,
			     is_told ? (uint32_t)(state >> GROUPS_AT) & GROUPS_MASK : 0, sa, room);
	}
	*length = sizeof(struct sockaddr_nl);
	return 0;
}

/* ---- send ------------------------------------------------------------------------------------ */

static int answer_send(void *context, const void *bytes, size_t length)
{
	const int *fd = context;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	long n = sys(SYS_sendmsg, *fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* Nobody but the sender could make room. */
	return n == -EAGAIN ? -ENOBUFS : n < 0 ? (int)n : 0;
}

/* The program's bytes in one piece; how many, or -errno. */
static ssize_t gather(const struct msghdr *m, uint8_t out[REQUEST_BYTES])
{
	size_t length = 0;
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		const struct iovec *iov = &m->msg_iov[i];
		if (iov->iov_len > REQUEST_BYTES - length) {
			return -EMSGSIZE;
		}
		for (size_t at = 0; at < iov->iov_len; at += PAGE_BYTES) {
			const uint8_t *from = (const uint8_t *)iov->iov_base + at;
			size_t n = iov->iov_len - at < PAGE_BYTES ? iov->iov_len - at : PAGE_BYTES;
			if (!addr_readable(from, n)) {
				return -EFAULT;
			}
			memcpy(out + length + at, from, n);
		}
		length += iov->iov_len;
	}
	return (ssize_t)length;
}

/* In frames of their own: routes are seldom asked for, and stacks may be small. */
static int __attribute__((noinline))
answer_routes(struct nl_view *view, const uint8_t *bytes, size_t length, struct nl_out *out)
{
	struct rpc_managed_route routes[INTERFACES_ROUTES_MAX];
	view->route_count = interfaces_routes_ask(routes);
	view->routes = routes;
	nl_answer(view, bytes, length, out);
	return out->error;
}

static int __attribute__((noinline))
answer(int fd, uint32_t pid, uint64_t state, const uint8_t *bytes, size_t length)
{
	struct interfaces all;
	struct nl_view view = { .all = &all,
				.is_strict = (state & STATE_STRICT) != 0,
				.is_capped = (state & STATE_CAPPED) != 0 };
	struct nl_out out;
	(void)interfaces_ask(&all); /* without a service there is lo */
	out.send = answer_send;
	out.context = &fd;
	out.error = 0;
	out.pid = pid;
	out.length = 0;
	if (nl_wants_routes(bytes, length)) {
		return answer_routes(&view, bytes, length, &out);
	}
	nl_answer(&view, bytes, length, &out);
	return out.error;
}

ssize_t netlink_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct rpc_ident own;
	uint8_t bytes[REQUEST_BYTES];
	struct sockaddr_nl to = { .nl_pid = 0 };
	if (!netlink_is(fd, &own)) {
		ssize_t n = real.sendmsg(fd, m, flags); /* the hint was wrong */
		return n < 0 ? -errno : n;
	}
	if (flags & MSG_OOB) {
		return -EOPNOTSUPP;
	}
	int error =
	    m->msg_name && m->msg_namelen > 0 ? address_in(m->msg_name, m->msg_namelen, &to) : 0;
	if (error) {
		return error;
	}
	if (to.nl_pid != 0 || to.nl_groups != 0) {
		return -EPERM; /* to other programs, or as the kernel */
	}
	uint64_t state = bound(fd);
	ssize_t length = gather(m, bytes);
	if (length < 0) {
		return length;
	}
	error = answer(fd, pid_of(&own, state), state, bytes, (size_t)length);
	return error ? error : length;
}

/* ---- receive --------------------------------------------------------------------------------- */

/* The kernel speaks as process 0 of user 0. */
static void credentials_fix(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
		    c->cmsg_len >= CMSG_LEN(sizeof(struct ucred))) {
			memset(CMSG_DATA(c), 0, sizeof(struct ucred));
		}
	}
}

ssize_t netlink_recvmsg(int fd, struct msghdr *m, int flags)
{
	struct rpc_ident own;
	bool is_ours = netlink_is(fd, &own);
	if (is_ours && (flags & (MSG_ERRQUEUE | MSG_OOB))) {
		return flags & MSG_OOB ? -EOPNOTSUPP : -EAGAIN;
	}
	size_t room = m->msg_namelen;
	ssize_t n = real.recvmsg(fd, m, flags);
	if (n < 0 || !is_ours) {
		return n < 0 ? -errno : n;
	}
	if (m->msg_name) {
		address_fill(0, 0, m->msg_name, room);
		m->msg_namelen = sizeof(struct sockaddr_nl);
	}
	if (m->msg_controllen > 0) {
		credentials_fix(m);
	}
	return n;
}

/* ---- options --------------------------------------------------------------------------------- */

/* Where the kernel keeps an option that is on or off; 0: not one of those. */
static uint64_t option_bit(int name)
{
	switch (name) {
	case NETLINK_PKTINFO:
		return STATE_PKTINFO;
	case NETLINK_BROADCAST_ERROR:
		return STATE_BROADCAST_ERROR;
	case NETLINK_NO_ENOBUFS:
		return STATE_NO_ENOBUFS;
	case NETLINK_CAP_ACK:
		return STATE_CAPPED;
	case NETLINK_EXT_ACK:
		return STATE_EXTENDED;
	case NETLINK_GET_STRICT_CHK:
		return STATE_STRICT;
	default:
		return 0;
	}
}

/* Groups beyond those that are kept are accepted, too: nothing comes of any. */
static int group_set(int fd, int name, unsigned group)
{
	enum { GROUPS = 24, GROUP_LAST = RTNLGRP_MAX };
	if (group == 0 || group > GROUP_LAST) {
		return -EINVAL;
	}
	uint64_t bit = group <= GROUPS ? (uint64_t)1 << (GROUPS_AT + group - 1) : 0;
	uint64_t state = state_get(fd);
	state_set(fd, name == NETLINK_ADD_MEMBERSHIP ? state | bit : state & ~bit);
	return 0;
}

static int set_netlink(int fd, int name, const void *value, socklen_t length)
{
	uint32_t number = 0;
	uint64_t bit = option_bit(name);
	bool is_group = name == NETLINK_ADD_MEMBERSHIP || name == NETLINK_DROP_MEMBERSHIP;
	if (length >= sizeof number) { /* else it is 0 */
		if (!addr_readable(value, sizeof number)) {
			return -EFAULT;
		}
		memcpy(&number, value, sizeof number);
	}
	if (name == NETLINK_LISTEN_ALL_NSID) {
		return -EPERM;
	}
	if (is_group) {
		return group_set(fd, name, number);
	}
	if (bit == 0) {
		return -ENOPROTOOPT;
	}
	uint64_t state = state_get(fd);
	state_set(fd, number ? state | bit : state & ~bit);
	return 0;
}

/* What answers need stays: a socket with little room could not be told all its addresses. */
int netlink_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	if (level == SOL_NETLINK) {
		return set_netlink(fd, name, value, length);
	}
	if (level != SOL_SOCKET) {
		return -ENOPROTOOPT;
	}
	if (name == SO_SNDBUF || name == SO_SNDBUFFORCE || name == SO_MAX_PACING_RATE) {
		return length < sizeof(int) ? -EINVAL : 0;
	}
	return real.setsockopt(fd, level, name, value, length) == 0 ? 0 : -errno;
}

static int int_out(int number, void *value, socklen_t *length)
{
	if (!addr_readable(length, sizeof *length)) {
		return -EFAULT;
	}
	if ((int)*length < 0) {
		return -EINVAL;
	}
	size_t copied = *length < sizeof number ? *length : sizeof number;
	if (!addr_readable(value, copied)) {
		return -EFAULT;
	}
	if (copied > 0) {
		memcpy(value, &number, copied);
	}
	*length = (socklen_t)copied;
	return 0;
}

/* One bit for each group, in words of 32; as much as there is room for, and how much there is. */
static int groups_out(int fd, uint8_t *value, socklen_t *length)
{
	uint32_t words[(RTNLGRP_MAX + 31) / 32] = { 0 };
	if (!addr_readable(length, sizeof *length)) {
		return -EFAULT;
	}
	if ((int)*length < 0) {
		return -EINVAL;
	}
	words[0] = (uint32_t)(state_get(fd) >> GROUPS_AT) & GROUPS_MASK;
	size_t room = *length - *length % sizeof *words;
	size_t copied = room < sizeof words ? room : sizeof words;
	if (!addr_readable(value, copied)) {
		return -EFAULT;
	}
	if (copied > 0) {
		memcpy(value, words, copied);
	}
	*length = sizeof words;
	return 0;
}

int netlink_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	if (level == SOL_NETLINK && name == NETLINK_LIST_MEMBERSHIPS) {
		return groups_out(fd, value, length);
	}
	if (level == SOL_NETLINK) {
		uint64_t bit = option_bit(name);
		return bit ? int_out((state_get(fd) & bit) != 0, value, length) : -ENOPROTOOPT;
	}
	if (level != SOL_SOCKET) {
		return -ENOPROTOOPT;
	}
	switch (name) {
	case SO_DOMAIN:
		return int_out(AF_NETLINK, value, length);
	case SO_PROTOCOL:
		return int_out(NETLINK_ROUTE, value, length);
	case SO_TYPE:
		return int_out(state_get(fd) & STATE_RAW ? SOCK_RAW : SOCK_DGRAM, value, length);
	default:
		return real.getsockopt(fd, level, name, value, length) == 0 ? 0 : -errno;
	}
}
