/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What one network's members have proved to us, and what we last sent them (vl2 5.1, 5.3, 5.4).
 *
 * Records are made at the first authenticated contact, never per packet, and are bounded: when a
 * network's table is full, the record unused for longest goes, unproved ones first.
 */
#ifndef ZT_MEMBERSHIP_H
#define ZT_MEMBERSHIP_H

#include "core/com.h"
#include "core/held.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEMBERS_MAX = 16384 };

struct member {
	uint64_t address;
	int64_t used_ms;        /* last frame or credential either way, mono */
	uint64_t com_threshold; /* certificates up to this timestamp are revoked */
	bool has_com;
	bool agrees; /* valid for agrees_serial: our certificate agrees with theirs */
	uint64_t
	    agrees_serial; /* the network's config_serial that it was worked out with; 0 never */
	struct com com;
	struct held held;
	/* Rate gates and timers, mono; LIMIT_NEVER_MS at first. */
	int64_t pushed_ms;           /* our credentials to them */
	uint64_t pushed_serial;      /* of which configuration */
	int64_t credentials_in_ms;   /* theirs to us */
	uint64_t credentials_packet; /* the id of that packet */
	int64_t asked_ms;            /* we said NEED_MEMBERSHIP_CERTIFICATE */
	int64_t announced_ms;        /* MULTICAST_LIKE to them */
};

struct members {
	uint64_t nwid;
	struct member **slots; /* open addressing, capacity a power of two */
	size_t count, capacity;
};

void members_init(struct members *members, uint64_t nwid);
void members_fini(struct members *members);
/* NULL: not known. Borrowed until the next members_get or members_sweep. */
struct member *members_find(const struct members *members, uint64_t address);
/* Find or create. NULL without memory. */
struct member *members_get(struct members *members, uint64_t address, int64_t now_ms);
/* Forget who was unused since before `older_than_ms` and proves nothing, and credentials that are
 * out of the window. */
void members_sweep(struct members *members, int64_t older_than_ms,
		   const struct held_window *window);

/* Acceptance (5.4). `controller` is the identity of the network's controller. */
enum cred_result members_com(struct members *members, const struct com *com,
			     const struct identity *controller, int64_t now_ms);
enum cred_result members_tag(struct members *members, const struct tag *tag,
			     const struct identity *controller, int64_t now_ms);
enum cred_result members_capability(struct members *members, const struct capability *cap,
				    const struct identity *controller, int64_t now_ms);
enum cred_result members_coo(struct members *members, const struct coo *coo,
			     const struct identity *controller, int64_t now_ms);
enum cred_result members_revocation(struct members *members, const struct revocation *rev,
				    const struct identity *controller, int64_t now_ms);

/* Has the member proved that it belongs here? `mine` is our own certificate, NULL = none; `serial`
 * changes whenever it does. */
bool member_agrees(struct member *member, const struct com *mine, uint64_t serial,
		   const struct identity *their_identity);

#endif
