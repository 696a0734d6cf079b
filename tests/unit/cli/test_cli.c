/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* zerotier-cli against a service that answers from a table: texts and exit codes of vl2 11.2 as the
 * transcripts record them, and what decision 040 changes. */
#include "cli/cli.h"
#include "tests/lib/check.h"

#include <sys/stat.h>
#include <unistd.h>

#define NWID   "06b812eb9ad1f8b0"
#define NOW_MS 1795220606655
#define NETWORK                                                                                    \
	"{\"allowDNS\":false,\"allowDefault\":false,\"allowGlobal\":true,\"allowManaged\":true,"   \
	"\"assignedAddresses\":[\"fd06:b812:eb9a:d1f8:b099:93c2:b7b9:32ae/88\","                   \
	"\"fc9c:69ea:5bc2:b7b9:32ae::1/40\",\"10.147.17.100/24\"],\"bridge\":false,"               \
	"\"id\":\"" NWID "\",\"mac\":\"b2:3a:66:23:d9:bc\",\"mtu\":2800,\"name\":\"alpha\","       \
	"\"nwid\":\"" NWID "\",\"portDeviceName\":\"/h/nc_" NWID "\",\"routes\":[{\"flags\":0,"    \
	"\"metric\":0,\"target\":\"10.147.17.0/24\",\"via\":null}],\"status\":\"OK\","             \
	"\"type\":\"PRIVATE\"}"
#define PEERS                                                                                      \
	"[{\"address\":\"06b812eb9a\",\"latency\":18,\"paths\":[{\"address\":\"10.97.0.1/9994\","  \
	"\"preferred\":false},{\"address\":\"10.97.0.1/9993\",\"lastReceive\":1795220604275,"      \
	"\"lastSend\":1795220606565,\"preferred\":true}],\"role\":\"PLANET\",\"tunneled\":false,"  \
	"\"version\":\"1.14.1\"},{\"address\":\"ccbc3675b6\",\"latency\":-1,\"paths\":[],"         \
	"\"role\":\"LEAF\",\"tunneled\":false,\"version\":\"-1.-1.-1\"}]"
#define STATUS                                                                                     \
	"{\"address\":\"c2b7b932ae\",\"online\":true,\"tcpFallbackActive\":false,\"version\":"     \
	"\"1.14.1\",\"config\":{\"settings\":{\"homeDir\":\"/h\"}}}"
#define CONFIG "{\"settings\":{\"primaryPort\":9993,\"apiToken\":\"hush\"}}"

/* ---- a service --------------------------------------------------------------------------------
 */

static struct answer {
	const char *method, *path, *body;
	int status;
} answers[] = {
	{ "GET", "/status", STATUS, 200 },
	{ "GET", "/peer", PEERS, 200 },
	{ "GET", "/network", "[" NETWORK "]", 200 },
	{ "GET", "/config", CONFIG, 200 },
	{ "GET", "/moon", "[]", 200 },
	{ "GET", "/odd", "<html>", 200 },
	{ "GET", "/bond/show/1122334455", "{}", 400 },
	{ "POST", "/bond/rotate/1122334455", "{}", 400 },
	{ "POST", "/bond/setmtu/1400/eth0/10.0.0.1", "Bonding layer isn't active yet", 400 },
	{ "POST", "/network/" NWID, NETWORK, 200 },
	{ "DELETE", "/network/" NWID, "{\"result\":true}", 200 },
};

static char last_body[256];
static int forced_status; /* what every request gets; -1 = as the table says */

static bool answer(const struct cli *cli, const char *method, const char *path, const char *body,
		   struct cli_reply *reply)
{
	const char *text = forced_status == 401 ? "{}" : "";
	int status = forced_status < 0 ? 404 : forced_status;
	assert_string_equal(cli->token, "secret");
	assert_int_equal(cli->port, 9993);
	(void)snprintf(last_body, sizeof(last_body), "%s", body ? body : "");
	for (size_t i = 0; forced_status < 0 && i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (strcmp(answers[i].method, method) == 0 && strcmp(answers[i].path, path) == 0) {
			text = answers[i].body;
			status = answers[i].status;
		}
	}
	*reply = (struct cli_reply){ .status = status,
				     .body = strdup(text),
				     .length = strlen(text),
				     .error = "Connection refused" };
	return reply->body != NULL;
}

