/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of libzerotierintercept.so share.
 *
 * The library is mapped into any program and called from anywhere: signal handlers, threads,
 * between vfork and exec, before main. So nothing here uses malloc, stdio, locks or thread-local
 * storage, what it asks the kernel it asks directly (rpc/sys.h), and internal functions return 0 or
 * -errno and leave errno alone; the exported functions set it, last.
 *
 * "A" is the program's descriptor, "B" the service's end of the same socketpair.
 */
#ifndef INTERCEPT_INTERCEPT_H
#define INTERCEPT_INTERCEPT_H

#include "intercept/real.h"
#include "rpc/rpc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- init.c: the settings -------------------------------------------------------------------- */

enum init_mode { MODE_UNKNOWN, MODE_OFF, MODE_ON };
extern enum init_mode init_mode;
/* A hook was called before our constructor. */
bool init_early(void);
/* Is ZT_NC_NETWORK set? First line of every hook: if not, call libc and nothing else. */
static inline bool on(void)
{
	return unlikely(init_mode != MODE_OFF) && (init_mode == MODE_ON || init_early());
}

enum { PATH_MAX_BYTES = 4096 };
enum { DNS_POLICY_BYTES = 8 };
extern char init_dns[DNS_POLICY_BYTES];   /* ZT_NC_DNS: "host", "file(s)", else the network's */
extern char init_network[PATH_MAX_BYTES]; /* absolute path of the control socket or its directory */

/* ---- hint.h: see there ----------------------------------------------------------------------- */

/* ---- ident.c: what a descriptor is ----------------------------------------------------------- */

enum who_state {
	WHO_UNNAMED,   /* B has no name yet: new, bound, connecting or failed */
	WHO_LISTENING, /* local is known */
	WHO_CONNECTED, /* local and remote are known */
};

struct who {
	enum who_state state;
	uint8_t kind; /* enum rpc_kind of A: stream, dgram or ping */
	uint8_t family;
	uint64_t id;
	struct rpc_addr local, remote;
};

/* Is this descriptor a virtual socket? One getsockname(). */
bool ident_is_ours(int fd);
/* A descriptor that came from elsewhere: set the hint of one whose messages are not the kernel's
 * (datagrams, netlink). One system call for any that is not ours. */
void ident_adopt(int fd);
/* One of ours whose other end another program holds, not the service? Two system calls at most. */
bool ident_is_short_cut(int fd);
/* Is it one that listens? One getpeername(): only the service's ends have such names. */
bool ident_is_listener(int fd);
/* The same, and what it is. Two system calls at most. */
bool ident_who(int fd, struct who *out);
/* If the hint says it may be ours: is it? Corrects a wrong hint. */
bool ident_hinted(int fd, struct who *out);
/* What poll() says of a descriptor right now, of POLLOUT, POLLHUP, POLLERR. */
int ident_poll(int fd);
/* An unnamed socket on which no connection attempt was made, or none is under way: TCP_CLOSE. */
bool ident_is_idle(int fd);

/* ---- addr.c: addresses of the program -------------------------------------------------------- */

/* In the page that is never mapped: NULL, and a member of what NULL points at. Costs nothing, so
 * also on the data path; the kernel says EFAULT then. */
static inline bool addr_is_null(const void *p)
{
	return (uintptr_t)p < 4096;
}
/* Can `length` bytes at `p` be read? (the kernel says EFAULT, we must not crash) */
bool addr_readable(const void *p, size_t length);
/* The program's sockaddr for a socket of `family`. -EFAULT, -EINVAL (too short), -EAFNOSUPPORT
 * (another family's). */
int addr_in(int family, const struct sockaddr *sa, socklen_t length, struct rpc_addr *out);
/* Copy out as the kernel does: cut off at *length, full length reported. -EFAULT, -EINVAL. */
int addr_out(const struct rpc_addr *in, struct sockaddr *sa, socklen_t *length);

/* ---- client.c: talking to the service -------------------------------------------------------- */

