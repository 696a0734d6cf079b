/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Control connections of the library: who may connect, HELLO and WELCOME (spec/intercept.md 6.1,
 * 6.3, decisions S3, S4). What a request does is in rpcd_ops.c.
 *
 * How this works
 * A connection is one process' (or, after fork, several processes') way to ask; nothing about a
 * socket depends on it, so it may come and go. The kernel tells us who made it (SO_PEERCRED). A
 * connection that sends something malformed is closed and counted; the sockets stay. We never wait
 * for a client: replies are sent with MSG_DONTWAIT and a client that does not read them loses them.
 */
#include "service/rpcd.h"

#include "service/handover.h"
#include "service/log.h"
#include "service/service.h"
#include "service/vsock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CLIENTS_PER_UID = 4096,
	ACCEPTS_PER_TURN = 64,
	MESSAGES_PER_TURN = 64,
	LISTEN_RETRY_MS = 1000, /* after EMFILE: the waiting connections stay in the backlog */
	PEER_GROUPS_MAX = 256,
};

struct rpc_client {
	struct vhost *vhost;
	struct watch watch;
	struct rpc_client *next, *previous;
	uid_t uid;
	pid_t pid;
	bool has_hello;
};

#define CLIENT_OF(w) ((struct rpc_client *)(void *)((char *)(w)-offsetof(struct rpc_client, watch)))
#define VHOST_OF(w)  ((struct vhost *)(void *)((char *)(w)-offsetof(struct vhost, listen)))

/* ---- the socket file ---- */

/* A path longer than sun_path is reached through its directory's descriptor. */
static int address_make(const char *path, struct sockaddr_un *out, int *directory)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*directory = -1;
	size_t length = strlen(path);
	if (length < sizeof out->sun_path) {
		memcpy(out->sun_path, path, length + 1);
		return 0;
	}
	char parent[sizeof(((struct vhost *)0)->path)];
	const char *slash = strrchr(path, '/');
	if (!slash || length >= sizeof parent) {
		return -ENAMETOOLONG;
	}
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = 0;
	*directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*directory < 0) {
		return -errno;
	}
	int n =
	    snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d%s", *directory, slash);
	return n > 0 && (size_t)n < sizeof out->sun_path ? 0 : -ENAMETOOLONG;
}

/* The kernel judges by the file's mode before SO_PEERCRED lets us judge by the lists. So where
 * somebody is listed the file is open to all, and peer_allowed() alone decides. */
static mode_t file_mode(const struct settings *settings)
{
	bool is_listed = settings->allow_uid_count > 0 || settings->allow_gid_count > 0;
	return is_listed ? settings->socket_mode | 0666 : settings->socket_mode;
}

int rpcd_permit(struct vhost *vhost)
{
	return chmod(vhost->path, file_mode(&vhost->net->service->settings)) == 0 ? 0 : -errno;
}

static int socket_bind(struct vhost *vhost, int fd)
{
	const struct service *service = vhost->net->service;
	struct sockaddr_un address;
	int directory = -1;
	int error = address_make(vhost->path, &address, &directory);
	(void)unlink(vhost->path); /* left by a service that crashed; the directory's inode stays */
	/* The mode is set before the name exists, so nobody gets in between. */
	if (error == 0 && (fchmod(fd, file_mode(&service->settings)) != 0 ||
			   bind(fd, (struct sockaddr *)&address, sizeof address) != 0)) {
		error = -errno;
	}
	if (error == 0 && chown(vhost->path, (uid_t)-1, service->home_gid) != 0) {
		log_debug("rpcd", "the control socket keeps our own group: path=%s", vhost->path);
	}
	if (error == 0) {
		error = rpcd_permit(vhost); /* what umask had taken away */
	}
	if (directory >= 0) {
		(void)close(directory);
	}
	return error;
}

int rpcd_open(struct vhost *vhost, const char *path)
{
	int n = snprintf(vhost->path, sizeof vhost->path, "%s", path);
	if (n < 0 || (size_t)n >= sizeof vhost->path) {
		return -ENAMETOOLONG;
	}
	int error = 0, fd = inherited_control(vhost->net->service, vhost->net->nwid);
	if (fd < 0) {
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			return -errno;
		}
		error = socket_bind(vhost, fd);
		if (error == 0 && listen(fd, SOMAXCONN) != 0) {
			error = -errno;
		}
	}
	vhost->listen.fd = fd;
	if (error == 0) {
		error = loop_add(vhost->net->service->loop, &vhost->listen, EPOLLIN | EPOLLET);
	}
	if (error != 0) {
		(void)close(fd);
		vhost->listen.fd = -1;
	}
	return error;
}

