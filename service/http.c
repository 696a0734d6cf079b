/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: one libmicrohttpd daemon per address family, without a thread; its own epoll
 * descriptor is watched by our loop, and MHD_run does what is ready. A request passes on_request
 * several times: first with the headers only, then per piece of body, then once more to be
 * answered. Whether the asker has the right is known after the headers; if not, the body is not
 * kept, so nobody unknown makes us hold one.
 */
#include "service/http.h"

#include "service/api.h"
#include "service/handover.h"
#include "service/hold.h"
#include "service/http_body.h"
#include "service/log.h"
#include "service/service.h"
#include "service/udp_socket.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	HTTP_MAX_CONNECTIONS = 64, /* per family; more wait in the kernel's queue */
	HTTP_CONNECTION_BYTES = 32768,
	HTTP_IDLE_S = 5, /* as the Keep-Alive header says */
	HTTP_BACKLOG = 64,
	WAIT_MAX_MS = 600000, /* who waits longer asks again */
};

struct http_listener {
	struct watch watch;
	struct http *http;
	struct MHD_Daemon *daemon;
	int fd; /* where it listens */
};

struct http {
	struct service *service;
	struct http_listener listeners[2];
};

/* A request on its way. */
struct incoming {
	struct api_path path;
	char *body;
	size_t length, capacity;
	bool is_refused, is_too_large; /* either way the body is not kept */
	struct hold hold;              /* ?wait= */
};

static const char *header_find(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum api_method method_of(const char *method)
{
	if (strcmp(method, "GET") == 0) {
		return API_GET;
	}
	if (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
		return API_POST;
	}
	return strcmp(method, "DELETE") == 0 ? API_DELETE : API_OTHER;
}

/* What is left of ?wait=MS, which begins when the request is first looked at. */
static int64_t wait_left(struct MHD_Connection *connection, struct incoming *in, int64_t now_ms)
{
	const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "wait");
	if (!text || in->hold.is_gone) {
		return 0;
	}
	if (in->hold.until_ms == 0) {
		char *end;
		long long ms = strtoll(text, &end, 10);
		ms = *end != '\0' || ms < 0 ? 0 : ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms;
		in->hold.until_ms = now_ms + ms;
	}
	return in->hold.until_ms > now_ms ? in->hold.until_ms - now_ms : 0;
}

static void request_fill(struct http *http, struct MHD_Connection *connection, const char *method,
			 struct incoming *in, struct api_request *out)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	*out = (struct api_request){
		.method = method_of(method),
		.path = &in->path,
		.body = in->body ? in->body : "",
		.body_length = in->length,
		.now = loop_now(http->service->loop),
		.header_token = header_find(connection, "X-ZT1-Auth"),
		.query_token =
		    MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "auth"),
		.bearer = header_find(connection, "Authorization"),
		.jsonp = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "jsonp"),
	};
	out->wait_ms = wait_left(connection, in, out->now.mono_ms);
	if (info && info->client_addr) {
		struct sockaddr_storage name = { 0 };
		bool is_v6 = info->client_addr->sa_family == AF_INET6;
		memcpy(&name, info->client_addr,
		       is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
		(void)udp_from_sockaddr(&name, &out->from);
	}
}

