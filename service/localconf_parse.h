/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What localconf.c (settings) and localconf_paths.c (physical, virtual) share. */
#ifndef SERVICE_LOCALCONF_PARSE_H
#define SERVICE_LOCALCONF_PARSE_H

#include "service/localconf.h"

struct parse {
	const char *file, *text;
	struct settings *settings;
	char *error; /* LOCALCONF_ERROR_BYTES */
};

/* Put file, line of the key, reason and cure into the error; false, for returning it. */
__attribute__((format(printf, 3, 4))) bool localconf_refuse(struct parse *p, const char *key,
							    const char *format, ...);
/* "ip/bits"; no bits = the whole address. */
bool localconf_take_net(struct parse *p, const char *key, const char *text,
			struct zt_endpoint *out);

bool localconf_take_physical(struct parse *p, json_t *physical);
bool localconf_take_virtual(struct parse *p, json_t *virtual_peers);

#endif
