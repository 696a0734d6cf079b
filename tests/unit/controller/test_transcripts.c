/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The recorded exchanges of a 1.14.1 controller (tests/transcripts), replayed: for every request to
 * /controller the reply must be the same JSON, field for field. Times come from the recorded reply.
 */
#include "controller/coerce.h"
#include "tests/lib/check.h"
#include "tests/lib/ctlfix.h"

#include <stdio.h>

static struct ctlfix f;

struct exchange {
	char method[8], path[128];
	const char *body;  /* or NULL */
	const char *reply; /* "" = none */
	int status;
	const char *title; /* text since the exchange before */
};

/* ---- reading ------------------------------------------------------------------------------------
 */

/* Cut the next ">>> node" exchange out of the text; moves *at. */
static bool exchange_next(char **at, struct exchange *out)
{
	char *start = strstr(*at, ">>> node v1  ");
	if (!start) {
		return false;
	}
	*out = (struct exchange){ .title = *at };
	start[-1] = '\0';
	char *end = strstr(start, "\n----");
	char *head = strstr(start, "<<<\n");
	assert_non_null(end);
	assert_non_null(head);
	*end = '\0';
	head[-1] = '\0';
	char url[128];
	assert_int_equal(
	    sscanf(start, ">>> node v1  %7s http://127.0.0.1:9993%127s", out->method, url), 2);
	(void)snprintf(out->path, sizeof(out->path), "%s", url);
	char *body = strstr(start, ">>> body: ");
	out->body = body ? body + strlen(">>> body: ") : NULL;
	out->status = (int)strtol(head + strlen("<<<\nHTTP/1.1 "), NULL, 10);
	char *reply = strstr(head, "\n\n");
	out->reply = reply ? reply + 2 : "";
	*at = end + 1;
	return true;
}

/* ---- what the API does with a path, in short (service/api_controller.c is the real one)
 * ---------- */

static json_t *perform_member(const char *method, uint64_t nwid, uint64_t member,
			      const json_t *body)
{
	return strcmp(method, "GET") == 0 ? controller_member_get(f.controller, nwid, member)
	       : strcmp(method, "POST") == 0
		   ? controller_member_set(f.controller, f.now, nwid, member, body)
		   : controller_member_delete(f.controller, f.now, nwid, member);
}

static json_t *perform(const char *method, const char *path, const json_t *body)
{
	bool is_get = strcmp(method, "GET") == 0, is_post = strcmp(method, "POST") == 0;
	bool is_full = strncmp(path, "/unstable", 9) == 0;
	const char *id = path + (is_full ? 9 : 0) + strlen("/controller/network");
	char *rest = NULL;
	uint64_t nwid = *id ? strtoull(id + 1, &rest, 16) : 0;
	if (nwid == 0 || *rest == '_') {
		return is_post   ? controller_network_set(f.controller, f.now, 0, body)
		       : is_full ? controller_networks_full(f.controller)
				 : controller_networks(f.controller);
	}
	if (strcmp(rest, "/member") == 0) {
		return is_full ? controller_members_full(f.controller, nwid)
			       : controller_members(f.controller, nwid);
	}
	if (*rest) {
		return perform_member(method, nwid, strtoull(rest + strlen("/member/"), NULL, 16),
				      body);
	}
	return is_get    ? controller_network_get(f.controller, nwid)
	       : is_post ? controller_network_set(f.controller, f.now, nwid, body)
			 : controller_network_delete(f.controller, f.now, nwid);
}

/* The clock of the recording at this exchange: the latest time in the reply. And the number that
 * the recorded controller drew for a new network. */
