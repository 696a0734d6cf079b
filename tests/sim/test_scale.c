/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Many nodes, one root, every kind of NAT, bad lines.
 *
 * How this works: all members of one private network start at the same moment, each behind a NAT of
 * its own whose kind goes round, on a line that loses up to 5 % each way (so up to 10 % between two
 * of them). Each then talks to four others, one behind each kind, by ARP and frames, until every
 * pair that can go direct has; at the end they fall silent and what an idle node still does is
 * counted. SIM_NODES says how many; `make sim-scale` takes 1 000.
 */
#include "base/bug.h"
#include "core/peer.h"
#include "core/proto.h"
#include "core/proto2.h"
#include "core/tx.h"
#include "tests/lib/check.h"
#include "tests/lib/vnet.h"
#include "tests/sim/cast.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	DEFAULT_NODES = 100,
	MIN_NODES = 40,   /* so that every pairing occurs */
	MAX_NODES = 1199, /* identities.json has 1 200; the root is one */
	LINE_LOSS = 50,   /* per mille, at most */
	NAT_TIMEOUT_MS = 120000,
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	ANSWER_MS = 15 * SECOND_MS, /* of 15 queries one is answered, whatever the weather */
	TALK_S = 120,
	IDLE_MINUTES = 60,
};

static const char settings[] =
    "{\"name\":\"many\",\"private\":true,\"v4AssignMode\":{\"zt\":true},"
    "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.7.0.1\",\"ipRangeEnd\":\"10.7.31.254\"}],"
    "\"routes\":[{\"target\":\"10.7.0.0/16\",\"via\":null}]}";

struct meeting {
	struct vnet_member *a, *b;
	enum nat_kind kind_a, kind_b;
};

struct many {
	struct vnet *v;
	size_t count, meeting_count;
	struct nat **nats;
	struct meeting *meetings; /* NAT_KINDS per member */
};

static size_t node_count(void)
{
	const char *text = getenv("SIM_NODES");
	size_t count = text ? strtoul(text, NULL, 10) : DEFAULT_NODES;
	return count < MIN_NODES ? MIN_NODES : count > MAX_NODES ? MAX_NODES : count;
}

static enum nat_kind kind_of(size_t index)
{
	return (enum nat_kind)(index % NAT_KINDS);
}

/* Public addresses in a /24 each: the root's identity gate counts by /24 (vl1 15.1). */
static struct nat *place(void *context, size_t index, char ip[32])
{
	struct many *m = context;
	char public_ip[32];
	(void)snprintf(public_ip, sizeof public_ip, "44.%zu.%zu.1", 2 + index / 200, index % 200);
	const struct zt_endpoint at = sim_endpoint(public_ip, 0);
	(void)snprintf(ip, 32, "10.%zu.%zu.2", index / 200, index % 200);
	m->nats[index] = nat_new(kind_of(index), &at, NAT_TIMEOUT_MS);
	return m->nats[index];
}

/* A random member behind this kind of NAT. */
static size_t one_of_kind(const struct many *m, size_t kind)
{
	size_t of_kind = m->count / NAT_KINDS + (kind < m->count % NAT_KINDS);
	BUG_ON(of_kind == 0);
	return kind + NAT_KINDS * (sim_random(m->v->sim) % of_kind);
}

/* Each member and one other behind each kind of NAT. */
static void meetings_make(struct many *m)
{
	m->meetings = calloc((m->count + 1) * NAT_KINDS, sizeof *m->meetings);
	assert_non_null(m->meetings);
	for (size_t i = 0; i < m->count; i++) {
		for (size_t kind = 0; kind < NAT_KINDS; kind++) {
			size_t j = one_of_kind(m, kind);
			if (j != i) {
				m->meetings[m->meeting_count++] = (struct meeting){
					.a = &m->v->members[i],
					.b = &m->v->members[j],
					.kind_a = kind_of(i),
					.kind_b = kind_of(j),
				};
			}
		}
	}
}

static struct many many_new(void)
{
	struct many m = { .count = node_count() };
	m.nats = calloc(m.count, sizeof(struct nat *));
	assert_non_null(m.nats);
	m.v = vnet_new_at(m.count, settings, place, &m);
	m.v->sim->link = (struct sim_link){ .delay_ms = 20, .jitter_ms = 30 };
	for (size_t i = 0; i < m.count; i++) {
		struct vnet_member *member = &m.v->members[i];
		member->node->loss = (unsigned)(sim_random(m.v->sim) % (LINE_LOSS + 1));
		vnet_authorise(m.v, member, true);
		vnet_join(member);
	}
	meetings_make(&m);
	return m;
}

static void many_free(struct many *m)
{
	vnet_free(m->v);
	for (size_t i = 0; i < m->count; i++) {
		nat_free(m->nats[i]);
	}
	free(m->nats);
	free(m->meetings);
}

/* ---- phases ---- */

static size_t ready_count(const struct many *m)
{
	size_t count = 0;
	for (size_t i = 0; i < m->count; i++) {
		const struct vnet_member *member = &m->v->members[i];
		count += sim_is_online(member->node) && vnet_status(member) == ZT_NETWORK_OK &&
			 member->ip != 0;
	}
	return count;
}

static size_t online_count(const struct many *m)
{
	size_t count = 0;
	for (size_t i = 0; i < m->count; i++) {
		count += sim_is_online(m->v->members[i].node);
	}
	return count;
}

/* The root looks at 50 strangers' identities a second (decision S19); nobody whom it had no time
 * for may lose his neighbourhood's turn at gate 15.1. */