/* ---- running ----------------------------------------------------------------------------------
 */

static char *out_text, *err_text;

static int reset(void **state)
{
	(void)state;
	free(out_text);
	free(err_text);
	out_text = err_text = NULL;
	forced_status = -1;
	(void)unsetenv("ZEROTIER_HOME");
	(void)unsetenv("HOME");
	return 0;
}

/* Run "zerotier-cli" with the words of `line`; returns the exit code. */
static int run(const char *line)
{
	char program[] = "build/zerotier-cli", words[512], *argv[16] = { program };
	int argc = 1;
	(void)snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		argv[argc++] = word;
	}
	free(out_text);
	free(err_text);
	size_t out_size, err_size;
	struct cli cli = { .now_ms = NOW_MS, .request = answer };
	cli.out = open_memstream(&out_text, &out_size);
	cli.err = open_memstream(&err_text, &err_size);
	assert_non_null(cli.out);
	assert_non_null(cli.err);
	int code = cli_run(&cli, argc, argv);
	(void)fclose(cli.out);
	(void)fclose(cli.err);
	return code;
}

/* With port and token given. */
static void expect(const char *line, int code, const char *out)
{
	char full[512];
	(void)snprintf(full, sizeof(full), "%s -p9993 -Tsecret", line);
	int got = run(full);
	assert_string_equal(out_text, out);
	assert_int_equal(got, code);
	if (code == CLI_DONE) {
		assert_string_equal(err_text, "");
	}
}

