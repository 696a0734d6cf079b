/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The service's side of the protocol with the library: control connections, requests, answers. */
#ifndef SERVICE_RPCD_H
#define SERVICE_RPCD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct vhost;
struct settings;

/* Create the control socket at `path` and watch it. 0 or -errno. */
int rpcd_open(struct vhost *vhost, const char *path);
/* Close every control connection, remove the socket file. */
void rpcd_close(struct vhost *vhost);

/* Handle one message with its descriptors, which are consumed. The dispatcher as such: no control
 * connection is needed, which is how the fuzzer calls it. HELLO is not for it. 0, or -EPROTO if the
 * message is malformed and its connection must be closed. */
struct rpcd_message {
	const void *bytes; /* aligned for struct rpc_header */
	size_t length;
	int *fds;
	size_t fd_count;
	uid_t uid; /* of the connection */
	pid_t pid; /* who made it; 0 = unknown */
};
int rpcd_dispatch(struct vhost *vhost, const struct rpcd_message *message);

#endif