static void come_up(const struct many *m)
{
	const int limit_s = 60 + (int)m->count / 10;
	int online_s = -1, ready_s = -1;
	for (int s = 0; s <= limit_s && ready_s < 0; s++) {
		if (online_s < 0 && online_count(m) == m->count) {
			online_s = s;
		}
		if (ready_count(m) == m->count) {
			ready_s = s;
		}
		sim_run(m->v->sim, SECOND_MS);
	}
	print_message("%zu nodes: all online after %d s, all configured after %d s\n", m->count,
		      online_s, ready_s);
	assert_in_range(online_s, 1, 4 + (int)m->count / 20);
	assert_true(ready_s >= 0);
}

static bool is_direct(const struct meeting *meeting)
{
	struct sim_pair pair = { meeting->a->node, meeting->b->node };
	return sim_is_direct(&pair);
}

/* Hole punching fails where a symmetric NAT meets one that filters by port (vl1 12.6). */
static bool may_go_direct(enum nat_kind a, enum nat_kind b)
{
	return !((a == NAT_SYMMETRIC && b >= NAT_PORT_RESTRICTED) ||
		 (b == NAT_SYMMETRIC && a >= NAT_PORT_RESTRICTED));
}

static size_t not_yet_direct(const struct many *m)
{
	size_t count = 0;
	for (size_t i = 0; i < m->meeting_count; i++) {
		const struct meeting *meeting = &m->meetings[i];
		count += may_go_direct(meeting->kind_a, meeting->kind_b) && !is_direct(meeting);
	}
	return count;
}

/* Every meeting asks once; the questions of a second are spread over it. */
static void talk_for_a_second(const struct many *m)
{
	enum { SLICES = 10 };
	for (size_t slice = 0; slice < SLICES; slice++) {
		for (size_t i = slice; i < m->meeting_count; i += SLICES) {
			vnet_query(m->meetings[i].a, m->meetings[i].b);
		}
		sim_run(m->v->sim, SECOND_MS / SLICES);
	}
}

static void talk(const struct many *m)
{
	int converged_s = -1;
	for (int s = 1; s <= TALK_S; s++) {
		talk_for_a_second(m);
		size_t left = not_yet_direct(m);
		if (left == 0 && converged_s < 0) {
			converged_s = s;
		}
		if (s == 1 || s == 5 || s == 15 || s == 60 || s == TALK_S) {
			print_message("%3d s: %zu pairs that can go direct have not yet\n", s,
				      left);
		}
	}
	print_message("all that can go direct do after %d s\n", converged_s);
	assert_true(converged_s > 0);
}

static void pairings_print_and_check(const struct many *m)
{
	size_t direct[NAT_KINDS][NAT_KINDS] = { 0 }, all[NAT_KINDS][NAT_KINDS] = { 0 };
	size_t silent = 0;
	for (size_t i = 0; i < m->meeting_count; i++) {
		const struct meeting *meeting = &m->meetings[i];
		struct exchange x = { meeting->a->node, meeting->b->node,
				      m->v->sim->now_ms - ANSWER_MS };
		silent += !exchanged(&x);
		all[meeting->kind_a][meeting->kind_b]++;
		direct[meeting->kind_a][meeting->kind_b] += is_direct(meeting);
		assert_false(meeting->a->saw_forged);
	}
	for (enum nat_kind a = 0; a < NAT_KINDS; a++) {
		for (enum nat_kind b = 0; b < NAT_KINDS; b++) {
			print_message("%-16s %-16s %4zu direct %4zu relayed\n", nat_kind_name(a),
				      nat_kind_name(b), direct[a][b], all[a][b] - direct[a][b]);
			assert_true(all[a][b] > 0);
			assert_int_equal(direct[a][b], may_go_direct(a, b) ? all[a][b] : 0);
		}
	}
	assert_int_equal(silent, 0); /* relayed or not, all hear each other */
}

struct effort {
	uint64_t sent, ticks;
};

static struct effort effort_of(const struct many *m)
{
	struct effort sum = { 0 };
	for (size_t i = 0; i < m->count; i++) {
		sum.sent += m->v->members[i].node->sent;
		sum.ticks += m->v->members[i].node->ticks;
	}
	return sum;
}

static void quiet(const struct many *m)
{
	const size_t count = m->count;
	BUG_ON(count == 0);
	/* Groups are announced to members for a while yet, then these forget each other. */
	sim_run(m->v->sim, VL2_MULTICAST_ACTIVE_MS + PEER_EXPIRY_MS + 2 * MINUTE_MS);
	struct effort before = effort_of(m);
	uint64_t root_before = m->v->root->sent;
	sim_run(m->v->sim, (int64_t)IDLE_MINUTES * MINUTE_MS);
	struct effort after = effort_of(m);
	uint64_t sent = (after.sent - before.sent) / count;
	uint64_t ticks = (after.ticks - before.ticks) / count;
	uint64_t root = (m->v->root->sent - root_before) / count;
	print_message("an idle node and hour: %llu datagrams sent, %llu wake-ups; the root sends "
		      "%llu per node\n",
		      (unsigned long long)sent, (unsigned long long)ticks,
		      (unsigned long long)root);
	/* A heartbeat each 14 s, one HELLO, request and group announcement a minute: 437. */
	assert_true(sent < 500);
	assert_true(ticks < 700);
	assert_true(root < 500);
	assert_int_equal(ready_count(m), m->count);
}

static double cpu_s(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static void a_crowd_of_all_kinds_converges_and_stays_quiet(void **state)
{
	(void)state;
	double start_s = cpu_s();
	struct many m = many_new();
	come_up(&m);
	talk(&m);
	pairings_print_and_check(&m);
	print_message("[cpu %.1f s]\n", cpu_s() - start_s);
	quiet(&m);
	print_message("[cpu %.1f s]\n", cpu_s() - start_s);
	many_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_of_all_kinds_converges_and_stays_quiet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
