/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* getsockopt(), setsockopt() (spec/intercept.md 3.6).
 *
 * How this works: what the kernel's unix socket does rightly stays with it. The rest is kept by the
 * service. What is out of Linux's range is refused here; what this file does not know is asked of
 * the service, and unknown there is ENOPROTOOPT, never a silent 0. Setting waits for the answer: a
 * message under way holds a copy of A, and the program may close A next (rpc.h).
 *
 * SO_SNDBUF never reaches A's kernel buffer: the fill of a connect and the unread byte that makes a
 * reset possible need their room (decision S1).
 */
#include "intercept/dgram.h"
#include "intercept/epipe.h"
#include "intercept/hint.h"
#include "intercept/intercept.h"
#include "intercept/netlink.h"

#include "rpc/sys.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>

/* Newer than the headers of the oldest system we build on. */
enum { OPT_PASSPIDFD = 76, OPT_PEERPIDFD = 77 };

/* ---- what is done with an option of SOL_SOCKET ------------------------------------------------
 */

enum rule {
	RULE_NATIVE,   /* the kernel's business alone */
	RULE_BOTH,     /* set natively (and read there), and the service is told */
	RULE_ACCEPT,   /* the same, but only of what may listen: accept() hands it down */
	RULE_SERVICE,  /* kept by the service */
	RULE_IGNORE,   /* accepted without effect, reads 0 */
	RULE_UNKNOWN,  /* ENOPROTOOPT */
	RULE_NO_DATA,  /* the same, but ENODATA when read */
	RULE_NO_ENTRY, /* ... and ENOENT when set */
	RULE_FIX,      /* read natively, then corrected */
	RULE_DEVICE,   /* SO_BINDTODEVICE */
};

static enum rule socket_rule(int name)
{
	switch (name) {
	case SO_REUSEADDR:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_LINGER:
	case SO_OOBINLINE:
		return RULE_BOTH;
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
	case SO_RCVLOWAT:
		return RULE_ACCEPT;
	case SO_REUSEPORT:
	case SO_RXQ_OVFL:
	case SO_SNDBUF:
	case SO_RCVBUF:
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
	case SO_MARK:
	case SO_PRIORITY:
		return RULE_SERVICE;
	case SO_PASSCRED: /* credentials would arrive as control messages a TCP program never saw */
	case SO_PASSSEC:
	case OPT_PASSPIDFD:
	case SO_ATTACH_FILTER: /* would filter the stream's pieces */
	case SO_BUSY_POLL:
		return RULE_IGNORE;
	case SO_ATTACH_BPF:
	case SO_ATTACH_REUSEPORT_CBPF:
	case SO_ATTACH_REUSEPORT_EBPF:
	case SO_DETACH_REUSEPORT_BPF:
	case SO_LOCK_FILTER:
	case SO_TXTIME:
	case SO_TIMESTAMPING:
	case SO_PEERSEC:
	case SO_PEERNAME:
	case OPT_PEERPIDFD:
		return RULE_UNKNOWN;
	case SO_PEERGROUPS:
		return RULE_NO_DATA;
	case SO_DETACH_FILTER:
		return RULE_NO_ENTRY;
	case SO_ERROR:
	case SO_TYPE:
	case SO_DOMAIN:
	case SO_PROTOCOL:
	case SO_ACCEPTCONN:
	case SO_PEERCRED:
		return RULE_FIX;
	case SO_BINDTODEVICE:
		return RULE_DEVICE;
	default:
		return RULE_NATIVE;
	}
}

/* ---- options above the socket: ranges as Linux ------------------------------------------------
 */

struct range {
	int16_t level, name;
	int32_t min, max;
};

static const struct range ranges[] = {
	{ IPPROTO_TCP, TCP_NODELAY, INT_MIN, INT_MAX },
	{ IPPROTO_TCP, TCP_CORK, INT_MIN, INT_MAX },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 1, 32767 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 1, 32767 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 1, 127 },
	{ IPPROTO_TCP, TCP_SYNCNT, 1, 127 },
	{ IPPROTO_TCP, TCP_LINGER2, INT_MIN, INT_MAX },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, INT_MIN, INT_MAX },
	{ IPPROTO_TCP, TCP_QUICKACK, INT_MIN, INT_MAX },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 0, INT_MAX },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, INT_MIN, INT_MAX },
	{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 0, 1 },
	{ IPPROTO_TCP, TCP_THIN_DUPACK, 0, 1 },
	{ IPPROTO_IP, IP_TOS, INT_MIN, INT_MAX },
	{ IPPROTO_IP, IP_MTU_DISCOVER, 0, 5 },
	{ IPPROTO_IP, IP_FREEBIND, INT_MIN, INT_MAX },
};

