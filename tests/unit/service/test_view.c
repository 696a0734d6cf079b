/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/view.c against the objects that zerotier-one 1.14.1 showed (transcripts 01, 12 and 14).
 */
#include "service/view.h"

#include "service/net.h"
#include "service/net_policy.h"
#include "service/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char STATUS[] =
    "{\"address\":\"06b812eb9a\",\"clock\":1795220450706,\"config\":{\"settings\":{"
    "\"allowTcpFallbackRelay\":false,\"forceTcpRelay\":false,\"homeDir\":\"/home/user/zt/h1\","
    "\"listeningOn\":[],\"portMappingEnabled\":false,\"primaryPort\":9993,\"secondaryPort\":0,"
    "\"softwareUpdate\":\"disable\",\"softwareUpdateChannel\":\"release\","
    "\"surfaceAddresses\":[],\"tertiaryPort\":0}},\"online\":true,\"planetWorldId\":149604618,"
    "\"planetWorldTimestamp\":1795220394026,\"publicIdentity\":\"06b812eb9a:0:7d37\","
    "\"tcpFallbackActive\":false,\"version\":\"1.14.1\",\"versionBuild\":0,\"versionMajor\":1,"
    "\"versionMinor\":14,\"versionRev\":1}";

static const char HEALTH[] =
    "{\"clock\":1795220450751,\"online\":true,\"version\":\"1.14.1\",\"versionBuild\":0,"
    "\"versionMajor\":1,\"versionMinor\":14,\"versionRev\":1}";

static const char NETWORK[] =
    "{\"allowDNS\":false,\"allowDefault\":false,\"allowGlobal\":false,\"allowManaged\":true,"
    "\"assignedAddresses\":[\"10.147.17.24/24\"],\"bridge\":false,\"broadcastEnabled\":true,"
    "\"dhcp\":false,\"dns\":{\"domain\":\"alpha.test\",\"servers\":[\"10.147.17.53\"]},"
    "\"id\":\"06b812eb9ad1f8b0\",\"mac\":\"b2:34:6d:ac:9e:a4\",\"mtu\":2800,"
    "\"multicastSubscriptions\":[{\"adi\":177409304,\"mac\":\"ff:ff:ff:ff:ff:ff\"}],"
    "\"name\":\"alpha\",\"netconfRevision\":2,\"nwid\":\"06b812eb9ad1f8b0\","
    "\"portDeviceName\":\"/h/nc_06b812eb9ad1f8b0\",\"portError\":0,"
    "\"routes\":[{\"flags\":0,\"metric\":0,\"target\":\"10.147.17.0/24\",\"via\":null},"
    "{\"flags\":0,\"metric\":0,\"target\":\"192.168.77.0/24\",\"via\":\"10.147.17.9\"}],"
    "\"status\":\"OK\",\"type\":\"PRIVATE\"}";

static const char PEER[] =
    "{\"address\":\"06b812eb9a\",\"isBonded\":false,\"latency\":18,\"paths\":[{\"active\":true,"
    "\"address\":\"10.97.0.1/9993\",\"expired\":false,\"lastReceive\":1795220604275,"
    "\"lastSend\":0,\"localPort\":0,\"localSocket\":77,\"preferred\":true,\"trustedPathId\":0}],"
    "\"role\":\"PLANET\",\"tunneled\":false,\"version\":\"1.14.1\",\"versionMajor\":1,"
    "\"versionMinor\":14,\"versionRev\":1}";

static void assert_json(json_t *view, const char *wanted)
{
	assert_non_null(view);
	char *text = json_dumps(view, JSON_COMPACT | JSON_SORT_KEYS);
	assert_non_null(text);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(view);
}

static struct zt_endpoint address(const char *text)
{
	struct zt_endpoint e;
	assert_true(endpoint_parse(text, &e));
	return e;
}

static void test_status(void **state)
{
	(void)state;
	struct service service = { .local_conf = json_object() };
	(void)strcpy(service.home, "/home/user/zt/h1");
	service.settings.primary_port = 9993;
	struct zt_status status = { .address = 0x06b812eb9aU,
				    .is_online = true,
				    .planet_id = 149604618,
				    .planet_timestamp = 1795220394026 };
	(void)strcpy(status.identity_public, "06b812eb9a:0:7d37");
	struct zt_now now = { .mono_ms = 1000, .wall_ms = 1795220450706 };
	assert_json(view_status(&service, &status, now), STATUS);
	assert_json(view_version(&status, 1795220450751), HEALTH);
	assert_int_equal(json_object_size(service.local_conf), 0); /* copied, not filled in */
	json_decref(service.local_conf);
}

/* What local.conf says stays visible beside what is in force. */
static void test_status_merges_local_conf(void **state)
{
	(void)state;
	struct service service = { .local_conf = json_loads(
				       "{\"physical\":{},\"settings\":{\"primaryPort\":1,"
				       "\"interfacePrefixBlacklist\":[\"docker\"]}}",
				       0, NULL) };
	service.settings.primary_port = 9993;
	struct zt_status status = { 0 };
	json_t *view = view_status(&service, &status, (struct zt_now){ 0 });
	const json_t *config = json_object_get(view, "config");
	const json_t *settings = json_object_get(config, "settings");
	assert_non_null(json_object_get(config, "physical"));
	assert_int_equal(json_integer_value(json_object_get(settings, "primaryPort")), 9993);
	assert_non_null(json_object_get(settings, "interfacePrefixBlacklist"));
	json_decref(view);
	json_decref(service.local_conf);
}

