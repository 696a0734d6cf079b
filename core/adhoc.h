/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Ad-hoc networks: the id says everything, no controller is asked (vl2 1.1). */
#ifndef ZT_ADHOC_H
#define ZT_ADHOC_H

#include "core/netconf.h"
#include "core/zt.h"

#include <stdbool.h>
#include <stdint.h>

static inline bool adhoc_is(uint64_t nwid)
{
	return nwid >> 56 == 0xff;
}

/* The configuration that `self` has on an ad-hoc network. ZT_E_NOT_FOUND: its ports are no range,
 * there is no such network. ZT_E_UNSUPPORTED: the id has a form without a meaning.
 * ZT_E_NO_MEMORY. */
int adhoc_netconf(uint64_t nwid, uint64_t self, int64_t wall_ms,
		  struct netconf **out) ZT_MUST_CHECK;

#endif
