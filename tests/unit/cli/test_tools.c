/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* zerotier-cli beyond the reference, against a service that answers from a table. */
#include "cli/cli.h"
#include "tests/lib/check.h"

#include <unistd.h>

#define NWID  "06b812eb9ad1f8b0"
#define OTHER "06b812eb9a000001"

static struct answer {
	const char *method, *path, *body;
	int status;
} answers[] = {
	{ "GET", "/unstable/controller/network",
	  "{\"data\":[{\"id\":\"" NWID "\",\"name\":\"demo\",\"private\":true,\"meta\":{"
	  "\"totalMemberCount\":3,\"authorizedMemberCount\":2}},{\"id\":\"" OTHER
	  "\",\"name\":\"twin\",\"private\":false},{\"id\":\"06b812eb9a000002\",\"name\":"
	  "\"twin\"}]}",
	  200 },
	{ "POST", "/controller/network", "{\"id\":\"" NWID "\"}", 200 },
	{ "POST", "/controller/network/" NWID, "{\"id\":\"" NWID "\"}", 200 },
	{ "POST", "/controller/network/" NWID "/member/ccbc3675b6", "{}", 200 },
	{ "DELETE", "/controller/network/" NWID "/member/ccbc3675b6", "{}", 200 },
	{ "GET", "/netcon/whois/10.1.2.3", "{\"ip\":\"10.1.2.3\",\"members\":[]}", 200 },
};

static const char *forced;  /* the body of every GET, with status 200 */
static char last_body[512]; /* of the last POST */
static char last_path[256];

static bool answer(const struct cli *cli, const char *method, const char *path, const char *body,
		   struct cli_reply *reply)
{
	(void)cli;
	const char *text = forced ? forced : "";
	int status = forced ? 200 : 404;
	(void)snprintf(last_body, sizeof last_body, "%s", body ? body : "");
	(void)snprintf(last_path, sizeof last_path, "%s", path);
	for (size_t i = 0; !forced && i < sizeof answers / sizeof *answers; i++) {
		if (strcmp(answers[i].method, method) == 0 && strcmp(answers[i].path, path) == 0) {
			text = answers[i].body;
			status = answers[i].status;
		}
	}
	*reply =
	    (struct cli_reply){ .status = status, .body = strdup(text), .length = strlen(text) };
	return reply->body != NULL;
}

static char *out_text, *err_text;
static size_t out_size, err_size;
static bool (*streamer)(const struct cli *cli, const char *path, struct cli_sink *sink,
			struct cli_reply *reply);

static int reset(void **state)
{
	(void)state;
	free(out_text);
	free(err_text);
	out_text = err_text = NULL;
	forced = NULL;
	return 0;
}

static int run(const char *line)
{
	char words[512], program[] = "zerotier-cli", port[] = "-p9993", token[] = "-Tx";
	char *argv[24] = { program, port, token };
	int argc = 3;
	(void)snprintf(words, sizeof words, "%s", line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		argv[argc++] = word;
	}
	free(out_text);
	free(err_text);
	struct cli cli = { .request = answer, .stream = streamer };
	cli.out = open_memstream(&out_text, &out_size);
	cli.err = open_memstream(&err_text, &err_size);
	assert_non_null(cli.out);
	assert_non_null(cli.err);
	int code = cli_run(&cli, argc, argv);
	(void)fclose(cli.out);
	(void)fclose(cli.err);
	return code;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part)) {
		fail_msg("no \"%s\" in: %s", part, text);
	}
}

/* ---- controller -------------------------------------------------------------------------------
 */

static void test_create(void **state)
{
	(void)state;
	assert_int_equal(run("controller create --name demo --pool 10.1.0.1-10.1.0.9 "
			     "--route 10.1.0.0/24 --route 10.2.0.0/16,10.1.0.1 mtu=1400"),
			 CLI_DONE);
	assert_string_equal(out_text, NWID "\n");
	has(last_body, "\"private\":true");
	has(last_body, "\"v4AssignMode\":{\"zt\":true}");
	has(last_body, "{\"ipRangeStart\":\"10.1.0.1\",\"ipRangeEnd\":\"10.1.0.9\"}");
	has(last_body, "{\"target\":\"10.1.0.0/24\",\"via\":null}");
	has(last_body, "{\"target\":\"10.2.0.0/16\",\"via\":\"10.1.0.1\"}");
	has(last_body, "\"mtu\":1400");
	assert_int_equal(run("controller create --pool fd00::1-fd00::9 --public"), CLI_DONE);
	has(last_body, "\"v6AssignMode\":{\"zt\":true}");
	has(last_body, "\"private\":false");
}

