/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* An api_stream as a response of libmicrohttpd. */
#ifndef SERVICE_HTTP_BODY_H
#define SERVICE_HTTP_BODY_H

#include "service/api.h"

#include <microhttpd.h>

/* Takes the stream; NULL without memory (the stream is closed then). */
struct MHD_Response *http_body_new(struct service *service, struct MHD_Connection *connection,
				   struct api_stream *stream);

#endif
