/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* GET /bond/show/<address>, POST /bond/rotate/<address>, POST /bond/setmtu/<mtu>/<interface>/<ip>:
 * as the reference answers where no link is bonded (vl2 10), which is always so here: a peer is
 * sent to on its best path (vl1 13). */
#include "service/api.h"

#include <string.h>

void api_bond(struct service *service, const struct api_request *request, struct api_reply *reply)
{
	(void)service;
	const struct api_path *path = request->path;
	const char *verb = path->count > 1 ? path->parts[1] : "";
	if ((request->method == API_GET && path->count == 3 && strcmp(verb, "show") == 0) ||
	    (request->method == API_POST && path->count == 3 && strcmp(verb, "rotate") == 0)) {
		api_reply_text(reply, 400, "application/json", "{}");
	} else if (request->method == API_POST && path->count == 5 && strcmp(verb, "setmtu") == 0) {
		api_reply_text(reply, 400, "application/json", "Bonding layer isn't active yet");
	}
}
