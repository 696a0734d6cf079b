/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a network is one private copy of the stack library, one stack in it, one virtual
 * host (vhost.h) and one membership in the core. Frames pass through here in both directions
 * without being kept. The core says that something changed by an event from inside its own work;
 * that only marks the network, and net_settle_all brings the stack up to date at the end of the
 * turn.
 *
 * Paths (decision S3): HOME/nc/<nwid>/sock is the socket, its directory is made once and stays, so
 * that containers can mount it; HOME/nc_<nwid> is a relative link to the socket, the name that
 * users know.
 */
#include "service/net.h"

#include "base/bug.h"
#include "core/addr.h"
#include "service/api.h"
#include "service/capture.h"
#include "service/file.h"
#include "service/hold.h"
#include "service/home.h"
#include "service/log.h"
#include "service/net_policy.h"
#include "service/resolver.h"
#include "service/service.h"
#include "service/vhost.h"
#include "service/worker.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	MTU_BEFORE_CONFIG = 2800,
	FRAMES_PER_CALL = 64,
	CACHE_MAX_BYTES = 512 * 1024, /* the largest configuration dictionary is 484 520 bytes */
};

static unsigned long long id_of(const struct net *net)
{
	return net->nwid;
}

struct net *net_find(struct service *service, uint64_t nwid)
{
	struct net *net = service->networks;
	while (net && net->nwid != nwid) {
		net = net->next;
	}
	return net;
}

/* ---- frames --------------------------------------------------------------------------------- */

void net_frames_in(struct service *service, uint64_t nwid, const struct zt_frame *frames,
		   size_t count)
{
	struct net *net = net_find(service, nwid);
	if (!net || !net->stack) {
		return;
	}
	struct zt_now now = loop_now(service->loop);
	for (size_t i = 0; net->captures && i < count; i++) {
		capture_frame(net, now.wall_ms, frames[i].bytes, frames[i].length);
	}
	int64_t now_ms = now.mono_ms;
	while (count > 0) {
		struct stack_frame span[FRAMES_PER_CALL];
		size_t n = count < FRAMES_PER_CALL ? count : FRAMES_PER_CALL;
		for (size_t i = 0; i < n; i++) {
			span[i] = (struct stack_frame){ .bytes = frames[i].bytes,
							.length = frames[i].length,
							.is_authentic = frames[i].is_authentic };
		}
		net->ops->input(net->stack, span, n, now_ms);
		frames += n;
		count -= n;
	}
}

static void on_output(void *context, uint8_t *frame, uint32_t length)
{
	struct net *net = context;
	if (net->captures) { /* before it is sealed in place */
		capture_frame(net, loop_now(net->service->loop).wall_ms, frame, length);
	}
	struct zt_frame out = { .bytes = frame, .length = length, .is_authentic = true };
	zt_send_frames(net->service->node, loop_now(net->service->loop), net->nwid, &out, 1);
}

static void on_multicast(void *context, const uint8_t mac[6], uint32_t adi, bool join)
{
	struct net *net = context;
	uint64_t number = 0;
	for (int i = 0; i < 6; i++) {
		number = number << 8 | mac[i];
	}
	if (!join) {
		zt_multicast_leave(net->service->node, net->nwid, number, adi);
	} else if (zt_multicast_join(net->service->node, loop_now(net->service->loop), net->nwid,
				     number, adi) != 0) {
		log_warn("net", "cannot subscribe to a multicast group nwid=%016llx", id_of(net));
	}
}

