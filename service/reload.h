/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Taking over changed settings and newly listed networks while running (SIGHUP, POST /config). */
#ifndef SERVICE_RELOAD_H
#define SERVICE_RELOAD_H

#include "service/service.h"

#include <jansson.h>

/* Put settings in force; takes the reference. The ports stay: they change with a restart. */
void reload_apply(struct service *service, const struct settings *settings, json_t *local_conf);
/* SIGHUP: read local.conf and networks.d again. A wrong local.conf is logged and changes nothing.
 */
void reload(struct service *service);

#endif
