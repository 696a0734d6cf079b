/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Passing datagrams on and introducing their ends to each other (vl1 14, 17). The relaying itself
 * is relay_datagram in rx_impl.h. */
#ifndef ZT_RELAY_H
#define ZT_RELAY_H

#include "core/node_impl.h"

struct relay *relay_new(void);
void relay_free(struct relay *relay);

#endif
