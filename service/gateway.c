/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: the default gateway is asked by NAT-PMP (RFC 6886), 1.75 s at most. If it does
 * not answer, UPnP devices are searched for by multicast from the interface that leads to it, and
 * each that answers from a near address is asked in turn. Anybody on the LAN may answer, so what
 * they name is spoken to only if it is near, too, and on the same host (portmap_rule.h).
 */
#include "service/gateway.h"

#include "service/portmap_rule.h"

#ifndef NETCON_PORTMAP

bool gateway_is_built(void)
{
	return false;
}

bool gateway_map(const struct gateway_request *request, struct gateway_mapping *out)
{
	(void)request;
	*out = (struct gateway_mapping){ .kind = GATEWAY_NONE };
	return false;
}

void gateway_unmap(const struct gateway_mapping *mapping)
{
	(void)mapping;
}

#else

#include <arpa/inet.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <natpmp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
	NATPMP_SENDS = 3,          /* after 250, 500 and 1000 ms it is given up */
	UPNP_SEARCH_MS = 1000,     /* for each kind of device */
	UPNP_DEVICES_MAX = 4,      /* anybody on the LAN may answer */
	UPNP_PORT_TRIES = 3,       /* others have mappings, too */
	UPNP_TTL = 2,              /* UPnP device architecture 1.1 */
	UPNP_ONLY_PERMANENT = 725, /* error code */
	PORT_FIRST = 20000,
	PORT_COUNT = 45500,
};

bool gateway_is_built(void)
{
	return true;
}

static bool ipv4_parse(const char *text, struct zt_endpoint *out)
{
	*out = (struct zt_endpoint){ .family = 4 };
	return inet_pton(AF_INET, text, out->ip) == 1;
}

/* Which of our addresses has this IP, or NULL. */
static const struct zt_endpoint *local_find(const struct gateway_request *request,
					    const struct zt_endpoint *ip)
{
	for (size_t i = 0; i < request->local_count; i++) {
		if (endpoint_ip_equal(&request->locals[i], ip)) {
			return &request->locals[i];
		}
	}
	return NULL;
}

/* ---- NAT-PMP -------------------------------------------------------------------------------- */

/* The answer to the request that was just sent. */
static bool natpmp_answer(natpmp_t *natpmp, uint16_t type, natpmpresp_t *out)
{
	while (natpmp->try_number <= NATPMP_SENDS) {
		struct timeval left = { 0 };
		if (getnatpmprequesttimeout(natpmp, &left) != 0) {
			return false;
		}
		struct pollfd p = { .fd = natpmp->s, .events = POLLIN };
		int wait_ms = left.tv_sec < 0 ? 0 : (int)(left.tv_sec * 1000 + left.tv_usec / 1000);
		(void)poll(&p, 1, wait_ms + 1);
		int result = readnatpmpresponseorretry(natpmp, out);
		if (result != NATPMP_TRYAGAIN) {
			return result == 0 && out->type == type;
		}
	}
	return false;
}

/* Our address on the way to the gateway; false if the gateway is not one to be spoken to. */
static bool natpmp_local(const natpmp_t *natpmp, struct zt_endpoint *out)
{
	struct zt_endpoint gateway = { .family = 4 };
	memcpy(gateway.ip, &natpmp->gateway, 4);
	struct sockaddr_in name = { 0 };
	socklen_t length = sizeof name;
	if (!portmap_gateway_ok(&gateway) ||
	    getsockname(natpmp->s, (struct sockaddr *)&name, &length) != 0) {
		return false;
	}
	*out = (struct zt_endpoint){ .family = 4 };
	memcpy(out->ip, &name.sin_addr, 4);
	return true;
}

static bool natpmp_ask(natpmp_t *natpmp, const struct gateway_request *request,
		       const struct zt_endpoint *local, struct gateway_mapping *out)
{
	natpmpresp_t answer;
	if (sendpublicaddressrequest(natpmp) < 0 ||
	    !natpmp_answer(natpmp, NATPMP_RESPTYPE_PUBLICADDRESS, &answer)) {
		return false;
	}
	struct gateway_mapping got = { .kind = GATEWAY_NATPMP, .internal_port = local->port };
	got.external.family = 4;
	memcpy(got.external.ip, &answer.pnu.publicaddress.addr, 4);
	uint16_t wish = request->external_port ? request->external_port : local->port;
	if (sendnewportmappingrequest(natpmp, NATPMP_PROTOCOL_UDP, local->port, wish,
				      PORTMAP_LIFETIME_S) < 0 ||
	    !natpmp_answer(natpmp, NATPMP_RESPTYPE_UDPPORTMAPPING, &answer) ||
	    answer.pnu.newportmapping.privateport != local->port ||
	    answer.pnu.newportmapping.lifetime == 0) {
		return false;
	}
	got.external.port = answer.pnu.newportmapping.mappedpublicport;
	got.lifetime_s = answer.pnu.newportmapping.lifetime;
	if (!portmap_external_ok(&got.external)) {
		return false;
	}
	*out = got;
	return true;
}

/* *way: our address on the way to the default gateway, family 0 if there is none. */
static bool natpmp_map(const struct gateway_request *request, struct gateway_mapping *out,
		       struct zt_endpoint *way)
{
	natpmp_t natpmp;
	*way = (struct zt_endpoint){ 0 };
	if (initnatpmp(&natpmp, 0, 0) != 0) {
		return false;
	}
	struct zt_endpoint ip;
	const struct zt_endpoint *local = NULL;
	if (natpmp_local(&natpmp, &ip)) {
		local = local_find(request, &ip);
	}
	bool is_mapped = false;
	if (local) {
		*way = *local;
		is_mapped = natpmp_ask(&natpmp, request, local, out);
	}
	(void)closenatpmp(&natpmp);
	return is_mapped;
}

