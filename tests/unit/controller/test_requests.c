/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Who gets a configuration and what is in it: vl2 9.4, 9.5, 9.6. */
#include "controller/coerce.h"
#include "core/addr.h"
#include "tests/lib/check.h"
#include "tests/lib/ctlfix.h"

#define NWID 0x06b812eb9a000001ULL
enum { DENIED = 7, NOT_FOUND = 3, NEEDS_LOGIN = 9 };

static struct ctlfix f;
static struct identity alice, bob;

static int open_fixture(void **state)
{
	(void)state;
	ctlfix_open(&f, NULL);
	ctlfix_member(0xc2b7b932aeULL, &alice);
	ctlfix_member(0xccbc3675b6ULL, &bob);
	return 0;
}

static int close_fixture(void **state)
{
	(void)state;
	ctlfix_close(&f);
	return 0;
}

static void network(const char *body)
{
	json_t *record = ctlfix_network(&f, NWID, body);
	assert_non_null(record);
	json_decref(record);
}

static void member(const struct identity *who, const char *body)
{
	json_t *record = ctlfix_set_member(&f, NWID, who->address, body);
	assert_non_null(record);
	json_decref(record);
}

static json_t *record_of(const struct identity *who)
{
	return controller_member_get(f.controller, NWID, who->address);
}

/* Ask, two seconds after whatever was before. */
static void ask(const struct identity *who, const char *extra)
{
	ctlfix_pass(&f, 2000);
	ctlfix_forget_sent(&f);
	ctlfix_request(&f, NWID, who, 77, extra);
	ctlfix_settle(&f);
}

static void expect_refusal(const struct identity *who, uint8_t code)
{
	assert_int_equal(f.sent_count, 1);
	assert_int_equal(f.sent[0].kind, CTLFIX_REFUSAL);
	assert_int_equal(f.sent[0].code, code);
	assert_int_equal(f.sent[0].to.member, who->address);
	assert_int_equal(f.sent[0].to.request_id, 77);
}

/* ---- the decisions ------------------------------------------------------------------------------
 */

static void test_unknown_network(void **state)
{
	(void)state;
	ctlfix_request(&f, NWID, &alice, 77, NULL);
	expect_refusal(&alice, NOT_FOUND);
	ctlfix_request(&f, NWID, &alice, 78, NULL); /* at once again: no answer */
	assert_int_equal(f.sent_count, 1);
	ctlfix_request(&f, NWID, &bob, 79, NULL); /* another member is not held up */
	assert_int_equal(f.sent_count, 2);
}

static void test_foreign_network(void **state)
{
	(void)state;
	json_t *record = ctlfix_network(&f, 0x0123456789abcdefULL, "{\"private\":false}");
	assert_non_null(record);
	json_decref(record);
	ctlfix_request(&f, 0x0123456789abcdefULL, &alice, 77, NULL);
	ctlfix_settle(&f);
	assert_int_equal(f.sent_count, 0);
}

static void test_private_network(void **state)
{
	(void)state;
	network("{\"name\":\"alpha\"}");
	ask(&alice, NULL);
	expect_refusal(&alice, DENIED);
	json_t *record = record_of(&alice); /* the request made it */
	assert_false(object_bool(record, "authorized", true));
	assert_int_equal(object_int(record, "vMajor", 0), -1);
	json_decref(record);

	ctlfix_forget_sent(&f);
	member(&alice, "{\"authorized\":true}");
	ctlfix_settle(&f);
	struct zt_reply_to to;
	netconf_free(ctlfix_config(&f, alice.address, &to)); /* at once */
	assert_int_equal(to.request_id, 0);
	ask(&alice, NULL);
	struct netconf *nc = ctlfix_config(&f, alice.address, &to);
	assert_int_equal(to.request_id, 77);
	assert_int_equal(nc->nwid, NWID);
	assert_int_equal(nc->issued_to, alice.address);
	assert_string_equal(nc->name, "alpha");
	assert_int_equal(nc->revision, 1);
	assert_int_equal(nc->flags, NETCONF_BROADCAST);
	assert_int_equal(nc->credential_delta_ms, VL2_CREDENTIAL_DELTA_DEFAULT_MS);
	assert_int_equal(com_issued_to(&nc->com), alice.address);
	assert_int_equal(com_network(&nc->com), NWID);
	assert_true(com_agrees(&nc->com, &nc->com, &alice));
	netconf_free(nc);
	record = record_of(&alice);
	assert_int_equal(object_int(record, "vMinor", 0), 14);
	assert_int_equal(object_int(record, "vProto", 0), 12);
	json_decref(record);
}

