/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A network's frames as a pcap file that is being written: tcpdump cannot see a user-space stack.
 */
#ifndef SERVICE_CAPTURE_H
#define SERVICE_CAPTURE_H

#include "core/zt.h"
#include "service/api.h"

#include <stddef.h>
#include <stdint.h>

struct net;

enum { CAPTURES_MAX = 4, CAPTURE_BUFFER_BYTES = 4 * 1024 * 1024 };

/* Begin; the stream ends when the network is left. NULL without memory or with CAPTURES_MAX under
 * way. */
struct api_stream *capture_new(struct net *net);
/* A frame passes, in or out. Call only if net->captures is not NULL. */
void capture_frame(struct net *net, int64_t wall_ms, const uint8_t *bytes, uint32_t length);
size_t capture_count(const struct net *net);
/* The network goes away: every capture of it ends after what it has. */
void capture_end_all(struct net *net);

#endif
