/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The virtual host of one network: its control socket, virtual sockets, ports and relays.
 *
 * This is the service's half of the interception design (spec/intercept.md): rpcd.c answers the
 * library, vsock.c holds the sockets and their legal moves, ports.c owns the ports, relay.c copies
 * between a program's descriptor and the stack, shortcut.c joins two programs of one host directly.
 */
#ifndef SERVICE_VHOST_H
#define SERVICE_VHOST_H

#include "service/loop.h"
#include "service/net.h"

#include <stdint.h>

struct vhost;

/* Open the control socket at `path` (directory exists) for `net`. 0 or -errno. */
int vhost_open(struct net *net, const char *path, struct vhost **out);
/* Reset every socket, close every descriptor, remove the socket file. */
void vhost_close(struct vhost *vhost);
/* The network's status or addresses changed. Connections of addresses that went away are reset. */
void vhost_update(struct vhost *vhost);

/* Called by the loop. */
void vhost_on_listen(struct watch *w);                  /* WATCH_RPC_LISTEN */
void vhost_on_client(struct watch *w, uint32_t events); /* WATCH_RPC_CLIENT */
void vhost_on_vsock(struct watch *w, uint32_t events);  /* WATCH_VSOCK */

/* Timers of virtual sockets (TIME_WAIT entries, errors kept for SOERROR). */
void vhost_advance(struct vhost *vhost, int64_t now_ms);
int64_t vhost_deadline(const struct vhost *vhost);

/* Fill in the TCP members (admit, accepted, established, readable, eof, writable, closed) of what
 * net.c hands to the stack; their stack-wide context is the struct net *. */
void vhost_stack_callbacks(struct stack_callbacks *callbacks);

struct vhost_stats {
	uint32_t sockets, listeners, connections, clients;
	uint64_t malformed, refused, accepted, connected, shortcuts, bytes_in, bytes_out;
	/* to programs, from them, lost because one did not read, without a way */
	uint64_t datagrams_in, datagrams_out, datagrams_dropped, datagrams_refused;
};
void vhost_stats(const struct vhost *vhost, struct vhost_stats *out);

#endif
