/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The core's views as the JSON objects of the API (vl2 10, transcripts 01 and 14).
 *
 * All return new references, or NULL if memory is short.
 */
#ifndef SERVICE_VIEW_H
#define SERVICE_VIEW_H

#include "core/zt.h"

#include <jansson.h>

struct net;
struct service;

/* The members that /status and /health share. */
json_t *view_version(const struct zt_status *status, int64_t wall_ms);
json_t *view_status(const struct service *service, const struct zt_status *status,
		    struct zt_now now);
/* `net` gives what only the service knows: device name and policy. */
json_t *view_network(const struct zt_network_view *view, const struct net *net);
json_t *view_peer(const struct service *service, const struct zt_peer_view *view,
		  struct zt_now now);

/* "REQUESTING_CONFIGURATION" and so on (vl2 3.5). */
const char *view_network_status(enum zt_network_status status);

#endif
