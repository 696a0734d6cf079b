/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/loop.c: stale events, deadlines. This program is its own turn.c. */
#include "service/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY = 200 };

static struct loop *loop;
static struct watch watches[MANY];
static int calls[MANY];
static void (*handler)(struct watch *w, uint32_t events);
static int64_t deadline;
static unsigned turns, turns_wanted;

void turn_dispatch(struct service *service, struct watch *w, uint32_t events)
{
	(void)service;
	calls[w - watches]++;
	handler(w, events);
}

void turn_finish(struct service *service, struct zt_now now)
{
	(void)service;
	if (now.mono_ms >= deadline) {
		deadline = INT64_MAX;
	}
	if (++turns == turns_wanted) {
		loop_stop(loop);
	}
}

int64_t turn_deadline(struct service *service)
{
	(void)service;
	return deadline;
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new(NULL);
	deadline = 0; /* do not wait for events */
	turns = 0;
	turns_wanted = 1;
	for (size_t i = 0; i < MANY; i++) {
		watches[i] = (struct watch){ .fd = -1, .kind = WATCH_VSOCK };
		calls[i] = 0;
	}
	return loop == NULL;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		if (watches[i].fd >= 0) {
			loop_remove(loop, &watches[i]);
			(void)close(watches[i].fd);
		}
	}
	loop_free(loop);
	return 0;
}

/* A descriptor that is readable from the beginning. */
static void ready_add(size_t i)
{
	watches[i].fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(watches[i].fd >= 0);
	assert_int_equal(loop_add(loop, &watches[i], EPOLLIN), 0);
}

static void drop(size_t i)
{
	loop_remove(loop, &watches[i]);
	(void)close(watches[i].fd);
	watches[i].fd = -1;
}

static void ignore(struct watch *w, uint32_t events)
{
	(void)w;
	assert_true(events & EPOLLIN);
}

static void test_every_event_reaches_its_owner(void **state)
{
	(void)state;
	handler = ignore;
	turns_wanted = 2; /* the batch is smaller than MANY */
	for (size_t i = 0; i < MANY; i++) {
		ready_add(i);
	}
	loop_run(loop);
	for (size_t i = 0; i < MANY; i++) {
		assert_true(calls[i] >= 1);
	}
}

static void drop_all_others(struct watch *w, uint32_t events)
{
	(void)events;
	for (size_t i = 0; i < 8; i++) {
		if (&watches[i] != w && watches[i].fd >= 0) {
			drop(i);
		}
	}
}

static void test_removed_in_the_same_turn_is_not_called(void **state)
{
	(void)state;
	handler = drop_all_others;
	for (size_t i = 0; i < 8; i++) {
		ready_add(i);
	}
	loop_run(loop);
	int sum = 0;
	for (size_t i = 0; i < 8; i++) {
		sum += calls[i];
	}
	assert_int_equal(sum, 1);
}

/* The worst case: slot and descriptor number are used again by another watch at once. */
static void replace_others(struct watch *w, uint32_t events)
{
	(void)events;
	if (w >= &watches[8]) {
		return;
	}
	for (size_t i = 0; i < 8; i++) {
		if (&watches[i] != w && watches[i].fd >= 0) {
			drop(i);
			ready_add(i + 8);
		}
	}
}

static void test_reused_slot_gets_no_stale_event(void **state)
{
	(void)state;
	handler = replace_others;
	for (size_t i = 0; i < 8; i++) {
		ready_add(i);
	}
	loop_run(loop);
	int first = 0, second = 0;
	for (size_t i = 0; i < 8; i++) {
		first += calls[i];
		second += calls[i + 8];
	}
	assert_int_equal(first, 1);
	assert_int_equal(second, 0); /* ready, but their own event comes with the next turn */
}

static void test_own_removal_and_modify(void **state)
{
	(void)state;
	handler = ignore;
	ready_add(0);
	ready_add(1);
	assert_int_equal(loop_modify(loop, &watches[0], 0), 0);
	loop_run(loop);
	assert_int_equal(calls[0], 0);
	assert_int_equal(calls[1], 1);
	loop_remove(loop, &watches[1]);
	loop_remove(loop, &watches[1]); /* once more does nothing */
	assert_int_equal(loop_add(loop, &watches[1], EPOLLIN), 0);
}

static void test_bad_descriptor_is_refused(void **state)
{
	(void)state;
	struct watch w = { .fd = 1 << 20, .kind = WATCH_VSOCK };
	assert_true(loop_add(loop, &w, EPOLLIN) < 0);
	loop_remove(loop, &w);
	ready_add(0); /* the slot was not lost */
	assert_int_equal(watches[0].slot, 0);
}

static void test_wakes_for_the_deadline(void **state)
{
	(void)state;
	int64_t start = loop_now(loop).mono_ms;
	deadline = start + 30;
	handler = ignore;
	/* One turn that sleeps until the deadline, which turn_finish takes away. */
	loop_run(loop);
	assert_true(loop_now(loop).mono_ms >= start + 30);
	assert_true(deadline == INT64_MAX);
}

static void test_clock(void **state)
{
	(void)state;
	struct zt_now now = loop_now(loop);
	assert_true(now.mono_ms > 0);
	assert_true(now.wall_ms / 1000 - time(NULL) <= 1 && time(NULL) - now.wall_ms / 1000 <= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_event_reaches_its_owner, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_removed_in_the_same_turn_is_not_called, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_reused_slot_gets_no_stale_event, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_own_removal_and_modify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_descriptor_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wakes_for_the_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
