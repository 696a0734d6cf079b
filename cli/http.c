/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One request, one reply, through libcurl; never through a proxy of the environment. */
#include "cli/cli.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

enum {
	TIMEOUT_S = 60,             /* vl2 11.2 */
	REPLY_MAX_BYTES = 64 << 20, /* a controller's full member list is some MB */
};

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct cli_reply *reply = context;
	size_t length = size * count;
	if (reply->length + length > REPLY_MAX_BYTES) {
		return 0;
	}
	char *bigger = realloc(reply->body, reply->length + length + 1);
	if (!bigger) {
		return 0;
	}
	memcpy(bigger + reply->length, bytes, length);
	reply->body = bigger;
	reply->length += length;
	bigger[reply->length] = '\0';
	return length;
}

static struct curl_slist *headers_of(const struct cli *cli)
{
	char line[sizeof(cli->token) + 32];
	(void)snprintf(line, sizeof(line), "X-ZT1-Auth: %s", cli->token);
	struct curl_slist *first = curl_slist_append(NULL, line);
	struct curl_slist *list =
	    first ? curl_slist_append(first, "Content-Type: application/json") : NULL;
	if (!list) {
		curl_slist_free_all(first);
	}
	return list;
}

static void perform(CURL *curl, struct cli_reply *reply)
{
	char detail[CURL_ERROR_SIZE] = "";
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
	CURLcode code = curl_easy_perform(curl);
	long status = 0;
	if (code == CURLE_OK) {
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	}
	reply->status = (int)status;
	(void)snprintf(reply->error, sizeof(reply->error), "%s",
		       detail[0] ? detail : curl_easy_strerror(code));
}

/* A handle for that path, or NULL. */
static CURL *handle_new(const struct cli *cli, const char *path, struct curl_slist *headers)
{
	char url[2048];
	bool is_v6 = strchr(cli->host, ':') != NULL;
	int length = snprintf(url, sizeof(url), "http://%s%s%s:%ld%s", is_v6 ? "[" : "", cli->host,
			      is_v6 ? "]" : "", cli->port, path);
	bool is_ready = headers && length > 0 && (size_t)length < sizeof(url);
	CURL *curl = is_ready ? curl_easy_init() : NULL;
	if (curl) {
		(void)curl_easy_setopt(curl, CURLOPT_URL, url);
		(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
		(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	}
	return curl;
}

bool http_request(const struct cli *cli, const char *method, const char *path, const char *body,
		  struct cli_reply *reply)
{
	*reply = (struct cli_reply){ .body = calloc(1, 1) };
	struct curl_slist *headers = headers_of(cli);
	CURL *curl = reply->body ? handle_new(cli, path, headers) : NULL;
	if (curl) {
		(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
		(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
		(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
		(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
		if (body) {
			(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		}
		perform(curl, reply);
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return curl != NULL;
}

/* ---- streams -----------------------------------------------------------------------------------
 */

struct streaming {
	CURL *curl;
	struct cli_sink *sink;
	struct cli_reply *reply;
};

static size_t on_piece(char *bytes, size_t size, size_t count, void *context)
{
	struct streaming *s = context;
	long status = 0;
	(void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		return on_body(bytes, size, count, s->reply);
	}
	s->sink->is_full = !s->sink->each(s->sink, bytes, size * count);
	return s->sink->is_full ? 0 : size * count;
}

bool http_stream(const struct cli *cli, const char *path, struct cli_sink *sink,
		 struct cli_reply *reply)
{
	*reply = (struct cli_reply){ .body = calloc(1, 1) };
	struct curl_slist *headers = headers_of(cli);
	CURL *curl = reply->body ? handle_new(cli, path, headers) : NULL;
	struct streaming streaming = { .curl = curl, .sink = sink, .reply = reply };
	if (curl) {
		(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_piece);
		(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &streaming);
		perform(curl, reply);
		if (sink->is_full) {
			reply->status = 200; /* we hung up ourselves */
		}
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return curl != NULL;
}
