/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* GET /network, GET POST DELETE /network/<nwid>. */
#include "service/api.h"
#include "service/capture.h"
#include "service/net.h"
#include "service/service.h"
#include "service/vhost.h"
#include "service/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What only a virtual host has: its programs (docs/api.md). */
static json_t *netcon_json(const struct net *net)
{
	struct vhost_stats stats = { 0 };
	if (net->vhost) {
		vhost_stats(net->vhost, &stats);
	}
	return json_pack(
	    "{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "ready", net->is_ok,
	    "connections", (json_int_t)stats.connections, "listeners", (json_int_t)stats.listeners,
	    "sockets", (json_int_t)stats.sockets, "clients", (json_int_t)stats.clients, "malformed",
	    (json_int_t)stats.malformed, "refused", (json_int_t)stats.refused, "shortcuts",
	    (json_int_t)stats.shortcuts, "captures", (json_int_t)capture_count(net),
	    "captureDropped", (json_int_t)net->capture_dropped);
}

static json_t *whole_json(const struct zt_network_view *view, const struct net *net)
{
	json_t *json = view_network(view, net);
	if (json && json_object_set_new(json, "netcon", netcon_json(net)) != 0) {
		json_decref(json);
		json = NULL;
	}
	return json;
}

static json_t *network_json(const struct service *service, const struct net *net)
{
	struct zt_network_view *view = malloc(sizeof *view); /* 8 KB */
	json_t *json = NULL;
	if (view && zt_network_find(service->node, net->nwid, view)) {
		json = whole_json(view, net);
	}
	free(view);
	return json;
}

static void network_list(struct service *service, struct api_reply *reply)
{
	json_t *array = json_array();
	struct zt_network_view *view = malloc(sizeof *view);
	for (size_t i = 0; view && zt_network_view(service->node, i, view); i++) {
		const struct net *net = net_find(service, view->nwid);
		if (net) {
			(void)json_array_append_new(array, whole_json(view, net));
		}
	}
	free(view);
	api_reply_json(reply, 200, array);
}

/* With ?wait=MS: when it is ready, or the time is over, or we left it. */
static void network_get(struct service *service, uint64_t nwid, int64_t wait_ms,
			struct api_reply *reply)
{
	const struct net *net = net_find(service, nwid);
	if (net && !net->is_ok && wait_ms > 0) {
		reply->is_held = true;
		return;
	}
	api_reply_json(reply, net ? 200 : 404, net ? network_json(service, net) : json_object());
}

/* Why a join failed, for whoever asked; the log has the particulars. */
static json_t *join_refusal(int error)
{
	if (error == -ELIBBAD) {
		return json_string("the stack library (liblwip.so) does not fit this service: "
				   "build or install both together");
	}
	return json_sprintf("%s; the service's log says what failed",
			    error != 0 ? strerror(-error) : "joining failed");
}

static void network_post(struct service *service, uint64_t nwid, const struct api_request *request,
			 struct api_reply *reply)
{
	struct net *net = net_find(service, nwid);
	if (!net) {
		int error = net_join(service, nwid);
		net = net_find(service, nwid);
		if (error != 0 || !net) {
			api_reply_json(reply, 500,
				       json_pack("{s:o}", "error", join_refusal(error)));
			return;
		}
	}
	json_error_t error;
	json_t *body = api_body(request, &error);
	net_policy_set(net, body);
	json_decref(body);
	api_reply_json(reply, 200, network_json(service, net));
}

static void network_delete(struct service *service, uint64_t nwid, struct api_reply *reply)
{
	bool is_left = net_leave(service, nwid) == 0;
	api_reply_json(reply, 200, is_left ? json_pack("{s:b}", "result", 1) : json_object());
}

void api_network(struct service *service, const struct api_request *request,
		 struct api_reply *reply)
{
	const struct api_path *path = request->path;
	uint64_t nwid;
	if (path->count == 1 && request->method == API_GET) {
		network_list(service, reply);
	}
	if (path->count != 2 || !api_id(path->parts[1], 16, &nwid)) {
		return;
	}
	switch (request->method) {
	case API_GET:
		network_get(service, nwid, request->wait_ms, reply);
		break;
	case API_POST:
		network_post(service, nwid, request, reply);
		break;
	case API_DELETE:
		network_delete(service, nwid, reply);
		break;
	case API_OTHER:
		break;
	}
}
