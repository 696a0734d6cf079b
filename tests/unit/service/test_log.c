/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/log.c: one line per event, whatever is in it, and not too many of them. */
#include "service/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static char text[8192];
static int file;

static int setup(void **state)
{
	(void)state;
	file = memfd_create("log", MFD_CLOEXEC);
	log_fd_set(file);
	log_level_set(LOG_LEVEL_INFO);
	return file < 0;
}

static int teardown(void **state)
{
	(void)state;
	log_fd_set(STDERR_FILENO);
	return close(file);
}

static const char *logged(void)
{
	ssize_t n = pread(file, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static size_t lines(void)
{
	size_t count = 0;
	for (const char *p = logged(); *p != '\0'; p++) {
		count += *p == '\n';
	}
	return count;
}

static void test_line(void **state)
{
	(void)state;
	log_warn("udp", "cannot bind address=%s", "127.0.0.1/1");
	assert_int_equal(lines(), 1);
	assert_non_null(strstr(text, " warn udp: cannot bind address=127.0.0.1/1\n"));
}

static void test_levels(void **state)
{
	(void)state;
	log_debug("x", "hidden");
	assert_int_equal(lines(), 0);
	log_level_set(LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_get(), LOG_LEVEL_DEBUG);
	log_debug("x", "shown");
	assert_int_equal(lines(), 1);
	log_level_set(LOG_LEVEL_ERROR);
	log_warn("x", "hidden");
	log_err("x", "shown");
	assert_int_equal(lines(), 2);
}

static void test_errno_kept_and_shown(void **state)
{
	(void)state;
	errno = ENOSPC;
	log_err_errno("x", "cannot write file=%s", "f");
	assert_int_equal(errno, ENOSPC);
	assert_non_null(strstr(logged(), "file=f: No space left on device\n"));
}

/* A name from outside cannot forge a second line, and a long one is cut. */
static void test_one_line_whatever_it_holds(void **state)
{
	(void)state;
	log_info("x", "name=%s", "evil\n2026-01-01 error forged\r\x1b[2J");
	assert_int_equal(lines(), 1);
	assert_null(strchr(text, '\x1b'));
	char longest[4000];
	memset(longest, 'a', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	log_info("x", "%s", longest);
	assert_int_equal(lines(), 2);
	assert_true(strlen(text) < 2200);
}

static void test_rate_limit(void **state)
{
	(void)state;
	struct log_limit limit = { 0 };
	assert_true(log_limited(&limit, 0, 1000));
	assert_false(log_limited(&limit, 999, 1000));
	assert_false(log_limited(&limit, 1000, 1000)); /* the first counted as 1 */
	assert_int_equal(limit.suppressed, 2);
	assert_int_equal(lines(), 0);
	assert_true(log_limited(&limit, 1001, 1000));
	assert_int_equal(limit.suppressed, 0);
	assert_non_null(strstr(logged(), "count=2"));
	assert_true(log_limited(&limit, 5000, 1000));
	assert_int_equal(lines(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errno_kept_and_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_line_whatever_it_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rate_limit, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
