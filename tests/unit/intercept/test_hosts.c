/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* /etc/hosts as the library reads it, and what a name stands for before anybody is asked. The files
 * are compiled in; opening /etc/hosts opens a memfd with the case's text.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/sys.h"

static int hosts_file = -1; /* -1: there is none */
static int opened, closed;

static long fake_open(void)
{
	opened += hosts_file >= 0;
	return hosts_file >= 0 ? lseek(hosts_file, 0, SEEK_SET), hosts_file : -ENOENT;
}
static long fake_read(long fd, void *bytes, size_t length)
{
	return read((int)fd, bytes, length);
}
static long fake_close(void)
{
	closed++;
	return 0;
}

/* The three calls of names_hosts.c. */
#undef sys
#define sys(number, ...)     fake_##number(__VA_ARGS__)
#define fake_SYS_openat(...) fake_open()
#define fake_SYS_read(...)   fake_read(__VA_ARGS__)
#define fake_SYS_close(...)  fake_close()
#undef SYS_openat
#undef SYS_read
#undef SYS_close

#include "intercept/names.c"
#include "intercept/names_hosts.c"

static int asked;

enum rpc_resolve_status ask_host(const char *name, int family, struct names *out)
{
	(void)name;
	(void)family;
	(void)out;
	asked++;
	return RPC_RESOLVE_NONE;
}

enum rpc_resolve_status ask_address(const struct rpc_addr *address, char out[NAMES_TEXT])
{
	(void)address;
	(void)out;
	asked++;
	return RPC_RESOLVE_NONE;
}

static void hosts_are(const char *text, size_t length)
{
	if (hosts_file >= 0) {
		(void)close(hosts_file);
	}
	hosts_file = memfd_create("hosts", MFD_CLOEXEC);
	assert_true(hosts_file >= 0);
	assert_int_equal(write(hosts_file, text, length), length);
	opened = closed = asked = 0;
}

/* Addresses as text, one after the other; "-" none. */
static const char *found(const char *name, int family)
{
	static char all[512];
	char text[INET6_ADDRSTRLEN];
	struct names n;
	enum rpc_resolve_status status = names_find(name, family, &n);
	all[0] = '\0';
	for (size_t i = 0; i < n.count; i++) {
		const struct rpc_addr *a = &n.addresses[i];
		assert_non_null(inet_ntop(a->family, a->family == AF_INET ? a->addr + 12 : a->addr,
					  text, sizeof text));
		strcat(strcat(all, i ? " " : ""), text);
	}
	assert_int_equal(status == RPC_RESOLVED, n.count > 0);
	assert_int_equal(opened, closed);
	return n.count > 0 ? all : status == RPC_RESOLVE_NO_DATA ? "no data" : "-";
}

static void test_lines(void **state)
{
	static const char text[] = "# 10.9.9.9 comment\n"
				   "10.0.0.1\tone uno  eins # 10.0.0.9 nine\n"
				   "  10.0.0.2 two\r\n"
				   "fd00::2 two\n"
				   "10.0.0.22 TWO\n"
				   "not-an-address word\n"
				   "10.0.0.3\n"
				   "\n"
				   "::1 local six\n127.0.0.1 local\n"
				   "10.0.0.4 last";
	(void)state;
	hosts_are(text, sizeof text - 1);
	assert_string_equal(found("one", 0), "10.0.0.1");
	assert_string_equal(found("EINS", AF_INET), "10.0.0.1");
	assert_string_equal(found("two", 0), "10.0.0.2 fd00::2 10.0.0.22"); /* all lines count */
	assert_string_equal(found("two", AF_INET6), "fd00::2");
	assert_string_equal(found("last", 0), "10.0.0.4"); /* without an end of line */
	assert_string_equal(found("local", 0), "::1 127.0.0.1");
	assert_string_equal(found("one", AF_INET6), "no data"); /* it is there, but not so */
	assert_int_equal(asked, 1);
	assert_string_equal(found("nine", 0), "-");
	assert_string_equal(found("comment", 0), "-");
	assert_string_equal(found("word", 0), "-");
	assert_string_equal(found("on", 0), "-");
	assert_int_equal(asked, 5);
}