static void on_conflict(void *context, const struct stack_ip *address, const uint8_t mac[6])
{
	struct net *net = context;
	char text[ENDPOINT_TEXT_MAX];
	struct zt_endpoint ip = { .family = address->family };
	net->conflict.address = *address;
	memcpy(net->conflict.mac, mac, sizeof net->conflict.mac);
	net->conflict.at_ms = loop_now(net->service->loop).mono_ms;
	memcpy(ip.ip, address->bytes, sizeof ip.ip);
	log_warn("net",
		 "another member uses our address nwid=%016llx address=%s "
		 "mac=%02x:%02x:%02x:%02x:%02x:%02x",
		 id_of(net), endpoint_ip_text(&ip, text), mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
}

static void on_random(void *context, void *out, size_t length)
{
	(void)context;
	randombytes_buf(out, length);
}

__attribute__((noreturn)) static void on_fail(void *context, const char *text)
{
	(void)context;
	bug_abort(text, "liblwip.so", 0);
}

/* ---- making and ending one ------------------------------------------------------------------ */

int net_stack_make(struct net *net, uint32_t mtu)
{
	net->callbacks = (struct stack_callbacks){
		.size = sizeof net->callbacks,
		.output = on_output,
		.multicast = on_multicast,
		.conflict = on_conflict,
		.random = on_random,
		.fail = on_fail,
	};
	vhost_stack_callbacks(&net->callbacks);
	struct stack_config config = {
		.size = sizeof config,
		.mtu = mtu,
		.callbacks = &net->callbacks,
		.context = net,
		.now_ms = loop_now(net->service->loop).mono_ms,
	};
	uint64_t mac = addr_mac(net->nwid, net->service->address);
	for (int i = 0; i < 6; i++) {
		config.mac[i] = (uint8_t)(mac >> (40 - 8 * i));
	}
	net->stack = net->ops->create(&config);
	net->mtu = mtu;
	if (!net->stack) {
		log_err("net", "cannot create a TCP/IP stack, out of memory nwid=%016llx",
			id_of(net));
		return -ENOMEM;
	}
	return 0;
}

static int library_load(struct net *net)
{
	char path[HOME_PATH_BYTES], why[256] = "";
	int error = stacklib_find(net->service->home, path, sizeof path, why, sizeof why);
	if (error == 0) {
		error = stacklib_load(&net->library, path, why, sizeof why);
	}
	if (error != 0) {
		log_err("net", "cannot load the TCP/IP stack: %s nwid=%016llx", why, id_of(net));
		return error;
	}
	net->ops = net->library.ops;
	return 0;
}

/* A link that is right stays: during a restart programs look it up. */
static bool is_link_to(const char *path, const char *target)
{
	char there[64];
	ssize_t length = readlink(path, there, sizeof there);
	return length == (ssize_t)strlen(target) && memcmp(there, target, strlen(target)) == 0;
}

/* The socket's directory and the link that users know. */
static int paths_make(struct net *net, char socket_path[HOME_PATH_BYTES])
{
	const struct service *service = net->service;
	char folder[HOME_PATH_BYTES], target[64];
	(void)home_path(service, folder, "nc/%016llx", id_of(net));
	(void)home_path(service, socket_path, "nc/%016llx/sock", id_of(net));
	(void)home_path(service, net->socket_path, "nc_%016llx", id_of(net));
	if (strlen(socket_path) >= sizeof((struct sockaddr_un){ 0 }).sun_path) {
		log_err("net",
			"the home directory's path is too long for a socket in it; use one "
			"of at most %zu bytes home=%s",
			sizeof((struct sockaddr_un){ 0 }).sun_path - 1 - strlen(socket_path) +
			    strlen(service->home),
			service->home);
		return -ENAMETOOLONG;
	}
	int error = file_mkdirs(folder, 0755);
	(void)snprintf(target, sizeof target, "nc/%016llx/sock", id_of(net));
	if (error == 0 && !is_link_to(net->socket_path, target)) {
		(void)unlink(net->socket_path);
		error = symlink(target, net->socket_path) == 0 ? 0 : -errno;
	}
	if (error != 0) {
		errno = -error;
		log_err_errno("net", "cannot create the socket's directory path=%s", folder);
	}
	return error;
}

/* Join in the core, with the configuration of the last run if there is one. Comes last: from here
 * on only leaving takes the network out of networks.d. */
static int core_join(struct net *net)
{
	struct service *service = net->service;
	char path[HOME_PATH_BYTES], *cached = NULL;
	size_t length = 0;
	(void)home_path(service, path, "networks.d/%016llx.conf", id_of(net));
	int error = file_read(path, CACHE_MAX_BYTES, &cached, &length);
	if (error == -ENOENT) {
		(void)worker_write(service->worker, path, "\n", 1, 0600); /* vl2 10.1 */
	} else if (error != 0) {
		errno = -error;
		log_warn_errno("net", "cannot read the cached configuration file=%s", path);
	}
	bool has_cache = length > 1;
	int result = zt_join(service->node, loop_now(service->loop), net->nwid,
			     has_cache ? cached : NULL, has_cache ? length : 0);
	free(cached);
	if (result != 0) {
		log_err("net", "cannot join: %s nwid=%016llx", zt_err_text(result), id_of(net));
		return result == ZT_E_NO_MEMORY ? -ENOMEM : -EINVAL;
	}
	return 0;
}

static void net_release(struct net *net)
{
	capture_end_all(net);
	resolver_free(net);
	if (net->vhost) {
		vhost_close(net->vhost);
	}
	if (net->stack) {
		net->ops->destroy(net->stack);
	}
	if (net->library.handle) {
		stacklib_unload(&net->library);
	}
	free(net);
}

static int net_build(struct net *net)
{
	char socket_path[HOME_PATH_BYTES];
	int error = library_load(net);
	if (error == 0) {
		error = paths_make(net, socket_path);
	}
	if (error == 0) {
		error = net_stack_make(net, MTU_BEFORE_CONFIG);
	}
	if (error == 0) {
		error = vhost_open(net, socket_path, &net->vhost);
	}
	return error == 0 ? core_join(net) : error;
}

int net_join(struct service *service, uint64_t nwid)
{
	struct net *net = net_find(service, nwid);
	if (net) {
		return 0;
	}
	net = calloc(1, sizeof *net);
	if (!net) {
		return -ENOMEM;
	}
	net->service = service;
	net->nwid = nwid;
	net_policy_load(net);
	int error = net_build(net);
	if (error != 0) {
		errno = -error;
		log_err_errno("net", "the network is not joined nwid=%016llx", id_of(net));
		net_release(net);
		return error;
	}
	net->next = service->networks;
	service->networks = net;
	/* The original's words; scripts wait for them (netcon.md 1.2). */
	(void)fprintf(stderr, " NetconEthernetTap initialized on: %s\n", net->socket_path);
	net_update(net);
	return 0;
}

static struct net *net_unlink(struct service *service, uint64_t nwid)
{
	struct net **at = &service->networks;
	while (*at && (*at)->nwid != nwid) {
		at = &(*at)->next;
	}
	struct net *net = *at;
	if (net) {
		*at = net->next;
	}
	return net;
}

int net_leave(struct service *service, uint64_t nwid)
{
	char path[HOME_PATH_BYTES];
	struct net *net = net_unlink(service, nwid);
	if (!net) {
		return -ENOENT;
	}
	(void)unlink(net->socket_path);
	net_release(net);
	(void)zt_leave(service->node, loop_now(service->loop), nwid);
	unsigned long long id = nwid;
	(void)worker_remove(service->worker,
			    home_path(service, path, "networks.d/%016llx.conf", id));
	(void)worker_remove(service->worker,
			    home_path(service, path, "networks.d/%016llx.local.conf", id));
	log_info("net", "left nwid=%016llx", id);
	hold_stir(service);
	return 0;
}

void net_close_all(struct service *service)
{
	while (service->networks) {
		struct net *net = net_unlink(service, service->networks->nwid);
		(void)unlink(net->socket_path);
		net_release(net);
	}
}

void net_join_listed(struct service *service)
{
	char path[HOME_PATH_BYTES];
	DIR *folder = opendir(home_path(service, path, "networks.d"));
	const struct dirent *entry;
	while (folder && (entry = readdir(folder))) {
		char digits[17];
		uint64_t nwid;
		if (strlen(entry->d_name) != 16 + 5 || strcmp(entry->d_name + 16, ".conf") != 0) {
			continue;
		}
		memcpy(digits, entry->d_name, 16);
		digits[16] = '\0';
		if (api_id(digits, 16, &nwid)) {
			(void)net_join(service, nwid); /* logged */
		}
	}
	if (folder) {
		(void)closedir(folder);
	}
}

/* ---- time ------------------------------------------------------------------------------------ */

void net_advance_all(struct service *service, int64_t now_ms)
{
	for (struct net *net = service->networks; net; net = net->next) {
		if (net->stack && net->ops->deadline(net->stack) <= now_ms) {
			net->ops->advance(net->stack, now_ms);
		}
		if (vhost_deadline(net->vhost) <= now_ms) {
			vhost_advance(net->vhost, now_ms);
		}
		if (resolver_deadline(net) <= now_ms) {
			resolver_advance(net);
		}
	}
}

int64_t net_deadline(const struct service *service)
{
	int64_t deadline = INT64_MAX;
	for (const struct net *net = service->networks; net; net = net->next) {
		int64_t stack = net->stack ? net->ops->deadline(net->stack) : INT64_MAX;
		int64_t vhost = vhost_deadline(net->vhost);
		int64_t first = stack < vhost ? stack : vhost;
		int64_t resolver = resolver_deadline(net);
		first = resolver < first ? resolver : first;
		deadline = first < deadline ? first : deadline;
		if (net->is_stale) {
			return 0;
		}
	}
	return deadline;
}