static void expect_err(const char *part)
{
	if (!strstr(err_text, part)) {
		fail_msg("no \"%s\" in: %s", part, err_text);
	}
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static void test_info(void **state)
{
	(void)state;
	expect("info", CLI_DONE, "200 info c2b7b932ae 1.14.1 ONLINE\n");
	expect("status", CLI_DONE, "200 info c2b7b932ae 1.14.1 ONLINE\n");
	expect(
	    "-j info", CLI_DONE,
	    "{\n \"address\": \"c2b7b932ae\",\n \"config\": {\n  \"settings\": {\n   \"homeDir\": "
	    "\"/h\"\n  }\n },\n \"online\": true,\n \"tcpFallbackActive\": false,\n \"version\": "
	    "\"1.14.1\"\n}\n");
}

static void test_peers(void **state)
{
	(void)state;
	expect("listpeers", CLI_DONE,
	       "200 listpeers <ztaddr> <path> <latency> <version> <role>\n"
	       "200 listpeers 06b812eb9a 10.97.0.1/9993;90;2380 18 1.14.1 PLANET\n"
	       "200 listpeers ccbc3675b6 - -1 - LEAF\n");
	expect("peers", CLI_DONE,
	       "200 peers\n<ztaddr>   <ver>  <role> <lat> <link>   <lastTX> <lastRX> <path>\n"
	       "06b812eb9a 1.14.1 PLANET    18 DIRECT   90       2380     10.97.0.1/9993\n"
	       "ccbc3675b6 -      LEAF      -1 RELAY\n");
}

static void test_listnetworks(void **state)
{
	(void)state;
	expect("listnetworks", CLI_DONE,
	       "200 listnetworks <nwid> <name> <mac> <status> <type> <dev> <ZT assigned ips>\n"
	       "200 listnetworks " NWID " alpha b2:3a:66:23:d9:bc OK PRIVATE /h/nc_" NWID
	       " fd06:b812:eb9a:d1f8:b099:93c2:b7b9:32ae/88,fc9c:69ea:5bc2:b7b9:32ae::1/40,"
	       "10.147.17.100/24\n");
	expect("listmoons", CLI_DONE, "[]\n");
	json_t *fresh =
	    json_loads("[{\"nwid\":\"" NWID "\",\"name\":\"\",\"mac\":\"b2:3a:66:23:d9:bc\","
		       "\"status\":\"REQUESTING_CONFIGURATION\",\"type\":\"PRIVATE\","
		       "\"portDeviceName\":\"d\",\"assignedAddresses\":[]}]",
		       0, NULL);
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	fmt_listnetworks(file, fresh, NOW_MS);
	(void)fclose(file);
	assert_non_null(strstr(text, "200 listnetworks " NWID "  b2:3a:66:23:d9:bc "
				     "REQUESTING_CONFIGURATION PRIVATE d -\n"));
	free(text);
	json_decref(fresh);
}

/* As zerotier-one 1.14.1 prints without bonded links; what that means goes to standard error. */
static void test_bond(void **state)
{
	(void)state;
	static const char none[] = "    <peer>                        <bondtype>     <links>\n"
				   "      NONE\t\t\t\tNONE\t    NONE       NONE\n";
	expect("listbonds", CLI_DONE, none);
	expect("bond list", CLI_DONE, none);
	expect("-j listbonds", CLI_DONE, "[]\n");
	expect("bond 1122334455 show", CLI_REFUSED, "400 bond {}\n");
	assert_non_null(strstr(err_text, "not bonded here"));
	expect("bond 1122334455 rotate", CLI_REFUSED, "400 bond {}\n");
	expect("bond setmtu 1400 eth0 10.0.0.1", CLI_REFUSED,
	       "400 Failed to set MTU: Bonding layer isn't active yet\n");
	static const char *const bad[] = { "bond", "bond show", "bond show 1122334455", "bond foo",
					   "bond setmtu 1400" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		expect(bad[i], CLI_USAGE, "(bond) command is missing required arguments\n");
	}
}

/* Whatever shape the reply has: no crash. */
static void test_odd_replies(void **state)
{
	(void)state;
	static const char *const odd[] = {
		"null",
		"5",
		"[5,null,[],{}]",
		"{}",
		"[{\"paths\":5,\"assignedAddresses\":[5]}]",
		"[{\"paths\":[{\"preferred\":true}],\"ssoEnabled\":true}]"
	};
	char *text;
	size_t size;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		json_t *json = json_loads(odd[i], JSON_DECODE_ANY, NULL);
		FILE *file = open_memstream(&text, &size);
		fmt_info(file, json);
		fmt_listpeers(file, json, NOW_MS);
		fmt_peers(file, json, NOW_MS);
		fmt_listnetworks(file, json, NOW_MS);
		(void)fmt_property(file, json, "ip");
		(void)fclose(file);
		assert_true(size > 0);
		free(text);
		json_decref(json);
	}
}

/* ---- one network ------------------------------------------------------------------------------
 */

static void test_join_leave(void **state)
{
	(void)state;
	expect("join " NWID, CLI_DONE, "200 join OK\n");
	assert_string_equal(last_body, "{}");
	expect("leave " NWID, CLI_DONE, "200 leave OK\n");
	expect("-j leave " NWID, CLI_DONE, "{\"result\":true}");
	expect("-j join " NWID, CLI_DONE, NETWORK);
	static const char *const bad[] = { "join 123", "leave 123", "join", "join 06b812eb9ad1f8bz",
					   "join ../../../../etc/" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		expect(bad[i], CLI_USAGE, "invalid network id\n");
		expect_err("16 hex digits");
	}
}

