/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* GET, POST and DELETE /moon and /moon/<id> (vl2 10). */
#include "core/identity.h"
#include "core/world.h"
#include "service/api.h"
#include "service/moons.h"
#include "service/service.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ids are 64-bit numbers, in practice the address of the first root. */
static bool id_parse(const char *part, uint64_t *out)
{
	for (size_t digits = 10; digits <= 16; digits++) {
		if (api_id(part, digits, out)) {
			return *out != 0;
		}
	}
	return false;
}

static json_t *roots_json(const struct world *world)
{
	json_t *roots = json_array();
	for (size_t i = 0; i < world->root_count; i++) {
		const struct world_root *root = &world->roots[i];
		char identity[IDENTITY_TEXT_MAX], endpoint[ENDPOINT_TEXT_MAX];
		json_t *endpoints = json_array();
		for (size_t j = 0; j < root->endpoint_count; j++) {
			(void)json_array_append_new(
			    endpoints, json_string(endpoint_text(&root->endpoints[j], endpoint)));
		}
		(void)json_array_append_new(
		    roots, json_pack("{s:s, s:o}", "identity",
				     identity_text(&root->identity, false, identity),
				     "stableEndpoints", endpoints));
	}
	return roots;
}

static json_t *moon_json(const struct zt_moon_view *moon)
{
	char id[17], key[2 * IDENTITY_KEY_BYTES + 1], signature[2 * SIGNATURE_BYTES + 1];
	const struct world *world = moon->world;
	(void)snprintf(id, sizeof id, "%016llx", (unsigned long long)moon->id);
	if (!world) {
		return json_pack("{s:s, s:[], s:I, s:n, s:n, s:b}", "id", id, "roots", "timestamp",
				 (json_int_t)0, "signature", "updatesMustBeSignedBy", "waiting", 1);
	}
	(void)sodium_bin2hex(key, sizeof key, world->next_key, sizeof world->next_key);
	(void)sodium_bin2hex(signature, sizeof signature, world->signature,
			     sizeof world->signature);
	return json_pack("{s:s, s:o, s:I, s:s, s:s, s:b}", "id", id, "roots", roots_json(world),
			 "timestamp", (json_int_t)world->timestamp, "signature", signature,
			 "updatesMustBeSignedBy", key, "waiting", 0);
}

static json_t *moon_find(const struct service *service, uint64_t id)
{
	struct zt_moon_view moon;
	for (size_t i = 0; zt_moon_view(service->node, i, &moon); i++) {
		if (moon.id == id) {
			return moon_json(&moon);
		}
	}
	return json_object();
}

/* {"seed":"<hex>"}; 0 if there is none that could be an address. */
static uint64_t seed_of(const struct api_request *request)
{
	json_error_t error;
	json_t *body = api_body(request, &error);
	const char *text = json_string_value(json_object_get(body, "seed"));
	uint64_t seed = 0;
	if (!text || !api_id(text, 10, &seed)) {
		seed = 0;
	}
	json_decref(body);
	return seed;
}

static void moon_orbit(struct service *service, const struct api_request *request, uint64_t id,
		       struct api_reply *reply)
{
	uint64_t seed = seed_of(request);
	if (seed == 0) {
		api_reply_json(reply, 200, json_object());
		return;
	}
	moons_load_one(service, id);
	int error = zt_moon_orbit(service->node, request->now, id, seed);
	if (error == 0 || error == ZT_E_EXISTS) {
		api_reply_json(reply, 200, moon_find(service, id));
	} else {
		api_reply_json(reply, 400, json_pack("{s:s}", "error", zt_err_text(error)));
	}
}

void api_moon(struct service *service, const struct api_request *request, struct api_reply *reply)
{
	const struct api_path *path = request->path;
	uint64_t id;
	if (path->count == 1 && request->method == API_GET) {
		json_t *list = json_array();
		struct zt_moon_view moon;
		for (size_t i = 0; zt_moon_view(service->node, i, &moon); i++) {
			(void)json_array_append_new(list, moon_json(&moon));
		}
		api_reply_json(reply, 200, list);
	} else if (path->count != 2 || !id_parse(path->parts[1], &id)) {
		return;
	} else if (request->method == API_GET) {
		api_reply_json(reply, 200, moon_find(service, id));
	} else if (request->method == API_POST) {
		moon_orbit(service, request, id, reply);
	} else if (request->method == API_DELETE) {
		(void)zt_moon_deorbit(service->node, request->now, id);
		api_reply_json(reply, 200, json_pack("{s:b}", "result", 1));
	}
}
