/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/ctlstore.c and api_controller.c: records on disk, malformed ones left alone, the routes
 * of vl2 9.7 and their status codes. This program is its own turn.c. */
#include "service/ctlstore.h"

#include "core/identity.h"
#include "service/api.h"
#include "service/file.h"
#include "service/service.h"
#include "service/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ADDRESS  0x06b812eb9aULL
#define NWID     "06b812eb9a000001"
#define BAD_NWID "06b812eb9a000002"
#define ODD_NWID "06b812eb9a000003"

static struct service service;
static struct zt_now now = { .mono_ms = 1000, .wall_ms = 1795220600000 };

void turn_dispatch(struct service *s, struct watch *w, uint32_t events)
{
	(void)s;
	(void)events;
	worker_on_done(w);
}

void turn_finish(
    struct service *s,
    struct zt_now at) // NOLINT(readability-inconsistent-declaration-parameter-name): `now` is taken
{
	(void)s;
	(void)at;
}

int64_t turn_deadline(struct service *s)
{
	(void)s;
	return INT64_MAX;
}

/* ---- a controller that signs nothing ------------------------------------------------------------
 */

static void on_random(void *context, void *out, size_t length)
{
	static uint8_t count;
	(void)context;
	memset(out, ++count, length);
}
static bool on_job(void *context, struct controller_job *job)
{
	(void)context;
	(void)job;
	return false;
}
static void on_config(void *context, const struct zt_reply_to *to, const void *chunk, size_t length)
{
	(void)context;
	(void)to;
	(void)chunk;
	(void)length;
}
static void on_refuse(void *context, const struct zt_reply_to *to, uint8_t code,
		      const char *login_url)
{
	(void)context;
	(void)to;
	(void)code;
	(void)login_url;
}
static void on_credentials(void *context, uint64_t member, const void *payload, size_t length)
{
	(void)context;
	(void)member;
	(void)payload;
	(void)length;
}
static void on_log(void *context, enum zt_level level, const char *text)
{
	(void)context;
	(void)level;
	print_message("%s\n", text);
}
static const struct controller_callbacks callbacks = { on_random, on_job,         on_config,
						       on_refuse, on_credentials, on_log };

static void controller_up(void)
{
	struct identity identity = { .address = ADDRESS, .has_secret = true };
	char text[IDENTITY_TEXT_MAX];
	memset(identity.secret, 7, sizeof(identity.secret));
	assert_int_equal(keypair_make(identity.secret, identity.public_key), 0);
	assert_int_equal(ctlstore_open(&service, &service.store), 0);
	struct controller_config config = { .identity_secret = identity_text(&identity, true, text),
					    .callbacks = &callbacks,
					    .store = service.store };
	assert_int_equal(controller_new(&config, now, &service.controller), 0);
}

static void controller_down(void)
{
	controller_free(service.controller, now);
	service.controller = NULL;
	ctlstore_close(service.store);
	worker_drain(service.worker);
}

static int setup(void **state)
{
	(void)state;
	service = (struct service){ .address = ADDRESS };
	(void)snprintf(service.home, sizeof service.home, "/tmp/ctlstore-test-XXXXXX");
	service.local_conf = json_object();
	service.loop = mkdtemp(service.home) ? loop_new(&service) : NULL;
	return service.loop && worker_new(&service, &service.worker) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	worker_free(service.worker);
	loop_free(service.loop);
	json_decref(service.local_conf);
	char command[512];
	(void)snprintf(command, sizeof command, "rm -rf '%s'", service.home);
	return system(command); // NOLINT(cert-env33-c): our own temporary directory
}

/* ---- files
 * --------------------------------------------------------------------------------------- */

static const char *path_of(const char *below)
{
	static char path[512];
	(void)snprintf(path, sizeof path, "%s/controller.d/%s", service.home, below);
	return path;
}

