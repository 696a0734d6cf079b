/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The service's numbers in the Prometheus text format, under the reference's names (vl2 10). */
#ifndef SERVICE_METRICS_H
#define SERVICE_METRICS_H

#include <stddef.h>
#include <stdio.h>

struct service;

/* The whole text, malloc'd; NULL without memory. */
char *metrics_text(struct service *service, size_t *length);
/* The same into HOME/metrics.prom, through the worker. */
void metrics_save(struct service *service);
/* Its part about virtual hosts and stacks. */
void metrics_hosts(FILE *out, const struct service *service);

#endif