static void test_bad_options(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"controller create --pool 10.1.0.1",
		"controller create --pool 10.1.0.1-fd00::1",
		"controller create --pool",
		"controller create --route 10.1.0.0",
		"controller create --route 10.1.0.0/33",
		"controller create --route 10.1.0.0/24,x",
		"controller create --colour red",
		"controller set demo",
		"controller authorise demo",
		"controller authorise demo ccbc3675",
		"controller dance",
		"controller",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		last_path[0] = '\0';
		assert_int_equal(run(lines[i]), CLI_USAGE);
		assert_string_equal(last_path, "");
		assert_true(err_size > 0);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(run("controller authorise demo ccbc3675b6"), CLI_DONE);
	assert_string_equal(last_path, "/controller/network/" NWID "/member/ccbc3675b6");
	assert_string_equal(last_body, "{\"authorized\":true}");
	assert_int_equal(run("controller deauthorize " NWID " ccbc3675b6"), CLI_DONE);
	assert_string_equal(last_body, "{\"authorized\":false}");
	assert_int_equal(run("controller remove demo ccbc3675b6"), CLI_DONE);
	assert_int_equal(run("controller set demo --name x"), CLI_DONE);
	assert_string_equal(last_body, "{\"name\":\"x\"}");
	assert_int_equal(run("controller show twin"), CLI_REFUSED);
	has(err_text, "2 networks are called twin");
	assert_int_equal(run("controller show nobody"), CLI_REFUSED);
	has(err_text, "no network nobody");
	assert_int_equal(run("controller list"), CLI_DONE);
	has(out_text, "200 controller list " NWID " demo PRIVATE 3 2\n");
	has(out_text, OTHER " twin PUBLIC 0 0\n");
}

/* ---- health, wait, whois, diagnose ------------------------------------------------------------
 */

static void test_health(void **state)
{
	(void)state;
	forced = "[{\"nwid\":\"" NWID "\",\"status\":\"OK\",\"netcon\":{\"ready\":true}}]";
	assert_int_equal(run("health"), CLI_DONE);
	assert_string_equal(out_text, "200 health OK 1/1\n");
	forced = "[{\"nwid\":\"" NWID "\",\"status\":\"ACCESS_DENIED\",\"netcon\":{\"ready\":"
		 "false}}]";
	assert_int_equal(run("health"), CLI_REFUSED);
	assert_string_equal(out_text, "200 health NOT_READY 0/1\n");
	has(err_text, "ACCESS_DENIED");
	forced = "[]";
	assert_int_equal(run("health"), CLI_DONE);
}

static void test_wait(void **state)
{
	(void)state;
	forced = "{\"nwid\":\"" NWID "\",\"status\":\"OK\",\"netcon\":{\"ready\":true}}";
	assert_int_equal(run("wait " NWID " --timeout 10"), CLI_DONE);
	has(last_path, "/network/" NWID "?wait=");
	forced = "{\"nwid\":\"" NWID "\",\"status\":\"NOT_FOUND\",\"netcon\":{\"ready\":false}}";
	assert_int_equal(run("wait " NWID " --timeout 0.01"), CLI_REFUSED);
	has(err_text, "NOT_FOUND");
	forced = NULL;
	assert_int_equal(run("wait " NWID), CLI_REFUSED);
	has(err_text, "not joined");
	assert_int_equal(run("wait " NWID " --timeout x"), CLI_USAGE);
	assert_int_equal(run("wait " NWID " --timeout"), CLI_USAGE);
	assert_int_equal(run("wait 12"), CLI_USAGE);
}

static void test_whois(void **state)
{
	(void)state;
	assert_int_equal(run("whois 10.1.2.3"), CLI_REFUSED);
	has(err_text, "no joined network knows 10.1.2.3");
	assert_int_equal(run("whois ../status"), CLI_USAGE);
	assert_int_equal(run("whois"), CLI_USAGE);
	forced = "{\"members\":[{\"address\":\"ccbc3675b6\",\"known\":true,\"identity\":\"i\","
		 "\"self\":false,\"networks\":[\"" NWID "\"],\"peer\":{\"version\":\"1.14.1\","
		 "\"role\":\"LEAF\",\"paths\":[]}}]}";
	assert_int_equal(run("whois ccbc3675b6"), CLI_DONE);
	has(out_text, "relayed by a root");
	has(out_text, "member of " NWID);
}

#define FACTS(online, in, roots, networks)                                                         \
	"{\"address\":\"c2b7b932ae\",\"clock\":1795220450706,\"online\":" online                   \
	",\"isRoot\":false,\"udp\":{\"sockets\":1,\"datagramsIn\":" in                             \
	",\"datagramsOut\":5},\"descriptors\":{\"capacity\":9000,\"used\":1},\"sandbox\":{\"on\":" \
	"true},\"peers\":[" roots "],\"networks\":[" networks "]}"
#define ROOT_UP                                                                                    \
	"{\"address\":\"06b812eb9a\",\"role\":\"PLANET\",\"latency\":3,\"paths\":[{\"address\":"   \
	"\"10.0.0.1/9993\",\"preferred\":true,\"active\":true}]}"
#define ROOT_DOWN "{\"address\":\"06b812eb9b\",\"role\":\"PLANET\",\"paths\":[]}"
#define NETWORK(status, skew, conflict)                                                            \
	"{\"nwid\":\"" NWID "\",\"controller\":\"06b812eb9a\",\"status\":\"" status                \
	"\",\"assigned\":1,\"used\":1,\"heardAgoMs\":5,\"clockSkewMs\":" skew                      \
	",\"conflict\":" conflict "}"

