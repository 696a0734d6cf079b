/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* 3 000 members on one network: no call into the controller keeps the loop for long, and a member
 * who asks in the middle of the work is served (issue 3, part 3). Times are of the processor, so
 * that a busy machine fails nothing. */
#include "tests/lib/check.h"
#include "tests/lib/ctlfix.h"

#include <time.h>

#define NWID 0x06b812eb9a000001ULL

#if defined(__SANITIZE_ADDRESS__)
enum { SLOWER = 20 };
#else
enum { SLOWER = 1 };
#endif

enum {
	MEMBERS = 3000,
	CALL_MS = 20 * SLOWER, /* measured: at most 3 */
	NEWCOMER = 0x777777,
};

static struct ctlfix f;

static int open_fixture(void **state)
{
	(void)state;
	ctlfix_open(&f, NULL);
	json_decref(ctlfix_network(
	    &f, NWID,
	    "{\"private\":true,\"v4AssignMode\":\"zt\",\"routes\":[{\"target\":\"10.0.0.0/8\"}],"
	    "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.0.0.1\",\"ipRangeEnd\":"
	    "\"10.0.31.255\"}]}"));
	return 0;
}

static int close_fixture(void **state)
{
	(void)state;
	ctlfix_close(&f);
	return 0;
}

static uint64_t address_of(uint64_t i)
{
	return (i + 1) << 8;
}

static void all_ask(void)
{
	struct identity who;
	for (uint64_t i = 0; i < MEMBERS; i++) {
		ctlfix_member(address_of(i), &who);
		ctlfix_request(&f, NWID, &who, i + 1, NULL);
	}
}

static void all_are_members(void)
{
	for (uint64_t i = 0; i < MEMBERS; i++) {
		json_decref(ctlfix_set_member(&f, NWID, address_of(i), "{\"authorized\":true}"));
	}
	all_ask();
	ctlfix_settle(&f);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, 0), MEMBERS);
	ctlfix_forget_sent(&f);
}

static void slowest(const char *what)
{
	print_message("%-34s longest call %.1f ms\n", what, f.slowest_ms);
	assert_true(f.slowest_ms < CALL_MS);
	f.slowest_ms = 0;
}

static void test_all_ask_at_once(void **state)
{
	(void)state;
	all_are_members();
	slowest("authorised, then all ask");
}

static void test_a_change_goes_to_all(void **state)
{
	(void)state;
	all_are_members();
	f.slowest_ms = 0;
	f.now.mono_ms += 2000;
	f.now.wall_ms += 2000;
	json_decref(ctlfix_network(&f, NWID, "{\"name\":\"renamed\"}"));
	ctlfix_settle(&f);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, 0), MEMBERS);
	slowest("network changed, all are told");
}

/* A refusal needs no signature and does not queue behind 3 000 configurations. */
static void test_a_stranger_is_answered_at_once(void **state)
{
	(void)state;
	all_are_members();
	f.now.mono_ms += 2000;
	json_decref(ctlfix_network(&f, NWID, "{\"name\":\"renamed\"}"));
	struct identity who;
	ctlfix_member(NEWCOMER, &who);
	ctlfix_request(&f, NWID, &who, 5, NULL);
	assert_int_equal(ctlfix_count(&f, CTLFIX_REFUSAL, NEWCOMER), 1);
	/* Let in meanwhile, he is served with the others. */
	json_decref(ctlfix_set_member(&f, NWID, NEWCOMER, "{\"authorized\":true}"));
	f.now.mono_ms += 2000;
	ctlfix_request(&f, NWID, &who, 6, NULL);
	ctlfix_settle(&f);
	assert_true(ctlfix_count(&f, CTLFIX_CONFIG, NEWCOMER) >= 1);
	slowest("a stranger in between");
}

static void test_one_is_shut_out(void **state)
{
	(void)state;
	all_are_members();
	f.slowest_ms = 0;
	json_decref(ctlfix_set_member(&f, NWID, address_of(7), "{\"authorized\":false}"));
	ctlfix_settle(&f);
	/* Everybody who is online hears of it. */
	size_t told = ctlfix_count(&f, CTLFIX_CREDENTIALS, 0);
	assert_in_range(told, MEMBERS - 1, MEMBERS);
	slowest("one deauthorised, all are told");
}

static void test_the_list_of_all(void **state)
{
	(void)state;
	all_are_members();
	clock_t begin = clock();
	json_t *all = controller_members_full(f.controller, NWID);
	double took_ms = (double)(clock() - begin) * 1e3 / CLOCKS_PER_SEC;
	assert_int_equal(json_array_size(json_object_get(all, "data")), MEMBERS);
	json_decref(all);
	print_message("all members' records in one list: %.1f ms\n", took_ms);
	assert_true(took_ms < 500 * SLOWER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_ask_at_once, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(test_a_change_goes_to_all, open_fixture,
						close_fixture),
		cmocka_unit_test_setup_teardown(test_a_stranger_is_answered_at_once, open_fixture,
						close_fixture),
		cmocka_unit_test_setup_teardown(test_one_is_shut_out, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(test_the_list_of_all, open_fixture, close_fixture),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