/* What a refused stranger said is kept, but not more of it than its record costs. */
static void test_refused_metadata_is_bounded(void **state)
{
	(void)state;
	char filler[600] = "x=";
	memset(filler + 2, 'y', sizeof filler - 3);
	network("{\"name\":\"alpha\"}");
	ask(&alice, filler);
	expect_refusal(&alice, DENIED);
	ctlfix_forget_sent(&f);
	member(&alice, "{\"authorized\":true}");
	ctlfix_settle(&f);
	assert_int_equal(f.sent_count, 0);
	ask(&alice, filler); /* its next request is served, whatever its size */
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, alice.address), 1);
}

static void test_other_identity(void **state)
{
	(void)state;
	network("{\"private\":false}");
	ask(&alice, NULL);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, alice.address), 1);
	struct identity thief = alice;
	thief.public_key[0] ^= 1;
	ask(&thief, NULL);
	expect_refusal(&thief, DENIED);
}

static void test_token(void **state)
{
	(void)state;
	network("{\"authTokens\":{\"good\":0,\"late\":1795220600001}}");
	ask(&alice, "a=token:wrong");
	expect_refusal(&alice, DENIED);
	ask(&alice, "a=token:late"); /* expired by now */
	expect_refusal(&alice, DENIED);
	ask(&alice, "a=good");
	expect_refusal(&alice, DENIED);
	ask(&alice, "a=token:good");
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, alice.address), 1);
	json_t *record = record_of(&alice);
	assert_string_equal(object_text(record, "lastAuthorizedCredentialType"), "token");
	assert_string_equal(object_text(record, "lastAuthorizedCredential"), "good");
	json_decref(record);
}

static void test_single_sign_on(void **state)
{
	(void)state;
	ctlfix_close(&f); /* ssoEnabled is only set by editing the file */
	json_t *store = json_object();
	char id[] = "06b812eb9a000001";
	(void)json_object_set_new(store, id,
				  json_pack("{s:s,s:b,s:b,s:s}", "id", id, "ssoEnabled", 1,
					    "private", 0, "authorizationEndpoint",
					    "https://login.example/"));
	ctlfix_open(&f, store);
	json_decref(store);
	ask(&alice, NULL);
	assert_string_equal(f.sent[0].login_url, "https://login.example/");
	expect_refusal(&alice, NEEDS_LOGIN);
	member(&alice, "{\"authenticationExpiryTime\":1895220600000}");
	ask(&alice, NULL);
	assert_int_equal(ctlfix_count(&f, CTLFIX_CONFIG, alice.address), 1);
}

static void test_rate_limit(void **state)
{
	(void)state;
	network("{\"private\":false}");
	ask(&alice, NULL);
	f.now.mono_ms += 1000;
	ctlfix_request(&f, NWID, &alice, 78, NULL);
	ctlfix_settle(&f);
	assert_int_equal(f.sent_count, 1);
	f.now.mono_ms += 1;
	ctlfix_request(&f, NWID, &alice, 79, NULL);
	ctlfix_settle(&f);
	assert_int_equal(f.sent_count, 2);
	assert_int_equal(f.sent[1].to.request_id, 79);
}

static void test_malformed_request(void **state)
{
	(void)state;
	network("{\"private\":false}");
	uint8_t identity[IDENTITY_BYTES] = { 0 };
	struct zt_config_request request = { .nwid = NWID,
					     .member = alice.address,
					     .packet_id = 1,
					     .identity = identity,
					     .metadata = (const uint8_t *)"\xff\0=\n=",
					     .metadata_length = 5 };
	controller_request(f.controller, f.now, &request); /* no identity */
	struct wr w = wr_init(identity, sizeof(identity));
	identity_write(&w, &bob);
	controller_request(f.controller, f.now, &request); /* another's */
	assert_int_equal(f.sent_count, 0);
	request.member = bob.address;
	controller_request(f.controller, f.now, &request); /* no metadata to speak of: served */
	ctlfix_settle(&f);
	struct netconf *nc = ctlfix_config(&f, bob.address, NULL);
	assert_int_equal(nc->rule_count, 1); /* no rules engine: one accept */
	netconf_free(nc);
}

