/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/localconf.c: what local.conf may say, and how it is refused. */
#include "service/localconf.h"
#include "service/trustedpaths.h"

#include "service/log.h"

#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char error[LOCALCONF_ERROR_BYTES];

static int parse(const char *text, struct settings *settings)
{
	json_t *json = NULL;
	error[0] = '\0';
	settings_defaults(settings);
	int result = localconf_parse("/h/local.conf", text, strlen(text), settings, &json, error);
	assert_true((result == 0) == (json != NULL));
	json_decref(json);
	return result;
}

static void test_defaults(void **state)
{
	(void)state;
	struct settings s;
	assert_int_equal(parse("{}", &s), 0);
	assert_int_equal(s.primary_port, 9993);
	assert_int_equal(s.socket_mode, 0660);
	assert_true(s.allow_secondary_port);
	assert_int_equal(s.bind_count, 0);
	assert_int_equal(s.log_level, LOG_LEVEL_INFO);
}

static void test_all_settings(void **state)
{
	(void)state;
	struct settings s;
	char text[1024];
	(void)snprintf(
	    text, sizeof text,
	    "{\"settings\":{\"primaryPort\":0,\"secondaryPort\":7,\"tertiaryPort\":8,"
	    "\"portMappingEnabled\":false,\"allowSecondaryPort\":false,"
	    "\"bind\":[\"127.0.0.1\",\"::1\"],\"allowManagementFrom\":[\"10.1.0.0/"
	    "16\",\"fd00::1\"],"
	    "\"interfacePrefixBlacklist\":[\"docker\"],\"softwareUpdate\":\"disable\","
	    "\"netcon\":{\"socketMode\":\"0666\",\"allow\":[4711,\"4712\",\"@33\",\"root\"],"
	    "\"logLevel\":\"debug\"}},"
	    "\"physical\":{\"10.9.0.0/16\":{\"blacklist\":true},\"10.8.0.0/16\":{\"mtu\":1400}},"
	    "\"virtual\":{\"0123456789\":{\"blacklist\":[\"192.168.0.0/16\"]}}}");
	assert_int_equal(parse(text, &s), 0);
	assert_int_equal(s.primary_port, 0);
	assert_int_equal(s.secondary_port, 7);
	assert_int_equal(s.tertiary_port, 8);
	assert_false(s.allow_port_mapping);
	assert_false(s.allow_secondary_port);
	assert_int_equal(s.bind_count, 2);
	assert_int_equal(s.bind[0].family, 4);
	assert_int_equal(s.bind[1].family, 6);
	assert_int_equal(s.management_count, 2);
	assert_int_equal(s.management[0].port, 16);
	assert_int_equal(s.management[1].port, 128);
	assert_string_equal(s.prefixes[0], "docker");
	assert_int_equal(s.socket_mode, 0666);
	assert_int_equal(s.allow_uid_count, 3);
	assert_int_equal(s.allow_uids[0], 4711);
	assert_int_equal(s.allow_uids[1], 4712);
	assert_int_equal(s.allow_uids[2], 0);
	assert_int_equal(s.allow_gid_count, 1);
	assert_int_equal(s.allow_gids[0], 33);
	assert_int_equal(s.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(s.path_rule_count, 2);
	assert_int_equal(s.path_rules[0].peer, 0);
	assert_true(s.path_rules[1].peer == 0x0123456789U);
}

/* The captures' local.conf is a real service's. */
static void test_reference_file(void **state)
{
	(void)state;
	struct settings s;
	assert_int_equal(parse("{\"settings\":{\"allowTcpFallbackRelay\":false,"
			       "\"portMappingEnabled\":false,\"softwareUpdate\":\"disable\"}}",
			       &s),
			 0);
}

static void test_physical_network(void **state)
{
	(void)state;
	struct settings s;
	assert_int_equal(
	    parse("{\"physical\":{\"10.1.0.0/16\":{\"trustedPathId\":42,\"mtu\":9000},"
		  "\"10.0.0.0/8\":{\"mtu\":-1},\"fd00::/8\":{\"blacklist\":true}},"
		  "\"virtual\":{\"0123456789\":{\"try\":[\"192.0.2.1/9993\",\"2001:db8::1/1\"],"
		  "\"blacklist\":[\"10.9.0.0/16\"]}},\"settings\":{\"lowBandwidthMode\":true}}",
		  &s),
	    0);
	assert_int_equal(s.physical_count, 3);
	assert_true(s.physical[0].trusted_path_id == 42);
	assert_int_equal(s.physical[0].mtu, 9000);
	assert_int_equal(s.physical[0].net.port, 16);
	assert_int_equal(s.physical[1].mtu, 0);
	assert_true(s.physical[1].trusted_path_id == 0);
	assert_int_equal(s.path_rule_count, 2);
	assert_int_equal(s.hint_count, 2);
	assert_true(s.hints[1].peer == 0x0123456789U);
	assert_int_equal(s.hints[0].at.port, 9993);
	assert_int_equal(s.hints[1].at.family, 6);
	assert_true(s.is_low_bandwidth);
}

static void test_trustedpaths_file(void **state)
{
	(void)state;
	struct settings s;
	settings_defaults(&s);
	trustedpaths_parse("/h/trustedpaths",
			   "# comment\n2a=10.1.0.0/16\r\n\n0=10.2.0.0/16\nzz=10.3.0.0/16\n"
			   "7=10.4.0.0\n7=nowhere/8\n8=10.5.0.0/33\nff=fd00::/8",
			   &s);
	assert_int_equal(s.physical_count, 2);
	assert_true(s.physical[0].trusted_path_id == 0x2a);
	assert_int_equal(s.physical[0].net.port, 16);
	assert_true(s.physical[1].trusted_path_id == 0xff);
	assert_int_equal(s.physical[1].net.family, 6);
	char many[2000] = "";
	size_t length = 0;
	for (int i = 0; i < 100; i++) {
		length += (size_t)snprintf(many + length, sizeof many - length, "1=10.0.0.0/8\n");
	}
	trustedpaths_parse("/h/trustedpaths", many, &s);
	assert_int_equal(s.physical_count, ZT_MAX_PHYSICAL);
}

static void refused(const char *text, unsigned line, const char *reason)
{
	struct settings s, before;
	char where[64];
	settings_defaults(&before);
	assert_int_equal(parse(text, &s), -1);
	(void)snprintf(where, sizeof where, "/h/local.conf, line %u:", line);
	if (!strstr(error, where) || !strstr(error, reason) ||
	    !strstr(error, "move the file away")) {
		fail_msg("%s", error);
	}
	assert_memory_equal(&s, &before, sizeof s);
}

static void test_refusals_name_file_line_reason_cure(void **state)
{
	(void)state;
	refused("", 1, "");
	refused("{\n\"settings\": {\n \"primaryPort\": \n}}", 4, "");
	refused("[]", 1, "object");
	refused("{\"a\":1,\"a\":2}", 1, "duplicate");
	refused("{\"settings\":1}", 1, "object");
	refused("{\"settings\":{\n\"primaryPort\":70000}}", 2, "0 to 65535");
	refused("{\"settings\":{\n\n\"primaryPort\":\"9993\"}}", 3, "0 to 65535");
	refused("{\"settings\":{\"allowSecondaryPort\":1}}", 1, "true or false");
	refused("{\"settings\":{\"tertiaryPort\":-1}}", 1, "0 to 65535");
	refused("{\"settings\":{\"portMappingEnabled\":\"no\"}}", 1, "true or false");
	refused("{\"settings\":{\"bind\":\"127.0.0.1\"}}", 1, "list");
	refused("{\"settings\":{\"bind\":[\"localhost\"]}}", 1, "not an IP address");
	refused("{\"settings\":{\"bind\":[\"127.0.0.1/8\"]}}", 1, "not an IP address");
	refused("{\"settings\":{\"bind\":[1,2,3,4,5,6,7,8,9]}}", 1, "more than 8");
	refused("{\"settings\":{\"allowManagementFrom\":[\"10.0.0.0/33\"]}}", 1, "too many bits");
	refused("{\"settings\":{\"allowManagementFrom\":[\"here\"]}}", 1, "not a network");
	refused("{\"settings\":{\"interfacePrefixBlacklist\":[\"\"]}}", 1, "interface names");
	refused("{\"settings\":{\"netcon\":[]}}", 1, "object");
	refused("{\"settings\":{\"netcon\":{\"socketMode\":660}}}", 1, "octal");
	refused("{\"settings\":{\"netcon\":{\"socketMode\":\"0888\"}}}", 1, "octal");
	refused("{\"settings\":{\"netcon\":{\"socketMode\":\"1777\"}}}", 1, "octal");
	refused("{\"settings\":{\"netcon\":{\"allow\":[-1]}}}", 1, "user ids");
	refused("{\"settings\":{\"netcon\":{\"allow\":[\"no-such-user\"]}}}", 1, "no user");
	refused("{\"settings\":{\"netcon\":{\"allow\":[\"@no-such-group\"]}}}", 1, "no group");
	refused("{\"settings\":{\"netcon\":{\"logLevel\":\"loud\"}}}", 1, "debug");
	refused("{\"physical\":{\"x\":{\"blacklist\":true}}}", 1, "not a network");
	refused("{\"virtual\":{\"xyz\":{}}}", 1, "ten hex digits");
	refused("{\"physical\":{\"10.0.0.0/8\":{\"trustedPathId\":\"7\"}}}", 1, "a number");
	refused("{\"physical\":{\"10.0.0.0/8\":{\"trustedPathId\":-7}}}", 1, "a number");
	refused("{\"physical\":{\"10.0.0.0/8\":{\"mtu\":\"big\"}}}", 1, "a number");
	refused("{\"physical\":{\"10.0.0.0/8\":7}}", 1, "an object");
	refused("{\"virtual\":{\"0123456789\":{\"try\":[\"192.0.2.1\"]}}}", 1, "192.0.2.1/9993");
	refused("{\"virtual\":{\"0123456789\":{\"try\":\"192.0.2.1/1\"}}}", 1, "lists");
	refused("{\"settings\":{\"lowBandwidthMode\":1}}", 1, "true or false");
}

static void test_file(void **state)
{
	(void)state;
	char home[] = "/tmp/netcon-test-XXXXXX", path[64];
	struct settings s;
	json_t *json = NULL;
	assert_non_null(mkdtemp(home));
	settings_defaults(&s);
	assert_int_equal(localconf_load(home, &s, &json, error), 0); /* none = {} */
	assert_int_equal(json_object_size(json), 0);
	json_decref(json);
	(void)snprintf(path, sizeof path, "%s/local.conf", home);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(localconf_load(home, &s, &json, error), -1);
	assert_non_null(strstr(error, path));
	assert_int_equal(rmdir(path), 0);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs("{\"settings\":{\"primaryPort\":1}}", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(localconf_load(home, &s, &json, error), 0);
	assert_int_equal(s.primary_port, 1);
	json_decref(json);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(home), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_settings),
		cmocka_unit_test(test_reference_file),
		cmocka_unit_test(test_refusals_name_file_line_reason_cure),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_physical_network),
		cmocka_unit_test(test_trustedpaths_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