/* ---- who may connect (decision S4) ---- */

static bool uid_listed(const struct settings *settings, uid_t uid)
{
	for (size_t i = 0; i < settings->allow_uid_count; i++) {
		if (settings->allow_uids[i] == uid) {
			return true;
		}
	}
	return false;
}

static bool gid_listed(const struct service *service, gid_t gid)
{
	if (gid == service->home_gid) {
		return true;
	}
	for (size_t i = 0; i < service->settings.allow_gid_count; i++) {
		if (service->settings.allow_gids[i] == gid) {
			return true;
		}
	}
	return false;
}

static bool peer_allowed(const struct service *service, int fd, const struct ucred *peer)
{
	if (peer->uid == geteuid() || peer->uid == 0 ||
	    (service->settings.socket_mode & 0006) != 0 ||
	    uid_listed(&service->settings, peer->uid) || gid_listed(service, peer->gid)) {
		return true;
	}
	gid_t groups[PEER_GROUPS_MAX];
	socklen_t length = sizeof groups;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0) {
		return false;
	}
	for (size_t i = 0; i < length / sizeof groups[0]; i++) {
		if (gid_listed(service, groups[i])) {
			return true;
		}
	}
	return false;
}

/* ---- connections ---- */

static void client_free(struct rpc_client *c)
{
	struct vhost *vhost = c->vhost;
	loop_remove(vhost->net->service->loop, &c->watch);
	(void)close(c->watch.fd);
	if (c->previous) {
		c->previous->next = c->next;
	} else {
		vhost->clients = c->next;
	}
	if (c->next) {
		c->next->previous = c->previous;
	}
	struct uid_use *use = vhost_uid(vhost, c->uid);
	if (use) {
		use->clients--;
	}
	vhost->client_count--;
	free(c);
}

static void welcome_send(struct vhost *vhost, int fd, uint32_t seq, int error)
{
	const struct net *net = vhost->net;
	struct rpc_welcome w = {
		.h = { .length = sizeof w, .op = RPC_HELLO, .seq = seq, .error = error },
		.magic = RPC_MAGIC,
		.version = RPC_VERSION,
		.state = net->is_ok ? RPC_NET_OK : RPC_NET_JOINING,
		.nwid = net->nwid,
		.prefill_max = vsock_kernel()->prefill_max,
	};
	memcpy(w.boot_id, net->service->boot_id, sizeof w.boot_id);
	(void)snprintf(w.name, sizeof w.name, "%s", net->name);
	(void)rpc_send(fd, &w, sizeof w, NULL, 0, MSG_DONTWAIT);
}

static int client_new(struct vhost *vhost, int fd, const struct ucred *peer)
{
	uid_t uid = peer->uid;
	struct uid_use *use = vhost_uid(vhost, uid);
	if (!use || use->clients >= CLIENTS_PER_UID) {
		return -ENOBUFS;
	}
	struct rpc_client *c = calloc(1, sizeof *c);
	if (!c) {
		return -ENOMEM;
	}
	*c = (struct rpc_client){
		.vhost = vhost,
		.watch = { .fd = fd, .kind = WATCH_RPC_CLIENT },
		.uid = uid,
		.pid = peer->pid,
		.next = vhost->clients,
	};
	int error = loop_add(vhost->net->service->loop, &c->watch, EPOLLIN);
	if (error != 0) {
		free(c);
		return error;
	}
	if (c->next) {
		c->next->previous = c;
	}
	vhost->clients = c;
	use->clients++;
	vhost->client_count++;
	return 0;
}

int rpcd_client_adopt(struct vhost *vhost, int fd, bool has_hello)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
		return -errno;
	}
	int error = client_new(vhost, fd, &peer);
	if (error == 0) {
		vhost->clients->has_hello = has_hello; /* the newest is the first */
	}
	return error;
}

void rpcd_clients_each(const struct vhost *vhost,
		       void (*each)(void *context, int fd, bool has_hello), void *context)
{
	for (const struct rpc_client *c = vhost->clients; c; c = c->next) {
		each(context, c->watch.fd, c->has_hello);
	}
}

