/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* initmoon and genmoon: from a seed's identity over an editable JSON file to a signed world. */
#include "cli/idtool.h"
#include "cli/idtool_file.h"
#include "core/world.h"
#include "core/zt.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOON_JSON_MAX_BYTES = 1 << 20, KEY_DIGITS = 2 * IDENTITY_KEY_BYTES };

/* ---- initmoon ------------------------------------------------------------------------------- */

static json_t *moon_json(const struct identity *seed, const struct keypair *key)
{
	char address[ADDRESS_DIGITS + 1], identity[IDENTITY_TEXT_MAX];
	char public_key[KEY_DIGITS + 1], secret[KEY_DIGITS + 1];
	(void)snprintf(address, sizeof address, "%010" PRIx64, seed->address);
	(void)sodium_bin2hex(public_key, sizeof public_key, key->public_key, IDENTITY_KEY_BYTES);
	(void)sodium_bin2hex(secret, sizeof secret, key->secret, IDENTITY_KEY_BYTES);
	json_t *moon =
	    json_pack("{s:s, s:s, s:[{s:s, s:[]}], s:s, s:s, s:s, s:s}", "id", address, "objtype",
		      "world", "roots", "identity", identity_text(seed, false, identity),
		      "stableEndpoints", "signingKey", public_key, "signingKey_SECRET", secret,
		      "updatesMustBeSignedBy", public_key, "worldType", "moon");
	sodium_memzero(secret, sizeof secret);
	return moon;
}

