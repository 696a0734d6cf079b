/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* /netcon/...: what the reference does not have. GET /netcon/diagnose (facts; the sentences are the
 * CLI's), GET /netcon/whois/<address or IP>, GET /netcon/capture/<nwid> (a pcap file that goes on).
 */
#include "controller/controller.h"
#include "core/addr.h"
#include "service/api.h"
#include "service/capture.h"
#include "service/net.h"
#include "service/portmap.h"
#include "service/service.h"
#include "service/tcprelay.h"
#include "service/udp.h"
#include "service/view.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESS_TEXT = 16, NWID_TEXT = 20, MAC_TEXT = 18 };

static json_t *hex_json(uint64_t value, int digits)
{
	char text[NWID_TEXT];
	(void)snprintf(text, sizeof text, "%0*llx", digits, (unsigned long long)value);
	return json_string(text);
}

static struct zt_endpoint endpoint_of(const struct stack_ip *ip)
{
	struct zt_endpoint e = { .family = ip->family };
	memcpy(e.ip, ip->bytes, sizeof e.ip);
	return e;
}

/* ---- diagnose --------------------------------------------------------------------------------
 */

static json_t *conflict_json(const struct net *net, struct zt_now now)
{
	char text[ENDPOINT_TEXT_MAX], mac[MAC_TEXT];
	const uint8_t *m = net->conflict.mac;
	if (net->conflict.at_ms == 0) {
		return json_null();
	}
	struct zt_endpoint ip = endpoint_of(&net->conflict.address);
	uint64_t number = 0;
	for (int i = 0; i < 6; i++) {
		number = number << 8 | m[i];
	}
	(void)snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
		       m[4], m[5]);
	bool is_member = addr_mac_is_member(net->nwid, number);
	return json_pack("{s:s, s:s, s:o, s:I}", "ip", endpoint_ip_text(&ip, text), "mac", mac,
			 "address",
			 is_member ? hex_json(addr_of_mac(net->nwid, number), 10) : json_null(),
			 "agoMs", (json_int_t)(now.mono_ms - net->conflict.at_ms));
}

static json_t *network_facts(const struct zt_network_view *view, const struct net *net,
			     struct zt_now now)
{
	return json_pack(
	    "{s:o, s:o, s:s, s:b, s:i, s:i, s:I, s:I, s:o, s:b}", "nwid", hex_json(view->nwid, 16),
	    "controller", hex_json(addr_controller(view->nwid), 10), "status",
	    view_network_status(view->status), "ready", net->is_ok, "assigned",
	    (int)view->address_count, "used", (int)net->address_count, "heardAgoMs",
	    view->heard_ms == 0 ? (json_int_t)-1 : (json_int_t)(now.mono_ms - view->heard_ms),
	    "clockSkewMs", (json_int_t)view->clock_skew_ms, "conflict", conflict_json(net, now),
	    "controllerIsUs", addr_controller(view->nwid) == net->service->address);
}

static json_t *networks_facts(struct service *service, struct zt_now now)
{
	json_t *array = json_array();
	struct zt_network_view *view = malloc(sizeof *view); /* 8 KB */
	for (size_t i = 0; view && zt_network_view(service->node, i, view); i++) {
		const struct net *net = net_find(service, view->nwid);
		if (net) {
			(void)json_array_append_new(array, network_facts(view, net, now));
		}
	}
	free(view);
	return array;
}

static json_t *peers_facts(struct service *service, struct zt_now now)
{
	json_t *array = json_array();
	struct zt_peer_view *view = malloc(sizeof *view); /* 4 KB */
	for (size_t i = 0; view && zt_peer_view(service->node, now, i, view); i++) {
		(void)json_array_append_new(array, view_peer(service, view, now));
	}
	free(view);
	return array;
}

static json_t *udp_facts(const struct service *service)
{
	struct udp_stats stats;
	udp_stats(service->udp, &stats);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sockets",
			 (json_int_t)stats.sockets, "datagramsIn", (json_int_t)stats.datagrams_in,
			 "datagramsOut", (json_int_t)stats.datagrams_out, "errors",
			 (json_int_t)stats.errors, "dropped", (json_int_t)stats.dropped,
			 "receiveBuffer", (json_int_t)stats.receive_buffer, "sendBuffer",
			 (json_int_t)stats.send_buffer);
}

