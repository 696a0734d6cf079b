/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/moons.h"

#include "core/world.h"
#include "service/api.h"
#include "service/file.h"
#include "service/home.h"
#include "service/log.h"
#include "service/service.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOON_DIGITS = 16, MOON_FILE_MAX_BYTES = 64 * 1024 };

/* A file's bytes, NULL without one. */
static char *moon_read(const struct service *service, uint64_t id, size_t *length)
{
	char path[HOME_PATH_BYTES], *bytes = NULL;
	int error =
	    file_read(home_path(service, path, "moons.d/%016llx.moon", (unsigned long long)id),
		      MOON_FILE_MAX_BYTES, &bytes, length);
	if (error != 0 && error != -ENOENT) {
		errno = -error;
		log_warn_errno("moons", "cannot read; check owner and mode file=%s", path);
	}
	return error == 0 ? bytes : NULL;
}

static void moon_use(const struct service *service, uint64_t id, const void *bytes, size_t length)
{
	int error = zt_moon_add(service->node, loop_now(service->loop), bytes, length);
	if (error == ZT_E_MALFORMED) {
		log_warn("moons",
			 "skipped: not a moon; copy it again (it is binary) or remove it "
			 "file=%s/moons.d/%016llx.moon",
			 service->home, (unsigned long long)id);
	} else if (error != 0 && error != ZT_E_EXISTS) {
		log_warn("moons", "skipped: %s file=%s/moons.d/%016llx.moon", zt_err_text(error),
			 service->home, (unsigned long long)id);
	}
}

void moons_load_one(const struct service *service, uint64_t id)
{
	size_t length = 0;
	char *bytes = moon_read(service, id, &length);
	if (bytes) {
		moon_use(service, id, bytes, length);
	}
	free(bytes);
}

/* Every id that moons.d has a file for, through `each`. */
static void moons_each(const struct service *service,
		       void (*each)(const struct service *service, uint64_t id, void *context),
		       void *context)
{
	char path[HOME_PATH_BYTES];
	DIR *folder = opendir(home_path(service, path, "moons.d"));
	if (!folder) {
		return;
	}
	const struct dirent *entry;
	while ((entry = readdir(folder))) {
		uint64_t id;
		char digits[MOON_DIGITS + 1] = "";
		if (strlen(entry->d_name) != MOON_DIGITS + 5 ||
		    strcmp(entry->d_name + MOON_DIGITS, ".moon") != 0) {
			continue;
		}
		memcpy(digits, entry->d_name, MOON_DIGITS);
		if (api_id(digits, MOON_DIGITS, &id)) {
			each(service, id, context);
		}
	}
	(void)closedir(folder);
}

static void load_each(const struct service *service, uint64_t id, void *context)
{
	(void)context;
	moons_load_one(service, id);
}

void moons_load(const struct service *service)
{
	moons_each(service, load_each, NULL);
}

static bool world_has_loopback(const struct world *world)
{
	for (size_t i = 0; i < world->root_count; i++) {
		const struct world_root *root = &world->roots[i];
		for (size_t j = 0; j < root->endpoint_count; j++) {
			if (endpoint_scope(&root->endpoints[j]) == SCOPE_LOOPBACK) {
				return true;
			}
		}
	}
	return false;
}

static void loopback_each(const struct service *service, uint64_t id, void *context)
{
	bool *has_loopback = context;
	size_t length = 0;
	char *bytes = moon_read(service, id, &length);
	struct world *world = malloc(sizeof *world);
	if (bytes && world) {
		struct rd r = rd_init(bytes, length);
		*has_loopback |= world_read(&r, world) == 0 && world_has_loopback(world);
	}
	free(world);
	free(bytes);
}

bool moons_have_loopback(const struct service *service)
{
	bool has_loopback = false;
	moons_each(service, loopback_each, &has_loopback);
	return has_loopback;
}
