/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A virtual network in the simulator: one controller with its records in memory, and members with
 * the smallest possible stack, which answers ARP and echoes queries.
 *
 *     root (also the controller's host) --- the simulated Internet --- members
 */
#ifndef TESTS_LIB_VNET_H
#define TESTS_LIB_VNET_H

#include "controller/controller.h"
#include "tests/sim/sim.h"

enum { VNET_NEIGHBOURS = 32 };

struct vnet;

struct vnet_member {
	struct vnet *vnet;
	struct sim_node *node;
	bool is_joined, is_settling; /* a subscription is under way */
	uint32_t ip;                 /* assigned; 0 = none */
	struct {
		uint32_t ip;
		uint64_t mac;
	} neighbours[VNET_NEIGHBOURS];
	size_t neighbour_count;
	/* what arrived */
	unsigned arp_requests, arp_replies, queries, answers, others;
	uint32_t last_answer; /* number of the query that it answers */
	uint32_t next_query;
	bool saw_forged; /* a frame that claims another's MAC or comes from nowhere */
	uint8_t *cached; /* the configuration that the node stored, NULL = none or forgotten */
	size_t cached_length;
};

struct vnet {
	struct sim *sim;
	struct sim_node *root;
	struct controller *controller;
	struct controller_callbacks callbacks;
	struct controller_store store;
	json_t *records; /* "nwid/member" -> record */
	uint64_t nwid;
	int64_t tick_ms; /* when the next controller_tick is queued; INT64_MAX = not */
	unsigned requests;
	struct vnet_member self; /* the root itself may join, too */
	struct vnet_member *members;
	size_t member_count;
};

/* A root that is the controller of one network, by these settings (JSON text), and `count` members
 * in the open, nobody joined. */
struct vnet *vnet_new(size_t count, const char *settings);
/* The same with members where `place` puts them: it writes the index-th one's address and answers
 * with its NAT (NULL: in the open), which stays the caller's. */
typedef struct nat *vnet_place(void *context, size_t index, char ip[32]);
struct vnet *vnet_new_at(size_t count, const char *settings, vnet_place *place, void *context);
void vnet_free(struct vnet *vnet);
/* The controller's process dies and comes back with what its store holds. */
void vnet_controller_stop(struct vnet *vnet);
void vnet_controller_start(struct vnet *vnet);
void vnet_authorise(struct vnet *vnet, const struct vnet_member *member, bool is_authorised);
void vnet_network_set(struct vnet *vnet, const char *settings);

void vnet_join(struct vnet_member *member);
/* Boot the member's node again; it joins with what it had stored. */
void vnet_restart(struct vnet_member *member);
void vnet_leave(struct vnet_member *member);
enum zt_network_status vnet_status(const struct vnet_member *member);
/* All of the first `count` members have status OK and an address, within the limit. */
bool vnet_all_ready(struct vnet *vnet, size_t count, int64_t limit_ms);

/* Ask `to` something, by ARP first if need be; queries repeat each 200 ms until one is answered. */
bool vnet_ping(struct vnet_member *from, const struct vnet_member *to, int64_t limit_ms);
/* One query, no waiting. */
void vnet_query(struct vnet_member *from, const struct vnet_member *to);
/* Forget what ARP learnt. */
void vnet_forget(struct vnet_member *member);

#endif
