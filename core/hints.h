/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Addresses at which local.conf says that peers may be found (vl1 10.5, 16.1). */
#ifndef ZT_HINTS_H
#define ZT_HINTS_H

#include "core/node_impl.h"

/* The peer has no usable path: greet it where it may be, at most each 30 s. */
void hints_try(struct zt_node *node, struct zt_now now, struct peer *peer);

#endif