static void client_accept(struct vhost *vhost, int fd)
{
	static struct log_limit limit;
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof peer;
	int error = EACCES;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	    peer_allowed(vhost->net->service, fd, &peer)) {
		error = -client_new(vhost, fd, &peer);
	} else if (log_limited(&limit, vhost_now(vhost), 1000)) {
		log_warn("rpcd",
			 "a program was refused: add it to settings.netcon.allow in local.conf, or "
			 "its user to the group of the home directory: uid=%u pid=%d path=%s",
			 (unsigned)peer.uid, (int)peer.pid, vhost->path);
	}
	if (error != 0) {
		vhost->stats.refused++;
		welcome_send(vhost, fd, 0, error);
		(void)close(fd);
	}
}

void vhost_on_listen(struct watch *w)
{
	struct vhost *vhost = VHOST_OF(w);
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			client_accept(vhost, fd);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			vhost->listen_retry_ms = vhost_now(vhost) + LISTEN_RETRY_MS;
			return;
		}
	}
	vhost->listen_retry_ms = INT64_MIN; /* the edge is used up, more may wait: next turn */
}

/* ---- messages ---- */

static int hello_handle(struct rpc_client *c, const uint8_t *bytes)
{
	struct rpc_hello hello;
	memcpy(&hello, bytes, sizeof hello);
	if (hello.magic != RPC_MAGIC) {
		return -EPROTO;
	}
	bool is_known = hello.version_min <= RPC_VERSION && hello.version_max >= RPC_VERSION;
	welcome_send(c->vhost, c->watch.fd, hello.h.seq, is_known ? 0 : EPROTONOSUPPORT);
	c->has_hello = is_known;
	return is_known ? 0 : -EPROTO;
}

/* Answer one message. -EPROTO: close the connection. Descriptors are consumed. */
static int message_handle(struct rpc_client *c, const uint8_t *bytes, size_t length, int *fds,
			  size_t fd_count)
{
	const struct rpc_header *h = (const void *)bytes; /* aligned by client_step */
	bool is_ok = length >= sizeof *h && rpc_request_ok(h, length);
	if (is_ok && h->op != RPC_HELLO && c->has_hello) {
		struct rpcd_message m = {
			.bytes = bytes,
			.length = length,
			.fds = fds,
			.fd_count = fd_count,
			.uid = c->uid,
			.pid = c->pid,
		};
		return rpcd_dispatch(c->vhost, &m);
	}
	for (size_t i = 0; i < fd_count; i++) {
		(void)close(fds[i]);
	}
	return is_ok && h->op == RPC_HELLO ? hello_handle(c, bytes) : -EPROTO;
}

/* One message of a connection. False: no more now, or the connection is gone. */
static bool client_step(struct rpc_client *c)
{
	uint8_t bytes[RPC_MAX_BYTES] __attribute__((aligned(8)));
	int fds[RPC_MAX_FDS];
	size_t fd_count = RPC_MAX_FDS;
	long length = rpc_recv(c->watch.fd, bytes, sizeof bytes, fds, &fd_count, MSG_DONTWAIT);
	if (length == -EAGAIN || length == -EINTR) {
		return false;
	}
	struct vhost *vhost = c->vhost;
	if (length == 0 || length == -ECONNRESET) {
		client_free(c);
		return false;
	}
	if (length > 0 && message_handle(c, bytes, (size_t)length, fds, fd_count) == 0) {
		return true;
	}
	vhost->stats.malformed++;
	client_free(c);
	return false;
}

void vhost_on_client(struct watch *w, uint32_t events)
{
	struct rpc_client *c = CLIENT_OF(w);
	(void)events; /* reading tells everything, end of file too */
	for (int i = 0; i < MESSAGES_PER_TURN && client_step(c); i++) {
	}
}

void rpcd_close(struct vhost *vhost)
{
	for (struct rpc_client *c = vhost->clients, *next = NULL; c; c = next) {
		next = c->next;
		client_free(c);
	}
	if (vhost->listen.fd >= 0) {
		loop_remove(vhost->net->service->loop, &vhost->listen);
		(void)close(vhost->listen.fd);
		vhost->listen.fd = -1;
		(void)unlink(vhost->path);
	}
}