static void put_file(const char *below, const char *text)
{
	assert_int_equal(file_write(path_of(below), text, strlen(text), 0600), 0);
}

/* The file's text (caller frees), or NULL. */
static char *get_file(const char *below)
{
	char *bytes;
	size_t length;
	return file_read(path_of(below), 1 << 20, &bytes, &length) == 0 ? bytes : NULL;
}

/* ---- requests
 * ------------------------------------------------------------------------------------ */

/* Returns the status; *text = the body (caller frees), if wanted. */
static int call(enum api_method method, const char *path, const char *body, char **text)
{
	struct api_path split;
	struct api_reply reply = { .status = 404 };
	assert_true(api_path_split(path, &split));
	struct api_request request = { .method = method,
				       .path = &split,
				       .body = body ? body : "",
				       .body_length = body ? strlen(body) : 0,
				       .now = now };
	api_controller(&service, &request, &reply);
	if (text) {
		*text = reply.text;
	} else {
		free(reply.text);
	}
	return reply.status;
}

static void expect_body(const char *path, const char *want)
{
	char *text = NULL;
	assert_int_equal(call(API_GET, path, NULL, &text), 200);
	assert_string_equal(text, want);
	free(text);
}

static void test_saved_and_loaded(void **state)
{
	(void)state;
	controller_up();
	assert_int_equal(call(API_POST, "/controller/network/" NWID, "{\"name\":\"a\"}", NULL),
			 200);
	assert_int_equal(call(API_POST, "/controller/network/" NWID "/member/c2b7b932ae",
			      "{\"authorized\":true}", NULL),
			 200);
	controller_down();
	char *text = get_file("network/" NWID ".json");
	assert_non_null(text);
	assert_non_null(strstr(text, "\"name\":\"a\""));
	assert_null(strchr(text, '\n'));
	free(text);
	struct stat st;
	assert_int_equal(stat(path_of(""), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(path_of("network/" NWID "/member/c2b7b932ae.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(path_of("trace"), &st), 0);
	controller_up();
	expect_body("/controller/network", "[\"" NWID "\"]");
	expect_body("/controller/network/" NWID "/member", "{\"c2b7b932ae\":1}");
	assert_int_equal(call(API_DELETE, "/controller/network/" NWID, NULL, NULL), 200);
	controller_tick(service.controller, now); /* removes the members' files */
	controller_down();
	assert_null(get_file("network/" NWID ".json"));
	assert_null(get_file("network/" NWID "/member/c2b7b932ae.json"));
	controller_up(); /* sweeps the empty directories */
	assert_int_equal(stat(path_of("network/" NWID), &st), -1);
	controller_down();
}

static void test_malformed_files_stay(void **state)
{
	(void)state;
	controller_up();
	assert_int_equal(call(API_POST, "/controller/network/" NWID, "{}", NULL), 200);
	assert_int_equal(
	    call(API_POST, "/controller/network/" NWID "/member/c2b7b932ae", "{}", NULL), 200);
	controller_down();
	put_file("network/" BAD_NWID ".json", "{\"id\":");
	put_file("network/" ODD_NWID ".json", "{\"id\":\"" NWID "\"}");
	put_file("network/" NWID "/member/c2b7b932ae.json", "[]");
	put_file("network/notes.txt", "keep");
	controller_up();
	expect_body("/controller/network", "[\"" NWID "\"]");
	expect_body("/controller/network/" NWID "/member", "{}");
	/* Made anew in memory, but the files stay as they are. */
	assert_int_equal(call(API_POST, "/controller/network/" BAD_NWID, "{}", NULL), 200);
	assert_int_equal(
	    call(API_POST, "/controller/network/" BAD_NWID "/member/c2b7b932ae", "{}", NULL), 200);
	assert_int_equal(
	    call(API_POST, "/controller/network/" NWID "/member/c2b7b932ae", "{}", NULL), 200);
	controller_down();
	static const struct {
		const char *below, *text;
	} kept[] = { { "network/" BAD_NWID ".json", "{\"id\":" },
		     { "network/" ODD_NWID ".json", "{\"id\":\"" NWID "\"}" },
		     { "network/" NWID "/member/c2b7b932ae.json", "[]" },
		     { "network/notes.txt", "keep" } };
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		char *text = get_file(kept[i].below);
		assert_non_null(text);
		assert_string_equal(text, kept[i].text);
		free(text);
	}
	assert_null(get_file("network/" BAD_NWID "/member/c2b7b932ae.json"));
}

static void test_routes(void **state)
{
	(void)state;
	controller_up();
	expect_body("/controller", "{\n\t\"controller\": true,\n\t\"apiVersion\": 4,\n\t\"clock\": "
				   "1795220600000,\n\t\"databaseReady\": true\n}\n");
	static const struct {
		const char *path, *body;
		enum api_method method;
		int status;
	} calls[] = {
		{ "/controller/network", NULL, API_GET, 200 },
		{ "/unstable/controller/network", NULL, API_GET, 200 },
		{ "/controller/network/06b812eb9a______", "{}", API_POST, 200 },
		{ "/controller/network/0123456789______", "{}", API_POST, 400 },
		{ "/controller/network", "{\"name\":\"x\"}", API_POST, 200 },
		{ "/controller/network", "null", API_POST, 200 },
		{ "/controller/network", "[]", API_POST, 200 },
		{ "/controller/network", "", API_POST, 500 },
		{ "/controller/network", "garbage", API_POST, 500 },
		{ "/controller/network/06B812EB9A000001", "{}", API_POST, 200 },
		{ "/controller/network/" NWID, NULL, API_GET, 200 },
		{ "/controller/network/" NWID, "{", API_POST, 500 },
		{ "/controller/network/ffffffffffffffff", NULL, API_GET, 404 },
		{ "/controller/network/0000000000000000", NULL, API_GET, 404 },
		{ "/controller/network/123", NULL, API_GET, 404 },
		{ "/controller/network/ffffffffffffffff", NULL, API_DELETE, 404 },
		{ "/controller/network/" NWID, NULL, API_OTHER, 404 },
		{ "/controller/network/" NWID "/member", NULL, API_GET, 200 },
		{ "/unstable/controller/network/" NWID "/member", NULL, API_GET, 200 },
		{ "/controller/network/ffffffffffffffff/member", NULL, API_GET, 404 },
		{ "/controller/network/" NWID "/member/c2b7b932ae", NULL, API_GET, 404 },
		{ "/controller/network/" NWID "/member/c2b7b932ae", "{}", API_POST, 200 },
		{ "/controller/network/" NWID "/member/c2b7b932ae", "", API_POST, 500 },
		{ "/controller/network/" NWID "/member/c2b7b932ae", NULL, API_GET, 200 },
		{ "/controller/network/" NWID "/member/c2b7b932a", NULL, API_GET, 404 },
		{ "/controller/network/ffffffffffffffff/member/c2b7b932ae", "{}", API_POST, 404 },
		{ "/controller/network/" NWID "/member/c2b7b932ae", NULL, API_DELETE, 200 },
		{ "/controller/network/" NWID "/member/c2b7b932ae", NULL, API_DELETE, 404 },
		{ "/controller/other", NULL, API_GET, 404 },
		{ "/unstable/other", NULL, API_GET, 404 },
		{ "/unstable", NULL, API_GET, 404 },
		{ "/controller", "{}", API_POST, 404 },
	};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		int status = call(calls[i].method, calls[i].path, calls[i].body, NULL);
		if (status != calls[i].status) {
			fail_msg("%d %s: %d, not %d", (int)calls[i].method, calls[i].path, status,
				 calls[i].status);
		}
	}
	controller_down();
	assert_int_equal(call(API_GET, "/controller", NULL, NULL), 503);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_saved_and_loaded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed_files_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