static struct MHD_Response *response_new(struct service *service, struct MHD_Connection *connection,
					 const struct api_reply *reply)
{
	if (reply->stream) {
		return http_body_new(service, connection, reply->stream);
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    reply->length, reply->text,
	    reply->text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (!response) {
		free(reply->text);
	}
	return response;
}

/* Takes the reply's text or stream. */
static enum MHD_Result reply_send(struct http *http, struct MHD_Connection *connection,
				  struct api_reply *reply)
{
	struct MHD_Response *response = response_new(http->service, connection, reply);
	if (!response) {
		return MHD_NO;
	}
	if (reply->content_type) {
		(void)MHD_add_response_header(response, "Content-Type", reply->content_type);
	}
	(void)MHD_add_response_header(response, "Keep-Alive", "timeout=5, max=5");
	enum MHD_Result result = MHD_queue_response(connection, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* The headers are there. */
static enum MHD_Result request_begin(struct http *http, struct MHD_Connection *connection,
				     const char *url, const char *method, void **state)
{
	struct incoming *in = calloc(1, sizeof *in);
	if (!in) {
		return MHD_NO; /* closes this connection */
	}
	*state = in;
	if (!api_path_split(url, &in->path)) {
		in->path.count = 0; /* no route, but who asks is checked all the same */
	}
	struct api_request request;
	request_fill(http, connection, method, in, &request);
	in->is_refused = !api_allows(http->service, &request);
	return MHD_YES;
}

static void body_add(struct incoming *in, const char *bytes, size_t length)
{
	if (in->is_refused || in->is_too_large || in->length + length > API_BODY_MAX_BYTES) {
		in->is_too_large |= !in->is_refused;
		return;
	}
	if (in->length + length >= in->capacity) {
		size_t capacity = (in->length + length + 1) * 2;
		char *body = realloc(in->body, capacity);
		if (!body) {
			in->is_too_large = true;
			return;
		}
		in->body = body;
		in->capacity = capacity;
	}
	memcpy(in->body + in->length, bytes, length);
	in->length += length;
	in->body[in->length] = '\0';
}

/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd's signature */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	(void)version;
	struct http *http = context;
	if (!*state) {
		return request_begin(http, connection, url, method, state);
	}
	struct incoming *in = *state;
	if (*upload_size > 0) {
		body_add(in, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	struct api_request request;
	struct api_reply reply = { .status = 413 };
	request_fill(http, connection, method, in, &request);
	if (!in->is_too_large) {
		api_handle(http->service, &request, &reply);
	}
	if (reply.is_held) {
		in->hold.is_for_change = true;
		if (hold_begin(http->service, &in->hold, connection)) {
			return MHD_YES; /* we are called again when it ends */
		}
		api_reply_json(&reply, 503,
			       json_pack("{s:s}", "error", "too many askers wait already"));
	}
	return reply_send(http, connection, &reply);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode why)
{
	(void)context;
	(void)connection;
	(void)why;
	struct incoming *in = *state;
	if (in) {
		hold_end(&in->hold);
		free(in->body);
		free(in);
	}
	*state = NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int listen_at(const struct zt_endpoint *local)
{
	struct sockaddr_storage name;
	socklen_t length = udp_sockaddr(local, &name);
	int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	int on = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (local->family == 6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	}
	if (bind(fd, (struct sockaddr *)&name, length) != 0 || listen(fd, HTTP_BACKLOG) != 0) {
		int error = -errno;
		(void)close(fd);
		return error;
	}
	return fd;
}

static int listener_open(struct http *http, struct http_listener *listener,
			 const struct zt_endpoint *local)
{
	int fd = inherited_http(http->service, (size_t)(listener - http->listeners));
	fd = fd < 0 ? listen_at(local) : fd;
	if (fd < 0) {
		return fd;
	}
	unsigned flags = MHD_USE_EPOLL | MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_ALLOW_SUSPEND_RESUME;
	listener->daemon = MHD_start_daemon(
	    flags | (local->family == 6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL, on_request, http,
	    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)HTTP_MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_BYTES,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
	if (!listener->daemon) {
		(void)close(fd);
		return -ENOMEM;
	}
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	listener->http = http;
	listener->fd = fd;
	listener->watch = (struct watch){ .fd = info ? info->epoll_fd : -1, .kind = WATCH_HTTP };
	return loop_add(http->service->loop, &listener->watch, EPOLLIN);
}

int http_open(struct service *service, struct http **out)
{
	struct http *http = calloc(1, sizeof *http);
	if (!http) {
		return -ENOMEM;
	}
	http->service = service;
	http->listeners[0].http = http->listeners[1].http = http;
	bool is_public = service->settings.management_count > 0;
	struct zt_endpoint v4 = { .family = 4, .port = service->settings.primary_port };
	struct zt_endpoint v6 = { .family = 6, .port = service->settings.primary_port };
	if (!is_public) {
		memcpy(v4.ip, (uint8_t[]){ 127, 0, 0, 1 }, 4);
		v6.ip[15] = 1;
	}
	int error = listener_open(http, &http->listeners[0], &v4);
	if (error != 0) {
		http_close(http);
		return error;
	}
	error = listener_open(http, &http->listeners[1], &v6);
	if (error == -EADDRINUSE) {
		http_close(http);
		return error;
	}
	if (error != 0) {
		errno = -error;
		log_debug("http", "no API on IPv6: %s", strerror(errno));
	}
	*out = http;
	return 0;
}

void http_close(struct http *http)
{
	if (!http) {
		return;
	}
	hold_end_all(http->service);
	for (size_t i = 0; i < 2; i++) {
		if (http->listeners[i].daemon) {
			loop_remove(http->service->loop, &http->listeners[i].watch);
			MHD_stop_daemon(http->listeners[i].daemon);
		}
	}
	free(http);
}

void http_on_ready(struct watch *w)
{
	struct http_listener *listener =
	    (struct http_listener *)((char *)w - offsetof(struct http_listener, watch));
	(void)MHD_run(listener->daemon);
}

void http_advance(struct http *http, int64_t now_ms)
{
	if (http_deadline(http, now_ms) > now_ms) {
		return;
	}
	http->service->is_http_due = false; /* before: it may become due meanwhile */
	for (size_t i = 0; i < 2; i++) {
		if (http->listeners[i].daemon) {
			(void)MHD_run(http->listeners[i].daemon);
		}
	}
}

int64_t http_deadline(const struct http *http, int64_t now_ms)
{
	int64_t deadline = http->service->is_http_due ? now_ms : INT64_MAX;
	for (size_t i = 0; i < 2; i++) {
		MHD_UNSIGNED_LONG_LONG left;
		struct MHD_Daemon *daemon = http->listeners[i].daemon;
		if (daemon && MHD_get_timeout(daemon, &left) == MHD_YES &&
		    now_ms + (int64_t)left < deadline) {
			deadline = now_ms + (int64_t)left;
		}
	}
	return deadline;
}

int http_socket(const struct http *http, size_t index)
{
	return http->listeners[index].daemon ? http->listeners[index].fd : -1;
}

void http_finish(struct http *http, int rounds)
{
	for (size_t i = 0; i < 2; i++) {
		if (http->listeners[i].daemon) {
			(void)MHD_quiesce_daemon(http->listeners[i].daemon);
		}
	}
	hold_end_all(http->service);
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < 2; i++) {
			if (http->listeners[i].daemon) {
				(void)MHD_run(http->listeners[i].daemon);
			}
		}
	}
}
