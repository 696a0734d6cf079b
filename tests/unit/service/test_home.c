/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/home.c and file.c: what is made, what is refused, and that nothing wrong is overwritten.
 */
#include "service/home.h"

#include "service/file.h"
#include "service/log.h"
#include "service/service.h"
#include "tests/lib/vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct service service;
static char root[64], home[128], error[HOME_ERROR_BYTES];

static int setup(void **state)
{
	(void)state;
	log_level_set(LOG_LEVEL_ERROR);
	(void)strcpy(root, "/tmp/netcon-test-XXXXXX");
	assert_non_null(mkdtemp(root));
	(void)snprintf(home, sizeof home, "%s/a/b", root);
	memset(&service, 0, sizeof service);
	service.lock_fd = -1;
	error[0] = '\0';
	return home_open(&service, home, false, error);
}

static int teardown(void **state)
{
	(void)state;
	char command[160];
	home_close(&service);
	(void)snprintf(command, sizeof command, "rm -r '%s'", root);
	return system(command); /* NOLINT(cert-env33-c): a test's own temporary directory */
}

static char *in_home(const char *name)
{
	static char path[HOME_PATH_BYTES];
	return home_path(&service, path, "%s", name);
}

static void put(const char *name, const void *bytes, size_t length)
{
	assert_int_equal(file_write(in_home(name), bytes, length, 0600), 0);
}

static void assert_holds(const char *name, const void *bytes, size_t length)
{
	char *held = NULL;
	size_t held_length = 0;
	assert_int_equal(file_read(in_home(name), 65536, &held, &held_length), 0);
	assert_int_equal(held_length, length);
	assert_memory_equal(held, bytes, length);
	free(held);
}

static mode_t mode_of(const char *name)
{
	struct stat st;
	assert_int_equal(stat(in_home(name), &st), 0);
	return st.st_mode & 07777;
}

static void test_created_recursively(void **state)
{
	(void)state;
	assert_string_equal(service.home, home);
	assert_int_equal(mode_of("peers.d"), 0700);
	assert_int_equal(mode_of("networks.d"), 0755);
	assert_int_equal(mode_of("nc"), 0755);
	assert_int_equal(mode_of("zerotier-one.lock"), 0600);
}

static void test_not_writable_says_the_cure(void **state)
{
	(void)state;
	struct service other = { .lock_fd = -1 };
	put("file", "x", 1);
	assert_int_equal(home_open(&other, in_home("file/below"), false, error), -1);
	assert_non_null(strstr(error, "ZEROTIER_HOME"));
	if (geteuid() == 0) {
		return; /* root may write everywhere */
	}
	assert_int_equal(chmod(home, 0500), 0);
	assert_int_equal(home_open(&other, home, false, error), -1);
	assert_non_null(strstr(error, home));
	assert_int_equal(chmod(home, 0700), 0);
}

/* flock() belongs to the open file, so a second open in this process stands for a second service.
 */
static void test_second_service_is_refused_with_our_pid(void **state)
{
	(void)state;
	struct service other = { .lock_fd = -1 };
	char pid[32];
	assert_int_equal(home_open(&other, home, false, error), -1);
	(void)snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
	assert_non_null(strstr(error, pid));
	assert_non_null(strstr(error, home));
	home_close(&service);
	assert_int_equal(home_open(&other, home, false, error), 0); /* free again */
	home_close(&other);
}

static void test_identity_is_made_once(void **state)
{
	(void)state;
	struct identity first, second;
	assert_int_equal(home_identity(&service, &first, error), 0);
	assert_true(first.has_secret);
	assert_int_equal(mode_of("identity.secret"), 0600);
	assert_int_equal(mode_of("identity.public"), 0644);
	assert_int_equal(home_identity(&service, &second, error), 0);
	assert_true(identity_equal(&first, &second));
	/* The public half is written again when only it is missing. */
	assert_int_equal(unlink(in_home("identity.public")), 0);
	assert_int_equal(home_identity(&service, &second, error), 0);
	char text[IDENTITY_TEXT_MAX];
	(void)identity_text(&first, false, text);
	assert_holds("identity.public", text, strlen(text));
}

static void identity_refused(const char *content)
{
	struct identity id;
	put("identity.secret", content, strlen(content));
	assert_int_equal(home_identity(&service, &id, error), -1);
	assert_non_null(strstr(error, in_home("identity.secret")));
	assert_non_null(strstr(error, "backup"));
	assert_holds("identity.secret", content, strlen(content));
}

static void test_corrupt_identity_is_refused_and_kept(void **state)
{
	(void)state;
	struct identity id;
	char text[IDENTITY_TEXT_MAX];
	assert_int_equal(home_identity(&service, &id, error), 0);
	(void)identity_text(&id, true, text);
	identity_refused("");
	identity_refused("garbage");
	char wrong[IDENTITY_TEXT_MAX];
	(void)strcpy(wrong, text);
	wrong[0] = wrong[0] == '1' ? '2' : '1'; /* another address: the hash does not prove it */
	identity_refused(wrong);
	(void)strcpy(wrong, text);
	wrong[strlen(wrong) - 10] = '\0'; /* cut */
	identity_refused(wrong);
	(void)identity_text(&id, false, wrong); /* no secret */
	identity_refused(wrong);
	put("identity.secret", text, strlen(text));
	assert_int_equal(home_identity(&service, &id, error), 0);
}

