/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The differential test of the interceptor: what its cases may use.
 *
 * How this works: each case is a small function that makes socket calls and prints every result by
 * name, never by number. It runs twice, on the kernel's own network and under interception, and the
 * two outputs must be equal (compare.py). The other end of its connections is the peer, a process
 * of its own that obeys commands over a unix socket: natively in another network namespace, under
 * interception on another virtual host ("cross"); or on the same one ("local": loopback, short
 * cut).
 *
 * A case has a process, a fixed range of ports and a deadline of its own. It may leave descriptors
 * open. It must not print what depends on time or on the machine.
 */
#ifndef TESTS_SHIM_H
#define TESTS_SHIM_H

#include "tests/shim/libc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct shim_env {
	int family;          /* AF_INET or AF_INET6 */
	bool is_local;       /* the peer is on the same host */
	const char *me;      /* our address, text */
	const char *peer;    /* the peer's */
	const char *control; /* path of the peer's socket */
	const char *program; /* this program, for cases that exec it */
	int port;            /* first of ten ports of the running case */
};
extern struct shim_env env;

/* ---- cases ----------------------------------------------------------------------------------- */

enum case_kind {
	CASE_TCP,  /* for each family, cross and local */
	CASE_UDP,  /* the same */
	CASE_ONCE, /* needs no peer and no address: once, IPv4, local */
};
void case_add(enum case_kind kind, const char *name, void (*run)(void));

#define CASE(kind, name)                                                                           \
	static void case_##name(void);                                                             \
	__attribute__((constructor)) static void add_##name(void)                                  \
	{                                                                                          \
		case_add(kind, #name, case_##name);                                                \
	}                                                                                          \
	static void case_##name(void)

/* ---- printing: "label: result" --------------------------------------------------------------- */

/* A call's result; if negative with errno's name. */
void show(const char *label, long result);
/* "fd" or the error. Returns it. */
int show_fd(const char *label, int fd);
void show_errno(const char *label, int error);
void show_mask(const char *label, int poll_mask);
void show_text(const char *label, const char *text);
void show_int(const char *label, long value);
/* An address by role: me, peer, any, loopback; the port as p0..p9 of the case, "eph" or 0. */
void show_address(const char *label, long result, const struct sockaddr_storage *sa,
		  socklen_t length);
/* getsockname() and getpeername(). */
void show_names(const char *label, int fd);
/* getsockopt of an int. */
void show_option(const char *label, int fd, int level, int name);

/* ---- sockets --------------------------------------------------------------------------------- */

/* Address of a port of the case (0..9) on our or the peer's host, or on any. */
socklen_t at_me(int port, struct sockaddr_storage *out);
socklen_t at_peer(int port, struct sockaddr_storage *out);
socklen_t at_any(int port, struct sockaddr_storage *out);
socklen_t at_text(const char *address, int number, struct sockaddr_storage *out);

/* A socket of the env's family; type may have SOCK_NONBLOCK. Dies if that fails. */
int sock_new(int type);
/* bind() to our address, SO_REUSEADDR set. -1 on failure. */
int bind_me(int fd, int port);
int connect_peer(int fd, int port);
int set_int(int fd, int level, int name, int value);
int get_int(int fd, int level, int name);
/* A listening TCP socket on our port. Dies if that fails. */
int listen_me(int port, int backlog);
/* A connection to the peer, which has it as `slot`. The peer listens on port 5. */
int connected(int slot);
/* The peer listens on port 5 (slot 60) and its queue is full: one more gets no answer. */
void fill_queue(void);
/* As connected(), with small buffers on both sides. */
int connected_narrow(int slot);
/* A connection that the peer made to our listener on port 0; the peer has it as `slot`. */
int accepted(int slot);
/* Write 'a', 'b', ... */
void fill_pattern(char *bytes, size_t length);

/* Wait at most ten seconds for one of `events`; revents of all kinds, 0 = none came. */
int wait_for(int fd, int events);
/* What poll() says right now, everything asked. */
int mask_now(int fd);
/* Wait until poll() says exactly `mask`, at most ten seconds. What it said last. */
int wait_mask(int fd, int mask);
/* Read until the end or an error: how many bytes; *error = 0 or errno. */
long drain(int fd, int *error);
/* A child: 0 in it. Joined by child_join(), which shows how it ended. */
void child_join(const char *label, int pid);
_Noreturn void die(const char *what);
/* A descriptor over a unix socket (cases_process.c). */
long rights_send(int channel, int fd);
int rights_receive(int channel);
/* Run this program's helper in a new image with `fd` as descriptor 5. */
void exec_helper(const char *what, int fd);

/* ---- the peer -------------------------------------------------------------------------------- */

enum peer_op {
	PEER_LISTEN,  /* slot, port, backlog */
	PEER_ACCEPT,  /* slot, slot of the listener */
	PEER_CONNECT, /* slot, our port */
	PEER_SEND,    /* slot, length, flags */
	PEER_RECV,    /* slot, length: that much or until the end */
	PEER_DRAIN,   /* slot: to the end; the error in peer_error */
	PEER_SHUT,    /* slot, how */
	PEER_CLOSE,   /* slot */
	PEER_RESET,   /* slot: close with a reset */
	PEER_OPTION,  /* slot, level << 16 | name, value */
	PEER_WAIT,    /* slot, poll events: wait for them */
	PEER_MARK,    /* slot: at the urgent mark? */
	PEER_UDP,     /* slot, port */
	PEER_SENDTO,  /* slot, our port, length */
	PEER_TRY,     /* slot, our port: a connect() that may fail; result and error */
};
/* One command; its result, errno in peer_error. Dies if there is no peer. */
long peer(enum peer_op op, int slot, int a, int b);
extern int peer_error;
/* The same without waiting; then one peer_end(). */
void peer_begin(enum peer_op op, int slot, int a, int b);
long peer_end(void);
/* The peer's side of the program: obeys for ever. */
int peer_main(const char *control);

#endif