int idtool_initmoon(int argc, char **argv)
{
	if (argc != 1) {
		(void)idtool_refuse("initmoon needs the identity.public of the moon's first root");
		return IDTOOL_USAGE;
	}
	struct identity seed;
	struct keypair key;
	if (idtool_identity_read(argv[0], &seed) != 0) {
		return idtool_refuse("%s is not a valid identity", argv[0]);
	}
	if (!keypair_generate(&key)) {
		return IDTOOL_REFUSED;
	}
	json_t *moon = moon_json(&seed, &key);
	char *text = moon ? json_dumps(moon, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
	int status = text ? IDTOOL_DONE : idtool_refuse("out of memory");
	if (text) {
		printf("%s\n", text);
	}
	free(text);
	json_decref(moon);
	identity_wipe(&seed);
	sodium_memzero(&key, sizeof key);
	return status;
}

/* ---- genmoon -------------------------------------------------------------------------------- */

static bool hex_field(const json_t *json, const char *name, uint8_t out[IDENTITY_KEY_BYTES])
{
	const char *text = json_string_value(json_object_get(json, name));
	size_t length = 0;
	return text && strlen(text) == KEY_DIGITS &&
	       sodium_hex2bin(out, IDENTITY_KEY_BYTES, text, KEY_DIGITS, NULL, &length, NULL) ==
		   0 &&
	       length == IDENTITY_KEY_BYTES;
}

/* The functions below return NULL, or what is wrong. */
static const char *endpoints_read(const json_t *json, struct world_root *out)
{
	size_t i;
	const json_t *text;
	if (json && !json_is_array(json)) {
		return "a root's stableEndpoints is not a list";
	}
	if (json_array_size(json) > WORLD_MAX_ENDPOINTS) {
		return "a root has more than 32 stableEndpoints";
	}
	json_array_foreach(json, i, text)
	{
		const char *value = json_string_value(text);
		if (!value || !endpoint_parse(value, &out->endpoints[i]) ||
		    out->endpoints[i].port == 0) {
			return "a stableEndpoint is not IP/PORT";
		}
	}
	out->endpoint_count = i;
	return NULL;
}

static const char *roots_read(const json_t *json, struct world *out)
{
	size_t i;
	const json_t *root;
	if (!json_is_array(json) || json_array_size(json) == 0) {
		return "roots is not a list of at least one root";
	}
	if (json_array_size(json) > WORLD_MAX_ROOTS) {
		return "there are more than 4 roots";
	}
	json_array_foreach(json, i, root)
	{
		struct identity id;
		const char *text = json_string_value(json_object_get(root, "identity"));
		if (!text || identity_parse(text, &id) != 0 || identity_validate(&id) != 0) {
			return "a root's identity is not valid";
		}
		out->roots[i].identity = id;
		const char *wrong =
		    endpoints_read(json_object_get(root, "stableEndpoints"), &out->roots[i]);
		if (wrong) {
			return wrong;
		}
	}
	out->root_count = i;
	return NULL;
}

static const char *world_json_read(const json_t *json, struct world *out, struct keypair *key)
{
	uint8_t derived[IDENTITY_KEY_BYTES];
	const char *id = json_string_value(json_object_get(json, "id"));
	const char *type = json_string_value(json_object_get(json, "worldType"));
	if (!type || (strcmp(type, "moon") != 0 && strcmp(type, "planet") != 0)) {
		return "worldType is neither moon nor planet";
	}
	out->type = strcmp(type, "moon") == 0 ? WORLD_TYPE_MOON : WORLD_TYPE_PLANET;
	if (!id || *id == '\0' || strlen(id) > 16 ||
	    strspn(id, "0123456789abcdefABCDEF") != strlen(id) ||
	    (out->id = strtoull(id, NULL, 16)) == 0) {
		return "id is not 1 to 16 hex digits, or zero";
	}
	if (!hex_field(json, "signingKey", key->public_key) ||
	    !hex_field(json, "signingKey_SECRET", key->secret) ||
	    keypair_make(key->secret, derived) != 0 ||
	    memcmp(derived, key->public_key, sizeof derived) != 0) {
		return "signingKey and signingKey_SECRET are not a key pair";
	}
	if (!hex_field(json, "updatesMustBeSignedBy", out->next_key)) {
		return "updatesMustBeSignedBy is not a public key of 128 hex digits";
	}
	return roots_read(json_object_get(json, "roots"), out);
}

/* A later version of the same world must have a larger timestamp, whatever the clock says. */
static uint64_t timestamp_choose(const char *path, const struct world *world)
{
	uint64_t now = idtool_wall_ms();
	size_t length;
	struct world old;
	uint8_t *bytes = file_read(path, WORLD_MAX_BYTES, &length);
	struct rd r = rd_init(bytes, bytes ? length : 0);
	if (bytes && world_read(&r, &old) == 0 && old.id == world->id && old.type == world->type &&
	    old.timestamp >= now) {
		now = old.timestamp + 1;
	}
	free(bytes);
	return now;
}

static int moon_write(struct world *world, const struct keypair *key)
{
	char path[32];
	uint8_t bytes[WORLD_MAX_BYTES];
	(void)snprintf(path, sizeof path, "%016" PRIx64 ".moon", world->id);
	world->timestamp = timestamp_choose(path, world);
	world_sign(world, key->public_key, key->secret);
	struct wr w = wr_init(bytes, sizeof bytes);
	world_write(&w, world);
	int err = file_write(path, bytes, wr_length(&w), 0644, FILE_REPLACE);
	if (err != 0) {
		return idtool_refuse("Error writing to %s: %s", path, strerror(err));
	}
	printf("wrote %s (signed world with timestamp %" PRIu64 ")\n", path, world->timestamp);
	return IDTOOL_DONE;
}

int idtool_genmoon(int argc, char **argv)
{
	if (argc != 1) {
		(void)idtool_refuse("genmoon needs the JSON file that initmoon printed");
		return IDTOOL_USAGE;
	}
	size_t length;
	char *text = (char *)file_read(argv[0], MOON_JSON_MAX_BYTES, &length);
	if (!text) {
		return idtool_refuse("cannot read %s", argv[0]);
	}
	json_error_t error;
	json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	sodium_memzero(text, length);
	free(text);
	if (!json) {
		return idtool_refuse("%s is not JSON: line %d: %s", argv[0], error.line,
				     error.text);
	}
	struct world world = { 0 };
	struct keypair key;
	const char *wrong = world_json_read(json, &world, &key);
	json_decref(json);
	int status = wrong ? idtool_refuse("%s: %s", argv[0], wrong) : moon_write(&world, &key);
	sodium_memzero(&key, sizeof key);
	return status;
}