static void test_network(void **state)
{
	(void)state;
	static struct zt_network_view view;
	struct net net = { .policy = { .managed = true } };
	(void)strcpy(net.socket_path, "/h/nc_06b812eb9ad1f8b0");
	view.nwid = 0x06b812eb9ad1f8b0U;
	view.mac = 0xb2346dac9ea4U;
	view.status = ZT_NETWORK_OK;
	view.is_private = view.is_broadcast_enabled = true;
	view.mtu = 2800;
	view.revision = 2;
	(void)strcpy(view.name, "alpha");
	view.addresses[view.address_count++] = address("10.147.17.24/24");
	view.routes[view.route_count++].target = address("10.147.17.0/24");
	view.routes[view.route_count++] = (struct zt_route){ .target = address("192.168.77.0/24"),
							     .via = address("10.147.17.9") };
	view.groups[view.group_count++] =
	    (struct zt_group){ .mac = 0xffffffffffffU, .adi = 177409304 };
	(void)strcpy(view.dns_domain, "alpha.test");
	view.dns[view.dns_count++] = address("10.147.17.53");
	assert_json(view_network(&view, &net), NETWORK);
	/* A name of bytes that are no text must not take the API down. */
	(void)strcpy(view.name, "caf\xe9");
	json_t *json = view_network(&view, &net);
	assert_string_equal(json_string_value(json_object_get(json, "name")), "caf?");
	json_decref(json);
}

static void test_status_names(void **state)
{
	(void)state;
	assert_string_equal(view_network_status(ZT_NETWORK_REQUESTING_CONFIGURATION),
			    "REQUESTING_CONFIGURATION");
	assert_string_equal(view_network_status(ZT_NETWORK_ACCESS_DENIED), "ACCESS_DENIED");
	assert_string_equal(view_network_status(ZT_NETWORK_NOT_FOUND), "NOT_FOUND");
	assert_string_equal(view_network_status(ZT_NETWORK_AUTHENTICATION_REQUIRED),
			    "AUTHENTICATION_REQUIRED");
}

static void test_peer(void **state)
{
	(void)state;
	static struct zt_peer_view view;
	struct service service = { 0 };
	struct zt_now now = { .mono_ms = 5000, .wall_ms = 1795220606275 };
	view.address = 0x06b812eb9aU;
	view.version_major = 1;
	view.version_minor = 14;
	view.version_revision = 1;
	view.latency_ms = 18;
	view.role = ZT_ROLE_PLANET;
	view.path_count = 1;
	view.paths[0] = (struct zt_path_view){ .endpoint = address("10.97.0.1/9993"),
					       .last_receive_ms = 3000,
					       .socket = 77,
					       .is_active = true,
					       .is_preferred = true };
	assert_json(view_peer(&service, &view, now), PEER);
	view.version_major = view.version_minor = view.version_revision = -1;
	view.latency_ms = -1;
	json_t *json = view_peer(&service, &view, now);
	assert_string_equal(json_string_value(json_object_get(json, "version")), "-1.-1.-1");
	assert_int_equal(json_integer_value(json_object_get(json, "latency")), -1);
	json_decref(json);
}

/* ---- networks.d/<nwid>.local.conf (vl2 10.1) ------------------------------------------------ */

static void test_policy_text(void **state)
{
	(void)state;
	struct net_policy policy = { .managed = true, .global = true };
	char text[256];
	size_t length = net_policy_text(&policy, text, sizeof text);
	assert_string_equal(text, "allowManaged=1\nallowGlobal=1\nallowDefault=0\nallowDNS=0\n");
	assert_int_equal(length, strlen(text));
	struct net_policy back = { 0 };
	net_policy_parse("junk\nallowManaged=10.0.0.0/8,192.168.1.0/24\r\nallowDNS=true\n"
			 "allowGlobal=0\nallowDefault=1",
			 &back);
	assert_true(back.managed && back.dns && back.standard && !back.global);
	assert_int_equal(back.allowed_count, 2);
	(void)net_policy_text(&back, text, sizeof text);
	assert_string_equal(text, "allowManaged=10.0.0.0/8,192.168.1.0/24\nallowGlobal=0\n"
				  "allowDefault=1\nallowDNS=1\n");
	net_policy_parse("allowManaged=0\n", &back);
	assert_false(back.managed);
	assert_int_equal(back.allowed_count, 0);
}

static bool allows(const struct net_policy *policy, const char *text)
{
	struct zt_endpoint e = address(text);
	return net_policy_allows(policy, &e);
}

static void test_policy_allows(void **state)
{
	(void)state;
	struct net_policy all = { .managed = true, .global = true, .standard = true };
	assert_true(allows(&all, "10.1.2.3/24"));
	assert_true(allows(&all, "8.8.8.8/24"));
	assert_true(allows(&all, "0.0.0.0/0"));
	assert_false(allows(&all, "127.0.0.1/8"));
	assert_false(allows(&all, "169.254.1.1/16"));
	assert_false(allows(&all, "224.0.0.1/4"));
	struct net_policy host = { .managed = true }; /* the original's defaults */
	assert_true(allows(&host, "10.1.2.3/24"));
	assert_true(allows(&host, "28.1.2.3/24")); /* pseudo-private */
	assert_false(allows(&host, "8.8.8.8/24"));
	assert_false(allows(&host, "0.0.0.0/0"));
	host.allowed[host.allowed_count++] = address("10.1.0.0/16");
	assert_true(allows(&host, "10.1.2.3/24"));
	assert_false(allows(&host, "10.1.2.3/8")); /* wider than the list's entry */
	assert_false(allows(&host, "10.2.2.3/24"));
	host.managed = false;
	assert_false(allows(&host, "10.1.2.3/24"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_merges_local_conf),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_status_names),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_policy_text),
		cmocka_unit_test(test_policy_allows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