static void test_lost_secret_is_not_replaced(void **state)
{
	(void)state;
	struct identity id;
	put("identity.public", "old", 3);
	assert_int_equal(home_identity(&service, &id, error), -1);
	assert_non_null(strstr(error, "identity.secret is missing"));
	assert_holds("identity.public", "old", 3);
	assert_int_equal(access(in_home("identity.secret"), F_OK), -1);
}

static void test_token(void **state)
{
	(void)state;
	assert_int_equal(home_token(&service, error), 0);
	assert_int_equal(strlen(service.token), 24);
	assert_int_equal(strspn(service.token, "abcdefghijklmnopqrstuvwxyz0123456789"), 24);
	assert_int_equal(mode_of("authtoken.secret"), 0600);
	assert_holds("authtoken.secret", service.token, 24);
	assert_int_equal(mode_of("metricstoken.secret"), 0600);
	assert_holds("metricstoken.secret", service.metrics_token, 24);
	assert_string_not_equal(service.token, service.metrics_token);
	put("authtoken.secret", " \n mytoken\r\n", 12);
	assert_int_equal(home_token(&service, error), 0);
	assert_string_equal(service.token, "mytoken");
	put("authtoken.secret", " \n", 2);
	assert_int_equal(home_token(&service, error), -1);
	assert_non_null(strstr(error, "authtoken.secret"));
	assert_holds("authtoken.secret", " \n", 2);
}

static void test_planet(void **state)
{
	(void)state;
	char *bytes = NULL;
	size_t length = 0;
	assert_int_equal(home_planet(&service, &bytes, &length, error), 0);
	assert_null(bytes); /* none: runs without root servers */
	assert_false(home_planet_is_loopback(bytes, length));

	size_t real_length = 0;
	uint8_t *real = test_file("captures/planet", &real_length);
	put("planet", real, real_length);
	assert_int_equal(home_planet(&service, &bytes, &length, error), 0);
	assert_int_equal(length, real_length);
	assert_false(home_planet_is_loopback(bytes, length));
	free(bytes);
	/* Its root's endpoint is 10.98.0.1; make that a loopback address. */
	uint8_t *at = memmem(real, real_length, "\x04\x0a\x62\x00\x01", 5);
	assert_non_null(at);
	at[1] = 127;
	at[2] = 0;
	assert_true(home_planet_is_loopback(real, real_length));

	for (size_t cut = 0; cut < real_length; cut += 7) { /* truncated at any place */
		put("planet", real, cut);
		assert_int_equal(home_planet(&service, &bytes, &length, error), -1);
		assert_null(bytes);
		assert_non_null(strstr(error, "mkplanet"));
		assert_holds("planet", real, cut);
	}
	free(real);
}

static void test_announce(void **state)
{
	(void)state;
	char pid[32];
	service.settings.primary_port = 4711;
	assert_int_equal(home_announce(&service, error), 0);
	assert_holds("zerotier-one.port", "4711", 4);
	int length = snprintf(pid, sizeof pid, "%ld", (long)getpid());
	assert_holds("zerotier-one.pid", pid, (size_t)length);
	home_close(&service);
	assert_int_equal(access(in_home("zerotier-one.pid"), F_OK), -1);
	assert_int_equal(access(in_home("zerotier-one.port"), F_OK),
			 0); /* for the tools' message */
}

static void test_files(void **state)
{
	(void)state;
	char *bytes = NULL;
	size_t length = 0;
	assert_int_equal(file_read(in_home("none"), 10, &bytes, &length), -ENOENT);
	assert_int_equal(file_read(home, 10, &bytes, &length), -EISDIR);
	put("big", "12345678901", 11);
	assert_int_equal(file_read(in_home("big"), 10, &bytes, &length), -EFBIG);
	assert_int_equal(mkfifo(in_home("fifo"), 0600), 0);
	assert_int_equal(file_read(in_home("fifo"), 10, &bytes, &length), -EINVAL);
	/* A link planted under the temporary name is not followed. */
	assert_int_equal(symlink("big", in_home("x.tmp")), 0);
	put("x", "new", 3);
	assert_holds("big", "12345678901", 11);
	assert_holds("x", "new", 3);
	assert_int_equal(file_write(in_home("no/such/folder"), "x", 1, 0600), -ENOENT);
	assert_int_equal(file_mkdirs(in_home("big"), 0700), -ENOTDIR);
	assert_int_equal(file_mkdirs("", 0700), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_created_recursively, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_writable_says_the_cure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_service_is_refused_with_our_pid, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_identity_is_made_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_corrupt_identity_is_refused_and_kept, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_lost_secret_is_not_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_token, setup, teardown),
		cmocka_unit_test_setup_teardown(test_planet, setup, teardown),
		cmocka_unit_test_setup_teardown(test_announce, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
