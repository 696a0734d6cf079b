/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The interfaces of the virtual host, for interfaces.c and ifreq.c. */
#ifndef INTERCEPT_INTERFACES_H
#define INTERCEPT_INTERFACES_H

#include "intercept/names.h"

enum { INTERFACE_LOOPBACK_MTU = 65536 };

/* ---- interfaces_table.c ---------------------------------------------------------------------- */

/* IFF_... */
unsigned interface_flags(const struct interfaces *all, unsigned index);
/* NULL, 0: there is none. */
const char *interface_name(const struct interfaces *all, unsigned index);
unsigned interface_index(const struct interfaces *all, const char *name);
void interface_mask(uint8_t out[16], unsigned bits);
/* 127.0.0.1/8 and ::1/128 */
extern const struct rpc_interface_addr interface_loopback[2];

/* ---- interfaces.c ---------------------------------------------------------------------------- */

enum { INTERFACES_ROUTES_MAX = 128 }; /* as many as a network has */
/* The network's managed routes; how many. 0 also without a service. */
size_t interfaces_routes_ask(struct rpc_managed_route out[INTERFACES_ROUTES_MAX]);

/* ifreq.c: an ioctl about interfaces. 0 or -errno. */
int ifreq_answer(unsigned long request, void *argument);

#endif
