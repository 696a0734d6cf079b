/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One byte per descriptor number: what it was when a hook last saw it. Never trusted, only used to
 * decide whether the kernel is worth asking (spec/intercept.md 0, rule 5).
 *
 * Without a hint everything still works, at the price of one native call that fails first, and of
 * the accepted differences of 3.8. With one, calls that would succeed wrongly on a unix socket
 * (recv() on a listener would eat a record) are recognised. Hints are lost by exec, wrong after
 * fclose(): all of that is fine. Those of messages decide more, so hint.c guards them.
 */
#ifndef INTERCEPT_HINT_H
#define INTERCEPT_HINT_H

#include <stdint.h>

enum hint {
	HINT_NONE,      /* nothing known: most likely not ours */
	HINT_FRESH,     /* socket() made it here */
	HINT_PENDING,   /* connect() was begun here and its end not seen */
	HINT_LISTEN,    /* listen() was called here */
	HINT_SHUT,      /* shutdown() of a listener, or of both directions of a connection */
	HINT_CONNECTED, /* connect() or accept() succeeded here */
	/* Sockets of messages (dgram.h); the last ones, so that one comparison finds them. */
	HINT_DGRAM,           /* messages with a header are expected */
	HINT_DGRAM_CONNECTED, /* ... without */
	HINT_DGRAM_DISSOLVED, /* connect(AF_UNSPEC) was called here: B's name is out of date */
	HINT_DGRAM_SHUT,      /* shutdown() was called here */
	HINT_NETLINK,         /* a virtual netlink socket (netlink.h) */
};

enum { HINT_MAX = 65536 };
extern uint8_t hint_table[HINT_MAX];

static inline enum hint hint_get(int fd)
{
	return (unsigned)fd < HINT_MAX
		   ? (enum hint)__atomic_load_n(&hint_table[fd], __ATOMIC_RELAXED)
		   : HINT_NONE;
}

/* hint.c. 0 <= fd < HINT_MAX */
void hint_change(int fd, enum hint hint);
/* In the child of a fork(). */
void hint_after_fork(void);

static inline void hint_set(int fd, enum hint hint)
{
	/* Do not dirty a page for nothing: most descriptors never have a hint. */
	if ((unsigned)fd < HINT_MAX && hint_get(fd) != hint) {
		hint_change(fd, hint);
	}
}

#endif
