/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* mkplanet: a private universe's planet, made and updated with one key file. */
#include "cli/idtool.h"
#include "cli/idtool_earth.h"
#include "cli/idtool_file.h"
#include "core/world.h"
#include "core/zt.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_FILE_MAX_BYTES = 4096,
	KEY_FILE_DIGITS = 4 * IDENTITY_KEY_BYTES, /* public and secret half in hex */
};

struct planet_options {
	const char *key_path, *out_path;
	uint64_t id; /* 0 = not given */
	bool is_public;
	int root_count;
	char **roots;
};

static int usage_refuse(const char *what)
{
	(void)idtool_refuse("mkplanet: %s\n"
			    "  mkplanet --key KEYFILE --out planet [--id HEX] "
			    "IDENTITY.PUBLIC=IP/PORT[,IP/PORT...] ...\n"
			    "  mkplanet --public --out planet",
			    what);
	return IDTOOL_USAGE;
}

/* ---- options -------------------------------------------------------------------------------- */

static bool id_parse(const char *text, uint64_t *out)
{
	size_t digits = strspn(text, "0123456789abcdefABCDEF");
	if (digits == 0 || digits > 16 || text[digits] != '\0') {
		return false;
	}
	*out = strtoull(text, NULL, 16);
	return *out != 0;
}

/* NULL, or what is wrong with the option; *taken says how many arguments it took. */
static const char *option_take(char **argv, int left, struct planet_options *out, int *taken)
{
	if (strcmp(argv[0], "--public") == 0) {
		out->is_public = true;
		*taken = 1;
		return NULL;
	}
	*taken = 2;
	if (left < 2) {
		return "the last option has no value";
	}
	if (strcmp(argv[0], "--key") == 0) {
		out->key_path = argv[1];
	} else if (strcmp(argv[0], "--out") == 0) {
		out->out_path = argv[1];
	} else if (strcmp(argv[0], "--id") != 0) {
		return "unknown option";
	} else if (!id_parse(argv[1], &out->id)) {
		return "--id wants 1 to 16 hex digits, not zero";
	}
	return NULL;
}

static const char *options_check(const struct planet_options *options)
{
	if (!options->out_path) {
		return "--out is missing";
	}
	if (options->is_public) {
		bool is_alone = !options->key_path && options->id == 0 && options->root_count == 0;
		return is_alone ? NULL : "--public takes nothing but --out";
	}
	if (!options->key_path) {
		return "--key is missing";
	}
	if (options->root_count == 0) {
		return "no root is given";
	}
	return options->root_count > WORLD_MAX_ROOTS ? "a planet has at most 4 roots" : NULL;
}

/* Roots may stand before, between and after the options; argv is sorted in place. */
static const char *options_read(int argc, char **argv, struct planet_options *out)
{
	*out = (struct planet_options){ .roots = argv };
	for (int i = 0; i < argc;) {
		int taken = 1;
		if (strncmp(argv[i], "--", 2) != 0) {
			argv[out->root_count++] = argv[i];
		} else {
			const char *wrong = option_take(argv + i, argc - i, out, &taken);
			if (wrong) {
				return wrong;
			}
		}
		i += taken;
	}
	return options_check(out);
}

/* ---- roots ---------------------------------------------------------------------------------- */

static bool endpoint_usable(const struct zt_endpoint *e)
{
	enum endpoint_scope scope = endpoint_scope(e);
	return e->port != 0 && scope != SCOPE_NONE && scope != SCOPE_MULTICAST &&
	       scope != SCOPE_LINK_LOCAL;
}

static bool endpoints_parse(char *list, struct world_root *out)
{
	char *text;
	while ((text = strsep(&list, ",")) != NULL) {
		struct zt_endpoint e;
		if (!endpoint_parse(text, &e) || !endpoint_usable(&e)) {
			(void)idtool_refuse("'%s' is not an IP/PORT that a root can have", text);
			return false;
		}
		if (out->endpoint_count == WORLD_MAX_ENDPOINTS) {
			(void)idtool_refuse("a root has at most 32 addresses");
			return false;
		}
		out->endpoints[out->endpoint_count++] = e;
	}
	return true;
}

