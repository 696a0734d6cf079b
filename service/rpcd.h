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
/* Give the socket file the mode that the settings ask for; after a change of them. 0 or -errno. */
int rpcd_permit(struct vhost *vhost);
/* Close every control connection, remove the socket file. */
void rpcd_close(struct vhost *vhost);

/* For a hand-over: each control connection; and one that a predecessor had. 0 or -errno, then the
 * descriptor stays the caller's. */
void rpcd_clients_each(const struct vhost *vhost,
		       void (*each)(void *context, int fd, bool has_hello), void *context);
int rpcd_client_adopt(struct vhost *vhost, int fd, bool has_hello);

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
