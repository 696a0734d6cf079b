/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* HTTP for the JSON API: libmicrohttpd, driven by our loop (design D11). */
#ifndef SERVICE_HTTP_H
#define SERVICE_HTTP_H

#include "service/loop.h"

struct service;
struct http;

/* Listen at the primary port of 127.0.0.1 and ::1, or of all addresses if allowManagementFrom is
 * not empty (decision S22). 0 or -errno. A host without IPv6 is fine. */
int http_open(struct service *service, struct http **out);
void http_close(struct http *http);

void http_advance(struct http *http, int64_t now_ms);
int64_t http_deadline(const struct http *http, int64_t now_ms);
void http_on_ready(struct watch *w); /* WATCH_HTTP */

/* The descriptor that listens for IPv4 (0) or IPv6 (1); -1 = none. */
int http_socket(const struct http *http, size_t index);
/* A successor listens now: accept nobody, answer who waits, in that many rounds. */
void http_finish(struct http *http, int rounds);

#endif
