/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The JSON API behind HTTP (vl2 10): one request in, one reply out; no socket is known here.
 *
 * http.c fills in a request, api_handle() checks who asks and finds the row of the route table, the
 * resource's file (api_status.c, api_network.c, api_peer.c, api_controller.c) fills in the reply.
 */
#ifndef SERVICE_API_H
#define SERVICE_API_H

#include "core/zt.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service;

enum api_method {
	API_GET,
	API_POST, /* PUT too */
	API_DELETE,
	API_OTHER, /* no route takes it: 404 */
};

enum {
	API_MAX_PARTS = 8,
	API_PATH_MAX_BYTES = 512,
	API_BODY_MAX_BYTES = 4 * 1024 * 1024, /* a network with full rule tables is about 1 MB */
};

/* A path cut at its slashes: "/controller/network" is { "controller", "network" }. */
struct api_path {
	size_t count;
	const char *parts[API_MAX_PARTS];
	char text[API_PATH_MAX_BYTES]; /* what the parts point into */
};

/* Cut a path. False if it does not begin with a slash, is too long, has too many or empty parts
 * (one trailing slash is fine). "/" has no parts. */
bool api_path_split(const char *path, struct api_path *out);

struct api_request {
	enum api_method method;
	const struct api_path *path;
	const char *body; /* NUL-terminated, never NULL */
	size_t body_length;
	struct zt_now now;
	/* Who asks. */
	struct zt_endpoint from;
	const char *header_token; /* X-ZT1-Auth, or NULL */
	const char *query_token;  /* ?auth=, or NULL */
	const char *bearer;       /* the Authorization header, or NULL */
	const char *jsonp;        /* ?jsonp=, or NULL */
	int64_t wait_ms;          /* ?wait=: how long the asker still waits; 0 = answer now */
};

/* A body that comes in pieces for as long as it likes. Embedded in its owner. */
struct api_stream {
	/* Up to `max` bytes; 0 = none now, `wake` is called when there are; -1 = the end. */
	int64_t (*read)(struct api_stream *stream, char *out, size_t max);
	/* The asker is gone or has it all: free it. `wake` must not be called any more. */
	void (*close)(struct api_stream *stream);
	/* Set by http.c: read() has something to say again. May be called at any time. */
	void (*wake)(struct api_stream *stream);
	void *wake_context;
};

/* Starts as 404 with an empty body. */
struct api_reply {
	int status;
	const char *content_type; /* static; NULL = no Content-Type */
	char *text;               /* malloc'd; NULL = no body */
	size_t length;
	/* No answer yet: the request is to be handled again when a network has changed or wait_ms
	 * is over; only if wait_ms was not 0. */
	bool is_held;
	struct api_stream *stream; /* instead of text; NULL = none */
};

/* The part as exactly `digits` hex digits of either case. */
bool api_id(const char *part, size_t digits, uint64_t *out);

/* The body as JSON (new reference), or NULL with a sentence in `error`. */
json_t *api_body(const struct api_request *request, json_error_t *error);

/* Set the reply: compact JSON with sorted keys. Takes the reference; NULL json = out of memory:
 * 503. */
void api_reply_json(struct api_reply *reply, int status, json_t *json);
/* A text body (copied). */
void api_reply_text(struct api_reply *reply, int status, const char *content_type,
		    const char *text);
/* No body. */
void api_reply_empty(struct api_reply *reply, int status);

/* May the asker use this path at all? Needs no body: asked before one is read. */
bool api_allows(const struct service *service, const struct api_request *request);

/* Check the asker (vl2 10: address, then the first token present decides), route, answer. */
void api_handle(struct service *service, const struct api_request *request,
		struct api_reply *reply);

/* Is `a` equal to the secret `b`? In time that depends on the length of `b` only. */
bool api_token_equal(const char *a, const char *b);

/* One handler per resource; the path's first part (after "unstable") chose it. A handler that does
 * not know the path or method leaves the reply as it is: 404, empty. */
typedef void api_handler(struct service *service, const struct api_request *request,
			 struct api_reply *reply);
api_handler api_status, api_health, api_config, api_network, api_peer, api_moon, api_bond;
api_handler api_netcon; /* what the reference does not have (docs/api.md) */
/* /netcon/sockets; of one network if `nwid_text` is not NULL. */
void api_sockets(struct service *service, const char *nwid_text, struct api_reply *reply);
api_handler api_restart; /* a part of api_netcon */
api_handler api_metrics;
api_handler api_controller; /* /controller... and /unstable/controller... (vl2 9.7) */

#endif