/* ---- what is in it ------------------------------------------------------------------------------
 */

static void expect_address(const struct netconf *nc, size_t i, const char *text)
{
	char got[ENDPOINT_TEXT_MAX];
	assert_true(i < nc->address_count);
	assert_string_equal(endpoint_text(&nc->addresses[i], got), text);
}

static void test_pools(void **state)
{
	(void)state;
	network("{\"private\":false,\"v4AssignMode\":\"zt\",\"v6AssignMode\":\"rfc4193,6plane,zt\","
		"\"routes\":[{\"target\":\"10.147.17.0/24\"},{\"target\":\"fd11::/64\"}],"
		"\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.147.17.1\",\"ipRangeEnd\":"
		"\"10.147.17.254\"},{\"ipRangeStart\":\"fd11::1\",\"ipRangeEnd\":"
		"\"fd11::ffff:ffff:ffff:ffff\"}]}");
	ask(&alice, NULL);
	struct netconf *nc = ctlfix_config(&f, alice.address, NULL);
	assert_int_equal(nc->address_count, 4);
	struct zt_endpoint derived = addr_rfc4193(NWID, alice.address);
	assert_true(endpoint_equal(&nc->addresses[0], &derived));
	derived = addr_6plane(NWID, alice.address);
	assert_true(endpoint_equal(&nc->addresses[1], &derived));
	expect_address(nc, 2, "fd11::c2:b7b9:32af/64");
	expect_address(nc, 3, "10.147.17.100/24");
	assert_int_equal(nc->flags, NETCONF_BROADCAST | NETCONF_NDP_EMULATION);
	assert_int_equal(nc->coo_count, 1);
	assert_int_equal(nc->coos[0].id, 1);
	for (size_t i = 0; i < nc->address_count; i++) {
		assert_true(coo_owns_ip(&nc->coos[0], &nc->addresses[i]));
	}
	netconf_free(nc);
	ask(&bob, NULL);
	nc = ctlfix_config(&f, bob.address, NULL);
	expect_address(nc, 3, "10.147.17.24/24");
	netconf_free(nc);
	ask(&alice, NULL); /* keeps what it has */
	nc = ctlfix_config(&f, alice.address, NULL);
	assert_int_equal(nc->address_count, 4);
	expect_address(nc, 3, "10.147.17.100/24");
	netconf_free(nc);
}

static void test_pool_exhausted(void **state)
{
	(void)state;
	network(
	    "{\"private\":false,\"v4AssignMode\":\"zt\",\"routes\":[{\"target\":\"10.0.0.0/24\"}],"
	    "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.0.0.254\",\"ipRangeEnd\":"
	    "\"10.0.1.0\"}]}");
	ask(&alice, NULL); /* .254 or .255, and .255 is never given */
	struct netconf *nc = ctlfix_config(&f, alice.address, NULL);
	expect_address(nc, 0, "10.0.0.254/24");
	netconf_free(nc);
	ask(&bob, NULL);
	nc = ctlfix_config(&f, bob.address, NULL);
	assert_int_equal(nc->address_count, 0);
	netconf_free(nc);
	json_decref(controller_member_delete(f.controller, f.now, NWID, alice.address));
	ask(&bob, NULL); /* released: now it gets one */
	nc = ctlfix_config(&f, bob.address, NULL);
	expect_address(nc, 0, "10.0.0.254/24");
	netconf_free(nc);
}