static void test_get(void **state)
{
	(void)state;
	expect("get " NWID " ip", CLI_DONE,
	       "fd06:b812:eb9a:d1f8:b099:93c2:b7b9:32ae\nfc9c:69ea:5bc2:b7b9:32ae::1\n"
	       "10.147.17.100\n");
	expect("get " NWID " ip4", CLI_DONE, "10.147.17.100\n");
	expect("get " NWID " ip6", CLI_DONE,
	       "fd06:b812:eb9a:d1f8:b099:93c2:b7b9:32ae\nfc9c:69ea:5bc2:b7b9:32ae::1\n");
	expect("get " NWID " ip6plane", CLI_DONE, "fc9c:69ea:5bc2:b7b9:32ae::1\n");
	expect("get " NWID " ip6prefix", CLI_DONE, "fc9c:69ea:5bc2:b7b9:32ae\n");
	expect("get " NWID " mtu", CLI_DONE, "2800\n");
	expect("get " NWID " allowGlobal", CLI_DONE, "1\n");
	expect("get " NWID " bridge", CLI_DONE, "0\n");
	expect("get " NWID " name", CLI_DONE, "alpha\n");
	expect("-j get " NWID " name", CLI_DONE, "\"alpha\"\n");
	expect("get " NWID " routes", CLI_DONE,
	       "[{\"flags\":0,\"metric\":0,\"target\":\"10.147.17.0/24\",\"via\":null}]\n");
	expect("get " NWID " bogus", CLI_REFUSED, "error, unknown property name\n");
	expect("get", CLI_USAGE, "");
	expect_err("invalid format: must be a 16-digit (network) ID\n");
	expect("get " NWID, CLI_USAGE, "");
	expect_err("invalid format: include a property name to get\n");
	expect("get 8056c2e21c000001 name", CLI_REFUSED, "");
	expect_err("unknown network ID, check that you are a member of the network\n");
}

static void test_set(void **state)
{
	(void)state;
	expect("set " NWID " allowGlobal=1", CLI_DONE, NETWORK);
	assert_string_equal(last_body, "{\"allowGlobal\":true}");
	expect("set " NWID " allowDNS=no", CLI_DONE, NETWORK);
	assert_string_equal(last_body, "{\"allowDNS\":false}");
	expect("set " NWID " allowGlobal", CLI_USAGE, "");
	expect_err("name=value");
	expect("set " NWID, CLI_USAGE, "");
	expect_err("invalid format: include a property name to set\n");
	expect("set " NWID " bogus=1", CLI_USAGE, "");
	expect_err("bogus cannot be set");
}

/* ---- errors -----------------------------------------------------------------------------------
 */

static void test_service_errors(void **state)
{
	(void)state;
	expect("/nope", CLI_REFUSED, "404 /nope \n");
	expect("/status", CLI_DONE, STATUS);
	forced_status = 401;
	expect("info", CLI_REFUSED, "401 info {}\n");
	expect_err("authtoken.secret");
	forced_status = 0;
	expect(
	    "info", CLI_REFUSED,
	    "Error connecting to the ZeroTier service: connection failed\n\nPlease check that the "
	    "service is running and that TCP port 9993 can be contacted via 127.0.0.1.\n");
	expect_err("zerotier-netcon-service -d -p9993 /var/lib/zerotier-one");
	forced_status = -1;
	answers[5].path = "/peer"; /* the last match counts: <html> */
	expect("peers", CLI_REFUSED, "200 peers invalid JSON response (invalid token near '<')\n");
	answers[5].path = "/odd";
}

static void write_home(const char *directory, const char *name, const char *text, mode_t mode)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs(text, file);
	(void)fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static void remove_home(const char *directory)
{
	char command[300];
	(void)snprintf(command, sizeof(command), "%s/zerotier-one.port", directory);
	(void)unlink(command);
	(void)snprintf(command, sizeof(command), "%s/authtoken.secret", directory);
	(void)unlink(command);
	(void)rmdir(directory);
}

