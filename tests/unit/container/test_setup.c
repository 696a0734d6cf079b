/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What variables of the environment make of a home directory. */
#include "container/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET "0123456789:0:aabb:ccdd"
#define OTHER  "9876543210:0:aabb:ccdd"

struct fixture {
	char folder[64];
	struct setup setup;
};

static int fixture_new(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/netcon-setup.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->setup.home = f->folder;
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

/* Start anew with these variables, as another start of the container does. */
static int start(struct fixture *f, const char *const *environment)
{
	vars_free(&f->setup);
	memset(&f->setup, 0, sizeof f->setup);
	f->setup.home = f->folder;
	if (vars_read(&f->setup, environment) != 0 || networks_collect(&f->setup) != 0) {
		return -1;
	}
	return home_prepare(&f->setup);
}
#define START(f, ...) start(f, (const char *const[]){ __VA_ARGS__, NULL })

static const char *path_of(struct fixture *f, const char *name)
{
	static char path[256];
	(void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
	return path;
}

/* The content of a file of the home; "" if it is not there. Valid until the next call. */
static const char *content(struct fixture *f, const char *name)
{
	static char text[4096];
	char *bytes = NULL;
	size_t length = 0;
	text[0] = '\0';
	if (file_slurp(path_of(f, name), &bytes, &length) == 0) {
		(void)snprintf(text, sizeof text, "%s", bytes);
		free(bytes);
	}
	return text;
}

static void put(struct fixture *f, const char *name, const char *text)
{
	assert_int_equal(file_replace(path_of(f, name), text, strlen(text), 0644), 0);
}

static json_t *settings_of(struct fixture *f)
{
	json_t *root = json_loads(content(f, "local.conf"), 0, NULL);
	assert_non_null(root);
	json_t *settings = json_incref(json_object_get(root, "settings"));
	json_decref(root);
	assert_non_null(settings);
	return settings;
}

static void no_variable_makes_a_home_for_programs_of_any_user(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(START(f, "PATH=/bin"), 0);
	assert_string_equal(content(f, "identity.secret"), "");
	json_t *settings = settings_of(f);
	const json_t *netcon = json_object_get(settings, "netcon");
	assert_string_equal(json_string_value(json_object_get(netcon, "socketMode")), "0666");
	json_decref(settings);
}

static void networks_of_all_variables_are_joined_once(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(START(f, "ZEROTIER_JOIN_NETWORKS=8056C2e21c000001, 8056c2e21c000002",
			       "ZEROTIER_ONE_NETWORK_IDS=8056c2e21c000001;8056c2e21c000003",
			       "ZTNC_NETWORK=8056c2e21c000009"),
			 0);
	assert_int_equal(f->setup.network_count, 4);
	assert_string_equal(f->setup.networks[0], "8056c2e21c000009");
	for (int i = 1; i <= 3; i++) {
		char name[64];
		(void)snprintf(name, sizeof name, "networks.d/8056c2e21c00000%d.conf", i);
		assert_int_equal(access(path_of(f, name), F_OK), 0);
	}
	/* A cached configuration is not wiped by the next start. */
	put(f, "networks.d/8056c2e21c000001.conf", "cached");
	assert_int_equal(START(f, "ZEROTIER_JOIN_NETWORKS=8056c2e21c000001"), 0);
	assert_string_equal(content(f, "networks.d/8056c2e21c000001.conf"), "cached");
	assert_int_equal(START(f, "ZEROTIER_JOIN_NETWORKS=../../etc/passwd"), -1);
	assert_int_equal(START(f, "ZTNC_NETWORK=8056c2e21c00000"), -1);
}

static void secrets_come_from_values_and_files(void **state)
{
	struct fixture *f = *state;
	char by_name[320], by_value[320];
	put(f, "secret", "  token-1\n");
	(void)snprintf(by_name, sizeof by_name, "ZEROTIER_API_SECRET_FILE=%s",
		       path_of(f, "secret"));
	(void)snprintf(by_value, sizeof by_value, "ZEROTIER_API_SECRET=file:%s",
		       path_of(f, "secret"));
	assert_int_equal(START(f, by_name), 0);
	assert_string_equal(content(f, "authtoken.secret"), "token-1");
	assert_int_equal(START(f, "ZEROTIER_API_SECRET=token-2"), 0);
	assert_string_equal(content(f, "authtoken.secret"), "token-2");
	assert_int_equal(START(f, by_value), 0);
	assert_string_equal(content(f, "authtoken.secret"), "token-1");
	struct stat st;
	assert_int_equal(stat(path_of(f, "authtoken.secret"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(START(f, by_name, "ZEROTIER_API_SECRET=both"), -1);
	assert_int_equal(START(f, "ZEROTIER_API_SECRET_FILE=/nonexistent"), -1);
	put(f, "secret", "\n");
	assert_int_equal(START(f, by_name), -1);
}

static void an_identity_is_given_once_and_never_replaced(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(START(f, "ZEROTIER_IDENTITY_SECRET=" SECRET), 0);
	assert_string_equal(content(f, "identity.secret"), SECRET);
	assert_int_equal(START(f, "ZEROTIER_IDENTITY_SECRET=" SECRET,
			       "ZEROTIER_IDENTITY_PUBLIC=0123456789:0:aabb"),
			 0);
	assert_int_equal(START(f, "ZEROTIER_IDENTITY_SECRET=" SECRET,
			       "ZEROTIER_IDENTITY_PUBLIC=0123456789:0:aa"),
			 -1);
	assert_int_equal(START(f, "ZEROTIER_IDENTITY_SECRET=" OTHER), -1);
	assert_string_equal(content(f, "identity.secret"), SECRET);
	assert_int_equal(START(f, "ZTNC_IDENTITY=ephemeral"), -1);
	assert_string_equal(content(f, "identity.secret"), SECRET);
	assert_int_equal(START(f, "ZTNC_IDENTITY=lasting"), -1);
}

static void an_ephemeral_identity_lives_for_one_start(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(START(f, "ZTNC_IDENTITY=ephemeral"), 0);
	put(f, "identity.secret", SECRET); /* what the service would write */
	assert_int_equal(START(f, "ZTNC_IDENTITY=ephemeral"), 0);
	assert_string_equal(content(f, "identity.secret"), "");
	assert_int_equal(START(f, "ZTNC_IDENTITY=ephemeral", "ZEROTIER_IDENTITY_SECRET=" SECRET),
			 -1);
}

static void local_conf_keeps_what_it_says(void **state)
{
	struct fixture *f = *state;
	put(f, "local.conf",
	    "{\"settings\":{\"primaryPort\":1234,\"netcon\":{\"socketMode\":\"0660\"}},"
	    "\"physical\":{}}");
	assert_int_equal(START(f, "ZT_PRIMARY_PORT=9994", "ZT_ALLOW_TCP_FALLBACK_RELAY=false",
			       "ZT_ALLOW_MANAGEMENT_FROM=10.0.0.0/8, 127.0.0.1"),
			 0);
	json_t *settings = settings_of(f);
	assert_int_equal(json_integer_value(json_object_get(settings, "primaryPort")), 1234);
	assert_true(json_is_false(json_object_get(settings, "allowTcpFallbackRelay")));
	assert_int_equal(json_array_size(json_object_get(settings, "allowManagementFrom")), 2);
	assert_string_equal(
	    json_string_value(json_object_get(json_object_get(settings, "netcon"), "socketMode")),
	    "0660");
	json_decref(settings);
	assert_non_null(strstr(content(f, "local.conf"), "physical"));
	assert_int_equal(START(f, "ZT_PRIMARY_PORT=9994", "ZT_OVERRIDE_LOCAL_CONF=true"), 0);
	settings = settings_of(f);
	assert_int_equal(json_integer_value(json_object_get(settings, "primaryPort")), 9994);
	json_decref(settings);
}

static void wrong_values_are_refused(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(START(f, "ZT_PRIMARY_PORT=99999"), -1);
	assert_int_equal(START(f, "ZT_PRIMARY_PORT=x"), -1);
	assert_int_equal(START(f, "ZT_PORT_MAPPING_ENABLED=maybe"), -1);
	assert_int_equal(START(f, "ZTNC_PLANET=/nonexistent"), -1);
	/* A broken local.conf stays for the service to explain. */
	put(f, "local.conf", "{");
	assert_int_equal(START(f, "ZT_PRIMARY_PORT=9994"), 0);
	assert_string_equal(content(f, "local.conf"), "{");
}

static void a_planet_is_copied(void **state)
{
	struct fixture *f = *state;
	char variable[320];
	put(f, "given", "planet bytes");
	(void)snprintf(variable, sizeof variable, "ZTNC_PLANET=%s", path_of(f, "given"));
	assert_int_equal(START(f, variable), 0);
	assert_string_equal(content(f, "planet"), "planet bytes");
}

/* A variable that cannot apply, or that nobody knows, is named; the others are not. */
static void odd_variables_are_named(void **state)
{
	struct fixture *f = *state;
	char said[2048] = "";
	int pipe_fds[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
	int result = START(f, "PUID=1000", "ZTNC_NONSENSE=1", "ZT_NC_DEBUG=1", "ZEROTIER_HOME=/x",
			   "ZEROTIER_API_SECRET_FILE=", "HOME=/root", "ZEROTIER_ONE_GATEWAY_MODE=");
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	(void)close(pipe_fds[1]);
	assert_true(read(pipe_fds[0], said, sizeof said - 1) > 0);
	(void)close(pipe_fds[0]);
	assert_int_equal(result, 0);
	assert_non_null(strstr(said, "PUID is not applicable"));
	assert_non_null(strstr(said, "ZTNC_NONSENSE is not a variable"));
	assert_null(strstr(said, "ZT_NC_DEBUG"));
	assert_null(strstr(said, "ZEROTIER_"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_new, fixture_free)
	const struct CMUnitTest tests[] = {
		TEST(no_variable_makes_a_home_for_programs_of_any_user),
		TEST(networks_of_all_variables_are_joined_once),
		TEST(secrets_come_from_values_and_files),
		TEST(an_identity_is_given_once_and_never_replaced),
		TEST(an_ephemeral_identity_lives_for_one_start),
		TEST(local_conf_keeps_what_it_says),
		TEST(wrong_values_are_refused),
		TEST(a_planet_is_copied),
		TEST(odd_variables_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
