/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A port of the gateway for us (vl1 18): when, and what became of it. The asking itself is
 * gateway.h's, the timing portmap_rule.h's. Every function takes NULL and does nothing then. */
#ifndef SERVICE_PORTMAP_H
#define SERVICE_PORTMAP_H

#include "service/gateway.h"
#include "service/loop.h"

struct service;
struct settings;
struct portmap;

/* Start the thread. Must come before the sandbox, which allows no new threads. 0 and *out NULL if
 * this program was built without; -errno. */
int portmap_open(struct service *service, struct portmap **out);
/* Give the mapping back, within a second, and free. */
void portmap_close(struct portmap *portmap);

/* Is there to be a third port? Built in, not switched off, and no universe on loopback. */
bool portmap_is_allowed(const struct settings *settings, bool loopback_ok);
/* The sockets may be others now. */
void portmap_update(struct portmap *portmap);
/* Ask again soon: the operator reloads. */
void portmap_hurry(struct portmap *portmap);
void portmap_advance(struct portmap *portmap, int64_t now_ms);
int64_t portmap_deadline(const struct portmap *portmap);
/* WATCH_PORTMAP. */
void portmap_on_done(struct watch *w);

/* What is in force, borrowed; NULL if nothing is mapped. */
const struct gateway_mapping *portmap_mapping(const struct portmap *portmap);
/* Is a gateway looked for at all, and how often in a row did none grant a port? */
bool portmap_is_wanted(const struct portmap *portmap, unsigned *failures);

#endif