static json_t *tcprelay_facts(const struct service *service)
{
	const struct tcprelay_stats *stats = tcprelay_stats(service->tcprelay);
	const struct zt_endpoint *relay = &service->settings.tcp_relay;
	char text[ENDPOINT_TEXT_MAX];
	return json_pack("{s:s?, s:b, s:b, s:I, s:I, s:I, s:I}", "address",
			 relay->family != 0 ? endpoint_text(relay, text) : NULL, "forced",
			 service->settings.force_tcp_relay, "active",
			 tcprelay_is_active(service->tcprelay), "packetsIn",
			 (json_int_t)stats->packets_in, "packetsOut",
			 (json_int_t)stats->packets_out, "dropped", (json_int_t)stats->dropped,
			 "failures", (json_int_t)stats->failures);
}

/* Null: no port of a gateway is wanted. */
static json_t *gateway_facts(const struct service *service)
{
	unsigned failures;
	char text[ENDPOINT_TEXT_MAX];
	const struct gateway_mapping *mapping = portmap_mapping(service->portmap);
	if (!portmap_is_wanted(service->portmap, &failures)) {
		return json_null();
	}
	if (!mapping) {
		return json_pack("{s:i}", "failures", (int)failures);
	}
	return json_pack("{s:i, s:s, s:s, s:i}", "failures", (int)failures, "protocol",
			 mapping->kind == GATEWAY_UPNP ? "UPnP" : "NAT-PMP", "external",
			 endpoint_text(&mapping->external, text), "port", mapping->internal_port);
}

static json_t *counters_json(const struct service *service)
{
	json_t *object = json_object();
	for (int i = 0; object && i < ZT_COUNTERS; i++) {
		(void)json_object_set_new(
		    object, zt_counter_name((enum zt_counter)i),
		    json_integer((json_int_t)zt_counter(service->node, (enum zt_counter)i)));
	}
	return object;
}

static void diagnose(struct service *service, struct zt_now now, struct api_reply *reply)
{
	struct zt_status status;
	zt_status(service->node, &status);
	api_reply_json(
	    reply, 200,
	    json_pack("{s:o, s:b, s:b, s:I, s:I, s:I, s:o, s:o, s:{s:I, s:I, s:I}, s:{s:b, s:b}, "
		      "s:o, s:o, "
		      "s:o, s:o}",
		      "address", hex_json(status.address, 10), "online", status.is_online, "isRoot",
		      status.is_root, "clock", (json_int_t)now.wall_ms, "planetWorldId",
		      (json_int_t)status.planet_id, "waiting", (json_int_t)service->hold_count,
		      "udp", udp_facts(service), "tcpRelay", tcprelay_facts(service), "descriptors",
		      "capacity", (json_int_t)service->fd_capacity, "used",
		      (json_int_t)service->fd_used, "reserve", (json_int_t)service->fd_reserve,
		      "sandbox", "wanted", service->settings.use_sandbox, "on",
		      service->is_sandboxed, "networks", networks_facts(service, now), "peers",
		      peers_facts(service, now), "counters", counters_json(service), "gateway",
		      gateway_facts(service)));
}

/* ---- whois -----------------------------------------------------------------------------------
 */

/* The member that has an IP on a network, as far as this node can know; 0 = not known. */
static uint64_t member_of_ip(struct service *service, const struct net *net, const char *text,
			     const struct zt_endpoint *ip)
{
	struct stack_ip stack_ip = { .family = ip->family };
	memcpy(stack_ip.bytes, ip->ip, sizeof stack_ip.bytes);
	if (net_is_own_address(net, &stack_ip)) {
		return service->address;
	}
	if (ip->family == 6) { /* derived addresses carry their owner's (vl2 8) */
		uint64_t rfc4193 = 0, sixplane = 0;
		for (size_t i = 0; i < 5; i++) {
			rfc4193 = rfc4193 << 8 | ip->ip[11 + i];
			sixplane = sixplane << 8 | ip->ip[5 + i];
		}
		struct zt_endpoint a = addr_rfc4193(net->nwid, rfc4193);
		struct zt_endpoint b = addr_6plane(net->nwid, sixplane);
		if (memcmp(a.ip, ip->ip, 16) == 0) {
			return rfc4193;
		}
		if (memcmp(b.ip, ip->ip, 10) == 0) {
			return sixplane;
		}
	}
	uint8_t mac[6];
	if (net->stack && net->ops->neighbour(net->stack, &stack_ip, mac)) {
		uint64_t number = 0;
		for (int i = 0; i < 6; i++) {
			number = number << 8 | mac[i];
		}
		return addr_mac_is_member(net->nwid, number) ? addr_of_mac(net->nwid, number) : 0;
	}
	return service->controller ? controller_member_of_ip(service->controller, net->nwid, text)
				   : 0;
}

