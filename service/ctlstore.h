/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The controller's records on disk (vl2 9.1): one compact JSON object per file below controller.d.
 *
 *     controller.d/network/<nwid>.json                   a network
 *     controller.d/network/<nwid>/member/<address>.json  a member of it
 *     controller.d/trace/                                kept for compatibility, empty
 *
 * Changes go through the worker (temporary file, fsync, rename). A malformed file is named in the
 * log, skipped, and never overwritten: what would be saved there is refused until an operator has
 * repaired or removed it and restarted.
 */
#ifndef SERVICE_CTLSTORE_H
#define SERVICE_CTLSTORE_H

#include "controller/controller.h"

struct service;

/* Make the directories and the store. Needs service->home, local_conf and worker. 0 or a zt_err. */
int ctlstore_open(struct service *service, struct controller_store **out);
/* Only after the controller is gone. NULL is fine. */
void ctlstore_close(struct controller_store *store);

#endif
