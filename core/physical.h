/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What local.conf says of physical networks: MTU and trusted paths (vl1 16.2). */
#ifndef ZT_PHYSICAL_H
#define ZT_PHYSICAL_H

#include "core/zt.h"

struct physical {
	size_t count;
	struct zt_physical list[ZT_MAX_PHYSICAL];
};

/* Take a list: MTUs are clamped, what is too many is left out. */
void physical_set(struct physical *physical, const struct zt_physical *list, size_t count);
/* The MTU to an address. */
uint16_t physical_mtu(const struct physical *physical, const struct zt_endpoint *to);
/* The id of the trusted path that the address lies in; 0 = none. */
uint64_t physical_trusted(const struct physical *physical, const struct zt_endpoint *at);

#endif
