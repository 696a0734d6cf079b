/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* ZTNC_ROOT: the planet of one's own, its key, and what changes when the endpoints do. */
#include "container/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORLD_ID_AT = 1, WORLD_ID_BYTES = 8, TIME_BYTES = 8 };

struct fixture {
	char folder[64];
	struct setup setup;
};

/* zerotier-idtool is the one that was built beside this program. */
static int idtool_is_found(void **state)
{
	char path[4096];
	const char *build = getenv("BUILD"), *present = getenv("PATH");
	(void)state;
	(void)snprintf(path, sizeof path, "%s:%s", build ? build : "build/release",
		       present ? present : "");
	return setenv("PATH", path, 1);
}

static int fixture_new(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/netcon-root.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	*state = f;
	return 0;
}

static int fixture_free(void **state)
{
	struct fixture *f = *state;
	char command[96];
	vars_free(&f->setup);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static int start(struct fixture *f, const char *const *environment)
{
	vars_free(&f->setup);
	memset(&f->setup, 0, sizeof f->setup);
	f->setup.home = f->folder;
	return vars_read(&f->setup, environment) == 0 ? home_prepare(&f->setup) : -1;
}
#define START(f, ...) start(f, (const char *const[]){ __VA_ARGS__, NULL })

struct content {
	char *bytes;
	size_t length;
};
static struct content content(struct fixture *f, const char *name)
{
	char path[INIT_PATH_BYTES];
	struct content c = { NULL, 0 };
	assert_int_equal(file_slurp(home_path(&f->setup, path, name), &c.bytes, &c.length), 0);
	return c;
}
static bool is_same(struct content a, struct content b)
{
	return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

static void a_planet_is_made_once(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(START(f, "ZTNC_ROOT=192.0.2.1/9993"), 0);
	struct content first = content(f, "planet"), key = content(f, "planet.key");
	struct content secret = content(f, "identity.secret");
	struct content public_half = content(f, "identity.public");
	assert_true(first.length > WORLD_ID_AT + WORLD_ID_BYTES + TIME_BYTES);
	/* The node that it names is this one. */
	public_half.bytes[strcspn(public_half.bytes, "\r\n")] = '\0';
	assert_memory_equal(secret.bytes, public_half.bytes, strlen(public_half.bytes));

	assert_int_equal(START(f, "ZTNC_ROOT=192.0.2.1/9993"), 0);
	struct content second = content(f, "planet");
	assert_true(is_same(first, second));
	struct content key_again = content(f, "planet.key");
	assert_true(is_same(key, key_again));
	free(first.bytes), free(second.bytes), free(key.bytes), free(key_again.bytes);
	free(secret.bytes), free(public_half.bytes);
}

static void other_endpoints_make_a_newer_edition_of_the_same_world(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(START(f, "ZTNC_ROOT=192.0.2.1/9993"), 0);
	struct content first = content(f, "planet"), key = content(f, "planet.key");
	struct content secret = content(f, "identity.secret");
	assert_int_equal(START(f, "ZTNC_ROOT=192.0.2.2/9993,2001:db8::2/9993"), 0);
	struct content second = content(f, "planet"), key_again = content(f, "planet.key");
	struct content secret_again = content(f, "identity.secret");
	assert_false(is_same(first, second));
	assert_true(is_same(key, key_again));
	assert_true(is_same(secret, secret_again));
	/* The id stays, the time, in the network's order, is later. */
	assert_memory_equal(first.bytes, second.bytes, WORLD_ID_AT + WORLD_ID_BYTES);
	assert_true(memcmp(first.bytes + WORLD_ID_AT + WORLD_ID_BYTES,
			   second.bytes + WORLD_ID_AT + WORLD_ID_BYTES, TIME_BYTES) < 0);
	free(first.bytes), free(second.bytes), free(key.bytes), free(key_again.bytes);
	free(secret.bytes), free(secret_again.bytes);
}

/* An identity that is there is the root's; its public half is made from it. */
static void the_identity_that_is_there_is_the_roots(void **state)
{
	struct fixture *f = *state;
	char path[INIT_PATH_BYTES];
	assert_int_equal(START(f, "ZTNC_ROOT=192.0.2.1/9993"), 0);
	struct content secret = content(f, "identity.secret"), half = content(f, "identity.public");
	static const char *const made[] = { "identity.public", "planet", "planet.key",
					    "planet.root" };
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		assert_int_equal(unlink(home_path(&f->setup, path, made[i])), 0);
	}
	assert_int_equal(START(f, "ZTNC_ROOT=192.0.2.1/9993"), 0);
	struct content secret_again = content(f, "identity.secret");
	struct content half_again = content(f, "identity.public");
	assert_true(is_same(secret, secret_again));
	half.bytes[strcspn(half.bytes, "\r\n")] = '\0';
	assert_string_equal(half.bytes, half_again.bytes);
	free(secret.bytes), free(secret_again.bytes), free(half.bytes), free(half_again.bytes);
}

static void wrong_values_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const wrong[] = {
		"ZTNC_ROOT=controller/9993", "ZTNC_ROOT=192.0.2.1",
		"ZTNC_ROOT=192.0.2.1/",      "ZTNC_ROOT=192.0.2.1/0",
		"ZTNC_ROOT=192.0.2.1/65536", "ZTNC_ROOT=192.0.2.1/9993x",
		"ZTNC_ROOT=/9993",           "ZTNC_ROOT=,",
	};
	char path[INIT_PATH_BYTES];
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(START(f, wrong[i]), -1);
		assert_int_equal(access(home_path(&f->setup, path, "planet"), F_OK), -1);
	}
	assert_int_equal(START(f, "ZTNC_ROOT=192.0.2.1/9993", "ZTNC_PLANET=/dev/null"), -1);
	assert_int_equal(START(f, "ZTNC_ROOT=192.0.2.1/9993", "ZTNC_IDENTITY=ephemeral"), -1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_new, fixture_free)
	const struct CMUnitTest tests[] = {
		TEST(a_planet_is_made_once),
		TEST(other_endpoints_make_a_newer_edition_of_the_same_world),
		TEST(the_identity_that_is_there_is_the_roots),
		TEST(wrong_values_are_refused),
	};
	return cmocka_run_group_tests(tests, idtool_is_found, NULL);
}
