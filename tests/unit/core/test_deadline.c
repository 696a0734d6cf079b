/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The heap of deadlines against a list that is searched. */
#include "core/deadline.h"
#include "core/mem.h"
#include "core/zt.h"
#include "tests/lib/check.h"

enum { OBJECTS = 200, STEPS = 20000 };

static uint64_t rng = 1;

static uint64_t random_u64(void)
{
	rng = rng * 6364136223846793005U + 1442695040888963407U;
	return rng >> 16;
}

static int64_t slow_next(const struct deadline *objects)
{
	int64_t next_ms = INT64_MAX;
	for (size_t i = 0; i < OBJECTS; i++) {
		if (objects[i].slot && objects[i].due_ms < next_ms) {
			next_ms = objects[i].due_ms;
		}
	}
	return next_ms;
}

static void random_changes_agree_with_a_search(void **state)
{
	(void)state;
	struct deadlines all = { 0 };
	struct deadline objects[OBJECTS] = { 0 };
	for (size_t i = 0; i < OBJECTS; i++) {
		assert_int_equal(deadlines_reserve(&all), 0);
	}
	for (int step = 0; step < STEPS; step++) {
		struct deadline *object = &objects[random_u64() % OBJECTS];
		int64_t due_ms = (int64_t)(random_u64() % 1000);
		switch (random_u64() % 4) {
		case 0:
			deadline_clear(&all, object);
			assert_int_equal(object->slot, 0);
			break;
		case 1: {
			int64_t old_ms = object->slot ? object->due_ms : INT64_MAX;
			deadline_set_earlier(&all, object, due_ms);
			assert_int_equal(object->due_ms, due_ms < old_ms ? due_ms : old_ms);
			break;
		}
		case 2: {
			struct deadline *due = deadlines_due(&all, due_ms);
			assert_true(due ? due->slot == 0 && due->due_ms <= due_ms
					: slow_next(objects) > due_ms);
			break;
		}
		default:
			deadline_set(&all, object, due_ms);
			assert_int_equal(object->due_ms, due_ms);
			break;
		}
		assert_int_equal(deadlines_next(&all), slow_next(objects));
	}
	deadlines_fini(&all);
}

static void due_ones_come_in_order(void **state)
{
	(void)state;
	struct deadlines all = { 0 };
	struct deadline objects[3] = { { .kind = 0 }, { .kind = 1 }, { .kind = 2 } };
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(deadlines_reserve(&all), 0);
	}
	assert_int_equal(deadlines_next(&all), INT64_MAX);
	assert_null(deadlines_due(&all, INT64_MAX));
	deadline_set(&all, &objects[0], 30);
	deadline_set(&all, &objects[1], 10);
	deadline_set(&all, &objects[2], 20);
	assert_null(deadlines_due(&all, 9));
	assert_ptr_equal(deadlines_due(&all, 25), &objects[1]);
	assert_ptr_equal(deadlines_due(&all, 25), &objects[2]);
	assert_null(deadlines_due(&all, 25));
	deadline_clear(&all, &objects[0]);
	for (size_t i = 0; i < 3; i++) {
		deadlines_release(&all);
	}
	deadlines_fini(&all);
}

static void want_of_memory_is_told_when_room_is_reserved(void **state)
{
	(void)state;
	struct deadlines all = { 0 };
	zt_mem_fail_after(0);
	assert_int_equal(deadlines_reserve(&all), ZT_E_NO_MEMORY);
	zt_mem_fail_after(-1);
	assert_int_equal(deadlines_reserve(&all), 0);
	deadlines_fini(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_agree_with_a_search),
		cmocka_unit_test(due_ones_come_in_order),
		cmocka_unit_test(want_of_memory_is_told_when_room_is_reserved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