static void test_loopback_first(void **state)
{
	static const char text[] = "127.0.0.1 me\n10.0.0.1 me\n::1 me\n";
	(void)state;
	hosts_are(text, sizeof text - 1);
	assert_string_equal(found("me", 0), "::1 127.0.0.1 10.0.0.1");
}

static void test_localhost_and_numbers_need_nobody(void **state)
{
	(void)state;
	hosts_are("", 0);
	assert_string_equal(found("localhost", 0), "::1 127.0.0.1");
	assert_string_equal(found("LocalHost.", AF_INET), "127.0.0.1");
	assert_string_equal(found("x.localhost", AF_INET6), "::1");
	assert_string_equal(found("10.1.2.3", 0), "10.1.2.3");
	assert_string_equal(found("10.1", 0), "10.0.0.1"); /* inet_aton's short forms */
	assert_string_equal(found("fd00::7", 0), "fd00::7");
	assert_string_equal(found("fe80::7%2", AF_INET6), "fe80::7");
	assert_string_equal(found("fd00::7", AF_INET), "no data");
	assert_int_equal(asked, 0);
	assert_string_equal(found("notlocalhost", 0), "-");
	assert_int_equal(asked, 1);
	assert_string_equal(found("", 0), "-"); /* nobody is asked for no name */
	assert_int_equal(asked, 1);
}

static void test_names_of_addresses(void **state)
{
	static const char text[] = "10.0.0.1 one uno\nfd00::2 two\n10.0.0.1 again\n";
	struct rpc_addr a;
	char out[NAMES_TEXT];
	(void)state;
	hosts_are(text, sizeof text - 1);
	assert_true(names_number("10.0.0.1", &a));
	assert_int_equal(names_of(&a, out), RPC_RESOLVED);
	assert_string_equal(out, "one");
	assert_true(names_number("fd00::2", &a));
	assert_int_equal(names_of(&a, out), RPC_RESOLVED);
	assert_string_equal(out, "two");
	assert_true(names_number("127.0.0.9", &a));
	assert_int_equal(names_of(&a, out), RPC_RESOLVED);
	assert_string_equal(out, "localhost");
	assert_int_equal(asked, 0);
	assert_true(names_number("10.0.0.2", &a));
	assert_int_equal(names_of(&a, out), RPC_RESOLVE_NONE);
	assert_int_equal(asked, 1);
}

/* Longer than any buffer: lines are cut off, more addresses than there is room for are left out. */
static void test_large(void **state)
{
	enum { LINES = 500, LONG = 5000, EACH = 32 };
	char *text = calloc(LINES + 1, EACH + LONG / LINES + 1);
	size_t length = 0;
	(void)state;
	assert_non_null(text);
	length += (size_t)sprintf(text + length, "10.0.0.1 ");
	memset(text + length, 'x', LONG);
	length += LONG;
	length += (size_t)sprintf(text + length, " behind\n10.0.0.2 after\n");
	for (int i = 0; i < LINES; i++) {
		length += (size_t)sprintf(text + length, "10.1.%d.%d many\n", i / 250, i % 250);
	}
	hosts_are(text, length);
	free(text);
	struct names n;
	assert_string_equal(found("behind", 0), "-");
	assert_string_equal(found("after", 0), "10.0.0.2");
	assert_int_equal(names_find("many", 0, &n), RPC_RESOLVED);
	assert_int_equal(n.count, NAMES_MAX);
}

static void test_without_the_file(void **state)
{
	(void)state;
	(void)close(hosts_file);
	hosts_file = -1;
	opened = closed = asked = 0;
	assert_string_equal(found("one", 0), "-");
	assert_int_equal(asked, 1);
	assert_string_equal(found("localhost", AF_INET), "127.0.0.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_loopback_first),
		cmocka_unit_test(test_localhost_and_numbers_need_nobody),
		cmocka_unit_test(test_names_of_addresses),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_without_the_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
