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

bool http_request(const struct cli *cli, const char *method, const char *path, const char *body,
		  struct cli_reply *reply)
{
	char url[2048];
	bool is_v6 = strchr(cli->host, ':') != NULL;
	*reply = (struct cli_reply){ .body = calloc(1, 1) };
	int length = snprintf(url, sizeof(url), "http://%s%s%s:%ld%s", is_v6 ? "[" : "", cli->host,
			      is_v6 ? "]" : "", cli->port, path);
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = headers_of(cli);
	bool is_ready =
	    reply->body && curl && headers && length > 0 && (size_t)length < sizeof(url);
	if (is_ready) {
		(void)curl_easy_setopt(curl, CURLOPT_URL, url);
		(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
		(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
		(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
		(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
		(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
		if (body) {
			(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		}
		perform(curl, reply);
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return is_ready;
}
