/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Pushes, revocations, saving, and that work per turn is bounded: vl2 9.6, decision S19. */
#include "controller/coerce.h"
#include "core/cred.h"
#include "tests/lib/check.h"
#include "tests/lib/ctlfix.h"

#include <stdio.h>

#define NWID 0x06b812eb9a000001ULL

static struct ctlfix f;
static struct identity alice, bob, carol;

static int open_fixture(void **state)
{
	(void)state;
	ctlfix_open(&f, NULL);
	ctlfix_member(0x1111111111ULL, &alice);
	ctlfix_member(0x2222222222ULL, &bob);
	ctlfix_member(0x3333333333ULL, &carol);
	return 0;
}

static int close_fixture(void **state)
{
	(void)state;
	ctlfix_close(&f);
	return 0;
}

static void network(const char *body)
{
	json_decref(ctlfix_network(&f, NWID, body));
}

static void member(const struct identity *who, const char *body)
{
	json_decref(ctlfix_set_member(&f, NWID, who->address, body));
}

static void ask(const struct identity *who)
{
	ctlfix_request(&f, NWID, who, 77, NULL);
	ctlfix_settle(&f);
}

/* ---- pushes -------------------------------------------------------------------------------------
 */

static void test_push_on_change(void **state)
{
	(void)state;
	network("{\"private\":false}");
	ask(&alice);
	ask(&bob);
	ctlfix_forget_sent(&f);
	network("{\"name\":\"new\"}");
	ctlfix_settle(&f);
	struct zt_reply_to to;
	struct netconf *nc = ctlfix_config(&f, alice.address, &to);
	assert_int_equal(to.request_id, 0); /* a push */
	assert_string_equal(nc->name, "new");
	assert_int_equal(nc->revision, 2);
	netconf_free(nc);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, 0), 2);

	ctlfix_forget_sent(&f);
	network("{\"name\":\"new\"}"); /* no change, no push, same revision */
	member(&bob, "{\"name\":\"b\"}");
	ctlfix_settle(&f);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, alice.address), 0);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, bob.address), 1);

	ctlfix_forget_sent(&f); /* nobody has asked for two minutes */
	ctlfix_pass(&f, 121000);
	network("{\"name\":\"newer\"}");
	ctlfix_settle(&f);
	assert_int_equal(f.sent_count, 0);
}

static void test_authorise_again_pushes(void **state)
{
	(void)state;
	network("{}");
	member(&alice, "{\"authorized\":true}");
	ask(&alice);
	member(&alice, "{\"authorized\":false}");
	ctlfix_pass(&f, 5000);
	ask(&alice);
	ctlfix_forget_sent(&f);
	member(&alice, "{\"authorized\":true}");
	ctlfix_settle(&f);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, alice.address), 1);
}

/* ---- revocations --------------------------------------------------------------------------------
 */

/* The only revocation of a payload: 00 0000 0000 0001 Rev 0000. */
static void check_revocation(const struct ctlfix_sent *s, uint64_t target)
{
	struct rd r = rd_init(s->bytes, s->length);
	struct revocation rev;
	assert_int_equal(rd_u8(&r), 0);
	assert_int_equal(rd_u16(&r), 0);
	assert_int_equal(rd_u16(&r), 0);
	assert_int_equal(rd_u16(&r), 1);
	assert_int_equal(revocation_read(&r, &rev), 0);
	assert_int_equal(rd_u16(&r), 0);
	assert_true(rd_done(&r));
	assert_true(revocation_verify(&rev, &f.identity));
	assert_int_equal(rev.type, CREDENTIAL_COM);
	assert_int_equal(rev.credential_id, 0);
	assert_int_equal(rev.target, target);
	assert_int_equal(rev.nwid, NWID);
	assert_int_equal(rev.threshold, f.now.wall_ms);
	assert_int_equal(rev.flags, REVOCATION_FAST_PROPAGATE);
}

static void test_deauthorise_revokes(void **state)
{
	(void)state;
	network("{}");
	const struct identity *all[] = { &alice, &bob, &carol };
	for (size_t i = 0; i < 3; i++) {
		member(all[i], "{\"authorized\":true}");
		ask(all[i]);
	}
	ctlfix_forget_sent(&f);
	member(&bob, "{\"authorized\":false}");
	ctlfix_settle(&f);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CREDENTIALS, 0), 3); /* all that are online */
	assert_int_equal(f.sent_count, 4);
	for (size_t i = 0; i < 3; i++) {
		check_revocation(&f.sent[i], bob.address);
	}
	/* And he is told, though he asked nothing. */
	assert_int_equal(f.sent[3].kind, CTLFIX_REFUSAL);
	assert_int_equal(f.sent[3].to.member, bob.address);
	assert_int_equal(f.sent[3].to.nwid, NWID);
	assert_int_equal(f.sent[3].to.request_id, 0);
	assert_int_equal(f.sent[3].code, 7); /* NETWORK_ACCESS_DENIED */
	ctlfix_forget_sent(&f);
	ctlfix_pass(&f, 2000);
	ask(&bob);
	assert_int_equal(f.sent[0].kind, CTLFIX_REFUSAL);
	ctlfix_forget_sent(&f);
	json_decref(controller_member_delete(f.controller, f.now, NWID, carol.address));
	ctlfix_settle(&f);
	assert_int_equal(f.sent_count, 0); /* deleting does not revoke */
}