/* ---- UPnP ----------------------------------------------------------------------------------- */

static int upnp_add(const struct gateway_mapping *mapping, const char *client, unsigned lease_s)
{
	char external[8], internal[8], lease[12];
	(void)snprintf(external, sizeof external, "%u", mapping->external.port);
	(void)snprintf(internal, sizeof internal, "%u", mapping->internal_port);
	(void)snprintf(lease, sizeof lease, "%u", lease_s);
	return UPNP_AddPortMapping(mapping->control_url, mapping->service_type, external, internal,
				   client, "netcon", "UDP", NULL, lease);
}

/* A free port of the device: ours, then random ones. */
static bool upnp_add_any(struct gateway_mapping *mapping, const char *client)
{
	for (int i = 0; i < UPNP_PORT_TRIES; i++) {
		mapping->lifetime_s = PORTMAP_LIFETIME_S;
		int error = upnp_add(mapping, client, mapping->lifetime_s);
		if (error == UPNP_ONLY_PERMANENT) {
			mapping->lifetime_s = 0;
			error = upnp_add(mapping, client, 0);
		}
		if (error == UPNPCOMMAND_SUCCESS) {
			return true;
		}
		if (error < 0) {
			return false; /* no answer */
		}
		mapping->external.port = (uint16_t)(PORT_FIRST + randombytes_uniform(PORT_COUNT));
	}
	return false;
}

static bool upnp_map_urls(const struct gateway_request *request, const struct UPNPUrls *urls,
			  const struct IGDdatas *data, const char *client,
			  struct gateway_mapping *out)
{
	struct gateway_mapping got = { .kind = GATEWAY_UPNP };
	struct zt_endpoint ip;
	const struct zt_endpoint *local = ipv4_parse(client, &ip) ? local_find(request, &ip) : NULL;
	size_t url_bytes = strlen(urls->controlURL) + 1;
	size_t service_bytes = strlen(data->first.servicetype) + 1;
	if (!local || service_bytes == 1 || url_bytes > sizeof got.control_url ||
	    service_bytes > sizeof got.service_type) {
		return false;
	}
	memcpy(got.control_url, urls->controlURL, url_bytes);
	memcpy(got.service_type, data->first.servicetype, service_bytes);
	char external[64] = "";
	if (UPNP_GetExternalIPAddress(got.control_url, got.service_type, external) !=
		UPNPCOMMAND_SUCCESS ||
	    !ipv4_parse(external, &got.external)) {
		return false;
	}
	got.internal_port = local->port;
	got.external.port = request->external_port ? request->external_port : local->port;
	if (!portmap_external_ok(&got.external) || !upnp_add_any(&got, client)) {
		return false;
	}
	*out = got;
	return true;
}

static bool upnp_map_device(const struct gateway_request *request, const char *description,
			    struct gateway_mapping *out)
{
	struct UPNPUrls urls = { 0 };
	struct IGDdatas data = { 0 };
	char client[64] = "";
	struct zt_endpoint host, control;
	if (!portmap_url_gateway(description, &host) ||
	    UPNP_GetIGDFromUrl(description, &urls, &data, client, sizeof client) != 1) {
		return false;
	}
	/* A description may point anywhere; we only go where it came from. */
	bool is_mapped = portmap_url_gateway(urls.controlURL, &control) &&
			 endpoint_ip_equal(&host, &control) &&
			 upnp_map_urls(request, &urls, &data, client, out);
	FreeUPNPUrls(&urls);
	return is_mapped;
}

static bool upnp_map(const struct gateway_request *request, const struct zt_endpoint *way,
		     struct gateway_mapping *out)
{
	char interface[ENDPOINT_TEXT_MAX];
	int error = 0, asked = 0;
	bool is_mapped = false;
	struct UPNPDev *list = upnpDiscover(UPNP_SEARCH_MS, endpoint_ip_text(way, interface), NULL,
					    UPNP_LOCAL_PORT_ANY, 0, UPNP_TTL, &error);
	for (const struct UPNPDev *d = list; d && !is_mapped && asked < UPNP_DEVICES_MAX;
	     d = d->pNext, asked++) {
		is_mapped = upnp_map_device(request, d->descURL, out);
	}
	freeUPNPDevlist(list);
	return is_mapped;
}

/* ---- both ----------------------------------------------------------------------------------- */

bool gateway_map(const struct gateway_request *request, struct gateway_mapping *out)
{
	struct zt_endpoint way;
	*out = (struct gateway_mapping){ .kind = GATEWAY_NONE };
	if (request->local_count == 0) {
		return false;
	}
	return natpmp_map(request, out, &way) ||
	       upnp_map(request, way.family != 0 ? &way : &request->locals[0], out);
}

void gateway_unmap(const struct gateway_mapping *mapping)
{
	if (mapping->kind == GATEWAY_UPNP) {
		char external[8];
		(void)snprintf(external, sizeof external, "%u", mapping->external.port);
		(void)UPNP_DeletePortMapping(mapping->control_url, mapping->service_type, external,
					     "UDP", NULL);
		return;
	}
	natpmp_t natpmp;
	struct zt_endpoint local;
	if (mapping->kind != GATEWAY_NATPMP || initnatpmp(&natpmp, 0, 0) != 0) {
		return;
	}
	natpmpresp_t answer;
	if (natpmp_local(&natpmp, &local) &&
	    sendnewportmappingrequest(&natpmp, NATPMP_PROTOCOL_UDP, mapping->internal_port, 0, 0) >
		0) {
		(void)natpmp_answer(&natpmp, NATPMP_RESPTYPE_UDPPORTMAPPING, &answer);
	}
	(void)closenatpmp(&natpmp);
}

#endif
