/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/api.c: who may ask what, routes, bodies (vl2 10, transcripts 01 and 17). The resources
 * are this program's own. */
#include "service/api.h"

#include "service/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct service service;
static const char *answered; /* the handler that was reached */

#define HANDLER(name)                                                                              \
	void name(struct service *s, const struct api_request *request, struct api_reply *reply)   \
	{                                                                                          \
		assert_ptr_equal(s, &service);                                                     \
		answered = #name;                                                                  \
		if (request->method == API_GET) {                                                  \
			api_reply_json(reply, 200, json_pack("{s:i, s:b}", "b", 1, "a", 0));       \
		}                                                                                  \
	}
HANDLER(api_status)
HANDLER(api_health)
HANDLER(api_config)
HANDLER(api_network)
HANDLER(api_peer)
HANDLER(api_controller)
HANDLER(api_netcon)
HANDLER(api_metrics)

struct question {
	const char *path;
	enum api_method method;
	const char *header, *query, *bearer, *jsonp;
	struct zt_endpoint from;
};

static const struct zt_endpoint loopback = { .ip = { 127, 0, 0, 1 }, .family = 4 };
static const struct zt_endpoint loopback6 = { .ip = { [15] = 1 }, .family = 6 };
static const struct zt_endpoint stranger = { .ip = { 10, 1, 2, 3 }, .family = 4 };

static struct api_reply reply;

static int ask(struct question q)
{
	struct api_path path;
	if (!api_path_split(q.path, &path)) {
		path.count = 0;
	}
	struct api_request request = {
		.method = q.method,
		.path = &path,
		.body = "",
		.from = q.from.family != 0 ? q.from : loopback,
		.header_token = q.header,
		.query_token = q.query,
		.bearer = q.bearer,
		.jsonp = q.jsonp,
	};
	free(reply.text);
	answered = NULL;
	api_handle(&service, &request, &reply);
	return reply.status;
}

static int setup(void **state)
{
	(void)state;
	memset(&service, 0, sizeof service);
	(void)strcpy(service.token, "secret");
	(void)strcpy(service.metrics_token, "numbers");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(reply.text);
	reply.text = NULL;
	return 0;
}

static void assert_refused(struct question q)
{
	assert_int_equal(ask(q), 401);
	assert_null(answered);
	assert_string_equal(reply.text, "{}");
	assert_string_equal(reply.content_type, "application/json");
}

static void test_token_places(void **state)
{
	(void)state;
	assert_int_equal(ask((struct question){ .path = "/status", .header = "secret" }), 200);
	assert_int_equal(ask((struct question){ .path = "/status", .query = "secret" }), 200);
	assert_int_equal(ask((struct question){ .path = "/status", .bearer = "Bearer secret" }),
			 200);
	assert_int_equal(ask((struct question){ .path = "/status", .bearer = "bearer secret" }),
			 200);
	assert_refused((struct question){ .path = "/status" });
	assert_refused((struct question){ .path = "/status", .bearer = "Basic secret" });
	assert_refused((struct question){ .path = "/status", .header = "" });
	assert_refused((struct question){ .path = "/status", .header = "secre" });
	assert_refused((struct question){ .path = "/status", .header = "secrett" });
}

/* It opens /metrics, from anywhere, and nothing else (vl2 10). */
static void test_metrics_token(void **state)
{
	(void)state;
	assert_int_equal(ask((struct question){ .path = "/metrics", .header = "numbers" }), 200);
	assert_string_equal(answered, "api_metrics");
	assert_int_equal(ask((struct question){
			     .path = "/metrics", .bearer = "Bearer numbers", .from = stranger }),
			 200);
	assert_int_equal(
	    ask((struct question){ .path = "/metrics", .query = "secret", .from = stranger }), 200);
	assert_refused((struct question){ .path = "/metrics" });
	assert_refused((struct question){ .path = "/metrics", .header = "number" });
	assert_refused((struct question){ .path = "/status", .header = "numbers" });
	assert_refused((struct question){ .path = "/netcon/diagnose", .header = "numbers" });
	service.metrics_token[0] = '\0';
	assert_refused((struct question){ .path = "/metrics", .header = "" });
}

/* The first token that is present decides, right or wrong (transcript 17). */
static void test_first_token_decides(void **state)
{
	(void)state;
	assert_int_equal(
	    ask((struct question){ .path = "/status", .header = "secret", .query = "wrong" }), 200);
	assert_refused(
	    (struct question){ .path = "/status", .header = "wrong", .query = "secret" });
	assert_refused(
	    (struct question){ .path = "/status", .query = "wrong", .bearer = "Bearer secret" });
	assert_refused((struct question){ .path = "/nonexistent", .header = "wrong" });
}

static void test_no_token_no_entry(void **state)
{
	(void)state;
	service.token[0] = '\0'; /* not loaded: nobody gets in, not even with an empty token */
	assert_refused((struct question){ .path = "/status", .header = "" });
}