/* FILE=IP/PORT[,IP/PORT...] */
static bool root_parse(char *argument, struct world *world)
{
	char *equals = strrchr(argument, '=');
	if (!equals || equals == argument || equals[1] == '\0') {
		(void)idtool_refuse("'%s' is not IDENTITY.PUBLIC=IP/PORT[,IP/PORT...]", argument);
		return false;
	}
	*equals = '\0';
	struct identity id;
	struct world_root *root = &world->roots[world->root_count];
	if (!idtool_identity_get(argument, &id)) {
		return false;
	}
	int err = identity_validate(&id);
	if (err != 0) {
		(void)idtool_refuse("%s FAILED validation: %s", argument, zt_err_text(err));
		return false;
	}
	if (world_root_find(world, id.address)) {
		(void)idtool_refuse("%s is given twice; list its addresses with commas", argument);
		return false;
	}
	sodium_memzero(id.secret, sizeof id.secret);
	id.has_secret = false;
	root->identity = id;
	world->root_count++;
	return endpoints_parse(equals + 1, root);
}

/* ---- the key file --------------------------------------------------------------------------- */

/* 256 hex digits: public key, then secret, each in the identity layout. */
static bool key_parse(const char *text, struct keypair *out)
{
	uint8_t derived[IDENTITY_KEY_BYTES];
	size_t length = 0;
	const char *end = NULL;
	bool ok = strlen(text) >= KEY_FILE_DIGITS &&
		  sodium_hex2bin((uint8_t *)out, sizeof *out, text, strlen(text), NULL, &length,
				 &end) == 0 &&
		  length == sizeof *out && end[strspn(end, " \t\r\n")] == '\0';
	return ok && keypair_make(out->secret, derived) == 0 &&
	       memcmp(derived, out->public_key, sizeof derived) == 0;
}

static bool key_create(const char *path, struct keypair *out)
{
	char text[KEY_FILE_DIGITS + 2];
	if (!keypair_generate(out)) {
		return false;
	}
	(void)sodium_bin2hex(text, KEY_FILE_DIGITS + 1, (const uint8_t *)out, sizeof *out);
	text[KEY_FILE_DIGITS] = '\n';
	int err = file_write(path, text, KEY_FILE_DIGITS + 1, 0600, FILE_KEEP);
	sodium_memzero(text, sizeof text);
	if (err != 0) {
		(void)idtool_refuse("Error writing to %s: %s", path, strerror(err));
		return false;
	}
	printf("%s written: keep it, it alone can update this planet\n", path);
	return true;
}

static bool key_get(const char *path, struct keypair *out)
{
	size_t length;
	char *text = (char *)file_read(path, KEY_FILE_MAX_BYTES, &length);
	if (!text) {
		if (errno == ENOENT) {
			return key_create(path, out);
		}
		(void)idtool_refuse("cannot read %s: %s", path, strerror(errno));
		return false;
	}
	bool ok = key_parse(text, out);
	sodium_memzero(text, length);
	free(text);
	if (!ok) {
		(void)idtool_refuse("%s is not a planet's key file (256 hex digits of one key "
				    "pair); it is left as it is. Name another file to start anew.",
				    path);
	}
	return ok;
}

/* ---- the planet ----------------------------------------------------------------------------- */

/* The world that --out holds already; root_count 0 when there is none. False after saying why. */
static bool old_read(const char *path, struct world *out)
{
	size_t length;
	*out = (struct world){ 0 };
	uint8_t *bytes = file_read(path, WORLD_MAX_BYTES, &length);
	if (!bytes) {
		if (errno == ENOENT) {
			return true;
		}
		(void)idtool_refuse("cannot read %s: %s", path, strerror(errno));
		return false;
	}
	struct rd r = rd_init(bytes, length);
	bool ok = world_read(&r, out) == 0 && rd_done(&r) && out->type == WORLD_TYPE_PLANET;
	free(bytes);
	if (!ok) {
		(void)idtool_refuse("%s exists and is no planet. Move it away first.", path);
	}
	return ok;
}

