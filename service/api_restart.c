/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* POST /netcon/restart: hand over to a successor (docs/api.md). With ?wait=MS the answer comes when
 * it is decided: 200 and what was handed over, or 500 and why everything stays as it is. */
#include "service/api.h"

#include "service/handover.h"
#include "service/service.h"

#include <errno.h>
#include <string.h>

static void error_reply(struct api_reply *reply, int status, const char *text)
{
	api_reply_json(reply, status, json_pack("{s:s}", "error", text));
}

void api_restart(struct service *service, const struct api_request *request,
		 struct api_reply *reply)
{
	struct handover *h = service->handover;
	bool ok = false;
	const char *result = handover_result(h, &ok);
	if (result && ok) {
		api_reply_text(reply, 200, "application/json", result);
		return;
	}
	if (result) {
		error_reply(reply, 500, result);
		return;
	}
	int error = handover_stage(h) == HANDOVER_IDLE ? handover_begin(h) : 0;
	if (error != 0) {
		error_reply(reply, 500,
			    error == -ENOTSUP ? "this service runs without a supervisor"
					      : strerror(-error));
		return;
	}
	if (request->wait_ms > 0) {
		handover_want_result(h);
		reply->is_held = true;
		return;
	}
	api_reply_json(reply, 202, json_pack("{s:b}", "restarting", 1));
}
