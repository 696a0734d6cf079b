/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Speaking to the gateway: NAT-PMP through libnatpmp, UPnP through miniupnpc. Blocks for seconds
 * and must run on a thread that has few descriptors open (portmap.c): these libraries use select().
 * Built in by `make PORTMAP=1` only (decision 160). */
#ifndef SERVICE_GATEWAY_H
#define SERVICE_GATEWAY_H

#include "core/zt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GATEWAY_LOCALS = 8, GATEWAY_URL_BYTES = 256, GATEWAY_SERVICE_BYTES = 128 };

enum gateway_kind { GATEWAY_NONE, GATEWAY_NATPMP, GATEWAY_UPNP };

/* What is wanted: `port` at one of our addresses. */
struct gateway_request {
	struct zt_endpoint locals[GATEWAY_LOCALS]; /* IPv4, with the port */
	size_t local_count;
	uint16_t external_port; /* the one we would like; 0 = any */
};

/* What was granted, and how to give it back. */
struct gateway_mapping {
	enum gateway_kind kind; /* GATEWAY_NONE = nothing */
	struct zt_endpoint external;
	uint16_t internal_port;
	uint32_t lifetime_s;                                                      /* 0 = for ever */
	char control_url[GATEWAY_URL_BYTES], service_type[GATEWAY_SERVICE_BYTES]; /* UPnP */
};

/* False: built without; the others do nothing then. */
bool gateway_is_built(void);
/* Ask whoever answers, NAT-PMP first. False: nobody granted anything, *out is all zero. */
bool gateway_map(const struct gateway_request *request, struct gateway_mapping *out);
/* Give it back; no answer is no error. */
void gateway_unmap(const struct gateway_mapping *mapping);

#endif