static const struct range *range_find(int level, int name)
{
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		if (ranges[i].level == level && ranges[i].name == name) {
			return &ranges[i];
		}
	}
	return NULL;
}

/* ---- messages -------------------------------------------------------------------------------- */

static size_t message_fill(struct rpc_option *m, uint16_t op, int level, int name)
{
	memset(m, 0, offsetof(struct rpc_option, value));
	m->h.op = op;
	m->level = level;
	m->name = name;
	return offsetof(struct rpc_option, value);
}

/* A connection that has ended, and of which the service has forgotten the options. On Linux they
 * are still there, and programs do set them between a reset and their noticing it. */
static bool is_over(int fd)
{
	struct who who;
	return ident_who(fd, &who) && who.state == WHO_CONNECTED && (ident_poll(fd) & POLLHUP);
}

static int option_send(int fd, int level, int name, const void *value, size_t length)
{
	struct rpc_option m;
	union client_reply reply;
	size_t head = message_fill(&m, RPC_SETOPT, level, name);
	if (length > sizeof m.value) {
		return -EINVAL;
	}
	if (!addr_readable(value, length)) {
		return -EFAULT;
	}
	m.value_length = (uint32_t)length;
	if (length > 0) {
		memcpy(m.value, value, length);
	}
	int error = client_call(&m.h, head + length, fd, &reply, NULL);
	return error == -ENETDOWN && is_over(fd) ? 0 : error;
}

/* As the kernel writes an option out: cut off, actual length reported. */
static int value_out(const void *from, size_t size, void *value, socklen_t *length)
{
	if (!addr_readable(length, sizeof *length)) {
		return -EFAULT;
	}
	if ((int)*length < 0) {
		return -EINVAL;
	}
	size_t copied = *length < size ? *length : size;
	if (!addr_readable(value, copied)) {
		return -EFAULT;
	}
	if (copied > 0) {
		memcpy(value, from, copied);
	}
	*length = (socklen_t)copied;
	return 0;
}

static int option_of_the_past(int level, int name, void *value, socklen_t *length)
{
	static const int zero;
	if (level == IPPROTO_TCP && name == TCP_INFO) {
		struct tcp_info info = { .tcpi_state = TCP_CLOSE };
		return value_out(&info, sizeof info, value, length);
	}
	return value_out(&zero, sizeof zero, value, length);
}

static int option_ask(int fd, int level, int name, void *value, socklen_t *length)
{
	struct rpc_option m;
	union client_reply reply;
	size_t head = message_fill(&m, RPC_GETOPT, level, name);
	if (!addr_readable(length, sizeof *length)) {
		return -EFAULT;
	}
	if ((int)*length < 0) {
		return -EINVAL;
	}
	m.value_length = *length < sizeof m.value ? *length : sizeof m.value;
	int error = client_call(&m.h, head, fd, &reply, NULL);
	if (error == -ENETDOWN && is_over(fd)) {
		return option_of_the_past(level, name, value, length);
	}
	if (error) {
		return error;
	}
	if (reply.option.value_length > sizeof reply.option.value ||
	    reply.h.length < head + reply.option.value_length) {
		return -EPROTO;
	}
	return value_out(reply.option.value, reply.option.value_length, value, length);
}

int opt_take_error(int fd)
{
	union client_reply reply;
	struct rpc_header m = { .op = RPC_SOERROR };
	int error = client_call(&m, sizeof m, fd, &reply, NULL);
	return error == -ENETDOWN ? error : -error;
}

/* ---- setsockopt ------------------------------------------------------------------------------ */

/* An int, or for IPPROTO_IP a single byte. */
static int value_in(int level, const void *value, socklen_t length, int *out)
{
	uint8_t byte;
	bool is_byte = level == IPPROTO_IP && length >= 1 && length < sizeof *out;
	if (!is_byte && length < sizeof *out) {
		return -EINVAL;
	}
	if (!addr_readable(value, is_byte ? 1 : sizeof *out)) {
		return -EFAULT;
	}
	memcpy(is_byte ? (void *)&byte : out, value, is_byte ? 1 : sizeof *out);
	*out = is_byte ? byte : *out;
	return 0;
}