/* Continue the old planet so that nodes which have it accept the new one (vl1 11.2). */
static bool old_continue(const struct planet_options *options, const struct keypair *key,
			 struct world *world)
{
	struct world old;
	if (!old_read(options->out_path, &old)) {
		return false;
	}
	world->timestamp = idtool_wall_ms();
	world->id = options->id;
	if (old.id == 0) {
		while (world->id == 0) {
			randombytes_buf(&world->id, sizeof world->id);
		}
		return true;
	}
	if (memcmp(old.next_key, key->public_key, sizeof old.next_key) != 0) {
		(void)idtool_refuse("%s can only be updated with the key that made it, which %s is "
				    "not. Move the planet away to start a new universe.",
				    options->out_path, options->key_path);
		return false;
	}
	if (options->id != 0 && options->id != old.id) {
		(void)idtool_refuse("%s has the id %016" PRIx64
				    "; move it away to make a planet with another one.",
				    options->out_path, old.id);
		return false;
	}
	world->id = old.id;
	if (world->timestamp <= old.timestamp) {
		world->timestamp = old.timestamp + 1;
	}
	return true;
}

static int planet_write(const char *path, const uint8_t *bytes, size_t length)
{
	int err = file_write(path, bytes, length, 0644, FILE_REPLACE);
	if (err != 0) {
		return idtool_refuse("Error writing to %s: %s", path, strerror(err));
	}
	return IDTOOL_DONE;
}

static int private_make(const struct planet_options *options)
{
	struct world world = { .type = WORLD_TYPE_PLANET };
	struct keypair key;
	uint8_t bytes[WORLD_MAX_BYTES];
	for (int i = 0; i < options->root_count; i++) {
		if (!root_parse(options->roots[i], &world)) {
			return IDTOOL_REFUSED;
		}
	}
	if (!key_get(options->key_path, &key)) {
		return IDTOOL_REFUSED;
	}
	int status = IDTOOL_REFUSED;
	if (old_continue(options, &key, &world)) {
		memcpy(world.next_key, key.public_key, sizeof world.next_key);
		world_sign(&world, key.public_key, key.secret);
		struct wr w = wr_init(bytes, sizeof bytes);
		world_write(&w, &world);
		status = planet_write(options->out_path, bytes, wr_length(&w));
	}
	sodium_memzero(&key, sizeof key);
	if (status == IDTOOL_DONE) {
		printf("%s written: planet %016" PRIx64 ", %zu root%s, timestamp %" PRIu64 "\n",
		       options->out_path, world.id, world.root_count,
		       world.root_count == 1 ? "" : "s", world.timestamp);
	}
	return status;
}

static int public_make(const char *path)
{
	struct world old, earth;
	struct rd r = rd_init(earth_planet, sizeof earth_planet);
	if (world_read(&r, &earth) != 0 || !old_read(path, &old)) {
		return IDTOOL_REFUSED;
	}
	if (old.id != 0 && old.id != earth.id) {
		return idtool_refuse("%s is another universe's planet. Move it away first.", path);
	}
	if (old.timestamp > earth.timestamp) {
		return idtool_refuse("%s is a newer public planet than ours; it is left as it is.",
				     path);
	}
	int status = planet_write(path, earth_planet, sizeof earth_planet);
	if (status == IDTOOL_DONE) {
		printf("%s written: the public planet; nodes with it contact ZeroTier's roots\n",
		       path);
	}
	return status;
}

int idtool_mkplanet(int argc, char **argv)
{
	struct planet_options options;
	const char *wrong = options_read(argc, argv, &options);
	if (wrong) {
		return usage_refuse(wrong);
	}
	return options.is_public ? public_make(options.out_path) : private_make(&options);
}