/* The joined networks on which the address has proved membership, or is ours. */
static json_t *shared_json(const struct service *service, uint64_t address)
{
	json_t *array = json_array();
	for (const struct net *net = service->networks; array && net; net = net->next) {
		if (address == service->address ||
		    zt_member_is_proved(service->node, net->nwid, address)) {
			(void)json_array_append_new(array, hex_json(net->nwid, 16));
		}
	}
	return array;
}

static json_t *whois_json(struct service *service, uint64_t address, struct zt_now now)
{
	char identity[160];
	bool is_known = zt_identity_find(service->node, address, identity);
	struct zt_peer_view *view = malloc(sizeof *view); /* 4 KB */
	json_t *peer = json_null();
	if (view && zt_peer_find(service->node, now, address, view)) {
		peer = view_peer(service, view, now);
	}
	free(view);
	return json_pack("{s:o, s:b, s:b, s:s?, s:o, s:o}", "address", hex_json(address, 10),
			 "known", is_known, "self", address == service->address, "identity",
			 is_known ? identity : NULL, "peer", peer, "networks",
			 shared_json(service, address));
}

static void whois_ip(struct service *service, const char *text, struct zt_now now,
		     struct api_reply *reply)
{
	struct zt_endpoint ip = { .family = 4 };
	if (inet_pton(AF_INET, text, ip.ip) != 1) {
		ip.family = 6;
		if (inet_pton(AF_INET6, text, ip.ip) != 1) {
			api_reply_json(
			    reply, 400,
			    json_pack("{s:s}", "error", "neither 10 hex digits nor an IP address"));
			return;
		}
	}
	json_t *members = json_array();
	for (const struct net *net = service->networks; net; net = net->next) {
		uint64_t address = member_of_ip(service, net, text, &ip);
		if (address != 0) {
			json_t *member = whois_json(service, address, now);
			(void)json_object_set_new(member, "nwid", hex_json(net->nwid, 16));
			(void)json_array_append_new(members, member);
		}
	}
	api_reply_json(reply, 200, json_pack("{s:s, s:o}", "ip", text, "members", members));
}

static void whois(struct service *service, const struct api_request *request,
		  struct api_reply *reply)
{
	uint64_t address;
	const char *what = request->path->parts[2];
	if (!api_id(what, 10, &address)) {
		whois_ip(service, what, request->now, reply);
		return;
	}
	json_t *member = whois_json(service, address, request->now);
	api_reply_json(reply, 200, json_pack("{s:o}", "members", json_pack("[o]", member)));
}

/* ---- capture ---------------------------------------------------------------------------------
 */

static void capture(struct service *service, const struct api_request *request,
		    struct api_reply *reply)
{
	uint64_t nwid;
	struct net *net =
	    api_id(request->path->parts[2], 16, &nwid) ? net_find(service, nwid) : NULL;
	if (!net) {
		api_reply_json(reply, 404, json_object());
		return;
	}
	struct api_stream *stream = capture_new(net);
	if (!stream) {
		api_reply_json(
		    reply, 503,
		    json_pack("{s:s}", "error", "too many captures of this network, or no memory"));
		return;
	}
	reply->status = 200;
	reply->content_type = "application/vnd.tcpdump.pcap";
	reply->stream = stream;
}

void api_netcon(struct service *service, const struct api_request *request, struct api_reply *reply)
{
	const struct api_path *path = request->path;
	if (request->method == API_POST && path->count == 2 &&
	    strcmp(path->parts[1], "restart") == 0) {
		api_restart(service, request, reply);
		return;
	}
	if (request->method != API_GET || path->count < 2) {
		return;
	}
	if (path->count == 2 && strcmp(path->parts[1], "diagnose") == 0) {
		diagnose(service, request->now, reply);
	} else if (path->count == 3 && strcmp(path->parts[1], "whois") == 0) {
		whois(service, request, reply);
	} else if (path->count == 3 && strcmp(path->parts[1], "capture") == 0) {
		capture(service, request, reply);
	} else if (path->count <= 3 && strcmp(path->parts[1], "sockets") == 0) {
		api_sockets(service, path->count == 3 ? path->parts[2] : NULL, reply);
	}
}