/* An AF_INET6 socket has the options of both. */
static bool has_level(const struct who *who, int level)
{
	bool is_tcp = level == IPPROTO_TCP && who->kind == RPC_KIND_STREAM;
	return is_tcp || level == IPPROTO_IP || (level == IPPROTO_IPV6 && who->family == AF_INET6);
}

static int set_upper(int fd, const struct who *who, int level, int name, const void *value,
		     socklen_t length)
{
	int number;
	if ((int)length < 0) {
		return -EINVAL;
	}
	if (level == IPPROTO_IP && name == IP_OPTIONS) {
		return length == 0 ? 0 : -EPERM;
	}
	if (level == IPPROTO_TCP && name == TCP_ULP && has_level(who, level)) {
		return -ENOENT; /* OpenSSL then does without kernel TLS */
	}
	if (!has_level(who, level)) {
		return -ENOPROTOOPT;
	}
	const struct range *range = range_find(level, name);
	if (!range) {
		return option_send(fd, level, name, value, length);
	}
	int error = value_in(level, value, length, &number);
	if (error) {
		return error;
	}
	if (number < range->min || number > range->max) {
		return -EINVAL;
	}
	return option_send(fd, level, name, &number, sizeof number);
}

static int set_device(const void *value, socklen_t length)
{
	char name[IFNAMSIZ] = "";
	size_t size = length < sizeof name - 1 ? length : sizeof name - 1;
	if (!addr_readable(value, size)) {
		return -EFAULT;
	}
	if (size > 0) {
		memcpy(name, value, size);
	}
	return name[0] == '\0' || strcmp(name, "lo") == 0 ? 0 : -ENODEV;
}

/* An option of SOL_SOCKET on ours that must not reach the kernel. */
static int set_socket(int fd, int name, enum rule rule, const void *value, socklen_t length)
{
	int number;
	switch (rule) {
	case RULE_UNKNOWN:
	case RULE_NO_DATA:
		return -ENOPROTOOPT;
	case RULE_NO_ENTRY:
		return -ENOENT;
	case RULE_DEVICE:
		return set_device(value, length);
	case RULE_IGNORE:
		return 0;
	default:
		break;
	}
	int error = value_in(SOL_SOCKET, value, length, &number);
	return error ? error : option_send(fd, SOL_SOCKET, name, &number, sizeof number);
}

/* Set natively, then tell the service. It is no failure of the call if that does not arrive. */
static int set_both(int fd, int name, const void *value, socklen_t length)
{
	int result = real.setsockopt(fd, SOL_SOCKET, name, value, length);
	if (result == 0 && ident_is_ours(fd)) {
		size_t size = name == SO_LINGER                            ? sizeof(struct linger)
			      : name == SO_RCVTIMEO || name == SO_SNDTIMEO ? sizeof(struct timeval)
									   : sizeof(int);
		(void)option_send(fd, SOL_SOCKET, name, value, size);
	}
	return result;
}

/* Only what is new or listens can hand an option down; for the others the kernel is enough. */
static int set_accept(int fd, int name, const void *value, socklen_t length)
{
	enum hint hint = hint_get(fd);
	return hint == HINT_FRESH || hint == HINT_LISTEN
		   ? set_both(fd, name, value, length)
		   : real.setsockopt(fd, SOL_SOCKET, name, value, length);
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	if (!on()) {
		return real.setsockopt(fd, level, name, value, length);
	}
	if (netlink_hinted(fd)) {
		return done("setsockopt", fd, netlink_setsockopt(fd, level, name, value, length));
	}
	if (level == SOL_SOCKET) {
		enum rule rule = socket_rule(name);
		if (rule == RULE_BOTH) {
			return set_both(fd, name, value, length);
		}
		if (rule == RULE_ACCEPT) {
			return set_accept(fd, name, value, length);
		}
		if (rule == RULE_NATIVE || rule == RULE_FIX || !ident_is_ours(fd)) {
			return real.setsockopt(fd, level, name, value, length);
		}
		return done("setsockopt", fd, set_socket(fd, name, rule, value, length));
	}
	struct who who;
	if (!ident_hinted(fd, &who)) {
		int result = real.setsockopt(fd, level, name, value, length);
		if (result == 0 || errno != EOPNOTSUPP || !ident_who(fd, &who)) {
			return result;
		}
	}
	return done("setsockopt", fd, set_upper(fd, &who, level, name, value, length));
}