static void test_diagnose(void **state)
{
	(void)state;
	static const struct {
		const char *facts, *says;
		int code;
	} cases[] = {
		{ FACTS("true", "5", ROOT_UP, NETWORK("OK", "0", "null")), "is OK, 1 addresses",
		  CLI_DONE },
		{ FACTS("true", "5", ROOT_UP "," ROOT_DOWN, ""), "note     Root 06b812eb9b",
		  CLI_DONE },
		{ FACTS("false", "0", ROOT_DOWN, ""), "No UDP datagram was ever received",
		  CLI_REFUSED },
		{ FACTS("false", "5", ROOT_DOWN, ""), "problem  Root 06b812eb9b does not answer",
		  CLI_REFUSED },
		{ FACTS("false", "5", "", ""), "there is no planet file", CLI_REFUSED },
		{ FACTS("true", "5", ROOT_UP, NETWORK("ACCESS_DENIED", "0", "null")),
		  "Have the controller's operator authorise", CLI_REFUSED },
		{ FACTS("true", "5", ROOT_UP, NETWORK("OK", "-7200000", "null")),
		  "is 7200 s behind ours", CLI_REFUSED },
		{ FACTS("true", "5", ROOT_UP, NETWORK("OK", "120000", "null")),
		  "is 120 s ahead of ours", CLI_DONE },
		{ FACTS("true", "5", ROOT_UP,
			NETWORK("OK", "0", "{\"ip\":\"10.1.2.3\",\"mac\":\"m\",\"address\":null}")),
		  "uses our address 10.1.2.3", CLI_REFUSED },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		forced = cases[i].facts;
		assert_int_equal(run("diagnose"), cases[i].code);
		has(out_text, cases[i].says);
		assert_int_equal(run("-j diagnose"), cases[i].code);
		has(out_text,
		    cases[i].code == CLI_DONE ? "\"healthy\": true" : "\"healthy\": false");
	}
}

/* ---- capture ----------------------------------------------------------------------------------
 */

/* The header and records of 3 bytes without end, a byte at a time. */
static bool stream_bytes(const struct cli *cli, const char *path, struct cli_sink *sink,
			 struct cli_reply *reply)
{
	(void)cli;
	static const char record[19] = { [8] = 3, [12] = 3, [16] = 'a', 'b', 'c' };
	assert_string_equal(path, "/netcon/capture/" NWID);
	*reply = (struct cli_reply){ .status = 200, .body = strdup("") };
	for (size_t i = 0; i < 24 && !sink->is_full; i++) {
		sink->is_full = !sink->each(sink, "h", 1);
	}
	for (size_t i = 0; !sink->is_full && i < 100 * sizeof record; i++) {
		sink->is_full = !sink->each(sink, &record[i % sizeof record], 1);
	}
	return true;
}

static bool stream_refused(const struct cli *cli, const char *path, struct cli_sink *sink,
			   struct cli_reply *reply)
{
	(void)cli;
	(void)path;
	(void)sink;
	*reply = (struct cli_reply){ .status = 404, .body = strdup("{}"), .length = 2 };
	return true;
}

static void test_capture(void **state)
{
	(void)state;
	streamer = stream_bytes;
	assert_int_equal(run("capture " NWID " -w - -c 2"), CLI_DONE);
	assert_int_equal(out_size, 24 + 2 * 19);
	has(err_text, "2 packets captured");
	assert_int_equal(run("capture " NWID " -w -"), CLI_DONE);
	assert_int_equal(out_size, 24 + 100 * 19);
	streamer = stream_refused;
	assert_int_equal(run("capture " NWID " -w -"), CLI_REFUSED);
	has(err_text, "not joined");
	assert_int_equal(run("capture " NWID), CLI_USAGE);
	assert_int_equal(run("capture " NWID " -w"), CLI_USAGE);
	assert_int_equal(run("capture " NWID " -w - -c 0"), CLI_USAGE);
	assert_int_equal(run("capture " NWID " -w - -c 1x"), CLI_USAGE);
	assert_int_equal(run("capture x -w -"), CLI_USAGE);
	assert_int_equal(run("capture " NWID " -w /nonexistent/x"), CLI_REFUSED);
	has(err_text, "/nonexistent/x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_create, reset, reset),
		cmocka_unit_test_setup_teardown(test_bad_options, reset, reset),
		cmocka_unit_test_setup_teardown(test_names, reset, reset),
		cmocka_unit_test_setup_teardown(test_health, reset, reset),
		cmocka_unit_test_setup_teardown(test_wait, reset, reset),
		cmocka_unit_test_setup_teardown(test_whois, reset, reset),
		cmocka_unit_test_setup_teardown(test_diagnose, reset, reset),
		cmocka_unit_test_setup_teardown(test_capture, reset, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
