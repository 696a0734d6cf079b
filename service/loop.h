/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The one loop: epoll, one enum of descriptor kinds, one switch; runs to completion, never blocks.
 *
 * loop.c is the mechanism (waiting, the guard against stale events); turn.c is what one turn does.
 */
#ifndef SERVICE_LOOP_H
#define SERVICE_LOOP_H

#include "core/zt.h"

#include <stdbool.h>
#include <stdint.h>

struct service; /* service.h: everything the daemon holds */

/* Every kind of descriptor the loop watches. The switch in turn.c has one case for each. */
enum watch_kind {
	WATCH_UDP,        /* a UDP socket of the node */
	WATCH_SIGNAL,     /* signalfd */
	WATCH_WORKER,     /* eventfd: the worker finished jobs */
	WATCH_HTTP,       /* libmicrohttpd's epoll descriptor */
	WATCH_RPC_LISTEN, /* nc/<nwid>/sock */
	WATCH_RPC_CLIENT, /* a control connection of the library */
	WATCH_VSOCK,      /* B of a virtual socket */
	WATCH_NETLINK,    /* the host's addresses changed */
	WATCH_HOME,       /* a file of the home directory changed */
	WATCH_TCP_RELAY,  /* the connection to the TCP relay */
	WATCH_SUPERVISOR, /* the process that started us */
	WATCH_SUCCESSOR,  /* the one that is to take over */
	WATCH_PORTMAP,    /* eventfd: the gateway answered, or did not */
	WATCH_HOLD,       /* an asker of the API whose answer comes later */
};

/* One watched descriptor. Embedded in its owner; the owner is found by container_of. */
struct watch {
	int fd; /* -1 = not watched */
	enum watch_kind kind;
	uint32_t events;     /* as asked of epoll */
	uint64_t generation; /* guards against events of a descriptor closed earlier in the turn */
	uint32_t slot;
};

struct loop;

struct loop *loop_new(struct service *service);
void loop_free(struct loop *loop);

/* Watch w->fd (already set, with kind) for `events` (EPOLLIN, EPOLLOUT, EPOLLET...). 0 or -errno.
 */
int loop_add(struct loop *loop, struct watch *w, uint32_t events);
int loop_modify(struct loop *loop, struct watch *w, uint32_t events);
/* Stop watching; does not close, leaves w->fd alone (close it afterwards). The owner may be freed
 * at once: pending events are discarded. A watch that is not watched is left alone. */
void loop_remove(struct loop *loop, struct watch *w);

/* The time of this turn. */
struct zt_now loop_now(const struct loop *loop);

/* Run until loop_stop. Each turn: wait, dispatch, advance what is due, flush UDP. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* ---- what one turn does: turn.c ------------------------------------------------------------- */

/* The switch over enum watch_kind. */
void turn_dispatch(struct service *service, struct watch *w, uint32_t events);
/* Run everything whose time has come, hand on what the turn left over, flush UDP. */
void turn_finish(struct service *service, struct zt_now now);
/* The earliest time at which turn_finish is wanted; INT64_MAX = never. */
int64_t turn_deadline(struct service *service);

#endif
