/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/api.h"

#include "service/service.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

json_t *api_body(const struct api_request *request, json_error_t *error)
{
	return json_loadb(request->body, request->body_length, JSON_DECODE_ANY, error);
}

void api_reply_empty(struct api_reply *reply, int status)
{
	free(reply->text);
	*reply = (struct api_reply){ .status = status };
}

void api_reply_text(struct api_reply *reply, int status, const char *content_type, const char *text)
{
	api_reply_empty(reply, status);
	reply->content_type = content_type;
	reply->text = strdup(text);
	if (!reply->text) {
		api_reply_empty(reply, 503);
		return;
	}
	reply->length = strlen(text);
}

void api_reply_json(struct api_reply *reply, int status, json_t *json)
{
	api_reply_empty(reply, status);
	reply->text =
	    json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
	json_decref(json);
	if (!reply->text) {
		api_reply_empty(reply, 503);
		return;
	}
	reply->content_type = "application/json";
	reply->length = strlen(reply->text);
}

bool api_token_equal(const char *a, const char *b)
{
	size_t length_a = strlen(a), length_b = strlen(b);
	volatile unsigned char difference = length_a != length_b;
	for (size_t i = 0; i < length_b; i++) {
		difference |= (unsigned char)(b[i] ^ (i < length_a ? a[i] : 0));
	}
	return difference == 0;
}

/* ---- who asks ------------------------------------------------------------------------------- */

static bool address_allowed(const struct service *service, const struct zt_endpoint *from)
{
	if (endpoint_scope(from) == SCOPE_LOOPBACK) {
		return true;
	}
	const struct settings *settings = &service->settings;
	for (size_t i = 0; i < settings->management_count; i++) {
		if (endpoint_within(from, &settings->management[i])) {
			return true;
		}
	}
	return false;
}

/* The first token that is present decides, right or wrong (transcript 17). */
static const char *token_given(const struct api_request *request)
{
	if (request->header_token) {
		return request->header_token;
	}
	if (request->query_token) {
		return request->query_token;
	}
	if (request->bearer && strncasecmp(request->bearer, "Bearer ", 7) == 0) {
		return request->bearer + 7;
	}
	return NULL;
}

static bool token_allowed(const char *given, const char *secret)
{
	return given && secret[0] != '\0' && api_token_equal(given, secret);
}

/* ---- routes --------------------------------------------------------------------------------- */

static const struct route {
	const char *name; /* the path's first part */
	api_handler *handler;
	bool is_open; /* no token needed */
} routes[] = {
	{ "status", api_status, false },
	{ "health", api_health, true },
	{ "config", api_config, false },
	{ "network", api_network, false },
	{ "peer", api_peer, false },
	{ "moon", api_moon, false },
	{ "bond", api_bond, false },
	{ "controller", api_controller, false },
	{ "unstable", api_controller, false }, /* /unstable/controller/... is all there is */
	{ "netcon", api_netcon, false },
	{ "metrics", api_metrics, false },
	{ "sso", NULL, true },
	{ "app", NULL, true },
};

static const struct route *route_find(const struct api_path *path)
{
	for (size_t i = 0; path->count > 0 && i < sizeof routes / sizeof *routes; i++) {
		if (strcmp(path->parts[0], routes[i].name) == 0) {
			return &routes[i];
		}
	}
	return NULL;
}

/* A function's name: what cannot end a string or a script. */
static bool jsonp_is_name(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_$.");
	return length > 0 && length <= 64 && text[length] == '\0';
}

static void jsonp_wrap(const char *name, struct api_reply *reply)
{
	size_t size = strlen(name) + reply->length + 4;
	char *text = malloc(size);
	if (!text) {
		api_reply_empty(reply, 503);
		return;
	}
	size_t length = 0;
	for (const char *p = name; *p != '\0'; p++) {
		text[length++] = *p;
	}
	text[length++] = '(';
	memcpy(text + length, reply->text, reply->length);
	length += reply->length;
	memcpy(text + length, ");", 3);
	free(reply->text);
	reply->text = text;
	reply->length = length + 2;
	reply->content_type = "application/javascript";
}

/* /metrics: either token, from any address that can reach us (vl2 10). */
bool api_allows(const struct service *service, const struct api_request *request)
{
	const struct route *route = route_find(request->path);
	const char *given = token_given(request);
	bool is_metrics = route && route->handler == api_metrics;
	if (is_metrics && token_allowed(given, service->metrics_token)) {
		return true;
	}
	bool is_open = route && route->is_open;
	return (is_metrics || address_allowed(service, &request->from)) &&
	       (is_open || token_allowed(given, service->token));
}

void api_handle(struct service *service, const struct api_request *request, struct api_reply *reply)
{
	const struct route *route = route_find(request->path);
	*reply = (struct api_reply){ .status = 404 };
	if (!api_allows(service, request)) {
		api_reply_text(reply, 401, "application/json", "{}");
		return;
	}
	if (!route || !route->handler || request->method == API_OTHER) {
		return;
	}
	route->handler(service, request, reply);
	if (request->jsonp && jsonp_is_name(request->jsonp) && reply->text && reply->content_type &&
	    strcmp(reply->content_type, "application/json") == 0) {
		jsonp_wrap(request->jsonp, reply);
	}
}
