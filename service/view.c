/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/view.h"

#include "service/net.h"
#include "service/portmap.h"
#include "service/service.h"
#include "service/tcprelay.h"
#include "service/udp.h"

#include <stdio.h>

/* As peers and scripts gate on them (decision S22). */
static const char VERSION_TEXT[] = "1.14.1";

json_t *view_version(const struct zt_status *status, int64_t wall_ms)
{
	return json_pack("{s:I, s:b, s:s, s:i, s:i, s:i, s:i}", "clock", (json_int_t)wall_ms,
			 "online", status->is_online, "version", VERSION_TEXT, "versionMajor",
			 ZT_VERSION_MAJOR, "versionMinor", ZT_VERSION_MINOR, "versionRev",
			 ZT_VERSION_REVISION, "versionBuild", 0);
}

/* Text of others' making (a network's name, a path): JSON takes UTF-8 only, so what is not becomes
 * question marks. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);
	if (json) {
		return json;
	}
	char clean[512];
	size_t i = 0;
	for (; i < sizeof clean - 1 && text[i] != '\0'; i++) {
		clean[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
	}
	clean[i] = '\0';
	return json_string(clean);
}

static json_t *endpoints_json(const struct zt_endpoint *list, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; array && i < count; i++) {
		char text[ENDPOINT_TEXT_MAX];
		(void)json_array_append_new(array, json_string(endpoint_text(&list[i], text)));
	}
	return array;
}

/* local.conf, with the settings that are in force filled in. */
static json_t *config_json(const struct service *service)
{
	struct zt_endpoint bound[UDP_MAX_SOCKETS], surface[16];
	size_t bound_count = service->udp ? udp_endpoints(service->udp, bound, UDP_MAX_SOCKETS) : 0;
	size_t surface_count = service->node ? zt_surface_addresses(service->node, surface, 16) : 0;
	json_t *config = json_deep_copy(service->local_conf);
	json_t *settings = json_object_get(config, "settings");
	if (!settings) {
		settings = json_object();
		(void)json_object_set_new(config, "settings", settings);
	}
	/* No self-update in this service: said, not hidden. */
	json_t *fixed = json_pack(
	    "{s:b, s:b, s:o, s:o, s:b, s:i, s:i, s:s, s:s, s:o, s:i}", "allowTcpFallbackRelay",
	    service->settings.allow_tcp_relay, "forceTcpRelay", service->settings.force_tcp_relay,
	    "homeDir", text_json(service->home), "listeningOn", endpoints_json(bound, bound_count),
	    "portMappingEnabled", portmap_is_allowed(&service->settings, service->loopback_ok),
	    "primaryPort", service->settings.primary_port, "secondaryPort",
	    service->udp ? udp_secondary_port(service->udp) : 0, "softwareUpdate", "disable",
	    "softwareUpdateChannel", "release", "surfaceAddresses",
	    endpoints_json(surface, surface_count), "tertiaryPort",
	    service->udp ? udp_tertiary_port(service->udp) : 0);
	if (!fixed || json_object_update(settings, fixed) != 0) {
		json_decref(config);
		config = NULL;
	}
	json_decref(fixed);
	return config;
}

json_t *view_status(const struct service *service, const struct zt_status *status,
		    struct zt_now now)
{
	char address[16];
	(void)snprintf(address, sizeof address, "%010llx", (unsigned long long)status->address);
	json_t *view = view_version(status, now.wall_ms);
	json_t *rest = json_pack(
	    "{s:s, s:s, s:b, s:I, s:I, s:o}", "address", address, "publicIdentity",
	    status->identity_public, "tcpFallbackActive", tcprelay_is_active(service->tcprelay),
	    "planetWorldId", (json_int_t)status->planet_id, "planetWorldTimestamp",
	    (json_int_t)status->planet_timestamp, "config", config_json(service));
	if (!view || !rest || json_object_update(view, rest) != 0) {
		json_decref(view);
		view = NULL;
	}
	json_decref(rest);
	return view;
}

/* ---- networks ------------------------------------------------------------------------------- */

const char *view_network_status(enum zt_network_status status)
{
	static const char *const names[] = {
		"REQUESTING_CONFIGURATION",
		"OK",
		"ACCESS_DENIED",
		"NOT_FOUND",
		"PORT_ERROR",
		"CLIENT_TOO_OLD",
		"AUTHENTICATION_REQUIRED",
	};
	return (size_t)status < sizeof names / sizeof *names ? names[status] : "PORT_ERROR";
}

static void mac_text(uint64_t mac, char out[18])
{
	(void)snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(mac >> 40 & 0xff),
		       (unsigned)(mac >> 32 & 0xff), (unsigned)(mac >> 24 & 0xff),
		       (unsigned)(mac >> 16 & 0xff), (unsigned)(mac >> 8 & 0xff),
		       (unsigned)(mac & 0xff));
}

static json_t *routes_json(const struct zt_network_view *view)
{
	json_t *array = json_array();
	for (size_t i = 0; array && i < view->route_count; i++) {
		const struct zt_route *route = &view->routes[i];
		char target[ENDPOINT_TEXT_MAX], via[ENDPOINT_TEXT_MAX];
		(void)json_array_append_new(
		    array,
		    json_pack("{s:s, s:s?, s:i, s:i}", "target",
			      endpoint_text(&route->target, target), "via",
			      route->via.family != 0 ? endpoint_ip_text(&route->via, via) : NULL,
			      "flags", route->flags, "metric", route->metric));
	}
	return array;
}

