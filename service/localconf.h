/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* HOME/local.conf (vl2 10.3, vl1 16): read, checked, turned into struct settings.
 *
 * Settings that this service does not use are kept and ignored, because homes move between it and
 * zerotier-one. What it does use must be right: a wrong value is refused with file, line, reason
 * and cure rather than guessed at.
 */
#ifndef SERVICE_LOCALCONF_H
#define SERVICE_LOCALCONF_H

#include "service/service.h"

#include <jansson.h>
#include <stddef.h>

enum { LOCALCONF_MAX_BYTES = 1024 * 1024, LOCALCONF_ERROR_BYTES = 640 };

void settings_defaults(struct settings *settings);

/* Parse `text` over *settings (defaults or the command line's). 0 and a new reference in *json, or
 * -1 and a sentence in `error`; *settings and *json untouched then. */
int localconf_parse(const char *file, const char *text, size_t length, struct settings *settings,
		    json_t **json, char error[LOCALCONF_ERROR_BYTES]);

/* The same from HOME/local.conf; a missing file is {}. HOME/trustedpaths is added. */
int localconf_load(const char *home, struct settings *settings, json_t **json,
		   char error[LOCALCONF_ERROR_BYTES]);

#endif
