/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Texts of vl2 11.2 and tests/transcripts, byte for byte. The JSON is the service's, but nothing
 * here trusts its shape: what is missing prints as empty, 0 or "-". */
#include "cli/cli.h"
#include "cli/json_get.h"

#include <stdlib.h>
#include <string.h>

void fmt_json(FILE *out, const json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	(void)fprintf(out, "%s\n", text ? text : "");
	free(text);
}

void fmt_info(FILE *out, const json_t *status)
{
	const char *state = is_set(status, "tcpFallbackActive") ? "TUNNELED"
			    : is_set(status, "online")          ? "ONLINE"
								: "OFFLINE";
	(void)fprintf(out, "200 info %s %s %s\n", text_of(status, "address"),
		      text_of(status, "version"), state);
}

/* ---- peers -------------------------------------------------------------------------------------
 */

static const json_t *preferred_path(const json_t *peer)
{
	const json_t *paths = json_object_get(peer, "paths");
	for (size_t i = 0; i < json_array_size(paths); i++) {
		const json_t *path = json_array_get(paths, i);
		if (is_set(path, "preferred")) {
			return path;
		}
	}
	return NULL;
}

/* Milliseconds since, -1 = never. */
static long long age(const json_t *path, const char *key, int64_t now_ms)
{
	json_int_t at = int_of(path, key);
	return at > 0 ? (long long)(now_ms - at) : -1;
}

static const char *version_of(const json_t *peer)
{
	const char *version = text_of(peer, "version");
	return strcmp(version, "-1.-1.-1") == 0 || !version[0] ? "-" : version;
}

void fmt_listpeers(FILE *out, const json_t *peers, int64_t now_ms)
{
	(void)fprintf(out, "200 listpeers <ztaddr> <path> <latency> <version> <role>\n");
	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *peer = json_array_get(peers, i), *path = preferred_path(peer);
		char via[160] = "-";
		if (path) {
			(void)snprintf(via, sizeof(via), "%s;%lld;%lld", text_of(path, "address"),
				       age(path, "lastSend", now_ms),
				       age(path, "lastReceive", now_ms));
		}
		(void)fprintf(out, "200 listpeers %s %s %lld %s %s\n", text_of(peer, "address"),
			      via, (long long)int_of(peer, "latency"), version_of(peer),
			      text_of(peer, "role"));
	}
}

void fmt_peers(FILE *out, const json_t *peers, int64_t now_ms)
{
	bool is_tunneling = false;
	(void)fprintf(out, "200 peers\n<ztaddr>   <ver>  <role> <lat> <link>   <lastTX> <lastRX> "
			   "<path>\n");
	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *peer = json_array_get(peers, i), *path = preferred_path(peer);
		bool is_tunneled = is_set(peer, "tunneled");
		is_tunneling |= is_tunneled;
		(void)fprintf(out, "%s %-6s %-6s %5d ", text_of(peer, "address"), version_of(peer),
			      text_of(peer, "role"), (int)int_of(peer, "latency"));
		if (path) {
			(void)fprintf(out, "%s   %-8lld %-8lld %s\n",
				      is_tunneled ? "RELAY " : "DIRECT",
				      age(path, "lastSend", now_ms),
				      age(path, "lastReceive", now_ms), text_of(path, "address"));
		} else {
			(void)fprintf(out, "RELAY\n");
		}
	}
	if (is_tunneling) {
		(void)fprintf(out,
			      "NOTE: Currently tunneling through a TCP relay. Ensure that UDP is "
			      "not blocked.\n");
	}
}

/* ---- networks ----------------------------------------------------------------------------------
 */

static void addresses_print(FILE *out, const json_t *addresses)
{
	size_t size = json_array_size(addresses);
	for (size_t i = 0; i < size; i++) {
		const char *text = json_string_value(json_array_get(addresses, i));
		(void)fprintf(out, "%s%s", i > 0 ? "," : "", text ? text : "");
	}
	(void)fprintf(out, "%s\n", size > 0 ? "" : "-");
}

/* Networks with single sign-on say when the login runs out, or where to log in. */
static void login_print(FILE *out, const json_t *network, int64_t now_ms)
{
	if (!is_set(network, "ssoEnabled")) {
		return;
	}
	long long left = (long long)int_of(network, "authenticationExpiryTime") - (long long)now_ms;
	if (left > 0 && strcmp(text_of(network, "status"), "OK") == 0) {
		(void)fprintf(out, "    AUTH OK, expires in: %lld seconds\n", left / 1000);
	} else {
		(void)fprintf(out, "    AUTH EXPIRED, URL: %s\n",
			      text_of(network, "authenticationURL"));
	}
}

void fmt_listnetworks(FILE *out, const json_t *networks, int64_t now_ms)
{
	(void)fprintf(out,
		      "200 listnetworks <nwid> <name> <mac> <status> <type> <dev> <ZT assigned "
		      "ips>\n");
	for (size_t i = 0; i < json_array_size(networks); i++) {
		const json_t *network = json_array_get(networks, i);
		(void)fprintf(out, "200 listnetworks %s %s %s %s %s %s ", text_of(network, "nwid"),
			      text_of(network, "name"), text_of(network, "mac"),
			      text_of(network, "status"), text_of(network, "type"),
			      text_of(network, "portDeviceName"));
		addresses_print(out, json_object_get(network, "assignedAddresses"));
		login_print(out, network, now_ms);
	}
}

/* ---- one property ------------------------------------------------------------------------------
 */

enum { PLANE_PREFIX_CHARACTERS = 24 };

/* Does an address text belong to what is asked for? */
static bool address_matches(const char *name, const char *address)
{
	bool is_v6 = strchr(address, ':') != NULL;
	bool is_plane = strncmp(address, "fc", 2) == 0;
	return strcmp(name, "ip") == 0 || (strcmp(name, "ip4") == 0 && !is_v6) ||
	       (strcmp(name, "ip6") == 0 && is_v6) ||
	       ((strcmp(name, "ip6plane") == 0 || strcmp(name, "ip6prefix") == 0) && is_plane);
}

static bool is_address_property(const char *name)
{
	return strcmp(name, "ip") == 0 || strcmp(name, "ip4") == 0 || strcmp(name, "ip6") == 0 ||
	       strcmp(name, "ip6plane") == 0 || strcmp(name, "ip6prefix") == 0;
}

static void property_addresses(FILE *out, const json_t *network, const char *name)
{
	const json_t *addresses = json_object_get(network, "assignedAddresses");
	for (size_t i = 0; i < json_array_size(addresses); i++) {
		const char *address = json_string_value(json_array_get(addresses, i));
		if (!address || !address_matches(name, address)) {
			continue;
		}
		size_t length = strcspn(address, "/");
		if (strcmp(name, "ip6prefix") == 0 && length > PLANE_PREFIX_CHARACTERS) {
			length = PLANE_PREFIX_CHARACTERS;
		}
		(void)fprintf(out, "%.*s\n", (int)length, address);
	}
}

bool fmt_property(FILE *out, const json_t *network, const char *name)
{
	const json_t *value = json_object_get(network, name);
	if (is_address_property(name)) {
		property_addresses(out, network, name);
		return true;
	}
	if (!value) {
		return false;
	}
	if (json_is_string(value)) {
		(void)fprintf(out, "%s\n", json_string_value(value));
	} else if (json_is_boolean(value)) {
		(void)fprintf(out, "%d\n", json_is_true(value));
	} else {
		char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
		(void)fprintf(out, "%s\n", text ? text : "");
		free(text);
	}
	return true;
}
