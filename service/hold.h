/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* HTTP connections that wait: for a network to change (?wait=), or for more of a body that streams.
 *
 * While one waits, libmicrohttpd has it suspended and costs nothing; our own loop watches its
 * socket, only to learn that the asker went away. Nothing is polled.
 */
#ifndef SERVICE_HOLD_H
#define SERVICE_HOLD_H

#include "service/loop.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

struct service;

enum { HOLDS_MAX = 32 }; /* half of the connections: others must always be served */

struct hold {
	struct watch watch; /* EPOLLRDHUP of the asker's socket, while suspended */
	struct service *service;
	struct MHD_Connection *connection;
	struct hold *next, *previous; /* those that are suspended */
	int64_t until_ms;             /* INT64_MAX = until woken */
	bool is_for_change;           /* hold_stir wakes it */
	bool is_suspended, is_gone;
};

/* Suspend the connection. False: too many wait already, or no memory; then answer at once. */
bool hold_begin(struct service *service, struct hold *hold, struct MHD_Connection *connection);
/* Let it go on; nothing happens if it does not wait. */
void hold_end(struct hold *hold);
/* A network changed: those that wait for that are asked again. */
void hold_stir(struct service *service);
/* Wake those whose time is over. */
void hold_advance(struct service *service, int64_t now_ms);
int64_t hold_deadline(const struct service *service);
/* All go on; before libmicrohttpd is stopped. */
void hold_end_all(struct service *service);
void hold_on_ready(struct watch *w); /* WATCH_HOLD */

#endif
