/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Between the files of the simulator: time (sim.c), hosts (sim_host.c), network (sim_net.c). */
#ifndef TESTS_SIM_INTERNAL_H
#define TESTS_SIM_INTERNAL_H

#include "tests/sim/sim.h"

enum event_kind { EVENT_DATAGRAM, EVENT_JOB, EVENT_CALL };

struct sim_event {
	int64_t at_ms;
	uint64_t serial; /* ties in order of making */
	enum event_kind kind;
	struct zt_endpoint from, to;
	const struct nat *lan; /* the datagram travels inside this NAT's network */
	uint8_t *bytes;
	size_t length;
	struct sim_node *node; /* of the job */
	struct zt_job job;
	void (*call)(void *context);
	void *context;
};

void sim_event_add(struct sim *sim, struct sim_event event);
bool sim_chance(struct sim *sim, unsigned per_mille);
/* A datagram has travelled: give it to the host it is for, if there is one. */
void sim_arrive(struct sim *sim, struct sim_event *event);
/* Put what a node wants to send on its way. */
void sim_flush(struct sim_node *node);

#endif
