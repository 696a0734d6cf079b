/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The one owner of TCP ports of a virtual host (decision S5): who holds which port, may another
 * have it too, and which listener gets a connection.
 *
 * The rules are Linux's (inet_csk_get_port). Two holders of one port conflict when their families
 * and addresses overlap (equal, or one of them is "any"), unless
 *   - both have SO_REUSEADDR and the older one is not listening, or
 *   - both have SO_REUSEPORT and belong to one user (TIME_WAIT has no user).
 * Ports picked from the ephemeral range have no other holder at all when they are picked.
 *
 * Pure: no system call, no clock; time is passed in.
 */
#ifndef SERVICE_PORTS_H
#define SERVICE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PORTS_EPHEMERAL_FIRST = 32768,
	PORTS_EPHEMERAL_LAST = 60999,
	PORTS_TIME_WAIT_MS = 60000,
	PORTS_TIME_WAIT_MAX = 16384, /* the oldest gives way: more than half the range stays free */
};

enum port_family { PORT_V4 = 1, PORT_V6 = 2 }; /* a mask: a dual stack socket has both */

enum port_use {
	PORT_BOUND = 1,     /* bind() was called */
	PORT_LISTENING = 2, /* ... and listen() */
	PORT_CONNECTED = 3, /* one end of a connection */
	PORT_TIME_WAIT = 4, /* what an actively closed connection leaves for a minute */
};

/* Where a socket is or wants to be. An address is 16 bytes, v4 mapped; all zero v4 or v6 = any. */
struct port_place {
	uint8_t families; /* enum port_family mask */
	bool is_any;
	bool reuse_address, reuse_port;
	uint16_t port; /* host order; 0 = pick one */
	uid_t uid;
	uint8_t address[16];
};

struct port_bucket;

/* One holder of a port. Embedded in its owner, all zero while it holds none. */
struct port_entry {
	struct port_place place;
	enum port_use use;
	struct port_entry *next, *previous; /* in the bucket's list of listeners or of others */
	struct port_bucket *bucket;         /* NULL = holds no port */
};

struct ports;

/* `key` seeds the spreading of connections over SO_REUSEPORT groups and the choice of ports.
 * NULL if memory is short. */
struct ports *ports_new(uint64_t key);
/* Every entry must have been released. */
void ports_free(struct ports *ports);

/* Take the port of `place` (or pick one) for `entry` as PORT_BOUND. 0, -EADDRINUSE, -ENOMEM. */
int ports_bind(struct ports *ports, struct port_entry *entry, const struct port_place *place);
/* Join a port that is already held by right: an accepted connection shares its listener's. 0,
 * -ENOMEM. */
int ports_share(struct ports *ports, struct port_entry *entry, const struct port_place *place);
/* The entry's socket begins to listen: the rules are asked again (bind() may have let two pass of
 * which only one can listen). 0 or -EADDRINUSE. */
int ports_listen(struct ports *ports, struct port_entry *entry);
/* The entry's socket is one end of a connection now. */
void ports_connected(struct port_entry *entry);
/* SO_REUSEADDR or SO_REUSEPORT was changed after bind(). */
void ports_reuse(struct port_entry *entry, bool reuse_address, bool reuse_port);
/* Give the port back; nothing happens if it holds none. */
void ports_release(struct ports *ports, struct port_entry *entry);
/* Give it back, but keep it a minute as TIME_WAIT. */
void ports_release_time_wait(struct ports *ports, struct port_entry *entry, int64_t now_ms);

/* A connection arrives: the two ends, for lookup. */
struct port_tuple {
	enum port_family family;
	uint16_t local_port, remote_port; /* host order */
	uint8_t local[16], remote[16];
};
/* Which listener gets it: an exact address before any, within a SO_REUSEPORT group by a hash of the
 * four-tuple. NULL = nobody listens. Borrowed. */
struct port_entry *ports_lookup(const struct ports *ports, const struct port_tuple *tuple);

/* One listener more or less needs the stack's wildcard listener of this port; the number after. The
 * entry must hold the port. */
unsigned ports_stack_users(struct port_entry *entry, int change);

/* Drop TIME_WAIT entries that are due. */
void ports_advance(struct ports *ports, int64_t now_ms);
/* When that is next wanted; INT64_MAX = never. */
int64_t ports_deadline(const struct ports *ports);

/* ---- handing over (handover_vhost.c) ---- */

/* Take a port by right, as a predecessor's record says. 0 or -ENOMEM. */
int ports_restore(struct ports *ports, struct port_entry *entry, const struct port_place *place,
		  enum port_use use);
/* The TIME_WAIT entries, oldest first. */
void ports_time_wait_each(const struct ports *ports,
			  void (*each)(void *context, const struct port_place *place,
				       int64_t until_ms),
			  void *context);
/* In the same order. 0 or -ENOMEM. */
int ports_time_wait_restore(struct ports *ports, const struct port_place *place, int64_t until_ms);

size_t ports_time_wait_count(const struct ports *ports);
/* The first of those that hold a port and do not listen, the newest first; more by `next`. NULL =
 * nobody. */
struct port_entry *ports_holders(const struct ports *ports, uint16_t port);
/* A number that a four-tuple always gets, to spread over a SO_REUSEPORT group. */
uint64_t ports_spread(const struct ports *ports, const struct port_tuple *tuple);

bool ports_is_used(const struct ports *ports, uint16_t port);

#endif
