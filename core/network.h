/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One joined network: its configuration and how it is asked for (vl2 3), who may talk to us on it.
 *
 * How this works: a network asks its controller at once when it is joined, every 5 s while it has
 * no configuration or one that is more than 60 s old, and so every 60 s when all is well. A
 * configuration arrives as signed chunks, is put together (reassembly.h), parsed (netconf.h) and
 * applied here; each application increments config_serial, on which every cached judgement depends.
 */
#ifndef ZT_NETWORK_H
#define ZT_NETWORK_H

#include "core/bridged.h"
#include "core/deadline.h"
#include "core/membership.h"
#include "core/netconf.h"
#include "core/reassembly.h"
#include "core/zt.h"

struct zt_node;
struct packet_in;

/* MULTICAST_LIKE has no reply, and one that is lost hides us for a minute: what is new is said
 * three times within 7 s. */
enum {
	NETWORK_ANNOUNCE_REPEATS = 2,
	NETWORK_ANNOUNCE_FIRST_MS = 1500,
	NETWORK_ANNOUNCE_THEN_MS = 5000
};

struct network {
	uint64_t nwid, mac, controller;
	enum zt_network_status status;
	char login_url[ZT_MAX_LOGIN_URL]; /* said by the last refusal; "" = none */
	struct netconf *config;           /* NULL = none */
	uint64_t config_serial;           /* counts the configurations applied; 0 = none yet */
	int64_t config_ms;     /* when the last one came from the controller; LIMIT_NEVER_MS */
	int64_t clock_skew_ms; /* the controller's clock minus ours, at config_ms */
	uint64_t frames[2], refused[2]; /* ZT_IN, ZT_OUT: what the rules let pass, and forbade */
	int64_t requested_ms;
	bool is_asked;             /* that request has left */
	int64_t announce_ms;       /* groups to controller, upstreams and members: when next */
	unsigned announce_repeats; /* sooner, because nobody acknowledges them */
	bool is_open;              /* the table accepts every frame unseen */
	struct deadline deadline;
	struct reassembly reassembly;
	struct members members;
	struct bridged bridged;  /* foreign MACs */
	struct zt_group *groups; /* subscribed, ascending */
	size_t group_count, group_capacity;
};

/* The network that a deadline lies in. */
static inline struct network *network_of_deadline(struct deadline *deadline)
{
	return (struct network *)(void *)((char *)deadline - offsetof(struct network, deadline));
}

/* NULL without memory. */
struct network *network_new(uint64_t nwid, uint64_t self);
void network_free(struct network *network);

/* Take over a parsed configuration: status OK, serial. The caller has checked that it is
 * for this network and node. Returns false if it equals the one held (and frees it). */
bool network_apply_take(struct network *network, struct netconf *config);

/* Our own certificate, or NULL. */
const struct com *network_com(const struct network *network);
static inline bool network_is_public(const struct network *network)
{
	return network->config && network->config->type == NETCONF_PUBLIC;
}
/* The gate: has the peer proved that it is a member (5.1)? */
bool network_allows(const struct network *network, struct member *member,
		    const struct identity *identity);
struct held_window network_window(const struct network *network);

/* Is `address` an active bridge of this network? */
bool network_is_bridge(const struct network *network, uint64_t address);
/* All active bridges but `self`, up to max; needs a configuration. */
size_t network_bridges(const struct network *network, uint64_t self, uint64_t *out, size_t max);

/* Subscriptions. add: false if it was there, there is no room or no memory. */
bool network_group_has(const struct network *network, uint64_t mac, uint32_t adi);
bool network_group_add(struct network *network, uint64_t mac, uint32_t adi);
bool network_group_remove(struct network *network, uint64_t mac, uint32_t adi);

void network_view(const struct network *network, struct zt_network_view *out);

#endif
