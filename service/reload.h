/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Taking over changed settings and newly listed networks while running: SIGHUP, POST /config, and
 * whenever local.conf or trustedpaths is written (inotify: nothing is polled).
 */
#ifndef SERVICE_RELOAD_H
#define SERVICE_RELOAD_H

#include "service/service.h"

#include <jansson.h>

/* Put settings in force; takes the reference. The primary port stays: it changes with a restart. */
void reload_apply(struct service *service, const struct settings *settings, json_t *local_conf);
/* Tell the node what the settings say of the physical network. */
void reload_core(struct service *service);
/* SIGHUP: read local.conf and networks.d again. A wrong local.conf is logged and changes nothing.
 */
void reload(struct service *service);

/* Watch the home directory. Without inotify, SIGHUP remains; that is logged. */
void reload_watch(struct service *service);
void reload_unwatch(struct service *service);
/* WATCH_HOME. */
void reload_on_home(struct service *service, struct watch *w);

#endif