static void test_fixed_addresses(void **state)
{
	(void)state;
	network(
	    "{\"private\":false,\"v4AssignMode\":\"zt\",\"routes\":[{\"target\":\"10.0.0.0/8\"},"
	    "{\"target\":\"10.1.0.0/16\",\"via\":\"10.0.0.1\"}],"
	    "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.0.0.1\",\"ipRangeEnd\":\"10.0.0.9\"}]}");
	member(&alice, "{\"ipAssignments\":[\"10.1.2.3\",\"192.168.1.1\"]}");
	ask(&alice, NULL);
	struct netconf *nc = ctlfix_config(&f, alice.address, NULL);
	assert_int_equal(nc->address_count, 1); /* no route covers the other */
	expect_address(nc, 0, "10.1.2.3/16");
	assert_int_equal(nc->route_count, 2);
	assert_int_equal(nc->routes[1].via.family, 4);
	netconf_free(nc);
	member(&bob, "{\"noAutoAssignIps\":true}");
	ask(&bob, NULL);
	nc = ctlfix_config(&f, bob.address, NULL);
	assert_int_equal(nc->address_count, 0);
	assert_int_equal(nc->coo_count, 0);
	netconf_free(nc);
}

static void test_rules_tags_capabilities(void **state)
{
	(void)state;
	network("{\"private\":false,\"rules\":[{\"type\":\"MATCH_ETHERTYPE\",\"etherType\":2048},"
		"{\"type\":\"ACTION_ACCEPT\"}],\"tags\":[{\"id\":9,\"default\":4},{\"id\":2,"
		"\"default\":null},{\"id\":5,\"default\":6}],\"capabilities\":[{\"id\":1000,"
		"\"default\":true,\"rules\":[{\"type\":\"ACTION_ACCEPT\"}]},{\"id\":7,\"default\":"
		"false,"
		"\"rules\":[]}],\"dns\":{\"domain\":\"x.test\",\"servers\":[\"10.0.0.53\"]},"
		"\"remoteTraceTarget\":\"0123456789\",\"remoteTraceLevel\":3,\"mtu\":1500}");
	ask(&alice, NULL); /* new: gets the default capability */
	struct netconf *nc = ctlfix_config(&f, alice.address, NULL);
	assert_int_equal(nc->rule_count, 2);
	assert_int_equal(nc->capability_count, 1);
	assert_int_equal(nc->capabilities[0].id, 1000);
	assert_int_equal(capability_issued_to(&nc->capabilities[0]), alice.address);
	assert_int_equal(nc->tag_count, 2);
	assert_int_equal(nc->tags[0].id, 5);
	assert_int_equal(nc->tags[1].value, 4);
	assert_true(tag_verify(&nc->tags[0], &f.identity));
	assert_string_equal(nc->dns_domain, "x.test");
	assert_int_equal(nc->dns_count, 1);
	assert_int_equal(nc->trace_target, 0x0123456789ULL);
	assert_int_equal(nc->trace_level, 3);
	assert_int_equal(nc->mtu, 1500);
	netconf_free(nc);
	member(&bob, "{\"tags\":[[9,1],[2,8]],\"capabilities\":[7,8],\"activeBridge\":true,"
		     "\"remoteTraceTarget\":\"abcdefabcd\"}");
	ask(&bob, NULL);
	nc = ctlfix_config(&f, bob.address, NULL);
	assert_int_equal(nc->capability_count, 1);
	assert_int_equal(nc->capabilities[0].id, 7);
	assert_int_equal(nc->tag_count, 3);
	assert_int_equal(nc->tags[2].value, 1);
	assert_int_equal(nc->trace_target, 0xabcdefabcdULL);
	assert_true(netconf_has_role(nc, bob.address, SPECIALIST_BRIDGE));
	netconf_free(nc);
	json_t *record = record_of(&alice); /* the defaults were recorded */
	assert_int_equal(json_array_size(json_object_get(record, "tags")), 2);
	assert_int_equal(json_array_size(json_object_get(record, "capabilities")), 1);
	json_decref(record);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unknown_network),         TEST(test_foreign_network),
		TEST(test_private_network),         TEST(test_refused_metadata_is_bounded),
		TEST(test_other_identity),          TEST(test_token),
		TEST(test_single_sign_on),          TEST(test_rate_limit),
		TEST(test_malformed_request),       TEST(test_pools),
		TEST(test_pool_exhausted),          TEST(test_fixed_addresses),
		TEST(test_rules_tags_capabilities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
