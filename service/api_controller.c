/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* /controller... and /unstable/controller... (vl2 9.7): paths and bodies to controller/ and back.
 */
#include "controller/controller.h"
#include "service/api.h"
#include "service/service.h"

#include <stdio.h>
#include <string.h>

enum { ID_DIGITS = 16, MEMBER_DIGITS = 10, API_VERSION = 4 };

static void reply_found(struct api_reply *reply, json_t *json)
{
	if (json) {
		api_reply_json(reply, 200, json);
	} else {
		api_reply_empty(reply, 404);
	}
}

/* The body as JSON, or NULL after the 500 that an unreadable one gets, an empty one too. */
static json_t *body_or_500(const struct api_request *request, struct api_reply *reply)
{
	json_error_t error;
	json_t *body = api_body(request, &error);
	if (!body) {
		char text[JSON_ERROR_TEXT_LENGTH + 64];
		(void)snprintf(text, sizeof text, "the body is not JSON: line %d column %d: %s",
			       error.line, error.column, error.text);
		api_reply_json(reply, 500,
			       json_pack("{s:i,s:s}", "error", 500, "description", text));
	}
	return body;
}

/* ---- /controller -------------------------------------------------------------------------------
 */

static void controller_status(const struct api_request *request, struct api_reply *reply)
{
	char text[160];
	(void)snprintf(text, sizeof text,
		       "{\n\t\"controller\": true,\n\t\"apiVersion\": %d,\n\t\"clock\": %lld,\n"
		       "\t\"databaseReady\": true\n}\n",
		       API_VERSION, (long long)request->now.wall_ms);
	api_reply_text(reply, 200, "application/json", text);
}

/* ---- networks ----------------------------------------------------------------------------------
 */

/* "<10 hex>______": a new network of the node with that address. */
static bool is_template(const char *part, uint64_t *address)
{
	char digits[MEMBER_DIGITS + 1];
	if (strlen(part) != ID_DIGITS || strcmp(part + MEMBER_DIGITS, "______") != 0) {
		return false;
	}
	memcpy(digits, part, MEMBER_DIGITS);
	digits[MEMBER_DIGITS] = '\0';
	return api_id(digits, MEMBER_DIGITS, address);
}

/* Create (nwid 0 = with a number of the controller's choice) or change. */
static void network_post(struct service *service, uint64_t nwid, const struct api_request *request,
			 struct api_reply *reply)
{
	json_t *body = body_or_500(request, reply);
	if (body) {
		json_t *record =
		    controller_network_set(service->controller, request->now, nwid, body);
		api_reply_json(reply, 200, record);
		json_decref(body);
	}
}

static void networks(struct service *service, const struct api_request *request, bool is_unstable,
		     struct api_reply *reply)
{
	if (request->method == API_GET) {
		api_reply_json(reply, 200,
			       is_unstable ? controller_networks_full(service->controller)
					   : controller_networks(service->controller));
	} else if (request->method == API_POST && !is_unstable) {
		network_post(service, 0, request, reply);
	}
}

static void network(struct service *service, const struct api_request *request, const char *part,
		    struct api_reply *reply)
{
	uint64_t nwid, address;
	if (is_template(part, &address) && request->method == API_POST) {
		if (address != service->address) {
			api_reply_empty(reply, 400);
			return;
		}
		network_post(service, 0, request, reply);
		return;
	}
	if (!api_id(part, ID_DIGITS, &nwid) || nwid == 0) {
		return;
	}
	switch (request->method) {
	case API_GET:
		reply_found(reply, controller_network_get(service->controller, nwid));
		return;
	case API_POST:
		network_post(service, nwid, request, reply);
		return;
	case API_DELETE:
		reply_found(reply,
			    controller_network_delete(service->controller, request->now, nwid));
		return;
	case API_OTHER:
		return;
	}
}

/* ---- members -----------------------------------------------------------------------------------
 */

static void members(struct service *service, const struct api_request *request, uint64_t nwid,
		    bool is_unstable, struct api_reply *reply)
{
	if (request->method == API_GET) {
		reply_found(reply, is_unstable ? controller_members_full(service->controller, nwid)
					       : controller_members(service->controller, nwid));
	}
}

static void member_post(struct service *service, const struct api_request *request, uint64_t nwid,
			uint64_t address, struct api_reply *reply)
{
	json_t *known = controller_network_get(service->controller, nwid);
	if (!known) {
		return;
	}
	json_decref(known);
	json_t *body = body_or_500(request, reply);
	if (body) {
		api_reply_json(
		    reply, 200,
		    controller_member_set(service->controller, request->now, nwid, address, body));
		json_decref(body);
	}
}

static void member(struct service *service, const struct api_request *request, uint64_t nwid,
		   uint64_t address, struct api_reply *reply)
{
	switch (request->method) {
	case API_GET:
		reply_found(reply, controller_member_get(service->controller, nwid, address));
		return;
	case API_POST:
		member_post(service, request, nwid, address, reply);
		return;
	case API_DELETE:
		reply_found(reply, controller_member_delete(service->controller, request->now, nwid,
							    address));
		return;
	case API_OTHER:
		return;
	}
}

/* ---- the tree ----------------------------------------------------------------------------------
 */

/* parts: "network" [nwid ["member" [address]]], after (unstable/)controller. */
static void route(struct service *service, const struct api_request *request,
		  const char *const *parts, size_t count, bool is_unstable, struct api_reply *reply)
{
	uint64_t nwid, address;
	if (count == 0 || strcmp(parts[0], "network") != 0) {
		return;
	}
	if (count == 1) {
		networks(service, request, is_unstable, reply);
		return;
	}
	if (count == 2 && !is_unstable) {
		network(service, request, parts[1], reply);
		return;
	}
	if (count < 3 || strcmp(parts[2], "member") != 0 || !api_id(parts[1], ID_DIGITS, &nwid)) {
		return;
	}
	if (count == 3) {
		members(service, request, nwid, is_unstable, reply);
	} else if (count == 4 && !is_unstable && api_id(parts[3], MEMBER_DIGITS, &address) &&
		   address != 0) {
		member(service, request, nwid, address, reply);
	}
}

void api_controller(struct service *service, const struct api_request *request,
		    struct api_reply *reply)
{
	const struct api_path *path = request->path;
	bool is_unstable = strcmp(path->parts[0], "unstable") == 0;
	size_t used = is_unstable ? 2 : 1;
	if (is_unstable && (path->count < 2 || strcmp(path->parts[1], "controller") != 0)) {
		return;
	}
	if (!service->controller) { /* starting or stopping */
		api_reply_empty(reply, 503);
		return;
	}
	if (path->count == 1 && request->method == API_GET) {
		controller_status(request, reply);
		return;
	}
	route(service, request, path->parts + used, path->count - used, is_unstable, reply);
}
