/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which local addresses a node should bind (vl1 18, decision S20). */
#ifndef SERVICE_IFSCAN_H
#define SERVICE_IFSCAN_H

#include "service/service.h"

#include <stdbool.h>
#include <stddef.h>

/* May sockets be bound to an address of this interface (vl1 18)? */
bool ifscan_usable(const struct settings *settings, const char *interface,
		   const struct zt_endpoint *address);

/* The addresses to bind now, ports 0; returns how many. */
size_t ifscan(const struct settings *settings, bool loopback_ok, struct zt_endpoint *out,
	      size_t max);

#endif