static void test_addresses(void **state)
{
	(void)state;
	assert_int_equal(
	    ask((struct question){ .path = "/status", .header = "secret", .from = loopback6 }),
	    200);
	assert_refused(
	    (struct question){ .path = "/status", .header = "secret", .from = stranger });
	assert_refused((struct question){ .path = "/health", .from = stranger });
	service.settings.management[0] =
	    (struct zt_endpoint){ .ip = { 10, 1 }, .port = 16, .family = 4 };
	service.settings.management_count = 1;
	assert_int_equal(
	    ask((struct question){ .path = "/status", .header = "secret", .from = stranger }), 200);
	assert_refused(
	    (struct question){ .path = "/status", .from = stranger }); /* still needs the token */
	service.settings.management[0].ip[1] = 2;
	assert_refused(
	    (struct question){ .path = "/status", .header = "secret", .from = stranger });
}

static void test_open_paths(void **state)
{
	(void)state;
	assert_int_equal(ask((struct question){ .path = "/health" }), 200);
	assert_string_equal(answered, "api_health");
	assert_int_equal(ask((struct question){ .path = "/health", .header = "wrong" }), 200);
	assert_int_equal(ask((struct question){ .path = "/sso" }), 404);
	assert_int_equal(ask((struct question){ .path = "/app/x" }), 404);
	assert_null(reply.text);
}

static void test_routes(void **state)
{
	(void)state;
	static const struct {
		const char *path, *handler;
	} rows[] = {
		{ "/status", "api_status" },
		{ "/config/settings", "api_config" },
		{ "/network", "api_network" },
		{ "/network/", "api_network" },
		{ "/network/0123456789abcdef", "api_network" },
		{ "/peer", "api_peer" },
		{ "/controller", "api_controller" },
		{ "/unstable/controller/network", "api_controller" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(ask((struct question){ .path = rows[i].path, .header = "secret" }),
				 200);
		assert_string_equal(answered, rows[i].handler);
	}
	static const char *const unknown[] = {
		"/", "/nonexistent", "", "status", "//status", "/status//x", "/a/b/c/d/e/f/g/h/i",
	};
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		assert_int_equal(ask((struct question){ .path = unknown[i], .header = "secret" }),
				 404);
		assert_null(answered);
		assert_null(reply.text); /* empty body */
		assert_null(reply.content_type);
	}
}

static void test_methods(void **state)
{
	(void)state;
	assert_int_equal(
	    ask((struct question){ .path = "/status", .method = API_OTHER, .header = "secret" }),
	    404);
	assert_null(answered);
	/* A handler that leaves the reply alone: 404, empty. */
	assert_int_equal(
	    ask((struct question){ .path = "/status", .method = API_POST, .header = "secret" }),
	    404);
	assert_string_equal(answered, "api_status");
	assert_null(reply.text);
}

static void test_json_is_compact_and_sorted(void **state)
{
	(void)state;
	assert_int_equal(ask((struct question){ .path = "/status", .header = "secret" }), 200);
	assert_string_equal(reply.text, "{\"a\":false,\"b\":1}");
	assert_int_equal(reply.length, strlen(reply.text));
	assert_string_equal(reply.content_type, "application/json");
}

static void test_jsonp(void **state)
{
	(void)state;
	struct question q = { .path = "/status", .header = "secret", .jsonp = "cb" };
	assert_int_equal(ask(q), 200);
	assert_string_equal(reply.text, "cb({\"a\":false,\"b\":1});");
	assert_int_equal(reply.length, strlen(reply.text));
	assert_string_equal(reply.content_type, "application/javascript");
	q.jsonp = "alert(1)//"; /* no function's name: not wrapped */
	assert_int_equal(ask(q), 200);
	assert_string_equal(reply.content_type, "application/json");
	assert_string_equal(reply.text, "{\"a\":false,\"b\":1}");
}

static void test_ids(void **state)
{
	(void)state;
	uint64_t id = 0;
	assert_true(api_id("0123456789abcdef", 16, &id));
	assert_true(id == 0x0123456789abcdefU);
	assert_true(api_id("ABCDEFabcd", 10, &id)); /* either case */
	assert_true(id == 0xabcdefabcdU);
	assert_false(api_id("0123456789abcde", 16, &id));
	assert_false(api_id("0123456789abcdef0", 16, &id));
	assert_false(api_id("0123456789abcdeg", 16, &id));
	assert_false(api_id("", 10, &id));
	assert_false(api_id("06b812eb9a______", 16, &id));
	assert_true(id == 0xabcdefabcdU); /* untouched by failures */
}

static void test_token_compare(void **state)
{
	(void)state;
	assert_true(api_token_equal("abc", "abc"));
	assert_false(api_token_equal("abd", "abc"));
	assert_false(api_token_equal("ab", "abc"));
	assert_false(api_token_equal("abcd", "abc"));
	assert_false(api_token_equal("", "abc"));
}

static void test_path_limits(void **state)
{
	(void)state;
	struct api_path path;
	char longest[API_PATH_MAX_BYTES + 1];
	memset(longest, 'a', sizeof longest);
	longest[0] = '/';
	longest[API_PATH_MAX_BYTES] = '\0';
	assert_false(api_path_split(longest, &path));
	longest[API_PATH_MAX_BYTES - 1] = '\0';
	assert_true(api_path_split(longest, &path));
	assert_int_equal(path.count, 1);
	assert_true(api_path_split("/a/b/c/d/e/f/g/h", &path));
	assert_int_equal(path.count, API_MAX_PARTS);
	assert_string_equal(path.parts[7], "h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_token_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_metrics_token, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_token_decides, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_token_no_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_methods, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json_is_compact_and_sorted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jsonp, setup, teardown),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_token_compare),
		cmocka_unit_test(test_path_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