/* ---- getsockopt ------------------------------------------------------------------------------ */

static int get_upper(int fd, const struct who *who, int level, int name, void *value,
		     socklen_t *length)
{
	if (level == IPPROTO_IP && name == IP_OPTIONS) {
		return value_out("", 0, value, length); /* sshd hangs up on anything longer */
	}
	if (level == IPPROTO_TCP && name == TCP_ULP && has_level(who, level)) {
		return value_out("", 0, value, length);
	}
	if (!has_level(who, level)) {
		return who->family == AF_INET ? -EOPNOTSUPP : -ENOPROTOOPT; /* as Linux has it */
	}
	return option_ask(fd, level, name, value, length);
}

static int get_socket(int fd, int name, enum rule rule, void *value, socklen_t *length)
{
	static const int zero;
	switch (rule) {
	case RULE_SERVICE:
		return option_ask(fd, SOL_SOCKET, name, value, length);
	case RULE_IGNORE:
		return value_out(&zero, sizeof zero, value, length);
	case RULE_NO_DATA:
		return -ENODATA;
	case RULE_DEVICE:
		return value_out("", 0, value, length);
	default:
		return -ENOPROTOOPT;
	}
}

static int protocol_of(const struct who *who)
{
	if (who->kind == RPC_KIND_PING) {
		return who->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	}
	return who->kind == RPC_KIND_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;
}

/* What the kernel said of A (valid pointers, *length written) becomes what it would say of TCP. */
static void get_fix(int fd, int name, void *value, const socklen_t *length)
{
	struct who who;
	int native = 0;
	memcpy(&native, value, *length < sizeof native ? *length : sizeof native);
	bool is_right = (name == SO_TYPE && native != SOCK_SEQPACKET) ||
			(name == SO_ERROR && native != ECONNRESET && !dgram_hinted(fd));
	if (is_right || !ident_who(fd, &who)) {
		return;
	}
	if (name == SO_PEERCRED) {
		/* Else programs could grant rights to the service's user. */
		const struct ucred nobody = { .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };
		memcpy(value, &nobody, *length < sizeof nobody ? *length : sizeof nobody);
		return;
	}
	int fixed = native;
	if (name == SO_ERROR) {
		int error = opt_take_error(fd);
		fixed = error > 0 ? error : native;
		if (native == ECONNRESET) {
			epipe_reset_told(fd);
		}
	} else if (name == SO_DOMAIN) {
		fixed = who.family;
	} else if (name == SO_PROTOCOL) {
		fixed = protocol_of(&who);
	} else if (name == SO_TYPE) {
		fixed = who.kind == RPC_KIND_STREAM ? native : SOCK_DGRAM;
	} else if (name == SO_ACCEPTCONN) {
		fixed = who.state == WHO_LISTENING && hint_get(fd) != HINT_SHUT;
	}
	memcpy(value, &fixed, *length < sizeof fixed ? *length : sizeof fixed);
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	if (!on()) {
		return real.getsockopt(fd, level, name, value, length);
	}
	if (netlink_hinted(fd)) {
		return done("getsockopt", fd, netlink_getsockopt(fd, level, name, value, length));
	}
	if (level == SOL_SOCKET) {
		enum rule rule = socket_rule(name);
		if (rule == RULE_NATIVE || rule == RULE_BOTH || rule == RULE_ACCEPT) {
			return real.getsockopt(fd, level, name, value, length);
		}
		if (rule == RULE_FIX || !ident_is_ours(fd)) {
			int result = real.getsockopt(fd, level, name, value, length);
			if (result == 0 && rule == RULE_FIX) {
				get_fix(fd, name, value, length);
			}
			return result;
		}
		return done("getsockopt", fd, get_socket(fd, name, rule, value, length));
	}
	struct who who;
	if (!ident_hinted(fd, &who)) {
		int result = real.getsockopt(fd, level, name, value, length);
		if (result == 0 || errno != EOPNOTSUPP || !ident_who(fd, &who)) {
			return result;
		}
	}
	return done("getsockopt", fd, get_upper(fd, &who, level, name, value, length));
}
