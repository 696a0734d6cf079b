/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* GET /status, GET /health, GET /config, POST /config/settings. */
#include "service/api.h"
#include "service/home.h"
#include "service/localconf.h"
#include "service/reload.h"
#include "service/service.h"
#include "service/view.h"
#include "service/worker.h"

#include <stdlib.h>
#include <string.h>

void api_status(struct service *service, const struct api_request *request, struct api_reply *reply)
{
	if (request->method != API_GET || request->path->count != 1) {
		return;
	}
	struct zt_status status;
	zt_status(service->node, &status);
	api_reply_json(reply, 200, view_status(service, &status, request->now));
}

void api_health(struct service *service, const struct api_request *request, struct api_reply *reply)
{
	if (request->method != API_GET || request->path->count != 1) {
		return;
	}
	struct zt_status status;
	zt_status(service->node, &status);
	api_reply_json(reply, 200, view_version(&status, request->now.wall_ms));
}

/* local.conf with `changes` merged into its settings, or NULL. */
static json_t *config_merged(const struct service *service, json_t *changes)
{
	json_t *config = json_deep_copy(service->local_conf);
	json_t *settings = json_object_get(config, "settings");
	if (config && !settings) {
		settings = json_object();
		if (json_object_set_new(config, "settings", settings) != 0) {
			settings = NULL;
		}
	}
	if (!settings || json_object_update(settings, changes) != 0) {
		json_decref(config);
		return NULL;
	}
	return config;
}

/* Checked as at the next start before it is written: a setting that would keep the service from
 * starting is refused here. In force at once. */
static void settings_post(struct service *service, json_t *changes, struct api_reply *reply)
{
	char path[HOME_PATH_BYTES], error[LOCALCONF_ERROR_BYTES] = "out of memory";
	json_t *config = config_merged(service, changes), *parsed = NULL;
	char *text = config ? json_dumps(config, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
	struct settings settings = service->base;
	json_decref(config);
	(void)home_path(service, path, "local.conf");
	if (!text || localconf_parse(path, text, strlen(text), &settings, &parsed, error) != 0) {
		api_reply_json(reply, text ? 400 : 503, json_pack("{s:s}", "error", error));
		free(text);
		return;
	}
	(void)worker_write(service->worker, path, text, strlen(text), 0644);
	free(text);
	reload_apply(service, &settings, parsed);
	api_reply_json(reply, 200, json_object());
}

void api_config(struct service *service, const struct api_request *request, struct api_reply *reply)
{
	const struct api_path *path = request->path;
	if (request->method == API_GET && path->count == 1) {
		api_reply_json(reply, 200, json_incref(service->local_conf));
		return;
	}
	if (request->method != API_POST || path->count != 2 ||
	    strcmp(path->parts[1], "settings") != 0) {
		return;
	}
	json_error_t error;
	json_t *changes = api_body(request, &error);
	if (json_is_object(changes)) {
		settings_post(service, changes, reply);
	} else {
		api_reply_json(reply, 400,
			       json_pack("{s:s}", "error", "the body must be a JSON object"));
	}
	json_decref(changes);
}