/* Deauthorised while its configuration was being signed: it is not sent. */
static void test_late_result_is_dropped(void **state)
{
	(void)state;
	network("{}");
	member(&alice, "{\"authorized\":true}");
	ctlfix_request(&f, NWID, &alice, 77, NULL);
	controller_tick(f.controller, f.now);
	assert_int_equal(f.job_count, 1);
	member(&alice, "{\"authorized\":false}");
	ctlfix_settle(&f);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, 0), 0);
}

static void test_delete_network(void **state)
{
	(void)state;
	network("{\"private\":false}");
	ask(&alice);
	ask(&bob);
	ctlfix_pass(&f, 1500);
	assert_int_equal(json_object_size(f.store), 3);
	ctlfix_forget_sent(&f);
	json_decref(controller_network_delete(f.controller, f.now, NWID));
	network("{\"private\":false}"); /* made again at once: its members start anew */
	ctlfix_pass(&f, 1500);
	assert_int_equal(json_object_size(f.store), 1);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CREDENTIALS, 0), 2); /* both in one packet each */
	struct rd r = rd_init(f.sent[0].bytes + 5, 2);
	assert_int_equal(rd_u16(&r), 2);
}

/* ---- saving -------------------------------------------------------------------------------------
 */

static void test_saving_is_coalesced(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		char body[64];
		(void)snprintf(body, sizeof(body), "{\"name\":\"n%d\"}", i);
		network(body);
	}
	assert_int_equal(f.puts, 0);
	ctlfix_pass(&f, 999);
	assert_int_equal(f.puts, 0);
	ctlfix_pass(&f, 1);
	assert_int_equal(f.puts, 1);
	json_t *stored = json_object_get(f.store, "06b812eb9a000001");
	assert_string_equal(object_text(stored, "name"), "n9");
	assert_int_equal(object_int(stored, "revision", 0), 10);
	network("{\"name\":\"n9\"}");
	ctlfix_pass(&f, 5000);
	assert_int_equal(f.puts, 1);
}

static void test_reload(void **state)
{
	(void)state;
	network(
	    "{\"private\":false,\"v4AssignMode\":\"zt\",\"routes\":[{\"target\":\"10.0.0.0/24\"}],"
	    "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.0.0.1\",\"ipRangeEnd\":\"10.0.0.9\"}]}");
	ask(&alice);
	json_t *before = controller_member_get(f.controller, NWID, alice.address);
	json_t *store = json_incref(f.store);
	ctlfix_close(&f); /* saves what is unsaved */
	(void)json_object_set_new(store, "06b812eb9a000002", json_string("no record"));
	(void)json_object_set_new(store, "06b812eb9a000001/2222222222", json_object());
	ctlfix_open(&f, store);
	json_decref(store);
	json_t *after = controller_member_get(f.controller, NWID, alice.address);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	json_t *list = controller_networks(f.controller);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	assert_null(controller_member_get(f.controller, NWID, bob.address));
	ask(&bob); /* does not get alice's address */
	struct netconf *nc = ctlfix_config(&f, bob.address, NULL);
	ask(&alice);
	struct netconf *other = ctlfix_config(&f, alice.address, NULL);
	assert_false(endpoint_equal(&nc->addresses[0], &other->addresses[0]));
	netconf_free(nc);
	netconf_free(other);
}

/* ---- bounds -------------------------------------------------------------------------------------
 */

enum { STORM = 3000 };

