/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The embedded controller inside the daemon: its callbacks, its signing jobs, its turns. */
#ifndef SERVICE_CTL_H
#define SERVICE_CTL_H

#include "core/zt.h"

#include <stdint.h>

struct identity;
struct service;

/* Create service->store and service->controller. Needs loop, worker, node. 0 or a zt_err. */
int ctl_open(struct service *service, const struct identity *identity);
/* Save what is unsaved, free. The worker must be gone or drained of its jobs (worker_free drops
 * them). */
void ctl_close(struct service *service);

/* Hand what is unsaved to the worker. */
void ctl_save(struct service *service);

/* The core's config_request callback. */
void ctl_request(struct service *service, const struct zt_config_request *request);
void ctl_advance(struct service *service, struct zt_now now);
int64_t ctl_deadline(const struct service *service);

#endif