union client_reply {
	struct rpc_header h;
	struct rpc_addr_reply addr;
	struct rpc_socket_reply socket;
	struct rpc_option option;
	struct rpc_route_reply route;
};

/* The control connection, opened if need be. Descriptor or -errno (ENETDOWN: nobody is there). */
int client_fd(void);
/* Send a request (op and flags set, the rest of the header is filled in) about `a` (-1: none) and
 * wait for its reply. 0, -error of the reply, or -ENETDOWN and the like. `reply_fd` may be NULL;
 * else it holds O_CLOEXEC or 0, and gets the descriptor that came with the reply, or -1. */
int client_call(struct rpc_header *request, size_t length, int a, union client_reply *reply,
		int *reply_fd);
/* The first half: the descriptor on which the reply will arrive, or -errno. */
int client_start(struct rpc_header *request, size_t length, int a);
/* A received reply of `received` bytes (or its -errno) as a result: 0 or -errno. */
int client_verdict(const struct rpc_header *h, long received);
/* Keep the control connection for what comes after: proc.c. Its descriptor and cookie; false if
 * none. */
bool client_current(int *fd, uint64_t *cookie);
/* A control connection handed through exec (ZT_NC_CTL=fd:cookie). */
void client_adopt(const char *text);

/* ---- debug.c --------------------------------------------------------------------------------- */

/* ZT_NC_DEBUG and ZT_NC_EXPLAIN: 1 or a file; NULL, empty or 0: no. */
void debug_set(const char *failures, const char *everything);
extern bool debug_explains;
/* ZT_NC_EXPLAIN's lines: a call on a virtual socket (result or -errno), one that went to the host
 * (result, errno). */
void debug_explain(const char *call, int fd, int result);
void debug_host(const char *call, int fd, int result);
/* One line about a call that was refused or failed, if ZT_NC_DEBUG asks; addr may be NULL. */
void debug_failure(const char *call, int fd, int error, const struct rpc_addr *addr);
/* A name that was looked up; `error` NULL = found. With ZT_NC_EXPLAIN, failures with ZT_NC_DEBUG.
 */
void debug_name(const char *call, const char *name, const char *error);
/* An environment variable whose value is not understood, and what is done about it. */
void debug_setting(const char *name, const char *value, const char *problem);
/* Why there is no control connection. */
void debug_no_service(int error);

/* How every hook ends: result >= 0 as it is, else errno, a line on request, and -1. */
static inline int done(const char *call, int fd, int result)
{
	if (unlikely(debug_explains)) {
		debug_explain(call, fd, result);
	} else if (likely(result >= 0)) {
		return result;
	} else {
		debug_failure(call, fd, -result, NULL);
	}
	if (result >= 0) {
		return result;
	}
	errno = -result;
	return -1;
}
/* The same for what libc did, on a descriptor of the host. */
static inline int native(const char *call, int fd, int result)
{
	if (unlikely(debug_explains)) {
		debug_host(call, fd, result);
	}
	return result;
}

/* Functions of libc that this library replaces; exports.map lists them again. */
#define EXPORT __attribute__((visibility("default")))
/* Another exported name of a hook. */
#if defined(__has_attribute) && __has_attribute(copy)
#define ALIAS(name, hook)                                                                          \
	extern __typeof__(hook) name                                                               \
	    __attribute__((alias(#hook), copy(hook), visibility("default")))
#else
#define ALIAS(name, hook)                                                                          \
	extern __typeof__(hook) name __attribute__((alias(#hook), visibility("default")))
#endif

/* ---- between the files of hooks -------------------------------------------------------------- */

/* sock.c */
int sock_open(int family, int type, int protocol);
/* Lay a fresh virtual socket over `fd` (3.3 rule 5). */
int sock_replace(int fd, const struct who *who);
/* conn.c */
int conn_connect(int fd, const struct who *who, const struct sockaddr *sa, socklen_t length);
/* rest.c: accept() met the end of file: if the service died, make the listener silent. */
void rest_listener(int fd);
/* opt.c: the socket's pending error, cleared (0 = none), or -errno. */
int opt_take_error(int fd);

#endif