static void test_storm(void **state)
{
	(void)state;
	network(
	    "{\"private\":false,\"v4AssignMode\":\"zt\",\"routes\":[{\"target\":\"10.0.0.0/8\"}],"
	    "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.0.0.1\",\"ipRangeEnd\":"
	    "\"10.0.31.255\"}]}");
	struct identity who;
	for (uint64_t i = 1; i <= STORM; i++) {
		ctlfix_member(i << 8, &who);
		ctlfix_request(&f, NWID, &who, i, NULL);
	}
	assert_int_equal(f.job_count, 0); /* nothing is built while requests come in */
	controller_tick(f.controller, f.now);
	assert_true(f.job_count <= 4);
	assert_true(controller_deadline(f.controller) > f.now.mono_ms); /* the jobs wake it */
	ctlfix_settle(&f);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, 0), STORM);
	assert_true(f.jobs_max_seen <= 4);
	/* Every address once. */
	json_t *seen = json_object();
	json_t *full = controller_members_full(f.controller, NWID);
	size_t i;
	json_t *record;
	json_array_foreach(json_object_get(full, "data"), i, record)
	{
		json_t *ip = json_array_get(json_object_get(record, "ipAssignments"), 0);
		(void)json_object_set_new(seen, json_string_value(ip), json_true());
	}
	assert_int_equal(json_object_size(seen), STORM);
	json_decref(seen);
	json_decref(full);
	ctlfix_pass(&f, 1000);
	assert_int_equal(json_object_size(f.store), STORM + 1);
	assert_true(f.max_puts_per_call <= 64);
}

static void test_worker_full(void **state)
{
	(void)state;
	network("{\"private\":false}");
	f.job_limit = 0;
	ctlfix_request(&f, NWID, &alice, 77, NULL);
	controller_tick(f.controller, f.now);
	int64_t deadline = controller_deadline(f.controller);
	assert_true(deadline > f.now.mono_ms && deadline <= f.now.mono_ms + 100);
	f.job_limit = CTLFIX_JOBS_MAX;
	ctlfix_pass(&f, 100);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, alice.address), 1);
}

/* Closing with jobs under way, jobs refused, and batches unsent leaks nothing (under sanitizers).
 */
static void test_close_in_the_middle(void **state)
{
	(void)state;
	network("{\"private\":false}");
	ask(&alice);
	ask(&bob);
	member(&alice, "{\"authorized\":false}");
	controller_tick(f.controller, f.now);
	assert_int_equal(f.job_count, 1);
	f.job_limit = 0;
	f.now.mono_ms += 2000;
	ctlfix_request(&f, NWID, &carol, 1, NULL);
	controller_tick(f.controller, f.now);
}

/* Bodies of every wrong shape: no crash, and the record keeps its form. */
static void test_malformed_bodies(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		"null",
		"[]",
		"5",
		"\"x\"",
		"{\"rules\":5}",
		"{\"rules\":[5,null,{},[]]}",
		"{\"routes\":{\"a\":1}}",
		"{\"routes\":[null,{\"target\":5},{\"target\":\"x/y\"}]}",
		"{\"ipAssignmentPools\":[1,{\"ipRangeStart\":\"10.1.1.1\",\"ipRangeEnd\":\"\"}]}",
		"{\"tags\":[1,[2],{\"id\":\"x\"}],\"capabilities\":[1,{\"id\":-1}]}",
		"{\"dns\":{\"domain\":5,\"servers\":\"x\"}}",
		"{\"dns\":[1]}",
		"{\"v4AssignMode\":7,\"v6AssignMode\":[]}",
		"{\"mtu\":1e300,\"multicastLimit\":-5}",
		"{\"authTokens\":{\"a\":\"b\",\"c\":1.5}}",
		"{\"name\":{},\"private\":null}",
		"{\"ipAssignments\":{},\"tags\":5,\"capabilities\":\"x\",\"authorized\":[]}",
		"{\"ipAssignments\":[null,5,\"1.2.3\"],\"tags\":[[],[1,2,3]]}",
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		json_t *record = ctlfix_network(&f, NWID, bodies[i]);
		assert_non_null(record);
		assert_true(json_is_array(json_object_get(record, "rules")));
		assert_true(json_is_array(json_object_get(record, "routes")));
		assert_true(json_is_array(json_object_get(record, "tags")));
		assert_true(json_is_object(json_object_get(record, "v4AssignMode")));
		json_decref(record);
		record = ctlfix_set_member(&f, NWID, alice.address, bodies[i]);
		assert_true(json_is_array(json_object_get(record, "ipAssignments")));
		assert_true(json_is_array(json_object_get(record, "tags")));
		json_decref(record);
		f.now.mono_ms += 2000;
		ask(&alice);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_push_on_change),
		TEST(test_authorise_again_pushes),
		TEST(test_deauthorise_revokes),
		TEST(test_late_result_is_dropped),
		TEST(test_delete_network),
		TEST(test_saving_is_coalesced),
		TEST(test_reload),
		TEST(test_storm),
		TEST(test_worker_full),
		TEST(test_close_in_the_middle),
		TEST(test_malformed_bodies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
