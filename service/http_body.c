/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: libmicrohttpd asks for bytes whenever the socket takes some. When the stream has
 * none, the connection is suspended from inside that call, and the stream's wake resumes it: an
 * idle stream costs no turn of the loop. Asker gone, service stopping or no room for one more that
 * waits: the body ends.
 */
#include "service/http_body.h"

#include "service/hold.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 65536 };

struct body {
	struct hold hold;
	struct service *service;
	struct MHD_Connection *connection;
	struct api_stream *stream;
};

static ssize_t on_read(void *context, uint64_t at, char *out, size_t max)
{
	(void)at;
	struct body *body = context;
	if (body->hold.is_gone) {
		return MHD_CONTENT_READER_END_OF_STREAM;
	}
	int64_t n = body->stream->read(body->stream, out, max);
	if (n < 0) {
		return MHD_CONTENT_READER_END_OF_STREAM;
	}
	if (n == 0 && !hold_begin(body->service, &body->hold, body->connection)) {
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	return (ssize_t)n;
}

static void on_wake(struct api_stream *stream)
{
	struct body *body = stream->wake_context;
	hold_end(&body->hold);
}

static void on_free(void *context)
{
	struct body *body = context;
	hold_end(&body->hold);
	body->stream->close(body->stream);
	free(body);
}

struct MHD_Response *http_body_new(struct service *service, struct MHD_Connection *connection,
				   struct api_stream *stream)
{
	struct body *body = calloc(1, sizeof *body);
	if (!body) {
		stream->close(stream);
		return NULL;
	}
	*body = (struct body){ .hold = { .until_ms = INT64_MAX },
			       .service = service,
			       .connection = connection,
			       .stream = stream };
	stream->wake = on_wake;
	stream->wake_context = body;
	struct MHD_Response *response = MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, body, on_free);
	if (!response) {
		on_free(body);
	}
	return response;
}
