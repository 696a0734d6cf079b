/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A deterministic network of real core nodes on a virtual clock.
 *
 * How this works: sim_node_new makes a host with an address, sim_node_start boots a node in it. The
 * simulator owns each node's transmit arena; after every call into a node it takes the datagrams
 * out, puts them through NATs and the link model, and queues their arrival. Time jumps from one
 * event to the next: an arrival, a node's deadline, a finished job, a sim_at. All randomness, the
 * nodes' included, comes from one seed (SIM_SEED=n sets it; it is printed), so a failure repeats
 * exactly.
 *
 * A test that calls into a node itself (zt_join, tx_send, ...) calls sim_touch(node) afterwards.
 * Callbacks: set node->callbacks.x before sim_node_start; their context is the struct sim_node.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "core/deadline.h"
#include "core/zt.h"
#include "tests/sim/nat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SIM_PORT = 9993,
	SIM_SOCKETS = 2, /* at most, per host */
	SIM_START_MS = 1000000,
	SIM_FOUND = 4096, /* a power of two */
};

/* What every datagram suffers; per mille. */
struct sim_link {
	int64_t delay_ms, jitter_ms;
	unsigned loss, duplicate, reorder; /* reorder: held back for 3 delays more */
};

struct sim;

struct sim_node {
	struct sim *sim;
	struct sim_node *next;
	struct zt_node *zt; /* NULL while stopped */
	char secret[280];
	uint64_t address;
	struct zt_endpoint ip; /* port 0 */
	struct nat *nat;       /* NULL: in the open */
	size_t socket_count;   /* ports SIM_PORT, SIM_PORT + 1 */
	int64_t clock_skew_ms; /* of its wall clock */
	bool is_cut;           /* no cable: nothing goes in or out */
	unsigned loss;         /* of its own line, each way, per mille; beside the link's */
	bool loopback_ok;
	struct zt_callbacks callbacks;
	void *user; /* the test's */
	/* what the callbacks saw */
	unsigned events[8]; /* by enum zt_event_kind */
	unsigned stored[4]; /* by enum zt_store */
	uint8_t *planet;    /* stored by an update, else NULL: sim's is used */
	size_t planet_length;
	/* statistics */
	uint64_t sent, received, ticks;
	struct deadline deadline;
	struct zt_arena arena;
};

struct sim {
	int64_t now_ms;
	uint64_t seed, rng;
	struct sim_link link;
	int64_t job_ms; /* how long a job takes */
	struct sim_node *nodes;
	struct deadlines deadlines;
	uint8_t *planet;
	size_t planet_length;
	uint64_t jobs;
	/* Sees every datagram as it leaves a host (after NAT); false: it is lost. May be NULL. */
	bool (*tap)(void *context, struct sim_node *from, const struct zt_endpoint *source,
		    const struct zt_tx *tx, const uint8_t *bytes);
	void *tap_context;
	struct sim_node *found[SIM_FOUND]; /* sim_net.c: who was found at an address lately */
	struct sim_event *heap;            /* sim.c */
	size_t event_count, event_capacity;
	uint64_t event_serial;
};

struct sim *sim_new(void);
void sim_free(struct sim *sim);
struct zt_now sim_now(const struct sim_node *node);
uint64_t sim_random(struct sim *sim);

/* A host with the index-th identity of identities.json, at `ip` ("192.0.2.1"), behind `nat` or
 * NULL. */
struct sim_node *sim_node_new(struct sim *sim, size_t index, const char *ip, struct nat *nat);
/* Boot, with node->planet if an update was stored, else the simulation's; again after a stop. */
void sim_node_start(struct sim_node *node);
void sim_node_stop(struct sim_node *node);
/* The host gets another address (and tells its node). */
void sim_node_move(struct sim_node *node, const char *ip, struct nat *nat);
/* Make a planet whose roots are these nodes at their own ip and SIM_PORT, and use it from now on.
 * A later call makes an update, signed by the same key, with a larger timestamp. */
void sim_planet(struct sim *sim, struct sim_node *const *roots, size_t count);

/* Take out what the node wants to send, and look at its deadline. */
void sim_touch(struct sim_node *node);
/* Let a datagram arrive out of the blue. `to` may be a NAT's public endpoint. */
void sim_inject(struct sim *sim, const struct zt_endpoint *from, const struct zt_endpoint *to,
		const uint8_t *bytes, size_t length);
/* Call `call` at that time. */
void sim_at(struct sim *sim, int64_t at_ms, void (*call)(void *context), void *context);

/* One event. False: nothing will ever happen again. */
bool sim_step(struct sim *sim);
void sim_run(struct sim *sim, int64_t ms);
/* Run until the condition holds; false if it does not within limit_ms. */
bool sim_until(struct sim *sim, bool (*condition)(void *context), void *context, int64_t limit_ms);

/* "192.0.2.1" with a port. */
struct zt_endpoint sim_endpoint(const char *ip, uint16_t port);

/* ---- conditions
 * ----------------------------------------------------------------------------------- */

struct sim_pair {
	struct sim_node *a, *b;
};
bool sim_is_online(void *node); /* struct sim_node * */
bool sim_is_direct(void *pair); /* struct sim_pair *: both have an active path to each other */
bool sim_knows(const struct sim_node *node, const struct sim_node *other);
bool sim_has_path(const struct sim_node *node, const struct sim_node *other);

#endif