static void test_home(void **state)
{
	(void)state;
	char directory[] = "/tmp/cli-test-XXXXXX", line[256], want[256];
	assert_non_null(mkdtemp(directory));
	assert_int_equal(run("-D/nonexistent info"), CLI_USAGE);
	expect_err("zerotier-cli: missing port and zerotier-one.port not found in /nonexistent\n");
	expect_err("zerotier-netcon-service -d /nonexistent");

	write_home(directory, "zerotier-one.port", "9993", 0644);
	(void)snprintf(line, sizeof(line), "info -D%s", directory);
	assert_int_equal(run(line), CLI_USAGE);
	(void)snprintf(
	    want, sizeof(want),
	    "zerotier-cli: authtoken.secret not found or readable in %s (try again as root)\n",
	    directory);
	expect_err(want);

	write_home(directory, "authtoken.secret", " secret\n", 0600);
	assert_int_equal(run(line), CLI_DONE);
	assert_string_equal(out_text, "200 info c2b7b932ae 1.14.1 ONLINE\n");
	(void)setenv("ZEROTIER_HOME", directory, 1);
	assert_int_equal(run("info"), CLI_DONE);

	write_home(directory, "zerotier-one.port", "many", 0644);
	assert_int_equal(run(line), CLI_USAGE);
	write_home(directory, "zerotier-one.port", "", 0644);
	assert_int_equal(run(line), CLI_USAGE);
	expect_err("it is empty");
	remove_home(directory);
}

static void test_switches(void **state)
{
	(void)state;
	assert_int_equal(run("-v"), CLI_DONE);
	assert_string_equal(out_text, "1.14.1\n");
	assert_int_equal(run("--version"), CLI_DONE);
	assert_string_equal(out_text, "2.0.0-dev\n");
	assert_int_equal(run("-h"), CLI_DONE);
	assert_non_null(
	    strstr(out_text, "Usage: zerotier-cli [-switches] <command/path> [<args>]"));
	static const char *const malformed[] = { "-pX info", "-D info",      "-T info", "-jx info",
						 "-p0 info", "-p65536 info", "-H info" };
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		assert_int_equal(run(malformed[i]), CLI_REFUSED);
		assert_non_null(strstr(out_text, "Usage:"));
	}
	static const char *const usage[] = { "", "bogus", "-j", "-x info" };
	for (size_t i = 0; i < sizeof(usage) / sizeof(usage[0]); i++) {
		assert_int_equal(run(usage[i]), CLI_USAGE);
		assert_string_equal(out_text, "");
		expect_err("Usage:");
	}
}

static void test_dump(void **state)
{
	(void)state;
	char directory[] = "/tmp/cli-dump-XXXXXX", before[512], want[256];
	assert_non_null(getcwd(before, sizeof(before)));
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	(void)snprintf(want, sizeof(want), "Writing dump to: %s/zerotier_dump.txt\n", directory);
	expect("dump", CLI_DONE, want);
	static char text[65536];
	FILE *file = fopen("zerotier_dump.txt", "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	(void)fclose(file);
	assert_non_null(
	    strstr(text, "platform: Linux\nzerotier version: 1.14.1\n\nstatus\n------\n{"));
	assert_non_null(strstr(text, "\nlocal.conf\n----------\n{"));
	assert_non_null(strstr(text, "(removed)"));
	assert_null(strstr(text, "hush"));
	assert_null(strstr(text, "secret\""));
	(void)unlink("zerotier_dump.txt");
	assert_int_equal(chdir(before), 0);
	(void)rmdir(directory);
	assert_int_equal(run("-j dump -p9993 -Tsecret"), CLI_DONE);
	assert_non_null(strstr(out_text, "\"interfaces\": ["));
	assert_null(strstr(out_text, "hush"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_info, reset),
		cmocka_unit_test_setup(test_peers, reset),
		cmocka_unit_test_setup(test_listnetworks, reset),
		cmocka_unit_test_setup(test_bond, reset),
		cmocka_unit_test_setup(test_odd_replies, reset),
		cmocka_unit_test_setup(test_join_leave, reset),
		cmocka_unit_test_setup(test_get, reset),
		cmocka_unit_test_setup(test_set, reset),
		cmocka_unit_test_setup(test_service_errors, reset),
		cmocka_unit_test_setup(test_home, reset),
		cmocka_unit_test_setup(test_switches, reset),
		cmocka_unit_test_setup_teardown(test_dump, reset, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
