/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A root and two leaves, and what they say to each other: the usual cast of the VL1 tests. */
#ifndef TESTS_SIM_CAST_H
#define TESTS_SIM_CAST_H

#include "tests/sim/sim.h"

/* A root in the open and two leaves; the usual cast. */
struct cast {
	struct sim *sim;
	struct sim_node *root, *a, *b;
	struct nat *nat_a, *nat_b;
};

/* Started; the NATs (NULL: in the open) are freed with it. */
struct cast cast_new(struct nat *nat_a, struct nat *nat_b);
void cast_free(struct cast *c);

/* Conditions on a struct cast. */
bool both_online(void *context);
bool both_direct(void *context);

/* Something from `from` to `to` that gets an answer. */
void say(struct sim_node *from, const struct sim_node *to, const void *bytes, size_t length);
/* Condition: each has heard the other after since_ms. */
struct exchange {
	struct sim_node *a, *b;
	int64_t since_ms;
};
bool exchanged(void *context);
/* An ECHO and its answer, through whatever way, repeated each second until the limit. */
bool can_talk(struct sim_node *a, struct sim_node *b, int64_t limit_ms);

#endif
