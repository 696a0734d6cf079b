/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef SERVICE_VDGRAM_HANDOVER_H
#define SERVICE_VDGRAM_HANDOVER_H

#include "base/rd.h"
#include "base/wr.h"

struct vsock;

enum { VDGRAM_HANDOVER_BYTES = 640 }; /* at most */

/* Says also that a socket is no datagram socket. */
void vdgram_handover_write(struct wr *w, const struct vsock *s);
/* Make `s` one, if it was. Its port comes later (ports_restore, vdgram_port_opened). 0, -EBADMSG or
 * -ENOMEM. */
int vdgram_handover_read(struct rd *r, struct vsock *s);

#endif
