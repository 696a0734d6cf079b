/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* GET /peer, GET /peer/<address>. */
#include "service/api.h"
#include "service/service.h"
#include "service/view.h"

#include <stdlib.h>

void api_peer(struct service *service, const struct api_request *request, struct api_reply *reply)
{
	const struct api_path *path = request->path;
	uint64_t address = 0;
	bool is_one = path->count == 2 && api_id(path->parts[1], 10, &address);
	if (request->method != API_GET || (path->count != 1 && !is_one)) {
		return;
	}
	struct zt_peer_view *view = malloc(sizeof *view); /* 4 KB */
	json_t *json = is_one ? json_object() : json_array();
	if (view && is_one && zt_peer_find(service->node, request->now, address, view)) {
		json_decref(json);
		json = view_peer(service, view, request->now);
	}
	for (size_t i = 0; view && !is_one && zt_peer_view(service->node, request->now, i, view);
	     i++) {
		(void)json_array_append_new(json, view_peer(service, view, request->now));
	}
	free(view);
	api_reply_json(reply, 200, json);
}