static void set_scene(const struct exchange *e, const json_t *reply)
{
	static const char *const times[] = { "creationTime", "lastAuthorizedTime",
					     "lastDeauthorizedTime" };
	if (strcmp(e->method, "POST") != 0) {
		return;
	}
	int64_t latest = 0;
	for (size_t i = 0; i < 3; i++) {
		int64_t t = object_int(reply, times[i], 0);
		latest = t > latest ? t : latest;
	}
	if (latest > 0) { /* the recordings overlap: the wall clock may step back */
		f.now.mono_ms += latest > f.now.wall_ms ? latest - f.now.wall_ms : 0;
		f.now.wall_ms = latest;
	}
	f.next_number = (uint32_t)(strtoull(object_text(reply, "id"), NULL, 16) & 0xffffff);
}

static void member_asks(uint64_t nwid, const char *identity)
{
	struct identity id;
	assert_int_equal(identity_parse(identity, &id), 0);
	ctlfix_request(&f, nwid, &id, 1, NULL);
	ctlfix_settle(&f);
}

#define V2                                                                                         \
	"c2b7b932ae:0:733b3266f34de6bb2bde44b20b99a0e148e3841d4b66f8c364ae3154e985d37d6456217b"    \
	"ec2d1838d84b7239f229a8e022a4461649f91c19d83f123dba935c81"
#define V3                                                                                         \
	"ccbc3675b6:0:80fa3e09eb018913b55e96f1a168e7316e33d1661441aa2c5765c790cd7a960dfc3b3f77"    \
	"69b9fa9c99106efecac091f2ba638681a86dd3d94ce8bdce03fc2707"

/* What happened between the exchanges, told by their titles. */
static void play_interlude(const struct exchange *e)
{
	if (strstr(e->title, "member after its config was issued")) {
		member_asks(0x06b812eb9ad1f8b0ULL, V2);
		member_asks(0x06b812eb9ad1f8b0ULL, V3);
	}
	if (strstr(e->title, "zerotier-cli -D<HOME> join 06b812eb9a4f6659")) {
		f.now.mono_ms += 1795221495083 - f.now.wall_ms;
		f.now.wall_ms = 1795221495083;
		member_asks(0x06b812eb9a4f6659ULL, V2);
	}
}

static void play(const struct exchange *e)
{
	json_t *want = json_loads(e->reply, JSON_DECODE_ANY, NULL);
	play_interlude(e);
	set_scene(e, want);
	json_t *body = e->body ? json_loads(e->body, JSON_DECODE_ANY, NULL) : NULL;
	bool is_refused_earlier = e->status == 400 || (e->status == 500 && !body);
	if (!is_refused_earlier) { /* else by the API's own checks */
		json_t *got = perform(e->method, e->path, body);
		if ((got || want) && !json_equal(got, want)) {
			char *text = got ? json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
			fail_msg("%s %s %s\nwant %s\ngot  %s", e->method, e->path,
				 e->body ? e->body : "", e->reply, text ? text : "nothing");
		}
		json_decref(got);
	}
	json_decref(body);
	json_decref(want);
	ctlfix_settle(&f);
}

/* Returns how many exchanges concerned the controller. */
static size_t replay(const char *file)
{
	size_t length, count = 0;
	uint8_t *bytes = test_file(file, &length);
	char *text = malloc(length + 1), *at = text;
	assert_non_null(text);
	memcpy(text, bytes, length);
	text[length] = '\0';
	struct exchange e;
	while (exchange_next(&at, &e)) {
		if (strstr(e.path, "/controller/")) {
			play(&e);
			count++;
		}
	}
	free(text);
	free(bytes);
	return count;
}

static void test_private_network_and_rules(void **state)
{
	(void)state;
	ctlfix_open(&f, NULL);
	assert_int_equal(replay("transcripts/10-controller-network-private.txt"), 19);
	assert_int_equal(replay("transcripts/13-controller-rules.txt"), 12);
	ctlfix_close(&f);
}

static void test_public_network(void **state)
{
	(void)state;
	ctlfix_open(&f, NULL);
	assert_int_equal(replay("transcripts/16-controller-more.txt"), 3);
	assert_int_equal(replay("transcripts/17-api-corner-cases.txt"), 5);
	ctlfix_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_private_network_and_rules),
		cmocka_unit_test(test_public_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