static json_t *groups_json(const struct zt_network_view *view)
{
	json_t *array = json_array();
	for (size_t i = 0; array && i < view->group_count; i++) {
		char mac[18];
		mac_text(view->groups[i].mac, mac);
		(void)json_array_append_new(array, json_pack("{s:s, s:I}", "mac", mac, "adi",
							     (json_int_t)view->groups[i].adi));
	}
	return array;
}

static json_t *dns_json(const struct zt_network_view *view)
{
	json_t *servers = json_array();
	for (size_t i = 0; servers && i < view->dns_count; i++) {
		char text[ENDPOINT_TEXT_MAX];
		(void)json_array_append_new(servers,
					    json_string(endpoint_ip_text(&view->dns[i], text)));
	}
	return json_pack("{s:o, s:o}", "domain", text_json(view->dns_domain), "servers", servers);
}

json_t *view_network(const struct zt_network_view *view, const struct net *net)
{
	char id[20], mac[18];
	(void)snprintf(id, sizeof id, "%016llx", (unsigned long long)view->nwid);
	mac_text(view->mac, mac);
	json_t *json = json_pack(
	    "{s:s, s:s, s:s, s:o, s:s, s:s, s:I, s:b, s:b, s:b, s:i, s:I}", "id", id, "nwid", id,
	    "mac", mac, "name", text_json(view->name), "status", view_network_status(view->status),
	    "type", view->is_private ? "PRIVATE" : "PUBLIC", "mtu", (json_int_t)view->mtu, "dhcp",
	    0, "bridge", view->is_bridge, "broadcastEnabled", view->is_broadcast_enabled,
	    "portError", 0, "netconfRevision", (json_int_t)view->revision);
	json_t *rest = json_pack(
	    "{s:o, s:b, s:b, s:b, s:b, s:o, s:o, s:o, s:o}", "portDeviceName",
	    text_json(net->socket_path), "allowManaged", net->policy.managed, "allowGlobal",
	    net->policy.global, "allowDefault", net->policy.standard, "allowDNS", net->policy.dns,
	    "assignedAddresses", endpoints_json(view->addresses, view->address_count), "routes",
	    routes_json(view), "multicastSubscriptions", groups_json(view), "dns", dns_json(view));
	if (!json || !rest || json_object_update(json, rest) != 0) {
		json_decref(json);
		json = NULL;
	}
	json_decref(rest);
	if (json && view->has_login) {
		(void)json_object_set_new(json, "ssoEnabled", json_true());
		(void)json_object_set_new(json, "authenticationURL", text_json(view->login_url));
		(void)json_object_set_new(json, "authenticationExpiryTime",
					  json_integer((json_int_t)view->login_until_ms));
	}
	return json;
}

/* ---- peers ---------------------------------------------------------------------------------- */

/* A moment on the monotonic scale as milliseconds since 1970; never stays 0. */
static json_int_t wall_of(int64_t mono_ms, struct zt_now now)
{
	return mono_ms == 0 ? 0 : (json_int_t)(now.wall_ms - (now.mono_ms - mono_ms));
}

static json_t *paths_json(const struct service *service, const struct zt_peer_view *view,
			  struct zt_now now)
{
	json_t *array = json_array();
	for (size_t i = 0; array && i < view->path_count; i++) {
		const struct zt_path_view *path = &view->paths[i];
		char address[ENDPOINT_TEXT_MAX];
		(void)json_array_append_new(
		    array,
		    json_pack("{s:s, s:I, s:I, s:I, s:b, s:b, s:b, s:i, s:i}", "address",
			      endpoint_text(&path->endpoint, address), "lastSend",
			      wall_of(path->last_send_ms, now), "lastReceive",
			      wall_of(path->last_receive_ms, now), "trustedPathId",
			      (json_int_t)path->trusted_path_id, "active", path->is_active,
			      "expired", path->is_expired, "preferred", path->is_preferred,
			      "localSocket",
			      path->socket == ZT_SOCKET_RELAY ? -1 : (int)path->socket, "localPort",
			      service->udp ? udp_socket_port(service->udp, path->socket) : 0));
	}
	return array;
}

/* Is the way in use the TCP relay? */
static bool is_tunneled(const struct zt_peer_view *view)
{
	for (size_t i = 0; i < view->path_count; i++) {
		if (view->paths[i].is_preferred) {
			return view->paths[i].socket == ZT_SOCKET_RELAY;
		}
	}
	return false;
}

json_t *view_peer(const struct service *service, const struct zt_peer_view *view, struct zt_now now)
{
	static const char *const roles[] = { "LEAF", "MOON", "PLANET" };
	char address[16], version[48];
	(void)snprintf(address, sizeof address, "%010llx", (unsigned long long)view->address);
	(void)snprintf(version, sizeof version, "%d.%d.%d", view->version_major,
		       view->version_minor, view->version_revision);
	return json_pack("{s:s, s:i, s:i, s:i, s:s, s:i, s:s, s:b, s:b, s:o}", "address", address,
			 "versionMajor", view->version_major, "versionMinor", view->version_minor,
			 "versionRev", view->version_revision, "version", version, "latency",
			 view->latency_ms, "role", roles[view->role], "isBonded", 0, "tunneled",
			 is_tunneled(view), "paths", paths_json(service, view, now));
}
